package playout

import (
	"testing"
	"time"

	"gatecast/audio"
	"gatecast/internal/wire"
)

// replaced is p with clip 2 in the place of clip 1, as the next version.
func replaced(p *wire.Plan, issued time.Time) *wire.Plan {
	next := *p
	next.Version++
	next.IssuedUS = wire.US(issued)
	next.Slots = nil
	for _, s := range p.Slots {
		s.Playlist, s.Before = []int{1}, []int{0}
		next.Slots = append(next.Slots, s)
	}
	return &next
}

// clipsOf returns the number of the clip of each outcome, and whether it is
// told that it stood in for another.
func clipsOf(r *rig) (clips []string, before []bool) {
	for _, o := range r.outcomeRecords() {
		clips, before = append(clips, o.Clip), append(before, o.Before)
	}
	return clips, before
}

// TestReplacementCountsFromVerification: a plan with another clip arrives in
// the middle of a slot, and the clip later. Plays in between sound the clip
// before; those that begin once the new one is verified sound that.
func TestReplacementCountsFromVerification(t *testing.T) {
	plan := testPlan(testSlot("gates.evening", 30, 4))
	inBubble(t, plan, func(r *rig) {
		r.lib.fail(shaOf(2), errMissing)
		r.start()
		r.until(minutes(30).Add(4 * time.Second)) // play 1 sounds
		r.setPlan(replaced(plan, minutes(30).Add(4*time.Second)))
		r.until(minutes(33)) // between plays 2 and 3
		r.lib.fail(shaOf(2), nil)
		r.until(minutes(40))
		wantOutcomes(t, r, "gates.evening#1 played", "gates.evening#2 played", "gates.evening#3 played", "gates.evening#4 played")
		clips, before := clipsOf(r)
		for i, want := range []struct {
			clip   int
			before bool
		}{{1, false}, {1, true}, {2, false}, {2, false}} {
			if clips[i] != shaOf(want.clip) || before[i] != want.before {
				t.Errorf("play %d sounded clip %s, before %t, want clip %d, %t", i+1, clips[i][60:], before[i], want.clip, want.before)
			}
		}
	})
}

// TestReplacementOfWhatIsGone: without the clip before, or with one that must
// not sound any more, a play is skipped for the clip that is missing.
func TestReplacementOfWhatIsGone(t *testing.T) {
	tests := map[string]func(*wire.Plan, *wire.Manifest){
		"none_before": func(p *wire.Plan, _ *wire.Manifest) { p.Slots[0].Before = []int{-1} },
		"recalled":    func(p *wire.Plan, _ *wire.Manifest) { p.Recalled = []string{shaOf(1)} },
		"expired":     func(_ *wire.Plan, m *wire.Manifest) { m.Clips[0].UntilUS = wire.US(minutes(10)) },
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			plan := replaced(testPlan(testSlot("gates.evening", 30, 1)), minutes(0))
			inBubble(t, plan, func(r *rig) {
				change(plan, r.man)
				r.lib.fail(shaOf(2), errMissing)
				r.start()
				r.until(minutes(35))
				wantOutcomes(t, r, "gates.evening#1 skipped clip_missing")
			})
		})
	}
}

// TestTurnedDownPlayGoesOn: what sounds glides to the lower level without a
// step, and never above the level it began with.
func TestTurnedDownPlayGoesOn(t *testing.T) {
	var f fader
	src := f.over(&steady{format: audio.Format{Rate: 8000, Channels: 1}, left: 24_000})
	read := func(n int) []float32 {
		t.Helper()
		buf := make([]float32, n)
		if _, err := src.Read(buf); err != nil {
			t.Fatal(err)
		}
		return buf
	}
	if got := read(800); got[799] != 1 {
		t.Errorf("before: %v, want 1", got[799])
	}
	f.turn(-6)
	glide := read(8000)
	for i := 1; i < len(glide); i++ {
		if step := glide[i-1] - glide[i]; step < 0 || step > 0.001 {
			t.Fatalf("frame %d: from %v to %v", i, glide[i-1], glide[i])
		}
	}
	if got := glide[len(glide)-1]; got < 0.50 || got > 0.502 {
		t.Errorf("6 dB down: %v, want 0.501", got)
	}
	f.turn(3)
	if got := read(8000)[7999]; got < 0.999 || got > 1 {
		t.Errorf("turned up again: %v, want 1", got)
	}
}
