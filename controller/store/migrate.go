package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// applicationID marks the file as ours: "GTCS".
const applicationID = 0x47544353

// migration is one step of the schema; its number is PRAGMA user_version
// after it.
type migration struct {
	number int
	name   string
	sql    string
}

// migrations returns the steps in order, numbered from 1 without gaps.
func migrations() ([]migration, error) {
	names, err := fs.Glob(migrationFiles, "migrations/*.sql")
	if err != nil {
		return nil, err
	}
	var all []migration
	for i, name := range names {
		number, _, ok := strings.Cut(filepath.Base(name), "-")
		n, err := strconv.Atoi(number)
		if !ok || err != nil || n != i+1 {
			return nil, fmt.Errorf("migration %q: want number %04d", name, i+1)
		}
		text, err := migrationFiles.ReadFile(name)
		if err != nil {
			return nil, err
		}
		all = append(all, migration{n, filepath.Base(name), string(text)})
	}
	return all, nil
}

// migrate brings the file to the newest schema, each step in a transaction of
// its own, after a backup if it holds anything.
func (s *Store) migrate(ctx context.Context, steps []migration) error {
	have, err := s.version(ctx)
	if err != nil {
		return err
	}
	newest := steps[len(steps)-1].number
	if have > newest {
		return &fleet.Error{
			Code:   fleet.Conflict,
			Text:   fmt.Sprintf("数据库 %s 由更新版本的 Gatecast 写成（结构版本 %d，本程序只认识到 %d）。请升级本程序，或用旧备份恢复；数据库未作任何改动。", s.path, have, newest),
			TextEN: fmt.Sprintf("Database %s was written by a newer Gatecast (schema %d, this program knows up to %d). Upgrade this program, or restore an older backup; the database was not changed.", s.path, have, newest),
		}
	}
	if have == newest {
		return nil
	}
	// With the rights of a file of secrets; SQLite gives its log the same.
	f, err := os.OpenFile(s.path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("creating database %q: %w", s.path, err)
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("creating database %q: %w", s.path, err)
	}
	db, err := sql.Open("sqlite", dsn(s.path, "&_txlock=immediate"))
	if err != nil {
		return fmt.Errorf("opening database %q: %w", s.path, err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	if have > 0 {
		if err := s.backupBefore(ctx, db, have, newest); err != nil {
			return fmt.Errorf("backing up before migrating: %w", err)
		}
	}
	for _, m := range steps[have:] {
		if err := s.apply(ctx, db, m); err != nil {
			return fmt.Errorf("migrating to %s: %w", m.name, explain(err))
		}
	}
	return nil
}

// backupBefore makes the backup of a database that is to be migrated. One that
// a killed migration left is made anew, unless that had taken its first steps
// already: then it is the only copy of what was there before.
func (s *Store) backupBefore(ctx context.Context, db *sql.DB, have, newest int) error {
	path := fmt.Sprintf("%s.before-%04d", s.path, newest)
	if held, app, _, err := peek(ctx, path, "ro"); err == nil && app == applicationID && 0 < held && held < have {
		s.logger.Info("migration goes on; its backup is kept", "path", path, "from", held, "at", have, "to", newest)
		return nil
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing old backup %q: %w", path, err)
	}
	if err := backup(ctx, db, path); err != nil {
		return err
	}
	s.logger.Info("backed up before migrating", "path", path, "from", have, "to", newest)
	return nil
}

func (s *Store) apply(ctx context.Context, db *sql.DB, m migration) error {
	t, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer t.Rollback() //nolint:errcheck // after Commit it does nothing
	const history = `CREATE TABLE IF NOT EXISTS migrations (
  number     INTEGER PRIMARY KEY,
  name       TEXT NOT NULL,
  applied_us INTEGER NOT NULL -- microseconds since 1970 UTC
)`
	for _, q := range []string{history, m.sql, fmt.Sprintf("PRAGMA application_id = %d", applicationID), fmt.Sprintf("PRAGMA user_version = %d", m.number)} {
		if _, err := t.ExecContext(ctx, q); err != nil {
			return err
		}
	}
	if m.name == chainMigration {
		if err := chainAudit(ctx, t); err != nil {
			return err
		}
	}
	if _, err := t.ExecContext(ctx, "INSERT INTO migrations VALUES (?, ?, ?)", m.number, m.name, wire.US(s.clock())); err != nil {
		return err
	}
	return t.Commit()
}

// chainMigration is the step that makes the audit a chain.
const chainMigration = "0007-audit.sql"

// chainAudit hashes the lines that were written before there was a
// chain, in their order.
func chainAudit(ctx context.Context, t *sql.Tx) error {
	prev := ""
	for {
		rows, err := t.QueryContext(ctx, `SELECT `+auditColumns+` FROM audit WHERE hash = '' ORDER BY id LIMIT ?`, auditChunk)
		if err != nil {
			return err
		}
		lines, err := collect(rows, scanLine)
		if err != nil {
			return err
		}
		for _, l := range lines {
			l.Who, l.From, l.Object, l.Detail = clean(l.Who, maxName), clean(l.From, maxName), clean(l.Object, maxText), clean(l.Detail, maxText)
			l.Prev = prev // a number that is missing stays so, and the check says it
			l.Hash = l.Sum()
			prev = l.Hash
			if _, err := t.ExecContext(ctx, `UPDATE audit SET who = ?, address = ?, object = ?, detail = ?, prev = ?, hash = ? WHERE id = ?`,
				l.Who, l.From, l.Object, l.Detail, l.Prev, l.Hash, l.ID); err != nil {
				return err
			}
		}
		if len(lines) < auditChunk {
			return nil
		}
	}
}

// version returns the schema version of the file, 0 if there is none yet,
// without changing it but for undoing a write that was cut off. A file of another program is refused.
func (s *Store) version(ctx context.Context) (int, error) {
	info, err := os.Stat(s.path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() == 0 {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("opening database %q: %w", s.path, err)
	}
	have, app, tables, err := peek(ctx, s.path, "ro")
	if sqliteCode(err)&sqlitePrimaryResult == sqliteReadOnly {
		// Killed in its very first write, before it had its log: SQLite undoes
		// that by the journal beside it, and must write to do so.
		have, app, tables, err = peek(ctx, s.path, "rw")
	}
	if err != nil && sqliteCode(err) != sqliteNotADB {
		return 0, fmt.Errorf("reading the version of %q: %w", s.path, explain(err))
	}
	if err != nil || app != applicationID && tables > 0 {
		return 0, &fleet.Error{
			Code:   fleet.Conflict,
			Text:   fmt.Sprintf("文件 %s 不是 Gatecast 的数据库，未作任何改动。请换一个数据目录，或恢复备份。", s.path),
			TextEN: fmt.Sprintf("File %s is not a Gatecast database and was not changed. Choose another data folder, or restore a backup.", s.path),
			Err:    err,
		}
	}
	return have, nil
}

// peek reads what tells whose file it is; mode is SQLite's.
func peek(ctx context.Context, path, mode string) (have, app, tables int, err error) {
	db, err := sql.Open("sqlite", "file:"+urlPath(path)+"?mode="+mode+"&_pragma=busy_timeout(10000)")
	if err != nil {
		return 0, 0, 0, err
	}
	defer db.Close()
	err = db.QueryRowContext(ctx, "SELECT (SELECT * FROM pragma_user_version), (SELECT * FROM pragma_application_id), (SELECT count(*) FROM sqlite_schema)").Scan(&have, &app, &tables)
	return have, app, tables, err
}
