package planner

import (
	"context"
	"fmt"
	"slices"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
	"gatecast/schedules"
)

// Adjustments are what the office changed about plans beside its programmes.
type Adjustments interface {
	// Replacements returns every 更换, the oldest first.
	Replacements(ctx context.Context) ([]fleet.Replacement, error)
	// OpenLevels returns by how much points are turned down: those that were
	// not restored by hand and hold for slots from now on.
	OpenLevels(ctx context.Context, now time.Time) ([]fleet.Level, error)
}

// loadAdjustments reads what holds of them from today on.
func (p *Planner) loadAdjustments(ctx context.Context, w *world, now time.Time) error {
	w.levels = map[fleet.PointID][]fleet.Level{}
	if p.o.Adjustments == nil {
		return nil
	}
	all, err := p.o.Adjustments.Replacements(ctx)
	if err != nil {
		return fmt.Errorf("reading replacements: %w", err)
	}
	yesterday := p.day(now.AddDate(0, 0, -1)) // whose slots may still sound
	for _, r := range all {
		if r.To == "" || r.To >= yesterday {
			w.replacements = append(w.replacements, r)
		}
	}
	levels, err := p.o.Adjustments.OpenLevels(ctx, now.AddDate(0, 0, -1))
	if err != nil {
		return fmt.Errorf("reading levels: %w", err)
	}
	for _, l := range levels {
		w.levels[l.Point] = append(w.levels[l.Point], l)
	}
	return nil
}

// slotKey names a slot of every day, as fleet.Replacement does.
func slotKey(s schedules.Slot) string { return s.Programme + "." + s.Key }

// sounds reports whether c may sound in s at all.
func (w *world) sounds(c fleet.Clip, s schedules.Slot) bool {
	first, last := fleet.Day(s.Start.In(w.office).Format(time.DateOnly)), fleet.Day(s.End.Add(-1).In(w.office).Format(time.DateOnly))
	// A slot of yesterday may name what has expired since: a device refuses a
	// plan with a clip that its manifest does not have.
	return c.MaySound(first, last) && inLibrary(c, w.today) && !w.unsigned[c.SHA256]
}

// replaced returns the clip that sounds in s in the place of c, by those of the
// replacements that hold there, one after the other. One whose new clip may not
// sound any more, as after a recall, is passed over.
func (w *world) replaced(c fleet.Clip, s schedules.Slot, by []fleet.Replacement) fleet.Clip {
	for _, r := range by {
		if r.Old != c.SHA256 || !r.Holds(slotKey(s), fleet.Day(s.Date.String()), s.Start) {
			continue
		}
		if next, ok := w.known[r.New]; ok && w.sounds(next, s) {
			c = next
		}
	}
	return c
}

// formerDays is for how many days from today on a plan names the clips that
// were replaced. A device that is away longer gets a newer plan when it is back.
const formerDays = 2

// former returns what sounds in the place of the clip that replaced c in s
// while a device has not verified that; the zero Clip for nothing.
func (w *world) former(c, next fleet.Clip, s schedules.Slot, today schedules.Date) fleet.Clip {
	if c.SHA256 == next.SHA256 || !s.Date.Before(today.AddDays(formerDays)) || !w.sounds(c, s) {
		return fleet.Clip{}
	}
	return c
}

// programmed is what the programmes in force say, for questions about slots.
type programmed struct {
	*world
	compiler *schedules.Compiler
	names    map[string]string // of programmes, by their code
	zone     *time.Location
}

func (p *Planner) programmed(ctx context.Context, now time.Time) (*programmed, error) {
	active, err := p.o.Content.ActiveProgrammes(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading active programmes: %w", err)
	}
	w, err := p.load(ctx, now)
	if err != nil {
		return nil, err
	}
	parsed, byCode, err := parse(active)
	if err != nil {
		return nil, err
	}
	c, err := p.compiler(w, parsed, now)
	if err != nil {
		return nil, err
	}
	q := &programmed{world: w, compiler: c, names: map[string]string{}, zone: p.zone(parsed)}
	for code, prog := range byCode {
		q.names[code] = prog.Name
	}
	return q, nil
}

// slots returns what pt will be owed from the instant from on, on the given
// days, without what is silenced.
func (q *programmed) slots(pt fleet.Point, day schedules.Date, days int, from, now time.Time) []schedules.Slot {
	first, owes := owedFrom(pt, now)
	if !owes || pt.RetiredAt(now) {
		return nil
	}
	slots := slices.DeleteFunc(q.compiler.Slots(q.views[pt.ID], day, days), func(s schedules.Slot) bool {
		return s.Silenced != nil || s.Start.Before(from) || !s.Start.After(first)
	})
	sortSlots(slots)
	return slots
}

// reachDays bounds how far ahead the first slot of a replacement is looked for.
const reachDays = 14

