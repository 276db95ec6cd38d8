package store

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

func TestObligationsSettleIntoSums(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
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
	})
}

func TestObligationKeepsEveryField(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		p := importTest(t, s, 1)[0]
		due := owe(p.ID, "morning", "早", t0.Add(time.Hour))
		due.Demo = true
		quiet := owe(p.ID, "noon", "中", t0.Add(5*time.Hour))
		quiet.Verdict, quiet.Reason, quiet.Note = fleet.Exempt, wire.ReasonQuiet, "午间静默 12:00–14:00"
		// What the caller claims of evidence is not taken.
		claimed := due
		claimed.Verdict, claimed.Grade, claimed.PlaysOK, claimed.SoundMS, claimed.Device, claimed.Settled = fleet.Played, fleet.GradeA, 3, 81000, "d1", t0
		win := fleet.PlanWindow{Points: []fleet.PointID{p.ID}, From: t0, To: t0.AddDate(0, 0, 1)}
		if _, err := s.PutObligations(t.Context(), win, []fleet.Obligation{claimed, quiet}, t0); err != nil {
			t.Fatal(err)
		}
		due.Verdict, due.Unit, due.Compound = fleet.Due, p.Unit, p.Compound
		quiet.Unit, quiet.Compound, quiet.Settled = p.Unit, p.Compound, t0
		got, err := s.Obligations(t.Context(), fleet.ObligationFilter{Point: p.ID})
		if diff := cmp.Diff([]fleet.Obligation{due, quiet}, got); err != nil || diff != "" {
			t.Errorf("Obligations: %v (-want +got):\n%s", err, diff)
		}
		one, err := s.Obligation(t.Context(), p.ID, quiet.Slot)
		if diff := cmp.Diff(quiet, one); err != nil || diff != "" {
			t.Errorf("Obligation: %v (-want +got):\n%s", err, diff)
		}
	})
}

