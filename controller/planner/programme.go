package planner

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"gatecast/controller/fleet"
	"gatecast/schedules"
)

// Problem is one thing that is wrong or noteworthy in a programme, in the
// reader's language.
type Problem struct {
	Line     int    // from 1; 0 where there is none
	Key      string // path of the key
	Text     string
	TextEN   string
	Blocking bool // the programme cannot be activated
}

// Upload checks a programme and stores it as the next draft of its id. What
// breaks a rule of the language or selects no point is refused, with every
// problem named, and nothing is stored. A missing clip is a problem too, and
// so is one that nobody has signed off, but both can be mended before
// activation.
func (p *Planner) Upload(ctx context.Context, file string, yaml []byte, by string, now time.Time) (fleet.Programme, []Problem, error) {
	parsed, problems, err := p.Check(ctx, file, yaml, now)
	if err != nil {
		return fleet.Programme{}, nil, err
	}
	if parsed == nil {
		return fleet.Programme{}, problems, nil
	}
	id, err := p.o.Content.AddProgramme(ctx, fleet.Programme{
		Code: parsed.ID, Name: parsed.Name, YAML: yaml, State: fleet.Draft, Uploaded: now, By: by,
	})
	if err != nil {
		return fleet.Programme{}, nil, fmt.Errorf("storing programme %q: %w", parsed.ID, err)
	}
	stored, err := p.o.Content.Programme(ctx, id)
	return stored, problems, err
}

// Check parses yaml and compares it with the registry and the clip library.
// The programme is nil when a problem forbids even to store it.
func (p *Planner) Check(ctx context.Context, file string, yaml []byte, now time.Time) (*schedules.Programme, []Problem, error) {
	parsed, err := schedules.Parse(file, yaml)
	if err != nil {
		var list schedules.Errors
		if !errors.As(err, &list) {
			return nil, nil, fmt.Errorf("parsing programme: %w", err)
		}
		return nil, fromErrors(list, true), nil
	}
	w, err := p.load(ctx, now)
	if err != nil {
		return nil, nil, err
	}
	if strings.HasPrefix(parsed.ID, officeProgramme) {
		return nil, []Problem{{
			Key: "id", Blocking: true,
			Text:   "编号 “" + parsed.ID + "” 留给办公室日历，请换一个",
			TextEN: "id " + strconv.Quote(parsed.ID) + " belongs to the office's calendar: choose another",
		}}, nil
	}
	points := w.listed()
	if dead := parsed.CheckTargets(points); len(dead) > 0 {
		return nil, fromErrors(dead, true), nil
	}
	if parsed.Demo && !p.o.Demo {
		return nil, []Problem{{
			Key: "demo", Blocking: true,
			Text:   "demo: true 会跳过全部静默规则，只能在演示模式下使用；正式计划请删去这一行",
			TextEN: "demo: true skips every quiet rule and is accepted only in demo mode: remove the line for real use",
		}}, nil
	}
	problems := fromErrors(parsed.Warnings(), false)
	problems = append(problems, p.clipProblems(parsed, w, now)...)
	more, err := p.together(ctx, parsed, w, points, now)
	return parsed, append(problems, more...), err
}

// checkDays is how far ahead a programme is compared with the others.
const checkDays = 14

// together compares a programme with the others in force: overlaps, and
// days on which a point would sound longer than its budget.
func (p *Planner) together(ctx context.Context, parsed *schedules.Programme, w *world, points []schedules.Point, now time.Time) ([]Problem, error) {
	active, err := p.o.Content.ActiveProgrammes(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading active programmes: %w", err)
	}
	others, _, err := parse(active)
	if err != nil {
		return nil, err
	}
	all := []*schedules.Programme{parsed}
	for _, q := range others {
		if q.ID != parsed.ID {
			all = append(all, q)
		}
	}
	compiler, err := p.compiler(w, all, now)
	if err != nil {
		return nil, err
	}
	lengths := make(map[string]time.Duration, len(w.clips))
	for ref, c := range w.clips {
		lengths[ref] = c.Duration()
	}
	today := schedules.DateOf(now, p.zone(all))
	var problems []Problem
	for _, e := range compiler.CheckSound(points, today, checkDays, lengths) {
		if e.Rule != schedules.RuleUnknownClip { // named above, with the way out
			problems = append(problems, fromErrors(schedules.Errors{e}, true)...)
		}
	}
	for _, c := range compiler.Conflicts(points, today, checkDays) {
		problems = append(problems, Problem{Text: c.Text("zh"), TextEN: c.Text("en")})
	}
	outside, err := p.beyond(ctx, parsed, compiler, w, points, today)
	if err != nil {
		return nil, err
	}
	problems = append(problems, outside...)
	return append(problems, fromErrors(compiler.Warnings(today, p.o.HorizonDays), false)...), nil
}

func fromErrors(list schedules.Errors, blocking bool) []Problem {
	problems := make([]Problem, 0, len(list))
	for _, e := range list {
		problems = append(problems, Problem{
			Line: e.Line, Key: e.Key, Text: e.Text("zh"), TextEN: e.Text("en"), Blocking: blocking,
		})
	}
	return problems
}

