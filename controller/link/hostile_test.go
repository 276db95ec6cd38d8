package link

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// TestOneBadRecordNeverBlocksTheOthers sends, over the broker, batches with
// one bad record each between good ones.
func TestOneBadRecordNeverBlocksTheOthers(t *testing.T) {
	long := strings.Repeat("x", wire.MaxMessage)
	tests := []struct {
		name   string
		bad    func(seq wire.Seq) string
		number bool // its number counts as received
		code   fleet.DeadCode
	}{
		{"oversize", func(seq wire.Seq) string {
			return fmt.Sprintf(`{"log":%q,"seq":%d,"kind":"stop","body":{"why":%q}}`, testLog, seq, long)
		}, true, fleet.DeadSize},
		{"invalid_utf8", func(seq wire.Seq) string {
			return fmt.Sprintf(`{"log":%q,"seq":%d,"kind":"stop","body":{"why":"`+"\xff"+`"}}`, testLog, seq)
		}, true, fleet.DeadText},
		{"huge_number", func(wire.Seq) string {
			return fmt.Sprintf(`{"log":%q,"seq":%d,"kind":"stop","body":{}}`, testLog, uint64(1)<<63)
		}, false, fleet.DeadNumber},
		{"far_ahead", func(wire.Seq) string {
			return fmt.Sprintf(`{"log":%q,"seq":%d,"kind":"stop","body":{}}`, testLog, 1<<40)
		}, false, fleet.DeadAhead},
		{"of_another_journal", func(seq wire.Seq) string { return fmt.Sprintf(`{"log":"beef","seq":%d,"kind":"stop","body":{}}`, seq) }, true, fleet.DeadLog},
		{"taken_number_with_other_bytes", func(seq wire.Seq) string {
			return fmt.Sprintf(`{"log":%q,"seq":%d,"kind":"stop","body":{}}`, testLog, seq-1)
		}, false, fleet.DeadConflict},
	}
	w := newTestWorld(t)
	g := w.enrol(0)
	g.connect()
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := g.batch(3)
			if !tt.number { // the good ones follow each other
				b.Records = append(b.Records[:1:1], append([]json.RawMessage{nil}, b.Records[1:]...)...)
				b.Records[1] = json.RawMessage(tt.bad(g.seq - 1))
			} else {
				b.Records[1] = json.RawMessage(tt.bad(g.seq - 1))
			}
			g.sendRaw(wire.KindRecords, rawBatch(b))
			if a := g.ackUpto(g.seq); len(a.Missing) != 0 {
				t.Errorf("ack = %+v", a)
			}
			letters, err := w.store.DeadLetters(t.Context(), fleet.DeadFilter{Device: g.id})
			if err != nil || len(letters) != i+1 || letters[0].Code != tt.code {
				t.Errorf("dead letters = %+v, %v, want the newest of code %q", letters, err, tt.code)
			}
		})
	}
	g.sendRaw(wire.KindRecords, []byte(`{"log":"0011223344556677","records":[{"seq":`))
	g.send(wire.KindRecords, g.batch(1))
	g.ackUpto(g.seq)
	if letters, err := w.store.DeadLetters(t.Context(), fleet.DeadFilter{Limit: 1}); err != nil || letters[0].Code != fleet.DeadBatch {
		t.Errorf("a message cut short: %+v, %v", letters, err)
	}
	if s := w.link.Stats(); s.Broken > 12 {
		t.Errorf("%d broken links", s.Broken)
	}
}

// rawBatch encodes b without looking at its records, as a faulty device would.
func rawBatch(b wire.Batch) []byte {
	var parts []string
	for _, r := range b.Records {
		parts = append(parts, string(r))
	}
	return []byte(fmt.Sprintf(`{"log":%q,"records":[%s]}`, b.Log, strings.Join(parts, ",")))
}

// TestInventedJournalsDoNotFillTheDatabase opens journals over the broker.
func TestInventedJournalsDoNotFillTheDatabase(t *testing.T) {
	w := newTestWorld(t)
	g := w.enrol(0)
	g.connect()
	for i := range 100 {
		log := wire.LogID(fmt.Sprintf("invented-%d", i))
		g.sendRaw(wire.KindRecords, []byte(fmt.Sprintf(`{"log":%q,"records":[{"log":%q,"seq":1,"kind":"stop","body":{}}]}`, log, log)))
	}
	w.eventually("the last of them was seen", func() bool {
		c, err := w.store.DeadCounts(t.Context())
		return err == nil && len(c) == 1 && c[0].Refused > 0
	})
	other := w.enrol(1)
	other.connect()
	other.send(wire.KindRecords, other.batch(2))
	other.ackUpto(2)
	all, err := w.store.RecordsAfter(t.Context(), 0, 1000)
	if err != nil || len(all) > 70 {
		t.Errorf("%d records, %v", len(all), err)
	}
}

