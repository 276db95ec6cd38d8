package web

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

func TestDriftInWords(t *testing.T) {
	langs := loadTestLanguages(t)
	nine := int64(9 * 24 * 3600)
	tests := map[string]struct {
		in         wire.TimeState
		zh, en     string
		trust      string // in Chinese
		nothingOdd bool
	}{
		"never":        {wire.TimeState{Level: wire.T1}, "还没有比对过", "not compared yet", "T1，主控对时，误差在 1 毫秒 以内", true},
		"nine_days":    {wire.TimeState{Level: wire.T1, ErrMS: 77_760, OffMS: -38_880, ComparedUS: 1, SpanS: nine}, "比主控慢 38.9 秒（自走 9 天，约 -50.0 ppm）", "38.9 s behind the controller (9 days on its own, about -50.0 ppm)", "T1，主控对时，误差在 77.8 秒 以内", true},
		"bad_crystal":  {wire.TimeState{Level: wire.T1, ErrMS: 20, OffMS: 4320, ComparedUS: 1, SpanS: 21_600}, "比主控快 4.3 秒（自走 6 小时，约 +200.0 ppm）", "4.3 s ahead of the controller (6 h on its own, about +200.0 ppm)", "T1，主控对时，误差在 20 毫秒 以内", false},
		"time_service": {wire.TimeState{Level: wire.T2, ErrMS: 50, OffMS: 12, ComparedUS: 1}, "比主控快 12 毫秒", "12 ms ahead of the controller", "T2，系统同步，误差在 50 毫秒 以内", true},
		"service_lies": {wire.TimeState{Level: wire.T2, ErrMS: 50, OffMS: 7_200_000, ComparedUS: 1}, "比主控快 2 小时", "2 h ahead of the controller", "T2，系统同步，误差在 50 毫秒 以内", false},
		"not_trusted":  {wire.TimeState{}, "还没有比对过", "not compared yet", "T0，没有对上", true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			zh, ok := langs["zh"].drift(tt.in)
			en, _ := langs["en"].drift(tt.in)
			if zh != tt.zh || en != tt.en || ok != tt.nothingOdd {
				t.Errorf("drift = %q, %q, %v, want %q, %q, %v", zh, en, ok, tt.zh, tt.en, tt.nothingOdd)
			}
			if got := langs["zh"].timeTrust(tt.in); got != tt.trust {
				t.Errorf("timeTrust = %q, want %q", got, tt.trust)
			}
		})
	}
}

// TestPointShowsBothTimes is a gate whose power failed in a play and which
// wrote that down before it knew the time.
func TestPointShowsBothTimes(t *testing.T) {
	w := newWorld(t)
	pt := w.points["松风苑南门"]
	devices, err := w.store.DevicesOfPoint(t.Context(), pt.ID)
	if err != nil || len(devices) == 0 {
		t.Fatalf("devices %v, %v", devices, err)
	}
	now := testNow
	slot := wire.SlotID(now.In(shanghai).Format(time.DateOnly) + ".default.evening")
	told := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	encode := func(v any) json.RawMessage {
		t.Helper()
		raw, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	record := func(seq wire.Seq, kind wire.RecordKind, boot string, mono time.Duration, level wire.TimeLevel, at time.Time, body any) json.RawMessage {
		return encode(wire.Record{Log: "aaaaaaaaaaaaaaaa", Seq: seq, Kind: kind, BootID: boot, MonoUS: mono.Microseconds(), Level: level, AtUS: wire.US(at), Body: encode(body)})
	}
	cut := func(n int) wire.Outcome {
		return wire.Outcome{Play: wire.PlayID(string(slot) + "#" + string(rune('0'+n))), Slot: slot, Result: wire.PlayPartial, Reason: wire.ReasonPower}
	}
	if _, err := w.store.AppendRecords(t.Context(), devices[0].ID, "aaaaaaaaaaaaaaaa", []json.RawMessage{
		record(1, wire.RecordOutcome, "b1", 20*time.Second, wire.T0, told, cut(1)),
		record(2, wire.RecordClock, "b1", 80*time.Second, wire.T1, now, wire.ClockStep{To: wire.T1}),
		record(3, wire.RecordOutcome, "b2", 20*time.Second, wire.T0, told, cut(2)),
	}, now); err != nil {
		t.Fatal(err)
	}
	c := w.as(t, "inspector")
	list := c.page(pointPath(pt.ID)).text("[data-live=live-records]")
	for _, want := range []string{
		now.Add(-time.Minute).In(shanghai).Format("01-02 15:04:05"), "校正后时间；原始时间 2026-01-02 11:04:05", "原始时间，当时没有对上时",
	} {
		if !strings.Contains(list, want) {
			t.Errorf("the list of records lacks %q: %s", want, list)
		}
	}
	if got := c.page(slotPath(pt.ID, slot)).text("[data-live=live-evidence]"); !strings.Contains(got, "校正后时间；原始时间") {
		t.Errorf("the evidence lacks both times: %s", got)
	}
}

func TestDefaultClipIsNamed(t *testing.T) {
	l := loadTestLanguages(t)["zh"]
	o := fleet.Obligation{Verdict: fleet.Played, Note: fleet.NoteDefaultClip}
	if got := l.why(o); got != "播的是默认素材（计划太旧）" {
		t.Errorf("why of a slot with the default clip = %q", got)
	}
	o.Verdict, o.Reason = fleet.Partial, wire.ReasonPower
	if got := l.why(o); got != "断电，播的是默认素材（计划太旧）" {
		t.Errorf("why of a part of it = %q", got)
	}
	if got := l.why(fleet.Obligation{Verdict: fleet.Exempt, Note: "午休", Reason: wire.ReasonQuiet}); got != "午休" {
		t.Errorf("why of a silenced slot = %q", got)
	}
}

func TestPointDemandsSynchronisedTime(t *testing.T) {
	w := newWorld(t)
	pt := w.points["松风苑南门"]
	path := pointPath(pt.ID) + "/clock"
	if res := w.as(t, "inspector").post(path, url.Values{"need": {"sync"}}); res.Code != http.StatusForbidden {
		t.Errorf("an inspector may set it: %d", res.Code)
	}
	c := w.as(t, "admin")
	if got := c.page(pointPath(pt.ID)).attr("form[action$='/clock'] button", "value"); got != "sync" {
		t.Errorf("the form offers %q, want sync", got)
	}
	for _, need := range []string{"sync", "time"} {
		if res := c.post(path, url.Values{"need": {need}}); res.Code != http.StatusSeeOther {
			t.Fatalf("%s: %d", need, res.Code)
		}
		stored, err := w.store.Point(t.Context(), pt.ID)
		if err != nil || stored.NeedSync != (need == "sync") {
			t.Errorf("%s: NeedSync = %v, %v", need, stored.NeedSync, err)
		}
		row := c.page(pointPath(pt.ID)).text("[data-live=live-device]")
		if got := strings.Contains(row, "对时 T2 "); got != (need == "sync") {
			t.Errorf("%s: the device's card asks for T2: %v: %s", need, got, row)
		}
	}
	if res := c.post("/points/99999/clock", url.Values{"need": {"sync"}}); res.Code != http.StatusNotFound {
		t.Errorf("a point that is not there: %d", res.Code)
	}
	if text := c.page("/").text("main"); !strings.Contains(text, "松风苑南门 须与时间服务器同步才出声") {
		t.Error("the overview does not tell who did what")
	}
}
