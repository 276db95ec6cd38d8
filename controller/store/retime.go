package store

import (
	"database/sql"
	"errors"
	"maps"
	"slices"
	"time"

	"gatecast/internal/wire"
)

// anchored is the boot that a device was last heard of, and what ties it to
// the time of the day. Guarded by Store.logsMu; changed by the writer after a
// commit only.
type anchored struct {
	boot string
	best wire.Anchor
}

// timing is what the records of one transaction tell about time: the best
// anchor of each boot, and the boots in which something was written without
// trusted time.
type timing struct {
	anchors map[string]wire.Anchor
	boots   map[string]bool
}

func (g *timing) add(e entry) {
	switch {
	case e.anchor != wire.Anchor{}:
		if g.anchors == nil {
			g.anchors = map[string]wire.Anchor{}
		}
		if e.anchor.Better(g.anchors[e.boot]) {
			g.anchors[e.boot] = e.anchor
		}
	case e.untrusted:
		if g.boots == nil {
			g.boots = map[string]bool{}
		}
		g.boots[e.boot] = true
	}
}

// retimeTx gives the records of d that were written without trusted time their
// instants, as far as they can be known now. The result is the same in
// whichever order records arrive, and however often.
func (s *Store) retimeTx(t *tx, d *device, g timing) error {
	for _, boot := range slices.Sorted(maps.Keys(g.anchors)) {
		better, err := s.anchorTx(t, d, boot, g.anchors[boot])
		if err != nil {
			return err
		}
		if better {
			if g.boots == nil {
				g.boots = map[string]bool{}
			}
			g.boots[boot] = true
		}
	}
	for _, boot := range slices.Sorted(maps.Keys(g.boots)) {
		a, err := anchorOfTx(t, d, boot)
		if err != nil {
			return err
		}
		if (a == wire.Anchor{}) {
			continue
		}
		if err := d.applyTx(t, boot, a); err != nil {
			return err
		}
	}
	return nil
}

// anchorTx keeps a if it is better than what is known of the boot, and reports
// whether it is.
func (s *Store) anchorTx(t *tx, d *device, boot string, a wire.Anchor) (bool, error) {
	s.logsMu.Lock()
	known := s.anchors[d.ID]
	s.logsMu.Unlock()
	if known.boot == boot && !a.Better(known.best) {
		return false, nil
	}
	best, err := anchorOfTx(t, d, boot)
	if err != nil {
		return false, err
	}
	better := a.Better(best)
	if better {
		best = a
		if _, err := t.exec(`INSERT INTO boots (device_id, boot, at_us, mono_us, err_us) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (device_id, boot) DO UPDATE SET at_us = excluded.at_us, mono_us = excluded.mono_us, err_us = excluded.err_us`,
			d.row, boot, a.AtUS, a.MonoUS, a.ErrUS); err != nil {
			return false, err
		}
	}
	t.after(func() {
		s.logsMu.Lock()
		defer s.logsMu.Unlock()
		s.anchors[d.ID] = anchored{boot, best}
	})
	return better, nil
}

// anchorOfTx returns what is known of a boot, the zero Anchor for nothing.
func anchorOfTx(t *tx, d *device, boot string) (a wire.Anchor, err error) {
	err = t.row(`SELECT at_us, mono_us, err_us FROM boots WHERE device_id = ? AND boot = ?`, d.row, boot).Scan(&a.AtUS, &a.MonoUS, &a.ErrUS)
	if errors.Is(err, sql.ErrNoRows) {
		return wire.Anchor{}, nil
	}
	return a, err
}

// applyTx sets the instants of a boot's untrusted records by a. What the
// device was bound to then is known with them.
func (d *device) applyTx(t *tx, boot string, a wire.Anchor) error {
	rows, err := t.query(`SELECT record_id, mono_us FROM retimed WHERE device_id = ? AND boot = ?`, d.row, boot)
	if err != nil {
		return err
	}
	all, err := collect(rows, func(r scanner) (v [2]int64, err error) {
		err = r.Scan(&v[0], &v[1])
		return v, err
	})
	if err != nil {
		return err
	}
	for _, v := range all {
		at, bound, ok := a.At(v[1])
		if !ok {
			continue
		}
		if _, err := t.exec(`UPDATE retimed SET at_us = ?, err_us = ? WHERE record_id = ?`, at, bound, v[0]); err != nil {
			return err
		}
		if _, err := t.exec(`UPDATE records SET at_us = ?, point_id = ? WHERE id = ?`, at, int64(d.pointAt(wire.FromUS(at))), v[0]); err != nil {
			return err
		}
	}
	return nil
}

// retimedAs is how a record without trusted time was timed afterwards.
func retimedAs(at, bound sql.NullInt64) (t time.Time, err time.Duration, ok bool) {
	if !at.Valid || at.Int64 == 0 {
		return time.Time{}, 0, false
	}
	return wire.FromUS(at.Int64), time.Duration(bound.Int64) * time.Microsecond, true
}
