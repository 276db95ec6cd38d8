package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// spans is a CTE of which unit was below which from day f up to and without
// day t.
const spans = `spans(id, parent, f, t) AS (
  SELECT id, parent_id, coalesce((SELECT max(to_day) FROM unit_parents h WHERE h.unit_id = units.id), -1000000), 1000000 FROM units WHERE parent_id IS NOT NULL
  UNION ALL SELECT unit_id, parent_id, from_day, to_day FROM unit_parents WHERE parent_id IS NOT NULL)`

// span is a unit below another one from one day up to and without another.
type span struct {
	unit     fleet.UnitID
	from, to int64
}

// spansUnder returns the unit and all that were ever below it, and when.
func (s *Store) spansUnder(ctx context.Context, unit fleet.UnitID) ([]span, error) {
	return list(ctx, s, "units", func(r scanner) (v span, err error) {
		err = r.Scan(&v.unit, &v.from, &v.to)
		return v, err
	}, `WITH RECURSIVE `+spans+`, under(id, f, t) AS (
  SELECT ?, -1000000, 1000000
  UNION SELECT s.id, max(s.f, u.f), min(s.t, u.t) FROM spans s JOIN under u ON s.parent = u.id WHERE max(s.f, u.f) < min(s.t, u.t))
SELECT id, f, t FROM under`, unit)
}

// addUnder bounds rows o to what was owed under the unit, as the tree was on
// the day of each.
func (w *where) addUnder(all []span) { w.addUnderOn(all, "o.day") }

// addUnderOn is addUnder for rows whose day is in another column.
func (w *where) addUnderOn(all []span, day string) {
	always := []fleet.UnitID{}
	cond, args := "o.unit_id IN (SELECT value FROM json_each(?))", []any{nil}
	for _, v := range all {
		if v.from <= firstDay && v.to >= lastDay {
			always = append(always, v.unit)
			continue
		}
		cond += " OR o.unit_id = ? AND " + day + " >= ? AND " + day + " < ?"
		args = append(args, v.unit, v.from, v.to)
	}
	args[0] = toJSON(always)
	w.add("("+cond+")", args...)
}

// addPointsOf bounds rows o to points that ever belonged to one of the units.
func (w *where) addPointsOf(all []span) {
	ids := make([]fleet.UnitID, len(all))
	for i, v := range all {
		ids[i] = v.unit
	}
	w.add("o.point_id IN (SELECT point_id FROM point_units WHERE unit_id IN (SELECT value FROM json_each(?)))", toJSON(ids))
}

const unitChangeColumns = `id, kind, unit_id, target_id, what, day, document, by, at_us, done_us, cancel_us`

func scanUnitChange(r scanner) (c fleet.UnitChange, err error) {
	var what []byte
	var day, at, done, cancel int64
	if err := r.Scan(&c.ID, &c.Kind, &c.Unit, &c.Target, &what, &day, &c.Document, &c.By, &at, &done, &cancel); err != nil {
		return c, err
	}
	c.Day, c.At, c.Done, c.Cancelled = dayOf(day), wire.FromUS(at), wire.FromUS(done), wire.FromUS(cancel)
	return c, json.Unmarshal(what, &c.Share)
}

// UnitChanges returns every change of units, the newest first.
func (s *Store) UnitChanges(ctx context.Context) ([]fleet.UnitChange, error) {
	return list(ctx, s, "changes of units", scanUnitChange, `SELECT `+unitChangeColumns+` FROM unit_changes ORDER BY day DESC, id DESC`)
}

// AddUnitChange writes a change down that holds from its day on, and carries it
// out at once when that is today. A refusal is a *fleet.Error.
func (s *Store) AddUnitChange(ctx context.Context, c fleet.UnitChange, today fleet.Day) (fleet.UnitChangeID, error) {
	return change(ctx, s, func(t *tx) (id fleet.UnitChangeID, err error) {
		units, err := unitsTx(t)
		if err != nil {
			return 0, err
		}
		if err := c.Check(units, today); err != nil {
			return 0, err
		}
		if err := ownShareTx(t, c); err != nil {
			return 0, err
		}
		day, err := dayNumber(c.Day)
		if err != nil {
			return 0, err
		}
		err = t.row(`INSERT INTO unit_changes (kind, unit_id, target_id, what, day, document, by, at_us) VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING id`,
			string(c.Kind), c.Unit, c.Target, toJSON(c.Share), day, c.Document, c.By, wire.US(c.At)).Scan(&id)
		if err != nil || c.Day > today {
			return id, err
		}
		c.ID = id
		return id, carryOutTx(t, c, c.At)
	})
}

