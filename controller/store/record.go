package store

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"
	"unicode/utf8"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// logKey names a journal.
type logKey struct {
	device wire.DeviceID
	log    wire.LogID
}

// entry is one record as it arrived; reason is set when it cannot be taken.
type entry struct {
	seq    wire.Seq // 0 if it did not say
	kind   wire.RecordKind
	slot   wire.SlotID
	at     int64
	raw    []byte
	code   fleet.DeadCode // why it cannot be taken, empty if it can
	reason string         // likewise, in words

	boot      string
	anchor    wire.Anchor // the zero value where the record ties no boot to the time
	untrusted bool        // it was written without trusted time, in a boot that it names
	mono      int64
}

// timed notes what the record says about time.
func (e *entry) timed(level wire.TimeLevel, boot string, mono int64, a wire.Anchor) {
	e.boot, e.mono, e.anchor = boot, mono, a
	_, _, ok := a.At(mono) // a time since a boot
	e.untrusted = level <= wire.T0 && boot != "" && len(boot) <= maxBoot && ok
}

// maxBoot bounds the name of a boot; Linux takes 36 bytes.
const maxBoot = 100

// AppendRecords commits records of one journal, each the exact bytes that the
// journal hashed, and returns how many of them are new. On return they survive
// power loss. A record that is there already is skipped, so the same batch may
// come any number of times. One that cannot be taken (not a record, too long,
// of another journal, other bytes under a number that is taken) goes to the
// dead letters with the reason; it does not hold up the others and its number
// counts as received, unless the number itself cannot be believed. One that
// would leave more than maxRuns holes is passed over and asked for again when
// holes are filled. A gap record accounts for the numbers that it names.
//
// Records of a revoked device are refused with a *fleet.Error of code
// Forbidden, those of an unknown one with NotFound, those of one journal too
// many with Conflict; a device that was replaced may still deliver what it played.
// Concurrent callers share one commit; records is not retained.
func (s *Store) AppendRecords(ctx context.Context, id wire.DeviceID, log wire.LogID, records []json.RawMessage, now time.Time) (accepted int, err error) {
	d, err := s.device(id)
	if err != nil {
		return 0, err
	}
	if d.State == fleet.DeviceRevoked {
		return 0, mayTalk(d)
	}
	if log == "" || len(log) > 64 {
		return 0, &fleet.Error{
			Code:   fleet.Invalid,
			Text:   "设备上报的记录没有日志编号。",
			TextEN: "The records that the device sent name no journal.",
		}
	}
	entries := make([]entry, len(records))
	for i, raw := range records {
		entries[i] = parseEntry(log, raw)
	}
	done, err := changeBulk(ctx, s, func(t *tx) (appended, error) { return s.appendTx(t, d, log, entries, now) })
	if err == nil && done.full {
		err = manyLogs(d.ID)
	}
	return done.fresh, err
}

// appended is what a batch came to.
type appended struct {
	fresh int
	full  bool // the device may not open another journal now
}

// maxRecord is what journals hold a record to.
const maxRecord = wire.MaxBatchBytes

