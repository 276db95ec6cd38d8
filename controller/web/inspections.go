package web

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"gatecast/controller/fleet"
)

// Inspections are what supervisors found.
type Inspections interface {
	// Inspections returns those that f selects, and how many without its limit.
	Inspections(ctx context.Context, f fleet.InspectionFilter) ([]fleet.InspectionEntry, int, error)
	// Inspection returns one; fleet.NotFound if there is none.
	Inspection(ctx context.Context, id fleet.InspectionID) (fleet.InspectionEntry, error)
	InspectionPhoto(ctx context.Context, id fleet.PhotoID) ([]byte, error)
}

// InspectionDesk takes inspections. Refusals are *fleet.Errors.
type InspectionDesk interface {
	Take(ctx context.Context, by fleet.User, i fleet.Inspection, photo []byte, line fleet.Audit, now time.Time) (fleet.Inspection, error)
	Withdraw(ctx context.Context, by fleet.User, i fleet.Inspection, reason string, line fleet.Audit, now time.Time) error
}

// inspectionRoutes are 督查: what people heard at points.
func (s *Server) inspectionRoutes(mux *http.ServeMux) {
	s.page(mux, fleet.ActRead, "/inspections", "inspections", s.inspections)
	s.page(mux, fleet.ActInspect, "/inspections/new", "inspectionnew", s.inspectionForm)
	s.may(mux, fleet.ActInspect, "POST /inspections", s.takeInspection)
	s.page(mux, fleet.ActRead, "/inspections/{id}", "inspection", s.inspection)
	s.may(mux, fleet.ActInspect, "POST /inspections/{id}/withdraw", s.withdrawInspection)
	s.may(mux, fleet.ActRead, "GET /inspections/{id}/photo", s.inspectionPhoto)
}

func inspectionPath(id fleet.InspectionID) string { return fmt.Sprintf("/inspections/%d", id) }

// inspectionsView is the list.
type inspectionsView struct {
	Query   string
	Mine    bool // 督导本人抽查
	Found   []option
	Rows    []inspectionRow
	Total   int
	Pager   pager
	MayTake bool
}

type inspectionRow struct {
	Href, At, Point, PointHref, Slot, SlotHref, Unit, Listened, Note, By, Withdrawn, Photo string
	State                                                                                  deviceState
}

const inspectionsPerPage = 50

func (s *Server) inspections(ctx context.Context, v *visit, r *http.Request) (frame, error) {
	f, err := s.frame(ctx, v, r, "inspections.title", "inspections")
	if err != nil {
		return f, err
	}
	q := r.URL.Query()
	view := &inspectionsView{Query: strings.TrimSpace(q.Get("q")), Mine: q.Get("by") == "me", MayTake: fleet.May(v.User.Role, fleet.ActInspect)}
	page, err := strconv.Atoi(q.Get("page"))
	if err != nil || page < 1 {
		page = 1
	}
	filter := fleet.InspectionFilter{Query: view.Query, Limit: inspectionsPerPage, Offset: (page - 1) * inspectionsPerPage}
	if view.Mine {
		filter.By = v.User.Login
	}
	for _, kind := range fleet.PointFindings {
		on := q.Get("finding") == string(kind)
		if on {
			filter.Finding = kind
		}
		view.Found = append(view.Found, option{Value: string(kind), Text: v.L.T("finding." + string(kind)), On: on})
	}
	rows, all, err := s.o.Inspections.Inspections(ctx, filter)
	if err != nil {
		return f, fmt.Errorf("reading inspections: %w", err)
	}
	p, err := s.places(ctx, fleet.PointFilter{})
	if err != nil {
		return f, err
	}
	view.Total, view.Pager = all, pager{Page: page, Pages: max(1, (all+inspectionsPerPage-1)/inspectionsPerPage)}
	link := func(n int) string {
		q.Set("page", strconv.Itoa(n))
		return "/inspections?" + q.Encode()
	}
	if page > 1 {
		view.Pager.Previous = link(page - 1)
	}
	if page < view.Pager.Pages {
		view.Pager.Next = link(page + 1)
	}
	for _, e := range rows {
		view.Rows = append(view.Rows, v.L.inspectionRow(p, e, v.Now))
	}
	f.V = view
	return f, nil
}

