package planner

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// dying is a ledger at which the process ends: it refuses everything once
// rows that start later than a time are to be written.
type dying struct {
	Ledger
	after time.Time
	dead  bool
}

var errDead = errors.New("the process has ended")

func (d *dying) PutObligations(ctx context.Context, w fleet.PlanWindow, owed []fleet.Obligation, now time.Time) (fleet.PutResult, error) {
	if d.dead || !w.From.Before(d.after) {
		d.dead = true
		return fleet.PutResult{}, errDead
	}
	return d.Ledger.PutObligations(ctx, w, owed, now)
}

func (d *dying) SetSetting(ctx context.Context, key, value string) error {
	if d.dead {
		return errDead
	}
	return d.Ledger.SetSetting(ctx, key, value)
}

// obligations returns everything that pt owes without what settling sets.
func (w *testOffice) obligations(t testing.TB, pt fleet.Point, to time.Time) (all []fleet.Obligation) {
	t.Helper()
	rows, err := w.store.Obligations(t.Context(), fleet.ObligationFilter{Point: pt.ID})
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range rows {
		if o.Start.Before(to) {
			all = append(all, o)
		}
	}
	return all
}

// TestCrashBetweenOfferAndObligations ends the process after plans were
// offered and before the rest of their obligations were written, and starts it
// days later: nothing that devices played by those plans is without its row,
// and what the programme before had owed instead is not owed. The world without
// the crash is the yardstick.
func TestCrashBetweenOfferAndObligations(t *testing.T) {
	for _, days := range []int{0, 2, 70} {
		t.Run(fmt.Sprintf("%d_days_later", days), func(t *testing.T) {
			run := func(crash bool) []fleet.Obligation {
				w := newTestPlanner(t)
				pt, _ := w.enrol(t, "SL-01-01", t0)
				w.activate(t, fmt.Sprintf(evening, "18:00", "18:30"), t0.Add(-time.Hour))
				at := t0.Add(time.Hour)
				yaml := fmt.Sprintf(evening, "17:00", "17:40") + `  - {key: morning, name: 早, start: "09:00", until: "09:30", playlist: [laonian]}` + "\n"
				prog, problems := w.upload(t, yaml, at)
				if prog.ID == 0 {
					t.Fatalf("Upload refused: %+v", problems)
				}
				if crash {
					w.Planner.o.Ledger = &dying{Ledger: w.store, after: at.Add(nearWindow)}
				}
				w.offered = nil
				_, err := w.Activate(t.Context(), prog.ID, at)
				if crash != (err != nil) || len(w.offered) != 1 {
					t.Fatalf("Activate: %v, offered %v", err, w.offered)
				}
				later := at.AddDate(0, 0, days).Add(7 * time.Hour)
				p := w.restart(t)
				if err := p.Finish(t.Context(), later); err != nil {
					t.Fatal(err)
				}
				if _, err := p.Replan(t.Context(), later); err != nil {
					t.Fatal(err)
				}
				if text, err := w.store.Setting(t.Context(), intentKey); err != nil || text != "" {
					t.Errorf("intent %q, %v is left", text, err)
				}
				// Beyond one horizon nobody had planned anything.
				return w.obligations(t, pt, at.AddDate(0, 0, min(days+5, DefaultHorizonDays-1)))
			}
			want, got := run(false), run(true)
			if len(want) < 4 {
				t.Fatalf("only %d rows to compare", len(want))
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("rows (-without +with a crash):\n%s", diff)
			}
		})
	}
}

// TestUnfinishedRunIsFinishedByTheNext: also when the process lives on and the
// next run is another activation.
func TestUnfinishedRunIsFinishedByTheNext(t *testing.T) {
	w := newTestPlanner(t)
	pt, _ := w.enrol(t, "SL-01-01", t0)
	prog, _ := w.upload(t, fmt.Sprintf(evening, "18:00", "18:30"), t0)
	w.Planner.o.Ledger = &dying{Ledger: w.store, after: t0.Add(nearWindow)}
	if _, err := w.Activate(t.Context(), prog.ID, t0); err == nil {
		t.Fatal("the ledger did not fail")
	}
	w.Planner.o.Ledger = w.store
	later := t0.AddDate(0, 0, 2)
	w.activate(t, fmt.Sprintf(evening, "19:00", "19:30"), later)
	want := []string{
		"2026-11-23.gates.evening due", "2026-11-24.gates.noon due", "2026-11-24.gates.evening due",
		"2026-11-25.gates.noon due", "2026-11-25.gates.evening due",
	}
	if diff := cmp.Diff(want, w.slots(t, pt, fleet.ObligationFilter{To: "2026-11-25"})); diff != "" {
		t.Errorf("owed (-want +got):\n%s", diff)
	}
}

