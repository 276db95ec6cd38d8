package journal

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gatecast/agent/walltime"
	"gatecast/internal/durable"
	"gatecast/internal/wire"
)

// Why records are missing, as Gap.Why says it.
const (
	whyCorrupt = "corrupt" // the card does not give them back as written
	whyFull    = "full"    // dropped for space before they were acked
	whyAged    = "aged"    // acked, dropped, and asked for again
	whySync    = "sync"    // the disk did not confirm them; they do not count
)

const (
	lockName = "lock"
	acksName = "acks.json"
)

// recover reads the folder and makes the journal ready to append.
func (j *Journal) recover() error {
	if err := j.fs.MkdirAll(j.dir, 0o700); err != nil {
		return err
	}
	if err := j.takeLock(); err != nil {
		return err
	}
	if _, err := j.fs.Clean(j.dir); err != nil {
		return err
	}
	if err := j.list(); err != nil {
		return err
	}
	lost, tail, err := j.readAll()
	if err != nil {
		return err
	}
	lost = j.unreported(lost)
	if len(j.logs) == 0 {
		return j.begin()
	}
	for _, g := range lost {
		j.log.Error("records lost from the journal", "log", g.Log, "first", g.First, "last", g.Last, "why", g.Why)
	}
	j.owed, j.damage = append(j.owed, lost...), lost
	j.untold()
	j.retired = slices.ContainsFunc(lost, func(g wire.Gap) bool { return g.Log == j.current().id })
	if !j.retired {
		err = j.reopen(tail)
	}
	if err == nil {
		err = j.renew()
	}
	if err == nil {
		err = j.bound(0)
	}
	if err != nil {
		// What is there can still be delivered, and each Append tries again.
		j.log.Error("journal takes no records", "err", err)
		return nil
	}
	if j.claims || len(j.dropped) > 0 {
		j.vouchLocked("", j.o.Now())
	}
	return nil
}

// takeLock keeps a second process out: two writers would break the chain, and
// two players would play twice.
func (j *Journal) takeLock() error {
	lock, err := j.fs.Lock(filepath.Join(j.dir, lockName))
	if errors.Is(err, durable.ErrLocked) {
		return ErrInUse
	}
	if err != nil {
		return err
	}
	j.lock = lock
	return nil
}

// list groups the segments of the folder into logs.
func (j *Journal) list() error {
	names, err := j.fs.ReadDir(j.dir)
	if err != nil {
		return err
	}
	chains := make(map[wire.LogID]*chain)
	for _, name := range names {
		if !strings.HasSuffix(name, ".seg") {
			continue
		}
		s, err := parseName(filepath.Join(j.dir, name))
		if err != nil {
			j.log.Warn("foreign file in the journal ignored", "err", err)
			continue
		}
		c := chains[s.log]
		if c == nil {
			c = &chain{id: s.log, epoch: s.epoch}
			chains[s.log] = c
			j.logs = append(j.logs, c)
		}
		c.segs = append(c.segs, s)
		j.epoch = max(j.epoch, s.epoch)
	}
	// Of two logs of one epoch one was begun on a disk that then said no.
	slices.SortFunc(j.logs, func(a, b *chain) int {
		return cmp.Or(cmp.Compare(a.epoch, b.epoch), cmp.Compare(a.id, b.id))
	})
	for _, c := range j.logs {
		slices.SortFunc(c.segs, func(a, b *segment) int { return cmp.Compare(a.first, b.first) })
	}
	return nil
}

