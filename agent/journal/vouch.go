package journal

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"gatecast/agent/walltime"
	"gatecast/internal/evidence"
	"gatecast/internal/wire"
)

// Signer vouches for a journal with the device's key.
type Signer interface {
	// Checkpoint returns the body of the checkpoint record r, which has none yet.
	// after is the end of the log before, in the first record of a log.
	Checkpoint(r wire.Record, after *wire.LogEnd) (json.RawMessage, error)
}

// vouched is where a log stands with its checkpoints.
type vouched struct {
	any  bool  // there is one
	bare int   // records since the last one
	day  int64 // of the last one that had trusted time
}

// count takes a record into account that is in c.
func (j *Journal) count(c *chain, kind wire.RecordKind, level wire.TimeLevel, atUS int64) {
	j.claimed(kind)
	if kind != wire.RecordCheckpoint {
		c.sign.bare++
		return
	}
	c.sign.any, c.sign.bare = true, 0
	if level > wire.T0 {
		c.sign.day = j.day(atUS)
	}
}

// day numbers the days of the journal's zone.
func (j *Journal) day(atUS int64) int64 {
	zone := time.UTC
	if j.o.Zone != nil {
		zone = j.o.Zone()
	}
	t := wire.FromUS(atUS).In(zone)
	return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC).Unix() / 86400
}

// vouchLocked writes a checkpoint when one is due after a record of that kind:
// at the beginning of a log, after evidence.Every records, on a new day, at a
// stop, and behind records that say why others are missing.
// It waits for a record behind which no sound is about to start. The record
// itself is on the disk already, so an error here is only reported, and the
// next record tries again.
func (j *Journal) vouchLocked(kind wire.RecordKind, at walltime.Stamp) {
	if j.o.Sign == nil || j.retired || kind == wire.RecordIntent {
		return
	}
	s := j.current().sign
	newDay := at.Level > wire.T0 && s.day != 0 && j.day(wire.US(at.Wall)) != s.day
	if s.any && s.bare < evidence.Every && !newDay && kind != wire.RecordStop && !j.claims && len(j.dropped)+len(j.owed) == 0 {
		return
	}
	if err := j.checkpoint(at); err != nil {
		j.log.Warn("writing checkpoint", "log", j.current().id, "err", err)
	}
}

// claimed notes that a record says why others are missing: it counts only
// once a checkpoint covers it.
func (j *Journal) claimed(kind wire.RecordKind) {
	switch kind {
	case wire.RecordGap, wire.RecordDrop:
		j.claims = true
	case wire.RecordCheckpoint:
		j.claims = false
	}
}

// checkpoint writes a signed record behind the newest one.
func (j *Journal) checkpoint(at walltime.Stamp) error {
	if j.o.Sign == nil {
		return nil
	}
	// Space first: what is dropped for it becomes a record of its own.
	for again := true; again; again = len(j.dropped)+len(j.owed) > 0 && j.current().last > 0 {
		if j.current().last > 0 { // a new log begins with its checkpoint
			if err := j.tell(); err != nil {
				return err
			}
		}
		if err := j.room(frameSize(maxFrameWork + maxCheckpoint)); err != nil {
			return err
		}
	}
	c := j.current()
	var after *wire.LogEnd
	if c.last == 0 && len(j.logs) > 1 {
		before := j.logs[len(j.logs)-2]
		after = &wire.LogEnd{Log: before.id, Seq: before.last, Hash: before.hash}
	}
	body, err := j.o.Sign.Checkpoint(c.record(wire.RecordCheckpoint, at, nil), after)
	if err != nil {
		return fmt.Errorf("signing: %w", err)
	}
	_, err = j.putHere(wire.RecordCheckpoint, at, body)
	return err
}

// maxCheckpoint bounds the body of a checkpoint, in bytes: key, signature and
// the end of the log before.
const maxCheckpoint = 500

