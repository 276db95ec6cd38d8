package schedules

import (
	"slices"
	"strconv"
)

// ruleLabels returns the key paths of the dated rules.
func ruleLabels(rules []QuietRule) []string {
	label := labeller("quiet.dated")
	out := make([]string, len(rules))
	for i, r := range rules {
		out[i] = label(r.ID)
	}
	return out
}

func (c *checker) quiet() {
	c.midday(c.p.Quiet.Midday)
	rules := c.p.Quiet.Dated
	c.atMost("quiet.dated", len(rules), maxRules)
	seen := make(map[string]bool)
	for i, at := range ruleLabels(rules) {
		r := &rules[i]
		c.id(at, "id", r.ID)
		switch {
		case slices.Contains([]string{SilenceNight, SilenceMidday, SilenceOverlap}, r.ID):
			c.fail(at+".id", RuleReserved, r.ID)
		case r.ID != "" && seen[r.ID]:
			c.fail(at+".id", RuleRepeated, r.ID)
		}
		seen[r.ID] = true
		c.name(at, "name", r.Name, 60)
		c.name(at, "document", r.Document, 200)
		from, to := c.need(at, "from", !r.From.IsZero()), c.need(at, "to", !r.To.IsZero())
		if from && to {
			c.dates(at, r.From, r.To)
			if r.From.AddDays(maxRuleDays).Before(r.To) {
				c.fail(at+".to", RuleRange, r.To, r.From, r.From.AddDays(maxRuleDays))
			}
		}
		if r.AllDay == (len(r.Times) > 0) && c.good(at, "all_day", "times") {
			c.fail(at, RuleRuleTimes)
		}
		c.atMost(at+".times", len(r.Times), maxRuleTimes)
		if !(r.GainDB >= minGainDB && r.GainDB <= 0) {
			c.fail(at+".gain_db", RuleRange, strconv.FormatFloat(r.GainDB, 'g', -1, 64), strconv.Itoa(minGainDB), "0")
		}
		if r.Targets != nil {
			c.targets(at+".targets", r.Targets)
		}
	}
}

func (c *checker) midday(m Midday) {
	const at = "quiet.midday"
	if m.Until != 0 && (m.Until < middayEnd || m.Until > maxMidday) {
		c.fail(at+".until", RuleRange, m.Until, middayEnd, maxMidday)
	}
	c.codes(at+".off_for", m.OffFor)
	for _, k := range m.OffFor {
		c.oneOf(at+".off_for", k, Kinds())
	}
	c.words(at+".reason", m.Reason, 200)
	if slices.Contains(m.OffFor, KindGate) && m.Reason == "" && c.good(at, "reason") {
		c.fail(at, RuleMiddayReason)
	}
}

// hardQuiet reports every start of v that night or midday rest silences: an
// error when that leaves none. Where the targets leave open which kinds of
// points there are, midday rest counts only if it holds for all kinds.
func (c *checker) hardQuiet(at string, s *SlotRule, v *window) {
	rules := []struct {
		times TimeRange
		name  *Silence
	}{{night, nightSilence()}}
	if everywhere, _ := c.middayHolds(s); everywhere {
		rules = append(rules, struct {
			times TimeRange
			name  *Silence
		}{c.p.Quiet.Midday.times(), middaySilence(c.p.Quiet.Midday)})
	}
	var hit *Silence
	for _, t := range v.start.times {
		touched := false
		for _, r := range rules {
			if r.times.touches(t, v.length) {
				hit, touched = r.name, true
				break
			}
		}
		if !touched {
			return
		}
	}
	c.fail(at+".start", RuleInsideQuiet, v.span(v.start.times[0]), hit)
}

// kinds returns the kinds of points that s may have.
func (c *checker) kinds(s *SlotRule) []string {
	kinds := Kinds()
	for _, t := range []*Targets{&c.p.Targets, s.Targets} {
		if t == nil {
			continue
		}
		if len(t.Kinds) > 0 && len(t.Points) == 0 {
			kinds = slices.DeleteFunc(kinds, func(k string) bool { return !slices.Contains(t.Kinds, k) })
		}
		kinds = slices.DeleteFunc(kinds, func(k string) bool { return slices.Contains(t.Except.Kinds, k) })
	}
	return kinds
}

// middayHolds reports whether midday rest holds at every point that s may have,
// or at least at some.
func (c *checker) middayHolds(s *SlotRule) (everywhere, somewhere bool) {
	off := func(k string) bool { return slices.Contains(c.p.Quiet.Midday.OffFor, k) }
	on := func(k string) bool { return !off(k) }
	kinds := c.kinds(s)
	return !slices.ContainsFunc(kinds, off), slices.ContainsFunc(kinds, on)
}

// softQuiet asks for a reason where one is needed. off says whether the window
// is owed on days off too.
func (c *checker) softQuiet(at string, v *window, off bool) {
	if v.Reason != "" || !c.good(at, "reason") {
		return
	}
	for _, t := range v.start.times {
		switch {
		case softEvening.touches(t, v.length):
			c.fail(at+".start", RuleReason, v.span(t), softEvening)
		case softMorning.touches(t, v.length):
			c.fail(at+".start", RuleReason, v.span(t), softMorning)
		case off && softMorningDayOff.touches(t, v.length):
			c.fail(at+".start", RuleReasonWeekends, v.span(t), softMorningDayOff)
		default:
			continue
		}
		return
	}
}

// Warnings returns what is allowed but probably not meant: starts that a
// built-in quiet rule silences while others of the same slot sound.
func (p *Programme) Warnings() Errors {
	c := &checker{p: p}
	for i, label := range slotLabels(p.Slots) {
		s := &p.Slots[i]
		for _, w := range c.windows(label, s) {
			if !p.Demo {
				c.partlyQuiet(w.at, s, w.window)
			}
		}
	}
	slices.SortStableFunc(c.errs, byLine)
	return c.errs
}

func (c *checker) partlyQuiet(at string, s *SlotRule, v *window) {
	report := func(times TimeRange, name *Silence) {
		hit, sample := 0, ""
		for _, t := range v.start.times {
			if times.touches(t, v.length) {
				if hit++; sample == "" {
					sample = t.String()
				}
			}
		}
		if hit > 0 {
			if hit > 1 {
				sample += " … ×" + strconv.Itoa(hit)
			}
			c.fail(at+".start", RulePartlyQuiet, v.span(v.start.times[0]), name, sample)
		}
	}
	report(night, nightSilence())
	if _, somewhere := c.middayHolds(s); somewhere {
		report(c.p.Quiet.Midday.times(), middaySilence(c.p.Quiet.Midday))
	}
}
