package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// PutObligations makes the obligations that start within the window at its
// points those of want, which must lie within it. What has begun by now or is
// settled stays as it is and is never removed; what should have begun by now
// and was not written in advance is not owed (PutResult.Late). A row is
// written with verdict Due, or Exempt if want says so. Each point is done
// wholly or not at all; a plan that changes nothing only reads.
func (s *Store) PutObligations(ctx context.Context, win fleet.PlanWindow, want []fleet.Obligation, now time.Time) (fleet.PutResult, error) {
	p := planning{win: win, want: map[fleet.PointID][]fleet.Obligation{}, now: now}
	for _, id := range win.Points {
		p.want[id] = nil
	}
	var sum fleet.PutResult
	for _, o := range want {
		if err := p.take(o); err != nil {
			return sum, fmt.Errorf("putting obligations: %w", err)
		}
	}
	points := slices.Clone(win.Points)
	slices.Sort(points)
	points = slices.Compact(points)
	for len(points) > 0 {
		chunk, err := p.chunk(ctx, s, points, &sum)
		if err != nil {
			return sum, fmt.Errorf("putting obligations: %w", err)
		}
		points = points[len(chunk.read):]
		if len(chunk.write) == 0 {
			continue
		}
		done, err := change(ctx, s, func(t *tx) (fleet.PutResult, error) { return p.put(t, chunk.write) })
		if err != nil {
			return sum, fmt.Errorf("putting obligations: %w", err)
		}
		sum = plus(sum, done)
	}
	return sum, nil
}

// planning is one call of PutObligations.
type planning struct {
	win  fleet.PlanWindow
	want map[fleet.PointID][]fleet.Obligation
	now  time.Time
}

// take checks one wanted row; the caller's mistakes end the call.
func (p *planning) take(o fleet.Obligation) error {
	day, _, err := splitSlot(o.Slot)
	if err != nil {
		return err
	}
	already, ok := p.want[o.Point]
	switch {
	case !ok:
		return fmt.Errorf("slot %q is of point %d, which the plan is not about", o.Slot, o.Point)
	case o.Start.Before(p.win.From) || !o.Start.Before(p.win.To):
		return fmt.Errorf("slot %q starts at %v, outside the plan's window", o.Slot, o.Start)
	case !o.End.After(o.Start):
		return fmt.Errorf("slot %q ends at %v, not after its start %v", o.Slot, o.End, o.Start)
	case o.Day != dayOf(day):
		return fmt.Errorf("slot %q is of day %q by its field", o.Slot, o.Day)
	case slices.ContainsFunc(already, func(a fleet.Obligation) bool { return a.Slot == o.Slot }):
		return fmt.Errorf("slot %q of point %d is wanted twice", o.Slot, o.Point)
	}
	p.want[o.Point] = append(already, o)
	return nil
}

// obligationChunk keeps a transaction under about 20 ms.
const obligationChunk = 500

// chunked is a run of points that were read, and those of them to be written.
type chunked struct {
	read, write []fleet.PointID
}

// chunk reads points until enough rows are to be written. What it finds
// settled without a write is counted in sum.
func (p *planning) chunk(ctx context.Context, s *Store, points []fleet.PointID, sum *fleet.PutResult) (chunked, error) {
	var c chunked
	rows := 0
	for i, id := range points {
		d, err := p.diff(func(query string, args ...any) (*sql.Rows, error) { return s.read.QueryContext(ctx, query, args...) }, id)
		if err != nil {
			return c, err
		}
		c.read = points[:i+1]
		if n := len(d.write) + len(d.remove); n > 0 {
			c.write = append(c.write, id)
			if rows += n; rows >= obligationChunk {
				break
			}
		} else {
			*sum = plus(*sum, d.count)
		}
	}
	return c, nil
}

// put writes what differs at points.
func (p *planning) put(t *tx, points []fleet.PointID) (sum fleet.PutResult, err error) {
	roll := rollup{}
	slots := slotIDs{t: t, ids: map[string]int64{}}
	for _, id := range points {
		d, err := p.diff(t.query, id) // again: the ledger may have written meanwhile
		if err != nil {
			return sum, err
		}
		for _, old := range d.remove {
			if err := removeTx(t, old); err != nil {
				return sum, err
			}
		}
		for _, o := range d.write {
			if err := writePlannedTx(t, o, &slots); err != nil {
				return sum, err
			}
			roll.add(o)
		}
		for _, old := range d.gone {
			roll.sub(old)
		}
		sum = plus(sum, d.count)
	}
	return sum, roll.write(t)
}

func plus(a, b fleet.PutResult) fleet.PutResult {
	return fleet.PutResult{Added: a.Added + b.Added, Changed: a.Changed + b.Changed, Removed: a.Removed + b.Removed, Kept: a.Kept + b.Kept, Late: a.Late + b.Late}
}

// difference is what a plan changes at one point.
type difference struct {
	write  []fleet.Obligation // new or changed, as they are to be
	remove []fleet.Obligation // no longer wanted
	gone   []fleet.Obligation // as they were: the removed and the changed
	count  fleet.PutResult
}

