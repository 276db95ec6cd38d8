// Package lifecycle stops what was started, in reverse order, by name, within
// one deadline. Agent and controller wire their parts with it.
package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// Stack is the teardown of a process. The zero value is ready to use; safe for
// concurrent use.
type Stack struct {
	mu    sync.Mutex
	steps []step
	once  sync.Once
	err   error
}

type step struct {
	name string
	fn   func(ctx context.Context) error
}

// OnStop registers a step right after the thing it stops exists. Steps run in
// reverse order of registration. fn should end when ctx does.
func (s *Stack) OnStop(name string, fn func(ctx context.Context) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.steps = append(s.steps, step{name, fn})
}

// Go runs fn in a goroutine that the stack owns: on stop its context is
// cancelled and it is waited for. An error that fn returns before that goes to
// failed, if that is not nil.
func (s *Stack) Go(name string, fn func(ctx context.Context) error, failed func(name string, err error)) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	s.OnStop(name, func(stop context.Context) error {
		cancel()
		select {
		case err := <-done:
			return err
		case <-stop.Done():
			return errors.New("still running at the deadline, abandoned")
		}
	})
	go func() {
		err := fn(ctx)
		if ctx.Err() != nil {
			err = nil // it was asked to stop
		}
		if err != nil && failed != nil {
			failed(name, err)
		}
		done <- err
	}()
}

// Stop runs every step once, whatever fails, and joins the errors with the
// names of their steps. Further calls return the same result.
func (s *Stack) Stop(ctx context.Context) error {
	s.once.Do(func() {
		s.mu.Lock()
		steps := s.steps
		s.mu.Unlock()
		var errs []error
		for i := len(steps) - 1; i >= 0; i-- {
			if err := steps[i].fn(ctx); err != nil {
				errs = append(errs, fmt.Errorf("stopping %s: %w", steps[i].name, err))
			}
		}
		s.err = errors.Join(errs...)
	})
	return s.err
}
