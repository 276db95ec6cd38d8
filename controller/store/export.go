package store

import (
	"context"
	"fmt"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// LogSpans returns, for each journal of a device that has a record whose time
// is in [from, to), what an export of that time holds: from the first of them
// to the last, and on to the next checkpoint and the next receipt, as far as
// the journal is committed without a gap. It reads every record's time.
func (s *Store) LogSpans(ctx context.Context, id wire.DeviceID, from, to time.Time) ([]fleet.LogSpan, error) {
	d, err := s.device(id)
	if err != nil {
		return nil, err
	}
	type row struct {
		log               wire.LogID
		first, last, next int64
	}
	all, err := list(ctx, s, "journals", func(r scanner) (v row, err error) {
		err = r.Scan(&v.log, &v.first, &v.last, &v.next)
		return v, err
	}, `SELECT log, first, last, max(last,
  coalesce((SELECT min(seq) FROM records WHERE log_id = x.id AND seq >= x.last AND kind = ?), 0),
  coalesce((SELECT min(upto) FROM receipts WHERE log_id = x.id AND upto >= x.last), 0))
FROM (SELECT l.id, l.log, min(r.seq) AS first, max(r.seq) AS last FROM logs l JOIN records r ON r.log_id = l.id
  WHERE l.device_id = ? AND r.at_us >= ? AND r.at_us < ? GROUP BY l.id) x ORDER BY x.id`, wire.RecordCheckpoint, d.row, wire.US(from), wire.US(to))
	if err != nil {
		return nil, err
	}
	var spans []fleet.LogSpan
	for _, v := range all {
		a, err := s.AckState(ctx, id, v.log)
		if err != nil {
			return nil, err
		}
		upto := a.Upto
		if len(a.Missing) > 0 {
			upto = a.Missing[0].First - 1
		}
		span := fleet.LogSpan{Device: id, Log: v.log, First: wire.Seq(v.first), Last: wire.Seq(v.last)}
		// What follows the period is there to sign it: only with all in between.
		if next := wire.Seq(v.next); next <= upto {
			span.Last = next
		}
		spans = append(spans, span)
	}
	return spans, nil
}

// EachRecord calls see with the exact bytes of the records of a span in order,
// also of those that were set aside whole as dead letters, until see returns
// an error. The bytes are see's only during the call.
func (s *Store) EachRecord(ctx context.Context, span fleet.LogSpan, see func(raw []byte) error) error {
	d, err := s.device(span.Device)
	if err != nil {
		return err
	}
	rows, err := s.read.QueryContext(ctx, `
WITH x AS (SELECT id FROM logs WHERE device_id = ?1 AND log = ?2)
SELECT seq, raw FROM records WHERE log_id = (SELECT id FROM x) AND seq BETWEEN ?3 AND ?4
UNION ALL
SELECT seq, raw FROM dead_letters l WHERE log_id = (SELECT id FROM x) AND seq BETWEEN ?3 AND ?4 AND bytes = length(raw) AND code <> ?5
  AND NOT EXISTS (SELECT 1 FROM records r WHERE r.log_id = l.log_id AND r.seq = l.seq)
ORDER BY seq`, d.row, span.Log, int64(span.First), int64(span.Last), fleet.DeadConflict)
	if err != nil {
		return fmt.Errorf("reading journal %q of %q: %w", span.Log, span.Device, explain(err))
	}
	defer rows.Close()
	for rows.Next() {
		var seq int64
		var raw []byte
		if err := rows.Scan(&seq, &raw); err != nil {
			return fmt.Errorf("reading journal %q of %q: %w", span.Log, span.Device, explain(err))
		}
		if err := see(raw); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("reading journal %q of %q: %w", span.Log, span.Device, explain(err))
	}
	return nil
}
