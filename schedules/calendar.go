package schedules

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"
)

// DayTypes lists all day types in the order in which people name them.
func DayTypes() []DayType { return []DayType{Workday, RestDay, Holiday, MakeUpWorkday} }

// Text returns the word for t in lang, "zh" or "en".
func (t DayType) Text(lang string) string {
	if lang == "en" {
		return map[DayType]string{Workday: "workday", RestDay: "rest day", Holiday: "public holiday", MakeUpWorkday: "make-up workday"}[t]
	}
	return map[DayType]string{Workday: "工作日", RestDay: "休息日", Holiday: "法定节假日", MakeUpWorkday: "调休上班"}[t]
}

// off reports whether people have the day off.
func (t DayType) off() bool { return t == RestDay || t == Holiday }

// Calendar says which days are public holidays and which weekend days are
// worked in exchange. It holds the years that were imported; the zero value
// knows none. A Calendar is not safe for concurrent writing; once handed to a
// Compiler it must not change.
type Calendar struct {
	years map[int]bool
	days  map[Date]calendarDay
}

type calendarDay struct {
	name   string
	off    bool
	notice int // the year whose table lists the day
}

//go:embed presets/holidays-2026.json
var holidays2026 []byte

// DefaultCalendar returns a new calendar with the years that are shipped (2026).
func DefaultCalendar() *Calendar {
	c := new(Calendar)
	if err := c.Import(holidays2026); err != nil {
		panic("shipped holiday table: " + err.Error()) // a test imports it; cannot happen in a tested build
	}
	return c
}

// Import adds one year from JSON in the shape of the holiday-cn project:
// {"year": 2026, "days": [{"name": "元旦", "date": "2026-01-01", "isOffDay": true}]}.
// Further keys are ignored. Days that lie outside the year (late December is
// often in the next year's notice) are taken too. A file without days is
// refused, since it is how an unpublished year looks. On error c is unchanged;
// a year that is already known is replaced. Of two tables that list one day the
// later import is right.
func (c *Calendar) Import(data []byte) error {
	var in struct {
		Year int `json:"year"`
		Days []struct {
			Name string `json:"name"`
			Date string `json:"date"`
			Off  *bool  `json:"isOffDay"`
		} `json:"days"`
	}
	if err := json.Unmarshal(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")), &in); err != nil {
		return fmt.Errorf("reading holiday table: %w", err)
	}
	if in.Year < 2000 || in.Year > 2200 {
		return fmt.Errorf("holiday table: year %d is not between 2000 and 2200", in.Year)
	}
	if len(in.Days) == 0 {
		return fmt.Errorf("holiday table: year %d has no days, its notice may not be published yet", in.Year)
	}
	days := make(map[Date]calendarDay, len(in.Days))
	for _, d := range in.Days {
		date, err := ParseDate(d.Date)
		if err != nil {
			return fmt.Errorf("holiday table: %w", err)
		}
		if n := date.Year - in.Year; n < -1 || n > 1 {
			return fmt.Errorf("holiday table: %s does not belong to year %d", date, in.Year)
		}
		if d.Off == nil {
			return fmt.Errorf("holiday table: %s does not say isOffDay", date)
		}
		if _, twice := days[date]; twice {
			return fmt.Errorf("holiday table: %s is listed twice", date)
		}
		days[date] = calendarDay{d.Name, *d.Off, in.Year}
	}
	next := &Calendar{years: map[int]bool{in.Year: true}, days: days}
	maps.Copy(next.years, c.years)
	for date, day := range c.days {
		if _, listed := next.days[date]; !listed && day.notice != in.Year {
			next.days[date] = day
		}
	}
	*c = *next
	return nil
}

// Clone returns a calendar of its own with the same years; a nil c is empty.
func (c *Calendar) Clone() *Calendar {
	if c == nil {
		return new(Calendar)
	}
	return &Calendar{years: maps.Clone(c.years), days: maps.Clone(c.days)}
}

// DayType returns the type of d, and known = false when d's year has not been
// imported: then Monday to Friday count as workdays and the rest as rest days,
// unless a neighbouring year's table lists the day itself.
func (c *Calendar) DayType(d Date) (t DayType, known bool) {
	if day, listed := c.days[d]; listed {
		if day.off {
			return Holiday, true
		}
		return MakeUpWorkday, true
	}
	known = c.years[d.Year]
	if w := d.Weekday(); w == time.Saturday || w == time.Sunday {
		return RestDay, known
	}
	return Workday, known
}

// Name returns the name of the holiday that d is off for, or worked in exchange
// for, such as 春节; it is empty on other days.
func (c *Calendar) Name(d Date) string { return c.days[d].name }

// Wanting returns the first year that today's work needs and that has not been
// imported: today's own and, from 1 December, when the next year's table has
// long been published, the next one. The last result is false where nothing is
// wanting.
func (c *Calendar) Wanting(today Date) (year int, wanting bool) {
	if !c.years[today.Year] {
		return today.Year, true
	}
	if today.Month == time.December && !c.years[today.Year+1] {
		return today.Year + 1, true
	}
	return 0, false
}

// Years returns the imported years in ascending order.
func (c *Calendar) Years() []int { return slices.Sorted(maps.Keys(c.years)) }
