package sample

import (
	"context"
	"fmt"
	"time"

	"gatecast/controller/fleet"
)

// The two invented persons who look after the clips of 示例街道.
var (
	Clerk    = fleet.User{Login: "clerk", Name: "苏木槿", Role: fleet.Clerk}
	Approver = fleet.User{Login: "approver", Name: "陈知微", Role: fleet.Approver}
)

// Library is where clips are kept and decided about.
type Library interface {
	Clips(ctx context.Context) ([]fleet.Clip, error)
	DecideClip(ctx context.Context, id fleet.ClipID, d fleet.ClipDecision) (fleet.Clip, error)
}

// SignOff has Clerk submit and Approver sign off every draft in lib that only
// holds, by the rules that hold for everybody; nil holds for all.
func SignOff(ctx context.Context, lib Library, at time.Time, only func(fleet.Clip) bool) error {
	all, err := lib.Clips(ctx)
	if err != nil {
		return fmt.Errorf("reading clips: %w", err)
	}
	for _, c := range all {
		if c.State != fleet.ClipDraft || only != nil && !only(c) {
			continue
		}
		c, err := lib.DecideClip(ctx, c.ID, fleet.ClipDecision{Step: fleet.StepSubmit, By: Clerk, At: at})
		if err != nil {
			return fmt.Errorf("submitting clip %q: %w", c.Name, err)
		}
		if _, err := lib.DecideClip(ctx, c.ID, fleet.ClipDecision{Step: fleet.StepApprove, By: Approver, At: at, Revision: c.Revision}); err != nil {
			return fmt.Errorf("signing off clip %q: %w", c.Name, err)
		}
	}
	return nil
}
