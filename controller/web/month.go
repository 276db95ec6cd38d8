package web

import (
	"time"

	"gatecast/controller/fleet"
	"gatecast/schedules"
)

// monthView is one month as a sheet of weeks, Monday first.
type monthView struct {
	Title    string
	Previous string // hrefs; empty where there is none
	Next     string
	Weeks    [][]monthDay
}

// monthDay is one day of the sheet.
type monthDay struct {
	Out     bool // belongs to another month
	Number  int
	Kind    string // day type as a word of one or two characters, empty on workdays
	Tone    string // class of Kind
	Title   string // day type and holiday in full
	Off     bool
	Today   bool
	Changed bool
	Quiet   bool // everything owed is silenced
	Slots   []monthSlot
	Notes   []string
}

// monthSlot is one slot of a day on the sheet.
type monthSlot struct {
	Text  string // in the sheet
	Title string // in full
	Class string // off, chg or empty
	Href  string // of the slot, where it is on record
	V     string // verdict, where it is on record
	Grade string
}

// sheet lays out a month; fill says what stands on a day.
func (l *lang) sheet(cal *schedules.Calendar, year int, month time.Month, today schedules.Date, fill func(d schedules.Date, into *monthDay)) *monthView {
	first := schedules.Date{Year: year, Month: month, Day: 1}
	m := &monthView{Title: l.monthTitle(year, month)}
	lead := (int(first.Weekday()) + 6) % 7
	week := make([]monthDay, 0, 7)
	for range lead {
		week = append(week, monthDay{Out: true})
	}
	for d := first; d.Month == month; d = d.AddDays(1) {
		day := monthDay{Number: d.Day, Today: d == today}
		kind, known := cal.DayType(d)
		day.Off = kind == schedules.RestDay || kind == schedules.Holiday
		day.Title = l.T("daytype." + string(kind))
		switch kind {
		case schedules.Holiday:
			day.Kind, day.Tone = l.T("month.holiday"), "hol"
		case schedules.MakeUpWorkday:
			day.Kind, day.Tone = l.T("month.work"), "work"
		case schedules.RestDay:
			day.Kind = l.T("month.rest")
		}
		if name := cal.Name(d); name != "" {
			day.Title += l.T("comma") + name
		}
		if !known {
			day.Title = l.T("daytype.assumed", day.Title)
		}
		if fill != nil {
			fill(d, &day)
		}
		if week = append(week, day); len(week) == 7 {
			m.Weeks, week = append(m.Weeks, week), make([]monthDay, 0, 7)
		}
	}
	for len(week) > 0 && len(week) < 7 {
		week = append(week, monthDay{Out: true})
	}
	if len(week) > 0 {
		m.Weeks = append(m.Weeks, week)
	}
	return m
}

// monthTitle is 2026 年 6 月 or June 2026.
func (l *lang) monthTitle(year int, month time.Month) string {
	if l.code == "en" {
		return l.T("month.title", year, month.String())
	}
	return l.T("month.title", year, int(month))
}

// monthOf reads a month written as 2006-01; ok is false for anything else.
func monthOf(text string) (year int, month time.Month, ok bool) {
	t, err := time.Parse("2006-01", text)
	if err != nil || t.Year() < 2000 || t.Year() > 2200 {
		return 0, 0, false
	}
	return t.Year(), t.Month(), true
}

// monthText writes a month as monthOf reads it.
func monthText(year int, month time.Month) string {
	return time.Date(year, month, 1, 0, 0, 0, 0, time.UTC).Format("2006-01")
}

// longDate is a day with its year where that is not today's.
func (l *lang) longDate(d schedules.Date, now time.Time) string {
	day := l.Day(fleet.Day(d.String()))
	if d.Year != l.in(now).Year() {
		return d.String()
	}
	return l.Date(day)
}
