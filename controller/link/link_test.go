package link

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"gatecast/controller/fleet"
	"gatecast/controller/store"
	"gatecast/internal/evidence"
	"gatecast/internal/seal"
	"gatecast/internal/wire"
)

func TestHelloIsAnswered(t *testing.T) {
	w := newTestWorld(t)
	g := w.enrol(0)
	hash := w.plan(7, g)[0]
	g.connect()
	nonce := g.hello(wire.State{Log: testLog, LastSeq: 3})

	var answer wire.TimeAnswer
	if _, err := seal.Open(g.nextRaw(wire.KindTime), w.trust.DirectorKeys(), seal.Expect{Type: wire.DocTime, Device: g.id}, &answer); err != nil {
		t.Fatal(err)
	}
	if d := time.Since(wire.FromUS(answer.NowUS)); answer.Nonce != nonce || d < 0 || d > 5*time.Second {
		t.Errorf("time answer %+v is %s old, nonce %q", answer, d, nonce)
	}
	if a := next[wire.Ack](g, wire.KindAck); a.Log != testLog || a.Upto != 0 {
		t.Errorf("ack = %+v, want nothing committed of %s", a, testLog)
	}
	offer := next[wire.PlanOffer](g, wire.KindPlan)
	if offer.Version != 7 || offer.Plan.SHA256 != hash || seal.Hash(offer.PlanDoc) != hash || offer.Plan.Size != int64(len(offer.PlanDoc)) {
		t.Errorf("offer = %d %+v, want 7 %s", offer.Version, offer.Plan, hash)
	}
	if offer.Manifest.SHA256 != seal.Hash(offer.ManDoc) {
		t.Errorf("manifest %s does not have the hash %s", offer.ManDoc, offer.Manifest.SHA256)
	}
	d := w.device(g)
	if !d.Online || d.Session != g.session || d.Nonce != nonce || d.Agent != "test" {
		t.Errorf("device = %+v", d)
	}
	w.eventually("the page hears of the device", func() bool {
		return w.eventsOf(fleet.Event{Kind: fleet.EventDevice, Point: g.point.ID}) > 0
	})
}

func TestStateIsComparedWithWhatIsWanted(t *testing.T) {
	w := newTestWorld(t)
	g := w.enrol(0)
	g.connect()
	g.hello(wire.State{})
	g.nextRaw(wire.KindTime)
	hash := w.plan(1, g)[0]

	g.state(wire.State{})
	if o := next[wire.PlanOffer](g, wire.KindPlan); o.Plan.SHA256 != hash {
		t.Errorf("offer = %+v, want %s", o.Plan, hash)
	}
	// At once again, a device that is still taking it is left alone; what it
	// then has is not offered.
	g.state(wire.State{})
	g.state(wire.State{PlanVersion: 1, PlanSHA256: hash})
	// A device ahead of the controller would refuse what we have.
	g.state(wire.State{PlanVersion: 9, PlanSHA256: "other"})
	// An ack shows that all of it was handled.
	g.send(wire.KindRecords, g.batch(1))
	g.ackUpto(1)
	g.nothing(wire.KindPlan)
	if d := w.device(g); d.PlanVersion != 9 {
		t.Errorf("device has plan %d in the registry, want 9", d.PlanVersion)
	}
	// Nor would one take another document of the version that it has.
	g.hello(wire.State{PlanVersion: 1, PlanSHA256: "another"})
	g.nextRaw(wire.KindTime)
	g.send(wire.KindRecords, g.batch(1))
	g.ackUpto(2)
	g.nothing(wire.KindPlan)
	if d := w.device(g); d.Awaiting != fleet.AwaitConfirm {
		t.Errorf("device awaits %q, want a person's word", d.Awaiting)
	}
	if n, err := w.store.ConfirmPlans(t.Context(), time.Now()); err != nil || n != 1 {
		t.Errorf("ConfirmPlans = %d, %v", n, err)
	}
	hash = w.plan(2, g)[0]
	g.hello(wire.State{PlanVersion: 1, PlanSHA256: "another"})
	if o := next[wire.PlanOffer](g, wire.KindPlan); o.Version != 2 || o.Plan.SHA256 != hash {
		t.Errorf("offer = %+v, want version 2", o)
	}
}

