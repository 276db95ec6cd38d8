package simulate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"gatecast/controller/alert"
	"gatecast/controller/fleet"
	"gatecast/controller/store"
	"gatecast/internal/wire"
)

// scenario runs play in a world without trouble, from start on.
func scenario(t *testing.T, start time.Time, play func(t *testing.T, w *World)) {
	t.Helper()
	t.Parallel()
	base := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		w, err := newWorld(Options{Seed: 5, Devices: 1, Days: 1, Start: start}, base)
		if err != nil {
			t.Fatal(err)
		}
		defer w.end()
		if err := w.populate(); err != nil {
			t.Fatal(err)
		}
		play(t, w)
		if v := w.fault; v != nil {
			t.Errorf("%v", v)
		}
	})
}

func shanghai(t *testing.T, text string) time.Time {
	t.Helper()
	zone, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		t.Fatal(err)
	}
	at, err := time.ParseInLocation("2006-01-02 15:04", text, zone)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// owed returns the obligations of the days, by start.
func owed(t *testing.T, w *World, from, to string) []fleet.Obligation {
	t.Helper()
	rows, err := w.office.present().store.Obligations(context.Background(), fleet.ObligationFilter{From: fleet.Day(from), To: fleet.Day(to)})
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(rows, func(a, b fleet.Obligation) int { return a.Start.Compare(b.Start) })
	return rows
}

// TestGateOfflineForNineDays is the middle of scenario C5: from 7 to 15
// November a gate has no network. It plays its stored plan, weekends an hour
// later, and on return delivers 27 slots in order, once, within two minutes. The
// office has one alert of it, and a line in each morning's digest.
func TestGateOfflineForNineDays(t *testing.T) {
	scenario(t, shanghai(t, "2026-11-06 17:00"), func(t *testing.T, w *World) {
		d := w.at(0)
		w.live(shanghai(t, "2026-11-07 00:00"))
		d.setSky(func(s *weather) { s.cut = true })
		w.net.disturb(d, errReset)
		back := shanghai(t, "2026-11-16 00:00")
		told := watchAlerts(t, w, back)
		for _, o := range owed(t, w, "2026-11-07", "2026-11-15") {
			if o.Verdict != fleet.Pending {
				t.Errorf("%s is %s while the gate is away, want pending", o.Slot, o.Verdict)
			}
		}
		d.setSky(func(s *weather) { *s = weather{} })
		// A device that was away for days looks for its office once a minute.
		var up time.Time
		for ; up.IsZero(); w.live(time.Now().Add(time.Second)) {
			if w.net.connected(d) {
				up = time.Now()
			}
			if time.Since(back) > 2*time.Minute {
				t.Fatal("not connected two minutes after the network is back")
			}
		}
		w.live(up.Add(2 * time.Minute))
		told.closed(t)

		rows := owed(t, w, "2026-11-07", "2026-11-15")
		if len(rows) != 27 {
			t.Fatalf("%d slots owed in nine days, want 27", len(rows))
		}
		for _, o := range rows {
			if o.Verdict != fleet.Played || o.PlaysOK != 6 {
				t.Errorf("%s is %s with %d plays two minutes after the return, want played with 6", o.Slot, o.Verdict, o.PlaysOK)
			}
		}
		checkOrder(t, w, back)
		checkMornings(t, w, rows, map[string]string{
			"2026-11-07": "08:30", "2026-11-08": "08:30", "2026-11-09": "07:30", "2026-11-13": "07:30", "2026-11-14": "08:30", "2026-11-15": "08:30",
		})
	})
}

// watcher is the office's desk of alerts, looked at as often as a test wants.
type watcher struct {
	desk    *alert.Desk
	store   *store.Store
	lines   []fleet.AlertLineKind
	digests int
}

