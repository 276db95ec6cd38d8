package schedules

import "slices"

// matcher answers Targets.Matches in time that does not grow with the lists:
// a city may list thousands of points.
type matcher struct {
	t            *Targets
	points       map[string]bool
	exceptPoints map[string]bool
}

func newMatcher(t *Targets) matcher {
	return matcher{t, set(t.Points), set(t.Except.Points)}
}

func set(list []string) map[string]bool {
	m := make(map[string]bool, len(list))
	for _, s := range list {
		m[s] = true
	}
	return m
}

func (m *matcher) matches(p Point) bool {
	e := &m.t.Except
	if m.exceptPoints[p.ID] || meet(e.Units, p.Units) || meet(e.Groups, p.Groups) || meet(e.Tags, p.Tags) || slices.Contains(e.Kinds, p.Kind) {
		return false
	}
	return m.t.All || m.points[p.ID] || m.t.narrows() && m.t.every(p)
}
