package web

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"gatecast/controller/fleet"
)

// unitView is one unit with all that is its own.
type unitView struct {
	ID        fleet.UnitID
	Name      string
	Code      string
	Type      string
	Parent    string
	ParentRef string
	Merged    string // name of the successor; empty while it is in the register
	MergedRef string
	Lacks     []string
	Form      regForm
	Facts     []wantHave // the same for whoever may not change it: name and value
	Liaisons  []liaisonRow
	Liaison   regForm
	Grids     []gridLine
	Grid      regForm
	Compounds []compoundRow
	Compound  regForm
	Groups    []string
	Points    int
	PointsRef string
	Below     []missingRow
	Changes   []changeRow
	Change    changeForm
}

type liaisonRow struct {
	ID                   fleet.LiaisonID
	Name, Post, Phone    string
	From, To             string
	Current              bool
	FormName, FormAction string
}

type gridLine struct {
	Number                 int
	Name, Worker           string
	Households, Population int
}

type changeRow struct {
	ID               fleet.UnitChangeID
	Day, Text, State string
	Tone             string
	Open             bool
}

// changeForm asks for a move, merger or split.
type changeForm struct {
	Kinds     []option
	Targets   []option
	Compounds []option
	Points    []option // those without a compound
	Day       string
	Document  string
	Error     string
}

var errNoUnit = &fleet.Error{Code: fleet.NotFound, Text: "没有这个单位。", TextEN: "There is no such unit."}

// unitEntry returns the unit of the path as an entry.
func (o *office) unitEntry(r *http.Request) (*fleet.UnitEntry, error) {
	n, err := idOf(r, "id", errNoUnit)
	if err != nil {
		return nil, err
	}
	u, ok := o.unit[fleet.UnitID(n)]
	if !ok {
		return nil, errNoUnit
	}
	return &fleet.UnitEntry{Unit: u, Parent: o.unit[u.Parent].Code, Successor: o.unit[u.Successor].Code}, nil
}

func (s *Server) unit(ctx context.Context, v *visit, r *http.Request) (frame, error) {
	o, err := s.office(ctx)
	if err != nil {
		return frame{}, err
	}
	e, err := o.unitEntry(r)
	if err != nil {
		return frame{}, err
	}
	f, err := s.frame(ctx, v, r, "", "register")
	if err != nil {
		return f, err
	}
	view, err := s.unitOf(ctx, v, o, e)
	if err != nil {
		return f, err
	}
	f.Title, f.V = e.Name, view
	return f, nil
}

func (s *Server) unitOf(ctx context.Context, v *visit, o *office, e *fleet.UnitEntry) (*unitView, error) {
	l, u, path := v.L, e.Unit, unitPath(e.ID)
	view := &unitView{
		ID: u.ID, Name: u.Name, Code: u.Code, Type: l.T("unit.type." + string(u.Type)), Parent: o.unit[u.Parent].Name, ParentRef: unitPath(u.Parent),
		Form: s.regForm(l, "unit", path, e, unitInputs(l, o.units, e, false)), PointsRef: fmt.Sprintf("/points?unit=%d", u.ID),
	}
	if !u.Listed() {
		view.Merged, view.MergedRef = o.unit[u.Successor].Name, unitPath(u.Successor)
	}
	for _, lack := range fleet.UnitLacks([]fleet.Unit{u}, o.liaisons, o.groups, v.Now)[u.ID] {
		view.Lacks = append(view.Lacks, l.T("lack."+string(lack)))
	}
	for _, field := range view.Form.Fields {
		text := field.Value
		if field.Kind == "select" {
			text = view.Type
		}
		view.Facts = append(view.Facts, wantHave{Name: field.Label, Have: text})
	}
	s.unitPeople(v, o, e, view)
	for _, p := range o.points {
		if p.Unit == u.ID {
			view.Points++
			if p.Compound == 0 {
				view.Change.Points = append(view.Change.Points, option{Value: fmt.Sprint(p.ID), Text: p.Name})
			}
		}
	}
	for _, g := range o.groups {
		if g.Unit == u.ID && g.Ended.IsZero() {
			view.Groups = append(view.Groups, g.Name)
		}
	}
	for _, b := range o.units {
		if b.Parent == u.ID {
			view.Below = append(view.Below, missingRow{Name: b.Name, Href: unitPath(b.ID), Unit: l.T("unit.type." + string(b.Type))})
		}
	}
	return view, s.unitHistory(ctx, v, o, u, view)
}