func (l *lang) inspectionRow(p *places, e fleet.InspectionEntry, now time.Time) inspectionRow {
	row := inspectionRow{
		Href: inspectionPath(e.ID), At: l.Stamp(e.At, now), Point: e.Title, PointHref: pointPath(e.Point), Unit: p.unit[e.Unit].Name,
		Listened: l.T("inspection.minutes", int(e.Listened.Minutes())), Note: e.Note, By: e.Name, Slot: l.T("inspection.no_slot"),
		State: deviceState{"ok", "i-check", l.T("finding.heard")},
	}
	if e.Slot != "" {
		row.Slot, row.SlotHref = e.SlotName, pointPath(e.Point)+"/slots/"+url.PathEscape(string(e.Slot))
	}
	if !e.Finding.Good() {
		row.State = deviceState{"bad", "i-cross", l.T("finding.unheard")}
	}
	if !e.Stands() {
		row.Withdrawn = l.T("inspection.withdrawn", l.Stamp(e.Withdrawn, now), e.WithdrawnBy, e.WithdrawnAs)
	}
	if e.Photo != 0 {
		row.Photo = inspectionPath(e.ID) + "/photo"
	}
	return row
}

// inspectionFormView finds a point and takes what was heard there.
type inspectionFormView struct {
	Problem    string
	Query      string
	Found      []foundPoint
	More       int
	Point      fleet.Point
	Unit       string
	Key        string
	Findings   []option
	Minutes    []option
	At, Note   string
	PhotoAgain bool // a photo does not survive a refused form
}

func (s *Server) inspectionForm(ctx context.Context, v *visit, r *http.Request) (frame, error) {
	return s.inspectionPage(ctx, v, r, r.URL.Query(), "")
}

// inspectionPage is the form with what was typed in it.
func (s *Server) inspectionPage(ctx context.Context, v *visit, r *http.Request, in url.Values, problem string) (frame, error) {
	f, err := s.frame(ctx, v, r, "inspection.new", "inspections")
	if err != nil {
		return f, err
	}
	p, err := s.places(ctx, fleet.PointFilter{})
	if err != nil {
		return f, err
	}
	view := &inspectionFormView{Problem: problem, Query: strings.TrimSpace(in.Get("q")), Key: in.Get("key"), At: in.Get("at"), Note: in.Get("note"), PhotoAgain: problem != ""}
	if view.Key == "" {
		view.Key = rand.Text()
	}
	f.V = view
	id, _ := strconv.ParseInt(in.Get("point"), 10, 64) // 0 finds none
	pt, ok := p.point[fleet.PointID(id)]
	if !ok {
		found := complaintFormView{Query: view.Query}
		found.find(p)
		for i := range found.Found {
			found.Found[i].Href = strings.Replace(found.Found[i].Href, "/complaints/new", "/inspections/new", 1)
		}
		view.Found, view.More = found.Found, found.More
		return f, nil
	}
	view.Point, view.Unit = pt, p.unit[pt.Unit].Name
	for _, kind := range fleet.PointFindings {
		view.Findings = append(view.Findings, option{Value: string(kind), Text: v.L.T("finding." + string(kind)), On: in.Get("finding") == string(kind)})
	}
	minutes := in.Get("minutes")
	if minutes == "" {
		minutes = "5"
	}
	for _, n := range []string{"1", "5", "10", "30"} {
		view.Minutes = append(view.Minutes, option{Value: n, Text: v.L.T("inspection.minutes", n), On: n == minutes})
	}
	return f, nil
}

