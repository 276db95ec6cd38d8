package web

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"gatecast/controller/fleet"
)

// appCode is what an authenticator app shows at an instant, written down once
// more from RFC 4226 and RFC 6238.
func appCode(t *testing.T, text string, at time.Time) string {
	t.Helper()
	secret, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	mac := hmac.New(sha1.New, secret)
	if err := binary.Write(mac, binary.BigEndian, at.Unix()/30); err != nil {
		t.Fatal(err)
	}
	sum := mac.Sum(nil)
	return fmt.Sprintf("%06d", binary.BigEndian.Uint32(sum[sum[19]&15:])&0x7fffffff%1_000_000)
}

// turnOn sets the second factor of the client's account up and returns its
// secret and the recovery codes.
func (w *world) turnOn(t *testing.T, c *client) (string, []string) {
	t.Helper()
	d := c.page("/account/code")
	secret := d.text("#secret")
	if !strings.HasPrefix(d.attr("img.qr", "src"), "data:image/png;base64,") {
		t.Error("there is no QR code")
	}
	bad := c.post("/account/code", url.Values{"password": {testPassword}, "code": {"00000"}})
	parse(t, bad).has(".error", "动态码不对")
	parse(t, c.post("/account/code", url.Values{"password": {"wrong"}, "code": {appCode(t, secret, w.now())}})).has(".error", "密码不对")
	res := c.post("/account/code", url.Values{"password": {testPassword}, "code": {appCode(t, secret, w.now())}})
	if res.Code != http.StatusOK || res.Header().Get("Cache-Control") != "no-store" {
		t.Fatalf("turning on: %d\n%s", res.Code, res.Body)
	}
	codes := strings.Fields(parse(t, res).text("#codes"))
	if len(codes) != 10 {
		t.Fatalf("recovery codes %q", codes)
	}
	return secret, codes
}

func TestSecondFactorOnThePages(t *testing.T) {
	w := newEmptyWorld(t)
	c := w.as(t, "clerk")
	secret, codes := w.turnOn(t, c)
	c.page("/account").has(".state", "已开启")
	w.setNow(testNow.Add(time.Minute))

	fresh := w.client(t)
	password := url.Values{"login": {"clerk"}, "password": {testPassword}, "to": {"/points"}}
	res := fresh.post("/login", password)
	if res.Code != http.StatusOK || fresh.cookies[sessionCookie] != nil {
		t.Fatalf("the password alone: %d, cookies %v", res.Code, fresh.cookies)
	}
	half := parse(t, res).attr("input[name=half]", "value")
	wrong := fresh.post("/login/code", url.Values{"half": {half}, "code": {"0000000"}, "to": {"/points"}})
	if wrong.Code != http.StatusUnauthorized || fresh.cookies[sessionCookie] != nil {
		t.Errorf("a wrong code: %d", wrong.Code)
	}
	parse(t, wrong).has("[role=alert]", "还可以试 4 次")
	code := appCode(t, secret, w.now())
	res = fresh.post("/login/code", url.Values{"half": {half}, "code": {code}, "to": {"/points"}})
	if res.Code != http.StatusSeeOther || res.Header().Get("Location") != "/points" {
		t.Fatalf("the right code: %d to %q", res.Code, res.Header().Get("Location"))
	}
	fresh.page("/points")

	again := w.client(t)
	half = parse(t, again.post("/login", password)).attr("input[name=half]", "value")
	if res := again.post("/login/code", url.Values{"half": {half}, "code": {code}}); res.Code != http.StatusUnauthorized {
		t.Errorf("a code that was used: %d", res.Code)
	}
	if res := again.post("/login/code", url.Values{"half": {half}, "code": {codes[0]}, "to": {"//evil.example"}}); res.Code != http.StatusSeeOther || res.Header().Get("Location") != "/" {
		t.Errorf("a recovery code: %d to %q", res.Code, res.Header().Get("Location"))
	}
	again.page("/account").has(".card", "还有 9 个备用码")
	if res := again.post("/login/code", url.Values{"half": {"made-up"}, "code": {codes[1]}}); res.Code != http.StatusUnauthorized {
		t.Errorf("a code without a password: %d", res.Code)
	}
	lines, err := w.store.FindAudits(t.Context(), fleet.AuditFilter{What: fleet.AuditCodeRefused})
	if err != nil || len(lines) != 2 || lines[0].Who != "clerk" || !lines[0].Failed {
		t.Errorf("audit of refused codes: %+v, %v", lines, err)
	}

	parse(t, again.post("/account/code/off", url.Values{"password": {"wrong"}})).has(".error", "密码不对")
	if res := again.post("/account/code/off", url.Values{"password": {testPassword}}); res.Code != http.StatusSeeOther {
		t.Errorf("turning off: %d", res.Code)
	}
	w.as(t, "clerk").page("/account").has(".state", "未开启")
}

