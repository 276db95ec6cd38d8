// Package uptime keeps when the office itself could not hear the gates: when
// the controller did not run, when it had no broker, and when not one device
// could be heard. Slots of such times are not held against the gates, and no
// alert is raised about them.
//
// A Desk beats once at its start and then every Interval; the store turns a
// missing heartbeat into an outage at the next beat, so that also a machine
// without power, or one that slept, is found. One goroutine, that of Run, owns
// all of it. Package store keeps the rows.
package uptime

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"gatecast/controller/fleet"
)

// Interval is the time between two beats.
const Interval = time.Minute

// What makes a silence of devices one of the office: fewer devices than
// MinDevices prove nothing, a device that said nothing for longer than Recent
// was away before, and a session that broke is back within Patience.
const (
	MinDevices = 3
	Recent     = 24 * time.Hour
	Patience   = 3 * time.Minute
)

// Book is where heartbeats and outages stand.
type Book interface {
	// Beat notes that the controller is alive, and tells of the time before if it
	// was not.
	Beat(ctx context.Context, now time.Time) (gap fleet.Outage, found bool, err error)
	// BeginOutage keeps one that lasts, unless one of its kind does.
	BeginOutage(ctx context.Context, kind fleet.OutageKind, from time.Time) error
	// EndOutage ends the one that lasts and reports whether there was one.
	EndOutage(ctx context.Context, kind fleet.OutageKind, to time.Time) (bool, error)
	Devices(ctx context.Context) ([]fleet.Device, error)
}

// Options of New. Book and Connected are required.
type Options struct {
	Book      Book
	Connected func() bool // reports whether the broker is there
	Logger    *slog.Logger
	Now       func() time.Time // nil means time.Now
}

// Desk watches while Run runs.
type Desk struct {
	o       Options
	started time.Time
	lost    time.Time // since when there is no broker; zero while there is one
	open    map[fleet.OutageKind]bool
}

// New returns a Desk.
func New(o Options) (*Desk, error) {
	if o.Book == nil || o.Connected == nil {
		return nil, errors.New("uptime options: Book and Connected are required")
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Desk{o: o, open: map[fleet.OutageKind]bool{}}, nil
}

// Begin is the first beat; the controller calls it before it hears anything,
// so that whoever looks at a gate then knows already what was missed.
func (d *Desk) Begin(ctx context.Context) error {
	d.started = d.o.Now()
	d.lost = d.started
	gap, found, err := d.o.Book.Beat(ctx, d.started)
	if found {
		d.o.Logger.Warn("controller was away", "from", gap.From, "to", gap.To)
	}
	return err
}

// Run beats until ctx ends, and once more then. Begin comes before it.
func (d *Desk) Run(ctx context.Context) error {
	tick := time.NewTicker(Interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
			defer cancel()
			_, _, err := d.o.Book.Beat(last, d.o.Now())
			return err
		case <-tick.C:
		}
		if err := d.Look(ctx); err != nil && ctx.Err() == nil {
			d.o.Logger.Error("noting the heartbeat", "err", err)
		}
	}
}

// Look is one turn of Run: it beats, and notes what began or ended since.
func (d *Desk) Look(ctx context.Context) error {
	now := d.o.Now()
	gap, found, err := d.o.Book.Beat(ctx, now)
	if err != nil {
		return err
	}
	if found { // it slept: what it knew of before is over
		d.o.Logger.Warn("controller was away", "from", gap.From, "to", gap.To)
		d.started, d.lost = now, now
		clear(d.open)
	}
	if err := d.broker(ctx, now); err != nil {
		return err
	}
	return d.network(ctx, now)
}

func (d *Desk) broker(ctx context.Context, now time.Time) error {
	if d.o.Connected() {
		d.lost = time.Time{}
		return d.end(ctx, fleet.OutageBroker, now)
	}
	if d.lost.IsZero() {
		d.lost = now
	}
	if now.Sub(d.lost) < fleet.MinOutage {
		return nil
	}
	return d.begin(ctx, fleet.OutageBroker, d.lost)
}

// network notes a silence of all devices; while there is no broker that is the
// cause, and told instead.
func (d *Desk) network(ctx context.Context, now time.Time) error {
	all, err := d.o.Book.Devices(ctx)
	if err != nil {
		return err
	}
	since, heard, silent := Silence(all, d.started, now)
	switch {
	case heard:
		return d.end(ctx, fleet.OutageNetwork, now)
	case silent && d.lost.IsZero():
		return d.begin(ctx, fleet.OutageNetwork, since)
	}
	return nil
}

func (d *Desk) begin(ctx context.Context, kind fleet.OutageKind, from time.Time) error {
	if d.open[kind] {
		return nil
	}
	if err := d.o.Book.BeginOutage(ctx, kind, from); err != nil {
		return err
	}
	d.open[kind] = true
	d.o.Logger.Warn("the office cannot hear the gates", "kind", string(kind), "since", from)
	return nil
}

// end also ends what an earlier run of the controller left open.
func (d *Desk) end(ctx context.Context, kind fleet.OutageKind, to time.Time) error {
	if open, known := d.open[kind]; known && !open {
		return nil
	}
	ended, err := d.o.Book.EndOutage(ctx, kind, to)
	if err != nil {
		return err
	}
	d.open[kind] = false
	if ended {
		d.o.Logger.Info("the office hears the gates again", "kind", string(kind))
	}
	return nil
}

// Silence reports whether any of the active devices is heard, and, where at
// least MinDevices were heard within Recent and none has been for Patience,
// since when they are silent. A controller that started after that knows of no
// silence before.
func Silence(all []fleet.Device, started, now time.Time) (since time.Time, heard, silent bool) {
	since = started
	n := 0
	for _, d := range all {
		if d.State != fleet.DeviceActive {
			continue
		}
		if d.Online {
			return time.Time{}, true, false
		}
		if d.LastSeen.IsZero() || now.Sub(d.LastSeen) > Recent {
			continue
		}
		n++
		if d.LastSeen.After(since) {
			since = d.LastSeen
		}
	}
	return since, false, n >= MinDevices && now.Sub(since) >= Patience
}
