package web

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"

	"gatecast/controller/fleet"
	"gatecast/controller/naming"
)

// groupView is one group.
type groupView struct {
	ID         fleet.GroupID
	Code, Name string
	Place      string
	Tier       string
	State      deviceState
	Want       string // the right name; empty while the name is right
	Faults     []string
	Owner      string // what is wrong with the owner; empty for nothing
	Should     string // who should own it
	Split      []string
	SplitHref  string
	Phone      string // masked
	Rate       string
	Former     []formerRow
	People     []personRow
	Form       groupForm
	Made       bool // it may be made: it is planned
	Ends       bool // it may be merged or dissolved
	Into       []option
	IntoHref   string
	IntoName   string
	Error      string // of a step of its life
}

type formerRow struct{ Name, Until, By string }

type personRow struct{ Role, Name, Post, From, To string }

// groupForm is what somebody says about a group.
type groupForm struct {
	ID         fleet.GroupID
	Tier       string
	Unit, Grid string
	Tiers      []option
	Units      []option
	Grids      []option
	Platforms  []option
	Name       string
	Owner      string
	Post       string
	Phone      string
	Admins     string
	Members    string
	Households string
	Joined     string
	Created    string
	Planned    bool
	Error      string
	Masked     string
}

func (s *Server) groupOf(ctx context.Context, r *http.Request) (fleet.Group, error) {
	n, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil || n < 1 {
		return fleet.Group{}, &fleet.Error{Code: fleet.NotFound, Text: "没有这个群。", TextEN: "There is no such group."}
	}
	return s.o.Groups.Group(ctx, fleet.GroupID(n))
}

func (s *Server) group(ctx context.Context, v *visit, r *http.Request) (frame, error) {
	g, err := s.groupOf(ctx, r)
	if err != nil {
		return frame{}, err
	}
	f, err := s.frame(ctx, v, r, "", "register")
	if err != nil {
		return f, err
	}
	t, err := s.tiers(ctx)
	if err != nil {
		return f, err
	}
	view := &groupView{
		ID: g.ID, Code: g.Code, Name: g.Name, Place: t.place(g), Tier: v.L.T(fmt.Sprintf("groups.tier.%d", g.Tier)), State: v.L.groupState(g.State),
		Phone: g.OwnerPhone.String(), Rate: v.L.joining(g.Joined, g.Households), Made: g.State == fleet.GroupPlanned, Ends: !g.State.Ended(),
		Should: naming.OwnerOf(g.Tier, t.units[g.Unit], t.grids[g.Grid]),
	}
	for _, find := range t.review.Findings {
		if find.Group.ID != g.ID {
			continue
		}
		if len(find.Faults) > 0 {
			view.Want = find.Want
		}
		for _, fault := range find.Faults {
			view.Faults = append(view.Faults, v.L.fault(fault))
		}
		if find.Owner != naming.OwnerGood {
			view.Owner = v.L.T("groups.owner." + string(find.Owner))
		}
		if find.Crowded {
			view.Split, view.SplitHref = find.Split, splitHref(g)
		}
	}
	for _, o := range t.office.Groups {
		switch {
		case o.ID == g.Into:
			view.IntoHref, view.IntoName = groupPath(o.ID), o.Name
		case o.ID != g.ID && o.Tier == g.Tier && o.Unit == g.Unit && o.State.Lives() && g.State.Lives():
			view.Into = append(view.Into, option{Value: fmt.Sprint(o.ID), Text: o.Name})
		}
	}
	if err := s.groupHistory(ctx, v, g, view); err != nil {
		return f, err
	}
	view.Form = v.L.groupForm(t, g)
	f.Title, f.V = g.Name, view
	return f, nil
}

// splitHref leads to the form of one more group beside g.
func splitHref(g fleet.Group) string {
	if g.Tier == 3 {
		return fmt.Sprintf("/groups/new?tier=3&grid=%d", g.Grid)
	}
	return fmt.Sprintf("/groups/new?tier=%d&unit=%d", g.Tier, g.Unit)
}