// ownShareTx refuses to give away what is not the unit's.
func ownShareTx(t *tx, c fleet.UnitChange) error {
	var foreign int
	err := t.row(`SELECT (SELECT count(*) FROM json_each(?) j LEFT JOIN compounds x ON x.id = j.value WHERE x.unit_id IS NOT ?)
  + (SELECT count(*) FROM json_each(?) j LEFT JOIN points x ON x.id = j.value WHERE x.unit_id IS NOT ?)`,
		toJSON(orEmpty(c.Share.Compounds)), c.Unit, toJSON(orEmpty(c.Share.Points)), c.Unit).Scan(&foreign)
	if err == nil && foreign > 0 {
		err = &fleet.Error{Code: fleet.Invalid, Text: "勾选的小区或点位已不属于这个单位，请刷新后重选。", TextEN: "What is ticked does not belong to this unit any more. Reload and choose again."}
	}
	return err
}

func orEmpty[T any](all []T) []T {
	if all == nil {
		return []T{}
	}
	return all
}

// CancelUnitChange takes a change back whose day has not come.
func (s *Store) CancelUnitChange(ctx context.Context, id fleet.UnitChangeID, now time.Time) error {
	_, err := change(ctx, s, func(t *tx) (none, error) {
		r, err := t.exec(`UPDATE unit_changes SET cancel_us = ? WHERE id = ? AND done_us = 0 AND cancel_us = 0`, wire.US(now), id)
		return none{}, affected(r, err, &fleet.Error{Code: fleet.Conflict, Text: "这项变动已经生效或已取消。", TextEN: "This change holds already or was taken back."})
	})
	return err
}

// CarryOutUnitChanges carries out every change whose day has come and returns
// them. One that has become impossible meanwhile is taken back; the audit
// tells of each.
func (s *Store) CarryOutUnitChanges(ctx context.Context, today fleet.Day, now time.Time) ([]fleet.UnitChange, error) {
	day, err := dayNumber(today)
	if err != nil {
		return nil, err
	}
	due := `SELECT ` + unitChangeColumns + ` FROM unit_changes WHERE done_us = 0 AND cancel_us = 0 AND day <= ? ORDER BY day, id`
	if some, err := list(ctx, s, "changes of units", scanUnitChange, due, day); err != nil || len(some) == 0 {
		return nil, err
	}
	return change(ctx, s, func(t *tx) ([]fleet.UnitChange, error) {
		rows, err := t.query(due, day)
		if err != nil {
			return nil, err
		}
		all, err := collect(rows, scanUnitChange)
		if err != nil {
			return nil, err
		}
		for _, c := range all {
			units, err := unitsTx(t)
			if err != nil {
				return nil, err
			}
			line := fleet.Audit{At: now, Who: fleet.AuditSelf, What: fleet.AuditUnitChange, Object: fmt.Sprint(c.ID), Detail: string(c.Kind) + " " + string(c.Day)}
			if err := cmpErr(c.Check(units, c.Day), ownShareTx(t, c)); err != nil {
				line.Failed = true
				if _, err := t.exec(`UPDATE unit_changes SET cancel_us = ? WHERE id = ?`, wire.US(now), c.ID); err != nil {
					return nil, err
				}
			} else if err := carryOutTx(t, c, now); err != nil {
				return nil, err
			}
			if err := auditTx(t, line); err != nil {
				return nil, err
			}
		}
		return all, nil
	})
}

