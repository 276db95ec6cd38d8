package schedules

import (
	"slices"
	"strconv"
	"time"
)

// CheckSound compares the slots of points on these days with the lengths of
// their clips, by the reference that the programmes use. It reports clips that
// are unknown, clips longer than the interval between plays, a last play that
// sounds into a quiet rule or into the next slot, and days on which a point
// sounds longer than its budget. The budget of a point is the largest of the
// programmes that sound there that day; no day may exceed MaxBudget. Programmes
// with demo: true are exempt from budget and quiet rules. Each finding is
// reported once, with the first date and point that shows it.
func (c *Compiler) CheckSound(points []Point, from Date, days int, durations map[string]time.Duration) Errors {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := &soundCheck{c: c, durations: durations, seen: make(map[string]bool)}
	for _, p := range c.programmes {
		s.clips(p)
	}
	for _, g := range c.group(points) {
		for n := range days {
			s.day(g, from.AddDays(n))
		}
	}
	return s.errs
}

// soundCheck gathers what CheckSound finds.
type soundCheck struct {
	c         *Compiler
	durations map[string]time.Duration
	seen      map[string]bool
	errs      Errors
}

// once adds an error unless one with the same rule and subject is there.
func (s *soundCheck) once(p *compiled, key string, rule Rule, subject string, args ...any) {
	id := string(rule) + " " + subject
	if !s.seen[id] {
		s.seen[id] = true
		s.errs = append(s.errs, p.errorAt(key, rule, args...))
	}
}

// clips checks each clip of p against the intervals in which it is played.
func (s *soundCheck) clips(p *compiled) {
	for i, at := range slotLabels(p.Slots) {
		windows := []Pattern{p.Slots[i].Pattern}
		for _, o := range p.Slots[i].Overrides {
			windows = append(windows, p.Slots[i].Pattern.with(o.Pattern))
		}
		for _, w := range windows {
			for _, ref := range w.Playlist {
				length, known := s.durations[ref]
				subject := p.ID + " " + p.Slots[i].Key + " " + ref
				switch key := at + ".playlist[" + ref + "]"; {
				case !known:
					s.once(p, key, RuleUnknownClip, subject, ref)
				case length > w.every():
					s.once(p, key, RuleClipTooLong, subject, ref, length.Round(time.Millisecond), w.every())
				}
			}
		}
	}
}

// day checks what sounds at the points of g on d.
func (s *soundCheck) day(g *pointGroup, d Date) {
	var total, budget time.Duration
	slots := s.c.solve(g.kind, d)
	for _, slot := range slots {
		p := s.c.programme(slot.Programme)
		if slot.Silenced != nil {
			continue
		}
		end := slot.SoundsUntil(s.durations)
		if end.After(slot.End) {
			s.tail(g, slot, p, end)
		}
		if !p.Demo {
			sound, _ := slot.PlannedSound(s.durations)
			total += sound
			budget = max(budget, p.Budget())
		}
	}
	if total <= budget {
		return
	}
	for _, slot := range slots {
		if p := s.c.programme(slot.Programme); slot.Silenced == nil && !p.Demo {
			s.once(p, "daily_budget", RuleBudget, p.ID+" "+g.ids[0],
				d, g.ids[0], strconv.Itoa(len(g.ids)), total.Round(time.Second), budget)
			return
		}
	}
}

// tail checks the sound of slot after its end.
func (s *soundCheck) tail(g *pointGroup, slot Slot, p *compiled, end time.Time) {
	key := "slots[" + slot.Key + "]"
	local := func(t time.Time) string { return t.In(p.loc).Format("15:04:05") }
	subject := p.ID + " " + slot.Key
	if !p.Demo {
		late := slot
		late.End = end
		for _, a := range g.kind.slots {
			if a.p == p && a.s.Key == slot.Key {
				if by := a.silence(late, g.kind.rules); by != nil {
					s.once(p, key, RuleSoundsIntoRule, subject+" "+by.Rule, slot.Date, local(slot.Start), local(end), by)
				}
				break
			}
		}
	}
	near := slices.Concat(s.c.unsolved(g.kind, slot.Date), s.c.unsolved(g.kind, slot.Date.AddDays(1)))
	i := slices.IndexFunc(near, func(o Slot) bool {
		return o.Silenced == nil && !o.Start.Before(slot.End) && o.Start.Before(end)
	})
	if i >= 0 {
		s.once(p, key, RuleSoundsIntoNext, subject+" next", slot.Date, local(slot.Start), local(end), spoken{s.c, near[i]})
	}
}

// spoken is a slot as an argument of a rule's text.
type spoken struct {
	c *Compiler
	s Slot
}

// Text names the slot in lang.
func (s spoken) Text(lang string) string { return s.c.said(s.s, lang) }
