package broker

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// Limits bounds connections that have not shown who they are. The zero value
// of each field means that of DefaultLimits.
type Limits struct {
	// Hellos an address may make at once, and how long it takes to gain another.
	// Beyond, the handshake is ended before any of its arithmetic.
	Hellos int
	Each   time.Duration
	// Silent is how long a connection may be open without beginning a handshake
	// while many wait.
	Silent time.Duration
	// Waiting is how many connections without a name may be open before those
	// that are Silent are looked for. Where three quarters of MaxConnections are
	// taken, those of the address that holds the most of them go first.
	Waiting int
}

// DefaultLimits lets an estate of 500 gates behind one router reconnect all at
// once, and 10,000 within three minutes.
var DefaultLimits = Limits{Hellos: 512, Each: time.Second / 64, Silent: 5 * time.Second, Waiting: 2048}

func (l Limits) orDefault() Limits {
	d := DefaultLimits
	return Limits{cmp.Or(l.Hellos, d.Hellos), cmp.Or(l.Each, d.Each), cmp.Or(l.Silent, d.Silent), cmp.Or(l.Waiting, d.Waiting)}
}

// maxHellos bounds the doorman's memory: 16,384 entries of about 100 bytes.
const maxHellos = 16384

// sweepEvery is how often it is looked whether too many wait: 16,384
// connections in that time need 80,000 SYNs a second.
const sweepEvery = 200 * time.Millisecond

var errHellos = errors.New("too many connections from this address")

// doorman keeps strangers from taking the places of devices. The engine
// accepts by itself, so it is asked what is open, and closes what it is told.
type doorman struct {
	o     Limits // immutable
	max   int    // connections the engine takes; immutable
	local bool   // this machine's own addresses are bounded too; for tests

	mu     sync.Mutex
	per    map[netip.Addr]spent
	begun  map[string]time.Time // remote address of who has begun a handshake
	named  int                  // connections with a name, as last seen
	closed int                  // by a sweep, so far
}

// spent is how many hellos of an address count as of at.
type spent struct {
	n  int
	at time.Time
}

func newDoorman(o Limits, most int) *doorman {
	return &doorman{o: o.orDefault(), max: most, per: map[netip.Addr]spent{}, begun: map[string]time.Time{}}
}

// guard returns c with the doorman at its beginning.
func (d *doorman) guard(c *tls.Config) *tls.Config {
	c = c.Clone()
	next := c.GetConfigForClient
	c.GetConfigForClient = func(h *tls.ClientHelloInfo) (*tls.Config, error) {
		if !d.hello(h.Conn.RemoteAddr(), time.Now()) {
			return nil, errHellos
		}
		if next != nil {
			return next(h)
		}
		return nil, nil
	}
	return c
}

// hello counts the beginning of a handshake and reports whether it may go on.
func (d *doorman) hello(from net.Addr, now time.Time) bool {
	ap, _ := netip.ParseAddrPort(from.String())
	who := ap.Addr().Unmap().WithZone("")
	if who.Is6() {
		p, _ := who.Prefix(64) // never fails
		who = p.Addr()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if !who.IsLoopback() || d.local {
		s, ok := d.per[who]
		if !ok {
			s.at = now
			if len(d.per) >= maxHellos {
				d.forget(now)
			}
		}
		if back := int(now.Sub(s.at) / d.o.Each); back > 0 {
			s.n, s.at = max(0, s.n-back), s.at.Add(time.Duration(back)*d.o.Each)
		}
		if s.n >= d.o.Hellos {
			return false
		}
		s.n++
		d.per[who] = s
	}
	if len(d.begun) < 2*maxHellos { // else some count as silent
		d.begun[from.String()] = now
	}
	return true
}

// forget drops the addresses that have all their hellos again, or else the one
// heard the longest ago.
func (d *doorman) forget(now time.Time) {
	var oldest netip.Addr
	for who, s := range d.per {
		if now.Sub(s.at) >= time.Duration(s.n)*d.o.Each {
			delete(d.per, who)
		} else if !oldest.IsValid() || s.at.Before(d.per[oldest].at) {
			oldest = who
		}
	}
	if len(d.per) >= maxHellos {
		delete(d.per, oldest)
	}
}

// run sweeps until ctx ends.
func (d *doorman) run(ctx context.Context, s *server.Server) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			d.mu.Lock()
			for from, at := range d.begun { // what is older has a name or is gone
				if now.Sub(at) > timeoutCON {
					delete(d.begun, from)
				}
			}
			crowd := s.NumClients()
			d.named = min(d.named, crowd)
			look := crowd-d.named > d.o.Waiting || crowd > d.max-d.max/4
			d.mu.Unlock()
			if look {
				d.sweep(s, now)
			}
		}
	}
}

// waiting is a connection without a name.
type waiting struct {
	id     uint64
	ip     string
	since  time.Time
	silent bool
	rank   int // how many its address holds
}

// sweep closes what waits in silence, and what one address holds too much of
// while places are short.
func (d *doorman) sweep(s *server.Server, now time.Time) {
	all, err := s.Connz(&server.ConnzOptions{Limit: d.max + 1})
	if err != nil {
		return // the engine is stopping
	}
	var wait []waiting
	held := map[string]int{}
	d.mu.Lock()
	for _, c := range all.Conns {
		if c.MQTTClient == "" {
			_, begun := d.begun[netip.AddrPortFrom(addr(c.IP), uint16(c.Port)).String()]
			wait = append(wait, waiting{id: c.Cid, ip: c.IP, since: c.Start, silent: !begun && now.Sub(c.Start) > d.o.Silent})
			held[c.IP]++
		}
	}
	d.named = len(all.Conns) - len(wait)
	d.mu.Unlock()
	for i := range wait {
		wait[i].rank = held[wait[i].ip]
	}
	slices.SortFunc(wait, func(a, b waiting) int {
		if a.silent != b.silent {
			return map[bool]int{true: -1, false: 1}[a.silent]
		}
		return cmp.Or(b.rank-a.rank, a.since.Compare(b.since))
	})
	surplus := len(all.Conns) - (d.max - d.max/4)
	n := 0
	for _, w := range wait {
		if !w.silent && surplus <= 0 {
			break
		}
		if s.DisconnectClientByID(w.id) == nil {
			n++
		}
		surplus--
	}
	d.mu.Lock()
	d.closed += n
	d.mu.Unlock()
}

func addr(ip string) netip.Addr {
	a, _ := netip.ParseAddr(ip) // the zero address is nobody's
	return a.Unmap()
}
