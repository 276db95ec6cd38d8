package broker

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"gatecast/controller/trust"
	"gatecast/internal/wire"
)

// world is a running broker with the authority its clients come from.
type world struct {
	*Broker
	t     testing.TB
	trust *trust.Authority

	mu      sync.Mutex
	revoked map[wire.DeviceID]bool
}

func newTestWorld(t testing.TB) *world {
	t.Helper()
	a, err := trust.Open(t.TempDir(), trust.Options{})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, trust: a, revoked: map[wire.DeviceID]bool{}}
	w.Broker, err = New(Options{Addr: "127.0.0.1:0", TLS: a.MQTTServerTLS(), Authorize: w.authorize, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := w.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	return w
}

func (w *world) authorize(cert *x509.Certificate) (Identity, bool) {
	if w.trust.IsController(cert) {
		return Identity{Controller: true}, true
	}
	d, ok := w.trust.DeviceOf(cert)
	w.mu.Lock()
	defer w.mu.Unlock()
	return Identity{Device: d}, ok && !w.revoked[d]
}

// member is a device with a certificate.
type member struct {
	id  wire.DeviceID
	tls *tls.Config
}

func (w *world) enrol() member {
	w.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		w.t.Fatal(err)
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		w.t.Fatal(err)
	}
	der, id, _, err := w.trust.IssueDevice(csr, time.Now())
	if err != nil {
		w.t.Fatal(err)
	}
	c := w.trust.ControllerClientTLS()
	c.GetClientCertificate = nil
	c.Certificates = []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}
	return member{id, c}
}

type arrival struct{ topic, payload string }

// peer is a connected paho client that collects what it hears.
type peer struct {
	mqtt.Client
	t     testing.TB
	heard chan arrival
	lost  chan error
}

func (w *world) options(name string, c *tls.Config) *mqtt.ClientOptions {
	return mqtt.NewClientOptions().AddBroker("ssl://" + w.Addr()).SetClientID(name).SetTLSConfig(c).
		SetAutoReconnect(false).SetConnectTimeout(5 * time.Second).SetWriteTimeout(5 * time.Second).
		SetStore(mqtt.NewMemoryStore())
}

func (w *world) connect(o *mqtt.ClientOptions) (*peer, error) {
	p := &peer{t: w.t, heard: make(chan arrival, 100), lost: make(chan error, 1)}
	o.SetDefaultPublishHandler(func(_ mqtt.Client, m mqtt.Message) {
		p.heard <- arrival{m.Topic(), string(m.Payload())}
	})
	o.SetConnectionLostHandler(func(_ mqtt.Client, err error) { p.lost <- err })
	p.Client = mqtt.NewClient(o)
	tok := p.Connect()
	if !tok.WaitTimeout(10 * time.Second) {
		return nil, errors.New("no answer to CONNECT")
	}
	if err := tok.Error(); err != nil {
		return nil, err
	}
	w.t.Cleanup(func() { p.Disconnect(0) })
	return p, nil
}

func (w *world) must(o *mqtt.ClientOptions) *peer {
	w.t.Helper()
	p, err := w.connect(o)
	if err != nil {
		w.t.Fatal(err)
	}
	return p
}

func (w *world) device(m member) *peer { w.t.Helper(); return w.must(w.options(string(m.id), m.tls)) }

func (w *world) controller(filters ...string) *peer {
	w.t.Helper()
	p := w.must(w.options(ControllerPrefix+"test", w.trust.ControllerClientTLS()))
	for _, f := range filters {
		if code := p.subscribe(f); code != 0 {
			w.t.Fatalf("controller's SUBSCRIBE %q = %#x", f, code)
		}
	}
	return p
}

func (p *peer) publish(topic string, qos byte, retain bool, payload string) {
	p.t.Helper()
	if tok := p.Publish(topic, qos, retain, payload); !tok.WaitTimeout(5*time.Second) || tok.Error() != nil {
		p.t.Fatalf("PUBLISH %q: %v", topic, tok.Error())
	}
}

// subscribe returns the code of the SUBACK.
func (p *peer) subscribe(filter string) byte {
	p.t.Helper()
	tok := p.Subscribe(filter, 0, nil).(*mqtt.SubscribeToken)
	if !tok.WaitTimeout(5 * time.Second) {
		p.t.Fatalf("no answer to SUBSCRIBE %q", filter)
	}
	code, ok := tok.Result()[filter]
	if !ok {
		p.t.Fatalf("SUBSCRIBE %q: %v", filter, tok.Error())
	}
	return code
}

