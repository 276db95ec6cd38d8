package controller

import (
	"context"
	"fmt"
	"time"

	"gatecast/controller/broker"
	"gatecast/controller/fleet"
)

// Report has a 安全事件 kept that some part of the controller noticed.
func (c *Controller) Report(in fleet.Incident) { c.incidents.Report(in) }

// forget is for how long a revoked device may knock before that is news: an
// honest one asks what is wrong and is told by the director.
const forget = 5 * time.Minute

// attempted keeps what a port refused.
func (c *Controller) attempted(in fleet.Incident) {
	if in.Kind == fleet.IncidentRevoked {
		if d, err := c.Store.Device(context.Background(), in.Device); err == nil && time.Since(d.Retired) < forget {
			return
		}
	}
	c.incidents.Report(in)
}

// knocked keeps what the broker refused, with the device that the certificate
// names.
func (c *Controller) knocked(r broker.Refusal) {
	in := fleet.Incident{Device: r.Device, From: r.From, Detail: r.Detail}
	switch r.Why {
	case broker.Stranger:
		in.Kind = fleet.IncidentStranger
	case broker.OtherName:
		in.Kind = fleet.IncidentOtherName
	case broker.OtherTopic:
		in.Kind = fleet.IncidentOtherTopic
	case broker.NoDevice:
		in.Kind = fleet.IncidentNoDevice
		if id, ok := c.Trust.DeviceOf(r.Cert); ok {
			in.Device = id
			if d, err := c.Store.Device(context.Background(), id); err == nil && d.State == fleet.DeviceRevoked {
				in.Kind = fleet.IncidentRevoked
			}
		}
	}
	c.attempted(in)
}

// broken keeps a journal that does not hold together.
func (c *Controller) broken(b fleet.Break) {
	c.incidents.Report(fleet.Incident{
		Kind: fleet.IncidentJournal, Device: b.Device, Detail: fmt.Sprintf("%s: log %s, record %d: %s", b.Code, b.Log, b.Seq, b.Detail),
	})
}
