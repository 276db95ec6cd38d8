package schedules

import (
	"slices"
	"strconv"
)

// solve returns the slots of k on d, with those silenced that overlap an
// earlier one. Of two slots that share a moment the one that begins later
// yields; of two that begin together the one whose programme id, then key,
// comes later in the alphabet. A slot under a quiet rule makes nobody yield.
// Whether a slot yields depends on its neighbours alone, not on what they yield
// to, so the answer is the same whichever days are asked for.
func (c *Compiler) solve(k *pointKind, d Date) []Slot {
	if slots, done := k.solved[d]; done {
		return slots
	}
	out := slices.Clone(c.unsolved(k, d))
	for i, by := range c.yields(k, d) {
		if by != nil {
			out[i].Silenced = c.overlapSilence(*by)
		}
	}
	k.solved[d] = out
	c.cached += len(out)
	return out
}

// yields returns, for each of k's unsolved slots on d, the slot that it has to
// yield to, nil for one that is free or silenced anyway. Of several it names the
// one that lasts longest.
func (c *Compiler) yields(k *pointKind, d Date) []*Slot {
	out := make([]*Slot, 0, len(c.unsolved(k, d)))
	var longest *Slot // of those that begin earlier and are not under a quiet rule
	near := c.near(k, d)
	for i := range near {
		s := &near[i]
		var by *Slot
		if s.Silenced == nil && longest != nil && longest.End.After(s.Start) {
			by = longest
		}
		if s.Date == d {
			out = append(out, by)
		}
		if s.Silenced == nil && (longest == nil || s.End.After(longest.End)) {
			longest = s
		}
	}
	return out
}

// near returns k's slots on d and on the days around it that may reach into it,
// ordered by start. Windows last half a day at most; in one zone only the day
// before can matter, while one date in two zones may be two days apart.
func (c *Compiler) near(k *pointKind, d Date) []Slot {
	first, last := -1, 0
	if k.mixed {
		first, last = -2, 2
	}
	var out []Slot
	for n := first; n <= last; n++ {
		out = append(out, c.unsolved(k, d.AddDays(n))...)
	}
	sortSlots(out)
	return out
}

func (c *Compiler) programme(id string) *compiled {
	i := slices.IndexFunc(c.programmes, func(p *compiled) bool { return p.ID == id })
	return c.programmes[i]
}

// said returns how s is named to people: programme, slot and local times.
func (c *Compiler) said(s Slot, lang string) string {
	p := c.programme(s.Programme)
	span := s.Start.In(p.loc).Format("15:04") + "–" + s.End.In(p.loc).Format("15:04")
	if lang == "en" {
		return strconv.Quote(p.Name) + " " + s.Name + " " + span
	}
	return "《" + p.Name + "》" + s.Name + " " + span
}

func (c *Compiler) overlapSilence(by Slot) *Silence {
	return &Silence{
		Rule:    SilenceOverlap,
		Text:    "与" + c.said(by, "zh") + " 重叠，让位",
		English: "overlaps " + c.said(by, "en") + " and yields",
	}
}

// Conflict is a pair of slots that overlap at some points: First sounds, Second
// is silenced. It is for the office to resolve before a programme is activated.
type Conflict struct {
	First, Second Slot     // as on the first date
	Days          int      // on how many of the days asked for
	Points        []string // ids, in the order given
	zh, en        string
}

// Text returns one sentence that names both slots, for "zh" or "en".
func (c Conflict) Text(lang string) string {
	n, days := strconv.Itoa(len(c.Points)), strconv.Itoa(c.Days)
	if lang == "en" {
		return c.en + ": the later one is silenced at " + n + " point(s), " + c.Points[0] + " first, on " + days + " day(s) from " + c.Second.Date.String() + "; move one of them"
	}
	return c.zh + "：在 " + c.Points[0] + " 等 " + n + " 个点重叠，后者不响，自 " + c.Second.Date.String() + " 起共 " + days + " 天；请错开"
}

// Conflicts returns every pair of slots that overlap at any of the points on
// these days, one entry a pair, in the order of first meeting.
func (c *Compiler) Conflicts(points []Point, from Date, days int) []Conflict {
	c.mu.Lock()
	defer c.mu.Unlock()
	type pair struct{ p1, k1, p2, k2 string }
	type meeting struct {
		index int
		dates map[Date]bool
	}
	var out []Conflict
	found := make(map[pair]*meeting)
	for _, g := range c.group(points) {
		hit := make(map[pair]bool)
		for n := range days {
			d := from.AddDays(n)
			slots := c.unsolved(g.kind, d)
			for i, by := range c.yields(g.kind, d) {
				if by == nil {
					continue
				}
				s := slots[i]
				id := pair{by.Programme, by.Key, s.Programme, s.Key}
				m := found[id]
				if m == nil {
					m = &meeting{len(out), make(map[Date]bool)}
					found[id] = m
					out = append(out, Conflict{First: *by, Second: s,
						zh: c.said(*by, "zh") + " 与" + c.said(s, "zh"),
						en: c.said(*by, "en") + " and " + c.said(s, "en")})
				}
				m.dates[d] = true
				if !hit[id] {
					hit[id] = true
					out[m.index].Points = append(out[m.index].Points, g.ids...)
				}
				out[m.index].Days = len(m.dates)
			}
		}
	}
	return out
}

// pointGroup is the points of one kind.
type pointGroup struct {
	kind *pointKind
	ids  []string
}

// group sorts points by kind, in the order of each kind's first point. c.mu is
// held and stays so while the result is used, since a kind may be dropped.
func (c *Compiler) group(points []Point) []*pointGroup {
	var out []*pointGroup
	index := make(map[*pointKind]*pointGroup)
	for _, p := range points {
		k := c.kindOf(p)
		g := index[k]
		if g == nil {
			g = &pointGroup{kind: k}
			index[k] = g
			out = append(out, g)
		}
		g.ids = append(g.ids, p.ID)
	}
	return out
}