// owe notes that records 1 to last of log left the card, to be recorded with
// the next record that is written.
func (j *Journal) owe(log wire.LogID, last wire.Seq) {
	for i, d := range j.dropped {
		if d.Log == log {
			j.dropped[i].Last = max(d.Last, last)
			return
		}
	}
	j.dropped = append(j.dropped, wire.Drop{Log: log, Last: last})
}

// keepClaims sees to it that what the records of s, which is about to be
// removed, say of older logs that are still here is said again. gapsTold says
// that this was done for its gaps.
func (j *Journal) keepClaims(s *segment, gapsTold bool) {
	if err := s.scan(j.fs, s.recs, func(r wire.Record) error {
		switch r.Kind {
		case wire.RecordDrop:
			var d wire.Drop
			if json.Unmarshal(r.Body, &d) == nil && d.Log != s.log && j.chain(d.Log) != nil {
				j.owe(d.Log, d.Last)
			}
		case wire.RecordGap:
			var g wire.Gap
			if json.Unmarshal(r.Body, &g) != nil || gapsTold || g.Log == s.log {
				return nil
			}
			if c := j.chain(g.Log); c != nil && len(c.segs) > 0 && g.Last >= c.segs[0].first && !slices.Contains(j.owed, g) {
				j.owed = append(j.owed, g)
			}
		}
		return nil
	}, func(i int, err error) { j.lose(s, i, err) }); err != nil {
		j.log.Warn("reading a segment before it is dropped", "log", s.log, "err", err)
	}
}

// tellDrops writes what is owed of it.
func (j *Journal) tellDrops() error {
	for len(j.dropped) > 0 {
		d := j.dropped[0]
		body, err := json.Marshal(d)
		if err != nil {
			return fmt.Errorf("encoding drop: %w", err)
		}
		j.dropped = j.dropped[1:] // making space may add to it
		if _, err := j.put(wire.RecordDrop, j.o.Now(), body); err != nil {
			j.owe(d.Log, d.Last)
			return err
		}
		j.told[d.Log] = max(j.told[d.Log], d.Last)
	}
	return nil
}

// untold owes what a crash kept from being recorded: a log that begins late,
// and the log before the first one.
func (j *Journal) untold() {
	for _, c := range j.logs {
		first := c.segs[0].first
		if first > 1 && !j.accounted(c.id, first-1) {
			j.owe(c.id, first-1)
		}
		if a := c.after; a != nil && a.Seq > 0 && j.chain(a.Log) == nil && !j.accounted(a.Log, a.Seq) {
			j.owe(a.Log, a.Seq)
		}
	}
}

// accounted reports whether records say that everything of log up to last is
// gone.
func (j *Journal) accounted(log wire.LogID, last wire.Seq) bool {
	from := j.told[log] + 1
	for again := true; again && from <= last; {
		again = false
		for _, r := range j.reported {
			if g := r.gap; g.Log == log && g.First <= from && from <= g.Last {
				from, again = g.Last+1, true
			}
		}
	}
	return from > last
}

// Receipt returns the number of the newest receipt in the journal, 0 for none.
func (j *Journal) Receipt() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.receipt
}

// noteBody remembers what a record says about others.
func (j *Journal) noteBody(c *chain, seq wire.Seq, kind wire.RecordKind, body json.RawMessage) {
	switch kind {
	case wire.RecordGap:
		var g wire.Gap
		if json.Unmarshal(body, &g) == nil {
			j.reported = append(j.reported, report{g, c.id, seq})
		}
	case wire.RecordDrop:
		var d wire.Drop
		if json.Unmarshal(body, &d) == nil {
			j.told[d.Log] = max(j.told[d.Log], d.Last)
		}
	case wire.RecordReceipt:
		var k wire.ReceiptKept
		if json.Unmarshal(body, &k) == nil {
			j.receipt = max(j.receipt, k.Number)
		}
	case wire.RecordCheckpoint:
		var p wire.Checkpoint
		if json.Unmarshal(body, &p) == nil && p.After != nil {
			c.after = p.After
		}
	}
}
