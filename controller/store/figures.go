package store

import (
	"context"
	"strings"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// UnitFigures returns what a period says of each unit that owed anything in it,
// by id: the counts of Summary, the reasons of what was not played whole, and
// the grades of the evidence of what was. Counts, reasons and grades are one
// reading and agree; the number of points is read after them.
func (s *Store) UnitFigures(ctx context.Context, q fleet.FiguresQuery) ([]fleet.UnitFigures, error) {
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
	query, args := reasonsOf(q, under, periodOf(from, to, under))
	rows, err := list(ctx, s, "figures", scanReasons, query, args...)
	if err != nil {
		return nil, err
	}
	all := figuresOf(rows)
	if q.NoPoints {
		return all, nil
	}
	points, err := s.Summary(ctx, fleet.SummaryQuery{
		From: q.From, To: q.To, Unit: q.Unit, Name: q.Name, NoDemo: q.NoDemo, By: []fleet.Grouping{fleet.ByUnit, fleet.ByPoint},
	})
	if err != nil {
		return nil, err
	}
	count := map[fleet.UnitID]int{}
	for _, r := range points {
		count[r.Unit]++
	}
	for i := range all {
		all[i].Points = count[all[i].Unit]
	}
	return all, nil
}

// reasonRow is a line of reasons, summed up over a period.
type reasonRow struct {
	unit    fleet.UnitID
	verdict fleet.Verdict
	reason  wire.Reason
	grade   fleet.Grade
	n, demo int
}

func scanReasons(r scanner) (x reasonRow, err error) {
	err = r.Scan(&x.unit, &x.verdict, &x.reason, &x.grade, &x.n, &x.demo)
	return x, err
}

// reasonsOf writes the query of the lines of a period.
func reasonsOf(q fleet.FiguresQuery, under []span, p period) (string, []any) {
	var branches []string
	var args []any
	branch := func(w *where) {
		if q.Unit != 0 {
			w.addUnderOn(under, "o.at")
		}
		if q.Name != "" {
			w.add("o.name = ?", q.Name)
		}
		if q.NoDemo {
			w.add("o.demo = 0")
		}
		branches = append(branches, `SELECT unit_id, verdict, reason, grade, n, n * demo AS demos FROM reasons o`+w.String())
		args = append(args, w.args...)
	}
	w := &where{}
	w.add("o.grain = 'month' AND o.at IN (SELECT value FROM json_each(?))", toJSON(append([]int64{}, p.months...)))
	branch(w)
	for _, run := range p.days {
		w := &where{}
		w.add("o.grain = 'day' AND o.at BETWEEN ? AND ?", run[0], run[1])
		branch(w)
	}
	return `SELECT unit_id, verdict, reason, grade, sum(n), sum(demos) FROM (` + strings.Join(branches, " UNION ALL ") + `)
GROUP BY unit_id, verdict, reason, grade HAVING sum(n) > 0 ORDER BY unit_id`, args
}

// figuresOf makes figures of lines that are ordered by unit.
func figuresOf(rows []reasonRow) []fleet.UnitFigures {
	var all []fleet.UnitFigures
	reasons := map[fleet.ReasonCount]int{}
	finish := func() {
		if len(all) == 0 {
			return
		}
		f := &all[len(all)-1]
		for r, n := range reasons {
			r.N = n
			f.Reasons = append(f.Reasons, r)
		}
		fleet.SortReasons(f.Reasons)
		clear(reasons)
	}
	for _, r := range rows {
		if len(all) == 0 || all[len(all)-1].Unit != r.unit {
			finish()
			all = append(all, fleet.UnitFigures{Unit: r.unit, Grades: map[fleet.Grade]int{}})
		}
		f := &all[len(all)-1]
		f.Counts = f.Counts.Plus(countsOf(r.verdict, r.n))
		f.Demo += r.demo
		switch r.verdict {
		case fleet.Played:
			f.Grades[r.grade] += r.n
		case fleet.Due:
		default:
			reasons[fleet.ReasonCount{Verdict: r.verdict, Reason: r.reason}] += r.n
		}
	}
	finish()
	return all
}
