package durable

import (
	"errors"
	"io"
	"io/fs"
)

// ErrLocked is returned by FS.Lock for a file that somebody else holds.
var ErrLocked = errors.New("locked by another process")

// FS is a file system. What survives loss of power:
//
//   - The bytes and the size of a file: what was there when File.Sync or
//     File.SyncData last returned nil. Of what was written since, any part may
//     be there, in pieces of 512 bytes; a piece that is missing keeps its old
//     content, or reads as zeros where the file had not reached.
//   - The names in a directory: what was there when SyncDir last returned nil.
//     Of the creations, renames and removals since, the first few may have
//     happened. Syncing a file does not sync its name.
//   - Nothing else: a rename orders nothing, unless the renamed file was
//     synced before and the directory is afterwards.
//
// After a sync that returned an error nothing is known of what was written
// since the one before; a second sync that returns nil does not change that.
//
// Errors are those of package os: fs.ErrNotExist, fs.ErrExist, syscall.ENOSPC
// and so on, by errors.Is. An FS is safe for concurrent use. Its methods are
// more than five because it stands for the system calls; packages that write
// whole files need a Volume and no more.
type FS interface {
	// OpenFile opens a file with the flags of package os. One that is created
	// with os.O_EXCL has exactly the mode perm, whatever the umask.
	OpenFile(path string, flag int, perm fs.FileMode) (File, error)
	// ReadDir returns the names in dir, sorted.
	ReadDir(dir string) ([]string, error)
	Stat(path string) (Info, error)
	// Mkdir creates one directory. Its name survives after SyncDir of its parent.
	Mkdir(dir string, perm fs.FileMode) error
	// Rename replaces the new path by the old one, at once for everybody who looks.
	Rename(old, new string) error
	// Remove removes a file or an empty directory.
	Remove(path string) error
	// SyncDir makes creations, renames and removals in dir survive loss of power.
	SyncDir(dir string) error
	// Lock creates path if need be and holds it until the Closer is closed or
	// the process ends. While another holder lives it returns ErrLocked.
	Lock(path string) (io.Closer, error)
}

// File is an open file; *os.File with three methods more is one.
type File interface {
	io.Reader
	io.ReaderAt
	io.Writer
	io.WriterAt
	io.Closer
	Truncate(size int64) error
	// Sync makes content, size and times of the file survive loss of power.
	Sync() error
	// SyncData is Sync without the times, which saves a write on each call.
	SyncData() error
	// Reserve sets space aside for the first bytes of the file without changing
	// its size. Only a full disk is an error: a file system that cannot reserve
	// is no fault.
	Reserve(bytes int64) error
}

// Info is what Stat tells.
type Info struct {
	Size int64 // bytes
	Dir  bool
}
