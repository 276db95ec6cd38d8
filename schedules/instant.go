package schedules

import "time"

// farthestOffset bounds how far any zone's clock is from UTC. The widest in
// use are +14 h and -12 h, the widest in the zone database +15:13 (Manila,
// before 1844); 16 h covers both.
const farthestOffset = 16 * time.Hour

// firstInstant returns the first instant at which a clock at loc shows wall (a
// naive time). A reading that the clock skips yields the first valid instant
// after the gap; one that it shows twice yields the earlier of the two.
func firstInstant(wall time.Time, loc *time.Location) time.Time {
	t := wall.Add(-farthestOffset).In(loc)
	for {
		start, end := t.ZoneBounds()
		_, offset := t.Zone()
		at := wall.Add(-time.Duration(offset) * time.Second)
		if !start.IsZero() && at.Before(start) {
			return start.UTC() // wall fell between the previous period and this one
		}
		if end.IsZero() || at.Before(end) {
			return at
		}
		t = end
	}
}

// lastInstant is firstInstant with the later choice where the clock shows wall
// twice. The end of a quiet window uses it, so that quiet errs on the long side.
func lastInstant(wall time.Time, loc *time.Location) time.Time {
	last := firstInstant(wall, loc)
	for t := last.In(loc); ; {
		_, next := t.ZoneBounds()
		if next.IsZero() || next.After(wall.Add(farthestOffset)) {
			return last
		}
		_, end := next.ZoneBounds()
		_, offset := next.Zone()
		at := wall.Add(-time.Duration(offset) * time.Second)
		if !at.Before(next) && (end.IsZero() || at.Before(end)) {
			last = at
		}
		t = next
	}
}
