package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatecast/controller/fleet"
	"gatecast/controller/notary"
	"gatecast/controller/store"
	"gatecast/controller/trust"
	"gatecast/internal/audit"
)

func TestVerifyExportedAudit(t *testing.T) {
	dir := t.TempDir()
	s, err := store.Open(t.Context(), filepath.Join(dir, "gatecast.db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	authority, err := trust.Open(filepath.Join(dir, "trust"), trust.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, object := range []string{"a", "b", "c"} {
		if err := s.AddAudit(t.Context(), fleet.Audit{At: time.Now(), Who: "clerk", What: fleet.AuditClip, Object: object}); err != nil {
			t.Fatal(err)
		}
	}
	signer, err := notary.NewAuditSigner(notary.AuditOptions{Store: s, Sealer: authority, Zone: time.UTC})
	if err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	if err := signer.Export(t.Context(), &file, "示例街道", authority.RootEnvelope(), time.Now()); err != nil {
		t.Fatal(err)
	}
	verify := func(data []byte, args ...string) (int, string) {
		t.Helper()
		path := filepath.Join(t.TempDir(), "audit.jsonl")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		var out, errs bytes.Buffer
		status := runVerify(t.Context(), streams{out: &out, err: &errs}, append(args, path))
		return status, out.String() + errs.String()
	}
	if status, said := verify(file.Bytes(), "--root", authority.RootHash()); status != exitOK || !strings.Contains(said, "通过") || !strings.Contains(said, "第 1 至 3 条") {
		t.Errorf("a whole file: %d, %s", status, said)
	}
	if status, said := verify(file.Bytes(), "--root", strings.Repeat("0", 64)); status != exitBad || !strings.Contains(said, "信任根不是") {
		t.Errorf("another root: %d, %s", status, said)
	}
	edited := bytes.Replace(file.Bytes(), []byte(`"object":"b"`), []byte(`"object":"B"`), 1)
	if status, said := verify(edited, "--lang", "en"); status != exitBad || !strings.Contains(said, "FAILED. The first thing wrong: line 2: ") {
		t.Errorf("an edited file: %d, %s", status, said)
	}
	cut := file.Bytes()[:bytes.LastIndex(bytes.TrimSpace(file.Bytes()), []byte("\n"))+1]
	if status, said := verify(cut); status != exitBad || !strings.Contains(said, "第 3 条：签过名的记录不在") {
		t.Errorf("a file cut off: %d, %s", status, said)
	}
	if status, said := verify([]byte("hello")); status != exitUsage {
		t.Errorf("no file of ours: %d, %s", status, said)
	}
	for _, c := range audit.Codes() {
		if w := auditFaultWords[c]; w[0] == "" || w[1] == "" {
			t.Errorf("no words for %q", c)
		}
	}
}
