package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatecast/controller/fleet"
	"gatecast/controller/store"
	"gatecast/internal/wire"
)

// newTestLedger returns a ledger whose clock is *now.
func newTestLedger(t testing.TB, s Store, now *time.Time) *Ledger {
	t.Helper()
	l, err := New(Options{Store: s, Clock: func() time.Time { return *now }})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// stands is what the tests compare of an obligation.
type stands struct {
	Verdict   fleet.Verdict
	Grade     fleet.Grade
	Reason    wire.Reason
	PlaysOK   int
	Device    wire.DeviceID
	Revisions int
}

func expect(t *testing.T, s *store.Store, when string, o fleet.Obligation, want stands) {
	t.Helper()
	got, err := s.Obligation(t.Context(), o.Point, o.Slot)
	if diff := cmp.Diff(want, stands{got.Verdict, got.Grade, got.Reason, got.PlaysOK, got.Device, got.Revisions}); err != nil || diff != "" {
		t.Errorf("%s: %v (-want +got):\n%s", when, err, diff)
	}
}

func pass(t *testing.T, l *Ledger) {
	t.Helper()
	if err := l.Pass(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestOnlineDeviceIsSettledAtTheLastPlay(t *testing.T) {
	s, points := newTestStore(t, 1)
	o := oweTest(t, s, points[0], day0.Add(time.Hour))
	now := o.Start
	l := newTestLedger(t, s, &now)
	say(t, s, "d1", 0, now)
	for n := 1; n <= 3; n++ {
		expect(t, s, "before play", o, stands{Verdict: fleet.Due})
		now = now.Add(5 * time.Minute)
		send(t, s, "d1", now, record(t, wire.Seq(n), wire.RecordOutcome, now, result(o, n, wire.PlayPlayed, "")))
		pass(t, l)
	}
	expect(t, s, "after the last play", o, stands{fleet.Played, fleet.GradeB, "", 3, "d1", 0})
}

func TestOfflineDeviceIsPendingUntilItComesBack(t *testing.T) {
	s, points := newTestStore(t, 1)
	o := oweTest(t, s, points[0], day0.Add(time.Hour))
	now := o.End.Add(Grace - time.Second)
	l := newTestLedger(t, s, &now)
	say(t, s, "d1", 0, o.Start.Add(-time.Minute))
	if _, err := s.SetOffline(t.Context(), "d1", 1, o.Start); err != nil {
		t.Fatal(err)
	}
	pass(t, l)
	expect(t, s, "in grace", o, stands{Verdict: fleet.Due})
	now = now.Add(time.Second)
	pass(t, l)
	pending := stands{fleet.Pending, fleet.GradeD, "", 0, "d1", 0}
	expect(t, s, "after grace", o, pending)
	now = now.AddDate(0, 0, 9)
	pass(t, l)
	expect(t, s, "after nine days", o, pending)
	// It is back and has three records that it has not sent yet.
	say(t, s, "d1", 3, now)
	pass(t, l)
	expect(t, s, "back, not yet reported", o, pending)
	for n := 1; n <= 2; n++ {
		send(t, s, "d1", now, record(t, wire.Seq(n), wire.RecordOutcome, o.Start, result(o, n, wire.PlayPlayed, "")))
	}
	pass(t, l)
	expect(t, s, "two of three", o, stands{fleet.Pending, fleet.GradeD, "", 2, "d1", 0})
	send(t, s, "d1", now, record(t, 3, wire.RecordOutcome, o.Start, result(o, 3, wire.PlayPlayed, "")))
	pass(t, l)
	expect(t, s, "all reported", o, stands{fleet.Played, fleet.GradeB, "", 3, "d1", 0}) // no correction: it was pending
}

func TestOnlineDeviceThatPlayedNothing(t *testing.T) {
	s, points := newTestStore(t, 1)
	o := oweTest(t, s, points[0], day0.Add(time.Hour))
	now := o.End.Add(Grace)
	l := newTestLedger(t, s, &now)
	say(t, s, "d1", 0, o.End) // may still be playing the last clip
	pass(t, l)
	expect(t, s, "heard at the end only", o, stands{fleet.Pending, fleet.GradeD, "", 0, "d1", 0})
	say(t, s, "d1", 0, now)
	pass(t, l)
	expect(t, s, "heard after it", o, stands{fleet.Missed, "", wire.ReasonOther, 0, "d1", 0})
	// Better evidence, late: it is a correction.
	send(t, s, "d1", now, record(t, 1, wire.RecordOutcome, o.Start, result(o, 1, wire.PlaySkipped, wire.ReasonClipMissing)))
	pass(t, l)
	expect(t, s, "a reason", o, stands{fleet.Missed, "", wire.ReasonClipMissing, 0, "d1", 1})
	c, err := s.Corrections(t.Context(), o.Point, o.Slot)
	if err != nil || len(c) != 1 || c[0].Was.Reason != wire.ReasonOther || c[0].Now.Reason != wire.ReasonClipMissing {
		t.Errorf("Corrections = %+v, %v", c, err)
	}
}

func TestPowerCutOverASlot(t *testing.T) {
	for _, tt := range []struct {
		name   string
		boot   wire.Boot
		reason wire.Reason
	}{
		{"power", wire.Boot{}, wire.ReasonPower},
		{"program_ended", wire.Boot{SameBoot: true}, wire.ReasonExit},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, points := newTestStore(t, 1)
			o := oweTest(t, s, points[0], day0.Add(time.Hour))
			now := o.End.Add(2 * time.Hour)
			tt.boot.LastSeen = wire.US(o.Start.Add(-time.Minute))
			send(t, s, "d1", now, record(t, 1, wire.RecordBoot, now, tt.boot))
			say(t, s, "d1", 1, now)
			pass(t, newTestLedger(t, s, &now))
			expect(t, s, "after the boot", o, stands{fleet.Missed, "", tt.reason, 0, "d1", 0})
		})
	}
}

// TestPowerCutOnABoardWithoutClock is told by a board that begins every boot
// at the last time it kept: before the slot, and before it was last seen.
func TestPowerCutOnABoardWithoutClock(t *testing.T) {
	s, points := newTestStore(t, 1)
	o := oweTest(t, s, points[0], day0.Add(time.Hour))
	now := o.End.Add(2 * time.Hour)
	body, err := json.Marshal(wire.Boot{LastSeen: wire.US(o.Start.Add(-time.Minute))})
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range []wire.Record{
		{Kind: wire.RecordBoot, AtUS: wire.US(o.Start.Add(-10 * time.Minute)), MonoUS: 20_000_000, BootID: "b2", Body: body},
		{Kind: wire.RecordClock, AtUS: wire.US(now), MonoUS: 80_000_000, BootID: "b2", Level: wire.T1, ErrMS: 30, Body: json.RawMessage(`{"from":0,"to":1}`)},
	} {
		r.Log, r.Seq = testLog, wire.Seq(i+1)
		raw, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		send(t, s, "d1", now, raw)
	}
	say(t, s, "d1", 2, now)
	pass(t, newTestLedger(t, s, &now))
	expect(t, s, "after the boot", o, stands{fleet.Missed, "", wire.ReasonPower, 0, "d1", 0})
}

func TestReplacedDevices(t *testing.T) {
	s, points := newTestStore(t, 2)
	replaced := oweTest(t, s, points[0], day0.Add(time.Hour))
	halfway := oweTest(t, s, points[1], day0.Add(time.Hour))
	now := replaced.Start.Add(10 * time.Minute)
	send(t, s, "d2", now, record(t, 1, wire.RecordOutcome, now, result(halfway, 1, wire.PlayPlayed, "")))
	// The second gate gets another device in the middle of its slot, the
	// first one after it, unheard.
	enrol(t, s, "new2", points[1], now)
	say(t, s, "new2", 2, now)
	send(t, s, "new2", now.Add(time.Minute), record(t, 1, wire.RecordOutcome, now, result(halfway, 2, wire.PlayPlayed, "")), record(t, 2, wire.RecordOutcome, now, result(halfway, 3, wire.PlayPlayed, "")))
	now = replaced.End.Add(Grace)
	enrol(t, s, "new1", points[0], now)
	say(t, s, "new1", 0, now)
	pass(t, newTestLedger(t, s, &now))
	expect(t, s, "replaced unheard", replaced, stands{fleet.Missed, "", wire.ReasonDevice, 0, "d1", 0})
	expect(t, s, "half by each", halfway, stands{fleet.Played, fleet.GradeB, "", 3, "new2", 0})
}

func TestPointWithoutDevice(t *testing.T) {
	s, points := newTestStore(t, 1)
	o := oweTest(t, s, points[0], day0.AddDate(0, 0, 1))
	if err := s.RevokeDevice(t.Context(), "d1", day0); err != nil {
		t.Fatal(err)
	}
	now := o.End.Add(Grace)
	pass(t, newTestLedger(t, s, &now))
	expect(t, s, "nobody there", o, stands{fleet.Missed, "", wire.ReasonNotInstalled, 0, "", 0})
}

func TestPlaysThatAreNotOwedAreLeftAlone(t *testing.T) {
	s, points := newTestStore(t, 1)
	o := oweTest(t, s, points[0], day0.Add(time.Hour))
	now := o.Start
	other := o
	other.Slot = "2026-11-23.removed.noon"
	bad := o
	bad.Slot = "no day at all"
	for i, owed := range []fleet.Obligation{other, bad, o} {
		send(t, s, "d1", now, record(t, wire.Seq(i+1), wire.RecordOutcome, now, result(owed, 1, wire.PlayPlayed, "")))
	}
	pass(t, newTestLedger(t, s, &now))
	rows, err := s.Obligations(t.Context(), fleet.ObligationFilter{})
	if err != nil || len(rows) != 1 {
		t.Errorf("%d rows, %v, want the one that is owed", len(rows), err)
	}
}

// flakyStore fails every write of the ledger while down is set.
type flakyStore struct {
	*store.Store
	down bool
}

var errDown = errors.New("disk is down")

func (f *flakyStore) Settle(ctx context.Context, all []fleet.Settlement, now time.Time) ([]fleet.Obligation, error) {
	if f.down {
		return nil, errDown
	}
	return f.Store.Settle(ctx, all, now)
}

func TestRecordsAreNotForgottenWhenSettlingFails(t *testing.T) {
	s, points := newTestStore(t, 1)
	o := oweTest(t, s, points[0], day0.Add(time.Hour))
	now := o.Start
	f := &flakyStore{s, true}
	for n := 1; n <= 3; n++ {
		send(t, s, "d1", now, record(t, wire.Seq(n), wire.RecordOutcome, now, result(o, n, wire.PlayPlayed, "")))
	}
	if err := newTestLedger(t, f, &now).Pass(t.Context()); !errors.Is(err, errDown) {
		t.Fatalf("Pass = %v", err)
	}
	f.down = false
	pass(t, newTestLedger(t, f, &now)) // as after a restart
	expect(t, s, "after a restart", o, stands{fleet.Played, fleet.GradeB, "", 3, "d1", 0})
}

// TestRunSettlesByRecordsAndByTime runs on a clock of its own.
func TestRunSettlesByRecordsAndByTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, points := newTestStore(t, 2)
		base := time.Now().UTC().Truncate(time.Second)
		played, silent := oweTest(t, s, points[0], base.Add(time.Hour)), oweTest(t, s, points[1], base.Add(time.Hour))
		var settled []fleet.Obligation
		var at []time.Time
		events := map[fleet.EventKind]int{}
		l, err := New(Options{
			Store: s, OnEvent: func(e fleet.Event) { events[e.Kind]++ },
			OnSettled: func(o fleet.Obligation) { settled, at = append(settled, o), append(at, time.Now()) },
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- l.Run(ctx) }()
		time.Sleep(65 * time.Minute)
		for n := 1; n <= 3; n++ {
			send(t, s, deviceOf(points[0]), time.Now(), record(t, wire.Seq(n), wire.RecordOutcome, time.Now(), result(played, n, wire.PlayPlayed, "")))
		}
		reported := time.Now()
		l.Poke()
		l.Poke()
		time.Sleep(time.Hour)
		stop()
		if err := <-done; err != nil {
			t.Errorf("Run = %v", err)
		}
		if len(settled) != 2 || settled[0].Point != points[0] || settled[0].Verdict != fleet.Played || settled[1].Point != points[1] || settled[1].Verdict != fleet.Pending {
			t.Fatalf("settled %+v", settled)
		}
		if d := at[0].Sub(reported); d > time.Second {
			t.Errorf("a reported slot was settled after %v", d)
		}
		if d := at[1].Sub(silent.End.Add(Grace)); d < 0 || d > 16*time.Second {
			t.Errorf("a silent slot was settled %v after its grace", d)
		}
		if events[fleet.EventVerdict] != 2 || events[fleet.EventRecord] == 0 {
			t.Errorf("events %v", events)
		}
	})
}

func TestNewNeedsAStore(t *testing.T) {
	if _, err := New(Options{}); err == nil {
		t.Error("New without Store succeeded")
	}
}
