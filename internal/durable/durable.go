// Package durable writes files so that a power cut leaves either the old
// content or the new, never a mixture and never nothing.
//
// Every durable write of agent and controller outside their databases goes
// through it: temporary file in the same directory, write, fsync, close,
// rename, fsync of the directory. Errors of fsync are returned and never
// retried: after one the page cache can no longer be trusted.
package durable

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// tempMark is part of the name of every temporary file, so that Clean finds
// what a crash left behind.
const tempMark = ".durable-tmp-"

// WriteFile replaces path by data. When it returns nil the new content
// survives loss of power; on an error the old content is still there.
func WriteFile(path string, data []byte, perm fs.FileMode) (err error) {
	dir, base := filepath.Split(path)
	f, err := os.CreateTemp(filepath.Clean(dir), "."+base+tempMark)
	if err != nil {
		return fmt.Errorf("creating temporary file for %q: %w", path, err)
	}
	defer func() {
		if err != nil {
			_ = f.Close()
			_ = os.Remove(f.Name())
		}
	}()
	if err = f.Chmod(perm); err != nil {
		return fmt.Errorf("setting mode of %q: %w", path, err)
	}
	if _, err = f.Write(data); err != nil {
		return fmt.Errorf("writing %q: %w", path, err)
	}
	if err = f.Sync(); err != nil {
		return fmt.Errorf("syncing %q: %w", path, err)
	}
	if err = f.Close(); err != nil {
		return fmt.Errorf("closing %q: %w", path, err)
	}
	return Rename(f.Name(), path)
}

// Rename moves tmp, whose content the caller has already synced, to path and
// syncs path's directory. When it returns nil the name survives loss of power.
func Rename(tmp, path string) error {
	if err := os.Rename(tmp, path); err != nil {
		return fmt.Errorf("renaming to %q: %w", path, err)
	}
	return SyncDir(filepath.Dir(path))
}

// SyncDir makes creations, renames and removals in dir survive loss of power.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("opening directory %q: %w", dir, err)
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		return fmt.Errorf("syncing directory %q: %w", dir, err)
	}
	return nil
}

// MkdirAll creates dir and its missing parents and syncs each parent that got
// a new entry, so that the tree survives loss of power.
func MkdirAll(dir string, perm fs.FileMode) error {
	if fi, err := os.Stat(dir); err == nil {
		if !fi.IsDir() {
			return fmt.Errorf("creating directory %q: a file is in the way", dir)
		}
		return nil
	}
	parent := filepath.Dir(dir)
	if parent != dir {
		if err := MkdirAll(parent, perm); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, perm); err != nil && !os.IsExist(err) {
		return fmt.Errorf("creating directory %q: %w", dir, err)
	}
	return SyncDir(parent)
}

// Clean removes temporary files that a crash left in dir and returns how many.
// Call it before anything else writes there.
func Clean(dir string) (int, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return 0, fmt.Errorf("listing %q: %w", dir, err)
	}
	n := 0
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") && strings.Contains(e.Name(), tempMark) {
			if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
				return n, fmt.Errorf("removing leftover: %w", err)
			}
			n++
		}
	}
	return n, nil
}
