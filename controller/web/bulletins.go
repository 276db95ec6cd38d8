package web

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"gatecast/controller/bulletin"
	"gatecast/controller/fleet"
)

// BulletinBook is what the pages read of bulletins.
type BulletinBook interface {
	// Bulletins returns those that f selects, and how many without its limit.
	Bulletins(ctx context.Context, f fleet.BulletinFilter) ([]fleet.Bulletin, int, error)
	Bulletin(ctx context.Context, id fleet.BulletinID) (fleet.Bulletin, error)
	NextBulletin(ctx context.Context, k fleet.BulletinKind, year int) (number, total int, err error)
}

// shelf is where bulletins of some kinds stand: those of the office, or those
// that reach the heads alone.
type shelf struct {
	path, title string
	kinds       []fleet.BulletinKind
	read, write fleet.Action
}

var (
	officeShelf = shelf{"/bulletins", "bulletins.title", []fleet.BulletinKind{fleet.WeeklyBulletin, fleet.SpecialBulletin}, fleet.ActRead, fleet.ActCompose}
	teamShelf   = shelf{"/reports", "reports.title", []fleet.BulletinKind{fleet.TeamReport}, fleet.ActDirect, fleet.ActReport}
)

func (h shelf) at(id fleet.BulletinID) string { return fmt.Sprintf("%s/%d", h.path, id) }

// team reports whether every look at a bulletin here is told to the audit.
func (h shelf) team() bool { return h.path == teamShelf.path }

// bulletinRoutes are 周报 and 督查专报.
func (s *Server) bulletinRoutes(mux *http.ServeMux) {
	for _, h := range []shelf{officeShelf, teamShelf} {
		on := func(fn func(http.ResponseWriter, *http.Request, *visit, shelf) error) handler {
			return func(w http.ResponseWriter, r *http.Request, v *visit) error {
				r.Body = http.MaxBytesReader(w, r.Body, maxForm)
				if err := r.ParseForm(); err != nil {
					return &fleet.Error{Code: fleet.Invalid, Text: v.L.T("error.form"), TextEN: v.L.T("error.form"), Err: err}
				}
				return fn(w, r, v, h)
			}
		}
		s.page(mux, h.read, h.path, "bulletins", func(ctx context.Context, v *visit, r *http.Request) (frame, error) {
			return s.bulletins(ctx, v, r, h)
		})
		s.may(mux, h.write, "GET "+h.path+"/new", on(s.bulletinForm))
		s.may(mux, h.write, "POST "+h.path, on(s.beginBulletin))
		s.may(mux, h.read, "GET "+h.path+"/{id}", on(s.showBulletin))
		s.may(mux, h.read, "GET "+h.path+"/{id}/docx", on(s.bulletinDocx))
		s.may(mux, h.read, "GET "+h.path+"/{id}/xlsx", on(s.bulletinXLSX))
		s.may(mux, h.write, "POST "+h.path+"/{id}", on(s.editBulletin))
		s.may(mux, h.write, "POST "+h.path+"/{id}/submit", on(s.submitBulletin))
		s.may(mux, fleet.ActApprove, "POST "+h.path+"/{id}/return", on(s.returnBulletin))
		s.may(mux, fleet.ActApprove, "POST "+h.path+"/{id}/sign", on(s.signBulletin))
	}
	s.may(mux, fleet.ActApprove, "POST /bulletins/{id}/correct", s.correctBulletin)
	s.may(mux, fleet.ActCompose, "GET /bulletins/style", s.bulletinStyle)
	s.may(mux, fleet.ActCompose, "POST /bulletins/style", s.setBulletinStyle)
}

// bulletinsView is the list of one shelf.
type bulletinsView struct {
	Shelf  string // path
	Lead   string
	Filter bulletinsFilter
	Kinds  []option // nil on a shelf of one kind
	States []option
	Rows   []bulletinRow
	Total  int
	Pager  pager
	May    bool // begin one
}

type bulletinRow struct {
	Href, Title, Kind, Subject string
	State                      deviceState
	At, By                     string
}

