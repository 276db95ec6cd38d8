package store

import (
	"context"
	"encoding/json"
	"fmt"
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
	w, err := s.obligationWhere(ctx, f.From, f.To, f.Unit, f.Point, f.Points)
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
// rows: it begins with the point, so the points are always listed. What is
// under a unit is what was under it on the day of each row.
func (s *Store) obligationWhere(ctx context.Context, from, to fleet.Day, unit fleet.UnitID, point fleet.PointID, points []fleet.PointID) (*where, error) {
	w := &where{}
	if points != nil {
		ids, err := json.Marshal(points)
		if err != nil {
			return nil, fmt.Errorf("encoding points: %w", err)
		}
		w.add("o.point_id IN (SELECT value FROM json_each(?))", string(ids))
	}
	switch {
	case point != 0:
		w.add("o.point_id = ?", point)
	case unit != 0:
		under, err := s.spansUnder(ctx, unit)
		if err != nil {
			return nil, err
		}
		w.addPointsOf(under)
		w.addUnder(under)
	case points == nil:
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
