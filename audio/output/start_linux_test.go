package output

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"
)

// TestStartAtKeepsTheInstant measures real time: never early, and on most of
// the starts not late either. The bound is far above what an idle machine
// needs (0.1 ms), so that a busy one passes.
func TestStartAtKeepsTheInstant(t *testing.T) {
	var late []time.Duration
	for range 11 {
		at := time.Now().Add(90 * time.Millisecond)
		var started time.Time
		if err := startAt(t.Context(), at, func() error { started = time.Now(); return nil }); err != nil {
			t.Fatal(err)
		}
		late = append(late, started.Sub(at))
	}
	slices.Sort(late)
	if late[0] < -20*time.Microsecond {
		t.Errorf("started %v early", -late[0])
	}
	if late[5] > 10*time.Millisecond {
		t.Errorf("started late: %v", late)
	}
	t.Logf("late by %v", late)
}

func TestStartAtReturnsTheError(t *testing.T) {
	cause := errors.New("card is gone")
	if err := startAt(t.Context(), time.Now(), func() error { return cause }); !errors.Is(err, cause) {
		t.Errorf("startAt = %v, want %v", err, cause)
	}
}

func TestStartAtCancelledDoesNotStart(t *testing.T) {
	for name, ahead := range map[string]time.Duration{"long_before": time.Hour, "just_before": 55 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			defer cancel()
			started := false
			err := startAt(ctx, time.Now().Add(ahead), func() error { started = true; return nil })
			if !errors.Is(err, context.DeadlineExceeded) || started {
				t.Errorf("startAt = %v, started %v; want the deadline", err, started)
			}
		})
	}
}

func TestKernelClockConvertsBothWays(t *testing.T) {
	at := time.Now().Add(time.Minute)
	if off := instant(kernelTime(at)).Sub(at).Abs(); off > 5*time.Millisecond {
		t.Errorf("there and back is %v off", off)
	}
}
