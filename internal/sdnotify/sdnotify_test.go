package sdnotify

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"testing"
	"time"
)

// newTestSocket stands in systemd's place and returns what it hears.
func newTestSocket(t *testing.T) <-chan string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	t.Setenv("NOTIFY_SOCKET", path)
	heard := make(chan string, 16)
	go func() {
		defer close(heard)
		b := make([]byte, 256)
		for {
			n, err := conn.Read(b)
			if err != nil {
				return
			}
			heard <- string(b[:n])
		}
	}()
	return heard
}

func TestReadyIsHeard(t *testing.T) {
	heard := newTestSocket(t)
	if err := Ready(); err != nil {
		t.Fatal(err)
	}
	if got := <-heard; got != "READY=1" {
		t.Errorf("heard %q", got)
	}
}

func TestWatchdogStarvesTheDead(t *testing.T) {
	heard := newTestSocket(t)
	t.Setenv("WATCHDOG_USEC", "30000")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	asked := 0
	dead := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		Watchdog(ctx, func(context.Context) error {
			if asked++; asked > 2 {
				if asked == 5 {
					close(dead)
				}
				return errors.New("stuck")
			}
			return nil
		})
	}()
	<-dead
	cancel()
	<-done
	if got := len(heard); got > 2 {
		t.Errorf("fed %d times, alive only 2 times", got)
	}
}

func TestWithoutSystemd(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	t.Setenv("WATCHDOG_USEC", "")
	if err := Ready(); err != nil {
		t.Errorf("Ready = %v", err)
	}
	if d := Interval(); d != 0 {
		t.Errorf("Interval = %s", d)
	}
	t.Setenv("WATCHDOG_USEC", "10000000")
	t.Setenv("WATCHDOG_PID", "1")
	if d := Interval(); d != 0 {
		t.Errorf("Interval for another process = %s", d)
	}
	t.Setenv("WATCHDOG_PID", "")
	if d := Interval(); d != 10*time.Second {
		t.Errorf("Interval = %s", d)
	}
}
