package store

import (
	"context"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// Beat notes that the controller is alive at now. Where the beat before lies
// fleet.MinOutage or more behind, the time between is kept as an outage of the
// controller, and whatever was away then ends with that beat; found reports
// that. A clock that went back only moves the beat.
func (s *Store) Beat(ctx context.Context, now time.Time) (gap fleet.Outage, found bool, err error) {
	gap, err = change(ctx, s, func(t *tx) (fleet.Outage, error) {
		var last int64
		if err := t.row(`SELECT coalesce(max(beat_us), 0) FROM heartbeat`).Scan(&last); err != nil {
			return fleet.Outage{}, err
		}
		if _, err := t.exec(`INSERT INTO heartbeat (id, beat_us) VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET beat_us = excluded.beat_us`, wire.US(now)); err != nil {
			return fleet.Outage{}, err
		}
		if last == 0 || now.Sub(wire.FromUS(last)) < fleet.MinOutage {
			return fleet.Outage{}, nil
		}
		if _, err := t.exec(`UPDATE outages SET to_us = max(from_us, ?) WHERE to_us = 0`, last); err != nil {
			return fleet.Outage{}, err
		}
		o := fleet.Outage{Kind: fleet.OutageController, From: wire.FromUS(last), To: wire.FromUS(wire.US(now))}
		return o, addOutageTx(t, o)
	})
	return gap, err == nil && gap.Kind != "", err
}

func addOutageTx(t *tx, o fleet.Outage) error {
	to := int64(0)
	if !o.To.IsZero() {
		to = wire.US(o.To)
	}
	_, err := t.exec(`INSERT INTO outages (kind, from_us, to_us) VALUES (?, ?, ?) ON CONFLICT (kind) WHERE to_us = 0 DO NOTHING`, string(o.Kind), wire.US(o.From), to)
	return err
}

// BeginOutage notes that something is away since from. One of the same kind
// that still lasts stays as it is.
func (s *Store) BeginOutage(ctx context.Context, kind fleet.OutageKind, from time.Time) error {
	_, err := change(ctx, s, func(t *tx) (none, error) { return none{}, addOutageTx(t, fleet.Outage{Kind: kind, From: from}) })
	return err
}

// EndOutage ends the outage of that kind, if one lasts, and reports whether one
// did.
func (s *Store) EndOutage(ctx context.Context, kind fleet.OutageKind, to time.Time) (bool, error) {
	return change(ctx, s, func(t *tx) (bool, error) {
		res, err := t.exec(`UPDATE outages SET to_us = max(from_us + 1, ?) WHERE kind = ? AND to_us = 0`, wire.US(to), string(kind))
		if err != nil {
			return false, err
		}
		n, err := res.RowsAffected()
		return n > 0, err
	})
}

// Outages returns when the office could not hear the gates in [from, to), by
// their beginning. One that lasts has no end. What has not been noticed yet,
// such as the present stop of a controller that does not run, is not there.
func (s *Store) Outages(ctx context.Context, from, to time.Time) ([]fleet.Outage, error) {
	return list(ctx, s, "outages", func(r scanner) (o fleet.Outage, err error) {
		var f, t int64
		err = r.Scan(&o.Kind, &f, &t)
		o.From, o.To = wire.FromUS(f), wire.FromUS(t)
		return o, err
	}, `SELECT kind, from_us, to_us FROM outages WHERE (to_us = 0 OR to_us > ?) AND from_us < ? ORDER BY from_us, id`, wire.US(from), wire.US(to))
}
