package controller

import (
	"context"
	"time"

	"gatecast/controller/bulletin"
	"gatecast/controller/fleet"
	"gatecast/controller/web"
)

// openBulletins makes the desk of the papers.
func (c *Controller) openBulletins(zone *time.Location) (*bulletin.Desk, error) {
	say, err := web.Words("zh") // papers are the office's own, whatever the pages speak
	if err != nil {
		return nil, err
	}
	return bulletin.New(bulletin.Options{
		Book: c.Store, Archive: c.Store, Ledger: c.Store, Places: c.Store, Relay: c.Store, Deductions: c.Store, Weekly: c.Store, Feedback: c.feedback, Settings: c.Store,
		Say: say, Office: c.o.Config.Name, Zone: zone, Logger: c.part("bulletin"),
	})
}

// draftEvery is how often it is asked whether a period is over. An hour after
// midnight most reports of the last evening are in; a draft has the figures of
// whenever it is read anyway.
const draftEvery = time.Hour

// draftBulletins begins the draft of each period that is over.
func (c *Controller) draftBulletins(ctx context.Context) error {
	tick := time.NewTicker(draftEvery)
	defer tick.Stop()
	for {
		if _, err := c.bulletins.Prepare(ctx, time.Now()); err != nil && ctx.Err() == nil && fleet.CodeOf(err) != fleet.Full {
			c.logger.Warn("drafting the bulletin", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}
