package acceptance

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// verify runs "gatecast verify" and returns its exit status and what it said.
func verify(t *testing.T, args ...string) (int, string) {
	t.Helper()
	c := exec.CommandContext(t.Context(), filepath.Join(bin, "gatecast"), append([]string{"verify"}, args...)...)
	out, err := c.CombinedOutput()
	if c.ProcessState == nil {
		t.Fatal(err)
	}
	return c.ProcessState.ExitCode(), string(out)
}

// TestEvidenceIsVerifiedOffline plays, exports from the running office and
// takes the card out of the gate: both verify by the fingerprint of the join
// line, and neither does after a byte of a record was changed.
func TestEvidenceIsVerifiedOffline(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.addClip("ding", wavOf(testClip(3*time.Second)))
	g := newGate(t, o, "SL-01-01")
	line := o.joinLine("SL-01-02")
	root := line[strings.LastIndexAny(line, " :")+1:]
	o.activate(slotsFrom(o, soon(5*time.Second), 6*time.Second, 2))
	waitReported(t, o, g, 2)

	zip := filepath.Join(t.TempDir(), "evidence.zip")
	now := time.Now()
	run(t, "gatecast-controller", "--config", o.config, "export", "--from", now.AddDate(0, 0, -1).Format(time.DateOnly), "--to", now.AddDate(0, 0, 1).Format(time.DateOnly), zip)
	status, said := verify(t, "--root", root, zip)
	if status != 0 || !strings.Contains(said, "通过：") || !strings.Contains(said, string(g.device())) {
		t.Errorf("the export: status %d\n%s", status, said)
	}
	g.process.stop(t, 5*time.Second)
	status, said = verify(t, "--lang", "en", "--root", root, g.dir)
	if status != 0 || !strings.Contains(said, "PASSED") || strings.Contains(said, "covered by no signature") {
		t.Errorf("the card after an orderly stop: status %d\n%s", status, said)
	}

	segments, err := filepath.Glob(filepath.Join(g.dir, "journal", "*.seg"))
	if err != nil || len(segments) == 0 {
		t.Fatalf("segments %v, %v", segments, err)
	}
	spoil(t, segments[0], `"result":"played"`, `"result":"failed"`)
	if status, said := verify(t, "--root", root, g.dir); status != 1 || !strings.Contains(said, "第一处问题") {
		t.Errorf("a changed card: status %d\n%s", status, said)
	}
	folder := filepath.Join(t.TempDir(), "evidence")
	run(t, "gatecast-controller", "--config", o.config, "export", "--from", now.AddDate(0, 0, -1).Format(time.DateOnly), "--to", now.AddDate(0, 0, 1).Format(time.DateOnly), folder)
	journals, err := filepath.Glob(filepath.Join(folder, "journals", "*", "*.jsonl"))
	if err != nil || len(journals) != 1 {
		t.Fatalf("journals %v, %v", journals, err)
	}
	spoil(t, journals[0], `"result":"played"`, `"result":"failed"`)
	if status, said := verify(t, "--lang", "en", "--root", root, folder); status != 1 || !strings.Contains(said, "does not follow from the one in front") {
		t.Errorf("a changed export: status %d\n%s", status, said)
	}
	if status, said := verify(t, "--root", strings.Repeat("0", 64), zip); status != 1 {
		t.Errorf("another trust root: status %d\n%s", status, said)
	}
}

// spoil replaces the first old in a file by new.
func spoil(t *testing.T, file, old, new string) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	changed := bytes.Replace(data, []byte(old), []byte(new), 1)
	if bytes.Equal(changed, data) {
		t.Fatalf("%s has no %s", file, old)
	}
	if err := os.WriteFile(file, changed, 0o600); err != nil {
		t.Fatal(err)
	}
}