func TestOfferAllReachesThoseWhoLackIt(t *testing.T) {
	w := newTestWorld(t)
	lacking, having, absent := w.enrol(0), w.enrol(1), w.enrol(2)
	w.plan(1, lacking, having, absent)
	for _, g := range []*gate{lacking, having} {
		g.connect()
		g.hello(wire.State{})
		g.nextRaw(wire.KindPlan)
	}
	hashes := w.plan(2, lacking, having, absent)
	having.state(wire.State{PlanVersion: 2, PlanSHA256: hashes[1]})
	w.eventually("the second device has its plan", func() bool { return w.device(having).Ready() })
	w.link.OfferAll([]wire.DeviceID{having.id, absent.id, lacking.id})
	w.link.Offer(lacking.id)
	if o := next[wire.PlanOffer](lacking, wire.KindPlan); o.Version != 2 || o.Plan.SHA256 != hashes[0] {
		t.Errorf("offer = %d %+v", o.Version, o.Plan)
	}
	having.send(wire.KindRecords, having.batch(1))
	having.ackUpto(1)
	having.nothing(wire.KindPlan)
}

func TestRecordsAreCommittedThenAcked(t *testing.T) {
	w := newTestWorld(t)
	g := w.enrol(0)
	g.connect()
	var sent []json.RawMessage
	for _, n := range []int{1, 50, 7} {
		b := g.batch(n)
		sent = append(sent, b.Records...)
		g.send(wire.KindRecords, b)
	}
	a := g.ackUpto(58)
	if a.Upto != 58 || len(a.Missing) != 0 {
		t.Errorf("ack = %+v", a)
	}
	// The same again: acked again, kept once.
	for i := 0; i < len(sent); i += 29 {
		g.send(wire.KindRecords, wire.Batch{Log: testLog, Records: sent[i:min(i+29, len(sent))]})
	}
	g.ackUpto(58)
	w.eventually("both batches were handled", func() bool { return w.link.Stats().Records == 116 })
	kept, err := w.store.RecordsAfter(t.Context(), 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	if len(kept) != 58 {
		t.Fatalf("%d records kept, want 58", len(kept))
	}
	for i, r := range kept {
		if string(r.Raw) != string(sent[i]) || r.Point != g.point.ID {
			t.Fatalf("record %d = %s at point %d, want %s", i, r.Raw, r.Point, sent[i])
		}
	}
	if s := w.link.Stats(); s.Fresh != 58 || s.Broken != 0 || s.Dropped != 0 {
		t.Errorf("stats = %+v", s)
	}
	w.eventually("the page hears of records", func() bool {
		return w.eventsOf(fleet.Event{Kind: fleet.EventRecord, Point: g.point.ID}) > 0
	})
}

func TestAckNamesWhatIsMissing(t *testing.T) {
	w := newTestWorld(t)
	g := w.enrol(0)
	g.connect()
	first, lost, last := g.batch(2), g.batch(3), g.batch(2)
	g.send(wire.KindRecords, first)
	g.send(wire.KindRecords, last)
	if a := g.ackUpto(7); len(a.Missing) != 1 || a.Missing[0] != (wire.SeqRange{First: 3, Last: 5}) {
		t.Errorf("ack = %+v, want 3 to 5 missing", a)
	}
	g.send(wire.KindRecords, lost)
	for {
		if a := g.ackUpto(7); len(a.Missing) == 0 {
			break
		}
	}
	if s := w.link.Stats(); s.Broken != 0 {
		t.Errorf("%d broken links in a journal that came out of order", s.Broken)
	}
}

func TestBrokenChainIsReportedAndKept(t *testing.T) {
	w := newTestWorld(t)
	g := w.enrol(0)
	g.connect()
	g.send(wire.KindRecords, g.batch(3))
	g.ackUpto(3)
	g.prev = strings.Repeat("0", 64)
	g.send(wire.KindRecords, g.batch(2))
	g.ackUpto(5)
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.broken) != 1 || w.broken[0].Device != g.id || w.broken[0].Seq != 4 || w.broken[0].Code != evidence.Chain {
		t.Errorf("broken = %+v, want record 4 alone", w.broken)
	}
}

