package store

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// AddOccurrences keeps what happened and how far its sources were read, all
// or nothing, and returns the rows with their numbers. A source only goes
// forward.
func (s *Store) AddOccurrences(ctx context.Context, all []fleet.Occurrence, read fleet.Sources) ([]fleet.Occurrence, error) {
	return change(ctx, s, func(t *tx) ([]fleet.Occurrence, error) {
		kept := make([]fleet.Occurrence, 0, len(all))
		for _, o := range all {
			if o.Data == "" {
				o.Data = "{}"
			}
			if err := t.row(`INSERT INTO occurrences (at_us, kind, point_id, object, data) VALUES (?, ?, ?, ?, ?) RETURNING id`,
				wire.US(o.At), string(o.Kind), int64(o.Point), oneLine(o.Object), o.Data).Scan(&o.ID); err != nil {
				return nil, err
			}
			kept = append(kept, o)
		}
		for name, id := range read {
			if _, err := t.exec(`INSERT INTO occurrence_sources (name, read) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET read = max(read, excluded.read)`, name, id); err != nil {
				return nil, err
			}
		}
		return kept, nil
	})
}

// OccurrenceSources returns how far each source was read.
func (s *Store) OccurrenceSources(ctx context.Context) (fleet.Sources, error) {
	type source struct {
		name string
		read int64
	}
	rows, err := list(ctx, s, "sources of occurrences", func(r scanner) (v source, err error) {
		err = r.Scan(&v.name, &v.read)
		return v, err
	}, `SELECT name, read FROM occurrence_sources`)
	all := fleet.Sources{}
	for _, v := range rows {
		all[v.name] = v.read
	}
	return all, err
}

// Occurrences returns what f selects, the oldest first.
func (s *Store) Occurrences(ctx context.Context, f fleet.OccurrenceFilter) ([]fleet.Occurrence, error) {
	var w where
	w.add("id > ?", int64(f.After))
	if len(f.Kinds) > 0 {
		marks := make([]string, len(f.Kinds))
		args := make([]any, len(f.Kinds))
		for i, k := range f.Kinds {
			marks[i], args[i] = "?", string(k)
		}
		w.add("kind IN ("+strings.Join(marks, ", ")+")", args...)
	}
	return list(ctx, s, "occurrences", func(r scanner) (o fleet.Occurrence, err error) {
		var at int64
		err = r.Scan(&o.ID, &at, &o.Kind, &o.Point, &o.Object, &o.Data)
		o.At = wire.FromUS(at)
		return o, err
	}, `SELECT id, at_us, kind, point_id, object, data FROM occurrences`+w.String()+` ORDER BY id`+page(f.Limit, 0), w.args...)
}

// OccurrenceBounds returns the lowest and the highest number that is kept, 0
// and 0 before anything happened. After everything was trimmed away first is
// one above last.
func (s *Store) OccurrenceBounds(ctx context.Context) (first, last fleet.OccurrenceID, err error) {
	err = s.read.QueryRowContext(ctx, `SELECT coalesce((SELECT min(id) FROM occurrences), 0), coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'occurrences'), 0)`).Scan(&first, &last)
	if first == 0 && last > 0 {
		first = last + 1
	}
	return first, last, explain(err)
}

// TrimOccurrences drops what happened before a time, and the oldest above
// keep rows. It returns how many rows went.
func (s *Store) TrimOccurrences(ctx context.Context, before time.Time, keep int) (int, error) {
	return changeBulk(ctx, s, func(t *tx) (int, error) {
		res, err := t.exec(`DELETE FROM occurrences WHERE at_us < ?1 OR id <= (SELECT coalesce(max(id), 0) - ?2 FROM occurrences)`, wire.US(before), keep)
		if err != nil {
			return 0, err
		}
		n, err := res.RowsAffected()
		return int(n), err
	})
}

// IncidentsAfter returns the incidents with higher numbers than id, in order:
// each once, however its count grows.
func (s *Store) IncidentsAfter(ctx context.Context, id int64, limit int) ([]fleet.Incident, error) {
	return list(ctx, s, "incidents", scanIncident, `SELECT `+incidentColumns+` FROM incidents WHERE id > ? ORDER BY id`+page(limit, 0), id)
}

// SignOffsAfter returns the sign-offs of clips with higher numbers than id, in
// order.
func (s *Store) SignOffsAfter(ctx context.Context, id int64, limit int) ([]fleet.SignOff, error) {
	return list(ctx, s, "sign-offs", func(r scanner) (v fleet.SignOff, err error) {
		var at int64
		err = r.Scan(&v.ID, &v.Clip, &at, &v.Title, &v.SHA256)
		v.At = wire.FromUS(at)
		return v, err
	}, `SELECT id, clip_id, at_us, title, sha256 FROM clip_events WHERE id > ? AND step = ? ORDER BY id`+page(limit, 0), id, string(fleet.StepApprove))
}

// decodeList reads a JSON array that this package wrote.
func decodeList[T any](text string) ([]T, error) {
	var all []T
	err := json.Unmarshal([]byte(text), &all)
	return all, err
}
