package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

const replacementColumns = `id, at_us, by, name, reason, old, old_name, new, new_name, slots, from_day, to_day, lead_us, undone_us, undone_by, undo_reason`

func scanReplacement(r scanner) (p fleet.Replacement, err error) {
	var at, lead, undone int64
	var slots []byte
	if err := r.Scan(&p.ID, &at, &p.By, &p.Name, &p.Reason, &p.Old, &p.OldName, &p.New, &p.NewName, &slots, &p.From, &p.To, &lead, &undone, &p.UndoneBy, &p.UndoReason); err != nil {
		return p, err
	}
	p.At, p.Undone, p.Lead = wire.FromUS(at), wire.FromUS(undone), time.Duration(lead)*time.Microsecond
	if err := json.Unmarshal(slots, &p.Slots); err != nil {
		return p, fmt.Errorf("slots of replacement %d: %w", p.ID, err)
	}
	return p, nil
}

// Replacements returns every 更换, the oldest first.
func (s *Store) Replacements(ctx context.Context) ([]fleet.Replacement, error) {
	return list(ctx, s, "replacements", scanReplacement, `SELECT `+replacementColumns+` FROM replacements ORDER BY id`)
}

// LatestReplacements returns some of them, the newest first, and how many there
// are.
func (s *Store) LatestReplacements(ctx context.Context, limit, offset int) ([]fleet.Replacement, int, error) {
	rows, err := list(ctx, s, "replacements", scanReplacement, `SELECT `+replacementColumns+` FROM replacements ORDER BY id DESC`+page(limit, offset))
	if err != nil {
		return nil, 0, err
	}
	var all int
	if err := s.read.QueryRowContext(ctx, `SELECT count(*) FROM replacements`).Scan(&all); err != nil {
		return nil, 0, fmt.Errorf("counting replacements: %w", explain(err))
	}
	return rows, all, nil
}

const noReplacement, noReplacementEN = "没有这次更换。", "There is no such replacement."

// Replacement returns one, or a *fleet.Error of code NotFound.
func (s *Store) Replacement(ctx context.Context, id fleet.ReplacementID) (fleet.Replacement, error) {
	return one(ctx, s, noReplacement, noReplacementEN, scanReplacement, `SELECT `+replacementColumns+` FROM replacements WHERE id = ?`, int64(id))
}

// AddReplacement keeps an order with the points where it is expected, and
// returns it with its id. One that orders the same and still holds is returned
// in its place: then again is true and nothing was written.
func (s *Store) AddReplacement(ctx context.Context, p fleet.Replacement, at []fleet.ReplacedAt) (stored fleet.Replacement, again bool, err error) {
	type result struct {
		p     fleet.Replacement
		again bool
	}
	done, err := change(ctx, s, func(t *tx) (result, error) {
		rows, err := t.query(`SELECT `+replacementColumns+` FROM replacements WHERE old = ? AND new = ? AND undone_us = 0 ORDER BY id DESC`, p.Old, p.New)
		if err != nil {
			return result{}, err
		}
		same, err := collect(rows, scanReplacement)
		if err != nil {
			return result{}, err
		}
		for _, o := range same {
			if o.Same(p) {
				return result{o, true}, nil
			}
		}
		if p.Slots == nil {
			p.Slots = []string{}
		}
		err = t.row(`INSERT INTO replacements (at_us, by, name, reason, old, old_name, new, new_name, slots, from_day, to_day, lead_us) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id`,
			wire.US(p.At), p.By, p.Name, p.Reason, p.Old, p.OldName, p.New, p.NewName, toJSON(p.Slots), string(p.From), string(p.To), p.Lead.Microseconds()).Scan(&p.ID)
		if err != nil {
			return result{}, err
		}
		for _, a := range at {
			if _, err := t.exec(`INSERT INTO replacement_points (replacement_id, point_id, slot, slot_name, start_us, plays, device, version) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
				int64(p.ID), int64(a.Point), string(a.Slot), a.SlotName, wire.US(a.Start), a.Plays, string(a.Device), int64(a.Version)); err != nil {
				return result{}, err
			}
		}
		return result{p, false}, nil
	})
	return done.p, done.again, err
}

// UndoReplacement ends an order from the slots on that its lead leaves.
// One that was undone is a *fleet.Error of code Conflict.
func (s *Store) UndoReplacement(ctx context.Context, id fleet.ReplacementID, by, reason string, now time.Time) error {
	_, err := change(ctx, s, func(t *tx) (none, error) {
		r, err := t.exec(`UPDATE replacements SET undone_us = ?, undone_by = ?, undo_reason = ? WHERE id = ? AND undone_us = 0`, wire.US(now), by, reason, int64(id))
		return none{}, affected(r, err, &fleet.Error{Code: fleet.Conflict, Text: "这次更换已经撤回。", TextEN: "This replacement has been undone already."})
	})
	return err
}

// ReplacedAt returns where a replacement was expected when it was ordered.
func (s *Store) ReplacedAt(ctx context.Context, id fleet.ReplacementID) ([]fleet.ReplacedAt, error) {
	return list(ctx, s, "points of replacement", func(r scanner) (a fleet.ReplacedAt, err error) {
		var start, version int64
		err = r.Scan(&a.Point, &a.Slot, &a.SlotName, &start, &a.Plays, &a.Device, &version)
		a.Start, a.Version = wire.FromUS(start), uint64(version)
		return a, err
	}, `SELECT point_id, slot, slot_name, start_us, plays, device, version FROM replacement_points WHERE replacement_id = ? ORDER BY point_id`, int64(id))
}
