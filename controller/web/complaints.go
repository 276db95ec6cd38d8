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
	"gatecast/internal/wire"
)

// Complaints are what residents complained about, and the levels that followed.
type Complaints interface {
	// Complaints returns those that f selects, and how many without its limit.
	Complaints(ctx context.Context, f fleet.ComplaintFilter) ([]fleet.Complaint, int, error)
	// Complaint returns one; fleet.NotFound if there is none.
	Complaint(ctx context.Context, id fleet.ComplaintID) (fleet.Complaint, error)
	Levels(ctx context.Context, p fleet.PointID) ([]fleet.Level, error) // newest first
	OpenLevels(ctx context.Context, now time.Time) ([]fleet.Level, error)
}

// ComplaintDesk takes complaints. It asks for the permission itself; refusals
// are *fleet.Errors.
type ComplaintDesk interface {
	// Take carries out the measure, too; gain is how far the point was turned
	// down, in dB, when the person decided.
	Take(ctx context.Context, by fleet.User, c fleet.Complaint, gain float64, now time.Time) (fleet.Complaint, error)
	Restore(ctx context.Context, by fleet.User, p fleet.PointID, reason string, now time.Time) error
	Answer(ctx context.Context, by fleet.User, id fleet.ComplaintID, reply string, now time.Time) error
}

// Calibrations are what was measured at points.
type Calibrations interface {
	Calibrations(ctx context.Context, p fleet.PointID) ([]fleet.Calibration, error) // newest first
}

// Plans are the plans that devices should have.
type Plans interface {
	// PlanOf returns the newest one; fleet.NotFound if there is none.
	PlanOf(ctx context.Context, id wire.DeviceID) (wire.Plan, error)
}

// complaintRoutes are 投诉: what residents say about a point, and what is done.
func (s *Server) complaintRoutes(mux *http.ServeMux) {
	s.page(mux, fleet.ActRead, "/complaints", "complaints", s.complaints)
	s.page(mux, fleet.ActActivate, "/complaints/new", "complaintnew", s.complaintForm)
	s.may(mux, fleet.ActActivate, "POST /complaints", s.takeComplaint)
	s.page(mux, fleet.ActRead, "/complaints/{id}", "complaint", s.complaint)
	s.may(mux, fleet.ActActivate, "POST /complaints/{id}/answer", s.answerComplaint)
	s.may(mux, fleet.ActActivate, "POST /complaints/{id}/restore", s.restoreLevel)
}

func complaintPath(id fleet.ComplaintID) string { return fmt.Sprintf("/complaints/%d", id) }

// complaintsView is the list.
type complaintsView struct {
	Filter   complaintsFilter
	Channels []option
	Rows     []complaintRow
	Total    int
	Pager    pager
	Lowered  []loweredRow // points turned down now
	MayTake  bool
	Point    string // name, when the list is of one point
}

type complaintsFilter struct {
	Query, Sort string
	Channel     fleet.Channel
	Open        bool
	Point       fleet.PointID
	Page        int
}

type complaintRow struct {
	Href, At, Point, PointHref, Channel, Reference, Text, Measure string
	State                                                         deviceState
}

type loweredRow struct{ Point, Href, By, Until string }

const complaintsPerPage = 50

func readComplaintsFilter(q url.Values) complaintsFilter {
	f := complaintsFilter{Query: strings.TrimSpace(q.Get("q")), Sort: "at", Page: 1, Open: q.Get("open") != "", Channel: fleet.Channel(q.Get("channel"))}
	if !slices.Contains(fleet.Channels, f.Channel) {
		f.Channel = ""
	}
	if by := q.Get("sort"); by == "point" || by == "measure" {
		f.Sort = by
	}
	if n, err := strconv.ParseInt(q.Get("point"), 10, 64); err == nil && n > 0 {
		f.Point = fleet.PointID(n)
	}
	if n, err := strconv.Atoi(q.Get("page")); err == nil && n > 1 {
		f.Page = n
	}
	return f
}

func (f complaintsFilter) link(sortBy string, page int) string {
	q := url.Values{}
	for key, value := range map[string]string{"q": f.Query, "channel": string(f.Channel)} {
		if value != "" {
			q.Set(key, value)
		}
	}
	if f.Open {
		q.Set("open", "1")
	}
	if f.Point != 0 {
		q.Set("point", fmt.Sprint(f.Point))
	}
	if sortBy != "at" {
		q.Set("sort", sortBy)
	}
	if page > 1 {
		q.Set("page", strconv.Itoa(page))
	}
	if len(q) == 0 {
		return "/complaints"
	}
	return "/complaints?" + q.Encode()
}

// Head returns the head of the column sorted by name, with its text.
func (v *complaintsView) Head(name, text string) sortLink {
	return sortLink{Href: v.Filter.link(name, 1), Text: text, On: v.Filter.Sort == name}
}