func (s *Server) groupHistory(ctx context.Context, v *visit, g fleet.Group, view *groupView) error {
	names, err := s.o.Groups.GroupNames(ctx, g.ID)
	if err != nil {
		return fmt.Errorf("reading former names: %w", err)
	}
	for _, n := range names {
		view.Former = append(view.Former, formerRow{n.Name, v.L.Stamp(n.Until, v.Now), n.By})
	}
	people, err := s.o.Groups.GroupPeople(ctx, g.ID)
	if err != nil {
		return fmt.Errorf("reading people: %w", err)
	}
	for _, p := range people {
		row := personRow{Role: v.L.T("groups.admin"), Name: p.Name, Post: p.Post}
		if p.Owner {
			row.Role = v.L.T("groups.owner")
		}
		if !p.From.IsZero() {
			row.From = v.L.Date(p.From)
		}
		if !p.To.IsZero() {
			row.To = v.L.Date(p.To)
		}
		view.People = append(view.People, row)
	}
	return nil
}

func (l *lang) groupForm(t *tiers, g fleet.Group) groupForm {
	number := func(n int) string {
		if n == 0 {
			return ""
		}
		return strconv.Itoa(n)
	}
	f := groupForm{
		ID: g.ID, Name: g.Name, Owner: g.Owner, Post: g.OwnerPost, Admins: strings.Join(g.Admins, "、"), Members: number(g.Members), Households: number(g.Households), Joined: number(g.Joined),
		Created: string(g.Created), Planned: g.State == fleet.GroupPlanned, Masked: g.OwnerPhone.String(),
	}
	for n := 1; n <= 3; n++ {
		f.Tiers = append(f.Tiers, option{Value: strconv.Itoa(n), Text: l.T(fmt.Sprintf("groups.tier.%d", n)), On: n == g.Tier})
	}
	for _, u := range t.office.Units {
		if u.Listed() {
			f.Units = append(f.Units, option{Value: fmt.Sprint(u.ID), Text: u.Name, On: u.ID == g.Unit})
		}
	}
	for _, one := range t.office.Grids {
		f.Grids = append(f.Grids, option{Value: fmt.Sprint(one.ID), Text: t.units[one.Unit].Name + " 第" + naming.Numeral(one.Number) + "网格", On: one.ID == g.Grid})
	}
	for _, p := range fleet.GroupPlatforms {
		f.Platforms = append(f.Platforms, option{Value: p, Text: l.T("groups.platform." + p), On: p == g.Platform})
	}
	return f
}

// readGroup reads the form over g. What cannot be read is a *fleet.Error of
// code Invalid.
func readGroup(r *http.Request, g fleet.Group) (fleet.Group, error) {
	g.Name = strings.Trim(r.FormValue("name"), "\r\n")
	g.Owner, g.OwnerPost, g.Platform = strings.TrimSpace(r.FormValue("owner")), strings.TrimSpace(r.FormValue("post")), r.FormValue("platform")
	if phone := strings.TrimSpace(r.FormValue("phone")); phone != "" {
		if strings.Contains(phone, "*") || len(phone) > 30 {
			return g, &fleet.Error{Code: fleet.Invalid, Text: "电话要填完整的号码；不改就留空。", TextEN: "Write the whole telephone number, or leave it empty to keep it."}
		}
		g.OwnerPhone = fleet.Phone(phone)
	}
	g.Admins = nil
	for _, name := range strings.FieldsFunc(r.FormValue("admins"), func(c rune) bool { return strings.ContainsRune("、，,;；\r\n", c) }) {
		if name = strings.TrimSpace(name); name != "" {
			g.Admins = append(g.Admins, name)
		}
	}
	for _, field := range []struct {
		key, zh, en string
		to          *int
	}{{"members", "群人数", "members", &g.Members}, {"households", "户数", "households", &g.Households}, {"joined", "已进群户数", "households in the group", &g.Joined}} {
		text := strings.TrimSpace(r.FormValue(field.key))
		if *field.to = 0; text == "" {
			continue
		}
		n, err := strconv.Atoi(text)
		if err != nil {
			return g, &fleet.Error{
				Code: fleet.Invalid, Text: field.zh + "要填数字，例如 352；不知道就留空。", TextEN: "Write the number of " + field.en + " in digits, such as 352, or leave it empty.", Err: err,
			}
		}
		*field.to = n
	}
	g.Created = fleet.Day(strings.TrimSpace(r.FormValue("created")))
	return g, nil
}

