package walltime

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// kernel is the real machine.
type kernel struct{ bootID string }

var _ KernelClock = kernel{}

func newKernel() (kernel, error) {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return kernel{}, fmt.Errorf("reading boot id: %w", err)
	}
	return kernel{strings.TrimSpace(string(id))}, nil
}

func (k kernel) BootID() string { return k.bootID }

// SinceBoot reads CLOCK_BOOTTIME, and CLOCK_MONOTONIC on a kernel without it.
func (k kernel) SinceBoot() time.Duration {
	var ts unix.Timespec
	if unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts) != nil {
		_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts) // exists on every Linux
	}
	return time.Duration(ts.Nano())
}

func (k kernel) Wall() time.Time { return time.Now().Round(0) }

// Synchronised asks adjtimex without changing anything.
func (k kernel) Synchronised() (bool, time.Duration) {
	var t unix.Timex
	state, err := unix.Adjtimex(&t)
	if err != nil {
		return false, 0
	}
	return judge(state, t)
}

// serviceErr is the least that a time service is believed to within.
// systemd-timesyncd tells the kernel an error of 0 whenever it has set the
// clock, though the way of its packet alone takes some milliseconds.
const serviceErr = 50 * time.Millisecond

// judge reads what adjtimex(2) returned. The kernel sets STA_UNSYNC when
// nobody has set its clock, when somebody set it by hand, and when the bound
// of its error has grown beyond 16 s, which takes 9 hours without a time
// service; TIME_ERROR says the same. The phase that is still to be slewed away
// comes on top of that bound: timesyncd slews up to 0.4 s.
func judge(state int, t unix.Timex) (ok bool, maxErr time.Duration) {
	if state == unix.TIME_ERROR || t.Status&unix.STA_UNSYNC != 0 {
		return false, 0
	}
	unit := time.Microsecond
	if t.Status&unix.STA_NANO != 0 {
		unit = time.Nanosecond
	}
	left := time.Duration(t.Offset) * unit
	return true, max(serviceErr, time.Duration(t.Maxerror)*time.Microsecond+left.Abs())
}

// Battery reports whether the kernel set its clock from a real-time clock at
// boot (hctosys). A board without one shows none here.
func (k kernel) Battery() bool {
	flags, err := filepath.Glob("/sys/class/rtc/rtc*/hctosys")
	if err != nil {
		return false
	}
	for _, name := range flags {
		if v, err := os.ReadFile(name); err == nil && strings.TrimSpace(string(v)) == "1" {
			return true
		}
	}
	return false
}
