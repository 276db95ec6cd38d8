package store

import (
	"context"
	"fmt"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// rollKey and rollup are changes of the sums within one transaction: how many
// obligations of each kind there are more, or less.
type rollKey struct {
	day      fleet.Day
	point    fleet.PointID
	unit     fleet.UnitID
	compound fleet.CompoundID
	name     string
	demo     bool
	verdict  fleet.Verdict
	reason   wire.Reason
	grade    fleet.Grade
}

type rollup map[rollKey]int

func keyOf(o fleet.Obligation) rollKey {
	return rollKey{o.Day, o.Point, o.Unit, o.Compound, o.Name, o.Demo, o.Verdict, o.Reason, o.Grade}
}

func (r rollup) add(o fleet.Obligation) { r[keyOf(o)]++ }

func (r rollup) sub(o fleet.Obligation) { r[keyOf(o)]-- }

// wholeUnit stands in sums for all compounds of a unit.
const wholeUnit fleet.CompoundID = -1

// The grains of sums.
const (
	grainDay   = "day"
	grainMonth = "month"
)

// sumKey is a line of one of the tables of counts; what a table does not know
// is zero.
type sumKey struct {
	table, grain string
	at           int64
	point        fleet.PointID
	unit         fleet.UnitID
	compound     fleet.CompoundID
	name         string
	demo         bool
}

// The tables of counts.
const (
	tableDays   = "rollup"
	tableSums   = "sums"
	tableMonths = "point_months"
)

const (
	countColumns = `owed, played, partial, missed, doubt, exempt, pending, due`
	addCounts    = ` DO UPDATE SET owed = owed + excluded.owed, played = played + excluded.played, partial = partial + excluded.partial,
  missed = missed + excluded.missed, doubt = doubt + excluded.doubt, exempt = exempt + excluded.exempt, pending = pending + excluded.pending, due = due + excluded.due`
	insertDay = `INSERT INTO rollup (day, unit_id, compound_id, name, demo, ` + countColumns + `) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (day, unit_id, compound_id, name, demo)` + addCounts
	insertSum = `INSERT INTO sums (grain, at, unit_id, compound_id, name, demo, ` + countColumns + `) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (grain, at, unit_id, compound_id, name, demo)` + addCounts
	insertMonth = `INSERT INTO point_months (point_id, at, unit_id, compound_id, name, demo, ` + countColumns + `) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (point_id, at, unit_id, compound_id, name, demo)` + addCounts
	insertReason = `INSERT INTO reasons (grain, at, unit_id, name, demo, verdict, reason, grade, n) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (grain, at, unit_id, name, demo, verdict, reason, grade) DO UPDATE SET n = n + excluded.n`
)

// reasonKey is a line of reasons.
type reasonKey struct {
	grain   string
	at      int64
	unit    fleet.UnitID
	name    string
	demo    bool
	verdict fleet.Verdict
	reason  wire.Reason
	grade   fleet.Grade
}

// write adds the changes to every table of sums.
func (r rollup) write(t *tx) error {
	counts, reasons := map[sumKey]fleet.Counts{}, map[reasonKey]int{}
	for k, n := range r {
		if n == 0 {
			continue
		}
		day, err := dayNumber(k.day)
		if err != nil {
			return err
		}
		month := monthOf(day)
		c := countsOf(k.verdict, n)
		for _, s := range [...]sumKey{
			{tableDays, "", day, 0, k.unit, k.compound, k.name, k.demo},
			{tableSums, grainDay, day, 0, k.unit, wholeUnit, k.name, k.demo},
			{tableSums, grainMonth, month, 0, k.unit, wholeUnit, k.name, k.demo},
			{tableSums, grainMonth, month, 0, k.unit, k.compound, k.name, k.demo},
			{tableMonths, "", month, k.point, k.unit, k.compound, k.name, k.demo},
		} {
			counts[s] = counts[s].Plus(c)
		}
		reasons[reasonKey{grainDay, day, k.unit, k.name, k.demo, k.verdict, k.reason, k.grade}] += n
		reasons[reasonKey{grainMonth, month, k.unit, k.name, k.demo, k.verdict, k.reason, k.grade}] += n
	}
	for k, c := range counts {
		if c == (fleet.Counts{}) {
			continue
		}
		if err := k.add(t, c); err != nil {
			return fmt.Errorf("sums: %w", err)
		}
	}
	for k, n := range reasons {
		if n == 0 {
			continue
		}
		if _, err := t.exec(insertReason, k.grain, k.at, int64(k.unit), k.name, k.demo, string(k.verdict), string(k.reason), string(k.grade), n); err != nil {
			return fmt.Errorf("sums of reasons: %w", err)
		}
	}
	return nil
}

func (k sumKey) add(t *tx, c fleet.Counts) (err error) {
	switch k.table {
	case tableDays:
		_, err = t.exec(insertDay, k.at, int64(k.unit), int64(k.compound), k.name, k.demo, c.Owed, c.Played, c.Partial, c.Missed, c.Doubt, c.Exempt, c.Pending, c.Due)
	case tableSums:
		_, err = t.exec(insertSum, k.grain, k.at, int64(k.unit), int64(k.compound), k.name, k.demo, c.Owed, c.Played, c.Partial, c.Missed, c.Doubt, c.Exempt, c.Pending, c.Due)
	case tableMonths:
		_, err = t.exec(insertMonth, int64(k.point), k.at, int64(k.unit), int64(k.compound), k.name, k.demo, c.Owed, c.Played, c.Partial, c.Missed, c.Doubt, c.Exempt, c.Pending, c.Due)
	}
	return err
}

// countsOf is n obligations of one verdict; n may be negative.
func countsOf(v fleet.Verdict, n int) fleet.Counts {
	var c fleet.Counts
	c.Add(v)
	return fleet.Counts{
		Owed: n * c.Owed, Played: n * c.Played, Partial: n * c.Partial, Missed: n * c.Missed,
		Doubt: n * c.Doubt, Exempt: n * c.Exempt, Pending: n * c.Pending, Due: n * c.Due,
	}
}

// The sums again, from the rows; each is compared with its table.
const (
	countRows = `count(*), sum(verdict = 'played'), sum(verdict = 'partial'), sum(verdict = 'missed'), sum(verdict = 'doubt'), sum(verdict = 'exempt'), sum(verdict = 'pending'), sum(verdict = 'due')`
	sumCounts = `sum(owed), sum(played), sum(partial), sum(missed), sum(doubt), sum(exempt), sum(pending), sum(due)`
	notZero   = ` WHERE owed != 0 OR played != 0 OR partial != 0 OR missed != 0 OR doubt != 0 OR exempt != 0 OR pending != 0 OR due != 0`
	startOf   = `unixepoch(day * 86400, 'unixepoch', 'start of month') / 86400`
)

var rollupChecks = []struct{ what, rows, sums string }{
	{"daily sums",
		`SELECT day, unit_id, compound_id, name, demo, ` + countRows + ` FROM obligations GROUP BY 1, 2, 3, 4, 5`,
		`SELECT day, unit_id, compound_id, name, demo, ` + countColumns + ` FROM rollup` + notZero},
	{"sums of units and months",
		`SELECT 'day', day, unit_id, -1, name, demo, ` + sumCounts + ` FROM rollup GROUP BY 2, 3, 5, 6 HAVING sum(owed) > 0
UNION ALL SELECT 'month', ` + startOf + `, unit_id, -1, name, demo, ` + sumCounts + ` FROM rollup GROUP BY 2, 3, 5, 6 HAVING sum(owed) > 0
UNION ALL SELECT 'month', ` + startOf + `, unit_id, compound_id, name, demo, ` + sumCounts + ` FROM rollup GROUP BY 2, 3, 4, 5, 6 HAVING sum(owed) > 0`,
		`SELECT grain, at, unit_id, compound_id, name, demo, ` + countColumns + ` FROM sums` + notZero},
	{"months of points",
		`SELECT point_id, ` + startOf + `, unit_id, compound_id, name, demo, ` + countRows + ` FROM obligations GROUP BY 1, 2, 3, 4, 5, 6`,
		`SELECT point_id, at, unit_id, compound_id, name, demo, ` + countColumns + ` FROM point_months` + notZero},
	{"reasons",
		`SELECT 'day', day, unit_id, name, demo, verdict, reason, grade, count(*) FROM obligations GROUP BY 2, 3, 4, 5, 6, 7, 8
UNION ALL SELECT 'month', ` + startOf + `, unit_id, name, demo, verdict, reason, grade, count(*) FROM obligations GROUP BY 2, 3, 4, 5, 6, 7, 8`,
		`SELECT grain, at, unit_id, name, demo, verdict, reason, grade, n FROM reasons WHERE n != 0`},
}

// checkRollup compares every sum with the rows.
func (s *Store) checkRollup(ctx context.Context) error {
	for _, c := range rollupChecks {
		var differ int
		err := s.read.QueryRowContext(ctx, `SELECT (SELECT count(*) FROM (SELECT * FROM (`+c.rows+`) EXCEPT `+c.sums+`)) + (SELECT count(*) FROM (`+c.sums+` EXCEPT SELECT * FROM (`+c.rows+`)))`).Scan(&differ)
		if err != nil {
			return fmt.Errorf("checking %s: %w", c.what, explain(err))
		}
		if differ > 0 {
			return fmt.Errorf("checking %s: %d of them differ from the rows", c.what, differ)
		}
	}
	return nil
}
