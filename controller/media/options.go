package media

import (
	"fmt"
	"time"

	"gatecast/audio"
)

// Options are the office's rules for uploads. A zero field means
// DefaultOptions'.
type Options struct {
	MaxBytes    int64         // of a file
	MaxDuration time.Duration // a clip that is longer is refused
	WarnAt      time.Duration // a clip that is longer gets a warning
	TargetLUFS  float64       // how loud clips sound
	Rate        int           // of the delivery form in Hz
	KeepLong    bool          // a recording that is too long stays to be cut: see Ingest
}

// HardStop is the longest clip that any approval allows.
const HardStop = 10 * time.Minute

// MaxReel is the longest recording that clips may be cut from. Its length is
// found by decoding it, so this bounds what a file can cost: some seconds.
const MaxReel = time.Hour

// DefaultOptions returns the rules of the domain: 50 MB, 180 s, a warning over
// 60 s, −18 LUFS, 24 kHz.
func DefaultOptions() Options {
	return Options{
		MaxBytes:    50_000_000,
		MaxDuration: 180 * time.Second,
		WarnAt:      60 * time.Second,
		TargetLUFS:  -18,
		Rate:        24_000,
	}
}

func (o Options) orDefault() Options {
	d := DefaultOptions()
	if o.MaxBytes == 0 {
		o.MaxBytes = d.MaxBytes
	}
	if o.MaxDuration == 0 {
		o.MaxDuration = d.MaxDuration
	}
	if o.WarnAt == 0 {
		o.WarnAt = d.WarnAt
	}
	if o.TargetLUFS == 0 {
		o.TargetLUFS = d.TargetLUFS
	}
	if o.Rate == 0 {
		o.Rate = d.Rate
	}
	return o
}

func (o Options) validate() error {
	switch {
	case o.MaxBytes < 1:
		return fmt.Errorf("MaxBytes %d: must be at least 1", o.MaxBytes)
	case o.MaxDuration < minDuration || o.MaxDuration > time.Hour:
		return fmt.Errorf("MaxDuration %v: must be %v to 1h", o.MaxDuration, minDuration)
	case o.TargetLUFS < -40 || o.TargetLUFS > -10:
		return fmt.Errorf("TargetLUFS %v: must be −40 to −10", o.TargetLUFS)
	case o.Rate < audio.MinRate || o.Rate > 48_000:
		return fmt.Errorf("delivery rate %d: must be %d to 48,000", o.Rate, audio.MinRate)
	}
	return nil
}

// minDuration is the shortest clip: less is no sentence, and too short to
// measure its loudness.
const minDuration = time.Second
