package ledger

import (
	"testing"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

func TestDecideWithLostEvidence(t *testing.T) {
	end := start.Add(30 * time.Minute)
	late := end.Add(Grace)
	lost := func(from, to time.Time) []Unclear { return []Unclear{{from, to, wire.ReasonLost}} }
	other := []Unclear{{start.Add(-time.Hour), time.Time{}, wire.ReasonReplanned}}
	off := []Outage{{start.Add(-time.Hour), late, wire.ReasonPower}}
	whole := plays(1, 6, wire.PlayPlayed, "", 27000)
	type want struct {
		Verdict fleet.Verdict
		Grade   fleet.Grade
		Reason  wire.Reason
	}
	tests := []struct {
		name     string
		outcomes []wire.Outcome
		reported bool
		gone     bool
		outages  []Outage
		unclear  []Unclear
		want     want
	}{
		{"all_plays_lost", nil, true, false, nil, lost(start.Add(-time.Minute), late), want{fleet.Doubt, fleet.GradeD, wire.ReasonLost}},
		{"some_plays_lost", whole[:4], true, false, nil, lost(start.Add(20*time.Minute), late), want{fleet.Doubt, fleet.GradeD, wire.ReasonLost}},
		{"enough_is_here", whole[:5], true, false, nil, lost(start.Add(20*time.Minute), late), want{fleet.Played, fleet.GradeB, ""}},
		{"nothing_unaccounted_for", plays(1, 6, wire.PlaySkipped, wire.ReasonClock, 0), true, false, nil, lost(start, late), want{fleet.Missed, "", wire.ReasonClock}},
		{"lost_after_the_slot", nil, true, false, nil, lost(late, late.Add(time.Hour)), want{fleet.Missed, "", wire.ReasonOther}},
		{"lost_before_the_slot", nil, true, false, nil, lost(start.Add(-time.Hour), start), want{fleet.Missed, "", wire.ReasonOther}},
		{"more_may_come", nil, false, false, nil, lost(start, late), want{fleet.Pending, fleet.GradeD, ""}},
		{"replaced_and_lost", nil, false, true, nil, lost(start, late), want{fleet.Doubt, fleet.GradeD, wire.ReasonLost}},
		{"without_power_through_the_slot", nil, true, false, off, lost(start.Add(-time.Hour), late), want{fleet.Missed, "", wire.ReasonPower}},
		{"without_power_for_a_part", nil, true, false, []Outage{{start.Add(10 * time.Minute), late, wire.ReasonPower}}, lost(start, late), want{fleet.Doubt, fleet.GradeD, wire.ReasonLost}},
		{"another_plan_and_not_a_word", nil, true, false, nil, other, want{fleet.Doubt, fleet.GradeD, wire.ReasonReplanned}},
		{"another_plan_with_the_same_slot", plays(1, 2, wire.PlaySkipped, wire.ReasonClock, 0), true, false, nil, other, want{fleet.Missed, "", wire.ReasonClock}},
		{"another_plan_without_power", nil, true, false, off, other, want{fleet.Missed, "", wire.ReasonPower}},
		{"another_plan_later", nil, true, false, nil, []Unclear{{late, time.Time{}, wire.ReasonReplanned}}, want{fleet.Missed, "", wire.ReasonOther}},
		{"another_plan_and_lost", nil, true, false, nil, append(other[:1:1], lost(start, late)...), want{fleet.Doubt, fleet.GradeD, wire.ReasonLost}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dev := DeviceView{ID: "d1", Bound: true, HasPlan: true, Gone: tt.gone, Outages: tt.outages, Unclear: tt.unclear}
			if tt.reported {
				dev.ReportedTo = late
			}
			d := Decide(owed(), tt.outcomes, dev, late.Add(time.Hour))
			if got := (want{d.Verdict, d.Grade, d.Reason}); got != tt.want {
				t.Errorf("Decide = %+v, want %+v", got, tt.want)
			}
		})
	}
}

