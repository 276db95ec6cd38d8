package attack

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"gatecast/agent"
	"gatecast/internal/officetest"
	"gatecast/internal/wire"
)

// hostile is a plan of the next version that wants the clip nobody approved,
// at once.
func (w *world) hostile(version uint64) (wire.Plan, wire.Manifest) {
	p, m := w.plan, w.man
	p.Version, m.Version = version, version
	p.IssuedUS, m.IssuedUS = wire.US(time.Now()), wire.US(time.Now())
	p.Clips, m.Clips = []string{w.bad.SHA256}, []wire.ManifestClip{w.bad, w.good}
	at := time.Now().Add(2 * time.Second).Unix()
	p.Slots = []wire.PlanSlot{{ID: "2026-11-23.hostile.s1", Name: "早", StartS: at, EndS: at + 600, EveryS: 6, Count: 3, Playlist: []int{0}, GraceS: 300}}
	return p, m
}

func arbitraryAudio(w *world) {
	p, m := w.hostile(11)
	own := w.ownKey()
	w.inject(wire.KindPlan, offer(11, w.sealBy(p, own), w.sealBy(m, own)))
}

func changedBits(w *world) {
	p, m := w.documents(11, w.starts[0], 1)
	w.starts = w.starts[:1]
	plan := w.sealBy(p, w.o.Director)
	// The payload is base64: another letter in its middle is another plan.
	i := bytes.Index(plan, []byte(`"payload":"`)) + 200
	plan[i] ^= 1
	w.inject(wire.KindPlan, offer(11, plan, w.sealBy(m, w.o.Library)))
}

func mixAndMatch(w *world) {
	p, _ := w.hostile(11) // as the office signed it, with the manifest that goes with it
	_, old := w.plan, w.man
	w.inject(wire.KindPlan, offer(11, w.sealBy(p, w.o.Director), w.sealBy(old, w.o.Library)))
}

func wrongPlace(w *world) {
	_, m := w.hostile(11)
	doc := w.sealBy(m, w.o.Library)
	w.inject(wire.KindPlan, offer(11, doc, w.sealBy(w.man, w.o.Library)))
}

func otherGate(w *world) {
	p, m := w.plan, w.man
	p.Version, p.Device = 11, "d0000000000000000000000aa"
	w.inject(wire.KindPlan, offer(11, w.sealBy(p, w.o.Director), w.sealBy(m, w.o.Library)))
}

func rollback(w *world) {
	old, oldMan := w.hostile(9) // signed once, when that clip was approved
	w.restart(nil)              // long after the plan that replaced it
	w.inject(wire.KindPlan, offer(9, w.sealBy(old, w.o.Director), w.sealBy(oldMan, w.o.Library)))
}

func endlessPacket(w *world) {
	w.inject(wire.KindCommand, bytes.Repeat([]byte("x"), 3*wire.MaxMessage))
	w.o.Await(w.d, 20*time.Second, "the gate back again", func(k officetest.Device) bool { return len(k.Hellos) > 1 })
}

func endlessDocument(w *world) {
	data, err := json.Marshal(wire.PlanOffer{
		Version: 11, Plan: wire.DocRef{SHA256: strings.Repeat("ab", 32), Size: 1 << 40}, Manifest: wire.DocRef{SHA256: strings.Repeat("cd", 32), Size: 1},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.inject(wire.KindPlan, data)
}

func halfDocument(w *world) {
	p, m := w.documents(11, w.starts[0], 1)
	w.starts = w.starts[:1]
	whole := offer(11, w.sealBy(p, w.o.Director), w.sealBy(m, w.o.Library))
	w.inject(wire.KindPlan, whole[:len(whole)/2])
}

func garbage(w *world) {
	for _, kind := range []wire.Kind{wire.KindPlan, wire.KindCommand, wire.KindAck, wire.KindTime} {
		for _, data := range [][]byte{nil, []byte("x"), []byte("{}"), []byte(`{"payload":"AAAA","payloadType":"x","signatures":[]}`), bytes.Repeat([]byte("["), 30_000)} {
			w.inject(kind, data)
		}
	}
}

// dropAll loses everything in both directions: the plan goes stale and its
// default clip sounds, which the record says.
func dropAll(w *world) {
	w.staleSoon()
	w.o.SetMute(true)
	w.expectDefault()
}

// freeze repeats the plan in force and answers nothing else.
func freeze(w *world) {
	w.staleSoon()
	plan := w.o.Offer(w.plan, w.man, true)
	w.o.SetMute(true)
	stop := time.After(time.Until(w.starts[len(w.starts)-1]))
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			w.o.Send(plan)
			continue
		case <-stop:
		}
		break
	}
	w.expectDefault()
}

// staleSoon puts a plan into force that goes stale after three seconds.
func (w *world) staleSoon() {
	w.plan.Version, w.man.Version = 11, 11
	w.plan.IssuedUS = wire.US(time.Now())
	w.plan.StaleS, w.plan.Default = 3, w.good.SHA256
	w.force()
}

