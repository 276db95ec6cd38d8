package guest

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"gatecast/internal/guest/errand"
)

// BuildInit builds the package's init for the guest into dir and returns the
// file's name.
func BuildInit(t testing.TB, dir string, env ...string) string {
	t.Helper()
	name := filepath.Join(dir, "init")
	build := exec.Command("go", "build", "-ldflags", "-s -w", "-o", name, "gatecast/internal/guest/init")
	build.Env = append(append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux"), env...)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building the guest's init: %v\n%s", err, out)
	}
	return name
}

// Host is a machine whose init is that of this package, and the host's side of
// its errands.
type Host struct {
	*Machine
	conn    net.Conn
	answers *bufio.Reader
	mu      sync.Mutex // one errand at a time
}

// Boot starts a machine and returns when its init takes errands; limit bounds
// that.
func Boot(ctx context.Context, o Options, limit time.Duration) (*Host, error) {
	socket := filepath.Join(o.Dir, "errand")
	_ = os.Remove(socket) // of the boot before
	ready := make(chan struct{})
	console, told := o.Console, false
	o.Console = func(line string) {
		if line == errand.Ready && !told {
			told = true
			close(ready)
		}
		console(line)
	}
	o.Args = append(o.Args[:len(o.Args):len(o.Args)], "-chardev", "socket,id=errand,server=on,wait=off,path="+socket)
	o.second = "chardev:errand"
	m, err := Start(ctx, o)
	if err != nil {
		return nil, err
	}
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-ready:
	case <-m.Done():
		return nil, errors.Join(errors.New("the machine ended while booting"), m.Wait())
	case <-timer.C:
		m.Kill()
		return nil, fmt.Errorf("the guest was not ready after %s", limit)
	}
	conn, err := net.DialTimeout("unix", socket, 5*time.Second)
	if err != nil {
		m.Kill()
		return nil, fmt.Errorf("connecting to the guest: %w", err)
	}
	return &Host{Machine: m, conn: conn, answers: bufio.NewReader(conn)}, nil
}

// Do runs one errand. An error is that of the way there or of the guest; the
// status of a program is in the answer.
func (h *Host) Do(r errand.Request) (a errand.Answer, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.conn.SetDeadline(time.Now().Add(2 * time.Minute)); err != nil {
		return a, err
	}
	b, err := json.Marshal(r)
	if err != nil {
		return a, err
	}
	if _, err := h.conn.Write(append(b, '\n')); err != nil {
		return a, fmt.Errorf("asking the guest: %w", err)
	}
	line, err := h.answers.ReadBytes('\n')
	if err != nil {
		return a, fmt.Errorf("waiting for the guest: %w", err)
	}
	if err := json.Unmarshal(line, &a); err != nil {
		return a, fmt.Errorf("answer %q: %w", line, err)
	}
	if a.Error != "" {
		return a, fmt.Errorf("guest: %s", a.Error)
	}
	return a, nil
}

// Run runs a program in the guest and returns its output. A status other than
// 0 is an error.
func (h *Host) Run(line ...string) (string, error) {
	a, err := h.Do(errand.Request{Run: line})
	if err != nil {
		return "", err
	}
	if a.Status != 0 {
		return "", fmt.Errorf("%q ended with status %d: %s", line, a.Status, a.Output)
	}
	return string(a.Output), nil
}

// Shell runs a script of busybox in the guest and returns its output.
func (h *Host) Shell(script string) (string, error) {
	return h.Run("/bin/busybox", "sh", "-ec", script)
}

// Plug pulls the network cable of the card with that id, or plugs it in.
func (h *Host) Plug(card string, in bool) error {
	return h.Command(json.RawMessage(fmt.Sprintf(`{"execute":"set_link","arguments":{"name":%q,"up":%t}}`, card, in)))
}

// Hurry keeps a PC that skips idle time busy, so that no more time passes in
// it than outside, while somebody outside talks to a program in it. The
// returned function ends that.
func (h *Host) Hurry() (end func() error, err error) {
	spin := errand.Request{Name: "spin", Start: []string{"/bin/busybox", "sh", "-c", "while :; do :; done"}, Nice: 19}
	if _, err := h.Do(spin); err != nil {
		return nil, err
	}
	return func() error {
		_, err := h.Do(errand.Request{Name: "spin", Stop: int(syscall.SIGKILL)})
		return err
	}, nil
}
