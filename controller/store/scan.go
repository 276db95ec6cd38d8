package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"modernc.org/sqlite"

	"gatecast/controller/fleet"
)

// scanner is a *sql.Row or the present row of *sql.Rows.
type scanner interface{ Scan(...any) error }

// collect reads all rows and closes them.
func collect[T any](rows *sql.Rows, scan func(scanner) (T, error)) ([]T, error) {
	defer rows.Close()
	var all []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, rows.Err()
}

// list runs a query on the read pool.
func list[T any](ctx context.Context, s *Store, what string, scan func(scanner) (T, error), query string, args ...any) ([]T, error) {
	rows, err := s.read.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", what, explain(err))
	}
	all, err := collect(rows, scan)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", what, explain(err))
	}
	return all, nil
}

// one runs a query of one row on the read pool; no row is a *fleet.Error of
// code NotFound made of zh and en.
func one[T any](ctx context.Context, s *Store, zh, en string, scan func(scanner) (T, error), query string, args ...any) (T, error) {
	v, err := scan(s.read.QueryRowContext(ctx, query, args...))
	return v, found(err, zh, en)
}

// found turns "no row" into a *fleet.Error and leaves other errors explained.
func found(err error, zh, en string) error {
	return notFound(err, &fleet.Error{Code: fleet.NotFound, Text: zh, TextEN: en})
}

// SQLite result codes that people are told about.
const (
	sqliteReadOnly      = 8
	sqliteFull          = 13
	sqliteNotADB        = 26
	sqliteIOErrWrite    = 778  // SQLITE_IOERR_WRITE: a disk may be full without saying so
	sqliteUnique        = 2067 // SQLITE_CONSTRAINT_UNIQUE
	sqlitePrimary       = 1555 // SQLITE_CONSTRAINT_PRIMARYKEY
	sqliteForeign       = 787  // SQLITE_CONSTRAINT_FOREIGNKEY
	sqlitePrimaryResult = 0xff // an extended code's lower byte is its class
)

// sqliteCode returns the extended result code in err's chain, 0 if none.
func sqliteCode(err error) int {
	var e *sqlite.Error
	if errors.As(err, &e) {
		return e.Code()
	}
	return 0
}

func isUnique(err error) bool {
	c := sqliteCode(err)
	return c == sqliteUnique || c == sqlitePrimary
}

// explain gives driver errors that people can act on their sentence.
func explain(err error) error {
	var known *fleet.Error
	if err == nil || errors.As(err, &known) {
		return err
	}
	if c := sqliteCode(err); c&sqlitePrimaryResult == sqliteFull || c == sqliteIOErrWrite {
		return &fleet.Error{
			Code:   fleet.Full,
			Text:   "控制端的磁盘已满，刚才的修改没有保存。请清理磁盘空间，之后会自动恢复，无需重启。",
			TextEN: "The controller's disk is full and the change was not saved. Free some space; work goes on by itself, no restart is needed.",
			Err:    err,
		}
	}
	return err
}

// dayNumber returns d as days since 1970-01-01.
func dayNumber(d fleet.Day) (int64, error) {
	t, err := time.Parse(time.DateOnly, string(d))
	if err != nil {
		return 0, &fleet.Error{
			Code:   fleet.Invalid,
			Text:   fmt.Sprintf("日期 %q 无效，应写成 2026-11-23 的样子。", d),
			TextEN: fmt.Sprintf("Date %q is invalid; write it like 2026-11-23.", d),
			Err:    err,
		}
	}
	return t.Unix() / 86400, nil
}

// dayOf is the inverse of dayNumber.
func dayOf(n int64) fleet.Day {
	return fleet.Day(time.Unix(n*86400, 0).UTC().Format(time.DateOnly))
}

// null returns nil for id 0, which stands for NULL in a reference.
func null[T ~int64](id T) any {
	if id == 0 {
		return nil
	}
	return int64(id)
}

func toJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return "null" // only types of this package's choice come here, and they marshal
	}
	return string(b)
}

// texts reads a JSON array of strings; nil for an empty one.
func texts(doc string) (all []string, err error) {
	err = json.Unmarshal([]byte(doc), &all)
	if len(all) == 0 {
		all = nil
	}
	return all, err
}

// listJSON writes a JSON array of strings.
func listJSON(all []string) string {
	if all == nil {
		all = []string{}
	}
	return toJSON(all)
}

// dayUS is the length of a day that has no change of the clocks.
const dayUS = 86400 * 1_000_000

// where builds a WHERE clause.
type where struct {
	parts []string
	args  []any
}

func (w *where) add(cond string, args ...any) {
	w.parts = append(w.parts, cond)
	w.args = append(w.args, args...)
}

func (w *where) String() string {
	if len(w.parts) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(w.parts, " AND ")
}

// page appends LIMIT and OFFSET; limit 0 means none.
func page(limit, offset int) string {
	if limit <= 0 && offset <= 0 {
		return ""
	}
	if limit <= 0 {
		limit = -1
	}
	return fmt.Sprintf(" LIMIT %d OFFSET %d", limit, max(offset, 0))
}

// underUnit is a subquery of a unit and all units below it; it takes the id.
const underUnit = `(WITH RECURSIVE under(id) AS (SELECT ? UNION SELECT units.id FROM units JOIN under ON units.parent_id = under.id) SELECT id FROM under)`

// notFound returns missing for "no row" and other errors explained.
func notFound(err, missing error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return missing
	}
	if err != nil {
		return fmt.Errorf("reading: %w", explain(err))
	}
	return nil
}

// affected reports an error when r changed no row: missing.
func affected(r sql.Result, err, missing error) error {
	if err != nil {
		return err
	}
	n, err := r.RowsAffected()
	if err != nil {
		return err
	}
	if n == 0 {
		return missing
	}
	return nil
}
