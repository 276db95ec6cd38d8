package store

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gatecast/controller/fleet"
)

func TestScopeGivesOnlyOnesOwnPoints(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		err := s.ImportRegistry(ctx, fleet.Registry{
			Units: []fleet.UnitEntry{
				{Unit: fleet.Unit{Code: "R", Type: fleet.Subdistrict, Name: "R"}},
				{Parent: "R", Unit: fleet.Unit{Code: "A", Type: fleet.Community, Name: "A"}},
				{Parent: "A", Unit: fleet.Unit{Code: "AA", Type: fleet.School, Name: "AA"}},
				{Parent: "R", Unit: fleet.Unit{Code: "B", Type: fleet.Community, Name: "B"}},
			},
			Compounds: []fleet.CompoundEntry{
				{Unit: "A", Compound: fleet.Compound{Name: "x", Property: "安心物业"}},
				{Unit: "B", Compound: fleet.Compound{Name: "y", Property: "安心物业"}},
				{Unit: "B", Compound: fleet.Compound{Name: "z", Property: "别家物业"}},
			},
			Points: []fleet.PointEntry{
				{Unit: "A", Compound: "x", Point: fleet.Point{Code: "A-1", Name: "1", Kind: fleet.Gate}},
				{Unit: "AA", Point: fleet.Point{Code: "AA-1", Name: "2", Kind: fleet.Indoors}},
				{Unit: "B", Compound: "y", Point: fleet.Point{Code: "B-1", Name: "3", Kind: fleet.Gate}},
				{Unit: "B", Compound: "z", Point: fleet.Point{Code: "B-2", Name: "4", Kind: fleet.Gate}},
				{Unit: "B", Point: fleet.Point{Code: "B-3", Name: "5", Kind: fleet.Horn}},
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		units, err := s.Units(ctx)
		if err != nil {
			t.Fatal(err)
		}
		unit := map[string]fleet.UnitID{}
		for _, u := range units {
			unit[u.Code] = u.ID
		}
		all, err := s.Points(ctx, fleet.PointFilter{})
		if err != nil {
			t.Fatal(err)
		}
		tests := []struct {
			name string
			user fleet.User
			want []string
		}{
			{"clerk", fleet.User{Role: fleet.Clerk}, []string{"A-1", "AA-1", "B-1", "B-2", "B-3"}},
			{"unit_with_those_below", fleet.User{Role: fleet.UnitAccount, Unit: unit["A"]}, []string{"A-1", "AA-1"}},
			{"lowest_unit", fleet.User{Role: fleet.UnitAccount, Unit: unit["AA"]}, []string{"AA-1"}},
			{"unit_account_without_unit", fleet.User{Role: fleet.UnitAccount, Company: "安心物业"}, nil},
			{"company_in_two_units", fleet.User{Role: fleet.PropertyAccount, Company: "安心物业"}, []string{"A-1", "B-1"}},
			{"company_unknown", fleet.User{Role: fleet.PropertyAccount, Company: "%"}, nil},
			{"property_account_without_company", fleet.User{Role: fleet.PropertyAccount, Unit: unit["R"]}, nil},
			{"auditor", fleet.User{Role: fleet.Auditor}, nil},
			{"unknown_role", fleet.User{Role: "boss", Unit: unit["R"], Company: "安心物业"}, nil},
		}
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				own, err := s.PointsIn(ctx, tt.user.Scope())
				if err != nil {
					t.Fatal(err)
				}
				var got []string
				mine := map[fleet.PointID]bool{}
				for _, p := range own {
					got = append(got, p.Code)
					mine[p.ID] = true
				}
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Errorf("PointsIn (-want +got):\n%s", diff)
				}
				for _, p := range all {
					one, err := s.PointIn(ctx, tt.user.Scope(), p.ID)
					if mine[p.ID] && (err != nil || one.Code != p.Code) {
						t.Errorf("PointIn(%s) = %+v, %v", p.Code, one, err)
					}
					if !mine[p.ID] && (fleet.CodeOf(err) != fleet.NotFound || err.Error() != noPoint(p.ID).Error()) {
						t.Errorf("PointIn(%s) of somebody else's point: %v", p.Code, err)
					}
				}
			})
		}
		if _, err := s.SaveUser(ctx, fleet.User{Login: "u", Name: "u", Role: fleet.UnitAccount, Unit: 999}); fleet.CodeOf(err) != fleet.Invalid {
			t.Errorf("an account of a unit that does not exist: %v", err)
		}
		if fmt.Sprint(fleet.Scope{}.Nothing(), fleet.Scope{All: true}.Nothing()) != "true false" {
			t.Error("Nothing is wrong about what it sees")
		}
	})
}
