package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"

	"gatecast/internal/durable"
	"gatecast/internal/wire"
)

// Batch returns the next records that are not acked, of one log and in order,
// as the exact bytes that were hashed: those of retired logs first, and in a
// log those that an ack called missing. At most max records and maxBytes
// bytes, but always one if any is pending. An empty batch means that nothing
// is pending. Until an ack arrives it returns the same records again.
func (j *Journal) Batch(max, maxBytes int) (wire.Batch, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, c := range j.logs {
		records, err := j.pendingOf(c, max, maxBytes)
		if err != nil || len(records) > 0 {
			return wire.Batch{Log: c.id, Records: records}, err
		}
	}
	return wire.Batch{Log: j.current().id}, nil
}

// Pending is Batch for the current log alone.
func (j *Journal) Pending(max, maxBytes int) ([]json.RawMessage, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.pendingOf(j.current(), max, maxBytes)
}

func (j *Journal) pendingLocked() bool {
	for _, c := range j.logs {
		if c.acked < c.last || len(c.again) > 0 {
			return true
		}
	}
	return false
}

func (j *Journal) pendingOf(c *chain, max, maxBytes int) ([]json.RawMessage, error) {
	var out []json.RawMessage
	bytes := 0
	for _, s := range c.segs {
		var f durable.File
		for i, p := range s.recs {
			seq := s.first + wire.Seq(i)
			if p.size == 0 || !c.pending(seq) {
				continue
			}
			if len(out) > 0 && (len(out) >= max || bytes+int(p.size) > maxBytes) {
				return out, closeFile(f)
			}
			if f == nil {
				var err error
				if f, err = j.fs.OpenFile(s.path, os.O_RDONLY, 0); err != nil {
					return out, fmt.Errorf("reading journal: %w", err)
				}
			}
			raw, err := s.load(f, i)
			if err != nil {
				j.lose(s, i, err)
				continue
			}
			out, bytes = append(out, raw), bytes+len(raw)
		}
		if err := closeFile(f); err != nil {
			return out, err
		}
	}
	return out, nil
}

func closeFile(f durable.File) error {
	if f == nil {
		return nil
	}
	return f.Close()
}

// pending reports whether seq is still to be delivered.
func (c *chain) pending(seq wire.Seq) bool {
	if seq > c.acked {
		return true
	}
	return slices.ContainsFunc(c.again, func(r wire.SeqRange) bool { return r.First <= seq && seq <= r.Last })
}

// Ack takes what the controller has committed. Missing records are sent
// again, and so is everything above an Upto that is lower than before: the
// controller was restored from a backup. Records asked for that are no longer
// kept are answered by a gap record. An ack for a log that is not here is
// ignored; one above the last record is ErrAhead and changes nothing.
func (j *Journal) Ack(a wire.Ack) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	c := j.chain(a.Log)
	if c == nil || j.closed {
		return nil
	}
	if a.Upto > c.last {
		return fmt.Errorf("%w: log %s has %d records, ack names %d", ErrAhead, c.id, c.last, a.Upto)
	}
	c.acked = a.Upto
	c.again = c.again[:0]
	for _, m := range a.Missing {
		if m.Last = min(m.Last, a.Upto); m.First >= 1 && m.First <= m.Last {
			c.again = append(c.again, m)
		}
	}
	err := j.answerAged(c)
	if c != j.current() && c.acked == c.last && len(c.again) == 0 {
		err = errors.Join(err, j.saveAcks()) // no later frame will carry it
	}
	if j.pendingLocked() {
		j.signal()
	}
	return err
}

// answerAged reports records of c that are wanted but were dropped.
func (j *Journal) answerAged(c *chain) error {
	if len(c.segs) == 0 {
		return nil
	}
	held := c.segs[0].first
	wanted := held
	if c.acked+1 < wanted {
		wanted = c.acked + 1
	}
	for _, r := range c.again {
		wanted = min(wanted, r.First)
	}
	if wanted >= held {
		return nil
	}
	g := wire.Gap{Log: c.id, First: wanted, Last: held - 1, Why: whyAged}
	if len(j.unreported([]wire.Gap{g})) == 0 {
		return nil
	}
	return j.report(g)
}

