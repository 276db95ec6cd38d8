package store

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatecast/controller/fleet"
)

func TestObligationsSettleIntoSums(t *testing.T) {
	s := newTestStore(t)
	points := importTest(t, s, 2)
	win := fleet.PlanWindow{Points: []fleet.PointID{points[0].ID, points[1].ID}, From: t0, To: t0.AddDate(0, 0, 2)}
	var want []fleet.Obligation
	for _, p := range win.Points {
		for d := range 2 {
			want = append(want, owe(p, "morning", "早", t0.AddDate(0, 0, d).Add(time.Hour)), owe(p, "evening", "晚", t0.AddDate(0, 0, d).Add(10*time.Hour)))
		}
	}
	for i, exp := range []fleet.PutResult{{Added: 8}, {Kept: 8}} {
		got, err := s.PutObligations(t.Context(), win, want, t0)
		if err != nil || got != exp {
			t.Fatalf("PutObligations %d = %+v, %v, want %+v", i, got, err, exp)
		}
	}
	due, err := s.DueToSettle(t.Context(), t0.Add(2*time.Hour), 10)
	if err != nil || len(due) != 2 {
		t.Fatalf("DueToSettle = %d rows, %v, want 2", len(due), err)
	}
	changed, err := s.Settle(t.Context(), []fleet.Settlement{{Point: due[0].Point, Slot: due[0].Slot, Verdict: fleet.Played, Grade: fleet.GradeB, PlaysOK: 3, SoundMS: 81000}}, t0)
	if err != nil || len(changed) != 1 || changed[0].Verdict != fleet.Played {
		t.Fatalf("Settle = %+v, %v", changed, err)
	}
	rows, err := s.Summary(t.Context(), fleet.SummaryQuery{From: "2026-11-23", To: "2026-11-24", By: []fleet.Grouping{fleet.ByDay}})
	exp := []fleet.SummaryRow{
		{Day: "2026-11-23", Counts: fleet.Counts{Owed: 4, Played: 1, Due: 3}},
		{Day: "2026-11-24", Counts: fleet.Counts{Owed: 4, Due: 4}},
	}
	if diff := cmp.Diff(exp, rows); err != nil || diff != "" {
		t.Errorf("Summary: %v (-want +got):\n%s", err, diff)
	}
	if err := s.Check(t.Context()); err != nil {
		t.Error(err)
	}
}
