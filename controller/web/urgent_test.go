package web

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/needtool"
)

func TestUrgentPages(t *testing.T) {
	w := newWorld(t)
	c := w.as(t, "clerk")
	c.page("/urgent").count("#urgents", 0)
	form := c.page("/urgent/new")
	form.count(`input[name=first]`, 0) // a clerk has not the right
	form.has(".notice", "每小时最多")
	clips, err := w.store.Clips(t.Context())
	if err != nil || len(clips) == 0 {
		t.Fatal(err)
	}
	form.count(`select[name=clip] option`, len(clips))
	want := url.Values{"clip": {"1"}, "points": {"松风苑南门"}, "repeats": {"3"}, "until": {"20:00"}, "reason": {"<b>骗子</b>正在入户"}}
	for key, bad := range map[string]string{"until": "later", "repeats": "0", "reason": " ", "points": "没有这个点", "clip": "99"} {
		f := url.Values{}
		for k, v := range want {
			f[k] = v
		}
		f[key] = []string{bad}
		res := c.post("/urgent", f)
		if res.Code != http.StatusUnprocessableEntity && res.Code != http.StatusNotFound {
			t.Errorf("%s %q is answered %d", key, bad, res.Code)
		}
		if page := parse(t, res); page.text("[role=alert]") == "" || key != "reason" && attrOf(page.all("#un-r")[0], "value") != want.Get("reason") {
			t.Errorf("%s %q: what was typed is lost", key, bad)
		}
	}
	res := c.post("/urgent", want)
	path, _, _ := strings.Cut(res.Header().Get("Location"), "?")
	if res.Code != http.StatusSeeOther || !strings.HasPrefix(path, "/urgent/") {
		t.Fatalf("POST /urgent = %d to %q", res.Code, path)
	}
	board := c.page(path)
	board.has("dl.kv", "<b>骗子</b>正在入户")
	board.has("dl.kv", "待签发 0/1")
	board.count(`form[action$="/sign"]`, 0)
	board.count(`form[action$="/end"]`, 1)
	board.has("#gates", "等待签发")
	i, err := w.urgent.Sign(t.Context(), fleet.User{Login: "chen", Name: "陈主任", Role: fleet.Approver}, 1, testNow)
	if err != nil || i.State != fleet.InsertionLive {
		t.Fatalf("Sign = %+v, %v", i, err)
	}
	board = c.page(path)
	board.has("dl.kv", "陈主任")
	board.has("#gates", "已下发，待播")
	if res := c.post(path+"/end", url.Values{"reason": {"已核实"}}); res.Code != http.StatusSeeOther {
		t.Errorf("the submitter cancels it: %d", res.Code)
	}
	c.page("/urgent").has("#urgents", "已取消")
	c.page(path).count("form[method=post]", 1) // the logout
}

// TestUrgentFormWarns says before anything is submitted what stands against it.
func TestUrgentFormWarns(t *testing.T) {
	for hour, text := range map[int]string{12: "午间静默", 23: "夜间静默"} {
		w := newWorld(t)
		w.setNow(time.Date(2026, 11, 23, hour, 30, 0, 0, shanghai))
		c := w.as(t, "clerk")
		c.page("/urgent/new").has(".notice", text)
	}
}

// A text is heard, submitted, and is a clip marked 合成语音 that two people sign.
func TestUrgentFromATemplate(t *testing.T) {
	needtool.Need(t, "espeak-ng")
	w := newWorld(t)
	c := w.as(t, "clerk")
	texts, err := w.store.UrgentTexts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	form := c.page(fmt.Sprintf("/urgent/new?template=%d", texts[0].ID))
	form.has("#spoken", texts[0].Spoken)
	form.has("#un-area", "个点")
	f := url.Values{
		"do": {"preview"}, "source": {"text"}, "title": {texts[0].Title}, "spoken": {texts[0].Spoken}, "points": {"松风苑南门"}, "repeats": {"2"}, "until": {"20:00"}, "reason": {"有人入户"},
	}
	res := c.post("/urgent", f)
	page := parse(t, res)
	if res.Code != http.StatusOK || len(page.all("#heard")) != 1 || attrOf(page.all("#un-r")[0], "value") != "有人入户" {
		t.Fatalf("the preview is answered %d\n%s", res.Code, page.text("main"))
	}
	f.Set("do", "submit")
	res = c.post("/urgent", f)
	path, _, _ := strings.Cut(res.Header().Get("Location"), "?")
	board := c.page(path)
	board.has("h1", texts[0].Title+"（合成语音）")
	board.has("dl.kv", "待签发 0/2")
	board.has("#copies", "一级群（指挥群）")
	board.has("#copies", "今天 20:00 前有效")
	if got := attrOf(board.all("#copies [data-copy]")[1], "data-copy"); !strings.Contains(got, texts[0].Spoken) || !strings.Contains(got, "网格员") {
		t.Errorf("the text for the second tier is %q", got)
	}
	c.page("/").has("main", "紧急插播待签发")
}

