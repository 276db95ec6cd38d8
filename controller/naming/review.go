package naming

import (
	"cmp"
	"slices"

	"gatecast/controller/fleet"
)

// Office is what a review looks over.
type Office struct {
	Units    []fleet.Unit
	Grids    []fleet.Grid
	Groups   []fleet.Group
	Liaisons []fleet.Liaison
}

// Finding is one group as the rule sees it.
type Finding struct {
	Group  fleet.Group
	Place  Place
	Number int     // in its series; 0 while it is alone
	Want   string  // the name that it should have
	Faults []Fault // of its name; nil when it is right
	Owner  OwnerFault
	// Crowded says that it has more members than the rule's limit: 应分群. The
	// names that it and the group beside it would have are in Split.
	Crowded bool
	Split   []string
}

// Wrong reports whether something about the group needs a person.
func (f Finding) Wrong() bool { return len(f.Faults) > 0 || f.Owner != OwnerGood || f.Crowded }

// OwnerFault is what is wrong with the owner of a group.
type OwnerFault string

// The faults of owners.
const (
	OwnerGood    OwnerFault = ""
	OwnerMissing OwnerFault = "missing" // nobody is named
	OwnerLeft    OwnerFault = "left"    // 群主已离职
	OwnerOther   OwnerFault = "other"   // somebody else than who should be
)

// Gap is something that the three tiers lack.
type Gap struct {
	Kind GapKind
	Unit fleet.Unit
	Grid fleet.Grid  // of GapGrid
	With fleet.Group // of GapExtra and GapGone
}

// GapKind is what is lacking.
type GapKind string

// The kinds of gaps.
const (
	GapRoot  GapKind = "root"  // there is no group of tier 1
	GapExtra GapKind = "extra" // a group of tier 1 belongs to another unit than the subdistrict
	GapUnit  GapKind = "unit"  // a unit has no group of tier 2
	GapGrid  GapKind = "grid"  // a grid has no group of tier 3
	GapGone  GapKind = "gone"  // a living group belongs to a unit that was merged into another
	GapOrder GapKind = "order" // two units have the same number, so codes do not tell them apart
)

// Review is what a look at all groups found.
type Review struct {
	Findings []Finding // of groups that are planned or live, in the order of Office.Groups
	Gaps     []Gap     // units in the order of Office.Units
	Units    []UnitProgress
	Checked  int // names that were looked at: those of living groups
	Right    int // of them
	Members  int
	// Households and Joined add up what is known; both 0 when nothing is.
	Households, Joined int
}

// UnitProgress is how far a unit is with its names.
type UnitProgress struct {
	Unit        fleet.Unit
	Right, Want int // groups whose name is right, and all of them
	Households  int
	Joined      int
}

// Review looks over all groups at once. It costs time in proportion to the
// groups.
func (r Rule) Review(o Office) Review {
	v := viewer{rule: r, units: map[fleet.UnitID]fleet.Unit{}, grids: map[fleet.GridID]fleet.Grid{}}
	for _, u := range o.Units {
		v.units[u.ID] = u
		if u.Parent == 0 && u.Type == fleet.Subdistrict && v.root.ID == 0 {
			v.root = u
		}
	}
	for _, g := range o.Grids {
		v.grids[g.ID] = g
	}
	v.staff(o)
	numbers := v.numbers(o.Groups)
	names := map[string][]fleet.Group{}
	for _, g := range o.Groups {
		if g.State.Lives() {
			names[g.Name] = append(names[g.Name], g)
		}
	}
	var out Review
	progress := map[fleet.UnitID]*UnitProgress{}
	for _, g := range o.Groups {
		if g.State.Ended() {
			continue
		}
		f := v.finding(g, numbers[g.ID], names)
		out.Findings = append(out.Findings, f)
		if !g.State.Lives() {
			continue
		}
		p := progress[g.Unit]
		if p == nil {
			p = &UnitProgress{Unit: v.units[g.Unit]}
			progress[g.Unit] = p
		}
		p.Want++
		out.Checked++
		if len(f.Faults) == 0 {
			p.Right++
			out.Right++
		}
		out.Members += g.Members
		p.Households, p.Joined = p.Households+g.Households, p.Joined+g.Joined
		out.Households, out.Joined = out.Households+g.Households, out.Joined+g.Joined
	}
	for _, u := range o.Units {
		if p := progress[u.ID]; p != nil {
			out.Units = append(out.Units, *p)
		}
	}
	out.Gaps = v.gaps(o)
	return out
}

// viewer is one review.
type viewer struct {
	rule  Rule
	root  fleet.Unit
	units map[fleet.UnitID]fleet.Unit
	grids map[fleet.GridID]fleet.Grid
	left  map[person]bool
	here  map[person]bool
	sizes map[spot]int // groups at one place, planned ones included
}

type person struct {
	unit fleet.UnitID
	name string
}

// staff notes who works where, and who did.
func (v *viewer) staff(o Office) {
	v.left, v.here = map[person]bool{}, map[person]bool{}
	for _, l := range o.Liaisons {
		if l.To.IsZero() {
			v.here[person{l.Unit, l.Name}] = true
		} else {
			v.left[person{l.Unit, l.Name}] = true
		}
	}
	for _, u := range o.Units {
		v.here[person{u.ID, u.Head}], v.here[person{u.ID, u.Leader}] = true, true
	}
	for _, g := range o.Grids {
		v.here[person{g.Unit, g.Worker}] = true
	}
}

