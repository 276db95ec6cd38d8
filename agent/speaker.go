package agent

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"gatecast/audio"
	"gatecast/audio/output"
	"gatecast/internal/wire"
)

// speaker is the sink as playout sees it. It keeps the mixer within the signed
// ceiling, remembers what the device last said, and lends the device to the
// test tone while playout does not need it: a play that comes due ends a tone
// at once.
type speaker struct {
	open     func(volume int) (output.Sink, error)
	volume   int // wanted; 0 leaves the mixer alone
	ceilings func() (wire.Ceilings, bool)
	playing  func() bool // set before the first use

	use sync.Mutex // held while the sink is asked, prepared or replaced

	mu     sync.Mutex
	sink   output.Sink
	opened int // volume that sink was opened with
	last   output.Device
	tone   *tone       // nil when none sounds
	tones  []time.Time // begun within the hour, at most tonesPerHour
}

// tone is a test tone in progress.
type tone struct {
	cancel context.CancelFunc
	done   chan struct{}
}

var _ output.Sink = (*speaker)(nil)

func newSpeaker(open func(int) (output.Sink, error), volume int, ceilings func() (wire.Ceilings, bool)) (*speaker, error) {
	s := &speaker{open: open, volume: volume, ceilings: ceilings}
	s.opened = s.allowed()
	var err error
	s.sink, err = open(s.opened)
	return s, err
}

// allowed returns the volume to set: as configured, at most the ceiling. It is
// negative where the mixer is left alone unless it is above the ceiling.
func (s *speaker) allowed() int {
	c, ok := s.ceilings()
	switch {
	case ok && s.volume > 0:
		return min(s.volume, max(1, c.MaxVolumePct))
	case ok && c.MaxVolumePct < 100:
		return -max(1, c.MaxVolumePct)
	}
	return s.volume
}

// present returns the sink, opened anew when the ceiling changed.
func (s *speaker) present() (output.Sink, error) {
	want := s.allowed()
	s.mu.Lock()
	sink, same := s.sink, want == s.opened
	s.mu.Unlock()
	if same {
		return sink, nil
	}
	s.use.Lock()
	defer s.use.Unlock()
	next, err := s.open(want)
	if err != nil {
		return nil, fmt.Errorf("opening output at %d %%: %w", want, err)
	}
	s.mu.Lock()
	s.sink, s.opened = next, want
	s.mu.Unlock()
	_ = sink.Close() // it holds nothing between plays
	return next, nil
}

// Prepare implements output.Sink for playout.
func (s *speaker) Prepare(ctx context.Context, format audio.Format) error {
	if err := s.interrupt(ctx); err != nil {
		return err
	}
	return s.prepare(ctx, format)
}

func (s *speaker) prepare(ctx context.Context, format audio.Format) error {
	sink, err := s.present()
	if err != nil {
		return err
	}
	s.use.Lock()
	defer s.use.Unlock()
	return sink.Prepare(ctx, format)
}

// interrupt ends a test tone and waits until the device is free.
func (s *speaker) interrupt(ctx context.Context) error {
	s.mu.Lock()
	t := s.tone
	s.mu.Unlock()
	if t == nil {
		return nil
	}
	t.cancel()
	select {
	case <-t.done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// hush ends a test tone.
func (s *speaker) hush() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tone != nil {
		s.tone.cancel()
	}
}

// Play implements output.Sink for playout.
func (s *speaker) Play(ctx context.Context, at time.Time, src audio.Source) (output.Report, error) {
	s.mu.Lock()
	sink := s.sink
	s.mu.Unlock()
	r, err := sink.Play(ctx, at, src)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last.Mixer, s.last.Muted = r.Mixer, r.Muted
	return r, err
}

// Device implements output.Sink and remembers the answer.
func (s *speaker) Device() (output.Device, error) {
	s.use.Lock()
	defer s.use.Unlock()
	s.mu.Lock()
	sink := s.sink
	s.mu.Unlock()
	d, err := sink.Device()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = d
	return d, err
}

// Close implements output.Sink.
func (s *speaker) Close() error {
	s.mu.Lock()
	sink := s.sink
	s.mu.Unlock()
	return sink.Close()
}

// state returns what the device last said, without asking it.
func (s *speaker) state() wire.Output {
	s.mu.Lock()
	defer s.mu.Unlock()
	return wire.Output{Sink: s.last.Sink, Device: s.last.Name, Demo: s.last.Demo, Mixer: s.last.Mixer, Muted: s.last.Muted}
}

// The test tone: quiet, pleasant, and nothing that could be taken for a siren.
const (
	toneLength = 5 * time.Second
	toneRate   = 24000
	toneHz     = 880
	toneGainDB = -14 // a fifth of full scale
	// tonesPerHour is more than an installer needs, and a minute of sound for
	// whoever may sign commands and should not.
	tonesPerHour = 12
)

var errTones = errors.New(wire.ToneOften)

var errBusy = errors.New(wire.ToneBusy)

// Tone plays the test tone. It returns errBusy while a play is on, and the
// context's error when one comes due meanwhile.
func (s *speaker) Tone(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	t := &tone{cancel: cancel, done: make(chan struct{})}
	s.mu.Lock()
	if s.tone != nil || s.playing() {
		s.mu.Unlock()
		return errBusy
	}
	now := time.Now()
	s.tones = slices.DeleteFunc(s.tones, func(at time.Time) bool { return now.Sub(at) >= time.Hour })
	if len(s.tones) >= tonesPerHour {
		s.mu.Unlock()
		return errTones
	}
	s.tones = append(s.tones, now)
	s.tone = t
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.tone = nil
		s.mu.Unlock()
		close(t.done)
	}()
	gain := audio.Gain(toneGainDB)
	if c, ok := s.ceilings(); ok {
		gain = min(gain, audio.Gain(c.MaxGainDB))
	}
	src, err := audio.Render(tonePCM(), audio.RenderOptions{Gain: gain})
	if err != nil {
		return err
	}
	if err := s.prepare(ctx, src.Format()); err != nil {
		return err
	}
	report, err := s.Play(ctx, time.Now().Add(100*time.Millisecond), src)
	switch {
	case err != nil:
		return err
	case report.End != output.Drained:
		return fmt.Errorf("test tone ended early: %s", report.End)
	case report.Muted:
		return errors.New(wire.ToneMuted)
	}
	return nil
}

func tonePCM() *audio.PCM {
	n := int(toneLength.Seconds() * toneRate)
	p := &audio.PCM{Format: audio.Format{Rate: toneRate, Channels: 1}, Samples: make([]float32, n)}
	for i := range p.Samples {
		p.Samples[i] = float32(math.Sin(2 * math.Pi * toneHz * float64(i) / toneRate))
	}
	return p
}
