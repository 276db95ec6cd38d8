package playout

import (
	"slices"
	"strings"
	"time"

	"gatecast/internal/wire"
)

// entry is one play of the agenda.
type entry struct {
	wire.Play
	plan    uint64
	end     time.Time // of the slot: no play starts then or later
	planned string    // clip of the plan; Clip is another one while the plan is stale
	former  bool      // Clip is Before: the planned one was not verified in time
}

// standIn reports whether p sounds the default clip of a stale plan.
func (p *entry) standIn() bool { return p.Clip != p.planned && !p.former }

// latest returns the last instant at which the play may still start.
func (p *entry) latest() time.Time {
	last := p.At.Add(max(p.Grace, minGrace))
	if !p.end.After(last) {
		return p.end.Add(-1)
	}
	return last
}

// agendaSpan is how far ahead plays are expanded: a day, so that the agenda of
// a busy device stays at some hundred entries.
const agendaSpan = 25 * time.Hour

// expand returns the plays of p that start in [from, to), by start, with the
// default clip for each if the plan is stale and has one. Those of slots that
// cut in may have started earlier, since is for them. A slot that does not
// expand was refused with its plan; it is passed over.
func expand(p *wire.Plan, since, from, to time.Time, stale bool) []entry {
	var plays []entry
	whole := from
	for _, s := range p.Slots {
		from := whole
		if s.Urgent {
			from = since
		}
		if s.EndS < from.Unix() || s.StartS > to.Unix() || s.StartS >= p.HorizonS && p.HorizonS > 0 {
			continue
		}
		expanded, err := p.Plays(s)
		if err != nil {
			continue
		}
		for _, play := range expanded {
			if play.At.Before(from) || !play.At.Before(to) {
				continue
			}
			e := entry{Play: play, plan: p.Version, end: time.Unix(s.EndS, 0).UTC(), planned: play.Clip}
			if stale && p.Default != "" && !s.Urgent {
				e.Clip, e.Before = p.Default, ""
			}
			plays = append(plays, e)
		}
	}
	slices.SortStableFunc(plays, func(a, b entry) int {
		if c := a.At.Compare(b.At); c != 0 {
			return c
		}
		return strings.Compare(string(a.ID), string(b.ID))
	})
	return plays
}
