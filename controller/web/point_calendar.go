package web

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
	"gatecast/schedules"
)

// pointCalendarView is a month of one point: what was played, and what will.
type pointCalendarView struct {
	Point, Code, Href string
	Month             *monthView
	Days              []pointDay
	Sounds, Silent    int // slots of the month that sound or are silenced
	Months            string
}

// pointDay is one day in the list below the sheet.
type pointDay struct {
	Date, Weekday, Kind string
	Off, Today          bool
	Slots               []pointDaySlot
}

// pointDaySlot is one slot: what became of it, or what is to be.
type pointDaySlot struct {
	Name, Window string
	V, Verdict   string // empty while it is to come and sounds
	Why          string // the rule that silences or lowers it, the reason it was missed
	Plays        string
	Clips        string
	Href         string
}

func (s *Server) pointCalendar(ctx context.Context, v *visit, r *http.Request) (frame, error) {
	f, err := s.frame(ctx, v, r, "", "points")
	if err != nil {
		return f, err
	}
	id, err := pointID(r)
	if err != nil {
		return f, err
	}
	pt, err := s.o.Registry.Point(ctx, id)
	if err != nil {
		return f, fmt.Errorf("reading point: %w", err)
	}
	today := schedules.DateOf(v.Now, s.o.Zone)
	year, month, ok := monthOf(r.URL.Query().Get("month"))
	if !ok {
		year, month = today.Year, today.Month
	}
	first := schedules.Date{Year: year, Month: month, Day: 1}
	last := schedules.Date{Year: year, Month: month, Day: 1}.AddDays(31)
	last = schedules.Date{Year: last.Year, Month: last.Month, Day: 1}.AddDays(-1)
	rows, err := s.o.Ledger.Obligations(ctx, fleet.ObligationFilter{Point: id, From: fleet.Day(first.String()), To: fleet.Day(last.String())})
	if err != nil {
		return f, fmt.Errorf("reading obligations: %w", err)
	}
	planned, err := s.o.Outlook.PointSlots(ctx, pt, first, last.Day, v.Now)
	if err != nil {
		return f, fmt.Errorf("reading slots: %w", err)
	}
	cal, err := s.calendar(ctx)
	if err != nil {
		return f, err
	}
	titles, err := s.clipTitles(ctx)
	if err != nil {
		return f, err
	}
	device, err := s.o.Devices.DeviceOfPoint(ctx, id)
	if err != nil && fleet.CodeOf(err) != fleet.NotFound {
		return f, fmt.Errorf("reading device: %w", err)
	}
	view := &pointCalendarView{Point: pt.Name, Code: pt.Code, Href: pointPath(id), Months: monthText(year, month)}
	v.L.fillMonth(view, monthInput{cal: cal, year: year, month: month, today: today, rows: rows, planned: planned, titles: titles, device: device, now: v.Now})
	before, after := first.AddDays(-1), last.AddDays(1)
	link := func(d schedules.Date) string {
		return pointPath(id) + "/calendar?" + url.Values{"month": {monthText(d.Year, d.Month)}}.Encode()
	}
	view.Month.Previous, view.Month.Next = link(before), link(after)
	f.Title, f.V, f.Wide = pt.Name+" "+view.Month.Title, view, true
	return f, nil
}

// monthInput is what a month of a point is made of.
type monthInput struct {
	cal     *schedules.Calendar
	year    int
	month   time.Month
	today   schedules.Date
	rows    []fleet.Obligation // on record
	planned []schedules.Slot   // by the programmes in force
	titles  map[string]string
	device  fleet.Device
	now     time.Time
}

// fillMonth puts every slot of the month on the sheet and into the list. What
// is on record stands as it is there; days beyond the record stand as the
// programmes in force have them.
func (l *lang) fillMonth(view *pointCalendarView, in monthInput) {
	slots := map[wire.SlotID]schedules.Slot{}
	byDay := map[schedules.Date][]schedules.Slot{}
	for _, s := range in.planned {
		slots[wire.SlotID(s.ID)] = s
		byDay[s.Date] = append(byDay[s.Date], s)
	}
	recorded := map[fleet.Day][]fleet.Obligation{}
	for _, o := range in.rows {
		recorded[o.Day] = append(recorded[o.Day], o)
	}
	view.Month = l.sheet(in.cal, in.year, in.month, in.today, func(d schedules.Date, into *monthDay) {
		day := fleet.Day(d.String())
		at := l.Day(day)
		row := pointDay{Date: l.Date(at), Weekday: l.Weekday(at), Kind: into.Title, Off: into.Off, Today: into.Today}
		rows, past := recorded[day], d.Before(in.today)
		for _, o := range rows {
			c := l.cellOf(o, in.device, in.now)
			line := pointDaySlot{Name: o.Name, Window: l.Clock(o.Start) + "–" + l.Clock(o.End), Href: c.Href, Why: l.why(o)}
			if o.Verdict != fleet.Due {
				line.V, line.Verdict = c.V, l.T("verdict."+c.V)
			}
			if o.Verdict == fleet.Played || o.Verdict == fleet.Partial {
				line.Plays = strconv.Itoa(o.PlaysOK) + "/" + strconv.Itoa(o.Plays)
			} else if o.Verdict == fleet.Due {
				line.Plays = l.T("pointcal.plays", o.Plays)
			}
			if s, ok := slots[o.Slot]; ok && !past {
				line.Clips = l.clipNames(s, in.titles)
				line.Why = join(line.Why, l.lowered(s))
			}
			row.Slots = append(row.Slots, line)
			into.Slots = append(into.Slots, monthSlot{Text: brief(o.Name), Title: c.Title, Href: c.Href, V: c.V, Grade: c.Grade})
			if o.Verdict == fleet.Exempt {
				view.Silent++
			} else {
				view.Sounds++
			}
		}
		if len(rows) == 0 && !past {
			for _, s := range byDay[d] {
				if !s.Start.After(in.now) {
					continue // not owed when it was to begin
				}
				line := pointDaySlot{Name: s.Name, Window: l.window(&s), Plays: l.T("pointcal.plays", s.Count), Clips: l.clipNames(s, in.titles), Why: l.lowered(s)}
				slot := monthSlot{Text: brief(s.Name), Title: s.Name + " " + l.window(&s)}
				if s.Silenced != nil {
					line.V, line.Verdict, line.Why = "exempt", l.T("verdict.exempt"), s.Silenced.In(l.code)
					slot.Class, slot.Title = "off", slot.Title+l.T("comma")+line.Why
					view.Silent++
				} else {
					view.Sounds++
				}
				row.Slots, into.Slots = append(row.Slots, line), append(into.Slots, slot)
			}
		}
		silent := 0
		for _, line := range row.Slots {
			if line.V == "exempt" {
				silent++
			}
		}
		into.Quiet = silent > 0 && silent == len(row.Slots)
		if silent > 0 {
			into.Notes = append(into.Notes, l.T("pointcal.silent", silent))
		}
		view.Days = append(view.Days, row)
	})
}

// lowered is the rule that has a slot sound lower, empty for none.
func (l *lang) lowered(s schedules.Slot) string {
	if s.Lowered == nil || s.Silenced != nil {
		return ""
	}
	return s.Lowered.In(l.code)
}

// clipNames are the titles of the clips that have a turn in s.
func (l *lang) clipNames(s schedules.Slot, titles map[string]string) string {
	out := ""
	for i, ref := range s.Clips[:min(len(s.Clips), s.Count)] {
		if i > 0 {
			out += l.T("list")
		}
		if title, ok := titles[ref]; ok {
			out += title
		} else {
			out += ref
		}
	}
	return out
}
