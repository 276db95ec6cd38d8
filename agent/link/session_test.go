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
}

func newWorld() *world {
	return &world{changed: make(chan struct{}, 1), faults: map[condition.Code]string{}}
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
	return walltime.Stamp{Wall: time.Now(), BootID: "boot", Level: wire.T1}
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
	c    connect
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

func (p *pipe) publish(kind wire.Kind, data []byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil {
		return p.err
	}
	p.sent = append(p.sent, message{kind, slices.Clone(data), time.Now()})
	return nil
}

func (p *pipe) lost() <-chan error { return p.down }

func (p *pipe) close() {
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
	p.c.deliver(inbound{kind: kind, data: data, at: time.Now()})
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
	l.dial = func(_ context.Context, c connect) (transport, error) {
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

func TestSessionIntroducesItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.state = wire.State{PlanVersion: 7}
		_, conns, stop := start(t, w, nil, nil)
		p := conns()[0]
		hellos := all[wire.Hello](t, p, wire.KindHello)
		if len(hellos) != 1 {
			t.Fatalf("%d hellos, want 1", len(hellos))
		}
		h := hellos[0]
		if h.Protocol != wire.Protocol || h.Session == 0 || len(h.Nonce) != 32 || h.Agent != "1.2.3" || h.BootID != "boot" ||
			!h.State.Online || h.State.Session != h.Session || h.State.PlanVersion != 7 {
			t.Errorf("hello = %+v", h)
		}
		will, err := wire.Decode[wire.State](p.c.will)
		if err != nil || will.Online || will.Session != h.Session {
			t.Errorf("will = %+v, %v, want offline with session %d", will, err, h.Session)
		}
		stop()
		states := all[wire.State](t, p, wire.KindState)
		if n := len(states); n == 0 || states[n-1].Online || !p.shut {
			t.Errorf("left with states %+v, closed %v; want a last one offline", states, p.shut)
		}
	})
}

func TestSessionReconnectsWithGrowingPausesAndNumbers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		var at []time.Time
		_, conns, stop := start(t, w, nil, func(n int) error {
			at = append(at, time.Now())
			if n > 1 && n < 12 {
				return errors.New("no route")
			}
			return nil
		})
		defer stop()
		conns()[0].down <- errors.New("reset by peer")
		synctest.Wait()
		if _, ok := w.fault(condition.LinkDown); !ok {
			t.Error("no condition for a lost link")
		}
		time.Sleep(10 * time.Minute)
		made := conns()
		if len(made) != 2 {
			t.Fatalf("%d connections, want 2", len(made))
		}
		for i := 2; i < len(at); i++ {
			if d := at[i].Sub(at[i-1]); d > time.Minute || d < 250*time.Millisecond {
				t.Errorf("pause %d is %s", i, d)
			}
		}
		if total := at[len(at)-1].Sub(at[0]); total < 2*time.Minute {
			t.Errorf("12 attempts in %s", total)
		}
		first, second := all[wire.Hello](t, made[0], wire.KindHello)[0], all[wire.Hello](t, made[1], wire.KindHello)[0]
		if second.Session <= first.Session || second.Nonce == first.Nonce {
			t.Errorf("second hello has session %d after %d, nonce %q after %q", second.Session, first.Session, second.Nonce, first.Nonce)
		}
		if _, ok := w.fault(condition.LinkDown); ok {
			t.Error("condition stays after the link is up")
		}
	})
}

// TestSessionDropsAtOnceAreNotHammered has a broker that accepts and drops.
func TestSessionDropsAtOnceAreNotHammered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		attempts := 0
		_, conns, stop := start(t, newWorld(), nil, func(int) error { attempts++; return nil })
		defer stop()
		began := time.Now()
		for time.Since(began) < 10*time.Minute {
			made := conns()
			select {
			case made[len(made)-1].down <- errors.New("kicked"):
			default:
			}
			time.Sleep(time.Second)
		}
		if attempts > 30 {
			t.Errorf("%d connections in ten minutes", attempts)
		}
	})
}

