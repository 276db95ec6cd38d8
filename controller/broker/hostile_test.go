package broker

import (
	"bytes"
	"crypto/tls"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"gatecast/internal/acceptance/outcome"
	"gatecast/internal/wire"
)

// raw returns the bytes of a packet.
func raw(t testing.TB, p packets.ControlPacket) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := p.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// corpus are good packets of one device: the first is its CONNECT.
func corpus(t testing.TB, m member) [][]byte {
	t.Helper()
	connect := packets.NewControlPacket(packets.Connect).(*packets.ConnectPacket)
	connect.ProtocolName, connect.ProtocolVersion, connect.CleanSession = "MQTT", 4, true
	connect.ClientIdentifier, connect.Keepalive = string(m.id), 60
	list := [][]byte{raw(t, connect)}
	will := *connect
	will.WillFlag, will.WillTopic, will.WillMessage = true, wire.Up(m.id, wire.KindState), []byte("gone")
	will.UsernameFlag, will.Username, will.PasswordFlag, will.Password = true, "u", true, []byte("p")
	list = append(list, raw(t, &will))
	for qos := range byte(3) {
		p := packets.NewControlPacket(packets.Publish).(*packets.PublishPacket)
		p.TopicName, p.Payload, p.Qos, p.MessageID, p.Retain = wire.Up(m.id, wire.KindState), []byte(`{"x":1}`), qos, 7, qos == 1
		list = append(list, raw(t, p))
	}
	sub := packets.NewControlPacket(packets.Subscribe).(*packets.SubscribePacket)
	sub.Topics, sub.Qoss, sub.MessageID = []string{wire.DownPattern(m.id), "gatecast/+/#", "$SYS/#"}, []byte{0, 1, 2}, 9
	unsub := packets.NewControlPacket(packets.Unsubscribe).(*packets.UnsubscribePacket)
	unsub.Topics, unsub.MessageID = []string{wire.DownPattern(m.id)}, 10
	list = append(list, raw(t, sub), raw(t, unsub))
	for _, kind := range []byte{packets.Puback, packets.Pubrec, packets.Pubrel, packets.Pubcomp, packets.Suback, packets.Pingreq, packets.Disconnect, packets.Connack} {
		list = append(list, raw(t, packets.NewControlPacket(kind)))
	}
	return list
}

// mutate spoils a packet in one of the ways in which parsers have died: length
// fields that lie, types and flags that do not fit, text that is none.
func mutate(r *rand.Rand, p []byte) []byte {
	p = bytes.Clone(p)
	at := r.IntN(len(p))
	switch r.IntN(10) {
	case 0:
		p[at] ^= 1 << r.IntN(8)
	case 1:
		p[at] = byte(r.Uint32())
	case 2:
		p = p[:at]
	case 3: // a length that lies
		if len(p) > 1 {
			p[1] = byte(r.Uint32())
		}
	case 4: // a length of two to five bytes
		more := [][]byte{{0x80, 0x01}, {0xff, 0x7f}, {0xff, 0xff, 0x7f}, {0xff, 0xff, 0xff, 0x7f}, {0x80, 0x80, 0x80, 0x80, 0x01}, {0xff, 0xff, 0xff, 0xff, 0xff}}
		if len(p) > 1 {
			p = append(append([]byte{p[0]}, more[r.IntN(len(more))]...), p[2:]...)
		}
	case 5:
		p[0] = byte(r.Uint32()) // another type, other flags
	case 6: // a string length inside
		if len(p) > 4 {
			at := 2 + r.IntN(len(p)-3)
			p[at], p[at+1] = 0xff, byte(r.Uint32())
		}
	case 7:
		p = append(p, p...)
	case 8: // bytes that no topic has
		bad := [][]byte{{0}, {0xc3, 0x28}, {0xed, 0xa0, 0x80}, []byte("#"), []byte("+/"), []byte("//"), []byte("."), []byte("*.>"), []byte("$MQTT")}
		b := bad[r.IntN(len(bad))]
		p = append(p[:at:at], append(bytes.Clone(b), p[at:]...)...)
		if len(p) > 1 && r.IntN(2) == 0 && p[1] < 0x70 {
			p[1] += byte(len(b))
		}
	case 9:
		p = append(p, make([]byte, r.IntN(3000))...)
	}
	return p
}

