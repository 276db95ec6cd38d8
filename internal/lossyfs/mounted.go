package lossyfs

import (
	"fmt"
	"os"
	"strconv"
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

// Cuts returns how often a test should cut the power: n, or what the variable
// GATECAST_DISK_CUTS says.
func Cuts(t testing.TB, n int) int {
	t.Helper()
	text := os.Getenv("GATECAST_DISK_CUTS")
	if text == "" {
		return n
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("GATECAST_DISK_CUTS is %q; it must be a number of cuts", text)
	}
	return n
}
