package store

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

const ruleColumns = `k.id, k.code, k.version, k.text, k.points, k.from_day, coalesce(k.to_day, 0), k.verdicts, k.ended, k.at_us, k.by`

// ruleRow scans ruleColumns.
type ruleRow struct {
	r            fleet.DeductionRule
	from, to, at int64
	verdicts     string
}

func (w *ruleRow) fields() []any {
	return []any{&w.r.ID, &w.r.Code, &w.r.Version, &w.r.Text, &w.r.Points, &w.from, &w.to, &w.verdicts, &w.r.Ended, &w.at, &w.r.By}
}

func (w *ruleRow) rule() (fleet.DeductionRule, error) {
	w.r.From, w.r.At = dayOf(w.from), wire.FromUS(w.at)
	if w.to != 0 {
		w.r.To = dayOf(w.to)
	}
	if err := json.Unmarshal([]byte(w.verdicts), &w.r.Verdicts); err != nil {
		return w.r, fmt.Errorf("verdicts of rule %d: %w", w.r.ID, err)
	}
	return w.r, nil
}

// DeductionRules returns every version of every rule, by code, the newest
// version first.
func (s *Store) DeductionRules(ctx context.Context) ([]fleet.DeductionRule, error) {
	return list(ctx, s, "deduction rules", func(r scanner) (fleet.DeductionRule, error) {
		w := &ruleRow{}
		if err := r.Scan(w.fields()...); err != nil {
			return w.r, err
		}
		return w.rule()
	}, `SELECT `+ruleColumns+` FROM deduction_rules k ORDER BY k.code, k.version DESC`)
}

// AddDeductionRule keeps the next version of a rule. r.Version is the version
// that it was made from, 0 for a new code; where that is not the newest, the
// error is a *fleet.Error of code Conflict.
func (s *Store) AddDeductionRule(ctx context.Context, r fleet.DeductionRule) (fleet.DeductionRule, error) {
	from, err := dayNumber(r.From)
	if err != nil {
		return r, err
	}
	var to any
	if r.To != "" {
		if to, err = dayNumber(r.To); err != nil {
			return r, err
		}
	}
	return change(ctx, s, func(t *tx) (fleet.DeductionRule, error) {
		r := r
		var newest int
		if err := t.row(`SELECT coalesce(max(version), 0) FROM deduction_rules WHERE code = ?`, r.Code).Scan(&newest); err != nil {
			return r, err
		}
		if newest != r.Version {
			return r, &fleet.Error{
				Code:   fleet.Conflict,
				Text:   fmt.Sprintf("规则“%s”已有第 %d 版，请打开最新一版再修改。", r.Code, newest),
				TextEN: fmt.Sprintf("Rule %q has version %d already. Open the newest version and change that.", r.Code, newest),
			}
		}
		r.Version++
		err := t.row(`INSERT INTO deduction_rules (code, version, text, points, from_day, to_day, verdicts, ended, at_us, by) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id`,
			r.Code, r.Version, r.Text, int64(r.Points), from, to, verdictsJSON(r.Verdicts), r.Ended, wire.US(r.At), r.By).Scan(&r.ID)
		return r, err
	})
}

func verdictsJSON(all []fleet.Verdict) string {
	if all == nil {
		all = []fleet.Verdict{}
	}
	return toJSON(all)
}

const deductionColumns = `d.id, d.unit_id, d.unit_name, d.day, d.points, d.ground, d.at_us, d.by, d.by_name, d.state, d.year, d.number, d.notified_us, d.deadline_us, d.decided_us, d.decided_by, d.reason, `

