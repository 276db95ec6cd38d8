package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// Bounds of the dead letters of one device: at most 4 MB. What comes later is
// counted and dropped, because what came first shows the cause.
const (
	maxDead    = 1000
	maxDeadRaw = 4 << 10
)

// setAside keeps a record that cannot be taken and counts its number.
func (in *intake) setAside(e entry) error {
	kept, err := keepDeadTx(in.t, in.d.row, in.j.row, in.key.log, e, in.now)
	if err != nil || e.seq == 0 {
		return err
	}
	r := wire.SeqRange{First: e.seq, Last: e.seq}
	if !kept && e.code != fleet.DeadConflict {
		err = voidTx(in.t, in.j.row, r)
	}
	in.count(in.key, r)
	return err
}

// keepDeadTx reports whether the letter is in the table now.
func keepDeadTx(t *tx, device, logRow int64, log wire.LogID, e entry, now time.Time) (bool, error) {
	whole := sha256.Sum256(e.raw)
	sum := hex.EncodeToString(whole[:])
	var have, kept int
	if err := t.row(`SELECT (SELECT count(*) FROM dead_letters WHERE device_id = ?1 AND log = ?2 AND seq = ?3 AND sha256 = ?4),
  coalesce((SELECT kept FROM dead_counts WHERE device_id = ?1), 0)`, device, string(log), int64(e.seq), sum).Scan(&have, &kept); err != nil {
		return false, err
	}
	switch {
	case have > 0:
		return true, nil
	case kept >= maxDead:
		return false, countDeadTx(t, device, 0, 1, 0, now)
	}
	var row any
	if logRow != 0 {
		row = logRow
	}
	if _, err := t.exec(`INSERT INTO dead_letters (device_id, log_id, log, seq, sha256, code, reason, received_us, bytes, raw) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		device, row, string(log), int64(e.seq), sum, string(e.code), e.reason, wire.US(now), len(e.raw), e.raw[:min(len(e.raw), maxDeadRaw)]); err != nil {
		return false, err
	}
	return true, countDeadTx(t, device, 1, 0, 0, now)
}

func countDeadTx(t *tx, device int64, kept, dropped, refused int, now time.Time) error {
	_, err := t.exec(`INSERT INTO dead_counts (device_id, kept, dropped, refused, last_us) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (device_id) DO UPDATE SET kept = kept + excluded.kept, dropped = dropped + excluded.dropped, refused = refused + excluded.refused, last_us = excluded.last_us`,
		device, kept, dropped, refused, wire.US(now))
	return err
}

// voidTx accounts for numbers of which there is no record.
func voidTx(t *tx, logRow int64, r wire.SeqRange) error {
	// The run just before grows, so that numbers in order make one row.
	done, err := t.exec(`UPDATE voids SET last = max(last, ?3) WHERE log_id = ?1 AND first <= ?2 AND last >= ?2 - 1`, logRow, int64(r.First), int64(r.Last))
	if err != nil {
		return err
	}
	if n, err := done.RowsAffected(); err != nil || n > 0 {
		return err
	}
	_, err = t.exec(`INSERT INTO voids (log_id, first, last) VALUES (?, ?, ?)`, logRow, int64(r.First), int64(r.Last))
	return err
}

// AddDeadBatch keeps a whole message of records that cannot be taken apart
// among the dead letters of the device, within the same bounds. Nothing of it
// counts as received. Errors are those of AppendRecords.
func (s *Store) AddDeadBatch(ctx context.Context, id wire.DeviceID, raw []byte, reason string, now time.Time) error {
	d, err := s.device(id)
	if err != nil {
		return err
	}
	if d.State == fleet.DeviceRevoked {
		return mayTalk(d)
	}
	e := entry{raw: raw, code: fleet.DeadBatch, reason: reason}
	_, err = changeBulk(ctx, s, func(t *tx) (bool, error) { return keepDeadTx(t, d.row, 0, "", e, now) })
	return err
}

// DeadLetters returns the records that could not be taken, the newest first.
func (s *Store) DeadLetters(ctx context.Context, f fleet.DeadFilter) ([]fleet.DeadLetter, error) {
	var w where
	if f.Device != "" {
		w.add("d.name = ?", f.Device)
	}
	return list(ctx, s, "dead letters", func(r scanner) (l fleet.DeadLetter, err error) {
		var seq, received int64
		err = r.Scan(&l.ID, &l.Device, &l.Log, &seq, &received, &l.Code, &l.Reason, &l.Bytes, &l.Raw)
		l.Seq, l.Received = wire.Seq(seq), wire.FromUS(received)
		return l, err
	}, `SELECT x.id, d.name, x.log, x.seq, x.received_us, x.code, x.reason, x.bytes, x.raw FROM dead_letters x JOIN devices d ON d.id = x.device_id`+
		w.String()+` ORDER BY x.id DESC`+page(f.Limit, f.Offset), w.args...)
}

// DeadCounts returns the devices of which anything could not be taken, the
// one with the newest first.
func (s *Store) DeadCounts(ctx context.Context) ([]fleet.DeadCount, error) {
	return list(ctx, s, "counts of dead letters", func(r scanner) (c fleet.DeadCount, err error) {
		var last int64
		err = r.Scan(&c.Device, &c.Kept, &c.Dropped, &c.Refused, &last)
		c.Last = wire.FromUS(last)
		return c, err
	}, `SELECT d.name, c.kept, c.dropped, c.refused, c.last_us FROM dead_counts c JOIN devices d ON d.id = c.device_id ORDER BY c.last_us DESC, d.name`)
}
