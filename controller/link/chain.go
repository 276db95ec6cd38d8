package link

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/evidence"
	"gatecast/internal/seal"
	"gatecast/internal/wire"
)

// bytesOf returns a record that is committed, nil when it is not there.
type bytesOf func(seq wire.Seq) []byte

// inspector checks the records of one device as they arrive: the chain, the
// signatures of checkpoints, and receipts that come back.
type inspector struct {
	device wire.DeviceID
	trust  Trust
	now    time.Time
	tail   *evidence.Tail // the newest record seen of the journal that came last
	breaks []fleet.Break
	kept   []fleet.Receipt // of our own, as the device keeps them
}

// inspect looks at records of one log, in the order in which they came.
// Before the first one it asks for what is committed, so that nothing goes
// unchecked over a restart or a gap that is filled later.
func (in *inspector) inspect(log wire.LogID, records []json.RawMessage, stored bytesOf) {
	if in.tail.Log != log {
		*in.tail = evidence.Tail{Log: log}
	}
	last := evidence.Tail{} // the record before in this batch, which may lie behind the tail
	for i, raw := range records {
		h, err := evidence.Head(raw)
		if err != nil || h.Log != log {
			last = evidence.Tail{}
			continue // a dead letter
		}
		prev, known := last.Want(h.Seq)
		if !known {
			prev, known = in.tail.Want(h.Seq)
		}
		if !known {
			if before := stored(h.Seq - 1); before != nil {
				prev, known = evidence.Hash(before), true
			}
		}
		if known && prev != h.Prev {
			in.found(log, h.Seq, evidence.Chain, fmt.Sprintf("hash before is %s, record says %s", prev, h.Prev))
		}
		last = evidence.Behind(h, raw)
		if h.Seq > in.tail.Seq {
			*in.tail = last
		} else if i == len(records)-1 || !follows(records[i+1], h.Seq) {
			in.behind(log, last, stored)
		}
		switch h.Kind {
		case wire.RecordCheckpoint:
			in.checkpoint(log, h.Seq, raw)
		case wire.RecordReceipt:
			in.receipt(log, h.Seq, raw)
		}
	}
}

// follows reports whether raw is the record behind seq.
func follows(raw json.RawMessage, seq wire.Seq) bool {
	h, err := evidence.Head(raw)
	return err == nil && h.Seq == seq+1
}

// behind checks the record that is committed behind one that came later.
func (in *inspector) behind(log wire.LogID, last evidence.Tail, stored bytesOf) {
	next := stored(last.Seq + 1)
	if next == nil {
		return
	}
	if h, err := evidence.Head(next); err == nil && h.Prev != last.Hash {
		in.found(log, h.Seq, evidence.Chain, fmt.Sprintf("hash before is %s, record says %s", last.Hash, h.Prev))
	}
}

func (in *inspector) checkpoint(log wire.LogID, seq wire.Seq, raw []byte) {
	signer, _, err := evidence.VerifyCheckpoint(raw)
	switch {
	case err != nil:
		in.found(log, seq, evidence.Forged, err.Error())
	case signer != in.device:
		in.found(log, seq, evidence.Stranger, fmt.Sprintf("signed by %s", signer))
	}
}

// receipt takes back a receipt that this controller may have lost, and notes
// one that the device did not agree with.
func (in *inspector) receipt(log wire.LogID, seq wire.Seq, raw []byte) {
	var r wire.Record
	var body wire.ReceiptKept
	if err := json.Unmarshal(raw, &r); err != nil {
		return
	}
	if err := json.Unmarshal(r.Body, &body); err != nil {
		in.found(log, seq, evidence.BadReceipt, err.Error())
		return
	}
	doc, err := in.trust.OpenReceipt(body.Envelope, in.device)
	if err != nil {
		in.found(log, seq, evidence.BadReceipt, err.Error())
		return
	}
	in.kept = append(in.kept, fleet.Receipt{Receipt: doc, SHA256: seal.Hash(body.Envelope), Envelope: body.Envelope})
	if body.Refused != "" {
		in.found(log, seq, evidence.Disputed, fmt.Sprintf("receipt %d: %s", body.Number, body.Refused))
	}
}

func (in *inspector) found(log wire.LogID, seq wire.Seq, code evidence.Code, detail string) {
	in.breaks = append(in.breaks, fleet.Break{Device: in.device, Log: log, Seq: seq, Code: code, Detail: detail, Found: in.now})
}

// committed returns records of a log that are in the store.
func (l *Link) committed(ctx context.Context, id wire.DeviceID, log wire.LogID) bytesOf {
	return func(seq wire.Seq) []byte {
		if seq == 0 {
			return nil
		}
		raw, err := l.o.Store.RecordBytes(ctx, id, log, seq)
		if err != nil {
			if fleet.CodeOf(err) != fleet.NotFound {
				l.logger.Warn("reading the record before", "device", id, "log", log, "seq", seq, "err", err)
			}
			return nil
		}
		return raw
	}
}

// keepFound stores what an inspection found, after the records themselves.
func (l *Link) keepFound(d fleet.Device, in *inspector) {
	for _, r := range in.kept {
		if r.Version <= d.Receipts && r.Version != d.Receipts {
			continue // long known
		}
		if err := l.o.Store.AddReceipt(l.ctx, r); fleet.CodeOf(err) == fleet.Conflict {
			in.found(r.Log, r.Upto, evidence.Fork, fmt.Sprintf("receipt %d", r.Version))
		} else if err != nil {
			l.logger.Warn("keeping receipt", "device", d.ID, "receipt", r.Version, "err", err)
		}
	}
	if len(in.breaks) == 0 {
		return
	}
	l.stats.broken.Add(int64(len(in.breaks)))
	fresh, err := l.o.Store.AddBreaks(l.ctx, in.breaks)
	if err != nil {
		l.logger.Warn("keeping where a journal is broken", "device", d.ID, "err", err)
	}
	if fresh == 0 && err == nil {
		return
	}
	for _, b := range in.breaks {
		l.logger.Warn("journal does not hold together", "device", b.Device, "log", b.Log, "seq", b.Seq, "code", b.Code, "detail", b.Detail)
		l.o.OnBroken(b)
	}
	l.o.OnEvent(fleet.Event{Kind: fleet.EventBroken, Point: d.Point})
}