func TestUnreadableRecordsDoNotHoldUpOthers(t *testing.T) {
	w := newTestWorld(t)
	g := w.enrol(0)
	g.connect()
	b := g.batch(3)
	b.Records[1] = json.RawMessage(`{"log":"0011223344556677","seq":2,"kind":7}`)
	g.send(wire.KindRecords, b)
	if a := g.ackUpto(3); len(a.Missing) != 0 {
		t.Errorf("ack = %+v", a)
	}
	letters, err := w.store.DeadLetters(t.Context(), fleet.DeadFilter{Limit: 10})
	if err != nil || len(letters) != 1 || letters[0].Seq != 2 {
		t.Errorf("dead letters = %+v, %v", letters, err)
	}
	g.sendRaw(wire.KindRecords, []byte(`{"log":"","records":[]}`))
	g.sendRaw(wire.KindRecords, []byte(`not JSON`))
	g.sendRaw(wire.KindState, []byte(`[]`))
	g.sendRaw(wire.KindHello, []byte(`{`))
	g.sendRaw(wire.KindResult, nil)
	g.send(wire.KindRecords, g.batch(1))
	g.ackUpto(4)
	if s := w.link.Stats(); s.Refused != 5 {
		t.Errorf("%d messages refused, want 5", s.Refused)
	}
}

func TestAckRepairsWhatADeviceBelieves(t *testing.T) {
	w := newTestWorld(t)
	g := w.enrol(0)
	g.connect()
	g.send(wire.KindRecords, g.batch(5))
	g.ackUpto(5)
	for _, believed := range []wire.Seq{2, 9} { // the ack was lost; the controller was restored
		g.state(wire.State{Log: testLog, LastSeq: 9, AckedSeq: believed})
		if a := next[wire.Ack](g, wire.KindAck); a.Upto != 5 {
			t.Errorf("a device that believes in %d hears %+v", believed, a)
		}
	}
	g.state(wire.State{Log: testLog, LastSeq: 5, AckedSeq: 5})
	g.hello(wire.State{Log: testLog, LastSeq: 5, AckedSeq: 5})
	g.nextRaw(wire.KindTime)
	if a := next[wire.Ack](g, wire.KindAck); a.Upto != 5 {
		t.Errorf("ack after hello = %+v", a)
	}
	g.nothing(wire.KindAck)
}

func TestWillOfAnOlderSessionIsIgnored(t *testing.T) {
	w := newTestWorld(t)
	g := w.enrol(0)
	g.connect()
	g.hello(wire.State{})
	g.nextRaw(wire.KindTime)
	g.session++
	g.hello(wire.State{})
	g.nextRaw(wire.KindTime)
	g.send(wire.KindState, wire.State{Session: g.session - 1})
	g.send(wire.KindState, wire.State{Session: g.session - 1, Online: true, PlanVersion: 3})
	g.send(wire.KindRecords, g.batch(1))
	g.ackUpto(1)
	if d := w.device(g); !d.Online || d.PlanVersion != 0 {
		t.Errorf("device after messages of an older session: online %v, plan %d", d.Online, d.PlanVersion)
	}
	g.send(wire.KindState, wire.State{Session: g.session})
	w.eventually("the present session's will counts", func() bool { return !w.device(g).Online })
}

func TestLostConnectionIsSeenByItsWill(t *testing.T) {
	w := newTestWorld(t)
	g := w.enrol(0)
	g.connect()
	g.hello(wire.State{})
	g.nextRaw(wire.KindTime)
	if !w.broker.Kick(g.id) {
		t.Fatal("no connection to close")
	}
	w.eventually("device is offline", func() bool { return !w.device(g).Online })
	g.connect()
	g.hello(wire.State{})
	w.eventually("device is back", func() bool { return w.device(g).Online })
}

