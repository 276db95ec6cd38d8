package fleet

import (
	"fmt"
	"strings"
	"time"
)

// Quiet is a time at which loudspeakers should not sound.
type Quiet string

// The quiet times.
const (
	NotQuiet Quiet = ""
	Midday   Quiet = "midday"
	Night    Quiet = "night"
)

// DayTimes is a part of every day in minutes since midnight, To not included.
// One whose From is after its To passes midnight; two equal ones are none.
type DayTimes struct{ From, To int }

// holds reports whether the minute is in d.
func (d DayTimes) holds(minute int) bool {
	if d.From <= d.To {
		return d.From <= minute && minute < d.To
	}
	return minute >= d.From || minute < d.To
}

// String is 22:00–06:00.
func (d DayTimes) String() string {
	return fmt.Sprintf("%02d:%02d–%02d:%02d", d.From/60, d.From%60, d.To/60, d.To%60)
}

// ParseDayTimes reads what is written as 22:00-06:00; empty is none.
func ParseDayTimes(text string) (DayTimes, error) {
	if strings.TrimSpace(text) == "" {
		return DayTimes{}, nil
	}
	from, to, ok := strings.Cut(text, "-")
	a, err1 := time.Parse("15:04", strings.TrimSpace(from))
	b, err2 := time.Parse("15:04", strings.TrimSpace(to))
	if !ok || err1 != nil || err2 != nil {
		return DayTimes{}, fmt.Errorf("%q is no range such as 22:00-06:00", text)
	}
	return DayTimes{a.Hour()*60 + a.Minute(), b.Hour()*60 + b.Minute()}, nil
}

// QuietHours are the office's quiet times.
type QuietHours struct{ Night, Midday DayTimes }

// DefaultQuietHours are those of most local rules: the night from ten to six,
// and two hours at noon.
func DefaultQuietHours() QuietHours {
	return QuietHours{Night: DayTimes{22 * 60, 6 * 60}, Midday: DayTimes{12 * 60, 14 * 60}}
}

// Over returns the quietest of the times from to until, both included, in the
// zone of from: night before midday.
func (q QuietHours) Over(from, until time.Time) Quiet {
	worst := NotQuiet
	for at := from; ; at = at.Add(time.Minute) {
		if at.After(until) {
			at = until.In(from.Location())
		}
		switch minute := at.Hour()*60 + at.Minute(); {
		case q.Night.holds(minute):
			return Night
		case q.Midday.holds(minute):
			worst = Midday
		}
		if !at.Before(until) {
			return worst
		}
	}
}
