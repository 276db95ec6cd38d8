package link

import (
	"fmt"
	"net"

	"gatecast/internal/wire"
)

// maxPacket bounds one MQTT packet from the broker: a message, its topic and
// header. paho allocates whatever a packet claims to hold, up to 256 MB.
const maxPacket = wire.MaxMessage + 1<<10

// guard reads the packet headers that pass through a connection and breaks
// it off before a packet of more than maxPacket bytes.
type guard struct {
	net.Conn
	refused func(error) // told of a packet that is too long
	skip    int         // bytes of the present packet still to come
	inLen   bool
	shift   uint
	size    int
}

func newGuard(c net.Conn, refused func(error)) *guard { return &guard{Conn: c, refused: refused} }

// Read implements net.Conn.
func (g *guard) Read(b []byte) (int, error) {
	n, err := g.Conn.Read(b)
	if gerr := g.pass(b[:n]); gerr != nil {
		if g.refused != nil {
			g.refused(gerr)
		}
		return 0, gerr
	}
	return n, err
}

// pass follows the packets in b: one byte of type, one to four bytes of
// length with seven bits each (MQTT 3.1.1 §2.2.3), then the rest.
func (g *guard) pass(b []byte) error {
	for len(b) > 0 {
		switch {
		case g.skip > 0:
			n := min(g.skip, len(b))
			g.skip -= n
			b = b[n:]
		case !g.inLen:
			g.inLen, g.shift, g.size = true, 0, 0
			b = b[1:]
		default:
			g.size |= int(b[0]&0x7f) << g.shift
			g.shift += 7
			more := b[0]&0x80 != 0
			b = b[1:]
			if g.size > maxPacket || (more && g.shift > 21) {
				return fmt.Errorf("%w: broker sends a packet of %d bytes or more: the limit is %d", ErrEndless, g.size, maxPacket)
			}
			if !more {
				g.inLen, g.skip = false, g.size
			}
		}
	}
	return nil
}