func TestRecordsAreSentAgainUntilAcked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		for range 3 {
			_, _ = w.Append(wire.RecordStop, walltime.Stamp{}, wire.Stop{})
		}
		_, conns, stop := start(t, w, nil, nil)
		defer stop()
		p := conns()[0]
		if got := all[wire.Batch](t, p, wire.KindRecords); len(got) != 1 || len(got[0].Records) != 3 {
			t.Fatalf("on connection sent %d batches", len(got))
		}
		time.Sleep(30 * time.Second)
		if got := all[wire.Batch](t, p, wire.KindRecords); len(got) < 2 || len(got) > 4 {
			t.Errorf("after 30 s without an ack sent %d times", len(got))
		}
		p.send(t, wire.KindAck, wire.Ack{Log: "a", Upto: 3})
		n := len(all[wire.Batch](t, p, wire.KindRecords))
		time.Sleep(time.Hour)
		if got := all[wire.Batch](t, p, wire.KindRecords); len(got) != n {
			t.Errorf("sent %d more after the ack", len(got)-n)
		}
		_, _ = w.Append(wire.RecordStop, walltime.Stamp{}, wire.Stop{})
		got := all[wire.Batch](t, p, wire.KindRecords)
		if len(got) != n+1 || !slices.Equal(seqsOf(got[n:]), []wire.Seq{4}) {
			t.Errorf("a new record made %d batches", len(got)-n)
		}
	})
}

func TestRecordsSurviveALostConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		_, conns, stop := start(t, w, nil, nil)
		defer stop()
		p := conns()[0]
		p.mu.Lock()
		p.err = errors.New("broken pipe")
		p.mu.Unlock()
		_, _ = w.Append(wire.RecordStop, walltime.Stamp{}, wire.Stop{})
		time.Sleep(5 * time.Second)
		made := conns()
		if len(made) != 2 {
			t.Fatalf("%d connections after a failed publish, want 2", len(made))
		}
		if got := all[wire.Batch](t, made[1], wire.KindRecords); !slices.Equal(seqsOf(got), []wire.Seq{1}) {
			t.Errorf("second connection sent %v", seqsOf(got))
		}
	})
}

func TestRecordsWaitForTheirJitter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		_, conns, stop := start(t, w, func(o *Options) { o.ReportJitter = time.Minute }, nil)
		defer stop()
		p := conns()[0]
		began := time.Now()
		for range 10 {
			_, _ = w.Append(wire.RecordStop, walltime.Stamp{}, wire.Stop{})
			time.Sleep(time.Millisecond)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, m := range p.sent {
			if m.kind == wire.KindRecords {
				if m.at.Sub(began) > time.Minute {
					t.Errorf("sent after %s", m.at.Sub(began))
				}
				return
			}
		}
		t.Error("nothing was sent within a minute")
	})
}

func TestStateFollowsChangesAndBeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		l, conns, stop := start(t, w, nil, nil)
		defer stop()
		p := conns()[0]
		time.Sleep(2 * time.Second)
		for range 100 { // many changes at once are one message
			w.mu.Lock()
			w.state.PlanVersion++
			w.mu.Unlock()
			l.Nudge()
		}
		time.Sleep(2 * time.Second)
		if got := all[wire.State](t, p, wire.KindState); len(got) == 0 || len(got) > 2 || got[len(got)-1].PlanVersion != 100 {
			t.Errorf("100 changes made %d states", len(got))
		}
		p.send(t, wire.KindTime, wire.TimeAnswer{Nonce: all[wire.Hello](t, p, wire.KindHello)[0].Nonce})
		n := len(all[wire.State](t, p, wire.KindState))
		l.Nudge() // nothing changed
		time.Sleep(30 * time.Minute)
		if got := len(all[wire.State](t, p, wire.KindState)) - n; got < 9 || got > 11 {
			t.Errorf("%d states in 30 idle minutes, want about 10", got)
		}
	})
}

func TestTimeAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		_, conns, stop := start(t, w, nil, nil)
		defer stop()
		p := conns()[0]
		nonce := all[wire.Hello](t, p, wire.KindHello)[0].Nonce
		p.send(t, wire.KindTime, wire.TimeAnswer{Nonce: "other", NowUS: 1})
		if len(w.trusted) != 0 {
			t.Error("an answer to another nonce was trusted")
		}
		time.Sleep(300 * time.Millisecond)
		p.send(t, wire.KindTime, wire.TimeAnswer{Nonce: nonce, NowUS: 1})
		if !slices.Equal(w.trusted, []time.Duration{300 * time.Millisecond}) {
			t.Errorf("trusted with round trips %v, want 300ms", w.trusted)
		}
		time.Sleep(11 * time.Second)
		p.send(t, wire.KindTime, wire.TimeAnswer{Nonce: nonce, NowUS: 1})
		if len(w.trusted) != 1 {
			t.Error("an answer after 11 s was trusted")
		}
		time.Sleep(8 * time.Hour)
		if got := all[wire.Hello](t, p, wire.KindHello); len(got) < 2 || got[1].Session != got[0].Session || got[1].Nonce == nonce {
			t.Errorf("time was not asked for again within eight hours: %d hellos", len(got))
		}
	})
}

