package schedules

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// checker applies the rules that a programme must keep whoever made it. It
// skips what depends on keys that the decoder already found bad, so that one
// mistake is one error.
type checker struct {
	p    *Programme
	bad  map[string]bool
	errs Errors
}

func (c *checker) fail(key string, rule Rule, args ...any) {
	if !c.bad[key] {
		c.errs = append(c.errs, c.p.errorAt(key, rule, args...))
	}
}

// good reports whether none of the keys below at was found bad.
func (c *checker) good(at string, keys ...string) bool {
	return !slices.ContainsFunc(keys, func(k string) bool { return c.bad[join(at, k)] })
}

// errorAt returns an error at key, with the line of the nearest key that the
// file has.
func (p *Programme) errorAt(key string, rule Rule, args ...any) *Error {
	e := &Error{File: p.file, Key: key, Rule: rule, Args: args}
	for at := key; ; {
		if line, ok := p.lines[at]; ok {
			e.Line = line
			return e
		}
		cut := strings.LastIndexAny(at, ".[")
		if cut < 0 {
			e.Line = p.lines[""]
			return e
		}
		at = at[:cut]
	}
}

var (
	identifier = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,39}$`)
	clipName   = regexp.MustCompile(`^[\p{L}\p{N}_-]{1,63}$`)
	clipHash   = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

// need reports a missing value and returns whether there is one to check.
func (c *checker) need(at, key string, present bool) bool {
	if !present && !c.bad[at] && c.good(at, key) {
		c.errs = append(c.errs, c.p.errorAt(at, RuleMissing, key))
	}
	return present
}

func (c *checker) id(at, key, id string) {
	if c.need(at, key, id != "") && !identifier.MatchString(id) {
		c.fail(join(at, key), RuleID, id)
	}
}

// words checks text that people read. Empty text is somebody else's concern.
func (c *checker) words(key, s string, most int) {
	if s == "" {
		return
	}
	if utf8.RuneCountInString(s) > most || strings.TrimSpace(s) != s || !utf8.ValidString(s) ||
		strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' }) {
		c.fail(key, RuleName, shorten(s), strconv.Itoa(most))
	}
}

func (c *checker) name(at, key, s string, most int) {
	if c.need(at, key, s != "") {
		c.words(join(at, key), s, most)
	}
}

// shorten keeps quoted input readable.
func shorten(s string) string {
	if r := []rune(s); len(r) > 40 {
		return string(r[:40]) + "…"
	}
	return s
}

func (c *checker) atMost(key string, n, most int) {
	if n > most {
		c.fail(key, RuleTooMany, strconv.Itoa(n), strconv.Itoa(most))
	}
}

// codes checks a list of registry codes.
func (c *checker) codes(key string, list []string) {
	c.atMost(key, len(list), maxTargetList)
	seen := make(map[string]bool, len(list))
	for _, s := range list {
		if s == "" && c.bad[key] {
			continue
		}
		if s == "" || utf8.RuneCountInString(s) > 64 || !utf8.ValidString(s) ||
			strings.ContainsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }) {
			c.fail(key, RuleCode, shorten(s))
		} else if seen[s] {
			c.fail(key+"["+s+"]", RuleRepeated, s)
		}
		seen[s] = true
	}
}

func (c *checker) oneOf(key, s string, choices []string) {
	if !slices.Contains(choices, s) && !(s == "" && c.bad[key]) {
		c.fail(key, RuleOneOf, shorten(s), strings.Join(choices, ", "))
	}
}

func (c *checker) programme() {
	p := c.p
	c.id("", "id", p.ID)
	c.name("", "name", p.Name, 60)
	if c.need("", "zone", p.Zone != "") {
		if _, err := location(p.Zone); err != nil {
			c.fail("zone", RuleZone, shorten(p.Zone))
		}
	}
	c.dates("", p.From, p.To)
	if p.DailyBudget != 0 {
		c.durationIn("daily_budget", p.DailyBudget, minEvery, MaxBudget)
	}
	if len(p.Slots) > 0 && c.good("", "targets") {
		if c.written("targets") {
			c.targets("targets", &p.Targets)
		} else {
			c.need("", "targets", false)
		}
	}
	c.quiet()
	if len(p.Slots) == 0 && len(p.Quiet.Dated) == 0 && c.good("", "slots", "quiet", "quiet.dated") {
		c.fail("", RuleNothing)
	}
	c.slots()
	c.examples()
}

// written reports whether the key is there: in the file, or filled in by a form.
func (c *checker) written(key string) bool {
	if c.p.lines != nil {
		_, ok := c.p.lines[key]
		return ok
	}
	return true
}

func (c *checker) dates(at string, from, to Date) {
	if !from.IsZero() && !to.IsZero() && to.Before(from) {
		c.fail(join(at, "to"), RuleDates, to, from)
	}
}

func (c *checker) durationIn(key string, v, least, most time.Duration) {
	if v < least || v > most || v%time.Second != 0 {
		c.fail(key, RuleRange, v, least, most)
	}
}

func (c *checker) targets(at string, t *Targets) {
	c.selection(at, &t.Selection)
	c.selection(at+".except", &t.Except)
	some := t.narrows() || len(t.Points) > 0
	switch {
	case t.All && some:
		for _, l := range t.lists() {
			if len(l.codes) > 0 {
				c.fail(at, RuleAllTargets, l.key)
			}
		}
	case !t.All && !some && c.good(at, "all", "units", "groups", "tags", "kinds", "points"):
		c.fail(at, RuleNoTargets)
	}
}

func (c *checker) selection(at string, s *Selection) {
	for _, l := range s.lists() {
		c.codes(at+"."+l.key, l.codes)
	}
	for _, k := range s.Kinds {
		c.oneOf(at+".kinds", k, Kinds())
	}
}

func (c *checker) examples() {
	c.atMost("example_points", len(c.p.Examples), maxExamples)
	seen := make(map[string]bool)
	labels := labeller("example_points")
	for _, pt := range c.p.Examples {
		at := labels(pt.ID)
		if c.need(at, "id", pt.ID != "") {
			c.codes(at+".id", []string{pt.ID})
			if seen[pt.ID] {
				c.fail(at+".id", RuleRepeated, pt.ID)
			}
			seen[pt.ID] = true
		}
		c.name(at, "name", pt.Name, 60)
		if c.need(at, "kind", pt.Kind != "") {
			c.oneOf(at+".kind", pt.Kind, Kinds())
		}
		c.codes(at+".units", pt.Units)
		c.codes(at+".groups", pt.Groups)
		c.codes(at+".tags", pt.Tags)
	}
}

// location loads a zone by its IANA name. "Local" and "" would mean another
// zone on each machine and are refused.
func location(zone string) (*time.Location, error) {
	if zone == "" || zone == "Local" || strings.ContainsAny(zone, `\. `) {
		return nil, &Error{Rule: RuleZone, Args: []any{zone}}
	}
	return time.LoadLocation(zone)
}