// TestReplacedDeviceDeliversAndGetsNothing: a device whose point got another
// one hands over what it had not delivered, on a connection that hears acks
// the time and a plan without slots, which is offered until it has it; commands
// do not reach it even when they are sent, nor does the plan of before.
func TestReplacedDeviceDeliversAndGetsNothing(t *testing.T) {
	w := newTestWorld(t)
	old := w.enrol(0)
	w.plan(1, old)
	old.connect()
	old.hello(wire.State{})
	old.nextRaw(wire.KindPlan)
	kept := old.batch(3)

	fresh := w.enrol(0)
	if d := w.device(old); d.State != fleet.DeviceRetired {
		t.Fatalf("state %q", d.State)
	}
	// Still on the connection of before: it is closed, and opened again with fewer rights.
	old.hello(wire.State{Log: testLog, LastSeq: 3})
	w.eventually("the connection is closed", func() bool { return !old.client.IsConnectionOpen() })
	old.connect()
	old.hello(wire.State{Log: testLog, LastSeq: 3})
	old.nextRaw(wire.KindTime)
	if a := next[wire.Ack](old, wire.KindAck); a.Upto != 0 {
		t.Errorf("ack = %+v before anything was delivered", a)
	}
	old.send(wire.KindRecords, kept)
	if a := old.ackUpto(3); len(a.Missing) != 0 {
		t.Errorf("ack = %+v", a)
	}
	recs, err := w.store.RecordsAfter(t.Context(), 0, 10)
	if err != nil || len(recs) != 3 || recs[0].Device != old.id || recs[0].Point != old.point.ID {
		t.Errorf("records = %+v, %v", recs, err)
	}
	// What the broker would carry if the link sent it all the same.
	if err := w.link.publish(wire.Down(old.id, wire.KindCommand), []byte(`{}`)); err != nil {
		t.Fatal(err)
	}
	old.state(wire.State{Log: testLog, LastSeq: 3, AckedSeq: 1})
	old.ackUpto(3) // published after the others
	old.nothing(wire.KindPlan)
	old.nothing(wire.KindCommand)
	empty := w.plan(2, old)[0] // as the planner makes it
	w.link.Offer(old.id)
	old.nextRaw(wire.KindPlan)
	old.state(wire.State{Log: testLog, LastSeq: 3, AckedSeq: 1, PlanVersion: 2, PlanSHA256: empty})
	old.ackUpto(3)
	old.nothing(wire.KindPlan)
	if d := w.device(old); d.PlanVersion != 2 || !d.Ready() || d.State != fleet.DeviceRetired || d.LastSeq != 0 || d.Online {
		t.Errorf("a replaced device is listened to: %+v", d)
	}
	fresh.connect()
	fresh.hello(wire.State{})
	fresh.nextRaw(wire.KindTime)

	// Revoked, it gets nothing at all.
	if err := w.store.RevokeDevice(t.Context(), old.id, time.Now()); err != nil {
		t.Fatal(err)
	}
	_ = old.client.Publish(wire.Up(old.id, wire.KindRecords), 0, false, must(json.Marshal(old.batch(1))))
	w.eventually("the revoked device is out", func() bool { return !old.client.IsConnectionOpen() })
	if recs, err := w.store.RecordsAfter(t.Context(), 0, 10); err != nil || len(recs) != 3 {
		t.Errorf("%d records, %v", len(recs), err)
	}
}

// TestOlderJournalsAreAskedForAgain: a controller that lost records of a
// journal before the present one, or never heard of it, asks for them.
func TestOlderJournalsAreAskedForAgain(t *testing.T) {
	w := newTestWorld(t)
	g := w.enrol(0)
	g.connect()
	b := g.batch(4)
	b.Records = b.Records[:2]
	g.send(wire.KindRecords, b)
	g.ackUpto(2)
	g.hello(wire.State{Log: "present", Older: []wire.LogState{{Log: "lost", Last: 9, Acked: 9}, {Log: testLog, Last: 4, Acked: 4}, {Log: testLog, Last: 2, Acked: 2}}})
	want := map[wire.LogID]wire.Seq{"present": 0, "lost": 0, testLog: 2}
	for range 3 {
		a := next[wire.Ack](g, wire.KindAck)
		if upto, ok := want[a.Log]; !ok || a.Upto != upto {
			t.Errorf("ack = %+v, want one of %v", a, want)
		}
		delete(want, a.Log)
	}
	g.nothing(wire.KindAck)
}
