package web

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// clipNamed returns a clip of the samples.
func (w *world) clipNamed(t testing.TB, name string) fleet.Clip {
	t.Helper()
	c, err := w.store.ClipByName(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// holds has the device of a point say that it holds its newest plan and clips.
func (w *world) holds(t testing.TB, name string, clips ...string) {
	t.Helper()
	d, err := w.store.DeviceOfPoint(t.Context(), w.points[name].ID)
	if err != nil {
		t.Fatal(err)
	}
	st := wire.State{Session: d.Session, Online: true, PlanVersion: d.WantVersion, PlanSHA256: d.WantHash, HorizonS: d.Horizon.Unix(), ClipsReady: clips}
	if _, err := w.store.SaveState(t.Context(), d.ID, st, w.now()); err != nil {
		t.Fatal(err)
	}
}

func numbersIn(text string) []string { return regexp.MustCompile(`\d+`).FindAllString(text, -1) }

// TestReplaceClipForTomorrow walks the way of C2 over the pages: the form, the
// board, the sheet, pressing twice, undoing in time and too late.
func TestReplaceClipForTomorrow(t *testing.T) {
	w := newWorld(t)
	w.setNow(testNow.Add(22 * time.Hour)) // 16:12 on the next day
	for _, p := range w.points {
		w.report(t, p, 218, w.now())
	}
	old, next := w.clipNamed(t, "kefu"), w.clipNamed(t, "gongjianfa")
	clerk := w.as(t, "clerk")
	form := clerk.page("/dispatch/new")
	form.has(`input[name="slot"] + span`, "晚，41 个点位，现播：kefu、shuadan")
	order := url.Values{
		"when": {"slots"}, "slot": {"2026-11-24 default.evening"}, "old": {fmt.Sprint(old.ID)}, "new": {fmt.Sprint(next.ID)}, "reason": {"旧素材里的电话停用"},
	}

	refused := clerk.post("/dispatch", url.Values{"when": {"slots"}, "slot": order["slot"], "old": order["old"], "new": order["old"], "reason": {"写好的原因"}})
	if page := parse(t, refused); refused.Code != http.StatusUnprocessableEntity || page.attr("#r-r", "value") != "写好的原因" {
		t.Errorf("the same clip twice: %d, reason kept: %q", refused.Code, page.attr("#r-r", "value"))
	} else {
		page.has("#problem", "新旧素材是同一个")
	}

	res := clerk.post("/dispatch", order)
	board, _, _ := strings.Cut(res.Header().Get("Location"), "?")
	if res.Code != http.StatusSeeOther || !strings.HasPrefix(board, "/dispatch/") {
		t.Fatalf("replacing: %d %q\n%s", res.Code, board, res.Body)
	}
	page := clerk.page(board)
	if got, want := numbersIn(page.text("#voices")), []string{"41", "0", "41", "0"}; !slices.Equal(got, want) {
		t.Errorf("before any gate has it: %q, want %q", got, want)
	}
	shas := []string{old.SHA256, w.clipNamed(t, "shuadan").SHA256, w.clipNamed(t, "laonian").SHA256, next.SHA256}
	w.holds(t, "松风苑南门", shas...)
	w.holds(t, "谷雨里南门", shas[:3]...) // the plan, not yet the clip
	page = clerk.page(board + "?q=" + url.QueryEscape("松风苑南门"))
	page.has("#gates td", "gongjianfa（"+short(next.SHA256)+"）校验一致")
	page.has("#gates td", "新素材“gongjianfa”")
	page.count("#gates tbody tr", 1)
	page.has("#away", "晴川府西门")
	page.has("#away", "旧素材“kefu”")
	page.has("#away", "****")
	clerk.page(board+"?q="+url.QueryEscape("谷雨里南门")).has("#gates td", "下载中")

	sheet := clerk.page(board + "/sheet")
	if got, want := numbersIn(sheet.text("#sum")), []string{"41", "1", "40", "0"}; !slices.Equal(got, want) {
		t.Errorf("the sheet says %q, want %q", got, want)
	}
	sheet.count("#gates tbody tr", 41)
	sheet.has(".signline", "日期")
	sheet.has(".hint", "数据时间")

	again := clerk.post("/dispatch", order)
	if to := again.Header().Get("Location"); to != board+"?done=replaced_again" {
		t.Errorf("pressing again leads to %q", to)
	}
	if rows, all, err := w.store.LatestReplacements(t.Context(), 0, 0); err != nil || all != 1 || len(rows) != 1 {
		t.Errorf("%d replacements after pressing twice, %v", all, err)
	}

	at := func(hour, minute int) time.Time { return time.Date(2026, 11, 24, hour, minute, 0, 0, shanghai) }
	w.setNow(at(17, 59))
	clerk = w.as(t, "clerk")
	late := clerk.post(board+"/undo", url.Values{"reason": {"不换了"}})
	clerk.page(late.Header().Get("Location")).has(`[role="alert"]`, "已经不能撤回")
	clerk.page(board).count(`form[action$="/undo"]`, 0)
	w.setNow(at(17, 57))
	clerk = w.as(t, "clerk")
	if res := clerk.post(board+"/undo", url.Values{"reason": {"不换了"}}); res.Header().Get("Location") != board+"?done=unreplaced" {
		t.Errorf("undoing at 17:57: %d %q", res.Code, res.Header().Get("Location"))
	}
	clerk.page(board).has("dd", "已撤回")

	audits, err := w.store.Audits(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, what := range []fleet.AuditCode{fleet.AuditReplace, fleet.AuditUnreplace} {
		n := 0
		for _, a := range audits {
			if a.What == what && a.Who == "clerk" {
				n++
			}
		}
		if n != 1 {
			t.Errorf("%d lines of %q in the audit, want 1", n, what)
		}
	}
	if res := w.as(t, "inspector").post(board+"/undo", nil); res.Code != http.StatusForbidden {
		t.Errorf("a supervisor undoes: %d", res.Code)
	}
}

// TestDispatchBoardAddsUp: the numbers above the list are those of the list,
// whatever it is filtered by.
func TestDispatchBoardAddsUp(t *testing.T) {
	w := newWorld(t)
	c := w.as(t, "inspector")
	total := 0
	for _, state := range gateStates {
		total += len(c.page("/dispatch?state=" + state).all("#gates tbody tr"))
	}
	sheet := c.page("/dispatch/sheet")
	n := numbersIn(sheet.text("#sum"))
	if len(n) != 5 || n[0] != fmt.Sprint(total) || total != len(sheet.all("#gates tbody tr")) {
		t.Errorf("sheet %q with %d rows, boards by state %d", n, len(sheet.all("#gates tbody tr")), total)
	}
	c.page("/dispatch?q=nowhere").has(".empty", "没有符合条件的点位")
	c.page("/dispatch?sort=unit&lang=en").has("h1", "Dispatch")
}

// dispatched adds the pages of a replacement and of a complaint to a tour.
func (w *world) dispatched(t testing.TB, pages map[string]string) {
	t.Helper()
	clerk := fleet.User{Login: "clerk", Name: "李工", Role: fleet.Clerk}
	r, _, err := w.dispatch.Replace(t.Context(), clerk, fleet.ReplaceOrder{
		Old: w.clipNamed(t, "kefu").ID, New: w.clipNamed(t, "laonian").ID, Slots: []string{"default.evening"}, From: "2026-11-24", To: "2026-11-24", Reason: "旧素材里的电话停用",
	}, testNow)
	if err != nil {
		t.Fatal(err)
	}
	c, err := w.complaints.Take(t.Context(), clerk, fleet.Complaint{
		Point: w.points["谷雨里南门"].ID, At: testNow.Add(-5 * time.Minute), Channel: fleet.Hotline, Reference: "GD-2026-118", Text: "孩子在睡觉，声音太大", Measure: fleet.MeasureLower,
	}, 0, testNow)
	if err != nil {
		t.Fatal(err)
	}
	pages["dispatch"], pages["replace"], pages["replaced"], pages["dispatch_sheet"] = "/dispatch", "/dispatch/new", dispatchPath(r.ID), dispatchPath(r.ID)+"/sheet"
	pages["complaints"], pages["complaint"] = "/complaints", complaintPath(c.ID)
	pages["complaint_new"] = fmt.Sprintf("/complaints/new?point=%d", w.points["谷雨里南门"].ID)
}
