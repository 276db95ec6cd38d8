package ledger

import (
	"encoding/json"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"gatecast/controller/fleet"
	"gatecast/controller/store"
	"gatecast/internal/wire"
)

// drawOutcome is any outcome of play n of o.
func drawOutcome(rt *rapid.T, o fleet.Obligation, n int) wire.Outcome {
	r := rapid.SampledFrom([]wire.PlayResult{wire.PlayPlayed, wire.PlayPlayed, wire.PlayPartial, wire.PlayFailed, wire.PlaySkipped, wire.PlayDoubt}).Draw(rt, "result")
	out := result(o, n, r, "")
	if r != wire.PlayPlayed {
		out.Reason = rapid.SampledFrom([]wire.Reason{"", wire.ReasonPower, wire.ReasonHash, wire.ReasonClock, wire.ReasonOther, wire.ReasonSilent, "later"}).Draw(rt, "reason")
		out.SoundMS = rapid.Int64Range(-5, 60000).Draw(rt, "sound")
	}
	out.StartedUS = rapid.Int64Range(0, 3).Draw(rt, "started")
	return out
}

// TestDecideIgnoresOrderAndRepetition holds Decide to being a function of the
// set of outcomes, with one of the known verdicts, and never more sound than
// the plays can hold.
func TestDecideIgnoresOrderAndRepetition(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		o := owed()
		o.Plays = rapid.IntRange(0, 6).Draw(rt, "plays")
		o.PlannedMS = int64(o.Plays) * 27000
		var all []wire.Outcome
		for range rapid.IntRange(0, 12).Draw(rt, "n") {
			all = append(all, drawOutcome(rt, o, rapid.IntRange(1, 6).Draw(rt, "play")))
		}
		dev := DeviceView{ID: "d1", Bound: rapid.Bool().Draw(rt, "bound"), Gone: rapid.Bool().Draw(rt, "gone"), HasPlan: rapid.Bool().Draw(rt, "plan")}
		dev.ReportedTo = o.End.Add(time.Duration(rapid.IntRange(-60, 60).Draw(rt, "reported")) * time.Minute)
		now := o.End.Add(time.Duration(rapid.IntRange(-60, 60).Draw(rt, "now")) * time.Minute)
		want := Decide(o, all, dev, now)
		again := append(append([]wire.Outcome{}, all...), all...)
		rand.Shuffle(len(again), func(i, j int) { again[i], again[j] = again[j], again[i] })
		if diff := cmp.Diff(want, Decide(o, again, dev, now)); diff != "" {
			rt.Fatalf("in another order (-first +second):\n%s", diff)
		}
		if want.SoundMS < 0 || want.SoundMS > 6*27000 {
			rt.Fatalf("sounded %d ms", want.SoundMS)
		}
		var c fleet.Counts
		if c.Add(want.Verdict); c.Due > 0 && want.Verdict != fleet.Due {
			rt.Fatalf("verdict %q is none", want.Verdict)
		}
		if want.Verdict == fleet.Due && !now.Before(o.End.Add(Grace)) {
			rt.Fatal("still due after the grace")
		}
		needsReason := want.Verdict == fleet.Missed || want.Verdict == fleet.Partial || want.Verdict == fleet.Doubt
		if needsReason != (want.Reason != "") {
			rt.Fatalf("%q has reason %q", want.Verdict, want.Reason)
		}
	})
}

