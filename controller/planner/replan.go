package planner

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/seal"
	"gatecast/internal/wire"
	"gatecast/schedules"
)

// nearWindow is how far ahead obligations are written before plans go out;
// the rest of the horizon follows at once, so that a change of thousands of
// points does not wait for two months of rows. A crash in between is made good
// by the next run: see intent.
const nearWindow = 6 * time.Hour

// Points written at a time: nearChunk with their plans, which are offered as
// soon as they are stored, farChunk of the rest.
const (
	nearChunk = 500
	farChunk  = 200
)

// Summary says what a planning run did.
type Summary struct {
	Points   int // that owe slots
	Devices  int // that got a new plan
	Slots    int // owed in the horizon, silenced ones included
	Silenced int
	From, To time.Time
}

// pointPlan is one point's share of a planning run.
type pointPlan struct {
	point   fleet.Point
	owed    []fleet.Obligation
	digest  string     // of everything a run would write for the point
	plan    *wire.Plan // nil without a device, or with one that is awaited
	content []byte     // of the plan, without its header
	device  fleet.Device
}

// written is what a run wrote for a point.
type written struct {
	digest  string
	device  wire.DeviceID     // empty where it got no plan
	content [sha256.Size]byte // of the plan, without its header
}

// Replan computes what every point owes from now on and what its device should
// play, writes both and offers changed plans. On an error nothing that was in
// force is lost.
func (p *Planner) Replan(ctx context.Context, now time.Time) (Summary, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.o.Before(ctx, now); err != nil {
		return Summary{}, fmt.Errorf("before planning: %w", err)
	}
	active, err := p.o.Content.ActiveProgrammes(ctx)
	if err != nil {
		return Summary{}, fmt.Errorf("reading active programmes: %w", err)
	}
	return p.replan(ctx, active, now)
}

// replan does the work of Replan for the given active set. p.mu is held.
func (p *Planner) replan(ctx context.Context, active []fleet.Programme, now time.Time) (Summary, error) {
	w, err := p.load(ctx, now)
	if err != nil {
		return Summary{}, err
	}
	if err := p.finish(ctx, w, now); err != nil {
		return Summary{}, err
	}
	plans, sum, err := p.compile(ctx, w, active, now)
	if err != nil {
		return Summary{}, errors.Join(err, p.silence(ctx, w, now)) // which no fault of a programme may hold up
	}
	return p.carryOut(ctx, w, active, plans, sum, now)
}

// carryOut writes and offers what compile computed. p.mu is held.
func (p *Planner) carryOut(ctx context.Context, w *world, active []fleet.Programme, plans []pointPlan, sum Summary, now time.Time) (Summary, error) {
	if err := p.ensureManifest(ctx, w, now); err != nil {
		return Summary{}, err
	}
	if err := p.silence(ctx, w, now); err != nil {
		return Summary{}, err
	}
	changed := plans[:0]
	for _, pp := range plans {
		if p.planned[pp.point.ID].digest != pp.digest {
			changed = append(changed, pp)
		}
	}
	if len(changed) > 0 {
		if err := p.begin(ctx, active, now); err != nil {
			return Summary{}, err
		}
	}
	near := now.Add(nearWindow)
	for chunk := range slices.Chunk(changed, nearChunk) {
		if err := p.writeOwed(ctx, chunk, now, now, near, nearChunk); err != nil {
			return Summary{}, err
		}
		sealed, err := p.sealPlans(ctx, chunk, now)
		if err != nil {
			return Summary{}, err
		}
		sum.Devices += len(sealed)
		if len(sealed) > 0 {
			p.o.Offer(ctx, sealed)
		}
	}
	if err := p.writeOwed(ctx, changed, now, near, sum.To, farChunk); err != nil {
		return Summary{}, err
	}
	for _, pp := range changed {
		last := written{digest: pp.digest}
		if pp.plan != nil {
			last.device, last.content = pp.device.ID, sha256.Sum256(pp.content)
		}
		p.planned[pp.point.ID] = last
	}
	if len(changed) > 0 {
		if err := p.o.Ledger.SetSetting(ctx, intentKey, ""); err != nil {
			return Summary{}, fmt.Errorf("ending the run: %w", err)
		}
		p.o.OnEvent(fleet.Event{Kind: fleet.EventPlan})
		p.o.Logger.Info("planned", "points", sum.Points, "changed", len(changed), "devices", sum.Devices, "slots", sum.Slots, "silenced", sum.Silenced)
	}
	return sum, nil
}

