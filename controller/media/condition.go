package media

import (
	"math"
	"time"

	"gatecast/audio"
)

// What counts as silence.
const (
	minMeanDB   = -45.0 // dBFS over the whole; quieter recordings are refused
	maxSilence  = 0.60  // share of the time
	pauseDB     = -50.0 // dBFS of a pause, or
	pauseUnder  = 20.0  // dB under the mean, whichever is lower
	pauseWindow = 50 * time.Millisecond
)

// How silence at the ends is trimmed.
const (
	edgeDB     = -60.0 // dBFS of a window
	edgeWindow = 10 * time.Millisecond
	edgeMost   = 500 * time.Millisecond // more than this is cut down
	edgeKeep   = 250 * time.Millisecond // to this
)

// When the two channels of a recording cancel each other: a loss of 12 dB in the
// mix is no width, it is one wire the wrong way round.
const cancelDB = -12.0

// How much clipping is worth a word: four samples in a row at full scale are
// heard as a crackle.
const (
	clipLevel = 0.999
	clipRun   = 4
	clipMost  = 10 // runs
)

// condition returns pcm as the delivery form needs it, with what is to be said
// about it: one channel, checked for sound, without long silence at its ends, at
// the wanted rate, nowhere over full scale.
func condition(pcm *audio.PCM, o Options) (*audio.PCM, []Warning, error) {
	var warnings []Warning
	if runs := clippedRuns(pcm); runs > clipMost {
		warnings = append(warnings, Warning{Code: WarnClipped})
	}
	mono, cancelled := toMono(pcm)
	if cancelled {
		warnings = append(warnings, Warning{Code: WarnPhase})
	}
	if d := mono.Frames().Duration(mono.Rate); d < minDuration {
		return nil, nil, &Error{Code: TooShort, Duration: d, Max: minDuration}
	}
	mean, pauses := quietness(mono)
	if mean < minMeanDB {
		return nil, nil, &Error{Code: Silent, DB: mean}
	}
	if pauses > maxSilence {
		return nil, nil, &Error{Code: MostlySilent, Share: pauses}
	}
	mono, cut := trimmed(mono)
	if cut > 0 {
		warnings = append(warnings, Warning{Code: WarnTrimmed, Duration: cut})
	}
	return withHeadroom(audio.Resample(mono, o.Rate)), warnings, nil
}

// toMono mixes to one channel. Where the two channels of a recording cancel, it
// takes the stronger one and reports that.
func toMono(p *audio.PCM) (mono *audio.PCM, cancelled bool) {
	mono = audio.Remix(p, 1)
	if p.Channels != 2 {
		return mono, false
	}
	var mix, side [2]float64
	for i, v := range p.Samples {
		side[i%2] += float64(v) * float64(v)
	}
	for _, v := range mono.Samples {
		mix[0] += float64(v) * float64(v)
	}
	strong := 0
	if side[1] > side[0] {
		strong = 1
	}
	// One channel alone loses 6 dB in the mix; only what both lose together counts.
	weak := side[1-strong]
	if weak*4 < side[strong] || mix[0] > side[strong]*math.Pow(10, cancelDB/10) {
		return mono, false
	}
	for i := range mono.Samples {
		mono.Samples[i] = p.Samples[2*i+strong]
	}
	return mono, true
}

// windowDB returns the level of each window of p in dBFS. p has one channel.
func windowDB(p *audio.PCM, window time.Duration) []float64 {
	n := max(1, int(audio.FramesIn(window, p.Rate)))
	var out []float64
	for at := 0; at < len(p.Samples); at += n {
		part := p.Samples[at:min(at+n, len(p.Samples))]
		var sum float64
		for _, v := range part {
			sum += float64(v) * float64(v)
		}
		out = append(out, 10*math.Log10(sum/float64(len(part))+1e-20))
	}
	return out
}

// quietness returns the mean level of p in dBFS and the share of pauses in it.
func quietness(p *audio.PCM) (mean, pauses float64) {
	levels := windowDB(p, pauseWindow)
	var sum float64
	for _, db := range levels {
		sum += math.Pow(10, db/10)
	}
	mean = 10 * math.Log10(sum/float64(len(levels)))
	limit := math.Min(pauseDB, mean-pauseUnder)
	n := 0
	for _, db := range levels {
		if db < limit {
			n++
		}
	}
	return mean, float64(n) / float64(len(levels))
}

// trimmed returns p with silence of more than edgeMost at an end cut down to
// edgeKeep, and how much was cut in all.
func trimmed(p *audio.PCM) (*audio.PCM, time.Duration) {
	levels := windowDB(p, edgeWindow)
	first, last := 0, len(levels)-1
	for first < last && levels[first] < edgeDB {
		first++
	}
	for last > first && levels[last] < edgeDB {
		last--
	}
	window := max(1, int(audio.FramesIn(edgeWindow, p.Rate)))
	keep, most := int(audio.FramesIn(edgeKeep, p.Rate)), int(audio.FramesIn(edgeMost, p.Rate))
	from, to := 0, len(p.Samples)
	if lead := first * window; lead > most {
		from = lead - keep
	}
	if end := (last + 1) * window; to-end > most {
		to = end + keep
	}
	cut := audio.Frames(len(p.Samples) - (to - from)).Duration(p.Rate)
	return &audio.PCM{Format: p.Format, Samples: p.Samples[from:to]}, cut
}

// withHeadroom scales p down where resampling or a floating-point upload left
// it over full scale: storing it would clip it.
func withHeadroom(p *audio.PCM) *audio.PCM {
	var peak float32
	for _, v := range p.Samples {
		peak = max(peak, max(v, -v))
	}
	const full = 0.999
	if peak <= full {
		return p
	}
	out := &audio.PCM{Format: p.Format, Samples: make([]float32, len(p.Samples))}
	for i, v := range p.Samples {
		out.Samples[i] = v * (full / peak)
	}
	return out
}

// clippedRuns counts the places where a channel stays at full scale.
func clippedRuns(p *audio.PCM) int {
	runs := 0
	for c := range p.Channels {
		run := 0
		for i := c; i < len(p.Samples); i += p.Channels {
			if v := p.Samples[i]; v < clipLevel && v > -clipLevel {
				run = 0
				continue
			}
			if run++; run == clipRun {
				runs++
			}
		}
	}
	return runs
}
