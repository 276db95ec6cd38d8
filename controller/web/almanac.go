package web

import (
	"context"
	"fmt"
	"time"

	"gatecast/controller/fleet"
	"gatecast/schedules"
)

// Almanac is the office's own calendar: exams, days of mourning, stops, and
// which days are holidays.
type Almanac interface {
	// Calendar returns the holiday tables as they stand.
	Calendar(ctx context.Context) (*schedules.Calendar, error)
	Entries(ctx context.Context) ([]fleet.CalendarEntry, error) // newest first
	// EntryEffect says what saving an entry would change; nil where its problems
	// forbid that.
	EntryEffect(ctx context.Context, e fleet.CalendarEntry, now time.Time) (*Effect, []Problem, error)
	// SaveEntry stores an entry; its ID is 0 where the problems forbid that.
	SaveEntry(ctx context.Context, e fleet.CalendarEntry, now time.Time) (fleet.CalendarEntry, []Problem, error)
	// EndEntry takes an entry back. Refusals are *fleet.Errors.
	EndEntry(ctx context.Context, id fleet.EntryID, by, reason string, now time.Time) error
}

// Effect is what an entry of the calendar changes.
type Effect struct {
	From, To schedules.Date // the days that were looked at, both included
	Changes  []schedules.SlotChange
	Points   int             // that the entry touches
	Plans    time.Time       // until when every gate there has its slots; zero without devices
	Away     []fleet.PointID // offline gates among them
}

// Holidays are the tables of public holidays.
type Holidays interface {
	HolidayTables(ctx context.Context) ([]fleet.HolidayTable, error) // that the office imported, by year
	HolidayEffect(ctx context.Context, t schedules.HolidayTable, now time.Time) (*Effect, error)
	ImportHolidays(ctx context.Context, t schedules.HolidayTable, source, by string, now time.Time) error
}

// Outlook is what slots there will be.
type Outlook interface {
	// PointSlots returns what a point is owed by the programmes in force, silenced
	// slots included, by start.
	PointSlots(ctx context.Context, pt fleet.Point, from schedules.Date, days int, now time.Time) ([]schedules.Slot, error)
	// ProgrammeEffect says what putting a programme in force would change in the
	// coming month; nil where its problems forbid even to store it.
	ProgrammeEffect(ctx context.Context, file string, yaml []byte, now time.Time) (*Effect, []Problem, error)
}

// calendar returns the holiday tables as they stand.
func (s *Server) calendar(ctx context.Context) (*schedules.Calendar, error) {
	cal, err := s.o.Almanac.Calendar(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading holidays: %w", err)
	}
	return cal, nil
}

// wanting returns the year whose holiday table is missing, and the year whose
// exams are to be entered; 0 for none.
func (s *Server) wanting(ctx context.Context, now time.Time) (holidays, exams int, err error) {
	cal, err := s.calendar(ctx)
	if err != nil {
		return 0, 0, err
	}
	entries, err := s.o.Almanac.Entries(ctx)
	if err != nil {
		return 0, 0, fmt.Errorf("reading calendar: %w", err)
	}
	today := schedules.DateOf(now, s.o.Zone)
	holidays, _ = cal.Wanting(today)
	if examsDue(entries, today) {
		exams = today.Year
	}
	return holidays, exams, nil
}

// examsDue reports whether the office should enter this year's exams: from
// 1 May to the end of June while no exam of that year's summer is on the
// calendar.
func examsDue(entries []fleet.CalendarEntry, today schedules.Date) bool {
	if today.Month != time.May && today.Month != time.June {
		return false
	}
	first, last := fleet.Day(fmt.Sprintf("%04d-05-01", today.Year)), fleet.Day(fmt.Sprintf("%04d-07-31", today.Year))
	for _, e := range entries {
		if e.Kind != fleet.EntryExam || !e.Ended.IsZero() {
			continue
		}
		for _, span := range e.Spans {
			if span.To >= first && span.From <= last {
				return false
			}
		}
	}
	return true
}