type bulletinsFilter struct {
	Query  string
	Kind   fleet.BulletinKind
	State  fleet.BulletinState
	Oldest bool
	Page   int
}

const bulletinsPerPage = 30

func readBulletinsFilter(q url.Values, h shelf) bulletinsFilter {
	f := bulletinsFilter{Query: strings.TrimSpace(q.Get("q")), Oldest: q.Get("sort") == "oldest", Page: 1}
	for _, k := range h.kinds {
		if q.Get("kind") == string(k) {
			f.Kind = k
		}
	}
	for _, st := range bulletinStates {
		if q.Get("state") == string(st) {
			f.State = st
		}
	}
	if n, err := strconv.Atoi(q.Get("page")); err == nil && n > 1 {
		f.Page = n
	}
	return f
}

var bulletinStates = []fleet.BulletinState{fleet.BulletinDraft, fleet.BulletinSubmitted, fleet.BulletinIssued}

func (f bulletinsFilter) link(h shelf, page int) string {
	q := url.Values{}
	for key, value := range map[string]string{"q": f.Query, "kind": string(f.Kind), "state": string(f.State)} {
		if value != "" {
			q.Set(key, value)
		}
	}
	if f.Oldest {
		q.Set("sort", "oldest")
	}
	if page > 1 {
		q.Set("page", strconv.Itoa(page))
	}
	if len(q) == 0 {
		return h.path
	}
	return h.path + "?" + q.Encode()
}

func (s *Server) bulletins(ctx context.Context, v *visit, r *http.Request, h shelf) (frame, error) {
	f, err := s.frame(ctx, v, r, h.title, "weekly")
	if err != nil {
		return f, err
	}
	q := readBulletinsFilter(r.URL.Query(), h)
	view := &bulletinsView{Shelf: h.path, Lead: v.L.T(h.title[:len(h.title)-len("title")] + "lead"), Filter: q, May: fleet.May(v.User.Role, h.write)}
	kinds := h.kinds
	if q.Kind != "" {
		kinds = []fleet.BulletinKind{q.Kind}
	}
	rows, all, err := s.o.BulletinBook.Bulletins(ctx, fleet.BulletinFilter{Kinds: kinds, State: q.State, Query: q.Query, Oldest: q.Oldest, Limit: bulletinsPerPage, Offset: (q.Page - 1) * bulletinsPerPage})
	if err != nil {
		return f, fmt.Errorf("reading bulletins: %w", err)
	}
	view.Total, view.Pager = all, pager{Page: q.Page, Pages: max(1, (all+bulletinsPerPage-1)/bulletinsPerPage)}
	if q.Page > 1 {
		view.Pager.Previous = q.link(h, q.Page-1)
	}
	if q.Page < view.Pager.Pages {
		view.Pager.Next = q.link(h, q.Page+1)
	}
	for _, b := range rows {
		row := bulletinRow{Href: h.at(b.ID), Title: v.L.bulletinTitle(b), Kind: v.L.T("bulletin.kind." + string(b.Kind)), Subject: b.Subject, State: v.L.bulletinState(b.State), At: v.L.Stamp(b.Created, v.Now), By: v.L.author(b.By)}
		if b.State == fleet.BulletinIssued {
			row.At, row.By = v.L.Stamp(b.Issued, v.Now), signer(b.IssuedName, b.IssuedBy)
		}
		if b.Kind == fleet.WeeklyBulletin {
			row.Subject = v.L.T("publication.period", string(b.From), string(b.To))
		}
		view.Rows = append(view.Rows, row)
	}
	if len(h.kinds) > 1 {
		for _, k := range h.kinds {
			view.Kinds = append(view.Kinds, option{Value: string(k), Text: v.L.T("bulletin.kind." + string(k)), On: k == q.Kind})
		}
	}
	for _, st := range bulletinStates {
		view.States = append(view.States, option{Value: string(st), Text: v.L.T("bulletin.state." + string(st)), On: st == q.State})
	}
	f.V = view
	return f, nil
}

