package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// office runs commands on one data folder.
type office struct {
	t   *testing.T
	dir string
}

// do runs a command that must end with status, and returns all it said.
func (o office) do(status int, args ...string) string {
	o.t.Helper()
	got, out, said := runTest(o.t, append([]string{"--data", filepath.Join(o.dir, "data")}, args...)...)
	if got != status {
		o.t.Fatalf("%v: status %d, want %d\n%s%s", args, got, status, out, said)
	}
	return out + said
}

func (o office) path(name string) string { return filepath.Join(o.dir, name) }

var word = regexp.MustCompile(`(?m)\b(\d+)\. ([0-9A-Z]{5})\b`)

func TestKeysFromTheFirstDayOn(t *testing.T) {
	o := office{t, t.TempDir()}
	if said := o.do(exitBad, "keys"); !strings.Contains(said, "gatecast-controller init") {
		t.Errorf("keys before init: %s", said)
	}
	said := o.do(exitOK, "init", "--root-out", o.path("root.key"), "--release-out", o.path("release.key"), "--paper", o.path("paper.html"))
	for _, want := range []string{"[root]", "[library]", "[director]", "[release]", "[ca]", "攻破主控", "Whoever has the director key", "█"} {
		if !strings.Contains(said, want) {
			t.Errorf("init does not say %q", want)
		}
	}
	var words []string
	for _, m := range word.FindAllStringSubmatch(said, -1) {
		words = append(words, m[2])
	}
	if len(words) != 14 {
		t.Fatalf("%d words printed, want 14", len(words))
	}
	paper, err := os.ReadFile(o.path("paper.html"))
	if err != nil || strings.Count(string(paper), "<li>") != 14 || !strings.Contains(string(paper), words[13]) || !strings.Contains(string(paper), "<path d=\"M") {
		t.Errorf("the sheet: %v", err)
	}
	for _, away := range []string{"root.key", "release.key"} {
		if _, err := os.Stat(filepath.Join(o.dir, "data", "trust", away)); err == nil {
			t.Errorf("%s is still in the folder", away)
		}
	}
	if said := o.do(exitBad, "init"); !strings.Contains(said, "只能做一次") {
		t.Errorf("init again: %s", said)
	}
	if said := o.do(exitOK, "keys"); !strings.Contains(said, "第 1 版") || !strings.Contains(said, "默认") || strings.Count(said, "离线 offline") != 2 {
		t.Errorf("keys: %s", said)
	}

	if said := o.do(exitBad, "rotate", "director"); !strings.Contains(said, "--root-key") {
		t.Errorf("without the root key: %s", said)
	}
	o.do(exitOK, "rotate", "director", "--root-key", o.path("root.key"))
	if err := os.WriteFile(o.path("words.txt"), []byte(strings.ToLower(strings.Join(words, "\n"))), 0o600); err != nil {
		t.Fatal(err)
	}
	o.do(exitOK, "rotate", "release", "--root-key", o.path("words.txt"), "--release-out", o.path("release2.key"))
	wrong := strings.Replace(strings.Join(words, " "), words[4], "00000", 1)
	if err := os.WriteFile(o.path("words.txt"), []byte(wrong), 0o600); err != nil {
		t.Fatal(err)
	}
	if said := o.do(exitBad, "rotate", "ca", "--root-key", o.path("words.txt")); !strings.Contains(said, "第 5 组“00000”不对") || !strings.Contains(said, `word 5, "00000"`) {
		t.Errorf("a mistyped word: %s", said)
	}
	o.do(exitOK, "rotate", "ca", "--root-key", o.path("root.key"))
	o.do(exitBad, "rotate", "ca", "--root-key", o.path("root.key"))
	o.do(exitOK, "rotate", "ca", "--finish", "--root-key", o.path("root.key"))
	o.do(exitOK, "rotate", "root", "--root-key", o.path("root.key"), "--root-out", o.path("root2.key"))
	if said := o.do(exitBad, "rotate", "root", "--root-key", o.path("root.key"), "--root-out", o.path("root3.key")); !strings.Contains(said, "根密钥") {
		t.Errorf("with the root key of before: %s", said)
	}
	if said := o.do(exitOK, "keys"); !strings.Contains(said, "第 6 版") {
		t.Errorf("keys: %s", said)
	}
	if said := o.do(exitOK, "root", "paper", "--root-key", o.path("root2.key")); len(word.FindAllString(said, -1)) != 14 {
		t.Errorf("root paper: %s", said)
	}
}

