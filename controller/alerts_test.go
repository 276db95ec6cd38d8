package controller

import (
	"path/filepath"
	"testing"
	"time"

	"gatecast/controller/fleet"
	"gatecast/controller/store"
	"gatecast/internal/wire"
)

// TestTheOfficeRaisesAlerts starts an office whose ledger has a missed slot past
// its deadline that nobody looked at, as after a crash: the alert is raised at
// once, and told to programs with the point's code, likely cause and number.
func TestTheOfficeRaisesAlerts(t *testing.T) {
	dir := t.TempDir()
	now := time.Now()
	books, err := store.Open(t.Context(), filepath.Join(dir, "gatecast.db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer books.Close() //nolint:errcheck // closed below already
	if err := books.ImportRegistry(t.Context(), fleet.Registry{
		Units:  []fleet.UnitEntry{{Unit: fleet.Unit{Code: "SF", Type: fleet.Community, Name: "松风社区"}}},
		Points: []fleet.PointEntry{{Point: fleet.Point{Code: "SF-01", Name: "松风苑南门", Kind: fleet.Gate}, Unit: "SF"}},
	}); err != nil {
		t.Fatal(err)
	}
	points, err := books.Points(t.Context(), fleet.PointFilter{})
	if err != nil || len(points) != 1 {
		t.Fatalf("%d points: %v", len(points), err)
	}
	begin := now.Add(-48 * time.Hour)
	day := fleet.Day(begin.UTC().Format(time.DateOnly))
	o := fleet.Obligation{
		Point: points[0].ID, Slot: wire.SlotID(string(day) + ".gates.morning"), Day: day, Programme: "gates", Version: 1, Name: "早", DayType: "workday",
		Start: begin, End: begin.Add(30 * time.Minute), Plays: 3, PlannedMS: 81000,
	}
	win := fleet.PlanWindow{Points: []fleet.PointID{o.Point}, From: begin, To: begin.Add(time.Minute)}
	if _, err := books.PutObligations(t.Context(), win, []fleet.Obligation{o}, begin.Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	st := fleet.Settlement{Point: o.Point, Day: o.Day, Slot: o.Slot, Verdict: fleet.Missed, Reason: wire.ReasonPower}
	if _, err := books.Settle(t.Context(), []fleet.Settlement{st}, now); err != nil {
		t.Fatal(err)
	}
	if err := books.Close(); err != nil {
		t.Fatal(err)
	}

	c := start(t, testOptions(t, dir))
	var told fleet.Occurrence
	eventually(t, "the alert is told", func() bool {
		all, err := c.Store.Occurrences(t.Context(), fleet.OccurrenceFilter{Kinds: []fleet.OccurrenceKind{fleet.OccurredAlert}})
		if err != nil || len(all) == 0 {
			return false
		}
		told = all[0]
		return true
	})
	if told.Object != "松风苑南门" || told.Value("point") != "SF-01" || told.Value("trouble") != "power" || told.Value("likely") != "power" || told.Value("slots") != "1" {
		t.Errorf("told %+v", told)
	}
	open, n, err := c.Store.Alerts(t.Context(), fleet.AlertFilter{Show: fleet.ShowOpen})
	if err != nil || n != 1 || open[0].Point != o.Point {
		t.Fatalf("%d open alerts %+v: %v", n, open, err)
	}
	sums, err := c.Store.AlertSums(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c.alertDigest(sums)
	eventually(t, "the digest is told", func() bool {
		all, err := c.Store.Occurrences(t.Context(), fleet.OccurrenceFilter{Kinds: []fleet.OccurrenceKind{fleet.OccurredAlertsOpen}})
		return err == nil && len(all) > 0 && all[len(all)-1].Object == "松风社区 1" && all[len(all)-1].Value("open") == "1"
	})
}