func (l *lang) bulletinTitle(b fleet.Bulletin) string {
	kind := l.T("bulletin.kind." + string(b.Kind))
	if b.State != fleet.BulletinIssued {
		return l.T("bulletin.unnumbered", kind)
	}
	return l.T("bulletin.numbered", kind, b.Year, b.Number, b.Total)
}

func (l *lang) bulletinState(st fleet.BulletinState) deviceState {
	look := map[fleet.BulletinState][2]string{
		fleet.BulletinDraft: {"warn", "i-clock"}, fleet.BulletinSubmitted: {"info", "i-swap"}, fleet.BulletinIssued: {"ok", "i-lock"},
	}[st]
	return deviceState{look[0], look[1], l.T("bulletin.state." + string(st))}
}

// author is a login as people read it.
func (l *lang) author(login string) string {
	if login == fleet.AuditSelf {
		return l.T("bulletin.self")
	}
	return login
}

// bulletinFormView is a bulletin that is begun.
type bulletinFormView struct {
	Shelf    string
	Kinds    []option // nil on a shelf of one kind
	Kind     fleet.BulletinKind
	From, To string
	Subject  string
	Text     string
	Units    []option
	Problem  string
}

func (s *Server) bulletinForm(w http.ResponseWriter, r *http.Request, v *visit, h shelf) error {
	return s.showBulletinForm(w, r, v, h, "", http.StatusOK)
}

func kindOf(h shelf, r *http.Request) fleet.BulletinKind {
	for _, k := range h.kinds {
		if r.FormValue("kind") == string(k) {
			return k
		}
	}
	return h.kinds[0]
}

func (s *Server) showBulletinForm(w http.ResponseWriter, r *http.Request, v *visit, h shelf, problem string, status int) error {
	f, err := s.frame(r.Context(), v, r, "bulletin.new", "weekly")
	if err != nil {
		return err
	}
	view := &bulletinFormView{Shelf: h.path, Kind: kindOf(h, r), From: r.FormValue("from"), To: r.FormValue("to"), Subject: r.FormValue("subject"), Text: r.FormValue("text"), Problem: problem}
	if view.From == "" && view.To == "" {
		style, err := s.o.Bulletins.Style(r.Context())
		if err != nil {
			return err
		}
		from, to := style.LastPeriod(v.Now, s.o.Zone)
		view.From, view.To = string(from), string(to)
	}
	if len(h.kinds) > 1 {
		for _, k := range h.kinds {
			view.Kinds = append(view.Kinds, option{Value: string(k), Text: v.L.T("bulletin.kind." + string(k)), On: k == view.Kind})
		}
	}
	if view.Units, err = s.unitChoices(r.Context(), chosenUnits(r)); err != nil {
		return err
	}
	f.V = view
	return s.show(w, status, "bulletinnew", f)
}

// unitChoices are the units in the register, those chosen ticked.
func (s *Server) unitChoices(ctx context.Context, chosen []fleet.UnitID) ([]option, error) {
	units, err := s.o.Registry.Units(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading units: %w", err)
	}
	on := map[fleet.UnitID]bool{}
	for _, u := range chosen {
		on[u] = true
	}
	var list []option
	for _, u := range units {
		if u.Parent != 0 && (u.Listed() || on[u.ID]) {
			list = append(list, option{Value: fmt.Sprint(u.ID), Text: u.Name, On: on[u.ID]})
		}
	}
	return list, nil
}

func chosenUnits(r *http.Request) (units []fleet.UnitID) {
	for _, text := range r.Form["unit"] {
		if n, err := strconv.ParseInt(text, 10, 64); err == nil && n > 0 {
			units = append(units, fleet.UnitID(n))
		}
	}
	return units
}

