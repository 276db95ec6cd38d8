package backup

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"gatecast/controller/fleet"
	"gatecast/controller/store"
	"gatecast/controller/vault"
	"gatecast/internal/durable"
	"gatecast/internal/wire"
)

// Restored says what Restore did.
type Restored struct {
	Summary
	Aside   string // folder with what was replaced; empty if there was nothing
	Devices int    // that are awaited now
	NewKeys bool   // the trust folder was replaced, too
}

// Restore puts the backup file in place of what is in the data folder dir. The
// whole file is checked against its checksums, and the database in it page by
// page, before anything is changed. What is replaced is kept in a folder
// beside; the trust folder is replaced only where it is missing or of another
// office, and clips are only added. The database then says that it was
// restored: see store.MarkRestored. A backup that is damaged, not one, or put
// upon a running controller yields a *fleet.Error.
func Restore(ctx context.Context, file, dir, by string, now time.Time) (Restored, error) {
	return RestoreSealed(ctx, file, dir, by, "", now)
}

// RestoreSealed is Restore for a backup under a passphrase; a plain one may
// come with any. Without one a sealed backup yields ErrPassphrase.
func RestoreSealed(ctx context.Context, file, dir, by, passphrase string, now time.Time) (r Restored, err error) {
	if err := durable.MkdirAll(dir, 0o700); err != nil {
		return r, err
	}
	lock, err := store.Lock(filepath.Join(dir, dbName))
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	stamp := now.UTC().Format("20060102T150405.000000")
	staged := filepath.Join(dir, "restoring-"+stamp)
	if err := durable.MkdirAll(staged, 0o700); err != nil {
		return r, err
	}
	defer os.RemoveAll(staged) //nolint:errcheck // a folder left over is only ugly
	h, err := unpack(ctx, file, passphrase, staged, everything)
	if errors.Is(err, ErrPassphrase) {
		return r, err
	}
	if err != nil {
		return r, damaged(file, err)
	}
	r.Summary = Summary{Path: file, Made: wire.FromUS(h.MadeUS), Files: len(h.Files)}
	for _, e := range h.Files {
		r.Bytes += e.Size
	}
	s := swap{dir: dir, staged: staged, aside: filepath.Join(dir, "replaced-"+stamp)}
	if err := s.decide(); err != nil {
		return r, fmt.Errorf("putting backup %q in place: %w", file, err)
	}
	if r.Devices, err = prepare(ctx, filepath.Join(staged, dbName), s.keyFile(), fleet.Restore{At: now, Backup: r.Made, File: filepath.Base(file), By: by}); err != nil {
		return r, err
	}
	if err := s.run(); err != nil {
		return r, fmt.Errorf("putting backup %q in place: %w", file, err)
	}
	if r.NewKeys = s.newKeys; s.moved {
		r.Aside = s.aside
	}
	return r, nil
}

// damaged gives the reader of a bad file a sentence.
func damaged(file string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return &fleet.Error{
			Code:   fleet.NotFound,
			Text:   fmt.Sprintf("找不到备份文件 %s，请核对路径。", file),
			TextEN: fmt.Sprintf("There is no backup file %s. Check the path.", file),
			Err:    err,
		}
	}
	return &fleet.Error{
		Code:   fleet.Invalid,
		Text:   fmt.Sprintf("%s 不是完好的 Gatecast 备份，未作任何改动：%v。请换一份备份再试。", file, err),
		TextEN: fmt.Sprintf("%s is not a sound Gatecast backup and nothing was changed: %v. Try another backup.", file, err),
		Err:    err,
	}
}

func everything(string) bool { return true }

