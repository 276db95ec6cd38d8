package web

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"gatecast/controller/fleet"
)

// AuditBook is the whole audit, for those who may read it.
type AuditBook interface {
	// FindAudits returns the lines that f selects, newest first.
	FindAudits(ctx context.Context, f fleet.AuditFilter) ([]fleet.Audit, error)
	// LastAuditHead returns what was signed last, the zero value for nothing.
	LastAuditHead(ctx context.Context) (fleet.AuditHead, error)
	// ExportAudit signs the newest line and writes all of them in the form that
	// "gatecast verify" checks.
	ExportAudit(ctx context.Context, w io.Writer) error
}

// auditRoutes are the pages of the auditor.
func (s *Server) auditRoutes(mux *http.ServeMux) {
	s.may(mux, fleet.ActAudit, "GET /audit", s.audits)
	s.may(mux, fleet.ActAudit, "GET /audit/export.csv", s.auditTable)
	s.may(mux, fleet.ActAudit, "GET /audit/export.jsonl", s.auditFile)
}

// auditView is 审计.
type auditView struct {
	Rows          []auditRow
	From, To      fleet.Day
	Who, Object   string
	Address       string
	Failed        bool
	What          []option
	Older, Newest string // paths of other pages; empty where there is none
	Table, File   string // paths of the exports
	Signed        string // how far it is signed
	Retention     int    // days
	Narrow        bool   // something is selected
}

// auditRow is one line as people read it.
type auditRow struct {
	ID, At, Who, Role, From string
	Text, Code              string
	Object, Detail          string
	Changes                 []auditChange
	Failed                  bool
}

// auditChange is one field of before and after.
type auditChange struct{ Name, Before, After string }

// auditsShown is how many lines a page lists.
const auditsShown = 100

// readAuditFilter reads what a query asks for; what cannot be is left out.
func (s *Server) readAuditFilter(q url.Values) (f fleet.AuditFilter, from, to fleet.Day) {
	if d, err := time.ParseInLocation(time.DateOnly, q.Get("from"), s.o.Zone); err == nil {
		f.From, from = d, fleet.Day(q.Get("from"))
	}
	if d, err := time.ParseInLocation(time.DateOnly, q.Get("to"), s.o.Zone); err == nil {
		f.To, to = time.Date(d.Year(), d.Month(), d.Day()+1, 0, 0, 0, 0, s.o.Zone), fleet.Day(q.Get("to"))
	}
	f.Who, f.Object, f.Address = strings.TrimSpace(q.Get("who")), strings.TrimSpace(q.Get("object")), strings.TrimSpace(q.Get("address"))
	for _, c := range fleet.AuditCodes {
		if string(c) == q.Get("what") {
			f.What = c
		}
	}
	f.Failed = q.Get("failed") == "yes"
	return f, from, to
}

func (s *Server) audits(w http.ResponseWriter, r *http.Request, v *visit) error {
	s.auditView(r, v)
	q := r.URL.Query()
	f, from, to := s.readAuditFilter(q)
	f.Below, _ = strconv.ParseInt(q.Get("below"), 10, 64) // 0 is the first page
	f.Limit = auditsShown + 1
	lines, err := s.o.AuditBook.FindAudits(r.Context(), f)
	if err != nil {
		return fmt.Errorf("reading audit: %w", err)
	}
	head, err := s.o.AuditBook.LastAuditHead(r.Context())
	if err != nil {
		return fmt.Errorf("reading the newest head of the audit: %w", err)
	}
	page, err := s.frame(r.Context(), v, r, "audits.title", "audit")
	if err != nil {
		return err
	}
	view := &auditView{
		From: from, To: to, Who: f.Who, Object: f.Object, Address: f.Address, Failed: f.Failed, Retention: int(s.o.Retention / (24 * time.Hour)),
		Narrow: f.Who+f.Object+f.Address+string(f.What) != "" || f.Failed || from+to != "",
	}
	if len(lines) > auditsShown {
		lines = lines[:auditsShown]
		view.Older = auditPath("/audit", q, lines[len(lines)-1].ID)
	}
	if f.Below > 0 {
		view.Newest = auditPath("/audit", q, 0)
	}
	view.Table, view.File = auditPath("/audit/export.csv", q, 0), "/audit/export.jsonl"
	view.Signed = v.L.T("audits.unsigned")
	if head.Number > 0 {
		view.Signed = v.L.T("audits.signed", head.Line, v.L.Stamp(head.Signed, v.Now))
	}
	view.What = []option{{Text: v.L.T("all"), On: f.What == ""}}
	for _, c := range fleet.AuditCodes {
		view.What = append(view.What, option{Value: string(c), Text: v.L.auditText(fleet.Audit{What: c, Object: "…", Detail: "…"}), On: c == f.What})
	}
	for _, a := range lines {
		view.Rows = append(view.Rows, v.L.auditRow(a, s.o.Zone))
	}
	page.V = view
	return s.show(w, http.StatusOK, "audit", page)
}

