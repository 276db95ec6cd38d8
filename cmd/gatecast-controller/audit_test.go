package main

import (
	"context"
	"database/sql"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatecast/controller"
	"gatecast/controller/config"
)

// signedOffice is a data folder with an audit that a controller has signed.
func signedOffice(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for range 3 {
		if status, _, said := runTest(t, "--data", dir, "password", "admin"); status != exitOK {
			t.Fatalf("password: %q", said)
		}
	}
	cfg := config.Defaults()
	cfg.DataDir, cfg.Web.Listen, cfg.Devices.HTTPS, cfg.Devices.MQTT = dir, "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	err := controller.Run(ctx, controller.Options{Config: cfg, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))}, func(c *controller.Controller) {
		defer cancel()
		for {
			if h, err := c.Store.LastAuditHead(t.Context()); err != nil || h.Number > 0 {
				return
			}
			select {
			case <-t.Context().Done():
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestAuditVerifyNamesTheLine(t *testing.T) {
	dir := signedOffice(t)
	verify := func() (int, string) {
		status, out, said := runTest(t, "--data", dir, "audit", "verify")
		return status, out + said
	}
	if status, said := verify(); status != exitOK || !strings.Contains(said, "通过") || !strings.Contains(said, "Lines 1 to 3") {
		t.Fatalf("audit verify: %d, %s", status, said)
	}
	path := filepath.Join(dir, "gatecast.db")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct{ statements, want string }{
		"edited":                  {"UPDATE audit SET object = 'somebody' WHERE id = 2", "line 2: changed"},
		"deleted":                 {"DELETE FROM audit WHERE id = 2", "line 3: missing, from 2"},
		"cut_off_with_signatures": {"DELETE FROM audit WHERE id > 1; DELETE FROM audit_heads", "line 3: cut, from 2"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile(path, whole, 0o600); err != nil {
				t.Fatal(err)
			}
			db, err := sql.Open("sqlite", "file:"+path)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			// As somebody would who has the file and a tool for it.
			for _, q := range append([]string{"DROP TRIGGER audit_is_not_changed", "DROP TRIGGER audit_is_not_deleted", "DROP TRIGGER audit_heads_are_not_deleted"}, tt.statements) {
				if _, err := db.ExecContext(t.Context(), q); err != nil {
					t.Fatal(err)
				}
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			status, said := verify()
			if status != exitBad || !strings.Contains(said, "第一处问题："+tt.want) {
				t.Errorf("audit verify: %d, %s, want %q", status, said, tt.want)
			}
		})
	}
}
