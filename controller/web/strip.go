package web

import (
	"strings"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// strip is the last days of one point, a row for each slot name.
type strip struct {
	Days []stripDay
	Rows []stripRow
	Sum  figures
}

type stripDay struct {
	Number  int
	Weekday string
	Rest    bool
	Today   bool
}

type stripRow struct {
	Name  string
	Cells []cell
}

// stripOf builds the strip of the stripDays days up to today from rows of one
// point; nil where there is nothing.
func (l *lang) stripOf(rows []fleet.Obligation, d fleet.Device, today fleet.Day, now time.Time) *strip {
	if len(rows) == 0 {
		return nil
	}
	s := &strip{}
	var sum fleet.Counts
	for i := range stripDays {
		day := dayPlus(today, i+1-stripDays)
		t := l.Day(day)
		wd := t.Weekday()
		s.Days = append(s.Days, stripDay{Number: t.Day(), Weekday: l.T("weekday.short." + strings.ToLower(wd.String()[:3])), Rest: wd == time.Saturday || wd == time.Sunday, Today: day == today})
	}
	cols := l.columns(firstDay(rows), now)
	type place struct {
		day fleet.Day
		key slotKey
	}
	at := map[place]cell{}
	shown := map[slotKey]bool{}
	for _, c := range cols {
		shown[c.key] = true
	}
	keys := slotKeys(rows)
	for i, o := range rows {
		if !shown[keys[i]] {
			continue
		}
		sum.Add(o.Verdict)
		c := l.cellOf(o, d, now)
		c.Title = l.Date(l.Day(o.Day)) + " " + c.Title
		at[place{o.Day, keys[i]}] = c
	}
	for _, col := range cols {
		row := stripRow{Name: col.Text}
		for i := range stripDays {
			c, ok := at[place{dayPlus(today, i+1-stripDays), col.key}]
			if !ok {
				c = cell{V: "none"}
			}
			row.Cells = append(row.Cells, c)
		}
		s.Rows = append(s.Rows, row)
	}
	s.Sum = l.figures(sum)
	return s
}

// firstDay maps rows of several days onto one, so that slot names are ordered
// by their time of day.
func firstDay(rows []fleet.Obligation) []fleet.Obligation {
	out := make([]fleet.Obligation, len(rows))
	for i, o := range rows {
		first, err1 := time.Parse("2006-01-02", string(rows[len(rows)-1].Day))
		mine, err2 := time.Parse("2006-01-02", string(o.Day))
		if err1 == nil && err2 == nil {
			o.Start = o.Start.Add(first.Sub(mine))
		}
		out[i] = o
	}
	return out
}

// timeline is today from 0 to 24 o'clock; positions are minutes.
type timeline struct {
	Slots []bar
	Plays []bar
	Quiet []bar
	Now   int
}

// bar is a stretch of the timeline.
type bar struct {
	X, W  int
	Class string
	Title string
}

// slotClass is the colour of a slot on the timeline; what is open is grey.
var slotClass = map[fleet.Verdict]string{
	fleet.Played: "t-ok", fleet.Partial: "t-warn", fleet.Missed: "t-bad", fleet.Doubt: "t-doubt",
	fleet.Pending: "t-quiet", fleet.Due: "t-quiet", fleet.Exempt: "t-quiet",
}

// playClass is the colour of a play on the timeline.
var playClass = map[wire.PlayResult]string{
	wire.PlayPlayed: "t-play", wire.PlayPartial: "t-warn", wire.PlayFailed: "t-bad", wire.PlaySkipped: "t-bad", wire.PlayDoubt: "t-doubt",
}

func (l *lang) timelineOf(today []fleet.Obligation, records []fleet.Record, now time.Time) *timeline {
	if len(today) == 0 {
		return nil
	}
	minute := func(t time.Time) int { t = l.in(t); return t.Hour()*60 + t.Minute() }
	tl := &timeline{Now: minute(now)}
	for _, o := range today {
		x, w := minute(o.Start), max(3, int(o.End.Sub(o.Start)/time.Minute))
		b := bar{X: x, W: min(w, 1440-x), Class: slotClass[o.Verdict], Title: strings.Join([]string{o.Name, l.Clock(o.Start) + "–" + l.Clock(o.End)}, " ")}
		if o.Verdict == fleet.Exempt {
			b.Title += " " + o.Note
			tl.Quiet = append(tl.Quiet, b)
			continue
		}
		tl.Slots = append(tl.Slots, b)
	}
	for _, r := range records {
		if r.Kind != wire.RecordOutcome {
			continue
		}
		out, err := r.Outcome()
		if err != nil {
			continue // shown among the records as what it is
		}
		at := wire.FromUS(out.StartedUS)
		if at.IsZero() {
			at = wire.FromUS(out.PlannedUS)
		}
		if !l.sameDay(at, now) {
			continue
		}
		tl.Plays = append(tl.Plays, bar{
			X: minute(at), W: max(3, int(out.ElapsedMS/60_000)), Class: playClass[out.Result],
			Title: l.ClockSec(at) + " " + l.result(out),
		})
	}
	return tl
}
