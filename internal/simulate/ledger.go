package simulate

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// lookEvery is how often the ledger is looked at.
const lookEvery = 10 * time.Minute

// settled takes a verdict as it is committed: what claims more than sounded
// breaks I3 at once, for somebody may read it now.
func (w *World) settled(c *controller, o fleet.Obligation) {
	if w.office.present() != c {
		return // of a run that is dying: nobody sees it
	}
	w.trace.event("office", "settled %d %s: %s %s %s, %d ms of %d", o.Point, o.Slot, o.Verdict, o.Grade, o.Reason, o.SoundMS, o.PlannedMS)
	w.checkClaim(o)
}

// claimSlack is how much more than the truth a verdict may say: what is known
// of a play that was cut is rounded up to a second, and shares to a percent.
const claimSlack = 1500 * time.Millisecond

// checkClaim holds what a verdict claims against what sounded.
func (w *World) checkClaim(o fleet.Obligation) {
	share := w.truth.share(o)
	sounded := time.Duration(share * float64(o.PlannedMS) * float64(time.Millisecond))
	switch o.Verdict {
	case fleet.Played:
		if share < 0.79 {
			w.brokenBy(w.deviceAt(o.Point), "I3", "%s is settled as played, and %.0f %% of it sounded", o.Slot, 100*share)
		}
	case fleet.Partial, fleet.Doubt:
		if claimed := time.Duration(o.SoundMS) * time.Millisecond; claimed > sounded+claimSlack*time.Duration(o.Plays) {
			w.brokenBy(w.deviceAt(o.Point), "I3", "%s is settled with %s of sound, and %s sounded", o.Slot, claimed, sounded)
		}
	}
}

func (w *World) deviceAt(p fleet.PointID) *device {
	for i, q := range w.points {
		if p == q {
			return w.at(i)
		}
	}
	return nil
}

// look compares the ledger with what it was: a row that has begun stays for
// ever, and was there before it began (I3).
func (w *World) look() {
	w.agenda.add(time.Now().Add(lookEvery), w.look)
	c := w.office.present()
	w.lookForRevoked(c != nil)
	if c == nil {
		return
	}
	now := time.Now()
	w.confirm(c, now)
	local := now.In(w.zone())
	rows, err := c.store.Obligations(context.Background(), fleet.ObligationFilter{
		From: fleet.Day(local.AddDate(0, 0, -2).Format(time.DateOnly)), To: fleet.Day(local.AddDate(0, 0, 1).Format(time.DateOnly)),
	})
	if err != nil {
		w.broken("the simulator", "reading obligations: %v", err)
		return
	}
	w.truth.compare(rows, now)
	w.trace.event("office", "%d obligations", len(rows))
}

// confirm is the person who looks after the office once an hour: after a
// restore the devices that are ahead of the backup wait for a word.
func (w *World) confirm(c *controller, now time.Time) {
	if now.Sub(w.start)/lookEvery%6 != 0 {
		return
	}
	w.endSilence(c, now)
	n, err := c.store.ConfirmPlans(context.Background(), now)
	if err != nil {
		w.broken("the simulator", "confirming plans: %v", err)
		return
	}
	if n > 0 {
		w.trace.event("office", "plans of %d devices confirmed", n)
		c.planner.Poke()
	}
}

// lookForRevoked notes which ousted devices cannot ask the office now.
func (w *World) lookForRevoked(open bool) {
	for _, d := range w.devices {
		if _, gone := d.watch.ousted(); !gone {
			continue
		}
		d.mu.Lock()
		able := open && d.weather == weather{} && d.run != nil && d.run.running() != nil
		d.mu.Unlock()
		if !able {
			d.watch.mu.Lock()
			d.watch.hindered = time.Now()
			d.watch.mu.Unlock()
		}
	}
}

// compare takes the rows of the last days.
func (t *truth) compare(rows []fleet.Obligation, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	present := map[owedKey]bool{}
	for _, o := range rows {
		k := owedKey{o.Point, o.Slot}
		present[k] = true
		if o.Start.After(now) {
			continue
		}
		if _, known := t.seen[k]; !known && o.Start.Before(t.looked) {
			t.mu.Unlock()
			t.w.broken("I3", "%s of point %d was written after it had begun", o.Slot, o.Point)
			t.mu.Lock()
		}
		t.seen[k] = o
	}
	since := now.AddDate(0, 0, -1)
	for k, o := range t.seen {
		if o.Start.After(since) && !present[k] {
			t.mu.Unlock()
			t.w.broken("I3", "%s of point %d has begun and is gone from the ledger", k.slot, k.point)
			t.mu.Lock()
		}
	}
	t.looked = now
}

// activated notes that people changed what is owed.
func (t *truth) activated() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.changed = time.Now()
}