// unitPeople fills in liaisons, grids and compounds, and the forms for them.
func (s *Server) unitPeople(v *visit, o *office, e *fleet.UnitEntry, view *unitView) {
	l, path := v.L, unitPath(e.ID)
	for _, who := range o.liaisons {
		if who.Unit == e.ID {
			view.Liaisons = append(view.Liaisons, liaisonRow{
				ID: who.ID, Name: who.Name, Post: who.Post, Phone: who.Phone.String(), Current: who.CurrentAt(v.Now),
				From: termDay(l, who.From, "from"), To: termDay(l, who.To, "to"),
			})
		}
	}
	view.Liaison = s.regForm(l, "liaison", path+"/liaison", &fleet.LiaisonEntry{Liaison: fleet.Liaison{From: v.Now}}, liaisonInputs)
	grids := []option{{Text: l.T("none")}}
	next := 1
	for _, g := range o.grids {
		if g.Unit == e.ID {
			view.Grids = append(view.Grids, gridLine{Number: g.Number, Name: g.Name, Worker: g.Worker, Households: g.Households, Population: g.Population})
			grids = append(grids, option{Value: strconv.Itoa(g.Number), Text: l.T("grid.number", g.Number, g.Name)})
			next = max(next, g.Number+1)
		}
	}
	view.Grid = s.regForm(l, "grid", path+"/grid", &fleet.GridEntry{Grid: fleet.Grid{Number: next}}, gridInputs)
	view.Compound = s.regForm(l, "compound", path+"/compound", &fleet.CompoundEntry{}, compoundInputs(grids))
	points := map[fleet.CompoundID]int{}
	for _, p := range o.points {
		points[p.Compound]++
	}
	number := map[fleet.GridID]int{}
	for _, g := range o.grids {
		number[g.ID] = g.Number
	}
	for _, c := range o.compounds {
		if c.Unit == e.ID {
			view.Compounds = append(view.Compounds, compoundRow{Name: c.Name, Grid: number[c.Grid], Property: c.Property, Households: c.Households, Points: points[c.ID]})
			view.Change.Compounds = append(view.Change.Compounds, option{Value: fmt.Sprint(c.ID), Text: c.Name})
		}
	}
}

// unitHistory fills in what became and becomes of the unit, and the form for a
// change.
func (s *Server) unitHistory(ctx context.Context, v *visit, o *office, u fleet.Unit, view *unitView) error {
	l := v.L
	all, err := s.o.Register.UnitChanges(ctx)
	if err != nil {
		return fmt.Errorf("reading changes of units: %w", err)
	}
	for _, c := range all {
		if c.Unit != u.ID && c.Target != u.ID {
			continue
		}
		row := changeRow{ID: c.ID, Day: string(c.Day), Text: l.T("unitchange."+string(c.Kind), o.unit[c.Unit].Name, o.unit[c.Target].Name), Open: c.Open()}
		if c.Document != "" {
			row.Text += l.T("unitchange.document", c.Document)
		}
		switch {
		case !c.Cancelled.IsZero():
			row.State = l.T("unitchange.cancelled")
		case c.Open():
			row.State, row.Tone = l.T("unitchange.open"), "info"
		default:
			row.State, row.Tone = l.T("unitchange.done", c.By), "ok"
		}
		view.Changes = append(view.Changes, row)
	}
	view.Change.Day = string(s.dayOf(v.Now))
	for _, k := range []fleet.UnitChangeKind{fleet.UnitMove, fleet.UnitMerge, fleet.UnitSplit} {
		view.Change.Kinds = append(view.Change.Kinds, option{Value: string(k), Text: l.T("unitchange.kind." + string(k)), On: k == fleet.UnitMove})
	}
	for _, t := range treeOrder(o.units) {
		if t.Listed() && t.ID != u.ID {
			view.Change.Targets = append(view.Change.Targets, option{Value: fmt.Sprint(t.ID), Text: t.Name})
		}
	}
	return nil
}

