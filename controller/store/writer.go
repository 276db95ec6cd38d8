package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"gatecast/controller/fleet"
)

// maxGroup and maxGroupTime bound one transaction: whoever came first waits
// no longer than this for those who came after.
const (
	maxGroup     = 4096
	maxGroupTime = 20 * time.Millisecond
)

// errClosed is returned by changes after Close.
var errClosed = errors.New("database is closed")

// tx is the transaction under way on the writer's connection. It is valid
// only inside the function it was given to.
type tx struct {
	conn     *sql.Conn
	stmts    map[string]*sql.Stmt // prepared once, kept for the life of the connection
	onCommit []func()
}

func (t *tx) stmt(query string) (*sql.Stmt, error) {
	if st, ok := t.stmts[query]; ok {
		return st, nil
	}
	st, err := t.conn.PrepareContext(context.Background(), query)
	if err != nil {
		return nil, err
	}
	t.stmts[query] = st
	return st, nil
}

func (t *tx) exec(query string, args ...any) (sql.Result, error) {
	st, err := t.stmt(query)
	if err != nil {
		return nil, err
	}
	return st.Exec(args...)
}

func (t *tx) query(query string, args ...any) (*sql.Rows, error) {
	st, err := t.stmt(query)
	if err != nil {
		return nil, err
	}
	return st.Query(args...)
}

// row runs a query of one row; no row yields sql.ErrNoRows.
func (t *tx) row(query string, args ...any) scanner {
	st, err := t.stmt(query)
	if err != nil {
		return failedRow{err}
	}
	return st.QueryRow(args...)
}

// after runs f once the transaction is committed, before the caller returns.
func (t *tx) after(f func()) { t.onCommit = append(t.onCommit, f) }

type failedRow struct{ err error }

func (f failedRow) Scan(...any) error { return f.err }

// job is one change.
type job struct {
	ctx  context.Context
	run  func(*tx) error
	done func(error)
	how  how
}

// how a job shares its transaction with others.
type how int

const (
	shared how = iota // with a savepoint of its own: it may fail alone
	bulk              // without: it fails only when the disk does, and then all of the group with it
	alone             // in a transaction of its own: it reads what commits of others change
)

// writer owns the one connection that changes the database.
type writer struct {
	conn   *sql.Conn
	logger *slog.Logger
	jobs   chan job
	quit   chan struct{}
	once   sync.Once
	stmts  map[string]*sql.Stmt
	held   *job // taken, and to be run alone in the next transaction

	trouble atomic.Pointer[error] // why the disk took nothing last; nil while it does
}

// note keeps why the disk does not take changes, or that it does again. A
// change that is refused for what it says is none of its business.
func (w *writer) note(err error) {
	if err == nil {
		w.trouble.Store(nil)
		return
	}
	w.trouble.Store(&err)
}

func newWriter(conn *sql.Conn, logger *slog.Logger) *writer {
	return &writer{conn: conn, logger: logger, jobs: make(chan job, maxGroup), quit: make(chan struct{}), stmts: map[string]*sql.Stmt{}}
}

func (w *writer) close() { w.once.Do(func() { close(w.quit) }) }

// run commits groups until close, then those that were waiting.
func (w *writer) run() {
	defer func() {
		for _, st := range w.stmts {
			_ = st.Close() // the connection goes with it
		}
	}()
	for {
		select {
		case j := <-w.jobs:
			w.groups(j)
		case <-w.quit:
			for {
				select {
				case j := <-w.jobs:
					w.groups(j)
				default:
					return
				}
			}
		}
	}
}

// groups runs the group that j begins and what that group held back.
func (w *writer) groups(j job) {
	w.group(j)
	for w.held != nil {
		next := *w.held
		w.held = nil
		w.group(next)
	}
}