// TestReplanTouchesOnlyTheFuture plans at midnight, lets the morning begin
// and the ledger settle it, and plans anew.
func TestReplanTouchesOnlyTheFuture(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		p := importTest(t, s, 1)[0].ID
		morning, noon, evening, next := owe(p, "morning", "早", t0.Add(time.Hour)), owe(p, "noon", "中", t0.Add(5*time.Hour)),
			owe(p, "evening", "晚", t0.Add(10*time.Hour)), owe(p, "morning", "早", t0.AddDate(0, 0, 1).Add(time.Hour))
		quiet := owe(p, "late", "夜", t0.Add(11*time.Hour))
		quiet.Verdict, quiet.Note = fleet.Exempt, "夜间静默"
		win := fleet.PlanWindow{Points: []fleet.PointID{p}, From: t0, To: t0.AddDate(0, 0, 2)}
		if _, err := s.PutObligations(t.Context(), win, []fleet.Obligation{morning, noon, evening, next, quiet}, t0); err != nil {
			t.Fatal(err)
		}
		// Settled ahead of its time: all of its plays were reported.
		if _, err := s.Settle(t.Context(), []fleet.Settlement{{Point: p, Slot: noon.Slot, Verdict: fleet.Missed, Reason: wire.ReasonHash}}, t0); err != nil {
			t.Fatal(err)
		}
		now := t0.Add(time.Hour) // the morning begins at this very instant
		changed := evening
		changed.Plays, changed.PlannedMS, changed.Version, changed.Name = 6, 162000, 2, "傍晚"
		tooLate := owe(p, "dawn", "晨", t0.Add(30*time.Minute))
		nowDue := quiet
		nowDue.Verdict, nowDue.Note = fleet.Due, ""
		moved := morning
		moved.Plays = 9
		got, err := s.PutObligations(t.Context(), win, []fleet.Obligation{moved, changed, tooLate, nowDue}, now)
		want := fleet.PutResult{Changed: 2, Kept: 1, Removed: 1, Late: 1}
		if err != nil || got != want {
			t.Errorf("PutObligations = %+v, %v, want %+v", got, err, want)
		}
		rows, err := s.Obligations(t.Context(), fleet.ObligationFilter{})
		if err != nil {
			t.Fatal(err)
		}
		type row struct {
			Slot    wire.SlotID
			Name    string
			Plays   int
			Verdict fleet.Verdict
		}
		var have []row
		for _, o := range rows {
			have = append(have, row{o.Slot, o.Name, o.Plays, o.Verdict})
		}
		exp := []row{
			{morning.Slot, "早", 3, fleet.Due},  // had begun: as it was announced
			{noon.Slot, "中", 3, fleet.Missed},  // settled, though it is no longer wanted
			{evening.Slot, "傍晚", 6, fleet.Due}, // the new plan
			{quiet.Slot, "夜", 3, fleet.Due},    // no longer quiet
		}
		if diff := cmp.Diff(exp, have); diff != "" {
			t.Errorf("rows (-want +got):\n%s", diff)
		}
		// Later, with nothing wanted: what has begun stays for ever.
		if _, err := s.PutObligations(t.Context(), win, nil, t0.Add(10*time.Hour)); err != nil {
			t.Fatal(err)
		}
		rows, err = s.Obligations(t.Context(), fleet.ObligationFilter{})
		if err != nil || len(rows) != 3 || rows[2].Slot != evening.Slot {
			t.Errorf("after an empty plan: %d rows, %v", len(rows), err)
		}
		if err := s.Check(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestPutObligationsLeavesOtherPointsAndTimesAlone(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		points := importTest(t, s, 2)
		a, b := points[0].ID, points[1].ID
		all := []fleet.Obligation{owe(a, "morning", "早", t0.Add(time.Hour)), owe(a, "morning", "早", t0.AddDate(0, 0, 3).Add(time.Hour)), owe(b, "morning", "早", t0.Add(time.Hour))}
		if _, err := s.PutObligations(t.Context(), fleet.PlanWindow{Points: []fleet.PointID{a, b}, From: t0, To: t0.AddDate(0, 0, 60)}, all, t0); err != nil {
			t.Fatal(err)
		}
		got, err := s.PutObligations(t.Context(), fleet.PlanWindow{Points: []fleet.PointID{a}, From: t0, To: t0.AddDate(0, 0, 1)}, nil, t0)
		if err != nil || got != (fleet.PutResult{Removed: 1}) {
			t.Errorf("PutObligations = %+v, %v, want one removed", got, err)
		}
	})
}

func TestPutObligationsRefusesContradictions(t *testing.T) {
	tests := []struct {
		name  string
		spoil func(*fleet.Obligation)
		twice bool
	}{
		{"another_point", func(o *fleet.Obligation) { o.Point++ }, false},
		{"before_the_window", func(o *fleet.Obligation) { o.Start = t0.Add(-time.Hour) }, false},
		{"after_the_window", func(o *fleet.Obligation) { o.Start, o.End = t0.AddDate(0, 0, 1), t0.AddDate(0, 0, 2) }, false},
		{"ends_before_it_starts", func(o *fleet.Obligation) { o.End = o.Start }, false},
		{"slot_without_a_day", func(o *fleet.Obligation) { o.Slot = "gates.morning" }, false},
		{"slot_of_another_day", func(o *fleet.Obligation) { o.Day = "2026-11-24" }, false},
		{"the_same_twice", func(*fleet.Obligation) {}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			onEach(t, func(t *testing.T, s *Store) {
				p := importTest(t, s, 2)[0].ID
				o := owe(p, "morning", "早", t0.Add(time.Hour))
				tt.spoil(&o)
				want := []fleet.Obligation{o}
				if tt.twice {
					want = append(want, o)
				}
				if _, err := s.PutObligations(t.Context(), fleet.PlanWindow{Points: []fleet.PointID{p}, From: t0, To: t0.AddDate(0, 0, 1)}, want, t0); err == nil {
					t.Error("PutObligations took it")
				}
				if rows, err := s.Obligations(t.Context(), fleet.ObligationFilter{}); err != nil || len(rows) != 0 {
					t.Errorf("it left %d rows, %v", len(rows), err)
				}
			})
		})
	}
}

