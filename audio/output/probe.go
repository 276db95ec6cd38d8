package output

import (
	"cmp"
	"context"
	"errors"
	"slices"
)

// Candidate is a device that a sink could play to.
type Candidate struct {
	Kind   string // what Open takes
	Device string // what Open takes
	Name   string // for people
	Err    error  // why it cannot sound now; nil when it can
}

// Works reports whether the device can sound now.
func (c Candidate) Works() bool { return c.Err == nil }

// Probe looks for the sound outputs of this machine, in the given order of
// kinds (Kinds without any), and makes no sound. Of the kinds that play to a
// card or a server each device is listed, also those that do not work, with the
// reason; file is listed where it is in order, has no Device yet and always
// works. o is what Open would be given. It takes a few seconds at most, less when
// ctx ends.
func Probe(ctx context.Context, o Options, order ...string) []Candidate {
	if len(order) == 0 {
		order = Kinds()
	}
	var all []Candidate
	for _, kind := range order {
		if ctx.Err() != nil {
			break
		}
		switch kind {
		case ALSA:
			all = append(all, probeCards(o)...)
		case APlay:
			all = append(all, probeAPlay(ctx, o))
		case Pulse:
			all = append(all, probePulse(o))
		case File:
			all = append(all, Candidate{Kind: File, Name: "WAV"})
		}
	}
	return all
}

// Choose returns the first candidate that works. ok is false without any.
func Choose(all []Candidate) (c Candidate, ok bool) {
	i := slices.IndexFunc(all, Candidate.Works)
	if i < 0 {
		return Candidate{}, false
	}
	return all[i], true
}

func probePulse(o Options) Candidate {
	c := Candidate{Kind: Pulse}
	k, err := openPulse("", o)
	if err != nil {
		c.Err = err
		return c
	}
	d, err := k.Device()
	c.Name, c.Err = d.Name, err
	return c
}

// probeAPlay lets aplay open the default device, which is where alsa.conf and
// the desktop send sound.
func probeAPlay(ctx context.Context, o Options) Candidate {
	c := Candidate{Kind: APlay, Device: "default", Name: "aplay default"}
	p, err := startAPlay(cmp.Or(o.Program, "aplay"), c.Device, 48000, 2)
	if err != nil {
		c.Err = err
		return c
	}
	defer p.kill()
	c.Err = p.opened(ctx)
	return c
}

// errNoCards is why there is no card to list.
var errNoCards = errors.New("this machine has no sound card")