// watchAlerts has the desk of alerts look every three hours until then.
// Over nine days without a word it tells of one alert, and of it each morning but the first.
func watchAlerts(t *testing.T, w *World, until time.Time) *watcher {
	t.Helper()
	o := &watcher{store: w.office.present().store}
	var err error
	o.desk, err = alert.New(alert.Options{
		Book: o.store, Places: o.store, Settings: o.store, Zone: w.zone(),
		OnLine: func(_ fleet.Alert, k fleet.AlertLineKind) { o.lines = append(o.lines, k) }, OnDigest: func([]fleet.AlertSum) { o.digests++ },
	})
	if err != nil {
		t.Fatal(err)
	}
	for time.Now().Before(until) {
		w.live(time.Now().Add(3 * time.Hour))
		if err := errors.Join(o.desk.Pass(context.Background()), o.desk.Morning(context.Background())); err != nil {
			t.Fatal(err)
		}
	}
	if got := fmt.Sprint(o.lines); got != "[raised]" || o.digests != 8 {
		t.Errorf("told of %s and by %d digests in nine days, want [raised] and 8", got, o.digests)
	}
	return o
}

// closed checks that the alert closed by itself when the gate had reported, and
// that its cause was found out: it had played all the while.
func (o *watcher) closed(t *testing.T) {
	t.Helper()
	if err := o.desk.Pass(context.Background()); err != nil {
		t.Fatal(err)
	}
	all, n, err := o.store.Alerts(context.Background(), fleet.AlertFilter{})
	if err != nil || n != 1 {
		t.Fatalf("%d alerts: %v", n, err)
	}
	if a := all[0]; a.Open() || a.Trouble != fleet.TroubleAway || a.Likely != fleet.LikelyNetwork || a.Slots != 27 || a.Bad != 0 {
		t.Errorf("two minutes after the return: %+v", a)
	}
}

// checkOrder holds the records received since then against their numbers: each
// once, in order.
func checkOrder(t *testing.T, w *World, since time.Time) {
	t.Helper()
	recs, err := w.office.present().store.RecordsAfter(context.Background(), 0, 10_000)
	if err != nil {
		t.Fatal(err)
	}
	var last wire.Seq
	outcomes := map[wire.PlayID]int{}
	for _, r := range recs {
		if r.Received.Before(since) {
			last = r.Seq
			continue
		}
		if r.Seq != last+1 {
			t.Errorf("record %d came after record %d", r.Seq, last)
		}
		last = r.Seq
		var o wire.Outcome
		if r.Kind == wire.RecordOutcome && json.Unmarshal(r.Body, &o) == nil {
			outcomes[o.Play]++
		}
	}
	if len(outcomes) != 27*6 {
		t.Errorf("outcomes of %d plays were delivered, want %d", len(outcomes), 27*6)
	}
	for p, n := range outcomes {
		if n != 1 {
			t.Errorf("play %q has %d outcomes", p, n)
		}
	}
}

// checkMornings compares when the morning slot of a day began to sound.
func checkMornings(t *testing.T, w *World, rows []fleet.Obligation, want map[string]string) {
	t.Helper()
	w.truth.mu.Lock()
	defer w.truth.mu.Unlock()
	seen := 0
	for _, o := range rows {
		at, ok := want[string(o.Day)]
		if !ok || o.Name != "morning" {
			continue
		}
		seen++
		first := w.truth.first[owedKey{o.Point, o.Slot}]
		if got := first.Round(time.Minute).In(w.zone()).Format("15:04"); got != at {
			t.Errorf("the morning of %s (%s) sounded at %s, want %s", o.Day, o.DayType, got, at)
		}
	}
	if seen != len(want) {
		t.Errorf("%d mornings found, want %d", seen, len(want))
	}
}

// TestHolidayWeek is the calendar part of scenario C23: National Day from 1 to
// 7 October 2026, and the Saturday of the 10th, which is a working day.
func TestHolidayWeek(t *testing.T) {
	scenario(t, shanghai(t, "2026-09-29 17:00"), func(t *testing.T, w *World) {
		w.live(shanghai(t, "2026-10-11 12:00"))
		rows := owed(t, w, "2026-09-30", "2026-10-11")
		want := map[string]string{"2026-09-30": "07:30", "2026-10-08": "07:30", "2026-10-09": "07:30", "2026-10-10": "07:30", "2026-10-11": "08:30"}
		for _, day := range []string{"01", "02", "03", "04", "05", "06", "07"} {
			want["2026-10-"+day] = "08:30"
		}
		checkMornings(t, w, rows, want)
		for _, o := range rows {
			if o.End.Add(settleWithin).Before(time.Now()) && o.Verdict != fleet.Played {
				t.Errorf("%s is %s, want played", o.Slot, o.Verdict)
			}
		}
	})
}
