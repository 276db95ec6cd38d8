package fleet

import (
	"fmt"
	"regexp"
	"strconv"
	"time"
)

// ISOWeek is a week from Monday to Sunday by the count of ISO 8601: week 1 of a
// year is the one with its first Thursday, so the days around New Year may
// belong to a week of the other year. The zero value is no week.
type ISOWeek struct{ Year, Number int }

// WeekAt returns the week of an instant in zone.
func WeekAt(t time.Time, zone *time.Location) ISOWeek {
	y, n := t.In(zone).ISOWeek()
	return ISOWeek{y, n}
}

// WeekOfDay returns the week of a day; ok is false for what is no day.
func WeekOfDay(d Day) (w ISOWeek, ok bool) {
	t, err := time.Parse(time.DateOnly, string(d))
	if err != nil {
		return ISOWeek{}, false
	}
	return WeekAt(t, time.UTC), true
}

var weekText = regexp.MustCompile(`^(2[01]\d\d)-?W([0-5]\d)$`)

// ParseWeek reads a week as String writes it and as a field of type week sends
// it, such as 2026-W48; ok is false for what is none, the 53rd week of a year
// of 52 too.
func ParseWeek(text string) (w ISOWeek, ok bool) {
	m := weekText.FindStringSubmatch(text)
	if m == nil {
		return ISOWeek{}, false
	}
	w.Year, _ = strconv.Atoi(m[1])   // digits
	w.Number, _ = strconv.Atoi(m[2]) // likewise
	return w, w.Number >= 1 && w.Number <= weeksOf(w.Year)
}

// String returns the week as 2026-W48.
func (w ISOWeek) String() string { return fmt.Sprintf("%04d-W%02d", w.Year, w.Number) }

// IsZero reports whether w is no week.
func (w ISOWeek) IsZero() bool { return w == ISOWeek{} }

// monday returns the first day at 00:00 in zone. 4 January is in week 1 of its
// year, always.
func (w ISOWeek) monday(zone *time.Location) time.Time {
	fourth := time.Date(w.Year, 1, 4, 0, 0, 0, 0, time.UTC)
	back := (int(fourth.Weekday()) + 6) % 7
	return time.Date(w.Year, 1, 4-back+7*(w.Number-1), 0, 0, 0, 0, zone)
}

// Monday returns the first day.
func (w ISOWeek) Monday() Day { return Day(w.monday(time.UTC).Format(time.DateOnly)) }

// Sunday returns the last day.
func (w ISOWeek) Sunday() Day {
	return Day(w.monday(time.UTC).AddDate(0, 0, 6).Format(time.DateOnly))
}

// At returns the instant of a minute of one of the days, 0 for Monday and 7 for
// the Monday after, on the clocks of zone.
func (w ISOWeek) At(day, minute int, zone *time.Location) time.Time {
	y, m, d := w.monday(zone).Date()
	return time.Date(y, m, d+day, 0, minute, 0, 0, zone)
}

// Add returns the week n weeks later, earlier for a negative n.
func (w ISOWeek) Add(n int) ISOWeek {
	y, k := w.monday(time.UTC).AddDate(0, 0, 7*n).ISOWeek()
	return ISOWeek{y, k}
}

// Before reports whether w is earlier than u.
func (w ISOWeek) Before(u ISOWeek) bool {
	return w.Year < u.Year || w.Year == u.Year && w.Number < u.Number
}

// YearAgo returns the week of that number of the year before, with which a week
// is compared as 同比; ok is false for a 53rd week that the year before has not:
// then there is nothing to compare with.
func (w ISOWeek) YearAgo() (ago ISOWeek, ok bool) {
	ago = ISOWeek{w.Year - 1, w.Number}
	return ago, w.Number <= weeksOf(ago.Year)
}

// weeksOf returns how many weeks a year has: 28 December is in the last one.
func weeksOf(year int) int {
	_, n := time.Date(year, 12, 28, 0, 0, 0, 0, time.UTC).ISOWeek()
	return n
}
