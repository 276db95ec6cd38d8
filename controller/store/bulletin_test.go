package store

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"gatecast/controller/fleet"
)

// submitted is a bulletin of kind k that waits to be signed.
func submitted(t *testing.T, s *Store, k fleet.BulletinKind, from, to fleet.Day) fleet.Bulletin {
	t.Helper()
	id, err := s.AddBulletin(t.Context(), fleet.Bulletin{Kind: k, From: from, To: to, Subject: "通报", Created: t0, By: "li"})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.SubmitBulletin(t.Context(), fleet.Bulletin{ID: id, Version: 1, Submitted: t0, SubmittedBy: "li"}); err != nil {
		t.Fatal(err)
	}
	b, err := s.Bulletin(t.Context(), id)
	if err != nil || b.State != fleet.BulletinSubmitted || b.SubmittedBy != "li" {
		t.Fatalf("Bulletin = %+v, %v", b, err)
	}
	return b
}

func issue(s *Store, t *testing.T, b fleet.Bulletin, year, number, total int, sums map[fleet.UnitID]fleet.Counts, printed ...fleet.CorrectionID) (fleet.Bulletin, error) {
	t.Helper()
	b.Issued, b.IssuedBy, b.IssuedName, b.Year, b.Number, b.Total = t0.AddDate(0, 0, 4), "chen", "陈工", year, number, total
	return s.IssueBulletin(t.Context(), fleet.BulletinSigning{Bulletin: b, Sums: sums, Corrections: printed, Content: func(n, total int) ([]byte, error) {
		return fmt.Appendf(nil, `{"Number":"%d/%d"}`, n, total), nil
	}})
}

func TestBulletinNumbersRestartEachYearAndTotalsNever(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		for _, tt := range []struct {
			year, number, total int // wanted
			wantN, wantM        int
			code                fleet.Code
		}{
			{2026, 0, 0, 1, 1, ""},
			{2026, 45, 97, 45, 97, ""}, // going on from paper
			{2026, 45, 98, 0, 0, fleet.Conflict},
			{2026, 46, 97, 0, 0, fleet.Conflict},
			{2026, 0, 0, 46, 98, ""},
			{2027, 0, 0, 1, 99, ""},
			{2027, 0, 0, 2, 100, ""},
		} {
			got, err := issue(s, t, submitted(t, s, fleet.SpecialBulletin, "", ""), tt.year, tt.number, tt.total, nil)
			if fleet.CodeOf(err) != tt.code || tt.code == "" && err != nil {
				t.Fatalf("%+v: %v", tt, err)
			}
			if err == nil && (got.Number != tt.wantN || got.Total != tt.wantM) {
				t.Errorf("%+v: issue %d, total %d", tt, got.Number, got.Total)
			}
		}
		// Another kind counts by itself.
		if got, err := issue(s, t, submitted(t, s, fleet.TeamReport, "", ""), 2026, 0, 0, nil); err != nil || got.Number != 1 || got.Total != 1 {
			t.Errorf("the first report: %d, %d, %v", got.Number, got.Total, err)
		}
	})
}

