package web

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"gatecast/controller/fleet"
)

// unitsView is the tree of units.
type unitsView struct {
	List    listQuery
	Types   []option
	Rows    []unitRow
	Total   int // that match
	All     int
	Lacking int // units in the register that lack something
	Merged  int
	Root    bool // there is one to put member units below
	Pager   pager
}

// unitRow is one unit. Depth is its place in the tree, 0 while searching.
type unitRow struct {
	Href, Code, Name, Type, Path string
	Depth                        int
	Merged                       bool
	Head, Leader, Liaison        string
	Points                       int
	Lacks                        []string
}

func (s *Server) units(ctx context.Context, v *visit, r *http.Request) (frame, error) {
	f, err := s.frame(ctx, v, r, "units.title", "register")
	if err != nil {
		return f, err
	}
	o, err := s.office(ctx)
	if err != nil {
		return f, err
	}
	q := readList("/units", r.URL.Query(), "", "name", "lacks")
	lacks := fleet.UnitLacks(o.units, o.liaisons, o.groups, v.Now)
	points := map[fleet.UnitID]int{}
	for _, p := range o.points {
		points[p.Unit]++
	}
	view := &unitsView{List: q, All: len(o.units), Lacking: len(lacks), Root: slices.ContainsFunc(o.units, func(u fleet.Unit) bool { return u.Parent == 0 && u.Listed() })}
	var rows []unitRow
	for _, u := range treeOrder(o.units) {
		if !u.Listed() {
			view.Merged++
		}
		if !q.keepsUnit(u, len(lacks[u.ID]) > 0) {
			continue
		}
		row := unitRow{
			Href: unitPath(u.ID), Code: u.Code, Name: u.Name, Type: v.L.T("unit.type." + string(u.Type)), Merged: !u.Listed(),
			Head: u.Head, Leader: u.Leader, Liaison: o.liaison[u.ID].Name, Points: points[u.ID], Path: o.unit[u.Parent].Name,
		}
		if q.Query == "" && q.Filter == "" && q.Sort == "" {
			row.Depth = min(depthOf(o.unit, u), 4)
		}
		for _, l := range lacks[u.ID] {
			row.Lacks = append(row.Lacks, v.L.T("lack."+string(l)))
		}
		rows = append(rows, row)
	}
	switch q.Sort {
	case "name":
		slices.SortStableFunc(rows, func(a, b unitRow) int { return strings.Compare(a.Name, b.Name) })
	case "lacks":
		slices.SortStableFunc(rows, func(a, b unitRow) int { return len(b.Lacks) - len(a.Lacks) })
	}
	view.Total = len(rows)
	view.Rows, view.Pager = pageOf(q, rows)
	for _, t := range fleet.UnitTypes {
		view.Types = append(view.Types, option{Value: string(t), Text: v.L.T("unit.type." + string(t)), On: q.Filter == string(t)})
	}
	f.V = view
	return f, nil
}

// keepsUnit reports whether the list shows u. Merged units are shown when they
// are asked for or searched.
func (l listQuery) keepsUnit(u fleet.Unit, lacks bool) bool {
	switch {
	case l.Filter == "merged":
		if u.Listed() {
			return false
		}
	case !u.Listed() && l.Query == "":
		return false
	case l.Filter == "lacks" && !lacks, fleet.UnitType(l.Filter).Valid() && string(u.Type) != l.Filter:
		return false
	}
	if l.Query == "" {
		return true
	}
	needle := strings.ToLower(l.Query)
	return slices.ContainsFunc(append([]string{u.Code, u.Name, u.ShortName, u.Region, u.Head, u.Leader}, append(u.Aliases, u.Hats...)...), func(text string) bool {
		return strings.Contains(strings.ToLower(text), needle)
	})
}

func depthOf(units map[fleet.UnitID]fleet.Unit, u fleet.Unit) int {
	n := 0
	for ; u.Parent != 0 && n < len(units); n++ {
		u = units[u.Parent]
	}
	return n
}

// unitInputs are what is asked about a unit; code is asked of a new one only.
func unitInputs(l *lang, units []fleet.Unit, u *fleet.UnitEntry, fresh bool) []regInput {
	parents := append([]option{{Text: l.T("none")}}, unitOptions(units, u.Parent)...)
	all := []regInput{
		{name: "name", kind: "text", required: true}, {name: "short", kind: "text"},
		{name: "type", kind: "select", required: true, options: optionsOf(l, "unit.type.", fleet.UnitTypes)},
	}
	if fresh {
		all = append([]regInput{{name: "code", kind: "text", required: true, mono: true}}, all...)
		all = append(all, regInput{name: "parent", kind: "select", options: parents})
	}
	return append(all,
		regInput{name: "region", kind: "text", mono: true}, regInput{name: "head", kind: "text"}, regInput{name: "leader", kind: "text"},
		regInput{name: "aliases", kind: "text"}, regInput{name: "hats", kind: "text"}, regInput{name: "order", kind: "number"})
}

// newThingView is a page with one form.
type newThingView struct{ Form regForm }

func (s *Server) unitNew(ctx context.Context, v *visit, r *http.Request) (frame, error) {
	f, err := s.frame(ctx, v, r, "units.new", "register")
	if err != nil {
		return f, err
	}
	units, err := s.o.Registry.Units(ctx)
	if err != nil {
		return f, fmt.Errorf("reading units: %w", err)
	}
	e := &fleet.UnitEntry{}
	e.Type = fleet.Community
	for _, u := range units {
		if u.Parent == 0 && u.Listed() {
			e.Parent = u.Code
			break
		}
	}
	if len(units) == 0 {
		e.Type = fleet.Subdistrict
	}
	f.V = &newThingView{s.regForm(v.L, "unit", "/units", e, unitInputs(v.L, units, e, true))}
	return f, nil
}

