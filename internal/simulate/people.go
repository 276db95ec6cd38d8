package simulate

import (
	"context"
	"math/rand/v2"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// plotController plans kills, backups and restores. A backup from before a
// device was enrolled or revoked is not put back: it does not know the one and
// trusts the other, which only people can mend (see the README).
func (w *World) plotController(r *rand.Rand) {
	days := float64(w.o.Days)
	for range times(r, 2*days) {
		w.agenda.add(w.moment(r), w.office.backUp)
	}
	for range times(r, 1.5*days) {
		at, down, sealed := w.moment(r), between(r, 5*time.Second, 20*time.Minute), r.IntN(3) == 0
		if r.IntN(6) == 0 {
			down *= 12
		}
		w.agenda.add(at, func() {
			if w.office.present() == nil {
				return
			}
			w.count()
			if sealed {
				w.mu.Lock()
				w.atSealed = 1 + r.IntN(w.o.Devices)
				w.mu.Unlock()
				w.later(time.Hour, w.officeUp)
				return
			}
			w.office.kill()
			w.later(down, w.officeUp)
		})
	}
	for range times(r, 0.25*days) {
		at, which, down := w.moment(r), r.Float64(), between(r, time.Minute, time.Hour)
		w.agenda.add(at, func() {
			if w.office.present() == nil || len(w.office.backups) == 0 {
				return
			}
			b := w.office.backups[int(which*float64(len(w.office.backups)))]
			if w.truth.moved.After(b.at) {
				return
			}
			w.count()
			w.office.kill()
			w.restored(b)
			w.later(down, w.officeUp)
		})
	}
}

// officeUp starts the controller if it is down.
func (w *World) officeUp() {
	if w.office.present() != nil {
		return
	}
	w.mu.Lock()
	w.stats.Restarts++
	w.mu.Unlock()
	if err := w.office.start(context.Background()); err != nil {
		w.broken("I4", "the controller does not start again: %v", err)
	}
}

// restored puts a backup in the place of the database.
func (w *World) restored(b backup) {
	if err := w.office.restore(b); err != nil {
		w.broken("the simulator", "restoring: %v", err)
		return
	}
	w.truth.rewind(b.at)
}

// plotPeople plans what the office and the people at the gates do.
func (w *World) plotPeople(r *rand.Rand) {
	days := float64(w.o.Days)
	for range times(r, 0.7*days) {
		w.agenda.add(w.moment(r), func() {
			if w.office.present() == nil {
				return
			}
			w.count()
			w.truth.activated()
			if err := w.activate(context.Background()); err != nil && w.office.present() != nil {
				w.broken("the simulator", "%v", err)
			}
		})
	}
	for i := range w.o.Devices {
		for range times(r, 1.5*days) {
			at, do := w.moment(r), []string{"stop", "stop", "test_tone"}[r.IntN(3)]
			w.agenda.add(at, func() {
				if d := w.at(i); d != nil {
					w.count()
					w.order(d, do)
				}
			})
		}
		for range times(r, 0.12*days) {
			at, late := w.moment(r), between(r, 0, 3*time.Hour)
			w.agenda.add(at, func() { w.rebind(i, late) })
		}
		for range times(r, 0.06*days) {
			at := w.moment(r)
			w.agenda.add(at, func() { w.revoke(i) })
		}
	}
}

// order gives a command and does not wait for its result.
func (w *World) order(d *device, do string) {
	c := w.office.present()
	if c == nil {
		return
	}
	w.mu.Lock()
	n := w.stats.Faults
	w.mu.Unlock()
	w.trace.event(d.name, "office orders %s", do)
	if do == "stop" {
		w.truth.harm(d, time.Minute, "stopped by a person")
	}
	id := streams(w.o.Seed).of("order "+do).Uint64() + uint64(n)
	w.wg.Go(func() {
		r, err := c.link.Command(context.Background(), d.id, wire.Command{Do: do, ID: hexOf(id)})
		w.trace.note(d.name, "order %s: %v %v", do, r, err)
	})
}

func hexOf(n uint64) string {
	const digits = "0123456789abcdef"
	var b [16]byte
	for i := range b {
		b[i] = digits[n>>(60-4*i)&15]
	}
	return string(b[:])
}

// rebind puts a new machine at gate i. The old one is taken away at once or
// after a while; what it had not delivered may go with it.
func (w *World) rebind(i int, late time.Duration) {
	old := w.at(i)
	if w.office.present() == nil || old == nil {
		return
	}
	w.count()
	next, err := w.install(context.Background(), w.points[i])
	if err != nil {
		w.broken("the simulator", "installing a device: %v", err)
		return
	}
	w.trace.event(old.name, "is replaced by %s", next.name)
	w.truth.replaced(old)
	old.card.set(func() { old.card.absent = true }) // the loudspeaker is the new one's
	w.later(late, old.takeAway)
	next.boot()
}

// acceptEvery is how often whoever installs a device looks whether it waits to
// be heard.
const acceptEvery = time.Minute

// lookAgain has whoever installs d come back in a while, also when the faults
// are over.
func (w *World) lookAgain(d *device) {
	w.agenda.add(time.Now().Add(acceptEvery), func() { w.accept(d) })
}

// accept lets a new device play once it is connected, as a person does who
// hears its test tone.
func (w *World) accept(d *device) {
	d.mu.Lock()
	gone := d.off
	d.mu.Unlock()
	if gone {
		return
	}
	c := w.office.present()
	if c == nil {
		w.lookAgain(d)
		return
	}
	known, err := c.store.Device(context.Background(), d.id)
	switch {
	case err == nil && known.State != fleet.DeviceQuarantine:
		return
	case err != nil || !known.Online:
		w.lookAgain(d)
		return
	}
	if _, err := c.store.AcceptDevice(context.Background(), d.id, "sim", time.Now()); err != nil {
		w.broken("the simulator", "accepting a device: %v", err)
		return
	}
	w.trace.event(d.name, "accepted")
	w.truth.accepted(d)
	c.planner.Poke()
}

// revoke ends the trust in the device at gate i. A new one comes the day
// after, at the latest when the faults are over.
func (w *World) revoke(i int) {
	d, c := w.at(i), w.office.present()
	if c == nil || d == nil {
		return
	}
	known, err := c.store.Device(context.Background(), d.id)
	if err != nil || known.State != fleet.DeviceActive {
		return
	}
	w.count()
	if err := c.store.RevokeDevice(context.Background(), d.id, time.Now()); err != nil {
		w.broken("the simulator", "revoking: %v", err)
		return
	}
	w.office.kick(d.id)
	w.trace.event(d.name, "revoked")
	d.watch.mu.Lock()
	d.watch.since = time.Now()
	d.watch.mu.Unlock()
	w.truth.replaced(d)
	w.later(24*time.Hour, func() {
		if w.office.present() == nil {
			w.officeUp()
		}
		if w.at(i) != d {
			return
		}
		next, err := w.install(context.Background(), w.points[i])
		if err != nil {
			w.broken("the simulator", "installing a device: %v", err)
			return
		}
		d.takeAway()
		next.boot()
	})
}
