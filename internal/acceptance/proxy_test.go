package acceptance

import (
	"io"
	"net"
	"sync"
	"testing"
)

// cable is a network cable between a gate and the office that can be cut.
type cable struct {
	addr string // where gates connect
	to   string // the office

	mu    sync.Mutex
	cut   bool
	conns map[net.Conn]bool
}

func newCable(t *testing.T, to string) *cable {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cable{addr: l.Addr().String(), to: to, conns: map[net.Conn]bool{}}
	t.Cleanup(func() { l.Close(); c.setCut(true) })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go c.carry(conn)
		}
	}()
	return c
}

// setCut cuts the cable, with all that runs through it, or mends it.
func (c *cable) setCut(cut bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cut = cut
	if cut {
		for conn := range c.conns {
			conn.Close()
		}
	}
}

func (c *cable) hold(conns ...net.Conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range conns {
		if c.cut {
			conn.Close()
			continue
		}
		c.conns[conn] = true
	}
	return !c.cut
}

func (c *cable) carry(a net.Conn) {
	defer a.Close()
	if !c.hold(a) {
		return
	}
	b, err := net.Dial("tcp", c.to)
	if err != nil {
		return
	}
	defer b.Close()
	if !c.hold(b) {
		return
	}
	done := make(chan struct{}, 2)
	for _, pair := range [][2]net.Conn{{a, b}, {b, a}} {
		go func() {
			_, _ = io.Copy(pair[0], pair[1])
			done <- struct{}{}
		}()
	}
	<-done
	c.mu.Lock()
	delete(c.conns, a)
	delete(c.conns, b)
	c.mu.Unlock()
}
