// Package acceptance plays the scenarios of the users on the real programs: a
// controller and agents as processes of their own, on loopback, with real
// files, sound written to WAV, and real faults — SIGKILL, a cut network, a
// full folder. Where kernel, file system, power or clock must be ours, they run
// in a virtual machine (box, by internal/guest). It has only tests.
//
// Those that count what a fault lost and doubled are named TestSurvives…;
// faults.sh (`make faults`) runs them and prints the table of their outcomes.
// TestRivals puts what people use instead through the same faults (rivals.sh,
// `make rivals`); its scripts are in testdata/rivals and its programs in rival.
package acceptance