// takeInspection keeps a form. What is refused comes back as it was typed, with
// the same key, so that a form that did arrive is not kept twice.
func (s *Server) takeInspection(w http.ResponseWriter, r *http.Request, v *visit) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxPhoto+maxForm)
	err := r.ParseMultipartForm(maxForm)
	var photo []byte
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		err = badPhoto("照片超过 12 MB，请用手机的普通画质重拍。", "The photo is above 12 MB: take it with the telephone's normal quality.")
	case err != nil:
		err = badPhoto("没有收到完整的表单，请重新提交。", "The form did not arrive whole: send it again.")
	default:
		defer r.MultipartForm.RemoveAll() //nolint:errcheck // files of the operating system's temporary folder
		photo, err = sentPhoto(r)
	}
	id, _ := strconv.ParseInt(r.FormValue("point"), 10, 64)            // 0 is refused
	minutes, _ := strconv.Atoi(r.FormValue("minutes"))                 // 0 is refused
	minutes = min(max(minutes, 0), 1+int(fleet.MaxListened.Minutes())) // what is beyond is refused all the same
	i := fleet.Inspection{
		Key: r.FormValue("key"), At: v.Now, Listened: time.Duration(minutes) * time.Minute, Point: fleet.PointID(id),
		Finding: fleet.Finding(r.FormValue("finding")), Note: r.FormValue("note"),
	}
	if at := strings.TrimSpace(r.FormValue("at")); at != "" && err == nil {
		if i.At, err = time.ParseInLocation("2006-01-02 15:04", at, s.o.Zone); err != nil {
			err = badPhoto("时间要写成 2026-11-23 18:05 的样子；刚听完就空着。", "Write the time like 2026-11-23 18:05, or leave it empty when you have just listened.")
		}
	}
	if err == nil {
		var pt fleet.Point
		if pt, err = s.o.Registry.Point(r.Context(), i.Point); err == nil {
			i, err = s.o.InspectionDesk.Take(r.Context(), v.User, i, photo, byline(r, v, fleet.Audit{Object: pt.Name}), v.Now)
		}
	}
	if why, ok := refusalOf(v.L, err); ok {
		f, err := s.inspectionPage(r.Context(), v, r, r.Form, why)
		if err != nil {
			return err
		}
		return s.show(w, http.StatusUnprocessableEntity, "inspectionnew", f)
	}
	if err != nil {
		return fmt.Errorf("keeping an inspection: %w", err)
	}
	return redirect(w, r, inspectionPath(i.ID)+"?done=inspection")
}

// inspectionView is one inspection.
type inspectionView struct {
	inspectionRow
	ID            fleet.InspectionID
	V, Verdict    string // of the slot now; empty for none
	Grade         fleet.Grade
	Why           string
	MayAct        bool
	Reason, Error string
}

func (s *Server) inspectionOf(ctx context.Context, r *http.Request) (fleet.InspectionEntry, error) {
	id, err := idOf(r, "id", errNoPage)
	if err != nil {
		return fleet.InspectionEntry{}, err
	}
	return s.o.Inspections.Inspection(ctx, fleet.InspectionID(id))
}

func (s *Server) inspection(ctx context.Context, v *visit, r *http.Request) (frame, error) {
	e, err := s.inspectionOf(ctx, r)
	if err != nil {
		return frame{}, err
	}
	f, err := s.frame(ctx, v, r, "inspection.title", "inspections")
	if err != nil {
		return f, err
	}
	p, err := s.places(ctx, fleet.PointFilter{})
	if err != nil {
		return f, err
	}
	view := &inspectionView{inspectionRow: v.L.inspectionRow(p, e, v.Now), ID: e.ID, MayAct: e.Stands() && fleet.May(v.User.Role, fleet.ActInspect)}
	if e.Slot != "" {
		o, err := s.o.Ledger.Obligation(ctx, e.Point, e.Slot)
		if err != nil {
			return f, fmt.Errorf("reading obligation: %w", err)
		}
		row := v.L.slotRow(o, p.device[o.Point], v.Now)
		view.V, view.Verdict, view.Grade, view.Why = row.V, row.Verdict, o.Grade, v.L.why(o)
	}
	f.V = view
	return f, nil
}

func (s *Server) withdrawInspection(w http.ResponseWriter, r *http.Request, v *visit) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	e, err := s.inspectionOf(r.Context(), r)
	if err != nil {
		return err
	}
	err = s.o.InspectionDesk.Withdraw(r.Context(), v.User, e.Inspection, r.PostFormValue("reason"), byline(r, v, fleet.Audit{Object: e.Title}), v.Now)
	if why, ok := refusalOf(v.L, err); ok {
		f, err := s.inspection(r.Context(), v, r)
		if err != nil {
			return err
		}
		view := f.V.(*inspectionView)
		view.Error, view.Reason = why, r.PostFormValue("reason")
		return s.show(w, http.StatusUnprocessableEntity, "inspection", f)
	}
	if err != nil {
		return fmt.Errorf("withdrawing an inspection: %w", err)
	}
	return redirect(w, r, inspectionPath(e.ID)+"?done=inspection_withdrawn")
}

func (s *Server) inspectionPhoto(w http.ResponseWriter, r *http.Request, _ *visit) error {
	e, err := s.inspectionOf(r.Context(), r)
	if err != nil {
		return err
	}
	jpeg, err := s.o.Inspections.InspectionPhoto(r.Context(), e.Photo)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "image/jpeg")
	w.Header().Set("Cache-Control", "private, max-age=3600")
	_, _ = w.Write(jpeg) // the reader may have gone
	return nil
}
