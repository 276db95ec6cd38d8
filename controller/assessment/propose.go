package assessment

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// SaveRule keeps the next version of a rule; r.Version is the one that it was
// made from, 0 for a new rule.
func (d *Desk) SaveRule(ctx context.Context, by fleet.User, r fleet.DeductionRule, now time.Time) (fleet.DeductionRule, error) {
	if !fleet.May(by.Role, fleet.ActCompose) {
		return r, forbidden()
	}
	r, err := fleet.CheckRule(r)
	if err != nil {
		return r, err
	}
	r.At, r.By = now, by.Login
	if r, err = d.o.Book.AddDeductionRule(ctx, r); err != nil {
		return r, fmt.Errorf("storing rule: %w", err)
	}
	return r, nil
}

// Rule returns a version, by its id.
func (d *Desk) Rule(ctx context.Context, id fleet.RuleID) (fleet.DeductionRule, error) {
	all, err := d.o.Book.DeductionRules(ctx)
	if err != nil {
		return fleet.DeductionRule{}, fmt.Errorf("reading rules: %w", err)
	}
	for _, r := range all {
		if r.ID == id {
			return r, nil
		}
	}
	return fleet.DeductionRule{}, refuse(fleet.Invalid, "请选择规则。", "Choose a rule.")
}

// Candidate is a slot that somebody may pick, or why not.
type Candidate struct {
	Slot    fleet.Obligation
	Refusal error // nil where points may be deducted for it
}

// maxSlots is how many slots are offered, and how many one deduction takes.
const maxSlots = 200

// Candidates returns the slots of a unit in a period that did not sound whole,
// with what stands against deducting for each; more reports that there are
// others, beyond the first 200.
func (d *Desk) Candidates(ctx context.Context, unit fleet.UnitID, rule fleet.DeductionRule, from, to fleet.Day, now time.Time) (all []Candidate, more bool, err error) {
	slots, err := d.o.Ledger.Slots(ctx, fleet.SlotQuery{
		From: from, To: to, Unit: unit, Verdicts: []fleet.Verdict{fleet.Missed, fleet.Partial, fleet.Doubt, fleet.Pending, fleet.Exempt}, Limit: maxSlots + 1,
	})
	if err != nil {
		return nil, false, fmt.Errorf("reading slots: %w", err)
	}
	if more = len(slots) > maxSlots; more {
		slots = slots[:maxSlots]
	}
	evidence, err := d.evidence(ctx, rule, slots)
	for _, e := range evidence {
		all = append(all, Candidate{e.Slot, Weigh(e, unit, rule, now)})
	}
	return all, more, err
}

// evidence reads what is known of slots.
func (d *Desk) evidence(ctx context.Context, rule fleet.DeductionRule, slots []fleet.Obligation) ([]Evidence, error) {
	if len(slots) == 0 {
		return nil, nil
	}
	from, to := span(slots)
	outages, err := d.o.Ledger.Outages(ctx, from, to)
	if err != nil {
		return nil, fmt.Errorf("reading outages: %w", err)
	}
	taken := map[fleet.PointID][]wire.SlotID{}
	all := make([]Evidence, 0, len(slots))
	for _, o := range slots {
		e := Evidence{Slot: o, Outages: slices.DeleteFunc(slices.Clone(outages), func(a fleet.Outage) bool { return !a.Overlaps(o.Start, o.End) })}
		if _, read := taken[o.Point]; !read {
			if taken[o.Point], err = d.o.Book.DeductedSlots(ctx, rule.Code, o.Point); err != nil {
				return nil, fmt.Errorf("reading deducted slots: %w", err)
			}
		}
		_, e.Taken = slices.BinarySearch(taken[o.Point], o.Slot)
		records, err := d.o.Ledger.RecordsOfSlot(ctx, o.Point, o.Slot)
		if err != nil {
			return nil, fmt.Errorf("reading records: %w", err)
		}
		for _, r := range records {
			if r.Kind == wire.RecordOutcome {
				e.Outcomes++
			}
		}
		all = append(all, e)
	}
	return all, nil
}

// Proposal is what somebody wants to deduct for.
type Proposal struct {
	Unit   fleet.UnitID
	Rule   fleet.RuleID
	Slots  []Pick
	Day    fleet.Day // of what is not about slots
	Ground string
}

// Pick names a slot.
type Pick struct {
	Point fleet.PointID
	Slot  wire.SlotID
}

