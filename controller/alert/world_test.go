package alert

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"gatecast/controller/fleet"
	"gatecast/controller/ledger"
	"gatecast/controller/store"
	"gatecast/internal/wire"
)

// day0 is a Monday.
var day0 = time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)

// world is an office with its real store, some gates of one compound, a clock
// that the test sets, and a desk.
type world struct {
	t       testing.TB
	s       *store.Store
	d       *Desk
	gates   []fleet.PointID
	begin   time.Time // the day of the first slots
	now     time.Time
	outages []fleet.Outage
	told    []string // of OnLine
	digests [][]fleet.AlertSum
}

func newTestWorld(t testing.TB, gates int) *world {
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
	reg := fleet.Registry{
		Units:     []fleet.UnitEntry{{Unit: fleet.Unit{Code: "SF", Type: fleet.Community, Name: "松风社区"}}},
		Compounds: []fleet.CompoundEntry{{Compound: fleet.Compound{Name: "松风苑", Property: "示例物业"}, Unit: "SF"}},
	}
	for i := range gates {
		reg.Points = append(reg.Points, fleet.PointEntry{Point: fleet.Point{Code: fmt.Sprintf("SF-%02d", i+1), Name: fmt.Sprintf("松风苑%d号门", i+1), Kind: fleet.Gate}, Unit: "SF", Compound: "松风苑"})
	}
	if err := s.ImportRegistry(t.Context(), reg); err != nil {
		t.Fatal(err)
	}
	points, err := s.Points(t.Context(), fleet.PointFilter{})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, s: s, begin: day0, now: day0}
	for _, p := range points {
		w.gates = append(w.gates, p.ID)
		hash, id := fmt.Sprintf("code-%d", p.ID), deviceOf(p.ID)
		if err := s.AddJoinCode(t.Context(), fleet.JoinCode{Hash: hash, Point: p.ID, Issued: day0.AddDate(0, 0, -2), Expires: day0}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Enrol(t.Context(), hash, fleet.Device{ID: id, SPKI: []byte(id)}, day0.AddDate(0, 0, -1)); err != nil {
			t.Fatal(err)
		}
		if _, err := s.AcceptDevice(t.Context(), id, "test", day0.AddDate(0, 0, -1)); err != nil {
			t.Fatal(err)
		}
	}
	w.d, err = New(Options{
		Book: s, Places: s, Settings: s, Zone: time.UTC, Now: func() time.Time { return w.now },
		Outages:  func(context.Context, time.Time, time.Time) ([]fleet.Outage, error) { return w.outages, nil },
		OnLine:   func(a fleet.Alert, k fleet.AlertLineKind) { w.told = append(w.told, fmt.Sprint(k, " ", a.Trouble)) },
		OnDigest: func(sums []fleet.AlertSum) { w.digests = append(w.digests, sums) },
	})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func deviceOf(p fleet.PointID) wire.DeviceID { return wire.DeviceID(fmt.Sprintf("d%d", p)) }

// connect has the device of a gate heard now, or gone since now.
func (w *world) connect(p fleet.PointID, online bool, conditions ...string) {
	w.t.Helper()
	st := wire.State{Session: 1, Online: true, AtUS: wire.US(w.now)}
	for _, c := range conditions {
		st.Conditions = append(st.Conditions, wire.Condition{Code: c, Severity: "bad"})
	}
	if _, err := w.s.SaveHello(w.t.Context(), deviceOf(p), wire.Hello{Session: 1, State: st}, w.now); err != nil {
		w.t.Fatal(err)
	}
	if !online {
		if _, err := w.s.SetOffline(w.t.Context(), deviceOf(p), 1, w.now); err != nil {
			w.t.Fatal(err)
		}
	}
}

// names of the three slots of a day, each half an hour long.
var slotNames = []string{"早", "中", "晚"}

// slot is the n-th slot of a gate from begin on: three a day, at 8, 12 and 18.
func (w *world) slot(p fleet.PointID, n int) fleet.Obligation {
	start := w.begin.AddDate(0, 0, n/3).Add(time.Duration([]int{8, 12, 18}[n%3]) * time.Hour)
	day := fleet.Day(start.Format(time.DateOnly))
	return fleet.Obligation{
		Point: p, Slot: wire.SlotID(fmt.Sprintf("%s.gates.s%d", day, n%3)), Day: day, Programme: "gates", Version: 1, Name: slotNames[n%3], DayType: "workday",
		Start: start, End: start.Add(30 * time.Minute), Plays: 3, PlannedMS: 81000,
	}
}

// owe writes the first n slots of every gate in advance.
func (w *world) owe(n int) {
	w.t.Helper()
	for _, p := range w.gates {
		var rows []fleet.Obligation
		for i := range n {
			rows = append(rows, w.slot(p, i))
		}
		win := fleet.PlanWindow{Points: []fleet.PointID{p}, From: w.begin, To: w.begin.AddDate(0, 0, n/3+1)}
		if _, err := w.s.PutObligations(w.t.Context(), win, rows, w.begin.Add(-time.Hour)); err != nil {
			w.t.Fatal(err)
		}
	}
}

// settle gives a slot a verdict, as the ledger does.
func (w *world) settle(o fleet.Obligation, v fleet.Verdict, reason wire.Reason) {
	w.t.Helper()
	st := fleet.Settlement{Point: o.Point, Day: o.Day, Slot: o.Slot, Verdict: v, Reason: reason}
	if v == fleet.Played {
		st.PlaysOK, st.SoundMS = 3, 81000
	}
	if _, err := w.s.Settle(w.t.Context(), []fleet.Settlement{st}, w.now); err != nil {
		w.t.Fatal(err)
	}
}

// deadline sets the clock to when a slot counts.
func (w *world) deadline(o fleet.Obligation) { w.now = o.End.Add(ledger.Grace) }

func (w *world) pass() {
	w.t.Helper()
	if err := w.d.Pass(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) alerts(show fleet.AlertShow) []fleet.Alert {
	w.t.Helper()
	all, n, err := w.s.Alerts(w.t.Context(), fleet.AlertFilter{Show: show})
	if err != nil || n != len(all) {
		w.t.Fatalf("%d alerts of %d: %v", len(all), n, err)
	}
	return all
}

func (w *world) file(id fleet.AlertID) fleet.AlertFile {
	w.t.Helper()
	f, err := w.s.AlertFile(w.t.Context(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	return f
}
