package durable

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// Disk is the real file system.
var Disk FS = disk{}

type disk struct{}

// OpenFile implements FS.
func (disk) OpenFile(path string, flag int, perm fs.FileMode) (File, error) {
	f, err := os.OpenFile(path, flag, perm)
	if err != nil {
		return nil, err
	}
	if flag&(os.O_CREATE|os.O_EXCL) == os.O_CREATE|os.O_EXCL {
		if err := f.Chmod(perm); err != nil {
			return nil, errors.Join(err, f.Close(), os.Remove(path))
		}
	}
	return diskFile{f}, nil
}

// ReadDir implements FS.
func (disk) ReadDir(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names, nil
}

// Stat implements FS.
func (disk) Stat(path string) (Info, error) {
	fi, err := os.Stat(path)
	if err != nil {
		return Info{}, err
	}
	return Info{Size: fi.Size(), Dir: fi.IsDir()}, nil
}

// Mkdir implements FS.
func (disk) Mkdir(dir string, perm fs.FileMode) error { return os.Mkdir(dir, perm) }

// Rename implements FS.
func (disk) Rename(old, new string) error { return os.Rename(old, new) }

// Remove implements FS.
func (disk) Remove(path string) error { return os.Remove(path) }

// SyncDir implements FS.
func (disk) SyncDir(dir string) error {
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

// Lock implements FS by flock(2): the kernel gives it back when the process
// ends, however it ends.
func (disk) Lock(path string) (io.Closer, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	switch {
	case err == nil:
		return diskLock{f}, nil
	case errors.Is(err, unix.EWOULDBLOCK):
		err = ErrLocked
	}
	return nil, errors.Join(fmt.Errorf("locking %q: %w", path, err), f.Close())
}

// diskLock gives the lock up before it closes the file: a program that is
// being started at this moment has a copy of the file until its exec, and the
// lock would last as long as the last copy.
type diskLock struct{ *os.File }

// Close implements io.Closer.
func (l diskLock) Close() error {
	return errors.Join(unix.Flock(int(l.Fd()), unix.LOCK_UN), l.File.Close())
}

type diskFile struct{ *os.File }

// SyncData implements File by fdatasync(2).
func (f diskFile) SyncData() error {
	if err := unix.Fdatasync(int(f.Fd())); err != nil {
		return &os.PathError{Op: "fdatasync", Path: f.Name(), Err: err}
	}
	return nil
}

// Reserve implements File by fallocate(2).
func (f diskFile) Reserve(bytes int64) error {
	err := unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_KEEP_SIZE, 0, bytes)
	if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) {
		return &os.PathError{Op: "fallocate", Path: f.Name(), Err: err}
	}
	return nil
}
