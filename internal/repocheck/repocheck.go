// Package repocheck holds the rules of the house as tests: which way imports
// may point, which package may hold SQL, templates, flags or the MQTT client,
// how long a file may be, and that every package says what it is for. It also
// has the scripts that `make` and CI run. It exports nothing.
package repocheck
