package store

import (
	"context"
	"encoding/json"
	"fmt"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

func scanInsertion(r scanner) (i fleet.Insertion, err error) {
	var id int64
	var body []byte
	if err := r.Scan(&id, &body); err != nil {
		return i, err
	}
	if err := json.Unmarshal(body, &i); err != nil {
		return i, fmt.Errorf("insertion %d: %w", id, err)
	}
	i.ID = fleet.InsertionID(id)
	return i, nil
}

// Insertions returns every urgent broadcast, the newest first; limit 0 means
// all.
func (s *Store) Insertions(ctx context.Context, limit int) ([]fleet.Insertion, error) {
	return list(ctx, s, "insertions", scanInsertion, `SELECT id, body FROM insertions ORDER BY id DESC`+page(limit, 0))
}

// Insertion returns one, or a *fleet.Error of code NotFound.
func (s *Store) Insertion(ctx context.Context, id fleet.InsertionID) (fleet.Insertion, error) {
	return one(ctx, s, "没有这条紧急插播。", "There is no such urgent broadcast.", scanInsertion, `SELECT id, body FROM insertions WHERE id = ?`, int64(id))
}

// AddInsertion keeps a new one and returns it with its id.
func (s *Store) AddInsertion(ctx context.Context, i fleet.Insertion) (fleet.Insertion, error) {
	return change(ctx, s, func(t *tx) (fleet.Insertion, error) {
		i.ID = 0
		return i, t.row(`INSERT INTO insertions (at_us, until_us, state, body) VALUES (?, ?, ?, ?) RETURNING id`,
			wire.US(i.At), wire.US(i.Until), string(i.State), toJSON(i)).Scan(&i.ID)
	})
}

// ChangeInsertion puts what fn makes of an insertion in its place, or nothing
// on its error. Changes of one follow each other.
func (s *Store) ChangeInsertion(ctx context.Context, id fleet.InsertionID, fn func(fleet.Insertion) (fleet.Insertion, error)) (fleet.Insertion, error) {
	return change(ctx, s, func(t *tx) (fleet.Insertion, error) {
		old, err := scanInsertion(t.row(`SELECT id, body FROM insertions WHERE id = ?`, int64(id)))
		if err != nil {
			return old, found(err, "没有这条紧急插播。", "There is no such urgent broadcast.")
		}
		next, err := fn(old)
		if err != nil {
			return old, err
		}
		next.ID = old.ID
		_, err = t.exec(`UPDATE insertions SET state = ?, until_us = ?, body = ? WHERE id = ?`, string(next.State), wire.US(next.Until), toJSON(next), int64(id))
		return next, err
	})
}