// send writes a stream over TLS with that certificate and reads to the end.
func send(addr string, c *tls.Config, data []byte) error {
	conn, err := tls.Dial("tcp", addr, c)
	if err != nil {
		return err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second)) // of an open connection this never fails
	_, _ = conn.Write(data)
	_ = conn.CloseWrite()
	_, err = io.Copy(io.Discard, conn)
	if ne, ok := err.(net.Error); ok && ne.Timeout() {
		return err
	}
	return nil
}

// TestRefusesHostilePackets sends thousands of spoiled packets
// over real TLS with a device's own certificate, before and after a good
// CONNECT. The engine runs in this process: a panic of it ends the test. A
// device beside all that goes on talking.
func TestRefusesHostilePackets(t *testing.T) {
	const want, workers = 4000, 4
	const enough, most = 1000, 8 * time.Second // on a machine that is busy, or under the race detector
	began := time.Now()
	w := newTestWorld(t)
	controller := w.controller(wire.UpFilter)
	witness := w.enrol()
	honest := w.device(witness)
	done := make(chan struct{})
	go func() { // what hostile devices say on topics of their own arrives too
		for {
			select {
			case <-controller.heard:
			case <-done:
				return
			}
		}
	}()
	var packetsSent, streams atomic.Int64
	var wg sync.WaitGroup
	for i := range workers {
		m := w.enrol()
		good := corpus(t, m)
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(i), 20261123))
			for n := packetsSent.Load(); n < want && (n < enough || time.Since(began) < most); n = packetsSent.Load() {
				var stream []byte
				n := 1
				if r.IntN(3) == 0 {
					stream = mutate(r, good[r.IntN(2)])
				} else {
					stream = bytes.Clone(good[0])
					for range 6 {
						p := good[2+r.IntN(len(good)-2)]
						if r.IntN(3) > 0 {
							p = mutate(r, p)
							n++
						}
						stream = append(stream, p...)
					}
				}
				if err := send(w.Addr(), m.tls, stream); err != nil {
					t.Errorf("stream %x: %v", stream, err)
					return
				}
				packetsSent.Add(int64(n))
				streams.Add(1)
			}
		})
	}
	wg.Wait()
	close(done)
	if !honest.IsConnectionOpen() {
		t.Error("the device beside lost its connection")
	}
	fresh := w.enrol()
	p := w.device(fresh)
	if code := p.subscribe(wire.DownPattern(fresh.id)); code != 0 {
		t.Errorf("SUBSCRIBE after it all = %#x", code)
	}
	t.Logf("%d spoiled packets in %d streams", packetsSent.Load(), streams.Load())
	n := int(packetsSent.Load())
	outcome.ReportAttack(t, outcome.Attack{
		Side: "broker", Attack: "spoiled MQTT packets over TLS with a device's certificate", AttackZH: "持设备证书发送畸形 MQTT 报文", Tried: n, Refused: n,
		Note: "the engine runs in the process: a panic would end the test", NoteZH: "代理与测试同进程，任何崩溃都会使测试失败",
	})
}

func FuzzPacketsAfterConnect(f *testing.F) {
	w := newTestWorld(f)
	m := w.enrol()
	good := corpus(f, m)
	for _, p := range good[1:] {
		f.Add(p)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, first := range [][]byte{nil, good[0]} {
			if err := send(w.Addr(), m.tls, append(bytes.Clone(first), data...)); err != nil {
				t.Error(err)
			}
		}
	})
}
