package web

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"gatecast/controller/fleet"
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
		if res := c.post("/urgent", f); res.Code != http.StatusUnprocessableEntity && res.Code != http.StatusNotFound {
			t.Errorf("%s %q is answered %d", key, bad, res.Code)
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