// TestHelloIsRepeatedWhileNobodyAnswers has a broker without a controller.
func TestHelloIsRepeatedWhileNobodyAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, conns, stop := start(t, newWorld(), nil, nil)
		defer stop()
		time.Sleep(time.Hour)
		if n := len(all[wire.Hello](t, conns()[0], wire.KindHello)); n < 12 || n > 30 {
			t.Errorf("%d hellos in an hour without an answer", n)
		}
	})
}

func TestCommandsAreCarriedOutOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		_, conns, stop := start(t, w, nil, nil)
		defer stop()
		p := conns()[0]
		nonce := all[wire.Hello](t, p, wire.KindHello)[0].Nonce
		c := wire.Command{ID: "c1", Counter: 1, Nonce: nonce, Do: "stop"}
		for range 3 {
			p.send(t, wire.KindCommand, c)
		}
		p.send(t, wire.KindCommand, wire.Command{ID: "c2", Counter: 2, Nonce: "of another session", Do: "stop"})
		p.send(t, wire.KindCommand, wire.Command{ID: "c3", Counter: 3, Nonce: nonce, Do: "dance"})
		if !slices.Equal(w.done, []string{"c1", "c3"}) {
			t.Errorf("carried out %q", w.done)
		}
		results := all[wire.Result](t, p, wire.KindResult)
		if len(results) != 2 || !results[0].OK || results[1].OK || results[1].Text == "" {
			t.Errorf("results = %+v", results)
		}
	})
}

func TestHostileMessagesDoNotEndTheSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		_, conns, stop := start(t, w, nil, nil)
		defer stop()
		p := conns()[0]
		for _, kind := range []wire.Kind{wire.KindAck, wire.KindTime, wire.KindPlan, wire.KindCommand, "nonsense"} {
			for _, data := range [][]byte{nil, []byte("{"), []byte("null"), []byte(`"x"`), make([]byte, wire.MaxMessage+1)} {
				p.c.deliver(inbound{kind: kind, data: data, at: time.Now()})
				synctest.Wait()
			}
		}
		p.send(t, wire.KindAck, wire.Ack{Log: "a", Upto: 99})
		for range 10 * inboxSize { // a flood is dropped, not queued
			p.c.deliver(inbound{kind: wire.KindAck, data: []byte("{}"), at: time.Now()})
		}
		synctest.Wait()
		if n := len(conns()); n != 1 {
			t.Errorf("%d connections, want the first one to live", n)
		}
		_, _ = w.Append(wire.RecordStop, walltime.Stamp{}, wire.Stop{})
		if got := all[wire.Batch](t, p, wire.KindRecords); len(got) != 1 {
			t.Errorf("%d batches after the flood", len(got))
		}
	})
}

func TestOptionsAreValidated(t *testing.T) {
	tests := map[string]func(*Options){
		"Device":       func(o *Options) { o.Device = "D/1" },
		"Broker":       func(o *Options) { o.Broker = "broker" },
		"Base":         func(o *Options) { o.Base = "" },
		"Dir":          func(o *Options) { o.Dir = "" },
		"TLS":          func(o *Options) { o.TLS = nil },
		"KeepAlive":    func(o *Options) { o.KeepAlive = 0 },
		"Heartbeat":    func(o *Options) { o.Heartbeat = 0 },
		"ReportJitter": func(o *Options) { o.ReportJitter = -1 },
		"FetchJitter":  func(o *Options) { o.FetchJitter = 2 * time.Hour },
	}
	for name, spoil := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			o := DefaultOptions()
			o.Device, o.Broker, o.Base, o.Dir = testDevice, "b:1", "https://b:2", t.TempDir()
			o.TLS = func() *tls.Config { return nil }
			o.State, o.Journal, o.Plans, o.Clock, o.Faults, o.Doer = w.snapshot, w, w, w, w, w
			o.Clips = func(*Fetcher) Clips { return w }
			if _, err := New(o); err != nil {
				t.Fatalf("New with good options: %v", err)
			}
			spoil(&o)
			if _, err := New(o); err == nil || !containsField(err, name) {
				t.Errorf("New = %v, want an error that names Options.%s", err, name)
			}
		})
	}
}

func containsField(err error, name string) bool {
	return slices.Contains(fieldsOf(err.Error()), name)
}