func (s *Server) beginBulletin(w http.ResponseWriter, r *http.Request, v *visit, h shelf) error {
	b := fleet.Bulletin{Kind: kindOf(h, r)}
	object := b.Kind
	if b.Kind == fleet.WeeklyBulletin {
		b.From, b.To = fleet.Day(r.FormValue("from")), fleet.Day(r.FormValue("to"))
	} else {
		b.Subject, b.Units, b.Texts = r.FormValue("subject"), chosenUnits(r), map[string]string{fleet.ChapterText: r.FormValue("text")}
	}
	ctx, _ := s.withAudit(r, v, fleet.Audit{What: fleet.AuditBulletin, Object: string(object), Detail: bulletinObject(b)})
	id, err := s.o.Bulletins.Begin(ctx, v.User, b, v.Now)
	if refused := formRefusal(err); refused != nil {
		return s.showBulletinForm(w, r, v, h, v.L.Error(refused), statuses[refused.Code])
	}
	if err != nil {
		return err
	}
	return redirect(w, r, h.at(id)+"?done=bulletin_begun")
}

// bulletinObject names a bulletin in the audit; of a report of the team nothing
// but its number is told.
func bulletinObject(b fleet.Bulletin) string {
	switch {
	case b.Kind == fleet.TeamReport:
		return fmt.Sprintf("#%d", b.ID)
	case b.State == fleet.BulletinIssued:
		return fmt.Sprintf("%d-%d", b.Year, b.Number)
	case b.Kind == fleet.WeeklyBulletin:
		return string(b.From) + "–" + string(b.To)
	}
	return b.Subject
}

// bulletinStyleView is what the office sets once for all bulletins.
type bulletinStyleView struct {
	bulletin.Style
	CopiesText string
	Days       []option
	Problem    string
}

func (s *Server) bulletinStyle(w http.ResponseWriter, r *http.Request, v *visit) error {
	style, err := s.o.Bulletins.Style(r.Context())
	if err != nil {
		return err
	}
	return s.showBulletinStyle(w, r, v, style, strconv.Itoa(style.Copies), "", http.StatusOK)
}

func (s *Server) showBulletinStyle(w http.ResponseWriter, r *http.Request, v *visit, style bulletin.Style, copies, problem string, status int) error {
	f, err := s.frame(r.Context(), v, r, "bulletin.style", "weekly")
	if err != nil {
		return err
	}
	view := &bulletinStyleView{Style: style, CopiesText: copies, Problem: problem}
	for i := range 7 {
		day := time.Weekday((i + 1) % 7)
		view.Days = append(view.Days, option{Value: strconv.Itoa(int(day)), Text: v.L.T("weekday." + strings.ToLower(day.String()[:3])), On: day == style.WeekStart})
	}
	f.V = view
	return s.show(w, status, "bulletinstyle", f)
}

func (s *Server) setBulletinStyle(w http.ResponseWriter, r *http.Request, v *visit) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	old, err := s.o.Bulletins.Style(r.Context())
	if err != nil {
		return err
	}
	day, errDay := strconv.Atoi(r.FormValue("week_start"))
	if errDay != nil {
		day = int(old.WeekStart)
	}
	copies := strings.TrimSpace(r.FormValue("copies"))
	n, errCopies := strconv.Atoi(copies)
	if errCopies != nil {
		n = -1 // refused below
	}
	style := bulletin.Style{
		Masthead: r.FormValue("masthead"), Issuer: r.FormValue("issuer"), Report: r.FormValue("report"), Send: r.FormValue("send"), Give: r.FormValue("give"),
		Copies: n, WeekStart: time.Weekday(day), Manual: r.FormValue("auto") == "",
	}
	ctx, line := s.withAudit(r, v, fleet.Audit{What: fleet.AuditBulletinStyle, Before: styleFields(old), After: styleFields(style)})
	err = s.o.Bulletins.SetStyle(ctx, v.User, style)
	if refused := formRefusal(err); refused != nil {
		return s.showBulletinStyle(w, r, v, style, copies, v.L.Error(refused), statuses[refused.Code])
	}
	if err != nil {
		return err
	}
	s.audited(r, line)
	return redirect(w, r, "/bulletins?done=bulletin_style")
}

func styleFields(s bulletin.Style) string {
	return fleet.Fields("masthead", s.Masthead, "issuer", s.Issuer, "report", s.Report, "send", s.Send, "give", s.Give, "copies", strconv.Itoa(s.Copies),
		"week_start", s.WeekStart.String(), "manual", strconv.FormatBool(s.Manual))
}
