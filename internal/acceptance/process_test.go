package acceptance

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// process is a program that runs until it is stopped or killed.
type process struct {
	name string
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
	log  *logbook
}

// logbook keeps what a program writes, over its restarts.
type logbook struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (j *logbook) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.Write(p)
}

func (j *logbook) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.String()
}

// start runs a program; it is killed when the test ends, and its log printed
// if the test failed.
func start(t *testing.T, log *logbook, name string, args ...string) *process {
	t.Helper()
	return startProgram(t, log, append([]string{filepath.Join(bin, name)}, args...)...)
}

func startProgram(t *testing.T, log *logbook, line ...string) *process {
	t.Helper()
	p := &process{name: filepath.Base(line[0]), cmd: exec.Command(line[0], line[1:]...), done: make(chan struct{}), log: log}
	p.cmd.Stdout, p.cmd.Stderr = log, log
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = p.cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(p.kill)
	return p
}

// kill ends p as a power cut would end the program: at once.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.done
}

// stop asks p to end and fails the test if it takes longer than limit.
func (p *process) stop(t *testing.T, limit time.Duration) {
	t.Helper()
	begun := time.Now()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatalf("stopping %s: %v", p.name, err)
	}
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-p.done:
		if code := p.cmd.ProcessState.ExitCode(); code != 0 {
			t.Errorf("%s ended with status %d after SIGTERM", p.name, code)
		}
	case <-timer.C:
		t.Errorf("%s did not end within %s of SIGTERM", p.name, time.Since(begun).Round(time.Millisecond))
		p.kill()
	}
}

// run runs a program to its end and returns its output; a status other than 0
// fails the test.
func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	return runProgram(t, append([]string{filepath.Join(bin, name)}, args...)...)
}

func runProgram(t *testing.T, line ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, line[0], line[1:]...)
	var out, errw bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errw
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s%s", strings.Join(line, " "), err, out.String(), errw.String())
	}
	return out.String()
}

// eventually calls ok until it returns "", and fails the test with what it
// last said after limit. The wait is for something another process does.
func eventually(t *testing.T, limit time.Duration, ok func() string) {
	t.Helper()
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		said := ok()
		if said == "" {
			return
		}
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("after %s: %s", limit, said)
		}
	}
}

// showLogs prints the logs of a failed test.
func showLogs(t *testing.T, logs map[string]*logbook) {
	t.Cleanup(func() {
		if !t.Failed() {
			return
		}
		for name, j := range logs {
			text := j.String()
			if n := len(text); n > 20_000 {
				text = "…" + text[n-20_000:]
			}
			t.Logf("log of %s:\n%s", name, text)
		}
	})
}

func writeFile(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func quote(s string) string { return fmt.Sprintf("%q", s) }