func TestRootComesBackFromPaper(t *testing.T) {
	o := office{t, t.TempDir()}
	said := o.do(exitOK, "init", "--root-out", o.path("root.key"))
	restore := func(typed string) (int, string) {
		var out, errw bytes.Buffer
		p := &program{in: strings.NewReader(typed), out: &out, err: &errw}
		p.cfg.DataDir, p.keys.rootOut = filepath.Join(o.dir, "data"), o.path("again.key")
		if err := p.rootRestore(t.Context()); err != nil {
			p.say(err)
			return exitBad, errw.String()
		}
		return exitOK, out.String()
	}
	typed := word.FindAllString(said, -1)
	if status, said := restore(strings.Join(typed[:13], "\n")); status != exitBad || !strings.Contains(said, "14 组") {
		t.Errorf("one word short: %d, %s", status, said)
	}
	if status, said := restore(strings.Join(typed, "\n")); status != exitOK {
		t.Fatalf("root restore: %s", said)
	}
	want, err := os.ReadFile(o.path("root.key"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(o.path("again.key")); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%q came back as %q, %v", want, got, err)
	}
	other := office{t, t.TempDir()}
	o.dir = other.dir
	other.do(exitOK, "init")
	if status, said := restore(strings.Join(typed, "\n")); status != exitBad || !strings.Contains(said, "不是本单位") {
		t.Errorf("the paper of another office: %d, %s", status, said)
	}
}

func TestModesSwitch(t *testing.T) {
	o := office{t, t.TempDir()}
	o.do(exitOK, "init")
	if err := os.WriteFile(o.path("pass"), []byte("芝麻开门\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	o.do(exitUsage, "mode", "strict")
	o.do(exitOK, "mode", "strict", "--library-key-out", o.path("library.key"), "--passphrase-file", o.path("pass"))
	if said := o.do(exitOK, "keys"); !strings.Contains(said, "严格") || !strings.Contains(said, "第 1 版") {
		t.Errorf("keys: %s", said)
	}
	o.do(exitBad, "mode", "strict", "--library-key-out", o.path("library2.key"))
	if said := o.do(exitBad, "rotate", "library"); !strings.Contains(said, "gatecast sign --new-key") {
		t.Errorf("rotate library in strict mode: %s", said)
	}
	if said := o.do(exitBad, "mode", "default", "--library-key", o.path("library.key")); !strings.Contains(said, "--passphrase-file") {
		t.Errorf("a locked key: %s", said)
	}
	o.do(exitOK, "mode", "default", "--library-key", o.path("library.key"), "--passphrase-file", o.path("pass"))
	if said := o.do(exitBad, "mode", "default"); !strings.Contains(said, "已经是默认模式") {
		t.Errorf("default twice: %s", said)
	}
	if said := o.do(exitBad, "mode", "strict", "--library-public", "xyz"); !strings.Contains(said, "“xyz”不是公钥") {
		t.Errorf("a public key that is none: %s", said)
	}
	o.do(exitOK, "mode", "strict", "--library-public", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
	o.do(exitOK, "mode", "default")
	if said := o.do(exitOK, "keys"); !strings.Contains(said, "默认") || !strings.Contains(said, "第 3 版") {
		t.Errorf("keys at the end: %s", said)
	}
}
