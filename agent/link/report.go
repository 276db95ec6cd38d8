package link

import (
	"reflect"
	"time"

	"gatecast/internal/wire"
)

// stateGap is the shortest pause between two states: what changes faster is
// said once.
const stateGap = time.Second

// settle is how long after a change the state is looked at: what changes
// together, as a play and its record, is seen together.
const settle = 250 * time.Millisecond

// maxListed bounds each list of clips in a state: 128 hashes are 9 KB.
const maxListed = 128

// reporter decides when a state is published. It is pure but for the dice.
type reporter struct {
	every  time.Duration // heartbeat
	jitter time.Duration
	dice   *dice
	last   wire.State
	sentAt time.Time
	beat   time.Time // when it is published although nothing changed
	due    time.Time // when to look again; never after beat
}

// nudge says at now that the state may have changed.
func (r *reporter) nudge(now time.Time) {
	at := now.Add(settle + r.dice.within(r.jitter))
	if gap := r.sentAt.Add(stateGap); at.Before(gap) {
		at = gap
	}
	if at.Before(r.due) {
		r.due = at
	}
}

// hurry says at now that the state has changed and that somebody waits for it.
func (r *reporter) hurry(now time.Time) {
	if now.Before(r.due) {
		r.due = now
	}
}

// pick returns whether s is to be published at now, which is not before due,
// and plans the next one.
func (r *reporter) pick(now time.Time, s wire.State) bool {
	if same(r.last, s) && now.Before(r.beat) {
		r.due = r.beat
		return false
	}
	r.sent(now, s)
	return true
}

// sent notes that s was published at now.
func (r *reporter) sent(now time.Time, s wire.State) {
	r.last, r.sentAt, r.beat = s, now, now.Add(r.dice.about(r.every))
	r.due = r.beat
}

// same reports whether two states differ in nothing that anyone waits for.
// Numbers that move all the time ride along with the next one.
func same(a, b wire.State) bool {
	for _, s := range []*wire.State{&a, &b} {
		s.AtUS, s.LastSeq, s.AckedSeq, s.Time.ErrMS, s.Older = 0, 0, 0, 0, nil
	}
	return reflect.DeepEqual(a, b)
}

// fit cuts the lists of s so that it stays within one message. What is
// missing is what the controller acts on, so both lists keep their beginning.
func fit(s wire.State) wire.State {
	s.ClipsReady = s.ClipsReady[:min(len(s.ClipsReady), maxListed)]
	s.ClipsMissing = s.ClipsMissing[:min(len(s.ClipsMissing), maxListed)]
	return s
}
