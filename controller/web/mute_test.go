package web

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// muted says for the device of a point that it obeys the newest order.
func (w *world) muted(t *testing.T, name string, on bool) {
	t.Helper()
	p := w.points[name]
	d, err := w.store.DeviceOfPoint(t.Context(), p.ID)
	if err != nil {
		t.Fatal(err)
	}
	m := w.mutes.All()[0]
	st := wire.State{Session: d.Session, Online: true, PlanVersion: d.PlanVersion, PlanSHA256: d.PlanHash, Mute: wire.MuteState{Number: max(m.Number, m.LiftNumber), On: on, AtUS: wire.US(testNow.Add(2 * time.Second))}}
	if _, err := w.store.SaveState(t.Context(), d.ID, st, testNow); err != nil {
		t.Fatal(err)
	}
}

func TestMutePages(t *testing.T) {
	w := newWorld(t)
	c := w.as(t, "clerk")
	home := c.page("/")
	if got := home.attr(`.top-act a.btn.danger`, "href"); got != "/mute" {
		t.Errorf("the button leads to %q", got)
	}
	home.count(".banner", 0)
	form := c.page("/mute")
	form.has("h2", "静音")
	form.count(`form[action="/mute"] input[name=reason]`, len(muteReasons))
	for _, bad := range []url.Values{
		{"scope": {"all"}}, {"scope": {"some"}, "reason": {"投诉"}}, {"scope": {"some"}, "points": {"没有这个点"}, "reason": {"投诉"}},
	} {
		if res := c.post("/mute", bad); res.Code != http.StatusUnprocessableEntity {
			t.Errorf("%v is answered %d", bad, res.Code)
		}
	}
	res := c.post("/mute", url.Values{"scope": {"some"}, "points": {"松风苑南门，" + w.points["谷雨里南门"].Code}, "reason": {"居民投诉集中"}, "more": {"<b>孩子在睡</b>"}})
	path := res.Header().Get("Location")
	if res.Code != http.StatusSeeOther || !strings.HasPrefix(path, "/mutes/") {
		t.Fatalf("POST /mute = %d to %q", res.Code, path)
	}
	board := c.page(path)
	board.count("#gates tbody tr", 2)
	board.has(".count", "已静音 0/2")
	board.count(`form[action$="/lift"]`, 0)
	w.muted(t, "松风苑南门", true)
	board = c.page(path)
	board.has(".count", "已静音 1/2")
	board.has("#gates", "18:12:42 起")
	c.page("/compliance").has(".banner", "部分点位已静音")
	c.page("/compliance").has(".banner", "<b>孩子在睡</b>")
	for _, action := range []string{"/lift", "/approve"} {
		if res := c.post(strings.TrimSuffix(path, "?done=muted")+action, url.Values{"reason": {"好了"}}); res.Code != http.StatusForbidden {
			t.Errorf("a clerk's %s is answered %d", action, res.Code)
		}
	}
	audits, err := w.store.Audits(t.Context(), 0)
	if err != nil || !slices.ContainsFunc(audits, func(a fleet.Audit) bool {
		return a.What == fleet.AuditMute && a.Who == "clerk" && strings.Contains(a.Detail, "居民投诉集中")
	}) {
		t.Errorf("audit = %+v, %v", audits, err)
	}
	// Lifted by somebody who may: the store is asked, as pages of an approver do.
	by := fleet.User{Login: "chen", Role: fleet.Approver}
	if err := w.mutes.Lift(t.Context(), by, w.mutes.All()[0].ID, "已处理", true, testNow.Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	w.muted(t, "松风苑南门", false)
	board = c.page(path)
	board.has(".count", "已送达 1/2")
	board.has("#gates", "已恢复")
	c.page("/mutes").has("#mutes", "chen")
	c.page("/").count(".banner", 0)
}

// TestStrayMuteIsShown: a gate obeys an order that a restored database lacks.
func TestStrayMuteIsShown(t *testing.T) {
	w := newWorld(t)
	c := w.as(t, "clerk")
	c.page("/mutes").count("#st-h", 0)
	d, err := w.store.DeviceOfPoint(t.Context(), w.points["松风苑南门"].ID)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.store.SaveState(t.Context(), d.ID, wire.State{Session: d.Session, Online: true, Mute: wire.MuteState{Number: 7, On: true}}, testNow); err != nil {
		t.Fatal(err)
	}
	c.page("/mutes").has("#st-h", "1 个点")
	n, err := w.mutes.Release(t.Context(), fleet.User{Login: "chen", Role: fleet.Approver}, "恢复备份之后", testNow)
	if err != nil || n != 1 {
		t.Errorf("Release = %d, %v", n, err)
	}
	c.page("/mutes").count("#st-h", 0)
}
