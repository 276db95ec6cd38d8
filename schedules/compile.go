package schedules

import (
	"cmp"
	"slices"
	"strconv"
	"sync"
	"time"
)

// maxCached bounds the slots that a Compiler keeps. At about 300 bytes each it
// is 30 MB, enough for 60 days of three slots for 500 different kinds of
// points; beyond that the cache starts over.
const maxCached = 100_000

// Compiler turns programmes into slots. Points that the same slots and rules
// apply to share the work. Safe for concurrent use.
type Compiler struct {
	programmes []*compiled // ordered by id; immutable after NewCompiler
	rules      []*datedRule
	cal        *Calendar

	mu     sync.Mutex
	kinds  map[string]*pointKind // by signature
	cached int                   // slots in kinds
}

// compiled is a programme with everything worked out that no point changes.
type compiled struct {
	*Programme
	loc     *time.Location
	targets matcher
	slots   []compiledSlot
	midday  *Silence
}

type compiledSlot struct {
	*SlotRule
	targets  *matcher
	variants map[DayType]*window // none on days when the slot is not owed
}

// datedRule is a quiet rule with the zone of the programme that holds it.
type datedRule struct {
	*QuietRule
	loc     *time.Location
	targets *matcher // nil: every point
	said    *Silence
}

// pointKind is a set of points that everything applies to alike.
type pointKind struct {
	slots  []activeSlot
	rules  []*datedRule
	mixed  bool            // slots of more than one zone
	raw    map[Date][]Slot // quiet rules applied
	solved map[Date][]Slot // overlaps too
}

type activeSlot struct {
	p      *compiled
	s      *compiledSlot
	midday bool
}

// NewCompiler prepares programmes, which together are everything that may sound
// at a point, and their quiet rules. A nil cal means DefaultCalendar. Neither
// the programmes nor cal may change afterwards. Every programme is checked
// again; the error is of type Errors. Two programmes with one id are an error.
func NewCompiler(programmes []*Programme, cal *Calendar) (*Compiler, error) {
	if cal == nil {
		cal = DefaultCalendar()
	}
	c := &Compiler{cal: cal, kinds: make(map[string]*pointKind)}
	var errs Errors
	seen := make(map[string]bool)
	for _, p := range programmes {
		if p == nil {
			errs = append(errs, &Error{Rule: RuleNoProgramme})
			continue
		}
		check := &checker{p: p}
		check.programme()
		if errs = append(errs, check.errs...); len(check.errs) > 0 {
			continue
		}
		if seen[p.ID] {
			errs = append(errs, p.errorAt("id", RuleSameProgramme, p.ID))
		}
		seen[p.ID] = true
		c.add(p)
	}
	if len(errs) > 0 {
		return nil, errs
	}
	slices.SortFunc(c.programmes, func(a, b *compiled) int { return cmp.Compare(a.ID, b.ID) })
	slices.SortStableFunc(c.rules, func(a, b *datedRule) int { return cmp.Compare(a.ID, b.ID) })
	return c, nil
}

// add works p out. p has passed the checker.
func (c *Compiler) add(p *Programme) {
	loc, err := location(p.Zone)
	if err != nil {
		panic("zone of a checked programme: " + err.Error())
	}
	cp := &compiled{Programme: p, loc: loc, targets: newMatcher(&p.Targets), midday: middaySilence(p.Quiet.Midday)}
	for i := range p.Slots {
		s := &p.Slots[i]
		cs := compiledSlot{SlotRule: s, variants: make(map[DayType]*window)}
		if s.Targets != nil {
			m := newMatcher(s.Targets)
			cs.targets = &m
		}
		for _, t := range DayTypes() {
			if pattern, owed := s.variant(t); owed {
				w, err := newWindow(pattern)
				if err != nil {
					panic("window of a checked programme: " + err.Error())
				}
				cs.variants[t] = w
			}
		}
		cp.slots = append(cp.slots, cs)
	}
	c.programmes = append(c.programmes, cp)
	for i := range p.Quiet.Dated {
		r := &datedRule{QuietRule: &p.Quiet.Dated[i], loc: loc, said: p.Quiet.Dated[i].silence()}
		if r.QuietRule.Targets != nil {
			m := newMatcher(r.QuietRule.Targets)
			r.targets = &m
		}
		c.rules = append(c.rules, r)
	}
}

