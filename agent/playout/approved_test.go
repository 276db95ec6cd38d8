package playout

import (
	"testing"
	"time"

	"gatecast/internal/wire"
)

// TestRecallEndsWhatSounds takes a new plan in the middle of a clip, and at
// other times around it.
func TestRecallEndsWhatSounds(t *testing.T) {
	recalled := func(p *wire.Plan) *wire.Plan {
		next := *p
		next.Version++
		next.Recalled = []string{shaOf(5), shaOf(1)}
		return &next
	}
	tests := map[string]struct {
		at   time.Duration // of the recall, from the play's start
		then func(r *rig, p *wire.Plan)
		want []string
	}{
		"named_in_the_plan": {4 * time.Second, func(r *rig, p *wire.Plan) { r.setPlan(recalled(p)) },
			[]string{"gates.morning#1 partial stopped", "gates.morning#2 skipped clip_missing"}},
		"before_it_sounds": {-200 * time.Millisecond, func(r *rig, p *wire.Plan) { r.setPlan(recalled(p)) },
			[]string{"gates.morning#1 failed stopped", "gates.morning#2 skipped clip_missing"}},
		"gone_from_the_manifest": {4 * time.Second, func(r *rig, p *wire.Plan) {
			r.mu.Lock()
			man := *r.man
			man.Clips = man.Clips[1:]
			r.man = &man
			r.mu.Unlock()
			r.setPlan(p)
		}, []string{"gates.morning#1 partial stopped", "gates.morning#2 skipped other"}},
		"of_another_clip": {4 * time.Second, func(r *rig, p *wire.Plan) {
			next := *p
			next.Version++
			next.Recalled = []string{shaOf(5)}
			r.setPlan(&next)
		}, []string{"gates.morning#1 played", "gates.morning#2 played"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p := testPlan(testSlot("gates.morning", 30, 2))
			inBubble(t, p, func(r *rig) {
				r.start()
				r.until(minutes(30).Add(tt.at))
				tt.then(r, p)
				r.pass(300 * time.Millisecond)
				if sounding := r.engine.Playing() != ""; sounding != (name == "of_another_clip") {
					t.Errorf("0.3 s after the plan came something sounds: %v", sounding)
				}
				r.until(minutes(40))
				wantOutcomes(t, r, tt.want...)
			})
		})
	}
}

// TestClipSoundsOnlyWithinItsDays holds the days on the device, whatever the
// plan says.
func TestClipSoundsOnlyWithinItsDays(t *testing.T) {
	tests := map[string]struct {
		from, until time.Time
		want        string
	}{
		"no_bounds":          {want: "gates.morning#1 played"},
		"within":             {minutes(30), minutes(31), "gates.morning#1 played"},
		"a_day_too_early":    {minutes(30).Add(time.Second), time.Time{}, "gates.morning#1 skipped clip_missing"},
		"over":               {time.Time{}, minutes(30), "gates.morning#1 skipped clip_missing"},
		"over_before_it_end": {time.Time{}, minutes(30).Add(clipFrames/clipRate*time.Second - time.Millisecond), "gates.morning#1 skipped clip_missing"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			inBubble(t, testPlan(testSlot("gates.morning", 30, 1)), func(r *rig) {
				r.man.Clips[0].FromUS, r.man.Clips[0].UntilUS = wire.US(tt.from), wire.US(tt.until)
				r.start()
				r.until(minutes(33))
				wantOutcomes(t, r, tt.want)
				if sounded := len(r.sink.sounded()) > 0; sounded != (tt.want == "gates.morning#1 played") {
					t.Errorf("something sounded: %v", sounded)
				}
			})
		})
	}
}
