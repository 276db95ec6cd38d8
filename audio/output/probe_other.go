//go:build !linux

package output

// probeCards finds none: only Linux has ALSA.
func probeCards(Options) []Candidate {
	return []Candidate{{Kind: ALSA, Err: &Fault{Code: Absent, Device: "hw", Err: errNoCards}}}
}
