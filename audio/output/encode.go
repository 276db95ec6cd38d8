package output

import (
	"encoding/binary"
	"math"

	"gatecast/audio"
)

// encoding is a sample format of a device, little-endian.
type encoding int

const (
	s16    encoding = iota // 2 bytes
	s24in4                 // 24 bits in the low part of 4 bytes
	s24in3                 // 3 bytes
	s32                    // 4 bytes
)

// size returns the bytes of one sample.
func (e encoding) size() int {
	switch e {
	case s16:
		return 2
	case s24in3:
		return 3
	}
	return 4
}

// put appends samples, full scale ±1, to dst. Values outside are clamped; the
// rounding is to nearest, so that a decoded 16-bit sample comes back unchanged.
func (e encoding) put(dst []byte, samples []float32) []byte {
	for _, v := range samples {
		switch e {
		case s16:
			dst = binary.LittleEndian.AppendUint16(dst, uint16(int16(quantise(v, 1<<15))))
		case s24in4:
			dst = binary.LittleEndian.AppendUint32(dst, uint32(quantise(v, 1<<23)))
		case s24in3:
			u := uint32(quantise(v, 1<<23))
			dst = append(dst, byte(u), byte(u>>8), byte(u>>16))
		case s32:
			dst = binary.LittleEndian.AppendUint32(dst, uint32(quantise(v, 1<<31)))
		}
	}
	return dst
}

// quantise scales v to full scale and clamps it; NaN becomes 0.
func quantise(v float32, full float64) int32 {
	x := math.Round(float64(v) * full)
	switch {
	case x != x:
		return 0
	case x > full-1:
		return int32(full - 1)
	case x < -full:
		return int32(-full)
	}
	return int32(x)
}

// spread appends samples of from channels to dst as to channels: mono goes to
// every channel, equal counts are copied, and surplus channels of the device
// stay silent. More source than device channels never reach here.
func spread(dst, samples []float32, from, to int) []float32 {
	if from == to {
		return append(dst, samples...)
	}
	for i := 0; i+from <= len(samples); i += from {
		for c := range to {
			switch {
			case from == 1:
				dst = append(dst, samples[i])
			case c < from:
				dst = append(dst, samples[i+c])
			default:
				dst = append(dst, 0)
			}
		}
	}
	return dst
}

// checkSource reports a source that no sink can play.
func checkSource(f audio.Format, frames audio.Frames) error {
	switch {
	case f.Rate < 8000 || f.Rate > 192000:
		return &Fault{Code: Unsupported, Err: errRate(f.Rate)}
	case f.Channels < 1 || f.Channels > 8:
		return &Fault{Code: Unsupported, Err: errChannels(f.Channels)}
	case frames < 1:
		return &Fault{Code: BadSource, Err: errEmpty}
	}
	return nil
}
