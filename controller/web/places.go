package web

import (
	"context"
	"fmt"
	"strings"
	"time"

	"gatecast/controller/fleet"
)

// places is the registry and the devices as one page sees them, read once.
type places struct {
	units     []fleet.Unit // in the registry's order
	unit      map[fleet.UnitID]fleet.Unit
	compound  map[fleet.CompoundID]fleet.Compound
	liaison   map[fleet.UnitID]fleet.Liaison // a current one
	points    []fleet.Point                  // in use
	retired   []fleet.Point
	point     map[fleet.PointID]fleet.Point
	device    map[fleet.PointID]fleet.Device // the active one
	waiting   map[fleet.PointID]fleet.Device // in quarantine: the one that enrolled last
	unitOrder []fleet.UnitID                 // units that have points, in order
}

func (s *Server) places(ctx context.Context, filter fleet.PointFilter) (*places, error) {
	p := &places{
		unit: map[fleet.UnitID]fleet.Unit{}, compound: map[fleet.CompoundID]fleet.Compound{},
		liaison: map[fleet.UnitID]fleet.Liaison{}, point: map[fleet.PointID]fleet.Point{}, device: map[fleet.PointID]fleet.Device{},
		waiting: map[fleet.PointID]fleet.Device{},
	}
	var err error
	if p.units, err = s.o.Registry.Units(ctx); err != nil {
		return nil, fmt.Errorf("reading units: %w", err)
	}
	for _, u := range p.units {
		p.unit[u.ID] = u
	}
	compounds, err := s.o.Registry.Compounds(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading compounds: %w", err)
	}
	for _, c := range compounds {
		p.compound[c.ID] = c
	}
	liaisons, err := s.o.Registry.Liaisons(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading liaisons: %w", err)
	}
	for _, l := range liaisons {
		if l.To.IsZero() {
			p.liaison[l.Unit] = l
		}
	}
	if p.points, err = s.o.Registry.Points(ctx, filter); err != nil {
		return nil, fmt.Errorf("reading points: %w", err)
	}
	with := map[fleet.UnitID]bool{}
	all := p.points
	p.points = nil
	for _, pt := range all {
		p.point[pt.ID] = pt
		with[pt.Unit] = true
		if pt.Retired.IsZero() {
			p.points = append(p.points, pt)
		} else {
			p.retired = append(p.retired, pt)
		}
	}
	for _, u := range p.units {
		if with[u.ID] {
			p.unitOrder = append(p.unitOrder, u.ID)
		}
	}
	devices, err := s.o.Devices.Devices(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading devices: %w", err)
	}
	for _, d := range devices {
		switch {
		case d.State == fleet.DeviceActive:
			p.device[d.Point] = d
		case d.State == fleet.DeviceQuarantine && d.Enrolled.After(p.waiting[d.Point].Enrolled):
			p.waiting[d.Point] = d
		}
	}
	return p, nil
}

// contact is whom to call about a point, with the number masked.
func (p *places) contact(l *lang, pt fleet.Point) string {
	if pt.DutyName != "" {
		return strings.TrimSpace(pt.DutyName + " " + pt.DutyPhone.String())
	}
	if who, ok := p.liaison[pt.Unit]; ok {
		return l.T("contact.liaison", who.Name, who.Phone)
	}
	return ""
}

// reconnectFor is how long after its own start the controller waits for devices
// before it calls one offline: they come back with jitter.
const reconnectFor = 2 * time.Minute

// contactState is whether a device is in touch with us.
type contactState int

const (
	inTouch contactState = iota
	awaited              // we have just started ourselves and it has not come back yet
	outOfTouch
)

// offlineAfter is how long a device may be silent before the pages call it
// offline by the clock, should the broker not have said so.
const offlineAfter = 15 * time.Minute

// touch returns whether d is in touch as far as we know.
func (l *lang) touch(d fleet.Device, now time.Time) contactState {
	switch {
	case d.Online && now.Sub(d.LastSeen) < offlineAfter:
		return inTouch
	case now.Before(l.started.Add(reconnectFor)) && !d.LastSeen.IsZero():
		return awaited
	}
	return outOfTouch
}

// online reports whether d is connected as far as we know.
func (l *lang) online(d fleet.Device, now time.Time) bool { return l.touch(d, now) == inTouch }

// dayOf returns the local date of t.
func (s *Server) dayOf(t time.Time) fleet.Day {
	return fleet.Day(t.In(s.o.Zone).Format("2006-01-02"))
}

// dayPlus returns the date n days after d.
func dayPlus(d fleet.Day, n int) fleet.Day {
	t, err := time.Parse("2006-01-02", string(d))
	if err != nil {
		return d
	}
	return fleet.Day(t.AddDate(0, 0, n).Format("2006-01-02"))
}

// validDay reports whether text is a date that pages take.
func validDay(text string) bool {
	_, err := time.Parse("2006-01-02", text)
	return err == nil
}
