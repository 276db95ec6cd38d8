package simulate

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"gatecast/internal/simulate/disk"
)

// plot plans every fault of the run. Each kind draws from a stream of its own,
// so that leaving one out leaves the others as they are.
func (w *World) plot() {
	kinds := []struct {
		fault  Fault
		perDay float64 // and device
		do     func(d *device, r *rand.Rand)
	}{
		{Clock, 1.5, w.troubleClock},
		{Network, 3, w.troubleNetwork},
		{Broker, 4, w.troubleBroker},
		{Disk, 0.4, w.troubleDisk},
		{Power, 2, w.troublePower},
		{Card, 1.5, w.troubleCard},
	}
	for _, k := range kinds {
		if !w.has(k.fault) {
			continue
		}
		for i := range w.o.Devices {
			r := w.dice.of(fmt.Sprintf("%s %d", k.fault, i))
			for range times(r, k.perDay*float64(w.o.Days)) {
				at := w.moment(r)
				own := rand.New(rand.NewPCG(r.Uint64(), 1))
				w.agenda.add(at, func() {
					// Whatever stands at the gate now gets it.
					if d := w.at(i); d != nil {
						w.count()
						k.do(d, own)
					}
				})
			}
		}
	}
	if w.has(Controller) {
		w.plotController(w.dice.of("controller"))
	}
	if w.has(People) {
		w.plotPeople(w.dice.of("people"))
		w.plotMutes(w.dice.of("silence"))
	}
	w.agenda.add(w.calm, w.calmDown)
	w.agenda.add(w.start.Add(lookEvery), w.look)
}

// times draws how often something with that mean happens.
func times(r *rand.Rand, mean float64) int {
	n := int(mean)
	if chance(r, mean-float64(n)) {
		n++
	}
	return n
}

// moment draws an instant of the troubled days; half of all are within seconds
// of the start of a play, where most can go wrong.
func (w *World) moment(r *rand.Rand) time.Time {
	span := w.calm.Sub(w.start)
	at := w.start.Add(between(r, time.Minute, span-time.Minute))
	if r.IntN(2) == 0 {
		return at
	}
	slot := []time.Duration{7*time.Hour + 30*time.Minute, 11*time.Hour + 10*time.Minute, 18 * time.Hour}[r.IntN(3)]
	local := at.In(w.zone())
	hot := time.Date(local.Year(), local.Month(), local.Day(), 0, 0, 0, 0, w.zone()).Add(slot)
	hot = hot.Add(time.Duration(r.IntN(6))*5*time.Minute + between(r, -10*time.Second, 10*time.Second))
	if hot.Before(w.start.Add(time.Minute)) || !hot.Before(w.calm) {
		return at
	}
	return hot
}

// later plans do for a while after now, but never after the troubled days.
func (w *World) later(d time.Duration, do func()) {
	at := time.Now().Add(d)
	if at.After(w.calm) {
		at = w.calm.Add(-time.Nanosecond)
	}
	w.agenda.add(at, do)
}

func (w *World) count() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stats.Faults++
}

// at returns the device that people last put at gate i.
func (w *World) at(i int) *device {
	w.mu.Lock()
	defer w.mu.Unlock()
	for n := len(w.devices) - 1; n >= 0; n-- {
		if w.devices[n].point == w.points[i] {
			return w.devices[n]
		}
	}
	return nil
}

// troubleClock does something to the machine's clocks.
func (w *World) troubleClock(d *device, r *rand.Rand) {
	k := d.kernel
	switch r.IntN(7) {
	case 0:
		by := between(r, -90*time.Second, 90*time.Second)
		w.trace.event(d.name, "wall clock stepped by %s", by)
		k.step(by)
	case 1:
		by := time.Duration(r.IntN(24)-12) * time.Hour
		w.trace.event(d.name, "wall clock leaps by %s", by)
		k.step(by)
	case 2:
		ppm := float64(r.IntN(180) - 90)
		w.trace.event(d.name, "crystal drifts by %.0f ppm", ppm)
		k.drift(ppm)
	case 3:
		w.trace.event(d.name, "time service reached")
		k.sync(true, 0)
	case 4:
		w.trace.event(d.name, "time service lost")
		k.sync(false, 0)
	case 5:
		lie := between(r, -6*time.Hour, 6*time.Hour)
		w.trace.event(d.name, "time service is wrong by %s", lie)
		d.mislead(lie)
		w.later(between(r, time.Second, 10*time.Minute), func() {
			w.trace.event(d.name, "time service is right again")
			d.mislead(0)
		})
	case 6:
		k.mu.Lock()
		k.rtc = !k.rtc
		k.rtcOff = between(r, -25*time.Second, 25*time.Second)
		if r.IntN(4) == 0 {
			k.rtcOff = -time.Since(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)) // a battery that is empty
		}
		w.trace.event(d.name, "battery clock %t, wrong by %s", k.rtc, k.rtcOff)
		k.mu.Unlock()
	}
}

// mislead has a time service lie by that much, or tell the truth again. A
// clock that was raised by a lie is back at the truth only when the floor
// permits, so from the first lie on the device's hours are not judged.
func (d *device) mislead(lie time.Duration) {
	d.kernel.sync(true, lie)
	d.watch.mu.Lock()
	defer d.watch.mu.Unlock()
	if lie != 0 {
		d.watch.lied = time.Now().Add(24 * time.Hour)
	}
	d.w.truth.harm(d, time.Hour, "time service lied")
}

