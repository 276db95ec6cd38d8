package web

import (
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"gatecast/controller/doorway"
	"gatecast/controller/fleet"
)

// testCertificates are those of a controller with its own CA.
type testCertificates struct{}

func (testCertificates) Fingerprints() (page, ca string) { return "AA:BB", "CC:DD" }
func (testCertificates) CA() []byte                      { return []byte("der") }

// visit asks for a page over TLS or not, from somewhere, with a header.
func (c *client) visit(url, from, forwarded string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, url, nil)
	if forwarded != "" {
		r.Header.Set("X-Forwarded-For", forwarded)
	}
	was := c.from
	c.from = from
	defer func() { c.from = was }()
	return c.do(r)
}

func TestAdministrationOpensFromListedAddressesOnly(t *testing.T) {
	w := newEmptyWorld(t)
	w.serve(t, func(o *Options) {
		var err error
		if o.AdminAddresses, err = doorway.ParsePrefixes([]string{"192.168.1.0/24", "2001:db8::/32"}); err != nil {
			t.Fatal(err)
		}
		if o.TrustedProxies, err = doorway.ParsePrefixes([]string{"10.0.0.1"}); err != nil {
			t.Fatal(err)
		}
	})
	c := w.as(t, "admin")
	session := c.cookies[sessionCookie]
	// A page of each confined action, on the server's own wrapper.
	mux := http.NewServeMux()
	for _, what := range []fleet.Action{fleet.ActUsers, fleet.ActSettings, fleet.ActRead} {
		w.server.may(mux, what, "GET /"+string(what), func(w http.ResponseWriter, _ *http.Request, _ *visit) error {
			w.WriteHeader(http.StatusNoContent)
			return nil
		})
	}
	c.server = doorway.Visitors(w.server.o.TrustedProxies, mux)
	tests := []struct {
		name, url, from, forwarded string
		want                       int
	}{
		{"listed", "/users", "192.168.1.9:1", "", http.StatusNoContent},
		{"listed_settings", "/settings", "192.168.1.9:1", "", http.StatusNoContent},
		{"listed_mapped", "/users", "[::ffff:192.168.1.9]:1", "", http.StatusNoContent},
		{"listed_six", "/users", "[2001:db8::5]:1", "", http.StatusNoContent},
		{"not_listed", "/users", "192.168.2.9:1", "", http.StatusForbidden},
		{"not_listed_settings", "/settings", "192.168.2.9:1", "", http.StatusForbidden},
		{"not_listed_but_reading", "/read", "192.168.2.9:1", "", http.StatusNoContent},
		{"claims_to_be_listed", "/users", "192.168.2.9:1", "192.168.1.9", http.StatusForbidden},
		{"proxy_for_listed", "/users", "10.0.0.1:1", "192.168.1.9", http.StatusNoContent},
		{"proxy_for_other", "/users", "10.0.0.1:1", "192.168.1.9, 192.168.2.9", http.StatusForbidden},
		{"proxy_itself", "/users", "10.0.0.1:1", "", http.StatusForbidden},
		{"own_machine", "https://localhost/users", "127.0.0.1:1", "", http.StatusNoContent},
		{"own_machine_six", "https://localhost/users", "[::1]:1", "", http.StatusNoContent},
		{"local_proxy_that_is_not_named", "/users", "127.0.0.1:1", "192.168.2.9", http.StatusForbidden},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c.cookies = map[string]*http.Cookie{sessionCookie: session}
			if strings.HasPrefix(tt.url, "https:") {
				secured := *session
				secured.Name = secureCookie
				c.cookies = map[string]*http.Cookie{secureCookie: &secured}
			}
			res := c.visit(tt.url, tt.from, tt.forwarded)
			if res.Code != tt.want {
				t.Errorf("%s from %s for %q = %d, want %d", tt.url, tt.from, tt.forwarded, res.Code, tt.want)
			}
			if res.Code == http.StatusForbidden && !strings.Contains(res.Body.String(), "web.admin_addresses") {
				t.Errorf("the refusal names no way out:\n%s", res.Body)
			}
		})
	}
}

func TestSessionOverTLSHasAHostCookie(t *testing.T) {
	w := newEmptyWorld(t)
	c := w.client(t)
	login := func(to string) *http.Cookie {
		r := httptest.NewRequest(http.MethodPost, to, strings.NewReader(url.Values{"login": {"admin"}, "password": {testPassword}}.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		for _, k := range c.do(r).Result().Cookies() {
			if strings.Contains(k.Name, "session") {
				return k
			}
		}
		t.Fatal("no session")
		return nil
	}
	k := login("https://office.example/login")
	if k.Name != secureCookie || !k.Secure || !k.HttpOnly || k.Path != "/" || k.Domain != "" || k.SameSite != http.SameSiteLaxMode {
		t.Errorf("cookie over TLS: %+v", k)
	}
	// A cookie that a neighbour or the wire could have planted counts for nothing.
	c.cookies = map[string]*http.Cookie{sessionCookie: {Name: sessionCookie, Value: k.Value}}
	r := httptest.NewRequest(http.MethodGet, "https://office.example/points", nil)
	if res := c.do(r); res.Code != http.StatusSeeOther {
		t.Errorf("a session in the other cookie: %d, want the login", res.Code)
	}
}

func TestInsistOnTLSOnlyWithAKnownCertificate(t *testing.T) {
	w := newEmptyWorld(t)
	for _, insist := range []bool{false, true} {
		w.serve(t, func(o *Options) { o.Insist = insist })
		for url, secure := range map[string]bool{"https://office.example/login": true, "/login": false} {
			got := w.client(t).visit(url, "192.0.2.7:1", "").Header().Get("Strict-Transport-Security")
			if (got != "") != (insist && secure) {
				t.Errorf("insist %v, %s: %q", insist, url, got)
			}
		}
	}
}

func TestCertificatePage(t *testing.T) {
	w := newEmptyWorld(t)
	w.serve(t, func(o *Options) { o.Certificates = testCertificates{} })
	c := w.as(t, "clerk")
	d := c.page("/certificate")
	d.has("#page-print", "AA:BB")
	d.has("#ca-print", "CC:DD")
	res := w.client(t).get("/ca.crt")
	block, _ := pem.Decode(res.Body.Bytes())
	if res.Code != http.StatusOK || block == nil || string(block.Bytes) != "der" || res.Header().Get("Content-Type") != "application/x-x509-ca-cert" {
		t.Errorf("GET /ca.crt = %d %q", res.Code, res.Body)
	}
	w.serve(t, nil)
	w.as(t, "clerk").page("/certificate").count("#page-print", 0)
	if res := w.client(t).get("/ca.crt"); res.Code != http.StatusNotFound {
		t.Errorf("GET /ca.crt without a CA = %d", res.Code)
	}
}
