package web

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"gatecast/controller/fleet"
)

// Alerts are the 漏播预警.
type Alerts interface {
	// Alerts returns those that f selects, and how many without its limit.
	Alerts(ctx context.Context, f fleet.AlertFilter) ([]fleet.Alert, int, error)
	// AlertSums counts the open ones: of all units together first, then of each.
	AlertSums(ctx context.Context) ([]fleet.AlertSum, error)
	// AlertFile returns one with its slots and history; fleet.NotFound if there
	// is none.
	AlertFile(ctx context.Context, id fleet.AlertID) (fleet.AlertFile, error)
	// AckAlert keeps that a person took note, and what was done.
	AckAlert(ctx context.Context, id fleet.AlertID, by fleet.User, note string, now time.Time) (fleet.Alert, error)
}

// alertRoutes are the page of alerts and that of each.
func (s *Server) alertRoutes(mux *http.ServeMux) {
	s.page(mux, fleet.ActRead, "/alerts", "alerts", s.alerts)
	s.may(mux, fleet.ActRead, "GET /alerts/list.xlsx", s.alertFile)
	s.may(mux, fleet.ActRead, "GET /alerts/list.csv", s.alertFile)
	s.page(mux, fleet.ActRead, "/alerts/{id}", "alert", s.alert)
	s.may(mux, fleet.ActAlert, "POST /alerts/{id}", s.ackAlert)
}

func alertPath(id fleet.AlertID) string { return fmt.Sprintf("/alerts/%d", id) }

// alertsView is the list of alerts.
type alertsView struct {
	Filter   alertsFilter
	Shows    []alertShow
	Units    []option
	Troubles []option
	Groups   []alertGroup
	Total    int
	Open     int // of all
	Pager    pager
	Asof     string
	Book     string // the same list as a workbook
	CSV      string
}

// alertShow is one of the lists, with how many alerts it has.
type alertShow struct {
	Href, Text string
	N          int // -1 where it is not counted
	On         bool
}

// alertGroup is the alerts of one unit that a page lists.
type alertGroup struct {
	Unit, Href string
	Liaison    string // with a masked number
	Open       int    // of the unit, on whatever page
	Rows       []alertRow
}

type alertRow struct {
	Href, Point, Code, Compound string
	Tone, Icon                  string
	Trouble, Likely             string
	Slots                       string
	Since                       string
	Near                        string
	Who                         string // of the gate or of the property, with a masked number
	Call                        string // empty unless the property is to be telephoned
	State                       deviceState
	Closed                      string
}

// alertsFilter is what the URL asks for.
type alertsFilter struct {
	Show    fleet.AlertShow
	Unit    fleet.UnitID
	Point   fleet.PointID
	Trouble fleet.Trouble
	Query   string
	Page    int
}

const alertsPerPage = 50

func readAlertsFilter(q url.Values) alertsFilter {
	f := alertsFilter{Show: fleet.AlertShow(q.Get("show")), Trouble: fleet.Trouble(q.Get("trouble")), Query: strings.TrimSpace(q.Get("q")), Page: 1}
	if !slices.Contains(fleet.AlertShows, f.Show) {
		f.Show = fleet.ShowOpen
	}
	if !slices.Contains(fleet.Troubles, f.Trouble) {
		f.Trouble = ""
	}
	if n, err := strconv.ParseInt(q.Get("unit"), 10, 64); err == nil && n > 0 {
		f.Unit = fleet.UnitID(n)
	}
	if n, err := strconv.ParseInt(q.Get("point"), 10, 64); err == nil && n > 0 {
		f.Point = fleet.PointID(n)
	}
	if n, err := strconv.Atoi(q.Get("page")); err == nil && n > 1 {
		f.Page = n
	}
	return f
}

// link is the URL of the same list with another choice of alerts, or page.
func (f alertsFilter) link(show fleet.AlertShow, page int) string {
	q := url.Values{}
	if show != fleet.ShowOpen {
		q.Set("show", string(show))
	}
	for key, value := range map[string]string{"q": f.Query, "trouble": string(f.Trouble)} {
		if value != "" {
			q.Set(key, value)
		}
	}
	for key, id := range map[string]int64{"unit": int64(f.Unit), "point": int64(f.Point)} {
		if id != 0 {
			q.Set(key, strconv.FormatInt(id, 10))
		}
	}
	if page > 1 {
		q.Set("page", strconv.Itoa(page))
	}
	if len(q) == 0 {
		return "/alerts"
	}
	return "/alerts?" + q.Encode()
}