var (
	liaisonInputs = []regInput{
		{name: "name", kind: "text", required: true}, {name: "post", kind: "text"}, {name: "phone", kind: "text", mono: true}, {name: "from", kind: "day"}, {name: "to", kind: "day"},
	}
	gridInputs = []regInput{
		{name: "number", kind: "number", required: true}, {name: "name", kind: "text"}, {name: "worker", kind: "text"},
		{name: "households", kind: "number"}, {name: "population", kind: "number"},
	}
)

func compoundInputs(grids []option) []regInput {
	return []regInput{
		{name: "name", kind: "text", required: true}, {name: "grid", kind: "select", options: grids}, {name: "property", kind: "text"}, {name: "households", kind: "number"},
	}
}

// onUnit saves a thing of the unit in the path; form says which of the page's
// forms keeps what was typed.
func (s *Server) onUnit(w http.ResponseWriter, r *http.Request, v *visit, inputs []regInput, make func(code string) (fleet.Entry, fleet.RegistryChange), form func(*unitView) *regForm) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	o, err := s.office(r.Context())
	if err != nil {
		return err
	}
	u, err := o.unitEntry(r)
	if err != nil {
		return err
	}
	e, c := make(u.Code)
	names, faults := s.read(r, e, inputs)
	c.Fields = names
	if faults == nil {
		if faults, err = s.apply(r, v, c); err != nil {
			return err
		}
	}
	if faults == nil {
		return redirect(w, r, unitPath(u.ID)+"?done=saved")
	}
	f, err := s.unit(r.Context(), v, r)
	if err != nil {
		return err
	}
	f.Here = unitPath(u.ID)
	form(f.V.(*unitView)).keep(v.L, r, faults)
	return s.show(w, http.StatusUnprocessableEntity, "unit", f)
}

func (s *Server) saveUnit(w http.ResponseWriter, r *http.Request, v *visit) error {
	return s.onUnit(w, r, v, unitInputs(v.L, nil, &fleet.UnitEntry{}, false), func(code string) (fleet.Entry, fleet.RegistryChange) {
		e := &fleet.UnitEntry{Unit: fleet.Unit{Code: code}}
		return e, fleet.RegistryChange{Unit: e}
	}, func(u *unitView) *regForm { return &u.Form })
}

func (s *Server) saveLiaison(w http.ResponseWriter, r *http.Request, v *visit) error {
	return s.onUnit(w, r, v, liaisonInputs, func(code string) (fleet.Entry, fleet.RegistryChange) {
		e := &fleet.LiaisonEntry{Unit: code}
		return e, fleet.RegistryChange{Liaison: e}
	}, func(u *unitView) *regForm { return &u.Liaison })
}

func (s *Server) saveGrid(w http.ResponseWriter, r *http.Request, v *visit) error {
	return s.onUnit(w, r, v, gridInputs, func(code string) (fleet.Entry, fleet.RegistryChange) {
		e := &fleet.GridEntry{Unit: code}
		return e, fleet.RegistryChange{Grid: e}
	}, func(u *unitView) *regForm { return &u.Grid })
}

func (s *Server) saveCompound(w http.ResponseWriter, r *http.Request, v *visit) error {
	return s.onUnit(w, r, v, compoundInputs(nil), func(code string) (fleet.Entry, fleet.RegistryChange) {
		e := &fleet.CompoundEntry{Unit: code}
		return e, fleet.RegistryChange{Compound: e}
	}, func(u *unitView) *regForm { return &u.Compound })
}

// leaveLiaison ends the term of a liaison today: name and post stay, the number
// goes with the retention.
func (s *Server) leaveLiaison(w http.ResponseWriter, r *http.Request, v *visit) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	o, err := s.office(r.Context())
	if err != nil {
		return err
	}
	u, err := o.unitEntry(r)
	if err != nil {
		return err
	}
	id, _ := strconv.ParseInt(r.FormValue("liaison"), 10, 64)
	for _, who := range o.liaisons {
		if who.ID != fleet.LiaisonID(id) || who.Unit != u.ID {
			continue
		}
		e := &fleet.LiaisonEntry{Unit: u.Code, Liaison: fleet.Liaison{Name: who.Name, To: v.Now}}
		faults, err := s.apply(r, v, fleet.RegistryChange{Liaison: e, Fields: []string{"to"}})
		if err == nil {
			err = (fleet.RegistryOutcome{Faults: faults}).Err()
		}
		if err != nil {
			return err
		}
		return redirect(w, r, unitPath(u.ID)+"?done=left")
	}
	return &fleet.Error{Code: fleet.NotFound, Text: "没有这位联络员，请刷新页面。", TextEN: "There is no such liaison. Reload the page."}
}

