package store

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"gatecast/controller/fleet"
)

// rollKey and rollup are changes of the daily sums within one transaction.
type rollKey struct {
	day      fleet.Day
	unit     fleet.UnitID
	compound fleet.CompoundID
	name     string
	demo     bool
}

type rollup map[rollKey]fleet.Counts

func keyOf(o fleet.Obligation) rollKey {
	return rollKey{o.Day, o.Unit, o.Compound, o.Name, o.Demo}
}

func (r rollup) add(o fleet.Obligation) {
	c := r[keyOf(o)]
	c.Add(o.Verdict)
	r[keyOf(o)] = c
}

func (r rollup) sub(o fleet.Obligation) {
	var one fleet.Counts
	one.Add(o.Verdict)
	r[keyOf(o)] = r[keyOf(o)].Plus(fleet.Counts{
		Owed: -one.Owed, Played: -one.Played, Partial: -one.Partial, Missed: -one.Missed,
		Doubt: -one.Doubt, Exempt: -one.Exempt, Pending: -one.Pending, Due: -one.Due,
	})
}

func (r rollup) write(t *tx) error {
	for k, c := range r {
		if c == (fleet.Counts{}) {
			continue
		}
		day, err := dayNumber(k.day)
		if err != nil {
			return err
		}
		if _, err := t.exec(`
INSERT INTO rollup (day, unit_id, compound_id, name, demo, owed, played, partial, missed, doubt, exempt, pending, due) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (day, unit_id, compound_id, name, demo) DO UPDATE SET owed = owed + excluded.owed, played = played + excluded.played, partial = partial + excluded.partial,
  missed = missed + excluded.missed, doubt = doubt + excluded.doubt, exempt = exempt + excluded.exempt, pending = pending + excluded.pending, due = due + excluded.due`,
			day, int64(k.unit), int64(k.compound), k.name, k.demo, c.Owed, c.Played, c.Partial, c.Missed, c.Doubt, c.Exempt, c.Pending, c.Due); err != nil {
			return fmt.Errorf("daily sums: %w", err)
		}
	}
	return nil
}

// Summary returns counts over obligations, one row for each combination of
// the groupings that has any, in their order. It reads daily sums; only a
// summary by point reads the rows of the period.
func (s *Store) Summary(ctx context.Context, q fleet.SummaryQuery) ([]fleet.SummaryRow, error) {
	from, err := dayNumber(q.From)
	if err != nil {
		return nil, err
	}
	to, err := dayNumber(q.To)
	if err != nil {
		return nil, err
	}
	var w *where
	table := "rollup o"
	sums := "sum(owed), sum(played), sum(partial), sum(missed), sum(doubt), sum(exempt), sum(pending), sum(due), sum(owed * demo)"
	if slices.Contains(q.By, fleet.ByPoint) {
		table = "obligations o"
		sums = "count(*), sum(verdict = 'played'), sum(verdict = 'partial'), sum(verdict = 'missed'), sum(verdict = 'doubt'), sum(verdict = 'exempt'), sum(verdict = 'pending'), sum(verdict = 'due'), sum(demo)"
		if w, err = s.obligationWhere(ctx, "", "", q.Unit, 0, nil); err != nil {
			return nil, err
		}
	} else {
		w = &where{}
		if q.Unit != 0 {
			under, err := s.spansUnder(ctx, q.Unit)
			if err != nil {
				return nil, err
			}
			w.addUnder(under)
		}
	}
	w.add("o.day BETWEEN ? AND ?", from, to)
	if q.NoDemo {
		w.add("o.demo = 0")
	}
	columns := map[fleet.Grouping]string{
		fleet.ByUnit: "o.unit_id", fleet.ByCompound: "o.compound_id", fleet.ByPoint: "o.point_id", fleet.BySlot: "o.name", fleet.ByDay: "o.day",
	}
	var by []string
	for _, g := range q.By {
		if g == fleet.ByNothing {
			continue
		}
		col, ok := columns[g]
		if !ok {
			return nil, fmt.Errorf("summary by %q: no such grouping", g)
		}
		by = append(by, col)
	}
	query := "SELECT " + strings.Join(append(slices.Clone(by), sums), ", ") + " FROM " + table + w.String()
	order := ""
	if len(by) > 0 {
		query += " GROUP BY " + strings.Join(by, ", ")
		order = " ORDER BY " + strings.Join(by, ", ")
	}
	// The first of the sums is what is owed; sums of rows that a plan took
	// away are 0.
	query += " HAVING " + sums[:strings.Index(sums, ",")] + " > 0" + order
	return list(ctx, s, "summary", func(r scanner) (fleet.SummaryRow, error) { return scanSummary(r, q.By) }, query, w.args...)
}

func scanSummary(r scanner, by []fleet.Grouping) (row fleet.SummaryRow, err error) {
	var day int64
	var dest []any
	hasDay := false
	for _, g := range by {
		switch g {
		case fleet.ByUnit:
			dest = append(dest, &row.Unit)
		case fleet.ByCompound:
			dest = append(dest, &row.Compound)
		case fleet.ByPoint:
			dest = append(dest, &row.Point)
		case fleet.BySlot:
			dest = append(dest, &row.Name)
		case fleet.ByDay:
			dest, hasDay = append(dest, &day), true
		case fleet.ByNothing:
		}
	}
	c := &row.Counts
	dest = append(dest, &c.Owed, &c.Played, &c.Partial, &c.Missed, &c.Doubt, &c.Exempt, &c.Pending, &c.Due, &row.Demo)
	if err := r.Scan(dest...); err != nil {
		return row, err
	}
	if hasDay {
		row.Day = dayOf(day)
	}
	return row, nil
}

// checkRollup compares the daily sums with the rows.
func (s *Store) checkRollup(ctx context.Context) error {
	const rows = `SELECT day, unit_id, compound_id, name, demo, count(*), sum(verdict = 'played'), sum(verdict = 'partial'), sum(verdict = 'missed'),
  sum(verdict = 'doubt'), sum(verdict = 'exempt'), sum(verdict = 'pending'), sum(verdict = 'due') FROM obligations GROUP BY 1, 2, 3, 4, 5`
	const sums = `SELECT day, unit_id, compound_id, name, demo, owed, played, partial, missed, doubt, exempt, pending, due FROM rollup WHERE owed != 0 OR played != 0 OR partial != 0
  OR missed != 0 OR doubt != 0 OR exempt != 0 OR pending != 0 OR due != 0`
	var differ int
	err := s.read.QueryRowContext(ctx, `SELECT (SELECT count(*) FROM (`+rows+` EXCEPT `+sums+`)) + (SELECT count(*) FROM (`+sums+` EXCEPT `+rows+`))`).Scan(&differ)
	if err != nil {
		return fmt.Errorf("checking daily sums: %w", explain(err))
	}
	if differ > 0 {
		return fmt.Errorf("checking daily sums: %d of them differ from the rows", differ)
	}
	return nil
}