func cmpErr(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

// carryOutTx makes c hold.
func carryOutTx(t *tx, c fleet.UnitChange, now time.Time) error {
	day, err := dayNumber(c.Day)
	if err != nil {
		return err
	}
	switch c.Kind {
	case fleet.UnitMove:
		err = setParentTx(t, c.Unit, c.Target, day)
	case fleet.UnitMerge:
		err = mergeTx(t, c, day, now)
	case fleet.UnitSplit:
		err = splitTx(t, c)
	}
	if err != nil {
		return fmt.Errorf("carrying out change %d of units: %w", c.ID, err)
	}
	_, err = t.exec(`UPDATE unit_changes SET done_us = ? WHERE id = ?`, wire.US(now), c.ID)
	return err
}

// mergeTx gives all of a unit to another one and closes it. Its name, its
// people and what was owed under it stay on record.
func mergeTx(t *tx, c fleet.UnitChange, day int64, now time.Time) error {
	rows, err := t.query(`SELECT id FROM units WHERE parent_id = ?`, c.Unit)
	if err != nil {
		return err
	}
	below, err := collect(rows, func(r scanner) (id fleet.UnitID, err error) { err = r.Scan(&id); return id, err })
	if err != nil {
		return err
	}
	for _, id := range below {
		if err := setParentTx(t, id, c.Target, day); err != nil {
			return err
		}
	}
	for _, q := range []string{
		renameTwins + ` AND unit_id = ?1`,
		`UPDATE compounds SET unit_id = ?2 WHERE unit_id = ?1`,
		// Numbers behind those that the other unit has; the groups of a grid go with it.
		`WITH have(n) AS MATERIALIZED (SELECT coalesce(max(number), 0) FROM grids WHERE unit_id = ?2)
UPDATE grids SET number = number + (SELECT n FROM have), unit_id = ?2 WHERE unit_id = ?1`,
		`WITH have(tier, n) AS MATERIALIZED (SELECT tier, max(seq) FROM groups WHERE unit_id = ?2 AND grid_id IS NULL GROUP BY tier)
UPDATE groups SET seq = seq + coalesce((SELECT n FROM have WHERE have.tier = groups.tier AND groups.grid_id IS NULL), 0), unit_id = ?2 WHERE unit_id = ?1`,
		`INSERT OR IGNORE INTO point_units (unit_id, point_id) SELECT ?2, id FROM points WHERE unit_id = ?1`,
		`UPDATE points SET unit_id = ?2 WHERE unit_id = ?1`,
		`UPDATE units SET state = 'merged', successor_id = ?2 WHERE id = ?1`,
	} {
		if _, err := t.exec(q, c.Unit, c.Target); err != nil {
			return err
		}
	}
	_, err = t.exec(`UPDATE liaisons SET to_us = ? WHERE unit_id = ? AND (to_us = 0 OR to_us > ?)`, wire.US(now), c.Unit, wire.US(now))
	return err
}

// renameTwins gives compounds of unit ?1 whose names unit ?2 has already the
// name of their old unit as well.
const renameTwins = `UPDATE compounds SET name = name || '（' || (SELECT name FROM units WHERE id = ?1) || '）' WHERE name IN (SELECT name FROM compounds WHERE unit_id = ?2)`

// splitTx gives compounds and points to another unit. Grids stay: they are
// drawn anew there.
func splitTx(t *tx, c fleet.UnitChange) error {
	compounds, points := toJSON(orEmpty(c.Share.Compounds)), toJSON(orEmpty(c.Share.Points))
	if _, err := t.exec(renameTwins+` AND id IN (SELECT value FROM json_each(?3))`, c.Unit, c.Target, compounds); err != nil {
		return err
	}
	const going = `(id IN (SELECT value FROM json_each(?3)) OR compound_id IN (SELECT value FROM json_each(?2)))`
	for _, q := range []string{
		`UPDATE compounds SET unit_id = ?1, grid_id = NULL WHERE id IN (SELECT value FROM json_each(?2)) AND json_valid(?3)`,
		`INSERT OR IGNORE INTO point_units (unit_id, point_id) SELECT ?1, id FROM points WHERE ` + going,
		`UPDATE points SET compound_id = NULL WHERE id IN (SELECT value FROM json_each(?3)) AND compound_id NOT IN (SELECT value FROM json_each(?2)) AND ?1`,
		`UPDATE points SET unit_id = ?1 WHERE ` + going,
	} {
		if _, err := t.exec(q, c.Target, compounds, points); err != nil {
			return err
		}
	}
	return nil
}
