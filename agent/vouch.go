package agent

import (
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"gatecast/agent/condition"
	"gatecast/internal/evidence"
	"gatecast/internal/wire"
)

// zoned remembers the location of the plan's zone.
type zoned struct {
	mu   sync.Mutex
	name string
	loc  *time.Location
}

// zone returns where a new day begins for the journal: in the plan's zone, and
// in UTC while there is no plan.
func (a *App) zone() *time.Location {
	if a.plans == nil { // the journal is opened first
		return time.UTC
	}
	p, _, _, ok := a.plans.Current()
	if !ok {
		return time.UTC
	}
	a.zoned.mu.Lock()
	defer a.zoned.mu.Unlock()
	if a.zoned.name != p.Zone || a.zoned.loc == nil {
		loc, err := time.LoadLocation(p.Zone)
		if err != nil {
			loc = time.UTC // an accepted plan's zone loads
		}
		a.zoned.name, a.zoned.loc = p.Zone, loc
	}
	return a.zoned.loc
}

// Keep implements link.Receipts: it verifies a receipt of the controller,
// compares it with the journal and writes it there, so that neither side can
// change the past alone. One that is there already is nothing new.
func (a *App) Keep(envelope []byte) error {
	r, err := a.plans.VerifyReceipt(envelope)
	if err != nil {
		a.refused("receipt", err)
		return err
	}
	if r.Version <= a.journal.Receipt() {
		return nil
	}
	body := wire.ReceiptKept{Number: r.Version, Envelope: json.RawMessage(envelope)}
	raw, last, err := a.journal.Record(r.Log, r.Upto)
	switch {
	case err != nil:
		return err
	case raw != nil && evidence.Hash(raw) != r.Hash:
		body.Refused = fmt.Sprintf("record %d has hash %s here", r.Upto, evidence.Hash(raw))
	case raw == nil && last > 0 && last < r.Upto:
		body.Refused = fmt.Sprintf("the log ends at record %d here", last)
	}
	if body.Refused != "" {
		a.log.Error("receipt says something else than the journal", "log", r.Log, "upto", r.Upto, "receipt", r.Version, "refused", body.Refused)
		a.faults.Set(condition.RecordsDisputed, fmt.Sprintf("%s %d", r.Log, r.Upto))
	}
	if _, err := a.journal.Append(wire.RecordReceipt, a.clock.Now(), body); err != nil {
		return fmt.Errorf("keeping receipt %d: %w", r.Version, err)
	}
	a.link.Nudge()
	return nil
}
