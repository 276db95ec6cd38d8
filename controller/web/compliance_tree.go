package web

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"gatecast/controller/fleet"
)

// complianceTree is the first table: the parts of the place that is shown.
type complianceTree struct {
	By     fleet.Grouping
	Head   string
	Rows   []countRow // of this page
	All    int        // of all pages
	Choice []option   // groupings to choose from; Value is a path
	Pager  pager
	Before string // the period that the lines are compared with; empty for no comparison
	Change string // of the total
	Tone   string

	lines []countRow // of all pages
}

// treeGroupings are the ways to take a place apart, from coarse to fine.
var treeGroupings = []fleet.Grouping{fleet.ByUnit, fleet.ByCompound, fleet.ByPoint}

// treeRows is how many lines of the table a page has, and maxTreePoints how many
// points it is offered for: more would be no list that a person reads.
const (
	treeRows      = 100
	maxTreePoints = 1500
)

// tree fills in the first table and the way to its place, and returns the sum
// of its lines.
func (s *Server) tree(ctx context.Context, v *visit, view *complianceView, p *places, q complianceFilter, rows []fleet.SummaryRow) (fleet.Counts, error) {
	units := map[fleet.UnitID]fleet.Counts{}
	points := 0
	for _, r := range rows {
		if _, ok := units[r.Unit]; !ok {
			points += view.points[r.Unit]
		}
		units[r.Unit] = units[r.Unit].Plus(r.Counts)
	}
	offered := slices.Clone(treeGroupings)
	if q.Compound == 0 && q.Point == 0 && points > maxTreePoints {
		offered = offered[:2]
	}
	by := q.By
	if !slices.Contains(offered, by) {
		by = natural(q, len(units))
	}
	t := complianceTree{By: by, Head: v.L.T("compliance.by_" + string(by))}
	for _, g := range offered {
		t.Choice = append(t.Choice, option{Value: q.link("by", string(g)), Text: v.L.T("compliance.by_" + string(g)), On: g == by})
	}
	sum := fleet.Counts{}
	var err error
	if by == fleet.ByUnit {
		t.lines, sum = v.L.unitRows(view, p, q, units)
	} else if t.lines, sum, err = s.partRows(ctx, v, p, q, by); err != nil {
		return sum, err
	}
	if none := v.L.T("compliance.no_compound"); q.By == "" && by == fleet.ByCompound && len(offered) == len(treeGroupings) &&
		!slices.ContainsFunc(t.lines, func(r countRow) bool { return r.Name != none }) { // a village
		q.By = fleet.ByPoint
		return s.tree(ctx, v, view, p, q, rows)
	}
	t.All = len(t.lines)
	t.Pager = pager{Pages: max(1, (t.All+treeRows-1)/treeRows)}
	t.Pager.Page = min(q.TreePage, t.Pager.Pages)
	if t.Pager.Page > 1 {
		t.Pager.Previous = q.link("rows", fmt.Sprint(t.Pager.Page-1))
	}
	if t.Pager.Page < t.Pager.Pages {
		t.Pager.Next = q.link("rows", fmt.Sprint(t.Pager.Page+1))
	}
	t.Rows = t.lines[min((t.Pager.Page-1)*treeRows, t.All):min(t.Pager.Page*treeRows, t.All)]
	view.Tree, view.Crumbs = t, v.L.crumbs(p, q)
	return sum, nil
}

// natural is what lies below the place.
func natural(q complianceFilter, units int) fleet.Grouping {
	switch {
	case q.Compound != 0 || q.Point != 0:
		return fleet.ByPoint
	case q.Unit != 0 && units < 2:
		return fleet.ByCompound
	}
	return fleet.ByUnit
}

func (l *lang) unitRows(view *complianceView, p *places, q complianceFilter, units map[fleet.UnitID]fleet.Counts) (rows []countRow, sum fleet.Counts) {
	for _, u := range p.units {
		c, ok := units[u.ID]
		if !ok {
			continue
		}
		sum = sum.Plus(c)
		id := fmt.Sprint(u.ID)
		rows = append(rows, countRow{
			unit: u.ID, Name: u.Name, Href: q.link("unit", id, "by", ""), Hint: l.T("wall.points", view.points[u.ID]),
			figures: l.figures(c).linked(func(verdict string) string { return q.link("unit", id, "result", verdict) }),
		})
	}
	return rows, sum
}

