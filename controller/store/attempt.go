package store

import (
	"context"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// LoginFailures returns the counts of failed logins that end after now.
func (s *Store) LoginFailures(ctx context.Context, now time.Time) ([]fleet.LoginFailures, error) {
	return list(ctx, s, "login failures", func(r scanner) (f fleet.LoginFailures, err error) {
		var until int64
		err = r.Scan(&f.Login, &f.Address, &f.Count, &until)
		f.Until = wire.FromUS(until)
		return f, err
	}, `SELECT login, address, failures, until_us FROM login_failures WHERE until_us > ?`, wire.US(now))
}

// PutLoginFailures keeps counts of failed logins in place of those of the same
// login and address. One of 0 is dropped.
func (s *Store) PutLoginFailures(ctx context.Context, all []fleet.LoginFailures) error {
	_, err := change(ctx, s, func(t *tx) (none, error) {
		for _, f := range all {
			var err error
			if f.Count == 0 {
				_, err = t.exec(`DELETE FROM login_failures WHERE login = ? AND address = ?`, f.Login, f.Address)
			} else {
				_, err = t.exec(`INSERT INTO login_failures (login, address, failures, until_us) VALUES (?, ?, ?, ?)
ON CONFLICT (login, address) DO UPDATE SET failures = excluded.failures, until_us = excluded.until_us`, f.Login, f.Address, f.Count, wire.US(f.Until))
			}
			if err != nil {
				return none{}, err
			}
		}
		return none{}, nil
	})
	return err
}

// DropLoginFailures forgets the counts that ended before now.
func (s *Store) DropLoginFailures(ctx context.Context, now time.Time) error {
	_, err := change(ctx, s, func(t *tx) (none, error) {
		_, err := t.exec(`DELETE FROM login_failures WHERE until_us <= ?`, wire.US(now))
		return none{}, err
	})
	return err
}