// auditPath is a path with the filter of q, and with lines below that number.
func auditPath(path string, q url.Values, below int64) string {
	keep := url.Values{}
	for _, k := range []string{"from", "to", "who", "what", "object", "address", "failed"} {
		if text := q.Get(k); text != "" {
			keep.Set(k, text)
		}
	}
	if below > 0 {
		keep.Set("below", strconv.FormatInt(below, 10))
	}
	if len(keep) == 0 {
		return path
	}
	return path + "?" + keep.Encode()
}

// auditRow says a line in words.
func (l *lang) auditRow(a fleet.Audit, zone *time.Location) auditRow {
	row := auditRow{
		ID: strconv.FormatInt(a.ID, 10), At: a.At.In(zone).Format("2006-01-02 15:04:05"), Who: a.Who, From: a.From, Text: l.auditText(a), Code: string(a.What),
		Object: a.Object, Detail: a.Detail, Failed: a.Failed, Changes: changes(a.Before, a.After),
	}
	if strings.Contains(row.Text, row.Detail) {
		row.Detail = "" // the words say it already
	}
	for i, c := range row.Changes {
		if key := "field." + c.Name; c.Name != "" && l.Has(key) {
			row.Changes[i].Name = l.T(key)
		}
	}
	if a.Role != "" && l.Has("role."+string(a.Role)) {
		row.Role = l.T("role." + string(a.Role))
	}
	return row
}

// changes pairs the fields of before and after; texts that are no fields are
// one pair without a name. Fields that are the same on both sides are left out.
func changes(before, after string) (all []auditChange) {
	if before == "" && after == "" {
		return nil
	}
	b, okB := fields(before)
	a, okA := fields(after)
	if !okB || !okA {
		return []auditChange{{Before: before, After: after}}
	}
	was := map[string]string{}
	for _, f := range b {
		was[f[0]] = f[1]
	}
	for _, f := range a {
		old, had := was[f[0]]
		if delete(was, f[0]); !had || old != f[1] {
			all = append(all, auditChange{f[0], old, f[1]})
		}
	}
	for _, f := range b {
		if old, gone := was[f[0]]; gone {
			all = append(all, auditChange{f[0], old, ""})
		}
	}
	return all
}

// fields reads a JSON object of names and plain values in its order.
func fields(text string) (all [][2]string, ok bool) {
	if text == "" {
		return nil, true
	}
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, false
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, false
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, false
		}
		plain := string(value)
		if len(value) > 0 && value[0] == '"' && json.Unmarshal(value, &plain) != nil {
			return nil, false
		}
		all = append(all, [2]string{fmt.Sprint(name), plain})
	}
	_, err := d.Token()
	return all, err == nil
}

