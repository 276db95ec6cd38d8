package store

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"gatecast/controller/fleet"
)

// BenchmarkYear measures what the pages ask of a year of a whole city: 10,000
// points with three slots a day are 10,950,000 rows. Loading them takes minutes
// and about 4 GB of disk, so it runs on request only:
//
//	GATECAST_YEAR_POINTS=10000 go test ./controller/store -run '^$' -bench Year -benchtime 5x -timeout 3h
func BenchmarkYear(b *testing.B) {
	points, err := strconv.Atoi(os.Getenv("GATECAST_YEAR_POINTS"))
	if err != nil || points < 100 {
		b.Skip("GATECAST_YEAR_POINTS is not set: it says how many points to load a year of")
	}
	s := newTestStore(b)
	unit, compound := loadYear(b, s, points)
	year := fleet.SummaryQuery{From: "2025-11-24", To: "2026-11-23"}
	with := func(change func(*fleet.SummaryQuery), by ...fleet.Grouping) func() (int, error) {
		q := year
		change(&q)
		q.By = by
		return func() (int, error) {
			rows, err := s.Summary(b.Context(), q)
			return len(rows), err
		}
	}
	all, one := func(*fleet.SummaryQuery) {}, func(q *fleet.SummaryQuery) { q.Unit = unit }
	open := []fleet.Verdict{fleet.Missed, fleet.Partial, fleet.Doubt, fleet.Pending}
	slots := func(q fleet.SlotQuery) func() (int, error) {
		q.From, q.To, q.Limit = year.From, year.To, 100
		return func() (int, error) {
			rows, err := s.Slots(b.Context(), q)
			return len(rows), err
		}
	}
	for _, bb := range []struct {
		name string
		ask  func() (int, error)
	}{
		{"year_by_unit_month_slot", with(all, fleet.ByUnit, fleet.ByMonth, fleet.BySlot)},
		{"calendar_year_total", with(func(q *fleet.SummaryQuery) { q.From, q.To = "2026-01-01", "2026-12-31" })},
		{"year_of_a_unit_by_compound", with(one, fleet.ByCompound)},
		{"year_of_a_unit_by_point", with(one, fleet.ByPoint)},
		{"year_of_a_compound_by_point", with(func(q *fleet.SummaryQuery) { q.Unit, q.Compound = unit, compound }, fleet.ByPoint)},
		{"month_by_unit_day_slot", with(func(q *fleet.SummaryQuery) { q.From, q.To = "2026-10-01", "2026-10-31" }, fleet.ByUnit, fleet.ByDay, fleet.BySlot)},
		{"week_by_unit_day_slot", with(func(q *fleet.SummaryQuery) { q.From, q.To = "2026-11-16", "2026-11-22" }, fleet.ByUnit, fleet.ByDay, fleet.BySlot)},
		{"year_list_missed_first_page", slots(fleet.SlotQuery{Verdicts: open})},
		{"year_list_missed_tenth_page", slots(fleet.SlotQuery{Verdicts: open, Offset: 900})},
		{"year_list_missed_of_a_unit", slots(fleet.SlotQuery{Verdicts: open, Unit: unit})},
		{"year_list_all", slots(fleet.SlotQuery{})},
		{"month_figures_of_all_units", func() (int, error) {
			f, err := s.UnitFigures(b.Context(), fleet.FiguresQuery{From: "2026-10-01", To: "2026-10-31"})
			return len(f), err
		}},
		{"year_figures_of_a_unit", func() (int, error) {
			f, err := s.UnitFigures(b.Context(), fleet.FiguresQuery{From: year.From, To: year.To, Unit: unit})
			return len(f), err
		}},
		{"year_reasons_of_all_units", func() (int, error) {
			from, to, err := bounds(year.From, year.To)
			if err != nil {
				return 0, err
			}
			query, args := reasonsOf(fleet.FiguresQuery{}, nil, periodOf(from, to, nil))
			rows, err := list(b.Context(), s, "figures", scanReasons, query, args...)
			return len(rows), err
		}},
	} {
		b.Run(bb.name, func(b *testing.B) {
			n := 0
			for b.Loop() {
				var err error
				if n, err = bb.ask(); err != nil {
					b.Fatal(err)
				}
			}
			if n == 0 {
				b.Error("the answer is empty")
			}
			b.ReportMetric(b.Elapsed().Seconds()*1000/float64(b.N), "ms/page")
			b.ReportMetric(float64(n), "lines")
		})
	}
}

