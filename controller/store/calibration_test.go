package store

import (
	"bytes"
	"testing"
	"time"

	"gatecast/controller/fleet"
)

func TestCalibrationsKeepTheLatestPhotos(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		p := importTest(t, s, 1)[0]
		c := fleet.Calibration{Point: p.ID, Day: "2026-11-20", OnDB: 54.5, OffDB: 50, Method: fleet.ByMeter, Class: 2, Who: "张工", By: "clerk", At: t0}
		for i := range photosPerPoint + 2 {
			if _, err := s.AddCalibration(t.Context(), c, []byte{byte(i)}); err != nil {
				t.Fatal(err)
			}
		}
		c.Day = "2026-11-21"
		if _, err := s.AddCalibration(t.Context(), c, nil); err != nil {
			t.Fatal(err)
		}
		all, err := s.Calibrations(t.Context(), p.ID)
		if err != nil || len(all) != photosPerPoint+3 || all[0].Day != "2026-11-21" || all[0].Photo != 0 || all[1].OnDB != 54.5 {
			t.Fatalf("Calibrations = %+v, %v", all, err)
		}
		with := 0
		for _, c := range all {
			if c.Photo != 0 {
				with++
			}
		}
		if with != photosPerPoint {
			t.Errorf("%d photos are kept, want %d", with, photosPerPoint)
		}
		b, err := s.CalibrationPhoto(t.Context(), p.ID, all[1].Photo)
		if err != nil || !bytes.Equal(b, []byte{photosPerPoint + 1}) {
			t.Errorf("the newest photo = %v, %v", b, err)
		}
		if _, err := s.CalibrationPhoto(t.Context(), p.ID+1, all[1].Photo); fleet.CodeOf(err) != fleet.NotFound {
			t.Errorf("a photo of another point = %v", err)
		}
		if m, err := s.CalibratedPoints(t.Context()); err != nil || len(m) != 1 || m[p.ID].Day != "2026-11-21" {
			t.Errorf("CalibratedPoints = %+v, %v", m, err)
		}
		if now, err := s.Point(t.Context(), p.ID); err != nil || now.NoiseClass != 2 {
			t.Errorf("point = %+v, %v", now, err)
		}
		c.Point = 999
		if _, err := s.AddCalibration(t.Context(), c, nil); fleet.CodeOf(err) != fleet.NotFound {
			t.Errorf("at an unknown point = %v", err)
		}
	})
}

func TestPointOwesOnlyOnceItIsHeardAndMay(t *testing.T) {
	tomorrow, later := t0.AddDate(0, 0, 1), t0.AddDate(0, 0, 5)
	tests := []struct {
		name  string
		hold  bool
		start time.Time // the office's word, before
		heard time.Time // the device is accepted
		after time.Time // the office's word, afterwards; zero for none
		want  time.Time
	}{
		{"when_heard", false, time.Time{}, tomorrow, time.Time{}, tomorrow},
		{"from_the_day_said_before", false, later, tomorrow, time.Time{}, later},
		{"heard_after_the_day_said", false, tomorrow, later, time.Time{}, later},
		{"held", true, time.Time{}, tomorrow, time.Time{}, time.Time{}},
		{"held_until_said", true, time.Time{}, tomorrow, later, later},
		{"held_and_said_before", true, later, tomorrow, time.Time{}, later},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newTestStore(t)
			p := importTest(t, s, 1)[0]
			applyTest(t, s, []fleet.RegistryChange{{Fields: []string{"hold"}, Point: &fleet.PointEntry{Point: fleet.Point{Code: p.Code, Hold: tt.hold}}}})
			if !tt.start.IsZero() {
				if err := s.SetPointStart(t.Context(), p.ID, tt.start); err != nil {
					t.Fatal(err)
				}
			}
			if before, err := s.Point(t.Context(), p.ID); err != nil || !before.ActiveFrom.IsZero() || before.StageAt(later.AddDate(0, 0, 9)) != fleet.StageBare {
				t.Fatalf("before it is heard: %+v, %v", before, err)
			}
			enrolTest(t, s, p.ID, "d1", tt.heard)
			if !tt.after.IsZero() {
				if err := s.SetPointStart(t.Context(), p.ID, tt.after); err != nil {
					t.Fatal(err)
				}
			}
			got, err := s.Point(t.Context(), p.ID)
			if err != nil || !got.ActiveFrom.Equal(tt.want) || !got.Installed.Equal(tt.heard) {
				t.Errorf("point owes from %v, installed %v, %v; want %v", got.ActiveFrom, got.Installed, err, tt.want)
			}
		})
	}
}

func TestRenamedCompanyKeepsItsCompoundsAndAccounts(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		p := importTest(t, s, 1)[0]
		applyTest(t, s, []fleet.RegistryChange{{Company: &fleet.CompanyEntry{Company: fleet.Company{Name: "知邻物业", Phone: "13800000009"}}}})
		if err := s.RenameCompany(t.Context(), "示例物业", "知邻物业"); fleet.CodeOf(err) != fleet.Conflict {
			t.Errorf("to a name that is taken = %v", err)
		}
		if err := s.RenameCompany(t.Context(), "示例物业", "松风物业"); err != nil {
			t.Fatal(err)
		}
		if in, err := s.PointsIn(t.Context(), fleet.Scope{Company: "松风物业"}); err != nil || len(in) != 1 || in[0].ID != p.ID {
			t.Errorf("points of the renamed company = %+v, %v", in, err)
		}
		all, err := s.Companies(t.Context())
		if err != nil || len(all) != 2 || all[1].Phone.Full() == "" && all[0].Phone.Full() == "" {
			t.Errorf("Companies = %+v, %v", all, err)
		}
	})
}
