package web

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"sort"
	"strconv"
	"strings"
	"time"

	"gatecast/controller/fleet"
)

// pointsView is the list of points.
type pointsView struct {
	Filter  pointsFilter
	Units   []option
	Kinds   []option
	States  []option
	Rows    []pointRow
	Total   int // that match
	All     int
	Pager   pager
	Columns []column
}

// pointsFilter is what the URL asks for.
type pointsFilter struct {
	Query, State, Sort string
	Unit               fleet.UnitID
	Kind               fleet.PointKind
	Page               int // from 1
}

// option is an entry of a choice.
type option struct {
	Value, Text string
	On          bool
}

// sortLink is the head of a column that can be sorted by.
type sortLink struct {
	Href, Text string
	On         bool
}

// Head returns the head of the column sorted by name, with its text.
func (v *pointsView) Head(name, text string) sortLink {
	return sortLink{Href: v.Filter.link(name, 1), Text: text, On: v.Filter.Sort == name}
}

// pager links to the pages around this one; empty hrefs where there is none.
type pager struct {
	Page, Pages    int
	Previous, Next string
}

// pointRow is one point in the list.
type pointRow struct {
	Code, Name, Href, Unit, Kind string
	State                        deviceState
	Plan                         planState
	Output                       string
	Demo                         bool
	Seen                         string
	Cells                        []cell
	Need                         string
}

const pointsPerPage = 100

var pointSorts = []string{"code", "name", "unit", "state", "seen"}

var pointStates = []string{"issue", "online", "offline", "behind", "bare", "waiting", "retired"}

func (s *Server) points(ctx context.Context, v *visit, r *http.Request) (frame, error) {
	f, err := s.frame(ctx, v, r, "nav.points", "points")
	if err != nil {
		return f, err
	}
	q := readPointsFilter(r.URL.Query())
	p, err := s.places(ctx, fleet.PointFilter{Unit: q.Unit, Kind: q.Kind, Query: q.Query})
	if err != nil {
		return f, err
	}
	if q.State == "retired" {
		p.points = p.retired
	}
	everything := p.points
	if q.Unit != 0 || q.Kind != "" || q.Query != "" {
		if everything, err = s.o.Registry.Points(ctx, fleet.PointFilter{}); err != nil {
			return f, fmt.Errorf("reading points: %w", err)
		}
	}
	today := fleet.ObligationFilter{From: s.dayOf(v.Now), To: s.dayOf(v.Now)}
	var bad []fleet.Obligation // what makes a point an issue beside its device
	if q.State == "issue" {
		for _, today.Verdict = range []fleet.Verdict{fleet.Missed, fleet.Doubt} {
			some, err := s.o.Ledger.Obligations(ctx, today)
			if err != nil {
				return f, fmt.Errorf("reading obligations: %w", err)
			}
			bad = append(bad, some...)
		}
		today.Verdict = ""
	}
	view := &pointsView{Filter: q, All: len(everything)}
	shown := v.L.pick(p, q, bad, view, v.Now)
	today.Points = make([]fleet.PointID, len(shown))
	for i, pt := range shown {
		today.Points[i] = pt.ID
	}
	rows, err := s.o.Ledger.Obligations(ctx, today)
	if err != nil {
		return f, fmt.Errorf("reading obligations: %w", err)
	}
	if err := s.progress(ctx, rows, v.Now); err != nil {
		return f, err
	}
	byPoint := byPoint(rows)
	view.Columns = v.L.columns(rows, v.Now)
	for _, pt := range shown {
		view.Rows = append(view.Rows, v.L.pointRow(p, pt, byPoint[pt.ID], view.Columns, v.Now))
	}
	view.choices(v.L, p, everything, q)
	f.V = view
	return f, nil
}

// byPoint sorts obligations by their points.
func byPoint(rows []fleet.Obligation) map[fleet.PointID][]fleet.Obligation {
	all := map[fleet.PointID][]fleet.Obligation{}
	for _, o := range rows {
		all[o.Point] = append(all[o.Point], o)
	}
	return all
}

func readPointsFilter(q url.Values) pointsFilter {
	f := pointsFilter{Query: strings.TrimSpace(q.Get("q")), Kind: fleet.PointKind(q.Get("kind")), Sort: "code", Page: 1}
	if n, err := strconv.ParseInt(q.Get("unit"), 10, 64); err == nil && n > 0 {
		f.Unit = fleet.UnitID(n)
	}
	for _, s := range pointStates {
		if q.Get("state") == s {
			f.State = s
		}
	}
	for _, s := range pointSorts {
		if q.Get("sort") == s {
			f.Sort = s
		}
	}
	if n, err := strconv.Atoi(q.Get("page")); err == nil && n > 1 {
		f.Page = n
	}
	if f.Kind != fleet.Gate && f.Kind != fleet.Horn && f.Kind != fleet.Indoors {
		f.Kind = ""
	}
	return f
}

