// Package sdnotify tells systemd that a daemon is ready, alive and stopping
// (sd_notify(3)). Without systemd every call does nothing.
package sdnotify

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"time"
)

// Ready reports that start-up is complete.
func Ready() error { return send("READY=1") }

// Stopping reports that the daemon is about to end.
func Stopping() error { return send("STOPPING=1") }

// Watchdog feeds systemd's watchdog at a third of its interval while alive
// returns nil, until ctx ends. alive gets a context that ends before the next
// feed is due. It returns at once where no watchdog is asked for.
func Watchdog(ctx context.Context, alive func(context.Context) error) {
	interval := Interval()
	if interval <= 0 {
		return
	}
	tick := time.NewTicker(interval / 3)
	defer tick.Stop()
	for {
		check, cancel := context.WithTimeout(ctx, interval/3)
		err := alive(check)
		cancel()
		if err == nil {
			_ = send("WATCHDOG=1") // systemd acts on silence
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Interval returns how long systemd waits for a sign of life; 0 means that it
// does not watch this process.
func Interval() time.Duration {
	if pid := os.Getenv("WATCHDOG_PID"); pid != "" && pid != strconv.Itoa(os.Getpid()) {
		return 0
	}
	us, err := strconv.ParseInt(os.Getenv("WATCHDOG_USEC"), 10, 64)
	if err != nil || us <= 0 {
		return 0
	}
	return time.Duration(us) * time.Microsecond
}

func send(state string) error {
	path := os.Getenv("NOTIFY_SOCKET")
	if path == "" {
		return nil
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return fmt.Errorf("notifying systemd: %w", err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte(state)); err != nil {
		return fmt.Errorf("notifying systemd: %w", err)
	}
	return nil
}
