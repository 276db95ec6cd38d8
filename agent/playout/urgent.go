package playout

import (
	"slices"
	"time"

	"gatecast/agent/walltime"
	"gatecast/internal/wire"
)

// urgentGap is the least silence between two plays that cut in.
const urgentGap = 2 * time.Second

// urgentFirst puts what cuts in to the front and reports whether there is any.
func urgentFirst(due []*entry) ([]*entry, bool) {
	slices.SortStableFunc(due, func(a, b *entry) int { return int(b.class() - a.class()) })
	return due, len(due) > 0 && due[0].class() == Urgent
}

// makeWay ends what sounds when something urgent is due that can sound, and
// remembers why the others wait.
func (e *Engine) makeWay(now walltime.Stamp, urgent bool, due []*entry) {
	e.mu.Lock()
	sounds := e.current != nil && e.current.play.class() == Urgent
	ends := e.current != nil && len(due) > 0 && due[0].class().Ends(e.current.play.class())
	e.mu.Unlock()
	if ends {
		if _, ready := e.consider(now, due[0], now.Wall.Add(lateLead+e.o.LeadIn)); ready {
			e.mu.Lock()
			if e.current != nil {
				e.current.cut(errPreempted)
			}
			e.mu.Unlock()
		}
	}
	for _, p := range due {
		if _, settled := e.s.done[p.ID]; settled {
			continue
		}
		r := refusal{wire.ReasonOther, "the play before it was still sounding"}
		if !p.Urgent && (urgent || sounds) {
			r = refusal{wire.ReasonPreempted, errPreempted.Error()}
		}
		e.s.waiting[p.ID] = r
	}
}

// cutsIn reports whether something urgent has to come before end: a play that
// is due or will be, and that can sound as far as anybody knows. One that lacks
// its clip keeps nobody waiting.
func (e *Engine) cutsIn(now walltime.Stamp, end time.Time) bool {
	for i := range e.s.agenda {
		p := &e.s.agenda[i]
		if !p.At.Before(end) {
			return false
		}
		if _, settled := e.s.done[p.ID]; !p.Urgent || settled || p.latest().Before(now.Wall) || !e.o.Library.Have(p.Clip) {
			continue
		}
		if _, _, ok := permitted(e.s.manifest, p.Clip, latest(now.Wall, p.At), e.s.starts); ok {
			return true
		}
	}
	return false
}