// changeUnit writes a move, merger or split down.
func (s *Server) changeUnit(w http.ResponseWriter, r *http.Request, v *visit) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	o, err := s.office(r.Context())
	if err != nil {
		return err
	}
	u, err := o.unitEntry(r)
	if err != nil {
		return err
	}
	number := func(text string) int64 { n, _ := strconv.ParseInt(text, 10, 64); return n } // 0 is refused
	c := fleet.UnitChange{
		Kind: fleet.UnitChangeKind(r.FormValue("kind")), Unit: u.ID, Target: fleet.UnitID(number(r.FormValue("target"))), Day: fleet.Day(strings.TrimSpace(r.FormValue("day"))),
		Document: strings.TrimSpace(r.FormValue("document")), By: v.User.Login, At: v.Now,
	}
	if c.Kind == fleet.UnitSplit {
		for _, id := range r.PostForm["compound"] {
			c.Share.Compounds = append(c.Share.Compounds, fleet.CompoundID(number(id)))
		}
		for _, id := range r.PostForm["point"] {
			c.Share.Points = append(c.Share.Points, fleet.PointID(number(id)))
		}
	}
	ctx, line := s.withAudit(r, v, fleet.Audit{
		What: fleet.AuditUnitChange, Object: u.Name, Detail: v.L.T("unitchange.kind."+string(c.Kind)) + " " + string(c.Day),
		Before: fleet.Fields("parent", o.unit[u.Unit.Parent].Name, "state", string(u.State)),
		After:  fleet.Fields("kind", string(c.Kind), "target", o.unit[c.Target].Name, "day", string(c.Day), "document", c.Document, "compounds", fmt.Sprint(c.Share.Compounds), "points", fmt.Sprint(c.Share.Points)),
	})
	_, err = s.o.Register.AddUnitChange(ctx, c, s.dayOf(v.Now))
	if why, ok := refusalOf(v.L, err); ok {
		f, err := s.unit(r.Context(), v, r)
		if err != nil {
			return err
		}
		f.Here = unitPath(u.ID)
		f.V.(*unitView).Change.keep(r, why)
		return s.show(w, http.StatusUnprocessableEntity, "unit", f)
	}
	if err != nil {
		return err
	}
	s.audited(r, line)
	return redirect(w, r, unitPath(u.ID)+"?done=unit_change")
}

// keep puts what was typed back.
func (f *changeForm) keep(r *http.Request, why string) {
	f.Error, f.Day, f.Document = why, r.FormValue("day"), r.FormValue("document")
	for name, list := range map[string][]option{"kind": f.Kinds, "target": f.Targets, "compound": f.Compounds, "point": f.Points} {
		for i := range list {
			list[i].On = false
			for _, sent := range r.PostForm[name] {
				list[i].On = list[i].On || sent == list[i].Value
			}
		}
	}
}

func (s *Server) cancelUnitChange(w http.ResponseWriter, r *http.Request, v *visit) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	n, err := idOf(r, "id", errNoUnit)
	if err != nil {
		return err
	}
	id, _ := strconv.ParseInt(r.FormValue("change"), 10, 64) // 0 is refused
	ctx, line := s.withAudit(r, v, fleet.Audit{What: fleet.AuditUnitChange, Object: fmt.Sprint(id), Detail: v.L.T("unitchange.cancelled")})
	if err := s.o.Register.CancelUnitChange(ctx, fleet.UnitChangeID(id), v.Now); err != nil {
		return err
	}
	s.audited(r, line)
	return redirect(w, r, unitPath(fleet.UnitID(n))+"?done=unit_cancelled")
}