func (p *peer) next() arrival {
	p.t.Helper()
	select {
	case a := <-p.heard:
		return a
	case <-time.After(5 * time.Second):
		p.t.Fatal("nothing arrived")
		return arrival{}
	}
}

func (p *peer) waitLost() {
	p.t.Helper()
	select {
	case <-p.lost:
	case <-time.After(10 * time.Second):
		p.t.Fatal("connection is still open")
	}
}

func TestDevicePublishesOnlyItsOwnTopics(t *testing.T) {
	w := newTestWorld(t)
	own, other := w.enrol(), w.enrol()
	controller := w.controller("gatecast/v1/#")
	victim := w.device(other)
	if code := victim.subscribe(wire.DownPattern(other.id)); code != 0 {
		t.Fatalf("SUBSCRIBE = %#x", code)
	}
	p := w.device(own)
	fence := wire.Up(own.id, wire.KindState)
	wrongShard := fmt.Sprintf("gatecast/v1/up/%02d/%s/state", (wire.Shard(own.id)+1)%wire.Shards, own.id)
	tests := []struct {
		name, topic string
		ok          bool
	}{
		{"own_hello", wire.Up(own.id, wire.KindHello), true},
		{"own_state", wire.Up(own.id, wire.KindState), true},
		{"own_records", wire.Up(own.id, wire.KindRecords), true},
		{"own_result", wire.Up(own.id, wire.KindResult), true},
		{"own_invented_kind", wire.Up(own.id, "other"), false},
		{"own_deeper", wire.Up(own.id, wire.KindState) + "/x", false},
		{"own_wrong_shard", wrongShard, false},
		{"own_down", wire.Down(own.id, wire.KindAck), false},
		{"other_up", wire.Up(other.id, wire.KindState), false},
		{"other_down_plan", wire.Down(other.id, wire.KindPlan), false},
		{"other_down_command", wire.Down(other.id, wire.KindCommand), false},
		{"dots_for_slashes", strings.ReplaceAll(wire.Down(other.id, wire.KindAck), "/", "."), false},
		{"leading_slash", "/" + wire.Up(own.id, wire.KindState), false},
		{"trailing_slash", wire.Up(own.id, wire.KindState) + "/", false},
		{"tree_root", "gatecast/v1", false},
		{"sys", "$SYS/broker", false},
		{"engine_internal", "$MQTT/sub/x", false},
		{"jetstream_api", "$JS/API/STREAM/PURGE/$MQTT_sess", false},
		{"unrelated", "test", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p.publish(tt.topic, 0, false, tt.name)
			p.publish(fence, 0, false, "fence")
			got := controller.next()
			if tt.ok {
				if got != (arrival{tt.topic, tt.name}) {
					t.Fatalf("controller heard %v", got)
				}
				got = controller.next()
			}
			if got != (arrival{fence, "fence"}) {
				t.Errorf("controller heard %v", got)
			}
		})
	}
	// What the controller says to the victim arrives behind anything forged.
	controller.publish(wire.Down(other.id, wire.KindAck), 0, false, "true")
	if got := victim.next(); got.payload != "true" {
		t.Errorf("the other device heard %v", got)
	}
}

func TestDeviceHearsOnlyItsOwnTopics(t *testing.T) {
	w := newTestWorld(t)
	own, other := w.enrol(), w.enrol()
	p := w.device(own)
	tests := []struct {
		name, filter string
		ok           bool
	}{
		{"own_pattern", wire.DownPattern(own.id), true},
		{"own_plan", wire.Down(own.id, wire.KindPlan), true},
		{"own_command", wire.Down(own.id, wire.KindCommand), true},
		{"everything", "#", false},
		{"one_level", "+", false},
		{"sys_everything", "$SYS/#", false},
		{"gatecast_everything", "gatecast/#", false},
		{"down_everything", "gatecast/v1/down/#", false},
		{"own_with_hash", "gatecast/v1/down/" + string(own.id) + "/#", false},
		{"plans_of_all", "gatecast/v1/down/+/plan", false},
		{"all_kinds_of_all", "gatecast/v1/down/+/+", false},
		{"own_up", wire.UpPattern(own.id), false},
		{"up_of_all", wire.UpFilter, false},
		{"other_pattern", wire.DownPattern(other.id), false},
		{"other_plan", wire.Down(other.id, wire.KindPlan), false},
		{"other_with_hash", wire.Down(other.id, wire.KindPlan) + "/#", false},
		{"dots", strings.ReplaceAll(wire.Down(other.id, wire.KindPlan), "/", "."), false},
		{"engine_sessions", "$MQTT/#", false},
		{"engine_messages", "$MQTT/msgs/#", false},
		{"jetstream_api", "$JS/#", false},
		{"inbox", "_INBOX/#", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if code := p.subscribe(tt.filter); (code != 0x80) != tt.ok {
				t.Errorf("SUBSCRIBE %q = %#x, want ok %v", tt.filter, code, tt.ok)
			}
		})
	}
	// However the codes read: only its own messages arrive.
	controller := w.controller()
	for _, k := range []wire.Kind{wire.KindPlan, wire.KindCommand, wire.KindAck, wire.KindTime} {
		controller.publish(wire.Down(other.id, k), 0, false, "not yours")
	}
	controller.publish(wire.Down(own.id, wire.KindAck), 0, false, "yours")
	if got := p.next(); got.payload != "yours" {
		t.Errorf("heard %v", got)
	}
}