// diff compares what is wanted at a point with what is there.
func (p *planning) diff(query func(string, ...any) (*sql.Rows, error), id fleet.PointID) (difference, error) {
	var d difference
	rows, err := query(`SELECT unit_id, coalesce(compound_id, 0) FROM points WHERE id = ?`, id)
	if err != nil {
		return d, err
	}
	type place struct {
		unit     fleet.UnitID
		compound fleet.CompoundID
	}
	at, err := collect(rows, func(r scanner) (l place, err error) {
		err = r.Scan(&l.unit, &l.compound)
		return l, err
	})
	if err != nil {
		return d, err
	}
	if len(at) == 0 {
		return d, noPoint(id)
	}
	// A local day may lie one beside that of UTC.
	rows, err = query(`SELECT `+obligationColumns+` FROM `+obligationTables+` WHERE o.point_id = ? AND o.day BETWEEN ? AND ?`,
		id, p.win.From.Unix()/86400-2, p.win.To.Unix()/86400+2)
	if err != nil {
		return d, err
	}
	all, err := collect(rows, scanObligation)
	if err != nil {
		return d, err
	}
	have := make(map[wire.SlotID]fleet.Obligation, len(all))
	for _, o := range all {
		have[o.Slot] = o
	}
	for _, w := range p.want[id] {
		old, exists := have[w.Slot]
		delete(have, w.Slot)
		w = planned(w, at[0].unit, at[0].compound, p.now)
		switch {
		case exists && (fixed(old, p.now) || !w.Start.After(p.now) || samePlan(old, w)):
			d.count.Kept++ // what was announced is not moved into the past either
		case !w.Start.After(p.now):
			d.count.Late++
		case exists:
			d.count.Changed++
			d.gone = append(d.gone, old)
			d.write = append(d.write, w)
		default:
			d.count.Added++
			d.write = append(d.write, w)
		}
	}
	for _, o := range all {
		if _, unwanted := have[o.Slot]; !unwanted || o.Start.Before(p.win.From) || !o.Start.Before(p.win.To) || fixed(o, p.now) {
			continue
		}
		d.count.Removed++
		d.gone = append(d.gone, o)
		d.remove = append(d.remove, o)
	}
	return d, nil
}

// fixed reports whether a plan may not touch o any more.
func fixed(o fleet.Obligation, now time.Time) bool {
	return !o.Start.After(now) || o.Verdict != fleet.Due && o.Verdict != fleet.Exempt
}

// planned returns w as a plan may write it: with no evidence in it.
func planned(w fleet.Obligation, unit fleet.UnitID, compound fleet.CompoundID, now time.Time) fleet.Obligation {
	w.Unit, w.Compound = unit, compound
	w.Start, w.End = wire.FromUS(wire.US(w.Start)), wire.FromUS(wire.US(w.End))
	w.Grade, w.PlaysOK, w.SoundMS, w.Device, w.Revisions = fleet.NoGrade, 0, 0, "", 0
	if w.Verdict == fleet.Exempt {
		w.Settled = wire.FromUS(wire.US(now))
	} else {
		w.Verdict, w.Reason, w.Note, w.Settled = fleet.Due, "", "", time.Time{}
	}
	return w
}

// samePlan reports whether a plan says the same as the row.
func samePlan(old, w fleet.Obligation) bool {
	w.Settled = old.Settled // when it was exempted first
	return old == w
}

func writePlannedTx(t *tx, o fleet.Obligation, slots *slotIDs) error {
	day, suffix, err := splitSlot(o.Slot)
	if err != nil {
		return err
	}
	id, err := slots.of(suffix, o.Programme)
	if err != nil {
		return err
	}
	_, err = t.exec(`
INSERT INTO obligations (point_id, day, slot_id, unit_id, compound_id, version, name, day_type, start_us, end_us, plays, planned_ms, demo, verdict, reason, note, settled_us)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (point_id, day, slot_id) DO UPDATE SET unit_id = excluded.unit_id, compound_id = excluded.compound_id, version = excluded.version,
  name = excluded.name, day_type = excluded.day_type, start_us = excluded.start_us, end_us = excluded.end_us, plays = excluded.plays,
  planned_ms = excluded.planned_ms, demo = excluded.demo, verdict = excluded.verdict, reason = excluded.reason, note = excluded.note, settled_us = excluded.settled_us`,
		int64(o.Point), day, id, int64(o.Unit), int64(o.Compound), o.Version, o.Name, o.DayType, wire.US(o.Start), wire.US(o.End), o.Plays, o.PlannedMS, o.Demo,
		string(o.Verdict), string(o.Reason), o.Note, wire.US(o.Settled))
	if err != nil {
		return fmt.Errorf("slot %q of point %d: %w", o.Slot, o.Point, err)
	}
	return nil
}

func removeTx(t *tx, o fleet.Obligation) error {
	day, suffix, err := splitSlot(o.Slot)
	if err != nil {
		return err
	}
	_, err = t.exec(`DELETE FROM obligations WHERE point_id = ? AND day = ? AND slot_id = (SELECT id FROM slots WHERE suffix = ?)`, int64(o.Point), day, suffix)
	return err
}

// slotIDs keeps the ids of slot suffixes within one transaction.
type slotIDs struct {
	t   *tx
	ids map[string]int64
}

func (s *slotIDs) of(suffix, programme string) (int64, error) {
	if id, ok := s.ids[suffix]; ok {
		return id, nil
	}
	var id int64
	err := s.t.row(`INSERT INTO slots (suffix, programme) VALUES (?, ?) ON CONFLICT (suffix) DO UPDATE SET programme = excluded.programme RETURNING id`, suffix, programme).Scan(&id)
	if err == nil {
		s.ids[suffix] = id
	}
	return id, err
}
