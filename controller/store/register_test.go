package store

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gatecast/controller/fleet"
)

// newcomers is a community that joins, in the order of nobody's file.
func newcomers() []fleet.RegistryChange {
	return []fleet.RegistryChange{
		{Line: "点位!2", Point: &fleet.PointEntry{Unit: "QH", Compound: "青禾里", Point: fleet.Point{Code: "QH-01", Name: "青禾里南门", Kind: fleet.Gate, CapPct: 60}}},
		{Line: "小区!2", Compound: &fleet.CompoundEntry{Unit: "QH", Grid: 1, Compound: fleet.Compound{Name: "青禾里", Property: "知邻物业", Households: 420}}},
		{Line: "网格!2", Grid: &fleet.GridEntry{Unit: "QH", Grid: fleet.Grid{Number: 1, Name: "第一网格", Worker: "张工", Households: 420, Population: 1100}}},
		{Line: "联络员!2", Liaison: &fleet.LiaisonEntry{Unit: "QH", Liaison: fleet.Liaison{Name: "李工", Post: "副主任", Phone: "13800000002", From: t0}}},
		{Line: "单位!2", Unit: &fleet.UnitEntry{Parent: "SL", Unit: fleet.Unit{Code: "ＱＨ", Type: fleet.Community, Name: " 青禾社区 ", Region: "340103001003"}}},
		{Line: "物业!2", Company: &fleet.CompanyEntry{Company: fleet.Company{Name: "知邻物业", Contact: "王工", Phone: "13900000003"}}},
		{Line: "群!2", Group: &fleet.GroupEntry{Unit: "QH", Grid: 1, Group: fleet.Group{Code: "SL-3-03-01-1", Name: "示例街道青禾社区（第一网格）反电诈宣传群", Tier: 3, Members: 120}}},
	}
}

func by(login string) fleet.RegistryOptions {
	return fleet.RegistryOptions{By: fleet.Audit{At: t0, Who: login, Role: fleet.Clerk}, Today: "2026-11-23"}
}

func applyTest(t *testing.T, s *Store, changes []fleet.RegistryChange) fleet.RegistryOutcome {
	t.Helper()
	out, err := s.ApplyRegistry(t.Context(), changes, by("clerk"))
	if err != nil || !out.Applied {
		t.Fatalf("ApplyRegistry = %+v, %v", out, err)
	}
	return out
}

func TestApplyRegistryTakesLinesInAnyOrder(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		importTest(t, s, 1)
		dry := by("clerk")
		dry.Dry = true
		before := snapshot(t, s)
		out, err := s.ApplyRegistry(t.Context(), newcomers(), dry)
		if err != nil || out.Applied || len(out.Faults) != 0 || out.Count(fleet.DidAdd) != 7 {
			t.Fatalf("dry run = %+v, %v, want seven additions", out, err)
		}
		if diff := cmp.Diff(before, snapshot(t, s)); diff != "" {
			t.Fatalf("a dry run changed (-before +after):\n%s", diff)
		}
		if out := applyTest(t, s, newcomers()); out.Count(fleet.DidAdd) != 7 {
			t.Errorf("ApplyRegistry = %+v, want seven additions", out)
		}
		p, err := s.PointByCode(t.Context(), "QH-01")
		if err != nil || p.CapPct != 60 || p.Compound == 0 || p.StageAt(t0) != fleet.StageBare {
			t.Errorf("PointByCode = %+v, %v", p, err)
		}
		lines, err := s.FindAudits(t.Context(), fleet.AuditFilter{What: fleet.AuditRegister})
		if err != nil || len(lines) != 7 {
			t.Fatalf("%d lines of the audit, %v, want one for each", len(lines), err)
		}
		after := snapshot(t, s)
		if out := applyTest(t, s, newcomers()); out.Count(fleet.DidNothing) != 7 {
			t.Errorf("the second time = %+v, want nothing to do", out)
		}
		if diff := cmp.Diff(after, snapshot(t, s)); diff != "" {
			t.Errorf("the second time changed (-before +after):\n%s", diff)
		}
		if again, err := s.FindAudits(t.Context(), fleet.AuditFilter{What: fleet.AuditRegister}); err != nil || len(again) != 7 {
			t.Errorf("%d lines of the audit after nothing changed, %v", len(again), err)
		}
	})
}

