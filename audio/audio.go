// Package audio turns decoded clips into the exact samples a sink plays.
//
// It owns the vocabulary of sound (Format, Frames, Gain, PCM, Source) and the
// chain gain → fades → limiter. It does no I/O and starts no goroutines.
// Decoders are in audio/decode, sinks in audio/output, BS.1770 metering in
// audio/loudness.
package audio

import (
	"fmt"
	"math"
	"time"
)

// Frames counts sample frames: one sample per channel. Never negative.
type Frames int64

// Duration returns how long n frames sound at rate Hz, rounded down to the
// nanosecond. A rate below 1 yields 0.
func (n Frames) Duration(rate int) time.Duration {
	if rate < 1 {
		return 0
	}
	whole, rest := int64(n)/int64(rate), int64(n)%int64(rate)
	return time.Duration(whole)*time.Second + time.Duration(rest)*time.Second/time.Duration(rate)
}

// FramesIn returns how many frames of rate Hz fill d, rounded to the nearest. A
// negative d yields 0.
func FramesIn(d time.Duration, rate int) Frames {
	if d <= 0 || rate < 1 {
		return 0
	}
	whole, rest := int64(d/time.Second), int64(d%time.Second)
	return Frames(whole*int64(rate) + (rest*int64(rate)+int64(time.Second)/2)/int64(time.Second))
}

// Gain is a level change in decibels; 0 leaves samples unchanged, negative
// values attenuate.
type Gain float64

// Factor returns g as the number that samples are multiplied by.
func (g Gain) Factor() float64 { return math.Pow(10, float64(g)/20) }

// The range of every Format. Below 8 kHz speech is lost; above 192 kHz and 8
// channels no sound card of ours goes.
const (
	MinRate     = 8_000
	MaxRate     = 192_000
	MaxChannels = 8
)

// Format is the shape of a stream of samples.
type Format struct {
	Rate     int // frames per second, 8,000–192,000
	Channels int // 1–8
}

// Validate returns an error that names what of f is out of range.
func (f Format) Validate() error {
	switch {
	case f.Rate < MinRate || f.Rate > MaxRate:
		return fmt.Errorf("rate %d Hz: must be %d to %d", f.Rate, MinRate, MaxRate)
	case f.Channels < 1 || f.Channels > MaxChannels:
		return fmt.Errorf("%d channels: must be 1 to %d", f.Channels, MaxChannels)
	}
	return nil
}

// PCM is a whole piece of audio in memory: interleaved samples, full scale ±1.
// It is immutable once shared.
type PCM struct {
	Format
	Samples []float32
}

// Frames returns the number of whole frames in p.
func (p *PCM) Frames() Frames {
	if p == nil || p.Channels < 1 {
		return 0
	}
	return Frames(len(p.Samples) / p.Channels)
}

// Source yields a known number of frames once, in order. A Source is used by
// one goroutine at a time.
type Source interface {
	// Format is constant for the life of the Source.
	Format() Format
	// Frames is the exact number of frames Read yields in all.
	Frames() Frames
	// Read fills dst with interleaved samples, full scale ±1, and returns the
	// number of samples written, always a multiple of the channel count. It
	// returns io.EOF, with n = 0, after the last frame.
	Read(dst []float32) (n int, err error)
}
