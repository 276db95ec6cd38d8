package walltime

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"gatecast/internal/durable"
	"gatecast/internal/wire"
)

// built is the build time in these tests.
var built = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)

// now2026 is the true time at which machines boot.
var now2026 = time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)

// machine is a KernelClock over the bubble's time.
type machine struct {
	mu      sync.Mutex
	id      string
	booted  time.Time
	off     time.Duration // wall minus bubble time
	synced  bool
	maxErr  time.Duration
	battery bool
}

// bootAt is a machine that boots now with its wall clock at wall.
func bootAt(wall time.Time, id string) *machine {
	return &machine{id: id, booted: time.Now(), off: time.Until(wall), maxErr: 5 * time.Millisecond}
}

func (m *machine) BootID() string           { return m.id }
func (m *machine) SinceBoot() time.Duration { return time.Since(m.booted) }
func (m *machine) Battery() bool            { return m.battery }

func (m *machine) Wall() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return time.Now().Round(0).Add(m.off)
}

func (m *machine) Synchronised() (bool, time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.synced, m.maxErr
}

func (m *machine) set(change func(*machine)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	change(m)
}

func openClock(t testing.TB, dir string, k KernelClock) *Clock {
	t.Helper()
	c, err := Open(dir, Options{BuildTime: built, Kernel: k})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func wantNow(t *testing.T, c *Clock, wall time.Time, level wire.TimeLevel) {
	t.Helper()
	s := c.Now()
	if d := s.Wall.Sub(wall); d.Abs() > time.Millisecond || s.Level != level {
		t.Errorf("Now() = %v at T%d, want %v at T%d", s.Wall, s.Level, wall, level)
	}
}

func TestTimeAtStart(t *testing.T) {
	tests := map[string]struct {
		wall    time.Time
		battery bool
		synced  bool
		want    time.Time
		level   wire.TimeLevel
	}{
		"in_1970":             {time.Unix(100, 0), false, false, built, wire.T0},
		"claims_a_later_time": {now2026, false, false, now2026, wire.T0},
		"battery_clock":       {now2026, true, false, now2026, wire.T1},
		"battery_is_empty":    {time.Unix(100, 0), true, false, built, wire.T0},
		"battery_clock_in_2099": {time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC), true, false,
			time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC), wire.T0},
		"synchronised":          {now2026, false, true, now2026, wire.T2},
		"synchronised_in_1970":  {time.Unix(100, 0), false, true, built, wire.T0},
		"synchronised_in_2099":  {time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC), false, true, time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC), wire.T0},
		"exactly_at_the_floor":  {built, true, false, built, wire.T1},
		"just_below_the_floor":  {built.Add(-time.Second), true, false, built, wire.T0},
		"just_plausible_future": {built.Add(trustSpan - time.Hour), true, false, built.Add(trustSpan - time.Hour), wire.T1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				m := bootAt(tt.wall, "a")
				m.battery, m.synced = tt.battery, tt.synced
				c := openClock(t, dir, m)
				wantNow(t, c, tt.want, tt.level)
				time.Sleep(time.Hour)
				wantNow(t, c, tt.want.Add(time.Hour), tt.level)
			})
		})
	}
}

// inBubble runs test with a clock that runs, on a machine that booted in 1970.
func inBubble(t *testing.T, test func(t *testing.T, m *machine, c *Clock)) {
	t.Helper()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		m := bootAt(time.Unix(100, 0), "a")
		c := openClock(t, dir, m)
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { c.Run(ctx) })
		test(t, m, c)
		cancel()
		wg.Wait()
	})
}

func TestSignedAnswerGivesT1(t *testing.T) {
	inBubble(t, func(t *testing.T, _ *machine, c *Clock) {
		c.Trust(wire.US(now2026), 80*time.Millisecond)
		wantNow(t, c, now2026.Add(40*time.Millisecond), wire.T1)
		if s := c.Now(); s.Err != 40_008*time.Microsecond {
			t.Errorf("Err = %v, want half the round trip and its drift", s.Err)
		}
		if s := <-c.Steps(); s.From != wire.T0 || s.To != wire.T1 || s.By < 21*24*time.Hour {
			t.Errorf("step = %+v", s)
		}
		time.Sleep(9 * 24 * time.Hour)
		if s := c.Now(); s.Level != wire.T1 || s.Err < 77*time.Second || s.Err > 79*time.Second {
			t.Errorf("after nine days: T%d within %v, want T1 within 78 s", s.Level, s.Err)
		}
		c.Trust(wire.US(now2026.Add(9*24*time.Hour)), 0)
		if s := c.Now(); s.Err != 0 {
			t.Errorf("Err = %v after a new answer", s.Err)
		}
	})
}