// parseEntry reads what the table needs and says why a record cannot be taken.
func parseEntry(log wire.LogID, raw []byte) entry {
	e := entry{raw: raw}
	if h, ok := wire.Skim(raw); ok && len(raw) <= maxRecord && h.Log == log && h.Seq > 0 && h.Seq <= math.MaxInt64/2 && (h.Play != "") == (h.Slot != "") &&
		(h.Slot != "" || h.Kind != wire.RecordIntent && h.Kind != wire.RecordOutcome) {
		// As nearly all of them are: four times as fast as what follows.
		e.seq, e.kind, e.at, e.slot = h.Seq, h.Kind, h.AtUS, h.Slot
		a, _ := h.Anchor()
		e.timed(h.Level, h.BootID, h.MonoUS, a)
		return e
	}
	var r wire.Record
	if err := json.Unmarshal(raw, &r); err != nil {
		var least struct {
			Seq wire.Seq `json:"seq"`
		}
		if json.Unmarshal(raw, &least) == nil {
			e.seq = least.Seq
		}
		e.code, e.reason = fleet.DeadShape, "not a record: "+err.Error()
	} else {
		e.seq, e.kind, e.at = r.Seq, r.Kind, r.AtUS
		a, _ := wire.AnchorOf(r)
		e.timed(r.Level, r.BootID, r.MonoUS, a)
		switch {
		case r.Seq == 0:
			e.code, e.reason = fleet.DeadNumber, "no sequence number"
		case r.Log != log:
			e.code, e.reason = fleet.DeadLog, fmt.Sprintf("of journal %q, sent as %q", clip(string(r.Log)), log)
		case r.Kind == "" || len(r.Kind) > 64:
			e.code, e.reason = fleet.DeadKind, "no kind"
		case r.Kind == wire.RecordIntent || r.Kind == wire.RecordOutcome:
			if e.slot, e.reason = slotOf(r); e.reason != "" {
				e.code = fleet.DeadSlot
			}
		}
	}
	switch {
	case e.seq > math.MaxInt64/2:
		e.seq, e.code, e.reason = 0, fleet.DeadNumber, "sequence number out of range"
	case len(raw) > maxRecord:
		e.code, e.reason = fleet.DeadSize, fmt.Sprintf("%d bytes, the limit is %d", len(raw), maxRecord)
	case !utf8.Valid(raw):
		e.code, e.reason = fleet.DeadText, "not valid UTF-8"
	}
	return e
}

// clip shortens what a device wrote for a message.
func clip(s string) string { return s[:min(len(s), 80)] }

// slotOf returns the slot that an intent or outcome is about.
func slotOf(r wire.Record) (wire.SlotID, string) {
	var o wire.Outcome // an intent has a part of its fields
	if err := json.Unmarshal(r.Body, &o); err != nil {
		return "", "body: " + err.Error()
	}
	if o.Slot == "" || o.Play == "" {
		return "", "names no slot or no play"
	}
	return o.Slot, ""
}

func (s *Store) appendTx(t *tx, d *device, log wire.LogID, entries []entry, now time.Time) (done appended, err error) {
	key := logKey{d.ID, log}
	j, ok, err := s.journalTx(t, d, log, now)
	if err != nil {
		return done, err
	}
	var times timing
	if !ok {
		return appended{full: true}, countDeadTx(t, d.row, 0, 0, 1, now)
	}
	in := intake{s: s, t: t, d: d, key: key, j: j, now: now}
	s.logsMu.Lock()
	in.view = j.clone()
	s.logsMu.Unlock()
	for _, e := range entries {
		fresh, err := in.put(e)
		if err != nil {
			return done, err
		}
		if fresh {
			done.fresh++
			times.add(e)
		}
	}
	if err := s.retimeTx(t, d, times); err != nil {
		return done, err
	}
	t.after(func() {
		s.logsMu.Lock()
		defer s.logsMu.Unlock()
		for k, ranges := range in.got {
			for _, r := range ranges {
				s.logs[k].addRange(r)
			}
		}
	})
	return done, s.saveUptoTx(t, j)
}

// intake is the taking of one batch.
type intake struct {
	s    *Store
	t    *tx
	d    *device
	key  logKey
	j    *journal // as committed before
	view journal  // and with what this batch brought so far
	got  map[logKey][]wire.SeqRange
	now  time.Time
}

// count notes numbers as received once the batch is committed.
func (in *intake) count(k logKey, r wire.SeqRange) {
	if in.got == nil {
		in.got = map[logKey][]wire.SeqRange{}
	}
	in.got[k] = append(in.got[k], r)
	if k == in.key {
		in.view.addRange(r)
	}
}