// compile expands active for every point that owes.
func (p *Planner) compile(ctx context.Context, w *world, active []fleet.Programme, now time.Time) ([]pointPlan, Summary, error) {
	programmes, byCode, err := parse(active)
	if err != nil {
		return nil, Summary{}, err
	}
	compiler, err := p.compiler(w, programmes, now)
	if err != nil {
		return nil, Summary{}, err
	}
	demo := map[string]bool{}
	for _, q := range programmes {
		demo[q.ID] = q.Demo
	}
	if _, ok := w.clips[p.o.DefaultClip]; !ok && p.o.DefaultClip != "" && p.o.StaleAfter > 0 {
		p.o.Logger.Warn("the default clip is not in the library; a stale plan is played on", "clip", p.o.DefaultClip)
	}
	zone := p.zone(programmes)
	today := schedules.DateOf(now, zone)
	sum := Summary{From: now, To: midnight(today.AddDays(p.o.HorizonDays), zone)}
	begun, err := p.begun(ctx, today, now)
	if err != nil {
		return nil, Summary{}, err
	}
	var plans []pointPlan
	recalled := w.recalled()
	for _, pt := range w.points {
		from, owes := owedFrom(pt, now)
		if !owes {
			continue
		}
		sum.Points++
		pp := pointPlan{point: pt, device: w.devices[pt.ID]}
		play := &wire.Plan{
			Point: pt.Code, PointName: pt.Name, Zone: zone.String(), NeedLevel: wire.T1,
			FromS: midnight(today, zone).Unix(), HorizonS: sum.To.Unix(), Clips: []string{}, Slots: []wire.PlanSlot{}, Recalled: recalled,
		}
		if pt.NeedSync {
			play.NeedLevel = wire.T2
		}
		if pt.CapPct > 0 && pt.CapPct < p.o.Ceilings.MaxVolumePct {
			play.MaxVolumePct = pt.CapPct
		}
		index := map[string]int{}
		said := sha256.New()
		slots := compiler.Slots(w.views[pt.ID], today.AddDays(-1), p.o.HorizonDays+1)
		sortSlots(slots)
		for _, s := range slots {
			ahead := s.Start.After(from) && s.Start.Before(sum.To) && !pt.RetiredAt(now)
			if ahead == begun[owedKey{pt.ID, wire.SlotID(s.ID)}] {
				continue // over and not owed, or moved to later after it had begun: once a day is enough
			}
			s.Gain += fleet.GainAt(w.levels[pt.ID], s.Start)
			clips, before, err := w.resolve(s, today)
			if err != nil {
				return nil, Summary{}, err
			}
			o := obligation(pt, s, clips, byCode[s.Programme], demo[s.Programme] || pp.device.Output.Demo)
			fmt.Fprintln(said, o.Slot, o.Start.Unix(), o.End.Unix(), o.Plays, o.PlannedMS, o.Version, o.Note)
			if ahead {
				pp.owed = append(pp.owed, o)
				sum.Slots++
				if s.Silenced != nil {
					sum.Silenced++
				}
			}
			if s.Silenced == nil && len(clips) > 0 && s.End.After(pp.device.Accepted) {
				addSlot(play, index, s, clips, before)
			}
		}
		p.addUrgent(play, index, w, pt.ID, now)
		if pp.device.ID != "" && pp.device.Awaiting == fleet.AwaitNothing {
			pp.plan = play
		}
		p.addDefault(play, index, w)
		content, err := json.Marshal(play)
		if err != nil {
			return nil, Summary{}, fmt.Errorf("encoding plan of %q: %w", pt.Code, err)
		}
		pp.content = content
		pp.digest = fmt.Sprintf("%s %s %x %x", pp.device.ID, pp.device.Awaiting, said.Sum(nil), sha256.Sum256(content))
		plans = append(plans, pp)
	}
	return plans, sum, nil
}

type owedKey struct {
	point fleet.PointID
	slot  wire.SlotID
}

// begun returns the slots of yesterday and today that are on record and have
// started: they stay in the plan so that a change does not end them halfway.
func (p *Planner) begun(ctx context.Context, today schedules.Date, now time.Time) (map[owedKey]bool, error) {
	rows, err := p.o.Ledger.Obligations(ctx, fleet.ObligationFilter{
		From: fleet.Day(today.AddDays(-1).String()), To: fleet.Day(today.AddDays(1).String()),
	})
	if err != nil {
		return nil, fmt.Errorf("reading obligations: %w", err)
	}
	begun := make(map[owedKey]bool)
	for _, o := range rows {
		if !o.Start.After(now) {
			begun[owedKey{o.Point, o.Slot}] = true
		}
	}
	return begun, nil
}

// addSlot appends s to plan, giving each clip its place in plan.Clips. before
// has a clip for each of clips, or the zero one.
func addSlot(plan *wire.Plan, index map[string]int, s schedules.Slot, clips, before []fleet.Clip) {
	place := func(c fleet.Clip) int {
		at, ok := index[c.SHA256]
		if !ok {
			at = len(plan.Clips)
			index[c.SHA256] = at
			plan.Clips = append(plan.Clips, c.SHA256)
		}
		return at
	}
	playlist, former := make([]int, len(clips)), make([]int, len(clips))
	replaced := false
	for i, c := range clips {
		playlist[i], former[i] = place(c), -1
		if before[i].SHA256 != "" {
			former[i], replaced = place(before[i]), true
		}
	}
	slot := wire.SlotFrom(s, playlist)
	if replaced {
		slot.Before = former
	}
	plan.Slots = append(plan.Slots, slot)
}

