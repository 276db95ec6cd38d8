package store

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// t0 is a Monday morning of the tests.
var t0 = time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)

func newTestStore(t testing.TB) *Store {
	t.Helper()
	return openTestStore(t, filepath.Join(t.TempDir(), "gatecast.db"))
}

func openTestStore(t testing.TB, path string) *Store {
	t.Helper()
	s, err := Open(t.Context(), path, Options{StateDelay: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// testRegistry is a subdistrict with one community and one village, a
// compound, and n gates "SF-01"… at it.
func testRegistry(n int) fleet.Registry {
	reg := fleet.Registry{
		Units: []fleet.UnitEntry{
			{Unit: fleet.Unit{Code: "SF", Type: fleet.Community, Name: "松风社区", ShortName: "松风", Order: 1}, Parent: "SL"},
			{Unit: fleet.Unit{Code: "SL", Type: fleet.Subdistrict, Name: "示例街道"}},
			{Unit: fleet.Unit{Code: "WH", Type: fleet.Village, Name: "望河村", Order: 2}, Parent: "SL"},
		},
		Grids:     []fleet.GridEntry{{Grid: fleet.Grid{Number: 1, Name: "第一网格", Worker: "张工"}, Unit: "SF"}},
		Compounds: []fleet.CompoundEntry{{Compound: fleet.Compound{Name: "松风苑", Property: "示例物业"}, Unit: "SF", Grid: 1}},
		Groups:    []fleet.GroupEntry{{Group: fleet.Group{Tier: 3, Code: "SL-3-01-01-1", Name: "示例街道松风社区（第一网格）反电诈宣传群", Owner: "张工", Members: 88}, Unit: "SF", Grid: 1}},
		Liaisons:  []fleet.LiaisonEntry{{Liaison: fleet.Liaison{Name: "李工", Post: "网格长", Phone: "13800000000", From: t0}, Unit: "SF"}},
		Points: []fleet.PointEntry{
			{Point: fleet.Point{Code: "WH-01", Name: "望河村广播", Kind: fleet.Horn, Tags: []string{"near-school"}}, Unit: "WH"},
		},
	}
	for i := range n {
		reg.Points = append(reg.Points, fleet.PointEntry{
			Point: fleet.Point{Code: fmt.Sprintf("SF-%02d", i+1), Name: fmt.Sprintf("松风苑%d号门", i+1), Kind: fleet.Gate}, Unit: "SF", Compound: "松风苑",
		})
	}
	return reg
}

// importTest fills s and returns the gates in the order of their codes.
func importTest(t testing.TB, s *Store, n int) []fleet.Point {
	t.Helper()
	if err := s.ImportRegistry(t.Context(), testRegistry(n)); err != nil {
		t.Fatal(err)
	}
	points, err := s.Points(t.Context(), fleet.PointFilter{Kind: fleet.Gate})
	if err != nil {
		t.Fatal(err)
	}
	if len(points) != n {
		t.Fatalf("%d gates, want %d", len(points), n)
	}
	return points
}

// enrolTest binds a new device to p and accepts it.
func enrolTest(t testing.TB, s *Store, p fleet.PointID, id wire.DeviceID, now time.Time) {
	t.Helper()
	hash := fmt.Sprintf("code-%s-%d", id, p)
	if err := s.AddJoinCode(t.Context(), fleet.JoinCode{Hash: hash, Point: p, Issued: now, Expires: now.Add(24 * time.Hour), By: "admin"}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Enrol(t.Context(), hash, fleet.Device{ID: id, SPKI: []byte(id), Hardware: "test"}, now); err != nil {
		t.Fatal(err)
	}
	if _, err := s.AcceptDevice(t.Context(), id, "test", now); err != nil {
		t.Fatal(err)
	}
}

const testLog = wire.LogID("00112233445566aa")

func rawRecord(t testing.TB, r wire.Record, body any) json.RawMessage {
	t.Helper()
	b, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	r.Body = b
	raw, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// outcome is record seq of testLog about play number n of a slot.
func outcome(t testing.TB, seq wire.Seq, slot wire.SlotID, n int) json.RawMessage {
	t.Helper()
	return rawRecord(t, wire.Record{Log: testLog, Seq: seq, Kind: wire.RecordOutcome, AtUS: wire.US(t0.Add(time.Duration(seq) * time.Second)), Level: wire.T2},
		wire.Outcome{Play: wire.PlayID(fmt.Sprintf("%s#%d", slot, n)), Slot: slot, Result: wire.PlayPlayed, SoundMS: 27000, ClipMS: 27000})
}

// owe is an obligation of a point: three plays from start, half an hour long.
func owe(p fleet.PointID, key, name string, start time.Time) fleet.Obligation {
	day := fleet.Day(start.Format(time.DateOnly))
	return fleet.Obligation{
		Point: p, Slot: wire.SlotID(string(day) + ".gates." + key), Day: day, Programme: "gates", Version: 1, Name: name, DayType: "workday",
		Start: start, End: start.Add(30 * time.Minute), Plays: 3, PlannedMS: 81000,
	}
}

func rawMessages(all ...[]byte) []json.RawMessage {
	raw := make([]json.RawMessage, len(all))
	for i, b := range all {
		raw[i] = b
	}
	return raw
}