// group runs first and whatever else is waiting in one transaction.
func (w *writer) group(first job) {
	t := &tx{conn: w.conn, stmts: w.stmts}
	if _, err := t.exec("BEGIN IMMEDIATE"); err != nil {
		w.note(explain(err))
		first.done(explain(err))
		return
	}
	var good []job
	deadline := time.Now().Add(maxGroupTime)
	broken := w.one(t, first, &good)
	for n := 1; broken == nil && first.how != alone && n < maxGroup && time.Now().Before(deadline); n++ {
		j, ok := w.take()
		if !ok {
			break
		}
		broken = w.one(t, j, &good)
	}
	if broken == nil {
		_, broken = t.exec("COMMIT")
	}
	if broken != nil {
		broken = explain(broken)
		w.note(broken)
		if _, err := t.exec("ROLLBACK"); err != nil {
			w.logger.Warn("rolling back", "err", err)
		}
		for _, j := range good {
			j.done(broken)
		}
		return
	}
	if len(good) > 0 {
		w.note(nil)
	}
	for _, f := range t.onCommit {
		f()
	}
	for _, j := range good {
		j.done(nil)
	}
}

// take returns a job that is waiting and may join the present group.
func (w *writer) take() (job, bool) {
	select {
	case j := <-w.jobs:
		if j.how == alone {
			w.held = &j
			return job{}, false
		}
		return j, true
	default:
		return job{}, false
	}
}

// one runs j inside t. A job that fails alone is undone and answered; an
// error that breaks the whole transaction is returned, with j in good.
func (w *writer) one(t *tx, j job, good *[]job) error {
	if err := j.ctx.Err(); err != nil {
		j.done(err)
		return nil
	}
	if j.how == bulk {
		*good = append(*good, j)
		return j.run(t)
	}
	if _, err := t.exec("SAVEPOINT job"); err != nil {
		*good = append(*good, j)
		return err
	}
	hooks := len(t.onCommit)
	err := j.run(t)
	if err == nil {
		*good = append(*good, j)
		_, err = t.exec("RELEASE job")
		return err
	}
	t.onCommit = t.onCommit[:hooks]
	if _, undo := t.exec("ROLLBACK TO job"); undo != nil {
		// SQLite ends the transaction by itself on a full disk.
		*good = append(*good, j)
		return fmt.Errorf("%w (undoing: %w)", err, undo)
	}
	if _, release := t.exec("RELEASE job"); release != nil {
		*good = append(*good, j)
		return fmt.Errorf("%w (undoing: %w)", err, release)
	}
	err = explain(err)
	if fleet.CodeOf(err) == fleet.Full {
		w.note(err)
	}
	j.done(err)
	return nil
}

// change runs fn inside the next transaction and returns its result after the
// commit. Whatever fn sets outside itself it must set through tx.after. A line
// of the audit that ctx carries (fleet.WithAudit) goes into the same
// transaction.
func change[T any](ctx context.Context, s *Store, fn func(*tx) (T, error)) (T, error) {
	return submit(ctx, s, shared, fn)
}

// changeBulk is change for functions that fail only when the disk does.
func changeBulk[T any](ctx context.Context, s *Store, fn func(*tx) (T, error)) (T, error) {
	return submit(ctx, s, bulk, fn)
}

// changeAlone is change for functions that read the cache, which is changed
// only after a commit.
func changeAlone[T any](ctx context.Context, s *Store, fn func(*tx) (T, error)) (T, error) {
	return submit(ctx, s, alone, fn)
}

func submit[T any](ctx context.Context, s *Store, h how, fn func(*tx) (T, error)) (T, error) {
	type result struct {
		v   T
		err error
	}
	var zero T
	done := make(chan result, 1)
	var v T // written and read by the writer's goroutine only
	pending := fleet.PendingAudit(ctx)
	j := job{
		ctx: ctx, how: h,
		run: func(t *tx) (err error) {
			if v, err = fn(t); err != nil || pending == nil || pending.Written() {
				return err
			}
			t.after(pending.MarkWritten)
			return auditTx(t, pending.Line)
		},
		done: func(err error) {
			if err != nil {
				done <- result{err: err}
				return
			}
			done <- result{v: v}
		},
	}
	select {
	case <-s.w.quit:
		return zero, errClosed
	default:
	}
	select {
	case s.w.jobs <- j:
	case <-ctx.Done():
		return zero, ctx.Err()
	case <-s.w.quit:
		return zero, errClosed
	}
	select {
	case r := <-done:
		return r.v, r.err
	case <-ctx.Done():
		return zero, ctx.Err()
	case <-s.w.quit:
		// The writer answers everything it took before it ends.
		s.wg.Wait()
		select {
		case r := <-done:
			return r.v, r.err
		default:
			return zero, errClosed
		}
	}
}

// none is the result of a change that has none.
type none = struct{}
