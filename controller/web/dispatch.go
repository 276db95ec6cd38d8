package web

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"gatecast/controller/fleet"
)

// Replacements are the orders by which clips were replaced.
type Replacements interface {
	// LatestReplacements returns some, the newest first, and how many there are.
	LatestReplacements(ctx context.Context, limit, offset int) ([]fleet.Replacement, int, error)
	// Replacement returns one; fleet.NotFound if there is none.
	Replacement(ctx context.Context, id fleet.ReplacementID) (fleet.Replacement, error)
	ReplacedAt(ctx context.Context, id fleet.ReplacementID) ([]fleet.ReplacedAt, error)
}

// DispatchDesk replaces clips. It asks for the permission itself; refusals are
// *fleet.Errors.
type DispatchDesk interface {
	// Replace returns the order that is there, with again true, where the same
	// was ordered before.
	Replace(ctx context.Context, by fleet.User, o fleet.ReplaceOrder, now time.Time) (r fleet.Replacement, again bool, err error)
	Undo(ctx context.Context, by fleet.User, id fleet.ReplacementID, reason string, now time.Time) (fleet.Replacement, error)
	Left(ctx context.Context, r fleet.Replacement, now time.Time) (bool, error)
	Sounding(ctx context.Context, now time.Time) ([]fleet.Sounding, error)
}

// dispatchRoutes are 下发: which gate has what it should have, and 更换.
func (s *Server) dispatchRoutes(mux *http.ServeMux) {
	s.page(mux, fleet.ActRead, "/dispatch", "dispatch", s.dispatchBoard)
	s.page(mux, fleet.ActRead, "/dispatch/sheet", "dispatchsheet", s.dispatchSheet)
	s.page(mux, fleet.ActActivate, "/dispatch/new", "replace", s.replaceForm)
	s.may(mux, fleet.ActActivate, "POST /dispatch", s.replaceClip)
	s.page(mux, fleet.ActRead, "/dispatch/{id}", "dispatch", s.replacementBoard)
	s.page(mux, fleet.ActRead, "/dispatch/{id}/sheet", "dispatchsheet", s.replacementSheet)
	s.may(mux, fleet.ActActivate, "POST /dispatch/{id}/undo", s.undoReplacement)
}

func dispatchPath(id fleet.ReplacementID) string { return fmt.Sprintf("/dispatch/%d", id) }

// What a gate is doing about what it should have.
const (
	gateReady   = "ready"
	gateLoading = "loading"
	gateOffline = "offline"
	gateBare    = "bare"
)

var gateStates = []string{gateReady, gateLoading, gateOffline, gateBare}

// dispatchView is a board of gates. Ready, Loading, Offline and Bare add up to
// Of, and for a replacement New, Old and None do.
type dispatchView struct {
	Of, Ready, Loading, Offline, Bare int
	New, Old, None                    int

	Filter dispatchFilter
	States []option
	Rows   []dispatchRow
	Away   []dispatchRow // offline ones, each by name, whatever the filter
	Total  int           // that match
	Pager  pager

	Replacement *replacementView // nil on the board of the plans in force
	Recent      []replacementRow
	Sheet       string // path of the 确认单
	Title       string // of the 确认单
	MayReplace  bool
}

// dispatchRow is one gate on the board.
type dispatchRow struct {
	Code, Name, Href, Unit string
	State                  deviceState
	Clip                   string // what the device says it has
	Match                  bool   // by its hash, what it should have
	Will                   string // what it plays as things are
	WillTone               string
	Contact, Seen          string

	No    int    // on the 确认单
	gate  string // one of gateStates
	voice fleet.Voice
}

// dispatchFilter is what the URL asks for.
type dispatchFilter struct {
	Path, Query, State, Sort string
	Page                     int // from 1
}

const dispatchPerPage = 100

var dispatchSorts = []string{"state", "name", "code", "unit"}

func readDispatchFilter(path string, q url.Values) dispatchFilter {
	f := dispatchFilter{Path: path, Query: strings.TrimSpace(q.Get("q")), Sort: "state", Page: 1}
	if slices.Contains(gateStates, q.Get("state")) {
		f.State = q.Get("state")
	}
	if slices.Contains(dispatchSorts, q.Get("sort")) {
		f.Sort = q.Get("sort")
	}
	if n, err := strconv.Atoi(q.Get("page")); err == nil && n > 1 {
		f.Page = n
	}
	return f
}

func (f dispatchFilter) link(sortBy string, page int) string {
	q := url.Values{}
	for key, value := range map[string]string{"q": f.Query, "state": f.State} {
		if value != "" {
			q.Set(key, value)
		}
	}
	if sortBy != "state" {
		q.Set("sort", sortBy)
	}
	if page > 1 {
		q.Set("page", strconv.Itoa(page))
	}
	if len(q) == 0 {
		return f.Path
	}
	return f.Path + "?" + q.Encode()
}

// Head returns the head of the column sorted by name, with its text.
func (v *dispatchView) Head(name, text string) sortLink {
	return sortLink{Href: v.Filter.link(name, 1), Text: text, On: v.Filter.Sort == name}
}

// dispatchBoard shows the plans in force: every activation, whatever it was for.
func (s *Server) dispatchBoard(ctx context.Context, v *visit, r *http.Request) (frame, error) {
	f, view, p, err := s.plansBoard(ctx, v, r)
	if err != nil {
		return f, err
	}
	latest, _, err := s.o.Replacements.LatestReplacements(ctx, 20, 0)
	if err != nil {
		return f, fmt.Errorf("reading replacements: %w", err)
	}
	for _, r := range latest {
		view.Recent = append(view.Recent, v.L.replacementRow(r, v.Now))
	}
	view.cut(p, readDispatchFilter("/dispatch", r.URL.Query()))
	view.choices(v.L)
	f.V = view
	return f, nil
}