func (s *Server) alerts(ctx context.Context, v *visit, r *http.Request) (frame, error) {
	f, err := s.frame(ctx, v, r, "alerts.title", "compliance")
	if err != nil {
		return f, err
	}
	f.Wide = true
	q := readAlertsFilter(r.URL.Query())
	rows, all, err := s.o.Alerts.Alerts(ctx, fleet.AlertFilter{
		Show: q.Show, Unit: q.Unit, Point: q.Point, Trouble: q.Trouble, Query: q.Query, Limit: alertsPerPage, Offset: (q.Page - 1) * alertsPerPage,
	})
	if err != nil {
		return f, fmt.Errorf("reading alerts: %w", err)
	}
	sums, err := s.o.Alerts.AlertSums(ctx)
	if err != nil {
		return f, fmt.Errorf("counting alerts: %w", err)
	}
	p, err := s.alertPlaces(ctx)
	if err != nil {
		return f, err
	}
	view := &alertsView{Filter: q, Total: all, Open: sums[0].Open, Asof: v.L.Stamp(v.Now, v.Now)}
	view.Pager = pager{Page: q.Page, Pages: max(1, (all+alertsPerPage-1)/alertsPerPage)}
	if q.Page > 1 {
		view.Pager.Previous = q.link(q.Show, q.Page-1)
	}
	if q.Page < view.Pager.Pages {
		view.Pager.Next = q.link(q.Show, q.Page+1)
	}
	_, query, _ := strings.Cut(q.link(q.Show, 1), "?")
	view.Book, view.CSV = "/alerts/list.xlsx?"+query, "/alerts/list.csv?"+query
	view.choices(v.L, p, sums)
	view.groups(v, p, rows, sums)
	f.V = view
	return f, nil
}

func (v *alertsView) choices(l *lang, p *alertPlaces, sums []fleet.AlertSum) {
	n := map[fleet.AlertShow]int{fleet.ShowOpen: sums[0].Open, fleet.ShowNew: sums[0].New, fleet.ShowCall: sums[0].Call, fleet.ShowClosed: -1}
	for _, show := range fleet.AlertShows {
		q := v.Filter
		q.Unit, q.Trouble, q.Query = 0, "", "" // the numbers are of all
		v.Shows = append(v.Shows, alertShow{Href: q.link(show, 1), Text: l.T("alerts.show." + string(show)), N: n[show], On: show == v.Filter.Show})
	}
	for _, t := range fleet.Troubles {
		text := l.T("trouble." + string(t))
		if n := sums[0].ByTrouble[t]; n > 0 {
			text = l.T("alerts.choice", text, n)
		}
		v.Troubles = append(v.Troubles, option{Value: string(t), Text: text, On: t == v.Filter.Trouble})
	}
	open := map[fleet.UnitID]int{}
	for _, sum := range sums[1:] {
		open[sum.Unit] = sum.Open
	}
	for _, u := range p.units {
		text := u.Name
		if n := open[u.ID]; n > 0 {
			text = l.T("alerts.choice", text, n)
		}
		v.Units = append(v.Units, option{Value: fmt.Sprint(u.ID), Text: text, On: u.ID == v.Filter.Unit})
	}
}

// groups puts the rows below their units, in the order in which they come.
func (view *alertsView) groups(v *visit, p *alertPlaces, rows []fleet.Alert, sums []fleet.AlertSum) {
	open := map[fleet.UnitID]int{}
	for _, sum := range sums[1:] {
		open[sum.Unit] = sum.Open
	}
	at := map[fleet.UnitID]int{}
	for _, a := range rows {
		unit := p.point[a.Point].Unit
		i, ok := at[unit]
		if !ok {
			i = len(view.Groups)
			at[unit] = i
			q := alertsFilter{Unit: unit}
			view.Groups = append(view.Groups, alertGroup{Unit: p.unit[unit].Name, Href: q.link(view.Filter.Show, 1), Liaison: p.liaisonOf(v.L, unit), Open: open[unit]})
		}
		view.Groups[i].Rows = append(view.Groups[i].Rows, v.L.alertRow(p, a, v.Now))
	}
}

