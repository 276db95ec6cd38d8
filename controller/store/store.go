// Package store keeps what the controller knows in SQLite: the registry,
// devices, clips, programmes, signed documents, the journals of devices, the
// ledger and the users. It alone speaks SQL; it knows fleet and wire and
// nothing else of the controller.
//
// Files: one database in WAL mode beside its "-wal" and "-shm"; "<path>.lock"
// holds the lock of the one process that has it open; "<path>.before-NNNN" is
// the backup made before migrating to NNNN.
//
// All writes go through one goroutine, which commits everything that is
// waiting in one transaction with synchronous=FULL: a method that changes
// something returns after its change is on the disk, and many callers share
// one fsync. The exception is what devices say about themselves (SaveHello,
// SaveState, SetOffline): it is kept in memory, every reader sees it at once,
// and it reaches the disk within Options.StateDelay; a crash loses it, and
// the device says it again.
//
// A record that a device wrote before it knew the time is kept as it came; its
// instant and the bound of its error follow from the best trusted record of the
// same boot (wire.Anchor), whichever of them arrives first. Until then it
// belongs to the point of its arrival, and its own time is only told.
//
// Telephone numbers are sealed with the key of package vault, which is not in
// the database. Each line of the audit holds the hash of the one before; a
// change and the line that tells of it are one transaction (fleet.WithAudit).
//
// A method whose context ends while it waits returns the context's error; its
// change may or may not happen then. Errors that people are told about are
// *fleet.Error. Every method is safe for concurrent use.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"gatecast/controller/fleet"
	"gatecast/controller/vault"
	"gatecast/internal/wire"
)

// Options configures Open. The zero value is usable.
type Options struct {
	Logger     *slog.Logger     // nil discards
	Clock      func() time.Time // of migrations and documents; nil means time.Now
	Readers    int              // pooled read connections; 0 means 4
	StateDelay time.Duration    // how long what devices say may wait for the disk; 0 means 1 s
	KeyFile    string           // of the vault; empty means trust/vault.key beside the database
}

// Store is an open database.
type Store struct {
	path   string
	opts   Options
	logger *slog.Logger
	clock  func() time.Time

	vault      *vault.Vault
	unreadable sync.Once // that fields cannot be opened is logged once

	read   *sql.DB
	write  *sql.DB
	w      *writer
	lock   io.Closer
	states chan struct{} // wakes the goroutine that writes what devices said
	wg     sync.WaitGroup
	stop   context.CancelFunc

	closing sync.Once
	closed  error // of Close; read after closing

	mu      sync.RWMutex
	devices map[wire.DeviceID]*device // every device: a cache of the table
	active  map[fleet.PointID]wire.DeviceID
	bound   map[fleet.PointID][]wire.DeviceID // every device that was ever bound to the point
	dirty   map[wire.DeviceID]struct{}        // said something that is not on the disk
	purges  map[wire.DeviceID][]*purge        // recalled clips that a device has not said on the disk to have deleted

	logsMu  sync.Mutex
	logs    map[logKey]*journal
	anchors map[wire.DeviceID]anchored
}

// Open opens the database at path, creating and migrating it as needed. The
// caller closes it. A database of a newer version, of another program or open
// in another process is refused with a *fleet.Error and left untouched.
func Open(ctx context.Context, path string, o Options) (*Store, error) {
	steps, err := migrations()
	if err != nil {
		return nil, fmt.Errorf("reading migrations: %w", err)
	}
	return open(ctx, path, o, steps)
}

func open(ctx context.Context, path string, o Options, steps []migration) (*Store, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Readers < 1 {
		o.Readers = 4
	}
	if o.StateDelay <= 0 {
		o.StateDelay = time.Second
	}
	s := &Store{
		path: path, opts: o, logger: o.Logger, clock: o.Clock,
		states:  make(chan struct{}, 1),
		devices: map[wire.DeviceID]*device{},
		active:  map[fleet.PointID]wire.DeviceID{},
		bound:   map[fleet.PointID][]wire.DeviceID{},
		dirty:   map[wire.DeviceID]struct{}{},
		purges:  map[wire.DeviceID][]*purge{},
		logs:    map[logKey]*journal{},
		anchors: map[wire.DeviceID]anchored{},
	}
	if err := s.open(ctx, steps); err != nil {
		return nil, errors.Join(err, s.closeFiles())
	}
	run, stop := context.WithCancel(context.Background())
	s.stop = stop
	s.wg.Go(s.w.run)
	s.wg.Go(func() { s.writeStates(run) })
	return s, nil
}

