package controller

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"gatecast/controller/alert"
	"gatecast/controller/fleet"
)

// openAlerts wires what raises 漏播预警.
func (c *Controller) openAlerts(zone *time.Location) (err error) {
	c.alerts, err = alert.New(alert.Options{
		Book: c.Store, Places: c.Store, Settings: c.Store, Zone: zone,
		Outages: c.Store.Outages, OnLine: c.alerted, OnDigest: c.alertDigest, Logger: c.part("alert"),
	})
	return err
}

// lineKinds are the occurrences that lines of an alert become.
var lineKinds = map[fleet.AlertLineKind]fleet.OccurrenceKind{
	fleet.AlertRaised: fleet.OccurredAlert, fleet.AlertCall: fleet.OccurredAlertCall, fleet.AlertClosed: fleet.OccurredAlertClosed,
}

// alerted passes on what happened to an alert.
func (c *Controller) alerted(a fleet.Alert, k fleet.AlertLineKind) {
	c.publish(fleet.Event{Kind: fleet.EventAlert, Point: a.Point})
	kind, ok := lineKinds[k]
	if !ok {
		return
	}
	c.chronicle.Tell(fleet.Occurrence{
		Kind: kind, Point: a.Point,
		Data: fleet.Fields("alert", strconv.FormatInt(int64(a.ID), 10), "trouble", string(a.Trouble), "likely", string(a.Likely), "slots", strconv.Itoa(a.Slots), "run", strconv.Itoa(a.Run)),
	})
}

// digestUnits is how many units a daily digest names.
const digestUnits = 10

// alertDigest tells once a day how many alerts are open, and where.
func (c *Controller) alertDigest(sums []fleet.AlertSum) {
	names := map[fleet.UnitID]string{}
	units, err := c.Store.Units(context.Background())
	if err != nil {
		c.logger.Warn("reading units for the digest of alerts", "err", err)
	}
	for _, u := range units {
		names[u.ID] = u.Name
	}
	var where []string
	for i, s := range sums[1:] {
		if i == digestUnits {
			where = append(where, "…")
			break
		}
		where = append(where, fmt.Sprintf("%s %d", names[s.Unit], s.Open))
	}
	c.chronicle.Tell(fleet.Occurrence{
		Kind: fleet.OccurredAlertsOpen, Object: strings.Join(where, "、"),
		Data: fleet.Fields("open", strconv.Itoa(sums[0].Open), "new", strconv.Itoa(sums[0].New), "call", strconv.Itoa(sums[0].Call)),
	})
}
