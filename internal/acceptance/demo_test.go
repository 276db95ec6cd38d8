package acceptance

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"gatecast/internal/soundcheck"
)

// demos has the demos of this package take their ports one after the other:
// each looks for free ones first and binds them a moment later.
var demos sync.Mutex

// The newcomer's one command: three slots, settled as played, each with its
// WAV where there is no sound output; and a second run with the same data.
func TestDemoOnce(t *testing.T) {
	t.Parallel()
	demos.Lock()
	defer demos.Unlock()
	dir := filepath.Join(t.TempDir(), "demo")
	for range 2 {
		out := run(t, "gatecast", "demo", "--data", dir, "--once", "--json")
		var got struct {
			Points []struct {
				Point, Planned, Started, Clip, Verdict, Grade, Sink, WAV string
				Frames                                                   int64
				Demo                                                     bool
			}
		}
		if err := json.Unmarshal([]byte(out), &got); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		if len(got.Points) != 3 {
			t.Fatalf("%d points, want 3: %s", len(got.Points), out)
		}
		for _, p := range got.Points {
			planned, err1 := time.Parse(time.RFC3339, p.Planned)
			started, err2 := time.Parse(time.RFC3339, p.Started)
			if err1 != nil || err2 != nil || started.Sub(planned).Abs() > 500*time.Millisecond {
				t.Errorf("%s: planned %q, started %q", p.Point, p.Planned, p.Started)
			}
			if p.Verdict != "played" || p.Grade != "B" || len(p.Clip) != 64 || p.Frames < 20*24000 || !p.Demo {
				t.Errorf("%+v", p)
			}
			if p.Sink != "file" {
				continue
			}
			pcm, err := soundcheck.ReadWAV(p.WAV)
			if err != nil {
				t.Error(err)
				continue
			}
			if int64(pcm.Frames()) < p.Frames {
				t.Errorf("%s holds %d frames of %d", p.WAV, pcm.Frames(), p.Frames)
			}
		}
	}
}

// Ctrl-C ends office and agents cleanly, within seconds.
func TestDemoStopsOnInterrupt(t *testing.T) {
	t.Parallel()
	demos.Lock()
	defer demos.Unlock()
	dir := filepath.Join(t.TempDir(), "demo")
	log := &logbook{}
	showLogs(t, map[string]*logbook{"demo": log})
	p := start(t, log, "gatecast", "demo", "--data", dir)
	eventually(t, time.Minute, func() string {
		if n := agentsOf(dir); n != 3 {
			return "not all agents run"
		}
		return ""
	})
	if err := p.cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	timer := time.NewTimer(12 * time.Second)
	defer timer.Stop()
	select {
	case <-p.done:
	case <-timer.C:
		t.Fatal("the demo did not end within 12 s of Ctrl-C")
	}
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("exit status %d", code)
	}
	if n := agentsOf(dir); n != 0 {
		t.Errorf("%d agents still run", n)
	}
}

// agentsOf counts the agent processes of a demo folder.
func agentsOf(dir string) int {
	out, err := exec.Command("sh", "-c", `n=0; for f in /proc/[0-9]*/cmdline; do tr '\0' ' ' <"$f" 2>/dev/null | grep -q "demo-agent --data $1/" && n=$((n+1)); done; echo $n`, "sh", dir).Output()
	if err != nil {
		return -1
	}
	n := 0
	for _, c := range out {
		if c >= '0' && c <= '9' {
			n = 10*n + int(c-'0')
		}
	}
	return n
}
