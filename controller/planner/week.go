package planner

import (
	"context"
	"slices"
	"time"

	"gatecast/controller/fleet"
	"gatecast/schedules"
)

// Week returns what the programmes in force have sound on days days from today
// on: the plays by the audience of their clip, and when slots are. What is silenced
// or names no clip that may sound does not count.
func (p *Planner) Week(ctx context.Context, days int, now time.Time) (fleet.Week, error) {
	w, err := p.load(ctx, now)
	if err != nil {
		return fleet.Week{}, err
	}
	active, err := p.activeParsed(ctx)
	if err != nil {
		return fleet.Week{}, err
	}
	compiler, err := p.compiler(w, active, now)
	if err != nil {
		return fleet.Week{}, err
	}
	plays, windows := map[string]int{}, map[fleet.Window]bool{}
	for _, pt := range w.points {
		_, owes := owedFrom(pt, now)
		if pt.RetiredAt(now) {
			continue
		}
		for _, s := range compiler.Slots(w.views[pt.ID], schedules.DateOf(now, w.office), days) {
			if s.Silenced != nil {
				continue
			}
			windows[windowOf(s, w.office)] = true // also where no device is in place yet
			if !owes {
				continue
			}
			clips, _, err := w.resolve(s, schedules.DateOf(now, w.office))
			if err != nil || len(clips) == 0 {
				continue // the programme's own page says so
			}
			for i, c := range clips {
				if n := turns(s.Count, i, len(clips)); n > 0 {
					plays[c.Audience] += n
				}
			}
		}
	}
	week := fleet.Week{}
	for audience, n := range plays {
		week.Plays = append(week.Plays, fleet.PlannedPlays{Audience: audience, Plays: n})
	}
	for at := range windows {
		week.Windows = append(week.Windows, at)
	}
	slices.SortFunc(week.Plays, func(a, b fleet.PlannedPlays) int { return b.Plays - a.Plays })
	slices.SortFunc(week.Windows, func(a, b fleet.Window) int { return (a.From-b.From)*2000 + a.To - b.To })
	return week, nil
}

// turns is how many of n plays fall to the i-th of so many that take turns.
func turns(n, i, of int) int { return (n - i + of - 1) / of }

// windowOf is when a slot is, by the office's clock.
func windowOf(s schedules.Slot, zone *time.Location) fleet.Window {
	from := s.Start.In(zone)
	minute := from.Hour()*60 + from.Minute()
	return fleet.Window{From: minute, To: minute + int(s.End.Sub(s.Start)/time.Minute)}
}