// TestLedgerConverges delivers the same journals in any order, in pieces,
// more than once, with crashes of the ledger and passing time in between. In
// the end the ledger is the one that a delivery in order gives, and at every
// step the verdicts sum to what is owed.
func TestLedgerConverges(t *testing.T) {
	const gates, days = 2, 2
	s, points := newTestStore(t, gates)
	begin := day0
	rapid.Check(t, func(rt *rapid.T) {
		// Days and a journal of its own for each run, on one database.
		begin = begin.AddDate(0, 0, 10)
		first := begin
		log := wire.LogID(first.Format("20060102") + "00000000")
		var owed []fleet.Obligation
		journals := map[fleet.PointID][]json.RawMessage{}
		evidence := map[wire.SlotID]map[fleet.PointID][]wire.Outcome{}
		for d := range days {
			for _, p := range points {
				o := oweTest(t, s, p, first.AddDate(0, 0, d).Add(time.Hour))
				owed = append(owed, o)
				if evidence[o.Slot] == nil {
					evidence[o.Slot] = map[fleet.PointID][]wire.Outcome{}
				}
				for range rapid.IntRange(0, 5).Draw(rt, "records") {
					out := drawOutcome(rt, o, rapid.IntRange(1, 3).Draw(rt, "play"))
					evidence[o.Slot][p] = append(evidence[o.Slot][p], out)
					journals[p] = append(journals[p], recordOf(t, log, wire.Seq(len(journals[p])+1), wire.RecordOutcome, o.Start, out))
				}
			}
		}
		now := first
		f := &flakyStore{Store: s}
		l := newTestLedger(t, f, &now)
		for range rapid.IntRange(0, 12).Draw(rt, "steps") {
			p := rapid.SampledFrom(points).Draw(rt, "point")
			switch rapid.IntRange(0, 4).Draw(rt, "what") {
			case 0, 1:
				if j := journals[p]; len(j) > 0 {
					from := rapid.IntRange(0, len(j)-1).Draw(rt, "from")
					to := rapid.IntRange(from+1, len(j)).Draw(rt, "to")
					sendOf(t, s, deviceOf(p), log, now, j[from:to]...)
				}
			case 2:
				sayOf(t, s, deviceOf(p), log, wire.Seq(len(journals[p])), now)
			case 3:
				now = now.Add(time.Duration(rapid.IntRange(0, 20).Draw(rt, "hours")) * time.Hour)
			case 4:
				f.down = true
				_ = l.Pass(t.Context()) // what it says is not the point
				f.down = false
				l = newTestLedger(t, f, &now)
			}
			if err := l.Pass(t.Context()); err != nil {
				rt.Fatal(err)
			}
			checkSums(rt, s, first, len(owed))
		}
		now = first.AddDate(0, 0, days+1)
		for _, p := range points {
			sendOf(t, s, deviceOf(p), log, now, journals[p]...)
			sayOf(t, s, deviceOf(p), log, wire.Seq(len(journals[p])), now)
		}
		if err := l.Pass(t.Context()); err != nil {
			rt.Fatal(err)
		}
		for _, o := range owed {
			dev := DeviceView{ID: deviceOf(o.Point), Bound: true, Online: true, HasPlan: true, ReportedTo: now}
			want := Decide(o, evidence[o.Slot][o.Point], dev, now)
			got, err := s.Obligation(t.Context(), o.Point, o.Slot)
			if err != nil {
				rt.Fatal(err)
			}
			have := fleet.Settlement{Point: got.Point, Day: got.Day, Slot: got.Slot, Verdict: got.Verdict, Grade: got.Grade, Reason: got.Reason,
				Note: got.Note, PlaysOK: got.PlaysOK, SoundMS: got.SoundMS, Demo: got.Demo, Device: got.Device}
			if diff := cmp.Diff(want, have); diff != "" {
				rt.Fatalf("slot %q of %d (-in order +now):\n%s", o.Slot, o.Point, diff)
			}
			corrections, err := s.Corrections(t.Context(), o.Point, o.Slot)
			if err != nil || len(corrections) != got.Revisions {
				rt.Fatalf("%d corrections, %v, %d revisions", len(corrections), err, got.Revisions)
			}
		}
		checkSums(rt, s, first, len(owed))
	})
	if err := s.Check(t.Context()); err != nil {
		t.Error(err)
	}
}

func checkSums(rt *rapid.T, s *store.Store, first time.Time, owed int) {
	rows, err := s.Summary(rt.Context(), fleet.SummaryQuery{From: fleet.Day(first.Format(time.DateOnly)), To: fleet.Day(first.AddDate(0, 0, 9).Format(time.DateOnly))})
	if err != nil || len(rows) != 1 {
		rt.Fatalf("Summary = %+v, %v", rows, err)
	}
	c := rows[0].Counts
	if sum := c.Played + c.Partial + c.Missed + c.Doubt + c.Exempt + c.Pending + c.Due; sum != c.Owed || sum != owed {
		rt.Fatalf("owed %d, counted %+v", owed, c)
	}
}