func TestSettleKeepsWhatWasBefore(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		p := importTest(t, s, 1)[0].ID
		o := owe(p, "morning", "早", t0.Add(time.Hour))
		quiet := owe(p, "noon", "中", t0.Add(5*time.Hour))
		quiet.Verdict = fleet.Exempt
		win := fleet.PlanWindow{Points: []fleet.PointID{p}, From: t0, To: t0.AddDate(0, 0, 1)}
		if _, err := s.PutObligations(t.Context(), win, []fleet.Obligation{o, quiet}, t0); err != nil {
			t.Fatal(err)
		}
		say := func(v fleet.Verdict, g fleet.Grade, ms int64) fleet.Settlement {
			return fleet.Settlement{Point: p, Slot: o.Slot, Verdict: v, Grade: g, SoundMS: ms, Device: "d1"}
		}
		steps := []struct {
			name      string
			st        fleet.Settlement
			changed   bool
			verdict   fleet.Verdict
			revisions int
		}{
			{"too_early_is_nothing", say(fleet.Due, "", 0), false, fleet.Due, 0},
			{"exempt_is_for_plans_only", say(fleet.Exempt, "", 0), false, fleet.Due, 0},
			{"pending", say(fleet.Pending, fleet.GradeD, 0), true, fleet.Pending, 0},
			{"pending_with_more", say(fleet.Pending, fleet.GradeD, 5000), true, fleet.Pending, 0},
			{"first_verdict_is_no_correction", say(fleet.Partial, fleet.GradeB, 5000), true, fleet.Partial, 0},
			{"same_again", say(fleet.Partial, fleet.GradeB, 5000), false, fleet.Partial, 0},
			{"never_back_to_pending", say(fleet.Pending, fleet.GradeD, 5000), false, fleet.Partial, 0},
			{"better_evidence", say(fleet.Played, fleet.GradeB, 81000), true, fleet.Played, 1},
			{"unknown_slot", fleet.Settlement{Point: p, Slot: "2026-11-23.gates.dusk", Verdict: fleet.Played}, false, fleet.Played, 1},
			{"exempt_stays", fleet.Settlement{Point: p, Slot: quiet.Slot, Verdict: fleet.Played}, false, fleet.Played, 1},
		}
		for i, st := range steps {
			now := t0.Add(time.Duration(i) * time.Minute)
			changed, err := s.Settle(t.Context(), []fleet.Settlement{st.st}, now)
			if err != nil || len(changed) > 0 != st.changed {
				t.Errorf("%s: Settle = %+v, %v", st.name, changed, err)
			}
			got, err := s.Obligation(t.Context(), p, o.Slot)
			if err != nil || got.Verdict != st.verdict || got.Revisions != st.revisions || st.changed && !got.Settled.Equal(now) {
				t.Errorf("%s: %+v, %v", st.name, got, err)
			}
		}
		corrections, err := s.Corrections(t.Context(), p, o.Slot)
		if err != nil || len(corrections) != 1 {
			t.Fatalf("Corrections = %+v, %v, want one", corrections, err)
		}
		if c := corrections[0]; c.Was.Verdict != fleet.Partial || c.Was.SoundMS != 5000 || c.Now.Verdict != fleet.Played || c.Slot != o.Slot || c.Now.Device != "d1" {
			t.Errorf("correction %+v", c)
		}
		if err := s.Check(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestObligationsFilter(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		points := importTest(t, s, 2)
		horn, err := s.PointByCode(t.Context(), "WH-01")
		if err != nil {
			t.Fatal(err)
		}
		ids := []fleet.PointID{points[0].ID, points[1].ID, horn.ID}
		var want []fleet.Obligation
		for _, p := range ids {
			for d := range 3 {
				want = append(want, owe(p, "morning", "早", t0.AddDate(0, 0, d).Add(time.Hour)), owe(p, "evening", "晚", t0.AddDate(0, 0, d).Add(10*time.Hour)))
			}
		}
		if _, err := s.PutObligations(t.Context(), fleet.PlanWindow{Points: ids, From: t0, To: t0.AddDate(0, 0, 3)}, want, t0); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Settle(t.Context(), []fleet.Settlement{{Point: horn.ID, Slot: want[12].Slot, Verdict: fleet.Missed}}, t0); err != nil {
			t.Fatal(err)
		}
		units, err := s.Units(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, tt := range []struct {
			name string
			f    fleet.ObligationFilter
			n    int
		}{
			{"all", fleet.ObligationFilter{}, 18},
			{"from", fleet.ObligationFilter{From: "2026-11-24"}, 12},
			{"to", fleet.ObligationFilter{To: "2026-11-23"}, 6},
			{"one_day", fleet.ObligationFilter{From: "2026-11-24", To: "2026-11-24"}, 6},
			{"subdistrict", fleet.ObligationFilter{Unit: units[0].ID}, 18},
			{"village", fleet.ObligationFilter{Unit: horn.Unit, From: "2026-11-25"}, 2},
			{"compound", fleet.ObligationFilter{Compound: points[0].Compound}, 12},
			{"point", fleet.ObligationFilter{Point: points[1].ID}, 6},
			{"programme", fleet.ObligationFilter{Programme: "gates"}, 18},
			{"other_programme", fleet.ObligationFilter{Programme: "horns"}, 0},
			{"name", fleet.ObligationFilter{Name: "晚"}, 9},
			{"verdict", fleet.ObligationFilter{Verdict: fleet.Missed}, 1},
			{"page", fleet.ObligationFilter{Limit: 4, Offset: 16}, 2},
		} {
			t.Run(tt.name, func(t *testing.T) {
				got, err := s.Obligations(t.Context(), tt.f)
				if err != nil || len(got) != tt.n {
					t.Errorf("Obligations(%+v) = %d rows, %v, want %d", tt.f, len(got), err, tt.n)
				}
			})
		}
		if _, err := s.Obligations(t.Context(), fleet.ObligationFilter{From: "23/11/2026"}); fleet.CodeOf(err) != fleet.Invalid {
			t.Errorf("a day that is none: %v", err)
		}
		if _, err := s.Summary(t.Context(), fleet.SummaryQuery{From: "2026-02-30", To: "2026-03-01"}); fleet.CodeOf(err) != fleet.Invalid {
			t.Errorf("30 February: %v", err)
		}
	})
}

// TestHistoryStaysWithTheUnitOfItsTime moves a point to another community.
func TestHistoryStaysWithTheUnitOfItsTime(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		p := importTest(t, s, 1)[0]
		win := fleet.PlanWindow{Points: []fleet.PointID{p.ID}, From: t0, To: t0.AddDate(0, 0, 2)}
		want := []fleet.Obligation{owe(p.ID, "morning", "早", t0.Add(time.Hour)), owe(p.ID, "morning", "早", t0.AddDate(0, 0, 1).Add(time.Hour))}
		if _, err := s.PutObligations(t.Context(), win, want, t0); err != nil {
			t.Fatal(err)
		}
		village := fleet.Registry{Points: []fleet.PointEntry{{Point: fleet.Point{Code: p.Code, Name: p.Name, Kind: p.Kind}, Unit: "WH"}}}
		if err := s.ImportRegistry(t.Context(), village); err != nil {
			t.Fatal(err)
		}
		if r, err := s.PutObligations(t.Context(), win, want, t0.Add(2*time.Hour)); err != nil || r != (fleet.PutResult{Kept: 1, Changed: 1}) {
			t.Fatalf("PutObligations = %+v, %v", r, err)
		}
		moved, err := s.Point(t.Context(), p.ID)
		if err != nil {
			t.Fatal(err)
		}
		for unit, n := range map[fleet.UnitID]int{p.Unit: 1, moved.Unit: 1} {
			rows, err := s.Obligations(t.Context(), fleet.ObligationFilter{Unit: unit})
			if err != nil || len(rows) != n {
				t.Errorf("unit %d has %d rows, %v, want %d", unit, len(rows), err, n)
			}
			sums, err := s.Summary(t.Context(), fleet.SummaryQuery{From: "2026-11-23", To: "2026-11-24", Unit: unit})
			if err != nil || len(sums) != 1 || sums[0].Counts.Owed != n {
				t.Errorf("unit %d sums up to %+v, %v", unit, sums, err)
			}
		}
	})
}
