package assessment

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"gatecast/controller/fleet"
	"gatecast/controller/picture"
	"gatecast/controller/store"
	"gatecast/internal/wire"
)

// now is a Monday; the slots are of the days before.
var now = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)

var (
	clerk    = fleet.User{Login: "li", Name: "李工", Role: fleet.Clerk}
	approver = fleet.User{Login: "chen", Name: "陈工", Role: fleet.Approver}
)

// world is a real store with two units, a gate each, and a missed slot on each
// of 20 days, the first of 2026-11-03.
type world struct {
	s     *store.Store
	d     *Desk
	units []fleet.UnitID
	slots [][]Pick // by unit
}

func newTestWorld(t *testing.T) *world {
	t.Helper()
	s, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "gatecast.db"), store.Options{StateDelay: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := s.ImportRegistry(t.Context(), fleet.Registry{
		Units: []fleet.UnitEntry{{Unit: fleet.Unit{Code: "SF", Type: fleet.Community, Name: "松风社区"}}, {Unit: fleet.Unit{Code: "WH", Type: fleet.Community, Name: "望河社区"}}},
		Points: []fleet.PointEntry{
			{Point: fleet.Point{Code: "SF-01", Name: "松风苑南门", Kind: fleet.Gate}, Unit: "SF"},
			{Point: fleet.Point{Code: "WH-01", Name: "望河苑南门", Kind: fleet.Gate}, Unit: "WH"},
		},
	}); err != nil {
		t.Fatal(err)
	}
	w := &world{s: s}
	first := now.Truncate(24*time.Hour).AddDate(0, 0, -20)
	win := fleet.PlanWindow{From: first, To: first.AddDate(0, 0, 20)}
	var owed []fleet.Obligation
	var done []fleet.Settlement
	for _, code := range []string{"SF-01", "WH-01"} {
		pt, err := s.PointByCode(t.Context(), code)
		if err != nil {
			t.Fatal(err)
		}
		win.Points, w.units = append(win.Points, pt.ID), append(w.units, pt.Unit)
		var picks []Pick
		for n := range 20 {
			start := first.AddDate(0, 0, n).Add(18 * time.Hour)
			day := fleet.Day(start.Format(time.DateOnly))
			id := wire.SlotID(fmt.Sprintf("%s.gates.evening", day))
			owed = append(owed, fleet.Obligation{Point: pt.ID, Slot: id, Day: day, Programme: "gates", Version: 1, Name: "晚", DayType: "workday", Start: start, End: start.Add(30 * time.Minute), Plays: 3, PlannedMS: 81_000, Unit: pt.Unit})
			done = append(done, fleet.Settlement{Point: pt.ID, Day: day, Slot: id, Verdict: fleet.Missed, Reason: wire.ReasonPower})
			picks = append(picks, Pick{pt.ID, id})
		}
		w.slots = append(w.slots, picks)
	}
	if _, err := s.PutObligations(t.Context(), win, owed, first); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Settle(t.Context(), done, now); err != nil {
		t.Fatal(err)
	}
	if w.d, err = New(Options{Book: s, Ledger: s, Places: s, Clean: picture.Clean, Zone: time.UTC}); err != nil {
		t.Fatal(err)
	}
	return w
}