// partRows reads the lines of compounds or points.
func (s *Server) partRows(ctx context.Context, v *visit, p *places, q complianceFilter, by fleet.Grouping) (lines []countRow, sum fleet.Counts, err error) {
	l := v.L
	rows, err := s.o.Ledger.Summary(ctx, q.summary(fleet.ByUnit, by))
	if err != nil {
		return nil, sum, fmt.Errorf("reading summary: %w", err)
	}
	rank := map[fleet.UnitID]int{}
	for i, u := range p.units {
		rank[u.ID] = i
	}
	name := func(r fleet.SummaryRow) string {
		if by == fleet.ByPoint {
			return p.point[r.Point].Name
		}
		return cmp.Or(p.compound[r.Compound].Name, l.T("compliance.no_compound"))
	}
	slices.SortStableFunc(rows, func(a, b fleet.SummaryRow) int {
		return cmp.Or(cmp.Compare(rank[a.Unit], rank[b.Unit]), cmp.Compare(p.point[a.Point].Code, p.point[b.Point].Code), cmp.Compare(name(a), name(b)), cmp.Compare(a.Compound, b.Compound))
	})
	for _, r := range rows {
		sum = sum.Plus(r.Counts)
		row := countRow{Name: name(r), Hint: p.unit[r.Unit].Name}
		to := []string{"unit", fmt.Sprint(r.Unit), "by", ""}
		switch {
		case by == fleet.ByPoint:
			row.Hint = p.point[r.Point].Code
			to = append(to, "point", fmt.Sprint(r.Point))
		case r.Compound != 0:
			to = append(to, "compound", fmt.Sprint(r.Compound))
		default:
			to[3] = string(fleet.ByPoint) // what has no compound is found among the points
		}
		row.Href = q.link(append(to, "result", "all")...)
		if by != fleet.ByPoint {
			row.Href = q.link(to...)
		}
		row.figures = l.figures(r.Counts)
		if by == fleet.ByPoint || r.Compound != 0 {
			row.figures = row.linked(func(verdict string) string { return q.link(append(to, "result", verdict)...) })
		}
		lines = append(lines, row)
	}
	return lines, sum, nil
}

// crumbs is the way from all units to the place; nil for all.
func (l *lang) crumbs(p *places, q complianceFilter) []crumb {
	var way []crumb
	if q.Unit != 0 {
		way = append(way, crumb{p.unit[q.Unit].Name, q.link("compound", "", "point", "", "by", "")})
	}
	if q.Compound != 0 {
		way = append(way, crumb{p.compound[q.Compound].Name, q.link("point", "", "by", "")})
	}
	if q.Point != 0 {
		way = append(way, crumb{p.point[q.Point].Name, pointPath(q.Point)})
	}
	if way == nil {
		return nil
	}
	return append([]crumb{{l.T("compliance.everywhere"), q.link("unit", "", "compound", "", "point", "", "by", "")}}, way...)
}

// whyView is why slots were not played whole, and what proves the others.
type whyView struct {
	Rows   []whyRow
	Grades []whyGrade
}

type whyGrade struct {
	Grade fleet.Grade
	N     int
	Href  string
}

type whyRow struct {
	V, Verdict, Reason string
	N                  int
	Href               string
}

// maxReasons is how many reasons the card lists.
const maxReasons = 10

// why fills in the card of reasons; they are kept by unit, so there is none for
// a compound or a point.
func (s *Server) why(ctx context.Context, v *visit, view *complianceView, q complianceFilter) error {
	if q.Compound != 0 || q.Point != 0 {
		return nil
	}
	all, err := s.o.Figures.UnitFigures(ctx, fleet.FiguresQuery{From: q.From, To: q.To, Unit: q.Unit, Name: q.Slot, NoDemo: q.NoDemo, NoPoints: true})
	if err != nil {
		return fmt.Errorf("reading figures: %w", err)
	}
	sum := fleet.SumFigures(all)
	w := &whyView{}
	for _, r := range sum.Reasons {
		if r.Verdict == fleet.Exempt || len(w.Rows) == maxReasons {
			continue
		}
		w.Rows = append(w.Rows, whyRow{
			V: string(r.Verdict), Verdict: v.L.T("verdict." + string(r.Verdict)), Reason: cmp.Or(v.L.reason(r.Reason), v.L.T("none")), N: r.N,
			Href: q.link("result", string(r.Verdict), "reason", string(r.Reason)) + "#list",
		})
	}
	for _, g := range []fleet.Grade{fleet.GradeA, fleet.GradeB, fleet.GradeC, fleet.GradeD} {
		if n := sum.Grades[g]; n > 0 {
			w.Grades = append(w.Grades, whyGrade{Grade: g, N: n, Href: q.link("result", string(fleet.Played), "grade", string(g)) + "#list"})
		}
	}
	if len(w.Rows)+len(w.Grades) > 0 {
		view.Why = w
	}
	return nil
}
