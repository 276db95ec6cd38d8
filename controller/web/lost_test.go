package web

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

const troubleLog = wire.LogID("00112233445566ff")

// trouble gives the pages about losses something to show: rejected records, a
// gap, a restore with devices that wait, and a publication with corrections.
func (w *world) trouble(t testing.TB, pages map[string]string) {
	t.Helper()
	ctx := t.Context()
	south, west := w.points["谷雨里南门"], w.points["晴川府西门"]
	device := func(p fleet.Point) fleet.Device {
		d, err := w.store.DeviceOfPoint(ctx, p.ID)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	gap, err := json.Marshal(wire.Record{Log: troubleLog, Seq: 9, Kind: wire.RecordGap, AtUS: wire.US(testNow.Add(-time.Hour)), Level: wire.T2,
		Body: json.RawMessage(fmt.Sprintf(`{"log":%q,"first":2,"last":8,"why":"corrupt"}`, troubleLog))})
	if err != nil {
		t.Fatal(err)
	}
	batch := []json.RawMessage{
		[]byte(fmt.Sprintf(`{"log":%q,"seq":1,"kind":"stop","at_us":%d,"body":{}}`, troubleLog, wire.US(testNow.Add(-5*time.Hour)))),
		gap,
		[]byte(fmt.Sprintf(`{"log":%q,"seq":10,"kind":"outcome","body":{"play":"<script>alert(1)</script>"}}`, troubleLog)),
		[]byte(fmt.Sprintf(`{"log":"elsewhere","seq":11,"kind":"stop","body":{"why":"%s"}}`, strings.Repeat("很长", 300))),
		[]byte("{\"log\":\"" + string(troubleLog) + "\",\"seq\":12,\"kind\":\"stop\",\"body\":{\"why\":\"\xff\x00\"}}"),
		[]byte(fmt.Sprintf(`{"log":%q,"seq":1,"kind":"stop","body":{"why":"again"}}`, troubleLog)),
	}
	if _, err := w.store.AppendRecords(ctx, device(south).ID, troubleLog, batch, testNow.Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	if err := w.store.AddDeadBatch(ctx, device(west).ID, []byte("not JSON"), "parsing", testNow.Add(-time.Minute)); err != nil {
		t.Fatal(err)
	}
	p, err := w.store.Publish(ctx, fleet.Publication{Year: 2026, From: "2026-11-16", To: "2026-11-22", At: testNow.Add(-4 * time.Hour), By: "inspector", Name: "杜督导"})
	if err != nil {
		t.Fatal(err)
	}
	rows, err := w.store.Obligations(ctx, fleet.ObligationFilter{From: "2026-11-22", To: "2026-11-22", Verdict: fleet.Pending})
	if err != nil || len(rows) < 2 {
		t.Fatalf("%d pending rows, %v", len(rows), err)
	}
	for i, o := range rows[:2] {
		st := fleet.Settlement{Point: o.Point, Day: o.Day, Slot: o.Slot, Verdict: fleet.Played, Grade: fleet.GradeB, PlaysOK: o.Plays, SoundMS: o.PlannedMS}
		if _, err := w.store.Settle(ctx, []fleet.Settlement{st}, testNow.Add(-3*time.Hour)); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			if _, err := w.store.Amend(ctx, fleet.Amendment{Publication: p.ID, Year: 2026, At: testNow.Add(-2 * time.Hour), By: "inspector", Name: "杜督导"}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.store.MarkRestored(ctx, fleet.Restore{At: testNow.Add(-time.Hour), Backup: testNow.Add(-30 * time.Hour), File: "gatecast-1122.backup", By: "root"}); err != nil {
		t.Fatal(err)
	}
	d := device(south)
	state := wire.State{Session: d.Session + 1, Online: true, PlanVersion: d.WantVersion + 5, PlanSHA256: "newer", Log: d.Log, LastSeq: d.LastSeq, AckedSeq: d.AckedSeq}
	if _, err := w.store.SaveHello(ctx, d.ID, wire.Hello{Session: state.Session, State: state}, testNow); err != nil {
		t.Fatal(err)
	}
	if pages == nil {
		return
	}
	w.attacks(t)
	pages["incidents"], pages["incidents_all"] = "/incidents", "/incidents?all=1"
	pages["rejected"], pages["rejected_one"], pages["restored"] = "/rejected", "/rejected?device="+string(d.ID), "/restored"
	pages["publications"], pages["publication"] = "/publications", publicationPath(p.ID)
	pages["publish"], pages["publish_refused"] = "/publications/new?from=2026-11-16&to=2026-11-21", "/publications/new?from=2026-11-16&to=2026-11-23"
}

func TestRejectedRecordsAreShown(t *testing.T) {
	w := newWorld(t)
	c := w.as(t, "inspector")
	if d := c.page("/rejected"); !strings.Contains(d.text("main"), "没有拒收的记录") {
		t.Errorf("without any: %s", d.text("main"))
	}
	w.trouble(t, nil)
	c = w.as(t, "inspector") // a restore ends every login
	d := c.page("/rejected")
	said := d.text("main")
	for _, want := range []string{"谷雨里南门", "没有写明时段", "属于另一份日志", "文字编码错误", "编号已被占用", "整条消息无法拆开", `\xff`, "<script>alert(1)</script>"} {
		if !strings.Contains(said, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if n := len(d.all("#letters tbody tr")); n != 5 {
		t.Errorf("%d rows, want 5", n)
	}
	if over := c.page("/").text("main"); !strings.Contains(over, "5 条记录无法收下，来自 2 台设备") {
		t.Errorf("the overview does not say so: %s", over)
	}
	south := w.points["谷雨里南门"]
	if pt := c.page(pointPath(south.ID)).text("#gaps"); !strings.Contains(pt, "2–8，共 7 条") || !strings.Contains(pt, "存储卡读不出原来的内容") {
		t.Errorf("gaps of the point: %q", pt)
	}
	en := c.page("/rejected?lang=en")
	if said := en.text("main"); !strings.Contains(said, "names no slot") || hasHan(strings.NewReplacer("谷雨里南门", "", "晴川府西门", "", "很长", "").Replace(said)) {
		t.Errorf("in English: %s", said)
	}
}

func TestPlansAreConfirmedAfterARestore(t *testing.T) {
	w := newWorld(t)
	w.trouble(t, nil)
	c := w.as(t, "clerk")
	d := c.page("/restored")
	if rows := d.all("#waiting tbody tr"); len(rows) < 2 || !strings.Contains(d.text("#waiting"), "等待确认") || !strings.Contains(d.text("#waiting"), "等待重新连接") {
		t.Fatalf("waiting: %s", d.text("main"))
	}
	if !strings.Contains(d.text("main"), "gatecast-1122.backup") || !strings.Contains(c.page("/").text("main"), "1 台设备等待确认计划") {
		t.Error("restore or banner is missing")
	}
	if len(w.as(t, "inspector").page("/restored").all("form[action='/restored/confirm']")) != 0 {
		t.Error("a supervisor is offered the button")
	}
	south, err := w.store.DeviceOfPoint(t.Context(), w.points["谷雨里南门"].ID)
	if err != nil {
		t.Fatal(err)
	}
	if res := c.post("/restored/confirm", nil); res.Code != http.StatusSeeOther {
		t.Fatalf("without the tick: %d", res.Code)
	}
	if d, err := w.store.Device(t.Context(), south.ID); err != nil || d.Awaiting != fleet.AwaitConfirm {
		t.Errorf("without the tick: %q, %v", d.Awaiting, err)
	}
	if res := c.post("/restored/confirm", url.Values{"checked": {"yes"}}); res.Code != http.StatusSeeOther {
		t.Fatalf("confirming: %d", res.Code)
	}
	if d, err := w.store.Device(t.Context(), south.ID); err != nil || d.Awaiting != fleet.AwaitNothing {
		t.Errorf("after confirming: %q, %v", d.Awaiting, err)
	}
	if a, err := w.store.Audits(t.Context(), 1); err != nil || a[0].What != "confirm_plans" || a[0].Object != "1" {
		t.Errorf("audit %+v, %v", a, err)
	}
}