// dispatchSheet is the 确认单 of the plans in force.
func (s *Server) dispatchSheet(ctx context.Context, v *visit, r *http.Request) (frame, error) {
	f, view, _, err := s.plansBoard(ctx, v, r)
	view.Title = v.L.T("dispatch.sheet.plans")
	f.V = view
	return f, err
}

func (s *Server) plansBoard(ctx context.Context, v *visit, r *http.Request) (frame, *dispatchView, *places, error) {
	view := &dispatchView{MayReplace: fleet.May(v.User.Role, fleet.ActActivate), Sheet: "/dispatch/sheet"}
	f, err := s.frame(ctx, v, r, "dispatch.title", "programmes")
	if err != nil {
		return f, view, nil, err
	}
	p, err := s.places(ctx, fleet.PointFilter{})
	if err != nil {
		return f, view, nil, err
	}
	for _, pt := range p.points {
		d := p.device[pt.ID]
		if d.ID != "" && d.WantVersion == 0 {
			continue // no programme is meant for it
		}
		view.add(v.L.planRow(p, pt, d, v.Now))
	}
	return f, view, p, nil
}

// gateRow is what the row of a gate says on every board.
func (l *lang) dispatchRow(p *places, pt fleet.Point, d fleet.Device, ready bool, now time.Time) dispatchRow {
	row := dispatchRow{Code: pt.Code, Name: pt.Name, Href: pointPath(pt.ID), Unit: p.unit[pt.Unit].Name, Contact: p.contact(l, pt)}
	switch {
	case d.ID == "":
		row.gate, row.State = gateBare, deviceState{"", "i-plus", l.T("dispatch.bare")}
		return row
	case !l.online(d, now):
		row.gate, row.State = gateOffline, deviceState{"bad", "i-offline", l.T("dispatch.offline")}
	case ready:
		row.gate, row.State = gateReady, deviceState{"ok", "i-check", l.T("dispatch.ready")}
	default:
		row.gate, row.State = gateLoading, deviceState{"warn", "i-export", l.T("dispatch.loading")}
	}
	row.Seen = l.Stamp(d.LastSeen, now)
	return row
}

// planRow is a gate against the plan that it should have.
func (l *lang) planRow(p *places, pt fleet.Point, d fleet.Device, now time.Time) dispatchRow {
	row := l.dispatchRow(p, pt, d, d.Ready(), now)
	if d.ID == "" {
		return row
	}
	row.Match = d.Ready()
	row.Clip = l.T("plan.none")
	if d.PlanVersion != 0 {
		row.Clip = l.T("dispatch.plan", d.PlanVersion, short(d.PlanHash), len(d.ClipsReady), len(d.ClipsReady)+len(d.ClipsMiss))
	}
	row.Will, row.WillTone = l.willDo(d, now), "ok"
	if !d.Ready() {
		row.WillTone = "warn"
	}
	return row
}

// add counts a row and keeps it.
func (v *dispatchView) add(row dispatchRow) {
	v.Of++
	switch row.gate {
	case gateReady:
		v.Ready++
	case gateLoading:
		v.Loading++
	case gateOffline:
		v.Offline++
		v.Away = append(v.Away, row)
	case gateBare:
		v.Bare++
	}
	switch row.voice {
	case fleet.VoiceNew:
		v.New++
	case fleet.VoiceOld:
		v.Old++
	case fleet.VoiceNone:
		v.None++
	}
	row.No = v.Of
	v.Rows = append(v.Rows, row)
}

// cut leaves the page of the rows that f asks for.
func (v *dispatchView) cut(p *places, f dispatchFilter) {
	order := map[string]int{}
	for i, id := range p.unitOrder {
		order[p.unit[id].Name] = i
	}
	rank := map[string]int{gateOffline: 0, gateLoading: 1, gateBare: 2, gateReady: 3}
	query := strings.ToLower(f.Query)
	rows := slices.DeleteFunc(slices.Clone(v.Rows), func(r dispatchRow) bool {
		return f.State != "" && r.gate != f.State ||
			query != "" && !strings.Contains(strings.ToLower(r.Name+"\n"+r.Code+"\n"+r.Unit), query)
	})
	sort.SliceStable(rows, func(i, j int) bool {
		a, b := rows[i], rows[j]
		switch {
		case f.Sort == "state" && a.gate != b.gate:
			return rank[a.gate] < rank[b.gate]
		case f.Sort == "name" && a.Name != b.Name:
			return a.Name < b.Name
		case f.Sort == "unit" && a.Unit != b.Unit:
			return order[a.Unit] < order[b.Unit]
		}
		return a.Code < b.Code
	})
	v.Filter, v.Total = f, len(rows)
	pages := max(1, (len(rows)+dispatchPerPage-1)/dispatchPerPage)
	page := min(f.Page, pages)
	v.Pager = pager{Page: page, Pages: pages}
	if page > 1 {
		v.Pager.Previous = f.link(f.Sort, page-1)
	}
	if page < pages {
		v.Pager.Next = f.link(f.Sort, page+1)
	}
	v.Rows = rows[(page-1)*dispatchPerPage : min(len(rows), page*dispatchPerPage)]
	if len(v.Away) > maxAway {
		v.Away = v.Away[:maxAway]
	}
}

// maxAway is how many offline gates stand beside the board by name; all of
// them are in the list under their state.
const maxAway = 50

func (v *dispatchView) choices(l *lang) {
	for _, st := range gateStates {
		v.States = append(v.States, option{Value: st, Text: l.T("dispatch." + st), On: st == v.Filter.State})
	}
}
