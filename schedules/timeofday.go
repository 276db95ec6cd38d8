package schedules

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// TimeOfDay is a reading of the wall clock, as the time since midnight: 0 is
// 00:00 and 24 h is 24:00. Fields where no time is a choice use 0 for it.
type TimeOfDay time.Duration

const dayLength = TimeOfDay(24 * time.Hour)

// ParseTimeOfDay reads 07:30, 7:30 or 07:30:15, up to 24:00.
func ParseTimeOfDay(s string) (TimeOfDay, error) {
	parts := strings.Split(s, ":")
	if len(parts) != 2 && len(parts) != 3 {
		return 0, fmt.Errorf("time %q is not written as 07:30", s)
	}
	var total TimeOfDay
	for i, limit := range []int{24, 59, 59}[:len(parts)] {
		p := parts[i]
		n, err := strconv.Atoi(p)
		if err != nil || len(p) > 2 || (i > 0 && len(p) != 2) || p[0] == '+' || n < 0 || n > limit {
			return 0, fmt.Errorf("time %q is not written as 07:30", s)
		}
		total += TimeOfDay(n) * TimeOfDay([]time.Duration{time.Hour, time.Minute, time.Second}[i])
	}
	if total > dayLength {
		return 0, fmt.Errorf("time %q is after 24:00", s)
	}
	return total, nil
}

// String returns t as 07:30, or 07:30:15 where it has seconds.
func (t TimeOfDay) String() string {
	s := int64(time.Duration(t) / time.Second)
	if s%60 == 0 {
		return fmt.Sprintf("%02d:%02d", s/3600, s/60%60)
	}
	return fmt.Sprintf("%02d:%02d:%02d", s/3600, s/60%60, s%60)
}

// on returns the naive time of t on d.
func (t TimeOfDay) on(d Date) time.Time { return d.naive().Add(time.Duration(t)) }

// TimeRange is a part of every day, from From up to but not including To. A To
// at or before From is on the next day: 21:30-07:00 is a night.
type TimeRange struct {
	From, To TimeOfDay
}

// ParseTimeRange reads 12:00-14:00; the dash may be a hyphen or an en dash.
func ParseTimeRange(s string) (TimeRange, error) {
	a, b, ok := strings.Cut(strings.ReplaceAll(s, "–", "-"), "-")
	if !ok {
		return TimeRange{}, fmt.Errorf("times %q are not written as 12:00-14:00", s)
	}
	from, err := ParseTimeOfDay(strings.TrimSpace(a))
	if err != nil {
		return TimeRange{}, err
	}
	to, err := ParseTimeOfDay(strings.TrimSpace(b))
	if err != nil {
		return TimeRange{}, err
	}
	if from == to || from == dayLength || to == 0 {
		return TimeRange{}, fmt.Errorf("times %q: the end equals the start, or one of them is on the wrong side of midnight", s)
	}
	return TimeRange{from, to}, nil
}

// String returns r as 12:00–14:00.
func (r TimeRange) String() string { return r.From.String() + "–" + r.To.String() }

// length returns how long r lasts by the wall clock.
func (r TimeRange) length() TimeOfDay {
	if r.To > r.From {
		return r.To - r.From
	}
	return r.To + dayLength - r.From
}

// touches reports whether the part of a day that starts at start and lasts for
// length shares any moment with r on the day itself, the day before or after.
func (r TimeRange) touches(start, length TimeOfDay) bool {
	for _, shift := range []TimeOfDay{-dayLength, 0, dayLength} {
		if from := r.From + shift; start < from+r.length() && start+length > from {
			return true
		}
	}
	return false
}

// window returns the instants between which r holds for the night or day that
// begins on d.
func (r TimeRange) window(d Date, loc *time.Location) (from, to time.Time) {
	return firstInstant(r.From.on(d), loc), lastInstant((r.From + r.length()).on(d), loc)
}