// alertNeeds are what the overview says while there are alerts that nobody has
// taken note of, or properties to be telephoned.
func (s *Server) alertNeeds(ctx context.Context, l *lang) ([]need, error) {
	sums, err := s.o.Alerts.AlertSums(ctx)
	if err != nil {
		return nil, fmt.Errorf("counting alerts: %w", err)
	}
	all := sums[0]
	var list []need
	if all.Call > 0 {
		list = append(list, need{Tone: "doubt", Icon: "i-mute", Href: "/alerts?show=call", Title: l.T("need.alerts.call", all.Call), Text: l.T("need.alerts.call.text"), rank: toneRank["doubt"]})
	}
	if all.New > 0 {
		list = append(list, need{Tone: "bad", Icon: "i-alert", Href: "/alerts?show=new", Title: l.T("need.alerts", all.New), Text: l.T("need.alerts.text", all.Open, len(sums)-1), rank: toneRank["bad"]})
	}
	return list, nil
}

// ownAlerts are the open alerts of some points, as what an account that sees
// only those has to do.
func (s *Server) ownAlerts(ctx context.Context, v *visit, points []fleet.Point) (map[fleet.PointID][]need, error) {
	own := map[fleet.PointID]bool{}
	for _, pt := range points {
		own[pt.ID] = true
	}
	open, _, err := s.o.Alerts.Alerts(ctx, fleet.AlertFilter{Show: fleet.ShowOpen})
	if err != nil {
		return nil, fmt.Errorf("reading alerts: %w", err)
	}
	list := map[fleet.PointID][]need{}
	for _, a := range open {
		if !own[a.Point] {
			continue
		}
		n := need{Tone: "bad", Title: v.L.T("alert.own", v.L.T("trouble."+string(a.Trouble)), v.L.T("alerts.slots", a.Slots), v.L.likely(a)), Text: v.L.T("likely." + string(a.Likely) + ".text"), Age: v.L.Span(v.Now.Sub(a.First))}
		if tone, ok := troubleTones[a.Trouble]; ok {
			n.Tone = tone
		}
		if !a.Called.IsZero() {
			n.Text = v.L.T("alert.call.own", a.Run) + n.Text
		}
		list[a.Point] = append(list[a.Point], n)
	}
	return list, nil
}

// troubleIcons are the icons of troubles.
var troubleIcons = map[fleet.Trouble]string{
	fleet.TroubleAway: "i-offline", fleet.TroublePower: "i-alert", fleet.TroubleSound: "i-mute", fleet.TroubleClock: "i-clock", fleet.TroublePlan: "i-plan",
	fleet.TroubleClip: "i-export", fleet.TroubleDevice: "i-alert", fleet.TroubleOrder: "i-user", fleet.TroubleRecords: "i-shield", fleet.TroubleOther: "i-alert",
}

// troubleTones are the tones of troubles that are not faults of a gate.
var troubleTones = map[fleet.Trouble]string{fleet.TroubleSound: "doubt", fleet.TroubleOrder: "info", fleet.TroubleRecords: "warn"}

func (l *lang) alertRow(p *alertPlaces, a fleet.Alert, now time.Time) alertRow {
	pt := p.point[a.Point]
	row := alertRow{
		Href: alertPath(a.ID), Point: pt.Name, Code: pt.Code, Compound: p.compound[pt.Compound].Name, Tone: "bad", Icon: troubleIcons[a.Trouble],
		Trouble: l.T("trouble." + string(a.Trouble)), Likely: l.likely(a), Since: l.Stamp(a.First, now), Near: p.nearNow(l, pt),
		Slots: l.T("alerts.slots", a.Slots), Who: p.gateContact(l, pt), State: deviceState{"bad", "i-alert", l.T("alert.new")},
	}
	if tone, ok := troubleTones[a.Trouble]; ok {
		row.Tone = tone
	}
	if !a.Acked.IsZero() {
		row.State = deviceState{"warn", "i-check", l.T("alert.acked", a.AckedName, l.Stamp(a.Acked, now))}
	}
	if !a.Called.IsZero() && a.Open() {
		row.Call = l.T("alert.call", a.Run)
	}
	if !a.Open() {
		row.Tone, row.Near = "ok", ""
		row.State = deviceState{"ok", "i-check", l.T("alert.closed", l.Stamp(a.Closed, now))}
		row.Closed = l.T("alert.lasted", l.Span(a.Closed.Sub(a.First)))
		if a.Slots > 0 && a.Bad == 0 {
			row.Closed += l.T("comma") + l.T("alert.made_good")
		}
	}
	return row
}

// likely is the likely cause in words, with what the device said.
func (l *lang) likely(a fleet.Alert) string {
	text := l.T("likely." + string(a.Likely))
	if a.Condition != "" && l.Has("cond."+a.Condition) {
		text += l.T("alert.reported", l.T("cond."+a.Condition))
	}
	return text
}
