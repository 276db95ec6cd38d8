package planner

import (
	"fmt"
	"testing"
	"time"

	"gatecast/controller/fleet"
)

func TestVolumeCeilingOfAPointIsInItsPlan(t *testing.T) {
	w := newTestPlanner(t)
	pt, device := w.enrol(t, "SL-01-01", t0)
	w.activate(t, fmt.Sprintf(evening, "18:00", "18:30"), t0)
	if got := w.wanted(t, device).MaxVolumePct; got != 0 {
		t.Errorf("a point without a ceiling of its own has %d in its plan", got)
	}
	for _, tt := range []struct{ pct, want int }{{45, 45}, {100, 0}, {0, 0}} {
		out, err := w.store.ApplyRegistry(t.Context(), []fleet.RegistryChange{
			{Fields: []string{"cap"}, Point: &fleet.PointEntry{Point: fleet.Point{Code: pt.Code, CapPct: tt.pct}}},
		}, fleet.RegistryOptions{By: fleet.Audit{At: t0, Who: "clerk"}})
		if err != nil || !out.Applied {
			t.Fatalf("ApplyRegistry = %+v, %v", out, err)
		}
		if _, err := w.Replan(t.Context(), t0.Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		if got := w.wanted(t, device).MaxVolumePct; got != tt.want {
			t.Errorf("with a ceiling of %d %% the plan says %d, want %d", tt.pct, got, tt.want)
		}
	}
}

func TestRetiredPointOwesNothingMore(t *testing.T) {
	w := newTestPlanner(t)
	pt, device := w.enrol(t, "SL-01-01", t0)
	w.activate(t, fmt.Sprintf(evening, "18:00", "18:30"), t0)
	due := w.slots(t, pt, fleet.ObligationFilter{Verdict: fleet.Due})
	if len(due) == 0 {
		t.Fatal("the point owes nothing")
	}
	at := t0.Add(time.Hour)
	if err := w.store.RetirePoint(t.Context(), pt.ID, at); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Replan(t.Context(), at); err != nil {
		t.Fatal(err)
	}
	if left := w.slots(t, pt, fleet.ObligationFilter{Verdict: fleet.Due}); len(left) != 0 {
		t.Errorf("a retired point owes %v", left)
	}
	if plan := w.wanted(t, device); len(plan.Slots) != 0 {
		t.Errorf("its device has %d slots", len(plan.Slots))
	}
	if err := w.store.RetirePoint(t.Context(), pt.ID, time.Time{}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Replan(t.Context(), at.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if again := w.slots(t, pt, fleet.ObligationFilter{Verdict: fleet.Due}); len(again) != len(due) {
		t.Errorf("back in use it owes %d slots, want %d", len(again), len(due))
	}
}
