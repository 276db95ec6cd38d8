package store

import (
	"errors"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// stateOf is what a healthy device says in a session.
func stateOf(session uint64) wire.State {
	return wire.State{
		Session: session, Online: true, AtUS: wire.US(t0), PlanVersion: 7, PlanSHA256: "aa", HorizonS: t0.Unix(), ClipsReady: []string{"c1"}, ClipsMissing: []string{"c2"},
		Log: testLog, LastSeq: 9, AckedSeq: 8, Time: wire.TimeState{Level: wire.T2}, Output: wire.Output{Sink: "file", Demo: true}, Playing: "p#1",
		Conditions: []wire.Condition{{Code: "clock", Severity: "warn"}},
	}
}

func TestEnrol(t *testing.T) {
	code := func(s *Store, hash string, p fleet.PointID) error {
		return s.AddJoinCode(t.Context(), fleet.JoinCode{Hash: hash, Point: p, Issued: t0, Expires: t0.Add(24 * time.Hour), By: "admin"})
	}
	tests := []struct {
		name  string
		steps func(*Store, fleet.PointID, fleet.PointID) error
		want  error
	}{
		{"good", func(s *Store, a, _ fleet.PointID) error { return nil }, nil},
		{"unknown_code", func(s *Store, a, _ fleet.PointID) error {
			_, err := s.Enrol(t.Context(), "nope", fleet.Device{ID: "d2"}, t0)
			return err
		}, ErrCodeUnknown},
		{"expired_code", func(s *Store, a, b fleet.PointID) error {
			_, err := s.Enrol(t.Context(), "h2", fleet.Device{ID: "d2"}, t0.Add(24*time.Hour))
			return err
		}, ErrCodeExpired},
		{"used_by_another", func(s *Store, a, b fleet.PointID) error {
			_, err := s.Enrol(t.Context(), "h1", fleet.Device{ID: "d2"}, t0)
			return err
		}, ErrCodeUsed},
		{"same_again_even_later", func(s *Store, a, b fleet.PointID) error {
			_, err := s.Enrol(t.Context(), "h1", fleet.Device{ID: "d1"}, t0.Add(48*time.Hour))
			return err
		}, nil},
		{"revoked", func(s *Store, a, b fleet.PointID) error {
			if err := s.RevokeDevice(t.Context(), "d1", t0); err != nil {
				return err
			}
			_, err := s.Enrol(t.Context(), "h2", fleet.Device{ID: "d1"}, t0)
			return err
		}, ErrRevoked},
		{"replaced_with_the_old_code", func(s *Store, a, b fleet.PointID) error {
			if err := code(s, "h3", a); err != nil {
				return err
			}
			if _, err := s.Enrol(t.Context(), "h3", fleet.Device{ID: "d2", SPKI: []byte("d2")}, t0); err != nil {
				return err
			}
			_, err := s.Enrol(t.Context(), "h1", fleet.Device{ID: "d1"}, t0)
			return err
		}, ErrCodeUsed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			onEach(t, func(t *testing.T, s *Store) {
				points := importTest(t, s, 2)
				a, b := points[0].ID, points[1].ID
				for hash, p := range map[string]fleet.PointID{"h1": a, "h2": b} {
					if err := code(s, hash, p); err != nil {
						t.Fatal(err)
					}
				}
				p, err := s.Enrol(t.Context(), "h1", fleet.Device{ID: "d1", SPKI: []byte("key"), Hardware: "Pi"}, t0)
				if err != nil || p.Code != "SF-01" || !p.ActiveFrom.IsZero() {
					t.Fatalf("Enrol = %+v, %v", p, err)
				}
				if err := tt.steps(s, a, b); !errors.Is(err, tt.want) {
					t.Errorf("then %v, want %v", err, tt.want)
				}
				if err := s.Check(t.Context()); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestEnrolReplacesAndKeepsHistory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gatecast.db")
	s, err := Open(t.Context(), path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	points := importTest(t, s, 2)
	enrolTest(t, s, points[0].ID, "d1", t0)
	enrolTest(t, s, points[0].ID, "d2", t0.Add(time.Hour))
	enrolTest(t, s, points[1].ID, "d2", t0.Add(2*time.Hour)) // d2 moves
	check := func(s *Store) {
		t.Helper()
		if _, err := s.DeviceOfPoint(t.Context(), points[0].ID); fleet.CodeOf(err) != fleet.NotFound {
			t.Errorf("the point that d2 left has a device: %v", err)
		}
		d, err := s.DeviceOfPoint(t.Context(), points[1].ID)
		if err != nil || d.ID != "d2" || d.State != fleet.DeviceActive || !d.Enrolled.Equal(t0.Add(2*time.Hour)) || !d.Retired.IsZero() {
			t.Errorf("DeviceOfPoint = %+v, %v", d, err)
		}
		all, err := s.DevicesOfPoint(t.Context(), points[0].ID)
		if err != nil || len(all) != 2 || all[0].ID != "d2" || all[1].ID != "d1" || all[1].State != fleet.DeviceRetired || !all[1].Retired.Equal(t0.Add(time.Hour)) {
			t.Errorf("DevicesOfPoint = %+v, %v", all, err)
		}
		codes, err := s.JoinCodes(t.Context(), points[0].ID)
		if err != nil || len(codes) != 2 || codes[0].UsedBy != "d2" || !codes[0].UsedAt.Equal(t0.Add(time.Hour)) || codes[0].By != "admin" {
			t.Errorf("JoinCodes = %+v, %v", codes, err)
		}
		p, err := s.Point(t.Context(), points[0].ID)
		if err != nil || !p.ActiveFrom.Equal(t0) {
			t.Errorf("ActiveFrom = %v, %v, want that of the first device", p.ActiveFrom, err)
		}
	}
	check(s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	check(openTestStore(t, path))
}

func TestRecordsBelongToThePointOfTheirTime(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		points := importTest(t, s, 2)
		enrolTest(t, s, points[0].ID, "d1", t0)
		enrolTest(t, s, points[1].ID, "d1", t0.Add(time.Hour))
		const slot = wire.SlotID("2026-11-23.gates.morning")
		at := func(seq wire.Seq, at time.Time) []byte {
			return rawRecord(t, wire.Record{Log: testLog, Seq: seq, Kind: wire.RecordOutcome, AtUS: wire.US(at)}, wire.Outcome{Play: "p", Slot: slot, Result: wire.PlayPlayed})
		}
		// Written before the move, on it, after it, and with a clock of 1970.
		times := []time.Time{t0.Add(30 * time.Minute), t0.Add(time.Hour), t0.Add(90 * time.Minute), time.Unix(5, 0)}
		for i, when := range times {
			if _, err := s.AppendRecords(t.Context(), "d1", testLog, rawMessages(at(wire.Seq(i+1), when)), t0.Add(2*time.Hour)); err != nil {
				t.Fatal(err)
			}
		}
		var got []fleet.PointID
		recs, err := s.RecordsAfter(t.Context(), 0, 10)
		for _, r := range recs {
			got = append(got, r.Point)
		}
		want := []fleet.PointID{points[0].ID, points[1].ID, points[1].ID, points[1].ID}
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("points: %v (-want +got):\n%s", err, diff)
		}
	})
}

func TestStatesAreSeenAtOnceAndKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gatecast.db")
	s, err := Open(t.Context(), path, Options{StateDelay: time.Hour}) // only Close writes them
	if err != nil {
		t.Fatal(err)
	}
	p := importTest(t, s, 1)[0]
	enrolTest(t, s, p.ID, "d1", t0)
	if _, err := s.SaveHello(t.Context(), "d1", wire.Hello{Session: 3, Nonce: "n3", Agent: "0.1", State: stateOf(0)}, t0); err != nil {
		t.Fatal(err)
	}
	want := fleet.Device{
		ID: "d1", Point: p.ID, State: fleet.DeviceActive, SPKI: []byte("d1"), Enrolled: t0, Hardware: "test", Accepted: t0, AcceptedBy: "test",
		Online: true, LastSeen: t0.Add(time.Minute), StateAt: t0.Add(time.Minute), Session: 3, Nonce: "n3", Agent: "0.1", PlanVersion: 7, PlanHash: "aa",
		ClipsReady: []string{"c1"}, ClipsMiss: []string{"c2"}, Log: testLog, AckedSeq: 8, LastSeq: 9, TimeLevel: wire.T2, Time: wire.TimeState{Level: wire.T2},
		Output: wire.Output{Sink: "file", Demo: true}, Playing: "p#1", Horizon: t0, Conditions: []wire.Condition{{Code: "clock", Severity: "warn"}},
	}
	got, err := s.SaveState(t.Context(), "d1", stateOf(3), t0.Add(time.Minute))
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("SaveState: %v (-want +got):\n%s", err, diff)
	}
	if got, err = s.Device(t.Context(), "d1"); err != nil || !cmp.Equal(want, got) {
		t.Errorf("Device after SaveState: %v\n%s", err, cmp.Diff(want, got))
	}
	if err := s.SetWanted(t.Context(), "d1", 8, "bb"); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openTestStore(t, path)
	// A controller that has just started has no connections.
	want.Online, want.Playing, want.WantVersion, want.WantHash = false, "", 8, "bb"
	if got, err = s.Device(t.Context(), "d1"); err != nil || !cmp.Equal(want, got) {
		t.Errorf("Device after a restart: %v\n%s", err, cmp.Diff(want, got))
	}
}

func TestLateMessagesOfAnOlderSessionChangeNothing(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		p := importTest(t, s, 1)[0]
		enrolTest(t, s, p.ID, "d1", t0)
		ctx := t.Context()
		if _, err := s.SaveHello(ctx, "d1", wire.Hello{Session: 4, Nonce: "n4", State: stateOf(4)}, t0); err != nil {
			t.Fatal(err)
		}
		if was, err := s.SetOffline(ctx, "d1", 3, t0); err != nil || was {
			t.Errorf("SetOffline of an older session = %v, %v", was, err)
		}
		old := stateOf(3)
		old.PlanVersion = 1
		if d, err := s.SaveState(ctx, "d1", old, t0); err != nil || d.PlanVersion != 7 || !d.Online {
			t.Errorf("SaveState of an older session = %+v, %v", d, err)
		}
		if was, err := s.SetOffline(ctx, "d1", 4, t0.Add(time.Second)); err != nil || !was {
			t.Errorf("SetOffline = %v, %v", was, err)
		}
		if was, err := s.SetOffline(ctx, "d1", 4, t0.Add(time.Second)); err != nil || was {
			t.Errorf("SetOffline again = %v, %v", was, err)
		}
		if d, err := s.Device(ctx, "d1"); err != nil || d.Online || d.Playing != "" {
			t.Errorf("Device = %+v, %v, want it offline", d, err)
		}
	})
}

