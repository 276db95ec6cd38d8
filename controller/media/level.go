package media

import (
	"fmt"
	"math"

	"gatecast/audio"
	"gatecast/audio/loudness"
)

// The bounds of the gain. The limiter may take 6 dB off the highest peak: more
// makes speech dense and its noise loud.
const (
	maxLimitDB = 6.0
	maxGainDB  = 30.0
	minGainDB  = -30.0
	nearEnough = 0.3 // LU between target and result
	farOff     = 1.0 // LU short of the target that people are told about
)

// level measures the delivery form and finds the gain that brings it to target,
// by rendering it as a device does and measuring that.
func (p *Prepared) level(pcm *audio.PCM, target float64) error {
	m := loudness.Measure(pcm)
	if math.IsInf(m.Integrated, -1) {
		return &Error{Code: Silent, DB: m.TruePeak}
	}
	p.LUFS, p.TruePeak = tenth(m.Integrated), tenth(m.TruePeak)
	most := math.Min(maxGainDB, audio.CeilingDB+maxLimitDB-m.TruePeak)
	gain := math.Max(minGainDB, math.Min(most, target-m.Integrated))
	for range 4 { // the limiter takes loudness too: give it back where there is room
		gain = tenth(gain)
		src, err := audio.Render(pcm, audio.RenderOptions{Gain: audio.Gain(gain)})
		if err != nil {
			return fmt.Errorf("rendering the delivery form: %w", err)
		}
		out, err := audio.Collect(src)
		if err != nil {
			return fmt.Errorf("rendering the delivery form: %w", err)
		}
		p.GainDB = gain
		p.PlayLUFS = tenth(loudness.Measure(out).Integrated)
		short := target - p.PlayLUFS
		next := math.Max(minGainDB, math.Min(most, gain+short))
		if math.Abs(short) <= nearEnough || math.Abs(next-gain) < 0.1 {
			break
		}
		gain = next
	}
	if target-p.PlayLUFS > farOff {
		p.warn(Warning{Code: WarnQuiet, LUFS: p.PlayLUFS, Target: target})
	}
	return nil
}

func tenth(v float64) float64 { return math.Round(v*10) / 10 }
