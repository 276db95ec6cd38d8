// Package chronicle keeps what happened in the office's fleet, in order and
// with numbers, for programs and robots that want to hear of it.
//
// Parts of the controller tell a Desk that something changed, by Settled, Tell
// and Notice; none of them ever waits. The Desk looks at what there is, writes what is
// new to the store in one go, and wakes its readers, who read from the store
// by number: a reader who was away goes on where it was.
//
// Incidents, sign-offs and activations are read from their own tables by
// number, so that each is told once, whatever happens in between. Verdicts and
// connections are told by the parts themselves: more than maxWaiting of them
// at a time, and those of the last moments before a crash, are lost here. The
// ledger has them all, and an occurrence of kind gap says that a reader should look
// there; one is written at each start. A Desk is safe for concurrent use.
package chronicle

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// Book is where occurrences are kept.
type Book interface {
	AddOccurrences(ctx context.Context, all []fleet.Occurrence, read fleet.Sources) ([]fleet.Occurrence, error)
	OccurrenceSources(ctx context.Context) (fleet.Sources, error)
	TrimOccurrences(ctx context.Context, before time.Time, keep int) (int, error)
}

// World is where things happen.
type World interface {
	Points(ctx context.Context, f fleet.PointFilter) ([]fleet.Point, error)
	Devices(ctx context.Context) ([]fleet.Device, error)
	Programmes(ctx context.Context) ([]fleet.Programme, error)
	IncidentsAfter(ctx context.Context, id int64, limit int) ([]fleet.Incident, error)
	SignOffsAfter(ctx context.Context, id int64, limit int) ([]fleet.SignOff, error)
}

// Options of New. Book and World are required.
type Options struct {
	Book   Book
	World  World
	Logger *slog.Logger // nil discards
	Now    func() time.Time
}

// Desk collects while Run runs.
type Desk struct {
	o    Options
	poke chan struct{}

	mu      sync.Mutex
	settled []fleet.Obligation       // not yet written
	others  []fleet.Occurrence       // likewise
	dropped int                      // of both
	look    map[fleet.EventKind]bool // changed since the last look
	readers map[chan struct{}]bool

	// Of the goroutine of Run.
	read   fleet.Sources
	online map[wire.DeviceID]bool // as it was told last
}

// Bounds and times of the desk.
const (
	maxWaiting = 20_000                 // verdicts: a slot's end in a city of 10,000 gates, twice
	maxOthers  = 20_000                 // what Tell was told: an alert of every gate of a city, twice
	settle     = 500 * time.Millisecond // bursts are written together
	idle       = 30 * time.Second       // between looks without a reason
	chunk      = 500                    // rows of a source at a time
	keepFor    = 14 * 24 * time.Hour
	keepRows   = 500_000 // some 150 MB
	trimEvery  = time.Hour
)

// The sources that are read by number.
const (
	sourceIncidents  = "incidents"
	sourceSignOffs   = "sign_offs"
	sourceProgrammes = "programmes" // microseconds of the latest activation
)

// New returns a Desk.
func New(o Options) (*Desk, error) {
	if o.Book == nil || o.World == nil {
		return nil, errors.New("chronicle options: Book and World are required")
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Desk{o: o, poke: make(chan struct{}, 1), look: map[fleet.EventKind]bool{}, readers: map[chan struct{}]bool{}}, nil
}

// Settled tells of a verdict. It never blocks; when too many wait the newest
// are dropped and counted.
func (d *Desk) Settled(o fleet.Obligation) {
	d.mu.Lock()
	if len(d.settled) < maxWaiting {
		d.settled = append(d.settled, o)
	} else {
		d.dropped++
	}
	d.mu.Unlock()
	d.wake()
}

// Tell tells of what only the caller knows, such as relay tasks that are
// overdue. A zero At means now. It never blocks, like Settled.
func (d *Desk) Tell(o fleet.Occurrence) {
	if o.At.IsZero() {
		o.At = d.o.Now()
	}
	o.Object = fleet.MaskPhones(o.Object)
	d.mu.Lock()
	if len(d.others) < maxOthers {
		d.others = append(d.others, o)
	} else {
		d.dropped++
	}
	d.mu.Unlock()
	d.wake()
}

// Notice tells that something changed. It never blocks.
func (d *Desk) Notice(e fleet.Event) {
	switch e.Kind {
	case fleet.EventDevice, fleet.EventIncident, fleet.EventPlan, fleet.EventClip:
	default:
		return // a verdict comes with its obligation
	}
	d.mu.Lock()
	d.look[e.Kind] = true
	d.mu.Unlock()
	d.wake()
}

func (d *Desk) wake() {
	select {
	case d.poke <- struct{}{}:
	default:
	}
}

// Subscribe returns a channel that gets a value after something was written,
// one for any number of things, and the function that ends it.
func (d *Desk) Subscribe() (<-chan struct{}, func()) {
	c := make(chan struct{}, 1)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.readers[c] = true
	return c, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		delete(d.readers, c)
	}
}