func (s *Store) open(ctx context.Context, steps []migration) (err error) {
	abs, err := filepath.Abs(s.path)
	if err != nil {
		return fmt.Errorf("opening database %q: %w", s.path, err)
	}
	s.path = abs
	if s.lock, err = Lock(abs); err != nil {
		return err
	}
	if s.opts.KeyFile == "" {
		s.opts.KeyFile = filepath.Join(filepath.Dir(abs), "trust", vault.KeyFile)
	}
	s.vault = vault.New(s.opts.KeyFile)
	if err := s.migrate(ctx, steps); err != nil {
		return err
	}
	// 64 MB hold the inner pages of the indexes of 10,000 journals; a log of
	// 32 MB is copied into the database a fourth as often as the default.
	if s.write, err = sql.Open("sqlite", dsn(abs, "&_pragma=cache_size(-65536)&_pragma=wal_autocheckpoint(8000)")); err != nil {
		return fmt.Errorf("opening database %q: %w", abs, err)
	}
	s.write.SetMaxOpenConns(1)
	conn, err := s.write.Conn(ctx)
	if err != nil {
		return fmt.Errorf("opening database %q: %w", abs, explain(err))
	}
	s.w = newWriter(conn, s.logger)
	if err := s.sealStored(ctx, conn); err != nil {
		return err
	}
	if s.read, err = sql.Open("sqlite", dsn(abs, "&_pragma=query_only(1)&_pragma=cache_size(-16384)")); err != nil {
		return fmt.Errorf("opening database %q: %w", abs, err)
	}
	s.read.SetMaxOpenConns(s.opts.Readers)
	s.read.SetMaxIdleConns(s.opts.Readers)
	if err := s.loadDevices(ctx); err != nil {
		return err
	}
	if steps[len(steps)-1].number < receiptsSince {
		return nil // a test of migrations
	}
	if err := s.loadReceipts(ctx); err != nil {
		return err
	}
	if steps[len(steps)-1].number < purgesSince {
		return nil // likewise
	}
	return s.loadPurges(ctx)
}

// Lock keeps every other process from opening the database at path until the
// result is closed. A database that is in use yields a *fleet.Error of code
// Conflict.
func Lock(path string) (io.Closer, error) {
	l, err := lockFile(path + ".lock")
	if errors.Is(err, errLocked) {
		return nil, &fleet.Error{
			Code:   fleet.Conflict,
			Text:   fmt.Sprintf("数据库 %s 正被另一个控制端使用，请先停止它，或换一个数据目录。", path),
			TextEN: fmt.Sprintf("Database %s is in use by another controller. Stop that one, or choose another data folder.", path),
			Err:    err,
		}
	}
	if err != nil {
		return nil, fmt.Errorf("locking database %q: %w", path, err)
	}
	return l, nil
}

// dsn names the file with the settings that every connection needs.
func dsn(path, more string) string {
	return "file:" + urlPath(path) + "?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=foreign_keys(1)&_pragma=temp_store(memory)" + more
}

// Vault returns the vault that the store seals its own fields with.
func (s *Store) Vault() *vault.Vault { return s.vault }

// Path returns the absolute path of the database file.
func (s *Store) Path() string { return s.path }

// Close writes what devices said last, waits for changes under way, and
// closes the files. Methods called afterwards return an error; a second Close
// does nothing.
func (s *Store) Close() error {
	s.closing.Do(func() {
		s.stop() // writeStates ends, and the writer after it
		s.wg.Wait()
		s.closed = s.closeFiles()
	})
	return s.closed
}

