// Package soundcheck says whether a recording is a given clip: where it begins,
// how alike it is, how loud, and whether anything is missing.
//
// It is for tests and benchmarks. It also starts a private PulseAudio whose
// sinks lead nowhere and records what reaches them (Server), so that a play can
// be checked on a machine without a sound card. Nothing here is part of a
// shipped binary except "gatecast bench".
package soundcheck

import (
	"errors"
	"fmt"
	"math"
	"time"

	"gatecast/audio"
)

// Match is what Compare found. Instants are from the recording's first frame.
type Match struct {
	Start       time.Duration // where the clip's first frame is; negative when its head is cut off
	Correlation float64       // of the aligned sound, −1 to 1; 1 is the clip up to its level
	Gain        audio.Gain    // the recording's level above the clip's
	Covered     time.Duration // how much of the clip lies inside the recording
	Clip        time.Duration // how long the clip is
	Span        time.Duration // from the first to the last sound of the recording
	ClipSpan    time.Duration // the same of the clip
	Gaps        []Gap         // stretches of the clip that sound and are silent in the recording
	Outside     float64       // loudest sample of the recording outside the clip, full scale 1
}

// Gap is a stretch of missing sound, from the clip's first frame.
type Gap struct{ From, To time.Duration }

// Whole reports whether the recording holds the whole clip, unbroken, within
// the given tolerance of its span. why names the first flaw.
func (m Match) Whole(tolerance time.Duration) (ok bool, why string) {
	switch {
	case m.Correlation < 0.99:
		return false, fmt.Sprintf("correlation is %.4f", m.Correlation)
	case len(m.Gaps) > 0:
		return false, fmt.Sprintf("%d gaps, the first from %v to %v", len(m.Gaps), m.Gaps[0].From, m.Gaps[0].To)
	case m.Covered < m.Clip-tolerance:
		return false, fmt.Sprintf("only %v of %v are in the recording", m.Covered, m.Clip)
	case (m.Span - m.ClipSpan).Abs() > tolerance:
		return false, fmt.Sprintf("sound lasts %v, the clip %v", m.Span, m.ClipSpan)
	}
	return true, ""
}

// audible is what counts as sound: two steps of 16 bits.
const audible = 2.0 / 32768

// gapWindow is the resolution of Gaps; gapDepth how far the recording must lie
// below the clip to count as silent there.
const (
	gapWindow = 10 * time.Millisecond
	gapDepth  = 0.1 // −20 dB
)

// Compare finds clip in rec by cross-correlation over every lag. The first
// channel of each is compared; a clip at another rate is resampled to the
// recording's. A recording without sound, or no clip, is an error.
func Compare(clip, rec *audio.PCM) (Match, error) {
	if clip.Frames() == 0 || rec.Frames() == 0 {
		return Match{}, fmt.Errorf("comparing: clip has %d frames, recording %d", clip.Frames(), rec.Frames())
	}
	if clip.Rate != rec.Rate {
		if clip = audio.Resample(clip, rec.Rate); clip == nil {
			return Match{}, fmt.Errorf("comparing: cannot resample to %d Hz", rec.Rate)
		}
	}
	c, r, rate := firstChannel(clip), firstChannel(rec), rec.Rate
	firstR, lastR := extent(r)
	firstC, lastC := extent(c)
	if firstR < 0 {
		return Match{}, errors.New("comparing: recording is silent")
	}
	if firstC < 0 {
		return Match{}, errors.New("comparing: clip is silent")
	}
	lag := bestLag(c, r)
	from, to := max(0, -lag), min(len(c), len(r)-lag)
	if to <= from {
		return Match{}, errors.New("comparing: clip is not in the recording")
	}
	a, b := c[from:to], r[from+lag:to+lag]
	aa, ab, bb := dot(a, a), dot(a, b), dot(b, b)
	m := Match{
		Start:    span(lag, rate),
		Covered:  span(to-from, rate),
		Clip:     span(len(c), rate),
		Span:     span(lastR-firstR+1, rate),
		ClipSpan: span(lastC-firstC+1, rate),
	}
	if aa > 0 && bb > 0 {
		m.Correlation = ab / math.Sqrt(aa*bb)
		m.Gain = audio.Gain(20 * math.Log10(math.Max(ab/aa, 1e-9)))
	}
	m.Gaps = gaps(a, b, math.Abs(ab/math.Max(aa, 1e-20)), rate, from)
	for i, v := range r {
		if i < lag || i >= lag+len(c) {
			m.Outside = math.Max(m.Outside, math.Abs(v))
		}
	}
	return m, nil
}

func firstChannel(p *audio.PCM) []float64 {
	out := make([]float64, p.Frames())
	for i := range out {
		out[i] = float64(p.Samples[i*p.Channels])
	}
	return out
}

func span(frames, rate int) time.Duration {
	return time.Duration(float64(frames) * float64(time.Second) / float64(rate))
}

// extent returns the first and last audible sample, −1 without any.
func extent(x []float64) (first, last int) {
	first, last = -1, -1
	for i, v := range x {
		if math.Abs(v) > audible {
			if first < 0 {
				first = i
			}
			last = i
		}
	}
	return first, last
}

func dot(a, b []float64) (sum float64) {
	for i, v := range a {
		sum += v * b[i]
	}
	return sum
}

// gaps lists the windows in which a sounds and b, at its level, does not.
func gaps(a, b []float64, gain float64, rate, from int) []Gap {
	n := max(1, int(gapWindow*time.Duration(rate)/time.Second))
	floor := 0.01 * math.Sqrt(dot(a, a)/float64(len(a))) // 40 dB below the clip's level
	var out []Gap
	for i := 0; i+n <= len(a); i += n {
		want := math.Sqrt(dot(a[i:i+n], a[i:i+n]) / float64(n))
		got := math.Sqrt(dot(b[i:i+n], b[i:i+n]) / float64(n))
		if want <= floor || got >= want*gain*gapDepth {
			continue
		}
		g := Gap{span(from+i, rate), span(from+i+n, rate)}
		if k := len(out) - 1; k >= 0 && out[k].To == g.From {
			out[k].To = g.To
			continue
		}
		out = append(out, g)
	}
	return out
}
