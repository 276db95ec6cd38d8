package main

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"gatecast/controller"
	"gatecast/controller/config"
	"gatecast/controller/fleet"
)

// startController runs a controller on dir, on free ports of this machine.
func startController(t *testing.T, dir string) *controller.Controller {
	t.Helper()
	cfg := config.Defaults()
	cfg.DataDir, cfg.Hosts = dir, []string{"127.0.0.1"}
	cfg.Web.Listen, cfg.Web.Plain = "127.0.0.1:0", true
	cfg.Devices.HTTPS, cfg.Devices.MQTT = "127.0.0.1:0", "127.0.0.1:0"
	ctx, cancel := context.WithCancel(t.Context())
	ready, ended := make(chan *controller.Controller, 1), make(chan error, 1)
	go func() {
		ended <- controller.Run(ctx, controller.Options{Config: cfg, Version: "test", Logger: slog.New(slog.DiscardHandler)},
			func(c *controller.Controller) { ready <- c })
	}()
	select {
	case c := <-ready:
		t.Cleanup(func() {
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
		return c
	case err := <-ended:
		t.Fatalf("the controller ended: %v", err)
	}
	return nil
}

// from is a browser at an address of this machine.
func from(t *testing.T, address string) *http.Client {
	t.Helper()
	d := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}, Timeout: 10 * time.Second}
	transport := &http.Transport{DialContext: d.DialContext}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// TestLockedOutAdmin is scenario C19 over HTTP: somebody at one address types
// wrong passwords, the administrator at another gets in, the audit names where
// it came from, and a command at the machine lifts the pause while the
// controller runs. That it goes on so all day is in package auth, with the
// clock moved.
func TestLockedOutAdmin(t *testing.T) {
	dir := t.TempDir()
	status, out, said := runTest(t, "--data", dir, "password", "admin")
	m := regexp.MustCompile(`One-time password of admin: (\S+)`).FindStringSubmatch(out)
	if status != exitOK || m == nil {
		t.Fatalf("password: %d, %q, %q", status, out, said)
	}
	once := m[1]
	c := startController(t, dir)
	login := func(address, password string) (int, string) {
		t.Helper()
		res, err := from(t, address).PostForm(c.WebURL()+"/login", url.Values{"login": {"admin"}, "password": {password}})
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, string(body)
	}
	const lobby, desk = "127.0.0.2", "127.0.0.1"
	for i := range 6 {
		if code, _ := login(lobby, "not the password"); code != http.StatusUnauthorized {
			t.Fatalf("wrong password %d: %d", i, code)
		}
	}
	code, known := login(lobby, once)
	if code != http.StatusUnauthorized || !strings.Contains(known, "15 分钟") {
		t.Errorf("the right password from the paused address: %d", code)
	}
	if code, _ := login(desk, once); code != http.StatusSeeOther {
		t.Errorf("the administrator at the other address: %d", code)
	}
	lines, err := c.Store.FindAudits(t.Context(), fleet.AuditFilter{What: fleet.AuditLoginRefused})
	if err != nil || len(lines) != 7 {
		t.Fatalf("%d refused logins in the audit, %v", len(lines), err)
	}
	for _, l := range lines {
		if l.From != lobby || l.Who != "admin" || !l.Failed {
			t.Errorf("audit line %+v does not name who and where", l)
		}
	}
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	var incidents []fleet.Incident
	for range 100 { // an incident is kept within a second or so
		if incidents, err = c.Store.Incidents(t.Context(), fleet.IncidentFilter{}); err != nil || len(incidents) > 0 {
			break
		}
		<-tick.C
	}
	if err != nil || len(incidents) != 1 || incidents[0].Kind != fleet.IncidentLoginGuess || incidents[0].From != lobby {
		t.Errorf("incidents %+v, %v", incidents, err)
	}
	if status, out, said := runTest(t, "--data", dir, "users"); status != exitOK || !strings.Contains(out, "paused") {
		t.Errorf("users: %d, %q, %q", status, out, said)
	}
	if status, out, said := runTest(t, "--data", dir, "unlock", "admin"); status != exitOK || !strings.Contains(out, "may log in again") {
		t.Errorf("unlock: %d, %q, %q", status, out, said)
	}
	if code, _ := login(lobby, once); code != http.StatusSeeOther {
		t.Errorf("the right password after the pause was lifted: %d", code)
	}
	lines, err = c.Store.FindAudits(t.Context(), fleet.AuditFilter{What: fleet.AuditUserUnlock})
	if err != nil || len(lines) != 1 || lines[0].Who != "[console]" || lines[0].Object != "admin" {
		t.Errorf("the audit of the lifted pause: %+v, %v", lines, err)
	}
}

// TestNobodyLogsInToAFreshInstall tries what installers leave elsewhere.
func TestNobodyLogsInToAFreshInstall(t *testing.T) {
	c := startController(t, t.TempDir())
	for _, password := range []string{"", "admin", "password", "123456", "gatecast", "changeme"} {
		res, err := from(t, "127.0.0.1").PostForm(c.WebURL()+"/login", url.Values{"login": {"admin"}, "password": {password}})
		if err != nil {
			t.Fatal(err)
		}
		if err := res.Body.Close(); err != nil {
			t.Fatal(err)
		}
		if res.StatusCode != http.StatusUnauthorized || len(res.Cookies()) != 0 {
			t.Errorf("password %q: %d, %v", password, res.StatusCode, res.Cookies())
		}
	}
}