// link is the URL of the same list with another sorting or page.
func (f pointsFilter) link(sortBy string, page int) string {
	q := url.Values{}
	set := func(key, value string) {
		if value != "" {
			q.Set(key, value)
		}
	}
	set("q", f.Query)
	set("state", f.State)
	set("kind", string(f.Kind))
	if f.Unit != 0 {
		q.Set("unit", fmt.Sprint(f.Unit))
	}
	if sortBy != "code" {
		q.Set("sort", sortBy)
	}
	if page > 1 {
		q.Set("page", strconv.Itoa(page))
	}
	if len(q) == 0 {
		return "/points"
	}
	return "/points?" + q.Encode()
}

// candidate is a point as far as filter and order need it: with ten thousand
// of them, only those that are shown are worked out.
type candidate struct {
	point fleet.Point
	order int // of the unit
	rank  int // of the state, worst first
	seen  time.Time
}

// pick returns the points of the page that q asks for, and sets what view says
// of all that match. bad are the obligations that make a point an issue.
func (l *lang) pick(p *places, q pointsFilter, bad []fleet.Obligation, view *pointsView, now time.Time) []fleet.Point {
	byPoint := byPoint(bad)
	order := map[fleet.UnitID]int{}
	for i, u := range p.units {
		order[u.ID] = i
	}
	var all []candidate
	for _, pt := range p.points {
		if !q.keeps(l, p, pt, byPoint[pt.ID], now) {
			continue
		}
		_, rank := p.stateOf(l, pt.ID, now)
		all = append(all, candidate{point: pt, order: order[pt.Unit], rank: rank, seen: p.device[pt.ID].LastSeen})
	}
	q.sort(all)
	view.Total = len(all)
	all, view.Pager = cutPage(all, q)
	shown := make([]fleet.Point, len(all))
	for i, c := range all {
		shown[i] = c.point
	}
	return shown
}

func (v *pointsView) choices(l *lang, p *places, everything []fleet.Point, q pointsFilter) {
	with, kinds := map[fleet.UnitID]bool{}, map[fleet.PointKind]bool{}
	for _, pt := range everything {
		with[pt.Unit], kinds[pt.Kind] = true, true
	}
	for _, u := range p.units {
		if with[u.ID] {
			v.Units = append(v.Units, option{Value: fmt.Sprint(u.ID), Text: u.Name, On: u.ID == q.Unit})
		}
	}
	for _, k := range []fleet.PointKind{fleet.Gate, fleet.Horn, fleet.Indoors} {
		if kinds[k] {
			v.Kinds = append(v.Kinds, option{Value: string(k), Text: l.T("kind." + string(k)), On: k == q.Kind})
		}
	}
	for _, s := range pointStates {
		v.States = append(v.States, option{Value: s, Text: l.T("points.state." + s), On: s == q.State})
	}
}

func (l *lang) pointRow(p *places, pt fleet.Point, today []fleet.Obligation, cols []column, now time.Time) pointRow {
	d, has := p.device[pt.ID]
	row := pointRow{Code: pt.Code, Name: pt.Name, Href: pointPath(pt.ID), Unit: p.unit[pt.Unit].Name, Kind: l.T("kind." + string(pt.Kind))}
	row.State, _ = p.stateOf(l, pt.ID, now)
	if stage := pt.StageAt(now); has && stage == fleet.StageWaiting || stage == fleet.StageRetired {
		row.State = l.stage(pt, now)
	}
	row.Cells = l.tileOf(p, pt, today, cols, now).Cells
	if !has {
		return row
	}
	row.Plan = l.planState(d)
	row.Output, row.Demo = d.Output.Sink, d.Output.Demo
	row.Seen = l.Stamp(d.LastSeen, now)
	if n := l.needsOf(p, pt, today, now); len(n) > 0 {
		row.Need = n[0].Title
	}
	return row
}

func (q pointsFilter) keeps(l *lang, p *places, pt fleet.Point, bad []fleet.Obligation, now time.Time) bool {
	d, has := p.device[pt.ID]
	switch q.State {
	case "issue":
		return len(l.needsOf(p, pt, bad, now)) > 0
	case "online":
		return has && l.online(d, now)
	case "offline":
		return has && !l.online(d, now)
	case "behind":
		return has && !d.Ready()
	case "bare":
		return !has
	case "waiting":
		return pt.StageAt(now) == fleet.StageWaiting
	}
	return true
}

func (q pointsFilter) sort(rows []candidate) {
	sort.SliceStable(rows, func(i, j int) bool {
		a, b := rows[i], rows[j]
		switch q.Sort {
		case "name":
			if a.point.Name != b.point.Name {
				return a.point.Name < b.point.Name
			}
		case "unit":
			if a.order != b.order {
				return a.order < b.order
			}
		case "state":
			if a.rank != b.rank {
				return a.rank < b.rank
			}
		case "seen":
			if !a.seen.Equal(b.seen) {
				return a.seen.After(b.seen)
			}
		}
		return a.point.Code < b.point.Code
	})
}

func cutPage(rows []candidate, q pointsFilter) ([]candidate, pager) {
	pages := max(1, (len(rows)+pointsPerPage-1)/pointsPerPage)
	page := min(q.Page, pages)
	g := pager{Page: page, Pages: pages}
	if page > 1 {
		g.Previous = q.link(q.Sort, page-1)
	}
	if page < pages {
		g.Next = q.link(q.Sort, page+1)
	}
	return rows[(page-1)*pointsPerPage : min(len(rows), page*pointsPerPage)], g
}
