package playout

import (
	"fmt"
	"time"

	"gatecast/internal/wire"
)

// refusal says why a play does not sound, or does not sound yet.
type refusal struct {
	reason wire.Reason
	detail string // operator text
}

// hourSlack is taken off the hour in which plays are counted, so that the
// seventh of six plays an hour, ten minutes apart, is not refused because the
// first came a second late.
const hourSlack = time.Minute

// length returns how long c sounds.
func length(c wire.ManifestClip) time.Duration {
	if c.Rate < 1 {
		return 0
	}
	return time.Duration(float64(c.Frames) / float64(c.Rate) * float64(time.Second))
}

// permitted reports whether the manifest lets clip sound from start on;
// starts are the instants of the plays before.
func permitted(m *wire.Manifest, sha string, start time.Time, starts []time.Time) (wire.ManifestClip, refusal, bool) {
	c, ok := m.Clip(sha)
	if !ok {
		return c, refusal{wire.ReasonOther, "clip is not in the manifest"}, false
	}
	dur := length(c)
	if limit := time.Duration(m.Ceilings.MaxClipS) * time.Second; dur > limit {
		return c, refusal{wire.ReasonOther, fmt.Sprintf("clip of %v is longer than the ceiling of %v", dur, limit)}, false
	}
	if !allowed(m.Ceilings, start, start.Add(dur)) {
		return c, refusal{wire.ReasonQuiet, "outside the hours that the ceilings allow"}, false
	}
	n := 0
	for _, s := range starts {
		if age := start.Sub(s); age >= 0 && age < time.Hour-hourSlack {
			n++
		}
	}
	if n >= m.Ceilings.MaxPlaysPerHour {
		return c, refusal{wire.ReasonOther, fmt.Sprintf("more than %d plays an hour", m.Ceilings.MaxPlaysPerHour)}, false
	}
	return c, refusal{}, true
}

// allowed reports whether [start, end] lies within the daily windows. Windows
// that touch are one, over midnight too.
func allowed(c wire.Ceilings, start, end time.Time) bool {
	zone, err := time.LoadLocation(c.Zone)
	if err != nil || c.Zone == "" {
		return false
	}
	at := start.In(zone)
	for range 2 * (len(c.Allowed) + 1) { // every window once, on two days
		until, ok := windowEnd(c.Allowed, at)
		if !ok {
			return false
		}
		if !end.After(until) {
			return true
		}
		at = until
	}
	return false
}

// windowEnd returns the latest end of the windows that hold the local instant
// at.
func windowEnd(windows []wire.DailyWindow, at time.Time) (end time.Time, ok bool) {
	y, m, d := at.Date()
	for _, w := range windows {
		first := time.Date(y, m, d, 0, w.FirstMin, 0, 0, at.Location())
		last := time.Date(y, m, d, 0, w.LastMin, 0, 0, at.Location())
		if !at.Before(first) && at.Before(last) && last.After(end) {
			end, ok = last, true
		}
	}
	return end, ok
}

// gainOf returns what clip is amplified by in the slot, under the ceiling.
func gainOf(c wire.ManifestClip, slotGainDB float64, m *wire.Manifest) float64 {
	return min(c.GainDB+slotGainDB, m.Ceilings.MaxGainDB)
}
