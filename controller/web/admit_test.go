package web

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"gatecast/controller/fleet"
	"gatecast/controller/trust"
	"gatecast/internal/wire"
)

// wait enrols a device at a point; nobody has heard it yet.
func (w *world) wait(t testing.TB, p fleet.Point, id wire.DeviceID) (code string) {
	t.Helper()
	code, hash := trust.NewJoinCode()
	if err := w.store.AddJoinCode(t.Context(), fleet.JoinCode{Hash: hash, Point: p.ID, Issued: testNow, Expires: testNow.Add(joinFor), By: "clerk"}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.store.Enrol(t.Context(), hash, fleet.Device{ID: id, SPKI: []byte(id), Hardware: "Raspberry Pi 4"}, testNow); err != nil {
		t.Fatal(err)
	}
	return code
}

// connect has the device say that it is there, knows the time and has the plan
// that it should have.
func (w *world) connect(t testing.TB, id wire.DeviceID) {
	t.Helper()
	if err := w.store.SetWanted(t.Context(), id, 1, "aa"); err != nil {
		t.Fatal(err)
	}
	h := wire.Hello{Session: 1, Nonce: "n", State: wire.State{Online: true, PlanVersion: 1, PlanSHA256: "aa", Time: wire.TimeState{Level: wire.T1}}}
	if _, err := w.store.SaveHello(t.Context(), id, h, testNow); err != nil {
		t.Fatal(err)
	}
}

// TestNewDeviceIsHeardBeforeItPlays is an installation as the office sees it:
// nothing, a tone that nobody heard, one that somebody heard.
func TestNewDeviceIsHeardBeforeItPlays(t *testing.T) {
	w := newWorld(t)
	p := w.points["初夏庭南门"]
	path := pointPath(p.ID)
	c := w.as(t, "clerk")
	w.wait(t, p, "d-new")
	page := c.page(path)
	page.has("#newcomer", "设备已拿到身份，还没有连上")
	page.count(`form[action="`+path+`/tone"] button[disabled]`, 1)
	w.connect(t, "d-new")
	form := url.Values{"device": {"d-new"}}
	answer := func(heard string) *url.Values {
		return &url.Values{"device": {"d-new"}, "heard": {heard}}
	}
	if res := c.post(path+"/tone", form); res.Code != http.StatusSeeOther {
		t.Fatalf("tone = %d\n%s", res.Code, res.Body)
	}
	c.page(path).has("#newcomer", "听到了吗？")
	w.setNow(testNow.Add(1e9))
	if res := c.post(path+"/heard", *answer("no")); res.Code != http.StatusSeeOther {
		t.Fatalf("heard no = %d\n%s", res.Code, res.Body)
	}
	page = c.page(path)
	page.has("#newcomer", "没听到，先查这四处")
	page.count(`form[action="`+path+`/heard"]`, 0) // another tone first
	w.setNow(testNow.Add(2e9))
	c.post(path+"/tone", form)
	if res := c.post(path+"/heard", *answer("yes")); res.Code != http.StatusSeeOther {
		t.Fatalf("heard yes = %d\n%s", res.Code, res.Body)
	}
	d, err := w.store.Device(t.Context(), "d-new")
	if err != nil || d.State != fleet.DeviceActive || d.AcceptedBy != "clerk" {
		t.Errorf("device = %s by %q, %v", d.State, d.AcceptedBy, err)
	}
	if res := c.post(path+"/tone", form); res.Code != http.StatusConflict {
		t.Errorf("another tone = %d, want refused", res.Code)
	}
	lines, err := w.store.Audits(t.Context(), 10)
	if err != nil {
		t.Fatal(err)
	}
	var said []string
	for _, a := range lines {
		said = append(said, string(a.What))
	}
	if got := strings.Join(said, " "); !strings.HasPrefix(got, "device_accepted test_tone device_unheard test_tone") {
		t.Errorf("audit says %s", got)
	}
}

func TestRevokeAsksTwiceAndOffersTheSuccessor(t *testing.T) {
	w := newWorld(t)
	p := w.points["谷雨里南门"]
	path := pointPath(p.ID)
	d, err := w.store.DeviceOfPoint(t.Context(), p.ID)
	if err != nil {
		t.Fatal(err)
	}
	c := w.as(t, "admin")
	c.page(path).count(`a[href="`+path+`/revoke"]`, 1)
	form := func(change string, value string) url.Values {
		v := url.Values{"device": {string(d.ID)}, "reason": {"盒子被偷"}, "sure": {"yes"}, "then": {"replace"}}
		v.Set(change, value)
		return v
	}
	for field, bad := range map[string]string{"device": "d-other", "reason": "  ", "sure": ""} {
		if res := c.post(path+"/revoke", form(field, bad)); res.Code != http.StatusUnprocessableEntity {
			t.Errorf("%s %q = %d", field, bad, res.Code)
		}
	}
	if now, err := w.store.Device(t.Context(), d.ID); err != nil || now.State != fleet.DeviceActive {
		t.Fatalf("a refused form left it %s, %v", now.State, err)
	}
	if res := w.as(t, "clerk").post(path+"/revoke", form("then", "")); res.Code != http.StatusForbidden {
		t.Errorf("a clerk revokes: %d", res.Code)
	}
	res := c.post(path+"/revoke", form("then", "replace"))
	if to := res.Header().Get("Location"); res.Code != http.StatusSeeOther || !strings.HasPrefix(to, "/enrol/") {
		t.Fatalf("revoke = %d, leads to %q\n%s", res.Code, to, res.Body)
	}
	c.page(res.Header().Get("Location")).has("h1", p.Name)
	if now, err := w.store.Device(t.Context(), d.ID); err != nil || now.State != fleet.DeviceRevoked {
		t.Errorf("it is %s, %v", now.State, err)
	}
}

// TestPropertyCompanyInstallsAtItsOwnGate counts the taps of the person with
// the phone: the gate, the code, on to the sound, tone, heard.
func TestPropertyCompanyInstallsAtItsOwnGate(t *testing.T) {
	w := newWorld(t)
	p := w.points["初夏庭南门"]
	var company, other string
	places, err := w.store.Compounds(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range places {
		if c.ID == p.Compound {
			company = c.Property
		}
	}
	for _, q := range w.points {
		for _, c := range places {
			if c.ID == q.Compound && c.Property != company {
				other = installPath(q.ID)
			}
		}
	}
	user, err := w.store.UserByLogin(t.Context(), "clerk")
	if err != nil {
		t.Fatal(err)
	}
	user.ID, user.Login, user.Name, user.Role, user.Company = 0, "wuye", "物业值班", fleet.PropertyAccount, company
	if _, err := w.store.SaveUser(t.Context(), user); err != nil {
		t.Fatal(err)
	}
	c := w.as(t, "wuye")
	path := installPath(p.ID)
	c.page("/install").count(`a[href="`+path+`"]`, 1)
	c.page("/install").count(`a[href="`+other+`"]`, 0)
	if res := c.get(other); res.Code != http.StatusNotFound {
		t.Errorf("the gate of another company = %d", res.Code)
	}
	res := c.post(path+"/code", nil)
	to := res.Header().Get("Location")
	if res.Code != http.StatusSeeOther || !strings.HasPrefix(to, "/j/") {
		t.Fatalf("code = %d, leads to %q\n%s", res.Code, to, res.Body)
	}
	c.page(to).count(`a[href="`+path+`"]`, 1)
	c.page(path).has("main", "这里还没有设备接入")
	hash, err := testTrust{}.HashCode(strings.TrimPrefix(to, "/j/"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.store.Enrol(t.Context(), hash, fleet.Device{ID: "d-new", SPKI: []byte("d-new"), Hardware: "Pi"}, testNow); err != nil {
		t.Fatal(err)
	}
	c.page(path).has("main", "设备已拿到身份")
	w.connect(t, "d-new")
	form := url.Values{"device": {"d-new"}, "back": {path}, "heard": {"yes"}}
	for _, action := range []string{"/tone", "/heard"} {
		if res := c.post(pointPath(p.ID)+action, form); res.Code != http.StatusSeeOther || res.Header().Get("Location") != path {
			t.Fatalf("%s = %d, leads to %q\n%s", action, res.Code, res.Header().Get("Location"), res.Body)
		}
	}
	page := c.page(path)
	page.has("main", "这里已绑定设备")
	page.has("main", "由 wuye 听到试音后启用")
	if res := c.post(path+"/code", nil); res.Code != http.StatusConflict {
		t.Errorf("a code to take over a gate that has a device = %d, want refused", res.Code)
	}
	w.as(t, "clerk").page(pointPath(p.ID)).count("#newcomer", 0)
}