// readAll scans every segment. It returns what cannot be read, and what it
// found in the newest segment.
func (j *Journal) readAll() (lost []wire.Gap, tail found, err error) {
	for i, c := range j.logs {
		c.last = c.segs[0].first - 1
		for k, s := range c.segs {
			data, whole, err := j.readSegment(s)
			if err != nil {
				return nil, tail, err
			}
			// What cannot be read is not what a power cut left unwritten.
			newest := whole && i == len(j.logs)-1 && k == len(c.segs)-1
			tail = s.read(data, c.hash, newest, func(e envelope, payload []byte) { j.note(c, e, payload) })
			if k+1 < len(c.segs) {
				if next := c.segs[k+1].first; s.last()+1 < next {
					tail.lost = append(tail.lost, wire.SeqRange{First: s.last() + 1, Last: next - 1})
					tail.hash = ""
				}
			}
			for _, r := range tail.lost {
				lost = append(lost, wire.Gap{Log: c.id, First: r.First, Last: r.Last, Why: whyCorrupt})
			}
			j.healed += tail.healed
			c.last, c.hash = max(c.last, s.last()), tail.hash
			if tail.frames > 0 {
				c.acked = tail.acked // the newest frame knows best: a rewind lowers it
			}
		}
		c.written = c.acked
	}
	if j.healed > 0 {
		j.log.Warn("journal damage healed", "places", j.healed)
	}
	j.applyGaps()
	j.loadAcks()
	return lost, tail, nil
}

// readSegment returns the content of s, with unreadable in the place of bytes
// that the disk does not give back; whole is then false.
func (j *Journal) readSegment(s *segment) (data []byte, whole bool, err error) {
	if data, err = j.fs.ReadFile(s.path); err == nil || errors.Is(err, fs.ErrNotExist) {
		return data, true, err
	}
	j.log.Error("journal segment cannot be read whole", "err", err)
	i, err := j.fs.Stat(s.path)
	if err != nil {
		return nil, false, err
	}
	data = bytes.Repeat([]byte{unreadable}, int(min(i.Size, maxSegment)))
	f, err := j.fs.OpenFile(s.path, os.O_RDONLY, 0)
	if err != nil {
		return data, false, nil
	}
	defer f.Close()
	for off := 0; off < len(data); off += dataStart {
		part := data[off:min(len(data), off+dataStart)]
		buf := make([]byte, len(part))
		if n, err := f.ReadAt(buf, int64(off)); n == len(part) || errors.Is(err, io.EOF) {
			copy(part, buf[:n])
		}
	}
	return data, false, nil
}

// unreadable is no zero, which would mean that nothing was written there.
const unreadable = 0xFF

// note remembers what records say about others, and where checkpoints are.
func (j *Journal) note(c *chain, e envelope, payload []byte) {
	j.count(c, e.Kind, e.Level, e.AtUS)
	switch e.Kind {
	case wire.RecordGap, wire.RecordDrop, wire.RecordReceipt, wire.RecordCheckpoint:
		var r wire.Record
		if json.Unmarshal(payload, &r) == nil {
			j.noteBody(c, r.Seq, r.Kind, r.Body)
		}
	}
}

// report is a gap that a record tells, and where that record stands.
type report struct {
	gap wire.Gap
	log wire.LogID
	seq wire.Seq
}

// applyGaps takes out what a gap record declared void: a record whose sync
// failed, and segments whose removal a crash interrupted.
func (j *Journal) applyGaps() {
	for _, r := range j.reported {
		g := r.gap
		c := j.chain(g.Log)
		if c == nil {
			continue
		}
		switch g.Why {
		case whySync:
			for _, s := range c.segs {
				if s.last() >= g.First {
					s.recs = s.recs[:max(0, int(g.First)-int(s.first))]
				}
			}
			c.last = min(c.last, g.First-1)
			c.acked = min(c.acked, c.last)
		case whyFull:
			for len(c.segs) > 0 && c.segs[0].last() <= g.Last && (len(c.segs) > 1 || c != j.current()) {
				j.remove(c, 0)
			}
		}
	}
	j.logs = slices.DeleteFunc(j.logs, func(c *chain) bool { return len(c.segs) == 0 })
}

// unreported drops from lost what a gap record names already, and what
// nothing is lost with because a failed sync had voided it.
func (j *Journal) unreported(lost []wire.Gap) []wire.Gap {
	return slices.DeleteFunc(lost, func(l wire.Gap) bool {
		return slices.ContainsFunc(j.reported, func(r report) bool {
			g := r.gap
			return g.Log == l.Log && (g.First <= l.First && l.Last <= g.Last || g.Why == whySync && g.First <= l.First)
		})
	})
}