// TestWeighRefusesWhatNobodyCanAnswerFor is the list of slots for which no
// points are deducted.
func TestWeighRefusesWhatNobodyCanAnswerFor(t *testing.T) {
	rule := fleet.DeductionRule{ID: 1, Code: "R", Version: 1, Points: 50, From: "2026-01-01", Verdicts: []fleet.Verdict{fleet.Missed}}
	end := now.Add(-ReportFor)
	slot := fleet.Obligation{Unit: 1, Day: "2026-11-09", Start: end.Add(-time.Hour), End: end, Verdict: fleet.Missed, Reason: wire.ReasonPower}
	away := []fleet.Outage{{Kind: fleet.OutageController, From: end.Add(-time.Minute)}}
	for name, tt := range map[string]struct {
		change func(*Evidence)
		ok     bool
	}{
		"missed":                {func(*Evidence) {}, true},
		"pending_for_14_days":   {func(e *Evidence) { e.Slot.Verdict = fleet.Pending }, true},
		"pending_a_second_less": {func(e *Evidence) { e.Slot.Verdict, e.Slot.End = fleet.Pending, end.Add(time.Second) }, false},
		"exempt":                {func(e *Evidence) { e.Slot.Verdict = fleet.Exempt }, false},
		"not_over":              {func(e *Evidence) { e.Slot.Verdict = fleet.Due }, false},
		"played":                {func(e *Evidence) { e.Slot.Verdict = fleet.Played }, false},
		"yielded":               {func(e *Evidence) { e.Slot.Reason = wire.ReasonYielded }, false},
		"urgent_took_it":        {func(e *Evidence) { e.Slot.Reason = wire.ReasonPreempted }, false},
		"office_away":           {func(e *Evidence) { e.Outages = away }, false},
		"away_with_a_record":    {func(e *Evidence) { e.Outages, e.Outcomes = away, 1 }, true},
		"away_before": {func(e *Evidence) {
			e.Outages = []fleet.Outage{{From: end.Add(-3 * time.Hour), To: end.Add(-2 * time.Hour)}}
		}, true},
		"away_and_pending": {func(e *Evidence) { e.Outages, e.Outcomes, e.Slot.Verdict = away, 1, fleet.Pending }, false},
		"other_unit":       {func(e *Evidence) { e.Slot.Unit = 2 }, false},
		"before_the_rule":  {func(e *Evidence) { e.Slot.Day = "2025-12-31" }, false},
		"deducted_before":  {func(e *Evidence) { e.Taken = true }, false},
		"demo":             {func(e *Evidence) { e.Slot.Demo = true }, false},
	} {
		t.Run(name, func(t *testing.T) {
			e := Evidence{Slot: slot}
			tt.change(&e)
			if err := Weigh(e, 1, rule, now); (err == nil) != tt.ok {
				t.Errorf("Weigh = %v", err)
			}
		})
	}
}

