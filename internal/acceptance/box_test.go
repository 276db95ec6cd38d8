package acceptance

import (
	"bytes"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"gatecast/agent/journal"
	"gatecast/internal/guest"
	"gatecast/internal/guest/errand"
	"gatecast/internal/wire"
)

// box is a gate's computer: a virtual PC without a real-time clock, with a
// disk of ext4 and a sound card that QEMU records. Its power and its network
// cable are ours.
type box struct {
	t     *testing.T
	pc    *guest.PC
	host  *guest.Host // nil while it is off
	log   *logbook    // of the console, over its boots
	boots int

	urgent bool // once it has booted it goes before other processes
}

// newBox makes a box with programs of ours in its /bin.
func newBox(t *testing.T, diskMB int, programs ...string) *box {
	t.Helper()
	files := map[string]string{}
	for _, p := range programs {
		files["/bin/"+filepath.Base(p)] = p
	}
	b := &box{t: t, pc: guest.NewPC(t, diskMB, files), log: &logbook{}}
	showLogs(t, map[string]*logbook{"box": b.log})
	return b
}

// sound is the file of what the card played since the last boot.
func (b *box) sound() string { return filepath.Join(b.pc.Dir, fmt.Sprintf("boot%d.wav", b.boots)) }

// boot switches the box on and returns when its disk and its network are up.
func (b *box) boot(s guest.Setting) {
	b.t.Helper()
	b.boots++
	s.Sound = b.sound()
	began := time.Now()
	fmt.Fprintf(b.log, "--- power on, boot %d\n", b.boots)
	h, err := guest.Boot(b.t.Context(), guest.Options{
		Program: "qemu-system-x86_64", Args: b.pc.Args(s), Dir: b.pc.Dir, Nice: 5,
		Console: func(line string) { fmt.Fprintln(b.log, time.Since(began).Round(10*time.Millisecond), line) },
	}, 2*time.Minute)
	if err != nil {
		b.t.Fatal(err)
	}
	if b.urgent {
		h.Priority(-10)
	}
	b.host = h
	b.t.Cleanup(h.Kill)
	if out := b.shell(guest.Setup); out != "" {
		b.t.Errorf("setting the box up: %s", out)
	}
}

// cut cuts the power.
func (b *box) cut() {
	b.host.Kill()
	b.host = nil
	fmt.Fprintln(b.log, "--- power cut")
}

func (b *box) shell(script string) string {
	b.t.Helper()
	out, err := b.host.Shell(script)
	if err != nil {
		b.t.Fatal(err)
	}
	return strings.TrimSpace(out)
}

func (b *box) do(r errand.Request) {
	b.t.Helper()
	if _, err := b.host.Do(r); err != nil {
		b.t.Fatal(err)
	}
}

// plug plugs the network cable in or pulls it.
func (b *box) plug(in bool) {
	b.t.Helper()
	if err := b.host.Plug("nic0", in); err != nil {
		b.t.Fatal(err)
	}
}

const (
	agentData = "/disk/agent"
	noClock   = "1970-01-01T00:00:10" // what a machine without a battery wakes up with
	slirpHost = "10.0.2.2"            // the host, as a guest sees it
)

// join enrols the box by a join line of the office, whose machine is at host.
func (b *box) join(line, host string) {
	b.t.Helper()
	fields := strings.Fields(line)
	at, err := url.Parse(fields[0])
	if err != nil {
		b.t.Fatal(err)
	}
	fields[0] = "https://" + host + ":" + at.Port()
	if out, err := b.host.Run(append([]string{"/bin/gatecast-agent", "join", "--data", agentData}, fields...)...); err != nil {
		b.t.Fatalf("%v\n%s", err, out)
	}
}

// startAgent starts the agent, which finds its office at host.
func (b *box) startAgent(host string, args ...string) {
	b.t.Helper()
	b.do(errand.Request{
		Name:  "agent",
		Start: append([]string{"/bin/gatecast-agent", "--data", agentData, "--report-jitter", "0s"}, args...),
		Env:   []string{"GATECAST_AGENT_CONTROLLER_HOST=" + host, "GATECAST_AGENT_FETCH_JITTER=0s"},
	})
}

