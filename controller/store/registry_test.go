package store

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatecast/controller/fleet"
)

func TestImportRegistryResolvesReferencesByCode(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		importTest(t, s, 3)
		units, err := s.Units(t.Context())
		if err != nil || len(units) != 3 {
			t.Fatalf("Units = %+v, %v", units, err)
		}
		// The file names the community before the subdistrict it belongs to.
		if units[0].Code != "SL" || units[0].Parent != 0 || units[1].Code != "SF" || units[1].Parent != units[0].ID || units[2].Code != "WH" {
			t.Errorf("Units = %+v, want SL above SF and WH", units)
		}
		grids, err := s.Grids(t.Context())
		if err != nil || len(grids) != 1 || grids[0].Unit != units[1].ID || grids[0].Worker != "张工" {
			t.Errorf("Grids = %+v, %v", grids, err)
		}
		compounds, err := s.Compounds(t.Context())
		if err != nil || len(compounds) != 1 || compounds[0].Grid != grids[0].ID || compounds[0].Property != "示例物业" {
			t.Errorf("Compounds = %+v, %v", compounds, err)
		}
		groups, err := s.Groups(t.Context())
		if err != nil || len(groups) != 1 || groups[0].Unit != units[1].ID || groups[0].Grid != grids[0].ID || groups[0].Members != 88 {
			t.Errorf("Groups = %+v, %v", groups, err)
		}
		liaisons, err := s.Liaisons(t.Context())
		if err != nil || len(liaisons) != 1 || !liaisons[0].From.Equal(t0) || !liaisons[0].To.IsZero() {
			t.Errorf("Liaisons = %+v, %v", liaisons, err)
		}
		p, err := s.PointByCode(t.Context(), "SF-02")
		want := fleet.Point{ID: p.ID, Code: "SF-02", Name: "松风苑2号门", Kind: fleet.Gate, Unit: units[1].ID, Compound: compounds[0].ID}
		if diff := cmp.Diff(want, p); err != nil || diff != "" {
			t.Errorf("PointByCode: %v (-want +got):\n%s", err, diff)
		}
	})
}

func TestImportRegistryIsIdempotentAndKeepsWhatItDoesNotName(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		points := importTest(t, s, 2)
		if err := s.SetPointActive(t.Context(), points[0].ID, t0); err != nil {
			t.Fatal(err)
		}
		before := snapshot(t, s)
		if err := s.ImportRegistry(t.Context(), testRegistry(2)); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(before, snapshot(t, s)); diff != "" {
			t.Errorf("the second import changed (-before +after):\n%s", diff)
		}
		reg := fleet.Registry{Points: []fleet.PointEntry{{Point: fleet.Point{Code: "SF-01", Name: "松风苑南门", Kind: fleet.Gate}, Unit: "SF", Compound: "松风苑"}}}
		if err := s.ImportRegistry(t.Context(), reg); err != nil {
			t.Fatal(err)
		}
		p, err := s.Point(t.Context(), points[0].ID)
		if err != nil || p.Name != "松风苑南门" || !p.ActiveFrom.Equal(t0) {
			t.Errorf("after a partial import: %+v, %v", p, err)
		}
		if all, err := s.Points(t.Context(), fleet.PointFilter{}); err != nil || len(all) != 3 {
			t.Errorf("%d points after a partial import, %v", len(all), err)
		}
	})
}

// snapshot is the whole registry.
func snapshot(t *testing.T, s *Store) []any {
	t.Helper()
	var all []any
	for _, get := range []func() (any, error){
		func() (any, error) { return s.Units(t.Context()) },
		func() (any, error) { return s.Grids(t.Context()) },
		func() (any, error) { return s.Compounds(t.Context()) },
		func() (any, error) { return s.Points(t.Context(), fleet.PointFilter{}) },
		func() (any, error) { return s.Groups(t.Context()) },
		func() (any, error) { return s.Liaisons(t.Context()) },
	} {
		v, err := get()
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, v)
	}
	return all
}

func TestImportRegistryIsAllOrNothing(t *testing.T) {
	tests := []struct {
		name  string
		spoil func(*fleet.Registry)
	}{
		{"unknown_parent", func(r *fleet.Registry) { r.Units[0].Parent = "XX" }},
		{"unknown_unit_of_grid", func(r *fleet.Registry) { r.Grids[0].Unit = "XX" }},
		{"unknown_grid_of_compound", func(r *fleet.Registry) { r.Compounds[0].Grid = 9 }},
		{"unknown_compound_of_point", func(r *fleet.Registry) { r.Points[1].Compound = "桃花源" }},
		{"point_without_code", func(r *fleet.Registry) { r.Points[1].Code = "" }},
		{"unknown_unit_of_group", func(r *fleet.Registry) { r.Groups[0].Unit = "XX" }},
		{"unknown_unit_of_liaison", func(r *fleet.Registry) { r.Liaisons[0].Unit = "" }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			onEach(t, func(t *testing.T, s *Store) {
				reg := testRegistry(1)
				tt.spoil(&reg)
				err := s.ImportRegistry(t.Context(), reg)
				var told *fleet.Error
				if fleet.CodeOf(err) != fleet.Invalid || !errors.As(err, &told) || told.Text == "" || told.TextEN == "" {
					t.Fatalf("ImportRegistry = %v, want a told error of code invalid", err)
				}
				if units, err := s.Units(t.Context()); err != nil || len(units) != 0 {
					t.Errorf("a refused import left %d units, %v", len(units), err)
				}
			})
		})
	}
}

