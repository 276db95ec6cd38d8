package output

import (
	"fmt"

	"gatecast/audio/output/alsa"
)

// probeCards lists the first playback device of each card: hardware first,
// monitors after it, virtual cards last, with a reason.
func probeCards(o Options) []Candidate {
	cards, err := alsa.Cards()
	if err != nil || len(cards) == 0 {
		if err == nil {
			err = &Fault{Code: Absent, Device: "hw", Err: errNoCards}
		}
		return []Candidate{{Kind: ALSA, Err: alsaFault("hw", err)}}
	}
	var real, monitors, virtual []Candidate
	for _, card := range cards {
		number := card.Devices[0]
		c := Candidate{
			Kind: ALSA, Device: card.Address(number),
			Name: fmt.Sprintf("%s (%s)", card.Address(number), card.Name),
		}
		switch {
		case card.Virtual():
			c.Err = &Fault{Code: Dummy, Device: c.Name}
			virtual = append(virtual, c)
		default:
			k := &alsaSink{device: c.Device, o: o}
			_, c.Err = k.Device()
			if card.HDMI() {
				monitors = append(monitors, c)
			} else {
				real = append(real, c)
			}
		}
	}
	return append(append(real, monitors...), virtual...)
}