// admit has the office accept the box, which plays its test tone into a file:
// its sound card has heard nothing afterwards.
func (b *box) admit(o *office, point, host string) {
	b.t.Helper()
	b.startAgent(host, "--sink", "file", "--device", "/disk/tone")
	o.accept(point)
	b.stopAgent()
}

func (b *box) stopAgent() {
	b.t.Helper()
	b.do(errand.Request{Name: "agent", Stop: int(syscall.SIGTERM)})
}

// said waits until the console has said what, since mark, which counts bytes.
func (b *box) said(mark int, what string, limit time.Duration) {
	b.t.Helper()
	eventually(b.t, limit, func() string {
		if strings.Contains(b.log.String()[mark:], what) {
			return ""
		}
		return fmt.Sprintf("the console did not say %q", what)
	})
}

// checkDisk holds the file system of a box without power against e2fsck, on a
// copy: replaying its journal must leave nothing to repair. It returns the
// copy.
func (b *box) checkDisk() string {
	b.t.Helper()
	disk := filepath.Join(b.pc.Dir, "copy")
	copyFile(b.t, disk, b.pc.Disk)
	damage, err := fsck(disk)
	if err != nil {
		b.t.Fatal(err)
	}
	if damage != "" {
		b.t.Errorf("the file system is damaged:\n%s", damage)
	}
	return disk
}

// fsck replays the journal of an ext4 image and returns what is wrong with it
// then.
func fsck(disk string) (damage string, err error) {
	// Orphans, files that were open and unlinked, are freed with the replay.
	replay, err := exec.Command("e2fsck", "-p", disk).CombinedOutput()
	if code := exitCode(err); code > 1 {
		return fmt.Sprintf("replaying: status %d: %s", code, replay), nil
	}
	if bytes.Contains(replay, []byte("UNEXPECTED")) {
		return string(replay), nil
	}
	out, err := exec.Command("e2fsck", "-fn", disk).CombinedOutput()
	switch code := exitCode(err); {
	case code < 0:
		return "", fmt.Errorf("running e2fsck: %w", err)
	case code > 0:
		return string(out), nil
	}
	return "", nil
}

// exitCode is the status of a program that ran, -1 for one that did not.
func exitCode(err error) int {
	if err == nil {
		return 0
	}
	if e, ok := err.(*exec.ExitError); ok {
		return e.ExitCode()
	}
	return -1
}

func copyFile(t *testing.T, to, from string) {
	t.Helper()
	if out, err := exec.Command("cp", "--sparse=always", from, to).CombinedOutput(); err != nil {
		t.Fatalf("copying %s: %v: %s", from, err, out)
	}
}

// records returns the journal on the disk of a box without power, as the next
// start of the agent would find it.
func (b *box) records() []wire.Record {
	b.t.Helper()
	return journalOn(b.t, b.checkDisk())
}

// journalOn returns the agent's journal on an ext4 image.
func journalOn(t *testing.T, disk string) []wire.Record {
	t.Helper()
	dir := t.TempDir()
	if out, err := exec.Command("debugfs", "-R", fmt.Sprintf("rdump /agent/journal %s", dir), disk).CombinedOutput(); err != nil {
		t.Fatalf("reading the disk: %v: %s", err, out)
	}
	j, err := journal.Open(filepath.Join(dir, "journal"), journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	var all []wire.Record
	if err := j.Scan(func(r wire.Record) error { all = append(all, r); return nil }); err != nil {
		t.Fatal(err)
	}
	return all
}

// corrupt flips bytes of a file in the image of a disk whose box is off, as a
// card that forgets does: content is the file's.
func (b *box) corrupt(content []byte) {
	b.t.Helper()
	const block, from = 4096, 8192
	if len(content) < from+block {
		b.t.Fatalf("a file of %d bytes is too short", len(content))
	}
	disk, err := os.ReadFile(b.pc.Disk)
	if err != nil {
		b.t.Fatal(err)
	}
	at := bytes.Index(disk, content[from:from+block])
	if at < 0 {
		b.t.Fatal("the file is not on the disk")
	}
	f, err := os.OpenFile(b.pc.Disk, os.O_RDWR, 0)
	if err != nil {
		b.t.Fatal(err)
	}
	defer f.Close()
	for i := range 16 {
		disk[at+100+i] ^= 0x55
	}
	if _, err := f.WriteAt(disk[at+100:at+116], int64(at+100)); err != nil {
		b.t.Fatal(err)
	}
}
