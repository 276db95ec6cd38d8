package link

import (
	"time"

	"gatecast/controller/fleet"
)

// silent is how long a device that said it is connected may say nothing: two
// state intervals with their jitter, and some time on the way. It is called
// offline when the second heartbeat is missed.
func (l *Link) silent() time.Duration {
	return l.o.StateInterval*22/10 + min(l.o.StateInterval, 10*time.Second)
}

// keepPresence takes devices that have fallen silent off the list: a will can
// get lost like any message.
func (l *Link) keepPresence() {
	tick := time.NewTicker(l.o.StateInterval / 2)
	defer tick.Stop()
	for {
		select {
		case <-l.ctx.Done():
			return
		case <-tick.C:
			l.sweep(l.o.Now())
		}
	}
}

// sweep looks at every device once. Silence counts only while we could hear:
// not before the present session began.
func (l *Link) sweep(now time.Time) {
	l.mu.Lock()
	up, since := l.client != nil, l.upSince
	l.mu.Unlock()
	if !up {
		return
	}
	all, err := l.o.Store.Devices(l.ctx)
	if err != nil {
		l.logger.Warn("listing devices", "err", err)
		return
	}
	for _, d := range all {
		if !d.Online {
			continue
		}
		heard := d.LastSeen
		if at := l.inbox.heardAt(d.ID); at.After(heard) {
			heard = at
		}
		from := heard
		if since.After(from) {
			from = since
		}
		if now.Sub(from) < l.silent() {
			continue
		}
		if gone, err := l.o.Store.SetOffline(l.ctx, d.ID, d.Session, heard); err == nil && gone {
			l.logger.Info("device fell silent", "device", d.ID, "last_heard", heard)
			l.o.OnEvent(fleet.Event{Kind: fleet.EventDevice, Point: d.Point})
		}
	}
}
