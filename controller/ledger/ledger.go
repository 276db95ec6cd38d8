// Package ledger settles what is owed: it reads the records that devices
// delivered, in the order of their commit, and gives each obligation exactly
// one verdict with reason and grade.
//
// Decide is the rule; Ledger applies it. An obligation is settled as soon as
// all of its plays are reported, and otherwise at its end + Grace; pending
// ones are settled when their device has come back, and a settled one changes
// only by better evidence, which the store keeps as a correction. The position
// in the records is kept in the store after the verdicts are, so that a crash
// in between repeats work and loses none: settling is idempotent.
//
// Evidence that is lost for good settles, too: a slot whose records lie in a gap
// of the journal is Doubt with reason lost, and one that only a plan nobody has
// any more could explain is Doubt with reason replanned; see Decide. A device
// counts as having reported when its present journal, and every one before it
// that it still keeps, are here whole.
package ledger

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// Evidence is what devices delivered and what is known of them.
type Evidence interface {
	RecordsAfter(ctx context.Context, cursor int64, limit int) ([]fleet.Record, error)
	RecordsOfSlot(ctx context.Context, p fleet.PointID, slot wire.SlotID) ([]fleet.Record, error)
	MachineRecords(ctx context.Context, p fleet.PointID, from, to time.Time) ([]fleet.Record, error)
	DevicesOfPoint(ctx context.Context, p fleet.PointID) ([]fleet.Device, error)
	AckState(ctx context.Context, id wire.DeviceID, log wire.LogID) (wire.Ack, error)
}

// Losses is what nobody can tell any more.
type Losses interface {
	Gaps(ctx context.Context, p fleet.PointID) ([]fleet.Gap, error)
	UnknownPlans(ctx context.Context, p fleet.PointID) ([]fleet.UnknownPlan, error)
}

// Book is where obligations stand.
type Book interface {
	Obligation(ctx context.Context, p fleet.PointID, slot wire.SlotID) (fleet.Obligation, error)
	Obligations(ctx context.Context, f fleet.ObligationFilter) ([]fleet.Obligation, error)
	DueToSettle(ctx context.Context, before time.Time, limit int) ([]fleet.Obligation, error)
	PendingPoints(ctx context.Context) ([]fleet.OpenPoint, error)
	Settle(ctx context.Context, all []fleet.Settlement, now time.Time) ([]fleet.Obligation, error)
}

// Settings keeps the ledger's position.
type Settings interface {
	Setting(ctx context.Context, key string) (string, error)
	SetSetting(ctx context.Context, key, value string) error
}

// Mutes knows the orders of silence.
type Mutes interface {
	// MutesOf returns those that held at a point, in any order.
	MutesOf(ctx context.Context, p fleet.PointID) ([]fleet.Mute, error)
}

// Store is all that the ledger needs of the store.
type Store interface {
	Evidence
	Losses
	Book
	Settings
}

// Options configures New. Store is required.
type Options struct {
	Store     Store
	Mutes     Mutes                  // what was silenced by order; nil means nothing ever was
	Witnesses Witnesses              // what people heard; nil means that nobody listens
	Clock     func() time.Time       // nil means time.Now
	Logger    *slog.Logger           // nil discards
	Every     time.Duration          // between looks at what time alone decides; 0 means 15 s
	Delay     time.Duration          // from Poke to settling; 0 means 200 ms
	OnEvent   func(fleet.Event)      // told of records and verdicts; must not block; may be nil
	OnSettled func(fleet.Obligation) // told of each obligation that changed, after its commit; must not block; may be nil
}

// Ledger settles obligations while Run runs.
type Ledger struct {
	o    Options
	poke chan struct{}
}

