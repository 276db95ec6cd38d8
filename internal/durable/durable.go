// Package durable writes files so that a power cut leaves either the old
// content or the new, never a mixture and never nothing.
//
// Every durable write of agent and controller outside their databases goes
// through it: temporary file in the same directory, write, fsync, close,
// rename, fsync of the directory. Errors of fsync are returned and never
// retried: after one the page cache can no longer be trusted.
//
// FS is the file system as such a program sees it. Disk is the real one;
// another one, with faults and power cuts, is in internal/simulate/disk. The
// agent's packages take an FS, and a Volume made of it writes as above. The
// functions of this package do the same on the real disk.
package durable

import "io/fs"

// WriteFile is Volume.WriteFile on the real disk.
func WriteFile(path string, data []byte, perm fs.FileMode) error {
	return On(Disk).WriteFile(path, data, perm)
}

// Rename is Volume.Replace on the real disk.
func Rename(tmp, path string) error { return On(Disk).Replace(tmp, path) }

// SyncDir makes creations, renames and removals in dir survive loss of power.
func SyncDir(dir string) error { return Disk.SyncDir(dir) }

// MkdirAll is Volume.MkdirAll on the real disk.
func MkdirAll(dir string, perm fs.FileMode) error { return On(Disk).MkdirAll(dir, perm) }

// Clean is Volume.Clean on the real disk.
func Clean(dir string) (int, error) { return On(Disk).Clean(dir) }
