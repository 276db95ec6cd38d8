package link

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gatecast/agent/condition"
	"gatecast/agent/walltime"
	"gatecast/internal/wire"
)

const testDevice = wire.DeviceID("d0123456789abcdef01234567")

// world is everything around a Link under test, in memory.
type world struct {
	mu       sync.Mutex
	recs     []json.RawMessage
	acked    wire.Seq
	changed  chan struct{}
	plan     *wire.Plan
	manifest *wire.Manifest
	hash     string
	accepted []string // envelopes of accepted plans
	refuse   error
	missing  []string
	syncs    int
	sync     func(ctx context.Context, n int) error
	trusted  []time.Duration // round-trip times
	faults   map[condition.Code]string
	state    wire.State
	counter  uint64
	done     []string // commands carried out
	told     int      // PlanChanged
	began    time.Time
	asleep   time.Duration // suspended, which the process's own clock does not count
}

func newWorld() *world {
	return &world{changed: make(chan struct{}, 1), faults: map[condition.Code]string{}, began: time.Now()}
}

func (w *world) Append(kind wire.RecordKind, _ walltime.Stamp, body any) (wire.Seq, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	raw, _ := json.Marshal(body)
	seq := wire.Seq(len(w.recs) + 1)
	rec, _ := json.Marshal(wire.Record{Log: "a", Seq: seq, Kind: kind, Body: raw})
	w.recs = append(w.recs, rec)
	select {
	case w.changed <- struct{}{}:
	default:
	}
	return seq, nil
}

func (w *world) Batch(limit, _ int) (wire.Batch, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	rest := w.recs[w.acked:]
	return wire.Batch{Log: "a", Records: slices.Clone(rest[:min(limit, len(rest))])}, nil
}

func (w *world) Ack(a wire.Ack) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if int(a.Upto) > len(w.recs) {
		return errors.New("ack is ahead of the journal")
	}
	w.acked = a.Upto
	return nil
}

func (w *world) Changed() <-chan struct{} { return w.changed }

func (w *world) Current() (*wire.Plan, *wire.Manifest, string, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.plan, w.manifest, w.hash, w.plan != nil
}

func (w *world) Accept(plan, manifest []byte, _ int64) (*wire.Plan, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.refuse != nil {
		return nil, w.refuse
	}
	var p wire.Plan
	var m wire.Manifest
	if err := errors.Join(json.Unmarshal(plan, &p), json.Unmarshal(manifest, &m)); err != nil {
		return nil, err
	}
	w.plan, w.manifest, w.hash, w.missing = &p, &m, hashOf(plan), slices.Clone(p.Clips)
	w.accepted = append(w.accepted, string(plan))
	return &p, nil
}

func (w *world) VerifyTime(envelope []byte, nonce string) (wire.TimeAnswer, error) {
	var a wire.TimeAnswer
	err := json.Unmarshal(envelope, &a)
	if err == nil && a.Nonce != nonce {
		err = fmt.Errorf("nonce %q, want %q", a.Nonce, nonce)
	}
	return a, err
}

func (w *world) VerifyCommand(envelope []byte, nonce string, _ int64) (wire.Command, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var c wire.Command
	err := json.Unmarshal(envelope, &c)
	switch {
	case err == nil && c.Nonce != nonce:
		err = fmt.Errorf("nonce %q, want %q", c.Nonce, nonce)
	case err == nil && c.Counter <= w.counter:
		err = fmt.Errorf("counter %d is not above %d", c.Counter, w.counter)
	}
	if err == nil {
		w.counter = c.Counter
	}
	return c, err
}

func (w *world) ManifestEnvelope() []byte { return nil }

func (w *world) RaiseFloor(time.Time) {}

// fault returns the detail of an active condition.
func (w *world) fault(code condition.Code) (string, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	d, ok := w.faults[code]
	return d, ok
}

func (w *world) Missing([]string) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.missing)
}