func (v *viewer) place(g fleet.Group) Place {
	return Place{Tier: g.Tier, Subdistrict: v.root, Unit: v.units[g.Unit], Grid: v.grids[g.Grid].Number}
}

// spot is where a series is.
type spot struct {
	tier int
	unit fleet.UnitID
	grid fleet.GridID
}

// numbers returns the number that each group should have in its series. A
// group that is alone has none. Of several each keeps the number that it has,
// if nobody before it has the same and it is not beyond their count; the others
// take what is left, in the order of 群序: as few groups as can be are renamed.
func (v *viewer) numbers(groups []fleet.Group) map[fleet.GroupID]int {
	bySpot := map[spot][]fleet.Group{}
	for _, g := range groups {
		if !g.State.Ended() {
			s := spot{g.Tier, g.Unit, g.Grid}
			bySpot[s] = append(bySpot[s], g)
		}
	}
	out := map[fleet.GroupID]int{}
	v.sizes = map[spot]int{}
	for s, list := range bySpot {
		v.sizes[s] = len(list)
		if len(list) < 2 {
			continue
		}
		slices.SortFunc(list, func(a, b fleet.Group) int { return cmp.Or(cmp.Compare(a.Seq, b.Seq), cmp.Compare(a.ID, b.ID)) })
		taken := make([]bool, len(list)+1)
		for _, g := range list {
			if _, n, _ := cutSeries(tidy(g.Name)); n >= 1 && n <= len(list) && !taken[n] {
				taken[n], out[g.ID] = true, n
			}
		}
		next := 1
		for _, g := range list {
			if out[g.ID] != 0 {
				continue
			}
			for taken[next] {
				next++
			}
			taken[next], out[g.ID] = true, next
		}
	}
	return out
}

func (v *viewer) finding(g fleet.Group, number int, names map[string][]fleet.Group) Finding {
	f := Finding{Group: g, Place: v.place(g), Number: number, Owner: v.owner(g)}
	f.Want, f.Faults = v.rule.Check(f.Place, number, g.Name)
	if g.State.Lives() {
		for _, other := range names[g.Name] {
			// Whose name is right keeps it; the other one is told.
			if other.ID != g.ID && (len(f.Faults) > 0 || f.Want == v.wantAlone(other)) {
				f.Faults = append(f.Faults, Fault{Kind: Duplicate, Got: "", Want: other.Code})
				break
			}
		}
	}
	if f.Crowded = g.State.Lives() && number == 0 && g.Members > v.rule.Limit; f.Crowded {
		f.Split = []string{v.rule.Name(f.Place, 1), v.rule.Name(f.Place, 2)}
	}
	if number > 0 && g.State.Lives() && g.Members > v.rule.Limit {
		f.Crowded = true
		f.Split = []string{v.rule.Name(f.Place, v.sizes[spot{g.Tier, g.Unit, g.Grid}]+1)}
	}
	return f
}

func (v *viewer) wantAlone(g fleet.Group) string { return v.rule.Name(v.place(g), 0) }

// owner says what is wrong with the owner of a living group: tier 1 belongs to
// the head of the subdistrict, tier 2 to the head of the unit, tier 3 to the
// worker of the grid. Where the registry names nobody, anybody will do.
func (v *viewer) owner(g fleet.Group) OwnerFault {
	should := OwnerOf(g.Tier, v.units[g.Unit], v.grids[g.Grid])
	switch {
	case !g.State.Lives():
		return OwnerGood
	case g.Owner == "":
		return OwnerMissing
	case g.Owner == should:
		return OwnerGood
	case v.left[person{g.Unit, g.Owner}] && !v.here[person{g.Unit, g.Owner}]:
		return OwnerLeft
	case should != "":
		return OwnerOther
	}
	return OwnerGood
}

func (v *viewer) gaps(o Office) []Gap {
	var out []Gap
	count := map[spot]int{}
	for _, g := range o.Groups {
		if g.State.Lives() {
			count[spot{g.Tier, g.Unit, g.Grid}]++
		}
	}
	roots := 0
	for _, g := range o.Groups {
		if !g.State.Lives() {
			continue
		}
		if u := v.units[g.Unit]; !u.Listed() {
			out = append(out, Gap{Kind: GapGone, Unit: u, With: g})
		}
		if g.Tier != 1 {
			continue
		}
		if roots++; g.Unit != v.root.ID {
			out = append(out, Gap{Kind: GapExtra, Unit: v.units[g.Unit], With: g})
		}
	}
	if roots == 0 {
		out = append(out, Gap{Kind: GapRoot, Unit: v.root})
	}
	orders := map[int]fleet.UnitID{}
	for _, u := range o.Units {
		if u.ID == v.root.ID || !u.Listed() {
			continue
		}
		if count[spot{2, u.ID, 0}] == 0 {
			out = append(out, Gap{Kind: GapUnit, Unit: u})
		}
		if other := orders[u.Order]; other != 0 || u.Order == 0 {
			out = append(out, Gap{Kind: GapOrder, Unit: u})
		}
		orders[u.Order] = u.ID
	}
	for _, g := range o.Grids {
		if count[spot{3, g.Unit, g.ID}] == 0 && v.units[g.Unit].Listed() {
			out = append(out, Gap{Kind: GapGrid, Unit: v.units[g.Unit], Grid: g})
		}
	}
	return out
}

// OwnerOf returns who should own a group at that unit or grid, "" where the
// registry does not say.
func OwnerOf(tier int, unit fleet.Unit, grid fleet.Grid) string {
	if tier == 3 {
		return grid.Worker
	}
	return unit.Head
}
