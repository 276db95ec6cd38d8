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
	fuses []fuse // of the connections to come, one each
	blown int    // fuses that have cut their connection
}

// fuse cuts a connection after so many bytes to the office or from it; 0 means
// never.
type fuse struct{ up, down int64 }

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

// setFuses has the next connections cut by fuses, one after the other.
func (c *cable) setFuses(fuses []fuse) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fuses = fuses
}

// fusesLeft returns how many connections are still to be cut and how many were.
func (c *cable) fusesLeft() (left, blown int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.fuses), c.blown
}

func (c *cable) nextFuse() (f fuse) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.fuses) > 0 {
		f, c.fuses = c.fuses[0], c.fuses[1:]
	}
	return f
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
	f := c.nextFuse()
	done := make(chan bool, 2)
	for _, way := range []struct {
		to, from net.Conn
		limit    int64
	}{{a, b, f.down}, {b, a, f.up}} {
		go func() {
			if way.limit == 0 {
				_, _ = io.Copy(way.to, way.from)
				done <- false
				return
			}
			_, err := io.CopyN(way.to, way.from, way.limit)
			done <- err == nil
		}()
	}
	if <-done {
		c.mu.Lock()
		c.blown++
		c.mu.Unlock()
	}
	c.mu.Lock()
	delete(c.conns, a)
	delete(c.conns, b)
	c.mu.Unlock()
}
