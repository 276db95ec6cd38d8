package web

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// slots is the query of the list: slots of one verdict, all of them, or by
// default those that need an explanation.
func (f complianceFilter) slots() fleet.SlotQuery {
	q := fleet.SlotQuery{
		From: f.From, To: f.To, Unit: f.Unit, Compound: f.Compound, Point: f.Point, Name: f.Slot, Reason: f.Reason, Grade: f.Grade, NoDemo: f.NoDemo,
		Verdicts: []fleet.Verdict{fleet.Missed, fleet.Partial, fleet.Doubt, fleet.Pending},
	}
	switch {
	case f.Result != "":
		q.Verdicts = []fleet.Verdict{f.Result}
	case f.All:
		q.Verdicts = nil
	}
	return q
}

// found is how many slots the list has by the counts of its filter; -1 where
// the counts do not tell.
func (f complianceFilter) found(c fleet.Counts) int {
	switch {
	case f.Reason != "" || f.Grade != "":
		return -1
	case f.All:
		return c.Owed
	}
	n := 0
	for _, v := range f.slots().Verdicts {
		n += map[fleet.Verdict]int{fleet.Played: c.Played, fleet.Partial: c.Partial, fleet.Missed: c.Missed, fleet.Doubt: c.Doubt,
			fleet.Exempt: c.Exempt, fleet.Pending: c.Pending, fleet.Due: c.Due}[v]
	}
	return n
}

// listing is the heading of the list.
func (l *lang) listing(f complianceFilter) string {
	switch {
	case f.Result != "":
		return l.T("compliance.list.one", l.T("verdict."+string(f.Result)))
	case f.All:
		return l.T("compliance.list.all")
	}
	return l.T("compliance.list.missed")
}

// listSlots fills in the list of single slots.
func (s *Server) listSlots(ctx context.Context, v *visit, view *complianceView, p *places, q complianceFilter) error {
	view.Listing, view.Found = v.L.listing(q), q.found(view.Total.Counts)
	if view.Found == 0 {
		return nil
	}
	ask := q.slots()
	ask.Limit, ask.Offset = slotsPerPage+1, (q.Page-1)*slotsPerPage
	rows, err := s.o.Figures.Slots(ctx, ask)
	if err != nil {
		return fmt.Errorf("reading slots: %w", err)
	}
	view.Pager = pager{Page: q.Page, Pages: q.Page}
	if q.Page > 1 {
		view.Pager.Previous = q.link("page", fmt.Sprint(q.Page-1)) + "#list"
	}
	if len(rows) > slotsPerPage {
		rows = rows[:slotsPerPage]
		view.Pager.Pages, view.Pager.Next = q.Page+1, q.link("page", fmt.Sprint(q.Page+1))+"#list"
	}
	if view.Found > 0 {
		view.Pager.Pages = (view.Found + slotsPerPage - 1) / slotsPerPage
	}
	away, err := s.outagesOf(ctx, q.From, q.To)
	if err != nil {
		return err
	}
	slices.SortStableFunc(rows, func(a, b fleet.Obligation) int {
		return cmp.Or(a.Start.Compare(b.Start), cmp.Compare(a.Point, b.Point))
	})
	for _, o := range rows {
		row := v.L.obligationRow(p, o, v)
		row.Away = v.L.away(away, o)
		view.Missed = append(view.Missed, row)
	}
	return nil
}

func (l *lang) obligationRow(p *places, o fleet.Obligation, v *visit) obligationRow {
	d := p.device[o.Point]
	c := l.cellOf(o, d, v.Now)
	day := l.Day(o.Day)
	row := obligationRow{
		Point: p.point[o.Point].Name, PointHref: pointPath(o.Point), Unit: p.unit[o.Unit].Name,
		Day: l.T("day.name", l.Date(day), l.Weekday(day)), Name: o.Name, Href: c.Href, V: c.V, Verdict: l.T("verdict." + c.V),
		Why: l.why(o), Grade: o.Grade, Plays: fmt.Sprintf("%d/%d", o.PlaysOK, o.Plays), Demo: o.Demo,
		Seen: l.Stamp(d.LastSeen, v.Now),
	}
	return row
}

// complianceReasons are the reasons that a list can be narrowed to.
var complianceReasons = []wire.Reason{
	wire.ReasonOffline, wire.ReasonPower, wire.ReasonClock, wire.ReasonClipMissing, wire.ReasonHash, wire.ReasonSilent, wire.ReasonStopped, wire.ReasonPreempted,
	wire.ReasonYielded, wire.ReasonQuiet, wire.ReasonDevice, wire.ReasonNotInstalled, wire.ReasonExit, wire.ReasonMuted, wire.ReasonLost, wire.ReasonReplanned, wire.ReasonOther,
}