// unpack checks all of what file holds and writes what keep names to a folder.
func unpack(ctx context.Context, file, passphrase, to string, keep func(name string) bool) (header, error) {
	f, err := os.Open(file)
	if err != nil {
		return header{}, err
	}
	defer f.Close()
	archive, err := open(f, passphrase)
	if err != nil {
		return header{}, err
	}
	r := tar.NewReader(archive)
	first, err := r.Next()
	if errors.Is(err, errSeal) {
		return header{}, err
	}
	if err != nil || first.Name != headerName || first.Size > maxHeader {
		return header{}, errors.New("it does not begin like one")
	}
	text, err := io.ReadAll(r)
	if err != nil {
		return header{}, fmt.Errorf("reading its contents: %w", err)
	}
	h, err := parseHeader(text)
	if err != nil {
		return header{}, err
	}
	for _, e := range h.Files {
		if err := ctx.Err(); err != nil {
			return h, err
		}
		t, err := r.Next()
		if errors.Is(err, errSeal) {
			return h, err
		}
		if err != nil || t.Name != e.Name || t.Size != e.Size || t.Typeflag != tar.TypeReg {
			return h, fmt.Errorf("%q is missing", e.Name)
		}
		if !keep(e.Name) {
			if err := skim(r, e, io.Discard); err != nil {
				return h, err
			}
		} else if err := extract(r, e, filepath.Join(to, filepath.FromSlash(e.Name))); err != nil {
			return h, err
		}
	}
	if _, err := r.Next(); err != io.EOF {
		return h, errors.New("there is more in it than it says")
	}
	if _, err := io.Copy(io.Discard, archive); err != nil { // the last chunk says that it is the last
		return h, err
	}
	return h, nil
}

func extract(r io.Reader, e entry, path string) (err error) {
	if err := durable.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := skim(r, e, f); err != nil {
		return err
	}
	return f.Sync()
}

