package alert

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"gatecast/controller/fleet"
	"gatecast/controller/ledger"
	"gatecast/internal/wire"
)

// TestAlertsHoldEverySlotOnce gives gates any verdicts in any order, with
// corrections, connections that come and go, an office that was off, and looks
// at any time, on a real store. In the end no point has two open alerts of one
// trouble, no slot is in two, and none before its deadline; as nothing is held any
// more then, every slot that went wrong and is past its deadline is in exactly
// one, that of the last one is open unless something played after it, and an open
// alert has a slot that is still wrong and after which nothing played.
func TestAlertsHoldEverySlotOnce(t *testing.T) {
	const gates, slots, runs, steps = 2, 9, 12, 60
	w := newTestWorld(t, gates)
	for run := range runs {
		// Days of its own for each run, on one database.
		w.begin = w.begin.AddDate(0, 0, 20)
		w.now, w.outages = w.begin, nil
		w.owe(slots)
		dice := rand.New(rand.NewPCG(uint64(run), 7))
		for range steps {
			w.step(dice, slots)
		}
		w.now = w.now.Add(Return + 2*ledger.Grace)
		w.pass()
		w.complete(w.holds(), slots)
		for _, g := range w.gates { // all of it played after all
			for i := range slots {
				w.settle(w.slot(g, i), fleet.Played, "")
			}
		}
		w.pass()
		if open := w.alerts(fleet.ShowOpen); len(open) != 0 {
			t.Fatalf("open though everything played: %+v", open)
		}
		if t.Failed() {
			t.Fatalf("in run %d", run)
		}
	}
}

// step does what dice say: most often it gives some slot another verdict.
func (w *world) step(dice *rand.Rand, slots int) {
	w.t.Helper()
	g := w.gates[dice.IntN(len(w.gates))]
	switch dice.IntN(9) {
	default:
		verdicts := []fleet.Verdict{fleet.Played, fleet.Partial, fleet.Missed, fleet.Missed, fleet.Doubt, fleet.Doubt, fleet.Pending, fleet.Pending}
		v, reason := verdicts[dice.IntN(len(verdicts))], wire.Reason("")
		if v == fleet.Partial || v == fleet.Missed || v == fleet.Doubt {
			reason = []wire.Reason{wire.ReasonPower, wire.ReasonSilent, wire.ReasonOther}[dice.IntN(3)]
		}
		w.settle(w.slot(g, dice.IntN(slots)), v, reason)
	case 0, 1:
		w.now = w.now.Add(time.Duration(1+dice.IntN(400)) * time.Minute)
	case 2:
		w.connect(g, dice.IntN(2) == 0, []string{"output_fault", "plan_stale", "other"}[dice.IntN(3)])
	case 3:
		w.outages = append(w.outages, fleet.Outage{From: w.now.Add(-2 * time.Hour), To: w.now})
	case 4, 5:
		w.pass()
	}
}

func key(o fleet.Obligation) string { return fmt.Sprint(o.Point, " ", o.Slot) }

// holds checks what is true after any look, and returns which alert of the run
// has which slot.
func (w *world) holds() map[string]fleet.AlertID {
	in, open := map[string]fleet.AlertID{}, map[string]bool{}
	for _, a := range w.alerts("") {
		if a.Raised.Before(w.begin) {
			continue // of an earlier run
		}
		if k := fmt.Sprint(a.Point, " ", a.Trouble); a.Open() {
			if open[k] {
				w.t.Fatalf("two open alerts of %s", k)
			}
			open[k] = true
		}
		affected := w.file(a.ID).Affected
		for _, x := range affected {
			if in[key(x.Obligation)] != 0 {
				w.t.Fatalf("slot %s is in two alerts", x.Slot)
			}
			in[key(x.Obligation)] = a.ID
			if x.End.Add(ledger.Grace).After(w.now) {
				w.t.Fatalf("slot %s is in an alert before its deadline", x.Slot)
			}
		}
		if a.Slots != len(affected) {
			w.t.Fatalf("alert says %d slots and has %d", a.Slots, len(affected))
		}
	}
	return in
}

// complete checks that no slot which went wrong is forgotten, and no alert is
// open without need.
func (w *world) complete(in map[string]fleet.AlertID, slots int) {
	played := map[fleet.PointID]time.Time{}
	wrong := map[fleet.PointID]fleet.Obligation{} // the last one of each gate
	for _, g := range w.gates {
		for i := range slots {
			o, err := w.s.Obligation(w.t.Context(), g, w.slot(g, i).Slot)
			if err != nil {
				w.t.Fatal(err)
			}
			if o.Verdict == fleet.Played && o.Start.After(played[g]) {
				played[g] = o.Start
			}
			if due := !o.End.Add(ledger.Grace).After(w.now); due && o.Verdict.Wrong() && in[key(o)] == 0 {
				w.t.Fatalf("slot %s of gate %d is %q and in no alert", o.Slot, g, o.Verdict)
			} else if due && o.Verdict.Wrong() {
				wrong[g] = o
			}
		}
		if o, ok := wrong[g]; ok && !played[g].After(o.Start) && !w.file(in[key(o)]).Open() {
			w.t.Fatalf("nothing has played after slot %s of gate %d, and its alert is closed", o.Slot, g)
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
			w.t.Fatalf("alert %+v is open with %d bad slots, the last at %v; played at %v", a, bad, last, played[a.Point])
		}
	}
}
