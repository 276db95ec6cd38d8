package ledger

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// deviceState is a device of a point as far as settling goes.
type deviceState struct {
	fleet.Device
	gone       bool
	reportedTo time.Time
}

// devices returns the devices that were ever bound to p, the present one
// first.
func (l *Ledger) devices(ctx context.Context, p fleet.PointID) ([]deviceState, error) {
	all, err := l.o.Store.DevicesOfPoint(ctx, p)
	if err != nil {
		return nil, err
	}
	states := make([]deviceState, 0, len(all))
	for _, d := range all {
		ds := deviceState{Device: d, gone: d.State != fleet.DeviceActive || d.Point != p}
		if d.Log != "" && !d.StateAt.IsZero() {
			ack, err := l.o.Store.AckState(ctx, d.ID, d.Log)
			if err != nil {
				return nil, err
			}
			if len(ack.Missing) == 0 && ack.Upto >= d.LastSeq && d.Playing == "" {
				ds.reportedTo = d.StateAt
			}
		}
		states = append(states, ds)
	}
	return states, nil
}

// view says what is known of the device that was to play o: the present one
// if it was bound before the slot ended, otherwise one that was bound then.
func (l *Ledger) view(ctx context.Context, o fleet.Obligation, outages bool) (DeviceView, error) {
	all, err := l.devices(ctx, o.Point)
	if err != nil {
		return DeviceView{}, err
	}
	for _, d := range all {
		if !d.Enrolled.Before(o.End) || d.gone && d.Point == o.Point && d.Retired.Before(o.Start) {
			continue
		}
		v := DeviceView{
			ID: d.ID, Bound: true, Gone: d.gone, Online: d.Online, HasPlan: d.PlanVersion > 0, ReportedTo: d.reportedTo,
		}
		if outages {
			v.Outages, err = l.outages(ctx, o)
		}
		return v, err
	}
	return DeviceView{}, nil
}

// outageSearch bounds how long after a slot the next start of the agent is
// looked for.
const outageSearch = 30 * 24 * time.Hour

// outages finds the times around o at which the agent did not run, by what it
// wrote when it started next.
func (l *Ledger) outages(ctx context.Context, o fleet.Obligation) ([]Outage, error) {
	recs, err := l.o.Store.MachineRecords(ctx, o.Point, o.Start, o.End.Add(outageSearch))
	if err != nil {
		return nil, err
	}
	var all []Outage
	for _, r := range recs {
		if r.Kind != wire.RecordBoot {
			continue
		}
		var b wire.Boot
		if err := json.Unmarshal(r.Body, &b); err != nil {
			return nil, fmt.Errorf("parsing boot %s/%d: %w", r.Log, r.Seq, err)
		}
		if b.LastSeen == 0 {
			continue
		}
		out := Outage{From: wire.FromUS(b.LastSeen), To: r.At, Reason: wire.ReasonPower}
		if b.SameBoot {
			out.Reason = wire.ReasonExit
		}
		all = append(all, out)
	}
	return all, nil
}
