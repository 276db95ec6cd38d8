package web

import (
	"context"
	"fmt"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// maxProgress bounds how many running slots a page reads the records of; at
// the rest it shows that they run, not how far they are.
const maxProgress = 200

// progress fills in what is proved so far of the slots that have begun and are
// not settled: the ledger decides only when a slot is over.
func (s *Server) progress(ctx context.Context, rows []fleet.Obligation, now time.Time) error {
	n := 0
	for i := range rows {
		o := &rows[i]
		if o.Verdict != fleet.Due || o.Start.After(now) {
			continue
		}
		if n++; n > maxProgress {
			return nil
		}
		records, err := s.o.Ledger.RecordsOfSlot(ctx, o.Point, o.Slot)
		if err != nil {
			return fmt.Errorf("reading records: %w", err)
		}
		for _, r := range records {
			if r.Kind != wire.RecordOutcome {
				continue
			}
			out, err := r.Outcome()
			if err != nil {
				continue // shown on the slot's page as what it is
			}
			if out.Result == wire.PlayPlayed {
				o.PlaysOK++
			}
			o.SoundMS += out.SoundMS
			o.Demo = o.Demo || out.Demo
		}
	}
	return nil
}