// TestIssuedBulletinIsFrozen: its sums are the ledger's or it is refused, its
// content stays, and neither it nor a correction can be changed or removed.
func TestIssuedBulletinIsFrozen(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		points := publishable(t, s)
		b := submitted(t, s, fleet.WeeklyBulletin, "2026-11-23", "2026-11-24")
		if _, err := s.AddBulletin(t.Context(), fleet.Bulletin{Kind: fleet.WeeklyBulletin, From: "2026-11-23", To: "2026-11-24", Created: t0, By: "li"}); fleet.CodeOf(err) != fleet.Conflict {
			t.Errorf("a second one of the period: %v", err)
		}
		unit := points[0].Unit
		for name, sums := range map[string]map[fleet.UnitID]fleet.Counts{
			"one more": {unit: {Owed: 4, Played: 3, Pending: 1}}, "none": {}, "another unit": {unit + 9: {Owed: 4, Played: 2, Pending: 2}},
		} {
			if _, err := issue(s, t, b, 2026, 0, 0, sums); fleet.CodeOf(err) != fleet.Conflict {
				t.Errorf("%s: %v", name, err)
			}
		}
		right := map[fleet.UnitID]fleet.Counts{unit: {Owed: 4, Played: 2, Pending: 2}}
		got, err := issue(s, t, b, 2026, 0, 0, right)
		if err != nil || got.State != fleet.BulletinIssued || string(got.Content) != `{"Number":"1/1"}` || got.Publication == 0 || got.SHA256 == "" {
			t.Fatalf("IssueBulletin = %+v, %v", got, err)
		}
		if _, err := issue(s, t, got, 2026, 0, 0, right); fleet.CodeOf(err) != fleet.Conflict {
			t.Errorf("signed twice: %v", err)
		}
		if err := s.EditBulletin(t.Context(), got, "li"); fleet.CodeOf(err) != fleet.Conflict {
			t.Errorf("edited after signing: %v", err)
		}

		rows, err := s.Obligations(t.Context(), fleet.ObligationFilter{Point: points[1].ID, From: "2026-11-23", To: "2026-11-23"})
		if err != nil {
			t.Fatal(err)
		}
		settleTest(t, s, fleet.Settlement{Point: rows[0].Point, Day: rows[0].Day, Slot: rows[0].Slot, Verdict: fleet.Played, Grade: fleet.GradeB, SoundMS: 81000, PlaysOK: 3}, t0.AddDate(0, 0, 5))
		changed, err := s.BulletinChanges(t.Context(), got.ID)
		if err != nil || len(changed) != 1 || changed[0].Was.Verdict != fleet.Pending || changed[0].Now.Verdict != fleet.Played {
			t.Fatalf("BulletinChanges = %+v, %v", changed, err)
		}
		c := fleet.BulletinCorrection{Bulletin: got.ID, Year: 2026, At: t0.AddDate(0, 0, 5), By: "chen", Changes: []fleet.BulletinChange{{Table: "表1", Row: "松风社区", Column: "已播", Was: "2", Now: "3"}}, Slots: []string{"一段"}, Content: []byte(`{}`)}
		first, err := s.CorrectBulletin(t.Context(), c, 0)
		if err != nil || first.Number != 1 || first.Issue != "第1期（总第1期）" {
			t.Fatalf("CorrectBulletin = %+v, %v", first, err)
		}
		if _, err := s.CorrectBulletin(t.Context(), c, 0); fleet.CodeOf(err) != fleet.Conflict {
			t.Errorf("the same again: %v", err)
		}
		if p, err := s.Published(t.Context(), got.Publication); err != nil || len(p.Amendments) != 1 || p.Amendments[0].Number != first.Number {
			t.Errorf("the sealed sums were not amended under the same number: %+v, %v", p.Amendments, err)
		}
		if left, err := s.BulletinChanges(t.Context(), got.ID); err != nil || len(left) != 0 {
			t.Errorf("after the correction: %+v, %v", left, err)
		}
		// One of figures alone takes the next number of the same row.
		second, err := s.CorrectBulletin(t.Context(), c, 1)
		if err != nil || second.Number != 2 {
			t.Errorf("the second correction: %+v, %v", second, err)
		}

		next, err := issue(s, t, submitted(t, s, fleet.WeeklyBulletin, "2026-10-01", "2026-10-07"), 2026, 0, 0, nil, first.ID)
		if err != nil || next.Publication != 0 {
			t.Fatalf("the next issue, of a week without slots: %+v, %v", next, err)
		}
		if open, err := s.CorrectionsToPrint(t.Context()); err != nil || len(open) != 1 || open[0].ID != second.ID {
			t.Errorf("CorrectionsToPrint = %+v, %v", open, err)
		}
		if _, err := issue(s, t, submitted(t, s, fleet.WeeklyBulletin, "2026-10-08", "2026-10-14"), 2026, 0, 0, nil, first.ID); fleet.CodeOf(err) != fleet.Conflict {
			t.Errorf("printed twice: %v", err)
		}
		for _, stmt := range []string{
			`DELETE FROM bulletins`, `UPDATE bulletins SET content = '{}' WHERE state = 'issued'`, `UPDATE bulletins SET texts = '{}' WHERE state = 'issued'`,
			`DELETE FROM bulletin_corrections`, `UPDATE bulletin_corrections SET changes = '[]'`, `UPDATE bulletin_corrections SET printed_in = NULL WHERE printed_in IS NOT NULL`,
		} {
			if _, err := change(t.Context(), s, func(t *tx) (none, error) { _, err := t.exec(stmt); return none{}, err }); err == nil || !strings.Contains(err.Error(), "never") && !strings.Contains(err.Error(), "only taken") {
				t.Errorf("%s: %v", stmt, err)
			}
		}
		if same, err := s.Bulletin(t.Context(), got.ID); err != nil || string(same.Content) != string(got.Content) || same.SHA256 != got.SHA256 {
			t.Errorf("afterwards: %+v, %v", same, err)
		}
	})
}

func TestWorstPointsAndRelayAreCounted(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		p := publishable(t, s)
		rows, err := s.Obligations(t.Context(), fleet.ObligationFilter{Point: p[1].ID})
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range rows {
			settleTest(t, s, fleet.Settlement{Point: o.Point, Day: o.Day, Slot: o.Slot, Verdict: fleet.Missed, Reason: "power"}, t0.AddDate(0, 0, 5))
		}
		worst, err := s.WorstPoints(t.Context(), "2026-11-23", "2026-11-24", 5)
		if err != nil || len(worst) != 1 || worst[0] != (fleet.PointReason{Point: p[1].ID, Verdict: fleet.Missed, Reason: "power", N: 2}) {
			t.Errorf("WorstPoints = %+v, %v", worst, err)
		}
		if sum, err := s.RelaySum(t.Context(), t0, t0.Add(time.Hour), t0); err != nil || sum != (fleet.RelaySum{}) {
			t.Errorf("RelaySum of nothing = %+v, %v", sum, err)
		}
	})
}