func (s *Store) closeFiles() error {
	var errs []error
	if s.w != nil {
		errs = append(errs, s.w.conn.Close())
	}
	for _, db := range []*sql.DB{s.read, s.write} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	if s.lock != nil {
		errs = append(errs, s.lock.Close())
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("closing database %q: %w", s.path, err)
	}
	return nil
}

// Backup writes a compact copy of the database, as of one instant, to path,
// which must not exist. On return it survives power loss; it is readable by
// its owner only, as the database is.
func (s *Store) Backup(ctx context.Context, path string) error {
	// A connection of its own: the readers may not write, not even elsewhere.
	db, err := sql.Open("sqlite", dsn(s.path, ""))
	if err != nil {
		return fmt.Errorf("opening database %q: %w", s.path, err)
	}
	defer db.Close()
	return backup(ctx, db, path)
}

// CopyFile is Backup of the database at path, which another process may have
// open and change meanwhile. A file that is missing or not a database of ours
// yields a *fleet.Error.
func CopyFile(ctx context.Context, path, to string) error {
	s := &Store{path: path}
	have, err := s.version(ctx)
	if err != nil {
		return err
	}
	if have == 0 {
		return &fleet.Error{
			Code:   fleet.NotFound,
			Text:   fmt.Sprintf("数据目录里还没有数据库 %s，没有可备份的内容。", path),
			TextEN: fmt.Sprintf("There is no database %s yet, so there is nothing to back up.", path),
		}
	}
	return s.Backup(ctx, to)
}

func backup(ctx context.Context, db *sql.DB, path string) error {
	// Made here and empty, so that nobody else can read it; SQLite takes that.
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return &fleet.Error{
			Code:   fleet.Conflict,
			Text:   fmt.Sprintf("备份文件 %s 已经存在，请换一个名字。", path),
			TextEN: fmt.Sprintf("Backup file %s exists already. Choose another name.", path),
		}
	}
	if err != nil {
		return fmt.Errorf("writing backup %q: %w", path, err)
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("writing backup %q: %w", path, err)
	}
	if _, err := db.ExecContext(ctx, "VACUUM INTO ?", path); err != nil {
		return errors.Join(fmt.Errorf("writing backup %q: %w", path, explain(err)), os.Remove(path))
	}
	return syncFile(path)
}

// Ping reports whether the database answers: a read, and an empty turn of the
// one writer, so that a stuck disk is noticed.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.read.PingContext(ctx); err != nil {
		return fmt.Errorf("reading database %q: %w", s.path, explain(err))
	}
	_, err := change(ctx, s, func(*tx) (none, error) { return none{}, nil })
	return err
}

// Trouble returns why the disk did not take the last change, nil when it did.
// A full disk is a *fleet.Error of code Full.
func (s *Store) Trouble() error {
	if err := s.w.trouble.Load(); err != nil {
		return *err
	}
	return nil
}

// Check verifies the whole database: pages, indexes, references and that the
// daily sums equal the rows. It reads everything.
func (s *Store) Check(ctx context.Context) error {
	rows, err := s.read.QueryContext(ctx, "PRAGMA integrity_check(5)")
	if err != nil {
		return fmt.Errorf("checking database %q: %w", s.path, explain(err))
	}
	found, err := collect(rows, func(sc scanner) (string, error) {
		var line string
		err := sc.Scan(&line)
		return line, err
	})
	if err != nil {
		return fmt.Errorf("checking database %q: %w", s.path, explain(err))
	}
	if len(found) != 1 || found[0] != "ok" {
		return fmt.Errorf("checking database %q: %q", s.path, found)
	}
	var dangling int
	if err := s.read.QueryRowContext(ctx, "SELECT count(*) FROM pragma_foreign_key_check").Scan(&dangling); err != nil {
		return fmt.Errorf("checking references of %q: %w", s.path, explain(err))
	}
	if dangling > 0 {
		return fmt.Errorf("checking references of %q: %d rows refer to nothing", s.path, dangling)
	}
	return s.checkRollup(ctx)
}
