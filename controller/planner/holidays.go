package planner

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gatecast/controller/fleet"
	"gatecast/schedules"
)

// HolidayEffect computes what importing a year's table would change within the
// horizon, and changes nothing.
func (p *Planner) HolidayEffect(ctx context.Context, t schedules.HolidayTable, now time.Time) (*Effect, error) {
	w, err := p.load(ctx, now)
	if err != nil {
		return nil, err
	}
	active, err := p.activeParsed(ctx)
	if err != nil {
		return nil, err
	}
	before, err := p.compiler(w, active, now)
	if err != nil {
		return nil, err
	}
	with := *w
	with.cal = w.cal.Clone()
	if err := with.cal.Import(t.JSON()); err != nil {
		return nil, err
	}
	after, err := p.compiler(&with, active, now)
	if err != nil {
		return nil, err
	}
	from := schedules.DateOf(now, w.office)
	eff := &Effect{From: from, To: from.AddDays(p.o.HorizonDays - 1)}
	eff.Changes = schedules.Changes(before, after, w.listed(), from, p.o.HorizonDays)
	w.reach(eff)
	return eff, nil
}

// ImportHolidays keeps a year's table in place of the one before and has
// everything planned anew soon.
func (p *Planner) ImportHolidays(ctx context.Context, t schedules.HolidayTable, source, by string, now time.Time) error {
	if p.o.Almanac == nil {
		return errors.New("importing holidays: the planner has no almanac")
	}
	if err := new(schedules.Calendar).Import(t.JSON()); err != nil {
		return fmt.Errorf("importing holidays: %w", err)
	}
	if err := p.o.Almanac.PutHolidayTable(ctx, fleet.HolidayTable{Year: t.Year, JSON: t.JSON(), Source: source, By: by, Imported: now}); err != nil {
		return fmt.Errorf("storing holiday table: %w", err)
	}
	p.Poke()
	return nil
}

// HolidayTables returns the tables that the office imported.
func (p *Planner) HolidayTables(ctx context.Context) ([]fleet.HolidayTable, error) {
	if p.o.Almanac == nil {
		return nil, nil
	}
	return p.o.Almanac.HolidayTables(ctx)
}

// reach fills in which points and gates the changes concern.
func (w *world) reach(eff *Effect) {
	touched := map[string]bool{}
	for _, c := range eff.Changes {
		for _, id := range c.Points {
			touched[id] = true
		}
	}
	eff.Points = len(touched)
	for _, pt := range w.points {
		d, has := w.devices[pt.ID]
		if !has || !touched[pt.Code] {
			continue
		}
		if !d.Online {
			eff.Away = append(eff.Away, pt.ID)
		}
		if eff.Plans.IsZero() || d.Horizon.Before(eff.Plans) {
			eff.Plans = d.Horizon
		}
	}
}
