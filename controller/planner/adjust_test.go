package planner

import (
	"slices"
	"testing"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
	"gatecast/schedules/presets"
)

// slotOf returns a slot of a plan, the zero one where there is none.
func slotOf(p *wire.Plan, id wire.SlotID) wire.PlanSlot {
	i := slices.IndexFunc(p.Slots, func(s wire.PlanSlot) bool { return s.ID == id })
	if i < 0 {
		return wire.PlanSlot{}
	}
	return p.Slots[i]
}

// TestReplacementInPlans: the new clip stands in the slots that the order names
// and nowhere else, with the old one beside it for two days; a recalled clip
// replaces nothing.
func TestReplacementInPlans(t *testing.T) {
	w := newTestPlanner(t)
	w.Planner.o.Adjustments = w.store
	pt, id := w.enrol(t, "SL-01-01", t0.Add(-time.Hour))
	w.activate(t, string(presets.Default()), t0)
	clip := func(name string) fleet.Clip {
		t.Helper()
		c, err := w.store.ClipByName(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	old, next := clip("kefu"), clip("laonian")
	r := fleet.Replacement{
		At: t0, By: "clerk", Reason: "test", Old: old.SHA256, New: next.SHA256, Slots: []string{"default.evening"}, From: "2026-11-23", Lead: fleet.DefaultReplaceLead,
	}
	at, err := w.Reach(t.Context(), r, t0.Add(r.Lead), t0)
	if err != nil || len(at) != 1 || at[0].Point != pt.ID || at[0].Slot != "2026-11-23.default.evening" || at[0].Device != id {
		t.Fatalf("Reach = %+v, %v; want this evening at the one point with a device", at, err)
	}
	before := w.wanted(t, id)
	if at[0].Version != before.Version {
		t.Errorf("Reach says version %d, the newest plan is %d", at[0].Version, before.Version)
	}
	stored, again, err := w.store.AddReplacement(t.Context(), r, at)
	if err != nil || again {
		t.Fatal(again, err)
	}
	if same, again, err := w.store.AddReplacement(t.Context(), r, at); err != nil || !again || same.ID != stored.ID {
		t.Errorf("the same order again: %+v, %t, %v", same, again, err)
	}
	replan := func(now time.Time) *wire.Plan {
		t.Helper()
		if _, err := w.Replan(t.Context(), now); err != nil {
			t.Fatal(err)
		}
		return w.wanted(t, id)
	}
	has := func(p *wire.Plan, slot wire.SlotID, list func(wire.PlanSlot) []int, sha string) bool {
		return slices.ContainsFunc(list(slotOf(p, slot)), func(i int) bool { return i >= 0 && p.Clips[i] == sha })
	}
	playlist := func(s wire.PlanSlot) []int { return s.Playlist }
	formers := func(s wire.PlanSlot) []int { return s.Before }
	p := replan(t0)
	for _, tt := range []struct {
		slot              wire.SlotID
		next, old, former bool
	}{
		{"2026-11-23.default.evening", true, false, true},
		{"2026-11-24.default.evening", true, false, true},
		{"2026-11-25.default.evening", true, false, false},
		{"2026-11-24.default.morning", false, true, false},
	} {
		if n, o, f := has(p, tt.slot, playlist, next.SHA256), has(p, tt.slot, playlist, old.SHA256), has(p, tt.slot, formers, old.SHA256); n != tt.next || o != tt.old || f != tt.former {
			t.Errorf("%s: new %t, old %t, old beside it %t; want %+v", tt.slot, n, o, f, tt)
		}
	}

	// Undone a minute before the evening: that is settled, the next day is not.
	evening := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	if err := w.store.UndoReplacement(t.Context(), stored.ID, "clerk", "", evening.Add(-time.Minute)); err != nil {
		t.Fatal(err)
	}
	p = replan(evening.Add(-time.Minute))
	if !has(p, "2026-11-23.default.evening", playlist, next.SHA256) || has(p, "2026-11-24.default.evening", playlist, next.SHA256) {
		t.Error("undone a minute before the slot: that slot changed, or the one after it did not")
	}
}

// TestLevelsInPlans: slots within a level are lower by it, those after it are
// not, and what is owed is the same.
func TestLevelsInPlans(t *testing.T) {
	w := newTestPlanner(t)
	w.Planner.o.Adjustments = w.store
	pt, id := w.enrol(t, "SL-01-01", t0.Add(-time.Hour))
	w.activate(t, string(presets.Default()), t0)
	owed := w.slots(t, pt, fleet.ObligationFilter{})
	c := fleet.Complaint{Point: pt.ID, At: t0, Channel: fleet.Call, Text: "太响", Measure: fleet.MeasureLower, By: "clerk", Created: t0}
	l := fleet.Level{Point: pt.ID, At: t0, GainDB: fleet.LevelStep, Until: t0.Add(fleet.LevelFor), By: "clerk"}
	if _, err := w.store.AddComplaint(t.Context(), c, &l, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := w.store.AddComplaint(t.Context(), c, &l, 0); fleet.CodeOf(err) != fleet.Conflict {
		t.Errorf("lowering twice by what one page saw: %v, want a conflict", err)
	}
	if _, err := w.Replan(t.Context(), t0); err != nil {
		t.Fatal(err)
	}
	p := w.wanted(t, id)
	for slot, want := range map[wire.SlotID]float64{
		"2026-11-23.default.evening": -9, "2026-11-26.default.morning": -6, "2026-11-26.default.evening": -3, "2026-11-27.default.morning": 0,
	} {
		if got := slotOf(p, slot).GainDB; got != want {
			t.Errorf("%s at %v dB, want %v", slot, got, want)
		}
	}
	if after := w.slots(t, pt, fleet.ObligationFilter{}); !slices.Equal(owed, after) {
		t.Errorf("a level changed what is owed: %d slots, %d before", len(after), len(owed))
	}
	if n, err := w.store.RestoreLevels(t.Context(), pt.ID, "clerk", "done", t0.Add(time.Hour)); err != nil || n != 1 {
		t.Errorf("RestoreLevels = %d, %v", n, err)
	}
}
