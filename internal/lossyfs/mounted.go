package lossyfs

import (
	"fmt"
	"testing"

	"gatecast/internal/needtool"
)

// Mounted returns a new disk, mounted at a folder of its own until t ends.
// Where that is not possible (no Linux, no /dev/fuse, no right to mount) t is
// skipped, or fails when CI is set.
func Mounted(t testing.TB, o Options) (*Disk, string) {
	t.Helper()
	dir := t.TempDir()
	return MountedAt(t, o, dir), dir
}

// MountedAt is Mounted at the empty folder dir.
func MountedAt(t testing.TB, o Options, dir string) *Disk {
	t.Helper()
	d := New(o)
	if err := d.Mount(dir); err != nil {
		needtool.Missing(t, fmt.Sprintf("FUSE (%v)", err))
	}
	t.Cleanup(func() {
		if err := d.Unmount(); err != nil {
			t.Error(err)
		}
	})
	return d
}
