package playout

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatecast/agent/condition"
	"gatecast/internal/wire"
)

// stalePlan goes stale 31 minutes after the origin unless the controller is
// heard: between the first and the second of its five plays. clip 2 is its
// default clip.
func stalePlan() *wire.Plan {
	p := testPlan(testSlot("gates.morning", 30, 5))
	p.StaleS, p.Default = int64(14*24*time.Hour/time.Second), shaOf(2)
	p.IssuedUS = wire.US(minutes(31).Add(-14 * 24 * time.Hour))
	return p
}

// sounded returns the clip of each outcome, and whether it says that it was
// the default one.
func soundedClips(r *rig) (clips []string) {
	for _, o := range r.outcomeRecords() {
		clip := map[string]string{shaOf(1): "planned", shaOf(2): "default"}[o.Clip]
		if o.Default {
			clip += " said so"
		}
		clips = append(clips, clip+" "+string(o.Result))
	}
	return clips
}

func TestStalePlanSoundsTheDefaultClip(t *testing.T) {
	heard := func(r *rig) { r.clock.Trust(wire.US(r.clock.Now().Wall), 0) }
	tests := map[string]struct {
		change func(*wire.Plan)
		live   func(*rig) *rig // from the origin to minute 35 or later
		want   []string
		told   bool // the condition holds at the end
	}{
		"goes_stale_in_a_slot": {
			nil, func(r *rig) *rig { return r },
			[]string{"planned played", "default said so played", "default said so played", "default said so played", "default said so played"}, true,
		},
		"controller_comes_back": {
			nil, func(r *rig) *rig { r.until(minutes(35)); heard(r); return r },
			[]string{"planned played", "default said so played", "default said so played", "planned played", "planned played"}, false,
		},
		"controller_talks_and_the_plan_stays": {
			nil, func(r *rig) *rig { r.until(minutes(5)); heard(r); return r },
			[]string{"planned played", "planned played", "planned played", "planned played", "planned played"}, false,
		},
		"contact_survives_a_power_cut": {
			nil, func(r *rig) *rig {
				r.until(minutes(5))
				heard(r)
				r.until(minutes(20)) // within the hour; a stop writes it
				r.stop()
				r.start()
				n := r.cut(time.Minute)
				n.start()
				return n
			},
			[]string{"planned played", "planned played", "planned played", "planned played", "planned played"}, false,
		},
		"stale_at_the_start": {
			nil, func(r *rig) *rig { r.until(minutes(32.5)); n := r.cut(time.Minute); n.start(); return n },
			[]string{"planned played", "default said so played", "default said so played", "default said so played", "default said so played"}, true,
		},
		"newer_plan_ends_it": {
			nil, func(r *rig) *rig {
				r.until(minutes(35))
				p := stalePlan()
				p.Version, p.IssuedUS = 8, wire.US(minutes(35))
				r.setPlan(p)
				return r
			},
			[]string{"planned played", "default said so played", "default said so played", "planned played", "planned played"}, false,
		},
		"no_default_clip": {
			func(p *wire.Plan) { p.Default = "" }, func(r *rig) *rig { return r },
			[]string{"planned played", "planned played", "planned played", "planned played", "planned played"}, true,
		},
		"never_stale": {
			func(p *wire.Plan) { p.StaleS = 0 }, func(r *rig) *rig { return r },
			[]string{"planned played", "planned played", "planned played", "planned played", "planned played"}, false,
		},
		"cut_off_in_the_default_clip": {
			nil, func(r *rig) *rig {
				r.until(minutes(32).Add(5 * time.Second))
				n := r.cut(10 * time.Second)
				n.start()
				return n
			},
			[]string{"planned played", "default said so partial", "default said so played", "default said so played", "default said so played"}, true,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p := stalePlan()
			if tt.change != nil {
				tt.change(p)
			}
			inBubble(t, p, func(r *rig) {
				r.start()
				n := tt.live(r)
				n.until(minutes(39))
				if diff := cmp.Diff(tt.want, soundedClips(n)); diff != "" {
					t.Errorf("plays (-want +got):\n%s", diff)
				}
				if got := n.has(condition.PlanStale); got != tt.told {
					t.Errorf("condition plan_stale = %v, want %v", got, tt.told)
				}
				if n != r {
					n.stop()
				}
			})
		})
	}
}

// TestStalePlanKeepsTheCeilings has a default clip that is longer than
// anything may sound.
func TestStalePlanKeepsTheCeilings(t *testing.T) {
	inBubble(t, stalePlan(), func(r *rig) {
		r.man.Clips[1].Frames = clipRate * 181
		r.start()
		r.until(minutes(39))
		wantOutcomes(t, r, "gates.morning#1 played", "gates.morning#2 skipped other", "gates.morning#3 skipped other",
			"gates.morning#4 skipped other", "gates.morning#5 skipped other")
	})
}
