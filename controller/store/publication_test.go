package store

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// publishable is a store with two settled days at two gates: one slot played,
// one pending a day.
func publishable(t *testing.T, s *Store) []fleet.Point {
	t.Helper()
	p := importTest(t, s, 2)
	for day := range 2 {
		start := t0.AddDate(0, 0, day).Add(time.Hour)
		for i, pt := range p {
			o := owe(pt.ID, "morning", "早", start)
			if _, err := s.PutObligations(t.Context(), fleet.PlanWindow{Points: []fleet.PointID{pt.ID}, From: start, To: start.Add(time.Minute)}, []fleet.Obligation{o}, t0); err != nil {
				t.Fatal(err)
			}
			st := fleet.Settlement{Point: pt.ID, Day: o.Day, Slot: o.Slot, Verdict: fleet.Played, Grade: fleet.GradeB, SoundMS: 81000, PlaysOK: 3}
			if i == 1 {
				st = fleet.Settlement{Point: pt.ID, Day: o.Day, Slot: o.Slot, Verdict: fleet.Pending, Grade: fleet.GradeD}
			}
			settleTest(t, s, st, o.End)
		}
	}
	return p
}

func settleTest(t *testing.T, s *Store, st fleet.Settlement, now time.Time) {
	t.Helper()
	if _, err := s.Settle(t.Context(), []fleet.Settlement{st}, now); err != nil {
		t.Fatal(err)
	}
}

func week() fleet.Publication {
	return fleet.Publication{Year: 2026, From: "2026-11-23", To: "2026-11-24", At: t0.AddDate(0, 0, 3), By: "du", Name: "杜督导"}
}

// TestPublishedNumbersChangeOnlyByAmendments: what comes in later changes the
// ledger; the publication stays, and a numbered amendment says what changed.
func TestPublishedNumbersChangeOnlyByAmendments(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		points := publishable(t, s)
		p, err := s.Publish(t.Context(), week())
		if err != nil || p.Number != 1 || p.ID == 0 {
			t.Fatalf("Publish = %+v, %v", p, err)
		}
		sealed, err := s.Published(t.Context(), p.ID)
		if err != nil || len(sealed.Sums) != 2 || sealed.Sums[0].Counts != (fleet.Counts{Owed: 2, Played: 1, Pending: 1}) || sealed.Sums[0].Name != "松风社区" {
			t.Fatalf("Published = %+v, %v", sealed, err)
		}
		if _, err := s.Amend(t.Context(), fleet.Amendment{Publication: p.ID, Year: 2026, At: t0}); fleet.CodeOf(err) != fleet.Conflict {
			t.Errorf("an amendment of nothing: %v", err)
		}
		slot := wire.SlotID("2026-11-23.gates.morning")
		at := t0.AddDate(0, 0, 5)
		late := fleet.Settlement{Point: points[1].ID, Day: "2026-11-23", Slot: slot, Verdict: fleet.Missed, Reason: wire.ReasonPower}
		settleTest(t, s, late, at)
		late.Verdict, late.Grade, late.Reason, late.SoundMS, late.PlaysOK = fleet.Played, fleet.GradeB, "", 81000, 3
		settleTest(t, s, late, at.Add(time.Hour))
		other := fleet.Settlement{Point: points[0].ID, Day: "2026-11-23", Slot: slot, Verdict: fleet.Played, Grade: fleet.GradeB, SoundMS: 81000, PlaysOK: 3, Device: "d9"}
		settleTest(t, s, other, at) // only the device: nothing that was published
		got, err := s.Published(t.Context(), p.ID)
		if err != nil || cmp.Diff(sealed.Sums, got.Sums) != "" || len(got.Changes) != 1 {
			t.Fatalf("after late records: %+v, %v", got, err)
		}
		c := got.Changes[0]
		if c.Amendment != 0 || c.Was.Verdict != fleet.Pending || c.Now.Verdict != fleet.Played || c.Cause != fleet.CauseLate || c.Slot != slot || !c.At.Equal(at.Add(time.Hour)) {
			t.Errorf("change = %+v", c)
		}
		a, err := s.Amend(t.Context(), fleet.Amendment{Publication: p.ID, Year: 2026, At: at.Add(2 * time.Hour), By: "du", Name: "杜督导"})
		if err != nil || a.Number != 1 {
			t.Fatalf("Amend = %+v, %v", a, err)
		}
		late.Verdict, late.SoundMS = fleet.Partial, 40000
		settleTest(t, s, late, at.AddDate(0, 0, 1))
		a2, err := s.Amend(t.Context(), fleet.Amendment{Publication: p.ID, Year: 2026, At: at.AddDate(0, 0, 1)})
		if err != nil || a2.Number != 2 {
			t.Fatalf("the second: %+v, %v", a2, err)
		}
		got, err = s.Published(t.Context(), p.ID)
		if err != nil || len(got.Amendments) != 2 || len(got.Changes) != 2 || got.Changes[0].Amendment != a.ID || got.Changes[1].Amendment != a2.ID ||
			got.Changes[1].Was.Verdict != fleet.Played || got.Changes[1].Cause != fleet.CauseEvidence {
			t.Errorf("after two amendments: %+v, %v", got, err)
		}
		if cmp.Diff(sealed.Sums, got.Sums) != "" {
			t.Error("the sealed sums changed")
		}
	})
}

