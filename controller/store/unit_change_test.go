package store

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatecast/controller/fleet"
)

// weeks settles a morning of every day of a week at each point.
func weeks(t testing.TB, s *Store, points []fleet.Point, from time.Time) {
	t.Helper()
	win := fleet.PlanWindow{From: from.Add(-time.Hour), To: from.AddDate(0, 0, 7)}
	var owed []fleet.Obligation
	for _, p := range points {
		win.Points = append(win.Points, p.ID)
		for d := range 7 {
			owed = append(owed, owe(p.ID, "morning", "早", from.AddDate(0, 0, d)))
		}
	}
	if _, err := s.PutObligations(t.Context(), win, owed, from.Add(-30*time.Minute)); err != nil {
		t.Fatal(err)
	}
	var done []fleet.Settlement
	for i, o := range owed {
		v := fleet.Played
		if i%3 == 0 {
			v = fleet.Missed
		}
		done = append(done, fleet.Settlement{Point: o.Point, Day: o.Day, Slot: o.Slot, Verdict: v})
	}
	if _, err := s.Settle(t.Context(), done, from.AddDate(0, 0, 8)); err != nil {
		t.Fatal(err)
	}
}

// report is what a period says of every unit, by itself and with all below it.
func report(t testing.TB, s *Store, from, to fleet.Day) map[string]any {
	t.Helper()
	units, err := s.Units(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]any{}
	for _, u := range append(units, fleet.Unit{}) {
		for _, by := range [][]fleet.Grouping{{fleet.ByUnit}, {fleet.ByUnit, fleet.ByCompound, fleet.ByDay}, {fleet.ByPoint}} {
			rows, err := s.Summary(t.Context(), fleet.SummaryQuery{From: from, To: to, Unit: u.ID, By: by})
			if err != nil {
				t.Fatal(err)
			}
			if len(rows) > 0 {
				all[fmt.Sprint(u.Code, by)] = rows
			}
		}
		rows, err := s.Obligations(t.Context(), fleet.ObligationFilter{From: from, To: to, Unit: u.ID})
		if err != nil {
			t.Fatal(err)
		}
		if len(rows) > 0 {
			all[u.Code+" rows"] = rows
		}
	}
	return all
}

