package playout

import (
	"fmt"
	"math"
	"slices"
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
	return time.Duration(min(float64(c.Frames)/float64(c.Rate)*float64(time.Second), math.MaxInt64/2))
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
	if m.Ceilings.MaxVolumePct <= 0 {
		return c, refusal{wire.ReasonQuiet, "the ceilings allow no volume"}, false
	}
	if !Allowed(m.Ceilings, start, start.Add(dur)) {
		return c, refusal{wire.ReasonQuiet, "outside the hours that the ceilings allow"}, false
	}
	if n := within(starts, start); n >= perHour(m.Ceilings) {
		return c, refusal{wire.ReasonOther, fmt.Sprintf("more than %d plays an hour", perHour(m.Ceilings))}, false
	}
	return c, refusal{}, true
}

// perHour is how many plays an hour the ceilings allow: never more than are
// remembered.
func perHour(c wire.Ceilings) int { return min(c.MaxPlaysPerHour, maxStarts) }

// within counts the starts in the hour around at: behind it, or before it when
// the clock was set back since.
func within(starts []time.Time, at time.Time) (n int) {
	for _, s := range starts {
		if at.Sub(s).Abs() < time.Hour-hourSlack {
			n++
		}
	}
	return n
}

// Allowed reports whether all of [start, end) lies within the daily windows of
// c, by the clock on the wall of its zone: in the hour that autumn repeats, in
// both of its passes. Windows that touch are one, over midnight too. A zone
// that does not load allows nothing.
func Allowed(c wire.Ceilings, start, end time.Time) bool {
	zone, err := time.LoadLocation(c.Zone)
	if err != nil || c.Zone == "" {
		return false
	}
	return c.Allows(zone, start, end)
}

// Beyond returns what of p goes beyond the ceilings of m, in the operator's
// words, empty where nothing does. None of it sounds so: what is not permitted
// is skipped and what is too loud is turned down. An office whose programmes
// keep to its own ceilings never signs such a plan.
func Beyond(p *wire.Plan, m *wire.Manifest) string {
	zone, err := time.LoadLocation(m.Ceilings.Zone)
	if err != nil || m.Ceilings.Zone == "" {
		return fmt.Sprintf("zone %q is not known", m.Ceilings.Zone)
	}
	limit := time.Duration(m.Ceilings.MaxClipS) * time.Second
	var starts []time.Time
	for _, s := range p.Slots {
		plays, err := p.Plays(s)
		if err != nil {
			return err.Error()
		}
		for _, play := range plays {
			c, ok := m.Clip(play.Clip)
			switch dur := length(c); {
			case !ok:
				return fmt.Sprintf("play %s: its clip is not in the manifest", play.ID)
			case dur > limit:
				return fmt.Sprintf("play %s: a clip of %v, at most %v are allowed", play.ID, dur.Round(time.Second), limit)
			case !m.Ceilings.Allows(zone, play.At, play.At.Add(dur)):
				return fmt.Sprintf("play %s at %s", play.ID, play.At.In(zone).Format("2006-01-02 15:04:05"))
			case c.GainDB+play.GainDB > m.Ceilings.MaxGainDB:
				return fmt.Sprintf("play %s: %+.1f dB, at most %+.1f are allowed", play.ID, c.GainDB+play.GainDB, m.Ceilings.MaxGainDB)
			}
			starts = append(starts, play.At)
		}
	}
	slices.SortFunc(starts, time.Time.Compare)
	for i, k := 0, perHour(m.Ceilings); i+k < len(starts); i++ {
		if starts[i+k].Sub(starts[i]) < time.Hour-hourSlack {
			return fmt.Sprintf("more than %d plays in the hour from %s", k, starts[i].In(zone).Format("2006-01-02 15:04"))
		}
	}
	return ""
}

// gainOf returns what clip is amplified by in the slot, under the ceiling.
func gainOf(c wire.ManifestClip, slotGainDB float64, m *wire.Manifest) float64 {
	return min(c.GainDB+slotGainDB, m.Ceilings.MaxGainDB)
}
