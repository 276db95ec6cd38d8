package controller

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gatecast/controller/config"
	"gatecast/controller/fleet"
)

func testOptions(t *testing.T, dir string) Options {
	t.Helper()
	cfg := config.Defaults()
	cfg.DataDir, cfg.Hosts = dir, []string{"127.0.0.1"}
	cfg.Web.Listen, cfg.Web.Plain = "127.0.0.1:0", true
	cfg.Devices.HTTPS, cfg.Devices.MQTT = "127.0.0.1:0", "127.0.0.1:0"
	return Options{Config: cfg, Version: "test", Logger: slog.New(slog.DiscardHandler)}
}

// start runs a controller until the test ends and returns it.
func start(t *testing.T, o Options) *Controller {
	t.Helper()
	c, err := New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestFiguresHaveAnAddressOfTheirOwn(t *testing.T) {
	o := testOptions(t, t.TempDir())
	o.Config.Metrics.Listen = "127.0.0.1:0"
	c := start(t, o)
	for url, want := range map[string]string{c.FiguresURL(): "gatecast_ingest_acks_total 0", c.WebURL() + "/metrics": ""} {
		res, err := http.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil || strings.Contains(string(body), "gatecast_ingest") != (want != "") || !strings.Contains(string(body), want) {
			t.Errorf("%s = %d %.200s, %v", url, res.StatusCode, body, err)
		}
	}
}

func TestTwoInstancesServeSideBySide(t *testing.T) {
	for range 2 {
		c := start(t, testOptions(t, t.TempDir()))
		res, err := http.Get(c.WebURL() + "/login")
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil || res.StatusCode != http.StatusOK || !strings.Contains(string(body), "门播") {
			t.Errorf("login page: %d, %v", res.StatusCode, err)
		}
	}
}

func TestStopIsRepeatableAndDataStay(t *testing.T) {
	dir := t.TempDir()
	var hash string
	for i := range 2 {
		c, err := New(t.Context(), testOptions(t, dir))
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		if i == 1 && c.Trust.RootHash() != hash {
			t.Error("the trust root changed over a restart")
		}
		hash = c.Trust.RootHash()
		for range 2 {
			if err := c.Stop(t.Context()); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestNewRollsBackWhenAPortIsTaken(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	addr := taken.Addr().String()
	tests := map[string]func(*config.Config){
		"web.listen":           func(c *config.Config) { c.Web.Listen = addr },
		"devices.https_listen": func(c *config.Config) { c.Devices.HTTPS = addr },
		"devices.mqtt_listen":  func(c *config.Config) { c.Devices.MQTT = addr },
	}
	for key, change := range tests {
		t.Run(strings.ReplaceAll(key, ".", "_"), func(t *testing.T) {
			dir := t.TempDir()
			o := testOptions(t, dir)
			change(&o.Config)
			_, err := New(t.Context(), o)
			var fe *fleet.Error
			if !errors.As(err, &fe) || !strings.Contains(fe.Text, key) || !strings.Contains(fe.Text, addr) {
				t.Fatalf("New = %v, want a sentence that names %s and %s", err, key, addr)
			}
			start(t, testOptions(t, dir)) // nothing is left open or locked
		})
	}
}

func TestNewRefusesNewerDatabase(t *testing.T) {
	dir := t.TempDir()
	o := testOptions(t, dir)
	c, err := New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "gatecast.db")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[60], b[61], b[62], b[63] = 0, 0, 0x27, 0x0f // user_version 9999, SQLite file format §1.3
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = New(t.Context(), o)
	var fe *fleet.Error
	if !errors.As(err, &fe) || !strings.Contains(fe.Text, "9999") {
		t.Fatalf("New on a newer database = %v, want a sentence that names its version", err)
	}
	after, err := os.ReadFile(path)
	if err != nil || string(after) != string(b) {
		t.Error("the newer database was touched")
	}
}
