package schedules

import (
	"cmp"
	"slices"
	"strings"
)

// Selection names points in five ways.
type Selection struct {
	Units  []string // the unit itself and everything below it
	Groups []string
	Tags   []string
	Kinds  []string
	Points []string
}

// Targets says which points are meant. The lists of units, groups, tags and
// kinds narrow each other: a point is selected when every list that is given
// names it. Points adds points by their own code. Except then removes each
// point that any of its lists names, and wins over everything.
type Targets struct {
	All bool // every point; then no list but Except's
	Selection
	Except Selection
}

// Matches reports whether t selects p. The zero Targets select nothing.
func (t *Targets) Matches(p Point) bool {
	if t.Except.any(p) {
		return false
	}
	return t.All || slices.Contains(t.Points, p.ID) || t.narrows() && t.every(p)
}

// narrows reports whether one of the lists that narrow each other is given.
func (s *Selection) narrows() bool {
	return len(s.Units)+len(s.Groups)+len(s.Tags)+len(s.Kinds) > 0
}

// every reports whether each given list, Points apart, names p.
func (s *Selection) every(p Point) bool {
	return (len(s.Units) == 0 || meet(s.Units, p.Units)) &&
		(len(s.Groups) == 0 || meet(s.Groups, p.Groups)) &&
		(len(s.Tags) == 0 || meet(s.Tags, p.Tags)) &&
		(len(s.Kinds) == 0 || slices.Contains(s.Kinds, p.Kind))
}

// any reports whether any list names p.
func (s *Selection) any(p Point) bool {
	return meet(s.Units, p.Units) || meet(s.Groups, p.Groups) || meet(s.Tags, p.Tags) ||
		slices.Contains(s.Kinds, p.Kind) || slices.Contains(s.Points, p.ID)
}

func meet(a, b []string) bool {
	return slices.ContainsFunc(b, func(x string) bool { return slices.Contains(a, x) })
}

// list is one list of a Selection with the word for what it lists.
type list struct {
	key    string // as in the file
	word   selector
	codes  []string
	onwhom func(Point) []string
}

// selector is the word for a kind of code.
type selector string

// Text returns the word in lang.
func (s selector) Text(lang string) string {
	zh := map[selector]string{"units": "单位", "groups": "群组", "tags": "标签", "kinds": "点位类型", "points": "点位"}
	en := map[selector]string{"units": "unit", "groups": "group", "tags": "tag", "kinds": "kind", "points": "point"}
	if lang == "en" {
		return en[s]
	}
	return zh[s]
}

// lists returns the lists of s in the order of the file.
func (s *Selection) lists() []list {
	return []list{
		{"units", "units", s.Units, func(p Point) []string { return p.Units }},
		{"groups", "groups", s.Groups, func(p Point) []string { return p.Groups }},
		{"tags", "tags", s.Tags, func(p Point) []string { return p.Tags }},
		{"kinds", "kinds", s.Kinds, func(p Point) []string { return []string{p.Kind} }},
		{"points", "points", s.Points, func(p Point) []string { return []string{p.ID} }},
	}
}

// CheckTargets compares p's targets, those of its slots and of its quiet rules
// with the registry's points. It names every code that selects no point and
// every combination that selects none; empty when all is well.
func (p *Programme) CheckTargets(points []Point) Errors {
	c := &checker{p: p}
	c.deadTargets("targets", &p.Targets, points)
	within := slices.DeleteFunc(slices.Clone(points), func(pt Point) bool { return !p.Matches(pt) })
	for i, label := range slotLabels(p.Slots) {
		if t := p.Slots[i].Targets; t != nil && len(within) > 0 {
			c.deadTargets(label+".targets", t, within)
		}
	}
	for i, label := range ruleLabels(p.Quiet.Dated) {
		if t := p.Quiet.Dated[i].Targets; t != nil {
			c.deadTargets(label+".targets", t, points)
		}
	}
	slices.SortStableFunc(c.errs, byLine)
	return c.errs
}

// deadTargets reports the codes of t that none of points has, and t as a whole
// when it selects none although each code is alive.
func (c *checker) deadTargets(key string, t *Targets, points []Point) {
	before := len(c.errs)
	for _, part := range []struct {
		key string
		sel *Selection
	}{{key, &t.Selection}, {key + ".except", &t.Except}} {
		for _, l := range part.sel.lists() {
			known := make(map[string]bool)
			if len(l.codes) > 0 {
				for _, p := range points {
					for _, code := range l.onwhom(p) {
						known[code] = true
					}
				}
			}
			for _, code := range l.codes {
				if !known[code] {
					c.fail(part.key+"."+l.key+"["+code+"]", RuleDeadTarget, l.word, code)
				}
			}
		}
	}
	if len(c.errs) == before && !slices.ContainsFunc(points, t.Matches) {
		c.fail(key, RuleNoPoint)
	}
}

// byLine orders errors as the file has them.
func byLine(a, b *Error) int {
	return cmp.Or(strings.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
}