// put reports whether the record is new and good.
func (in *intake) put(e entry) (bool, error) {
	one := wire.SeqRange{First: e.seq, Last: e.seq}
	if e.seq > in.view.upto+farAhead {
		e.reason = fmt.Sprintf("number %d, where %d were received", e.seq, in.view.upto)
		e.seq, e.code = 0, fleet.DeadAhead
	}
	if e.seq > 0 && !in.view.fits(one) {
		return false, nil // too many holes: it is asked for again
	}
	if e.code != "" {
		return false, in.setAside(e)
	}
	var slot any
	if e.slot != "" {
		slot = string(e.slot)
	}
	at := wire.FromUS(e.at)
	if e.untrusted {
		at = in.now // until it is timed, when it came says best what the device was bound to
	}
	point := in.d.pointAt(at)
	r, err := in.t.exec(`INSERT INTO records (log_id, seq, point_id, kind, slot, at_us, received_us, raw) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (log_id, seq) DO NOTHING`,
		in.j.row, int64(e.seq), int64(point), string(e.kind), slot, e.at, wire.US(in.now), e.raw)
	if err != nil {
		return false, err
	}
	n, err := r.RowsAffected()
	if err != nil {
		return false, err
	}
	in.count(in.key, one)
	if n > 0 {
		if err := untrustedTx(in.t, in.d, r, e); err != nil {
			return false, err
		}
		switch e.kind {
		case wire.RecordGap:
			err = in.gap(e)
		case wire.RecordIncident:
			err = in.incident(e, point)
		}
		return true, err
	}
	var there []byte
	if err := in.t.row(`SELECT raw FROM records WHERE log_id = ? AND seq = ?`, in.j.row, int64(e.seq)).Scan(&there); err != nil {
		return false, err
	}
	if bytes.Equal(there, e.raw) {
		return false, nil
	}
	e.code, e.reason = fleet.DeadConflict, "other bytes under a number that is taken"
	return false, in.setAside(e)
}

// untrustedTx notes a record that waits for trusted time of its boot.
func untrustedTx(t *tx, d *device, r sql.Result, e entry) error {
	if !e.untrusted {
		return nil
	}
	id, err := r.LastInsertId()
	if err != nil {
		return err
	}
	_, err = t.exec(`INSERT INTO retimed (record_id, device_id, boot, mono_us, told_us) VALUES (?, ?, ?, ?, ?)`, id, d.row, e.boot, e.mono, e.at)
	return err
}

const recordColumns = `r.id, d.name, r.point_id, r.received_us, r.raw, x.at_us, x.err_us`

const recordTables = `records r JOIN logs l ON l.id = r.log_id JOIN devices d ON d.id = l.device_id LEFT JOIN retimed x ON x.record_id = r.id`

func scanRecord(r scanner) (rec fleet.Record, err error) {
	var received int64
	var at, bound sql.NullInt64
	if err := r.Scan(&rec.ID, &rec.Device, &rec.Point, &received, &rec.Raw, &at, &bound); err != nil {
		return rec, err
	}
	rec.Received = wire.FromUS(received)
	if err := json.Unmarshal(rec.Raw, &rec.Record); err != nil {
		return rec, fmt.Errorf("record %d: %w", rec.ID, err)
	}
	if rec.At, rec.AtErr, rec.Retimed = retimedAs(at, bound); !rec.Retimed {
		rec.At, rec.AtErr = wire.FromUS(rec.AtUS), time.Duration(rec.ErrMS)*time.Millisecond
	}
	return rec, nil
}

// RecordsAfter returns up to limit records committed after the one with that
// id, in the order of their commit; 0 begins at the first. A reader that keeps
// the last id misses none.
func (s *Store) RecordsAfter(ctx context.Context, cursor int64, limit int) ([]fleet.Record, error) {
	return list(ctx, s, "records", scanRecord, `SELECT `+recordColumns+` FROM `+recordTables+` WHERE r.id > ? ORDER BY r.id LIMIT ?`, cursor, limit)
}

