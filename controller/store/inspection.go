package store

import (
	"context"
	"fmt"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

const inspectionColumns = `i.id, i.key, i.at_us, i.listened_ms, i.point_id, i.slot, i.unit_id, i.compound_id, i.finding,
  i.note, coalesce(i.photo_id, 0), i.by, i.name, i.created_us, i.withdrawn_us, i.withdrawn_by, i.withdrawn_as`

// inspectionFields returns where a row of inspectionColumns goes, and what to do then.
func inspectionFields(i *fleet.Inspection) ([]any, func()) {
	var at, listened, created, withdrawn int64
	return []any{
			&i.ID, &i.Key, &at, &listened, &i.Point, &i.Slot, &i.Unit, &i.Compound, &i.Finding,
			&i.Note, &i.Photo, &i.By, &i.Name, &created, &withdrawn, &i.WithdrawnBy, &i.WithdrawnAs,
		}, func() {
			i.At, i.Listened, i.Created, i.Withdrawn = wire.FromUS(at), time.Duration(listened)*time.Millisecond, wire.FromUS(created), wire.FromUS(withdrawn)
		}
}

func scanInspection(r scanner) (i fleet.Inspection, err error) {
	to, then := inspectionFields(&i)
	err = r.Scan(to...)
	then()
	return i, err
}

// AddInspection keeps what somebody found, with a photo as JPEG or none; i
// must be checked.
// What it says of a slot becomes an observation for the ledger. line is written
// in the same transaction. A form that was kept before changes nothing and
// returns what was kept, with fresh false. On return it survives power loss.
func (s *Store) AddInspection(ctx context.Context, i fleet.Inspection, photo []byte, line fleet.Audit) (kept fleet.Inspection, fresh bool, err error) {
	kept, err = change(ctx, s, func(t *tx) (fleet.Inspection, error) {
		fresh = false
		old, err := scanInspection(t.row(`SELECT `+inspectionColumns+` FROM inspections i WHERE i.key = ?`, i.Key))
		if err == nil {
			return old, nil
		}
		if err := notFound(err, nil); err != nil {
			return i, err
		}
		if err := locateTx(t, &i); err != nil {
			return i, err
		}
		if i.Photo, err = photoTx(t, photo, i.Created); err != nil {
			return i, err
		}
		err = t.row(`INSERT INTO inspections (key, at_us, listened_ms, point_id, slot, unit_id, compound_id, finding, note, photo_id, by, name, created_us)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id`,
			i.Key, wire.US(i.At), i.Listened.Milliseconds(), int64(i.Point), string(i.Slot), int64(i.Unit), int64(i.Compound), string(i.Finding),
			i.Note, null(i.Photo), i.By, i.Name, wire.US(i.Created)).Scan(&i.ID)
		if err != nil {
			return i, fmt.Errorf("storing inspection: %w", err)
		}
		if i.Slot != "" {
			if err := observeTx(t, i, string(i.Finding)); err != nil {
				return i, err
			}
		}
		fresh = true
		return i, auditTx(t, line)
	})
	return kept, fresh, err
}

// locateTx fills in the unit and compound of the point, which has to exist.
func locateTx(t *tx, i *fleet.Inspection) error {
	return notFound(t.row(`SELECT unit_id, coalesce(compound_id, 0) FROM points WHERE id = ?`, int64(i.Point)).Scan(&i.Unit, &i.Compound), noPoint(i.Point))
}

func photoTx(t *tx, jpeg []byte, at time.Time) (id fleet.PhotoID, err error) {
	if len(jpeg) == 0 {
		return 0, nil
	}
	if err = t.row(`INSERT INTO inspection_photos (jpeg, at_us) VALUES (?, ?) RETURNING id`, jpeg, wire.US(at)).Scan(&id); err != nil {
		return 0, fmt.Errorf("storing photo: %w", err)
	}
	return id, nil
}

// withdrawnKind is the kind of an observation that takes an earlier one back.
const withdrawnKind = "withdrawn"

func observeTx(t *tx, i fleet.Inspection, kind string) error {
	_, err := t.exec(`INSERT INTO observations (inspection_id, point_id, slot, kind, from_us, to_us, by) VALUES (?, ?, ?, ?, ?, ?, ?)`,
		int64(i.ID), int64(i.Point), string(i.Slot), kind, wire.US(i.At.Add(-i.Listened)), wire.US(i.At), i.By)
	return err
}

// WithdrawInspection takes an inspection back: it stays on record with the
// reason, and counts no more. One that
// is withdrawn is a *fleet.Error of code Conflict.
func (s *Store) WithdrawInspection(ctx context.Context, id fleet.InspectionID, by, reason string, now time.Time, line fleet.Audit) (fleet.Inspection, error) {
	return change(ctx, s, func(t *tx) (fleet.Inspection, error) {
		i, err := scanInspection(t.row(`SELECT `+inspectionColumns+` FROM inspections i WHERE i.id = ?`, int64(id)))
		if err := notFound(err, errNoInspection); err != nil {
			return i, err
		}
		if !i.Stands() {
			return i, &fleet.Error{Code: fleet.Conflict, Text: "这条检查记录已经撤回。", TextEN: "This inspection was withdrawn already."}
		}
		i.Withdrawn, i.WithdrawnBy, i.WithdrawnAs = wire.FromUS(wire.US(now)), by, reason
		if _, err := t.exec(`UPDATE inspections SET withdrawn_us = ?, withdrawn_by = ?, withdrawn_as = ? WHERE id = ?`, wire.US(now), by, reason, int64(id)); err != nil {
			return i, err
		}
		if i.Slot != "" {
			if err := observeTx(t, i, withdrawnKind); err != nil {
				return i, err
			}
		}
		return i, auditTx(t, line)
	})
}

var errNoInspection = &fleet.Error{Code: fleet.NotFound, Text: "没有这条检查记录。", TextEN: "There is no such inspection."}

// inspectionOrders are the orders of a list, each with the id as the last word.
var inspectionOrders = map[string]string{
	"":        "i.at_us DESC, i.id DESC",
	"unit":    "u.name, i.at_us DESC, i.id DESC",
	"finding": "i.finding, i.at_us DESC, i.id DESC",
}

const inspectionTables = ` FROM inspections i JOIN points p ON p.id = i.point_id
LEFT JOIN units u ON u.id = i.unit_id`

// slotNameOf is the name of the slot of inspection i.
const slotNameOf = `coalesce((SELECT o.name FROM obligations o JOIN slots s ON s.id = o.slot_id
  WHERE i.slot <> '' AND o.point_id = i.point_id AND o.day = unixepoch(substr(i.slot, 1, 10)) / 86400 AND s.suffix = substr(i.slot, 12)), '')`

// Inspections returns those that f selects with what lists say of them, and
// how many it selects without limit and offset. An unknown order is that by
// time.
func (s *Store) Inspections(ctx context.Context, f fleet.InspectionFilter) ([]fleet.InspectionEntry, int, error) {
	w := &where{}
	if !f.From.IsZero() {
		w.add("i.at_us >= ?", wire.US(f.From))
	}
	if !f.To.IsZero() {
		w.add("i.at_us < ?", wire.US(f.To))
	}
	if f.Unit != 0 {
		w.add("i.unit_id IN "+underUnit, int64(f.Unit))
	}
	if f.Point != 0 {
		w.add("i.point_id = ?", int64(f.Point))
	}
	if f.By != "" {
		w.add("i.by = ?", f.By)
	}
	if f.Finding != "" {
		w.add("i.finding = ?", string(f.Finding))
	}
	if f.Standing {
		w.add("i.withdrawn_us = 0")
	}
	if f.Query != "" {
		w.add("(instr(i.note, ?) > 0 OR instr(p.name, ?) > 0 OR instr(upper(p.code), upper(?)) > 0 OR instr(coalesce(u.name, ''), ?) > 0)",
			f.Query, f.Query, f.Query, f.Query)
	}
	order, ok := inspectionOrders[f.Sort]
	if !ok {
		order = inspectionOrders[""]
	}
	rows, err := list(ctx, s, "inspections", scanInspectionEntry, `SELECT `+inspectionColumns+`, p.code, p.name, `+slotNameOf+inspectionTables+w.String()+` ORDER BY `+order+page(f.Limit, f.Offset), w.args...)
	if err != nil {
		return nil, 0, err
	}
	if f.Limit <= 0 && f.Offset <= 0 {
		return rows, len(rows), nil
	}
	var all int
	if err := s.read.QueryRowContext(ctx, `SELECT count(*)`+inspectionTables+w.String(), w.args...).Scan(&all); err != nil {
		return nil, 0, fmt.Errorf("counting inspections: %w", explain(err))
	}
	return rows, all, nil
}

func scanInspectionEntry(r scanner) (e fleet.InspectionEntry, err error) {
	to, then := inspectionFields(&e.Inspection)
	err = r.Scan(append(to, &e.Code, &e.Title, &e.SlotName)...)
	then()
	return e, err
}

// Inspection returns one, or a *fleet.Error of code NotFound.
func (s *Store) Inspection(ctx context.Context, id fleet.InspectionID) (fleet.InspectionEntry, error) {
	return one(ctx, s, errNoInspection.Text, errNoInspection.TextEN, scanInspectionEntry,
		`SELECT `+inspectionColumns+`, p.code, p.name, `+slotNameOf+inspectionTables+` WHERE i.id = ?`, int64(id))
}

// InspectionPhoto returns a photo of an inspection as JPEG, or a *fleet.Error of code NotFound.
func (s *Store) InspectionPhoto(ctx context.Context, id fleet.PhotoID) ([]byte, error) {
	return one(ctx, s, "没有这张照片。", "There is no such photo.",
		func(r scanner) (b []byte, err error) { err = r.Scan(&b); return b, err }, `SELECT jpeg FROM inspection_photos WHERE id = ?`, int64(id))
}

// InspectionSums returns how many points were listened to at each unit from
// from to before to, and at how many nothing was heard, by unit; units without
// any are left out. Withdrawn inspections do not count.
func (s *Store) InspectionSums(ctx context.Context, from, to time.Time) ([]fleet.InspectionSum, error) {
	return list(ctx, s, "sums of inspections", func(r scanner) (v fleet.InspectionSum, err error) {
		err = r.Scan(&v.Unit, &v.Points, &v.Unheard)
		return v, err
	}, `SELECT unit_id, count(*), sum(finding = 'unheard') FROM inspections WHERE at_us >= ? AND at_us < ? AND withdrawn_us = 0 GROUP BY unit_id ORDER BY unit_id`,
		wire.US(from), wire.US(to))
}

// ObservationsOfSlot returns what people heard of a slot, in the order in which
// it was written down; what was withdrawn is left out.
func (s *Store) ObservationsOfSlot(ctx context.Context, p fleet.PointID, slot wire.SlotID) ([]fleet.Observation, error) {
	return list(ctx, s, "observations", func(r scanner) (o fleet.Observation, err error) {
		var from, to int64
		err = r.Scan(&o.Inspection, &o.Point, &o.Slot, &o.Heard, &from, &to, &o.By)
		o.From, o.To = wire.FromUS(from), wire.FromUS(to)
		return o, err
	}, `SELECT inspection_id, point_id, slot, kind = 'heard', from_us, to_us, by FROM observations o
WHERE point_id = ? AND slot = ? AND kind <> ?3 AND NOT EXISTS (SELECT 1 FROM observations w WHERE w.point_id = o.point_id AND w.slot = o.slot AND w.inspection_id = o.inspection_id AND w.kind = ?3)
ORDER BY id`, int64(p), string(slot), withdrawnKind)
}

// ObservedAfter returns the slots that observations after cursor are about, and
// the id of the last one looked at; cursor itself if there is none.
func (s *Store) ObservedAfter(ctx context.Context, cursor int64, limit int) ([]fleet.ObservedSlot, int64, error) {
	all, err := list(ctx, s, "observations", func(r scanner) (o fleet.ObservedSlot, err error) {
		err = r.Scan(&o.ID, &o.Point, &o.Slot)
		return o, err
	}, `SELECT id, point_id, slot FROM observations WHERE id > ? ORDER BY id LIMIT ?`, cursor, limit)
	if len(all) > 0 {
		cursor = all[len(all)-1].ID
	}
	return all, cursor, err
}
