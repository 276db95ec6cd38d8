package web

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/seal"
	"gatecast/internal/wire"
)

// gainOf is the gain of a point's slot in the plan that its device should have.
func (w *world) gainOf(t testing.TB, name string, slot wire.SlotID) float64 {
	t.Helper()
	d, err := w.store.DeviceOfPoint(t.Context(), w.points[name].ID)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := w.store.LatestDoc(t.Context(), d.ID, wire.DocPlan)
	if err != nil {
		t.Fatal(err)
	}
	p, err := seal.Peek[wire.Plan](doc.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range p.Slots {
		if s.ID == slot {
			return s.GainDB
		}
	}
	t.Fatalf("the plan of %s has no slot %q", name, slot)
	return 0
}

// TestComplaintIsTaken walks the way of C7 over the pages: find the point by
// its compound, turn it down, answer, restore.
func TestComplaintIsTaken(t *testing.T) {
	w := newWorld(t)
	c := w.as(t, "clerk")
	c.page("/complaints").has(".empty", "没有投诉")
	found := c.page("/complaints/new?q=" + url.QueryEscape("谷雨里"))
	found.has("#found", "谷雨里南门")
	c.page("/complaints/new?q=nowhere").has(".empty", "没有找到")
	point := w.points["谷雨里南门"]
	path := fmt.Sprintf("/complaints/new?point=%d", point.ID)
	form := c.page(path)
	form.has("#sounded th", "18:0")
	form.has("#sounded td", "-3 dB")
	form.has("#complaint button", "调低一档 72 小时")

	in := url.Values{
		"point": {fmt.Sprint(point.ID)}, "gain": {form.attr(`input[name="gain"]`, "value")}, "channel": {"12345"}, "reference": {"GD-2026-118"},
		"at": {"2026-11-23 18:05"}, "text": {"3-1-502 的住户说孩子在睡觉"}, "measure": {"lower"},
	}
	for text, want := range map[string]string{
		"3-1-502 的住户说孩子在睡觉": "门牌号", "请回电 13800001111": "电话号码", "1": "2 到 500 个字", "身份证 110101199003074477": "身份证号",
	} {
		in.Set("text", text)
		res := c.post("/complaints", in)
		page := parse(t, res)
		if res.Code != http.StatusUnprocessableEntity || page.text("#c-t") != text {
			t.Errorf("%q: %d, text kept %q", text, res.Code, page.text("#c-t"))
		}
		page.has("#problem", want)
	}
	in.Set("text", "孩子在睡觉，声音太大")
	res := c.post("/complaints", in)
	board, done, _ := strings.Cut(res.Header().Get("Location"), "?")
	if res.Code != http.StatusSeeOther || done != "done=complaint_lower" {
		t.Fatalf("complaint: %d %q\n%s", res.Code, done, res.Body)
	}
	// Now, inside the 72 hours and behind them; the slot that sounds now, too.
	for slot, want := range map[wire.SlotID]float64{
		"2026-11-23.default.evening": -9, "2026-11-26.default.evening": -9, "2026-11-27.default.morning": 0, "2026-11-27.default.evening": -3,
	} {
		if got := w.gainOf(t, "谷雨里南门", slot); got != want {
			t.Errorf("%s: %v dB, want %v", slot, got, want)
		}
	}
	if got := w.gainOf(t, "松风苑南门", "2026-11-24.default.evening"); got != -3 {
		t.Errorf("another point is at %v dB", got)
	}

	again := parse(t, c.post("/complaints", in)) // pressed twice, with what the form saw
	again.has("#problem", "音量刚刚调过")
	page := c.page(board)
	page.has("#effect", "正在下发")
	page.has("#effect", "照记已播")
	for _, want := range []string{"2026-11-23 18:05", "谷雨里南门", "调低 6 分贝", "2026-11-26 18:12"} {
		page.has("#re-t", want)
	}
	w.holds(t, "谷雨里南门")
	c.page(board).has("#effect", "已在点位生效")
	c.page("/complaints").has("#lowered", "-6 dB")
	c.page("/complaints?open=1&channel=12345&q="+url.QueryEscape("GD-2026")).count("#complaints tbody tr", 1)
	if res := c.post(board+"/answer", url.Values{"reply": {"请打 13900002222"}}); res.Code != http.StatusUnprocessableEntity {
		t.Errorf("an answer with a number: %d", res.Code)
	}
	c.post(board+"/answer", url.Values{"reply": {"已调低，请再听听。"}})
	c.page("/complaints?open=1").count("#complaints tbody tr", 0)

	// It is announced a day before it ends, and ends by itself.
	w.setNow(testNow.Add(47 * time.Hour))
	c = w.as(t, "clerk")
	if got := c.page("/").text("main"); strings.Contains(got, "音量即将自动恢复") {
		t.Error("announced more than a day before")
	}
	w.setNow(testNow.Add(49 * time.Hour))
	c = w.as(t, "clerk")
	c.page("/").has("main", "音量即将自动恢复")
	w.setNow(testNow.Add(73 * time.Hour))
	c = w.as(t, "clerk")
	c.page(board).has("#effect", "已结束")

	w.setNow(testNow.Add(time.Hour))
	c = w.as(t, "clerk")
	if res := c.post(board+"/restore", url.Values{"reason": {"已调整喇叭朝向"}}); res.Header().Get("Location") != board+"?done=level_restored" {
		t.Errorf("restoring: %d %s", res.Code, res.Body)
	}
	if got := w.gainOf(t, "谷雨里南门", "2026-11-24.default.evening"); got != -3 {
		t.Errorf("restored to %v dB, want -3", got)
	}
	if res := c.post(board+"/restore", url.Values{"reason": {"再按一次"}}); res.Code != http.StatusConflict {
		t.Errorf("restoring twice: %d", res.Code)
	}
}

// TestComplaintStopsForToday: a stop ends at midnight and counts as exempt only
// after somebody else than who ordered it confirmed it.
func TestComplaintStopsForToday(t *testing.T) {
	w := newWorld(t)
	point := w.points["谷雨里南门"]
	in := url.Values{
		"point": {fmt.Sprint(point.ID)}, "gain": {"0"}, "channel": {"phone"}, "at": {"2026-11-23 18:05"}, "text": {"家里有病人"}, "measure": {"stop"},
	}
	c := w.as(t, "clerk")
	board, _, _ := strings.Cut(c.post("/complaints", in).Header().Get("Location"), "?")
	c.post("/complaints", in) // twice is one order
	all := w.mutes.All()
	if len(all) != 1 || !all[0].Until.Equal(time.Date(2026, 11, 24, 0, 0, 0, 0, shanghai)) || !all[0].Approved.IsZero() {
		t.Fatalf("mutes = %+v", all)
	}
	c.page(board).has("#effect", "没有由另一位签发人确认")
	approver := fleet.User{Login: "approver", Role: fleet.Approver}
	if err := w.mutes.Approve(t.Context(), approver, all[0].ID, w.now()); err != nil {
		t.Fatal(err)
	}
	c.page(board).has("#effect", "记免播")

	// An approver's own stop needs another one.
	m, err := w.mutes.Stop(t.Context(), approver, fleet.Area{Points: []fleet.PointID{w.points["松风苑南门"].ID}}, "投诉", time.Time{}, w.now())
	if err != nil {
		t.Fatal(err)
	}
	if err := w.mutes.Approve(t.Context(), approver, m.ID, w.now()); fleet.CodeOf(err) != fleet.Forbidden {
		t.Errorf("confirming one's own stop: %v", err)
	}
}

// TestComplaintStepsEnd: below the lowest level turning down is refused with
// the other ways.
func TestComplaintStepsEnd(t *testing.T) {
	w := newWorld(t)
	c := w.as(t, "clerk")
	point := w.points["谷雨里南门"]
	for i, gain := range []string{"0", "-6", "-12", "-18"} {
		res := c.post("/complaints", url.Values{
			"point": {fmt.Sprint(point.ID)}, "gain": {gain}, "channel": {"site"}, "at": {"2026-11-23 18:05"}, "text": {"还是太响"}, "measure": {"lasting"},
		})
		if want := []int{303, 303, 303, 409}[i]; res.Code != want {
			t.Errorf("at %s dB: %d, want %d", gain, res.Code, want)
		}
	}
	c.page(fmt.Sprintf("/complaints/new?point=%d", point.ID)).has(".notice", "3 次投诉")
}