func TestRevokedAndReplacedDevices(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		points := importTest(t, s, 2)
		enrolTest(t, s, points[0].ID, "d1", t0)
		enrolTest(t, s, points[0].ID, "d2", t0)
		enrolTest(t, s, points[1].ID, "d3", t0)
		for range 2 {
			if err := s.RevokeDevice(ctx, "d3", t0); err != nil {
				t.Fatal(err)
			}
		}
		batch := rawMessages(outcome(t, 1, "2026-11-23.gates.morning", 1))
		for id, tt := range map[wire.DeviceID]struct {
			talk    fleet.Code
			records fleet.Code
		}{
			"d1": {fleet.Forbidden, ""}, // replaced: what it played before counts
			"d2": {"", ""},
			"d3": {fleet.Forbidden, fleet.Forbidden},
		} {
			if _, err := s.SaveHello(ctx, id, wire.Hello{Session: 1}, t0); fleet.CodeOf(err) != tt.talk {
				t.Errorf("SaveHello of %s = %v, want code %q", id, err, tt.talk)
			}
			if _, err := s.AppendRecords(ctx, id, testLog, batch, t0); fleet.CodeOf(err) != tt.records {
				t.Errorf("AppendRecords of %s = %v, want code %q", id, err, tt.records)
			}
		}
		if _, err := s.DeviceOfPoint(ctx, points[1].ID); fleet.CodeOf(err) != fleet.NotFound {
			t.Errorf("a revoked device still holds its point: %v", err)
		}
	})
}

func TestDevicesConcurrently(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		const n = 20
		points := importTest(t, s, n)
		var wg sync.WaitGroup
		for i, p := range points {
			wg.Go(func() {
				id := wire.DeviceID(p.Code[3:])
				enrolTest(t, s, p.ID, id, t0)
				for session := range uint64(20) {
					if _, err := s.SaveHello(t.Context(), id, wire.Hello{Session: session + 1, State: stateOf(session + 1)}, t0.Add(time.Duration(i)*time.Second)); err != nil {
						t.Error(err)
					}
					if err := s.SetWanted(t.Context(), id, session, "h"); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		all, err := s.Devices(t.Context())
		if err != nil || len(all) != n {
			t.Fatalf("%d devices, %v", len(all), err)
		}
		for _, d := range all {
			if d.Session != 20 || d.WantVersion != 19 || !d.Online {
				t.Errorf("device %s: session %d, wanted %d", d.ID, d.Session, d.WantVersion)
			}
		}
	})
}
