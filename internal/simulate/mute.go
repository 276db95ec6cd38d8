package simulate

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"gatecast/controller/fleet"
	"gatecast/controller/mute"
	"gatecast/internal/wire"
)

// The people of 全部静音: whoever is in the office may demand silence, and
// somebody who signs off ends it.
var (
	sentry = fleet.User{Login: "sim", Name: "sim", Role: fleet.Clerk}
	warden = fleet.User{Login: "sim2", Name: "sim2", Role: fleet.Approver}
)

// longestSilence is when the person who looks after the office ends an order
// that somebody forgot, or that came back with an old backup.
const longestSilence = 3 * time.Hour

// openMutes gives a controller its desk of silence.
func (o *office) openMutes(ctx context.Context, c *controller) (err error) {
	c.mutes, err = mute.Open(ctx, mute.Options{
		Orders: c.store, Places: c.store, Sealer: o.trust, Logger: o.log(),
		Send:   func(ids []wire.DeviceID) { c.link.Mute(ids) },
		Settle: func(ctx context.Context, since time.Time) { _ = c.ledger.Reconsider(ctx, since) }, // the next pass tries again
	})
	return err
}

// plotMutes plans orders of silence, at one gate or at all of them, some of
// which somebody stands up for.
func (w *World) plotMutes(r *rand.Rand) {
	for range times(r, 0.5*float64(w.o.Days)) {
		at, long, gate, approved := w.moment(r), between(r, 10*time.Second, 2*time.Hour), r.IntN(2*w.o.Devices), r.IntN(2) == 0
		area := fleet.Area{All: true}
		points := w.points
		if gate < w.o.Devices {
			area = fleet.Area{Points: w.points[gate : gate+1]}
			points = area.Points
		}
		w.agenda.add(at, func() {
			c := w.office.present()
			if c == nil {
				return
			}
			w.count()
			m, err := c.mutes.Mute(context.Background(), sentry, area, "sim", time.Time{}, time.Now())
			if err != nil {
				if w.office.present() == c {
					w.broken("the simulator", "muting: %v", err)
				}
				return
			}
			w.trace.event("office", "mute %d of %d gates, approved %t", m.ID, len(points), approved)
			w.truth.muted(points)
			w.later(long, func() { w.lift(m.ID, approved) })
		})
	}
}

// lift ends an order, later if the office is down.
func (w *World) lift(id fleet.MuteID, approve bool) {
	c := w.office.present()
	if c == nil {
		w.later(10*time.Minute, func() { w.lift(id, approve) })
		return
	}
	for _, m := range c.mutes.Active(time.Now()) {
		if m.ID != id {
			continue
		}
		w.trace.event("office", "mute %d lifted", id)
		if err := c.mutes.Lift(context.Background(), warden, id, "sim", approve, time.Now()); err != nil && w.office.present() == c {
			w.broken("the simulator", "lifting mute %d: %v", id, err)
		}
	}
}

// endSilence is what the person who looks after the office does about orders
// that nobody means any more, and about devices that obey one which a restored
// backup does not have.
func (w *World) endSilence(c *controller, now time.Time) {
	for _, m := range c.mutes.Active(now) {
		if now.Sub(m.At) > longestSilence {
			w.lift(m.ID, false)
		}
	}
	devices, err := c.store.Devices(context.Background())
	if err != nil || !slices.ContainsFunc(devices, c.mutes.Stray) {
		return
	}
	n, err := c.mutes.Release(context.Background(), warden, "sim", now)
	if err != nil && w.office.present() == c {
		w.broken("the simulator", "releasing: %v", err)
	}
	w.trace.event("office", "%d devices released", n)
}

// muted notes that points may be silent from now on, until whoever looks after
// the office has certainly ended it and the devices have heard of that.
func (t *truth) muted(points []fleet.PointID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	for _, p := range points {
		t.silences[p] = append(t.silences[p], harm{now.Add(-time.Minute), now.Add(longestSilence + 2*time.Hour), "muted"})
	}
}

// silenced reports whether somebody may have silenced o.
func (t *truth) silenced(o fleet.Obligation) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.ContainsFunc(t.silences[o.Point], func(h harm) bool { return h.from.Before(o.End.Add(time.Minute)) && h.to.After(o.Start) })
}

// obeys notes whether a device says that it is silent by order. From then on it
// must be, over restarts and power cuts, until the office has another word for
// it; one that lost the order with its card says so and is silent, too.
func (w *watch) obeys(s wire.State, now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case !s.Mute.On || w.scarred:
		w.silent = time.Time{}
	case w.silent.IsZero():
		w.silent = now
	}
}

// spokenTo notes that a word about silence has reached the device, which may
// have ended it.
func (w *watch) spokenTo() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.silent = time.Time{}
}

// toHush is how long after its word a play that was about to begin may still be
// heard: it is cut within a second.
const toHush = 2 * time.Second

// hushed reports whether no play may begin on the device at that time.
func (w *watch) hushed(at time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return !w.silent.IsZero() && at.After(w.silent.Add(toHush))
}
