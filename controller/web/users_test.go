package web

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gatecast/controller/fleet"
)

// newAdmin is an empty world with a second administrator, and its client.
func newAdmin(t *testing.T) (*world, *client) {
	t.Helper()
	w := newEmptyWorld(t)
	u, err := w.store.UserByLogin(t.Context(), "admin")
	if err != nil {
		t.Fatal(err)
	}
	u.ID, u.Login, u.Name = 0, "second", "赵工"
	if _, err := w.store.SaveUser(t.Context(), u); err != nil {
		t.Fatal(err)
	}
	return w, w.as(t, "admin")
}

func (w *world) account(t *testing.T, login string) fleet.User {
	t.Helper()
	u, err := w.store.UserByLogin(t.Context(), login)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func pathOf(u fleet.User) string { return fmt.Sprintf("/users/%d", u.ID) }

// lines are the audit's lines of what was done to an account.
func (w *world) lines(t *testing.T, what fleet.AuditCode, login string) []fleet.Audit {
	t.Helper()
	all, err := w.store.FindAudits(t.Context(), fleet.AuditFilter{What: what, Object: login})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestNewAccountGetsAOneTimePasswordOnce(t *testing.T) {
	w, c := newAdmin(t)
	form := url.Values{"login": {" LiLei"}, "name": {"李雷"}, "role": {"property"}}
	res := c.post("/users", form)
	if res.Code != http.StatusUnprocessableEntity {
		t.Fatalf("a property account without company: %d", res.Code)
	}
	d := parse(t, res)
	d.has("[role=alert]", "物业公司")
	if d.attr("#n-l", "value") != " LiLei" || d.attr("#u-n", "value") != "李雷" {
		t.Error("what was typed is gone")
	}
	form.Set("role", "supervisor")
	form.Set("expires", "2026-11-30")
	res = c.post("/users", form)
	if res.Code != http.StatusOK || res.Header().Get("Cache-Control") != "no-store" {
		t.Fatalf("add: %d, %q", res.Code, res.Header().Get("Cache-Control"))
	}
	once := parse(t, res).text("#once")
	if !regexp.MustCompile(`^(\w{4}-){3}\w{4}$`).MatchString(once) {
		t.Fatalf("one-time password %q", once)
	}
	u := w.account(t, "lilei")
	if !u.MustSet || u.Role != fleet.Supervisor || u.Expires.In(shanghai).Format("2006-01-02 15:04") != "2026-12-01 00:00" {
		t.Errorf("account %+v", u)
	}
	if lines := w.lines(t, fleet.AuditUserAdd, "lilei"); len(lines) != 1 || lines[0].Who != "admin" || !strings.Contains(lines[0].After, `"role":"supervisor"`) || strings.Contains(lines[0].After, once) {
		t.Errorf("audit %+v", lines)
	}
	for _, path := range []string{"/users", pathOf(u)} {
		if strings.Contains(c.get(path).Body.String(), once) {
			t.Errorf("%s shows the password again", path)
		}
	}
	fresh := w.client(t)
	res = fresh.post("/login", url.Values{"login": {"lilei"}, "password": {once}})
	if res.Code != http.StatusSeeOther {
		t.Fatalf("login with it: %d", res.Code)
	}
	if res := fresh.get("/points"); res.Header().Get("Location") != "/password" {
		t.Errorf("a page before the change: %d to %q", res.Code, res.Header().Get("Location"))
	}
	if body := fresh.get("/events/points?have=live-points.0").Body.String(); !strings.Contains(body, "event: gone") || strings.Contains(body, "event: card") {
		t.Errorf("a stream before the change: %q", body)
	}
}

func TestRoleChangeEndsSessionsAndIsAudited(t *testing.T) {
	w, c := newAdmin(t)
	clerk := w.as(t, "clerk")
	clerk.page("/enrol")
	u := w.account(t, "clerk")
	d := c.page(pathOf(u))
	d.has("option[selected]", "内容管理员")
	form := url.Values{"name": {u.Name}, "role": {"approver"}}
	if res := c.post(pathOf(u), form); res.Code != http.StatusSeeOther {
		t.Fatalf("change: %d\n%s", res.Code, res.Body)
	}
	if res := clerk.get("/enrol"); !strings.HasPrefix(res.Header().Get("Location"), "/login") {
		t.Errorf("the old session: %d to %q", res.Code, res.Header().Get("Location"))
	}
	lines := w.lines(t, fleet.AuditUserChange, "clerk")
	if len(lines) != 1 || !strings.Contains(lines[0].Before, `"role":"clerk"`) || !strings.Contains(lines[0].After, `"role":"approver"`) || lines[0].From != "192.0.2.7" {
		t.Errorf("audit %+v", lines)
	}
	if res := w.as(t, "clerk").get("/enrol"); res.Code != http.StatusForbidden {
		t.Errorf("with the new role: %d", res.Code)
	}
}

func TestUsersPageKeepsTheRules(t *testing.T) {
	w, c := newAdmin(t)
	me, other := w.account(t, "admin"), w.account(t, "second")
	if res := c.post(pathOf(me), url.Values{"name": {"张工"}, "role": {"clerk"}}); res.Code != http.StatusForbidden {
		t.Errorf("the own role: %d", res.Code)
	}
	if res := c.post(pathOf(me)+"/password", nil); res.Code != http.StatusForbidden {
		t.Errorf("the own password by a reset: %d", res.Code)
	}
	if res := c.post(pathOf(me), url.Values{"name": {"张师傅"}}); res.Code != http.StatusSeeOther || w.account(t, "admin").Name != "张师傅" {
		t.Errorf("the own name: %d", res.Code)
	}
	c.page(pathOf(me)).count("select", 0)
	if res := c.post(pathOf(other), url.Values{"name": {"赵工"}, "role": {"admin"}, "disabled": {"1"}}); res.Code != http.StatusSeeOther {
		t.Fatalf("disabling the other administrator: %d", res.Code)
	}
	if res := w.client(t).post("/login", url.Values{"login": {"second"}, "password": {testPassword}}); res.Code != http.StatusUnauthorized {
		t.Errorf("login of a disabled account: %d", res.Code)
	}
	// Now admin is the last one, and another account's session must not change it.
	if _, _, err := w.store.ChangeUser(t.Context(), other.ID, func(u *fleet.User) error { u.Disabled, u.Expires = false, testNow.AddDate(1, 0, 0); return nil }); err != nil {
		t.Fatal(err)
	}
	second := w.as(t, "second")
	res := second.post(pathOf(me), url.Values{"name": {"张工"}, "role": {"admin"}, "disabled": {"1"}})
	if res.Code != http.StatusUnprocessableEntity {
		t.Fatalf("disabling the last lasting administrator: %d", res.Code)
	}
	parse(t, res).has("[role=alert]", "最后一个")
	for _, path := range []string{"/users/0", "/users/999", "/users/x", "/users/-1"} {
		if res := c.get(path); res.Code != http.StatusNotFound {
			t.Errorf("GET %s: %d", path, res.Code)
		}
	}
	if res := c.post("/users", url.Values{"login": {"x"}, "name": {"<b>"}, "role": {"admin"}, "expires": {"tomorrow"}}); res.Code != http.StatusUnprocessableEntity {
		t.Errorf("a day that is none: %d", res.Code)
	}
}

func TestUnlockAndResetByAnAdministrator(t *testing.T) {
	w, c := newAdmin(t)
	u := w.account(t, "clerk")
	lost := w.client(t)
	lost.from = "203.0.113.9:1"
	for range 5 {
		lost.post("/login", url.Values{"login": {"clerk"}, "password": {"wrong"}})
	}
	c.page("/users").has("tbody", "暂停登录")
	d := c.page(pathOf(u))
	d.has(".notice", "203.0.113.9")
	if res := c.post(pathOf(u)+"/unlock", nil); res.Code != http.StatusSeeOther {
		t.Fatalf("unlock: %d", res.Code)
	}
	if res := lost.post("/login", url.Values{"login": {"clerk"}, "password": {testPassword}}); res.Code != http.StatusSeeOther {
		t.Errorf("login after it: %d", res.Code)
	}
	if len(w.lines(t, fleet.AuditUserUnlock, "clerk")) != 1 {
		t.Error("unlocking is not in the audit")
	}
	once := parse(t, c.post(pathOf(u)+"/password", nil)).text("#once")
	if res := lost.get("/points"); !strings.HasPrefix(res.Header().Get("Location"), "/login") {
		t.Errorf("a session outlived the reset: %d", res.Code)
	}
	if res := lost.post("/login", url.Values{"login": {"clerk"}, "password": {once}}); res.Code != http.StatusSeeOther {
		t.Errorf("login with the one-time password: %d", res.Code)
	}
}

func TestRulesForm(t *testing.T) {
	w, c := newAdmin(t)
	if res := c.post("/users/rules", url.Values{"days": {"7"}}); res.Code != http.StatusUnprocessableEntity {
		t.Errorf("7 days: %d", res.Code)
	}
	if res := c.post("/users/rules", url.Values{"days": {"90"}, "forever": {"1"}, "code": {"admin", "approver"}}); res.Code != http.StatusSeeOther {
		t.Fatalf("rules: %d", res.Code)
	}
	rules := w.server.o.Logins.Rules()
	if rules.PasswordDays != 0 || !slices.Equal(rules.CodeRoles, []fleet.Role{fleet.Admin, fleet.Approver}) {
		t.Errorf("rules %+v", rules)
	}
	lines := w.lines(t, fleet.AuditAccountRules, "")
	if len(lines) != 1 || !strings.Contains(lines[0].Before, `"password_days":"90"`) || !strings.Contains(lines[0].After, `"password_days":"off"`) {
		t.Errorf("audit of switching the age off: %+v", lines)
	}
	// The administrator has no second factor yet: now it comes first.
	if res := c.get("/users"); res.Header().Get("Location") != "/account/code" {
		t.Errorf("a page without the second factor that is demanded: %d to %q", res.Code, res.Header().Get("Location"))
	}
	w.as(t, "clerk").page("/points")
}
