package main

import (
	"context"
	"sync"
	"sync/atomic"

	"gatecast/agent"
	"gatecast/internal/sdnotify"
)

// serve runs the agent until ctx ends and keeps systemd informed. A device
// that waits to be enrolled is ready: there is nothing wrong with it.
func (p *program) serve(ctx context.Context) error {
	if err := p.cfg.Validate(p.file); err != nil {
		return err
	}
	o := p.options()
	var running atomic.Pointer[agent.App]
	var wg sync.WaitGroup
	watch, stop := context.WithCancel(ctx)
	wg.Go(func() {
		sdnotify.Watchdog(watch, func(context.Context) error {
			if a := running.Load(); a != nil {
				return a.Alive()
			}
			return nil
		})
	})
	defer wg.Wait()
	defer stop()
	if err := sdnotify.Ready(); err != nil {
		o.Logger.Warn("telling systemd", "err", err)
	}
	stopping := context.AfterFunc(ctx, func() { _ = sdnotify.Stopping() })
	defer stopping()
	return agent.Run(ctx, o, func(a *agent.App) { running.Store(a) })
}
