package web

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"gatecast/controller/fleet"
	"gatecast/controller/naming"
)

// Groups is what the pages read of the three tiers of groups.
type Groups interface {
	Grids(ctx context.Context) ([]fleet.Grid, error)
	Groups(ctx context.Context) ([]fleet.Group, error)
	Group(ctx context.Context, id fleet.GroupID) (fleet.Group, error)
	GroupNames(ctx context.Context, id fleet.GroupID) ([]fleet.GroupName, error)
	GroupPeople(ctx context.Context, id fleet.GroupID) ([]fleet.GroupPerson, error)
}

// GroupBook is where groups are changed. Refusals are *fleet.Errors.
type GroupBook interface {
	SaveGroup(ctx context.Context, g fleet.Group, by string, at time.Time) (fleet.Group, error)
	MoveGroup(ctx context.Context, id fleet.GroupID, to fleet.GroupState, into fleet.GroupID, at time.Time) (fleet.Group, error)
	Setting(ctx context.Context, key string) (string, error)
	SetSetting(ctx context.Context, key, value string) error
}

// groupRoutes are the pages of the three tiers of groups.
func (s *Server) groupRoutes(mux *http.ServeMux) {
	s.page(mux, fleet.ActRead, "/groups", "groups", s.groups)
	s.page(mux, fleet.ActRead, "/groups/names", "groupnames", s.groupNames)
	s.page(mux, fleet.ActRead, "/groups/register", "groupregister", s.groupRegister)
	s.may(mux, fleet.ActRead, "GET /groups/register.xlsx", s.groupSheet)
	s.page(mux, fleet.ActRegister, "/groups/rule", "grouprule", s.groupRule)
	s.may(mux, fleet.ActRegister, "POST /groups/rule", s.setGroupRule)
	s.page(mux, fleet.ActRegister, "/groups/new", "groupnew", s.newGroup)
	s.may(mux, fleet.ActRegister, "POST /groups", s.addGroup)
	s.may(mux, fleet.ActRegister, "POST /groups/plan", s.planGroups)
	s.page(mux, fleet.ActRead, "/groups/{id}", "group", s.group)
	s.may(mux, fleet.ActRegister, "POST /groups/{id}", s.changeGroup)
	s.may(mux, fleet.ActRegister, "POST /groups/{id}/rename", s.renameGroup)
	s.may(mux, fleet.ActRegister, "POST /groups/{id}/state", s.moveGroup)
	s.may(mux, fleet.ActReveal, "GET /groups/{id}/phone", s.askOwnerPhone)
	s.may(mux, fleet.ActReveal, "POST /groups/{id}/phone", s.revealOwnerPhone)
}

func groupPath(id fleet.GroupID) string { return fmt.Sprintf("/groups/%d", id) }

// tiers is everything that pages of groups look at.
type tiers struct {
	rule   naming.Rule
	office naming.Office
	review naming.Review
	units  map[fleet.UnitID]fleet.Unit
	grids  map[fleet.GridID]fleet.Grid
	root   fleet.Unit
}

func (s *Server) tiers(ctx context.Context) (*tiers, error) {
	t := &tiers{units: map[fleet.UnitID]fleet.Unit{}, grids: map[fleet.GridID]fleet.Grid{}}
	text, err := s.o.GroupBook.Setting(ctx, naming.Setting)
	if err != nil {
		return nil, fmt.Errorf("reading rule of names: %w", err)
	}
	t.rule = naming.Parse(text)
	if t.office.Units, err = s.o.Registry.Units(ctx); err != nil {
		return nil, fmt.Errorf("reading units: %w", err)
	}
	if t.office.Grids, err = s.o.Groups.Grids(ctx); err != nil {
		return nil, fmt.Errorf("reading grids: %w", err)
	}
	if t.office.Groups, err = s.o.Groups.Groups(ctx); err != nil {
		return nil, fmt.Errorf("reading groups: %w", err)
	}
	if t.office.Liaisons, err = s.o.Registry.Liaisons(ctx); err != nil {
		return nil, fmt.Errorf("reading liaisons: %w", err)
	}
	for _, u := range t.office.Units {
		t.units[u.ID] = u
		if u.Parent == 0 && u.Type == fleet.Subdistrict && t.root.ID == 0 {
			t.root = u
		}
	}
	for _, g := range t.office.Grids {
		t.grids[g.ID] = g
	}
	t.review = t.rule.Review(t.office)
	return t, nil
}