// skim reads one entry into w and compares it with its checksum.
func skim(r io.Reader, e entry, w io.Writer) error {
	sum := sha256.New()
	if _, err := io.Copy(io.MultiWriter(w, sum), r); err != nil {
		return fmt.Errorf("reading %q: %w", e.Name, err)
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != e.SHA256 {
		return fmt.Errorf("the checksum of %q does not hold", e.Name)
	}
	return nil
}

// Check opens a backup as Restore would and changes nothing: every checksum,
// every page of the database, and whether this program can read it. work is a
// folder for the copy of the database, empty for that of the system. A backup
// that is damaged, or sealed under another passphrase, yields a *fleet.Error;
// one without its passphrase ErrPassphrase.
func Check(ctx context.Context, file, passphrase, work string) (s Summary, err error) {
	dir, err := os.MkdirTemp(work, ".gatecast-check-")
	if err != nil {
		return s, fmt.Errorf("checking backup %q: %w", file, err)
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a folder left over is only ugly
	h, err := unpack(ctx, file, passphrase, dir, func(name string) bool { return !strings.HasPrefix(name, "media/") })
	if errors.Is(err, ErrPassphrase) {
		return s, err
	}
	if err != nil {
		return s, damaged(file, err)
	}
	s = Summary{Path: file, Made: wire.FromUS(h.MadeUS), Files: len(h.Files)}
	for _, e := range h.Files {
		s.Bytes += e.Size
	}
	db, err := store.Open(ctx, filepath.Join(dir, dbName), store.Options{Logger: slog.New(slog.DiscardHandler), KeyFile: filepath.Join(dir, "trust", vault.KeyFile)})
	if err != nil {
		return s, damaged(file, err)
	}
	err = db.Check(ctx)
	if err == nil {
		_, err = db.Devices(ctx)
	}
	if err = errors.Join(err, db.Close()); err != nil {
		return s, damaged(file, err)
	}
	return s, nil
}

// prepare checks the database, brings it to this program's form and marks it
// as restored; on return it is one file. It returns how many devices are
// awaited.
func prepare(ctx context.Context, db, keyFile string, r fleet.Restore) (int, error) {
	s, err := store.Open(ctx, db, store.Options{Logger: slog.New(slog.DiscardHandler), KeyFile: keyFile})
	if err != nil {
		return 0, err
	}
	awaited := 0
	err = s.Check(ctx)
	if err != nil {
		err = damaged(r.File, err)
	} else if err = s.MarkRestored(ctx, r); err == nil {
		var all []fleet.Device
		all, err = s.Devices(ctx)
		for _, d := range all {
			if d.Awaiting != fleet.AwaitNothing {
				awaited++
			}
		}
	}
	return awaited, errors.Join(err, s.Close())
}

// swap puts what was unpacked in place.
type swap struct {
	dir, staged, aside string
	moved, newKeys     bool
}

// run orders its steps so that a crash between any two leaves either the old
// database or the new one under its name, and never the log of one beside the
// other.
func (s *swap) run() error {
	if err := s.keys(); err != nil {
		return err
	}
	if err := s.clips(); err != nil {
		return err
	}
	db := filepath.Join(s.dir, dbName)
	if _, err := os.Lstat(db); err == nil {
		if err := s.makeAside(); err != nil {
			return err
		}
		if err := os.Link(db, filepath.Join(s.aside, dbName)); err != nil {
			if err := copyFile(db, filepath.Join(s.aside, dbName)); err != nil {
				return err
			}
		}
		for _, suffix := range []string{"-wal", "-shm"} {
			err := os.Rename(db+suffix, filepath.Join(s.aside, dbName+suffix))
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
		if err := errors.Join(durable.SyncDir(s.aside), durable.SyncDir(s.dir)); err != nil {
			return err
		}
	}
	return durable.Rename(filepath.Join(s.staged, dbName), db)
}

func (s *swap) makeAside() error {
	s.moved = true
	return durable.MkdirAll(s.aside, 0o700)
}

// decide finds out whether the trust folder is to be replaced: unless the one
// there is of the same office, with the same keys or with ones that they were
// rotated to since the backup.
func (s *swap) decide() error {
	root, err := os.ReadFile(filepath.Join(s.staged, "trust", "root.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil // made before the first start
	}
	if err != nil {
		return err
	}
	have, err := os.ReadFile(filepath.Join(s.dir, "trust", "root.json"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	s.newKeys = err != nil || !bytes.Equal(have, root) && !followed(filepath.Join(s.dir, "trust"), root)
	// A key of sealed fields that somebody put there for this backup.
	key := filepath.Join(s.dir, "trust", vault.KeyFile)
	_, sealed := os.Lstat(filepath.Join(s.staged, "trust", vault.KeyFile)) // the backup brings its own
	if _, there := os.Lstat(key); s.newKeys && err != nil && there == nil && sealed != nil {
		return copyFile(key, filepath.Join(s.staged, "trust", vault.KeyFile))
	}
	return nil
}

// keyFile is the key that the database will be opened with once it is in place.
func (s *swap) keyFile() string {
	if s.newKeys {
		return filepath.Join(s.staged, "trust", vault.KeyFile)
	}
	return filepath.Join(s.dir, "trust", vault.KeyFile)
}

// keys replaces the trust folder where that was decided.
func (s *swap) keys() error {
	if !s.newKeys {
		return nil
	}
	old, fresh := filepath.Join(s.dir, "trust"), filepath.Join(s.staged, "trust")
	if _, err := os.Lstat(old); err == nil {
		if err := s.makeAside(); err != nil {
			return err
		}
		if err := os.Rename(old, filepath.Join(s.aside, "trust")); err != nil {
			return err
		}
	}
	if err := os.Rename(fresh, old); err != nil {
		return err
	}
	return durable.SyncDir(s.dir)
}

// followed reports whether dir keeps root as one that was in force before.
func followed(dir string, root []byte) bool {
	names, err := filepath.Glob(filepath.Join(dir, "root-*.json"))
	if err != nil {
		return false
	}
	for _, name := range names {
		if was, err := os.ReadFile(name); err == nil && bytes.Equal(was, root) {
			return true
		}
	}
	return false
}

// clips adds the ones that are not there; a clip is named by its content.
func (s *swap) clips() error {
	from := filepath.Join(s.staged, "media")
	err := filepath.WalkDir(from, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		to := filepath.Join(s.dir, strings.TrimPrefix(p, s.staged))
		if _, err := os.Lstat(to); err == nil {
			return nil
		}
		if err := durable.MkdirAll(filepath.Dir(to), 0o700); err != nil {
			return err
		}
		return durable.Rename(p, to)
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func copyFile(from, to string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	if _, err := io.Copy(out, in); err != nil {
		return err
	}
	return out.Sync()
}