func TestSilentDeviceGoesOffline(t *testing.T) {
	w := newTestWorld(t)
	g := w.enrol(0)
	g.connect()
	g.hello(wire.State{})
	w.eventually("device is online", func() bool { return w.device(g).Online })
	now := time.Now()
	w.link.sweep(now.Add(2 * w.link.o.StateInterval))
	if !w.device(g).Online {
		t.Error("offline after two intervals less their jitter")
	}
	w.link.mu.Lock()
	w.link.upSince = now.Add(3 * w.link.o.StateInterval)
	w.link.mu.Unlock()
	w.link.sweep(now.Add(5 * w.link.o.StateInterval))
	if !w.device(g).Online {
		t.Error("offline for a silence while the controller could not hear")
	}
	w.link.sweep(now.Add(3*w.link.o.StateInterval + w.link.silent())) // the second heartbeat is missed
	if d := w.device(g); d.Online || d.LastSeen.After(now.Add(time.Second)) {
		t.Errorf("after a long silence: online %v, last seen %s", d.Online, d.LastSeen)
	}
}

func TestRevokedDeviceIsNotHeard(t *testing.T) {
	w := newTestWorld(t)
	g := w.enrol(0)
	g.connect()
	g.hello(wire.State{})
	g.nextRaw(wire.KindTime)
	if err := w.store.RevokeDevice(t.Context(), g.id, time.Now()); err != nil {
		t.Fatal(err)
	}
	_ = g.client.Publish(wire.Up(g.id, wire.KindRecords), 0, false, must(json.Marshal(g.batch(1))))
	w.eventually("the connection is closed", func() bool { return !g.client.IsConnectionOpen() })
	kept, err := w.store.RecordsAfter(t.Context(), 0, 10)
	if err != nil || len(kept) != 0 {
		t.Errorf("records of a revoked device: %d, %v", len(kept), err)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestCommandIsSealedAndAnswered(t *testing.T) {
	w := newTestWorld(t)
	g, other := w.enrol(0), w.enrol(1)
	for _, x := range []*gate{g, other} {
		x.connect()
	}
	nonce := g.hello(wire.State{})
	other.hello(wire.State{})
	g.nextRaw(wire.KindTime)
	other.nextRaw(wire.KindTime)
	w.eventually("both are online", func() bool { return w.device(g).Online && w.device(other).Online })
	var last uint64
	for range 2 {
		done := make(chan wire.Result, 1)
		go func() {
			r, err := w.link.Command(t.Context(), g.id, wire.Command{Do: "test_tone"})
			if err != nil {
				t.Errorf("Command: %v", err)
			}
			done <- r
		}()
		var c wire.Command
		if _, err := seal.Open(g.nextRaw(wire.KindCommand), w.trust.DirectorKeys(), seal.Expect{Type: wire.DocCommand, Device: g.id, NowUS: wire.US(time.Now())}, &c); err != nil {
			t.Fatal(err)
		}
		if c.Do != "test_tone" || c.Nonce != nonce || c.Counter <= last || c.ID == "" || c.ExpiresUS > wire.US(time.Now().Add(5*time.Minute)) {
			t.Errorf("command = %+v", c)
		}
		last = c.Counter
		other.send(wire.KindResult, wire.Result{ID: c.ID, Text: "not mine"})
		other.send(wire.KindRecords, other.batch(1))
		other.ackUpto(1)
		g.send(wire.KindResult, wire.Result{ID: c.ID, OK: true, Text: "played"})
		if r := <-done; !r.OK || r.Text != "played" {
			t.Errorf("result = %+v", r)
		}
	}
}

func TestCommandWithoutAnswer(t *testing.T) {
	w := newTestWorld(t)
	g := w.enrol(0)
	if _, err := w.link.Command(t.Context(), g.id, wire.Command{Do: "stop"}); fleet.CodeOf(err) != fleet.Conflict {
		t.Errorf("Command to a device that is away = %v", err)
	}
	if _, err := w.link.Command(t.Context(), "d000000000000000000000000", wire.Command{Do: "stop"}); fleet.CodeOf(err) != fleet.NotFound {
		t.Errorf("Command to an unknown device = %v", err)
	}
	g.connect()
	g.hello(wire.State{})
	g.nextRaw(wire.KindTime)
	w.eventually("online", func() bool { return w.device(g).Online })
	_, err := w.link.Command(t.Context(), g.id, wire.Command{Header: wire.Header{ExpiresUS: wire.US(time.Now().Add(50 * time.Millisecond))}, Do: "stop"})
	var fe *fleet.Error
	if !errors.As(err, &fe) || fe.Text == "" {
		t.Errorf("Command without an answer = %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.link.Command(ctx, g.id, wire.Command{Do: "stop"}); !errors.Is(err, context.Canceled) {
		t.Errorf("Command with an ended context = %v", err)
	}
}

func TestLinkComesBackAfterTheBroker(t *testing.T) {
	w := newTestWorld(t)
	g := w.enrol(0)
	addr := w.broker.Addr()
	stop(t, w.broker.Stop)
	w.eventually("link has no session", func() bool { return !w.link.Connected() })
	w.startBroker(t.TempDir(), addr)
	w.eventually("link has a session again", w.link.Connected)
	g.connect()
	g.hello(wire.State{Log: testLog})
	g.send(wire.KindRecords, g.batch(1))
	g.ackUpto(1)
}

func TestStartWithoutBroker(t *testing.T) {
	w := newTestWorld(t)
	l, err := New(Options{Broker: func() string { return "127.0.0.1:1" }, Store: w.store, Trust: w.trust})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Start(); err != nil || l.Connected() {
		t.Errorf("Start = %v, connected %v", err, l.Connected())
	}
	if err := l.Start(); err == nil {
		t.Error("a second Start succeeded")
	}
	stop(t, l.Stop)
	stop(t, l.Stop)
}

// TestRetainedMessagesAreOfThePast: a broker hands them to every new session.
func TestRetainedMessagesAreOfThePast(t *testing.T) {
	w := newTestWorld(t)
	g := w.enrol(0)
	g.connect()
	g.hello(wire.State{})
	g.nextRaw(wire.KindTime)
	old := must(json.Marshal(wire.State{Session: g.session}))
	if tok := g.client.Publish(wire.Up(g.id, wire.KindState), 1, true, old); !tok.WaitTimeout(5*time.Second) || tok.Error() != nil {
		t.Fatal(tok.Error())
	}
	w.eventually("said itself offline", func() bool { return !w.device(g).Online })
	g.state(wire.State{})
	w.eventually("online again", func() bool { return w.device(g).Online })
	stop(t, w.link.Stop)
	w.startLink(Options{})
	w.eventually("the retained message was passed over", func() bool { return w.link.Stats().Refused == 1 })
	if !w.device(g).Online {
		t.Error("a retained message took the device offline")
	}
}

func TestNewRefusesBadOptions(t *testing.T) {
	var s *store.Store
	good := Options{Broker: func() string { return "" }, Store: s, Trust: sealer{}}
	if _, err := New(good); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*Options){
		"Broker":        func(o *Options) { o.Broker = nil },
		"Store":         func(o *Options) { o.Store = nil },
		"Trust":         func(o *Options) { o.Trust = nil },
		"StateInterval": func(o *Options) { o.StateInterval = -1 },
		"ClientID":      func(o *Options) { o.ClientID = "a/b" },
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

type sealer struct{}

func (sealer) OpenReceipt([]byte, wire.DeviceID) (wire.Receipt, error) { return wire.Receipt{}, nil }

func (sealer) RootVersion() uint64                                       { return 1 }
func (sealer) Heard(uint64) bool                                         { return true }
func (sealer) InForce(wire.DocType, []byte) bool                         { return true }
func (sealer) SealTime(wire.DeviceID, string, time.Time) ([]byte, error) { return nil, nil }
func (sealer) SealCommand(*wire.Command) ([]byte, error)                 { return nil, nil }

// A break is kept with its record, told to pages, and found again by whoever
// looks at the point.
func TestBreakIsKept(t *testing.T) {
	w := newTestWorld(t)
	g := w.enrol(0)
	g.connect()
	g.send(wire.KindRecords, g.batch(3))
	g.ackUpto(3)
	g.prev = strings.Repeat("0", 64)
	broken := g.batch(2)
	g.send(wire.KindRecords, broken)
	g.ackUpto(5)
	var all []fleet.Break
	w.eventually("the break is kept", func() bool {
		var err error
		if all, err = w.store.Breaks(t.Context(), g.point.ID, 0); err != nil {
			t.Fatal(err)
		}
		return len(all) > 0
	})
	if len(all) != 1 || all[0].Device != g.id || all[0].Log != testLog || all[0].Seq != 4 || all[0].Code != evidence.Chain {
		t.Errorf("breaks = %+v, want record 4", all)
	}
	if raw, err := w.store.RecordBytes(t.Context(), g.id, testLog, 4); err != nil || string(raw) != string(broken.Records[0]) {
		t.Errorf("RecordBytes = %s, %v", raw, err)
	}
	w.eventually("pages are told", func() bool { return w.eventsOf(fleet.Event{Kind: fleet.EventBroken, Point: g.point.ID}) == 1 })
}

// A device that says it lacks a receipt gets the next one with an ack, one at
// a time; one that it gives back is taken.
func TestReceiptsGoOutAndComeBack(t *testing.T) {
	w := newTestWorld(t)
	g := w.enrol(0)
	g.connect()
	g.send(wire.KindRecords, g.batch(3))
	g.ackUpto(3)
	var envelopes [][]byte
	prev := ""
	for n := uint64(1); n <= 2; n++ {
		doc := wire.Receipt{Header: wire.Header{Device: g.id, Version: n}, Log: testLog, Upto: wire.Seq(n), Hash: strings.Repeat("a", 64), Count: int64(n), Day: "2026-11-22", Prev: prev}
		envelope, err := w.trust.SealReceipt(&doc)
		if err != nil {
			t.Fatal(err)
		}
		envelopes, prev = append(envelopes, envelope), seal.Hash(envelope)
		if n == 1 { // the second one is only on the device: this office is a restored backup
			if err := w.store.AddReceipt(t.Context(), fleet.Receipt{Receipt: doc, SHA256: prev, Envelope: envelope}); err != nil {
				t.Fatal(err)
			}
		}
	}
	receipt := func(s wire.State) json.RawMessage {
		g.state(s)
		return next[wire.Ack](g, wire.KindAck).Receipt
	}
	if got := receipt(wire.State{Log: testLog, AckedSeq: 3}); string(got) != string(envelopes[0]) {
		t.Errorf("receipt for a device without one = %s", got)
	}
	body, err := json.Marshal(wire.ReceiptKept{Number: 2, Envelope: envelopes[1]})
	if err != nil {
		t.Fatal(err)
	}
	g.seq++
	raw, err := json.Marshal(wire.Record{Log: testLog, Seq: g.seq, Prev: g.prev, Kind: wire.RecordReceipt, BootID: "b", Body: body})
	if err != nil {
		t.Fatal(err)
	}
	g.send(wire.KindRecords, wire.Batch{Log: testLog, Records: []json.RawMessage{raw}})
	g.ackUpto(4)
	w.eventually("the receipt is taken back", func() bool {
		n, _, err := w.store.ReceiptHead(t.Context(), g.id)
		return err == nil && n == 2
	})
	if got := receipt(wire.State{Log: testLog, AckedSeq: 4, Receipt: 1}); string(got) != string(envelopes[1]) {
		t.Errorf("receipt for a device with the first = %s", got)
	}
	g.state(wire.State{Log: testLog, AckedSeq: 3, Receipt: 2}) // wrong about the records, so that it is answered
	if got := next[wire.Ack](g, wire.KindAck).Receipt; got != nil {
		t.Errorf("a device with both hears %s", got)
	}
}
