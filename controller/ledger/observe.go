package ledger

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// Witnesses know what people heard.
type Witnesses interface {
	// ObservationsOfSlot returns what was heard of a slot and not taken back.
	ObservationsOfSlot(ctx context.Context, p fleet.PointID, slot wire.SlotID) ([]fleet.Observation, error)
	// ObservedAfter returns the slots that observations and withdrawals after
	// cursor are about, and the cursor behind them.
	ObservedAfter(ctx context.Context, cursor int64, limit int) ([]fleet.ObservedSlot, int64, error)
}

// overheard is how long a play has to sound while somebody listens before their
// not hearing it says anything; a shorter play has to sound whole.
const overheard = 10 * time.Second

// weigh takes what people heard into d, the settlement by the evidence of the
// device alone.
func weigh(o fleet.Obligation, t tally, dev DeviceView, d fleet.Settlement, seen []fleet.Observation) fleet.Settlement {
	switch d.Verdict {
	case fleet.Played, fleet.Partial:
		if slices.ContainsFunc(seen, func(s fleet.Observation) bool { return !s.Heard && t.claims(s) }) {
			d.Verdict, d.Grade, d.Reason, d.Note = fleet.Doubt, fleet.GradeC, wire.ReasonSilent, fleet.NoteUnheard
		}
	case fleet.Missed, fleet.Pending, fleet.Doubt:
		if len(t.plays) > 0 || dev.Bound && !dev.Gone && dev.reported(o) && d.Verdict == fleet.Missed {
			return d
		}
		heard := heardOf(o, seen)
		if heard <= 0 {
			return d
		}
		d.Verdict, d.Grade, d.Reason, d.Note = fleet.Partial, fleet.GradeC, wire.ReasonOther, fleet.NoteHeard
		if heard*100 >= o.End.Sub(o.Start)*enoughPct {
			d.Verdict, d.Reason = fleet.Played, ""
		}
	}
	return d
}

// claims reports whether a play sounded, as the device has it, while somebody
// listened.
func (t tally) claims(s fleet.Observation) bool {
	for _, p := range t.plays {
		if p.SoundMS <= 0 || p.StartedUS <= 0 {
			continue
		}
		from := wire.FromUS(p.StartedUS)
		long := time.Duration(p.SoundMS) * time.Millisecond
		if overlap(from, from.Add(long), s.From, s.To) >= min(overheard, long) {
			return true
		}
	}
	return false
}

// heardOf is how much of the slot of o lies in times at whose end somebody had
// heard the point, each moment counted once.
func heardOf(o fleet.Obligation, seen []fleet.Observation) time.Duration {
	all := slices.DeleteFunc(slices.Clone(seen), func(s fleet.Observation) bool { return !s.Heard })
	slices.SortFunc(all, func(a, b fleet.Observation) int { return cmp.Or(a.From.Compare(b.From), a.To.Compare(b.To)) })
	var sum time.Duration
	at := o.Start
	for _, s := range all {
		if s.From.After(at) {
			at = s.From
		}
		if d := overlap(at, o.End, s.From, s.To); d > 0 {
			sum, at = sum+d, at.Add(d)
		}
	}
	return sum
}

func overlap(aFrom, aTo, bFrom, bTo time.Time) time.Duration {
	if bFrom.After(aFrom) {
		aFrom = bFrom
	}
	if bTo.Before(aTo) {
		aTo = bTo
	}
	return aTo.Sub(aFrom)
}

// observedKey is the setting that holds the id of the last observation read.
const observedKey = "ledger.observed"

// Observed settles the slots that people heard, or took back, since it was
// asked last. Settling is idempotent: asking twice, or beside Run, does no harm.
func (l *Ledger) Observed(ctx context.Context) error {
	if l.o.Witnesses == nil {
		return nil
	}
	text, err := l.o.Store.Setting(ctx, observedKey)
	if err != nil {
		return fmt.Errorf("reading position: %w", err)
	}
	var cursor int64
	if text != "" {
		if cursor, err = strconv.ParseInt(text, 10, 64); err != nil {
			return fmt.Errorf("reading position: %w", err)
		}
	}
	for {
		slots, next, err := l.o.Witnesses.ObservedAfter(ctx, cursor, batch)
		if err != nil || len(slots) == 0 {
			return err
		}
		touched := map[slotKey]bool{}
		for _, s := range slots {
			touched[slotKey{s.Point, s.Slot}] = true
		}
		if err := l.settleTouched(ctx, touched); err != nil {
			return err
		}
		cursor = next
		if err := l.o.Store.SetSetting(ctx, observedKey, strconv.FormatInt(cursor, 10)); err != nil {
			return fmt.Errorf("keeping position: %w", err)
		}
	}
}