// deductionScan scans deductionColumns, ruleColumns and what more asks for.
func deductionScan(r scanner, more ...any) (d fleet.Deduction, err error) {
	var day, at, notified, deadline, decided int64
	w := &ruleRow{}
	fields := append([]any{&d.ID, &d.Unit, &d.Name, &day, &d.Points, &d.Ground, &at, &d.By, &d.ByName, &d.State, &d.Year, &d.Number, &notified, &deadline, &decided, &d.DecidedBy, &d.Reason}, w.fields()...)
	if err = r.Scan(append(fields, more...)...); err != nil {
		return d, err
	}
	d.Day, d.At, d.Notified, d.Deadline, d.Decided = dayOf(day), wire.FromUS(at), wire.FromUS(notified), wire.FromUS(deadline), wire.FromUS(decided)
	d.Rule, err = w.rule()
	return d, err
}

func scanDeduction(r scanner) (fleet.Deduction, error) { return deductionScan(r) }

func scanDeductionWhole(r scanner) (fleet.Deduction, error) {
	var proofs string
	d, err := deductionScan(r, &proofs)
	if err != nil {
		return d, err
	}
	if err := json.Unmarshal([]byte(proofs), &d.Proofs); err != nil {
		return d, fmt.Errorf("proofs of deduction %d: %w", d.ID, err)
	}
	return d, nil
}

// deductionOrders are the orders of a list, each with the id as the last word.
var deductionOrders = map[string]string{
	"":       "d.day DESC, d.id DESC",
	"unit":   "d.unit_name, d.id DESC",
	"points": "d.points DESC, d.id DESC",
	"state":  "d.state, d.id DESC",
}

// Deductions returns those that f selects, without their proofs, and how many
// it selects without limit and offset.
func (s *Store) Deductions(ctx context.Context, f fleet.DeductionFilter) ([]fleet.Deduction, int, error) {
	w := &where{}
	for _, b := range []struct {
		day  fleet.Day
		cond string
	}{{f.From, "d.day >= ?"}, {f.To, "d.day <= ?"}} {
		if b.day == "" {
			continue
		}
		n, err := dayNumber(b.day)
		if err != nil {
			return nil, 0, err
		}
		w.add(b.cond, n)
	}
	if f.Unit != 0 {
		w.add("d.unit_id = ?", int64(f.Unit))
	}
	if f.State != "" {
		w.add("d.state = ?", string(f.State))
	}
	if f.NoDrafts {
		w.add("d.number > 0")
	}
	if f.Query != "" {
		w.add("(instr(d.unit_name, ?) > 0 OR instr(d.ground, ?) > 0 OR instr(k.code, ?) > 0 OR instr(k.text, ?) > 0)", f.Query, f.Query, f.Query, f.Query)
	}
	order, ok := deductionOrders[f.Sort]
	if !ok {
		order = deductionOrders[""]
	}
	const tables = ` FROM deductions d JOIN deduction_rules k ON k.id = d.rule_id`
	rows, err := list(ctx, s, "deductions", scanDeduction, `SELECT `+deductionColumns+ruleColumns+tables+w.String()+` ORDER BY `+order+page(f.Limit, f.Offset), w.args...)
	if err != nil {
		return nil, 0, err
	}
	var all int
	if err := s.read.QueryRowContext(ctx, `SELECT count(*)`+tables+w.String(), w.args...).Scan(&all); err != nil {
		return nil, 0, fmt.Errorf("counting deductions: %w", explain(err))
	}
	return rows, all, nil
}

const noDeduction, noDeductionEN = "没有这条扣分。", "There is no such deduction."

const deductionByID = `SELECT ` + deductionColumns + ruleColumns + `, d.proofs FROM deductions d JOIN deduction_rules k ON k.id = d.rule_id WHERE d.id = ?`

func scanStep(r scanner) (p fleet.DeductionStep, err error) {
	var at int64
	err = r.Scan(&p.Deduction, &at, &p.By, &p.Name, &p.From, &p.To, &p.Reason)
	p.At = wire.FromUS(at)
	return p, err
}

