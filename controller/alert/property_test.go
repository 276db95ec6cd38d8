package alert

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"gatecast/controller/fleet"
	"gatecast/controller/ledger"
	"gatecast/internal/wire"
)

// TestAlertsHoldEverySlotOnce gives gates any verdicts in any order, with
// corrections, connections that come and go, an office that was off, and looks
// at any time, on a real store. After each look no point has two open alerts
// of one trouble, no slot is in two, and none before its deadline; once nothing
// is held any more, every slot that went wrong and is past its deadline is in
// exactly one, and an open alert has a slot that is still wrong and after which
// nothing played.
func TestAlertsHoldEverySlotOnce(t *testing.T) {
	const gates, slots = 2, 9
	w := newTestWorld(t, gates)
	rapid.Check(t, func(rt *rapid.T) {
		// Days of its own for each run, on one database.
		w.begin = w.begin.AddDate(0, 0, 20)
		w.now, w.outages = w.begin, nil
		w.owe(slots)
		for range rapid.IntRange(1, 25).Draw(rt, "steps") {
			g := rapid.SampledFrom(w.gates).Draw(rt, "gate")
			switch rapid.SampledFrom([]string{"settle", "settle", "settle", "time", "look", "connect", "outage"}).Draw(rt, "step") {
			case "settle":
				v := rapid.SampledFrom([]fleet.Verdict{fleet.Played, fleet.Played, fleet.Partial, fleet.Missed, fleet.Doubt, fleet.Pending}).Draw(rt, "verdict")
				reason := wire.Reason("")
				if v == fleet.Partial || v == fleet.Missed || v == fleet.Doubt {
					reason = rapid.SampledFrom([]wire.Reason{wire.ReasonPower, wire.ReasonSilent, wire.ReasonOther}).Draw(rt, "reason")
				}
				w.settle(w.slot(g, rapid.IntRange(0, slots-1).Draw(rt, "slot")), v, reason)
			case "time":
				w.now = w.now.Add(time.Duration(rapid.IntRange(1, 600).Draw(rt, "minutes")) * time.Minute)
			case "connect":
				w.connect(g, rapid.Bool().Draw(rt, "connected"), rapid.SampledFrom([]string{"output_fault", "plan_stale", "other"}).Draw(rt, "condition"))
			case "outage":
				w.outages = append(w.outages, fleet.Outage{From: w.now.Add(-2 * time.Hour), To: w.now})
			case "look":
				w.pass()
				w.holds(rt)
			}
		}
		w.now = w.now.Add(Return + 2*ledger.Grace)
		w.pass()
		w.complete(rt, w.holds(rt), slots)
		for _, g := range w.gates { // all of it played after all
			for i := range slots {
				w.settle(w.slot(g, i), fleet.Played, "")
			}
		}
		w.pass()
		if open := w.alerts(fleet.ShowOpen); len(open) != 0 {
			rt.Fatalf("open though everything played: %+v", open)
		}
	})
}

func key(o fleet.Obligation) string { return fmt.Sprint(o.Point, " ", o.Slot) }

// holds checks what is true after any look, and returns which alert of the run
// has which slot.
func (w *world) holds(rt *rapid.T) map[string]fleet.AlertID {
	in, open := map[string]fleet.AlertID{}, map[string]bool{}
	for _, a := range w.alerts("") {
		if a.Raised.Before(w.begin) {
			continue // of an earlier run
		}
		if k := fmt.Sprint(a.Point, " ", a.Trouble); a.Open() {
			if open[k] {
				rt.Fatalf("two open alerts of %s", k)
			}
			open[k] = true
		}
		affected := w.file(a.ID).Affected
		for _, x := range affected {
			if in[key(x.Obligation)] != 0 {
				rt.Fatalf("slot %s is in two alerts", x.Slot)
			}
			in[key(x.Obligation)] = a.ID
			if x.End.Add(ledger.Grace).After(w.now) {
				rt.Fatalf("slot %s is in an alert before its deadline", x.Slot)
			}
		}
		if a.Slots != len(affected) {
			rt.Fatalf("alert says %d slots and has %d", a.Slots, len(affected))
		}
	}
	return in
}

// complete checks that no slot which went wrong is forgotten, and no alert is
// open without need.
func (w *world) complete(rt *rapid.T, in map[string]fleet.AlertID, slots int) {
	played := map[fleet.PointID]time.Time{}
	for _, g := range w.gates {
		for i := range slots {
			o, err := w.s.Obligation(w.t.Context(), g, w.slot(g, i).Slot)
			if err != nil {
				rt.Fatal(err)
			}
			if o.Verdict == fleet.Played && o.Start.After(played[g]) {
				played[g] = o.Start
			}
			if due := !o.End.Add(ledger.Grace).After(w.now); due && o.Verdict.Wrong() && in[key(o)] == 0 {
				rt.Fatalf("slot %s of gate %d is %q and in no alert", o.Slot, g, o.Verdict)
			}
		}
	}
	for _, a := range w.alerts(fleet.ShowOpen) {
		bad, last := 0, time.Time{}
		for _, x := range w.file(a.ID).Affected {
			if x.Verdict.Wrong() {
				bad, last = bad+1, x.Start
			}
		}
		if bad == 0 || bad != a.Bad || played[a.Point].After(last) {
			rt.Fatalf("alert %+v is open with %d bad slots, the last at %v; played at %v", a, bad, last, played[a.Point])
		}
	}
}