// New returns a ledger that does nothing until Run or Pass.
func New(o Options) (*Ledger, error) {
	if o.Store == nil {
		return nil, errors.New("ledger: Store is required")
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Every <= 0 {
		o.Every = 15 * time.Second
	}
	if o.Delay <= 0 {
		// A burst from every gate is acked first and then settled together.
		o.Delay = 200 * time.Millisecond
	}
	if o.OnEvent == nil {
		o.OnEvent = func(fleet.Event) {}
	}
	if o.OnSettled == nil {
		o.OnSettled = func(fleet.Obligation) {}
	}
	return &Ledger{o: o, poke: make(chan struct{}, 1)}, nil
}

// Poke says that records were committed. It never blocks.
func (l *Ledger) Poke() {
	select {
	case l.poke <- struct{}{}:
	default: // a pass is coming
	}
}

// Run settles until ctx ends. What fails is logged and tried again: the
// ledger goes on when the store does.
func (l *Ledger) Run(ctx context.Context) error {
	tick := time.NewTicker(l.o.Every)
	defer tick.Stop()
	timed := true
	for {
		err := l.pass(ctx, timed)
		if ctx.Err() != nil {
			return nil //nolint:nilerr // asked to stop
		}
		if err != nil {
			l.o.Logger.Error("settling", "err", err)
		}
		select {
		case <-l.poke:
			timed = false
			wait := time.NewTimer(l.o.Delay)
			select {
			case <-wait.C:
			case <-ctx.Done():
				wait.Stop()
				return nil
			}
		case <-tick.C:
			timed = true
		case <-ctx.Done():
			return nil
		}
	}
}

// Pass settles all that can be settled now.
func (l *Ledger) Pass(ctx context.Context) error { return l.pass(ctx, true) }

func (l *Ledger) pass(ctx context.Context, timed bool) error {
	if err := l.readRecords(ctx); err != nil {
		return err
	}
	if err := l.Observed(ctx); err != nil {
		return err
	}
	if !timed {
		return nil
	}
	if err := l.settleDue(ctx); err != nil {
		return err
	}
	return l.settlePending(ctx)
}

// cursorKey is the setting that holds the id of the last record read.
const cursorKey = "ledger.cursor"

// batch is how many records or obligations are looked at together.
const batch = 1000

type slotKey struct {
	point fleet.PointID
	slot  wire.SlotID
}

// readRecords settles the slots that new records are about.
func (l *Ledger) readRecords(ctx context.Context) error {
	text, err := l.o.Store.Setting(ctx, cursorKey)
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
		recs, err := l.o.Store.RecordsAfter(ctx, cursor, batch)
		if err != nil || len(recs) == 0 {
			return err
		}
		touched := map[slotKey]bool{}
		points := map[fleet.PointID]bool{}
		for _, r := range recs {
			points[r.Point] = true
			if r.Kind != wire.RecordOutcome {
				continue
			}
			o, err := r.Outcome()
			if err != nil { // the store takes none that it cannot read
				l.o.Logger.Warn("leaving out a record", "err", err)
				continue
			}
			touched[slotKey{r.Point, o.Slot}] = true
		}
		if err := l.settleTouched(ctx, touched); err != nil {
			return err
		}
		cursor = recs[len(recs)-1].ID
		if err := l.o.Store.SetSetting(ctx, cursorKey, strconv.FormatInt(cursor, 10)); err != nil {
			return fmt.Errorf("keeping position: %w", err)
		}
		for p := range points {
			l.o.OnEvent(fleet.Event{Kind: fleet.EventRecord, Point: p})
		}
	}
}

func (l *Ledger) settleTouched(ctx context.Context, touched map[slotKey]bool) error {
	var owed []fleet.Obligation
	for k := range touched {
		o, err := l.o.Store.Obligation(ctx, k.point, k.slot)
		switch code := fleet.CodeOf(err); {
		case err == nil:
			owed = append(owed, o)
		case code == fleet.NotFound || code == fleet.Invalid:
			l.o.Logger.Debug("played but not owed", "point", k.point, "slot", k.slot)
		default:
			return err
		}
	}
	_, err := l.settle(ctx, owed)
	return err
}

// settleDue decides what has waited long enough.
func (l *Ledger) settleDue(ctx context.Context) error {
	for {
		owed, err := l.o.Store.DueToSettle(ctx, l.o.Clock().Add(-Grace), batch)
		if err != nil || len(owed) == 0 {
			return err
		}
		changed, err := l.settle(ctx, owed)
		if err != nil || changed == 0 || len(owed) < batch {
			return err
		}
	}
}