// TestLostRecordsSettleTheirSlot: a hole keeps a slot pending until the device
// says that nobody has those records any more; then it is settled, truly, and
// what turns up after all is a correction.
func TestLostRecordsSettleTheirSlot(t *testing.T) {
	s, points := newTestStore(t, 1)
	o := oweTest(t, s, points[0], day0.Add(time.Hour))
	now := o.Start
	l := newTestLedger(t, s, &now)
	send(t, s, "d1", now, record(t, 1, wire.RecordBoot, o.Start.Add(-time.Minute), wire.Boot{}))
	send(t, s, "d1", now, record(t, 8, wire.RecordClock, o.End, wire.ClockStep{}))
	now = o.End.Add(Grace)
	say(t, s, "d1", 8, now)
	pass(t, l)
	expect(t, s, "with a hole", o, stands{fleet.Pending, fleet.GradeD, "", 0, "d1", 0})
	send(t, s, "d1", now, record(t, 9, wire.RecordGap, now, wire.Gap{Log: testLog, First: 2, Last: 7, Why: "corrupt"}))
	now = now.Add(time.Minute)
	say(t, s, "d1", 9, now)
	pass(t, l)
	expect(t, s, "after the gap record", o, stands{fleet.Doubt, fleet.GradeD, wire.ReasonLost, 0, "d1", 0})
	for n := 1; n <= 3; n++ {
		send(t, s, "d1", now, record(t, wire.Seq(2*n), wire.RecordOutcome, o.Start.Add(time.Minute), result(o, n, wire.PlayPlayed, "")))
	}
	pass(t, l)
	expect(t, s, "after they turned up", o, stands{fleet.Played, fleet.GradeB, "", 3, "d1", 1})
}

// TestOlderJournalKeepsItsSlotsPending: after a restore the present journal may
// be here whole while one before it is not.
func TestOlderJournalKeepsItsSlotsPending(t *testing.T) {
	s, points := newTestStore(t, 1)
	o := oweTest(t, s, points[0], day0.Add(time.Hour))
	now := o.End.Add(Grace)
	l := newTestLedger(t, s, &now)
	st := wire.State{Session: 1, Online: true, PlanVersion: 1, Log: "present", LastSeq: 0, Older: []wire.LogState{{Log: testLog, Last: 3, Acked: 3}}}
	if _, err := s.SaveHello(t.Context(), "d1", wire.Hello{Session: 1, State: st}, now); err != nil {
		t.Fatal(err)
	}
	pass(t, l)
	expect(t, s, "before it is delivered again", o, stands{fleet.Pending, fleet.GradeD, "", 0, "d1", 0})
	for n := 1; n <= 3; n++ {
		send(t, s, "d1", now, record(t, wire.Seq(n), wire.RecordOutcome, o.Start.Add(time.Minute), result(o, n, wire.PlayFailed, wire.ReasonDevice)))
	}
	pass(t, l)
	expect(t, s, "after it was delivered again", o, stands{fleet.Missed, "", wire.ReasonDevice, 0, "d1", 0})
}

// TestSlotOfTwoDevices is a rebinding in the middle of a slot: what both
// played counts, in whichever order it is delivered.
func TestSlotOfTwoDevices(t *testing.T) {
	s, points := newTestStore(t, 1)
	o := oweTest(t, s, points[0], day0.Add(time.Hour))
	now := o.Start.Add(10 * time.Minute)
	l := newTestLedger(t, s, &now)
	say(t, s, "d1", 2, now)
	enrol(t, s, "d9", points[0], now)
	at := now.Add(5 * time.Minute)
	now = o.End.Add(Grace)
	sendOf(t, s, "d9", "other", now, recordOf(t, "other", 1, wire.RecordOutcome, at, result(o, 3, wire.PlayPlayed, "")))
	sayOf(t, s, "d9", "other", 1, now)
	pass(t, l)
	expect(t, s, "before the old one delivers", o, stands{fleet.Partial, fleet.GradeB, wire.ReasonOther, 1, "d9", 0})
	for n := 1; n <= 2; n++ {
		send(t, s, "d1", now, record(t, wire.Seq(n), wire.RecordOutcome, o.Start.Add(time.Minute), result(o, n, wire.PlayPlayed, "")))
	}
	pass(t, l)
	expect(t, s, "after it did", o, stands{fleet.Played, fleet.GradeB, "", 3, "d9", 1})
}
