package simulate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"gatecast/agent/walltime"
	"gatecast/audio"
	"gatecast/audio/output"
	"gatecast/internal/wire"
)

// sound is something that came out of a loudspeaker, or would have without
// the mute switch.
type sound struct {
	dev    *device
	play   wire.PlayID // empty for a test tone
	clip   int         // index of the world's clips; −1 for none of them
	gain   float64     // dB, as measured on the samples
	volume int         // percent of the mixer
	start  time.Time   // true
	length time.Duration
	whole  time.Duration // of the clip
	muted  bool
	stamp  walltime.Stamp // what the device believed at the start
}

// errors of the card, as a driver words them.
var (
	errNoCard = errors.New("no such device")
	errGone   = errors.New("device was unplugged")
	errHangs  = errors.New("device consumes nothing")
)

// card is a sound card with its switches. It writes down what sounds.
type card struct {
	w   *World
	dev *device

	mu      sync.Mutex
	absent  bool
	muted   bool
	stalls  bool          // accepts sound and stops consuming it after a second
	changed chan struct{} // closed at each change
}

func newCard(w *World, d *device) *card {
	return &card{w: w, dev: d, changed: make(chan struct{})}
}

// set changes the switches; power cuts change them too.
func (c *card) set(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f()
	close(c.changed)
	c.changed = make(chan struct{})
}

func (c *card) state() (absent, muted, stalls bool, changed chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.absent, c.muted, c.stalls, c.changed
}

// open is agent.Options.OpenOutput of one run of the program.
func (c *card) open(run *process) func(int) (output.Sink, error) {
	return func(volume int) (output.Sink, error) { return &sink{c, run, volume}, nil }
}

// sink is the card as one run of the program has it open.
type sink struct {
	c      *card
	run    *process
	volume int
}

var _ output.Sink = (*sink)(nil)

// Prepare implements output.Sink. It takes no time: the speaker holds a lock
// over it, and a goroutine that waits for a lock stops virtual time.
func (s *sink) Prepare(context.Context, audio.Format) error {
	if absent, _, _, _ := s.c.state(); absent {
		return errNoCard
	}
	return nil
}

// Device implements output.Sink.
func (s *sink) Device() (output.Device, error) {
	absent, muted, _, _ := s.c.state()
	if absent {
		return output.Device{}, errNoCard
	}
	return output.Device{Sink: output.ALSA, Name: "hw:Sim", Muted: muted, Mixer: s.mixer(muted)}, nil
}

func (s *sink) mixer(muted bool) string {
	if muted {
		return "Speaker off"
	}
	return fmt.Sprintf("Speaker %d%% on", s.volume)
}

// Close implements output.Sink.
func (s *sink) Close() error { return nil }

// Play implements output.Sink.
func (s *sink) Play(ctx context.Context, at time.Time, src audio.Source) (output.Report, error) {
	samples, err := readAll(src)
	r := output.Report{Sink: output.ALSA, Device: "hw:Sim", Frames: src.Frames(), End: output.Refused}
	if err != nil {
		return r, err
	}
	rate := src.Format().Rate
	whole := src.Frames().Duration(rate)
	if !s.waitFor(ctx, time.Until(at)) {
		r.End = output.Cancelled
		return r, nil
	}
	absent, muted, stalls, _ := s.c.state()
	if absent || s.run.ended() {
		return r, errNoCard
	}
	snd := sound{dev: s.c.dev, play: s.run.playing(), volume: s.volume, start: time.Now(), whole: whole, muted: muted, stamp: s.run.now()}
	snd.clip, snd.gain = s.c.w.sounds.recognise(samples)
	r.StartedAt, r.FramesWritten, r.Mixer, r.Muted = snd.start, r.Frames, s.mixer(muted), muted
	r.End, err = s.sounding(ctx, whole, stalls, &snd)
	snd.length = min(time.Since(snd.start), whole)
	if errors.Is(err, errHangs) {
		snd.length = min(time.Second, whole)
	}
	r.Elapsed, r.Muted = time.Since(snd.start), snd.muted
	r.FramesPlayed = audio.FramesIn(snd.length, rate)
	if r.End == output.Drained {
		r.FramesPlayed = r.Frames
	}
	s.c.w.heard(snd)
	return r, err
}

// sounding waits until the clip is over or something ends it.
func (s *sink) sounding(ctx context.Context, whole time.Duration, stalls bool, snd *sound) (output.End, error) {
	done := time.NewTimer(whole)
	defer done.Stop()
	if stalls && whole > time.Second {
		done.Reset(3 * time.Second) // a stalled buffer is noticed after two seconds
	}
	for {
		_, _, _, changed := s.c.state()
		select {
		case <-done.C:
			if stalls && whole > time.Second {
				return output.Lost, errHangs
			}
			return output.Drained, nil
		case <-ctx.Done():
			return output.Cancelled, nil
		case <-changed:
			absent, muted, _, _ := s.c.state()
			switch {
			case s.run.ended():
				return output.Lost, errGone
			case absent:
				return output.Lost, errGone
			case muted:
				snd.muted = true
			}
		}
	}
}

// waitFor waits for d and reports whether nothing ended the play before.
func (s *sink) waitFor(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

func readAll(src audio.Source) ([]float32, error) {
	samples := make([]float32, 0, int(src.Frames())*src.Format().Channels)
	buf := make([]float32, 4096)
	for {
		n, err := src.Read(buf)
		samples = append(samples, buf[:n]...)
		if err == io.EOF {
			return samples, nil
		}
		if err != nil {
			return nil, err
		}
	}
}
