package schedules

import (
	"reflect"
	"slices"
	"strconv"
	"time"
)

// slotLabels returns the key paths of slots.
func slotLabels(slots []SlotRule) []string {
	label := labeller("slots")
	out := make([]string, len(slots))
	for i, s := range slots {
		out[i] = label(s.Key)
	}
	return out
}

// overrideLabels returns the key paths of a slot's overrides.
func overrideLabels(at string, n int) []string {
	label := labeller(at + ".overrides")
	out := make([]string, n)
	for i := range out {
		out[i] = label("")
	}
	return out
}

func (c *checker) slots() {
	c.atMost("slots", len(c.p.Slots), maxSlots)
	seen := make(map[string]bool)
	all := make([][]placed, len(c.p.Slots))
	for i, at := range slotLabels(c.p.Slots) {
		s := &c.p.Slots[i]
		c.id(at, "key", s.Key)
		if s.Key != "" && seen[s.Key] {
			c.fail(at+".key", RuleRepeated, s.Key)
		}
		seen[s.Key] = true
		c.name(at, "name", s.Name, 20)
		c.dayTypes(at+".days", s.Days)
		if s.Targets != nil {
			c.targets(at+".targets", s.Targets)
		}
		c.need(at, "start", s.Start != "")
		c.need(at, "playlist", s.Playlist != nil)
		c.values(at, s.Pattern)
		c.overrides(at, s)
		all[i] = c.windows(at, s)
		for _, w := range all[i] {
			c.window(w, s)
		}
	}
	if len(all) <= maxSlots {
		c.clashes(all)
	}
}

func (c *checker) dayTypes(key string, days []DayType) {
	for i, t := range days {
		c.oneOf(key, string(t), []string{string(Workday), string(RestDay), string(Holiday), string(MakeUpWorkday)})
		if slices.Contains(days[:i], t) {
			c.fail(key, RuleRepeated, string(t))
		}
	}
}

// values checks each value of a pattern by itself.
func (c *checker) values(at string, p Pattern) {
	least := minEvery
	if c.p.Demo {
		least = minDemoEvery
	}
	if p.Every != 0 {
		c.durationIn(at+".every", p.Every, least, maxWindow)
	}
	if p.Duration != 0 {
		c.durationIn(at+".duration", p.Duration, minDemoEvery, maxWindow)
	}
	if p.Until < 0 || p.Until > dayLength || p.Until%TimeOfDay(time.Second) != 0 {
		c.fail(at+".until", RuleRange, p.Until, "00:01", "24:00")
	}
	if p.MaxPlays < 0 || p.MaxPlays > maxPlays {
		c.fail(at+".max_plays", RuleRange, strconv.Itoa(p.MaxPlays), "1", strconv.Itoa(maxPlays))
	}
	c.atMost(at+".playlist", len(p.Playlist), maxPlaylist)
	for _, ref := range p.Playlist {
		if !clipName.MatchString(ref) && !clipHash.MatchString(ref) && (ref != "" || !c.bad[at+".playlist"]) {
			c.fail(at+".playlist["+ref+"]", RuleClip, shorten(ref))
		}
	}
	if p.Playlist != nil && len(p.Playlist) == 0 {
		c.fail(at+".playlist", RuleEmptyList)
	}
	if g := p.gain(); !(g >= minGainDB && g <= 0) {
		c.fail(at+".gain_db", RuleRange, strconv.FormatFloat(g, 'g', -1, 64), strconv.Itoa(minGainDB), "0")
	}
	if p.Grace != nil {
		c.durationIn(at+".grace", *p.Grace, 0, maxGrace)
	}
	c.words(at+".reason", p.Reason, 200)
}

func (c *checker) overrides(at string, s *SlotRule) {
	c.atMost(at+".overrides", len(s.Overrides), maxOverrides)
	var taken []DayType
	for i, key := range overrideLabels(at, len(s.Overrides)) {
		o := s.Overrides[i]
		c.need(key, "days", len(o.Days) > 0)
		c.dayTypes(key+".days", o.Days)
		for _, t := range o.Days {
			if s.Days != nil && !slices.Contains(s.Days, t) && c.good(at, "days") {
				c.fail(key+".days", RuleOverrideDays, t)
			}
			if slices.Contains(taken, t) {
				c.fail(key+".days", RuleOverrideTwice, t)
			}
		}
		taken = append(taken, o.Days...)
		if reflect.DeepEqual(o.Pattern, Pattern{}) && !c.badBelow(key) {
			c.fail(key, RuleOverrideEmpty)
		}
		c.values(key, o.Pattern)
	}
}

// badBelow reports whether the decoder found any pattern key of at bad.
func (c *checker) badBelow(at string) bool {
	return !c.good(at, patternKeys()...)
}

