package link

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"gatecast/controller/broker"
	"gatecast/controller/fleet"
	"gatecast/controller/sample"
	"gatecast/controller/store"
	"gatecast/controller/trust"
	"gatecast/internal/seal"
	"gatecast/internal/wire"
)

const testLog = wire.LogID("0011223344556677")

// world is the controller's device side with nothing faked: broker, store,
// trust and link.
type world struct {
	t      testing.TB
	trust  *trust.Authority
	store  *store.Store
	broker *broker.Broker // nil in front of another broker
	other  string         // address of that
	dir    string
	link   *Link
	points []fleet.Point

	mu     sync.Mutex
	events map[fleet.Event]int
	broken []fleet.Break
}

func newTestWorld(t testing.TB) *world {
	t.Helper()
	w := newTestOffice(t)
	w.startBroker(filepath.Join(w.dir, "broker"), "127.0.0.1:0")
	w.startLink(Options{})
	return w
}

// newTestOffice is a world without broker and link.
func newTestOffice(t testing.TB) *world {
	t.Helper()
	dir := t.TempDir()
	w := &world{t: t, dir: dir, events: map[fleet.Event]int{}}
	var err error
	if w.trust, err = trust.Open(filepath.Join(dir, "trust"), trust.Options{}); err != nil {
		t.Fatal(err)
	}
	if w.store, err = store.Open(t.Context(), filepath.Join(dir, "gatecast.db"), store.Options{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.store.Close() })
	if err := w.store.ImportRegistry(t.Context(), sample.Registry(time.Now())); err != nil {
		t.Fatal(err)
	}
	if w.points, err = w.store.Points(t.Context(), fleet.PointFilter{}); err != nil {
		t.Fatal(err)
	}
	return w
}

// addr is where devices connect.
func (w *world) addr() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.broker == nil {
		return w.other
	}
	return w.broker.Addr()
}

func (w *world) startBroker(dir, addr string) {
	w.t.Helper()
	b, err := broker.New(broker.Options{Addr: addr, Dir: dir, TLS: w.trust.MQTTServerTLS(), Authorize: w.authorize})
	if err != nil {
		w.t.Fatal(err)
	}
	if err := b.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.mu.Lock()
	w.broker = b
	w.mu.Unlock()
	w.t.Cleanup(func() { stop(w.t, b.Stop) })
}

func stop(t testing.TB, f func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := f(ctx); err != nil {
		t.Errorf("stopping: %v", err)
	}
}

func (w *world) startLink(o Options) {
	w.t.Helper()
	o.Broker, o.TLS, o.Store, o.Trust = w.addr, w.trust.ControllerClientTLS(), w.store, w.trust
	o.Kick = func(d wire.DeviceID) {
		w.mu.Lock()
		b := w.broker
		w.mu.Unlock()
		if b != nil {
			b.Kick(d)
		}
	}
	o.OnEvent = func(e fleet.Event) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.events[e]++
	}
	o.OnBroken = func(b fleet.Break) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.broken = append(w.broken, b)
	}
	var err error
	if w.link, err = New(o); err != nil {
		w.t.Fatal(err)
	}
	if err := w.link.Start(); err != nil {
		w.t.Fatal(err)
	}
	if !w.link.Connected() {
		w.t.Fatal("link has no session")
	}
	l := w.link
	w.t.Cleanup(func() { stop(w.t, l.Stop) })
}

func (w *world) authorize(cert *x509.Certificate) (broker.Identity, bool) {
	if w.trust.IsController(cert) {
		return broker.Identity{Controller: true}, true
	}
	id, ok := w.trust.DeviceOf(cert)
	if !ok {
		return broker.Identity{}, false
	}
	d, err := w.store.Device(context.Background(), id)
	return broker.Identity{Device: id, Deliver: d.State == fleet.DeviceRetired}, err == nil && d.State != fleet.DeviceRevoked
}

