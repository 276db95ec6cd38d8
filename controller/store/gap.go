package store

import (
	"context"
	"encoding/json"
	"fmt"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// whySync is the reason of a gap that ends its journal: the disk did not
// confirm the record, and the device went on in another journal. Its number
// is not counted, because an ack that names it would be ahead of the journal.
const whySync = "sync"

// gap reads what a gap record says is lost, and accounts for it. A claim that
// makes no sense is left out; the record stays a record.
func (in *intake) gap(e entry) error {
	var body struct {
		Body wire.Gap `json:"body"`
	}
	if json.Unmarshal(e.raw, &body) != nil {
		return nil
	}
	g := body.Body
	if g.Log == "" || len(g.Log) > 64 || len(g.Why) > 64 || g.First < 1 || g.Last < g.First {
		return nil
	}
	key, j := logKey{in.d.ID, g.Log}, in.j
	if key != in.key {
		other, ok, err := in.s.journalTx(in.t, in.d, g.Log, in.now)
		if err != nil || !ok {
			return err
		}
		j = other
	}
	in.s.logsMu.Lock()
	view := j.clone()
	in.s.logsMu.Unlock()
	r := wire.SeqRange{First: g.First, Last: g.Last}
	if r.Last > view.upto+farAhead || !view.fits(r) {
		return nil
	}
	if _, err := in.t.exec(`INSERT OR IGNORE INTO gaps (device_id, log_id, first, last, why, at_us, received_us) VALUES (?, ?, ?, ?, ?, ?, ?)`,
		in.d.row, j.row, int64(g.First), int64(g.Last), g.Why, e.at, wire.US(in.now)); err != nil {
		return err
	}
	if g.Why == whySync {
		return nil
	}
	in.count(key, r)
	return voidTx(in.t, j.row, r)
}

// gapEnds finds the first and the last number of a gap of which no record is
// here. ?1 is the log, ?2 and ?3 the ends that the device named.
const gapEnds = `SELECT
  CASE WHEN NOT EXISTS (SELECT 1 FROM records WHERE log_id = ?1 AND seq = ?2) THEN ?2
    ELSE (SELECT r.seq + 1 FROM records r WHERE r.log_id = ?1 AND r.seq >= ?2 AND NOT EXISTS (SELECT 1 FROM records n WHERE n.log_id = ?1 AND n.seq = r.seq + 1) ORDER BY r.seq LIMIT 1) END,
  CASE WHEN NOT EXISTS (SELECT 1 FROM records WHERE log_id = ?1 AND seq = ?3) THEN ?3
    ELSE (SELECT r.seq - 1 FROM records r WHERE r.log_id = ?1 AND r.seq <= ?3 AND NOT EXISTS (SELECT 1 FROM records n WHERE n.log_id = ?1 AND n.seq = r.seq - 1) ORDER BY r.seq DESC LIMIT 1) END`

// Gaps returns what devices that were ever bound to p say is lost, the newest
// saying first; p 0 means all. Times between are those of the records around.
func (s *Store) Gaps(ctx context.Context, p fleet.PointID) ([]fleet.Gap, error) {
	type row struct {
		fleet.Gap
		log int64
	}
	var w where
	if p != 0 {
		w.add("g.device_id IN (SELECT device_id FROM bindings WHERE point_id = ?)", p)
	}
	rows, err := list(ctx, s, "gaps", func(r scanner) (g row, err error) {
		var first, last, at, received int64
		err = r.Scan(&g.Device, &g.Log, &g.log, &first, &last, &g.Why, &at, &received)
		g.First, g.Last, g.At, g.Received = wire.Seq(first), wire.Seq(last), wire.FromUS(at), wire.FromUS(received)
		return g, err
	}, `SELECT d.name, l.log, g.log_id, g.first, g.last, g.why, g.at_us, g.received_us
FROM gaps g JOIN devices d ON d.id = g.device_id JOIN logs l ON l.id = g.log_id`+w.String()+` ORDER BY g.id DESC`, w.args...)
	if err != nil {
		return nil, err
	}
	var all []fleet.Gap
	for _, g := range rows {
		var first, last, after, before int64
		if err := s.read.QueryRowContext(ctx, gapEnds, g.log, int64(g.First), int64(g.Last)).Scan(&first, &last); err != nil {
			return nil, fmt.Errorf("reading gaps: %w", explain(err))
		}
		if g.Lost = first <= last; g.Lost {
			if err := s.read.QueryRowContext(ctx, `SELECT
  coalesce((SELECT at_us FROM records WHERE log_id = ?1 AND seq < ?2 ORDER BY seq DESC LIMIT 1), 0),
  coalesce((SELECT at_us FROM records WHERE log_id = ?1 AND seq > ?3 ORDER BY seq LIMIT 1), ?4)`, g.log, first, last, wire.US(g.At)).Scan(&after, &before); err != nil {
				return nil, fmt.Errorf("reading gaps: %w", explain(err))
			}
			g.After, g.Before = wire.FromUS(after), wire.FromUS(before)
		}
		all = append(all, g.Gap)
	}
	return all, nil
}
