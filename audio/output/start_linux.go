package output

import (
	"context"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// The last stretch before a start. The goroutine that starts gets its own
// thread startLead ahead; it keeps its processor from holdLead on, longer than
// the 10 ms that Go's scheduler lets another goroutine run before giving it
// back, so that nothing stands between the kernel's wake-up and the start.
const (
	startLead = 60 * time.Millisecond
	holdLead  = 14 * time.Millisecond
)

// fifoPriority is the thread's SCHED_FIFO priority where the system permits
// one: above ordinary work, below the kernel's own threads (50).
const fifoPriority = 20

// startAt calls start at the instant at, within some 0.1 ms on an idle machine,
// and returns its error; or the context's cause when ctx ends first, with start
// not called. It sleeps on the kernel's absolute clock and never spins.
func startAt(ctx context.Context, at time.Time, start func() error) error {
	if err := waitUntil(ctx, at.Add(-startLead)); err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() {
		// Never unlocked: the thread ends with this goroutine, and the raised
		// priority and the timer slack with it.
		runtime.LockOSThread()
		hurry()
		deadline := kernelTime(at)
		sleepUntil(deadline-holdLead, false)
		if err := context.Cause(ctx); err != nil {
			done <- err
			return
		}
		sleepUntil(deadline, true)
		done <- start()
	}()
	return <-done
}

// hurry raises the calling thread as far as it may. What the system refuses is
// done without.
func hurry() {
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0)
	err := unix.SchedSetAttr(0, &unix.SchedAttr{
		Size: unix.SizeofSchedAttr, Policy: unix.SCHED_FIFO, Priority: fifoPriority,
	}, 0)
	if err != nil {
		_ = unix.Setpriority(unix.PRIO_PROCESS, 0, -15)
	}
}
