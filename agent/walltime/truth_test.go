package walltime

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"gatecast/internal/wire"
)

// board is a machine whose crystal runs wrong, in a world whose true time is
// that of the bubble. It is used by one goroutine.
type board struct {
	id      string
	booted  time.Time     // of the bubble
	ppm     time.Duration // by how many millionths SinceBoot runs fast
	off     time.Duration // wall minus SinceBoot, as since 1970; of a wall clock that nobody disciplines
	synced  bool
	apart   time.Duration // wall minus truth while synchronised
	battery bool
}

func (b *board) BootID() string { return b.id }
func (b *board) Battery() bool  { return b.battery }

func (b *board) SinceBoot() time.Duration {
	d := time.Since(b.booted)
	return d + d/1_000_000*b.ppm
}

func (b *board) Wall() time.Time {
	if b.synced {
		return truth().Add(b.apart)
	}
	return time.Unix(0, 0).Add(b.off + b.SinceBoot())
}

func (b *board) Synchronised() (bool, time.Duration) { return b.synced, b.apart.Abs() }

// put sets the wall clock, as a person or a battery does.
func (b *board) put(wall time.Time) {
	b.off = wall.Sub(time.Unix(0, 0)) - b.SinceBoot()
}

// truth is the true time: the bubble begins in the year 2000.
func truth() time.Time { return time.Now().Round(0).AddDate(27, 0, 0) }

// event is one thing that happens to a board.
type event struct {
	Op   string
	A, B int // 0 to 1000, for whatever Op needs
}

var eventKinds = []string{"answer", "answer", "document", "set_by_hand", "sync", "unsync", "pass", "pass", "poll", "persist", "restart", "reboot_1970", "reboot_battery"}

// TestTrueTimeLiesWithinTheBound lets anything happen to a board except lies:
// what is trusted holds the truth, and the floor has passed in truth.
func TestTrueTimeLiesWithinTheBound(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(rt *rapid.T) {
		ppm := rapid.IntRange(1-driftPPM, driftPPM-1).Draw(rt, "ppm") // of true time; the bound counts the clock's own
		events := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) event {
			return event{rapid.SampledFrom(eventKinds).Draw(rt, "op"), rapid.IntRange(0, 1000).Draw(rt, "a"), rapid.IntRange(0, 1000).Draw(rt, "b")}
		}), 1, 30).Draw(rt, "events")
		if err := os.RemoveAll(filepath.Join(dir, fileName)); err != nil {
			rt.Fatal(err)
		}
		var fault string
		synctest.Test(t, func(t *testing.T) { fault = live(t, dir, time.Duration(ppm), events) })
		if fault != "" {
			rt.Fatal(fault)
		}
	})
}

// TestTimeOnceWrongStaysRight keeps the lives in which the bound was once too small.
func TestTimeOnceWrongStaysRight(t *testing.T) {
	tests := map[string]struct {
		ppm    time.Duration
		events []event
	}{
		"saved_bound_loses_less_than_a_microsecond": {-91, []event{{"answer", 2, 0}, {"restart", 0, 0}}},
		"hand_taken_for_a_battery":                  {0, []event{{"reboot_battery", 0, 0}, {"set_by_hand", 470, 0}, {"restart", 0, 0}}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				if fault := live(t, dir, tt.ppm, tt.events); fault != "" {
					t.Error(fault)
				}
			})
		})
	}
}