// Change is what an activation would do or did.
type Change struct {
	Programme fleet.Programme
	Summary
	Added, Removed, Kept int // future slots owed, against the programmes in force
	Altered              int // of Kept: other times, plays or silence than before
}

// WhatIf computes what Activate would change, and changes nothing.
func (p *Planner) WhatIf(ctx context.Context, id fleet.ProgrammeID, now time.Time) (Change, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	prog, old, active, err := p.candidate(ctx, id, now)
	if err != nil {
		return Change{}, err
	}
	w, err := p.load(ctx, now)
	if err != nil {
		return Change{}, err
	}
	before, _, err := p.compile(ctx, w, old, now)
	if err != nil {
		return Change{}, err
	}
	after, sum, err := p.compile(ctx, w, active, now)
	if err != nil {
		return Change{}, err
	}
	c := Change{Programme: prog, Summary: sum}
	had := map[owedKey]fleet.Obligation{}
	for _, pp := range before {
		for _, o := range pp.owed {
			had[owedKey{o.Point, o.Slot}] = o
		}
	}
	for _, pp := range after {
		if pp.plan != nil {
			same, err := p.sameAsWanted(ctx, pp)
			if err != nil {
				return Change{}, err
			}
			if !same {
				c.Devices++
			}
		}
		for _, o := range pp.owed {
			key := owedKey{o.Point, o.Slot}
			old, ok := had[key]
			if !ok {
				c.Added++
				continue
			}
			c.Kept++
			if old.Version = o.Version; old != o {
				c.Altered++
			}
			delete(had, key)
		}
	}
	c.Removed = len(had)
	return c, nil
}

// Activate puts a stored version in force in place of the version of the same
// programme that was, and delivers what follows from it. A version that cannot
// be compiled, e.g. for a missing clip, is refused and the old one stays.
func (p *Planner) Activate(ctx context.Context, id fleet.ProgrammeID, now time.Time) (Change, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	prog, _, active, err := p.candidate(ctx, id, now)
	if err != nil {
		return Change{}, err
	}
	w, err := p.load(ctx, now)
	if err != nil {
		return Change{}, err
	}
	before := fleet.WithoutAudit(ctx) // a line that ctx carries is of the activation
	if err := p.finish(before, w, now); err != nil {
		return Change{}, err
	}
	plans, sum, err := p.compile(before, w, active, now)
	if err != nil {
		return Change{}, err
	}
	if err := p.o.Content.ActivateProgramme(ctx, id, now); err != nil {
		return Change{}, fmt.Errorf("activating programme %q: %w", prog.Code, err)
	}
	sum, err = p.carryOut(ctx, w, active, plans, sum, now)
	if err != nil {
		p.Poke() // the programme is in force: Run goes on trying to deliver it
		return Change{}, err
	}
	return Change{Programme: prog, Summary: sum}, nil
}

// candidate returns the programme, the active set and the active set with it
// in place of its other versions, after the checks that activation demands.
func (p *Planner) candidate(ctx context.Context, id fleet.ProgrammeID, now time.Time) (prog fleet.Programme, old, active []fleet.Programme, err error) {
	if prog, err = p.o.Content.Programme(ctx, id); err != nil {
		return prog, nil, nil, err
	}
	_, problems, err := p.Check(ctx, prog.Name, prog.YAML, now)
	if err != nil {
		return prog, nil, nil, err
	}
	for _, pr := range problems {
		if pr.Blocking {
			return prog, nil, nil, &fleet.Error{Code: fleet.Invalid, Text: pr.Text, TextEN: pr.TextEN}
		}
	}
	if old, err = p.o.Content.ActiveProgrammes(ctx); err != nil {
		return prog, nil, nil, fmt.Errorf("reading active programmes: %w", err)
	}
	for _, a := range old {
		if a.Code != prog.Code {
			active = append(active, a)
		}
	}
	return prog, old, append(active, prog), nil
}

// Preview returns the slots that yaml alone, with the office's calendar, would
// put at the given points, silenced ones included, ordered by start. Points without a device are shown
// too: a preview is about the programme.
func (p *Planner) Preview(ctx context.Context, file string, yaml []byte, points []fleet.PointID, from schedules.Date, days int, now time.Time) (map[fleet.PointID][]schedules.Slot, []Problem, error) {
	parsed, problems, err := p.Check(ctx, file, yaml, now)
	if err != nil || parsed == nil {
		return nil, problems, err
	}
	w, err := p.load(ctx, now)
	if err != nil {
		return nil, nil, err
	}
	compiler, err := p.compiler(w, []*schedules.Programme{parsed}, now)
	if err != nil {
		return nil, nil, err
	}
	rows := make(map[fleet.PointID][]schedules.Slot, len(points))
	for _, id := range points {
		view, ok := w.views[id]
		if !ok {
			continue
		}
		slots := compiler.Slots(view, from, days)
		sortSlots(slots)
		rows[id] = slots
	}
	return rows, problems, nil
}