func TestPublishRefusals(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		points := publishable(t, s)
		if _, err := s.Publish(t.Context(), week()); err != nil {
			t.Fatal(err)
		}
		start := t0.AddDate(0, 0, 2).Add(time.Hour)
		o := owe(points[0].ID, "morning", "早", start)
		if _, err := s.PutObligations(t.Context(), fleet.PlanWindow{Points: []fleet.PointID{o.Point}, From: start, To: start.Add(time.Minute)}, []fleet.Obligation{o}, t0); err != nil {
			t.Fatal(err)
		}
		tests := []struct {
			name string
			edit func(*fleet.Publication)
			code fleet.Code
		}{
			{"same_period_again", func(*fleet.Publication) {}, fleet.Conflict},
			{"not_settled_yet", func(p *fleet.Publication) { p.To = "2026-11-25" }, fleet.Conflict},
			{"nothing_owed", func(p *fleet.Publication) { p.From, p.To = "2026-10-01", "2026-10-07" }, fleet.Invalid},
			{"backwards", func(p *fleet.Publication) { p.From, p.To = p.To, p.From }, fleet.Invalid},
			{"number_taken", func(p *fleet.Publication) { p.To, p.Number = "2026-11-23", 1 }, fleet.Conflict},
			{"no_date", func(p *fleet.Publication) { p.From = "Monday" }, fleet.Invalid},
		}
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				p := week()
				tt.edit(&p)
				if _, err := s.Publish(t.Context(), p); fleet.CodeOf(err) != tt.code {
					t.Errorf("Publish: %v, want %s", err, tt.code)
				}
			})
		}
		// Overlapping periods are several books of the same days; numbers may leap, as after a restore.
		p := week()
		p.To, p.Number = "2026-11-23", 9
		if p, err := s.Publish(t.Context(), p); err != nil || p.Number != 9 {
			t.Errorf("Publish = %+v, %v", p, err)
		}
		p = week()
		p.From, p.Year = "2026-11-24", 2027
		if p, err := s.Publish(t.Context(), p); err != nil || p.Number != 1 {
			t.Errorf("in another year: %+v, %v", p, err)
		}
		if all, err := s.Publications(t.Context()); err != nil || len(all) != 3 || all[0].Year != 2027 {
			t.Errorf("Publications = %+v, %v", all, err)
		}
	})
}

// TestDatabaseKeepsPublications: not even this package can change or remove
// what was sealed.
func TestDatabaseKeepsPublications(t *testing.T) {
	s := newTestStore(t)
	points := publishable(t, s)
	p, err := s.Publish(t.Context(), week())
	if err != nil {
		t.Fatal(err)
	}
	settleTest(t, s, fleet.Settlement{Point: points[1].ID, Day: "2026-11-23", Slot: "2026-11-23.gates.morning", Verdict: fleet.Missed, Reason: wire.ReasonPower}, t0.AddDate(0, 0, 4))
	if _, err := s.Amend(t.Context(), fleet.Amendment{Publication: p.ID, Year: 2026, At: t0}); err != nil {
		t.Fatal(err)
	}
	for _, q := range []string{
		`DELETE FROM publications`, `UPDATE publications SET to_day = to_day + 1`,
		`DELETE FROM publication_sums`, `UPDATE publication_sums SET played = played + 1`,
		`DELETE FROM amendments`, `UPDATE amendments SET number = 7`,
		`DELETE FROM publication_changes`, `UPDATE publication_changes SET was = now`, `UPDATE publication_changes SET amendment_id = NULL`,
	} {
		_, err := change(t.Context(), s, func(t *tx) (none, error) {
			_, err := t.exec(q)
			return none{}, err
		})
		if err == nil || !strings.Contains(err.Error(), "never") && !strings.Contains(err.Error(), "only") {
			t.Errorf("%s: %v", q, err)
		}
	}
}