// DeductionFile returns one with all that belongs to it, or a *fleet.Error of
// code NotFound.
func (s *Store) DeductionFile(ctx context.Context, id fleet.DeductionID) (f fleet.DeductionFile, err error) {
	if f.Deduction, err = one(ctx, s, noDeduction, noDeductionEN, scanDeductionWhole, deductionByID, int64(id)); err != nil {
		return f, err
	}
	if f.Steps, err = list(ctx, s, "steps", scanStep, `SELECT deduction_id, at_us, by, name, from_state, to_state, reason FROM deduction_steps WHERE deduction_id = ? ORDER BY id`, int64(id)); err != nil {
		return f, err
	}
	f.Appeals, err = list(ctx, s, "appeals", func(r scanner) (a fleet.Appeal, err error) {
		var at int64
		err = r.Scan(&a.ID, &a.Deduction, &at, &a.By, &a.Name, &a.Text, &a.Photo)
		a.At = wire.FromUS(at)
		return a, err
	}, `SELECT id, deduction_id, at_us, by, name, text, photo IS NOT NULL FROM deduction_appeals WHERE deduction_id = ? ORDER BY id`, int64(id))
	return f, err
}

// AppealPhoto returns the photo of an appeal of that deduction as a JPEG, or a
// *fleet.Error of code NotFound.
func (s *Store) AppealPhoto(ctx context.Context, d fleet.DeductionID, id fleet.AppealID) ([]byte, error) {
	return one(ctx, s, "没有这张照片。", "There is no such photo.", func(r scanner) (b []byte, err error) {
		err = r.Scan(&b)
		return b, err
	}, `SELECT photo FROM deduction_appeals WHERE id = ? AND deduction_id = ? AND photo IS NOT NULL`, int64(id), int64(d))
}

// DeductedSlots returns which slots a deduction under the rule of that code
// rests on already, drafts that were dropped left out.
func (s *Store) DeductedSlots(ctx context.Context, code string, p fleet.PointID) ([]wire.SlotID, error) {
	return list(ctx, s, "deducted slots", func(r scanner) (id wire.SlotID, err error) {
		err = r.Scan(&id)
		return id, err
	}, `SELECT slot FROM deduction_slots WHERE code = ? AND point_id = ? AND live = 1 ORDER BY slot`, code, int64(p))
}

// AddDeduction keeps a draft with its proofs and first step. A slot that
// another deduction under the same rule rests on yields a *fleet.Error of code
// Conflict, and nothing is kept.
func (s *Store) AddDeduction(ctx context.Context, d fleet.Deduction) (fleet.Deduction, error) {
	day, err := dayNumber(d.Day)
	if err != nil {
		return d, err
	}
	proofs := d.Proofs
	if proofs == nil {
		proofs = []fleet.Proof{}
	}
	return change(ctx, s, func(t *tx) (fleet.Deduction, error) {
		d := d
		d.State = fleet.DeductionDraft
		err := t.row(`INSERT INTO deductions (unit_id, unit_name, rule_id, day, points, ground, proofs, at_us, by, by_name, state) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id`,
			int64(d.Unit), d.Name, int64(d.Rule.ID), day, int64(d.Points), d.Ground, toJSON(proofs), wire.US(d.At), d.By, d.ByName, string(d.State)).Scan(&d.ID)
		if err != nil {
			return d, err
		}
		for _, p := range d.Proofs {
			r, err := t.exec(`INSERT INTO deduction_slots (deduction_id, code, point_id, slot) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING`, int64(d.ID), d.Rule.Code, int64(p.Point), string(p.Slot))
			if err := affected(r, err, &fleet.Error{
				Code:   fleet.Conflict,
				Text:   fmt.Sprintf("%s %s %s已按规则“%s”扣过分，请取消勾选。", p.PointName, p.Day, p.SlotName, d.Rule.Code),
				TextEN: fmt.Sprintf("%s %s %s has been deducted under rule %q before. Take it out.", p.PointName, p.Day, p.SlotName, d.Rule.Code),
			}); err != nil {
				return d, err
			}
		}
		return d, addStepTx(t, fleet.DeductionStep{Deduction: d.ID, At: d.At, By: d.By, Name: d.ByName, To: d.State})
	})
}

