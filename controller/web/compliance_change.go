package web

import (
	"context"
	"fmt"
	"math"
	"time"

	"gatecast/controller/fleet"
)

// before is the period that f's is compared with: the same days of the week
// before where it begins on a Monday and is no longer than a week, the same days of
// the month before where it is of one month and begins with it, and otherwise
// as many days right before it.
func (f complianceFilter) before() (from, to fleet.Day) {
	first, err := time.Parse("2006-01-02", string(f.From))
	if err != nil {
		return f.From, f.To
	}
	last, err := time.Parse("2006-01-02", string(f.To))
	if err != nil {
		return f.From, f.To
	}
	days := f.days()
	switch {
	case first.Weekday() == time.Monday && days <= 7:
		return dayPlus(f.From, -7), dayPlus(f.To, -7)
	case first.Day() == 1 && first.Month() == last.Month() && first.Year() == last.Year():
		from, to = fleet.Day(first.AddDate(0, -1, 0).Format("2006-01-02")), fleet.Day(first.AddDate(0, -1, last.Day()-1).Format("2006-01-02"))
		if end := dayPlus(f.From, -1); to > end || last.AddDate(0, 0, 1).Day() == 1 { // a month that is over is compared with the whole of the one before
			to = end
		}
		return from, to
	}
	return dayPlus(f.From, -days), dayPlus(f.From, -1)
}

// change is how many points the confirmed rate rose or fell by, of the rates as
// they are printed; empty where one of them is not there, or both are equal.
func change(was, now fleet.Counts) (text, tone string) {
	a, ok := was.Confirmed()
	b, also := now.Confirmed()
	if !ok || !also {
		return "", ""
	}
	switch d := math.Round(1000*b) - math.Round(1000*a); {
	case d > 0:
		return fmt.Sprintf("▲ %.1f", d/10), "good"
	case d < 0:
		return fmt.Sprintf("▼ %.1f", -d/10), "bad"
	}
	return "", ""
}

// compare adds to the lines of units, and to the total, what changed since the
// period before.
func (s *Server) compare(ctx context.Context, v *visit, view *complianceView, q complianceFilter) error {
	if view.Tree.By != fleet.ByUnit || len(view.Tree.lines) == 0 {
		return nil
	}
	from, to := q.before()
	ask := q.summary(fleet.ByUnit)
	ask.From, ask.To = from, to
	rows, err := s.o.Ledger.Summary(ctx, ask)
	if err != nil {
		return fmt.Errorf("reading the summary before: %w", err)
	}
	was, sum := map[fleet.UnitID]fleet.Counts{}, fleet.Counts{}
	for _, r := range rows {
		was[r.Unit] = r.Counts
		sum = sum.Plus(r.Counts)
	}
	t := &view.Tree
	for i := range t.lines {
		row := &t.lines[i]
		row.Change, row.Tone = change(was[row.unit], row.Counts)
	}
	t.Change, t.Tone = change(sum, view.Total.Counts)
	t.Before = v.L.T("compliance.before", string(from), string(to))
	return nil
}
