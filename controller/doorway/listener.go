package doorway

import (
	"net"
	"net/netip"
	"sync"
)

// Limits of a listener.
type Limits struct {
	Total      int // connections at a time
	PerAddress int // of one IPv4 address or one IPv6 /64
	// Trusted may hold as many as Total: proxies, behind which everybody is.
	// This machine's own addresses may as well.
	Trusted []netip.Prefix
}

// Listen bounds what l accepts. A connection over a limit is closed at once,
// unread: its sender tries again, and those within the limits are served.
func Listen(l net.Listener, o Limits) net.Listener {
	return &listener{Listener: l, o: o, per: map[netip.Addr]int{}}
}

type listener struct {
	net.Listener
	o Limits // immutable

	mu  sync.Mutex
	all int
	per map[netip.Addr]int
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		who := holder(c.RemoteAddr().String())
		if l.enter(who) {
			return &counted{Conn: c, leave: func() { l.leave(who) }}, nil
		}
		_ = c.Close()
	}
}

// holder is whose connections are counted together. What is no TCP address is
// the zero one.
func holder(address string) netip.Addr {
	a, ok := parseAddress(address)
	if !ok || a.Is4() {
		return a
	}
	p, _ := a.Prefix(64) // of an IPv6 address this never fails
	return p.Addr()
}

func (l *listener) enter(who netip.Addr) bool {
	own := who.IsLoopback() || Contains(l.o.Trusted, who.String())
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.all >= l.o.Total || (!own && l.per[who] >= l.o.PerAddress) {
		return false
	}
	l.all++
	l.per[who]++
	return true
}

func (l *listener) leave(who netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all--
	if l.per[who]--; l.per[who] <= 0 {
		delete(l.per, who)
	}
}

type counted struct {
	net.Conn
	once  sync.Once
	leave func()
}

// Close implements net.Conn.
func (c *counted) Close() error {
	c.once.Do(c.leave)
	return c.Conn.Close()
}