// Slots returns what p is owed on the given number of days, beginning with
// from: every slot, also those that are silenced, ordered by start. Dates are
// local dates of each programme's zone. The slice is the caller's; what the
// slots point to (Clips, Silenced) is shared and must not be changed.
func (c *Compiler) Slots(p Point, from Date, days int) []Slot {
	c.mu.Lock()
	defer c.mu.Unlock()
	k := c.kindOf(p)
	size := 0
	for n := range days {
		size += len(c.solve(k, from.AddDays(n)))
	}
	out := make([]Slot, 0, size)
	for n := range days {
		out = append(out, c.solve(k, from.AddDays(n))...)
	}
	sortSlots(out)
	return out
}

// bySlotStart orders slots of one point. It decides too which of two
// overlapping slots yields.
func bySlotStart(a, b Slot) int {
	return cmp.Or(a.Start.Compare(b.Start), cmp.Compare(a.Programme, b.Programme), cmp.Compare(a.Key, b.Key), cmp.Compare(a.ID, b.ID))
}

// sortSlots orders the slots of several days, each in order. Only zones mixed at
// one point disorder them.
func sortSlots(slots []Slot) {
	if !slices.IsSortedFunc(slots, bySlotStart) {
		slices.SortFunc(slots, bySlotStart)
	}
}

// kindOf returns what applies to p. c.mu is held.
func (c *Compiler) kindOf(p Point) *pointKind {
	k := new(pointKind)
	var signature []byte
	sign := func(yes bool) bool {
		bit := byte('0')
		if yes {
			bit = '1'
		}
		signature = append(signature, bit)
		return yes
	}
	for _, cp := range c.programmes {
		if !sign(cp.targets.matches(p)) {
			continue
		}
		midday := sign(!slices.Contains(cp.Quiet.Midday.OffFor, p.Kind))
		for i := range cp.slots {
			if s := &cp.slots[i]; sign(s.targets == nil || s.targets.matches(p)) {
				k.slots = append(k.slots, activeSlot{cp, s, midday})
				k.mixed = k.mixed || cp.Zone != k.slots[0].p.Zone
			}
		}
	}
	for _, r := range c.rules {
		if sign(r.targets == nil || r.targets.matches(p)) {
			k.rules = append(k.rules, r)
		}
	}
	if known, ok := c.kinds[string(signature)]; ok && c.cached < maxCached {
		return known
	}
	if c.cached >= maxCached {
		clear(c.kinds)
		c.cached = 0
	}
	k.raw, k.solved = make(map[Date][]Slot), make(map[Date][]Slot)
	c.kinds[string(signature)] = k
	return k
}

// unsolved returns the slots of k on d with the quiet rules applied, ordered by
// start.
func (c *Compiler) unsolved(k *pointKind, d Date) []Slot {
	if slots, done := k.raw[d]; done {
		return slots
	}
	dayType, known := c.cal.DayType(d)
	var out []Slot
	for _, a := range k.slots {
		if w := a.s.variants[dayType]; w != nil && a.p.ValidOn(d) {
			for _, slot := range a.on(d, w) {
				slot.DayType, slot.Assumed = dayType, !known
				if !a.p.Demo {
					slot.Silenced = a.silence(slot, k.rules)
					slot.lower(k.rules)
				}
				out = append(out, slot)
			}
		}
	}
	slices.SortFunc(out, bySlotStart)
	k.raw[d] = out
	c.cached += len(out)
	return out
}