// RecordsOfSlot returns the intents and outcomes of a slot at a point, in the
// order of their commit.
func (s *Store) RecordsOfSlot(ctx context.Context, p fleet.PointID, slot wire.SlotID) ([]fleet.Record, error) {
	return list(ctx, s, "records", scanRecord, `SELECT `+recordColumns+` FROM `+recordTables+` WHERE r.point_id = ? AND r.slot = ? ORDER BY r.id`, p, slot)
}

// MachineRecords returns the records of a point that belong to no slot (boot,
// plan, clock, gap, stop, incident), with from ≤ their time < to, in the order of it.
func (s *Store) MachineRecords(ctx context.Context, p fleet.PointID, from, to time.Time) ([]fleet.Record, error) {
	return list(ctx, s, "records", scanRecord,
		`SELECT `+recordColumns+` FROM `+recordTables+` WHERE r.point_id = ? AND r.slot IS NULL AND r.at_us >= ? AND r.at_us < ? ORDER BY r.at_us, r.id`,
		p, wire.US(from), wire.US(to))
}

// PlaysOfPoint returns up to limit outcomes of a point, the latest first.
func (s *Store) PlaysOfPoint(ctx context.Context, p fleet.PointID, limit int) ([]fleet.Record, error) {
	// Slots sort by day but not within it: more are read than asked for.
	return list(ctx, s, "plays", scanRecord, `
SELECT `+recordColumns+` FROM `+recordTables+` WHERE r.id IN (
  SELECT id FROM records WHERE point_id = ?1 AND slot IS NOT NULL AND kind = 'outcome' ORDER BY slot DESC LIMIT ?2 + 500
) ORDER BY r.at_us DESC, r.id DESC LIMIT ?2`, p, limit)
}

// LastRecords returns up to limit records of the journal that a device writes
// now, the newest first.
func (s *Store) LastRecords(ctx context.Context, id wire.DeviceID, limit int) ([]fleet.Record, error) {
	return list(ctx, s, "records", scanRecord, `
SELECT `+recordColumns+` FROM `+recordTables+`
WHERE r.log_id = (SELECT l.id FROM logs l JOIN devices d ON d.id = l.device_id WHERE d.name = ? AND EXISTS (SELECT 1 FROM records WHERE log_id = l.id) ORDER BY l.id DESC LIMIT 1)
ORDER BY r.seq DESC LIMIT ?`, id, limit)
}

// AckState says which records of a journal are committed, in the form that
// the device is told. A journal that nobody heard of has Upto 0.
func (s *Store) AckState(ctx context.Context, id wire.DeviceID, log wire.LogID) (wire.Ack, error) {
	key := logKey{id, log}
	s.logsMu.Lock()
	j, ok := s.logs[key]
	var a wire.Ack
	if ok {
		a = j.ack(log)
	}
	s.logsMu.Unlock()
	if ok {
		return a, nil
	}
	d, err := s.device(id)
	if err != nil {
		return wire.Ack{}, err
	}
	// Not in memory: nothing came since the start. What is read here is
	// committed; what is committed meanwhile may be in it or not.
	j = &journal{}
	err = s.read.QueryRowContext(ctx, `SELECT id, upto FROM logs WHERE device_id = ? AND log = ?`, d.row, log).Scan(&j.row, &j.upto)
	if errors.Is(err, sql.ErrNoRows) {
		return wire.Ack{Log: log}, nil
	}
	if err != nil {
		return wire.Ack{}, fmt.Errorf("reading journal %q of %q: %w", log, id, explain(err))
	}
	rows, err := s.read.QueryContext(ctx, rangesAbove, j.row, int64(j.upto))
	if err != nil {
		return wire.Ack{}, fmt.Errorf("reading journal %q of %q: %w", log, id, explain(err))
	}
	if err := j.load(rows); err != nil {
		return wire.Ack{}, fmt.Errorf("reading journal %q of %q: %w", log, id, explain(err))
	}
	return j.ack(log), nil
}