// Record returns the exact bytes of record seq of a log, nil when it is not
// here or not readable, and the newest number of that log; 0 says that the
// journal does not know the log.
func (j *Journal) Record(log wire.LogID, seq wire.Seq) (raw []byte, last wire.Seq, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	c := j.chain(log)
	if c == nil {
		return nil, 0, nil
	}
	for _, s := range c.segs {
		if seq < s.first || seq > s.last() || s.recs[seq-s.first].size == 0 {
			continue
		}
		f, err := j.fs.OpenFile(s.path, os.O_RDONLY, 0)
		if err != nil {
			return nil, c.last, fmt.Errorf("reading record %d: %w", seq, err)
		}
		defer f.Close()
		if raw, err = s.load(f, int(seq-s.first)); err != nil {
			j.lose(s, int(seq-s.first), err)
			return nil, c.last, nil
		}
		return raw, c.last, nil
	}
	return nil, c.last, nil
}

// Scan calls see with every record of every log, oldest first, until see
// returns an error, which Scan returns. Records appended meanwhile are not
// seen. The record and its bytes may be kept.
func (j *Journal) Scan(see func(wire.Record) error) error {
	j.mu.Lock()
	type part struct {
		s    *segment
		recs []place
	}
	var parts []part
	for _, c := range j.logs {
		for _, s := range c.segs {
			parts = append(parts, part{s, slices.Clone(s.recs)})
		}
	}
	j.mu.Unlock()
	for _, p := range parts {
		if err := p.s.scan(j.fs, p.recs, see, func(i int, err error) {
			j.mu.Lock()
			defer j.mu.Unlock()
			j.lose(p.s, i, err)
		}); err != nil {
			return err
		}
	}
	return nil
}

// lose notes that record i of s, which was readable before, no longer is. A
// gap record names it, as for what is found to be damaged when the journal
// opens.
func (j *Journal) lose(s *segment, i int, cause error) {
	if s.recs[i].size == 0 {
		return
	}
	s.recs[i] = place{}
	seq := s.first + wire.Seq(i)
	g := wire.Gap{Log: s.log, First: seq, Last: seq, Why: whyCorrupt}
	j.log.Error("record lost from the journal", "log", s.log, "seq", seq, "err", cause)
	j.owed, j.damage = append(j.owed, g), append(j.damage, g)
	for _, r := range j.reported { // it may have been one that told of a gap
		if r.log == g.Log && r.seq == seq {
			j.owed = append(j.owed, r.gap)
		}
	}
}

// load returns the payload of record i of s as it was written.
func (s *segment) load(f durable.File, i int) ([]byte, error) {
	p := s.recs[i]
	data := make([]byte, frameSize(int(p.size)))
	n, err := f.ReadAt(data, int64(p.off)-headSize)
	if err != nil && !errors.Is(err, io.EOF) { // the end mark of the last record may be missing
		return nil, err
	}
	fr, err := parseFrame(data[:n], 0, s.id, s.first+wire.Seq(i))
	return fr.payload, err
}

// scan calls see with the records of s at recs, and lost with those that cannot
// be read.
func (s *segment) scan(disk durable.Volume, recs []place, see func(wire.Record) error, lost func(i int, err error)) error {
	f, err := disk.OpenFile(s.path, os.O_RDONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // dropped since
	}
	if err != nil {
		return fmt.Errorf("scanning journal: %w", err)
	}
	defer f.Close()
	whole := segment{id: s.id, first: s.first, recs: recs}
	for i, p := range recs {
		if p.size == 0 {
			continue
		}
		raw, err := whole.load(f, i)
		var r wire.Record
		if err == nil {
			err = json.Unmarshal(raw, &r)
		}
		if err != nil {
			lost(i, err)
			continue
		}
		if err := see(r); err != nil {
			return err
		}
	}
	return nil
}
