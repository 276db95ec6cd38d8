package web

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"gatecast/controller/fleet"
)

// listSlots fills in the list of single slots: those of one verdict, all of
// them, or by default those that need an explanation.
func (s *Server) listSlots(ctx context.Context, v *visit, view *complianceView, p *places, q complianceFilter) error {
	verdicts := []fleet.Verdict{fleet.Missed, fleet.Partial, fleet.Doubt, fleet.Pending}
	view.Listing = v.L.T("compliance.list.missed")
	switch {
	case q.Result != "":
		verdicts = []fleet.Verdict{q.Result}
		view.Listing = v.L.T("compliance.list.one", v.L.T("verdict."+string(q.Result)))
	case q.All:
		verdicts = []fleet.Verdict{""}
		view.Listing = v.L.T("compliance.list.all")
	}
	var rows []fleet.Obligation
	for _, verdict := range verdicts {
		some, err := s.o.Ledger.Obligations(ctx, fleet.ObligationFilter{
			From: q.From, To: q.To, Unit: q.Unit, Name: q.Slot, Verdict: verdict, Limit: maxListed + 1,
		})
		if err != nil {
			return fmt.Errorf("reading obligations: %w", err)
		}
		rows = append(rows, some...)
	}
	if q.NoDemo {
		rows = slices.DeleteFunc(rows, func(o fleet.Obligation) bool { return o.Demo })
	}
	slices.SortStableFunc(rows, func(a, b fleet.Obligation) int {
		if c := a.Start.Compare(b.Start); c != 0 {
			return c
		}
		return cmp.Compare(a.Point, b.Point)
	})
	if len(rows) > maxListed {
		rows, view.More = rows[:maxListed], maxListed
	}
	for _, o := range rows {
		view.Missed = append(view.Missed, v.L.obligationRow(p, o, v))
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

// complianceChoices fills in the filter's options.
func (s *Server) complianceChoices(v *visit, view *complianceView, p *places, q complianceFilter, rows []fleet.SummaryRow) {
	l := v.L
	today := s.dayOf(v.Now)
	monday := dayPlus(today, -(int(l.in(v.Now).Weekday()+6) % 7))
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
	period("days14", dayPlus(today, -13), today)
	for _, id := range p.unitOrder {
		view.Units = append(view.Units, option{Value: fmt.Sprint(id), Text: p.unit[id].Name, On: id == q.Unit})
	}
	names := map[string]fleet.Counts{}
	for _, r := range rows {
		names[r.Name] = fleet.Counts{}
	}
	for _, name := range slotOrder(names) {
		view.Slots = append(view.Slots, option{Value: name, Text: name, On: name == q.Slot})
	}
	view.Results = []option{{Value: "", Text: l.T("compliance.result.missed"), On: q.Result == "" && !q.All}, {Value: "all", Text: l.T("all"), On: q.All}}
	for _, verdict := range append(slices.Clone(fleet.Verdicts), fleet.Due) {
		view.Results = append(view.Results, option{Value: string(verdict), Text: l.T("verdict." + string(verdict)), On: verdict == q.Result})
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
