package ledger

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"gatecast/controller/fleet"
	"gatecast/controller/inspection"
	"gatecast/internal/wire"
)

// listened is what somebody heard, or did not, from one minute of o to another.
func listened(o fleet.Obligation, from, to int, heard bool) fleet.Observation {
	return fleet.Observation{Slot: o.Slot, Heard: heard, From: o.Start.Add(time.Duration(from) * time.Minute), To: o.Start.Add(time.Duration(to) * time.Minute)}
}

// playedAt is a whole play that began at a minute of o.
func playedAt(o fleet.Obligation, n, minute int) wire.Outcome {
	out := result(o, n, wire.PlayPlayed, "")
	out.SoundMS = out.ClipMS
	out.StartedUS = wire.US(o.Start.Add(time.Duration(minute) * time.Minute))
	return out
}

func TestDecideWeighsWhatPeopleHeard(t *testing.T) {
	t.Parallel()
	o := owed()
	length := int(o.End.Sub(o.Start).Minutes())
	late := o.End.Add(time.Hour)
	var whole []wire.Outcome
	for n := 1; n <= o.Plays; n++ {
		whole = append(whole, playedAt(o, n, (n-1)*5))
	}
	reported := DeviceView{ID: "d1", Bound: true, HasPlan: true, ReportedTo: late}
	away := DeviceView{ID: "d1", Bound: true, HasPlan: true}
	tests := []struct {
		name  string
		plays []wire.Outcome
		dev   DeviceView
		seen  []fleet.Observation
		want  fleet.Verdict
		grade fleet.Grade
	}{
		{"not_heard_while_it_played", whole, reported, []fleet.Observation{listened(o, 0, 5, false)}, fleet.Doubt, fleet.GradeC},
		{"not_heard_between_plays", whole, reported, []fleet.Observation{listened(o, 2, 4, false)}, fleet.Played, fleet.GradeB},
		{"heard_adds_nothing_to_a_device", whole, reported, []fleet.Observation{listened(o, 0, length, true)}, fleet.Played, fleet.GradeB},
		{"not_heard_outweighs_heard", whole, reported, []fleet.Observation{listened(o, 0, 5, true), listened(o, 0, 5, false)}, fleet.Doubt, fleet.GradeC},
		{"heard_does_not_undo_a_whole_journal", nil, reported, []fleet.Observation{listened(o, 0, length, true)}, fleet.Missed, fleet.NoGrade},
		{"heard_a_while_with_the_device_away", nil, away, []fleet.Observation{listened(o, 0, 5, true)}, fleet.Partial, fleet.GradeC},
		{"heard_throughout_with_the_device_away", nil, away, []fleet.Observation{listened(o, 0, length, true)}, fleet.Played, fleet.GradeC},
		{"the_same_minutes_count_once", nil, away, []fleet.Observation{listened(o, 0, 10, true), listened(o, 0, 10, true), listened(o, 0, 10, true)}, fleet.Partial, fleet.GradeC},
		{"heard_without_any_device", nil, DeviceView{}, []fleet.Observation{listened(o, 0, 5, true)}, fleet.Partial, fleet.GradeC},
		{"not_heard_settles_nothing_that_is_open", nil, away, []fleet.Observation{listened(o, 0, 5, false)}, fleet.Pending, fleet.GradeD},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := Decide(o, tt.plays, tt.dev, late, tt.seen...)
			if got.Verdict != tt.want || got.Grade != tt.grade {
				t.Errorf("%s, grade %q; want %s, grade %q", got.Verdict, got.Grade, tt.want, tt.grade)
			}
		})
	}
}

// TestObservationsNeverOutweighADevice holds Decide to its rule for any
// evidence: the order of observations does not matter, a slot of which the
// device tells is never better for them, and what is played by a person's word
// says so by its grade.
func TestObservationsNeverOutweighADevice(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		o := owed()
		var all []wire.Outcome
		for range rapid.IntRange(0, 4).Draw(rt, "n") {
			out := drawOutcome(rt, o, rapid.IntRange(1, max(1, o.Plays)).Draw(rt, "play"))
			out.StartedUS = wire.US(o.Start.Add(time.Duration(rapid.IntRange(0, 30).Draw(rt, "minute")) * time.Minute))
			all = append(all, out)
		}
		var seen []fleet.Observation
		for range rapid.IntRange(0, 4).Draw(rt, "observations") {
			from := rapid.IntRange(-5, 30).Draw(rt, "from")
			seen = append(seen, listened(o, from, from+rapid.IntRange(0, 30).Draw(rt, "for"), rapid.Bool().Draw(rt, "heard")))
		}
		dev := DeviceView{ID: "d1", Bound: rapid.Bool().Draw(rt, "bound"), HasPlan: true}
		if rapid.Bool().Draw(rt, "reported") {
			dev.ReportedTo = o.End.Add(time.Hour)
		}
		now := o.End.Add(time.Hour)
		alone, with := Decide(o, all, dev, now), Decide(o, all, dev, now, seen...)
		rand.Shuffle(len(seen), func(i, j int) { seen[i], seen[j] = seen[j], seen[i] })
		if diff := cmp.Diff(with, Decide(o, all, dev, now, seen...)); diff != "" {
			rt.Fatalf("in another order (-first +second):\n%s", diff)
		}
		if with.Verdict == fleet.Played && alone.Verdict != fleet.Played && (len(all) > 0 || with.Grade != fleet.GradeC || alone.Verdict == fleet.Missed && dev.Bound) {
			rt.Fatalf("%s (grade %q) by a person's word, %s without", with.Verdict, with.Grade, alone.Verdict)
		}
		if with.SoundMS != alone.SoundMS || with.PlaysOK != alone.PlaysOK {
			rt.Fatal("what the device reported was changed")
		}
	})
}

