package store

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"time"

	"gatecast/controller/fleet"
	"gatecast/controller/vault"
	"gatecast/internal/wire"
)

// Columns with telephone numbers, and the names under which they are sealed.
const (
	fieldDutyPhone    = "points.duty_phone"
	fieldLiaisonPhone = "liaisons.phone"
	fieldCompanyPhone = "companies.phone"
)

// openPhone returns the number that is stored as sealed. One that cannot be
// opened does not keep the office from its work.
func (s *Store) openPhone(field, sealed string) fleet.Phone {
	text, err := s.vault.Open(field, sealed)
	if err != nil {
		s.unreadable.Do(func() { s.logger.Error("opening telephone numbers; they show as ****", "err", err) })
		return fleet.UnreadablePhone
	}
	return fleet.Phone(text)
}

// sealPhone returns what is to be stored for p: "?" keeps what is there.
func (s *Store) sealPhone(field string, p fleet.Phone) (string, error) {
	if p == fleet.UnreadablePhone {
		return string(p), nil
	}
	return s.vault.Seal(field, p.Full())
}

// ErasePhones erases the numbers of liaisons who left longer than after ago,
// and tells the audit of each; names stay. It returns how many.
func (s *Store) ErasePhones(ctx context.Context, after time.Duration, now time.Time) (int, error) {
	return change(ctx, s, func(t *tx) (int, error) {
		rows, err := t.query(`SELECT l.id, l.name, u.name, l.to_us FROM liaisons l JOIN units u ON u.id = l.unit_id
WHERE l.phone <> '' AND l.to_us > 0 AND l.to_us <= ? ORDER BY l.id`, wire.US(now.Add(-after)))
		if err != nil {
			return 0, err
		}
		type leaver struct {
			id, to     int64
			name, unit string
		}
		all, err := collect(rows, func(r scanner) (l leaver, err error) {
			err = r.Scan(&l.id, &l.name, &l.unit, &l.to)
			return l, err
		})
		if err != nil {
			return 0, err
		}
		for _, l := range all {
			if _, err := t.exec(`UPDATE liaisons SET phone = '' WHERE id = ?`, l.id); err != nil {
				return 0, err
			}
			if err := auditTx(t, fleet.Audit{At: now, Who: fleet.AuditSelf, What: fleet.AuditPhoneErased, Object: l.unit + " " + l.name, Detail: wire.FromUS(l.to).UTC().Format(time.DateOnly)}); err != nil {
				return 0, err
			}
		}
		return len(all), nil
	})
}

// settingScrub is set while numbers that were stored in clear text may still
// stand in pages of the database that are not in use any more.
const settingScrub = "phones.scrub"

// sealStored seals the numbers that an earlier version stored in clear text,
// and has nothing of them remain in the database, its log, or the backups made
// before migrations. It is done at every open, before anybody reads: a crash
// in between has the next open finish it.
func (s *Store) sealStored(ctx context.Context, db *sql.Conn) error {
	if err := sealColumns(ctx, db, s.vault); err != nil {
		return fmt.Errorf("sealing telephone numbers: %w", explain(err))
	}
	var scrub int
	if err := db.QueryRowContext(ctx, `SELECT count(*) FROM settings WHERE key = ?`, settingScrub).Scan(&scrub); err != nil || scrub == 0 {
		return err
	}
	old, err := filepath.Glob(s.path + ".before-*")
	if err != nil {
		return err
	}
	for _, path := range old {
		if err := sealFile(ctx, path, s.vault); err != nil {
			return fmt.Errorf("sealing telephone numbers of %q: %w", path, explain(err))
		}
	}
	for _, q := range []string{"VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)", "DELETE FROM settings WHERE key = '" + settingScrub + "'"} {
		if _, err := db.ExecContext(ctx, q); err != nil {
			return fmt.Errorf("clearing pages with telephone numbers: %w", explain(err))
		}
	}
	s.logger.Info("telephone numbers were sealed", "key", vault.KeyFile)
	return nil
}

// sealFile does the same in a backup that was made before a migration.
func sealFile(ctx context.Context, path string, v *vault.Vault) error {
	db, err := sql.Open("sqlite", "file:"+urlPath(path)+"?mode=rw&_pragma=busy_timeout(10000)")
	if err != nil {
		return err
	}
	defer db.Close()
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := sealColumns(ctx, conn, v); err != nil {
		return err
	}
	_, err = conn.ExecContext(ctx, "VACUUM")
	return err
}

// sealColumns seals what is not yet, in one transaction.
func sealColumns(ctx context.Context, db *sql.Conn, v *vault.Vault) (err error) {
	t, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer t.Rollback() //nolint:errcheck // after Commit it does nothing
	n := 0
	for _, c := range []struct{ table, column, field string }{
		{"points", "duty_phone", fieldDutyPhone}, {"liaisons", "phone", fieldLiaisonPhone},
	} {
		rows, err := t.QueryContext(ctx, `SELECT id, `+c.column+` FROM `+c.table+` WHERE `+c.column+` <> '' AND `+c.column+` NOT LIKE 'sealed:%'`)
		if err != nil {
			return err
		}
		type row struct {
			id   int64
			text string
		}
		all, err := collect(rows, func(r scanner) (v row, err error) { err = r.Scan(&v.id, &v.text); return v, err })
		if err != nil {
			return err
		}
		for _, r := range all {
			sealed, err := v.Seal(c.field, r.text)
			if err != nil {
				return err
			}
			if _, err := t.ExecContext(ctx, `UPDATE `+c.table+` SET `+c.column+` = ? WHERE id = ?`, sealed, r.id); err != nil {
				return err
			}
		}
		n += len(all)
	}
	if n == 0 {
		return nil
	}
	if _, err := t.ExecContext(ctx, `INSERT INTO settings (key, value) VALUES (?, '1') ON CONFLICT (key) DO NOTHING`, settingScrub); err != nil {
		return err
	}
	return t.Commit()
}
