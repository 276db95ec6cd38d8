package durable

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// tempMark is part of the name of every temporary file, so that Clean finds
// what a crash left behind.
const tempMark = ".durable-tmp-"

// maxTemps bounds the temporary files of one path: that many writers at once,
// or crashes without a Clean, there never are.
const maxTemps = 1000

// Volume is an FS with this package's way to write to it.
type Volume struct{ FS }

// On returns the volume of f; nil means the real disk.
func On(f FS) Volume {
	if f == nil {
		f = Disk
	}
	return Volume{f}
}

// ReadFile returns the whole content of path.
func (v Volume) ReadFile(path string) ([]byte, error) {
	f, err := v.OpenFile(path, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(f)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return data, f.Close()
}

// WriteFile replaces path by data. When it returns nil the new content
// survives loss of power; on an error the old content is still there, or, if
// only the directory could not be synced, either.
func (v Volume) WriteFile(path string, data []byte, perm fs.FileMode) (err error) {
	f, tmp, err := v.createTemp(path, perm)
	if err != nil {
		return fmt.Errorf("creating temporary file for %q: %w", path, err)
	}
	defer func() {
		if err != nil {
			_ = f.Close()
			_ = v.Remove(tmp)
		}
	}()
	if _, err = f.Write(data); err != nil {
		return fmt.Errorf("writing %q: %w", path, err)
	}
	if err = f.Sync(); err != nil {
		return fmt.Errorf("syncing %q: %w", path, err)
	}
	if err = f.Close(); err != nil {
		return fmt.Errorf("closing %q: %w", path, err)
	}
	return v.Replace(tmp, path)
}

// Draft is a file that has no name yet.
type Draft struct {
	File
	v         Volume
	tmp, path string
}

// Draft creates a file that Publish will give the name path.
func (v Volume) Draft(path string, perm fs.FileMode) (*Draft, error) {
	f, tmp, err := v.createTemp(path, perm)
	if err != nil {
		return nil, fmt.Errorf("creating temporary file for %q: %w", path, err)
	}
	return &Draft{File: f, v: v, tmp: tmp, path: path}, nil
}

// Publish makes what was written, and the name, survive loss of power. The
// file stays open. On an error it has the name or not.
func (d *Draft) Publish() error {
	if err := d.Sync(); err != nil {
		return fmt.Errorf("syncing %q: %w", d.path, err)
	}
	return d.v.Replace(d.tmp, d.path)
}

// Discard closes the file and removes it if Publish did not name it.
func (d *Draft) Discard() error {
	err := d.Close()
	if rerr := d.v.Remove(d.tmp); !errors.Is(rerr, fs.ErrNotExist) {
		err = errors.Join(err, rerr)
	}
	return err
}

// createTemp creates a file beside path under the first free temporary name.
func (v Volume) createTemp(path string, perm fs.FileMode) (f File, tmp string, err error) {
	dir, base := filepath.Split(path)
	for n := range maxTemps {
		tmp = filepath.Join(dir, "."+base+tempMark+strconv.Itoa(n))
		f, err = v.OpenFile(tmp, os.O_RDWR|os.O_CREATE|os.O_EXCL, perm)
		if !errors.Is(err, fs.ErrExist) {
			break
		}
	}
	return f, tmp, err
}

// Replace moves tmp, whose content the caller has already synced, to path and
// syncs path's directory. When it returns nil the name survives loss of power.
func (v Volume) Replace(tmp, path string) error {
	if err := v.Rename(tmp, path); err != nil {
		return fmt.Errorf("renaming to %q: %w", path, err)
	}
	return v.SyncDir(filepath.Dir(path))
}

// MkdirAll creates dir and its missing parents and syncs each parent that got
// a new entry, so that the tree survives loss of power.
func (v Volume) MkdirAll(dir string, perm fs.FileMode) error {
	if fi, err := v.Stat(dir); err == nil {
		if !fi.Dir {
			return fmt.Errorf("creating directory %q: a file is in the way", dir)
		}
		return nil
	}
	parent := filepath.Dir(dir)
	if parent != dir {
		if err := v.MkdirAll(parent, perm); err != nil {
			return err
		}
	}
	if err := v.Mkdir(dir, perm); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("creating directory %q: %w", dir, err)
	}
	return v.SyncDir(parent)
}

// Clean removes temporary files that a crash left in dir and returns how many.
// Call it before anything else writes there.
func (v Volume) Clean(dir string) (int, error) {
	names, err := v.ReadDir(dir)
	if err != nil {
		return 0, fmt.Errorf("listing %q: %w", dir, err)
	}
	n := 0
	for _, name := range names {
		if strings.HasPrefix(name, ".") && strings.Contains(name, tempMark) {
			if err := v.Remove(filepath.Join(dir, name)); err != nil {
				return n, fmt.Errorf("removing leftover: %w", err)
			}
			n++
		}
	}
	return n, nil
}