func TestPointsFilter(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		importTest(t, s, 12)
		units, err := s.Units(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		top, village := units[0].ID, units[2].ID
		tests := []struct {
			name string
			f    fleet.PointFilter
			n    int
		}{
			{"all", fleet.PointFilter{}, 13},
			{"subdistrict_with_all_below", fleet.PointFilter{Unit: top}, 13},
			{"village", fleet.PointFilter{Unit: village}, 1},
			{"unknown_unit", fleet.PointFilter{Unit: 99}, 0},
			{"kind", fleet.PointFilter{Kind: fleet.Horn}, 1},
			{"tag", fleet.PointFilter{Tag: "near-school"}, 1},
			{"part_of_a_tag", fleet.PointFilter{Tag: "near"}, 0},
			{"code", fleet.PointFilter{Query: "sf-1"}, 3},
			{"name", fleet.PointFilter{Query: "12号门"}, 1},
			{"unit_name", fleet.PointFilter{Query: "望河村"}, 1},
			{"compound_name", fleet.PointFilter{Query: " 松风苑 "}, 12},
			{"wildcards_are_plain", fleet.PointFilter{Query: "%"}, 0},
			{"underscore_is_plain", fleet.PointFilter{Query: "SF_01"}, 0},
			{"quote_is_plain", fleet.PointFilter{Query: "'; DROP TABLE points; --"}, 0},
			{"page", fleet.PointFilter{Limit: 5, Offset: 10}, 3},
			{"offset_alone", fleet.PointFilter{Offset: 10}, 3},
			{"both", fleet.PointFilter{Unit: village, Kind: fleet.Gate}, 0},
		}
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				got, err := s.Points(t.Context(), tt.f)
				if err != nil || len(got) != tt.n {
					t.Errorf("Points(%+v) = %d points, %v, want %d", tt.f, len(got), err, tt.n)
				}
				for i := 1; i < len(got); i++ {
					if got[i-1].Code >= got[i].Code {
						t.Errorf("%q before %q", got[i-1].Code, got[i].Code)
					}
				}
			})
		}
	})
}

func TestSetPointActive(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		p := importTest(t, s, 1)[0]
		for _, at := range []time.Time{t0, {}} {
			if err := s.SetPointActive(t.Context(), p.ID, at); err != nil {
				t.Fatal(err)
			}
			if got, err := s.Point(t.Context(), p.ID); err != nil || !got.ActiveFrom.Equal(at) {
				t.Errorf("ActiveFrom = %v, %v, want %v", got.ActiveFrom, err, at)
			}
		}
		if err := s.SetPointActive(t.Context(), 999, t0); fleet.CodeOf(err) != fleet.NotFound {
			t.Errorf("SetPointActive of an unknown point = %v", err)
		}
	})
}

func TestMissingThingsAreToldErrors(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		for name, get := range map[string]func() error{
			"Point":         func() error { _, err := s.Point(ctx, 9); return err },
			"PointByCode":   func() error { _, err := s.PointByCode(ctx, "X"); return err },
			"Device":        func() error { _, err := s.Device(ctx, "x"); return err },
			"DeviceOfPoint": func() error { _, err := s.DeviceOfPoint(ctx, 9); return err },
			"Clip":          func() error { _, err := s.Clip(ctx, 9); return err },
			"ClipByName":    func() error { _, err := s.ClipByName(ctx, "x"); return err },
			"ClipBySHA":     func() error { _, err := s.ClipBySHA(ctx, "x"); return err },
			"DecideClip":    func() error { _, err := s.DecideClip(ctx, 9, fleet.ClipDecision{Step: fleet.StepSubmit}); return err },
			"Programme":     func() error { _, err := s.Programme(ctx, 9); return err },
			"Activate":      func() error { return s.ActivateProgramme(ctx, 9, t0) },
			"Doc":           func() error { _, err := s.Doc(ctx, "x"); return err },
			"LatestDoc":     func() error { _, err := s.LatestDoc(ctx, "", "plan"); return err },
			"Obligation":    func() error { _, err := s.Obligation(ctx, 9, "2026-11-23.a.b"); return err },
			"UserByLogin":   func() error { _, err := s.UserByLogin(ctx, "x"); return err },
			"User":          func() error { _, err := s.User(ctx, 9); return err },
			"SessionByHash": func() error { _, err := s.SessionByHash(ctx, "x"); return err },
			"SaveState":     func() error { _, err := s.SaveState(ctx, "x", stateOf(1), t0); return err },
			"SetWanted":     func() error { return s.SetWanted(ctx, "x", 1, "aa") },
			"AppendRecords": func() error { _, err := s.AppendRecords(ctx, "x", testLog, nil, t0); return err },
			"JoinCode":      func() error { _, err := s.JoinCode(ctx, "x"); return err },
			"AddJoinCode":   func() error { return s.AddJoinCode(ctx, fleet.JoinCode{Hash: "h", Point: 9}) },
		} {
			err := get()
			var told *fleet.Error
			if fleet.CodeOf(err) != fleet.NotFound || !errors.As(err, &told) || told.Text == "" || told.TextEN == "" {
				t.Errorf("%s = %v, want a told error of code not_found", name, err)
			}
		}
	})
}
