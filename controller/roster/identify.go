package roster

import (
	"fmt"
	"slices"

	"gatecast/controller/fleet"
	"gatecast/controller/naming"
	"gatecast/controller/sheet"
)

// identify returns the entry of the registry that a row is about, nil for a new
// one, and completes the key of e where the row left it out.
func (r *reading) identify(s sheetOf, row sheet.Row, e fleet.Entry) fleet.Entry {
	switch e := e.(type) {
	case *fleet.UnitEntry:
		// Without a code it is the unit of that full name.
		if e.Code == "" && e.Name != "" {
			if code, err := r.state.units.find(e.Name); err == nil {
				e.Code = code
			}
		}
	case *fleet.GroupEntry:
		r.identifyGroup(s, row, e)
	}
	return r.state.known[e.Label()]
}

// begin gives a new entry what goes without saying.
func (r *reading) begin(e fleet.Entry) {
	switch e := e.(type) {
	case *fleet.UnitEntry:
		if e.Order == 0 {
			e.Order = r.nextOrder(e.Parent)
		}
		r.office.units.add(*e) // its order is in the codes of its groups
	case *fleet.GridEntry:
		if e.Name == "" && e.Number > 0 {
			e.Name = fmt.Sprintf("第%s网格", naming.Numeral(e.Number))
		}
	}
}

// nextOrder returns the position after the last child of a unit.
func (r *reading) nextOrder(parent string) int {
	last := r.orders[parent]
	for _, u := range r.office.units.byCode {
		if known, ok := r.state.known[u.Label()].(*fleet.UnitEntry); ok && known.Parent == parent {
			last = max(last, known.Order)
		}
	}
	r.orders[parent] = last + 1
	return last + 1
}

// identifyGroup finds the group of a row without a code: the one at its place
// with its name, now or formerly, or the only one at its place; a new one gets
// the next code. A group without a name gets that of the rule.
func (r *reading) identifyGroup(s sheetOf, row sheet.Row, e *fleet.GroupEntry) {
	if e.Tier < 3 {
		e.Grid = 0
	}
	if e.Tier < 1 || e.Unit == "" || e.Tier == 3 && e.Grid == 0 {
		if e.Tier == 3 && e.Unit != "" && r.state.known[e.Label()] == nil {
			column, ok := s.table.Columns["grid"]
			if !ok {
				column = -1
			}
			r.problem(s.sheet.Name, row.Number, column, wrong("三级群要填网格。", "A group of tier 3 needs its grid."))
		}
		return
	}
	place := naming.Place{Tier: e.Tier, Subdistrict: r.subdistrict(), Unit: r.office.units.byCode[e.Unit].Unit, Grid: e.Grid}
	var here []*fleet.GroupEntry
	last := 0
	for _, one := range r.state.entries[Groups] {
		if g := one.(*fleet.GroupEntry); g.Tier == e.Tier && g.Unit == e.Unit && g.Grid == e.Grid {
			last = max(last, g.Seq)
			if !g.State.Ended() && !r.codes[g.Code] {
				here = append(here, g)
			}
		}
	}
	if e.Code == "" {
		same := slices.IndexFunc(here, func(g *fleet.GroupEntry) bool { return g.Name == e.Name || slices.Contains(g.Former, e.Name) })
		switch {
		case same >= 0:
			e.Code = here[same].Code
		case len(here) == 1 && (e.Name == "" || here[0].State == fleet.GroupPlanned):
			e.Code = here[0].Code
		default:
			e.Seq, e.Code = r.nextCode(place, last)
		}
		r.codes[e.Code] = true
	}
	number := 0
	if e.Seq > 1 {
		number = e.Seq
	}
	known := r.state.known[e.Label()]
	if e.Name == "" && known == nil {
		e.Name = r.state.rule.Name(place, number)
	}
	if known == nil || known.(*fleet.GroupEntry).Name != e.Name {
		r.checkName(s, row, place, number, e.Name)
	}
	if column, ok := s.table.Columns["members"]; ok && e.Members > r.state.rule.Limit {
		r.warn(s.sheet.Name, row.Number, column, fmt.Sprintf("群人数超过 %d，应分群。", r.state.rule.Limit), fmt.Sprintf("More than %d members: the group should be split.", r.state.rule.Limit))
	}
}

// checkName warns of a name that is not by the rule: what a group is called
// today is kept as it is.
func (r *reading) checkName(s sheetOf, row sheet.Row, place naming.Place, number int, name string) {
	column, ok := s.table.Columns["name"]
	if !ok || name == "" {
		return
	}
	want, faults := r.state.rule.Check(place, number, name)
	if len(faults) > 0 {
		r.warn(s.sheet.Name, row.Number, column, fmt.Sprintf("群名不合统一命名：%s，应为“%s”。", faults[0].Text(), want),
			fmt.Sprintf("The name does not follow the rule: %s. It should be %q.", faults[0].TextEN(), want))
	}
}

// nextCode returns the 群序 and the code of the next group at a place.
func (r *reading) nextCode(place naming.Place, last int) (seq int, code string) {
	for seq = last + 1; ; seq++ {
		code = r.state.rule.CodeOf(place, seq)
		if _, taken := r.state.known["群 "+code]; !taken && !r.codes[code] {
			return seq, code
		}
	}
}

// subdistrict returns the unit at the top of the tree.
func (r *reading) subdistrict() fleet.Unit {
	for _, code := range r.office.units.order {
		if u := r.office.units.byCode[code]; u.Type == fleet.Subdistrict {
			return u.Unit
		}
	}
	return fleet.Unit{}
}
