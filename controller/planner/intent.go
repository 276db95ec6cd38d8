package planner

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// intentKey is the setting that holds the intent of a run under way.
const intentKey = fleet.SettingIntent

// begin makes durable that a run writes what active says as of now. Until it
// is cleared the run counts as unfinished.
func (p *Planner) begin(ctx context.Context, active []fleet.Programme, now time.Time) error {
	in := fleet.PlanIntent{AtUS: wire.US(now)}
	for _, a := range active {
		in.Programmes = append(in.Programmes, a.ID)
	}
	text, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("encoding intent: %w", err)
	}
	if err := p.o.Ledger.SetSetting(ctx, intentKey, string(text)); err != nil {
		return fmt.Errorf("keeping intent: %w", err)
	}
	return nil
}

// Finish writes what a run that was cut short, or a restore, left unwritten.
// Call it before anything is settled: it may still withdraw slots that were
// replaced before they began.
func (p *Planner) Finish(ctx context.Context, now time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	w, err := p.load(ctx, now)
	if err != nil {
		return err
	}
	return p.finish(ctx, w, now)
}

// finish does again, as of its own time, what the unfinished run had to write.
// Rows that it wrote are found as they are. p.mu is held.
func (p *Planner) finish(ctx context.Context, w *world, now time.Time) error {
	text, err := p.o.Ledger.Setting(ctx, intentKey)
	if err != nil {
		return fmt.Errorf("reading intent: %w", err)
	}
	if text == "" {
		return nil
	}
	var in fleet.PlanIntent
	if err := json.Unmarshal([]byte(text), &in); err != nil {
		return fmt.Errorf("reading intent %q: %w", text, err)
	}
	var active []fleet.Programme
	for _, id := range in.Programmes {
		a, err := p.o.Content.Programme(ctx, id)
		if err != nil {
			return fmt.Errorf("reading programme of the intent: %w", err)
		}
		active = append(active, a)
	}
	// A restore may lie further back than one horizon reaches.
	step := time.Duration(p.o.HorizonDays) * 24 * time.Hour
	for at := wire.FromUS(in.AtUS); at.Before(now); at = at.Add(step - 24*time.Hour) {
		if err := p.writeAsOf(ctx, w, active, at, in.Restored); err != nil {
			return err
		}
	}
	if in.Restored {
		p.reseal = true
		if err := p.ensureManifest(ctx, w, now); err != nil {
			return err
		}
	}
	if err := p.o.Ledger.SetSetting(ctx, intentKey, ""); err != nil {
		return fmt.Errorf("ending an earlier run: %w", err)
	}
	p.o.Logger.Info("finished an earlier planning run", "at", wire.FromUS(in.AtUS), "restored", in.Restored)
	return nil
}

// writeAsOf writes the obligations that a run at that time would have written:
// those of points whose device was given that run's plan, or of all.
func (p *Planner) writeAsOf(ctx context.Context, w *world, active []fleet.Programme, at time.Time, all bool) error {
	plans, sum, err := p.compile(ctx, w, active, at)
	if err != nil {
		return fmt.Errorf("planning as of %s: %w", at.UTC().Format(time.RFC3339), err)
	}
	given := plans[:0]
	for _, pp := range plans {
		same := all || pp.plan == nil
		if !same {
			if same, err = p.sameAsWanted(ctx, pp); err != nil {
				return err
			}
		}
		if same {
			given = append(given, pp)
		}
	}
	return p.writeOwed(ctx, given, at, at, sum.To, farChunk)
}