// keep puts what somebody typed back into the form.
func (f *groupForm) keep(r *http.Request, why string) {
	f.Error, f.Name, f.Owner, f.Post, f.Phone, f.Admins = why, r.FormValue("name"), r.FormValue("owner"), r.FormValue("post"), r.FormValue("phone"), r.FormValue("admins")
	f.Members, f.Households, f.Joined, f.Created, f.Planned = r.FormValue("members"), r.FormValue("households"), r.FormValue("joined"), r.FormValue("created"), r.FormValue("planned") == "1"
	for name, list := range map[string][]option{"tier": f.Tiers, "unit": f.Units, "grid": f.Grids, "platform": f.Platforms} {
		for i := range list {
			list[i].On = list[i].Value == r.FormValue(name)
		}
	}
}

func (s *Server) changeGroup(w http.ResponseWriter, r *http.Request, v *visit) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	g, err := s.groupOf(r.Context(), r)
	if err != nil {
		return err
	}
	is, err := readGroup(r, g)
	ctx, line := s.withAudit(r, v, fleet.Audit{What: fleet.AuditGroup, Object: g.Code, Before: groupFields(g), After: groupFields(is)})
	if err == nil {
		_, err = s.o.GroupBook.SaveGroup(ctx, is, v.User.Login, v.Now)
	}
	if why, ok := refusalOf(v.L, err); ok {
		f, err := s.group(r.Context(), v, r)
		if err != nil {
			return err
		}
		f.V.(*groupView).Form.keep(r, why)
		return s.show(w, http.StatusUnprocessableEntity, "group", f)
	}
	if err != nil {
		return err
	}
	s.audited(r, line)
	return redirect(w, r, groupPath(g.ID)+"?done=group")
}

// renameGroup ticks that a group now has its right name; the form says which,
// so that a rule that changed meanwhile renames nothing by surprise.
func (s *Server) renameGroup(w http.ResponseWriter, r *http.Request, v *visit) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	g, err := s.groupOf(r.Context(), r)
	if err != nil {
		return err
	}
	is := g
	is.Name = r.FormValue("name")
	ctx, line := s.withAudit(r, v, fleet.Audit{What: fleet.AuditGroupRenamed, Object: g.Code, Before: g.Name, After: is.Name})
	if is, err = s.o.GroupBook.SaveGroup(ctx, is, v.User.Login, v.Now); err != nil {
		return err
	}
	s.audited(r, line)
	back := "/groups/names?done=renamed"
	if r.FormValue("back") == "group" {
		back = groupPath(is.ID) + "?done=renamed"
	}
	return redirect(w, r, back)
}

func (s *Server) moveGroup(w http.ResponseWriter, r *http.Request, v *visit) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	g, err := s.groupOf(r.Context(), r)
	if err != nil {
		return err
	}
	to := fleet.GroupState(r.FormValue("to"))
	into, err := strconv.ParseInt(r.FormValue("into"), 10, 64)
	if err != nil {
		into = 0 // the store says what is missing
	}
	ctx, line := s.withAudit(r, v, fleet.Audit{What: fleet.AuditGroupState, Object: g.Code, Detail: g.Name, Before: string(g.State), After: string(to)})
	_, err = s.o.GroupBook.MoveGroup(ctx, g.ID, to, fleet.GroupID(into), v.Now.In(s.o.Zone))
	if why, ok := refusalOf(v.L, err); ok {
		f, err := s.group(r.Context(), v, r)
		if err != nil {
			return err
		}
		f.V.(*groupView).Error, f.Here = why, groupPath(g.ID)
		return s.show(w, http.StatusUnprocessableEntity, "group", f)
	}
	if err != nil {
		return err
	}
	s.audited(r, line)
	return redirect(w, r, groupPath(g.ID)+"?done=group")
}

// newGroup is the form of a group that the URL may place: tier, unit, grid.
func (s *Server) newGroup(ctx context.Context, v *visit, r *http.Request) (frame, error) {
	f, err := s.frame(ctx, v, r, "groups.new", "register")
	if err != nil {
		return f, err
	}
	t, err := s.tiers(ctx)
	if err != nil {
		return f, err
	}
	q := r.URL.Query()
	g := t.placed(q.Get("tier"), q.Get("unit"), q.Get("grid"))
	g.Owner = naming.OwnerOf(g.Tier, t.units[g.Unit], t.grids[g.Grid])
	f.V = &groupNewView{Form: v.L.groupForm(t, g)}
	return f, nil
}

// groupNewView is the form of a new group.
type groupNewView struct{ Form groupForm }

