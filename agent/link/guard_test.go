package link

import (
	"bytes"
	"io"
	"net"
	"testing"
	"testing/iotest"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"gatecast/internal/wire"
)

type readConn struct {
	net.Conn
	r io.Reader
}

func (c readConn) Read(b []byte) (int, error) { return c.r.Read(b) }

func publishPacket(t testing.TB, size int) []byte {
	t.Helper()
	p := packets.NewControlPacket(packets.Publish).(*packets.PublishPacket)
	p.TopicName, p.Payload = "gatecast/v1/down/d1/plan", make([]byte, size)
	var b bytes.Buffer
	if err := p.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestGuardPassesWhatTheProtocolAllows(t *testing.T) {
	var stream []byte
	for _, n := range []int{0, 1, 100, 127, 128, 16_383, 16_384, wire.MaxMessage} {
		stream = append(stream, publishPacket(t, n)...)
		stream = append(stream, 0xd0, 0) // PINGRESP
	}
	for name, r := range map[string]io.Reader{
		"whole":        bytes.NewReader(stream),
		"byte_by_byte": iotest.OneByteReader(bytes.NewReader(stream)),
	} {
		t.Run(name, func(t *testing.T) {
			got, err := io.ReadAll(newGuard(readConn{r: r}, nil))
			if err != nil || !bytes.Equal(got, stream) {
				t.Errorf("%d of %d bytes passed, %v", len(got), len(stream), err)
			}
		})
	}
}

func TestGuardBreaksOffBeforeAnOversizePacket(t *testing.T) {
	tests := map[string][]byte{
		"too_big":          publishPacket(t, maxPacket+1)[:8],
		"claims_256_mb":    {0x30, 0xff, 0xff, 0xff, 0x7f},
		"endless_length":   {0x30, 0x80, 0x80, 0x80, 0x80, 0x80},
		"after_a_fine_one": append(publishPacket(t, 10), 0x30, 0xff, 0xff, 0x7f),
	}
	for name, stream := range tests {
		t.Run(name, func(t *testing.T) {
			if _, err := io.ReadAll(newGuard(readConn{r: iotest.OneByteReader(bytes.NewReader(stream))}, nil)); err == nil {
				t.Error("passed without an error")
			}
		})
	}
}

func FuzzGuard(f *testing.F) {
	f.Add(publishPacket(f, 200), 3)
	f.Add([]byte{0x30, 0xff, 0xff, 0xff, 0x7f}, 1)
	f.Fuzz(func(t *testing.T, stream []byte, cut int) {
		// However the stream is cut, the verdict is the same.
		whole := newGuard(nil, nil).pass(stream)
		g, n := newGuard(nil, nil), max(1, cut)
		var parts error
		for rest := stream; len(rest) > 0 && parts == nil; rest = rest[min(n, len(rest)):] {
			parts = g.pass(rest[:min(n, len(rest))])
		}
		if (whole == nil) != (parts == nil) {
			t.Errorf("whole: %v, in parts of %d: %v", whole, n, parts)
		}
		if g.size < 0 || g.skip < 0 || g.skip > maxPacket {
			t.Errorf("guard holds size %d, skip %d", g.size, g.skip)
		}
	})
}