// TestSupervisorDowngradesARecord takes a telephone check through the desk, the
// store and the ledger: what the device says played and nobody heard is Doubt,
// as a correction, in the audit and in the sums; taking it back leaves the rest of
// the evidence.
func TestSupervisorDowngradesARecord(t *testing.T) {
	t.Parallel()
	s, points := newTestStore(t, 1)
	o := oweTest(t, s, points[0], day0.Add(time.Hour))
	now := o.End.Add(time.Hour)
	l, err := New(Options{Store: s, Witnesses: s, Clock: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	desk, err := inspection.New(s, l, time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	for n := 1; n <= o.Plays; n++ {
		send(t, s, deviceOf(points[0]), now, record(t, wire.Seq(n), wire.RecordOutcome, o.Start, playedAt(o, n, n*5)))
	}
	if err := l.Pass(t.Context()); err != nil {
		t.Fatal(err)
	}
	stands := func(want fleet.Verdict, grade fleet.Grade) {
		t.Helper()
		is, err := s.Obligation(t.Context(), o.Point, o.Slot)
		if err != nil || is.Verdict != want || is.Grade != grade {
			t.Fatalf("%s %q, %v; want %s %q", is.Verdict, is.Grade, err, want, grade)
		}
		rows, err := s.Summary(t.Context(), fleet.SummaryQuery{From: o.Day, To: o.Day})
		var c fleet.Counts
		if c.Add(want); err != nil || len(rows) != 1 || rows[0].Counts != c {
			t.Fatalf("sums %+v, %v; want %+v", rows, err, c)
		}
	}
	stands(fleet.Played, fleet.GradeB)
	by := fleet.User{Login: "inspector", Name: "王工", Role: fleet.Supervisor}
	line := fleet.Audit{At: now, Who: by.Login, Object: "松风门"}
	check := fleet.Inspection{Key: "0123456789abcdef", At: o.Start.Add(7 * time.Minute), Listened: 5 * time.Minute, Point: o.Point, Finding: fleet.Unheard}
	if _, err := desk.Take(t.Context(), fleet.User{Login: "auditor", Role: fleet.Auditor}, check, nil, line, now); fleet.CodeOf(err) != fleet.Forbidden {
		t.Fatalf("an auditor's check: %v", err)
	}
	kept, err := desk.Take(t.Context(), by, check, nil, line, now)
	if err != nil {
		t.Fatal(err)
	}
	stands(fleet.Doubt, fleet.GradeC)
	if again, err := desk.Take(t.Context(), by, check, nil, line, now.Add(time.Minute)); err != nil || again.ID != kept.ID {
		t.Fatalf("the same form again: %+v, %v", again, err)
	}
	if sums, err := s.InspectionSums(t.Context(), day0, day0.AddDate(0, 0, 7)); err != nil || len(sums) != 1 || sums[0].Points != 1 || sums[0].Unheard != 1 {
		t.Fatalf("sums of inspections %+v, %v", sums, err)
	}
	if err := desk.Withdraw(t.Context(), by, kept, "走错了门", line, now); err != nil {
		t.Fatal(err)
	}
	stands(fleet.Played, fleet.GradeB)
	changes, err := s.Corrections(t.Context(), o.Point, o.Slot)
	if err != nil || len(changes) != 2 || changes[0].Now.Note != fleet.NoteUnheard {
		t.Fatalf("corrections %+v, %v", changes, err)
	}
	told := map[fleet.AuditCode]int{}
	lines, err := s.Audits(t.Context(), 20)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range lines {
		told[a.What]++
	}
	if told[fleet.AuditInspection] != 1 || told[fleet.AuditObserved] != 2 || told[fleet.AuditWithdrawn] != 1 {
		t.Fatalf("the audit has %v", told)
	}
}
