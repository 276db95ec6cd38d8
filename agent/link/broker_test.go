package link

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
	"github.com/nats-io/nats-server/v2/server"

	"gatecast/agent/plan"
	"gatecast/agent/walltime"
	"gatecast/internal/needtool"
	"gatecast/internal/officetest"
	"gatecast/internal/wire"
)

// A Link rests on nothing but QoS 0 delivery, so it must do with any broker.
// These are real ones, with TLS and client certificates.

func startNATS(t *testing.T, o *officetest.Office) string {
	t.Helper()
	opts := &server.Options{
		ServerName: "test", DontListen: true, NoSigs: true, NoLog: true,
		JetStream: true, StoreDir: t.TempDir(),
		MQTT: server.MQTTOpts{Host: "127.0.0.1", Port: server.RANDOM_PORT, TLSConfig: o.ServerTLS()},
	}
	s, err := server.NewServer(opts)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() {
		s.Shutdown()
		s.WaitForShutdown()
	})
	if !s.ReadyForConnections(20 * time.Second) {
		t.Fatal("broker does not start")
	}
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(opts.MQTT.Port))
}

func startMosquitto(t *testing.T, o *officetest.Office) string {
	t.Helper()
	needtool.Need(t, "mosquitto")
	dir := t.TempDir()
	ca, cert, key := o.ServerPEM()
	for name, data := range map[string][]byte{"ca.pem": ca, "cert.pem": cert, "key.pem": key} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil { // read after it has dropped root
			t.Fatal(err)
		}
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().(*net.TCPAddr)
	ln.Close()
	conf := filepath.Join(dir, "mosquitto.conf")
	text := fmt.Sprintf("listener %d 127.0.0.1\ncafile %s/ca.pem\ncertfile %[2]s/cert.pem\nkeyfile %[2]s/key.pem\nrequire_certificate true\nallow_anonymous true\nuser root\n", addr.Port, dir)
	if err := os.WriteFile(conf, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	c := exec.Command("mosquitto", "-c", conf)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Process.Kill()
		_ = c.Wait()
	})
	for range 100 {
		conn, err := net.Dial("tcp", addr.String())
		if err == nil {
			conn.Close()
			return addr.String()
		}
		<-time.After(100 * time.Millisecond)
	}
	t.Fatal("mosquitto does not start")
	return ""
}

// attend connects the office to a broker, as the controller does.
func attend(t *testing.T, o *officetest.Office, addr string) func(officetest.Outgoing) {
	t.Helper()
	send := func(c mqtt.Client, m officetest.Outgoing) { c.Publish(wire.Down(m.Device, m.Kind), 0, false, m.Data) }
	c := mqtt.NewClient(mqtt.NewClientOptions().AddBroker("ssl://" + addr).SetClientID("office").SetTLSConfig(o.ClientTLS()).SetCleanSession(true))
	if err := wait(c.Connect(), 10*time.Second); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Disconnect(100) })
	heard := make(chan mqtt.Message, 100)
	done := make(chan struct{})
	t.Cleanup(func() { close(done) })
	go func() {
		for {
			select {
			case m := <-heard:
				for _, out := range o.Hear(m.Topic(), m.Payload()) {
					send(c, out)
				}
			case <-done:
				return
			}
		}
	}()
	if err := wait(c.Subscribe(wire.UpFilter, 0, func(_ mqtt.Client, m mqtt.Message) { heard <- m }), 10*time.Second); err != nil {
		t.Fatal(err)
	}
	return func(m officetest.Outgoing) { send(c, m) }
}

