package store

import (
	"context"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// AddAudit keeps one line of who did what.
func (s *Store) AddAudit(ctx context.Context, a fleet.Audit) error {
	_, err := change(ctx, s, func(t *tx) (none, error) {
		_, err := t.exec(`INSERT INTO audit (at_us, who, address, what, object, detail) VALUES (?, ?, ?, ?, ?, ?)`,
			wire.US(a.At), a.Who, a.From, a.What, a.Object, a.Detail)
		return none{}, err
	})
	return err
}

// Audits returns the newest lines, newest first; limit 0 means all.
func (s *Store) Audits(ctx context.Context, limit int) ([]fleet.Audit, error) {
	return list(ctx, s, "audit", func(r scanner) (a fleet.Audit, err error) {
		var at int64
		err = r.Scan(&at, &a.Who, &a.From, &a.What, &a.Object, &a.Detail)
		a.At = wire.FromUS(at)
		return a, err
	}, `SELECT at_us, who, address, what, object, detail FROM audit ORDER BY id DESC`+page(limit, 0))
}

// Setting returns the value of key, "" if it was never set.
func (s *Store) Setting(ctx context.Context, key string) (string, error) {
	var v string
	err := s.read.QueryRowContext(ctx, `SELECT coalesce((SELECT value FROM settings WHERE key = ?), '')`, key).Scan(&v)
	return v, explain(err)
}

// SetSetting sets the value of key.
func (s *Store) SetSetting(ctx context.Context, key, value string) error {
	_, err := change(ctx, s, func(t *tx) (none, error) {
		_, err := t.exec(`INSERT INTO settings (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value`, key, value)
		return none{}, err
	})
	return err
}