// Reach returns where a replacement holds in a slot that starts at from or
// later, with the first such slot of each point, by point code. r need not be
// stored; those that were ordered before it count first.
func (p *Planner) Reach(ctx context.Context, r fleet.Replacement, from, now time.Time) ([]fleet.ReplacedAt, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	q, err := p.programmed(ctx, now)
	if err != nil {
		return nil, err
	}
	day, err := schedules.ParseDate(string(r.From))
	if err != nil {
		return nil, fmt.Errorf("replacement from %q: %w", r.From, err)
	}
	if today := schedules.DateOf(now, q.zone); day.Before(today) {
		day = today
	}
	earlier := slices.DeleteFunc(slices.Clone(q.replacements), func(o fleet.Replacement) bool { return r.ID != 0 && o.ID >= r.ID })
	var at []fleet.ReplacedAt
	for _, pt := range q.points {
		for _, s := range q.slots(pt, day, reachDays, from, now) {
			if !r.Holds(slotKey(s), fleet.Day(s.Date.String()), s.Start) || !q.plays(s, r.Old, earlier) {
				continue
			}
			d := q.devices[pt.ID]
			at = append(at, fleet.ReplacedAt{
				Point: pt.ID, Slot: wire.SlotID(s.ID), SlotName: s.Name, Start: s.Start, Plays: s.Count, Device: d.ID, Version: max(d.PlanVersion, d.WantVersion),
			})
			break
		}
	}
	return at, nil
}

// plays reports whether s sounds the clip with that hash.
func (q *programmed) plays(s schedules.Slot, sha string, by []fleet.Replacement) bool {
	return slices.ContainsFunc(s.Clips, func(ref string) bool {
		c, ok := q.known[ref]
		return ok && q.replaced(c, s, by).SHA256 == sha
	})
}

// Fits says what a longer clip breaks in the slots of the one it replaces: the
// interval between plays, the daily budget, quiet hours; nil where nothing.
func (p *Planner) Fits(ctx context.Context, r fleet.Replacement, now time.Time) ([]Problem, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	q, err := p.programmed(ctx, now)
	if err != nil {
		return nil, err
	}
	next := q.known[r.New]
	if next.Duration() <= q.known[r.Old].Duration() {
		return nil, nil
	}
	before, after := map[string]time.Duration{}, map[string]time.Duration{}
	for ref, c := range q.known {
		before[ref], after[ref] = c.Duration(), c.Duration()
		if c.SHA256 == r.Old {
			after[ref] = next.Duration()
		}
	}
	points := make([]schedules.Point, 0, len(q.points))
	for _, pt := range q.points {
		points = append(points, q.views[pt.ID])
	}
	day, err := schedules.ParseDate(string(r.From))
	if err != nil {
		return nil, fmt.Errorf("replacement from %q: %w", r.From, err)
	}
	known := map[string]bool{}
	for _, e := range q.compiler.CheckSound(points, day, checkDays, before) {
		known[e.Text("en")] = true
	}
	var problems []Problem
	for _, e := range q.compiler.CheckSound(points, day, checkDays, after) {
		if !known[e.Text("en")] && e.Rule != schedules.RuleUnknownClip {
			problems = append(problems, fromErrors(schedules.Errors{e}, true)...)
		}
	}
	return problems, nil
}

// Sounding returns the slots that start at from or later, on the given number of
// days beginning with today, in the order of their starts.
func (p *Planner) Sounding(ctx context.Context, days int, from, now time.Time) ([]fleet.Sounding, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	q, err := p.programmed(ctx, now)
	if err != nil {
		return nil, err
	}
	type at struct {
		key   string
		start int64
	}
	found := map[at]*fleet.Sounding{}
	var list []*fleet.Sounding
	for _, pt := range q.points {
		for _, s := range q.slots(pt, schedules.DateOf(now, q.zone), days, from, now) {
			k := at{slotKey(s), s.Start.Unix()}
			f := found[k]
			if f == nil {
				f = &fleet.Sounding{Key: k.key, Programme: q.names[s.Programme], Name: s.Name, Day: fleet.Day(s.Date.String()), Start: s.Start}
				for _, ref := range s.Clips {
					if c := q.replaced(q.known[ref], s, q.replacements); c.SHA256 != "" && !slices.Contains(f.Clips, c.SHA256) {
						f.Clips = append(f.Clips, c.SHA256)
					}
				}
				found[k] = f
				list = append(list, f)
			}
			f.Points++
		}
	}
	slices.SortStableFunc(list, func(a, b *fleet.Sounding) int { return a.Start.Compare(b.Start) })
	sounding := make([]fleet.Sounding, 0, len(list))
	for _, f := range list {
		sounding = append(sounding, *f)
	}
	return sounding, nil
}