func TestWorseAnswerChangesNothing(t *testing.T) {
	inBubble(t, func(t *testing.T, _ *machine, c *Clock) {
		c.Trust(wire.US(now2026), 10*time.Millisecond)
		c.Trust(wire.US(now2026.Add(-300*time.Millisecond)), time.Second) // compatible with what is held
		wantNow(t, c, now2026.Add(5*time.Millisecond), wire.T1)
		time.Sleep(time.Minute)
		c.Trust(wire.US(now2026.Add(50*time.Second)), time.Second) // not compatible: the clock is wrong
		wantNow(t, c, now2026.Add(50500*time.Millisecond), wire.T1)
	})
}

func TestAnswerBelowTheFloorIsIgnored(t *testing.T) {
	inBubble(t, func(t *testing.T, _ *machine, c *Clock) {
		c.RaiseFloor(now2026)
		c.Trust(wire.US(now2026.Add(-time.Hour)), 0)
		wantNow(t, c, now2026, wire.T0)
		c.Trust(wire.US(now2026.Add(-30*time.Second)), 0) // two honest clocks differ by this much
		wantNow(t, c, now2026, wire.T1)
	})
}

func TestKernelIsFollowedWhileSynchronised(t *testing.T) {
	inBubble(t, func(t *testing.T, m *machine, c *Clock) {
		m.set(func(m *machine) { m.off, m.synced = time.Until(now2026), true })
		time.Sleep(1500 * time.Millisecond)
		wantNow(t, c, now2026.Add(1500*time.Millisecond), wire.T2)
		if s := <-c.Steps(); s.To != wire.T2 {
			t.Errorf("step = %+v, want to T2", s)
		}
		m.set(func(m *machine) { m.off += time.Minute }) // the time service steps
		time.Sleep(time.Second)
		wantNow(t, c, now2026.Add(time.Minute+2500*time.Millisecond), wire.T2)
		if s := <-c.Steps(); s.By != time.Minute || s.From != wire.T2 || s.To != wire.T2 {
			t.Errorf("step = %+v, want a minute at T2", s)
		}
		m.set(func(m *machine) { m.off += 300 * time.Microsecond }) // it slews
		time.Sleep(time.Second)
		select {
		case s := <-c.Steps():
			t.Errorf("slewing is a step: %+v", s)
		default:
		}
		// Somebody sets the clock by hand: the kernel is not synchronised then.
		m.set(func(m *machine) { m.off, m.synced = m.off-24*time.Hour, false })
		time.Sleep(time.Second)
		wantNow(t, c, now2026.Add(time.Minute+4500*time.Millisecond), wire.T1)
		if s := <-c.Steps(); s != (Step{From: wire.T2, To: wire.T1}) {
			t.Errorf("step = %+v, want only a loss of level", s)
		}
	})
}

func TestHandSetClockChangesNothing(t *testing.T) {
	inBubble(t, func(t *testing.T, m *machine, c *Clock) {
		c.Trust(wire.US(now2026), 0)
		<-c.Steps()
		m.set(func(m *machine) { m.off += 365 * 24 * time.Hour })
		time.Sleep(5 * time.Second)
		wantNow(t, c, now2026.Add(5*time.Second), wire.T1)
		select {
		case s := <-c.Steps():
			t.Errorf("step = %+v, want none", s)
		default:
		}
	})
}

func TestNewerDocument(t *testing.T) {
	inBubble(t, func(t *testing.T, _ *machine, c *Clock) {
		c.RaiseFloor(now2026) // at T0 it is the best there is
		wantNow(t, c, now2026, wire.T0)
		c.Trust(wire.US(now2026.Add(time.Hour)), 0)
		c.RaiseFloor(now2026.Add(time.Hour + 20*time.Second)) // within what two clocks differ
		wantNow(t, c, now2026.Add(time.Hour), wire.T1)
		c.RaiseFloor(now2026.Add(3 * time.Hour)) // the clock is proved slow
		wantNow(t, c, now2026.Add(3*time.Hour), wire.T0)
		c.Trust(wire.US(now2026.Add(3*time.Hour)), 0)
		wantNow(t, c, now2026.Add(3*time.Hour), wire.T1)
		c.RaiseFloor(now2026) // an old one
		wantNow(t, c, now2026.Add(3*time.Hour), wire.T1)
	})
}

func TestAtAndWallAreInverse(t *testing.T) {
	inBubble(t, func(t *testing.T, _ *machine, c *Clock) {
		c.Trust(wire.US(now2026), 0)
		start := time.Now()
		if got := c.At(now2026.Add(90 * time.Second)); got.Sub(start) != 90*time.Second {
			t.Errorf("At = now %+v, want 90 s ahead", got.Sub(start))
		}
		if got := c.Wall(start.Add(-time.Minute)); !got.Equal(now2026.Add(-time.Minute)) {
			t.Errorf("Wall = %v, want %v", got, now2026.Add(-time.Minute))
		}
	})
}