// troubleNetwork spoils the way to the office for a while.
func (w *World) troubleNetwork(d *device, r *rand.Rand) {
	what := "noise"
	switch r.IntN(4) {
	case 0:
		d.setSky(func(s *weather) { s.cut = true })
		what = "partition"
		// Half of all partitions are noticed at once, the others when nothing
		// was heard for long.
		w.later(between(r, 0, 90*time.Second)*time.Duration(r.IntN(2)), func() { w.net.disturb(d, errReset) })
	case 1:
		w.trace.event(d.name, "connection is reset")
		w.net.disturb(d, errReset)
		return
	default:
		d.setSky(func(s *weather) {
			s.drop, s.double, s.late = r.Float64()/2, r.Float64()/3, r.Float64()/3
			s.lateness = between(r, time.Second, 5*time.Minute)
		})
	}
	long := between(r, 10*time.Second, 2*time.Hour)
	if r.IntN(5) == 0 {
		long *= 12
	}
	w.trace.event(d.name, "network: %s for %s", what, long)
	w.later(long, func() {
		w.trace.event(d.name, "network is well")
		d.setSky(func(s *weather) { *s = weather{} })
	})
}

// troublePower ends the program or the power, at any instant or within one of
// the next writes.
func (w *World) troublePower(d *device, r *rand.Rand) {
	back := between(r, 10*time.Second, 30*time.Minute)
	w.truth.harm(d, back, "power or program ended")
	switch r.IntN(4) {
	case 0:
		d.kill()
		w.later(between(r, 5*time.Second, 20*time.Second), d.start)
	case 1:
		d.cutPower()
		w.later(back, d.boot)
	default:
		d.cutAtWrite(1+r.IntN(12), back)
	}
}

// cutAtWrite has the power go within one of the next calls that change the
// disk, at the latest in a minute.
func (d *device) cutAtWrite(n int, back time.Duration) {
	d.mu.Lock()
	armed := d.disk
	d.mu.Unlock()
	armed.CutAt(n)
	d.w.trace.event(d.name, "power will go at write %d", n)
	const every = 5 * time.Millisecond
	left := int(time.Minute / every)
	var watchIt func()
	watchIt = func() {
		left--
		d.mu.Lock()
		same := d.disk == armed
		d.mu.Unlock()
		switch {
		case !same: // something else was faster
		case armed.Dead() || left == 0:
			d.w.truth.harm(d, back, "power or program ended")
			d.cutPower()
			d.w.later(back, d.boot)
		default:
			d.w.agenda.add(time.Now().Add(every), watchIt)
		}
	}
	watchIt()
}

// troubleDisk fills the memory card, has it fail, or spoils what is on it.
func (w *World) troubleDisk(d *device, r *rand.Rand) {
	d.mu.Lock()
	k := d.disk
	d.mu.Unlock()
	switch r.IntN(4) {
	case 0, 1:
		w.trace.event(d.name, "memory card is full")
		k.Limit(k.Used() + int64(r.IntN(8<<10)))
		w.later(between(r, time.Minute, 3*time.Hour), func() {
			d.mu.Lock()
			defer d.mu.Unlock()
			w.trace.event(d.name, "memory card has room")
			d.disk.Limit(0)
		})
	case 2:
		w.trace.event(d.name, "a sync will fail")
		d.scar()
		k.FailSync(1 + r.IntN(5))
	case 3:
		d.spoil(k, r)
	}
	w.truth.harm(d, 4*time.Hour, "memory card")
}

// spoil has a file rot or become unreadable: a clip or a closed part of the
// journal, and not what only a person can replace.
func (d *device) spoil(k *disk.Disk, r *rand.Rand) {
	var files []string
	for _, f := range k.Files() {
		if strings.Contains(f, "/clips/") || strings.Contains(f, ".seg") {
			files = append(files, f)
		}
	}
	if len(files) == 0 {
		return
	}
	f := files[r.IntN(len(files))]
	d.w.trace.event(d.name, "memory card spoils %.24s", f)
	d.scar()
	if err := k.Rot(f); err != nil {
		d.w.trace.note(d.name, "spoiling: %v", err)
	}
}

func (d *device) scar() {
	d.watch.mu.Lock()
	defer d.watch.mu.Unlock()
	d.watch.scarred = true
}

// troubleCard pulls, mutes or stalls the sound card for a while.
func (w *World) troubleCard(d *device, r *rand.Rand) {
	set, what := func() { d.card.absent = true }, "unplugged"
	switch r.IntN(3) {
	case 1:
		set, what = func() { d.card.muted = true }, "muted"
	case 2:
		set, what = func() { d.card.stalls = true }, "stalls"
	}
	w.trace.event(d.name, "sound card: %s", what)
	d.card.set(set)
	w.later(between(r, time.Second, 40*time.Minute), func() {
		w.trace.event(d.name, "sound card is well")
		d.card.set(func() { d.card.absent, d.card.muted, d.card.stalls = false, false, false })
	})
}

// calmDown ends every fault.
func (w *World) calmDown() {
	w.trace.event("world", "faults are over")
	for _, d := range w.devices {
		d.setSky(func(s *weather) { *s = weather{} })
		d.card.set(func() { d.card.absent, d.card.muted, d.card.stalls = false, false, false })
		d.mu.Lock()
		d.disk.Limit(0)
		d.mu.Unlock()
		// Without power it gets some; with it, its program may be down.
		w.agenda.add(time.Now().Add(10*time.Second), d.boot)
		w.agenda.add(time.Now().Add(20*time.Second), d.start)
	}
	w.mu.Lock()
	w.atSealed = 0
	w.mu.Unlock()
	w.agenda.add(time.Now().Add(5*time.Second), w.officeUp)
}