func addStepTx(t *tx, p fleet.DeductionStep) error {
	_, err := t.exec(`INSERT INTO deduction_steps (deduction_id, at_us, by, name, from_state, to_state, reason) VALUES (?, ?, ?, ?, ?, ?, ?)`,
		int64(p.Deduction), wire.US(p.At), p.By, p.Name, string(p.From), string(p.To), p.Reason)
	return err
}

// MoveDeduction takes one step with a deduction: apply looks at it and returns
// it in its new state, with the step that is kept, or refuses. A notice without
// a number gets the next one of its year. With an appeal, that is kept too, with
// its photo, which may be nil. All of it is one transaction.
func (s *Store) MoveDeduction(ctx context.Context, id fleet.DeductionID, appeal *fleet.Appeal, photo []byte, apply func(fleet.Deduction) (fleet.Deduction, fleet.DeductionStep, error)) (fleet.Deduction, error) {
	return change(ctx, s, func(t *tx) (fleet.Deduction, error) {
		was, err := scanDeductionWhole(t.row(deductionByID, int64(id)))
		if err := found(err, noDeduction, noDeductionEN); err != nil {
			return was, err
		}
		d, step, err := apply(was)
		if err != nil {
			return was, err
		}
		if d.Year > 0 && d.Number == 0 {
			if err := t.row(`SELECT coalesce(max(number), 0) + 1 FROM deductions WHERE year = ?`, d.Year).Scan(&d.Number); err != nil {
				return was, err
			}
		}
		if _, err := t.exec(`UPDATE deductions SET state = ?, year = ?, number = ?, notified_us = ?, deadline_us = ?, decided_us = ?, decided_by = ?, reason = ? WHERE id = ?`,
			string(d.State), d.Year, d.Number, wire.US(d.Notified), wire.US(d.Deadline), wire.US(d.Decided), d.DecidedBy, d.Reason, int64(id)); err != nil {
			return was, err
		}
		if d.State == fleet.DeductionRevoked && d.Number == 0 {
			if _, err := t.exec(`UPDATE deduction_slots SET live = 0 WHERE deduction_id = ?`, int64(id)); err != nil {
				return was, err
			}
		}
		if appeal != nil {
			var jpeg any
			if photo != nil {
				jpeg = photo
			}
			if _, err := t.exec(`INSERT INTO deduction_appeals (deduction_id, at_us, by, name, text, photo) VALUES (?, ?, ?, ?, ?, ?)`,
				int64(id), wire.US(appeal.At), appeal.By, appeal.Name, appeal.Text, jpeg); err != nil {
				return was, err
			}
		}
		return d, addStepTx(t, step)
	})
}

// DeductionNews returns the notices that were given, upheld or revoked in
// [from, to), by time.
func (s *Store) DeductionNews(ctx context.Context, from, to time.Time) ([]fleet.DeductionNews, error) {
	told := []string{string(fleet.DeductionNotified), string(fleet.DeductionUpheld), string(fleet.DeductionRevoked)}
	marks := strings.Join(slices.Repeat([]string{"?"}, len(told)), ", ")
	return list(ctx, s, "deductions of a period", func(r scanner) (n fleet.DeductionNews, err error) {
		var at int64
		p := &n.Step
		n.Deduction, err = deductionScan(r, &p.Deduction, &at, &p.By, &p.Name, &p.From, &p.To, &p.Reason)
		p.At = wire.FromUS(at)
		return n, err
	}, `SELECT `+deductionColumns+ruleColumns+`, p.deduction_id, p.at_us, p.by, p.name, p.from_state, p.to_state, p.reason
FROM deduction_steps p JOIN deductions d ON d.id = p.deduction_id JOIN deduction_rules k ON k.id = d.rule_id
WHERE p.at_us >= ? AND p.at_us < ? AND d.number > 0 AND p.to_state IN (`+marks+`) ORDER BY p.at_us, p.id`, wire.US(from), wire.US(to), told[0], told[1], told[2])
}