// settlePending decides what waited for a device that has come back.
func (l *Ledger) settlePending(ctx context.Context) error {
	points, err := l.o.Store.PendingPoints(ctx)
	if err != nil {
		return err
	}
	for _, p := range points {
		devices, err := l.devices(ctx, p.Point)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(devices, func(d deviceState) bool { return d.gone || d.reportedTo.After(p.Earliest) }) {
			continue
		}
		owed, err := l.o.Store.Obligations(ctx, fleet.ObligationFilter{Point: p.Point, Verdict: fleet.Pending})
		if err != nil {
			return err
		}
		if _, err := l.settle(ctx, owed); err != nil {
			return err
		}
	}
	return nil
}

// settle decides about each of owed, writes it and tells of what changed.
func (l *Ledger) settle(ctx context.Context, owed []fleet.Obligation) (changed int, err error) {
	now := l.o.Clock()
	var all []fleet.Settlement
	for _, o := range owed {
		st, err := l.decide(ctx, o, now)
		if err != nil {
			return 0, fmt.Errorf("slot %q of point %d: %w", o.Slot, o.Point, err)
		}
		if st.Verdict != fleet.Due {
			all = append(all, st)
		}
	}
	if len(all) == 0 {
		return 0, nil
	}
	done, err := l.o.Store.Settle(ctx, all, now)
	slices.SortFunc(done, func(a, b fleet.Obligation) int {
		return cmp.Or(a.Start.Compare(b.Start), cmp.Compare(a.Point, b.Point))
	})
	for _, o := range done {
		l.o.OnSettled(o)
		l.o.OnEvent(fleet.Event{Kind: fleet.EventVerdict, Point: o.Point})
	}
	return len(done), err
}

// Reconsider settles anew what silence by order has cost since then, after such
// an order was approved.
func (l *Ledger) Reconsider(ctx context.Context, since time.Time) error {
	from := fleet.Day(since.Add(-24 * time.Hour).UTC().Format(time.DateOnly)) // a local day may lie beside that of UTC
	for _, v := range []fleet.Verdict{fleet.Missed, fleet.Partial} {
		rows, err := l.o.Store.Obligations(ctx, fleet.ObligationFilter{From: from, Verdict: v})
		if err != nil {
			return err
		}
		rows = slices.DeleteFunc(rows, func(o fleet.Obligation) bool { return o.Reason != wire.ReasonMuted })
		if _, err := l.settle(ctx, rows); err != nil {
			return err
		}
	}
	return nil
}

// decide gathers the evidence of one obligation.
func (l *Ledger) decide(ctx context.Context, o fleet.Obligation, now time.Time) (fleet.Settlement, error) {
	recs, err := l.o.Store.RecordsOfSlot(ctx, o.Point, o.Slot)
	if err != nil {
		return fleet.Settlement{}, err
	}
	var outcomes []wire.Outcome
	var from []wire.DeviceID
	for _, r := range recs {
		if r.Kind != wire.RecordOutcome {
			continue
		}
		out, err := r.Outcome()
		if err != nil {
			return fleet.Settlement{}, err
		}
		outcomes, from = append(outcomes, out), append(from, r.Device)
	}
	view, err := l.view(ctx, o, len(outcomes) < o.Plays)
	if err != nil {
		return fleet.Settlement{}, err
	}
	if view.Silenced, err = l.silenced(ctx, o, outcomes); err != nil {
		return fleet.Settlement{}, err
	}
	if len(from) > 0 && !slices.Contains(from, view.ID) {
		view.ID = slices.Min(from) // played before it was replaced
	}
	var seen []fleet.Observation
	if l.o.Witnesses != nil {
		if seen, err = l.o.Witnesses.ObservationsOfSlot(ctx, o.Point, o.Slot); err != nil {
			return fleet.Settlement{}, err
		}
	}
	return Decide(o, outcomes, view, now, seen...), nil
}