func (s *Server) addUnit(w http.ResponseWriter, r *http.Request, v *visit) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	e := &fleet.UnitEntry{}
	_, faults := s.read(r, e, unitInputs(v.L, nil, e, true))
	code := strings.TrimSpace(e.Code)
	units, err := s.o.Registry.Units(r.Context())
	if err != nil {
		return fmt.Errorf("reading units: %w", err)
	}
	if slices.ContainsFunc(units, func(u fleet.Unit) bool { return u.Code == code }) {
		faults = append(faults, fleet.RegistryFault{Field: "code", Text: fmt.Sprintf("编号 %q 已有单位在用。", code), TextEN: fmt.Sprintf("Code %q is that of another unit.", code)})
	}
	if faults == nil {
		if faults, err = s.apply(r, v, fleet.RegistryChange{Unit: e}); err != nil {
			return err
		}
	}
	if faults != nil {
		return s.refill(w, r, v, "unitnew", s.unitNew, "/units/new", faults)
	}
	return redirect(w, r, "/units?done=saved&q="+e.Code)
}

// refill shows the page of a form with what was typed and what is wrong with it.
func (s *Server) refill(w http.ResponseWriter, r *http.Request, v *visit, page string, load loader, here string, faults []fleet.RegistryFault) error {
	f, err := load(r.Context(), v, r)
	if err != nil {
		return err
	}
	f.Here = here
	f.V.(*newThingView).Form.keep(v.L, r, faults)
	return s.show(w, http.StatusUnprocessableEntity, page, f)
}

// presetUnits adds the template 成员单位 below the root; an empty register gets
// the root first.
func (s *Server) presetUnits(w http.ResponseWriter, r *http.Request, v *visit) error {
	units, err := s.o.Registry.Units(r.Context())
	if err != nil {
		return fmt.Errorf("reading units: %w", err)
	}
	root := ""
	for _, u := range units {
		if u.Parent == 0 && u.Listed() {
			root = u.Code
			break
		}
	}
	var all []fleet.RegistryChange
	if root == "" {
		root = "JD"
		name := s.o.Name
		if name == "" {
			name = "本街道"
		}
		all = append(all, fleet.RegistryChange{Unit: &fleet.UnitEntry{Unit: fleet.Unit{Code: root, Type: fleet.Subdistrict, Name: name}}})
	}
	all = append(all, fleet.MemberUnits(root, units)...)
	faults, err := s.applyAll(r, v, all)
	if err != nil {
		return err
	}
	if err := (fleet.RegistryOutcome{Faults: faults}).Err(); err != nil {
		return err
	}
	return redirect(w, r, "/units?done=preset")
}

// missingView is 未填报: what units and points lack, for telephoning.
type missingView struct {
	Asof   string
	Groups []missingGroup
	Units  int // that lack something
	Points int
	Whole  bool // nothing is lacking
}

// missingGroup is everything that lacks one thing.
type missingGroup struct {
	Title string
	Hint  string
	Rows  []missingRow
	More  int // that are not shown
}

type missingRow struct{ Name, Href, Unit, Contact string }

// maxMissing is how many of a kind are listed.
const maxMissing = 200

func (s *Server) missing(ctx context.Context, v *visit, r *http.Request) (frame, error) {
	f, err := s.frame(ctx, v, r, "missing.title", "register")
	if err != nil {
		return f, err
	}
	o, err := s.office(ctx)
	if err != nil {
		return f, err
	}
	measured, err := s.o.Rosters.CalibratedPoints(ctx)
	if err != nil {
		return f, fmt.Errorf("reading calibrations: %w", err)
	}
	rows := map[fleet.Lack][]missingRow{}
	lacks := fleet.UnitLacks(o.units, o.liaisons, o.groups, v.Now)
	for _, u := range treeOrder(o.units) {
		for _, l := range lacks[u.ID] {
			rows[l] = append(rows[l], missingRow{Name: u.Name, Href: unitPath(u.ID), Unit: o.unit[u.Parent].Name, Contact: o.contactOf(v.L, u.ID)})
		}
	}
	view := &missingView{Asof: v.L.Stamp(v.Now, v.Now), Units: len(lacks)}
	for _, p := range o.points {
		_, done := measured[p.ID]
		found := fleet.PointLacks(p, done)
		if len(found) > 0 {
			view.Points++
		}
		for _, l := range found {
			rows[l] = append(rows[l], missingRow{Name: p.Name, Href: pointPath(p.ID), Unit: o.unit[p.Unit].Name, Contact: o.contact(v.L, p)})
		}
	}
	for _, l := range fleet.Lacks {
		if len(rows[l]) == 0 {
			continue
		}
		g := missingGroup{Title: v.L.T("lack." + string(l)), Rows: rows[l]}
		if len(g.Rows) > maxMissing {
			g.More, g.Rows = len(g.Rows)-maxMissing, g.Rows[:maxMissing]
		}
		view.Groups = append(view.Groups, g)
	}
	view.Whole = len(view.Groups) == 0
	f.V = view
	return f, nil
}

// contactOf is whom to call about a unit, with the number masked.
func (o *office) contactOf(l *lang, id fleet.UnitID) string {
	if who, ok := o.liaison[id]; ok {
		return l.T("contact.liaison", who.Name, who.Phone)
	}
	return ""
}
