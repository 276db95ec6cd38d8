package playout

import (
	"context"
	"errors"
	"math"
	"sync"
	"time"

	"gatecast/audio"
)

// How a play that has to make way ends: it fades, and is cancelled once what
// the sinks hold in their buffers (half a second at most) has sounded too. One
// that makes way for something urgent goes on to the next pause of the speech
// before that, if there is one within pauseWait; all of it stays below two
// seconds.
const (
	fadeTime  = 200 * time.Millisecond
	fadeWait  = fadeTime + 600*time.Millisecond
	pauseWait = 1150 * time.Millisecond
	// pauseTime is the least silence between two sentences. What closes the lips
	// within a word takes half of it.
	pauseTime = 150 * time.Millisecond
	// pauseLevel is what a pause may have of full scale: −40 dBFS, above the noise
	// of a room in a recording.
	pauseLevel = 0.01
)

// fader lets a play fade out: from the moment it is told to, the source loses
// its level within fadeTime and is silent from there on.
type fader struct {
	mu    sync.Mutex
	cause error // why it fades; nil while it does not
	timer *time.Timer
	read  audio.Frames // handed out
	level audio.Frames // of the fade, handed out
	quiet audio.Frames // of the source, behind which there is silence
	all   audio.Frames // of the source
	rate  int

	// A play that is turned down goes on: its samples are multiplied by 1-down,
	// and down moves to aim within fadeTime.
	down, aim float32

	patience time.Duration // for a pause, when it was told to fade; spent: 0
	waited   audio.Frames  // handed out since then
	hush     audio.Frames  // of them, quiet ones at the end
}

// cut ends a performance: at once before it has begun, with a fade after that.
// Only the first call counts, but for one that does not wait for a pause after
// one that does.
func (p *performance) cut(cause error) {
	if p.stage.CompareAndSwap(pending, withdrawn) {
		p.cancel(cause)
		return
	}
	p.fade.begin(p.cancel, cause)
}

// turn has what sounds go on db decibels below the level it began with; 0 or
// more is that level: a play is never louder than what its limiter saw.
func (f *fader) turn(db float64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.aim = float32(1 - min(1, math.Pow(10, db/20)))
}

func (f *fader) begin(cancel context.CancelCauseFunc, cause error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.cause != nil {
		if f.patience > 0 && !errors.Is(cause, errPreempted) {
			f.cause = cause
			f.fade()
		}
		return
	}
	f.cause = cause
	if errors.Is(cause, errPreempted) && f.read > 0 {
		f.patience = pauseWait
	}
	// It outlives the play at most by its wait; cancelling what is over does
	// nothing.
	f.timer = time.AfterFunc(f.patience+fadeWait, func() { cancel(cause) })
}

// fade ends the wait for a pause.
func (f *fader) fade() {
	f.patience = 0
	f.timer.Reset(fadeWait)
}

// holds reports whether the fade waits on behind a frame: for a pause, within
// its patience.
func (f *fader) holds(frame []float32, rate int) bool {
	if f.patience == 0 {
		return false
	}
	f.waited++
	f.hush++
	for _, v := range frame {
		if v > pauseLevel || v < -pauseLevel {
			f.hush = 0
		}
	}
	if f.hush >= audio.FramesIn(pauseTime, rate) || f.waited >= audio.FramesIn(f.patience, rate) {
		f.fade()
		return false
	}
	return true
}

// over returns src as it sounds under the fader.
func (f *fader) over(src audio.Source) audio.Source {
	f.rate, f.all = src.Format().Rate, src.Frames()
	return &faded{Source: src, f: f}
}

// heard returns how much of the source came before its silence and why it was
// faded out; 0 and nil when it was not, or when all of it was on its way to the
// device already. It is asked when the play is over.
func (f *fader) heard() (time.Duration, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.cause == nil {
		return 0, nil
	}
	f.timer.Stop()
	switch {
	case f.level == 0 && f.read >= f.all:
		return 0, nil
	case f.level == 0:
		return max(1, f.read.Duration(f.rate)), f.cause
	}
	return max(1, f.quiet.Duration(f.rate)), f.cause
}

// faded is a source under a fader.
type faded struct {
	audio.Source
	f *fader
}

func (s *faded) Read(dst []float32) (int, error) {
	n, err := s.Source.Read(dst)
	s.f.apply(dst[:n], s.Format())
	return n, err
}

// apply lowers what is handed out next.
func (f *fader) apply(samples []float32, format audio.Format) {
	f.mu.Lock()
	defer f.mu.Unlock()
	frames := audio.Frames(len(samples) / format.Channels)
	defer func() { f.read += frames }()
	f.attenuate(samples, format)
	if f.cause == nil {
		return
	}
	whole := audio.FramesIn(fadeTime, format.Rate)
	if f.read == 0 {
		f.level = whole // it has not begun: not even a breath of it
	}
	for i := range frames {
		if f.holds(samples[int(i)*format.Channels:int(i+1)*format.Channels], format.Rate) {
			continue
		}
		gain := float32(0)
		if f.level < whole {
			gain = 1 - float32(f.level)/float32(whole)
			f.level++
			f.quiet = f.read + i + 1
		}
		for c := range format.Channels {
			samples[int(i)*format.Channels+c] *= gain
		}
	}
}

// attenuate turns down what is handed out next; f.mu is held.
func (f *fader) attenuate(samples []float32, format audio.Format) {
	if f.down == 0 && f.aim == 0 {
		return
	}
	step := 1 / float32(max(1, audio.FramesIn(fadeTime, format.Rate)))
	if f.read == 0 {
		f.down = f.aim // it has not begun: no need to glide
	}
	for i := 0; i < len(samples); i += format.Channels {
		f.down += max(-step, min(step, f.aim-f.down))
		for c := range format.Channels {
			samples[i+c] *= 1 - f.down
		}
	}
}