// TestAwaitedDevicesGetNoPlan: after a restore a device gets plans again when
// it has said what it has, above that, and one with a newer plan only after a
// person's word.
func TestAwaitedDevicesGetNoPlan(t *testing.T) {
	w := newTestPlanner(t)
	pt, id := w.enrol(t, "SL-01-01", t0)
	w.activate(t, fmt.Sprintf(evening, "18:00", "18:30"), t0)
	manifest := func() uint64 {
		doc, err := w.store.LatestDoc(t.Context(), "", wire.DocManifest)
		if err != nil {
			t.Fatal(err)
		}
		return doc.Version
	}
	before := manifest()
	if err := w.store.MarkRestored(t.Context(), fleet.Restore{At: t0.AddDate(0, 0, 3), Backup: t0, File: "monday.backup", By: "root"}); err != nil {
		t.Fatal(err)
	}
	now := t0.AddDate(0, 0, 3).Add(time.Hour)
	p := w.restart(t)
	replan := func() uint64 {
		t.Helper()
		w.offered = nil
		if _, err := p.Replan(t.Context(), now); err != nil {
			t.Fatal(err)
		}
		d, err := w.store.Device(t.Context(), id)
		if err != nil || (len(w.offered) > 0) != (d.Awaiting == fleet.AwaitNothing) {
			t.Errorf("awaiting %q, offered %v, %v", d.Awaiting, w.offered, err)
		}
		return d.WantVersion
	}
	if v := replan(); v != 1 {
		t.Errorf("a device that did not come back is to have plan %d", v)
	}
	if got := manifest(); got <= before {
		t.Errorf("manifest %d after the restore, %d before", got, before)
	}
	if n := len(w.slots(t, pt, fleet.ObligationFilter{From: "2026-11-26", To: "2026-11-27"})); n != 4 {
		t.Errorf("%d slots owed in the next days, want 4", n)
	}
	state := wire.State{Session: 9, Online: true, PlanVersion: 7, PlanSHA256: "newer"}
	if d, err := w.store.SaveHello(t.Context(), id, wire.Hello{Session: 9, State: state}, now); err != nil || d.Awaiting != fleet.AwaitConfirm {
		t.Fatalf("SaveHello = %+v, %v", d, err)
	}
	if v := replan(); v != 1 {
		t.Errorf("a device that waits for a person is to have plan %d", v)
	}
	if n, err := w.store.ConfirmPlans(t.Context(), now); err != nil || n != 1 {
		t.Fatalf("ConfirmPlans = %d, %v", n, err)
	}
	if v := replan(); v != 8 {
		t.Errorf("after the confirmation it is to have plan %d, want 8", v)
	}
	unknown, err := w.store.UnknownPlans(t.Context(), pt.ID)
	if err != nil || len(unknown) != 0 { // it has not delivered a record of any
		t.Errorf("UnknownPlans = %+v, %v", unknown, err)
	}
}

// TestDeviceThatIsNotNewerGoesOnByItself after a restore.
func TestDeviceThatIsNotNewerGoesOnByItself(t *testing.T) {
	w := newTestPlanner(t)
	_, id := w.enrol(t, "SL-01-01", t0)
	w.activate(t, fmt.Sprintf(evening, "18:00", "18:30"), t0)
	plan, err := w.store.Device(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.store.MarkRestored(t.Context(), fleet.Restore{At: t0.AddDate(0, 0, 3), Backup: t0}); err != nil {
		t.Fatal(err)
	}
	now := t0.AddDate(0, 0, 3)
	state := wire.State{Session: 9, Online: true, PlanVersion: plan.WantVersion, PlanSHA256: plan.WantHash}
	d, err := w.store.SaveHello(t.Context(), id, wire.Hello{Session: 9, State: state}, now)
	if err != nil || d.Awaiting != fleet.AwaitNothing {
		t.Fatalf("SaveHello = %+v, %v", d, err)
	}
	if _, err := w.restart(t).Replan(t.Context(), now); err != nil {
		t.Fatal(err)
	}
	if d, err := w.store.Device(t.Context(), id); err != nil || d.WantVersion != 2 {
		t.Errorf("wanted %d, %v, want 2: the horizon has moved on", d.WantVersion, err)
	}
}