func TestUrgentFromARecording(t *testing.T) {
	w := newWorld(t)
	c := w.as(t, "clerk")
	fields := map[string]string{"source": "sound", "title": "话筒", "points": "松风苑南门", "repeats": "1", "until": "20:00", "reason": "有人入户"}
	if res := c.uploadTo("/urgent", fields); res.Code != http.StatusUnprocessableEntity || !strings.Contains(parse(t, res).text("[role=alert]"), "还没有录音") {
		t.Errorf("without a recording: %d", res.Code)
	}
	res := c.uploadTo("/urgent", fields, testFile{"recording.wav", tone(t, 2, 48000, .3)})
	path, _, _ := strings.Cut(res.Header().Get("Location"), "?")
	if res.Code != http.StatusSeeOther {
		t.Fatalf("a recording is answered %d\n%s", res.Code, res.Body)
	}
	c.page(path).has("h1", "话筒")
}

// A drill is marked everywhere, is not taken while a slot is on, and the
// overview asks for one when there was none for a week.
func TestUrgentDrill(t *testing.T) {
	w := newWorld(t)
	c := w.as(t, "clerk")
	c.page("/").has("main", "一周没有做插播演练")
	c.page("/urgent/new?drill=1").count("input[name=drill]", 2)
	f := url.Values{"drill": {"silent"}, "points": {"松风苑南门"}, "until": {"20:00"}}
	if res := c.post("/urgent", f); res.Code != http.StatusConflict || !strings.Contains(parse(t, res).text("[role=alert]"), "晚段") {
		t.Errorf("a drill in a slot is answered %d", res.Code)
	}
	w.setNow(testNow.Add(time.Hour))
	c = w.as(t, "clerk")
	res := c.post("/urgent", f)
	path, _, _ := strings.Cut(res.Header().Get("Location"), "?")
	if res.Code != http.StatusSeeOther {
		t.Fatalf("a drill is answered %d\n%s", res.Code, parse(t, res).text("main"))
	}
	board := c.page(path)
	board.has("h1", "演练")
	board.has("dl.kv", "待签发 0/1")
	if _, err := w.urgent.Sign(t.Context(), fleet.User{Login: "chen", Role: fleet.Approver}, 1, w.now()); err != nil {
		t.Fatal(err)
	}
	if page := c.page("/"); strings.Contains(page.text("main"), "一周没有做插播演练") {
		t.Error("the overview still asks for a drill")
	}
	c.page("/urgent").has("#urgents", "演练：演练提示音")
	w.setNow(testNow.Add(8 * 24 * time.Hour))
	w.as(t, "clerk").page("/").has("main", "上次演练在")
}

func TestUrgentTextsPage(t *testing.T) {
	w := newEmptyWorld(t)
	c := w.as(t, "clerk")
	c.page("/urgent/texts").count("#texts > li", 5)
	if res := c.post("/urgent/texts", url.Values{"title": {" "}, "spoken": {"好。"}}); res.Code != http.StatusUnprocessableEntity {
		t.Errorf("a text without title is answered %d", res.Code)
	}
	if res := c.post("/urgent/texts", url.Values{"title": {"自来水"}, "spoken": {"请打110。"}}); res.Code != http.StatusSeeOther {
		t.Errorf("a text is answered %d", res.Code)
	}
	page := c.page("/urgent/texts")
	page.count("#texts > li", 6)
	page.has("#texts", "幺幺零") // what is wrong with it is said
	texts, err := w.store.UrgentTexts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if res := c.post(fmt.Sprintf("/urgent/texts/%d/delete", texts[0].ID), nil); res.Code != http.StatusSeeOther {
		t.Errorf("deleting is answered %d", res.Code)
	}
	c.page("/urgent/texts").count("#texts > li", 5)
	audits, err := w.store.Audits(t.Context(), 2)
	if err != nil || audits[0].What != fleet.AuditUrgentText || audits[0].Before == "" || audits[1].After == "" {
		t.Errorf("the audit has %+v, %v", audits, err)
	}
}