func TestSharedSubscriptionStaysInside(t *testing.T) {
	w := newTestWorld(t)
	own, other := w.enrol(), w.enrol()
	p := w.device(own)
	p.Subscribe("$share/g/"+wire.Down(other.id, wire.KindPlan), 0, nil).WaitTimeout(5 * time.Second)
	_ = p.subscribe(wire.DownPattern(own.id))
	controller := w.controller()
	controller.publish(wire.Down(other.id, wire.KindPlan), 0, false, "not yours")
	controller.publish(wire.Down(own.id, wire.KindPlan), 0, false, "yours")
	if got := p.next(); got.payload != "yours" {
		t.Errorf("heard %v", got)
	}
}

func TestWillStaysInsideOwnTopics(t *testing.T) {
	w := newTestWorld(t)
	own, other := w.enrol(), w.enrol()
	controller := w.controller("gatecast/v1/#")
	for _, tt := range []struct {
		name, topic, want string
	}{
		{"other_state", wire.Up(other.id, wire.KindState), "fence"},
		{"other_down", wire.Down(other.id, wire.KindCommand), "fence"},
		{"own_state", wire.Up(own.id, wire.KindState), "will"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := w.must(w.options(string(own.id), own.tls).SetWill(tt.topic, "will", 0, false))
			if !w.Kick(own.id) {
				t.Fatal("Kick found no connection")
			}
			p.waitLost()
			again := w.device(own)
			again.publish(wire.Up(own.id, wire.KindHello), 0, false, "fence")
			got := controller.next()
			if got.payload != tt.want {
				t.Errorf("controller heard %v, want %s", got, tt.want)
			}
			for got.payload != "fence" {
				got = controller.next()
			}
			again.Disconnect(0)
		})
	}
}

func TestRevokedDeviceIsKickedAndStaysOut(t *testing.T) {
	w := newTestWorld(t)
	m := w.enrol()
	p := w.device(m)
	w.mu.Lock()
	w.revoked[m.id] = true
	w.mu.Unlock()
	if !w.Kick(m.id) {
		t.Error("Kick found no connection")
	}
	p.waitLost()
	if _, err := w.connect(w.options(string(m.id), m.tls)); err == nil {
		t.Error("a revoked device connected")
	}
	if w.Kick(m.id) {
		t.Error("Kick found a connection of a device that is out")
	}
	if w.Kick("d000000000000000000000000") {
		t.Error("Kick found a connection of a device that never came")
	}
}

func TestSecondConnectionReplacesFirst(t *testing.T) {
	w := newTestWorld(t)
	m := w.enrol()
	controller := w.controller(wire.UpFilter)
	first := w.must(w.options(string(m.id), m.tls).SetWill(wire.Up(m.id, wire.KindState), "death", 0, false))
	second := w.device(m)
	first.waitLost()
	second.publish(wire.Up(m.id, wire.KindHello), 0, false, "alive")
	if got := controller.next(); got.payload != "alive" && got.payload != "death" {
		t.Errorf("controller heard %v", got)
	}
	if !second.IsConnectionOpen() {
		t.Error("the newer connection was closed")
	}
}

