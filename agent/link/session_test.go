package link

import (
	"crypto/tls"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"gatecast/agent/condition"
	"gatecast/agent/walltime"
	"gatecast/internal/wire"
)

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
		will, err := wire.Decode[wire.State](p.c.Will)
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
		p.send(t, wire.KindTime, wire.TimeAnswer{Nonce: nonce, NowUS: 1})
		if len(w.trusted) != 1 {
			t.Error("an answer that was repeated was trusted again")
		}
		time.Sleep(8 * time.Hour)
		if got := all[wire.Hello](t, p, wire.KindHello); len(got) < 2 || got[1].Session != got[0].Session || got[1].Nonce == nonce {
			t.Errorf("time was not asked for again within eight hours: %d hellos", len(got))
		}
	})
}

// TestDelayedTimeAnswers holds answers back: one that is older than anything
// useful says nothing, whatever kept it, and the nonce is not spent by it.
func TestDelayedTimeAnswers(t *testing.T) {
	tests := map[string]struct {
		passes, asleep time.Duration
		want           []time.Duration
	}{
		"just_in_time":        {10 * time.Second, 0, []time.Duration{10 * time.Second}},
		"held_back":           {11 * time.Second, 0, nil},
		"asleep_in_between":   {time.Second, time.Hour, nil},
		"a_short_nap_counts":  {time.Second, 4 * time.Second, []time.Duration{5 * time.Second}},
		"answered_in_no_time": {0, 0, []time.Duration{0}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				_, conns, stop := start(t, w, nil, nil)
				defer stop()
				p := conns()[0]
				hello := all[wire.Hello](t, p, wire.KindHello)[0]
				time.Sleep(tt.passes)
				w.mu.Lock()
				w.asleep += tt.asleep
				w.mu.Unlock()
				p.send(t, wire.KindTime, wire.TimeAnswer{Nonce: hello.Nonce, NowUS: 1})
				if !slices.Equal(w.trusted, tt.want) {
					t.Errorf("trusted with round trips %v, want %v", w.trusted, tt.want)
				}
			})
		})
	}
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
				p.c.Deliver(Inbound{Kind: kind, Data: data})
				synctest.Wait()
			}
		}
		p.send(t, wire.KindAck, wire.Ack{Log: "a", Upto: 99})
		for range 10 * inboxSize { // a flood is dropped, not queued
			p.c.Deliver(Inbound{Kind: wire.KindAck, Data: []byte("{}")})
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