// place says in words where a group belongs.
func (t *tiers) place(g fleet.Group) string {
	name := t.units[g.Unit].Name
	if n := t.grids[g.Grid].Number; n > 0 {
		name += " 第" + naming.Numeral(n) + "网格"
	}
	return name
}

// groupsView is the list of groups.
type groupsView struct {
	Filter  groupsFilter
	Counts  [3]int // living groups by tier
	Rate    string // 进群率
	Wrong   int    // names
	Gaps    []lackRow
	Lacking int // gaps that planned groups would fill
	Units   []option
	Tiers   []option
	States  []option
	Shows   []option
	Rows    []groupRow
	Total   int
	All     int
	Pager   pager
}

type lackRow struct{ Text, Href string }

type groupRow struct {
	Href, Code, Name, Place, Owner, Members, Rate string
	State                                         deviceState
	Problems                                      []string

	find naming.Finding
	rank int
}

// groupsFilter is what the URL asks for.
type groupsFilter struct {
	Query, State, Show, Sort string
	Tier                     int
	Unit                     fleet.UnitID
	Page                     int // from 1
}

var (
	groupSorts = []string{"problem", "code", "name", "members", "rate"}
	groupShows = []string{"wrong", "name", "owner", "crowded", "ended"}
)

func readGroupsFilter(q url.Values) groupsFilter {
	f := groupsFilter{Query: strings.TrimSpace(q.Get("q")), Sort: "problem", Page: 1}
	pick := func(key string, list []string) string {
		if slices.Contains(list, q.Get(key)) {
			return q.Get(key)
		}
		return ""
	}
	f.Sort = cmp.Or(pick("sort", groupSorts), f.Sort)
	f.Show = pick("show", groupShows)
	for _, s := range fleet.GroupStates {
		if q.Get("state") == string(s) {
			f.State = string(s)
		}
	}
	if n, err := strconv.Atoi(q.Get("tier")); err == nil && n >= 1 && n <= 3 {
		f.Tier = n
	}
	if n, err := strconv.ParseInt(q.Get("unit"), 10, 64); err == nil && n > 0 {
		f.Unit = fleet.UnitID(n)
	}
	if n, err := strconv.Atoi(q.Get("page")); err == nil && n > 1 {
		f.Page = n
	}
	return f
}

func (f groupsFilter) link(sortBy string, page int) string {
	q := url.Values{}
	for key, value := range map[string]string{"q": f.Query, "state": f.State, "show": f.Show} {
		if value != "" {
			q.Set(key, value)
		}
	}
	if f.Tier != 0 {
		q.Set("tier", strconv.Itoa(f.Tier))
	}
	if f.Unit != 0 {
		q.Set("unit", fmt.Sprint(f.Unit))
	}
	if sortBy != "problem" {
		q.Set("sort", sortBy)
	}
	if page > 1 {
		q.Set("page", strconv.Itoa(page))
	}
	if len(q) == 0 {
		return "/groups"
	}
	return "/groups?" + q.Encode()
}

// Head returns the head of the column sorted by name.
func (v *groupsView) Head(name, text string) sortLink {
	return sortLink{Href: v.Filter.link(name, 1), Text: text, On: v.Filter.Sort == name}
}

func (s *Server) groups(ctx context.Context, v *visit, r *http.Request) (frame, error) {
	f, err := s.frame(ctx, v, r, "groups.title", "register")
	if err != nil {
		return f, err
	}
	t, err := s.tiers(ctx)
	if err != nil {
		return f, err
	}
	f.V = v.L.groupsOf(t, readGroupsFilter(r.URL.Query()))
	return f, nil
}

