package store

import (
	"fmt"
	"slices"
	"time"

	"gatecast/controller/fleet"
)

// monthOf returns the first day of the month of a day.
func monthOf(day int64) int64 {
	t := time.Unix(day*86400, 0).UTC()
	return day - int64(t.Day()-1)
}

// nextMonth returns the first day of the month after that which begins at day.
func nextMonth(day int64) int64 {
	return time.Unix(day*86400, 0).UTC().AddDate(0, 1, 0).Unix() / 86400
}

// period is a run of days as whole months and what is left over at its ends.
type period struct {
	months []int64    // first days
	days   [][2]int64 // first and last day, each pair within one month
}

// periodOf takes from..to apart, both included; a month in which the tree of
// units changed is read by days.
func periodOf(from, to int64, spans []span) period {
	var p period
	split := map[int64]bool{}
	for _, s := range spans {
		for _, edge := range []int64{s.from, s.to} {
			if edge > from && edge <= to && edge != monthOf(edge) {
				split[monthOf(edge)] = true
			}
		}
	}
	for first := from; first <= to; {
		month := monthOf(first)
		next := nextMonth(month)
		if first == month && next-1 <= to && !split[month] {
			p.months = append(p.months, month)
		} else {
			p.days = append(p.days, [2]int64{first, min(next-1, to)})
		}
		first = next
	}
	return p
}

// byDays is p with its months as runs of days.
func (p period) byDays() period {
	days := slices.Clone(p.days)
	for _, m := range p.months {
		days = append(days, [2]int64{m, nextMonth(m) - 1})
	}
	return period{days: days}
}

// maxPeriod keeps a query within the branches that SQLite takes.
const maxPeriod = 366 * 40

// bounds returns the numbers of both days.
func bounds(from, to fleet.Day) (int64, int64, error) {
	f, err := dayNumber(from)
	if err != nil {
		return 0, 0, err
	}
	t, err := dayNumber(to)
	if err != nil {
		return 0, 0, err
	}
	if t-f > maxPeriod {
		return 0, 0, &fleet.Error{
			Code:   fleet.Invalid,
			Text:   fmt.Sprintf("时段 %s 至 %s 太长，请缩短到四十年以内。", from, to),
			TextEN: fmt.Sprintf("The period %s to %s is too long; choose one of less than forty years.", from, to),
		}
	}
	return f, t, nil
}