func TestNobodyTakesTheNameOfAnother(t *testing.T) {
	w := newTestWorld(t)
	own, other := w.enrol(), w.enrol()
	victim := w.device(other)
	tests := map[string]*mqtt.ClientOptions{
		"other_device":         w.options(string(other.id), own.tls),
		"controller":           w.options(ControllerPrefix+"test", own.tls),
		"empty":                w.options("", own.tls),
		"quotes":               w.options(`x" - "`+string(own.id), own.tls),
		"controller_as_device": w.options(string(other.id), w.trust.ControllerClientTLS()),
		"password_of_another":  w.options("x", own.tls).SetUsername(string(other.id)).SetPassword("x"),
	}
	for name, o := range tests {
		t.Run(name, func(t *testing.T) {
			if _, err := w.connect(o); err == nil {
				t.Error("connected")
			}
		})
	}
	if !victim.IsConnectionOpen() {
		t.Error("the device whose name was tried lost its connection")
	}
}

func TestLimits(t *testing.T) {
	w := newTestWorld(t)
	m := w.enrol()
	controller := w.controller(wire.UpFilter)
	t.Run("largest_message_passes", func(t *testing.T) {
		p := w.device(m)
		p.publish(wire.Up(m.id, wire.KindRecords), 0, false, strings.Repeat("x", wire.MaxMessage))
		if got := controller.next(); len(got.payload) != wire.MaxMessage {
			t.Errorf("%d bytes arrived", len(got.payload))
		}
	})
	t.Run("payload_over_limit_closes", func(t *testing.T) {
		p := w.device(m)
		_ = p.Publish(wire.Up(m.id, wire.KindRecords), 0, false, strings.Repeat("x", maxPayload+1))
		p.waitLost()
	})
	t.Run("qos2_closes", func(t *testing.T) {
		p := w.device(m)
		_ = p.Publish(wire.Up(m.id, wire.KindRecords), 2, false, "x")
		p.waitLost()
	})
	t.Run("qos1_reaches_the_controller_at_0", func(t *testing.T) {
		p := w.device(m)
		p.publish(wire.Up(m.id, wire.KindRecords), 1, false, "y")
		if got := controller.next(); got.payload != "y" {
			t.Errorf("heard %v", got)
		}
	})
	t.Run("too_many_subscriptions", func(t *testing.T) {
		c := w.must(w.options(ControllerPrefix+"many", w.trust.ControllerClientTLS()))
		refused := 0
		for i := range maxSubs + 8 {
			if c.subscribe(fmt.Sprintf("gatecast/v1/x%d", i)) == 0x80 {
				refused++
			}
		}
		if refused != 8 {
			t.Errorf("%d subscriptions refused, want 8", refused)
		}
	})
}

func TestStrangersAreRefused(t *testing.T) {
	w := newTestWorld(t)
	foreign := newTestWorld(t)
	own := w.enrol()
	bare := w.trust.ControllerClientTLS()
	bare.GetClientCertificate = nil
	stranger := foreign.enrol()
	stranger.tls.RootCAs = own.tls.RootCAs
	for name, o := range map[string]*mqtt.ClientOptions{
		"no_certificate":    w.options(string(own.id), bare),
		"other_authority":   w.options(string(stranger.id), stranger.tls),
		"plain_text":        w.options("x", nil).AddBroker("tcp://" + w.Addr()),
		"protocol_3_1":      w.options(string(own.id), own.tls).SetProtocolVersion(3),
		"server_of_another": foreign.options(string(own.id), own.tls),
	} {
		t.Run(name, func(t *testing.T) {
			if name == "plain_text" {
				o.Servers = o.Servers[1:]
			}
			if _, err := w.connect(o); err == nil {
				t.Error("connected")
			}
		})
	}
}

// TestGarbageNeverHurts sends bytes that are no MQTT, before and after the
// TLS handshake, and checks that a device still gets through.
func TestGarbageNeverHurts(t *testing.T) {
	w := newTestWorld(t)
	m := w.enrol()
	garbage := map[string]string{
		"nothing":               "",
		"http":                  "GET / HTTP/1.1\r\n\r\n",
		"zeros":                 string(make([]byte, 64)),
		"ones":                  strings.Repeat("\xff", 64),
		"huge_remaining_length": "\x10\xff\xff\xff\x7f",
		"endless_length":        "\x10\xff\xff\xff\xff\xff\xff",
		"publish_first":         "\x30\x05\x00\x01x12",
		"mqtt5_subscribe":       "\x82\x05\x00\x01\x00\x00\x00",
		"connect_cut":           "\x10\x10\x00\x04MQTT\x04\x02",
		"mqtt5_connect":         "\x10\x0f\x00\x04MQTT\x05\x02\x00\x3c\x00\x00\x02ab",
		"pingreq":               "\xc0\x00",
	}
	for name, bytes := range garbage {
		t.Run(name, func(t *testing.T) {
			c, err := net.Dial("tcp", w.Addr())
			if err != nil {
				t.Fatal(err)
			}
			poke(t, c, []byte(bytes))
			tc, err := tls.Dial("tcp", w.Addr(), m.tls)
			if err != nil {
				t.Fatal(err)
			}
			poke(t, tc, []byte(bytes))
		})
	}
	p := w.device(m)
	if code := p.subscribe(wire.DownPattern(m.id)); code != 0 {
		t.Errorf("SUBSCRIBE after garbage = %#x", code)
	}
}

