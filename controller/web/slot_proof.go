package web

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// Proofs is what stands behind the records of a slot.
type Proofs interface {
	// PlanInForce returns the plan that the device had at an instant;
	// fleet.NotFound where its journal does not tell.
	PlanInForce(ctx context.Context, id fleet.PointID, at time.Time) (fleet.PlanInForce, error)
	// ReceiptsFrom returns the receipts that cover a record or later ones, the
	// earliest first.
	ReceiptsFrom(ctx context.Context, id wire.DeviceID, log wire.LogID, seq wire.Seq) ([]fleet.Receipt, error)
	Corrections(ctx context.Context, id fleet.PointID, slot wire.SlotID) ([]fleet.Correction, error)
}

// slotProof is what stands behind the records of a slot, in words.
type slotProof struct {
	Plan        string // in force at the slot's start, by the device's journal
	PlanHash    string
	Used        string // plan versions that the records name
	Receipt     string // how many of the records the controller has countersigned
	Signed      bool   // all of them
	Corrections []correctionRow
	Outages     []outageRow
}

// correctionRow is one change of the settled verdict.
type correctionRow struct {
	At           string
	WasV, NowV   string
	Was, Now     string
	WasWhy, Why  string
	WasPlays, To int
}

// proofOf reads what stands behind records, and writes into rows, which are
// theirs, which receipt covers each.
func (s *Server) proofOf(ctx context.Context, v *visit, o fleet.Obligation, records []fleet.Record, rows []recordRow) (p slotProof, err error) {
	plan, err := s.o.Proofs.PlanInForce(ctx, o.Point, o.Start)
	switch {
	case fleet.CodeOf(err) == fleet.NotFound:
		p.Plan = v.L.T("slot.plan.none")
	case err != nil:
		return p, fmt.Errorf("reading the plan in force: %w", err)
	default:
		p.Plan = v.L.T("slot.plan", strconv.FormatUint(plan.Version, 10), v.L.Stamp(plan.Taken, v.Now), uint64(plan.Seq))
		p.PlanHash = plan.SHA256
	}
	p.Used = plansNamed(records)
	if err := s.receiptsOf(ctx, v, &p, records, rows); err != nil {
		return p, err
	}
	changes, err := s.o.Proofs.Corrections(ctx, o.Point, o.Slot)
	if err != nil {
		return p, fmt.Errorf("reading corrections: %w", err)
	}
	l := v.L
	for _, c := range changes {
		p.Corrections = append(p.Corrections, correctionRow{
			At: l.Stamp(c.At, v.Now), WasV: string(c.Was.Verdict), NowV: string(c.Now.Verdict), WasPlays: c.Was.PlaysOK, To: c.Now.PlaysOK,
			Was: l.T("verdict." + string(c.Was.Verdict)), Now: l.T("verdict." + string(c.Now.Verdict)), WasWhy: l.reason(c.Was.Reason), Why: l.reason(c.Now.Reason),
		})
	}
	outages, err := s.o.Figures.Outages(ctx, o.Start, o.End)
	if err != nil {
		return p, fmt.Errorf("reading outages: %w", err)
	}
	for _, a := range outages {
		p.Outages = append(p.Outages, l.outage(a, v.Now))
	}
	return p, nil
}

// plansNamed lists the plan versions that outcomes name, in order.
func plansNamed(records []fleet.Record) string {
	var versions []uint64
	for _, r := range records {
		if r.Kind != wire.RecordOutcome {
			continue
		}
		if o, err := r.Outcome(); err == nil && o.Plan > 0 {
			versions = append(versions, o.Plan)
		}
	}
	slices.Sort(versions)
	var words []string
	for _, n := range slices.Compact(versions) {
		words = append(words, strconv.FormatUint(n, 10))
	}
	return strings.Join(words, ", ")
}

// receiptsOf says which receipt covers each record.
func (s *Server) receiptsOf(ctx context.Context, v *visit, p *slotProof, records []fleet.Record, rows []recordRow) error {
	type journal struct {
		device wire.DeviceID
		log    wire.LogID
	}
	first := map[journal]wire.Seq{}
	for _, r := range records {
		j := journal{r.Device, r.Log}
		if seq, ok := first[j]; !ok || r.Seq < seq {
			first[j] = r.Seq
		}
	}
	receipts := map[journal][]fleet.Receipt{}
	for j, seq := range first {
		all, err := s.o.Proofs.ReceiptsFrom(ctx, j.device, j.log, seq)
		if err != nil {
			return fmt.Errorf("reading receipts: %w", err)
		}
		receipts[j] = all
	}
	signed := 0
	for i, r := range records {
		all := receipts[journal{r.Device, r.Log}]
		n, _ := slices.BinarySearchFunc(all, r.Seq, func(c fleet.Receipt, seq wire.Seq) int { return cmp.Compare(c.Upto, seq) })
		if n < len(all) {
			rows[i].Receipt = v.L.T("slot.receipt", strconv.FormatUint(all[n].Version, 10), all[n].Day)
			signed++
		}
	}
	switch p.Signed = signed == len(records) && signed > 0; {
	case len(records) == 0:
		p.Receipt = v.L.T("none")
	case p.Signed:
		p.Receipt = v.L.T("slot.receipt.all", signed)
	default:
		p.Receipt = v.L.T("slot.receipt.some", signed, len(records))
	}
	return nil
}