// expectDefault waits for the play and asks the gate afterwards whether it
// noticed: the condition is in the state of a gate that is heard again.
func (w *world) expectDefault() {
	w.t.Helper()
	last := w.starts[len(w.starts)-1]
	timer := time.NewTimer(time.Until(last.Add(3 * time.Second)))
	defer timer.Stop()
	<-timer.C
	stale := false
	for _, s := range w.o.Know(w.d).States {
		for _, c := range s.Conditions {
			stale = stale || c.Code == "plan_stale"
		}
	}
	if !stale {
		w.t.Error("the gate did not say that its plan is stale")
	}
	w.o.SetMute(false)
}

// slowTime starts a gate that has no trusted time, and holds the answer back
// for longer than an answer may take.
func slowTime(w *world) {
	w.o.SetMute(true)
	w.restart(func(d agent.Dirs) {
		if err := os.RemoveAll(d.Time); err != nil {
			w.t.Fatal(err)
		}
	})
	nonce, at := w.nonce(), wire.US(time.Now())
	timer := time.NewTimer(11 * time.Second)
	defer timer.Stop()
	<-timer.C
	w.inject(wire.KindTime, w.sealBy(wire.TimeAnswer{Header: wire.Header{Type: wire.DocTime, Device: w.d, Version: 1, IssuedUS: at}, Nonce: nonce, NowUS: at}, w.o.Director))
	tick := time.NewTimer(time.Second)
	defer tick.Stop()
	<-tick.C
	if s := w.a.Now(); s.Level == wire.T1 {
		w.t.Error("an answer of eleven seconds was believed")
	}
}

// impostor takes the broker's address with a certificate of another CA, and
// goes away again.
func impostor(w *world) {
	w.o.StopBroker()
	evil := officetest.New(w.t)
	evil.StartBroker(w.addr)
	time.AfterFunc(4*time.Second, evil.StopBroker)
	timer := time.NewTimer(5 * time.Second)
	defer timer.Stop()
	<-timer.C
	if n := len(evil.Know(w.d).Hellos); n > 0 {
		w.t.Errorf("the gate said hello to an impostor %d times", n)
	}
	w.o.StartBroker(w.addr)
}

// downgrade takes the broker's address and speaks MQTT without TLS.
func downgrade(w *world) {
	w.o.StopBroker()
	var l net.Listener
	var err error
	for range 50 {
		if l, err = (&net.ListenConfig{}).Listen(context.Background(), "tcp", w.addr); err == nil {
			break
		}
		<-time.After(50 * time.Millisecond)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	heard := make(chan []byte, 16)
	go func() { // ends with the listener
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			b := make([]byte, 512)
			n, _ := c.Read(b)
			heard <- b[:n]
			_, _ = c.Write([]byte{0x20, 2, 0, 0}) // CONNACK
			_ = c.Close()
		}
	}()
	select {
	case b := <-heard:
		if len(b) > 0 && b[0] != 0x16 { // a TLS handshake record
			w.t.Errorf("the gate spoke without TLS: %x", b)
		}
	case <-time.After(20 * time.Second):
		w.t.Error("the gate did not come")
	}
	_ = l.Close()
	w.finish()
	w.o.StartBroker(w.addr)
}

func cutLine(w *world) {
	w.o.StopBroker()
	w.finish()
	w.o.StartBroker(w.addr)
	w.o.Await(w.d, 40*time.Second, "the gate back, with what it played", func(k officetest.Device) bool { return len(k.Hellos) > 1 })
}

// slowClip sends one byte of a clip and then none; the plan in force goes on.
func slowClip(w *world) {
	slow := make(chan struct{})
	w.t.Cleanup(func() { close(slow) })
	fresh, _ := tone(w.t, w.o, "另一条", 0.07)
	w.o.Before(func(rw http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != wire.PathClips+fresh.SHA256 {
			return false
		}
		rw.Header().Set("Content-Length", fmt.Sprint(fresh.Bytes))
		_, _ = rw.Write([]byte("f"))
		_ = http.NewResponseController(rw).Flush()
		select {
		case <-slow:
		case <-r.Context().Done():
		}
		return true
	})
	w.plan.Version, w.man.Version = 11, 11
	w.plan.Clips, w.man.Clips = append(w.plan.Clips, fresh.SHA256), append(w.man.Clips, fresh)
	w.o.Send(w.o.Offer(w.plan, w.man, true))
	w.o.Await(w.d, 20*time.Second, "the plan in force", func(k officetest.Device) bool {
		s := k.States[len(k.States)-1]
		return s.PlanVersion == 11 && len(s.ClipsMissing) == 1
	})
}

// card returns where a file of the gate lies.
func (w *world) card(parts ...string) string {
	return filepath.Join(append([]string{w.opt.DataDir}, parts...)...)
}
