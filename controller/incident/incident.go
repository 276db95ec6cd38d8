// Package incident collects 安全事件 that the controller itself notices and
// has them kept.
//
// Whoever refuses an attempt reports it here and goes on at once: a port that
// is hammered must not write to the database for each knock. A Desk adds up
// like attempts and hands them to the store once a second, at most maxKinds at
// a time; attempts from more addresses than that are counted together, without
// an address. What is reported within a second of a crash is lost. A Desk is
// safe for concurrent use.
package incident

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// Store keeps incidents; *store.Store is one.
type Store interface {
	AddIncident(ctx context.Context, in fleet.Incident) error
}

// settle is how long like attempts are added up before they are kept.
const settle = time.Second

// maxKinds bounds what is added up at a time: 256 entries of some 300 bytes.
const maxKinds = 256

// maxFrom is how many addresses an hour have rows of their own, by kind: a
// botnet must not fill the database.
const maxFrom = 64

// lastWrite bounds the writing at the end of Run.
const lastWrite = 2 * time.Second

// Options of New. Store is required.
type Options struct {
	Store  Store
	OnKept func(fleet.PointID) // called after incidents of a point were kept, 0 for none; may be nil
	Logger *slog.Logger        // nil discards
	Now    func() time.Time    // nil means time.Now
}

// Desk takes reports.
type Desk struct {
	o    Options
	poke chan struct{}

	mu      sync.Mutex
	waiting map[key]*fleet.Incident
	hour    time.Time
	from    map[fleet.IncidentKind]map[string]bool // addresses of the hour
}

// key is what like attempts have in common.
type key struct {
	kind   fleet.IncidentKind
	point  fleet.PointID
	device wire.DeviceID
	from   string
}

// New returns a Desk that keeps what is reported while Run runs.
func New(o Options) *Desk {
	if o.OnKept == nil {
		o.OnKept = func(fleet.PointID) {}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Desk{o: o, poke: make(chan struct{}, 1), waiting: map[key]*fleet.Incident{}}
}

// Report counts an attempt: Kind, and what is known of Point, Device, From and
// Detail. Count 0 means 1 and a zero Last means now. From may be host:port or
// a host; only the host is kept. It never blocks.
func (d *Desk) Report(in fleet.Incident) {
	now := d.o.Now()
	if in.Last.IsZero() {
		in.Last = now
	}
	in.First, in.Count = in.Last, max(in.Count, 1)
	in.From = host(in.From)
	d.mu.Lock()
	if !d.admit(in.Kind, in.From, now) {
		in.From = ""
	}
	k := key{in.Kind, in.Point, in.Device, in.From}
	if d.waiting[k] == nil && len(d.waiting) >= maxKinds {
		in.From, in.Device, in.Point = "", "", 0
		k = key{kind: in.Kind}
	}
	if have := d.waiting[k]; have != nil {
		have.Last, have.Detail = in.Last, in.Detail
		have.Count += in.Count
	} else {
		d.waiting[k] = &in
	}
	d.mu.Unlock()
	select {
	case d.poke <- struct{}{}:
	default:
	}
}

// admit reports whether from gets a row of its own this hour.
func (d *Desk) admit(kind fleet.IncidentKind, from string, now time.Time) bool {
	if from == "" {
		return true
	}
	if hour := now.Truncate(time.Hour); !hour.Equal(d.hour) {
		d.hour, d.from = hour, map[fleet.IncidentKind]map[string]bool{}
	}
	seen := d.from[kind]
	if seen == nil {
		seen = map[string]bool{}
		d.from[kind] = seen
	}
	if !seen[from] && len(seen) >= maxFrom {
		return false
	}
	seen[from] = true
	return true
}

// Run keeps what is reported until ctx ends; what waits then is kept before it
// returns.
func (d *Desk) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWrite)
			defer cancel()
			d.keep(last)
			return nil
		case <-d.poke:
		}
		timer := time.NewTimer(settle)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
		if ctx.Err() == nil {
			d.keep(ctx)
		}
	}
}

// keep hands over what waits. What the store does not take is dropped, with a
// line in the log: the next attempt brings the next count.
func (d *Desk) keep(ctx context.Context) {
	d.mu.Lock()
	all := d.waiting
	d.waiting = map[key]*fleet.Incident{}
	d.mu.Unlock()
	points := map[fleet.PointID]bool{}
	for _, in := range all {
		if err := d.o.Store.AddIncident(ctx, *in); err != nil {
			d.o.Logger.Error("keeping incident", "kind", string(in.Kind), "count", in.Count, "err", err)
			continue
		}
		d.o.Logger.Warn("an attack was refused", "kind", string(in.Kind), "device", in.Device, "from", in.From, "count", in.Count, "detail", in.Detail)
		points[in.Point] = true
	}
	for _, p := range sorted(points) {
		d.o.OnKept(p)
	}
}

func sorted(points map[fleet.PointID]bool) []fleet.PointID {
	list := make([]fleet.PointID, 0, len(points))
	for p := range points {
		list = append(list, p)
	}
	slices.Sort(list)
	return list
}

// host returns the host of host:port, an IPv6 one as its /64: a customer has
// all of it.
func host(from string) string {
	if h, _, err := net.SplitHostPort(from); err == nil {
		from = h
	}
	a, err := netip.ParseAddr(from)
	if err != nil {
		return from
	}
	if a = a.Unmap().WithZone(""); a.Is4() || a.IsLoopback() {
		return a.String()
	}
	p, err := a.Prefix(64)
	if err != nil {
		return from
	}
	return p.String()
}
