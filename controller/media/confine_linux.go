package media

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// confine bounds what the process pid may take: processor time, memory, and
// not a byte of disk. One that has ended already is no error.
func confine(pid int, b bounds) error {
	for _, l := range []struct {
		resource int
		most     uint64
	}{
		{unix.RLIMIT_CPU, b.cpu}, {unix.RLIMIT_AS, b.memory}, {unix.RLIMIT_FSIZE, 0}, {unix.RLIMIT_CORE, 0}, {unix.RLIMIT_NOFILE, 64},
	} {
		err := unix.Prlimit(pid, l.resource, &unix.Rlimit{Cur: l.most, Max: l.most}, nil)
		if err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("bounding conversion: %w", err)
		}
	}
	return nil
}

// freeBytes returns what is left on the disk of dir for others than root.
func freeBytes(dir string) (free int64, known bool) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return 0, false
	}
	return int64(s.Bavail) * int64(s.Bsize), true // 32 bits on ARMv6
}
