package web

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"gatecast/controller/auth"
	"gatecast/controller/fleet"
)

func TestLoginSetsACarefulCookie(t *testing.T) {
	w := newEmptyWorld(t)
	c := w.client(t)
	res := c.post("/login", url.Values{"login": {"admin"}, "password": {testPassword}, "to": {"/points?q=a"}})
	if res.Code != http.StatusSeeOther || res.Header().Get("Location") != "/points?q=a" {
		t.Fatalf("login: %d to %q", res.Code, res.Header().Get("Location"))
	}
	k := c.cookies[sessionCookie]
	if k == nil || !k.HttpOnly || k.SameSite != http.SameSiteLaxMode || k.Secure || len(k.Value) != 43 {
		t.Errorf("cookie over http: %+v", k)
	}
	r := httptest.NewRequest(http.MethodPost, "https://office.example/login", strings.NewReader("login=admin&password="+testPassword))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if res := w.client(t).do(r); !strings.Contains(res.Header().Get("Set-Cookie"), "; Secure") {
		t.Errorf("cookie over https: %q", res.Header().Get("Set-Cookie"))
	}
}

func TestLoginReturnsOnlyToOurPages(t *testing.T) {
	tests := map[string]string{
		"/points": "/points", "": "/", "//evil.example/x": "/", "https://evil.example/": "/", "javascript:alert(1)": "/",
		"/\\evil.example": "/", "points": "/", "/events/points": "/", "/points\r\nSet-Cookie: x": "/",
	}
	for to, want := range tests {
		if got := localPath(to); got != want {
			t.Errorf("localPath(%q) = %q, want %q", to, got, want)
		}
	}
}

func TestLoginFailuresPause(t *testing.T) {
	w := newEmptyWorld(t)
	c := w.client(t)
	wrong := func() doc {
		res := c.post("/login", url.Values{"login": {"admin"}, "password": {"<b>wrong</b>"}})
		if res.Code != http.StatusUnauthorized {
			t.Fatalf("wrong password: %d", res.Code)
		}
		return parse(t, res)
	}
	wrong().has("[role=alert]", "账号或密码不对。还可以试 4 次，之后停 15 分钟。")
	for range 3 {
		wrong()
	}
	d := wrong()
	d.has("[role=alert]", "试错次数太多。请等 15 分钟再试。")
	if d.attr("#u", "value") != "admin" || d.attr("#p", "value") != "" {
		t.Error("the account is not kept, or the password is sent back")
	}
	if res := c.post("/login", url.Values{"login": {"admin"}, "password": {testPassword}}); res.Code != http.StatusUnauthorized {
		t.Errorf("the right password in the pause: %d", res.Code)
	}
	w.setNow(testNow.Add(auth.PauseFor))
	if res := c.post("/login", url.Values{"login": {"admin"}, "password": {testPassword}}); res.Code != http.StatusSeeOther {
		t.Errorf("the right password after the pause: %d", res.Code)
	}
}

func TestIdleSessionGoesToLoginAndBack(t *testing.T) {
	w := newEmptyWorld(t)
	c := w.as(t, "admin")
	w.setNow(testNow.Add(auth.DefaultIdle + time.Minute))
	res := c.get("/points?state=bare")
	if loc := res.Header().Get("Location"); res.Code != http.StatusSeeOther || loc != "/login?to="+url.QueryEscape("/points?state=bare") {
		t.Fatalf("idle session: %d to %q", res.Code, loc)
	}
	if c.cookies[sessionCookie] != nil {
		t.Error("the dead cookie was left with the browser")
	}
	d := c.page(res.Header().Get("Location"))
	if got := d.attr("input[name=to]", "value"); got != "/points?state=bare" {
		t.Errorf("login would go to %q", got)
	}
}

func TestLogoutNeedsAPost(t *testing.T) {
	w := newEmptyWorld(t)
	c := w.as(t, "admin")
	if res := c.get("/logout"); res.Code == http.StatusSeeOther {
		t.Error("GET /logout logged out")
	}
	if res := c.post("/logout", nil); res.Code != http.StatusSeeOther {
		t.Errorf("POST /logout: %d", res.Code)
	}
	if res := c.get("/"); res.Code != http.StatusSeeOther {
		t.Errorf("the overview after logging out: %d", res.Code)
	}
}

func TestGivenOutPasswordMustBeChanged(t *testing.T) {
	w := newEmptyWorld(t)
	u, err := w.store.UserByLogin(t.Context(), "clerk")
	if err != nil {
		t.Fatal(err)
	}
	u.MustSet = true
	if _, err := w.store.SaveUser(t.Context(), u); err != nil {
		t.Fatal(err)
	}
	c := w.as(t, "clerk")
	if res := c.get("/points"); res.Header().Get("Location") != "/password" {
		t.Fatalf("a page before the change: %d to %q", res.Code, res.Header().Get("Location"))
	}
	c.page("/password").has(".lead", "一次性密码")
	set := func(old, chosen, again string) *httptest.ResponseRecorder {
		return c.post("/password", url.Values{"old": {old}, "new": {chosen}, "again": {again}})
	}
	parse(t, set(testPassword, "Songfeng-2026-bei", "other")).has(".error", "两次输入的新密码不一样")
	parse(t, set(testPassword, "short", "short")).has(".error", "至少 10 个字符")
	parse(t, set("wrong", "Songfeng-2026-bei", "Songfeng-2026-bei")).has(".error", "现在的密码不对。还可以试 4 次")
	res := set(testPassword, "Songfeng-2026-bei", "Songfeng-2026-bei")
	if res.Code != http.StatusSeeOther {
		t.Fatalf("change: %d\n%s", res.Code, res.Body)
	}
	c.page(res.Header().Get("Location")).has("[role=status]", "密码已修改")
	if u, err = w.store.UserByLogin(t.Context(), "clerk"); err != nil || u.MustSet || u.Role != fleet.Clerk {
		t.Errorf("account after the change: %+v, %v", u, err)
	}
}

func TestLanguageSwitchIsRemembered(t *testing.T) {
	w := newEmptyWorld(t)
	c := w.as(t, "admin")
	c.page("/").has(".nav", "总览")
	c.page("/?lang=en").has(".nav", "Overview")
	d := c.page("/points?q=a")
	d.has(".nav", "Points")
	if d.attr("html", "lang") != "en" {
		t.Error("the page does not say that it is English")
	}
	if got := d.attr("a[hreflang]", "href"); got != "/points?q=a&lang=zh" {
		t.Errorf("the way back is %q", got)
	}
	c.page("/?lang=xx").has(".nav", "Overview")
}