func (w *world) Sync(ctx context.Context, _ []wire.ManifestClip) error {
	w.mu.Lock()
	w.syncs++
	n, f := w.syncs, w.sync
	w.mu.Unlock()
	if f != nil {
		if err := f(ctx, n); err != nil {
			return err
		}
	}
	w.mu.Lock()
	w.missing = nil
	w.mu.Unlock()
	return nil
}

func (w *world) Now() walltime.Stamp {
	w.mu.Lock()
	defer w.mu.Unlock()
	return walltime.Stamp{Wall: time.Now(), Mono: time.Since(w.began) + w.asleep, BootID: "boot", Level: wire.T1}
}

func (w *world) Trust(_ int64, rtt time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.trusted = append(w.trusted, rtt)
}

func (w *world) Set(code condition.Code, detail string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.faults[code] = detail
}

func (w *world) Clear(code condition.Code) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.faults, code)
}

func (w *world) Do(ctx context.Context, c wire.Command) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.done = append(w.done, c.ID)
	if c.Do != "stop" {
		return fmt.Errorf("command %q is unknown", c.Do)
	}
	return nil
}

func (w *world) snapshot() wire.State {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.state
}

// pipe is a transport in memory. Everything published lands in sent.
type pipe struct {
	c    Connection
	mu   sync.Mutex
	sent []message
	err  error // of publish
	down chan error
	shut bool
}

type message struct {
	kind wire.Kind
	data []byte
	at   time.Time
}

func (p *pipe) Publish(kind wire.Kind, data []byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil {
		return p.err
	}
	p.sent = append(p.sent, message{kind, slices.Clone(data), time.Now()})
	return nil
}

func (p *pipe) Lost() <-chan error { return p.down }

func (p *pipe) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.shut = true
}

// send delivers v to the device as if the controller had published it.
func (p *pipe) send(t *testing.T, kind wire.Kind, v any) {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	p.c.Deliver(Inbound{Kind: kind, Data: data})
	synctest.Wait()
}

// all returns the messages of kind so far.
func all[T any](t *testing.T, p *pipe, kind wire.Kind) []T {
	t.Helper()
	synctest.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []T
	for _, m := range p.sent {
		if m.kind != kind {
			continue
		}
		v, err := wire.Decode[T](m.data)
		if err != nil {
			t.Fatalf("%s does not parse: %v", kind, err)
		}
		out = append(out, v)
	}
	return out
}

// start runs a Link in a bubble. Each connection attempt asks dial, nil for
// always fine; conns yields the connections made.
func start(t *testing.T, w *world, change func(*Options), dial func(n int) error) (l *Link, conns func() []*pipe, stop func()) {
	t.Helper()
	o := DefaultOptions()
	o.Device, o.Broker, o.Base, o.Dir, o.Agent = testDevice, "broker:8883", "https://127.0.0.1:1", t.TempDir(), "1.2.3"
	o.TLS = func() *tls.Config { return &tls.Config{} }
	o.State, o.Journal, o.Plans, o.Clock, o.Faults, o.Doer = w.snapshot, w, w, w, w, w
	o.Clips = func(*Fetcher) Clips { return w }
	o.PlanChanged = func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.told++
	}
	o.ReportJitter, o.FetchJitter = 0, 0
	if change != nil {
		change(&o)
	}
	l, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var made []*pipe
	attempts := 0
	l.dial = func(_ context.Context, c Connection) (Transport, error) {
		mu.Lock()
		defer mu.Unlock()
		attempts++
		if dial != nil {
			if err := dial(attempts); err != nil {
				return nil, err
			}
		}
		p := &pipe{c: c, down: make(chan error, 1)}
		made = append(made, p)
		return p, nil
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		l.Run(ctx)
	}()
	synctest.Wait()
	return l, func() []*pipe {
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			return slices.Clone(made)
		}, func() {
			cancel()
			<-ended
		}
}
