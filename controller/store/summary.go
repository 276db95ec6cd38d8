package store

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"gatecast/controller/fleet"
)

// Summary returns counts over obligations, one row for each combination of
// the groupings that has any, in their order. It reads sums that are kept with
// the rows: of whole months where the period has them, of days for the rest.
// Only the days of single points, at the ends of a period of points, are
// counted from the rows themselves.
func (s *Store) Summary(ctx context.Context, q fleet.SummaryQuery) ([]fleet.SummaryRow, error) {
	from, to, err := bounds(q.From, q.To)
	if err != nil {
		return nil, err
	}
	var under []span
	if q.Unit != 0 {
		if under, err = s.spansUnder(ctx, q.Unit); err != nil {
			return nil, err
		}
	}
	m := summing{q: q, under: under, p: periodOf(from, to, under)}
	if slices.Contains(q.By, fleet.ByDay) {
		m.p = m.p.byDays()
	}
	query, args, err := m.sql()
	if err != nil {
		return nil, err
	}
	return list(ctx, s, "summary", func(r scanner) (fleet.SummaryRow, error) { return scanSummary(r, q.By) }, query, args...)
}

// summing writes the query of one summary: a branch for the whole months, and
// one for each run of days, over the coarsest sums that can answer it.
type summing struct {
	q        fleet.SummaryQuery
	under    []span
	p        period
	branches []string
	args     []any
}

// groupingColumns are the columns of a branch that groupings stand for.
var groupingColumns = map[fleet.Grouping]string{
	fleet.ByUnit: "unit_id", fleet.ByCompound: "compound_id", fleet.ByPoint: "point_id", fleet.BySlot: "name", fleet.ByDay: "day", fleet.ByMonth: "month",
}

func (m *summing) sql() (string, []any, error) {
	var by []string
	for _, g := range m.q.By {
		if g == fleet.ByNothing {
			continue
		}
		col, ok := groupingColumns[g]
		if !ok {
			return "", nil, fmt.Errorf("summary by %q: no such grouping", g)
		}
		by = append(by, col)
	}
	points := m.q.Point != 0 || m.q.Points != nil || slices.Contains(m.q.By, fleet.ByPoint)
	compounds := m.q.Compound != 0 || slices.Contains(m.q.By, fleet.ByCompound)
	if len(m.p.months) > 0 {
		m.months(points, compounds)
	}
	for _, run := range m.p.days {
		m.days(run, points, compounds)
	}
	if len(m.branches) == 0 { // the period ends before it begins
		m.days([2]int64{0, -1}, false, false)
	}
	query := "SELECT " + strings.Join(append(slices.Clone(by), sumCounts, "sum(demos)"), ", ") + " FROM (" + strings.Join(m.branches, "\nUNION ALL ") + ")"
	order := ""
	if len(by) > 0 {
		query += " GROUP BY " + strings.Join(by, ", ")
		order = " ORDER BY " + strings.Join(by, ", ")
	}
	// Sums of rows that a plan took away are 0.
	return query + " HAVING sum(owed) > 0" + order, m.args, nil
}

// months reads whole months.
func (m *summing) months(points, compounds bool) {
	w := &where{}
	month := "o.at"
	table, columns := "sums o", "0 AS point_id, o.unit_id, o.compound_id, "+month+" AS day, "+month+" AS month, o.name"
	if points {
		table, columns = "point_months o", "o.point_id, o.unit_id, o.compound_id, "+month+" AS day, "+month+" AS month, o.name"
	} else {
		w.add("o.grain = 'month'")
		w.addLevel(compounds)
	}
	if from, to := m.p.months[0], m.p.months[len(m.p.months)-1]; len(m.p.days) <= 2 {
		w.add("o.at BETWEEN ? AND ?", from, to)
	}
	w.add("o.at IN (SELECT value FROM json_each(?))", toJSON(m.p.months))
	m.narrow(w, points, "o.at")
	m.branch(columns, countColumns+", owed * demo AS demos", table, w)
}

// days reads a run of days.
func (m *summing) days(run [2]int64, points, compounds bool) {
	w := &where{}
	month := fmt.Sprint(monthOf(run[0]))
	switch {
	case points:
		w.add("o.day BETWEEN ? AND ?", run[0], run[1])
		m.narrow(w, true, "o.day")
		m.branch("o.point_id, o.unit_id, o.compound_id, o.day, "+month+" AS month, o.name",
			"1 AS owed, verdict = 'played' AS played, verdict = 'partial' AS partial, verdict = 'missed' AS missed, verdict = 'doubt' AS doubt, verdict = 'exempt' AS exempt, verdict = 'pending' AS pending, verdict = 'due' AS due, demo AS demos",
			"obligations o", w)
	case compounds:
		w.add("o.day BETWEEN ? AND ?", run[0], run[1])
		m.narrow(w, false, "o.day")
		m.branch("0 AS point_id, o.unit_id, o.compound_id, o.day, "+month+" AS month, o.name", countColumns+", owed * demo AS demos", "rollup o", w)
	default:
		w.add("o.grain = 'day' AND o.at BETWEEN ? AND ?", run[0], run[1])
		w.addLevel(false)
		m.narrow(w, false, "o.at")
		m.branch("0 AS point_id, o.unit_id, o.compound_id, o.at AS day, "+month+" AS month, o.name", countColumns+", owed * demo AS demos", "sums o", w)
	}
}

func (m *summing) branch(columns, counts, table string, w *where) {
	m.branches = append(m.branches, "SELECT "+columns+", "+counts+" FROM "+table+w.String())
	m.args = append(m.args, w.args...)
}

// addLevel chooses between whole units and their compounds in sums.
func (w *where) addLevel(compounds bool) {
	if compounds {
		w.add("o.compound_id >= 0")
	} else {
		w.add("o.compound_id = -1")
	}
}

// narrow adds what the query asks for. Points are always listed, since the keys
// of their tables begin with them.
func (m *summing) narrow(w *where, points bool, day string) {
	q := m.q
	if points {
		switch {
		case q.Point != 0:
			w.add("o.point_id = ?", int64(q.Point))
		case q.Points != nil:
			w.add("o.point_id IN (SELECT value FROM json_each(?))", toJSON(q.Points))
		case q.Unit != 0:
			w.addPointsOf(m.under)
		default:
			w.add("o.point_id IN (SELECT id FROM points)")
		}
	}
	if q.Unit != 0 {
		w.addUnderOn(m.under, day)
	}
	if q.Compound != 0 {
		w.add("o.compound_id = ?", int64(q.Compound))
	}
	if q.Name != "" {
		w.add("o.name = ?", q.Name)
	}
	if q.NoDemo {
		w.add("o.demo = 0")
	}
}

func scanSummary(r scanner, by []fleet.Grouping) (row fleet.SummaryRow, err error) {
	var day, month int64
	var dest []any
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
			dest = append(dest, &day)
		case fleet.ByMonth:
			dest = append(dest, &month)
		case fleet.ByNothing:
		}
	}
	c := &row.Counts
	dest = append(dest, &c.Owed, &c.Played, &c.Partial, &c.Missed, &c.Doubt, &c.Exempt, &c.Pending, &c.Due, &row.Demo)
	if err := r.Scan(dest...); err != nil {
		return row, err
	}
	if slices.Contains(by, fleet.ByDay) {
		row.Day = dayOf(day)
	}
	if slices.Contains(by, fleet.ByMonth) {
		row.Month = dayOf(month)
	}
	return row, nil
}
