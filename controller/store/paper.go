package store

import (
	"context"
	"fmt"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

const handedColumns = `id, code, made_us, by, title, file, size, sha256`

func scanHanded(r scanner) (x fleet.HandedOut, err error) {
	var made int64
	err = r.Scan(&x.ID, &x.Code, &made, &x.By, &x.Title, &x.File, &x.Size, &x.SHA256)
	x.Made = wire.FromUS(made)
	return x, err
}

// AddHandedOut keeps what was handed out, with its slip. On return it survives
// power loss.
func (s *Store) AddHandedOut(ctx context.Context, x fleet.HandedOut) error {
	_, err := change(ctx, s, func(t *tx) (none, error) {
		_, err := t.exec(`INSERT INTO slips (code, made_us, by, title, file, size, sha256, slip) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
			x.Code, wire.US(x.Made), x.By, x.Title, x.File, x.Size, x.SHA256, x.Slip)
		return none{}, err
	})
	if err != nil {
		return fmt.Errorf("keeping what was handed out: %w", err)
	}
	return nil
}

// HandedOut returns files that were handed out, the newest first, without their
// slips, and how many there are. text is a part of code, title, name of the
// file or login; empty for all.
func (s *Store) HandedOut(ctx context.Context, text string, limit, offset int) (rows []fleet.HandedOut, all int, err error) {
	var w where
	if text != "" {
		w.add("instr(lower(code || char(10) || title || char(10) || file || char(10) || by), lower(?)) > 0", text)
	}
	if err := s.read.QueryRowContext(ctx, `SELECT count(*) FROM slips`+w.String(), w.args...).Scan(&all); err != nil {
		return nil, 0, fmt.Errorf("counting what was handed out: %w", explain(err))
	}
	rows, err = list(ctx, s, "what was handed out", scanHanded, `SELECT `+handedColumns+` FROM slips`+w.String()+` ORDER BY id DESC`+page(limit, offset), w.args...)
	return rows, all, err
}

// SlipOf returns what was handed out under a code with its slip, or a
// *fleet.Error of code NotFound.
func (s *Store) SlipOf(ctx context.Context, code string) (fleet.HandedOut, error) {
	return one(ctx, s, "没有这个核验编号，请核对文件第一行。", "There is no such code. Check the first line of the file.", func(r scanner) (x fleet.HandedOut, err error) {
		var made int64
		err = r.Scan(&x.ID, &x.Code, &made, &x.By, &x.Title, &x.File, &x.Size, &x.SHA256, &x.Slip)
		x.Made = wire.FromUS(made)
		return x, err
	}, `SELECT `+handedColumns+`, slip FROM slips WHERE code = ?`, code)
}

// AddBackupRun keeps what came of a backup.
func (s *Store) AddBackupRun(ctx context.Context, x fleet.BackupRun) error {
	_, err := change(ctx, s, func(t *tx) (none, error) {
		_, err := t.exec(`INSERT INTO backups (begun_us, ended_us, file, copy, size, sha256, part, problem) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
			wire.US(x.Begun), wire.US(x.Ended), x.File, x.Copy, x.Size, x.SHA256, string(x.Part), x.Problem)
		return none{}, err
	})
	if err != nil {
		return fmt.Errorf("keeping what came of a backup: %w", err)
	}
	return nil
}

const backupColumns = `id, begun_us, ended_us, file, copy, size, sha256, part, problem`

func scanBackup(r scanner) (x fleet.BackupRun, err error) {
	var begun, ended int64
	err = r.Scan(&x.ID, &begun, &ended, &x.File, &x.Copy, &x.Size, &x.SHA256, &x.Part, &x.Problem)
	x.Begun, x.Ended = wire.FromUS(begun), wire.FromUS(ended)
	return x, err
}

// BackupRuns returns the newest backups, the newest first; limit 0 means all.
func (s *Store) BackupRuns(ctx context.Context, limit int) ([]fleet.BackupRun, error) {
	return list(ctx, s, "backups", scanBackup, `SELECT `+backupColumns+` FROM backups ORDER BY id DESC`+page(limit, 0))
}

// LastGoodBackup returns the newest backup that was opened and is whole; a
// *fleet.Error of code NotFound if there is none.
func (s *Store) LastGoodBackup(ctx context.Context) (fleet.BackupRun, error) {
	return one(ctx, s, "还没有完好的备份。", "There is no good backup yet.", scanBackup, `SELECT `+backupColumns+` FROM backups WHERE part = '' AND problem = '' ORDER BY id DESC LIMIT 1`)
}