// addDefault says what the device does when it has not heard of us for long.
// The default clip is fetched with the others, so that it is there then.
func (p *Planner) addDefault(plan *wire.Plan, index map[string]int, w *world) {
	plan.StaleS = int64(p.o.StaleAfter / time.Second)
	c, ok := w.clips[p.o.DefaultClip]
	if plan.StaleS == 0 || !ok || c.Standing(w.today) != fleet.ClipApproved {
		return
	}
	if _, there := index[c.SHA256]; !there {
		plan.Clips = append(plan.Clips, c.SHA256)
	}
	plan.Default = c.SHA256
}

// writeOwed writes the obligations of plans that start in [from, to), size
// points at a time.
func (p *Planner) writeOwed(ctx context.Context, plans []pointPlan, now, from, to time.Time, size int) error {
	for chunk := range slices.Chunk(plans, size) {
		w := fleet.PlanWindow{From: from, To: to}
		var owed []fleet.Obligation
		for _, pp := range chunk {
			w.Points = append(w.Points, pp.point.ID)
			for _, o := range pp.owed {
				if !o.Start.Before(from) && o.Start.Before(to) {
					owed = append(owed, o)
				}
			}
		}
		if _, err := p.o.Ledger.PutObligations(ctx, w, owed, now); err != nil {
			return fmt.Errorf("writing obligations: %w", err)
		}
	}
	return nil
}

// sealPlans seals, stores and returns the devices whose wanted plan changed.
func (p *Planner) sealPlans(ctx context.Context, plans []pointPlan, now time.Time) ([]wire.DeviceID, error) {
	var docs []fleet.Doc
	var ids []wire.DeviceID
	for _, pp := range plans {
		if pp.plan == nil {
			continue
		}
		same, err := p.sameAsWanted(ctx, pp)
		if err != nil {
			return nil, err
		}
		if same {
			continue
		}
		pp.plan.Header = wire.Header{
			Type: wire.DocPlan, Device: pp.device.ID, IssuedUS: wire.US(now),
			Version: max(pp.device.PlanVersion, pp.device.WantVersion) + 1,
		}
		envelope, err := p.o.Sealer.SealPlan(pp.plan)
		if err != nil {
			return nil, fmt.Errorf("sealing plan of %q: %w", pp.point.Code, err)
		}
		docs = append(docs, fleet.Doc{SHA256: seal.Hash(envelope), Type: wire.DocPlan, Device: pp.device.ID, Version: pp.plan.Version, Bytes: envelope, Stored: now})
		ids = append(ids, pp.device.ID)
	}
	if len(docs) == 0 {
		return nil, nil
	}
	if err := p.o.Documents.PutPlans(ctx, docs); err != nil {
		return nil, fmt.Errorf("storing plans: %w", err)
	}
	return ids, nil
}

// sameAsWanted reports whether the plan that the device should have already
// says the same; so a restart of the controller makes no new versions.
func (p *Planner) sameAsWanted(ctx context.Context, pp pointPlan) (bool, error) {
	if pp.device.WantVersion == 0 || pp.device.PlanVersion > pp.device.WantVersion {
		return false, nil
	}
	if last := p.planned[pp.point.ID]; last.device == pp.device.ID {
		return last.content == sha256.Sum256(pp.content), nil
	}
	doc, err := p.o.Documents.LatestDoc(ctx, pp.device.ID, wire.DocPlan)
	if fleet.CodeOf(err) == fleet.NotFound {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("reading plan of %q: %w", pp.point.Code, err)
	}
	old, err := seal.Peek[wire.Plan](doc.Bytes)
	if err != nil || doc.Version != pp.device.WantVersion || !p.o.Sealer.InForce(wire.DocPlan, doc.Bytes) {
		return false, nil // unreadable, not the wanted one or by a key of before: make a new one
	}
	old.Header = wire.Header{}
	content, err := json.Marshal(old)
	if err != nil {
		return false, fmt.Errorf("encoding plan of %q: %w", pp.point.Code, err)
	}
	return bytes.Equal(content, pp.content), nil
}

// zone returns the zone in which the office's days begin: that of the first
// programme, which all share in practice.
func (p *Planner) zone(programmes []*schedules.Programme) *time.Location {
	name := p.o.Ceilings.Zone
	if len(programmes) > 0 {
		name = programmes[0].Zone
	}
	return location(name)
}

// location returns the zone of that name, UTC where there is none.
func location(name string) *time.Location {
	zone, err := time.LoadLocation(name)
	if err != nil {
		return time.UTC
	}
	return zone
}

// midnight returns the first instant of d in zone.
func midnight(d schedules.Date, zone *time.Location) time.Time {
	return time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, zone)
}