// placed reads where a new group belongs. The grid of tier 3 says the unit, and
// tier 1 belongs to the subdistrict.
func (t *tiers) placed(tier, unit, grid string) (g fleet.Group) {
	g.Tier, _ = strconv.Atoi(tier) // not a number: no tier, which is refused
	if n, err := strconv.ParseInt(unit, 10, 64); err == nil {
		g.Unit = fleet.UnitID(n)
	}
	switch n, err := strconv.ParseInt(grid, 10, 64); {
	case g.Tier == 1:
		g.Unit = t.root.ID
	case g.Tier == 3 && err == nil:
		g.Grid = fleet.GridID(n)
		g.Unit = t.grids[g.Grid].Unit
	}
	return g
}

func (s *Server) addGroup(w http.ResponseWriter, r *http.Request, v *visit) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	t, err := s.tiers(r.Context())
	if err != nil {
		return err
	}
	g, err := readGroup(r, t.placed(r.FormValue("tier"), r.FormValue("unit"), r.FormValue("grid")))
	if r.FormValue("planned") == "1" {
		g.State = fleet.GroupPlanned
	}
	if g.Name == "" {
		g.Name = t.nameFor(g)
	}
	ctx, line := s.withAudit(r, v, fleet.Audit{What: fleet.AuditGroup, Object: g.Name, After: groupFields(g)})
	var is fleet.Group
	if err == nil {
		is, err = s.o.GroupBook.SaveGroup(ctx, g, v.User.Login, v.Now)
	}
	if why, ok := refusalOf(v.L, err); ok {
		f, err := s.newGroup(r.Context(), v, r)
		if err != nil {
			return err
		}
		f.V.(*groupNewView).Form.keep(r, why)
		f.Here = "/groups/new"
		return s.show(w, http.StatusUnprocessableEntity, "groupnew", f)
	}
	if err != nil {
		return err
	}
	s.audited(r, line)
	return redirect(w, r, groupPath(is.ID)+"?done=group")
}

// nameFor is the name of a new group by the rule: with the next number where
// there are groups at its place already.
func (t *tiers) nameFor(g fleet.Group) string {
	n := 0
	for _, o := range t.office.Groups {
		if o.Tier == g.Tier && o.Unit == g.Unit && o.Grid == g.Grid && !o.State.Ended() {
			n++
		}
	}
	if n > 0 {
		n++
	}
	return t.rule.Name(naming.Place{Tier: g.Tier, Subdistrict: t.root, Unit: t.units[g.Unit], Grid: t.grids[g.Grid].Number}, n)
}

func (s *Server) askOwnerPhone(w http.ResponseWriter, r *http.Request, v *visit) error {
	view, _, err := s.ownerPhone(r)
	if err != nil {
		return err
	}
	return s.showReveal(w, r, v, http.StatusOK, view)
}

func (s *Server) ownerPhone(r *http.Request) (revealView, fleet.Phone, error) {
	g, err := s.groupOf(r.Context(), r)
	if err != nil {
		return revealView{}, "", err
	}
	view := revealView{Back: groupPath(g.ID), Point: g.Name, Name: g.Owner, Masked: g.OwnerPhone.String()}
	if g.OwnerPhone == "" || g.OwnerPhone == fleet.UnreadablePhone {
		return view, "", &fleet.Error{Code: fleet.NotFound, Text: "这个群没有登记群主的电话，或者号码解不开。", TextEN: "There is no telephone number for the owner of this group, or it cannot be opened."}
	}
	return view, g.OwnerPhone, nil
}

// revealOwnerPhone shows a whole number for a reason; the line of the audit
// comes first.
func (s *Server) revealOwnerPhone(w http.ResponseWriter, r *http.Request, v *visit) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	view, phone, err := s.ownerPhone(r)
	if err != nil {
		return err
	}
	view.Reason = strings.TrimSpace(r.FormValue("reason"))
	if utf8.RuneCountInString(view.Reason) < leastReason {
		view.Error = v.L.T("reveal.reason.short", leastReason)
		return s.showReveal(w, r, v, http.StatusUnprocessableEntity, view)
	}
	line := byline(r, v, fleet.Audit{What: fleet.AuditReveal, Object: view.Point + " " + view.Name, Detail: view.Reason, After: view.Masked})
	if err := s.o.Audit.AddAudit(r.Context(), line); err != nil {
		return fmt.Errorf("telling of a telephone number: %w", err)
	}
	view.Number = phone.Full()
	return s.showReveal(w, r, v, http.StatusOK, view)
}