func TestRestart(t *testing.T) {
	tests := map[string]struct {
		trusted bool
		sameID  bool
		gone    time.Duration
		want    time.Time
		level   wire.TimeLevel
	}{
		"same_boot_keeps_trust":       {true, true, time.Hour, now2026.Add(2 * time.Hour), wire.T1},
		"another_boot_keeps_floor":    {true, false, time.Hour, now2026.Add(time.Hour - slack), wire.T0},
		"same_boot_without_trust":     {false, true, time.Hour, built.Add(time.Hour), wire.T0},
		"another_boot_without_trust":  {false, false, 0, built.Add(time.Hour), wire.T0},
		"same_boot_after_a_long_time": {true, true, 30 * 24 * time.Hour, now2026.Add(30*24*time.Hour + time.Hour), wire.T1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				m := bootAt(time.Unix(100, 0), "a")
				c := openClock(t, dir, m)
				if tt.trusted {
					c.Trust(wire.US(now2026), 0)
				}
				time.Sleep(time.Hour)
				if err := c.Persist(); err != nil {
					t.Fatal(err)
				}
				time.Sleep(tt.gone)
				if !tt.sameID {
					m = bootAt(time.Unix(100, 0), "b")
				}
				c = openClock(t, dir, m)
				s := c.Now()
				if d := s.Wall.Sub(tt.want); d.Abs() > time.Second || s.Level != tt.level {
					t.Errorf("Now() = %v at T%d, want %v at T%d", s.Wall, s.Level, tt.want, tt.level)
				}
				if tt.level == wire.T1 {
					// The floor stands a second back for the error of an hour.
					if want := (tt.gone + time.Hour) / 1e6 * driftPPM; s.Err < want || s.Err > want+time.Microsecond {
						t.Errorf("Err = %v, want the drift of both runs, %v, and what rounding adds", s.Err, want)
					}
				}
			})
		})
	}
}

func TestTrustIsPersistedAtOnce(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		m := bootAt(time.Unix(100, 0), "a")
		openClock(t, dir, m).Trust(wire.US(now2026), 0) // killed right after
		c := openClock(t, dir, m)
		wantNow(t, c, now2026, wire.T1)
	})
}

func TestFloorIsPersistedHourly(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		m := bootAt(now2026, "a")
		c := openClock(t, dir, m)
		c.Trust(wire.US(now2026), 0)
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { c.Run(ctx) })
		time.Sleep(5*time.Hour + time.Minute)
		s, err := load(durable.On(nil), filepath.Join(dir, fileName)) // as the power would leave it
		if err != nil {
			t.Fatal(err)
		}
		if got := now2026.Add(5 * time.Hour).Sub(wire.FromUS(s.FloorUS)); got < slack || got > slack+2*time.Second {
			t.Errorf("floor on disk is %v behind, want a minute and an hour's drift", got)
		}
		cancel()
		wg.Wait()
		if s, err = load(durable.On(nil), filepath.Join(dir, fileName)); err != nil || now2026.Add(5*time.Hour+time.Minute).Sub(wire.FromUS(s.FloorUS)) > slack+2*time.Second {
			t.Errorf("floor after a stop = %v, %v", wire.FromUS(s.FloorUS), err)
		}
	})
}

func TestTimeServiceDoesNotRaiseTheFloor(t *testing.T) {
	inBubble(t, func(t *testing.T, m *machine, c *Clock) {
		m.set(func(m *machine) { m.off, m.synced = time.Until(now2026.Add(5*time.Hour)), true })
		time.Sleep(30 * time.Minute)
		wantNow(t, c, now2026.Add(5*time.Hour+30*time.Minute), wire.T2) // nothing signed says otherwise
		if err := c.Persist(); err != nil {
			t.Fatal(err)
		}
		if got := c.Floor(); got.After(built.Add(time.Hour)) {
			t.Errorf("floor = %v: a time service raised it", got)
		}
		c.Trust(wire.US(now2026.Add(30*time.Minute)), 0)
		wantNow(t, c, now2026.Add(30*time.Minute), wire.T1)
		time.Sleep(time.Hour) // the service goes on
		wantNow(t, c, now2026.Add(90*time.Minute), wire.T1)
		if !c.Now().Disputed {
			t.Error("Disputed = false while a time service says something else")
		}
		m.set(func(m *machine) { m.off -= 5 * time.Hour })
		time.Sleep(2 * time.Second)
		wantNow(t, c, now2026.Add(90*time.Minute+2*time.Second), wire.T2)
		if c.Now().Disputed {
			t.Error("Disputed = true after the service came to agree")
		}
	})
}