// Propose makes a deduction (拟扣): the rule's points for each slot, or once for
// a rule that is not about slots. What is known of the slots is copied. It counts
// only when the unit has been notified.
func (d *Desk) Propose(ctx context.Context, by fleet.User, p Proposal, now time.Time) (fleet.Deduction, error) {
	out := fleet.Deduction{Unit: p.Unit, Ground: strings.TrimSpace(p.Ground), At: now, By: by.Login, ByName: by.Name}
	if !fleet.May(by.Role, fleet.ActCompose) {
		return out, forbidden()
	}
	units, err := d.o.Places.Units(ctx)
	if err != nil {
		return out, fmt.Errorf("reading units: %w", err)
	}
	i := slices.IndexFunc(units, func(u fleet.Unit) bool { return u.ID == p.Unit })
	if i < 0 {
		return out, refuse(fleet.Invalid, "请选择单位。", "Choose a unit.")
	}
	out.Name = units[i].Name
	if out.Rule, err = d.Rule(ctx, p.Rule); err != nil {
		return out, err
	}
	if utf8.RuneCountInString(out.Ground) > 500 {
		return out, refuse(fleet.Invalid, "事由最多 500 个字。", "The ground may have 500 characters at most.")
	}
	if len(out.Rule.Verdicts) > 0 {
		out, err = d.withSlots(ctx, out, p.Slots, now)
	} else {
		out, err = d.withGround(out, p.Day, now)
	}
	if err != nil {
		return out, err
	}
	if out, err = d.o.Book.AddDeduction(ctx, out); err != nil {
		return out, fmt.Errorf("storing deduction: %w", err)
	}
	d.o.Logger.Info("deduction made", "deduction", out.ID, "unit", out.Unit, "rule", out.Rule.Code, "by", by.Login)
	return out, nil
}

func (d *Desk) withGround(out fleet.Deduction, day fleet.Day, now time.Time) (fleet.Deduction, error) {
	_, err := time.Parse(time.DateOnly, string(day))
	switch {
	case err != nil || day > fleet.Day(now.In(d.o.Zone).Format(time.DateOnly)):
		return out, refuse(fleet.Invalid, "请写明日期，不能晚于今天，例如 2026-11-23。", "Write the day, not later than today, like 2026-11-23.")
	case utf8.RuneCountInString(out.Ground) < 4:
		return out, refuse(fleet.Invalid, "这条规则不针对时段，请写明事由，至少 4 个字。", "This rule is not about slots: say what it is about, in 4 characters at least.")
	case !out.Rule.Holds(day):
		return out, refuse(fleet.Invalid, "这一版规则在当日不适用，请选择另一版。", "This version of the rule is not for that day. Choose another.")
	}
	out.Day, out.Points = day, out.Rule.Points
	return out, nil
}

func (d *Desk) withSlots(ctx context.Context, out fleet.Deduction, picks []Pick, now time.Time) (fleet.Deduction, error) {
	if len(picks) == 0 || len(picks) > maxSlots {
		return out, refuse(fleet.Invalid, "请勾选要扣分的时段，一次最多 200 个。", "Tick the slots, 200 at most.")
	}
	var slots []fleet.Obligation
	for i, k := range picks {
		if slices.Contains(picks[:i], k) {
			continue
		}
		o, err := d.o.Ledger.Obligation(ctx, k.Point, k.Slot)
		if err != nil {
			return out, err
		}
		slots = append(slots, o)
	}
	evidence, err := d.evidence(ctx, out.Rule, slots)
	if err != nil {
		return out, err
	}
	for _, e := range evidence {
		proof, err := d.proof(ctx, e)
		if err != nil {
			return out, err
		}
		if why := Weigh(e, out.Unit, out.Rule, now); why != nil {
			return out, naming(proof, why)
		}
		out.Proofs = append(out.Proofs, proof)
		out.Day = max(out.Day, proof.Day)
		out.Points += out.Rule.Points
	}
	slices.SortFunc(out.Proofs, func(a, b fleet.Proof) int { return a.Start.Compare(b.Start) })
	return out, nil
}

// naming says which slot a refusal is about.
func naming(p fleet.Proof, why error) error {
	e, ok := why.(*fleet.Error)
	if !ok {
		return why
	}
	at := fmt.Sprintf("%s %s %s", p.PointName, p.Day, p.SlotName)
	return &fleet.Error{Code: e.Code, Text: at + "：" + e.Text + "请取消勾选。", TextEN: at + ": " + e.TextEN + " Take it out."}
}

// proof copies what is known of a slot.
func (d *Desk) proof(ctx context.Context, e Evidence) (fleet.Proof, error) {
	o := e.Slot
	p := fleet.Proof{
		Point: o.Point, Day: o.Day, Slot: o.Slot, SlotName: o.Name, Start: o.Start, End: o.End, Programme: o.Programme, Version: o.Version,
		Verdict: o.Verdict, Grade: o.Grade, Reason: o.Reason, Note: o.Note, Plays: o.Plays, PlaysOK: o.PlaysOK, Revisions: o.Revisions, Demo: o.Demo,
		Device: o.Device, Records: e.Outcomes, Link: e.Outages,
	}
	pt, err := d.o.Places.Point(ctx, o.Point)
	if err != nil {
		return p, fmt.Errorf("reading point: %w", err)
	}
	p.PointCode, p.PointName = pt.Code, pt.Name
	switch dev, err := d.o.Places.DeviceOfPoint(ctx, o.Point); {
	case err == nil:
		p.Device, p.Online, p.LastSeen = dev.ID, dev.Online, dev.LastSeen
	case fleet.CodeOf(err) != fleet.NotFound:
		return p, fmt.Errorf("reading device: %w", err)
	}
	near, err := d.o.Ledger.Slots(ctx, fleet.SlotQuery{From: o.Day, To: o.Day, Unit: o.Unit, Name: o.Name})
	if err != nil {
		return p, fmt.Errorf("reading slots of the unit: %w", err)
	}
	for _, other := range near {
		if other.Point != o.Point {
			p.Peers.Add(other.Verdict)
		}
	}
	return p, nil
}
