package acceptance

import (
	"bytes"
	"encoding/pem"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"gatecast/agent"
)

// TestStolenDevice is a box that was taken out of its gate house, on the real
// programs: what its card tells, the copied card in a second machine, the
// revocation from the page, every way back in, and the replacement.
func TestStolenDevice(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.addClip("ding", wavOf(testClip(2*time.Second)))
	first := newGate(t, o, "SL-01-01")
	line := o.joinLine("SL-01-02")
	stolen := &gate{t: t, dir: filepath.Join(t.TempDir(), "data"), wav: filepath.Join(t.TempDir(), "wav"), program: []string{filepath.Join(bin, "gatecast-agent")}, log: &logbook{}}
	showLogs(t, map[string]*logbook{"stolen gate": stolen.log})
	join := func(dir, line string) []string {
		return append([]string{"join", "--data", dir}, strings.Fields(line)...)
	}
	run(t, "gatecast-agent", join(stolen.dir, line)...)
	stolen.reroute(o.mqtt.addr)
	stolen.start()
	stolen.accept(o, "SL-01-02")
	o.activate(slotsFrom(o, soon(10*time.Minute), time.Minute, 2))
	stolen.waitStatus(planned)
	stolenPath, firstPath := o.pointPath("SL-01-02"), o.pointPath("SL-01-01")

	// The card in a reader.
	noSecrets(t, o, stolen, []string{"王建国", "李秀英", "13812345678", "13912345678", "12345678", string(first.device()), "admin", "approver", "controller-", o.dir})

	// The card of the other gate is copied and started in another machine.
	id := first.device()
	copied := &gate{t: t, dir: filepath.Join(t.TempDir(), "copy"), wav: filepath.Join(t.TempDir(), "wav"), program: first.program, log: &logbook{}}
	if err := os.CopyFS(copied.dir, os.DirFS(first.dir)); err != nil {
		t.Fatal(err)
	}
	copied.start()
	begun := time.Now()
	eventually(t, 40*time.Second, func() string {
		if page := text(o.get(firstPath)); !strings.Contains(page, "重复身份，已隔离") {
			return "nobody noticed that two machines are " + string(id)
		}
		return ""
	})
	t.Logf("重复身份 after %s", time.Since(begun).Round(100*time.Millisecond))
	eventually(t, 10*time.Second, func() string {
		if page := text(o.get("/incidents")); !strings.Contains(page, "重复身份") || !strings.Contains(page, "松风苑南门") {
			return "no incident names the point: " + page
		}
		return ""
	})
	silent := func(s agent.Status) bool { return s.NextPlay == nil && s.PlanVersion > 2 }
	first.waitStatus(silent)
	copied.waitStatus(silent)
	copied.process.kill()

	// The office revokes the stolen one.
	mark := len(stolen.log.String())
	device := string(stolen.device())
	begun = time.Now()
	answer := o.post(stolenPath+"/revoke", url.Values{"device": {device}, "reason": {"盒子被偷"}, "sure": {"yes"}, "then": {"replace"}})
	fresh := regexp.MustCompile(`https://\S+ [0-9A-Z-]+ [0-9a-f]{64}`).FindString(answer)
	if fresh == "" {
		t.Fatalf("no join line for the successor is offered\n%s", text(answer))
	}
	within := func(limit time.Duration, what string) {
		t.Helper()
		eventually(t, limit, func() string {
			if strings.Contains(stolen.log.String()[mark:], what) {
				return ""
			}
			return "the stolen device did not say " + what
		})
		t.Logf("%q after %s", what, time.Since(begun).Round(10*time.Millisecond))
	}
	within(10*time.Second, "link was lost")
	within(20*time.Second, "silent from now on")
	if strings.Contains(stolen.log.String()[mark:], "link is up") {
		t.Error("it was connected again")
	}
	stolen.process.stop(t, 5*time.Second)

	// Its key without its membership: with the code it used, and with a new one.
	if err := removeAll(filepath.Join(stolen.dir, "identity"), "identity.json", "identity-copy.json"); err != nil {
		t.Fatal(err)
	}
	says(t, refused(t, exitRefused, "gatecast-agent", join(stolen.dir, line)...), "吊销", "revoked")
	says(t, refused(t, exitRefused, "gatecast-agent", join(stolen.dir, fresh)...), "吊销", "revoked")
	// Another key with the code that the thief found on the box.
	says(t, refused(t, exitRefused, "gatecast-agent", join(filepath.Join(t.TempDir(), "other"), line)...), "已被另一台设备使用")

	next := newGate(t, o, "SL-01-02")
	if string(next.device()) == device {
		t.Error("the replacement has the key of the stolen device")
	}
	next.waitStatus(planned)
	next.process.stop(t, 5*time.Second)
	first.process.stop(t, 5*time.Second)
	rows := today(t, o.books(), "SL-01-02")
	if len(rows) != 2 {
		t.Errorf("the point owes %d slots today, want the 2 of before", len(rows))
	}
}

func planned(s agent.Status) bool { return s.NextPlay != nil }

// noSecrets looks through every file of a card for what must not be there:
// words, and private keys other than its own.
func noSecrets(t *testing.T, o *office, g *gate, words []string) {
	t.Helper()
	secrets := map[string][]byte{}
	keys, err := filepath.Glob(filepath.Join(o.dir, "data", "trust", "*.key"))
	if err != nil || len(keys) == 0 {
		t.Fatalf("keys of the office: %v, %v", keys, err)
	}
	for _, path := range keys {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if b, _ := pem.Decode(data); b != nil {
			secrets[filepath.Base(path)] = b.Bytes
		}
		secrets[filepath.Base(path)+" as text"] = bytes.TrimSpace(data)
	}
	for _, w := range words {
		secrets[w] = []byte(w)
	}
	files := 0
	err = filepath.WalkDir(g.dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		files++
		for name, secret := range secrets {
			if bytes.Contains(data, secret) {
				t.Errorf("%s holds %s", path, name)
			}
		}
		if n := bytes.Count(data, []byte("PRIVATE KEY-----")); n > 0 && !strings.HasPrefix(filepath.Base(path), "key") {
			t.Errorf("%s holds a private key", path)
		}
		return nil
	})
	if err != nil || files < 8 {
		t.Fatalf("%d files looked at, %v", files, err)
	}
}

func removeAll(dir string, names ...string) error {
	for _, name := range names {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	return nil
}
