package controller

import (
	"context"
	"os"
	"time"

	"gatecast/controller/fleet"
	"gatecast/controller/store"
)

// DecideClip takes one step with a clip and, where that changes what may
// sound, has plans and manifest made anew at once.
func (c *Controller) DecideClip(ctx context.Context, id fleet.ClipID, d fleet.ClipDecision) (fleet.Clip, error) {
	clip, err := c.Store.DecideClip(ctx, id, d)
	if err != nil {
		return clip, err
	}
	if d.Step == fleet.StepApprove || d.Step == fleet.StepRecall {
		c.Planner.Poke()
	}
	c.publish(fleet.Event{Kind: fleet.EventClip})
	return clip, nil
}

// officeApprovals is the store with the controller's DecideClip.
type officeApprovals struct {
	*store.Store
	c *Controller
}

func (a officeApprovals) DecideClip(ctx context.Context, id fleet.ClipID, d fleet.ClipDecision) (fleet.Clip, error) {
	return a.c.DecideClip(ctx, id, d)
}

// approvedClips is what devices may fetch: the bytes of approved clips, and of
// what an urgent broadcast plays that was signed without them. Any other draft,
// and a clip that was recalled, is as good as absent. One that has
// expired is still the clip that was signed; no device plays it.
type approvedClips struct{ c *Controller }

func (a approvedClips) Open(sha256 string) (*os.File, error) {
	clip, err := a.c.Store.ClipBySHA(context.Background(), sha256)
	if err != nil {
		return nil, err
	}
	if clip.State != fleet.ClipApproved && !a.c.urgent.Needs(clip, time.Now()) {
		return nil, &fleet.Error{Code: fleet.NotFound, Text: "这段素材没有签发，或已召回。", TextEN: "This clip is not signed off, or was recalled."}
	}
	return a.c.media.Open(sha256)
}
