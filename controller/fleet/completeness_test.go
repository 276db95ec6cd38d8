package fleet

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestUnitLacks(t *testing.T) {
	now := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	whole := Unit{Type: Community, Head: "周望舒", Leader: "陈主任", Region: "340103001001"}
	unit := func(id UnitID, change func(*Unit)) Unit {
		u := whole
		u.ID = id
		change(&u)
		return u
	}
	units := []Unit{
		unit(1, func(*Unit) {}), unit(2, func(u *Unit) { u.Head = "" }), unit(3, func(u *Unit) { u.Leader, u.Region = "", "" }),
		unit(4, func(u *Unit) { u.Type, u.Region = Station, "" }), unit(5, func(u *Unit) { u.State, u.Head = UnitMerged, "" }), unit(6, func(*Unit) {}), unit(7, func(*Unit) {}),
	}
	liaisons := []Liaison{{Unit: 1}, {Unit: 2}, {Unit: 3}, {Unit: 4}, {Unit: 6, To: now}, {Unit: 7, To: now.Add(time.Hour)}}
	groups := []Group{{Unit: 1}, {Unit: 2}, {Unit: 3, Grid: 9}, {Unit: 6}}
	want := map[UnitID][]Lack{2: {LackHead}, 3: {LackLeader, LackRegion}, 6: {LackLiaison}, 7: {LackGroup}}
	if diff := cmp.Diff(want, UnitLacks(units, liaisons, groups, now)); diff != "" {
		t.Errorf("UnitLacks (-want +got):\n%s", diff)
	}
}

func TestPointLacks(t *testing.T) {
	if got := PointLacks(Point{Approval: "示例〔2026〕3号", CapPct: 60}, true); len(got) != 0 {
		t.Errorf("PointLacks = %v, want none", got)
	}
	if diff := cmp.Diff([]Lack{LackCalibration, LackApproval, LackCap}, PointLacks(Point{}, false)); diff != "" {
		t.Errorf("PointLacks (-want +got):\n%s", diff)
	}
}

func TestMemberUnitsAreThirteenWithoutPersons(t *testing.T) {
	all := MemberUnits("SL", nil)
	if len(all) != 13 {
		t.Fatalf("%d member units, want 13", len(all))
	}
	codes := map[string]bool{}
	for _, c := range all {
		Tidy(c.Unit)
		if faults := CheckEntry(c.Unit); len(faults) != 0 || c.Unit.Head+c.Unit.Leader != "" || codes[c.Unit.Code] || c.Unit.Parent != "SL" {
			t.Errorf("%+v: %+v", c.Unit, faults)
		}
		codes[c.Unit.Code] = true
	}
	if rest := MemberUnits("SL", []Unit{{Name: "派出所"}, {Name: "示例街道财政所", Aliases: []string{"财政所"}}}); len(rest) != 11 {
		t.Errorf("%d member units beside two that are there, want 11", len(rest))
	}
}
