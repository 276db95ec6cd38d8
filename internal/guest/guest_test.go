package guest

import (
	"context"
	"strings"
	"testing"
	"time"

	"gatecast/internal/guest/errand"
)

func bootPC(t *testing.T, p *PC, rtc string) *Host {
	t.Helper()
	began := time.Now()
	h, err := Boot(t.Context(), Options{
		Program: "qemu-system-x86_64", Args: p.Args(Setting{RTC: rtc, Sound: p.Dir + "/sound.wav"}), Dir: p.Dir, Nice: 5,
		Console: func(line string) { t.Logf("[%v] %s", time.Since(began).Round(10*time.Millisecond), line) },
	}, 2*time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Kill)
	if out, err := h.Shell(Setup); err != nil || out != "" {
		t.Fatalf("setting the guest up: %q, %v", out, err)
	}
	return h
}

func shell(t *testing.T, h *Host, script string) string {
	t.Helper()
	out, err := h.Shell(script)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(out)
}

// A power cut takes what was not flushed and leaves what was; the clock is
// 1970 again, and nothing in the machine knows better.
func TestGuestLosesWhatWasNotFlushed(t *testing.T) {
	if testing.Short() {
		t.Skip("boots a virtual machine twice")
	}
	p := NewPC(t, 64, nil)
	h := bootPC(t, p, "1970-01-01T00:00:10")
	if year := shell(t, h, "busybox date +%Y"); year != "1970" {
		t.Errorf("the guest booted in %s", year)
	}
	if rtc := shell(t, h, "busybox ls /sys/class/rtc"); rtc != "" {
		t.Errorf("the guest has a real-time clock: %s", rtc)
	}
	at := time.Date(2026, 10, 1, 8, 29, 0, 0, time.UTC)
	if _, err := h.Do(errand.Request{ClockUS: at.UnixMicro(), Synchronised: true}); err != nil {
		t.Fatal(err)
	}
	if got := shell(t, h, "busybox date -u +%Y-%m-%dT%H:%M"); got != "2026-10-01T08:29" {
		t.Errorf("the clock is %s after it was set", got)
	}
	shell(t, h, "echo kept >/disk/flushed; busybox sync; echo lost >/disk/written")
	h.Kill()

	h = bootPC(t, p, "1970-01-01T00:00:10")
	if got := shell(t, h, "busybox cat /disk/flushed"); got != "kept" {
		t.Errorf("the flushed file says %q", got)
	}
	if got := shell(t, h, "busybox cat /disk/written 2>/dev/null || true"); got != "" {
		t.Errorf("the file that was not flushed says %q after a power cut", got)
	}
	if year := shell(t, h, "busybox date +%Y"); year != "1970" {
		t.Errorf("the guest booted in %s", year)
	}
	checkPrograms(t, h)
}

// checkPrograms starts and stops programs, and last the machine.
func checkPrograms(t *testing.T, h *Host) {
	t.Helper()
	if _, err := h.Do(errand.Request{Name: "sleeper", Start: []string{"/bin/busybox", "sleep", "1000"}}); err != nil {
		t.Fatal(err)
	}
	if a, err := h.Do(errand.Request{Name: "sleeper", Stop: 15}); err != nil || a.Status != -1 {
		t.Errorf("stopping: %+v, %v; want ended by the signal", a, err)
	}
	if _, err := h.Do(errand.Request{Name: "sleeper", Stop: 15}); err == nil {
		t.Error("a program that was stopped can be stopped again")
	}
	if _, err := h.Run("/bin/busybox", "false"); err == nil {
		t.Error("a status of 1 is no error")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := h.Do(errand.Request{PowerOff: true}); err == nil {
		t.Error("an answer to the order to turn off")
	}
	select {
	case <-h.Done():
	case <-ctx.Done():
		t.Error("the machine is still on")
	}
}
