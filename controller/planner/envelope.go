package planner

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"gatecast/internal/wire"
	"gatecast/schedules"
)

// hourSlack is what devices leave between the plays that they count and an
// hour.
const hourSlack = time.Second

// ceilings are those that devices obey: in strict mode what the approver
// signed, otherwise what the controller signs.
func (p *Planner) ceilings(ctx context.Context) (wire.Ceilings, error) {
	if !p.o.Sealer.Strict() {
		return p.o.Ceilings, nil
	}
	held, env, err := p.heldManifest(ctx)
	if err != nil || env == nil {
		return p.o.Ceilings, err
	}
	return held.Ceilings, nil
}

// beyond reports what of a programme lies outside the ceilings. Each finding is
// told once, with the first day and point that shows it. What no device would
// play forbids to activate the programme; what devices only turn down is said.
func (p *Planner) beyond(ctx context.Context, parsed *schedules.Programme, compiler *schedules.Compiler, w *world, points []schedules.Point, today schedules.Date) ([]Problem, error) {
	c, err := p.ceilings(ctx)
	if err != nil {
		return nil, err
	}
	zone, err := time.LoadLocation(c.Zone)
	if err != nil {
		return nil, fmt.Errorf("zone of the ceilings: %w", err)
	}
	e := envelope{c: c, zone: zone, w: w, seen: map[string]bool{}}
	for _, alike := range compiler.Alike(points) {
		slots := compiler.Slots(alike[0], today, checkDays)
		if !slices.ContainsFunc(slots, func(s schedules.Slot) bool { return s.Programme == parsed.ID }) {
			continue
		}
		e.look(parsed, alike[0], slots)
	}
	return e.problems, nil
}

// envelope gathers what lies outside the ceilings.
type envelope struct {
	c        wire.Ceilings
	zone     *time.Location
	w        *world
	seen     map[string]bool
	problems []Problem
}

func (e *envelope) once(kind, key, field, zh, en string) {
	if at := kind + " " + key; !e.seen[at] {
		e.seen[at] = true
		e.problems = append(e.problems, Problem{Key: "slots[" + key + "]." + field, Text: zh, TextEN: en, Blocking: true})
	}
}

// look checks every play of a point's slots.
func (e *envelope) look(parsed *schedules.Programme, pt schedules.Point, slots []schedules.Slot) {
	type start struct {
		at   time.Time
		slot *schedules.Slot
	}
	var starts []start
	for i := range slots {
		s := &slots[i]
		if s.Silenced != nil {
			continue
		}
		for k := range s.Count {
			starts = append(starts, start{s.PlayAt(k), s})
			if s.Programme == parsed.ID {
				e.play(s, k)
			}
		}
	}
	slices.SortStableFunc(starts, func(a, b start) int { return a.at.Compare(b.at) })
	limit := e.c.MaxPlaysPerHour
	for i := 0; limit > 0 && i+limit < len(starts); i++ {
		if starts[i+limit].at.Sub(starts[i].at) >= time.Hour-hourSlack {
			continue
		}
		for _, one := range starts[i : i+limit+1] {
			if one.slot.Programme == parsed.ID {
				from := starts[i].at.In(e.zone).Format("2006-01-02 15:04")
				e.once("hour", one.slot.Key, "max_plays",
					fmt.Sprintf("%s 在 %s 起的一小时里要播 %d 次以上，签署的上限是每小时 %d 次，多出的设备不会播；请减少次数或拉长间隔", pt.Name, from, limit+1, limit),
					fmt.Sprintf("%s would play more than %d times in the hour from %s, and the signed envelope allows %d: devices would leave out the rest. Play less often", pt.Name, limit, from, limit))
				break
			}
		}
	}
}

