package web

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"gatecast/controller/alert"
	"gatecast/controller/fleet"
	"gatecast/controller/ledger"
	"gatecast/internal/wire"
)

// deliver has the device of a point hand in an outcome for each play of some
// slots, in a journal of its own, and the ledger read them.
func (w *world) deliver(t testing.TB, pt fleet.Point, now time.Time, rows []fleet.Obligation, outcome func(o fleet.Obligation, n int) wire.Outcome) {
	t.Helper()
	devices, err := w.store.DevicesOfPoint(t.Context(), pt.ID)
	if err != nil || len(devices) == 0 {
		t.Fatalf("devices of %s: %v", pt.Name, err)
	}
	var all []json.RawMessage
	for _, o := range rows {
		for n := range o.Plays {
			out := outcome(o, n)
			out.Play, out.Slot = wire.PlayID(fmt.Sprintf("%s#%d", o.Slot, n+1)), o.Slot
			body, err := json.Marshal(out)
			if err != nil {
				t.Fatal(err)
			}
			raw, err := json.Marshal(wire.Record{
				Log: "bbbbbbbbbbbbbbbb", Seq: wire.Seq(len(all) + 1), Kind: wire.RecordOutcome, BootID: "b9", MonoUS: int64(len(all)+1) * 1e6, Level: wire.T1,
				AtUS: wire.US(o.Start.Add(time.Duration(n) * 5 * time.Minute)), Body: body,
			})
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, raw)
		}
	}
	if _, err := w.store.AppendRecords(t.Context(), devices[0].ID, "bbbbbbbbbbbbbbbb", all, now); err != nil {
		t.Fatal(err)
	}
	l, err := ledger.New(ledger.Options{Store: w.store, Mutes: w.mutes, Clock: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Pass(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// TestGateIsBackAfterAWeek is the report side of scenario C5: a gate whose
// slots were 待报 when the week was signed delivers them. The signed numbers
// stay, the late ones are shown as 迟报 with a correction offered; a slot in
// which the stale plan's default clip sounded says so; its clock's drift is
// shown; and its alert, one for all of it, closes by itself.
func TestGateIsBackAfterAWeek(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.alerted(t)
	pt := w.points["晴川府西门"]
	pending, err := w.store.Obligations(t.Context(), fleet.ObligationFilter{Point: pt.ID, Verdict: fleet.Pending})
	if err != nil || len(pending) < 2 {
		t.Fatalf("%d slots are pending: %v", len(pending), err)
	}
	boss := w.as(t, "inspector")
	confirm := boss.page("/publications/new?from=2026-11-16&to=2026-11-22")
	res := boss.post("/publications", url.Values{"from": {"2026-11-16"}, "to": {"2026-11-22"}, "number": {confirm.attr("#p-n", "value")}, "checked": {"yes"}})
	signed, _, _ := strings.Cut(res.Header().Get("Location"), "?")
	if res.Code != http.StatusSeeOther {
		t.Fatalf("signing the week: %d\n%s", res.Code, res.Body)
	}
	numbers := boss.page(signed).text("#by-unit tfoot")
	list := func() string { return boss.page("/alerts?point=" + fmt.Sprint(pt.ID)).text("#alerts") }
	if got := list(); strings.Count(got, "晴川府西门") != 1 || !strings.Contains(got, "离线待报") {
		t.Errorf("while it is away: %s", got)
	}

	back := testNow.Add(2 * time.Hour)
	w.setNow(back)
	boss = w.as(t, "inspector") // two hours idle
	devices, err := w.store.DevicesOfPoint(t.Context(), pt.ID)
	if err != nil {
		t.Fatal(err)
	}
	st := wire.State{
		Session: devices[0].Session + 1, Online: true, AtUS: wire.US(back), PlanVersion: devices[0].PlanVersion, PlanSHA256: devices[0].PlanHash, Log: "bbbbbbbbbbbbbbbb",
		Time:       wire.TimeState{Level: wire.T1, ErrMS: 77_760, OffMS: -38_880, ComparedUS: wire.US(back), SpanS: 9 * 86400},
		Conditions: []wire.Condition{{Code: "plan_stale", Severity: "warn", SinceUS: wire.US(back.Add(-time.Hour))}},
	}
	if _, err := w.store.SaveHello(t.Context(), devices[0].ID, wire.Hello{Session: st.Session, State: st}, back); err != nil {
		t.Fatal(err)
	}
	stale := pending[len(pending)-1]
	tonight, err := w.store.Obligations(t.Context(), fleet.ObligationFilter{From: "2026-11-23", To: "2026-11-23", Point: pt.ID, Verdict: fleet.Due})
	if err != nil {
		t.Fatal(err)
	}
	w.deliver(t, pt, back, append(pending, tonight...), func(o fleet.Obligation, _ int) wire.Outcome {
		mean := o.PlannedMS / int64(o.Plays)
		return wire.Outcome{Result: wire.PlayPlayed, ClipMS: mean, SoundMS: mean, Default: o.Slot == stale.Slot}
	})
	week := boss.page(signed)
	if said := week.text("main"); !strings.Contains(said, "迟报") || !strings.Contains(said, "尚未更正") || week.text("#by-unit tfoot") != numbers {
		t.Errorf("the signed week: %s", said)
	}
	if n := len(week.all("form[action='" + signed + "/amend']")); n != 1 {
		t.Errorf("%d corrections are offered, want 1", n)
	}
	if said := boss.page(slotPath(pt.ID, stale.Slot)).text("main"); !strings.Contains(said, "播的是默认素材（计划太旧）") || !strings.Contains(said, "已播") {
		t.Errorf("the slot with the default clip: %s", said)
	}
	card := boss.page(pointPath(pt.ID)).text("[data-live=live-device]")
	if want := "比主控慢 38.9 秒（自走 9 天"; !strings.Contains(card, want) {
		t.Errorf("the drift %q is not on the card: %s", want, card)
	}

	d, err := alert.New(alert.Options{Book: w.store, Places: w.store, Settings: w.store, Zone: shanghai, Now: func() time.Time { return back }})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Pass(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := list(); got != "" {
		t.Errorf("the alert is open: %s", got)
	}
	if got := boss.page("/alerts?show=closed&point=" + fmt.Sprint(pt.ID)).text("#alerts"); strings.Count(got, "离线待报") != 1 || !strings.Contains(got, "断网") {
		t.Errorf("the history: %s", got)
	}
}

// TestSlotThatGaveWayIsExempt is the report side of scenario C22: an emergency
// broadcast takes the amplifier in the third play of a slot. The record says
// so, the slot is 免播 and not a fault, nothing is alarmed about, and the figures
// count it as nobody's.
func TestSlotThatGaveWayIsExempt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.alerted(t)
	pt := w.points["晴川府西门"]
	pending, err := w.store.Obligations(t.Context(), fleet.ObligationFilter{Point: pt.ID, Verdict: fleet.Pending})
	if err != nil || len(pending) == 0 {
		t.Fatalf("%d slots are pending: %v", len(pending), err)
	}
	o := pending[len(pending)-1]
	now := testNow.Add(time.Hour)
	w.setNow(now)
	w.deliver(t, pt, now, []fleet.Obligation{o}, func(o fleet.Obligation, n int) wire.Outcome {
		mean := o.PlannedMS / int64(o.Plays)
		switch {
		case n < 2:
			return wire.Outcome{Result: wire.PlayPlayed, ClipMS: mean, SoundMS: mean}
		case n == 2:
			return wire.Outcome{Result: wire.PlayPartial, Reason: wire.ReasonYielded, ClipMS: mean, SoundMS: mean / 3}
		}
		return wire.Outcome{Result: wire.PlaySkipped, Reason: wire.ReasonYielded, ClipMS: mean}
	})
	got, err := w.store.Obligation(t.Context(), pt.ID, o.Slot)
	if err != nil || got.Verdict != fleet.Exempt || got.Reason != wire.ReasonYielded || got.Note != fleet.NoteYielded || got.PlaysOK != 2 {
		t.Fatalf("slot %+v, %v", got, err)
	}
	c := w.as(t, "inspector")
	if said := c.page(slotPath(pt.ID, o.Slot)).text("main"); !strings.Contains(said, "免播") || !strings.Contains(said, "让位应急广播") {
		t.Errorf("the slot's page: %s", said)
	}
	if said := c.page(slotPath(pt.ID, o.Slot) + "?lang=en").text("main"); !strings.Contains(said, "yielded to emergency broadcast") || strings.Contains(said, fleet.NoteYielded) {
		t.Errorf("in English: %s", said)
	}
	sums, err := w.store.Summary(t.Context(), fleet.SummaryQuery{From: o.Day, To: o.Day, By: []fleet.Grouping{fleet.ByPoint}})
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range sums {
		if row.Point == pt.ID && row.Counts.Exempt == 0 {
			t.Errorf("the day of the point: %+v", row.Counts)
		}
	}
	for _, a := range w.alerted(t) {
		f, err := w.store.AlertFile(t.Context(), a.ID)
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range f.Affected {
			if x.Point == pt.ID && x.Slot == o.Slot && x.Verdict.Wrong() {
				t.Errorf("alert %+v holds it against the point", a)
			}
		}
	}
}
