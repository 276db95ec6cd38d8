package web

import (
	"time"

	"gatecast/controller/fleet"
)

// deviceState is where a point's device stands, as one state chip.
type deviceState struct{ Tone, Icon, Text string }

// deviceState returns the chip and its rank, the worst first.
func (l *lang) deviceState(d fleet.Device, has bool, now time.Time) (deviceState, int) {
	switch {
	case !has:
		return deviceState{"", "i-plus", l.T("device.bare")}, 4
	case l.touch(d, now) == awaited:
		return deviceState{"info", "i-clock", l.T("device.awaited")}, 2
	case !l.online(d, now):
		text := l.T("device.never_seen")
		if !d.LastSeen.IsZero() {
			text = l.T("device.offline", l.Span(now.Sub(d.LastSeen)))
		}
		return deviceState{"bad", "i-offline", text}, 0
	}
	for _, c := range d.Conditions {
		if c.Severity == "bad" && c.Code != "link_down" {
			title, _ := l.condition(c)
			return deviceState{"bad", "i-alert", title}, 1
		}
	}
	if d.Playing != "" {
		return deviceState{"info", "i-bars", l.T("device.playing")}, 3
	}
	return deviceState{"ok", "i-online", l.T("device.online")}, 3
}

// stateOf is deviceState of a point: one without an active device shows the
// one that waits.
func (p *places) stateOf(l *lang, id fleet.PointID, now time.Time) (deviceState, int) {
	d, has := p.device[id]
	switch w, waits := p.waiting[id]; {
	case !has && waits && w.Cloned:
		return deviceState{"bad", "i-shield", l.T("device.cloned")}, 0
	case !has && waits:
		return deviceState{"warn", "i-speaker", l.T("device.quarantine")}, 1
	}
	return l.deviceState(d, has, now)
}

// planState compares the plan a device has with the one it should have.
type planState struct {
	Want, Have  uint64
	Tone, Icon  string
	Text        string
	ClipsReady  int
	ClipsWanted int
	Ready       bool
}

func (l *lang) planState(d fleet.Device) planState {
	p := planState{Want: d.WantVersion, Have: d.PlanVersion, ClipsReady: len(d.ClipsReady), ClipsWanted: len(d.ClipsReady) + len(d.ClipsMiss)}
	switch {
	case d.WantVersion == 0:
		p.Icon, p.Text = "i-dash", l.T("plan.none")
	case d.Ready():
		p.Tone, p.Icon, p.Text, p.Ready = "ok", "i-check", l.T("plan.ready", d.PlanVersion), true
	case d.PlanVersion == 0:
		p.Tone, p.Icon, p.Text = "warn", "i-export", l.T("plan.waiting", d.WantVersion)
	case d.PlanVersion != d.WantVersion:
		p.Tone, p.Icon, p.Text = "warn", "i-export", l.T("plan.behind", d.PlanVersion, d.WantVersion)
	case d.PlanHash != d.WantHash:
		p.Tone, p.Icon, p.Text = "bad", "i-cross", l.T("plan.other", d.PlanVersion)
	default:
		p.Tone, p.Icon, p.Text = "warn", "i-export", l.T("plan.clips", len(d.ClipsReady), p.ClipsWanted)
	}
	return p
}

// sameIn reports whether two instants are the same local day.
func (l *lang) sameDay(a, b time.Time) bool {
	return l.in(a).Format("2006-01-02") == l.in(b).Format("2006-01-02")
}