// reopen continues in the newest segment, after cutting off what was never
// finished. On an error the log is retired; what stands in it stays.
func (j *Journal) reopen(tail found) (err error) {
	c := j.current()
	s := c.segs[len(c.segs)-1]
	defer func() {
		if err != nil {
			j.failed(s, err)
		}
	}()
	f, err := j.fs.OpenFile(s.path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	j.f = f
	if tail.unended {
		if _, err := f.WriteAt(endMark[:], s.size-markSize); err != nil {
			return fmt.Errorf("mending the last record: %w", err)
		}
	}
	// Also without torn bytes: zeros behind the end would hide a later tear.
	if err := f.Truncate(s.size); err != nil {
		return fmt.Errorf("cutting a torn tail: %w", err)
	}
	// The last record may have reached only the cache of a killed process, and
	// so may the segment's name.
	if err := f.SyncData(); err != nil {
		return fmt.Errorf("syncing the newest segment: %w", err)
	}
	if err := j.fs.SyncDir(j.dir); err != nil {
		return err
	}
	if tail.torn > 0 {
		j.truncated = tail.torn
		j.log.Warn("torn record cut off", "log", c.id, "bytes", tail.torn, "last", c.last)
	}
	if err := f.Reserve(j.o.SegmentBytes); err != nil {
		j.log.Warn("no space can be reserved for records", "err", err)
	}
	return nil
}

// report appends a gap record.
func (j *Journal) report(g wire.Gap) error { return j.reportBy(j.put, g) }

// reportBy is report with the way to write.
func (j *Journal) reportBy(put func(wire.RecordKind, walltime.Stamp, json.RawMessage) (wire.Seq, error), g wire.Gap) error {
	body, err := json.Marshal(g)
	if err != nil {
		return fmt.Errorf("encoding gap: %w", err)
	}
	seq, err := put(wire.RecordGap, j.o.Now(), body)
	if err != nil {
		return err
	}
	at := report{g, j.current().id, seq}
	if i := slices.IndexFunc(j.reported, func(r report) bool { return r.gap == g }); i >= 0 {
		j.reported[i] = at
	} else {
		j.reported = append(j.reported, at)
	}
	return nil
}

func (j *Journal) chain(log wire.LogID) *chain {
	for _, c := range j.logs {
		if c.id == log {
			return c
		}
	}
	return nil
}

// position is a log's entry in acks.json.
type position struct {
	Last  wire.Seq `json:"last"`
	Acked wire.Seq `json:"acked"`
}

// loadAcks takes the positions of the last orderly stop where no later frame
// knows better.
func (j *Journal) loadAcks() {
	data, err := j.fs.ReadChecked(filepath.Join(j.dir, acksName))
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	var saved map[wire.LogID]position
	if err == nil {
		err = json.Unmarshal(data, &saved)
	}
	if err != nil {
		j.log.Warn("ack positions unreadable: records are sent again", "err", err)
		return
	}
	for _, c := range j.logs {
		if p, ok := saved[c.id]; ok && p.Last == c.last && p.Acked <= c.last {
			c.acked, c.written = p.Acked, p.Acked
		}
	}
}

// saveAcks writes the positions if any is not on disk yet.
func (j *Journal) saveAcks() error {
	if !slices.ContainsFunc(j.logs, func(c *chain) bool { return c.acked != c.written }) {
		return nil
	}
	saved := make(map[wire.LogID]position, len(j.logs))
	for _, c := range j.logs {
		saved[c.id] = position{Last: c.last, Acked: c.acked}
	}
	data, err := json.Marshal(saved)
	if err != nil {
		return err
	}
	if err := j.fs.WriteChecked(filepath.Join(j.dir, acksName), data, 0o600); err != nil {
		return err
	}
	for _, c := range j.logs {
		c.written = c.acked
	}
	return nil
}
