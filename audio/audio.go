// Package audio turns decoded clips into the exact samples a sink plays.
//
// It owns the vocabulary of sound (Format, Frames, Gain, PCM, Source) and the
// chain gain → fades → limiter. It does no I/O and starts no goroutines.
// Decoders are in audio/decode, sinks in audio/output, BS.1770 metering in
// audio/loudness.
package audio

import "time"

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

// Gain is a level change in decibels; 0 leaves samples unchanged, negative
// values attenuate.
type Gain float64

// Format is the shape of a stream of samples.
type Format struct {
	Rate     int // frames per second, 8,000–192,000
	Channels int // 1–8
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