// auditTable exports the lines that the filter selects as CSV for a
// spreadsheet.
func (s *Server) auditTable(w http.ResponseWriter, r *http.Request, v *visit) error {
	f, _, _ := s.readAuditFilter(r.URL.Query())
	if err := s.auditExport(r, v, "CSV", r.URL.RawQuery); err != nil {
		return err
	}
	f.Limit = 1000
	lines, err := s.o.AuditBook.FindAudits(r.Context(), f)
	if err != nil {
		return fmt.Errorf("reading audit: %w", err)
	}
	download(w, "text/csv; charset=utf-8", "gatecast-audit-"+string(s.dayOf(v.Now))+".csv")
	_, _ = io.WriteString(w, "\ufeff") // has spreadsheets read UTF-8
	c := csv.NewWriter(w)
	row := func(cells ...string) {
		for i := range cells {
			cells[i] = inert(cells[i])
		}
		_ = c.Write(cells) // Flush says it
	}
	l := v.L
	row(l.T("audits.export.mark", v.User.Login, v.Now.In(s.o.Zone).Format("2006-01-02 15:04:05")))
	row(l.T("audits.col.id"), l.T("audits.col.at"), l.T("audits.col.who"), l.T("audits.col.role"), l.T("audits.col.from"), l.T("audits.col.what"), l.T("audits.col.code"),
		l.T("audits.col.object"), l.T("audits.col.detail"), l.T("audits.col.before"), l.T("audits.col.after"), l.T("audits.col.ok"))
	for len(lines) > 0 {
		for _, a := range lines {
			t := l.auditRow(a, s.o.Zone)
			ok := l.T("yes")
			if a.Failed {
				ok = l.T("no")
			}
			row(t.ID, t.At, t.Who, t.Role, t.From, t.Text, t.Code, t.Object, a.Detail, a.Before, a.After, ok)
		}
		c.Flush()
		f.Below = lines[len(lines)-1].ID
		if lines, err = s.o.AuditBook.FindAudits(r.Context(), f); err != nil || c.Error() != nil {
			s.cutOff("audit table", errors.Join(err, c.Error()))
		}
	}
	c.Flush()
	return nil
}

// inert keeps a spreadsheet from taking a text for a formula.
func inert(s string) string {
	if strings.HasPrefix(s, "'") || s != "" && strings.ContainsRune("=+-@\t\r\n＝＋－＠", []rune(s)[0]) {
		return "'" + s
	}
	return s
}

// auditFile exports the whole audit, signed, in the form that can be verified.
func (s *Server) auditFile(w http.ResponseWriter, r *http.Request, v *visit) error {
	if err := s.auditExport(r, v, "JSONL", ""); err != nil {
		return err
	}
	out := &lazy{w: w, start: func() { download(w, "application/x-ndjson", "gatecast-audit-"+string(s.dayOf(v.Now))+".jsonl") }}
	if err := s.o.AuditBook.ExportAudit(r.Context(), out); err != nil {
		if !out.begun {
			return fmt.Errorf("exporting audit: %w", err)
		}
		s.cutOff("audit file", err)
	}
	return nil
}

// lazy sets the headers of a download with its first byte, so that what goes
// wrong before is an error page.
type lazy struct {
	w     io.Writer
	start func()
	begun bool
}

func (l *lazy) Write(p []byte) (int, error) {
	if !l.begun {
		l.begun = true
		l.start()
	}
	return l.w.Write(p)
}

// cutOff ends the connection, so that the browser does not take half of a file
// for the whole.
func (s *Server) cutOff(what string, err error) {
	if !errors.Is(err, context.Canceled) {
		s.o.Logger.Error("writing export", "what", what, "err", err)
	}
	panic(http.ErrAbortHandler)
}

func download(w http.ResponseWriter, kind, name string) {
	h := w.Header()
	h.Set("Content-Type", kind)
	h.Set("Content-Disposition", "attachment; filename*=UTF-8''"+url.PathEscape(name))
	h.Set("Cache-Control", "no-store")
}

// auditExport tells of an export, before anything is handed out: without the
// line there is none.
func (s *Server) auditExport(r *http.Request, v *visit, form, filter string) error {
	line := byline(r, v, fleet.Audit{What: fleet.AuditExported, Object: form, Detail: filter})
	if err := s.o.Audit.AddAudit(r.Context(), line); err != nil {
		return fmt.Errorf("telling of an export of the audit: %w", err)
	}
	return nil
}

// auditView tells that somebody looks at the audit, once in a session: a line
// for every click would drown what it is kept for.
func (s *Server) auditView(r *http.Request, v *visit) {
	if s.views.first(v.Token, v.Now) {
		s.audit(r, v, fleet.AuditViewed, "", r.URL.RawQuery)
	}
}

const (
	maxViews = 1000           // sessions remembered; more only means more lines
	viewFor  = 12 * time.Hour // as long as a session may last
)

// views are the sessions that looked at the audit.
type views struct {
	mu   sync.Mutex
	seen map[string]time.Time
}

func newViews() *views { return &views{seen: map[string]time.Time{}} }

// first reports whether session had not looked yet.
func (m *views) first(session string, now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if at, ok := m.seen[session]; ok && now.Sub(at) < viewFor {
		return false
	}
	if len(m.seen) >= maxViews {
		clear(m.seen)
	}
	m.seen[session] = now
	return true
}