// on returns the slots that w makes on d. A start in a gap of the clock happens
// at the first valid instant; a start that thereby meets another start of the
// slot is one with it, and one that thereby leaves d does not happen.
func (a activeSlot) on(d Date, w *window) []Slot {
	var out []Slot
	for n, tod := range w.start.on(d) {
		at := firstInstant(tod.on(d), a.p.loc).UTC()
		if DateOf(at, a.p.loc) != d || len(out) > 0 && out[len(out)-1].Start.Equal(at) {
			continue
		}
		id := d.String() + "." + a.p.ID + "." + a.s.Key
		if n > 0 {
			id += "." + strconv.Itoa(n+1)
		}
		out = append(out, Slot{
			ID:        id,
			Programme: a.p.ID,
			Key:       a.s.Key,
			Name:      a.s.Name,
			Date:      d,
			Start:     at,
			End:       at.Add(time.Duration(w.length)),
			Every:     w.every(),
			Count:     w.count(),
			Clips:     w.Playlist,
			Gain:      w.gain(),
			Grace:     w.lateness(),
		})
	}
	return out
}

// silence returns what silences s: night, then midday rest, then the dated
// rules by id; nil if it sounds.
func (a activeSlot) silence(s Slot, rules []*datedRule) *Silence {
	if night.holdsAround(s.Start, s.End, a.p.loc) {
		return nightSilence()
	}
	if a.midday && a.p.Quiet.Midday.times().holdsAround(s.Start, s.End, a.p.loc) {
		return a.p.midday
	}
	for _, r := range rules {
		if r.GainDB == 0 && r.holds(s.Start, s.End, r.loc) {
			return r.said
		}
	}
	return nil
}

// lower has s sound lower by the rule that demands most, once: rules of 限音
// do not add up.
func (s *Slot) lower(rules []*datedRule) {
	var by *datedRule
	for _, r := range rules {
		if s.Silenced == nil && r.GainDB < 0 && (by == nil || r.GainDB < by.GainDB) && r.holds(s.Start, s.End, r.loc) {
			by = r
		}
	}
	if by != nil {
		s.Gain, s.Lowered = max(minGainDB, s.Gain+by.GainDB), by.said
	}
}

// QuietAt returns every quiet rule that holds at p at some moment of
// [start, end), the night first, then midday rest, then dated rules that silence,
// by id; rules that only lower are left out. Night and midday rest are those of
// loc. Midday rest is that of the programmes that p belongs to, the default one
// for a point of none. It answers for what is not a slot: whoever has something
// sound by hand is to know what it would break.
func (c *Compiler) QuietAt(p Point, start, end time.Time, loc *time.Location) []*Silence {
	var found []*Silence
	if night.holdsAround(start, end, loc) {
		found = append(found, nightSilence())
	}
	rest := p.Kind == KindGate
	midday := Midday{}
	for i, cp := range c.programmes {
		if !cp.targets.matches(p) || len(cp.slots) == 0 {
			continue
		}
		if on := !slices.Contains(cp.Quiet.Midday.OffFor, p.Kind); on || i == 0 {
			rest, midday = on, cp.Quiet.Midday
		}
		if rest {
			break
		}
	}
	if rest && midday.times().holdsAround(start, end, loc) {
		found = append(found, middaySilence(midday))
	}
	for _, r := range c.rules {
		if r.GainDB == 0 && (r.targets == nil || r.targets.matches(p)) && r.holds(start, end, r.loc) {
			found = append(found, r.said)
		}
	}
	return found
}

// Warnings returns what the result for these days rests on without knowing:
// each year that the calendar lacks, once.
func (c *Compiler) Warnings(from Date, days int) Errors {
	var out Errors
	for y := from.Year; days > 0 && y <= from.AddDays(days-1).Year; y++ {
		if !slices.Contains(c.cal.Years(), y) {
			out = append(out, &Error{Rule: RuleYearUnknown, Args: []any{strconv.Itoa(y)}})
		}
	}
	return out
}
