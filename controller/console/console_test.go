package console

import (
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatecast/controller/auth"
	"gatecast/controller/fleet"
	"gatecast/controller/store"
)

// newTestDesk is a desk on a real store.
func newTestDesk(t *testing.T) (Desk, *store.Store) {
	t.Helper()
	s, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "gatecast.db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	logins, err := auth.New(t.Context(), auth.Options{Store: s, Vault: s.Vault()})
	if err != nil {
		t.Fatal(err)
	}
	return Desk{Logins: logins, Now: time.Now, Logger: slog.New(slog.DiscardHandler)}, s
}

func TestDeskLooksAfterAccounts(t *testing.T) {
	d, s := newTestDesk(t)
	steps := []struct {
		name string
		q    Request
		code fleet.Code
		says string
	}{
		{"nobody_yet", Request{What: "unlock", Login: "admin"}, fleet.NotFound, "admin"},
		{"first_account", Request{What: "password", Login: "Admin"}, "", "One-time password of admin: "},
		{"mistyped", Request{What: "password", Login: "adnim"}, fleet.NotFound, "adnim"},
		{"role_makes_one", Request{What: "password", Login: "qianfa", Role: fleet.Approver}, "", "qianfa"},
		{"add", Request{What: "add", Login: "anxin", Name: "安心物业 李工", Role: fleet.PropertyAccount, Company: "安心物业"}, "", "anxin"},
		{"add_without_company", Request{What: "add", Login: "bx", Name: "x", Role: fleet.PropertyAccount}, fleet.Invalid, "company"},
		{"role", Request{What: "role", Login: "qianfa", Role: fleet.Supervisor}, "", "supervisor, enabled"},
		{"no_such_role", Request{What: "role", Login: "qianfa", Role: "boss"}, fleet.Invalid, "role"},
		{"disable", Request{What: "disable", Login: "qianfa"}, "", "disabled"},
		{"enable", Request{What: "enable", Login: "qianfa"}, "", "enabled"},
		{"last_admin", Request{What: "disable", Login: "admin"}, fleet.Conflict, "last"},
		{"code_off", Request{What: "code_off", Login: "qianfa"}, "", "off"},
		{"not_paused", Request{What: "unlock", Login: "qianfa"}, "", "not paused"},
		{"list", Request{What: "users"}, "", "anxin"},
		{"unknown", Request{What: "dance", Login: "admin"}, fleet.Invalid, "dance"},
	}
	for _, tt := range steps {
		r := d.Do(t.Context(), tt.q)
		if r.Code != tt.code || !strings.Contains(r.TextEN, tt.says) || r.Text == "" {
			t.Errorf("%s: %+v, want code %q and %q", tt.name, r, tt.code, tt.says)
		}
	}
	lines, err := s.FindAudits(t.Context(), fleet.AuditFilter{Who: Who})
	if err != nil || len(lines) != 7 {
		t.Errorf("%d lines in the audit, want one for each change: %+v, %v", len(lines), lines, err)
	}
}

func TestAskReachesTheControllerThatRuns(t *testing.T) {
	d, s := newTestDesk(t)
	dir := filepath.Dir(s.Path())
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- Serve(ctx, dir, d.Do, d.Logger) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	wait, stop := context.WithTimeout(t.Context(), 10*time.Second)
	defer stop()
	r, err := Ask(wait, dir, Request{What: "password", Login: "admin"})
	if err != nil || r.Err() != nil || !strings.Contains(r.TextEN, "One-time password") {
		t.Fatalf("Ask = %+v, %v", r, err)
	}
	if r, err := Ask(wait, dir, Request{What: "role", Login: "admin", Role: fleet.Clerk}); err != nil || fleet.CodeOf(r.Err()) != fleet.Conflict {
		t.Errorf("a refusal: %+v, %v", r, err)
	}
	left, err := os.ReadDir(filepath.Join(dir, Folder))
	if err != nil || len(left) != 0 {
		t.Errorf("files are left: %v, %v", left, err)
	}
}

func TestWhatNobodyWaitsForIsRemoved(t *testing.T) {
	d, s := newTestDesk(t)
	dir := filepath.Dir(s.Path())
	folder := filepath.Join(dir, Folder)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(Request{What: "password", Login: "admin"})
	if err != nil {
		t.Fatal(err)
	}
	past := time.Now().Add(-2 * staleAfter)
	for name, content := range map[string][]byte{"a.ask": body, "b.answer": []byte("{}"), "c.ask.tmp": body} {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, past, past); err != nil {
			t.Fatal(err)
		}
	}
	broken := filepath.Join(folder, "d.ask")
	if err := os.WriteFile(broken, []byte(`{"what":"users","more":1}`), 0o600); err != nil {
		t.Fatal(err)
	}
	huge := filepath.Join(folder, "e.ask")
	if err := os.WriteFile(huge, make([]byte, maxRequest+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := look(t.Context(), dir, d.Do); err == nil {
		t.Error("a request over the limit was no error")
	}
	left, err := os.ReadDir(folder)
	if err != nil || len(left) != 1 || left[0].Name() != "d.answer" {
		t.Errorf("left %v, %v; want the answer to the broken request only", left, err)
	}
	if all, err := s.Users(t.Context()); err != nil || len(all) != 0 {
		t.Errorf("an old request was done: %+v, %v", all, err)
	}
	if _, err := Ask(contextOver(t), dir, Request{What: "users"}); err == nil {
		t.Error("nobody answers, and Ask had an answer")
	}
	if left, err := os.ReadDir(folder); err != nil || len(left) != 1 {
		t.Errorf("the request stays after Ask gave up: %v, %v", left, err)
	}
}

// contextOver is a context that has ended.
func contextOver(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"what":"unlock","login":"admin"}`))
	f.Add([]byte(`{"what":1}`))
	f.Fuzz(func(t *testing.T, body []byte) { _, _ = parse(body) })
}
