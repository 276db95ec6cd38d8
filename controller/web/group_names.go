package web

import (
	"context"
	"net/http"
	"strconv"
	"strings"

	"gatecast/controller/fleet"
	"gatecast/controller/naming"
	"gatecast/controller/sheet"
)

// groupNamesView is 名称核对: which names are wrong, and how far units are.
type groupNamesView struct {
	Checked, Right int
	Rows           []nameRow
	Crowded        []crowdRow
	Units          []unitNamesRow
}

type nameRow struct {
	ID                  fleet.GroupID
	Href, Code          string
	Before, Mark, After string // the name, with what is wrong in it marked
	Want                string
	Faults              []string
	Planned             bool
}

type crowdRow struct {
	Title string
	Names []string
	Href  string
}

type unitNamesRow struct {
	Name, Href, Count, Percent, Rate string
	Done                             bool
}

func (s *Server) groupNames(ctx context.Context, v *visit, r *http.Request) (frame, error) {
	f, err := s.frame(ctx, v, r, "groups.names", "register")
	if err != nil {
		return f, err
	}
	t, err := s.tiers(ctx)
	if err != nil {
		return f, err
	}
	view := &groupNamesView{Checked: t.review.Checked, Right: t.review.Right}
	for _, find := range t.review.Findings {
		g := find.Group
		if len(find.Faults) > 0 {
			row := nameRow{ID: g.ID, Href: groupPath(g.ID), Code: g.Code, Want: find.Want, Planned: g.State == fleet.GroupPlanned}
			row.Before, row.Mark, row.After = marked(g.Name, find.Faults)
			for _, fault := range find.Faults {
				row.Faults = append(row.Faults, v.L.fault(fault))
			}
			view.Rows = append(view.Rows, row)
		}
		if find.Crowded {
			view.Crowded = append(view.Crowded, crowdRow{Title: v.L.T("groups.crowded.title", t.place(g), g.Members, t.rule.Limit), Names: find.Split, Href: splitHref(g)})
		}
	}
	for _, u := range t.review.Units {
		view.Units = append(view.Units, unitNamesRow{
			Name: u.Unit.Name, Href: groupsFilter{Unit: u.Unit.ID}.link("problem", 1), Count: strconv.Itoa(u.Right) + "/" + strconv.Itoa(u.Want),
			Percent: v.L.Rate(float64(u.Right)/float64(max(u.Want, 1)), u.Want > 0), Rate: v.L.joining(u.Joined, u.Households), Done: u.Right == u.Want,
		})
	}
	f.V = view
	return f, nil
}

// marked cuts a name around the first part that a fault names; space that
// nobody sees shows as ␣.
func marked(name string, faults []naming.Fault) (before, mark, after string) {
	for _, f := range faults {
		if at := strings.Index(name, f.Got); f.Got != "" && at >= 0 {
			mark := f.Got
			if f.Kind == naming.Invisible {
				mark = strings.Repeat("␣", len([]rune(mark)))
			}
			return name[:at], mark, name[at+len(f.Got):]
		}
	}
	return name, "", ""
}

// groupRegisterView is 微信群登记表.
type groupRegisterView struct {
	Rows  []registerRow
	Day   string
	Count int
}

type registerRow struct {
	Number                                                                              int
	Tier, Code, Name, Owner, Post, Phone, Admins, Members, Rate, Created, Former, State string
}

func (s *Server) registerRows(ctx context.Context, v *visit) ([]registerRow, error) {
	t, err := s.tiers(ctx)
	if err != nil {
		return nil, err
	}
	var rows []registerRow
	for _, g := range t.office.Groups {
		if g.State.Ended() {
			continue
		}
		row := registerRow{
			Number: len(rows) + 1, Tier: v.L.T("groups.tier." + strconv.Itoa(g.Tier)), Code: g.Code, Name: g.Name, Owner: g.Owner, Post: g.OwnerPost, Phone: g.OwnerPhone.String(),
			Admins: strings.Join(g.Admins, "、"), Created: string(g.Created), Former: strings.Join(g.Former, "、"), State: v.L.T("groups.state." + string(g.State)),
			Rate: v.L.joining(g.Joined, g.Households),
		}
		if g.Members > 0 {
			row.Members = strconv.Itoa(g.Members)
		}
		rows = append(rows, row)
	}
	return rows, nil
}

func (s *Server) groupRegister(ctx context.Context, v *visit, r *http.Request) (frame, error) {
	f, err := s.frame(ctx, v, r, "groups.register", "register")
	if err != nil {
		return f, err
	}
	rows, err := s.registerRows(ctx, v)
	if err != nil {
		return f, err
	}
	f.Wide, f.V = true, &groupRegisterView{Rows: rows, Day: v.L.in(v.Now).Format("2006-01-02"), Count: len(rows)}
	return f, nil
}

