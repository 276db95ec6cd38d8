package store

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatecast/controller/fleet"
	"gatecast/controller/naming"
)

// saveGroup stores g at the community of importTest.
func saveGroup(t *testing.T, s *Store, g fleet.Group) fleet.Group {
	t.Helper()
	g, err := s.SaveGroup(t.Context(), g, "clerk", t0)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func unitOf(t *testing.T, s *Store, kind fleet.UnitType) fleet.Unit {
	t.Helper()
	units, err := s.Units(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range units {
		if u.Type == kind {
			return u
		}
	}
	t.Fatalf("no %s", kind)
	return fleet.Unit{}
}

func TestGroupKeepsItsCodeNamesAndPeople(t *testing.T) {
	s := newTestStore(t)
	importTest(t, s, 1)
	u := unitOf(t, s, fleet.Community)
	g := saveGroup(t, s, fleet.Group{Tier: 2, Unit: u.ID, Name: "老群", Owner: "何知夏", OwnerPost: "书记", OwnerPhone: "13800001234", Admins: []string{"林予安"}})
	if g.Code == "" || g.Seq == 0 || g.State != fleet.GroupActive {
		t.Fatalf("SaveGroup = %+v", g)
	}
	later := t0.Add(time.Hour)
	is := g
	is.Name, is.Owner, is.Admins, is.Code, is.Tier = "新群", "沈砚秋", []string{"林予安", "许见山"}, "other", 1
	is, err := s.SaveGroup(t.Context(), is, "clerk", later)
	if err != nil {
		t.Fatal(err)
	}
	if is.Code != g.Code || is.Tier != 2 || is.State != fleet.GroupRenamed || is.OwnerPhone != "" {
		t.Errorf("after a change: %+v; want the same code and tier, renamed, no number of the former owner", is)
	}
	if diff := cmp.Diff([]string{"老群"}, is.Former); diff != "" {
		t.Errorf("former names (-want +got):\n%s", diff)
	}
	people, err := s.GroupPeople(t.Context(), g.ID)
	if err != nil {
		t.Fatal(err)
	}
	want := []fleet.GroupPerson{
		{Owner: true, Name: "沈砚秋", Post: "书记", From: later}, {Owner: true, Name: "何知夏", Post: "书记", From: t0, To: later},
		{Name: "许见山", From: later}, {Name: "林予安", From: t0},
	}
	if diff := cmp.Diff(want, people); diff != "" {
		t.Errorf("people (-want +got):\n%s", diff)
	}
}

func TestGroupCodesAreNeverUsedAgain(t *testing.T) {
	s := newTestStore(t)
	importTest(t, s, 1)
	community, village := unitOf(t, s, fleet.Community), unitOf(t, s, fleet.Village)
	seen := map[string]bool{}
	add := func(u fleet.UnitID, name string) fleet.Group {
		g := saveGroup(t, s, fleet.Group{Tier: 2, Unit: u, Name: name})
		if seen[g.Code] {
			t.Fatalf("code %s was given twice", g.Code)
		}
		seen[g.Code] = true
		return g
	}
	first := add(community.ID, "甲")
	if _, err := s.MoveGroup(t.Context(), first.ID, fleet.GroupDissolved, 0, t0); err != nil {
		t.Fatal(err)
	}
	add(community.ID, "甲")
	// A village with the number of the community: codes stay apart.
	if _, err := s.w.conn.ExecContext(t.Context(), fmt.Sprintf("UPDATE units SET position = %d WHERE id = %d", community.Order, village.ID)); err != nil {
		t.Fatal(err)
	}
	add(village.ID, "乙")
}

func TestGroupGoesThroughItsLife(t *testing.T) {
	s := newTestStore(t)
	importTest(t, s, 1)
	u := unitOf(t, s, fleet.Community)
	a := saveGroup(t, s, fleet.Group{Tier: 2, Unit: u.ID, Name: "甲", State: fleet.GroupPlanned})
	b := saveGroup(t, s, fleet.Group{Tier: 2, Unit: u.ID, Name: "乙", Owner: "何知夏", OwnerPhone: "13800001234"})
	move := func(id fleet.GroupID, to fleet.GroupState, into fleet.GroupID, want fleet.Code) fleet.Group {
		t.Helper()
		g, err := s.MoveGroup(t.Context(), id, to, into, t0)
		if fleet.CodeOf(err) != want {
			t.Fatalf("MoveGroup to %s = %v, want %q", to, err, want)
		}
		return g
	}
	move(b.ID, fleet.GroupMerged, a.ID, fleet.Invalid) // into a planned one
	if g := move(a.ID, fleet.GroupActive, 0, ""); g.Created != fleet.Day(t0.Format(time.DateOnly)) {
		t.Errorf("made on %q", g.Created)
	}
	move(a.ID, fleet.GroupActive, 0, fleet.Conflict)
	move(b.ID, fleet.GroupMerged, b.ID, fleet.Invalid)
	if g := move(b.ID, fleet.GroupMerged, a.ID, ""); g.Into != a.ID || g.Ended.IsZero() || g.OwnerPhone != "" {
		t.Errorf("merged: %+v", g)
	}
	move(b.ID, fleet.GroupDissolved, 0, fleet.Conflict)
	move(a.ID, fleet.GroupDissolved, 0, "")
}

func TestImportFindsGroupsByNameAndTwiceChangesNothing(t *testing.T) {
	s := newTestStore(t)
	importTest(t, s, 1)
	u := unitOf(t, s, fleet.Community)
	planned := saveGroup(t, s, fleet.Group{Tier: 2, Unit: u.ID, Name: "应有的名字", State: fleet.GroupPlanned})
	entry := func(name string, members int) fleet.GroupEntry {
		return fleet.GroupEntry{Unit: u.Code, Group: fleet.Group{Tier: 2, Name: name, Owner: "何知夏", Members: members}}
	}
	in := func(entries ...fleet.GroupEntry) []fleet.Group {
		t.Helper()
		if err := s.ImportRegistry(t.Context(), fleet.Registry{Groups: entries}); err != nil {
			t.Fatal(err)
		}
		all, err := s.Groups(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var own []fleet.Group
		for _, g := range all {
			if g.Tier == 2 && g.Unit == u.ID {
				own = append(own, g)
			}
		}
		return own
	}
	first := in(entry("老名字 ", 20), entry("第二个群", 0))
	if len(first) != 2 || first[0].ID != planned.ID || first[0].Name != "老名字 " || first[0].State != fleet.GroupActive || first[1].Code == first[0].Code {
		t.Fatalf("first import: %+v", first)
	}
	if diff := cmp.Diff(first, in(entry("老名字 ", 20), entry("第二个群", 0))); diff != "" {
		t.Errorf("the same import again (-before +after):\n%s", diff)
	}
	// Renamed since: the old file finds the group by the name that it had.
	is := first[0]
	is.Name = "新名字"
	saveGroup(t, s, is)
	if again := in(entry("老名字 ", 30)); len(again) != 2 || again[0].Members != 30 {
		t.Errorf("import of a former name: %+v", again)
	}
}

func TestGroupRefusesWhatCannotBeKept(t *testing.T) {
	s := newTestStore(t)
	importTest(t, s, 1)
	u := unitOf(t, s, fleet.Community)
	good := fleet.Group{Tier: 2, Unit: u.ID, Name: "群"}
	tests := []struct {
		name   string
		change func(*fleet.Group)
	}{
		{"tier", func(g *fleet.Group) { g.Tier = 4 }},
		{"no_unit", func(g *fleet.Group) { g.Unit = 0 }},
		{"unknown_unit", func(g *fleet.Group) { g.Unit = 999 }},
		{"no_grid", func(g *fleet.Group) { g.Tier = 3 }},
		{"unknown_grid", func(g *fleet.Group) { g.Tier, g.Grid = 3, 999 }},
		{"no_name", func(g *fleet.Group) { g.Name = " " }},
		{"two_lines", func(g *fleet.Group) { g.Name = "群\n群" }},
		{"identity_number", func(g *fleet.Group) { g.Owner = "某人 11010519491231002X" }},
		{"more_joined_than_there_are", func(g *fleet.Group) { g.Households, g.Joined = 1, 2 }},
		{"members", func(g *fleet.Group) { g.Members = -1 }},
		{"platform", func(g *fleet.Group) { g.Platform = "fax" }},
		{"day", func(g *fleet.Group) { g.Created = "去年" }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g := good
			tt.change(&g)
			if _, err := s.SaveGroup(t.Context(), g, "clerk", t0); fleet.CodeOf(err) != fleet.Invalid {
				t.Errorf("SaveGroup = %v, want a refusal", err)
			}
		})
	}
	if err := s.SetSetting(t.Context(), naming.Setting, `{"code":"G{级}x{社区序}x{网格序}x{群序}"}`); err != nil {
		t.Fatal(err)
	}
	if g := saveGroup(t, s, good); g.Code[0] != 'G' {
		t.Errorf("code %q is not by the office's rule", g.Code)
	}
}
