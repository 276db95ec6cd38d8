package output

import (
	"context"
	"sync"
	"time"

	"gatecast/audio"
)

// patience is how long a device may consume nothing in the middle of a play
// before it counts as stalled.
const patience = 2 * time.Second

// waitUntil returns nil at the instant at, at once when it has passed, or the
// context's cause when ctx ends first. It is as exact as the runtime's timers,
// about a millisecond.
func waitUntil(ctx context.Context, at time.Time) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	d := time.Until(at)
	if d <= 0 {
		return nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// framesIn returns the whole frames that sound in d at rate Hz; 0 for d ≤ 0.
func framesIn(d time.Duration, rate int) audio.Frames {
	if d <= 0 {
		return 0
	}
	return audio.Frames(int64(d/time.Second)*int64(rate) + int64(d%time.Second)*int64(rate)/int64(time.Second))
}

// lifetime ends every bound context when the sink is closed. The zero value is
// alive. It is safe for concurrent use.
type lifetime struct {
	mu    sync.Mutex
	done  bool
	bound map[int]context.CancelCauseFunc
	next  int
}

// bind returns ctx, cancelled with ErrClosed when the lifetime ends. The
// returned function must be called.
func (l *lifetime) bind(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.done {
		cancel(ErrClosed)
		return ctx, func() {}
	}
	if l.bound == nil {
		l.bound = make(map[int]context.CancelCauseFunc)
	}
	id := l.next
	l.next++
	l.bound[id] = cancel
	return ctx, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.bound, id)
		cancel(context.Canceled)
	}
}

func (l *lifetime) ended() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.done
}

func (l *lifetime) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.done = true
	for _, cancel := range l.bound {
		cancel(ErrClosed)
	}
}