// groupColumns are the columns of the register.
var groupColumns = []string{"number", "tier", "code", "name", "owner", "post", "phone", "admins", "members", "rate", "created", "former", "state"}

// groupSheet is the register as a workbook, with masked numbers.
func (s *Server) groupSheet(w http.ResponseWriter, r *http.Request, v *visit) error {
	rows, err := s.registerRows(r.Context(), v)
	if err != nil {
		return err
	}
	p := sheet.Page{Name: "微信群登记表", Above: []string{v.L.T("groups.register.above", v.L.in(v.Now).Format("2006-01-02 15:04"), v.User.Name)}}
	for _, head := range groupColumns {
		p.Columns = append(p.Columns, sheet.Column{Head: v.L.T("groups.col." + head)})
	}
	for _, row := range rows {
		p.Rows = append(p.Rows, []string{
			strconv.Itoa(row.Number), row.Tier, row.Code, row.Name, row.Owner, row.Post, row.Phone, row.Admins, row.Members, row.Rate, row.Created, row.Former, row.State,
		})
	}
	s.audit(r, v, fleet.AuditGroupExport, strconv.Itoa(len(rows)), "")
	return s.handOut(w, r, v, v.L.T("groups.register"), []sheet.Page{p}, "微信群登记表", "xlsx")
}

// groupRuleView is the form of the rule, with what it would make.
type groupRuleView struct {
	Names    [3]string
	Code     string
	Limit    string
	Examples []ruleExample
	Error    string
	Wrong    int // names that would be wrong, of all that there are
	Checked  int
}

type ruleExample struct{ Tier, Name, Code string }

func (s *Server) groupRule(ctx context.Context, v *visit, r *http.Request) (frame, error) {
	f, err := s.frame(ctx, v, r, "groups.rule", "register")
	if err != nil {
		return f, err
	}
	t, err := s.tiers(ctx)
	if err != nil {
		return f, err
	}
	f.V = v.L.ruleOf(t, t.rule)
	return f, nil
}

func (l *lang) ruleOf(t *tiers, rule naming.Rule) *groupRuleView {
	view := &groupRuleView{Names: rule.Names, Code: rule.Code, Limit: strconv.Itoa(rule.Limit)}
	unit, grid := fleet.Unit{Name: "松风社区", ShortName: "松风", Order: 1}, 2
	root := t.root
	if root.ID == 0 {
		root = fleet.Unit{Name: "示例街道", Code: "SL"}
	}
	for _, g := range t.office.Grids {
		if u := t.units[g.Unit]; u.Listed() {
			unit, grid = u, g.Number
			break
		}
	}
	for tier := 1; tier <= 3; tier++ {
		p := naming.Place{Tier: tier, Subdistrict: root, Unit: unit}
		if tier == 3 {
			p.Grid = grid
		}
		view.Examples = append(view.Examples, ruleExample{l.T("groups.tier." + strconv.Itoa(tier)), rule.Name(p, 0), rule.CodeOf(p, 1)})
	}
	review := rule.Review(t.office)
	view.Checked, view.Wrong = review.Checked, review.Checked-review.Right
	return view
}

// setGroupRule shows what a rule would make, or puts it in force.
func (s *Server) setGroupRule(w http.ResponseWriter, r *http.Request, v *visit) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	t, err := s.tiers(r.Context())
	if err != nil {
		return err
	}
	rule := naming.Rule{Names: [3]string{strings.TrimSpace(r.FormValue("name1")), strings.TrimSpace(r.FormValue("name2")), strings.TrimSpace(r.FormValue("name3"))}, Code: strings.TrimSpace(r.FormValue("code"))}
	if rule.Limit, err = strconv.Atoi(strings.TrimSpace(r.FormValue("limit"))); err != nil {
		rule.Limit = 0 // refused with the range
	}
	if r.FormValue("default") == "1" {
		rule = naming.Default()
	}
	err = rule.Validate()
	if why, bad := refusalOf(v.L, err); bad || r.FormValue("preview") == "1" {
		f, err := s.groupRule(r.Context(), v, r)
		if err != nil {
			return err
		}
		status := http.StatusOK
		view := v.L.ruleOf(t, rule)
		if view.Limit = r.FormValue("limit"); bad {
			status, view.Error, view.Examples = http.StatusUnprocessableEntity, why, nil
		}
		f.V, f.Here = view, "/groups/rule"
		return s.show(w, status, "grouprule", f)
	}
	if err != nil {
		return err
	}
	ctx, line := s.withAudit(r, v, fleet.Audit{What: fleet.AuditGroupRule, Before: t.rule.String(), After: rule.String()})
	if err := s.o.GroupBook.SetSetting(ctx, naming.Setting, rule.String()); err != nil {
		return err
	}
	s.audited(r, line)
	return redirect(w, r, "/groups/rule?done=group_rule")
}
