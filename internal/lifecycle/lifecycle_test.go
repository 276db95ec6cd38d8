package lifecycle

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func TestStopRunsBackwardsOnce(t *testing.T) {
	var s Stack
	var order []string
	for _, name := range []string{"store", "broker", "link"} {
		s.OnStop(name, func(context.Context) error {
			order = append(order, name)
			if name == "broker" {
				return errors.New("stuck")
			}
			return nil
		})
	}
	for range 2 {
		err := s.Stop(t.Context())
		if err == nil || err.Error() != "stopping broker: stuck" {
			t.Errorf("Stop = %v", err)
		}
	}
	if want := []string{"link", "broker", "store"}; !slices.Equal(order, want) {
		t.Errorf("order = %v, want %v", order, want)
	}
}

func TestGoIsCancelledAndWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s Stack
		ended := false
		s.Go("loop", func(ctx context.Context) error {
			<-ctx.Done()
			time.Sleep(time.Second)
			ended = true
			return ctx.Err()
		}, func(string, error) { t.Error("a cancelled loop counts as failed") })
		if err := s.Stop(t.Context()); err != nil || !ended {
			t.Errorf("Stop = %v, ended %v", err, ended)
		}
	})
}

func TestGoReportsFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s Stack
		failed := make(chan string, 1)
		s.Go("loop", func(context.Context) error { return errors.New("disk gone") },
			func(name string, err error) { failed <- name + ": " + err.Error() })
		if got := <-failed; got != "loop: disk gone" {
			t.Errorf("failed(%q)", got)
		}
		if err := s.Stop(t.Context()); err == nil {
			t.Error("Stop hides the failure")
		}
	})
}

func TestStopAbandonsAtDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s Stack
		release := make(chan struct{})
		s.Go("stuck", func(context.Context) error { <-release; return nil }, nil)
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		start := time.Now()
		if err := s.Stop(ctx); err == nil || time.Since(start) != 3*time.Second {
			t.Errorf("Stop = %v after %s", err, time.Since(start))
		}
		close(release)
	})
}
