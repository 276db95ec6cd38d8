package agent

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gatecast/audio"
	"gatecast/audio/output"
	"gatecast/internal/wire"
)

func unmarshal[T any](data []byte) T {
	var v T
	_ = json.Unmarshal(data, &v)
	return v
}

// scene records what happens to the sinks that a speaker opens, in virtual
// time.
type scene struct {
	mu     sync.Mutex
	events []string
	open   int // sinks in use: more than one at work is an error
	t      *testing.T
}

func (s *scene) note(event string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, event)
}

type sceneSink struct {
	s      *scene
	volume int
}

func (k *sceneSink) enter() func() {
	k.s.mu.Lock()
	defer k.s.mu.Unlock()
	if k.s.open++; k.s.open > 1 {
		k.s.t.Error("two uses of the device at once")
	}
	return func() {
		k.s.mu.Lock()
		defer k.s.mu.Unlock()
		k.s.open--
	}
}

func (k *sceneSink) Prepare(context.Context, audio.Format) error {
	defer k.enter()()
	time.Sleep(50 * time.Millisecond)
	k.s.note("prepare")
	return nil
}

func (k *sceneSink) Play(ctx context.Context, at time.Time, src audio.Source) (output.Report, error) {
	defer k.enter()()
	t := time.NewTimer(time.Until(at.Add(src.Frames().Duration(src.Format().Rate))))
	defer t.Stop()
	select {
	case <-t.C:
		k.s.note("played")
		return output.Report{End: output.Drained, Mixer: "60%"}, nil
	case <-ctx.Done():
		k.s.note("cut")
		return output.Report{End: output.Cancelled}, context.Cause(ctx)
	}
}

func (k *sceneSink) Device() (output.Device, error) {
	return output.Device{Sink: "alsa", Name: "hw:Test"}, nil
}

func (k *sceneSink) Close() error { return nil }

func newTestSpeaker(t *testing.T, volume int, ceilings func() (wire.Ceilings, bool)) (*speaker, *scene) {
	t.Helper()
	s := &scene{t: t}
	if ceilings == nil {
		ceilings = func() (wire.Ceilings, bool) { return wire.Ceilings{}, false }
	}
	sp, err := newSpeaker(func(v int) (output.Sink, error) {
		s.note("open " + string(rune('0'+v/10)) + "0")
		return &sceneSink{s, v}, nil
	}, volume, ceilings)
	if err != nil {
		t.Fatal(err)
	}
	sp.playing = func() bool { return false }
	return sp, s
}

func TestTonePlaysWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sp, s := newTestSpeaker(t, 60, nil)
		began := time.Now()
		if err := sp.Tone(t.Context()); err != nil {
			t.Fatal(err)
		}
		if d := time.Since(began); d < toneLength || d > toneLength+time.Second {
			t.Errorf("tone took %s", d)
		}
		if want := []string{"open 60", "prepare", "played"}; !slices.Equal(s.events, want) {
			t.Errorf("events %q, want %q", s.events, want)
		}
	})
}

func TestPlayInterruptsATone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sp, s := newTestSpeaker(t, 60, nil)
		toned := make(chan error, 1)
		go func() { toned <- sp.Tone(t.Context()) }()
		time.Sleep(2 * time.Second)
		began := time.Now()
		if err := sp.Prepare(t.Context(), audio.Format{Rate: 24000, Channels: 1}); err != nil {
			t.Fatal(err)
		}
		if d := time.Since(began); d > 100*time.Millisecond {
			t.Errorf("a play waited %s for the tone", d)
		}
		if err := <-toned; !errors.Is(err, context.Canceled) {
			t.Errorf("the tone ended with %v", err)
		}
		if want := []string{"open 60", "prepare", "cut", "prepare"}; !slices.Equal(s.events, want) {
			t.Errorf("events %q, want %q", s.events, want)
		}
	})
}

func TestToneIsRefusedDuringAPlay(t *testing.T) {
	sp, s := newTestSpeaker(t, 60, nil)
	sp.playing = func() bool { return true }
	if err := sp.Tone(t.Context()); !errors.Is(err, errBusy) {
		t.Errorf("Tone = %v, want %v", err, errBusy)
	}
	if len(s.events) != 1 {
		t.Errorf("events %q", s.events)
	}
}

func TestVolumeKeepsTheSignedCeiling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ceiling int
		sp, s := newTestSpeaker(t, 60, func() (wire.Ceilings, bool) { return wire.Ceilings{MaxVolumePct: ceiling}, ceiling != 0 })
		f := audio.Format{Rate: 24000, Channels: 1}
		for _, c := range []int{0, 80, 40, 40, 90} {
			ceiling = c
			if err := sp.Prepare(t.Context(), f); err != nil {
				t.Fatal(err)
			}
		}
		want := []string{"open 60", "prepare", "prepare", "open 40", "prepare", "prepare", "open 60", "prepare"}
		if !slices.Equal(s.events, want) {
			t.Errorf("events %q, want %q", s.events, want)
		}
	})
	sp, _ := newTestSpeaker(t, 0, func() (wire.Ceilings, bool) { return wire.Ceilings{MaxVolumePct: 80}, true })
	if sp.allowed() != -80 {
		t.Errorf("a mixer to be left alone below 80 %% is opened with %d", sp.allowed())
	}
}

func TestSpeakerRemembersTheDevice(t *testing.T) {
	sp, _ := newTestSpeaker(t, 60, nil)
	if got := sp.state(); got != (wire.Output{}) {
		t.Errorf("state before asking = %+v", got)
	}
	if _, err := sp.Device(); err != nil {
		t.Fatal(err)
	}
	if got := sp.state(); got != (wire.Output{Sink: "alsa", Device: "hw:Test"}) {
		t.Errorf("state = %+v", got)
	}
}

func TestAllowedNow(t *testing.T) {
	c := wire.Ceilings{Zone: "Asia/Shanghai", Allowed: []wire.DailyWindow{{FirstMin: 360, LastMin: 1320}}}
	tests := map[string]struct {
		at time.Time
		ok bool
	}{
		"six":              {time.Date(2026, 11, 22, 22, 0, 0, 0, time.UTC), true},
		"a_minute_before":  {time.Date(2026, 11, 22, 21, 59, 0, 0, time.UTC), false},
		"last_minute":      {time.Date(2026, 11, 23, 13, 59, 0, 0, time.UTC), true},
		"ten_in_the_night": {time.Date(2026, 11, 23, 14, 0, 0, 0, time.UTC), false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if err := allowedNow(c, tt.at); (err == nil) != tt.ok {
				t.Errorf("allowedNow(%s) = %v, want allowed %v", tt.at, err, tt.ok)
			}
		})
	}
}
