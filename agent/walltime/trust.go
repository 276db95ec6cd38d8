package walltime

import (
	"context"
	"time"

	"gatecast/internal/wire"
)

// Trust takes the controller's signed answer, answerUS, to a nonce that was
// sent rtt ago, by SinceBoot and up to this call: whatever delayed the answer
// on its way or in a queue is then within the bound. The answer was true at
// some instant within rtt, so the middle is taken and half of it is the error.
// The level becomes at least T1. The kernel's time goes on while it is
// synchronised and does not contradict the answer. An answer below the floor
// is ignored: it is a replay, or a controller with a wrong clock.
func (c *Clock) Trust(answerUS int64, rtt time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	rtt = max(0, rtt)
	boot := c.kernel.SinceBoot()
	answer := wire.FromUS(answerUS)
	if answer.Before(c.floor.Add(-slack)) {
		c.log.Warn("time answer below the floor ignored", "answer", answer, "floor", c.floor)
		return
	}
	c.evidence, c.contact = latest(c.evidence, answer), latest(c.contact, answer)
	if low := answer.Add(-slack); low.After(c.floor) { // a time service may be that much behind
		c.floor, c.floorAt = low, boot
	}
	wall, bound := answer.Add(rtt/2), rtt/2+drift(rtt) // rtt was measured by a crystal, too
	c.compare(boot, wall)
	c.signed = c.signed.better(anchor{offset: offsetOf(wall, boot), at: boot, err: bound, held: true})
	if c.level == wire.T2 {
		if !c.signed.contradicts(c.wallAt(boot), boot) {
			c.persistLocked(boot)
			return
		}
		c.dispute(true, c.wallAt(boot), boot)
	}
	// An answer that is no better than what is held would only add jitter.
	if held := c.errAt(boot); c.level == wire.T1 && bound >= held && wall.Sub(c.wallAt(boot)).Abs() <= bound+held {
		return
	}
	c.set(boot, wall, wire.T1, bound)
	c.persistLocked(boot)
}

// anchor is one reading of the controller's time in this boot.
type anchor struct {
	offset time.Duration // as Clock.offset
	at     time.Duration // since boot
	err    time.Duration // bound of offset's error at that instant
	held   bool          // false for none
}

// better returns which of two to hold: a newer one that leaves less doubt, or
// that says something else.
func (a anchor) better(b anchor) anchor {
	held := a.err + drift(b.at-a.at)
	if !a.held || b.err <= held || (b.offset-a.offset).Abs() > held+b.err {
		return b
	}
	return a
}

// contradicts reports whether wall, read at boot, is further from the
// controller's time than honest clocks are.
func (a anchor) contradicts(wall time.Time, boot time.Duration) bool {
	return a.held && (offsetOf(wall, boot)-a.offset).Abs() > slack+a.err+drift(boot-a.at)
}

// dispute notes whether kernel and controller contradict each other.
func (c *Clock) dispute(now bool, wall time.Time, boot time.Duration) {
	if now && !c.disputed {
		c.log.Warn("a time service contradicts the controller and is not followed", "difference", offsetOf(wall, boot)-c.signed.offset)
	}
	c.disputed = now
}

// compare notes how this clock stands against the controller's.
func (c *Clock) compare(boot time.Duration, controller time.Time) {
	if c.level == wire.T0 {
		return // nothing that could be called this clock's time
	}
	c.compared = Comparison{Off: c.wallAt(boot).Sub(controller), At: controller}
	if c.level == wire.T1 {
		c.compared.Span = boot - c.asOf
	}
}

// RaiseFloor takes the issue date of a document whose signature was verified.
// At T0 the clock is moved up to it. Trusted time that it proves slow by more
// than a minute is trusted no longer; by less, its error bound grows.
func (c *Clock) RaiseFloor(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	boot := c.kernel.SinceBoot()
	c.evidence, c.contact = latest(c.evidence, t), latest(c.contact, t)
	now := c.wallAt(boot)
	if c.level > wire.T0 && t.After(now) {
		if slow := t.Sub(now); slow <= slack {
			c.err += max(0, slow-c.errAt(boot))
			t = now
		} else {
			c.log.Warn("a document is newer than the clock: time is not trusted until the next answer", "issued", t, "clock", now)
			c.change(0, wire.T0)
		}
	}
	if t.After(c.floor) {
		c.floor, c.floorAt = t, boot
	}
	c.holdFloor(boot)
}

// Run follows the kernel's clock once a second and persists the floor hourly,
// until ctx ends; then it persists once more. It is called once.
func (c *Clock) Run(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	written := time.Now()
	for {
		select {
		case <-ctx.Done():
			if err := c.Persist(); err != nil {
				c.log.Warn("persisting time", "err", err)
			}
			return
		case <-tick.C:
		}
		c.poll()
		if time.Since(written) >= persistEvery {
			written = time.Now()
			if err := c.Persist(); err != nil {
				c.log.Warn("persisting time", "err", err)
			}
		}
	}
}

// poll compares the kernel's clock with this one.
func (c *Clock) poll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	before := c.level
	c.follow()
	if before == wire.T0 && c.level > wire.T0 {
		c.persistLocked(c.kernel.SinceBoot())
	}
}

// follow takes the kernel's wall clock while the kernel is synchronised, and
// not to something that contradicts the controller. Set by hand, the kernel
// says that it is not: settimeofday clears the state.
func (c *Clock) follow() {
	ok, maxErr := c.kernel.Synchronised()
	boot, wall, width := c.pair()
	c.dispute(ok && c.signed.contradicts(wall, boot), wall, boot)
	switch {
	case ok && !c.disputed && c.plausible(wall):
		c.set(boot, wall, wire.T2, maxErr+width)
	case c.level == wire.T2:
		c.change(0, wire.T1)
	}
}

// pair reads both clocks of the kernel at the same instant, as far as a
// scheduler allows: the closest of a few tries. width is how far apart the
// readings may be.
func (c *Clock) pair() (boot time.Duration, wall time.Time, width time.Duration) {
	width = -1
	for range 5 {
		before := c.kernel.SinceBoot()
		w := c.kernel.Wall()
		if d := c.kernel.SinceBoot() - before; width < 0 || d < width {
			boot, wall, width = before+d/2, w, d
		}
		if width < 20*time.Microsecond {
			break
		}
	}
	return boot, wall, width
}

// set moves the clock to wall.
func (c *Clock) set(boot time.Duration, wall time.Time, level wire.TimeLevel, err time.Duration) {
	by := wall.Sub(c.wallAt(boot))
	c.offset, c.err, c.asOf = offsetOf(wall, boot), err, boot
	if by.Abs() < stepLimit {
		by = 0
	}
	c.change(by, level)
	c.holdFloor(boot)
}

// holdFloor keeps the clock at or above the floor. By how much it has to, two
// sources contradict each other: the truth may be with either.
func (c *Clock) holdFloor(boot time.Duration) {
	if by := c.floor.Sub(c.wallAt(boot)); by > 0 {
		c.offset += by
		c.err += by
	}
}

// change sets the level and tells about it and about a step.
func (c *Clock) change(by time.Duration, to wire.TimeLevel) {
	from := c.level
	c.level = to
	if by == 0 && from == to {
		return
	}
	c.log.Info("time changed", "step", by, "from", int(from), "to", int(to))
	select {
	case c.steps <- Step{By: by, From: from, To: to}:
	default:
	}
}