// live returns what broke.
func live(t *testing.T, dir string, ppm time.Duration, events []event) string {
	open := func(b *board) *Clock {
		c, err := Open(dir, Options{BuildTime: truth().AddDate(0, 0, -30), Kernel: b})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	b := &board{id: "0", booted: time.Now(), ppm: ppm}
	c := open(b)
	kept := c.Floor() // what a power cut cannot take back
	for i, e := range events {
		share := func(of time.Duration) time.Duration { return of / 1000 * time.Duration(e.A) }
		switch e.Op {
		case "answer": // true at some instant of its way
			rtt := share(10 * time.Second)
			answered := rtt / 1000 * time.Duration(e.B)
			asked := b.SinceBoot()
			time.Sleep(answered)
			at := truth()
			time.Sleep(rtt - answered)
			c.Trust(wire.US(at), b.SinceBoot()-asked)
		case "document":
			c.RaiseFloor(truth().Add(-share(10 * 24 * time.Hour)))
		case "set_by_hand":
			b.synced = false
			b.put(truth().Add(share(1000*24*time.Hour) - 500*24*time.Hour))
		case "sync":
			b.synced, b.apart = true, share(2*time.Second)-time.Second
		case "unsync":
			b.put(b.Wall())
			b.synced = false
		case "pass": // awake or suspended: the kernel's clocks count both
			time.Sleep(share(3 * 24 * time.Hour))
		case "poll":
			c.poll()
		case "persist":
			if err := c.Persist(); err != nil {
				return err.Error()
			}
			kept = c.Floor()
		case "restart":
			c = open(b)
		case "reboot_1970", "reboot_battery":
			b = &board{id: fmt.Sprint(i), booted: time.Now(), ppm: ppm}
			if e.Op == "reboot_battery" {
				b.battery = true
				b.put(truth().Add(share(2*batteryErr) - batteryErr))
			}
			c = open(b)
		}
		now, at := c.Now(), truth()
		switch off := now.Wall.Sub(at); {
		case now.Wall.Before(c.Floor()):
			return fmt.Sprintf("after %d %v the clock reads %v, floor is %v", i, e, now.Wall, c.Floor())
		case c.Floor().Before(kept.Truncate(time.Microsecond)):
			return fmt.Sprintf("%d %v took the floor back from %v to %v", i, e, kept, c.Floor())
		case now.Level > wire.T0 && off.Abs() > now.Err+time.Microsecond:
			return fmt.Sprintf("after %d %v the clock is off by %v at T%d, it says within %v", i, e, off, now.Level, now.Err)
		case c.Floor().After(at):
			return fmt.Sprintf("after %d %v the floor %v has not passed: it is %v", i, e, c.Floor(), at)
		case c.Contact().After(at):
			return fmt.Sprintf("after %d %v the last contact %v has not been: it is %v", i, e, c.Contact(), at)
		}
	}
	return ""
}

func TestContradictionWidensTheBound(t *testing.T) {
	tests := map[string]struct {
		happens func(*Clock)
		wall    time.Time
		least   time.Duration
	}{
		"answer_just_below_the_floor": {func(c *Clock) {
			c.RaiseFloor(now2026)
			c.Trust(wire.US(now2026.Add(-30*time.Second)), 0)
		}, now2026, 30 * time.Second},
		"document_just_ahead_of_the_clock": {func(c *Clock) {
			c.Trust(wire.US(now2026), 0)
			c.RaiseFloor(now2026.Add(20 * time.Second))
		}, now2026, 20 * time.Second},
		"document_within_the_bound": {func(c *Clock) {
			c.Trust(wire.US(now2026.Add(-5*time.Second)), 10*time.Second)
			c.RaiseFloor(now2026.Add(2 * time.Second))
		}, now2026, 5 * time.Second},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, _ *machine, c *Clock) {
				tt.happens(c)
				wantNow(t, c, tt.wall, wire.T1)
				if got := c.Now().Err; got < tt.least || got > tt.least+2*time.Millisecond {
					t.Errorf("Err = %v, want %v", got, tt.least)
				}
			})
		})
	}
}

func TestBatteryClockIsDoubtedForTheTimeItWasAlone(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		m := bootAt(built.AddDate(0, 0, 30), "a")
		m.battery = true
		want := batteryErr + 30*24*time.Hour/1_000_000*driftPPM // 4 min 49 s
		if got := openClock(t, dir, m).Now(); got.Level != wire.T1 || got.Err != want {
			t.Errorf("a month after the floor: T%d within %v, want T1 within %v", got.Level, got.Err, want)
		}
	})
}

