package controller

import (
	"context"
	"time"

	"gatecast/controller/fleet"
)

// officeRecovery has plans made as soon as a person confirmed them.
type officeRecovery struct{ c *Controller }

func (r officeRecovery) Restores(ctx context.Context) ([]fleet.Restore, error) {
	return r.c.Store.Restores(ctx)
}

func (r officeRecovery) ConfirmPlans(ctx context.Context, now time.Time) (int, error) {
	n, err := r.c.Store.ConfirmPlans(ctx, now)
	if n > 0 {
		r.c.Planner.Poke()
		r.c.publish(fleet.Event{Kind: fleet.EventDevice})
	}
	return n, err
}
