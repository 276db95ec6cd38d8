package playout

import (
	"testing"
	"time"

	"gatecast/internal/wire"
)

// testUrgent is a slot that cuts in, from minutes after origin, valid for an
// hour, of count plays every 13 s (3 s after the end of the one before).
func testUrgent(from float64, count int) wire.PlanSlot {
	start := minutes(from).Unix()
	return wire.PlanSlot{
		ID: "2026-11-23.urgent.7", Name: "紧急插播", StartS: start, EndS: start + 3600, EveryS: 13, Count: count,
		Playlist: []int{0}, GraceS: 3600, Urgent: true,
	}
}

// withUrgent is p with a slot in its place by start, as the next version.
func withUrgent(p *wire.Plan, s wire.PlanSlot, issued time.Time) *wire.Plan {
	next := *p
	next.Version++
	next.IssuedUS = wire.US(issued)
	next.Slots = nil
	for _, old := range p.Slots {
		if s.ID != "" && s.StartS <= old.StartS {
			next.Slots = append(next.Slots, s)
			s.ID = ""
		}
		next.Slots = append(next.Slots, old)
	}
	if s.ID != "" {
		next.Slots = append(next.Slots, s)
	}
	return &next
}

func TestUrgentCutsIn(t *testing.T) {
	plan := testPlan(testSlot("gates.morning", 30, 2), testSlot("gates.noon", 60, 1))
	inBubble(t, plan, func(r *rig) {
		r.start()
		r.until(minutes(30).Add(3 * time.Second))
		r.setPlan(withUrgent(plan, testUrgent(30+4.0/60, 2), minutes(30).Add(3*time.Second)))
		r.until(minutes(30).Add(7 * time.Second))
		if got := r.engine.Playing(); got != "2026-11-23.urgent.7#1" {
			t.Errorf("7 s into the slot %q sounds", got)
		}
		r.until(minutes(70))
		wantOutcomes(t, r, "gates.morning#1 partial preempted", "urgent.7#1 played", "urgent.7#2 played", "gates.morning#2 played", "gates.noon#1 played")
		o := r.outcomeRecords()
		if o[0].SoundMS < 4000 || o[0].SoundMS > 6000 {
			t.Errorf("%d ms of the play that made way sounded, want 4 s to 6 s", o[0].SoundMS)
		}
	})
}

func TestUrgentKeepsOthersWaiting(t *testing.T) {
	// The second scheduled play is due in the middle of the block of three and
	// its grace of 30 s ends before the block does.
	plan := testPlan(testSlot("gates.morning", 30, 2))
	inBubble(t, plan, func(r *rig) {
		r.start()
		r.until(minutes(31))
		r.setPlan(withUrgent(plan, testUrgent(31.9, 4), minutes(31)))
		r.until(minutes(40))
		wantOutcomes(t, r, "gates.morning#1 played", "urgent.7#1 played", "urgent.7#2 played", "urgent.7#3 played", "gates.morning#2 skipped preempted", "urgent.7#4 played")
	})
}

func TestUrgentIsMadeUpWhileValid(t *testing.T) {
	base := testPlan(testSlot("gates.noon", 300, 1))
	t.Run("back_in_time", func(t *testing.T) {
		inBubble(t, base, func(r *rig) {
			r.start()
			r.until(minutes(50))
			// A plan of now that has the slot of twenty minutes ago.
			r.setPlan(withUrgent(base, testUrgent(30, 3), minutes(50)))
			r.until(minutes(52))
			wantOutcomes(t, r, "urgent.7#1 played", "urgent.7#2 played", "urgent.7#3 played")
			for i, p := range r.sink.sounded()[1:] {
				if gap := p.at.Sub(r.sink.sounded()[i].at); gap < 10*time.Second+urgentGap {
					t.Errorf("repeat %d began %v after the one before", i+2, gap)
				}
			}
			n := r.kill() // once each, over a restart too
			n.start()
			defer n.stop()
			n.until(minutes(60))
			wantOutcomes(t, n, "urgent.7#1 played", "urgent.7#2 played", "urgent.7#3 played")
		})
	})
	t.Run("too_late", func(t *testing.T) {
		inBubble(t, base, func(r *rig) {
			r.start()
			r.until(minutes(91))
			r.setPlan(withUrgent(base, testUrgent(30, 1), minutes(91)))
			r.until(minutes(100))
			wantOutcomes(t, r, "urgent.7#1 skipped offline")
		})
	})
}

func TestCancelledUrgentStops(t *testing.T) {
	base := testPlan(testSlot("gates.noon", 300, 1))
	inBubble(t, base, func(r *rig) {
		r.start()
		r.until(minutes(30))
		r.setPlan(withUrgent(base, testUrgent(30, 3), minutes(30)))
		r.until(minutes(30).Add(4 * time.Second))
		r.setPlan(withUrgent(base, wire.PlanSlot{}, minutes(31)))
		r.until(minutes(30).Add(6 * time.Second))
		if got := r.engine.Playing(); got != "" {
			t.Errorf("2 s after it was cancelled %q sounds", got)
		}
		r.until(minutes(40))
		wantOutcomes(t, r, "urgent.7#1 partial stopped")
	})
}

// TestUrgentObeysTheCeilings: nothing is too urgent for what was signed (I8),
// and what may not sound cuts nothing off.
func TestUrgentObeysTheCeilings(t *testing.T) {
	plan := testPlan(testSlot("gates.morning", 30, 1))
	inBubble(t, plan, func(r *rig) {
		r.man.Ceilings.MaxPlaysPerHour = 1
		r.start()
		r.until(minutes(30).Add(2 * time.Second))
		r.setPlan(withUrgent(plan, testUrgent(30+3.0/60, 2), minutes(30)))
		r.until(minutes(40))
		got := r.outcomes()
		if len(got) != 3 || r.outcomeRecords()[len(got)-1].Result == wire.PlayPlayed && len(r.sink.sounded()) != 1 {
			t.Errorf("outcomes %v", got)
		}
		if n := len(r.sink.sounded()); n != 1 {
			t.Errorf("%d plays sounded, want the scheduled one only: %v", n, got)
		}
	})
}