func TestComparedTellsTheDrift(t *testing.T) {
	inBubble(t, func(t *testing.T, m *machine, c *Clock) {
		c.Trust(wire.US(now2026), 0)
		if got := c.Compared(); got != (Comparison{}) {
			t.Errorf("Compared at the first answer = %+v, want nothing", got)
		}
		time.Sleep(6 * time.Hour)
		at := now2026.Add(6*time.Hour - 360*time.Millisecond)
		c.Trust(wire.US(at), 0)
		if got, want := c.Compared(), (Comparison{360 * time.Millisecond, at, 6 * time.Hour}); got != want {
			t.Errorf("Compared = %+v, want %+v", got, want)
		}
		m.set(func(m *machine) { m.off, m.synced = time.Until(at.Add(time.Second)), true })
		time.Sleep(1500 * time.Millisecond)
		c.Trust(wire.US(at), 0)
		if got, want := c.Compared(), (Comparison{2500 * time.Millisecond, at, 0}); got != want {
			t.Errorf("Compared while a time service sets the clock = %+v, want %+v", got, want)
		}
	})
}

func TestContactIsTheNewestSignedInstant(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		m := bootAt(now2026, "a")
		m.synced = true
		c := openClock(t, dir, m)
		want := func(what string, at time.Time) {
			t.Helper()
			if got := c.Contact(); !got.Equal(at) {
				t.Errorf("%s: Contact = %v, want %v", what, got, at)
			}
		}
		want("never heard", time.Time{}) // a new program is no word of the controller
		c.RaiseFloor(now2026.AddDate(0, 0, -3))
		want("a document", now2026.AddDate(0, 0, -3))
		c.RaiseFloor(now2026.AddDate(0, 0, -9))
		want("an old document", now2026.AddDate(0, 0, -3))
		c.Trust(wire.US(built.AddDate(0, 0, -1)), 0)
		want("an answer below the floor", now2026.AddDate(0, 0, -3))
		c.Trust(wire.US(now2026), 0)
		want("an answer", now2026)
		if err := c.Persist(); err != nil {
			t.Fatal(err)
		}
		c = openClock(t, dir, bootAt(time.Unix(100, 0), "b"))
		want("after a power cut", now2026)
	})
}

// TestJudge holds the reading of adjtimex(2).
func TestJudge(t *testing.T) {
	tests := map[string]struct {
		state int
		in    unix.Timex
		ok    bool
		err   time.Duration
	}{
		"nobody_set_it":      {unix.TIME_ERROR, unix.Timex{Status: unix.STA_UNSYNC, Maxerror: 16_000_000}, false, 0},
		"unsync_bit_alone":   {unix.TIME_OK, unix.Timex{Status: unix.STA_UNSYNC | unix.STA_PLL}, false, 0},
		"error_alone":        {unix.TIME_ERROR, unix.Timex{Status: unix.STA_PLL}, false, 0},
		"synchronised":       {unix.TIME_OK, unix.Timex{Status: unix.STA_PLL, Maxerror: 250_000}, true, 250 * time.Millisecond},
		"timesyncd_just_did": {unix.TIME_OK, unix.Timex{Status: unix.STA_PLL | unix.STA_NANO}, true, serviceErr},
		"still_slewing":      {unix.TIME_OK, unix.Timex{Status: unix.STA_PLL | unix.STA_NANO, Offset: -380_000_000, Maxerror: 1000}, true, 381 * time.Millisecond},
		"slewing_in_micros":  {unix.TIME_OK, unix.Timex{Status: unix.STA_PLL, Offset: 90_000, Maxerror: 10_000}, true, 100 * time.Millisecond},
		"leap_second_ahead":  {unix.TIME_INS, unix.Timex{Status: unix.STA_PLL | unix.STA_INS, Maxerror: 80_000}, true, 80 * time.Millisecond},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if ok, err := judge(tt.state, tt.in); ok != tt.ok || err != tt.err {
				t.Errorf("judge = %v, %v, want %v, %v", ok, err, tt.ok, tt.err)
			}
		})
	}
}

func TestUntrustedNamesTheBoot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := bootAt(now2026, "a")
		m.synced = true
		time.Sleep(5 * time.Second)
		want := Stamp{Wall: now2026.Add(5 * time.Second), Mono: 5 * time.Second, BootID: "a"}
		if got := Untrusted(m); got != want {
			t.Errorf("Untrusted = %+v, want %+v", got, want)
		}
	})
	if got := Untrusted(nil); len(got.BootID) != 36 || got.Mono <= 0 || got.Level != wire.T0 {
		t.Errorf("Untrusted of the real machine = %+v", got)
	}
}
