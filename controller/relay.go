package controller

import (
	"context"
	"time"

	"gatecast/controller/fleet"
	"gatecast/controller/relay"
	"gatecast/controller/store"
)

// keepShots is how long a screenshot of a chat is kept: long enough for the
// month's inspection, no longer, as it shows people's names.
const keepShots = 92 * 24 * time.Hour

// openRelay opens the desk that passes items down the tiers of groups.
func (c *Controller) openRelay(zone *time.Location) (err error) {
	c.Relay, err = relay.New(relay.Options{
		Book: c.Store, Places: c.Store, Settings: c.Store, Zone: zone, Event: c.publish, Logger: c.part("relay"),
		OnDigest: func(d relay.Digest) {
			c.publish(fleet.Event{Kind: fleet.EventRelay})
			for _, hear := range c.onDigest {
				hear(d)
			}
		},
	})
	return err
}

// OnDigest has hear be told each morning of what is overdue in the relay. It
// must not block, and be called before Start.
func (c *Controller) OnDigest(hear func(relay.Digest)) { c.onDigest = append(c.onDigest, hear) }

// pruneShots erases old screenshots.
func (c *Controller) pruneShots(ctx context.Context, now time.Time) {
	switch n, err := c.Store.PruneRelayShots(ctx, now.Add(-keepShots)); {
	case err != nil && ctx.Err() == nil:
		c.logger.Warn("erasing old screenshots of the relay", "err", err)
	case n > 0:
		c.logger.Info("screenshots of the relay erased", "count", n)
	}
}

// officeRelay is what the API shows and does of the relay.
type officeRelay struct {
	*store.Store
	desk *relay.Desk
}

func (o officeRelay) AddItem(ctx context.Context, item fleet.RelayItem) (fleet.RelayID, error) {
	return o.desk.Create(ctx, item, nil)
}
