package wire

import "time"

// longest is more than any sound that a device holds.
const longest = 24 * time.Hour

// Allows reports whether all of [start, end) lies within the daily windows of
// c, by the clock on the wall of zone, which is c.Zone: in the hour that autumn
// repeats, in both of its passes. Windows that touch are one, over midnight too.
// It looks at start and at every minute that begins before end: windows begin
// and end with minutes, and so do the hours that clocks are changed by.
func (c Ceilings) Allows(zone *time.Location, start, end time.Time) bool {
	if end.Sub(start) > longest || !c.inWindow(start.In(zone)) {
		return false
	}
	for at := start.Truncate(time.Minute).Add(time.Minute); at.Before(end); at = at.Add(time.Minute) {
		if !c.inWindow(at.In(zone)) {
			return false
		}
	}
	return true
}

func (c Ceilings) inWindow(local time.Time) bool {
	minute := local.Hour()*60 + local.Minute()
	for _, w := range c.Allowed {
		if w.FirstMin <= minute && minute < w.LastMin {
			return true
		}
	}
	return false
}
