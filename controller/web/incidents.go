package web

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"gatecast/controller/fleet"
)

// Incidents are the 安全事件.
type Incidents interface {
	// Incidents returns what f selects: open ones first, then the latest first.
	Incidents(ctx context.Context, f fleet.IncidentFilter) ([]fleet.Incident, error)
	// AckIncident ticks one off; fleet.NotFound if there is none, fleet.Conflict
	// if somebody did before.
	AckIncident(ctx context.Context, id int64, by, note string, now time.Time) (fleet.Incident, error)
}

// incidentRoutes are the page of incidents and the tick-off.
func (s *Server) incidentRoutes(mux *http.ServeMux) {
	s.page(mux, fleet.ActRead, "/incidents", "incidents", s.incidents)
	s.may(mux, fleet.ActRevoke, "POST /incidents/{id}", s.ackIncident)
}

// incidentsView is the list of incidents.
type incidentsView struct {
	Rows  []incidentRow
	Open  int // of the rows
	All   bool
	More  bool
	Empty bool
	May   bool // tick off
	Point fleet.PointID
}

type incidentRow struct {
	ID               int64
	What, Means      string
	Point, PointHref string
	From             string
	Device           string
	When             string
	Count            int
	Detail           string
	Seen             string // who ticked it off and when; empty while open
	Note             string
	Href             string // of the tick-off
}

// maxIncidents is how many rows the page lists.
const maxIncidents = 200

func (s *Server) incidents(ctx context.Context, v *visit, r *http.Request) (frame, error) {
	f, err := s.frame(ctx, v, r, "incidents.title", "overview")
	if err != nil {
		return f, err
	}
	view := &incidentsView{All: r.URL.Query().Has("all"), May: fleet.May(v.User.Role, fleet.ActRevoke)}
	if n, err := strconv.ParseInt(r.URL.Query().Get("point"), 10, 64); err == nil && n > 0 {
		view.Point = fleet.PointID(n)
	}
	all, err := s.o.Incidents.Incidents(ctx, fleet.IncidentFilter{Point: view.Point, Open: !view.All, Limit: maxIncidents + 1})
	if err != nil {
		return f, fmt.Errorf("reading incidents: %w", err)
	}
	if view.More = len(all) > maxIncidents; view.More {
		all = all[:maxIncidents]
	}
	names, err := s.pointNames(ctx)
	if err != nil {
		return f, err
	}
	for _, in := range all {
		if in.Seen.IsZero() {
			view.Open++
		}
		view.Rows = append(view.Rows, incidentRowOf(v, in, names))
	}
	view.Empty = len(view.Rows) == 0
	f.V = view
	return f, nil
}

func incidentRowOf(v *visit, in fleet.Incident, names map[fleet.PointID]string) incidentRow {
	row := incidentRow{
		ID: in.ID, What: v.L.incident(in.Kind, ""), Means: v.L.incident(in.Kind, ".text"), From: in.From, Device: string(in.Device), Count: in.Count,
		Detail: in.Detail, Note: in.Note, Href: fmt.Sprintf("/incidents/%d", in.ID), When: v.L.Stamp(in.Last, v.Now),
	}
	if first := v.L.Stamp(in.First, v.Now); first != row.When {
		row.When = v.L.T("incidents.span", first, row.When)
	}
	if in.Point != 0 {
		row.Point, row.PointHref = names[in.Point], pointPath(in.Point)
	}
	if !in.Seen.IsZero() {
		row.Seen = v.L.T("incidents.seen", in.SeenBy, v.L.Stamp(in.Seen, v.Now))
	}
	return row
}

// incident is the word for a kind, or with ".text" what it means and what to
// do.
func (l *lang) incident(kind fleet.IncidentKind, part string) string {
	key := "incident." + string(kind) + part
	if !l.Has(key) {
		key = "incident.other" + part
	}
	return l.T(key)
}

func (s *Server) pointNames(ctx context.Context) (map[fleet.PointID]string, error) {
	points, err := s.o.Registry.Points(ctx, fleet.PointFilter{})
	if err != nil {
		return nil, fmt.Errorf("reading points: %w", err)
	}
	names := make(map[fleet.PointID]string, len(points))
	for _, p := range points {
		names[p.ID] = p.Name
	}
	return names, nil
}

// maxNote bounds what a person writes at the tick-off, in bytes.
const maxNote = 300

// ackIncident ticks one off, with what was done.
func (s *Server) ackIncident(w http.ResponseWriter, r *http.Request, v *visit) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil || id < 1 {
		return errNoPage
	}
	note := strings.TrimSpace(r.FormValue("note"))
	if note == "" || len(note) > maxNote {
		return &fleet.Error{Code: fleet.Invalid, Text: v.L.T("incidents.note.missing"), TextEN: v.L.T("incidents.note.missing")}
	}
	names, err := s.pointNames(r.Context())
	if err != nil {
		return err
	}
	in, err := s.o.Incidents.AckIncident(r.Context(), id, v.User.Name, note, v.Now)
	if err != nil {
		return fmt.Errorf("ticking off incident: %w", err)
	}
	at := names[in.Point]
	if at == "" {
		at = in.From
	}
	s.auditLine(r, v, fleet.Audit{What: fleet.AuditIncident, Object: strings.TrimSpace(v.L.incident(in.Kind, "") + " " + at), Detail: note})
	return redirect(w, r, "/incidents?done=incident")
}

// incidentNeeds are what the overview, or the page of a point, says while
// incidents are open: one for each point and kind, the latest first.
func (s *Server) incidentNeeds(ctx context.Context, v *visit, point fleet.PointID) ([]need, error) {
	open, err := s.o.Incidents.Incidents(ctx, fleet.IncidentFilter{Point: point, Open: true, Limit: maxIncidents})
	if err != nil || len(open) == 0 {
		return nil, err
	}
	names, err := s.pointNames(ctx)
	if err != nil {
		return nil, err
	}
	type key struct {
		point fleet.PointID
		kind  fleet.IncidentKind
	}
	var order []key
	sums := map[key]fleet.Incident{}
	for _, in := range open {
		k := key{in.Point, in.Kind}
		sum, ok := sums[k]
		if !ok {
			order = append(order, k)
			sum = in
			sum.Count = 0
		}
		sum.Count += in.Count
		sums[k] = sum
	}
	var list []need
	for i, k := range order {
		if i == maxIncidentNeeds {
			list = append(list, need{
				Tone: "bad", Icon: "i-shield", Href: "/incidents", rank: -2,
				Title: v.L.T("need.incidents.more", len(order)-i), Text: v.L.T("need.incidents.more.text"),
			})
			break
		}
		sum := sums[k]
		list = append(list, need{
			Tone: "bad", Icon: "i-shield", Point: names[k.point], Href: "/incidents", rank: -2,
			Title: v.L.T("need.incident", v.L.incident(k.kind, "")), Text: v.L.T("need.incident.text", sum.Count, v.L.Stamp(sum.Last, v.Now)),
		})
	}
	return list, nil
}

// maxIncidentNeeds is how many of them are named one by one.
const maxIncidentNeeds = 5