// rewind notes that the database is that of an earlier instant. What people
// did since, and what followed from it, is lost with it; everything else must
// come back.
func (t *truth) rewind(at time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.looked = time.Time{} // rows of a backup may be seen for the first time long after they began
	t.restored = true
	if !t.changed.After(at) {
		return
	}
	maps.DeleteFunc(t.seen, func(_ owedKey, o fleet.Obligation) bool { return o.Start.After(at) })
}

// replaced notes that nothing more may come from d: what it sounded and had
// not delivered is not known.
func (t *truth) replaced(d *device) {
	t.activated()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.moved = time.Now().Add(time.Minute) // the new one needs a moment to enrol
	t.harms[d.point] = append(t.harms[d.point], harm{time.Now().Add(-24 * time.Hour), time.Now().Add(time.Hour), "its device left"})
}

// accepted notes that d has taken over its point: a backup from before does not
// know it.
func (t *truth) accepted(d *device) {
	t.activated()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.moved = time.Now()
}

// judge holds the whole run against the invariants, after the settling time.
func (w *World) judge() {
	c := w.office.present()
	if w.fault != nil || c == nil {
		return
	}
	ctx := context.Background()
	if err := c.store.Check(ctx); err != nil {
		w.broken("I3", "the database does not hold together: %v", err)
	}
	rows, err := c.store.Obligations(ctx, fleet.ObligationFilter{})
	if err != nil {
		w.broken("the simulator", "reading obligations: %v", err)
		return
	}
	w.truth.compareAll(rows)
	for _, o := range rows {
		if o.Start.Before(time.Now()) {
			w.judgeRow(o)
		}
	}
	for i := range w.points {
		if d := w.at(i); d != nil {
			w.judgeDevice(c, d)
		}
	}
	w.judgeRecords(c)
}

// compareAll looks for any row that ever began.
func (t *truth) compareAll(rows []fleet.Obligation) {
	present := map[owedKey]bool{}
	for _, o := range rows {
		present[owedKey{o.Point, o.Slot}] = true
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	keys := slices.SortedFunc(maps.Keys(t.seen), func(a, b owedKey) int { return strings.Compare(string(a.slot), string(b.slot)) })
	for _, k := range keys {
		if !present[k] {
			t.w.broken("I3", "%s of point %d was owed and is gone from the ledger", k.slot, k.point)
			return
		}
	}
	if t.restored || !t.changed.IsZero() {
		return // a gate may sound what people have replaced meanwhile
	}
	keys = slices.SortedFunc(maps.Keys(t.sounded), func(a, b owedKey) int { return strings.Compare(string(a.slot), string(b.slot)) })
	for _, k := range keys {
		if !present[k] {
			t.w.broken("I3", "%s of point %d sounded and is not in the ledger", k.slot, k.point)
			return
		}
	}
}

// settleWithin is how long after its end a slot may wait for its verdict while
// nothing is wrong: the ledger's grace, a pass of it, and the records' way.
const settleWithin = 25 * time.Minute

// judgeRow holds one verdict against the truth.
func (w *World) judgeRow(o fleet.Obligation) {
	if o.End.Add(settleWithin).After(time.Now()) {
		return
	}
	w.mu.Lock()
	w.stats.Owed++
	if o.Verdict == fleet.Played {
		w.stats.Played++
	}
	w.mu.Unlock()
	d := w.deviceAt(o.Point)
	w.checkClaim(o)
	share := w.truth.share(o)
	harmed, silenced := w.truth.harmed(o), w.truth.silenced(o)
	if o.Verdict == fleet.Exempt && o.Reason == wire.ReasonMuted && !silenced {
		w.brokenBy(d, "I3", "%s is exempt by an order of silence that nobody gave", o.Slot)
	}
	switch {
	case o.Verdict == fleet.Due:
		w.brokenBy(d, "I3", "%s ended at %s and has no verdict", o.Slot, o.End.UTC().Format(time.DateTime))
	case o.Verdict == fleet.Pending:
		w.brokenBy(d, "I6", "%s is pending although its device is back", o.Slot)
	case o.Verdict == fleet.Played || o.Verdict == fleet.Exempt || harmed != "":
	case share > 0.99:
		w.brokenBy(d, "I3", "%s sounded whole and is settled as %s (%s)", o.Slot, o.Verdict, o.Reason)
	case share > 0.02 && o.Verdict == fleet.Missed:
		w.brokenBy(d, "I3", "%.0f %% of %s sounded and it is settled as missed (%s)", 100*share, o.Slot, o.Reason)
	case silenced && o.Reason == wire.ReasonMuted: // nobody stood up for it
	case o.Start.After(w.calm.Add(2 * time.Hour)):
		w.brokenBy(d, "I6", "%s is settled as %s (%s) long after the last fault", o.Slot, o.Verdict, o.Reason)
	}
}
