package acceptance

import (
	"bytes"
	"context"
	"errors"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gatecast/controller/fleet"
	"gatecast/controller/trust"
)

// Exit statuses of the programs.
const (
	exitBad     = 1
	exitUsage   = 2
	exitRefused = 3 // of an enrolment
)

// refused runs a program that must end by itself with the given status, and
// returns what it told the person who started it.
func refused(t *testing.T, status int, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(bin, name), args...)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	err := cmd.Run()
	var ended *exec.ExitError
	if !errors.As(err, &ended) || ended.ExitCode() != status {
		t.Fatalf("%s %q: %v, want status %d\n%s", name, args, err, status, said.String())
	}
	return said.String()
}

// says checks that a sentence for people holds all parts.
func says(t *testing.T, said string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(said, p) {
			t.Errorf("nobody is told %q in\n%s", p, said)
		}
	}
}

// What people get wrong at an office: each case is refused with its sentence,
// and what was there before goes on.
func TestBadInput(t *testing.T) {
	t.Parallel()
	o, top := newOffice(t), t
	for _, part := range []struct {
		name string
		test func(t *testing.T, o *office, again func())
	}{
		{"join_codes", badJoinCodes},
		{"clips", badClips},
		{"programmes", badProgrammes},
		{"newer_database", newerDatabase},
	} {
		t.Run(part.name, func(t *testing.T) {
			o.t = t
			part.test(t, o, func() { // the office outlives the subtest
				o.t = top
				o.start()
				o.t = t
			})
		})
		o.t = t
	}
}

func badJoinCodes(t *testing.T, o *office, again func()) {
	first, second := filepath.Join(t.TempDir(), "data"), filepath.Join(t.TempDir(), "data")
	line := strings.Fields(o.joinLine("SL-01-01"))
	join := func(dir, code string) []string { return []string{"join", "--data", dir, line[0], code, line[2]} }
	enrolled := func(dir string) bool {
		return strings.Contains(run(t, "gatecast-agent", "status", "--json", "--data", dir), `"enrolled": true`)
	}

	said := refused(t, exitRefused, "gatecast-agent", join(first, "00000-00000")...)
	says(t, said, "没有“00000-00000”这个接入码", "请核对后重新输入，或让办公室重新生成一个", "There is no join code 00000-00000", "ask the office for a new one")
	if enrolled(first) {
		t.Error("a wrong code enrolled the device")
	}
	run(t, "gatecast-agent", join(first, line[1])...) // the wrong try cost nothing

	said = refused(t, exitRefused, "gatecast-agent", join(second, line[1])...)
	says(t, said, "接入码“"+line[1]+"”已被另一台设备使用", "请让办公室重新生成一个", "Join code "+line[1]+" was used by another device", "Ask the office for a new one")
	run(t, "gatecast-agent", join(first, line[1])...) // whose it is, may use it again

	books := o.books()
	point, err := books.PointByCode(t.Context(), "SL-01-02")
	if err != nil {
		t.Fatal(err)
	}
	code, hash := trust.NewJoinCode()
	now := time.Now()
	err = books.AddJoinCode(t.Context(), fleet.JoinCode{Hash: hash, Point: point.ID, Issued: now.Add(-25 * time.Hour), Expires: now.Add(-time.Hour), By: "admin"})
	if err := errors.Join(err, books.Close()); err != nil {
		t.Fatal(err)
	}
	again()
	said = refused(t, exitRefused, "gatecast-agent", join(second, code)...)
	says(t, said, "接入码“"+code+"”已过期", "请让办公室重新生成一个", "Join code "+code+" has expired", "Ask the office for a new one")
	if !enrolled(first) || enrolled(second) {
		t.Error("the first device must be a member, the second one not")
	}
	fresh := strings.Fields(o.joinLine("SL-01-02"))
	run(t, "gatecast-agent", slices.Concat([]string{"join", "--data", second}, fresh)...)
	if !enrolled(second) {
		t.Error("a fresh code did not enrol the device")
	}
}
