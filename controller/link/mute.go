package link

import (
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// A word about silence is said again every muteAgain until the device says
// that it has it, muteTries times; after that, with each of its states.
const (
	muteAgain = 3 * time.Second
	muteTries = 10
)

// Mute tells devices soon what they lack of the office's word about silence.
// It never blocks. A device that is not connected is told when it is back.
func (l *Link) Mute(ids []wire.DeviceID) { l.mutes.add(ids) }

// keepMuting serves Mute until Stop. It is not part of offering plans: silence
// must not wait for them.
func (l *Link) keepMuting() {
	tries := map[wire.DeviceID]int{}
	again := time.NewTimer(muteAgain)
	defer again.Stop()
	for {
		select {
		case <-l.ctx.Done():
			return
		case <-l.mutes.wake:
			for _, id := range l.mutes.take() {
				tries[id] = 0
				if !l.muteOnce(id) {
					delete(tries, id)
				}
			}
			again.Reset(muteAgain)
		case <-again.C:
			for id, n := range tries {
				if tries[id] = n + 1; n >= muteTries || !l.muteOnce(id) {
					delete(tries, id)
				}
			}
			if len(tries) > 0 {
				again.Reset(muteAgain)
			}
		}
	}
}

// muteOnce tells one device what it lacks and reports whether that was
// anything.
func (l *Link) muteOnce(id wire.DeviceID) bool {
	d, err := l.o.Store.Device(l.ctx, id)
	if err != nil || d.State != fleet.DeviceActive || !d.Online {
		return false
	}
	return l.muteIf(d)
}

// muteIf compares what d says of its silence with what it should have.
func (l *Link) muteIf(d fleet.Device) bool {
	if l.o.Lacking == nil {
		return false
	}
	doc, err := l.o.Lacking(d)
	if err != nil {
		l.logger.Error("sealing a mute", "device", d.ID, "err", err)
		return true
	}
	if doc == nil {
		return false
	}
	if err := l.publish(wire.Down(d.ID, wire.KindMute), doc); err != nil {
		l.logger.Warn("muting", "device", d.ID, "err", err)
	}
	return true
}
