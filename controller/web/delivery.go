package web

import (
	"time"

	"gatecast/controller/fleet"
)

// deliveryView is where every point is with the plan it should have.
type deliveryView struct {
	Ready, Behind, Offline, Bare int
	Of                           int // points with a device
	Rows                         []deliveryRow
	Board                        []boardCell
}

// deliveryRow is a point that is not ready.
type deliveryRow struct {
	Name, Href string
	State      deviceState
	Want, Have string
	Clips      string
	Contact    string
	WillDo     string
	Tone       string
}

type boardCell struct{ Tone, Icon, Name, Href, Note string }

func (l *lang) deliveryOf(p *places, now time.Time) *deliveryView {
	v := &deliveryView{}
	for _, pt := range p.points {
		d, has := p.device[pt.ID]
		if !has {
			v.Bare++
			continue
		}
		if d.WantVersion == 0 {
			continue // no programme is meant for it
		}
		v.Of++
		plan := l.planState(d)
		cell := boardCell{Tone: "ok", Icon: "i-check", Name: pt.Name, Href: pointPath(pt.ID)}
		up := l.online(d, now)
		switch {
		case d.Ready() && up:
			v.Ready++
		case !up:
			v.Offline++
			cell.Tone, cell.Icon, cell.Note = "bad", "i-offline", l.T("plan.version", d.PlanVersion)
			if d.PlanVersion == 0 {
				cell.Note = l.T("plan.none")
			}
		default:
			v.Behind++
			cell.Tone, cell.Icon, cell.Note = "warn", "i-export", l.T("plan.version", d.PlanVersion)
			switch {
			case d.PlanVersion == 0:
				cell.Note = l.T("plan.none")
			case d.PlanVersion == d.WantVersion:
				cell.Note = l.T("delivery.clips", len(d.ClipsReady), plan.ClipsWanted)
			}
		}
		v.Board = append(v.Board, cell)
		if cell.Tone == "ok" {
			continue
		}
		row := deliveryRow{Name: pt.Name, Href: cell.Href, Tone: cell.Tone, Want: l.T("plan.version", d.WantVersion), Contact: p.contact(l, pt)}
		row.State, _ = l.deviceState(d, true, now)
		row.Have = l.T("plan.none")
		if d.PlanVersion != 0 {
			row.Have = l.T("plan.version", d.PlanVersion)
		}
		row.Clips = l.T("delivery.clips", len(d.ClipsReady), plan.ClipsWanted)
		row.WillDo = l.willDo(d, now)
		v.Rows = append(v.Rows, row)
	}
	return v
}

// willDo is what a device plays until it has what it should have.
func (l *lang) willDo(d fleet.Device, now time.Time) string {
	switch {
	case d.Ready():
		return l.T("delivery.new")
	case d.PlanVersion == 0, !d.Horizon.After(now):
		return l.T("delivery.nothing")
	}
	return l.T("delivery.old")
}
