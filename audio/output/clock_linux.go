package output

import (
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// monotonic returns CLOCK_MONOTONIC and the instant it belongs to. Go's
// monotonic readings count on the same clock from another zero.
func monotonic() (kernel time.Duration, now time.Time) {
	var ts unix.Timespec
	now = time.Now()
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		return 0, now // cannot happen: the clock exists on every Linux
	}
	return time.Duration(ts.Nano()), now
}

// kernelTime returns t on CLOCK_MONOTONIC.
func kernelTime(t time.Time) time.Duration {
	kernel, now := monotonic()
	return kernel + t.Sub(now)
}

// instant returns the instant of a CLOCK_MONOTONIC reading, with a monotonic
// reading of its own.
func instant(kernel time.Duration) time.Time {
	k, now := monotonic()
	return now.Add(kernel - k)
}

// sleepUntil sleeps until CLOCK_MONOTONIC reads deadline, through signals. With
// hold the goroutine keeps its processor meanwhile, so that it runs on at the
// very wake-up.
func sleepUntil(deadline time.Duration, hold bool) {
	ts := unix.NsecToTimespec(int64(deadline))
	for {
		var errno unix.Errno
		if hold {
			_, _, errno = unix.RawSyscall6(unix.SYS_CLOCK_NANOSLEEP, unix.CLOCK_MONOTONIC,
				unix.TIMER_ABSTIME, uintptr(unsafe.Pointer(&ts)), 0, 0, 0)
		} else {
			_, _, errno = unix.Syscall6(unix.SYS_CLOCK_NANOSLEEP, unix.CLOCK_MONOTONIC,
				unix.TIMER_ABSTIME, uintptr(unsafe.Pointer(&ts)), 0, 0, 0)
		}
		if errno != unix.EINTR {
			return
		}
	}
}
