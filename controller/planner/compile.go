package planner

import (
	"context"
	"fmt"
	"sort"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
	"gatecast/schedules"
)

// world is what one planning run sees: everything read once.
type world struct {
	points  []fleet.Point
	views   map[fleet.PointID]schedules.Point
	devices map[fleet.PointID]fleet.Device // the active one
	silent  []fleet.Device                 // those that must not sound
	clips   map[string]fleet.Clip          // those in the library, by name and by hash
	known   map[string]fleet.Clip          // in whatever state, likewise
	all     []fleet.Clip
	// unsigned are the hashes of clips that the approver has not signed in
	// strict mode; nil in default mode.
	unsigned map[string]bool
	entries  []fleet.CalendarEntry // of the office's calendar, those taken back too
	cal      *schedules.Calendar
	today    fleet.Day // of the office

	replacements []fleet.Replacement // the oldest first
	levels       map[fleet.PointID][]fleet.Level
	office       *time.Location
}

func (p *Planner) load(ctx context.Context, now time.Time) (*world, error) {
	units, err := p.o.Registry.Units(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading units: %w", err)
	}
	groups, err := p.o.Registry.Groups(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading groups: %w", err)
	}
	compounds, err := p.o.Registry.Compounds(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading compounds: %w", err)
	}
	points, err := p.o.Registry.Points(ctx, fleet.PointFilter{})
	if err != nil {
		return nil, fmt.Errorf("reading points: %w", err)
	}
	devices, err := p.o.Registry.Devices(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading devices: %w", err)
	}
	w := &world{
		points: points, devices: map[fleet.PointID]fleet.Device{}, views: View(units, compounds, groups, points),
		office: p.office(), today: p.day(now),
	}
	for _, d := range devices {
		switch {
		case d.State == fleet.DeviceActive:
			w.devices[d.Point] = d
		case d.Silenced():
			w.silent = append(w.silent, d)
		}
	}
	if w.entries, err = p.Entries(ctx); err != nil {
		return nil, fmt.Errorf("reading the office's calendar: %w", err)
	}
	if w.cal, err = p.Calendar(ctx); err != nil {
		return nil, err
	}
	if w.all, err = p.o.Content.Clips(ctx); err != nil {
		return nil, fmt.Errorf("reading clips: %w", err)
	}
	w.clips, w.known = make(map[string]fleet.Clip, 2*len(w.all)), make(map[string]fleet.Clip, 2*len(w.all))
	for _, c := range w.all {
		w.known[c.Name], w.known[c.SHA256] = c, c
		if inLibrary(c, w.today) {
			w.clips[c.Name], w.clips[c.SHA256] = c, c
		}
	}
	if err := p.loadAdjustments(ctx, w, now); err != nil {
		return nil, err
	}
	return w, p.holdSigned(ctx, w)
}

// View returns the points as targets see them: with the codes of their units
// up to the root, and of every group whose unit or grid holds them.
func View(units []fleet.Unit, compounds []fleet.Compound, groups []fleet.Group, points []fleet.Point) map[fleet.PointID]schedules.Point {
	byID := make(map[fleet.UnitID]fleet.Unit, len(units))
	for _, u := range units {
		byID[u.ID] = u
	}
	grid := make(map[fleet.CompoundID]fleet.GridID, len(compounds))
	for _, c := range compounds {
		grid[c.ID] = c.Grid
	}
	views := make(map[fleet.PointID]schedules.Point, len(points))
	for _, pt := range points {
		v := schedules.Point{ID: pt.Code, Name: pt.Name, Kind: string(pt.Kind), Tags: pt.Tags}
		above := map[fleet.UnitID]bool{}
		for id := pt.Unit; id != 0 && !above[id]; id = byID[id].Parent {
			above[id] = true
			v.Units = append(v.Units, byID[id].Code)
		}
		for _, g := range groups {
			inGrid := g.Grid == 0 || pt.Compound != 0 && grid[pt.Compound] == g.Grid
			if above[g.Unit] && inGrid {
				v.Groups = append(v.Groups, g.Code)
			}
		}
		views[pt.ID] = v
	}
	return views
}

// parse parses stored programmes; they were checked when they came in, so an
// error means that the store was edited by other hands.
func parse(stored []fleet.Programme) ([]*schedules.Programme, map[string]fleet.Programme, error) {
	parsed := make([]*schedules.Programme, 0, len(stored))
	byCode := make(map[string]fleet.Programme, len(stored))
	for _, s := range stored {
		q, err := schedules.Parse(s.Name, s.YAML)
		if err != nil {
			return nil, nil, fmt.Errorf("programme %q version %d: %w", s.Code, s.Version, err)
		}
		parsed = append(parsed, q)
		byCode[s.Code] = s
	}
	return parsed, byCode, nil
}

// resolve returns the clips that may sound in a slot, in the order of its
// playlist: those that are approved and valid from its start to its end. There
// may be none; the slot is owed all the same. Beside each stands the one that
// it replaced, which sounds until a device has verified it; zero for none.
func (w *world) resolve(s schedules.Slot, today schedules.Date) (clips, before []fleet.Clip, err error) {
	for _, ref := range s.Clips {
		c, ok := w.known[ref]
		if !ok {
			return nil, nil, &fleet.Error{
				Code:   fleet.Invalid,
				Text:   fmt.Sprintf("素材库里没有“%s”，请先上传，或在播放计划里换一个素材", ref),
				TextEN: fmt.Sprintf("the clip library has no %q: upload it first, or choose another clip in the programme", ref),
			}
		}
		if next := w.replaced(c, s, w.replacements); w.sounds(next, s) {
			clips, before = append(clips, next), append(before, w.former(c, next, s, today))
		}
	}
	return clips, before, nil
}

// obligation writes down what pt owes with s.
func obligation(pt fleet.Point, s schedules.Slot, clips []fleet.Clip, prog fleet.Programme, demo bool) fleet.Obligation {
	o := fleet.Obligation{
		Point: pt.ID, Slot: wire.SlotID(s.ID), Day: fleet.Day(s.Date.String()),
		Programme: s.Programme, Version: prog.Version, Name: s.Name, DayType: string(s.DayType),
		Start: s.Start, End: s.End, Plays: s.Count, Verdict: fleet.Due, Demo: demo,
	}
	for k := range s.Count {
		if len(clips) > 0 {
			o.PlannedMS += clips[k%len(clips)].Duration().Milliseconds()
		}
	}
	if s.Silenced != nil {
		o.Verdict, o.Reason, o.Note = fleet.Exempt, wire.ReasonQuiet, s.Silenced.Text
	}
	return o
}

// owedFrom is the first instant at which pt can owe a slot. A point that was
// retired owes nothing and is planned all the same: what it owed ahead goes.
func owedFrom(pt fleet.Point, now time.Time) (time.Time, bool) {
	if pt.ActiveFrom.IsZero() {
		return time.Time{}, false
	}
	if pt.ActiveFrom.After(now) {
		return pt.ActiveFrom, true
	}
	return now, true
}

// sortSlots orders by start, then id.
func sortSlots(slots []schedules.Slot) {
	sort.SliceStable(slots, func(i, j int) bool {
		if !slots[i].Start.Equal(slots[j].Start) {
			return slots[i].Start.Before(slots[j].Start)
		}
		return slots[i].ID < slots[j].ID
	})
}
