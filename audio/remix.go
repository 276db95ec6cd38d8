package audio

import "math"

// matrix says how much of each input channel each output channel takes.
type matrix struct {
	in, out int
	gain    []float32 // out rows of in columns
}

func newMatrix(in, out int) matrix {
	return matrix{in: in, out: out, gain: make([]float32, in*out)}
}

func (m matrix) set(out, in int, gain float64) { m.gain[out*m.in+in] = float32(gain) }

// apply mixes the interleaved frames of src into dst, which must hold as many
// frames.
func (m matrix) apply(dst, src []float32) {
	frames := len(dst) / m.out
	for f := range frames {
		frame := src[f*m.in : f*m.in+m.in]
		for o := range m.out {
			var sum float32
			for i, g := range m.gain[o*m.in : o*m.in+m.in] {
				sum += g * frame[i]
			}
			dst[f*m.out+o] = sum
		}
	}
}

// side says where a channel of the WAV and FLAC order stands: left, right,
// both (a centre), or nowhere (the effects channel carries no speech).
type side int

const (
	centre side = iota
	left
	right
	nowhere
)

// layouts lists the channel order of WAV and FLAC (RFC 9639 §9.1.3) by channel
// count.
var layouts = [9][]side{
	1: {centre},
	2: {left, right},
	3: {left, right, centre},
	4: {left, right, left, right},
	5: {left, right, centre, left, right},
	6: {left, right, centre, nowhere, left, right},
	7: {left, right, centre, nowhere, centre, left, right},
	8: {left, right, centre, nowhere, left, right, left, right},
}

// mixing returns the matrix from in to out channels. Down-mixing to one channel
// averages the front channels at full weight and the surrounds at half, scaled
// so that no mix can exceed full scale; down-mixing to two folds centres into
// both sides by −3 dB under the same scale. One channel is copied to all. More
// channels than two are filled with the pair left, right in turn.
func mixing(in, out int) matrix {
	m := newMatrix(in, out)
	switch {
	case in == out:
		for c := range in {
			m.set(c, c, 1)
		}
	case in == 1:
		for c := range out {
			m.set(c, 0, 1)
		}
	case out == 1:
		m.scaled(0, func(i int) float64 { return weight(in, i) })
	default:
		for c := range out {
			want := left
			if c%2 == 1 {
				want = right
			}
			m.scaled(c, func(i int) float64 {
				switch layouts[in][i] {
				case want:
					return weight(in, i)
				case centre:
					return weight(in, i) * math.Sqrt2 / 2
				}
				return 0
			})
		}
	}
	return m
}

// weight is the share of input channel i of in before scaling: front 1,
// surround ½, effects 0.
func weight(in, i int) float64 {
	switch {
	case layouts[in][i] == nowhere:
		return 0
	case i < 2 || layouts[in][i] == centre:
		return 1
	}
	return 0.5
}

func (m matrix) scaled(out int, weight func(in int) float64) {
	var sum float64
	for i := range m.in {
		sum += weight(i)
	}
	if sum == 0 {
		return
	}
	for i := range m.in {
		m.set(out, i, weight(i)/sum)
	}
}

// Remix returns p with channels channels, p itself where it already has them.
// No mix exceeds the loudest input. Two channels that cancel each other leave
// silence in one: compare before relying on the result. Counts outside 1–8
// yield nil.
func Remix(p *PCM, channels int) *PCM {
	if p == nil || p.Channels < 1 || p.Channels > MaxChannels || channels < 1 || channels > MaxChannels {
		return nil
	}
	if p.Channels == channels {
		return p
	}
	out := &PCM{
		Format:  Format{Rate: p.Rate, Channels: channels},
		Samples: make([]float32, int(p.Frames())*channels),
	}
	mixing(p.Channels, channels).apply(out.Samples, p.Samples)
	return out
}