func unitsByCode(t testing.TB, s *Store) map[string]fleet.Unit {
	t.Helper()
	units, err := s.Units(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	m := map[string]fleet.Unit{}
	for _, u := range units {
		m[u.Code] = u
	}
	return m
}

func TestUnitChangesLeaveThePastAsItWas(t *testing.T) {
	day := fleet.Day("2026-11-23")
	tests := []struct {
		name   string
		change func(map[string]fleet.Unit, []fleet.Compound) fleet.UnitChange
		after  string // unit of the first gate afterwards
	}{
		{"move", func(u map[string]fleet.Unit, _ []fleet.Compound) fleet.UnitChange {
			return fleet.UnitChange{Kind: fleet.UnitMove, Unit: u["SF"].ID, Target: u["WH"].ID}
		}, "SF"},
		{"merge", func(u map[string]fleet.Unit, _ []fleet.Compound) fleet.UnitChange {
			return fleet.UnitChange{Kind: fleet.UnitMerge, Unit: u["SF"].ID, Target: u["WH"].ID}
		}, "WH"},
		{"split", func(u map[string]fleet.Unit, c []fleet.Compound) fleet.UnitChange {
			return fleet.UnitChange{Kind: fleet.UnitSplit, Unit: u["SF"].ID, Target: u["WH"].ID, Share: fleet.UnitShare{Compounds: []fleet.CompoundID{c[0].ID}}}
		}, "WH"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			onEach(t, func(t *testing.T, s *Store) {
				gates := importTest(t, s, 2)
				horn, err := s.PointByCode(t.Context(), "WH-01")
				if err != nil {
					t.Fatal(err)
				}
				weeks(t, s, append(gates, horn), t0.AddDate(0, 0, -7))
				before := report(t, s, "2026-11-16", "2026-11-22")
				sealed, err := s.Publish(t.Context(), fleet.Publication{From: "2026-11-16", To: "2026-11-22", At: t0, By: "supervisor"})
				if err != nil {
					t.Fatal(err)
				}
				was, err := s.Published(t.Context(), sealed.ID)
				if err != nil {
					t.Fatal(err)
				}
				compounds, err := s.Compounds(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				c := tt.change(unitsByCode(t, s), compounds)
				c.Day, c.At, c.By = day, t0, "clerk"
				if _, err := s.AddUnitChange(t.Context(), c, day); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(before, report(t, s, "2026-11-16", "2026-11-22")); diff != "" {
					t.Errorf("the week before (-before +after):\n%s", diff)
				}
				if now, err := s.Published(t.Context(), sealed.ID); err != nil || !cmp.Equal(was, now) {
					t.Errorf("what was published differs: %v\n%s", err, cmp.Diff(was, now))
				}
				units := unitsByCode(t, s)
				if p, err := s.Point(t.Context(), gates[0].ID); err != nil || p.Unit != units[tt.after].ID {
					t.Errorf("point = %+v, %v, want in %s", p, err, tt.after)
				}
				// From now on WH has it, by itself or below it.
				weeks(t, s, gates, t0)
				rows, err := s.Summary(t.Context(), fleet.SummaryQuery{From: day, To: "2026-11-29", Unit: units["WH"].ID})
				if err != nil || len(rows) != 1 || rows[0].Counts.Owed != 14 {
					t.Errorf("the week after = %+v, %v, want 14 owed under WH", rows, err)
				}
				// Whole months are read from their sums, but for the one of the change.
				for code, u := range units {
					owed, err := s.Obligations(t.Context(), fleet.ObligationFilter{From: "2026-10-01", To: "2026-12-31", Unit: u.ID})
					if err != nil {
						t.Fatal(err)
					}
					for _, by := range [][]fleet.Grouping{nil, {fleet.ByPoint}, {fleet.ByCompound}} {
						rows, err := s.Summary(t.Context(), fleet.SummaryQuery{From: "2026-10-01", To: "2026-12-31", Unit: u.ID, By: by})
						sum := 0
						for _, r := range rows {
							sum += r.Counts.Owed
						}
						if err != nil || sum != len(owed) {
							t.Errorf("three months of %s by %v sum up to %d, %v, want %d", code, by, sum, err, len(owed))
						}
					}
				}
				if err := s.Check(t.Context()); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestMergeClosesTheUnitAndKeepsItsPeople(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		importTest(t, s, 1)
		applyTest(t, s, newcomers())
		units := unitsByCode(t, s)
		c := fleet.UnitChange{Kind: fleet.UnitMerge, Unit: units["QH"].ID, Target: units["SF"].ID, Day: "2026-11-23", At: t0}
		if _, err := s.AddUnitChange(t.Context(), c, "2026-11-23"); err != nil {
			t.Fatal(err)
		}
		gone := unitsByCode(t, s)["QH"]
		if gone.Listed() || gone.Successor != units["SF"].ID || gone.Parent != units["SL"].ID {
			t.Errorf("merged unit = %+v", gone)
		}
		grids, err := s.Grids(t.Context())
		if err != nil || len(grids) != 2 || grids[0].Unit != units["SF"].ID || grids[1].Unit != units["SF"].ID || grids[1].Number != 2 {
			t.Errorf("grids = %+v, %v", grids, err)
		}
		liaisons, err := s.Liaisons(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range liaisons {
			if l.Unit == gone.ID && (l.CurrentAt(t0) || l.Post == "") {
				t.Errorf("liaison of the merged unit = %+v", l)
			}
		}
		again := c
		if _, err := s.AddUnitChange(t.Context(), again, "2026-11-23"); fleet.CodeOf(err) != fleet.Invalid {
			t.Errorf("merging it again = %v", err)
		}
	})
}

func TestUnitChangesOfTomorrowWait(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		importTest(t, s, 1)
		units := unitsByCode(t, s)
		add := func(day fleet.Day) fleet.UnitChangeID {
			id, err := s.AddUnitChange(t.Context(), fleet.UnitChange{Kind: fleet.UnitMove, Unit: units["SF"].ID, Target: units["WH"].ID, Day: day, At: t0, By: "clerk"}, "2026-11-23")
			if err != nil {
				t.Fatal(err)
			}
			return id
		}
		first := add("2026-11-24")
		if err := s.CancelUnitChange(t.Context(), first, t0); err != nil {
			t.Fatal(err)
		}
		if err := s.CancelUnitChange(t.Context(), first, t0); fleet.CodeOf(err) != fleet.Conflict {
			t.Errorf("taking it back twice = %v", err)
		}
		add("2026-11-25")
		if done, err := s.CarryOutUnitChanges(t.Context(), "2026-11-24", t0.AddDate(0, 0, 1)); err != nil || len(done) != 0 {
			t.Errorf("carried out %+v, %v a day early", done, err)
		}
		done, err := s.CarryOutUnitChanges(t.Context(), "2026-11-26", t0.AddDate(0, 0, 3))
		if err != nil || len(done) != 1 {
			t.Fatalf("carried out %+v, %v", done, err)
		}
		if u := unitsByCode(t, s)["SF"]; u.Parent != units["WH"].ID {
			t.Errorf("SF is below %d", u.Parent)
		}
		all, err := s.UnitChanges(t.Context())
		if err != nil || len(all) != 2 || all[0].Done.IsZero() || all[1].Cancelled.IsZero() {
			t.Errorf("UnitChanges = %+v, %v", all, err)
		}
	})
}

func TestUnitChangeRefusals(t *testing.T) {
	s := newTestStore(t)
	importTest(t, s, 1)
	u := unitsByCode(t, s)
	good := fleet.UnitChange{Kind: fleet.UnitMove, Unit: u["SF"].ID, Target: u["WH"].ID, Day: "2026-11-23", At: t0}
	tests := []struct {
		name  string
		spoil func(*fleet.UnitChange)
	}{
		{"yesterday", func(c *fleet.UnitChange) { c.Day = "2026-11-22" }},
		{"in_two_years", func(c *fleet.UnitChange) { c.Day = "2028-11-23" }},
		{"no_day", func(c *fleet.UnitChange) { c.Day = "soon" }},
		{"no_kind", func(c *fleet.UnitChange) { c.Kind = "" }},
		{"to_itself", func(c *fleet.UnitChange) { c.Target = c.Unit }},
		{"root_below_its_child", func(c *fleet.UnitChange) { c.Unit = u["SL"].ID }},
		{"where_it_is", func(c *fleet.UnitChange) { c.Target = u["SL"].ID }},
		{"merge_of_the_root", func(c *fleet.UnitChange) { c.Kind, c.Unit = fleet.UnitMerge, u["SL"].ID }},
		{"split_of_nothing", func(c *fleet.UnitChange) { c.Kind = fleet.UnitSplit }},
		{"split_of_what_is_not_its", func(c *fleet.UnitChange) { c.Kind, c.Share.Points = fleet.UnitSplit, []fleet.PointID{99} }},
		{"unknown_unit", func(c *fleet.UnitChange) { c.Unit = 99 }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := good
			tt.spoil(&c)
			if _, err := s.AddUnitChange(t.Context(), c, "2026-11-23"); fleet.CodeOf(err) != fleet.Invalid {
				t.Errorf("AddUnitChange = %v, want code invalid", err)
			}
		})
	}
}

// Whatever moves, merges and splits in whatever order, no week before it is
// told otherwise.
func TestNoSequenceOfUnitChangesTouchesThePast(t *testing.T) {
	done := 0
	for seed := range uint64(5) {
		r := rand.New(rand.NewPCG(seed, 20261123))
		s := newTestStore(t)
		gates := importTest(t, s, 2)
		applyTest(t, s, newcomers())
		all, err := s.Points(t.Context(), fleet.PointFilter{})
		if err != nil || len(all) != len(gates)+2 {
			t.Fatal(err)
		}
		kept := map[string]map[string]any{}
		for week := range 3 {
			monday := t0.AddDate(0, 0, 7*week)
			from, to := fleet.Day(monday.Format(time.DateOnly)), fleet.Day(monday.AddDate(0, 0, 6).Format(time.DateOnly))
			weeks(t, s, all, monday)
			kept[string(from)] = report(t, s, from, to)
			units, err := s.Units(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			next := monday.AddDate(0, 0, 7)
			for range 4 {
				c := fleet.UnitChange{
					Kind: []fleet.UnitChangeKind{fleet.UnitMove, fleet.UnitMerge, fleet.UnitSplit}[r.IntN(3)],
					Unit: units[r.IntN(len(units))].ID, Target: units[r.IntN(len(units))].ID,
					Share: fleet.UnitShare{Points: []fleet.PointID{all[r.IntN(len(all))].ID}},
					Day:   fleet.Day(next.Format(time.DateOnly)), At: next,
				}
				switch _, err := s.AddUnitChange(t.Context(), c, c.Day); {
				case err == nil:
					done++
				case fleet.CodeOf(err) != fleet.Invalid:
					t.Fatal(err)
				}
			}
			for day, before := range kept {
				monday, _ := time.Parse(time.DateOnly, day)
				if diff := cmp.Diff(before, report(t, s, fleet.Day(day), fleet.Day(monday.AddDate(0, 0, 6).Format(time.DateOnly)))); diff != "" {
					t.Fatalf("seed %d, week of %s (-before +after):\n%s", seed, day, diff)
				}
			}
		}
	}
	if done < 10 {
		t.Errorf("only %d changes were possible: the test says little", done)
	}
}