// play checks one play of s.
func (e *envelope) play(s *schedules.Slot, k int) {
	at := s.PlayAt(k)
	clip, known := e.w.known[s.Clip(k)]
	length := time.Duration(0)
	if known {
		length = clip.Duration()
	}
	if !e.c.Allows(e.zone, at, at.Add(max(length, time.Second))) {
		local := at.In(e.zone)
		e.once("hours", s.Key, "start",
			fmt.Sprintf("%s %s 的“%s”有一次在 %s 播，超出签署的允许时段 %s，设备不会播；请改时间", s.Date, s.Name, s.Clip(k), local.Format("15:04"), windowsText(e.c.Allowed)),
			fmt.Sprintf("on %s the slot %s plays %q at %s, outside the hours that are signed (%s): devices would not play it. Move the slot", s.Date, s.Name, s.Clip(k), local.Format("15:04"), windowsText(e.c.Allowed)))
	}
	if !known {
		return
	}
	if limit := time.Duration(e.c.MaxClipS) * time.Second; length > limit {
		e.once("length "+clip.Name, s.Key, "playlist",
			fmt.Sprintf("素材“%s”长 %s，签署的上限是 %s，设备不会播；请剪短或换一个", clip.Title, length.Round(time.Second), limit),
			fmt.Sprintf("clip %q lasts %s, and the signed envelope allows %s: devices would not play it. Cut it or choose another", clip.Name, length.Round(time.Second), limit))
	}
	if gain := clip.GainDB + s.Gain; gain > e.c.MaxGainDB+1e-9 && !math.IsInf(gain, 0) {
		n := len(e.problems)
		e.once("gain "+clip.Name, s.Key, "gain_db",
			fmt.Sprintf("素材“%s”要放大 %.1f dB，签署的上限是 %.1f dB，设备会压低到上限播；请重新录得响一些，或在时段里写 gain_db: %.1f", clip.Title, gain, e.c.MaxGainDB, s.Gain-(gain-e.c.MaxGainDB)),
			fmt.Sprintf("clip %q needs %.1f dB of gain, and the signed envelope allows %.1f: devices turn it down to that. Record it louder, or write gain_db: %.1f in the slot", clip.Name, gain, e.c.MaxGainDB, s.Gain-(gain-e.c.MaxGainDB)))
		for ; n < len(e.problems); n++ {
			e.problems[n].Blocking = false // it sounds, and not louder than is signed
		}
	}
}

// windowsText lists daily windows as 06:00–22:00.
func windowsText(list []wire.DailyWindow) string {
	text := ""
	for i, w := range list {
		if i > 0 {
			text += ", "
		}
		text += fmt.Sprintf("%02d:%02d–%02d:%02d", w.FirstMin/60, w.FirstMin%60, w.LastMin/60, w.LastMin%60)
	}
	return text
}

// effectDays is how far ahead the change of a programme is shown slot by slot.
const effectDays = 31

// ProgrammeEffect computes what putting a programme in force would change in
// the coming month, slot by slot, and changes nothing. It is nil where the
// problems forbid even to store the programme.
func (p *Planner) ProgrammeEffect(ctx context.Context, file string, yaml []byte, now time.Time) (*Effect, []Problem, error) {
	parsed, problems, err := p.Check(ctx, file, yaml, now)
	if err != nil || parsed == nil {
		return nil, problems, err
	}
	w, err := p.load(ctx, now)
	if err != nil {
		return nil, nil, err
	}
	active, err := p.activeParsed(ctx)
	if err != nil {
		return nil, nil, err
	}
	before, err := p.compiler(w, active, now)
	if err != nil {
		return nil, nil, err
	}
	next := []*schedules.Programme{parsed}
	for _, q := range active {
		if q.ID != parsed.ID {
			next = append(next, q)
		}
	}
	after, err := p.compiler(w, next, now)
	if err != nil {
		return nil, nil, err
	}
	from := schedules.DateOf(now, w.office)
	eff := &Effect{From: from, To: from.AddDays(effectDays - 1)}
	for _, c := range schedules.Changes(before, after, w.owing(now), from, effectDays) {
		if c.Slot().Start.After(now) {
			eff.Changes = append(eff.Changes, c)
		}
	}
	w.reach(eff)
	return eff, problems, nil
}

// owing are the points that owe something, as targets see them.
func (w *world) owing(now time.Time) []schedules.Point {
	var points []schedules.Point
	for _, pt := range w.points {
		if _, owes := owedFrom(pt, now); owes {
			points = append(points, w.views[pt.ID])
		}
	}
	return points
}
