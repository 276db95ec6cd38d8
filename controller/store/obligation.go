package store

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

const obligationColumns = `o.point_id, o.day, s.suffix, s.programme, o.unit_id, o.compound_id, o.version, o.name, o.day_type, o.start_us, o.end_us,
  o.plays, o.planned_ms, o.demo, o.verdict, o.grade, o.reason, o.note, o.plays_ok, o.sound_ms, o.settled_us, o.device, o.revisions`

const obligationTables = `obligations o JOIN slots s ON s.id = o.slot_id`

func scanObligation(r scanner) (o fleet.Obligation, err error) {
	var day, start, end, settled int64
	var suffix string
	err = r.Scan(&o.Point, &day, &suffix, &o.Programme, &o.Unit, &o.Compound, &o.Version, &o.Name, &o.DayType, &start, &end,
		&o.Plays, &o.PlannedMS, &o.Demo, &o.Verdict, &o.Grade, &o.Reason, &o.Note, &o.PlaysOK, &o.SoundMS, &settled, &o.Device, &o.Revisions)
	o.Day = dayOf(day)
	o.Slot = wire.SlotID(string(o.Day) + "." + suffix)
	o.Start, o.End, o.Settled = wire.FromUS(start), wire.FromUS(end), wire.FromUS(settled)
	return o, err
}

// splitSlot takes a slot id apart: its day as a number, and the rest.
func splitSlot(slot wire.SlotID) (int64, string, error) {
	day, suffix, ok := strings.Cut(string(slot), ".")
	n, err := dayNumber(fleet.Day(day))
	if !ok || err != nil || suffix == "" {
		return 0, "", &fleet.Error{
			Code:   fleet.Invalid,
			Text:   fmt.Sprintf("时段编号 %q 无效，应为“日期.计划.时段”。", slot),
			TextEN: fmt.Sprintf("Slot %q is invalid; it should be date.programme.key.", slot),
			Err:    err,
		}
	}
	return n, suffix, nil
}

// Obligations returns the obligations that f selects, by day, start and point.
func (s *Store) Obligations(ctx context.Context, f fleet.ObligationFilter) ([]fleet.Obligation, error) {
	w, err := obligationWhere(f.From, f.To, f.Unit, f.Point)
	if err != nil {
		return nil, err
	}
	if f.Compound != 0 {
		w.add("o.compound_id = ?", f.Compound)
	}
	if f.Programme != "" {
		w.add("s.programme = ?", f.Programme)
	}
	if f.Name != "" {
		w.add("o.name = ?", f.Name)
	}
	if f.Verdict != "" {
		w.add("o.verdict = ?", f.Verdict)
	}
	return list(ctx, s, "obligations", scanObligation,
		`SELECT `+obligationColumns+` FROM `+obligationTables+w.String()+` ORDER BY o.day, o.start_us, o.point_id, s.suffix`+page(f.Limit, f.Offset), w.args...)
}

// obligationWhere bounds points and days so that the primary key finds the
// rows: it begins with the point, so the points are always listed.
func obligationWhere(from, to fleet.Day, unit fleet.UnitID, point fleet.PointID) (*where, error) {
	w := &where{}
	switch {
	case point != 0:
		w.add("o.point_id = ?", point)
	case unit != 0:
		w.add("o.point_id IN (SELECT point_id FROM point_units WHERE unit_id IN "+underUnit+")", unit)
		w.add("o.unit_id IN "+underUnit, unit)
	default:
		w.add("o.point_id IN (SELECT id FROM points)")
	}
	for _, bound := range []struct {
		day  fleet.Day
		cond string
	}{{from, "o.day >= ?"}, {to, "o.day <= ?"}} {
		if bound.day == "" {
			continue
		}
		n, err := dayNumber(bound.day)
		if err != nil {
			return nil, err
		}
		w.add(bound.cond, n)
	}
	return w, nil
}

// Obligation returns one row, or a *fleet.Error of code NotFound.
func (s *Store) Obligation(ctx context.Context, p fleet.PointID, slot wire.SlotID) (fleet.Obligation, error) {
	day, suffix, err := splitSlot(slot)
	if err != nil {
		return fleet.Obligation{}, err
	}
	return one(ctx, s,
		fmt.Sprintf("这个点位没有时段 %s。", slot), fmt.Sprintf("This point does not owe slot %s.", slot),
		scanObligation, oneObligation, p, day, suffix)
}

const oneObligation = `SELECT ` + obligationColumns + ` FROM ` + obligationTables + ` WHERE o.point_id = ? AND o.day = ? AND o.slot_id = (SELECT id FROM slots WHERE suffix = ?)`

// DueToSettle returns up to limit obligations that are still due though their
// slot ended at or before that time, the oldest first.
func (s *Store) DueToSettle(ctx context.Context, before time.Time, limit int) ([]fleet.Obligation, error) {
	return list(ctx, s, "due obligations", scanObligation,
		`SELECT `+obligationColumns+` FROM `+obligationTables+` WHERE o.verdict = 'due' AND o.end_us <= ? ORDER BY o.end_us LIMIT ?`, wire.US(before), limit)
}