func (l *lang) groupsOf(t *tiers, q groupsFilter) *groupsView {
	view := &groupsView{Filter: q, All: len(t.office.Groups), Wrong: t.review.Checked - t.review.Right, Rate: l.joining(t.review.Joined, t.review.Households)}
	for _, g := range t.office.Groups {
		if g.State.Lives() {
			view.Counts[g.Tier-1]++
		}
	}
	for _, g := range t.review.Gaps {
		row := lackRow{Text: l.gap(g)}
		switch g.Kind {
		case naming.GapUnit:
			row.Href = fmt.Sprintf("/groups/new?tier=2&unit=%d", g.Unit.ID)
		case naming.GapGrid:
			row.Href = fmt.Sprintf("/groups/new?tier=3&grid=%d", g.Grid.ID)
		case naming.GapRoot:
			row.Href = "/groups/new?tier=1"
		}
		if row.Href != "" {
			view.Lacking++
		}
		view.Gaps = append(view.Gaps, row)
	}
	view.choices(l, t)
	var rows []groupRow
	for _, find := range view.findings(t) {
		if row := l.groupRow(t, find); q.keeps(t, row) {
			rows = append(rows, row)
		}
	}
	q.sort(rows)
	view.Total = len(rows)
	pages := max(1, (len(rows)+pointsPerPage-1)/pointsPerPage)
	page := min(q.Page, pages)
	view.Pager = pager{Page: page, Pages: pages}
	if page > 1 {
		view.Pager.Previous = q.link(q.Sort, page-1)
	}
	if page < pages {
		view.Pager.Next = q.link(q.Sort, page+1)
	}
	view.Rows = rows[(page-1)*pointsPerPage : min(len(rows), page*pointsPerPage)]
	return view
}

// findings is every group; those that ended have none of their own.
func (v *groupsView) findings(t *tiers) []naming.Finding {
	all := slices.Clone(t.review.Findings)
	if v.Filter.Show == "ended" || v.Filter.State != "" {
		for _, g := range t.office.Groups {
			if g.State.Ended() {
				all = append(all, naming.Finding{Group: g})
			}
		}
	}
	return all
}

func (v *groupsView) choices(l *lang, t *tiers) {
	with := map[fleet.UnitID]bool{}
	for _, g := range t.office.Groups {
		with[g.Unit] = true
	}
	for _, u := range t.office.Units {
		if with[u.ID] {
			v.Units = append(v.Units, option{Value: fmt.Sprint(u.ID), Text: u.Name, On: u.ID == v.Filter.Unit})
		}
	}
	for n := 1; n <= 3; n++ {
		v.Tiers = append(v.Tiers, option{Value: strconv.Itoa(n), Text: l.T(fmt.Sprintf("groups.tier.%d", n)), On: n == v.Filter.Tier})
	}
	for _, s := range fleet.GroupStates {
		v.States = append(v.States, option{Value: string(s), Text: l.T("groups.state." + string(s)), On: string(s) == v.Filter.State})
	}
	for _, s := range groupShows {
		v.Shows = append(v.Shows, option{Value: s, Text: l.T("groups.show." + s), On: s == v.Filter.Show})
	}
}

// joining is 进群率 in words, from numbers only.
func (l *lang) joining(joined, households int) string {
	return l.Rate(float64(joined)/float64(max(households, 1)), households > 0)
}

func (l *lang) groupRow(t *tiers, find naming.Finding) groupRow {
	g := find.Group
	row := groupRow{
		Href: groupPath(g.ID), Code: g.Code, Name: g.Name, Place: t.place(g), Owner: g.Owner, State: l.groupState(g.State),
		Rate: l.joining(g.Joined, g.Households), find: find, rank: 9,
	}
	if g.Members > 0 {
		row.Members = strconv.Itoa(g.Members)
	}
	add := func(rank int, text string) {
		row.Problems, row.rank = append(row.Problems, text), min(row.rank, rank)
	}
	for _, fault := range find.Faults {
		add(0, l.fault(fault))
	}
	if find.Owner != naming.OwnerGood {
		add(1, l.T("groups.owner."+string(find.Owner)))
	}
	if find.Crowded {
		add(2, l.T("groups.crowded"))
	}
	return row
}

var groupStateIcons = map[fleet.GroupState][2]string{
	fleet.GroupPlanned: {"info", "i-plan"}, fleet.GroupActive: {"ok", "i-check"}, fleet.GroupRenamed: {"ok", "i-pen"},
	fleet.GroupMerged: {"", "i-swap"}, fleet.GroupDissolved: {"", "i-dash"},
}

func (l *lang) groupState(s fleet.GroupState) deviceState {
	look := groupStateIcons[s]
	return deviceState{Tone: look[0], Icon: look[1], Text: l.T("groups.state." + string(s))}
}

// fault says what is wrong with a name.
func (l *lang) fault(f naming.Fault) string {
	if l.code == "en" {
		return f.TextEN()
	}
	return f.Text()
}

