package web

import (
	"context"
	"fmt"
	"time"

	"gatecast/controller/fleet"
)

// outageRow is a time in which the office could not hear the gates.
type outageRow struct {
	Kind string // 主控停机 …
	When string
	Span string
}

// outageRows are the outages of the period, the newest first.
func (s *Server) outageRows(ctx context.Context, v *visit, q complianceFilter) ([]outageRow, error) {
	all, err := s.outagesOf(ctx, q.From, q.To)
	if err != nil {
		return nil, err
	}
	rows := make([]outageRow, len(all))
	for i, o := range all {
		rows[len(all)-1-i] = v.L.outage(o, v.Now)
	}
	return rows, nil
}

// outagesOf reads the outages of days, both included.
func (s *Server) outagesOf(ctx context.Context, from, to fleet.Day) ([]fleet.Outage, error) {
	start, err := time.ParseInLocation("2006-01-02", string(from), s.o.Zone)
	if err != nil {
		return nil, fmt.Errorf("reading outages: %w", err)
	}
	end, err := time.ParseInLocation("2006-01-02", string(to), s.o.Zone)
	if err != nil {
		return nil, fmt.Errorf("reading outages: %w", err)
	}
	all, err := s.o.Figures.Outages(ctx, start, end.AddDate(0, 0, 1))
	if err != nil {
		return nil, fmt.Errorf("reading outages: %w", err)
	}
	return all, nil
}

func (l *lang) outage(o fleet.Outage, now time.Time) outageRow {
	from, to := l.in(o.From), l.in(o.To)
	day := l.T("day.name", l.Date(from), l.Weekday(from))
	row := outageRow{Kind: l.T("outage." + string(o.Kind))}
	switch {
	case o.To.IsZero():
		row.When, row.Span = l.T("outage.since", day, from.Format("15:04")), l.Span(max(now.Sub(o.From), time.Minute))
		return row
	case from.Format("2006-01-02") == to.Format("2006-01-02"):
		row.When = l.T("outage.when", day, from.Format("15:04"), to.Format("15:04"))
	default:
		row.When = l.T("outage.when", day, from.Format("15:04"), l.T("day.name", l.Date(to), l.Weekday(to))+" "+to.Format("15:04"))
	}
	row.Span = l.Span(max(o.To.Sub(o.From), time.Minute))
	return row
}

// away says which outages of all a slot fell into, empty for none.
func (l *lang) away(all []fleet.Outage, o fleet.Obligation) string {
	text := ""
	for _, a := range all {
		if !a.Overlaps(o.Start, o.End) {
			continue
		}
		if text != "" {
			text += l.T("comma")
		}
		until := l.T("outage.lasts")
		if !a.To.IsZero() {
			until = l.clockFrom(a.To, o.Start)
		}
		text += l.T("outage.slot", l.T("outage."+string(a.Kind)), l.clockFrom(a.From, o.Start), until)
	}
	return text
}

// clockFrom is the time of the day, with the date where it is another one than
// that of the day it is told on.
func (l *lang) clockFrom(t, on time.Time) string {
	if l.in(t).Format("2006-01-02") == l.in(on).Format("2006-01-02") {
		return l.Clock(t)
	}
	return l.Stamp(t, on)
}
