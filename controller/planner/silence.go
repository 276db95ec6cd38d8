package planner

import (
	"context"
	"fmt"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/seal"
	"gatecast/internal/wire"
)

// silentYears is for how long a plan without slots holds: longer than a memory
// card, so that it is signed once.
const silentYears = 10

// silence gives every device that must not sound a plan without slots and
// without a default clip: who waits to be accepted, who was replaced, and whose
// key turned up twice. The manifest comes with it, so that a test tone knows
// its ceiling. p.mu is held.
func (p *Planner) silence(ctx context.Context, w *world, now time.Time) error {
	codes := make(map[fleet.PointID]fleet.Point, len(w.points))
	for _, pt := range w.points {
		codes[pt.ID] = pt
	}
	var docs []fleet.Doc
	var ids []wire.DeviceID
	for _, d := range w.silent {
		done, err := p.silenced(ctx, d)
		if err != nil {
			return err
		}
		if done {
			continue
		}
		pt := codes[d.Point]
		plan := &wire.Plan{
			Header: wire.Header{Type: wire.DocPlan, Device: d.ID, IssuedUS: wire.US(now), Version: max(d.PlanVersion, d.WantVersion) + 1},
			Point:  pt.Code, PointName: pt.Name, Zone: p.o.Ceilings.Zone, NeedLevel: wire.T1,
			FromS: now.Unix(), HorizonS: now.AddDate(silentYears, 0, 0).Unix(), Clips: []string{}, Slots: []wire.PlanSlot{},
			MaxVolumePct: pt.CapPct, // of its test tone
		}
		envelope, err := p.o.Sealer.SealPlan(plan)
		if err != nil {
			return fmt.Errorf("sealing a plan without slots for %q: %w", d.ID, err)
		}
		docs = append(docs, fleet.Doc{SHA256: seal.Hash(envelope), Type: wire.DocPlan, Device: d.ID, Version: plan.Version, Bytes: envelope, Stored: now})
		ids = append(ids, d.ID)
	}
	if len(docs) == 0 {
		return nil
	}
	if p.manifest.version == 0 { // planning did not come that far
		if err := p.ensureManifest(ctx, w, now); err != nil {
			return err
		}
	}
	if err := p.o.Documents.PutPlans(ctx, docs); err != nil {
		return fmt.Errorf("storing plans without slots: %w", err)
	}
	for i, d := range docs {
		p.silent[ids[i]] = d.SHA256
	}
	p.o.Offer(ctx, ids)
	p.o.Logger.Info("devices silenced", "devices", len(ids))
	return nil
}

// silenced reports whether the plan that d should have is one without slots
// that d can accept.
func (p *Planner) silenced(ctx context.Context, d fleet.Device) (bool, error) {
	if d.WantVersion == 0 || d.WantHash == "" || d.Ahead() {
		return false, nil
	}
	if p.silent[d.ID] == d.WantHash {
		return true, nil
	}
	doc, err := p.o.Documents.LatestDoc(ctx, d.ID, wire.DocPlan)
	if fleet.CodeOf(err) == fleet.NotFound {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("reading plan of %q: %w", d.ID, err)
	}
	plan, err := seal.Peek[wire.Plan](doc.Bytes)
	if err != nil || doc.Version != d.WantVersion || len(plan.Slots) > 0 || plan.Default != "" {
		return false, nil
	}
	p.silent[d.ID] = d.WantHash
	return true, nil
}
