package web

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"gatecast/controller/fleet"
)

// compoundsView is the list of compounds.
type compoundsView struct {
	List  listQuery
	Rows  []compoundRow
	Total int // that match
	All   int
	Pager pager
}

type compoundRow struct {
	Name, Unit, UnitHref string
	Grid                 int // number; 0 if none
	Property             string
	Households, Points   int
	PointsHref           string
}

func (s *Server) compounds(ctx context.Context, v *visit, r *http.Request) (frame, error) {
	f, err := s.frame(ctx, v, r, "compounds.title", "register")
	if err != nil {
		return f, err
	}
	o, err := s.office(ctx)
	if err != nil {
		return f, err
	}
	q := readList("/compounds", r.URL.Query(), "unit", "name", "property", "households", "points")
	number, points := map[fleet.GridID]int{}, map[fleet.CompoundID]int{}
	for _, g := range o.grids {
		number[g.ID] = g.Number
	}
	for _, p := range o.points {
		points[p.Compound]++
	}
	order := map[string]int{}
	for i, u := range treeOrder(o.units) {
		order[u.Name] = i
	}
	view := &compoundsView{List: q, All: len(o.compounds)}
	var rows []compoundRow
	needle := strings.ToLower(q.Query)
	for _, c := range o.compounds {
		row := compoundRow{
			Name: c.Name, Unit: o.unit[c.Unit].Name, UnitHref: unitPath(c.Unit), Grid: number[c.Grid], Property: c.Property, Households: c.Households, Points: points[c.ID],
			PointsHref: "/points?" + url.Values{"q": {c.Name}, "unit": {fmt.Sprint(c.Unit)}}.Encode(),
		}
		if strings.Contains(strings.ToLower(row.Name+"\n"+row.Unit+"\n"+row.Property), needle) {
			rows = append(rows, row)
		}
	}
	slices.SortStableFunc(rows, func(a, b compoundRow) int {
		first := 0
		switch q.Sort {
		case "unit":
			first = cmp.Compare(order[a.Unit], order[b.Unit])
		case "property":
			first = cmp.Compare(a.Property, b.Property)
		case "households":
			first = cmp.Compare(b.Households, a.Households)
		case "points":
			first = cmp.Compare(b.Points, a.Points)
		}
		return cmp.Or(first, cmp.Compare(a.Name, b.Name))
	})
	view.Total = len(rows)
	view.Rows, view.Pager = pageOf(q, rows)
	f.V = view
	return f, nil
}

// propertiesView is the list of property companies with the form for a new one.
type propertiesView struct {
	List  listQuery
	Rows  []propertyRow
	Total int // that match
	All   int
	Pager pager
	Form  regForm
}

type propertyRow struct {
	Href, Name, Contact, Phone, Note string
	Compounds, Points                int
}

var companyInputs = []regInput{
	{name: "name", kind: "text", required: true}, {name: "contact", kind: "text"}, {name: "phone", kind: "text", mono: true}, {name: "note", kind: "text"},
}

func (s *Server) properties(ctx context.Context, v *visit, r *http.Request) (frame, error) {
	f, err := s.frame(ctx, v, r, "properties.title", "register")
	if err != nil {
		return f, err
	}
	o, err := s.office(ctx)
	if err != nil {
		return f, err
	}
	companies, err := s.o.Rosters.Companies(ctx)
	if err != nil {
		return f, fmt.Errorf("reading property companies: %w", err)
	}
	q := readList("/properties", r.URL.Query(), "name", "compounds", "points")
	compounds, points := map[string]int{}, map[string]int{}
	for _, c := range o.compounds {
		compounds[c.Property]++
	}
	for _, p := range o.points {
		points[o.compound[p.Compound].Property]++
	}
	view := &propertiesView{List: q, All: len(companies), Form: s.regForm(v.L, "company", "/properties", &fleet.CompanyEntry{}, companyInputs)}
	needle := strings.ToLower(q.Query)
	var rows []propertyRow
	for _, c := range companies {
		if strings.Contains(strings.ToLower(c.Name+"\n"+c.Contact+"\n"+c.Note), needle) {
			rows = append(rows, propertyRow{
				Href: fmt.Sprintf("/properties/%d", c.ID), Name: c.Name, Contact: c.Contact, Phone: c.Phone.String(), Note: c.Note, Compounds: compounds[c.Name], Points: points[c.Name],
			})
		}
	}
	slices.SortStableFunc(rows, func(a, b propertyRow) int {
		switch q.Sort {
		case "compounds":
			return cmp.Compare(b.Compounds, a.Compounds)
		case "points":
			return cmp.Compare(b.Points, a.Points)
		}
		return cmp.Compare(a.Name, b.Name)
	})
	view.Total = len(rows)
	view.Rows, view.Pager = pageOf(q, rows)
	f.V = view
	return f, nil
}

