package store

import (
	"cmp"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

func TestPeriodIsTakenApartIntoWholeMonths(t *testing.T) {
	day := func(d fleet.Day) int64 {
		n, err := dayNumber(d)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	run := func(from, to fleet.Day) [2]int64 { return [2]int64{day(from), day(to)} }
	tests := map[string]struct {
		from, to fleet.Day
		spans    []span
		want     period
	}{
		"a_week":            {"2026-11-16", "2026-11-22", nil, period{days: [][2]int64{run("2026-11-16", "2026-11-22")}}},
		"over_a_months_end": {"2026-11-28", "2026-12-02", nil, period{days: [][2]int64{run("2026-11-28", "2026-11-30"), run("2026-12-01", "2026-12-02")}}},
		"a_month":           {"2026-02-01", "2026-02-28", nil, period{months: []int64{day("2026-02-01")}}},
		"a_leap_february":   {"2028-02-01", "2028-02-28", nil, period{days: [][2]int64{run("2028-02-01", "2028-02-28")}}},
		"a_quarter_and_more": {"2026-06-30", "2026-10-01", nil, period{months: []int64{day("2026-07-01"), day("2026-08-01"), day("2026-09-01")},
			days: [][2]int64{run("2026-06-30", "2026-06-30"), run("2026-10-01", "2026-10-01")}}},
		"the_tree_changed_in_august": {"2026-07-01", "2026-09-30", []span{{1, firstDay, day("2026-08-15")}},
			period{months: []int64{day("2026-07-01"), day("2026-09-01")}, days: [][2]int64{run("2026-08-01", "2026-08-31")}}},
		"it_changed_between_months": {"2026-07-01", "2026-08-31", []span{{1, day("2026-08-01"), lastDay}}, period{months: []int64{day("2026-07-01"), day("2026-08-01")}}},
		"it_changed_before":         {"2026-07-01", "2026-07-31", []span{{1, day("2026-06-10"), lastDay}}, period{months: []int64{day("2026-07-01")}}},
		"backwards":                 {"2026-07-02", "2026-07-01", nil, period{}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := periodOf(day(tt.from), day(tt.to), tt.spans)
			if diff := gocmp.Diff(tt.want, got, gocmp.AllowUnexported(period{})); diff != "" {
				t.Errorf("periodOf (-want +got):\n%s", diff)
			}
		})
	}
}

// settleAtRandom owes a morning and an evening of 75 days at every point and
// settles them at random.
func settleAtRandom(t *testing.T, s *Store, points []fleet.Point, draw *rapid.T) {
	t.Helper()
	first := t0.Truncate(24*time.Hour).AddDate(0, 0, 1)
	win := fleet.PlanWindow{From: t0, To: first.AddDate(0, 0, 76)}
	var owed []fleet.Obligation
	for _, p := range points {
		win.Points = append(win.Points, p.ID)
		for d := range 75 {
			owed = append(owed, owe(p.ID, "morning", "早", first.AddDate(0, 0, d).Add(time.Hour)), owe(p.ID, "evening", "晚", first.AddDate(0, 0, d).Add(10*time.Hour)))
		}
	}
	if _, err := s.PutObligations(t.Context(), win, owed, t0); err != nil {
		t.Fatal(err)
	}
	var done []fleet.Settlement
	for _, o := range owed {
		if v := rapid.SampledFrom(append(slices.Clone(fleet.Verdicts), fleet.Due)).Draw(draw, "verdict"); v != fleet.Due {
			st := fleet.Settlement{Point: o.Point, Day: o.Day, Slot: o.Slot, Verdict: v, Demo: rapid.IntRange(0, 9).Draw(draw, "demo") == 0}
			switch v {
			case fleet.Played:
				st.Grade = rapid.SampledFrom([]fleet.Grade{fleet.GradeA, fleet.GradeB, fleet.GradeC}).Draw(draw, "grade")
			case fleet.Exempt:
				st.Reason = wire.ReasonMuted
			default:
				st.Reason = rapid.SampledFrom([]wire.Reason{wire.ReasonPower, wire.ReasonClock, wire.ReasonOther}).Draw(draw, "reason")
			}
			done = append(done, st)
		}
	}
	if _, err := s.Settle(t.Context(), done, first.AddDate(0, 0, 80)); err != nil {
		t.Fatal(err)
	}
}

// TestSumsOfAnyPeriodEqualTheRows draws ledgers, periods and filters: the seven
// counts add up to what is owed in every line of every grouping, the parts of a
// tree add up to the whole, and all of it is what the rows say.
func TestSumsOfAnyPeriodEqualTheRows(t *testing.T) {
	s := newTestStore(t)
	points := importTest(t, s, 2)
	settled := false
	rapid.Check(t, func(rt *rapid.T) {
		if anew := rapid.IntRange(0, 49).Draw(rt, "anew") == 0; anew || !settled {
			settleAtRandom(t, s, points, rt)
			settled = true
		}
		first := t0.AddDate(0, 0, rapid.IntRange(0, 80).Draw(rt, "from"))
		q := fleet.SummaryQuery{
			From: fleet.Day(first.Format(time.DateOnly)), To: fleet.Day(first.AddDate(0, 0, rapid.IntRange(0, 80).Draw(rt, "days")).Format(time.DateOnly)),
			NoDemo: rapid.Bool().Draw(rt, "no demo"), Name: rapid.SampledFrom([]string{"", "早", "晚", "夜"}).Draw(rt, "name"),
		}
		switch p := rapid.SampledFrom(points).Draw(rt, "point"); rapid.IntRange(0, 4).Draw(rt, "place") {
		case 1:
			q.Unit = p.Unit
		case 2:
			q.Unit, q.Compound = p.Unit, p.Compound
		case 3:
			q.Point = p.ID
		case 4:
			q.Points = []fleet.PointID{p.ID}
		}
		q.By = rapid.SliceOfNDistinct(rapid.SampledFrom([]fleet.Grouping{fleet.ByUnit, fleet.ByCompound, fleet.ByPoint, fleet.BySlot, fleet.ByDay, fleet.ByMonth}), 0, 3, rapid.ID).Draw(rt, "by")
		rows, err := s.Obligations(t.Context(), fleet.ObligationFilter{From: q.From, To: q.To, Unit: q.Unit, Compound: q.Compound, Point: q.Point, Points: q.Points, Name: q.Name})
		if err != nil {
			rt.Fatal(err)
		}
		if q.NoDemo {
			rows = slices.DeleteFunc(rows, func(o fleet.Obligation) bool { return o.Demo })
		}
		got, err := s.Summary(t.Context(), q)
		if err != nil {
			rt.Fatal(err)
		}
		if diff := gocmp.Diff(summed(rows, q.By), got); diff != "" {
			rt.Fatalf("Summary of %+v (-rows +got):\n%s", q, diff)
		}
		for _, r := range got {
			if c := r.Counts; c.Owed != c.Played+c.Partial+c.Missed+c.Doubt+c.Exempt+c.Pending+c.Due {
				rt.Fatalf("%+v does not add up", c)
			}
		}
		if q.Compound != 0 || q.Point != 0 || q.Points != nil {
			return
		}
		checkFigures(rt, s, q, rows)
	})
	if err := s.Check(t.Context()); err != nil {
		t.Error(err)
	}
}

// summed is Summary over rows.
func summed(rows []fleet.Obligation, by []fleet.Grouping) []fleet.SummaryRow {
	var all []fleet.SummaryRow
	for _, o := range rows {
		var k fleet.SummaryRow
		for _, g := range by {
			switch g {
			case fleet.ByUnit:
				k.Unit = o.Unit
			case fleet.ByCompound:
				k.Compound = o.Compound
			case fleet.ByPoint:
				k.Point = o.Point
			case fleet.BySlot:
				k.Name = o.Name
			case fleet.ByDay:
				k.Day = o.Day
			case fleet.ByMonth:
				k.Month = o.Day[:8] + "01"
			}
		}
		i := slices.IndexFunc(all, func(r fleet.SummaryRow) bool { r.Counts, r.Demo = fleet.Counts{}, 0; return r == k })
		if i < 0 {
			i, all = len(all), append(all, k)
		}
		all[i].Counts.Add(o.Verdict)
		if o.Demo {
			all[i].Demo++
		}
	}
	slices.SortFunc(all, func(a, b fleet.SummaryRow) int {
		for _, g := range by {
			if c := map[fleet.Grouping]int{fleet.ByUnit: cmp.Compare(a.Unit, b.Unit), fleet.ByCompound: cmp.Compare(a.Compound, b.Compound), fleet.ByPoint: cmp.Compare(a.Point, b.Point),
				fleet.BySlot: cmp.Compare(a.Name, b.Name), fleet.ByDay: cmp.Compare(a.Day, b.Day), fleet.ByMonth: cmp.Compare(a.Month, b.Month)}[g]; c != 0 {
				return c
			}
		}
		return 0
	})
	return all
}

func checkFigures(rt *rapid.T, s *Store, q fleet.SummaryQuery, rows []fleet.Obligation) {
	all, err := s.UnitFigures(rt.Context(), fleet.FiguresQuery{From: q.From, To: q.To, Unit: q.Unit, Name: q.Name, NoDemo: q.NoDemo})
	if err != nil {
		rt.Fatal(err)
	}
	want := fleet.UnitFigures{Grades: map[fleet.Grade]int{}}
	reasons, points := map[fleet.ReasonCount]int{}, map[fleet.PointID]bool{}
	for _, o := range rows {
		want.Counts.Add(o.Verdict)
		points[o.Point] = true
		if o.Demo {
			want.Demo++
		}
		if o.Verdict == fleet.Played {
			want.Grades[o.Grade]++
		} else if o.Verdict != fleet.Due {
			reasons[fleet.ReasonCount{Verdict: o.Verdict, Reason: o.Reason}]++
		}
	}
	want.Points = len(points)
	for r, n := range reasons {
		r.N = n
		want.Reasons = append(want.Reasons, r)
	}
	fleet.SortReasons(want.Reasons)
	if diff := gocmp.Diff(want, fleet.SumFigures(all)); diff != "" {
		rt.Fatalf("UnitFigures of %+v (-rows +got):\n%s", q, diff)
	}
	if !slices.IsSortedFunc(all, func(a, b fleet.UnitFigures) int { return cmp.Compare(a.Unit, b.Unit) }) {
		rt.Fatalf("UnitFigures are not by unit: %+v", all)
	}
}

// TestSlotsArePagedWhole draws filters: the pages of a list, put together, are
// the rows that the filter selects, each once.
func TestSlotsArePagedWhole(t *testing.T) {
	s := newTestStore(t)
	points := importTest(t, s, 2)
	settled := false
	rapid.Check(t, func(rt *rapid.T) {
		if !settled {
			settleAtRandom(t, s, points, rt)
			settled = true
		}
		from := t0.AddDate(0, 0, rapid.IntRange(0, 70).Draw(rt, "from"))
		q := fleet.SlotQuery{
			From: fleet.Day(from.Format(time.DateOnly)), To: fleet.Day(from.AddDate(0, 0, rapid.IntRange(0, 70).Draw(rt, "days")).Format(time.DateOnly)),
			Verdicts: rapid.SliceOfNDistinct(rapid.SampledFrom(append(slices.Clone(fleet.Verdicts), fleet.Due)), 0, 4, rapid.ID).Draw(rt, "verdicts"),
			Name:     rapid.SampledFrom([]string{"", "早"}).Draw(rt, "name"), Reason: rapid.SampledFrom([]wire.Reason{"", wire.ReasonPower}).Draw(rt, "reason"),
			Grade: rapid.SampledFrom([]fleet.Grade{"", fleet.GradeB}).Draw(rt, "grade"), NoDemo: rapid.Bool().Draw(rt, "no demo"),
		}
		switch p := rapid.SampledFrom(points).Draw(rt, "point"); rapid.IntRange(0, 3).Draw(rt, "place") {
		case 1:
			q.Unit = p.Unit
		case 2:
			q.Unit, q.Compound = p.Unit, p.Compound
		case 3:
			q.Point = p.ID
		}
		want, err := s.Obligations(t.Context(), fleet.ObligationFilter{From: q.From, To: q.To, Unit: q.Unit, Compound: q.Compound, Point: q.Point, Name: q.Name})
		if err != nil {
			rt.Fatal(err)
		}
		want = slices.DeleteFunc(want, func(o fleet.Obligation) bool {
			return len(q.Verdicts) > 0 && !slices.Contains(q.Verdicts, o.Verdict) || q.Reason != "" && o.Reason != q.Reason || q.Grade != "" && o.Grade != q.Grade || q.NoDemo && o.Demo
		})
		var got []fleet.Obligation
		q.Limit = rapid.IntRange(50, 500).Draw(rt, "limit")
		for ; ; q.Offset += q.Limit {
			page, err := s.Slots(t.Context(), q)
			if err != nil {
				rt.Fatal(err)
			}
			got = append(got, page...)
			if len(page) < q.Limit {
				break
			}
		}
		key := func(a, b fleet.Obligation) int {
			return cmp.Or(cmp.Compare(a.Point, b.Point), cmp.Compare(a.Slot, b.Slot))
		}
		slices.SortFunc(want, key)
		slices.SortFunc(got, key)
		if diff := gocmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			rt.Fatalf("Slots of %+v (-rows +got):\n%s", q, diff)
		}
	})
}
