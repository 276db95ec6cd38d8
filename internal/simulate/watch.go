package simulate

import (
	"encoding/json"
	"sync"
	"time"

	"gatecast/internal/wire"
)

// watch is what is known of one device from outside.
type watch struct {
	mu       sync.Mutex
	plays    map[wire.PlayID]bool
	session  uint64
	plan     uint64
	lied     time.Time // until when its time service misleads it
	since    time.Time // it was revoked or replaced; zero while it was not
	acks     map[recordKey]bool
	sent     map[recordKey]string // what it sent, as text
	upto     map[wire.LogID]wire.Seq
	hindered time.Time // when it could last not ask the office
	scarred  bool      // its card lost or spoilt what was on it
	silent   time.Time // since when it says that it is silent by order, and heard nothing else; zero while it does not
}

type recordKey struct {
	log wire.LogID
	seq wire.Seq
}

// sounded notes a play and reports whether it had sounded before.
func (w *watch) sounded(p wire.PlayID) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.plays == nil {
		w.plays = map[wire.PlayID]bool{}
	}
	was := w.plays[p]
	w.plays[p] = true
	return was
}

// misled reports whether a time service lies to the device, or did a moment
// ago: it takes a poll or an answer to be right again.
func (w *watch) misled() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Now().Before(w.lied)
}

// deaf reports for how long a device that was ousted could have known it: the
// way to the office was clear since, and the office was there.
func (w *watch) deaf(at time.Time) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.since.IsZero() {
		return 0
	}
	if w.hindered.After(w.since) {
		return at.Sub(w.hindered)
	}
	return at.Sub(w.since)
}

func (w *watch) ousted() (since time.Time, gone bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.since, !w.since.IsZero()
}

// said looks at what a device says before the network has it: sessions and
// plan versions never go back (I5), and records are kept for I4.
func (d *device) said(kind wire.Kind, payload []byte) {
	switch kind {
	case wire.KindHello:
		var h wire.Hello
		if json.Unmarshal(payload, &h) != nil {
			return
		}
		d.watch.mu.Lock()
		// The nonce is asked for again within a session.
		back := h.Session < d.watch.session && !d.watch.scarred
		before := d.watch.session
		d.watch.session = h.Session
		d.watch.mu.Unlock()
		if back {
			d.w.brokenBy(d, "I5", "session number went back from %d to %d", before, h.Session)
		}
		d.saidState(h.State)
	case wire.KindState:
		var s wire.State
		if json.Unmarshal(payload, &s) == nil {
			d.saidState(s)
		}
	case wire.KindRecords:
		var b wire.Batch
		if json.Unmarshal(payload, &b) != nil {
			return
		}
		d.watch.mu.Lock()
		defer d.watch.mu.Unlock()
		if d.watch.sent == nil {
			d.watch.sent, d.watch.acks, d.watch.upto = map[recordKey]string{}, map[recordKey]bool{}, map[wire.LogID]wire.Seq{}
		}
		for _, raw := range b.Records {
			var r wire.Record
			if json.Unmarshal(raw, &r) == nil {
				d.watch.sent[recordKey{b.Log, r.Seq}] = string(raw)
			}
		}
	}
}

func (d *device) saidState(s wire.State) {
	d.watch.mu.Lock()
	before := d.watch.plan
	back := s.PlanVersion < before && !d.watch.scarred
	d.watch.plan = max(before, s.PlanVersion)
	d.watch.mu.Unlock()
	d.watch.obeys(s, time.Now())
	if back {
		d.w.brokenBy(d, "I5", "plan version went back from %d to %d", before, s.PlanVersion)
	}
}

// acked notes what the office itself says to be committed, forged acks aside.
func (d *device) acked(payload []byte) {
	var a wire.Ack
	if json.Unmarshal(payload, &a) != nil {
		return
	}
	d.watch.mu.Lock()
	defer d.watch.mu.Unlock()
	if d.watch.sent == nil {
		return
	}
	whole := true // everything up to here is acked
	for seq := d.watch.upto[a.Log] + 1; seq <= a.Upto; seq++ {
		k := recordKey{a.Log, seq}
		_, sent := d.watch.sent[k]
		if sent && !missing(a, seq) {
			d.watch.acks[k] = true
		}
		if whole = whole && sent; whole {
			d.watch.upto[a.Log] = seq
		}
	}
}

func missing(a wire.Ack, seq wire.Seq) bool {
	for _, m := range a.Missing {
		if m.First <= seq && seq <= m.Last {
			return true
		}
	}
	return false
}