func TestApplyRegistryChangesOnlyTheFieldsItNames(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		importTest(t, s, 1)
		applyTest(t, s, newcomers())
		out := applyTest(t, s, []fleet.RegistryChange{
			{Fields: []string{"head", "leader"}, Unit: &fleet.UnitEntry{Unit: fleet.Unit{Code: "QH", Head: "宋稼禾", Leader: "沈主任"}}},
			{Fields: []string{"cap"}, Point: &fleet.PointEntry{Point: fleet.Point{Code: "QH-01", CapPct: 45}}},
		})
		want := []fleet.RegistryResult{
			{Did: fleet.DidChange, Label: "单位 QH", Before: `{"head":"","leader":""}`, After: `{"head":"宋稼禾","leader":"沈主任"}`},
			{Did: fleet.DidChange, Label: "点位 QH-01", Before: `{"cap":"60"}`, After: `{"cap":"45"}`},
		}
		if diff := cmp.Diff(want, out.Results); diff != "" {
			t.Errorf("results (-want +got):\n%s", diff)
		}
		units, err := s.Units(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		u := units[len(units)-1]
		if u.Code != "SF" { // order 0 comes first
			u = units[1]
		}
		for _, x := range units {
			if x.Code == "QH" {
				u = x
			}
		}
		if u.Name != "青禾社区" || u.Head != "宋稼禾" || u.Region != "340103001003" || u.Parent == 0 {
			t.Errorf("unit = %+v", u)
		}
	})
}

func TestApplyRegistryIsAllOrNothingAndNamesEachFault(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		importTest(t, s, 1)
		before := snapshot(t, s)
		changes := newcomers()
		changes[4].Unit.Region = "12345"
		changes = append(changes,
			fleet.RegistryChange{Line: "单位!3", Unit: &fleet.UnitEntry{Parent: "SF", Unit: fleet.Unit{Code: "SL", Type: fleet.Subdistrict, Name: "示例街道"}}},
			fleet.RegistryChange{Line: "小区!3", Compound: &fleet.CompoundEntry{Unit: "SF", Grid: 9, Compound: fleet.Compound{Name: "云阶台"}}},
			fleet.RegistryChange{Line: "空!1"},
			fleet.RegistryChange{Line: "小区!4", Remove: true, Compound: &fleet.CompoundEntry{Unit: "SF", Compound: fleet.Compound{Name: "松风苑"}}},
			fleet.RegistryChange{Line: "单位!4", Remove: true, Unit: &fleet.UnitEntry{Unit: fleet.Unit{Code: "SF"}}},
		)
		out, err := s.ApplyRegistry(t.Context(), changes, by("clerk"))
		if err != nil || out.Applied || !out.Refused() || out.Err() == nil {
			t.Fatalf("ApplyRegistry = %+v, %v", out, err)
		}
		fields := map[string]string{}
		for _, f := range out.Faults {
			if f.Text == "" || f.TextEN == "" {
				t.Errorf("fault %+v", f)
			}
			if fields[f.Line] == "" {
				fields[f.Line] = f.Field + "."
			}
		}
		want := map[string]string{
			"单位!2": "region.", "网格!2": "unit.", "小区!2": "unit.", "点位!2": "unit.", "群!2": "unit.", "联络员!2": "unit.",
			"单位!3": "parent.", "小区!3": "grid.", "空!1": ".", "小区!4": ".", "单位!4": ".",
		}
		if diff := cmp.Diff(want, fields); diff != "" {
			t.Errorf("first field at fault by line (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(before, snapshot(t, s)); diff != "" {
			t.Errorf("a refused batch changed (-before +after):\n%s", diff)
		}
	})
}

func TestApplyRegistryKeepsTheHistoryOfGroups(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		importTest(t, s, 1)
		applyTest(t, s, newcomers())
		group := func(g fleet.Group, fields ...string) []fleet.RegistryChange {
			g.Code = "SL-3-03-01-1"
			return []fleet.RegistryChange{{Line: "群!2", Fields: fields, Group: &fleet.GroupEntry{Group: g}}}
		}
		applyTest(t, s, group(fleet.Group{Name: "青禾一网格群", Owner: "张工", OwnerPost: "网格员", OwnerPhone: "13800000009", Households: 420, Joined: 400}, "name", "owner", "post", "phone", "households", "joined"))
		all, err := s.Groups(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(all, func(g fleet.Group) bool { return g.Code == "SL-3-03-01-1" })
		if i < 0 || all[i].State != fleet.GroupRenamed || len(all[i].Former) != 1 || all[i].Members != 120 || all[i].OwnerPhone != "13800000009" || all[i].Joined != 400 {
			t.Fatalf("groups = %+v", all)
		}
		out, err := s.ApplyRegistry(t.Context(), group(fleet.Group{State: fleet.GroupDissolved}, "state"), by("clerk"))
		if err != nil || out.Applied || len(out.Faults) != 1 || out.Faults[0].Field != "state" {
			t.Errorf("dissolving by a batch = %+v, %v, want a fault of the state", out, err)
		}
		out, err = s.ApplyRegistry(t.Context(), group(fleet.Group{Joined: 500}, "joined"), by("clerk"))
		if err != nil || out.Applied || len(out.Faults) != 1 {
			t.Errorf("more households in than there are = %+v, %v, want a fault", out, err)
		}
	})
}
