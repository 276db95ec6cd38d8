package controller

import (
	"strconv"
	"time"

	"gatecast/controller/feedback"
	"gatecast/controller/fleet"
)

// openFeedback wires 问题反馈 and its reminders.
func (c *Controller) openFeedback(zone *time.Location) (err error) {
	c.feedback, err = feedback.New(feedback.Options{
		Book: c.Store, Units: c.Store, Settings: c.Store, Zone: zone, Logger: c.part("feedback"),
		OnReminder: func(w fleet.ISOWeek, due time.Time, missing []fleet.Unit) {
			c.chronicle.Tell(fleet.Occurrence{
				Kind: fleet.OccurredFeedback, Object: w.String(),
				Data: fleet.Fields("missing", strconv.Itoa(len(missing)), "due", due.In(zone).Format("01-02 15:04")),
			})
		},
	})
	return err
}
