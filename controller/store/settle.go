package store

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// Settle writes what the ledger decided and returns the obligations that
// changed by it, as they are now; the daily sums change with them, all or
// nothing. A row that is not there, is exempt, or says the same already is
// left out. The ledger exempts only what an approved order silenced (reason
// muted) or what gave way to an emergency broadcast (yielded). A settled verdict never goes back to due, nor to
// pending unless all it rested on was a person's word (grade C); when it
// changes, the one before is kept as a Correction. Demo is only ever added.
func (s *Store) Settle(ctx context.Context, all []fleet.Settlement, now time.Time) ([]fleet.Obligation, error) {
	var changed []fleet.Obligation
	for chunk := range slices.Chunk(all, obligationChunk) {
		part, err := change(ctx, s, func(t *tx) ([]fleet.Obligation, error) { return settleTx(t, chunk, now) })
		if err != nil {
			return changed, fmt.Errorf("settling: %w", err)
		}
		changed = append(changed, part...)
	}
	return changed, nil
}

func settleTx(t *tx, all []fleet.Settlement, now time.Time) ([]fleet.Obligation, error) {
	var changed []fleet.Obligation
	roll := rollup{}
	for _, st := range all {
		day, suffix, err := splitSlot(st.Slot)
		if err != nil {
			return nil, err
		}
		old, err := scanObligation(t.row(oneObligation, st.Point, day, suffix))
		if err = notFound(err, noPoint(st.Point)); fleet.CodeOf(err) == fleet.NotFound {
			continue // a plan took it away before it began
		}
		if err != nil {
			return nil, err
		}
		o, ok := settled(old, st, now)
		if !ok {
			continue
		}
		if o.Revisions > old.Revisions {
			if _, err := t.exec(`INSERT INTO corrections (at_us, point_id, slot, was, now) VALUES (?, ?, ?, ?, ?)`,
				wire.US(now), st.Point, st.Slot, toJSON(settlementOf(old)), toJSON(settlementOf(o))); err != nil {
				return nil, err
			}
		}
		if _, err := t.exec(`
UPDATE obligations SET verdict = ?, grade = ?, reason = ?, note = ?, plays_ok = ?, sound_ms = ?, demo = ?, device = ?, settled_us = ?, revisions = ?
WHERE point_id = ? AND day = ? AND slot_id = (SELECT id FROM slots WHERE suffix = ?)`,
			string(o.Verdict), string(o.Grade), string(o.Reason), o.Note, o.PlaysOK, o.SoundMS, o.Demo, string(o.Device), wire.US(o.Settled), o.Revisions,
			int64(o.Point), day, suffix); err != nil {
			return nil, err
		}
		if err := publishedTx(t, old, o, now); err != nil {
			return nil, err
		}
		if o.Verdict != old.Verdict || o.Reason != old.Reason {
			if err := alertNewsTx(t, o, day, suffix); err != nil {
				return nil, err
			}
		}
		roll.sub(old)
		roll.add(o)
		changed = append(changed, o)
	}
	return changed, roll.write(t)
}

// excused reports whether the ledger may exempt a slot for that reason.
func excused(r wire.Reason) bool { return r == wire.ReasonMuted || r == wire.ReasonYielded }

// settled returns old with st in it, and whether that changes anything.
func settled(old fleet.Obligation, st fleet.Settlement, now time.Time) (fleet.Obligation, bool) {
	final := old.Verdict != fleet.Due && old.Verdict != fleet.Pending
	if old.Verdict == fleet.Exempt || st.Verdict == fleet.Due || st.Verdict == fleet.Exempt && !excused(st.Reason) || final && st.Verdict == fleet.Pending && old.Grade != fleet.GradeC {
		return old, false
	}
	st.Day, st.Demo = old.Day, st.Demo || old.Demo
	if st == settlementOf(old) {
		return old, false
	}
	o := old
	o.Verdict, o.Grade, o.Reason, o.Note = st.Verdict, st.Grade, st.Reason, st.Note
	o.PlaysOK, o.SoundMS, o.Demo, o.Device = st.PlaysOK, st.SoundMS, st.Demo, st.Device
	o.Settled = wire.FromUS(wire.US(now))
	if final {
		o.Revisions++
	}
	return o, true
}

func settlementOf(o fleet.Obligation) fleet.Settlement {
	return fleet.Settlement{
		Point: o.Point, Day: o.Day, Slot: o.Slot, Verdict: o.Verdict, Grade: o.Grade, Reason: o.Reason, Note: o.Note,
		PlaysOK: o.PlaysOK, SoundMS: o.SoundMS, Demo: o.Demo, Device: o.Device,
	}
}

// Corrections returns the changes of a settled verdict of one slot, the oldest
// first; an empty slot asks for all of the point, point 0 for the whole ledger.
func (s *Store) Corrections(ctx context.Context, p fleet.PointID, slot wire.SlotID) ([]fleet.Correction, error) {
	var w where
	if p != 0 {
		w.add("point_id = ?", p)
	}
	if slot != "" {
		w.add("slot = ?", slot)
	}
	return list(ctx, s, "corrections", func(r scanner) (c fleet.Correction, err error) {
		var at int64
		var was, now []byte
		if err := r.Scan(&at, &c.Point, &c.Slot, &was, &now); err != nil {
			return c, err
		}
		c.At = wire.FromUS(at)
		if err := json.Unmarshal(was, &c.Was); err != nil {
			return c, err
		}
		return c, json.Unmarshal(now, &c.Now)
	}, `SELECT at_us, point_id, slot, was, now FROM corrections`+w.String()+` ORDER BY id`, w.args...)
}
