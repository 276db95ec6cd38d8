package web

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"gatecast/controller/fleet"
	"gatecast/controller/relay"
)

// What is signed off goes to the groups as tasks, once, and only if that was
// asked for.
func TestUrgentMakesRelayTasks(t *testing.T) {
	w := newWorld(t)
	desk, err := relay.New(relay.Options{Book: w.store, Places: w.store, Settings: w.store, Zone: shanghai, Now: w.now})
	if err != nil {
		t.Fatal(err)
	}
	w.serve(t, func(o *Options) { o.Forward = desk })
	clerk, approver := w.as(t, "clerk"), w.as(t, "approver")
	for _, asked := range []string{"", "yes"} {
		res := clerk.post("/urgent", url.Values{
			"clip": {"1"}, "points": {"松风苑南门"}, "repeats": {"1"}, "until": {"20:00"}, "reason": {"有人入户"}, "relay": {asked},
		})
		path, _, _ := strings.Cut(res.Header().Get("Location"), "?")
		if res := approver.post(path+"/sign", nil); res.Code != http.StatusSeeOther || !strings.HasSuffix(res.Header().Get("Location"), "?done=urgent_signed") {
			t.Fatalf("signing = %d to %q", res.Code, res.Header().Get("Location"))
		}
	}
	items, err := w.store.RelayItems(t.Context(), "", 10, 0, testNow)
	if err != nil || len(items) != 1 {
		t.Fatalf("%d items, %v, want the one that was asked for", len(items), err)
	}
	i := items[0]
	if i.Insertion != 2 || !i.Urgent || i.Tasks == 0 || len(i.Units) != 1 || !strings.Contains(i.Text, "今天 20:00 前有效") {
		t.Errorf("item = %+v", i)
	}
}

func TestMuteSheetSaysWhomToCall(t *testing.T) {
	w := newWorld(t)
	page := w.as(t, "clerk").page("/mute/sheet")
	page.count("#calls tbody tr", 46) // the points that have a device
	page.count("#steps li", 5)
	page.has("#calls", "晴川府西门")
	if text := page.text("#calls"); !strings.Contains(text, "****") || strings.Contains(text, "13800") {
		t.Error("numbers are not masked")
	}
}

// At night the form says so and asks for two, whatever hours the office has.
func TestUrgentFormObeysTheOfficesHours(t *testing.T) {
	w := newWorld(t)
	w.serve(t, func(o *Options) {
		o.Quiet = fleet.QuietHours{Night: fleet.DayTimes{From: 21 * 60, To: 7 * 60}, Midday: fleet.DayTimes{From: 13 * 60, To: 15 * 60}}
	})
	for clock, want := range map[string]string{"12:30": "需要 1 人签发", "14:30": "午间静默（13:00–15:00）", "21:30": "夜间静默（21:00–07:00）"} {
		at, err := time.ParseInLocation("2006-01-02 15:04", "2026-11-23 "+clock, shanghai)
		if err != nil {
			t.Fatal(err)
		}
		w.setNow(at)
		w.as(t, "clerk").page("/urgent/new").has("main", want)
	}
}
