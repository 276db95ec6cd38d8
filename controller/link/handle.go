package link

import (
	"encoding/json"
	"errors"
	"slices"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// handle serves what one device has said, in order. Batches of records that
// follow each other are committed together and acked once.
func (l *Link) handle(b *box, queue []message) {
	d, err := l.o.Store.Device(l.ctx, b.id)
	if err != nil || d.State == fleet.DeviceRevoked {
		l.stats.refused.Add(int64(len(queue)))
		l.o.Kick(b.id)
		return
	}
	replaced := d.State == fleet.DeviceRetired
	if replaced != b.replaced {
		// Its connection has the rights of before.
		b.replaced = replaced
		l.o.Kick(b.id)
	}
	for len(queue) > 0 {
		if queue[0].kind == wire.KindRecords {
			n := 1
			for n < len(queue) && queue[n].kind == wire.KindRecords {
				n++
			}
			l.records(b, d, queue[:n])
			queue = queue[n:]
			continue
		}
		serve := l.one
		if replaced {
			serve = l.farewell
		}
		if err := serve(b, queue[0]); err != nil {
			l.stats.refused.Add(1)
			l.logger.Debug("message refused", "device", b.id, "kind", queue[0].kind, "err", err)
		}
		queue = queue[1:]
	}
}

func (l *Link) one(b *box, m message) error {
	switch m.kind {
	case wire.KindHello:
		h, err := wire.Decode[wire.Hello](m.payload)
		if err != nil {
			return err
		}
		l.suspect(b, h)
		return l.hello(b, h)
	case wire.KindState:
		s, err := wire.Decode[wire.State](m.payload)
		if err != nil {
			return err
		}
		return l.state(b, s)
	case wire.KindResult:
		r, err := wire.Decode[wire.Result](m.payload)
		if err != nil {
			return err
		}
		l.orders.answered(b.id, r)
	}
	return nil
}

// hello answers a device that has connected, or asks for the time again: with
// the time, with what is committed of its journal, and with its plan if it has
// another one.
func (l *Link) hello(b *box, h wire.Hello) error {
	before, err := l.o.Store.Device(l.ctx, b.id)
	if err != nil {
		return err
	}
	// First and with a clock read now: what waits makes the time wrong. A
	// device that missed a rotation would take the answer for a forgery; it
	// asks again once it has the root, which repair offers.
	if l.o.Trust.Heard(h.State.RootVersion) {
		if err := l.tellTime(b.id, h.Nonce); err != nil {
			return err
		}
	}
	if h.Session < before.Session {
		// Taken all the same: a device whose card was written anew counts
		// from its clock, and nobody should have to visit it.
		l.logger.Info("session number went back", "device", b.id, "from", before.Session, "to", h.Session)
	}
	h.State.Session, h.State.Online = h.Session, true
	d, err := l.o.Store.SaveHello(l.ctx, b.id, h, l.o.Now())
	if err != nil {
		return err
	}
	l.changed(before, d)
	l.muteIf(d) // before a plan, which may sound at once
	l.ackIf(b.id, h.State, true)
	return l.repair(b, d, true)
}

// tellTime answers a nonce; a device that sends none wants no answer.
func (l *Link) tellTime(id wire.DeviceID, nonce string) error {
	if nonce == "" || len(nonce) > 64 {
		return nil
	}
	answer, err := l.o.Trust.SealTime(id, nonce, l.o.Now())
	if err != nil {
		return err
	}
	return l.publish(wire.Down(id, wire.KindTime), answer)
}

// farewell serves a device that was replaced and may still deliver what it
// wrote: it hears the time and what is committed, and gets nothing to do but a
// plan without slots, so that no second loudspeaker sounds at the gate.
func (l *Link) farewell(b *box, m message) error {
	switch m.kind {
	case wire.KindHello:
		h, err := wire.Decode[wire.Hello](m.payload)
		if err != nil {
			return err
		}
		if err := l.tellTime(b.id, h.Nonce); err != nil {
			return err
		}
		l.ackIf(b.id, h.State, true)
		return l.silence(b, h.State, true)
	case wire.KindState:
		s, err := wire.Decode[wire.State](m.payload)
		if err != nil {
			return err
		}
		if s.Online {
			l.ackIf(b.id, s, false)
			return l.silence(b, s, false)
		}
	}
	return nil
}

// silence offers a replaced device the plan without slots that was made for it.
// One that has a newer plan than that waits until the planner went above it.
func (l *Link) silence(b *box, s wire.State, hello bool) error {
	d, err := l.o.Store.SavePlanHeld(l.ctx, b.id, s.PlanVersion, s.PlanSHA256)
	if err != nil {
		return err
	}
	d.Awaiting = fleet.AwaitNothing
	if d.Ahead() || d.WantHash == "" {
		l.o.OnReturn()
		return nil
	}
	return l.repair(b, d, hello)
}

// state takes what a device says it has. The last will says only that the
// session ended.
func (l *Link) state(b *box, s wire.State) error {
	before, err := l.o.Store.Device(l.ctx, b.id)
	if err != nil {
		return err
	}
	if s.Session < before.Session {
		return nil // of an older session: a death can arrive after the next birth
	}
	if !s.Online {
		ended, err := l.o.Store.SetOffline(l.ctx, b.id, s.Session, l.o.Now())
		if ended {
			l.o.OnEvent(fleet.Event{Kind: fleet.EventDevice, Point: before.Point})
		}
		return err
	}
	d, err := l.o.Store.SaveState(l.ctx, b.id, s, l.o.Now())
	if err != nil {
		return err
	}
	l.changed(before, d)
	l.muteIf(d)
	l.ackIf(b.id, s, false)
	return l.repair(b, d, false)
}

// changed tells pages when a person would see the difference.
func (l *Link) changed(a, b fleet.Device) {
	if a.Awaiting != b.Awaiting {
		l.o.OnReturn()
		l.o.OnEvent(fleet.Event{Kind: fleet.EventDevice, Point: b.Point})
	}
	if a.Online != b.Online || a.Session != b.Session || a.PlanVersion != b.PlanVersion || a.PlanHash != b.PlanHash ||
		a.Playing != b.Playing || a.TimeLevel != b.TimeLevel || a.Time.ComparedUS != b.Time.ComparedUS || a.Output != b.Output || a.Mute != b.Mute ||
		!slices.Equal(a.ClipsMiss, b.ClipsMiss) || !slices.Equal(a.ClipsReady, b.ClipsReady) || !slices.Equal(a.Conditions, b.Conditions) {
		l.o.OnEvent(fleet.Event{Kind: fleet.EventDevice, Point: b.Point})
	}
}

// ackIf tells the device what is committed when it believes something else,
// or always. A controller restored from a backup thus asks for what it lost.
func (l *Link) ackIf(id wire.DeviceID, s wire.State, always bool) {
	if s.Log == "" {
		return
	}
	a, err := l.o.Store.AckState(l.ctx, id, s.Log)
	if err != nil {
		l.logger.Warn("reading what is committed", "device", id, "log", s.Log, "err", err)
		return
	}
	if a.Receipt, err = l.o.Store.NextReceipt(l.ctx, id, s.Receipt); err != nil {
		l.logger.Warn("reading the next receipt", "device", id, "held", s.Receipt, "err", err)
	}
	if always || a.Upto != s.AckedSeq || a.Receipt != nil {
		l.ack(id, a)
	}
	for _, o := range s.Older[:min(len(s.Older), maxOlder)] {
		// Less than it believes: we lost some, and it still keeps them.
		a, err := l.o.Store.AckState(l.ctx, id, o.Log)
		if err == nil && a.Upto <= o.Last && (a.Upto != o.Acked || len(a.Missing) > 0) {
			l.ack(id, a)
		}
	}
}

// maxOlder bounds how many journals a device can have us look up at a time.
const maxOlder = 64

func (l *Link) ack(id wire.DeviceID, a wire.Ack) {
	payload, err := json.Marshal(a)
	if err != nil {
		l.logger.Error("encoding ack", "device", id, "err", err)
		return
	}
	if l.publish(wire.Down(id, wire.KindAck), payload) == nil {
		l.stats.acks.Add(1)
	}
}

// maxCommit bounds the records that one device commits at a time, so that a
// long backlog of one does not keep the others waiting.
const maxCommit = 500

// records commits batches and acks them. Without a commit there is no ack,
// and the device sends again.
func (l *Link) records(b *box, d fleet.Device, queue []message) {
	var log wire.LogID
	var pending []json.RawMessage
	flush := func() {
		if len(pending) > 0 {
			l.commit(b, d, log, pending)
		}
		pending = nil
	}
	for _, m := range queue {
		batch, ok := wire.SplitBatch(m.payload)
		var err error
		if !ok {
			err = json.Unmarshal(m.payload, &batch) // also one that is too long
		}
		if err == nil && (batch.Log == "" || len(batch.Log) > 64) {
			err = errors.New("names no journal")
		}
		if err != nil {
			l.stats.refused.Add(1)
			l.logger.Debug("message refused", "device", b.id, "kind", m.kind, "err", err)
			if err := l.o.Store.AddDeadBatch(l.ctx, b.id, m.payload, err.Error(), l.o.Now()); err != nil && l.failed.ok(l.o.Now()) {
				l.logger.Warn("keeping a message that cannot be read", "device", b.id, "err", err)
			}
			continue
		}
		if batch.Log != log || len(pending)+len(batch.Records) > maxCommit {
			flush()
		}
		log = batch.Log
		pending = append(pending, batch.Records...)
	}
	flush()
}

func (l *Link) commit(b *box, d fleet.Device, log wire.LogID, records []json.RawMessage) {
	l.stats.records.Add(int64(len(records)))
	in := inspector{device: b.id, trust: l.o.Trust, now: l.o.Now(), tail: &b.tail}
	in.inspect(log, records, l.committed(l.ctx, b.id, log))
	fresh, err := l.o.Store.AppendRecords(l.ctx, b.id, log, records, l.o.Now())
	switch {
	case fleet.CodeOf(err) == fleet.Forbidden:
		l.stats.refused.Add(1)
		l.o.Kick(b.id)
		return
	case fleet.CodeOf(err) == fleet.Conflict: // one journal too many; the store counts it
		l.stats.refused.Add(1)
		return
	case err != nil:
		if l.ctx.Err() == nil && l.failed.ok(l.o.Now()) {
			l.logger.Error("committing records", "device", b.id, "records", len(records), "err", err)
		}
		return
	}
	a, err := l.o.Store.AckState(l.ctx, b.id, log)
	if err != nil {
		l.logger.Warn("reading what is committed", "device", b.id, "log", log, "err", err)
		return
	}
	l.keepFound(d, &in)
	l.ack(b.id, a)
	if fresh > 0 {
		l.stats.fresh.Add(int64(fresh))
		l.o.OnRecords()
		l.o.OnEvent(fleet.Event{Kind: fleet.EventRecord, Point: d.Point})
	}
}