// placed is a window of a slot with its place in the file and the day types on
// which it holds.
type placed struct {
	*window
	at   string
	days []DayType
}

// windows works out the windows of s: its own and those of its overrides. It
// reports those that make no sense and leaves them out.
func (c *checker) windows(at string, s *SlotRule) []placed {
	left := s.Days
	if left == nil {
		left = DayTypes()
	}
	for _, o := range s.Overrides {
		left = slices.DeleteFunc(slices.Clone(left), func(t DayType) bool { return slices.Contains(o.Days, t) })
	}
	out, failed := c.place(nil, at, at, s.Pattern, left)
	for i, key := range overrideLabels(at, len(s.Overrides)) {
		o := s.Overrides[i]
		if failed && o.Start == "" {
			continue // the mistake is the slot's own and reported there
		}
		out, _ = c.place(out, at, key, s.Pattern.with(o.Pattern), o.Days)
	}
	return out
}

// place appends the window of p, which is written at key within the slot at
// slot, or reports why there is none.
func (c *checker) place(to []placed, slot, key string, p Pattern, days []DayType) (_ []placed, failed bool) {
	if p.Start == "" || !c.good(key, "start", "until", "duration") || !c.good(slot, "start", "until", "duration") {
		return to, true
	}
	w, err := newWindow(p)
	if err == nil {
		return append(to, placed{w, key, days}), false
	}
	switch err.rule {
	case RuleNoWindow, RuleTwoWindows:
	case RuleUntilStarts, RuleUntilBefore:
		key += ".until"
	default:
		key += ".start"
	}
	c.fail(key, err.rule, err.args...)
	return to, true
}

// window checks what holds between the values of one window.
func (c *checker) window(w placed, s *SlotRule) {
	for i, t := range w.start.times[1:] {
		if before := w.start.times[i]; before+w.length > t {
			c.fail(w.at+".start", RuleSelfOverlap, before, time.Duration(w.length), t)
			break
		}
	}
	if limit := min(w.every(), time.Duration(w.length)); w.Grace != nil && *w.Grace >= limit && c.good(w.at, "grace", "every") {
		c.fail(w.at+".grace", RuleGrace, *w.Grace, limit)
	}
	if from, to := c.p.From, c.p.To; !from.IsZero() && !to.IsZero() {
		day := from
		for !day.After(to) && !w.start.hits(day) {
			day = day.AddDays(1)
		}
		if day.After(to) && !to.Before(from) {
			c.fail(w.at+".start", RuleCronDates, w.Start, from, to)
		}
	}
	if c.p.Demo || c.bad["demo"] || len(w.days) == 0 {
		return
	}
	before := len(c.errs)
	c.hardQuiet(w.at, s, w.window)
	if len(c.errs) == before {
		c.softQuiet(w.at, w.window, slices.ContainsFunc(w.days, DayType.off))
	}
}

// clashes reports pairs of slots that certainly sound at the same time at the
// same point. What depends on the registry is left to Compiler.Conflicts.
func (c *checker) clashes(all [][]placed) {
	for i := range all {
	pair:
		for j := range i {
			if !sharePoints(c.p.Slots[i].Targets, c.p.Slots[j].Targets) {
				continue
			}
			for _, w := range all[i] {
				for _, v := range all[j] {
					a, b, clash := w.firstClash(v.window)
					common := slices.DeleteFunc(slices.Clone(w.days), func(t DayType) bool { return !slices.Contains(v.days, t) })
					if clash && len(common) > 0 && c.sameDay(w.start, v.start) {
						c.fail(w.at+".start", RuleSlotOverlap, c.p.Slots[j].Key, w.span(a), v.span(b), common)
						continue pair
					}
				}
			}
		}
	}
}

// sameDay reports whether two starts fall on one day while the programme is
// valid, looking four years ahead.
func (c *checker) sameDay(a, b *start) bool {
	from := c.p.From
	if from.IsZero() {
		from = firstDay
	}
	for n := range 4*365 + 1 {
		d := from.AddDays(n)
		if !c.p.To.IsZero() && d.After(c.p.To) {
			return false
		}
		if a.hits(d) && b.hits(d) {
			return true
		}
	}
	return false
}

// sharePoints reports whether two targets within one programme certainly have
// points in common, supposing that each has any.
func sharePoints(a, b *Targets) bool {
	if a == nil || b == nil || reflect.DeepEqual(a, b) {
		return true
	}
	kindsOnly := func(t *Targets) bool {
		return reflect.DeepEqual(*t, Targets{Selection: Selection{Kinds: t.Kinds}})
	}
	return kindsOnly(a) && kindsOnly(b) && meet(a.Kinds, b.Kinds)
}