type halfCloser interface{ CloseWrite() error }

// poke writes data, ends its side and reads to the end.
func poke(t testing.TB, c net.Conn, data []byte) {
	t.Helper()
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	_, _ = c.Write(data)
	_ = c.(halfCloser).CloseWrite()
	if _, err := io.Copy(io.Discard, c); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("the broker kept the connection open")
	}
}

func FuzzConnectBytes(f *testing.F) {
	w := newTestWorld(f)
	m := w.enrol()
	id := string(m.id)
	f.Add([]byte("\x10" + string(rune(12+len(id))) + "\x00\x04MQTT\x04\x02\x00\x3c\x00" + string(rune(len(id))) + id))
	f.Add([]byte("\x10\x0f\x00\x04MQTT\x04\x06\x00\x3c\x00\x00\x02ab"))
	f.Add([]byte("\x82\x05\x00\x01\x00\x00\x00"))
	f.Add([]byte("\xc0\x00"))
	good := "\x10\x25\x00\x04MQTT\x04\x02\x00\x3c\x00\x19" + id
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, first := range []string{"", good} {
			c, err := tls.Dial("tcp", w.Addr(), m.tls)
			if err != nil {
				t.Fatal(err)
			}
			poke(t, c, append([]byte(first), data...))
		}
	})
}

func TestStartStop(t *testing.T) {
	w := newTestWorld(t)
	leftover := filepath.Join(w.o.Dir, "engine", "leftover")
	if err := os.WriteFile(leftover, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	beside := filepath.Join(w.o.Dir, "beside")
	if err := os.WriteFile(beside, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := w.Start(); err == nil {
		t.Error("a second Start succeeded")
	}
	o := w.o
	o.Addr, o.Dir = w.Addr(), t.TempDir()
	taken, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := taken.Start(); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("Start on a taken port = %v, want EADDRINUSE", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for range 2 {
		if err := w.Stop(ctx); err != nil {
			t.Errorf("Stop = %v", err)
		}
	}
	o.Dir = w.o.Dir
	again, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Start(); err != nil {
		t.Fatalf("Start on the same port after Stop: %v", err)
	}
	if _, err := os.Stat(leftover); !os.IsNotExist(err) {
		t.Error("the engine's folder was not emptied at start")
	}
	if _, err := os.Stat(beside); err != nil {
		t.Errorf("a file beside the engine's folder: %v", err)
	}
	if err := again.Stop(ctx); err != nil {
		t.Error(err)
	}
}

func TestNewRefusesBadOptions(t *testing.T) {
	good := Options{
		Addr: "127.0.0.1:0", Dir: "x", Authorize: func(*x509.Certificate) (Identity, bool) { return Identity{}, false },
		TLS: &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS12},
	}
	if _, err := New(good); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*Options){
		"Addr":           func(o *Options) { o.Addr = "localhost" },
		"port":           func(o *Options) { o.Addr = "localhost:99999" },
		"TLS":            func(o *Options) { o.TLS = &tls.Config{MinVersion: tls.VersionTLS12} },
		"version 1.2":    func(o *Options) { o.TLS = &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert} },
		"Authorize":      func(o *Options) { o.Authorize = nil },
		"Dir":            func(o *Options) { o.Dir = "" },
		"MaxConnections": func(o *Options) { o.MaxConnections = -1 },
	} {
		t.Run(name, func(t *testing.T) {
			o := good
			spoil(&o)
			if _, err := New(o); err == nil || !strings.Contains(err.Error(), name) {
				t.Errorf("New = %v, want an error naming %s", err, name)
			}
		})
	}
}