func (s *Server) complaints(ctx context.Context, v *visit, r *http.Request) (frame, error) {
	f, err := s.frame(ctx, v, r, "complaints.title", "points")
	if err != nil {
		return f, err
	}
	q := readComplaintsFilter(r.URL.Query())
	view := &complaintsView{Filter: q, MayTake: fleet.May(v.User.Role, fleet.ActActivate)}
	p, err := s.places(ctx, fleet.PointFilter{})
	if err != nil {
		return f, err
	}
	filter := fleet.ComplaintFilter{Query: q.Query, Point: q.Point, Channel: q.Channel, Open: q.Open, Sort: q.Sort, Limit: complaintsPerPage, Offset: (q.Page - 1) * complaintsPerPage}
	rows, all, err := s.o.Complaints.Complaints(ctx, filter)
	if err != nil {
		return f, fmt.Errorf("reading complaints: %w", err)
	}
	view.Total, view.Point = all, p.point[q.Point].Name
	view.Pager = pager{Page: q.Page, Pages: max(1, (all+complaintsPerPage-1)/complaintsPerPage)}
	if q.Page > 1 {
		view.Pager.Previous = q.link(q.Sort, q.Page-1)
	}
	if q.Page < view.Pager.Pages {
		view.Pager.Next = q.link(q.Sort, q.Page+1)
	}
	for _, c := range rows {
		view.Rows = append(view.Rows, v.L.complaintRow(p, c, v.Now))
	}
	for _, c := range fleet.Channels {
		view.Channels = append(view.Channels, option{Value: string(c), Text: v.L.T("channel." + string(c)), On: c == q.Channel})
	}
	if view.Lowered, err = s.lowered(ctx, v, p); err != nil {
		return f, err
	}
	f.V = view
	return f, nil
}

// lowered lists the points that are turned down now.
func (s *Server) lowered(ctx context.Context, v *visit, p *places) ([]loweredRow, error) {
	open, err := s.o.Complaints.OpenLevels(ctx, v.Now)
	if err != nil {
		return nil, fmt.Errorf("reading levels: %w", err)
	}
	by := map[fleet.PointID][]fleet.Level{}
	var order []fleet.PointID
	for _, l := range open {
		if by[l.Point] == nil {
			order = append(order, l.Point)
		}
		by[l.Point] = append(by[l.Point], l)
	}
	rows := make([]loweredRow, 0, len(order))
	for _, id := range order {
		rows = append(rows, loweredRow{
			Point: p.point[id].Name, Href: "/complaints?point=" + fmt.Sprint(id), By: v.L.decibels(fleet.GainAt(by[id], v.Now)), Until: v.L.levelUntil(by[id], v.Now),
		})
	}
	return rows, nil
}

// levelUntil is when the next of the levels of a point ends by itself.
func (l *lang) levelUntil(levels []fleet.Level, now time.Time) string {
	var next time.Time
	for _, lv := range levels {
		if lv.Open(now) && !lv.Until.IsZero() && (next.IsZero() || lv.Until.Before(next)) {
			next = lv.Until
		}
	}
	if next.IsZero() {
		return l.T("level.lasting")
	}
	return l.T("level.until", l.Stamp(next, now))
}

func (l *lang) complaintRow(p *places, c fleet.Complaint, now time.Time) complaintRow {
	row := complaintRow{
		Href: complaintPath(c.ID), At: l.Stamp(c.At, now), Point: p.point[c.Point].Name, PointHref: pointPath(c.Point), Channel: l.T("channel." + string(c.Channel)),
		Reference: c.Reference, Text: c.Text, Measure: l.T("measure." + string(c.Measure)), State: deviceState{"warn", "i-clock", l.T("complaint.open")},
	}
	if !c.Replied.IsZero() {
		row.State = deviceState{"ok", "i-check", l.T("complaint.answered", l.Stamp(c.Replied, now))}
	}
	return row
}

// restoreNeeds announces what ends by itself within a day, and points that were
// complained about again and again.
func (s *Server) restoreNeeds(ctx context.Context, v *visit, p *places) ([]need, error) {
	open, err := s.o.Complaints.OpenLevels(ctx, v.Now)
	if err != nil {
		return nil, fmt.Errorf("reading levels: %w", err)
	}
	var list []need
	for _, lv := range open {
		pt, ok := p.point[lv.Point]
		if !ok || lv.Until.IsZero() || lv.Until.Sub(v.Now) > fleet.RestoreNotice {
			continue
		}
		title, text := v.L.T("need.restore"), v.L.T("need.restore.text", v.L.Stamp(lv.Until, v.Now), v.L.decibels(-lv.GainDB))
		list = append(list, need{
			Tone: "info", Icon: "i-speaker", Point: pt.Name, Href: complaintPath(lv.Complaint), Title: title, Text: text, Who: p.contact(v.L, pt),
			Copy: v.L.T("need.copy", pt.Name, title, text), id: pt.ID, rank: toneRank["info"], since: lv.At,
		})
	}
	return list, nil
}
