package link

import (
	"fmt"
	"slices"

	"gatecast/internal/wire"
)

// A device runs in one place at a time: a run of its program that was followed
// by another one has ended and does not come back. Where two machines use one
// key, each closes the connection of the other, and both come back again and
// again under growing session numbers.
const (
	// turnsOfClones is how many times a run has to come back. A hello that was
	// held up on its way makes two: itself, and the next one of the run after it.
	turnsOfClones = 3
	maxRuns       = 8 // a machine that starts anew and anew leaves runs behind
)

// run is one run of a device's program, as its hellos told.
type run struct {
	id      string
	session uint64 // highest
}

// runs is the latest runs of one device, the one that said hello last at the
// end.
type runs struct {
	all   []run
	turns int
}

// hello takes note of a hello and reports whether two machines must be
// talking. A message that was repeated, by whomever, has no new session number
// of its run and does not count; nor do a restart, a power cut and a journal or
// counter that was lost: they begin a run that was not there before.
func (r *runs) hello(id string, session uint64) (clones bool) {
	at := slices.IndexFunc(r.all, func(x run) bool { return x.id == id })
	switch {
	case id == "":
		return false // of a program that does not say it
	case at < 0:
		if len(r.all) == maxRuns {
			r.all = slices.Delete(r.all, 0, 1)
		}
		r.all = append(r.all, run{id, session})
		return false
	case session <= r.all[at].session:
		return false
	}
	back := at < len(r.all)-1
	r.all = append(slices.Delete(r.all, at, at+1), run{id, session})
	if back {
		r.turns++
	}
	return back && r.turns >= turnsOfClones
}

// suspect looks whether h shows that two machines use the key of b's device.
func (l *Link) suspect(b *box, h wire.Hello) {
	if b.runs.hello(h.Run, h.Session) {
		l.logger.Warn("two machines use one key", "device", b.id, "runs", len(b.runs.all), "turns", b.runs.turns)
		l.o.OnClone(b.id, fmt.Sprintf("runs %s take turns, session %d", b.runs.names(), h.Session))
		b.runs = runs{}
	}
}

func (r *runs) names() string {
	n := len(r.all)
	return r.all[n-2].id + " and " + r.all[n-1].id
}
