package playout

import (
	"sync/atomic"
	"testing"
	"time"

	"gatecast/audio"
	"gatecast/internal/wire"
)

// silence is the office's word in a rig.
type silence struct{ until atomic.Int64 } // unix; 0 for none

func (s *silence) muted(wall time.Time) bool { return wall.Unix() < s.until.Load() }

func TestMutedPlaysAreSkipped(t *testing.T) {
	inBubble(t, testPlan(testSlot("gates.morning", 30, 3), testSlot("gates.noon", 60, 1)), func(r *rig) {
		word := &silence{}
		r.muted = word.muted
		r.start()
		r.until(minutes(20))
		word.until.Store(minutes(33).Unix())
		r.engine.MuteChanged()
		r.until(minutes(70))
		wantOutcomes(t, r, "gates.morning#1 skipped muted", "gates.morning#2 skipped muted", "gates.morning#3 played", "gates.noon#1 played")
		if n := len(r.sink.sounded()); n != 2 {
			t.Errorf("%d plays sounded, want 2", n)
		}
	})
}

func TestMuteEndsThePlayThatSounds(t *testing.T) {
	inBubble(t, testPlan(testSlot("gates.morning", 30, 2)), func(r *rig) {
		word := &silence{}
		r.muted = word.muted
		r.start()
		r.until(minutes(30).Add(4 * time.Second))
		word.until.Store(minutes(31).Unix())
		r.engine.MuteChanged()
		r.until(minutes(30).Add(5 * time.Second))
		if got := r.engine.Playing(); got != "" {
			t.Errorf("a second after the mute %q sounds", got)
		}
		r.until(minutes(40))
		wantOutcomes(t, r, "gates.morning#1 partial muted", "gates.morning#2 played")
		if o := r.outcomeRecords()[0]; o.SoundMS < 4000 || o.SoundMS > 4900 {
			t.Errorf("%d ms sounded, want between 4 s and 4.9 s", o.SoundMS)
		}
	})
}

func TestMuteInTheSecondBeforeAPlay(t *testing.T) {
	for _, lead := range []time.Duration{time.Second, 400 * time.Millisecond} { // sink opened; intent written
		inBubble(t, testPlan(testSlot("gates.morning", 30, 1)), func(r *rig) {
			word := &silence{}
			r.muted = word.muted
			r.start()
			r.until(minutes(30).Add(-lead))
			word.until.Store(minutes(60).Unix())
			r.engine.MuteChanged()
			r.until(minutes(40))
			if out := r.outcomeRecords(); len(out) != 1 || out[0].Reason != wire.ReasonMuted || lead == time.Second && out[0].Result != wire.PlaySkipped {
				t.Errorf("%v before: outcomes %v", lead, r.outcomes())
			}
		})
	}
}

// steady is a source of ones.
type steady struct {
	format audio.Format
	left   int
}

func (s *steady) Format() audio.Format { return s.format }
func (s *steady) Frames() audio.Frames { return 24000 }
func (s *steady) Read(dst []float32) (int, error) {
	for i := range dst {
		dst[i] = 1
	}
	s.left -= len(dst)
	return len(dst), nil
}

func TestFaderFadesAndStaysSilent(t *testing.T) {
	var f fader
	src := f.over(&steady{format: audio.Format{Rate: 1000, Channels: 2}, left: 1 << 20})
	buf := make([]float32, 200) // 100 frames
	if _, err := src.Read(buf); err != nil || buf[199] != 1 {
		t.Fatalf("before the fade: %v %v", buf[199], err)
	}
	if heard, cause := f.heard(); heard != 0 || cause != nil {
		t.Errorf("heard = %v, %v before the fade", heard, cause)
	}
	f.begin(func(error) {}, errMuted)
	last := float32(2)
	for range 3 {
		if _, err := src.Read(buf); err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(buf); i += 2 {
			if buf[i] != buf[i+1] || buf[i] > last || last-buf[i] > 1 {
				t.Fatalf("frame %d: %v, %v after %v", i/2, buf[i], buf[i+1], last)
			}
			last = buf[i]
		}
	}
	if last != 0 {
		t.Errorf("level %v after the fade, want 0", last)
	}
	if heard, cause := f.heard(); heard != 300*time.Millisecond || cause != errMuted {
		t.Errorf("heard = %v, %v, want 300ms, %v", heard, cause, errMuted)
	}
}
