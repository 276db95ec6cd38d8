package store

import (
	"testing"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// waitTest enrols a device at p and leaves it in quarantine.
func waitTest(t *testing.T, s *Store, p fleet.PointID, id wire.DeviceID, now time.Time) {
	t.Helper()
	hash := "wait-" + string(id)
	if err := s.AddJoinCode(t.Context(), fleet.JoinCode{Hash: hash, Point: p, Issued: now, Expires: now.Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Enrol(t.Context(), hash, fleet.Device{ID: id, SPKI: []byte(id)}, now); err != nil {
		t.Fatal(err)
	}
}

func deviceTest(t *testing.T, s *Store, id wire.DeviceID) fleet.Device {
	t.Helper()
	d, err := s.Device(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestNewDeviceWaitsBesideTheOldOne: until somebody has heard the newcomer, the
// device of before stays the point's, and a point without one owes nothing.
func TestNewDeviceWaitsBesideTheOldOne(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		p := importTest(t, s, 1)[0].ID
		active := func(want wire.DeviceID) {
			t.Helper()
			d, err := s.DeviceOfPoint(t.Context(), p)
			if want == "" && fleet.CodeOf(err) != fleet.NotFound || want != "" && d.ID != want {
				t.Fatalf("active device %q, %v, want %q", d.ID, err, want)
			}
		}
		waitTest(t, s, p, "d1", t0)
		active("")
		if pt, err := s.Point(t.Context(), p); err != nil || !pt.ActiveFrom.IsZero() {
			t.Fatalf("a point whose device nobody has heard owes from %v, %v", pt.ActiveFrom, err)
		}
		heard := t0.Add(5 * time.Minute)
		d, err := s.AcceptDevice(t.Context(), "d1", "clerk", heard)
		if err != nil || d.State != fleet.DeviceActive || !d.Accepted.Equal(heard) || d.AcceptedBy != "clerk" {
			t.Fatalf("AcceptDevice = %+v, %v", d, err)
		}
		if pt, err := s.Point(t.Context(), p); err != nil || !pt.ActiveFrom.Equal(heard) {
			t.Errorf("ActiveFrom = %v, %v, want when it was heard", pt.ActiveFrom, err)
		}
		active("d1")

		waitTest(t, s, p, "d2", t0.Add(time.Hour))
		waitTest(t, s, p, "d3", t0.Add(2*time.Hour)) // another try: the second box goes back
		active("d1")
		if d := deviceTest(t, s, "d2"); d.State != fleet.DeviceRetired {
			t.Errorf("the box that was tried before is %s", d.State)
		}
		if _, err := s.AcceptDevice(t.Context(), "d2", "clerk", t0.Add(3*time.Hour)); fleet.CodeOf(err) != fleet.Conflict {
			t.Errorf("accepting a retired device = %v", err)
		}
		if _, err := s.AcceptDevice(t.Context(), "d3", "clerk", t0.Add(3*time.Hour)); err != nil {
			t.Fatal(err)
		}
		active("d3")
		if d := deviceTest(t, s, "d1"); d.State != fleet.DeviceRetired || !d.Retired.Equal(t0.Add(3*time.Hour)) || d.WantHash != "" {
			t.Errorf("the device of before = %+v", d)
		}
		if err := s.Check(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// TestClonedDeviceNeverComesBack: neither by another code nor by acceptance,
// and who takes over its point ends it.
func TestClonedDeviceNeverComesBack(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		p := importTest(t, s, 1)[0].ID
		enrolTest(t, s, p, "d1", t0)
		if fresh, err := s.QuarantineClone(t.Context(), "d1", t0.Add(time.Hour)); err != nil || !fresh {
			t.Fatalf("QuarantineClone = %v, %v", fresh, err)
		}
		if fresh, err := s.QuarantineClone(t.Context(), "d1", t0.Add(2*time.Hour)); err != nil || fresh {
			t.Errorf("a second time = %v, %v", fresh, err)
		}
		if d := deviceTest(t, s, "d1"); d.State != fleet.DeviceQuarantine || !d.Cloned || d.Newcomer() || !d.Retired.Equal(t0.Add(time.Hour)) {
			t.Errorf("device = %+v", d)
		}
		if _, err := s.DeviceOfPoint(t.Context(), p); fleet.CodeOf(err) != fleet.NotFound {
			t.Errorf("the point has a device: %v", err)
		}
		if _, err := s.AcceptDevice(t.Context(), "d1", "clerk", t0.Add(2*time.Hour)); fleet.CodeOf(err) != fleet.Conflict {
			t.Errorf("accepting it = %v", err)
		}
		if err := s.AddJoinCode(t.Context(), fleet.JoinCode{Hash: "again", Point: p, Issued: t0, Expires: t0.Add(24 * time.Hour)}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Enrol(t.Context(), "again", fleet.Device{ID: "d1", SPKI: []byte("d1")}, t0.Add(2*time.Hour)); fleet.CodeOf(err) != fleet.Forbidden {
			t.Errorf("enrolling it again = %v", err)
		}
		enrolTest(t, s, p, "d2", t0.Add(3*time.Hour))
		if d := deviceTest(t, s, "d1"); d.State != fleet.DeviceRevoked {
			t.Errorf("after its successor was accepted it is %s", d.State)
		}
	})
}