// gate is an enrolled device, connected by paho once connect was called.
type gate struct {
	w     *world
	id    wire.DeviceID
	point fleet.Point
	tls   *tls.Config

	client  mqtt.Client
	session uint64
	heard   map[wire.Kind]chan []byte
	prev    string
	seq     wire.Seq
}

// enrol binds a new device to the i-th point.
func (w *world) enrol(i int) *gate {
	w.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		w.t.Fatal(err)
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		w.t.Fatal(err)
	}
	der, id, spki, err := w.trust.IssueDevice(csr, time.Now())
	if err != nil {
		w.t.Fatal(err)
	}
	now := time.Now()
	_, hash := trust.NewJoinCode()
	if err := w.store.AddJoinCode(w.t.Context(), fleet.JoinCode{Hash: hash, Point: w.points[i].ID, Issued: now, Expires: now.Add(time.Hour)}); err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.store.Enrol(w.t.Context(), hash, fleet.Device{ID: id, SPKI: spki}, now); err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.store.AcceptDevice(w.t.Context(), id, "test", now); err != nil {
		w.t.Fatal(err)
	}
	c := w.trust.ControllerClientTLS()
	c.GetClientCertificate = nil
	c.Certificates = []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}
	return &gate{w: w, id: id, point: w.points[i], tls: c}
}

// connect opens a session and subscribes; hello is the caller's.
func (g *gate) connect() {
	g.w.t.Helper()
	g.session++
	g.heard = map[wire.Kind]chan []byte{}
	for _, k := range []wire.Kind{wire.KindPlan, wire.KindCommand, wire.KindAck, wire.KindTime, wire.KindMute} {
		g.heard[k] = make(chan []byte, 100)
	}
	will, _ := json.Marshal(wire.State{Session: g.session})
	heard := g.heard
	o := mqtt.NewClientOptions().AddBroker("ssl://"+g.w.addr()).SetClientID(string(g.id)).SetTLSConfig(g.tls).
		SetAutoReconnect(false).SetStore(mqtt.NewMemoryStore()).SetConnectTimeout(5*time.Second).SetWriteTimeout(5*time.Second).
		SetWill(wire.Up(g.id, wire.KindState), string(will), 0, false).
		SetDefaultPublishHandler(func(_ mqtt.Client, m mqtt.Message) {
			if _, kind, err := wire.ParseDown(m.Topic()); err == nil {
				heard[kind] <- m.Payload()
			}
		})
	g.client = mqtt.NewClient(o)
	if t := g.client.Connect(); !t.WaitTimeout(10*time.Second) || t.Error() != nil {
		g.w.t.Fatalf("connecting %s: %v", g.id, t.Error())
	}
	if t := g.client.Subscribe(wire.DownPattern(g.id), 0, nil); !t.WaitTimeout(5*time.Second) || t.Error() != nil {
		g.w.t.Fatalf("subscribing %s: %v", g.id, t.Error())
	}
	c := g.client
	g.w.t.Cleanup(func() { c.Disconnect(0) })
}

func (g *gate) send(kind wire.Kind, v any) {
	g.w.t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		g.w.t.Fatal(err)
	}
	g.sendRaw(kind, data)
}

func (g *gate) sendRaw(kind wire.Kind, data []byte) {
	g.w.t.Helper()
	if t := g.client.Publish(wire.Up(g.id, kind), 0, false, data); !t.WaitTimeout(5*time.Second) || t.Error() != nil {
		g.w.t.Fatalf("publishing %s: %v", kind, t.Error())
	}
}

func (g *gate) hello(s wire.State) (nonce string) {
	g.w.t.Helper()
	nonce = hex.EncodeToString(fmt.Appendf(nil, "nonce-%d", time.Now().UnixNano()))
	s.Session, s.Online = g.session, true
	g.send(wire.KindHello, wire.Hello{Protocol: 1, Session: g.session, Nonce: nonce, Agent: "test", BootID: "b", State: s})
	return nonce
}

