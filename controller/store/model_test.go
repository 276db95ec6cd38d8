package store

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// model is the ledger as a plain map with the rules written out again.
type model map[fleet.PointID]map[wire.SlotID]fleet.Obligation

func (m model) plan(win fleet.PlanWindow, want []fleet.Obligation, now time.Time) {
	for _, p := range win.Points {
		for slot, o := range m[p] {
			future := o.Start.After(now) && !o.Start.Before(win.From) && o.Start.Before(win.To)
			if future && (o.Verdict == fleet.Due || o.Verdict == fleet.Exempt) {
				delete(m[p], slot)
			}
		}
	}
	for _, w := range want {
		if _, there := m[w.Point][w.Slot]; !there && w.Start.After(now) {
			m[w.Point][w.Slot] = w
		}
	}
}

func (m model) settle(st fleet.Settlement) {
	o, ok := m[st.Point][st.Slot]
	if !ok || o.Verdict == fleet.Exempt || st.Verdict == fleet.Pending && o.Verdict != fleet.Due && o.Verdict != fleet.Pending {
		return
	}
	o.Verdict, o.Demo = st.Verdict, o.Demo || st.Demo
	m[st.Point][st.Slot] = o
}

// TestLedgerMatchesModel plans, settles and lets time pass at random, and
// compares rows and every kind of sum with the model; the sums must equal
// what is owed at each step.
func TestLedgerMatchesModel(t *testing.T) {
	s := newTestStore(t)
	var ids []fleet.PointID
	for _, p := range importTest(t, s, 3) {
		ids = append(ids, p.ID)
	}
	if _, err := s.w.conn.ExecContext(t.Context(), "PRAGMA synchronous = OFF"); err != nil { // hundreds of commits, and none is to survive
		t.Fatal(err)
	}
	rapid.Check(t, func(rt *rapid.T) {
		m := model{}
		for _, p := range ids {
			m[p] = map[wire.SlotID]fleet.Obligation{}
		}
		_, err := change(t.Context(), s, func(t *tx) (none, error) {
			for _, table := range []string{"obligations", "corrections", "rollup", "sums", "point_months", "reasons"} {
				if _, err := t.exec("DELETE FROM " + table); err != nil {
					return none{}, err
				}
			}
			return none{}, nil
		})
		if err != nil {
			rt.Fatal(err)
		}
		now := t0
		for range rapid.IntRange(1, 12).Draw(rt, "steps") {
			switch rapid.IntRange(0, 2).Draw(rt, "what") {
			case 0:
				win, want := drawPlan(rt, ids, now)
				m.plan(win, want, now)
				if _, err := s.PutObligations(t.Context(), win, want, now); err != nil {
					rt.Fatal(err)
				}
			case 1:
				var all []fleet.Settlement
				owed := m[rapid.SampledFrom(ids).Draw(rt, "point")]
				for _, slot := range slices.Sorted(maps.Keys(owed)) {
					o := owed[slot]
					st := fleet.Settlement{Point: o.Point, Slot: o.Slot, Demo: rapid.Bool().Draw(rt, "demo"),
						Reason: rapid.SampledFrom([]wire.Reason{"", wire.ReasonPower, wire.ReasonOther}).Draw(rt, "reason"), Grade: rapid.SampledFrom([]fleet.Grade{"", fleet.GradeA, fleet.GradeB}).Draw(rt, "grade"),
						Verdict: rapid.SampledFrom([]fleet.Verdict{fleet.Played, fleet.Partial, fleet.Missed, fleet.Doubt, fleet.Pending}).Draw(rt, "verdict")}
					all = append(all, st)
					m.settle(st)
				}
				if _, err := s.Settle(t.Context(), all, now); err != nil {
					rt.Fatal(err)
				}
			case 2:
				now = now.Add(time.Duration(rapid.IntRange(0, 30).Draw(rt, "hours")) * time.Hour)
			}
			compare(rt, s, m)
		}
	})
}

func drawPlan(rt *rapid.T, ids []fleet.PointID, now time.Time) (fleet.PlanWindow, []fleet.Obligation) {
	days := rapid.IntRange(1, 3).Draw(rt, "days")
	midnight := now.Truncate(24 * time.Hour)
	win := fleet.PlanWindow{Points: rapid.SliceOfNDistinct(rapid.SampledFrom(ids), 1, 3, rapid.ID).Draw(rt, "points"), From: midnight, To: midnight.AddDate(0, 0, days)}
	var want []fleet.Obligation
	for _, p := range win.Points {
		for d := range days {
			for hour, key := range []string{1: "morning", 10: "evening"} {
				if key == "" {
					continue
				}
				if !rapid.Bool().Draw(rt, "owed") {
					continue
				}
				o := owe(p, key, key, midnight.AddDate(0, 0, d).Add(time.Duration(hour)*time.Hour))
				o.Verdict = fleet.Due
				if rapid.IntRange(0, 4).Draw(rt, "quiet") == 0 {
					o.Verdict = fleet.Exempt
				}
				want = append(want, o)
			}
		}
	}
	return win, want
}

func compare(rt *rapid.T, s *Store, m model) {
	type row struct {
		Verdict fleet.Verdict
		Demo    bool
	}
	ctx := rt.Context()
	want, got := map[string]row{}, map[string]row{}
	byPoint, byDay := map[fleet.PointID]fleet.Counts{}, map[fleet.Day]fleet.Counts{}
	for _, slots := range m {
		for _, o := range slots {
			want[fmt.Sprint(o.Point, o.Slot)] = row{o.Verdict, o.Demo}
			c, d := byPoint[o.Point], byDay[o.Day]
			c.Add(o.Verdict)
			d.Add(o.Verdict)
			byPoint[o.Point], byDay[o.Day] = c, d
		}
	}
	rows, err := s.Obligations(ctx, fleet.ObligationFilter{})
	if err != nil {
		rt.Fatal(err)
	}
	for _, o := range rows {
		got[fmt.Sprint(o.Point, o.Slot)] = row{o.Verdict, o.Demo}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		rt.Fatalf("rows (-model +store):\n%s", diff)
	}
	gotPoint, gotDay := map[fleet.PointID]fleet.Counts{}, map[fleet.Day]fleet.Counts{}
	var total fleet.Counts
	for _, by := range [][]fleet.Grouping{{fleet.ByPoint}, {fleet.ByDay, fleet.BySlot}, {}} {
		sums, err := s.Summary(ctx, fleet.SummaryQuery{From: "2026-01-01", To: "2027-12-31", By: by})
		if err != nil {
			rt.Fatal(err)
		}
		for _, r := range sums {
			switch {
			case slices.Contains(by, fleet.ByPoint):
				gotPoint[r.Point] = r.Counts
			case slices.Contains(by, fleet.ByDay):
				gotDay[r.Day] = gotDay[r.Day].Plus(r.Counts)
			default:
				total = r.Counts
			}
		}
	}
	if diff := cmp.Diff(byPoint, gotPoint); diff != "" {
		rt.Fatalf("by point (-model +store):\n%s", diff)
	}
	if diff := cmp.Diff(byDay, gotDay); diff != "" {
		rt.Fatalf("by day (-model +store):\n%s", diff)
	}
	if sum := total.Played + total.Partial + total.Missed + total.Doubt + total.Exempt + total.Pending + total.Due; sum != total.Owed || sum != len(want) {
		rt.Fatalf("owed %d, verdicts sum to %d, rows %d", total.Owed, sum, len(want))
	}
	if err := s.Check(ctx); err != nil {
		rt.Fatal(err)
	}
}
