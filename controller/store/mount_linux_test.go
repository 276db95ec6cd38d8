package store

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// mountSmall mounts a file system of so many bytes on dir.
func mountSmall(dir string, size int) (unmount func(), err error) {
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", size)); err != nil {
		return nil, err
	}
	return func() { _ = unix.Unmount(dir, unix.MNT_DETACH) }, nil
}
