// Package loudness measures how loud a clip is to the ear and how high its wave
// rises: integrated loudness and true peak after ITU-R BS.1770-4, the measures
// of EBU R 128.
//
// Mono counts as one channel, as the standard has it: the same signal on two
// channels measures 3 LU more. Clips sound from one loudspeaker, so they are
// measured after the mix-down to one channel. The package is pure; a Meter is
// used by one goroutine at a time.
package loudness

import (
	"math"

	"gatecast/audio"
)

// The standard's constants.
const (
	absoluteGate = -70.0 // LUFS under which a block does not count
	relativeGate = -10.0 // LU under the mean of what passed the absolute gate
	offset       = -0.691
	surround     = 1.41 // weight of the channels beside and behind
	perBlock     = 4    // steps of 100 ms in a gating block of 400 ms
)

// Result is what Measure found.
type Result struct {
	// Integrated is the loudness of the whole in LUFS; −Inf where nothing passes
	// the gate: silence, or less than 400 ms.
	Integrated float64
	// TruePeak is the highest point of the wave, between the samples too, in dB
	// relative to full scale; −Inf for digital silence.
	TruePeak float64
}

// Measure returns loudness and true peak of p. A nil, empty or ill-formed p
// measures as silence.
func Measure(p *audio.PCM) Result {
	if p == nil || p.Format.Validate() != nil {
		return Result{math.Inf(-1), math.Inf(-1)}
	}
	m := New(p.Format)
	m.Write(p.Samples)
	return m.Result()
}

// Meter measures a stream piece by piece.
type Meter struct {
	channels []channel
	step     int // frames in 100 ms
	n        int // frames in the current step
	sum      float64
	steps    [perBlock]float64
	taken    int
	blocks   []float64 // mean square of each gating block
}

// channel is what the meter keeps of one channel.
type channel struct {
	weight float64
	shelf  biquad
	pass   biquad
	peak   peakMeter
}

// New returns a Meter for streams of format f, which must be valid.
func New(f audio.Format) *Meter {
	m := &Meter{step: (f.Rate + 5) / 10, channels: make([]channel, f.Channels)}
	for c := range m.channels {
		m.channels[c] = channel{
			weight: weight(f.Channels, c),
			shelf:  shelving(float64(f.Rate)),
			pass:   highPass(float64(f.Rate)),
		}
	}
	return m
}

// weight returns the weight of channel c of n in the order of WAV.
func weight(n, c int) float64 {
	switch {
	case n >= 6 && c == 3: // the effects channel does not count
		return 0
	case n == 4 && c >= 2, n == 5 && c >= 3, n >= 6 && c >= 4:
		return surround
	}
	return 1
}

// Write adds interleaved samples, whole frames.
func (m *Meter) Write(samples []float32) {
	ch := len(m.channels)
	for ; len(samples) >= ch; samples = samples[ch:] {
		for c := range m.channels {
			k := &m.channels[c]
			x := float64(samples[c])
			y := k.pass.next(k.shelf.next(x))
			m.sum += k.weight * y * y
			k.peak.add(x)
		}
		if m.n++; m.n == m.step {
			m.endStep()
		}
	}
}

// endStep closes 100 ms: with the three before it they form a gating block.
func (m *Meter) endStep() {
	m.steps[m.taken%perBlock] = m.sum
	m.sum, m.n = 0, 0
	if m.taken++; m.taken < perBlock {
		return
	}
	var sum float64
	for _, s := range m.steps {
		sum += s
	}
	m.blocks = append(m.blocks, sum/float64(perBlock*m.step))
}

// Result returns the measures of everything written so far.
func (m *Meter) Result() Result {
	var peak float64
	for c := range m.channels {
		peak = math.Max(peak, m.channels[c].peak.end())
	}
	return Result{Integrated: m.integrated(), TruePeak: 20 * math.Log10(peak)}
}

func (m *Meter) integrated() float64 {
	gated := func(threshold float64) float64 {
		var sum float64
		n := 0
		for _, z := range m.blocks {
			if lufs(z) > threshold {
				sum += z
				n++
			}
		}
		if n == 0 {
			return math.Inf(-1)
		}
		return lufs(sum / float64(n))
	}
	rough := gated(absoluteGate)
	if math.IsInf(rough, -1) {
		return rough
	}
	return gated(math.Max(absoluteGate, rough+relativeGate))
}

func lufs(meanSquare float64) float64 { return offset + 10*math.Log10(meanSquare) }