// PendingPoints returns the points with pending obligations.
func (s *Store) PendingPoints(ctx context.Context) ([]fleet.OpenPoint, error) {
	return list(ctx, s, "pending points", func(r scanner) (p fleet.OpenPoint, err error) {
		var end int64
		err = r.Scan(&p.Point, &end, &p.Count)
		p.Earliest = wire.FromUS(end)
		return p, err
	}, `SELECT point_id, min(end_us), count(*) FROM obligations WHERE verdict = 'pending' GROUP BY point_id`)
}

// PutObligations makes the obligations that start within the window at its
// points those of want, which must lie within it. What has begun by now or is
// settled stays as it is and is never removed; what should have begun by now
// and was not written in advance is not owed (PutResult.Late). A row is
// written with verdict Due, or Exempt if want says so. Each point is done
// wholly or not at all; a plan that changes nothing writes nothing.
func (s *Store) PutObligations(ctx context.Context, win fleet.PlanWindow, want []fleet.Obligation, now time.Time) (fleet.PutResult, error) {
	byPoint := map[fleet.PointID][]fleet.Obligation{}
	for _, p := range win.Points {
		byPoint[p] = nil
	}
	for _, o := range want {
		if _, ok := byPoint[o.Point]; !ok || o.Start.Before(win.From) || !o.Start.Before(win.To) || !o.End.After(o.Start) {
			return fleet.PutResult{}, fmt.Errorf("putting obligations: slot %q of point %d from %v to %v is outside the plan's window", o.Slot, o.Point, o.Start, o.End)
		}
		byPoint[o.Point] = append(byPoint[o.Point], o)
	}
	var sum fleet.PutResult
	points := slices.Clone(win.Points)
	slices.Sort(points)
	points = slices.Compact(points)
	// Rows decide how long the others wait, not points.
	for len(points) > 0 {
		n, rows := 0, 0
		for n < len(points) && (n == 0 || rows+len(byPoint[points[n]]) <= obligationChunk) {
			rows += len(byPoint[points[n]])
			n++
		}
		chunk := points[:n]
		points = points[n:]
		r, err := change(ctx, s, func(t *tx) (fleet.PutResult, error) {
			return putObligationsTx(t, chunk, win, byPoint, now)
		})
		if err != nil {
			return sum, fmt.Errorf("putting obligations: %w", err)
		}
		sum.Added += r.Added
		sum.Changed += r.Changed
		sum.Removed += r.Removed
		sum.Kept += r.Kept
		sum.Late += r.Late
	}
	return sum, nil
}

// obligationChunk keeps a transaction of inserts under about 20 ms.
const obligationChunk = 1000

func putObligationsTx(t *tx, points []fleet.PointID, win fleet.PlanWindow, want map[fleet.PointID][]fleet.Obligation, now time.Time) (fleet.PutResult, error) {
	var sum fleet.PutResult
	roll := rollup{}
	slots := slotIDs{t: t, ids: map[string]int64{}}
	for _, p := range points {
		if err := putPointTx(t, p, win, want[p], now, &slots, roll, &sum); err != nil {
			return sum, err
		}
	}
	return sum, roll.write(t)
}

func putPointTx(t *tx, p fleet.PointID, win fleet.PlanWindow, want []fleet.Obligation, now time.Time, slots *slotIDs, roll rollup, sum *fleet.PutResult) error {
	var unit fleet.UnitID
	var compound fleet.CompoundID
	if err := t.row(`SELECT unit_id, coalesce(compound_id, 0) FROM points WHERE id = ?`, p).Scan(&unit, &compound); err != nil {
		return notFound(err, noPoint(p))
	}
	// A local day may lie one beside that of UTC.
	rows, err := t.query(`SELECT `+obligationColumns+` FROM `+obligationTables+` WHERE o.point_id = ? AND o.day BETWEEN ? AND ?`,
		p, win.From.Unix()/86400-2, win.To.Unix()/86400+2)
	if err != nil {
		return err
	}
	all, err := collect(rows, scanObligation)
	if err != nil {
		return err
	}
	have := make(map[wire.SlotID]fleet.Obligation, len(all))
	for _, o := range all {
		have[o.Slot] = o
	}
	for _, w := range want {
		old, exists := have[w.Slot]
		delete(have, w.Slot)
		w = planned(w, unit, compound, now)
		switch {
		case exists && fixed(old, now):
			sum.Kept++
			continue
		case !w.Start.After(now):
			if exists { // moved into the past: it stays as it was announced
				sum.Kept++
			} else {
				sum.Late++
			}
			continue
		case exists && samePlan(old, w):
			sum.Kept++
			continue
		case exists:
			roll.sub(old)
			sum.Changed++
		default:
			sum.Added++
		}
		roll.add(w)
		if err := writePlannedTx(t, w, slots); err != nil {
			return err
		}
	}
	for _, old := range have {
		if old.Start.Before(win.From) || !old.Start.Before(win.To) || fixed(old, now) {
			continue
		}
		day, suffix, err := splitSlot(old.Slot)
		if err != nil {
			return err
		}
		if _, err := t.exec(`DELETE FROM obligations WHERE point_id = ? AND day = ? AND slot_id = (SELECT id FROM slots WHERE suffix = ?)`, p, day, suffix); err != nil {
			return err
		}
		roll.sub(old)
		sum.Removed++
	}
	return nil
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
