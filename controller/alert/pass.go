package alert

import (
	"context"
	"fmt"
	"slices"
	"time"

	"gatecast/controller/fleet"
	"gatecast/controller/ledger"
)

// batch is how many verdicts are looked at together.
const batch = 1000

// tidyEvery is how often alerts of points out of use are looked for.
const tidyEvery = time.Hour

// Pass looks at all that is new and due.
func (d *Desk) Pass(ctx context.Context) error {
	now := d.o.Now()
	if now.Sub(d.tidy).Abs() >= tidyEvery {
		if err := d.closeRetired(ctx, now); err != nil {
			return err
		}
		d.tidy = now
	}
	var world *surroundings
	for {
		news, err := d.o.Book.AlertNews(ctx, now.Add(-ledger.Grace), now, batch)
		if err != nil || len(news) == 0 {
			return err
		}
		if world == nil {
			if world, err = d.survey(ctx); err != nil {
				return err
			}
		}
		if err := d.look(ctx, world, news, now); err != nil {
			return err
		}
	}
}

// surroundings is every point in use and every active device.
type surroundings struct {
	points  []fleet.Point
	byUnit  map[fleet.UnitID][]fleet.Point
	point   map[fleet.PointID]fleet.Point
	devices map[fleet.PointID]fleet.Device
}

func (d *Desk) survey(ctx context.Context) (*surroundings, error) {
	w := &surroundings{byUnit: map[fleet.UnitID][]fleet.Point{}, point: map[fleet.PointID]fleet.Point{}, devices: map[fleet.PointID]fleet.Device{}}
	var err error
	if w.points, err = d.o.Places.Points(ctx, fleet.PointFilter{}); err != nil {
		return nil, fmt.Errorf("reading points: %w", err)
	}
	for _, p := range w.points {
		w.point[p.ID] = p
		w.byUnit[p.Unit] = append(w.byUnit[p.Unit], p)
	}
	devices, err := d.o.Places.Devices(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading devices: %w", err)
	}
	for _, v := range devices {
		if v.State == fleet.DeviceActive {
			w.devices[v.Point] = v
		}
	}
	return w, nil
}

// site is what Look says of a point. A compound lies in one unit: the points
// of the unit are all that it has to look at.
func (w *surroundings) site(p fleet.PointID) Site {
	pt := w.point[p]
	pt.ID = p
	return Look(pt, w.byUnit[pt.Unit], w.devices)
}

// look decides about some news, writes it and tells of it.
func (d *Desk) look(ctx context.Context, w *surroundings, news []fleet.AlertNews, now time.Time) error {
	due, err := d.hold(ctx, w, news, now)
	if err != nil || len(due) == 0 {
		return err
	}
	byPoint := map[fleet.PointID][]fleet.AlertNews{}
	var points []fleet.PointID
	for _, n := range due {
		if byPoint[n.Owed.Point] == nil {
			points = append(points, n.Owed.Point)
		}
		byPoint[n.Owed.Point] = append(byPoint[n.Owed.Point], n)
	}
	open, err := d.o.Book.OpenAlertsOf(ctx, points)
	if err != nil {
		return err
	}
	openOf := map[fleet.PointID][]fleet.AlertFile{}
	for _, f := range open {
		openOf[f.Point] = append(openOf[f.Point], f)
	}
	var all []fleet.AlertChange
	for _, p := range points {
		c := Case{Open: openOf[p], News: byPoint[p], Site: w.site(p), Now: now}
		from := c.News[0].Owed.Day
		for _, f := range c.Open {
			for _, x := range f.Affected {
				from = min(from, x.Day)
			}
		}
		if c.Played, err = d.o.Book.LatestPlayed(ctx, p, from); err != nil {
			return err
		}
		all = append(all, Weigh(c)...)
	}
	return d.change(ctx, all, due, now)
}

func (d *Desk) change(ctx context.Context, all []fleet.AlertChange, seen []fleet.AlertNews, now time.Time) error {
	changed, err := d.o.Book.ChangeAlerts(ctx, all, seen, now)
	if err != nil {
		return err
	}
	for i, a := range changed {
		fresh := all[i].Alert.ID == 0
		for _, l := range all[i].Lines {
			told := l.Kind == fleet.AlertRaised && a.Open() || l.Kind == fleet.AlertCall && a.Open() || l.Kind == fleet.AlertClosed && !fresh
			if told {
				d.o.OnLine(a, l.Kind)
			}
		}
	}
	return nil
}

// hold puts off what is not to be alarmed about yet, and returns the rest.
func (d *Desk) hold(ctx context.Context, w *surroundings, news []fleet.AlertNews, now time.Time) (due []fleet.AlertNews, err error) {
	var outages []fleet.Outage
	asked := false
	later := map[time.Time][]int64{}
	for _, n := range news {
		if n.Owed.Verdict == fleet.Pending && !asked {
			from := n.Owed.Start
			for _, o := range news {
				if o.Owed.Start.Before(from) {
					from = o.Owed.Start
				}
			}
			if outages, err = d.o.Outages(ctx, from, now); err != nil {
				return nil, fmt.Errorf("reading outages of the office: %w", err)
			}
			asked = true
		}
		until := HoldUntil(n.Owed, w.devices[n.Owed.Point].Online, outages, now)
		if until.IsZero() {
			due = append(due, n)
			continue
		}
		later[until] = append(later[until], n.ID)
	}
	for until, ids := range later {
		if err := d.o.Book.HoldAlertNews(ctx, ids, until); err != nil {
			return nil, fmt.Errorf("holding news: %w", err)
		}
	}
	return due, nil
}

// closeRetired closes the alerts of points that are out of use: they owe no
// slot any more that could.
func (d *Desk) closeRetired(ctx context.Context, now time.Time) error {
	points, err := d.o.Places.Points(ctx, fleet.PointFilter{})
	if err != nil {
		return fmt.Errorf("reading points: %w", err)
	}
	points = slices.DeleteFunc(points, func(p fleet.Point) bool { return !p.RetiredAt(now) })
	if len(points) == 0 {
		return nil
	}
	ids := make([]fleet.PointID, len(points))
	for i, p := range points {
		ids[i] = p.ID
	}
	open, err := d.o.Book.OpenAlertsOf(ctx, ids)
	if err != nil || len(open) == 0 {
		return err
	}
	var all []fleet.AlertChange
	for _, f := range open {
		f.Closed = now
		all = append(all, fleet.AlertChange{Alert: f.Alert, Lines: []fleet.AlertLine{{At: now, Kind: fleet.AlertClosed, Slots: f.Slots, Likely: f.Likely}}})
	}
	return d.change(ctx, all, nil, now)
}
