package web

import (
	"strings"
	"testing"

	"gatecast/controller/fleet"
)

// registerTour adds the pages of the registry to the tour, with a long name, a
// person who left, a change to come and a measurement that is too loud.
func (w *world) registerTour(t testing.TB, pages map[string]string) {
	t.Helper()
	at := testNow.AddDate(0, 0, -20)
	out, err := w.store.ApplyRegistry(t.Context(), []fleet.RegistryChange{
		{Unit: &fleet.UnitEntry{Parent: "SL", Unit: fleet.Unit{
			Code: "SL-21", Type: fleet.Enterprise, Name: strings.Repeat("示例新材料科技", 5) + "有限公司", Order: 90, Aliases: []string{"新材料"}, Hats: []string{"示例街道反诈宣传教育基地"},
		}}},
		{Liaison: &fleet.LiaisonEntry{Unit: "SL-02", Liaison: fleet.Liaison{Name: "沈工", Post: "副主任", From: at, To: testNow.AddDate(0, 0, -3)}}},
		{Fields: []string{"cap", "approval", "place", "tags"}, Point: &fleet.PointEntry{Point: fleet.Point{
			Code: w.points["谷雨里南门"].Code, CapPct: 55, Approval: "示例〔2026〕3号", Place: "南门岗亭外墙，离地 3 米，朝小区内", Tags: []string{fleet.ExamTag},
		}}},
	}, fleet.RegistryOptions{By: fleet.Audit{At: at, Who: "clerk"}})
	if err != nil || !out.Applied {
		t.Fatalf("%+v, %v", out, err)
	}
	from, to := w.unitNamed(t, "望河社区"), w.unitNamed(t, "青禾社区")
	if _, err := w.store.AddUnitChange(t.Context(), fleet.UnitChange{
		Kind: fleet.UnitMerge, Unit: from.ID, Target: to.ID, Day: "2026-12-31", Document: "示例〔2026〕12号", By: "clerk", At: testNow,
	}, "2026-11-23"); err != nil {
		t.Fatal(err)
	}
	pt := w.points["谷雨里南门"].ID
	if _, err := w.store.AddCalibration(t.Context(), fleet.Calibration{
		Point: pt, Day: "2026-11-20", OnDB: 62.5, OffDB: 51, Method: fleet.ByApp, Class: 1, Who: "张工", Note: "二楼窗前", By: "clerk", At: testNow,
	}, testPhoto(t, 64, 48, 1)); err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{
		"units": "/units", "units_lacks": "/units?show=lacks&sort=lacks", "unit_new": "/units/new", "unit": unitPath(from.ID), "unit_missing": "/units/missing",
		"compounds": "/compounds", "properties": "/properties", "property": "/properties/1",
		"point_new": "/points/new", "point_edit": pointPath(pt) + "/edit", "calibration": pointPath(pt) + "/calibration",
	} {
		pages[name] = path
	}
}