// loadYear fills a year of so many points, 100 communities of ten compounds
// each, straight into the tables, and makes the sums as the migration does. It
// returns one community and one of its compounds.
func loadYear(b *testing.B, s *Store, points int) (unit fleet.UnitID, compound fleet.CompoundID) {
	b.Helper()
	ctx := b.Context()
	r := fleet.Registry{Units: []fleet.UnitEntry{{Unit: fleet.Unit{Type: fleet.Subdistrict, Code: "SL", Name: "示例街道", ShortName: "示例"}}}}
	for i := range points {
		u, c := fmt.Sprintf("C%03d", i%100), fmt.Sprintf("小区%d", i/100%10)
		if i < 100 {
			r.Units = append(r.Units, fleet.UnitEntry{Parent: "SL", Unit: fleet.Unit{Type: fleet.Community, Code: u, Name: "第" + u + "社区", ShortName: u}})
		}
		if i < 1000 {
			r.Compounds = append(r.Compounds, fleet.CompoundEntry{Unit: u, Compound: fleet.Compound{Name: c}})
		}
		r.Points = append(r.Points, fleet.PointEntry{Unit: u, Compound: c, Point: fleet.Point{Code: fmt.Sprintf("P-%05d", i), Name: fmt.Sprintf("%d号门", i), Kind: fleet.Gate, ActiveFrom: t0}})
	}
	if err := s.ImportRegistry(ctx, r); err != nil {
		b.Fatal(err)
	}
	run := func(query string, args ...any) {
		b.Helper()
		if _, err := s.w.conn.ExecContext(ctx, query, args...); err != nil {
			b.Fatalf("%.60s: %v", query, err)
		}
	}
	run("PRAGMA synchronous = OFF")
	for i, key := range []string{"morning", "noon", "evening"} {
		run(`INSERT INTO slots (id, suffix, programme) VALUES (?, ?, 'gates')`, i+1, "gates."+key)
	}
	last, err := dayNumber("2026-11-23")
	if err != nil {
		b.Fatal(err)
	}
	start := time.Now()
	for low := 0; low < points; low += 500 {
		run(`WITH RECURSIVE d(day) AS (SELECT ?1 UNION ALL SELECT day + 1 FROM d WHERE day < ?2)
INSERT INTO obligations (point_id, day, slot_id, unit_id, compound_id, version, name, day_type, start_us, end_us, plays, planned_ms, demo, verdict, grade, reason, plays_ok, sound_ms, settled_us, device)
SELECT p.id, d.day, s.id, p.unit_id, p.compound_id, 1, substr('早中晚', s.id, 1), 'workday', (d.day * 86400 + s.id * 21600) * 1000000, (d.day * 86400 + s.id * 21600 + 1800) * 1000000, 6, 162000, 0,
  CASE WHEN ((p.id * 7919 + d.day * 104729 + s.id * 31337) % 1000) < 920 THEN 'played' WHEN ((p.id * 7919 + d.day * 104729 + s.id * 31337) % 1000) < 935 THEN 'partial' WHEN ((p.id * 7919 + d.day * 104729 + s.id * 31337) % 1000) < 955 THEN 'missed' WHEN ((p.id * 7919 + d.day * 104729 + s.id * 31337) % 1000) < 960 THEN 'doubt' WHEN ((p.id * 7919 + d.day * 104729 + s.id * 31337) % 1000) < 990 THEN 'exempt' ELSE 'pending' END,
  CASE WHEN ((p.id * 7919 + d.day * 104729 + s.id * 31337) % 1000) < 400 THEN 'A' WHEN ((p.id * 7919 + d.day * 104729 + s.id * 31337) % 1000) < 935 THEN 'B' ELSE '' END, CASE WHEN ((p.id * 7919 + d.day * 104729 + s.id * 31337) % 1000) < 920 THEN '' WHEN ((p.id * 7919 + d.day * 104729 + s.id * 31337) % 1000) < 945 THEN 'power' WHEN ((p.id * 7919 + d.day * 104729 + s.id * 31337) % 1000) < 955 THEN 'clock' WHEN ((p.id * 7919 + d.day * 104729 + s.id * 31337) % 1000) < 960 THEN 'silent' WHEN ((p.id * 7919 + d.day * 104729 + s.id * 31337) % 1000) < 990 THEN 'quiet' ELSE '' END,
  6, 162000, (d.day * 86400 + 86400) * 1000000, 'd0123456789abcdef01234567'
FROM (SELECT id, unit_id, compound_id FROM points WHERE id > ?3 AND id <= ?4) p CROSS JOIN d CROSS JOIN slots s`, last-364, last, low, low+500)
	}
	b.Logf("%d rows loaded in %v", points*365*3, time.Since(start).Round(time.Second))
	start = time.Now()
	run(`INSERT INTO rollup SELECT day, unit_id, compound_id, name, demo, ` + countRows + ` FROM obligations GROUP BY 1, 2, 3, 4, 5`)
	steps, err := migrations()
	if err != nil {
		b.Fatal(err)
	}
	for _, m := range steps {
		if m.name != "0022-rollup.sql" {
			continue
		}
		for _, statement := range strings.Split(m.sql, ";\n") {
			if i := strings.Index(statement, "INSERT INTO"); i >= 0 {
				run(statement[i:])
			}
		}
	}
	b.Logf("sums made in %v", time.Since(start).Round(time.Second))
	if err := s.read.QueryRowContext(ctx, `SELECT unit_id, compound_id FROM points WHERE id = ?`, points/2).Scan(&unit, &compound); err != nil {
		b.Fatal(err)
	}
	return unit, compound
}