func TestAdministratorResetsALostSecondFactor(t *testing.T) {
	w := newEmptyWorld(t)
	c := w.as(t, "clerk")
	w.turnOn(t, c)
	u := w.account(t, "clerk")
	admin := w.as(t, "admin")
	admin.page(pathOf(u)).has("button", "重置两步验证")
	if res := admin.post(pathOf(u)+"/code", nil); res.Code != http.StatusSeeOther {
		t.Fatalf("reset: %d", res.Code)
	}
	if res := c.get("/points"); !strings.HasPrefix(res.Header().Get("Location"), "/login") {
		t.Errorf("a session outlived the reset: %d", res.Code)
	}
	w.as(t, "clerk").page("/points")
	if lines := w.lines(t, fleet.AuditUserCode, "clerk"); len(lines) != 1 || lines[0].Who != "admin" {
		t.Errorf("audit %+v", lines)
	}
}

func TestEndingOnesOtherLogins(t *testing.T) {
	w := newEmptyWorld(t)
	here, there := w.as(t, "clerk"), w.as(t, "clerk")
	stranger := w.as(t, "inspector")
	d := here.page("/account")
	d.has("button", "退出其他 1 处登录")
	d.count(".tag", 1)
	if res := here.post("/account/sessions", nil); res.Code != http.StatusSeeOther {
		t.Fatalf("ending: %d", res.Code)
	}
	if res := there.get("/points"); !strings.HasPrefix(res.Header().Get("Location"), "/login") {
		t.Errorf("the other login: %d", res.Code)
	}
	here.page("/points")
	stranger.page("/points")
}

// TestLoginGivesAFreshToken is session fixation: a token that somebody planted
// in the browser before the login is worth nothing after it.
func TestLoginGivesAFreshToken(t *testing.T) {
	w := newEmptyWorld(t)
	c := w.client(t)
	c.cookies[sessionCookie] = &http.Cookie{Name: sessionCookie, Value: "planted-by-somebody-else"}
	c.post("/login", url.Values{"login": {"clerk"}, "password": {testPassword}})
	if k := c.cookies[sessionCookie]; k == nil || k.Value == "planted-by-somebody-else" || len(k.Value) != 43 {
		t.Fatalf("cookie after the login: %+v", k)
	}
	planted := w.client(t)
	planted.cookies[sessionCookie] = &http.Cookie{Name: sessionCookie, Value: "planted-by-somebody-else"}
	if res := planted.get("/points"); !strings.HasPrefix(res.Header().Get("Location"), "/login") {
		t.Errorf("the planted token: %d", res.Code)
	}
	// A real session of the attacker's ends when the victim logs in with it.
	attacker := w.as(t, "inspector")
	victim := w.client(t)
	victim.cookies[sessionCookie] = attacker.cookies[sessionCookie]
	victim.post("/login", url.Values{"login": {"clerk"}, "password": {testPassword}})
	if res := attacker.get("/points"); !strings.HasPrefix(res.Header().Get("Location"), "/login") {
		t.Errorf("the attacker's own session: %d", res.Code)
	}
}

func TestAGoodLoginLeavesTheBrowserKnown(t *testing.T) {
	w := newEmptyWorld(t)
	c := w.client(t)
	c.post("/login", url.Values{"login": {"clerk"}, "password": {"wrong"}})
	if c.cookies[browserCookie] != nil {
		t.Error("a refused login left a token")
	}
	c.post("/login", url.Values{"login": {"clerk"}, "password": {testPassword}})
	k := c.cookies[browserCookie]
	if k == nil || !k.HttpOnly || k.SameSite != http.SameSiteLaxMode || len(k.Value) != 43 {
		t.Fatalf("cookie %+v", k)
	}
	neighbour := w.client(t) // the same address
	for range 5 {
		neighbour.post("/login", url.Values{"login": {"clerk"}, "password": {"wrong"}})
	}
	if res := neighbour.post("/login", url.Values{"login": {"clerk"}, "password": {testPassword}}); res.Code != http.StatusUnauthorized {
		t.Errorf("the neighbour in the pause: %d", res.Code)
	}
	c.post("/logout", nil)
	if res := c.post("/login", url.Values{"login": {"clerk"}, "password": {testPassword}}); res.Code != http.StatusSeeOther || c.cookies[browserCookie].Value != k.Value {
		t.Errorf("the known browser at the neighbour's address: %d", res.Code)
	}
}