func TestRealBrokers(t *testing.T) {
	tests := map[string]func(*testing.T, *officetest.Office) string{"nats": startNATS, "mosquitto": startMosquitto}
	for name, start := range tests {
		t.Run(name, func(t *testing.T) {
			o := officetest.New(t)
			addr := start(t, o)
			o.SetBroker(addr)
			send := attend(t, o, addr)
			id := member(t, o)
			plans, err := plan.Open(t.TempDir(), id.Device, id.Root, nil)
			if err != nil {
				t.Fatal(err)
			}
			w := newWorld()
			opt := DefaultOptions()
			opt.Device, opt.Broker, opt.Base, opt.Dir, opt.ReportJitter = id.Device, id.MQTT, id.URL, t.TempDir(), 0
			opt.TLS = func() *tls.Config { return id.TLS(nil) }
			opt.State, opt.Journal, opt.Plans, opt.Clock, opt.Faults, opt.Doer = w.snapshot, w, plans, w, w, w
			opt.Clips = func(*Fetcher) Clips { return w }
			l, err := New(opt)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				l.Run(ctx)
			}()
			t.Cleanup(func() { cancel(); <-ended })
			const limit = 15 * time.Second
			o.Await(id.Device, limit, "hello", func(k officetest.Device) bool { return len(k.Hellos) == 1 })
			for range 120 {
				_, _ = w.Append(wire.RecordStop, walltime.Stamp{}, wire.Stop{})
			}
			o.Await(id.Device, limit, "120 records", func(k officetest.Device) bool { return len(k.Records["a"]) >= 120 })
			send(o.Offer(wire.Plan{Header: wire.Header{Device: id.Device, Version: 1}, Point: "SF-01", Zone: "Asia/Shanghai"},
				wire.Manifest{Header: wire.Header{Version: 1}, Ceilings: wire.Ceilings{Zone: "Asia/Shanghai"}}, true))
			o.Await(id.Device, limit, "plan record", func(k officetest.Device) bool { return len(k.Records["a"]) == 121 })
			if p, _, _, ok := plans.Current(); !ok || p.Version != 1 {
				t.Errorf("plan in force: %+v, %v", p, ok)
			}
			send(o.Command(id.Device, wire.Command{ID: "c", Counter: 1, Do: "stop"}))
			o.Await(id.Device, limit, "result", func(k officetest.Device) bool { return len(k.Results) == 1 && k.Results[0].OK })
			w.mu.Lock()
			if len(w.trusted) == 0 || w.trusted[0] > 5*time.Second {
				t.Errorf("time was trusted with round trips %v", w.trusted)
			}
			w.mu.Unlock()
			cancel()
			<-ended
			o.Await(id.Device, limit, "leaving", func(k officetest.Device) bool { return !k.States[len(k.States)-1].Online })
		})
	}
}

// TestWillSpeaksForADeadDevice cuts the connection without a good-bye.
func TestWillSpeaksForADeadDevice(t *testing.T) {
	o := officetest.New(t)
	addr := startNATS(t, o)
	o.SetBroker(addr)
	attend(t, o, addr)
	id := member(t, o)
	will := []byte(`{"session":7,"online":false}`)
	tr, err := dialPaho(t.Context(), Connection{Device: id.Device, Broker: addr, TLS: id.TLS(nil), KeepAlive: time.Minute, Will: will, Deliver: func(Inbound) {}, Log: discard()})
	if err != nil {
		t.Fatal(err)
	}
	p := tr.(*pahoTransport)
	if err := p.conn.SetReadDeadline(time.Now()); err != nil { // as if the network had failed
		t.Fatal(err)
	}
	if err := <-tr.Lost(); err == nil {
		t.Error("a cut connection was lost without a reason")
	}
	k := o.Await(id.Device, 15*time.Second, "the will", func(k officetest.Device) bool { return len(k.States) == 1 })
	if s := k.States[0]; s.Online || s.Session != 7 {
		t.Errorf("will = %+v", s)
	}
	if err := tr.Publish(wire.KindState, []byte("{}")); err == nil {
		t.Error("publishing on a dead connection succeeded")
	}
	tr.Close()
}

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

func TestDialRefusesAnotherCA(t *testing.T) {
	o, other := officetest.New(t), officetest.New(t)
	addr := startNATS(t, other)
	id := member(t, o)
	_, err := dialPaho(t.Context(), Connection{Device: id.Device, Broker: addr, TLS: id.TLS(nil), KeepAlive: time.Minute, Deliver: func(Inbound) {}, Log: discard()})
	if err == nil {
		t.Error("connected to a broker of another CA")
	}
}

func TestDialEndsWithItsContext(t *testing.T) {
	// A server that accepts and says nothing.
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	id := member(t, officetest.New(t))
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(100*time.Millisecond, cancel)
	began := time.Now()
	_, err = dialPaho(ctx, Connection{Device: id.Device, Broker: ln.Addr().String(), TLS: id.TLS(nil), KeepAlive: time.Minute, Deliver: func(Inbound) {}, Log: discard()})
	if err == nil || time.Since(began) > 5*time.Second {
		t.Errorf("dialling a silent server ended with %v after %s", err, time.Since(began))
	}
}
