package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// runTest runs the command and returns its status and what it said.
func runTest(t *testing.T, args ...string) (int, string, string) {
	t.Helper()
	var out, errw bytes.Buffer
	status := run(args, &out, &errw)
	return status, out.String(), errw.String()
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{{"dance"}, {"config"}, {"config", "eat"}, {"password"}, {"run", "twice"}} {
		if status, _, said := runTest(t, args...); status != exitUsage || !strings.Contains(said, "usage") {
			t.Errorf("%v: status %d, said %q", args, status, said)
		}
	}
	if status, _, _ := runTest(t, "--help"); status != exitOK {
		t.Errorf("--help: status %d", status)
	}
}

func TestConfigDescribeCanBeChecked(t *testing.T) {
	status, text, _ := runTest(t, "config", "describe")
	if status != exitOK {
		t.Fatalf("status %d", status)
	}
	file := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if status, _, said := runTest(t, "config", "check", "--config", file); status != exitOK {
		t.Errorf("config check of config describe: %d, %s", status, said)
	}
	typo := strings.Replace(text, "mqtt_listen", "mqtt_lisen", 1)
	if err := os.WriteFile(file, []byte(typo), 0o600); err != nil {
		t.Fatal(err)
	}
	status, _, said := runTest(t, "--config", file, "config", "check")
	if status != exitUsage || !strings.Contains(said, file+":") || !strings.Contains(said, "mqtt_lisen: unknown key") || !strings.Contains(said, "请改正") {
		t.Errorf("a typo: %d, %q", status, said)
	}
	status, _, said = runTest(t, "--config", file+".old", "config", "check")
	if status != exitUsage || !strings.Contains(said, file+".old: 找不到这个配置文件") {
		t.Errorf("a missing file: %d, %q", status, said)
	}
}

func TestFirstAccountIsMadeAtTheConsole(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "not", "there", "yet")
	status, out, said := runTest(t, "--data", dir, "password", "admin")
	if status != exitOK || !strings.Contains(out, "admin") {
		t.Fatalf("password: %d, %q, %q", status, out, said)
	}
	again, out2, _ := runTest(t, "password", "admin", "--data", dir)
	if again != exitOK || out2 == out {
		t.Errorf("the second password is the first: %d, %q", again, out2)
	}
	if status, _, said := runTest(t, "--data", dir, "password", "adnim"); status != exitBad || !strings.Contains(said, "adnim") {
		t.Errorf("a mistyped account: %d, %q", status, said)
	}
}

func TestRegistryExampleImports(t *testing.T) {
	dir := t.TempDir()
	_, text, _ := runTest(t, "registry", "example")
	if _, err := parseRegistry([]byte(text), time.Now()); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "registry.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if status, out, said := runTest(t, "--data", dir, "registry", "import", file); status != exitOK || !strings.Contains(out, "2 点位") {
			t.Fatalf("import: %d, %q, %q", status, out, said)
		}
	}
	bad := strings.Replace(text, "worker:", "wroker:", 1)
	if err := os.WriteFile(file, []byte(bad), 0o600); err != nil {
		t.Fatal(err)
	}
	if status, _, said := runTest(t, "--data", dir, "registry", "import", file); status != exitBad || !strings.Contains(said, "wroker") {
		t.Errorf("an unknown key: %d, %q", status, said)
	}
}

// TestRegistryImportTakesNoIdentityNumbers is S9: the office keeps none.
func TestRegistryImportTakesNoIdentityNumbers(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "registry.yaml")
	text := strings.Replace(registryExample, "post: 联络员", "post: 联络员 11010519491231002X", 1)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	status, _, said := runTest(t, "--data", dir, "registry", "import", file)
	if status != exitBad || !strings.Contains(said, "身份证号") || strings.Contains(said, "1949123") {
		t.Errorf("an identity number: %d, %q", status, said)
	}
	text = strings.Replace(registryExample, "post: 联络员", "post: 联络员, until: soon", 1)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if status, _, said := runTest(t, "--data", dir, "registry", "import", file); status != exitBad || !strings.Contains(said, "2026-12-31") {
		t.Errorf("a date that is none: %d, %q", status, said)
	}
}

// TestUnitKnowsTheExitStatus holds the unit file to the program.
func TestUnitKnowsTheExitStatus(t *testing.T) {
	unit, err := os.ReadFile("../../deploy/systemd/gatecast-controller.service")
	if err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("\nRestartPreventExitStatus=%d\n", exitUsage); !strings.Contains(string(unit), want) {
		t.Errorf("unit lacks %q", strings.TrimSpace(want))
	}
}

func FuzzParseRegistry(f *testing.F) {
	f.Add([]byte(registryExample))
	f.Fuzz(func(t *testing.T, data []byte) { _, _ = parseRegistry(data, time.Time{}) })
}

func TestExport(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	out := filepath.Join(t.TempDir(), "out")
	if status, _, said := runTest(t, "--data", dir, "export", "--from", "2026-11-01", "--to", "2026-11-30", out+".zip"); status != exitBad || !strings.Contains(said, "没有数据库") {
		t.Errorf("export of an empty folder: %d, %q", status, said)
	}
	if status, _, said := runTest(t, "--data", dir, "password", "admin"); status != exitOK {
		t.Fatalf("password: %d, %q", status, said)
	}
	for _, path := range []string{out + ".zip", out} {
		status, said, errs := runTest(t, "--data", dir, "export", "--from", "2026-11-01", "--to", "2026-11-30", path)
		if status != exitOK || !strings.Contains(said, "gatecast verify --root ") {
			t.Fatalf("export to %s: %d, %q, %q", path, status, said, errs)
		}
		if status, _, said := runTest(t, "--data", dir, "export", "--from", "2026-11-01", "--to", "2026-11-30", path); status != exitBad || said == "" {
			t.Errorf("second export to %s: %d, %q", path, status, said)
		}
	}
	if status, _, said := runTest(t, "--data", dir, "export", "--from", "yesterday", "--to", "2026-11-30", out+"-2.zip"); status != exitBad || !strings.Contains(said, "2026-11-23") {
		t.Errorf("a date that is none: %d, %q", status, said)
	}
	if status, _, _ := runTest(t, "--data", dir, "export", out+"-3.zip"); status != exitUsage {
		t.Errorf("export without dates: %d", status)
	}
	files, err := os.ReadDir(filepath.Dir(out))
	if err != nil || len(files) != 2 {
		t.Errorf("files beside the exports: %v, %v", files, err)
	}
}
