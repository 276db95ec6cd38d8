//go:build !linux

package needtool

import "testing"

// SmallDisk is for Linux only; elsewhere it is Missing.
func SmallDisk(t testing.TB, _ string, _ int) {
	t.Helper()
	Missing(t, "Linux, to mount a small file system")
}