func TestTimeServiceThatContradictsTheControllerIsNotFollowed(t *testing.T) {
	tests := map[string]struct {
		off   time.Duration
		level wire.TimeLevel
	}{
		"agrees":         {0, wire.T2},
		"half_a_minute":  {30 * time.Second, wire.T2},
		"slow_by_half":   {-30 * time.Second, wire.T2},
		"two_minutes":    {2 * time.Minute, wire.T1},
		"slow_by_two":    {-2 * time.Minute, wire.T1},
		"six_hours":      {6 * time.Hour, wire.T1},
		"nearly_a_year":  {350 * 24 * time.Hour, wire.T1},
		"slow_by_a_year": {-365 * 24 * time.Hour, wire.T1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				m := bootAt(time.Unix(100, 0), "a")
				c := openClock(t, dir, m)
				c.Trust(wire.US(now2026), 0)
				m.off, m.synced = time.Until(now2026.Add(tt.off)), true
				for _, when := range []string{"at once", "after a restart of the program"} {
					c.poll()
					want := now2026
					if tt.level == wire.T2 {
						want = now2026.Add(tt.off)
					}
					wantNow(t, c, want, tt.level)
					if got := c.Now().Disputed; got != (tt.level == wire.T1) {
						t.Errorf("%s: Disputed = %t", when, got)
					}
					c = openClock(t, dir, m)
				}
			})
		})
	}
}

func TestUnreadableFileCountsAsAbsent(t *testing.T) {
	for name, content := range map[string]string{"empty": "", "torn": `{"floor_us":17`, "negative": `{"floor_us":-5}`, "other": "[]"} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, fileName), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			synctest.Test(t, func(t *testing.T) {
				wantNow(t, openClock(t, dir, bootAt(time.Unix(100, 0), "a")), built, wire.T0)
			})
		})
	}
}

// deed is one thing that happens to a clock.
type deed struct {
	op    int
	hours int
	ms    int
	flag  bool
}

// TestTimeNeverGoesBelowTheFloor does anything to a clock over several boots.
func TestTimeNeverGoesBelowTheFloor(t *testing.T) {
	dir := t.TempDir()
	deeds := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) deed {
		return deed{
			rapid.IntRange(0, 7).Draw(rt, "op"), rapid.IntRange(-1000, 20_000).Draw(rt, "hours"),
			rapid.IntRange(0, 100_000).Draw(rt, "ms"), rapid.Bool().Draw(rt, "flag"),
		}
	}), 1, 30)
	rapid.Check(t, func(rt *rapid.T) {
		list := deeds.Draw(rt, "deeds")
		if err := os.RemoveAll(filepath.Join(dir, fileName)); err != nil {
			rt.Fatal(err)
		}
		var fault string
		synctest.Test(t, func(t *testing.T) { fault = doAll(t, dir, list) })
		if fault != "" {
			rt.Fatal(fault)
		}
	})
}

// doAll returns what broke.
func doAll(t *testing.T, dir string, list []deed) string {
	m := bootAt(time.Unix(100, 0), "0")
	c := openClock(t, dir, m)
	floor := c.Floor()
	for i, d := range list {
		when := built.Add(time.Duration(d.hours) * time.Hour)
		switch d.op {
		case 0:
			c.Trust(wire.US(when), time.Duration(d.ms)*time.Millisecond)
		case 1:
			c.RaiseFloor(when)
		case 2:
			m.set(func(m *machine) { m.off = time.Until(when) })
		case 3:
			m.set(func(m *machine) { m.synced = !m.synced })
		case 4:
			c.poll()
		case 5:
			time.Sleep(time.Duration(d.ms) * time.Second)
		case 6:
			if err := c.Persist(); err != nil {
				return err.Error()
			}
		case 7:
			if err := c.Persist(); err != nil {
				return err.Error()
			}
			if d.flag {
				m = bootAt(when, string(rune('A'+i)))
				m.battery = d.ms%2 == 0
			}
			c = openClock(t, dir, m)
		}
		now, f := c.Now(), c.Floor().Truncate(time.Microsecond)
		if now.Wall.Before(f) {
			return fmt.Sprintf("after deed %d the clock reads %v, floor is %v", i, now.Wall, f)
		}
		if f.Before(floor) {
			return fmt.Sprintf("deed %d took the floor back from %v to %v", i, floor, f)
		}
		floor = f
	}
	return ""
}

func TestRealKernel(t *testing.T) {
	k, err := newKernel()
	if err != nil {
		t.Fatal(err)
	}
	a, b := k.SinceBoot(), k.SinceBoot()
	if len(k.BootID()) != 36 || a <= 0 || b < a {
		t.Errorf("boot id %q, since boot %v then %v", k.BootID(), a, b)
	}
	k.Synchronised()
	k.Battery()
	c, err := Open(t.TempDir(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	at := c.Now()
	if d := time.Until(c.At(at.Wall.Add(time.Second))); d < 900*time.Millisecond || d > time.Second {
		t.Errorf("At(a second ahead) is %v ahead", d)
	}
}