// Run writes what happens until ctx ends; what waits then is written before it
// returns.
func (d *Desk) Run(ctx context.Context) error {
	var trimmed time.Time
	for {
		if err := d.pass(ctx); err != nil && ctx.Err() == nil {
			d.o.Logger.Error("keeping what happened", "err", err)
		}
		if now := d.o.Now(); now.Sub(trimmed) >= trimEvery {
			trimmed = now
			if _, err := d.o.Book.TrimOccurrences(ctx, now.Add(-keepFor), keepRows); err != nil && ctx.Err() == nil {
				d.o.Logger.Error("trimming what happened", "err", err)
			}
		}
		timer := time.NewTimer(idle)
		select {
		case <-ctx.Done():
			timer.Stop()
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
			defer cancel()
			if err := d.pass(last); err != nil {
				d.o.Logger.Warn("keeping what happened at the end", "err", err)
			}
			return nil
		case <-timer.C:
		case <-d.poke:
			timer.Reset(settle)
			select {
			case <-timer.C:
			case <-ctx.Done():
			}
		}
	}
}

// pass writes what is new and wakes the readers.
func (d *Desk) pass(ctx context.Context) (err error) {
	var all []fleet.Occurrence
	if d.read == nil {
		if all, err = d.begin(ctx); err != nil {
			return err
		}
	}
	d.mu.Lock()
	settled, others, dropped, look := d.settled, d.others, d.dropped, d.look
	d.settled, d.others, d.dropped, d.look = nil, nil, 0, map[fleet.EventKind]bool{}
	d.mu.Unlock()
	defer func() {
		if err == nil {
			return
		}
		d.mu.Lock() // it is told the next time
		defer d.mu.Unlock()
		keep := min(len(settled), max(maxWaiting-len(d.settled), 0))
		d.settled = append(settled[:keep:keep], d.settled...)
		d.dropped += dropped + len(settled) - keep
		d.others = append(others, d.others...)
		for kind := range look {
			d.look[kind] = true
		}
	}()
	read := fleet.Sources{}
	for _, source := range []func(context.Context, fleet.Sources) ([]fleet.Occurrence, error){d.incidents, d.signOffs, d.programmes} {
		more, err := source(ctx, read)
		if err != nil {
			return err
		}
		all = append(all, more...)
	}
	all = append(all, others...)
	points, err := d.names(ctx, len(settled) > 0 || len(all) > 0 || look[fleet.EventDevice])
	if err != nil {
		return err
	}
	now := d.o.Now()
	for _, o := range settled {
		all = append(all, verdict(o))
	}
	online := map[wire.DeviceID]bool{}
	if look[fleet.EventDevice] {
		connections, err := d.connections(ctx, online, now)
		if err != nil {
			return err
		}
		all = append(all, connections...)
	}
	if dropped > 0 {
		all = append(all, fleet.Occurrence{At: now, Kind: fleet.OccurredGap, Data: fleet.Fields("dropped", strconv.Itoa(dropped))})
	}
	if len(all) == 0 && len(read) == 0 {
		return nil
	}
	for i := range all {
		if p, ok := points[all[i].Point]; ok {
			all[i].Data = with(all[i].Data, "point", p.Code)
			if all[i].Object == "" {
				all[i].Object = p.Name
			}
		}
	}
	if _, err := d.o.Book.AddOccurrences(ctx, all, read); err != nil {
		return fmt.Errorf("writing %d occurrences: %w", len(all), err)
	}
	for name, id := range read {
		d.read[name] = id
	}
	for id, on := range online {
		d.online[id] = on
	}
	if len(all) > 0 {
		d.tell()
	}
	return nil
}

func (d *Desk) tell() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for c := range d.readers {
		select {
		case c <- struct{}{}:
		default: // it has not looked since the last one
		}
	}
}

func (d *Desk) names(ctx context.Context, wanted bool) (map[fleet.PointID]fleet.Point, error) {
	if !wanted {
		return nil, nil
	}
	list, err := d.o.World.Points(ctx, fleet.PointFilter{})
	if err != nil {
		return nil, fmt.Errorf("reading points: %w", err)
	}
	all := make(map[fleet.PointID]fleet.Point, len(list))
	for _, p := range list {
		all[p.ID] = p
	}
	return all, nil
}
