package store

import (
	"testing"

	"gatecast/controller/fleet"
)

// TestNothingOfADeductionIsRemoved asks the database itself: neither rows nor
// what they say can go, whoever writes to it.
func TestNothingOfADeductionIsRemoved(t *testing.T) {
	s := newTestStore(t)
	ctx := t.Context()
	rule, err := s.AddDeductionRule(ctx, fleet.DeductionRule{Code: "R", Text: "规则内容", Points: 50, From: "2026-01-01", At: t0, By: "li"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.AddDeductionRule(ctx, rule); err != nil {
		t.Fatal(err)
	}
	if _, err := s.AddDeductionRule(ctx, rule); fleet.CodeOf(err) != fleet.Conflict {
		t.Errorf("a second version 2: %v", err)
	}
	d, err := s.AddDeduction(ctx, fleet.Deduction{Unit: 1, Name: "松风社区", Rule: rule, Day: "2026-11-20", Points: 50, Ground: "检查发现", At: t0, By: "li"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.MoveDeduction(ctx, d.ID, &fleet.Appeal{At: t0, By: "a", Text: "停电"}, []byte{1}, func(d fleet.Deduction) (fleet.Deduction, fleet.DeductionStep, error) {
		d.State, d.Year = fleet.DeductionAppealed, 2026
		return d, fleet.DeductionStep{Deduction: d.ID, At: t0, To: d.State}, nil
	}); err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{
		"DELETE FROM deduction_rules", "UPDATE deduction_rules SET points = 1", "DELETE FROM deductions", "UPDATE deductions SET points = 1", "UPDATE deductions SET proofs = '[1]'",
		"UPDATE deductions SET number = 7", "DELETE FROM deduction_steps", "UPDATE deduction_steps SET by = 'b'", "DELETE FROM deduction_appeals", "UPDATE deduction_appeals SET text = ''",
	} {
		if _, err := change(ctx, s, func(t *tx) (none, error) { _, err := t.exec(statement); return none{}, err }); err == nil {
			t.Errorf("%s was done", statement)
		}
	}
	f, err := s.DeductionFile(ctx, d.ID)
	if err != nil || f.Points != 50 || f.Rule.Version != 1 || f.Number != 1 || len(f.Steps) != 2 || len(f.Appeals) != 1 || !f.Appeals[0].Photo {
		t.Errorf("%+v, %v", f, err)
	}
}
