package broker

import (
	"context"
	"crypto/tls"
	"errors"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"gatecast/internal/acceptance/outcome"
	"gatecast/internal/wire"
)

// tight starts a broker with few places and short patience.
func tight(t *testing.T, most int, l Limits, local bool) *world {
	t.Helper()
	w := newTestWorld(t)
	o := w.o
	o.Addr, o.Dir, o.MaxConnections, o.Limits = "127.0.0.1:0", t.TempDir(), most, l
	b, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	b.doorman.local = local
	if err := b.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := b.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	return &world{Broker: b, t: t, trust: w.trust, revoked: w.revoked}
}

// TestRefusesFloods takes every place of the broker again and again
// with connections that say nothing, and with some that stop in the middle of a
// handshake. A device gets in all the same, and one that is in stays.
func TestRefusesFloods(t *testing.T) {
	const places = 60
	w := tight(t, places, Limits{Silent: 300 * time.Millisecond, Waiting: 20}, false)
	early, late := w.enrol(), w.enrol()
	stays := w.device(early)
	ctx, stop := context.WithCancel(t.Context())
	var flood sync.WaitGroup
	full := make(chan struct{})
	var once sync.Once
	for i := range places {
		flood.Go(func() {
			for ctx.Err() == nil {
				c, err := net.Dial("tcp", w.Addr())
				if err != nil {
					continue
				}
				if i%4 == 0 {
					_, _ = c.Write([]byte("\x16\x03\x01\x02\x00\x01")) // a ClientHello that does not come
				}
				if w.Connections() >= places-2 {
					once.Do(func() { close(full) })
				}
				end := context.AfterFunc(ctx, func() { _ = c.Close() })
				_, _ = c.Read(make([]byte, 1)) // until it is closed
				_ = c.Close()
				end()
			}
		})
	}
	<-full
	var err error
	for range 600 {
		var p *peer
		if p, err = w.connect(w.options(string(late.id), late.tls)); err == nil {
			p.publish(wire.Up(late.id, wire.KindHello), 0, false, "here")
			break
		}
		// As a device's own loop does, faster: at random, for places become free at
		// each sweep, and whoever came in step with them would always be late.
		<-time.After(rand.N(90 * time.Millisecond))
	}
	if err != nil {
		t.Errorf("a device could not get in: %v", err)
	}
	if !stays.IsConnectionOpen() {
		t.Error("a device that was in lost its connection")
	}
	stop()
	flood.Wait()
	w.doorman.mu.Lock()
	defer w.doorman.mu.Unlock()
	if w.doorman.closed == 0 {
		t.Error("nothing was closed: the flood was none")
	}
	outcome.ReportAttack(t, outcome.Attack{
		Side: "broker", Attack: "every place taken by connections that say nothing", AttackZH: "用不说话的连接占满代理", Tried: w.doorman.closed, Refused: w.doorman.closed,
		Note: "closed while a device got in and another stayed", NoteZH: "逐个关闭，设备照常接入，已在线的不断线",
	})
}

func TestHellosOfAnAddressAreBounded(t *testing.T) {
	w := tight(t, 100, Limits{Hellos: 5, Each: time.Hour}, true)
	m := w.enrol()
	dial := func(from string) error {
		d := tls.Dialer{NetDialer: &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}, Config: m.tls}
		c, err := d.DialContext(t.Context(), "tcp", w.Addr())
		if err == nil {
			_ = c.Close()
		}
		return err
	}
	for i := range 8 {
		if err := dial("127.0.0.1"); (err == nil) != (i < 5) {
			t.Errorf("connection %d: %v", i+1, err)
		}
	}
	if err := dial("127.0.0.2"); err != nil {
		t.Errorf("another address: %v", err)
	}
}

func TestHellosComeBack(t *testing.T) {
	d := newDoorman(Limits{Hellos: 3, Each: time.Second}, 100)
	now := time.Now()
	from := func(ip string) net.Addr { return &net.TCPAddr{IP: net.ParseIP(ip), Port: 4711} }
	for i := range 4 {
		if ok := d.hello(from("203.0.113.5"), now); ok != (i < 3) {
			t.Errorf("hello %d = %v", i+1, ok)
		}
	}
	if d.hello(from("::ffff:203.0.113.5"), now) {
		t.Error("the IPv6 form of the address counts apart")
	}
	if !d.hello(from("203.0.113.5"), now.Add(time.Second)) || d.hello(from("203.0.113.5"), now.Add(time.Second)) {
		t.Error("after a second there should be one more")
	}
	for i := range 4 {
		if ok := d.hello(from("2001:db8::"+string(rune('1'+i))), now); ok != (i < 3) {
			t.Errorf("hello %d of one /64 = %v", i+1, ok)
		}
	}
	for range 10 {
		if !d.hello(from("127.0.0.1"), now) {
			t.Fatal("this machine is bounded")
		}
	}
	for i := range maxHellos + 100 {
		d.hello(&net.TCPAddr{IP: net.IPv4(10, byte(i>>16), byte(i>>8), byte(i)), Port: 1}, now)
	}
	if len(d.per) > maxHellos || len(d.begun) > 2*maxHellos {
		t.Errorf("%d addresses and %d hellos are remembered", len(d.per), len(d.begun))
	}
}

func TestRateRefusalIsNoIncident(t *testing.T) {
	if r, ok := refusalIn("203.0.113.5:1 - mid:7 - TLS handshake error: " + errHellos.Error()); ok || strings.Contains(errHellos.Error(), "certificate") {
		t.Errorf("a busy address is reported as %v", r)
	}
	if errors.Is(errHellos, context.Canceled) {
		t.Error("the refusal is no error of its own")
	}
}
