package fleet

import (
	"slices"
	"time"
)

// Lack is something that a unit or point should have and has not; its words are
// in the catalogs under "lack." and it.
type Lack string

// What a unit should have.
const (
	LackHead    Lack = "head"    // 第一责任人
	LackLeader  Lack = "leader"  // 主管领导
	LackLiaison Lack = "liaison" // a current 联络员
	LackRegion  Lack = "region"  // 区划代码, of subdistricts, communities and villages
	LackGroup   Lack = "group"   // a publicity group, of subdistricts, communities and villages
)

// What a point in use should have.
const (
	LackCalibration Lack = "calibration" // a measurement at the nearest window
	LackApproval    Lack = "approval"    // 批准文件
	LackCap         Lack = "cap"         // its own volume ceiling
)

// Lacks is every lack in the order in which it is shown.
var Lacks = []Lack{LackHead, LackLeader, LackLiaison, LackRegion, LackGroup, LackCalibration, LackApproval, LackCap}

// Place reports whether a unit is a place where people live: it has a region
// code and publicity groups.
func (u Unit) Place() bool {
	return u.Type == Subdistrict || u.Type == Community || u.Type == Village
}

// UnitLacks returns what each unit that is in the register lacks at now; a unit
// that lacks nothing is not in it. A grid's group counts for its unit.
func UnitLacks(units []Unit, liaisons []Liaison, groups []Group, now time.Time) map[UnitID][]Lack {
	liaison, group := map[UnitID]bool{}, map[UnitID]bool{}
	for _, l := range liaisons {
		if l.CurrentAt(now) {
			liaison[l.Unit] = true
		}
	}
	for _, g := range groups {
		group[g.Unit] = group[g.Unit] || g.Ended.IsZero()
	}
	all := map[UnitID][]Lack{}
	for _, u := range units {
		if !u.Listed() {
			continue
		}
		for _, c := range []struct {
			lack Lack
			has  bool
		}{
			{LackHead, u.Head != ""}, {LackLeader, u.Leader != ""}, {LackLiaison, liaison[u.ID]},
			{LackRegion, u.Region != "" || !u.Place()}, {LackGroup, group[u.ID] || !u.Place()},
		} {
			if !c.has {
				all[u.ID] = append(all[u.ID], c.lack)
			}
		}
	}
	return all
}

// PointLacks returns what a point in use lacks.
func PointLacks(p Point, calibrated bool) []Lack {
	var all []Lack
	if !calibrated {
		all = append(all, LackCalibration)
	}
	if p.Approval == "" {
		all = append(all, LackApproval)
	}
	if p.CapPct == 0 {
		all = append(all, LackCap)
	}
	return all
}

// MemberUnits is the template 成员单位: the member units of a leading group by
// their usual names below a subdistrict with that code, without any person.
// Codes are the parent's with a number. What units has by its name is left out.
func MemberUnits(parent string, units []Unit) []RegistryChange {
	names := []struct {
		name string
		kind UnitType
	}{
		{"党政办", Section}, {"纪检办", Section}, {"党建办", Section}, {"宣传办", Section}, {"综治中心", Office}, {"派出所", Station}, {"财政所", Station},
		{"民政所", Station}, {"司法所", Station}, {"市监所", Station}, {"国土所", Station}, {"卫健办", Section}, {"经济办", Section},
	}
	var all []RegistryChange
	for i, n := range names {
		if slices.ContainsFunc(units, func(u Unit) bool { return u.Name == n.name || slices.Contains(u.Aliases, n.name) }) {
			continue
		}
		all = append(all, RegistryChange{Unit: &UnitEntry{Parent: parent, Unit: Unit{
			Code: parent + "-M" + string(rune('0'+(i+1)/10)) + string(rune('0'+(i+1)%10)), Type: n.kind, Name: n.name, Order: 100 + i,
		}}})
	}
	return all
}