// complianceChoices fills in the filter's options.
func (s *Server) complianceChoices(v *visit, view *complianceView, p *places, q complianceFilter) {
	l := v.L
	today := s.dayOf(v.Now)
	monday := dayPlus(today, -(int(l.in(v.Now).Weekday()+6) % 7))
	first := today[:8] + "01"
	last := dayPlus(first, -1)
	chosen := false
	period := func(key string, from, to fleet.Day) {
		on := !chosen && q.From == from && q.To == to // on a Monday the week is today
		chosen = chosen || on
		view.Periods = append(view.Periods, option{
			Value: q.link("from", string(from), "to", string(to)), Text: l.T("period." + key), On: on,
		})
	}
	period("today", today, today)
	period("yesterday", dayPlus(today, -1), dayPlus(today, -1))
	period("week", monday, today)
	period("last_week", dayPlus(monday, -7), dayPlus(monday, -1))
	period("month", first, today)
	period("last_month", last[:8]+"01", last)
	period("year", today[:5]+"01-01", today)
	for _, id := range p.unitOrder {
		view.Units = append(view.Units, option{Value: fmt.Sprint(id), Text: p.unit[id].Name, On: id == q.Unit})
	}
	if q.Unit != 0 {
		for id, c := range p.compound {
			if c.Unit == q.Unit || id == q.Compound {
				view.Compounds = append(view.Compounds, option{Value: fmt.Sprint(id), Text: c.Name, On: id == q.Compound})
			}
		}
		slices.SortFunc(view.Compounds, func(a, b option) int { return cmp.Or(cmp.Compare(a.Text, b.Text), cmp.Compare(a.Value, b.Value)) })
	}
	names := map[string]fleet.Counts{}
	for _, r := range view.BySlot {
		names[r.Name] = fleet.Counts{}
	}
	if q.Slot != "" {
		names[q.Slot] = fleet.Counts{}
		for _, name := range []string{"早", "中", "晚"} { // those of the office's programmes; the way back shows the others
			names[name] = fleet.Counts{}
		}
	}
	for _, name := range slotOrder(names) {
		view.Slots = append(view.Slots, option{Value: name, Text: name, On: name == q.Slot})
	}
	view.Results = []option{{Value: "", Text: l.T("compliance.result.missed"), On: q.Result == "" && !q.All}, {Value: "all", Text: l.T("all"), On: q.All}}
	for _, verdict := range append(slices.Clone(fleet.Verdicts), fleet.Due) {
		view.Results = append(view.Results, option{Value: string(verdict), Text: l.T("verdict." + string(verdict)), On: verdict == q.Result})
	}
	for _, r := range complianceReasons {
		view.Reasons = append(view.Reasons, option{Value: string(r), Text: l.reason(r), On: r == q.Reason})
	}
	for _, g := range []fleet.Grade{fleet.GradeA, fleet.GradeB, fleet.GradeC, fleet.GradeD} {
		view.Grades = append(view.Grades, option{Value: string(g), Text: string(g) + " " + l.T("grade."+string(g)), On: g == q.Grade})
	}
}

// pointsThen counts the points of each unit: as they are now, and of units that
// changed since the period began, those that owed something in it.
func (s *Server) pointsThen(ctx context.Context, p *places, q complianceFilter) (map[fleet.UnitID]int, error) {
	points := map[fleet.UnitID]int{}
	for _, pt := range p.points {
		points[pt.Unit]++
	}
	changes, err := s.o.Register.UnitChanges(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading changes of units: %w", err)
	}
	changed := map[fleet.UnitID]bool{}
	for _, c := range changes {
		if !c.Done.IsZero() && c.Day >= q.From {
			changed[c.Unit], changed[c.Target] = true, true
			points[c.Unit], points[c.Target] = 0, 0
		}
	}
	if len(changed) == 0 {
		return points, nil
	}
	rows, err := s.o.Ledger.Summary(ctx, fleet.SummaryQuery{From: q.From, To: q.To, Unit: q.Unit, NoDemo: q.NoDemo, By: []fleet.Grouping{fleet.ByUnit, fleet.ByPoint}})
	if err != nil {
		return nil, fmt.Errorf("reading summary: %w", err)
	}
	for _, r := range rows {
		if changed[r.Unit] {
			points[r.Unit]++
		}
	}
	return points, nil
}
