package ledger

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
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
			whole := len(ack.Missing) == 0 && ack.Upto >= d.LastSeq && d.Playing == ""
			for _, o := range d.Older { // after a restore they may be missing here
				if !whole {
					break
				}
				if ack, err = l.o.Store.AckState(ctx, d.ID, o.Log); err != nil {
					return nil, err
				}
				whole = len(ack.Missing) == 0 && ack.Upto >= o.Last
			}
			if whole {
				ds.reportedTo = d.StateAt
			}
		}
		states = append(states, ds)
	}
	return states, nil
}

// view says what is known of the device that was to play o: the present one
// if it was accepted before the slot ended, otherwise one that was bound then.
func (l *Ledger) view(ctx context.Context, o fleet.Obligation, outages bool) (DeviceView, error) {
	all, err := l.devices(ctx, o.Point)
	if err != nil {
		return DeviceView{}, err
	}
	for _, d := range all {
		if d.Accepted.IsZero() || !d.Accepted.Before(o.End) || d.gone && d.Point == o.Point && d.Retired.Before(o.Start) {
			continue
		}
		v := DeviceView{
			ID: d.ID, Bound: true, Gone: d.gone, Online: d.Online, HasPlan: d.PlanVersion > 0, ReportedTo: d.reportedTo,
		}
		if !outages {
			return v, nil
		}
		if v.Outages, err = l.outages(ctx, o); err != nil {
			return v, err
		}
		v.Unclear, err = l.unclear(ctx, o.Point, all)
		return v, err
	}
	return DeviceView{}, nil
}

// silenced reports whether every play of o that was silent by order was so by
// one that is approved; false where none was.
func (l *Ledger) silenced(ctx context.Context, o fleet.Obligation, outcomes []wire.Outcome) (bool, error) {
	if l.o.Mutes == nil || !slices.ContainsFunc(outcomes, func(out wire.Outcome) bool { return out.Reason == wire.ReasonMuted }) {
		return false, nil
	}
	mutes, err := l.o.Mutes.MutesOf(ctx, o.Point)
	if err != nil {
		return false, fmt.Errorf("reading mutes: %w", err)
	}
	for _, out := range outcomes {
		if out.Reason != wire.ReasonMuted {
			continue
		}
		m, ok := fleet.SilencedBy(mutes, wire.FromUS(out.PlannedUS))
		if !ok || m.Approved.IsZero() {
			return false, nil
		}
	}
	return true, nil
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

// unclear finds the times of which evidence about p is lost for good.
func (l *Ledger) unclear(ctx context.Context, p fleet.PointID, devices []deviceState) ([]Unclear, error) {
	gaps, err := l.o.Store.Gaps(ctx, p)
	if err != nil {
		return nil, err
	}
	var all []Unclear
	for _, g := range gaps {
		if !g.Lost {
			continue
		}
		u := Unclear{From: g.After, To: g.Before, Reason: wire.ReasonLost}
		for _, d := range devices {
			if d.ID == g.Device && d.Point == p && u.From.Before(d.Enrolled) {
				u.From = d.Enrolled // it wrote nothing about p before
			}
		}
		if u.To.IsZero() || u.To.Before(u.From) {
			u.To = g.Received // by a clock that can be trusted
		}
		all = append(all, u)
	}
	plans, err := l.o.Store.UnknownPlans(ctx, p)
	if err != nil {
		return nil, err
	}
	for _, u := range plans {
		all = append(all, Unclear{From: u.From, To: u.To, Reason: wire.ReasonReplanned})
	}
	return all, nil
}