func (g *gate) state(s wire.State) {
	g.w.t.Helper()
	s.Session, s.Online = g.session, true
	g.send(wire.KindState, s)
}

// record makes the next record of the device's journal.
func (g *gate) record() json.RawMessage {
	g.seq++
	raw, err := json.Marshal(wire.Record{
		Log: testLog, Seq: g.seq, Prev: g.prev, Kind: wire.RecordClock, AtUS: wire.US(time.Now()), BootID: "b", Body: json.RawMessage(`{"from":0,"to":1}`),
	})
	if err != nil {
		g.w.t.Fatal(err)
	}
	sum := sha256.Sum256(raw)
	g.prev = hex.EncodeToString(sum[:])
	return raw
}

func (g *gate) batch(n int) wire.Batch {
	b := wire.Batch{Log: testLog}
	for range n {
		b.Records = append(b.Records, g.record())
	}
	return b
}

// next returns the next message of that kind.
func next[T any](g *gate, kind wire.Kind) T {
	g.w.t.Helper()
	data := g.nextRaw(kind)
	var v T
	if err := json.Unmarshal(data, &v); err != nil {
		g.w.t.Fatal(err)
	}
	return v
}

func (g *gate) nextRaw(kind wire.Kind) []byte {
	g.w.t.Helper()
	select {
	case data := <-g.heard[kind]:
		return data
	case <-time.After(10 * time.Second):
		g.w.t.Fatalf("%s heard no %s", g.id, kind)
		return nil
	}
}

func (g *gate) nothing(kind wire.Kind) {
	g.w.t.Helper()
	select {
	case data := <-g.heard[kind]:
		g.w.t.Errorf("%s heard %s %.200s", g.id, kind, data)
	default:
	}
}

// ackUpto waits for the ack that reaches seq.
func (g *gate) ackUpto(seq wire.Seq) wire.Ack {
	g.w.t.Helper()
	for {
		if a := next[wire.Ack](g, wire.KindAck); a.Upto >= seq {
			return a
		}
	}
}

// plan makes version the plan that g should have and returns its hash.
func (w *world) plan(version uint64, gates ...*gate) []string {
	w.t.Helper()
	man, err := w.trust.SealManifest(&wire.Manifest{Header: wire.Header{Version: version}})
	if err != nil {
		w.t.Fatal(err)
	}
	if err := w.store.PutDocs(w.t.Context(), []fleet.Doc{{SHA256: seal.Hash(man), Type: wire.DocManifest, Version: version, Bytes: man}}); err != nil {
		w.t.Fatal(err)
	}
	var docs []fleet.Doc
	var hashes []string
	for _, g := range gates {
		env, err := w.trust.SealPlan(&wire.Plan{Header: wire.Header{Device: g.id, Version: version}, Point: g.point.Code, Zone: "Asia/Shanghai"})
		if err != nil {
			w.t.Fatal(err)
		}
		hashes = append(hashes, seal.Hash(env))
		docs = append(docs, fleet.Doc{SHA256: seal.Hash(env), Type: wire.DocPlan, Device: g.id, Version: version, Bytes: env})
	}
	if err := w.store.PutPlans(w.t.Context(), docs); err != nil {
		w.t.Fatal(err)
	}
	return hashes
}

// eventually waits until ok, which is asked again after every change that the
// link tells of, and at short intervals.
func (w *world) eventually(what string, ok func() bool) {
	w.t.Helper()
	deadline := time.After(10 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			w.t.Fatalf("never: %s", what)
		}
	}
}

func (w *world) device(g *gate) fleet.Device {
	w.t.Helper()
	d, err := w.store.Device(w.t.Context(), g.id)
	if err != nil {
		w.t.Fatal(err)
	}
	return d
}

func (w *world) eventsOf(e fleet.Event) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.events[e]
}
