package ledger

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"gatecast/controller/fleet"
	"gatecast/controller/store"
	"gatecast/internal/wire"
)

// day0 is a Monday.
var day0 = time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)

const testLog = wire.LogID("00112233445566aa")

func newTestStore(t testing.TB, gates int) (*store.Store, []fleet.PointID) {
	t.Helper()
	s, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "gatecast.db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	reg := fleet.Registry{Units: []fleet.UnitEntry{{Unit: fleet.Unit{Code: "SF", Type: fleet.Community, Name: "松风社区"}}}}
	for i := range gates {
		reg.Points = append(reg.Points, fleet.PointEntry{Point: fleet.Point{Code: fmt.Sprintf("SF-%02d", i+1), Name: "松风门", Kind: fleet.Gate}, Unit: "SF"})
	}
	if err := s.ImportRegistry(t.Context(), reg); err != nil {
		t.Fatal(err)
	}
	points, err := s.Points(t.Context(), fleet.PointFilter{})
	if err != nil {
		t.Fatal(err)
	}
	var ids []fleet.PointID
	for _, p := range points {
		ids = append(ids, p.ID)
		enrol(t, s, deviceOf(p.ID), p.ID, time.Unix(1, 0)) // before every test, in its bubble too
	}
	return s, ids
}

func deviceOf(p fleet.PointID) wire.DeviceID { return wire.DeviceID(fmt.Sprintf("d%d", p)) }

func enrol(t testing.TB, s *store.Store, id wire.DeviceID, p fleet.PointID, now time.Time) {
	t.Helper()
	hash := fmt.Sprintf("code-%s-%d-%d", id, p, now.Unix())
	if err := s.AddJoinCode(t.Context(), fleet.JoinCode{Hash: hash, Point: p, Issued: now, Expires: now.Add(24 * time.Hour)}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Enrol(t.Context(), hash, fleet.Device{ID: id, SPKI: []byte(id)}, now); err != nil {
		t.Fatal(err)
	}
	if _, err := s.AcceptDevice(t.Context(), id, "test", now); err != nil {
		t.Fatal(err)
	}
}

// oweTest writes one slot of three plays of 27 s, the next day's morning.
func oweTest(t testing.TB, s *store.Store, p fleet.PointID, start time.Time) fleet.Obligation {
	t.Helper()
	day := fleet.Day(start.Format(time.DateOnly))
	o := fleet.Obligation{
		Point: p, Slot: wire.SlotID(string(day) + ".gates.morning"), Day: day, Programme: "gates", Version: 1, Name: "早", DayType: "workday",
		Start: start, End: start.Add(30 * time.Minute), Plays: 3, PlannedMS: 81000,
	}
	win := fleet.PlanWindow{Points: []fleet.PointID{p}, From: start, To: start.Add(time.Minute)}
	if _, err := s.PutObligations(t.Context(), win, []fleet.Obligation{o}, start.Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	return o
}

// record is an entry of a journal about a body, at a time.
func record(t testing.TB, seq wire.Seq, kind wire.RecordKind, at time.Time, body any) json.RawMessage {
	t.Helper()
	return recordOf(t, testLog, seq, kind, at, body)
}

func recordOf(t testing.TB, log wire.LogID, seq wire.Seq, kind wire.RecordKind, at time.Time, body any) json.RawMessage {
	t.Helper()
	b, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(wire.Record{Log: log, Seq: seq, Kind: kind, AtUS: wire.US(at), Level: wire.T2, Body: b})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// result is the outcome of play n of o.
func result(o fleet.Obligation, n int, r wire.PlayResult, reason wire.Reason) wire.Outcome {
	out := wire.Outcome{Play: wire.PlayID(fmt.Sprintf("%s#%d", o.Slot, n)), Slot: o.Slot, Result: r, Reason: reason, ClipMS: 27000}
	if r == wire.PlayPlayed {
		out.SoundMS = 27000
	}
	return out
}

func send(t testing.TB, s *store.Store, id wire.DeviceID, now time.Time, records ...json.RawMessage) {
	t.Helper()
	sendOf(t, s, id, testLog, now, records...)
}

func sendOf(t testing.TB, s *store.Store, id wire.DeviceID, log wire.LogID, now time.Time, records ...json.RawMessage) {
	t.Helper()
	if _, err := s.AppendRecords(t.Context(), id, log, records, now); err != nil {
		t.Fatal(err)
	}
}

// say is a state of a connected device that has written that many records.
func say(t testing.TB, s *store.Store, id wire.DeviceID, last wire.Seq, now time.Time) {
	t.Helper()
	sayOf(t, s, id, testLog, last, now)
}

func sayOf(t testing.TB, s *store.Store, id wire.DeviceID, log wire.LogID, last wire.Seq, now time.Time) {
	t.Helper()
	st := wire.State{Session: 1, Online: true, AtUS: wire.US(now), PlanVersion: 1, Log: log, LastSeq: last}
	if _, err := s.SaveHello(t.Context(), id, wire.Hello{Session: 1, State: st}, now); err != nil {
		t.Fatal(err)
	}
}