func (l *lang) gap(g naming.Gap) string {
	grid := ""
	if g.Grid.Number > 0 {
		grid = "第" + naming.Numeral(g.Grid.Number) + "网格"
	}
	return l.T("groups.gap."+string(g.Kind), g.Unit.Name, grid, g.With.Name)
}

func (q groupsFilter) keeps(t *tiers, row groupRow) bool {
	g := row.find.Group
	switch {
	case q.Tier != 0 && g.Tier != q.Tier, q.Unit != 0 && g.Unit != q.Unit, q.State != "" && string(g.State) != q.State:
		return false
	case q.Query != "" && !strings.Contains(strings.Join(append([]string{g.Name, g.Code, g.Owner, row.Place}, g.Former...), "\n"), q.Query):
		return false
	}
	switch q.Show {
	case "wrong":
		return row.find.Wrong()
	case "name":
		return len(row.find.Faults) > 0
	case "owner":
		return row.find.Owner != naming.OwnerGood
	case "crowded":
		return row.find.Crowded
	case "ended":
		return g.State.Ended()
	}
	return true
}

func (q groupsFilter) sort(rows []groupRow) {
	rate := func(g fleet.Group) float64 { return float64(g.Joined) / float64(max(g.Households, 1)) }
	slices.SortStableFunc(rows, func(a, b groupRow) int {
		x, y := a.find.Group, b.find.Group
		first := 0
		switch q.Sort {
		case "problem":
			first = cmp.Compare(a.rank, b.rank)
		case "name":
			first = cmp.Compare(x.Name, y.Name)
		case "members":
			first = cmp.Compare(y.Members, x.Members)
		case "rate":
			first = cmp.Or(cmp.Compare(rate(x), rate(y)))
		}
		return cmp.Or(first, cmp.Compare(x.Tier, y.Tier), cmp.Compare(x.Code, y.Code))
	})
}

// planGroups registers a planned group for every place that lacks one, with the
// name, code and owner that belong there.
func (s *Server) planGroups(w http.ResponseWriter, r *http.Request, v *visit) error {
	t, err := s.tiers(r.Context())
	if err != nil {
		return err
	}
	planned := map[[3]int64]bool{}
	for _, g := range t.office.Groups {
		if g.State == fleet.GroupPlanned {
			planned[[3]int64{int64(g.Tier), int64(g.Unit), int64(g.Grid)}] = true
		}
	}
	for _, gap := range t.review.Gaps {
		g := fleet.Group{Unit: gap.Unit.ID, State: fleet.GroupPlanned}
		switch gap.Kind {
		case naming.GapRoot:
			g.Tier = 1
		case naming.GapUnit:
			g.Tier = 2
		case naming.GapGrid:
			g.Tier, g.Grid = 3, gap.Grid.ID
		default:
			continue
		}
		if planned[[3]int64{int64(g.Tier), int64(g.Unit), int64(g.Grid)}] || g.Unit == 0 {
			continue
		}
		g.Owner = naming.OwnerOf(g.Tier, gap.Unit, gap.Grid)
		g.Name = t.rule.Name(naming.Place{Tier: g.Tier, Subdistrict: t.root, Unit: gap.Unit, Grid: gap.Grid.Number}, 0)
		ctx, line := s.withAudit(r, v, fleet.Audit{What: fleet.AuditGroup, Object: g.Name, After: groupFields(g)})
		if _, err := s.o.GroupBook.SaveGroup(ctx, g, v.User.Login, v.Now); err != nil {
			return err
		}
		s.audited(r, line)
	}
	return redirect(w, r, "/groups?done=groups_planned")
}

// groupFields is what the audit keeps of a group: no telephone numbers.
func groupFields(g fleet.Group) string {
	number := func(n int) string {
		if n == 0 {
			return ""
		}
		return strconv.Itoa(n)
	}
	var pairs []string
	for _, p := range [][2]string{
		{"name", g.Name}, {"code", g.Code}, {"state", string(g.State)}, {"owner", g.Owner}, {"post", g.OwnerPost}, {"admins", strings.Join(g.Admins, "、")},
		{"phone", g.OwnerPhone.String()}, {"members", number(g.Members)}, {"households", number(g.Households)}, {"joined", number(g.Joined)}, {"platform", g.Platform}, {"created", string(g.Created)},
	} {
		if p[1] != "" {
			pairs = append(pairs, p[0], p[1])
		}
	}
	return fleet.Fields(pairs...)
}
