package link

import (
	"encoding/json"
	"fmt"
	"time"

	"gatecast/internal/wire"
)

// The window holds this many batches in flight; more waits for acks, so that
// a long backlog neither floods the broker nor the device's memory.
const windowBatches = 4

// ackWait and ackWaitMost bound the pause before records are sent again.
const (
	ackWait     = 5 * time.Second
	ackWaitMost = time.Minute
)

// window decides which records to send and when to send them again. It is
// pure: now is an argument, and the records come from the caller.
type window struct {
	log   wire.LogID
	sent  wire.Seq  // highest number sent and not given up
	front wire.Seq  // first pending number seen last
	due   time.Time // when everything unacked is sent again; zero when nothing is in flight
	pause backoff
}

func newWindow(d *dice) window {
	return window{pause: backoff{first: 2 * ackWait, most: ackWaitMost, dice: d}}
}

// pick returns the batches to send now of the pending records of one log, and
// notes them as sent. After due has passed it begins again at the first.
func (w *window) pick(now time.Time, pending wire.Batch) ([]wire.Batch, error) {
	if len(pending.Records) == 0 {
		w.due = time.Time{}
		w.pause.reset()
		return nil, nil
	}
	seqs := make([]wire.Seq, len(pending.Records))
	for i, r := range pending.Records {
		var head struct {
			Seq wire.Seq `json:"seq"`
		}
		if err := json.Unmarshal(r, &head); err != nil {
			return nil, fmt.Errorf("reading own record: %w", err)
		}
		seqs[i] = head.Seq
	}
	first := seqs[0]
	switch {
	case pending.Log != w.log || first < w.front: // another log, or a restored controller asks again
		*w = newWindow(w.pause.dice)
		w.log, w.sent = pending.Log, first-1
	case first > w.front && !w.due.IsZero(): // progress
		w.pause.reset()
		w.due = now.Add(w.pause.next())
	case !w.due.IsZero() && !now.Before(w.due):
		w.sent, w.due = first-1, time.Time{}
	}
	w.front, w.sent = first, max(w.sent, first-1)

	var batches []wire.Batch
	size := 0
	for i, seq := range seqs {
		if seq <= w.sent {
			continue
		}
		r := pending.Records[i]
		n := len(batches)
		if n == 0 || len(batches[n-1].Records) >= wire.MaxBatchRecords || size+len(r)+1 > wire.MaxBatchBytes-batchOverhead {
			if n == windowBatches {
				break
			}
			batches, size = append(batches, wire.Batch{Log: w.log}), 0
			n++
		}
		batches[n-1].Records = append(batches[n-1].Records, r)
		size += len(r) + 1
		w.sent = seq
	}
	if len(batches) > 0 && w.due.IsZero() {
		w.due = now.Add(w.pause.next())
	}
	return batches, nil
}

// missing makes everything unacked due again soon: the controller told of a
// hole.
func (w *window) missing(now time.Time) {
	if soon := now.Add(time.Second); w.due.IsZero() || w.due.After(soon) {
		w.due = soon
	}
}

// batchOverhead is what a Batch needs around its records.
const batchOverhead = 64