// TestTotalsFollowEverySequence takes drawn steps, allowed or not: the total of
// each unit is the sum of what was notified and not revoked, and no later step,
// rule or deduction changes what an earlier deduction says.
func TestTotalsFollowEverySequence(t *testing.T) {
	w := newTestWorld(t)
	round := 0 // one store serves all: each round has a rule of its own, so every slot is free again
	rapid.Check(t, func(rt *rapid.T) {
		round++
		code := fmt.Sprintf("R%05d", round)
		leaders := []fleet.User{{Login: "a", Name: "甲", Role: fleet.UnitAccount, Unit: w.units[0]}, {Login: "b", Name: "乙", Role: fleet.UnitAccount, Unit: w.units[1]}}
		version := 0
		rule := fleet.DeductionRule{}
		edit := func() {
			r, err := w.d.SaveRule(t.Context(), clerk, fleet.DeductionRule{
				Code: code, Version: version, Text: fmt.Sprintf("第 %d 版规则", version+1), Points: fleet.Hundredths(rapid.IntRange(1, 300).Draw(rt, "points")), From: "2026-01-01", Verdicts: []fleet.Verdict{fleet.Missed},
			}, now)
			if err != nil {
				rt.Fatal(err)
			}
			rule, version = r, r.Version
		}
		edit()
		made := map[fleet.DeductionID]fleet.Deduction{}
		state := map[fleet.DeductionID]fleet.DeductionState{}
		ids := []fleet.DeductionID{1 << 40} // and one that there is not
		taken := map[Pick]bool{}
		at := now
		for range rapid.IntRange(1, 8).Draw(rt, "steps") {
			at = at.Add(time.Duration(rapid.IntRange(0, 60).Draw(rt, "hours")) * time.Hour)
			id := ids[rapid.IntRange(0, len(ids)-1).Draw(rt, "deduction")]
			d, known := made[id]
			move := func(to fleet.DeductionState, err error, want bool) {
				if (err == nil) != want {
					rt.Fatalf("%s of %d, which is %q: %v", to, id, state[id], err)
				}
				if err == nil {
					state[id] = to
				}
			}
			switch what := rapid.SampledFrom([]string{"edit", "propose", "propose", "notify", "notify", "appeal", "upheld", "revoked"}).Draw(rt, "step"); what {
			case "edit":
				edit()
			case "propose":
				u := rapid.IntRange(0, 1).Draw(rt, "unit")
				k := w.slots[u][rapid.IntRange(0, 19).Draw(rt, "slot")]
				d, err := w.d.Propose(t.Context(), clerk, Proposal{Unit: w.units[u], Rule: rule.ID, Slots: []Pick{k}}, at)
				if (err != nil) != taken[k] {
					rt.Fatalf("slot %v, taken %v: %v", k, taken[k], err)
				}
				if err == nil {
					taken[k], made[d.ID], state[d.ID], ids = true, d, d.State, append(ids, d.ID)
				}
			case "notify":
				is, err := w.d.Notify(t.Context(), clerk, id, 3, at)
				move(fleet.DeductionNotified, err, known && state[id] == fleet.DeductionDraft)
				if err == nil {
					d.Deadline = is.Deadline
					made[id] = d
				}
			case "appeal":
				who := leaders[rapid.IntRange(0, 1).Draw(rt, "leader")]
				open := state[id] == fleet.DeductionNotified || state[id] == fleet.DeductionAppealed
				_, err := w.d.Appeal(t.Context(), who, id, "当晚停电。", nil, at)
				move(fleet.DeductionAppealed, err, known && open && who.Unit == d.Unit && at.Before(d.Deadline))
			default:
				to := fleet.DeductionState(what)
				by := rapid.SampledFrom([]fleet.User{clerk, approver}).Draw(rt, "who")
				_, err := w.d.Decide(t.Context(), by, id, to, "理由充分", at)
				draft := state[id] == fleet.DeductionDraft
				early := state[id] == fleet.DeductionNotified && to == fleet.DeductionUpheld && at.Before(d.Deadline)
				move(to, err, known && state[id].May(to) && (by.Login == clerk.Login) == draft && !early)
				if err == nil && draft { // dropped before anybody was told: the slot is free again
					taken[Pick{d.Proofs[0].Point, d.Proofs[0].Slot}] = false
				}
			}
		}
		want := map[fleet.UnitID]fleet.Hundredths{}
		for id, d := range made {
			if s := state[id]; s == fleet.DeductionNotified || s == fleet.DeductionAppealed || s == fleet.DeductionUpheld {
				want[d.Unit] += d.Points
			}
			is, err := w.s.DeductionFile(t.Context(), id)
			if err != nil {
				rt.Fatal(err)
			}
			if diff := cmp.Diff([]any{d.Rule, d.Points, d.Proofs, d.Unit, d.Day}, []any{is.Rule, is.Points, is.Proofs, is.Unit, is.Day}); diff != "" || is.State != state[id] {
				rt.Fatalf("deduction %d, %s, want %s, changed (-made +now):\n%s", id, is.State, state[id], diff)
			}
		}
		all, _, err := w.s.Deductions(t.Context(), fleet.DeductionFilter{Query: code})
		if err != nil || len(all) != len(made) {
			rt.Fatalf("%d deductions of %d: %v", len(all), len(made), err)
		}
		for _, total := range fleet.DeductionTotals(all) {
			if total.Points != want[total.Unit] {
				rt.Fatalf("unit %d: %s, want %s", total.Unit, total.Points, want[total.Unit])
			}
		}
	})
}
