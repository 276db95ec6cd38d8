// Package acceptance plays the scenarios of the users on the real programs: a
// controller and agents as processes of their own, on loopback, with real
// files, sound written to WAV, and real faults — SIGKILL, a cut network, a
// full folder. It has only tests.
package acceptance