func (s *Server) addCompany(w http.ResponseWriter, r *http.Request, v *visit) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	e := &fleet.CompanyEntry{}
	names, faults := s.read(r, e, companyInputs)
	var err error
	if faults == nil {
		if faults, err = s.apply(r, v, fleet.RegistryChange{Company: e, Fields: names}); err != nil {
			return err
		}
	}
	if faults == nil {
		return redirect(w, r, "/properties?done=saved")
	}
	f, err := s.properties(r.Context(), v, r)
	if err != nil {
		return err
	}
	f.Here = "/properties"
	f.V.(*propertiesView).Form.keep(v.L, r, faults)
	return s.show(w, http.StatusUnprocessableEntity, "properties", f)
}

var errNoCompany = &fleet.Error{Code: fleet.NotFound, Text: "没有这家物业公司。", TextEN: "There is no such property company."}

func (s *Server) companyOf(ctx context.Context, r *http.Request) (fleet.Company, error) {
	n, err := idOf(r, "id", errNoCompany)
	if err != nil {
		return fleet.Company{}, err
	}
	all, err := s.o.Rosters.Companies(ctx)
	if err != nil {
		return fleet.Company{}, fmt.Errorf("reading property companies: %w", err)
	}
	i := slices.IndexFunc(all, func(c fleet.Company) bool { return c.ID == fleet.CompanyID(n) })
	if i < 0 {
		return fleet.Company{}, errNoCompany
	}
	return all[i], nil
}

func (s *Server) property(ctx context.Context, v *visit, r *http.Request) (frame, error) {
	c, err := s.companyOf(ctx, r)
	if err != nil {
		return frame{}, err
	}
	f, err := s.frame(ctx, v, r, "", "register")
	if err != nil {
		return f, err
	}
	f.Title, f.V = c.Name, &newThingView{s.regForm(v.L, "company", fmt.Sprintf("/properties/%d", c.ID), &fleet.CompanyEntry{Company: c}, companyInputs)}
	return f, nil
}

// saveCompany changes a company; another name goes to its compounds and
// accounts too.
func (s *Server) saveCompany(w http.ResponseWriter, r *http.Request, v *visit) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	c, err := s.companyOf(r.Context(), r)
	if err != nil {
		return err
	}
	e := &fleet.CompanyEntry{}
	names, faults := s.read(r, e, companyInputs)
	if faults == nil {
		fleet.Tidy(e)
		for _, fault := range fleet.CheckEntry(e) {
			faults = append(faults, fleet.RegistryFault{Field: fault.Field, Text: fault.Text, TextEN: fault.TextEN})
		}
	}
	if faults == nil && e.Name != c.Name {
		ctx, line := s.withAudit(r, v, fleet.Audit{What: fleet.AuditRegister, Object: e.Label(), Detail: string(fleet.DidChange), Before: fleet.Fields("name", c.Name), After: fleet.Fields("name", e.Name)})
		err := s.o.Register.RenameCompany(ctx, c.Name, e.Name)
		if why, ok := refusalOf(v.L, err); ok {
			faults = append(faults, fleet.RegistryFault{Field: "name", Text: why, TextEN: why})
		} else if err != nil {
			return err
		} else {
			s.audited(r, line)
		}
	}
	if faults == nil {
		if faults, err = s.apply(r, v, fleet.RegistryChange{Company: e, Fields: names}); err != nil {
			return err
		}
	}
	if faults != nil {
		return s.refill(w, r, v, "property", s.property, fmt.Sprintf("/properties/%d", c.ID), faults)
	}
	return redirect(w, r, "/properties?done=saved")
}
