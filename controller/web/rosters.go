package web

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"gatecast/controller/fleet"
	"gatecast/controller/roster"
	"gatecast/controller/sheet"
)

// RosterDesk takes rosters in and gives them out. Refusals are *fleet.Errors.
type RosterDesk interface {
	Check(ctx context.Context, raw []byte, kind roster.Kind) (*roster.Check, error)
	// Carry does what was checked; it returns another Check instead when the
	// registry has changed since.
	Carry(ctx context.Context, c *roster.Check, partial bool, by fleet.Audit, today fleet.Day) (roster.Done, *roster.Check, error)
	Export(ctx context.Context, g roster.Give) ([]sheet.Page, error)
	Template(ctx context.Context, g roster.Give) ([]sheet.Page, error)
	MaxFile() int // bytes of a file
}

// rosterRoutes are the import and export of rosters.
func (s *Server) rosterRoutes(mux *http.ServeMux) {
	s.page(mux, fleet.ActRegister, "/rosters", "rosters", s.rosters)
	s.may(mux, fleet.ActRegister, "POST /rosters", s.checkRoster)
	s.may(mux, fleet.ActRegister, "GET /rosters/template", s.rosterTemplate)
	s.page(mux, fleet.ActRegister, "/rosters/checks/{id}", "rostercheck", s.rosterCheck)
	s.may(mux, fleet.ActRegister, "GET /rosters/checks/{id}/marked", s.markedRoster)
	s.may(mux, fleet.ActRegister, "POST /rosters/checks/{id}", s.carryRoster)
	s.may(mux, fleet.ActRead, "GET /rosters/export", s.exportRoster)
	s.may(mux, fleet.ActReveal, "POST /rosters/export", s.exportWhole)
}

// rostersView is the page of import, templates and exports.
type rostersView struct {
	Kinds    []option // for the import; the first is to tell by the file
	Rosters  []rosterRow
	MaxMB    int
	Done     *rosterDone
	Error    string // of the import
	Reason   string
	WholeErr string // of the export of whole numbers
}

type rosterRow struct {
	Name, Columns           string
	Template, Workbook, CSV string // links
	Key                     string
}

// rosterDone is what an import came to.
type rosterDone struct{ Added, Changed, Same, Left int }

func (s *Server) rosters(ctx context.Context, v *visit, r *http.Request) (frame, error) {
	f, err := s.frame(ctx, v, r, "rosters.title", "register")
	if err != nil {
		return f, err
	}
	view := s.rostersView(v, "")
	if done, ok := s.checks.done(r.URL.Query().Get("done"), v.User.ID, v.Now); ok {
		view.Done = &rosterDone{done.Added, done.Changed, done.Same, done.Left}
	}
	f.V = view
	return f, nil
}

func (s *Server) rostersView(v *visit, kind roster.Kind) *rostersView {
	view := &rostersView{MaxMB: s.o.RosterDesk.MaxFile() >> 20, Kinds: []option{{Text: v.L.T("rosters.tell"), On: kind == ""}}}
	for _, k := range roster.Kinds {
		ros, _ := k.Roster()
		view.Kinds = append(view.Kinds, option{Value: string(k), Text: v.L.either(ros.ZH, ros.EN), On: k == kind})
		row := rosterRow{Key: string(k), Name: v.L.either(ros.ZH, ros.EN)}
		var heads []string
		for _, c := range ros.Columns {
			heads = append(heads, v.L.either(c.ZH, c.EN))
		}
		row.Columns = strings.Join(heads, v.L.T("comma"))
		q := "?kind=" + string(k)
		row.Template, row.Workbook, row.CSV = "/rosters/template"+q, "/rosters/export"+q, "/rosters/export"+q+"&as=csv"
		view.Rosters = append(view.Rosters, row)
	}
	return view
}

// either returns the text of the reader's language.
func (l *lang) either(zh, en string) string {
	if l.code == "zh" {
		return zh
	}
	return en
}

// rosterUpload reads the form of an import into memory, at most one file.
func (s *Server) rosterUpload(w http.ResponseWriter, r *http.Request) (kind roster.Kind, name string, raw []byte, err error) {
	limit := s.o.RosterDesk.MaxFile()
	r.Body = http.MaxBytesReader(w, r.Body, int64(limit)+maxForm)
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(rosterTime)) // not every writer has deadlines
	parts, err := r.MultipartReader()
	if err != nil {
		return "", "", nil, &fleet.Error{Code: fleet.Invalid, Text: "没有收到文件，请重新选择。", TextEN: "No file arrived. Choose it again.", Err: err}
	}
	for {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return kind, name, nil, tooLarge(err, limit)
		}
		data, err := io.ReadAll(io.LimitReader(part, int64(limit)+1))
		if err != nil {
			return kind, name, nil, tooLarge(err, limit)
		}
		switch {
		case part.FormName() == "kind":
			if _, ok := roster.Kind(data).Roster(); ok {
				kind = roster.Kind(data)
			}
		case part.FormName() == "file" && part.FileName() != "":
			name, raw = baseName(part.FileName()), data
		}
	}
	if name == "" {
		return kind, name, nil, &fleet.Error{Code: fleet.Invalid, Text: "请选择要导入的文件。", TextEN: "Choose the file to import."}
	}
	return kind, name, raw, nil
}

// rosterTime is how long an upload of a roster may take.
const rosterTime = 3 * time.Minute

func tooLarge(err error, limit int) error {
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return &fleet.Error{
			Code: fleet.Invalid, Text: fmt.Sprintf("文件超过 %d MB。请删去图片和无关的工作表，或分成几个文件。", limit>>20),
			TextEN: fmt.Sprintf("The file has more than %d MB. Remove pictures and other sheets, or split it.", limit>>20),
		}
	}
	return &fleet.Error{Code: fleet.Invalid, Text: "文件没有传完，请重新上传。", TextEN: "The file did not arrive whole. Upload it again.", Err: err}
}

// checkRoster reads a file and shows what it would do; nothing changes.
func (s *Server) checkRoster(w http.ResponseWriter, r *http.Request, v *visit) error {
	kind, name, raw, err := s.rosterUpload(w, r)
	if err == nil {
		var c *roster.Check
		if err = s.checks.enter(r.Context()); err != nil {
			return err
		}
		c, err = s.o.RosterDesk.Check(r.Context(), raw, kind)
		s.checks.leave()
		if err == nil {
			return redirect(w, r, "/rosters/checks/"+s.checks.put(c, name, v.User.ID, v.Now))
		}
	}
	why, ok := refusalOf(v.L, err)
	if !ok {
		return fmt.Errorf("checking roster %q: %w", name, err)
	}
	f, err := s.frame(r.Context(), v, r, "rosters.title", "register")
	if err != nil {
		return err
	}
	view := s.rostersView(v, kind)
	if view.Error = why; name != "" {
		view.Error = v.L.T("rosters.refused", name, why)
	}
	f.V = view
	return s.show(w, http.StatusUnprocessableEntity, "rosters", f)
}

// carryRoster does what the page before showed.
func (s *Server) carryRoster(w http.ResponseWriter, r *http.Request, v *visit) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	id := r.PathValue("id")
	kept, ok := s.checks.get(id, v.User.ID, v.Now)
	if !ok {
		return checkGone()
	}
	if err := s.checks.enter(r.Context()); err != nil {
		return err
	}
	defer s.checks.leave()
	by := byline(r, v, fleet.Audit{What: fleet.AuditRoster, Detail: kept.name})
	done, fresh, err := s.o.RosterDesk.Carry(r.Context(), kept.check, r.FormValue("partial") == "1", by, s.dayOf(v.Now))
	if err != nil {
		return fmt.Errorf("importing roster %q: %w", kept.name, err)
	}
	if fresh != nil {
		return redirect(w, r, "/rosters/checks/"+s.checks.put(fresh, kept.name, v.User.ID, v.Now)+"?again=1")
	}
	s.o.Logger.Info("roster imported", "by", v.User.Login, "added", done.Added, "changed", done.Changed, "left", done.Left)
	s.checks.finish(id, done)
	return redirect(w, r, "/rosters?done="+id)
}

// checkGone is the answer for a check that is kept no more.
func checkGone() error {
	return &fleet.Error{Code: fleet.NotFound, Text: "这次检查的结果已经过期，请重新上传文件。", TextEN: "The result of this check is kept no more. Upload the file again."}
}

// markedRoster gives the file back with the wrong cells marked.
func (s *Server) markedRoster(w http.ResponseWriter, r *http.Request, v *visit) error {
	kept, ok := s.checks.get(r.PathValue("id"), v.User.ID, v.Now)
	if !ok {
		return checkGone()
	}
	base := strings.TrimSuffix(strings.TrimSuffix(kept.name, ".xlsx"), ".csv")
	out := &lazy{w: w, start: func() { download(w, xlsxType, base+"-"+v.L.T("rosters.marked")+".xlsx") }}
	if err := kept.check.Return(out, v.L.code != "zh"); err != nil {
		return s.halfSent(out, fmt.Errorf("marking roster %q: %w", kept.name, err))
	}
	return nil
}

const xlsxType = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

func (s *Server) rosterTemplate(w http.ResponseWriter, r *http.Request, v *visit) error {
	g, name, err := s.readGive(v, r.URL.Query())
	if err != nil {
		return err
	}
	pages, err := s.o.RosterDesk.Template(r.Context(), g)
	if err != nil {
		return fmt.Errorf("making a template: %w", err)
	}
	return s.sendPages(w, pages, name+"-"+v.L.T("rosters.template"), "")
}

// readGive reads which rosters are asked for, and what their file is called.
func (s *Server) readGive(v *visit, q url.Values) (roster.Give, string, error) {
	g := roster.Give{English: v.L.code != "zh"}
	kind := roster.Kind(q.Get("kind"))
	if kind == "" {
		return g, v.L.T("rosters.all"), nil
	}
	ros, ok := kind.Roster()
	if !ok {
		return g, "", errNoPage
	}
	g.Kinds = []roster.Kind{kind}
	return g, v.L.either(ros.ZH, ros.EN), nil
}

// exportRoster gives rosters out with masked telephone numbers.
func (s *Server) exportRoster(w http.ResponseWriter, r *http.Request, v *visit) error {
	q := r.URL.Query()
	g, name, err := s.readGive(v, q)
	if err != nil {
		return err
	}
	if err := s.o.Audit.AddAudit(r.Context(), byline(r, v, fleet.Audit{What: fleet.AuditRosterExport, Object: name})); err != nil {
		return fmt.Errorf("telling of an export: %w", err)
	}
	pages, err := s.o.RosterDesk.Export(r.Context(), g)
	if err != nil {
		return fmt.Errorf("exporting a roster: %w", err)
	}
	return s.handOut(w, r, v, v.L.T("rosters.title"), pages, name+"-"+string(s.dayOf(v.Now)), q.Get("as"))
}

// exportWhole gives rosters out with whole telephone numbers, for a reason. The
// line of the audit comes first, and the file says who took it out and when.
func (s *Server) exportWhole(w http.ResponseWriter, r *http.Request, v *visit) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		return &fleet.Error{Code: fleet.Invalid, Text: v.L.T("upload.no_form"), TextEN: v.L.T("upload.no_form"), Err: err}
	}
	g, name, err := s.readGive(v, r.PostForm)
	if err != nil {
		return err
	}
	reason := sheet.Text(r.PostForm.Get("reason"))
	if utf8.RuneCountInString(reason) < leastReason {
		f, err := s.frame(r.Context(), v, r, "rosters.title", "register")
		if err != nil {
			return err
		}
		view := s.rostersView(v, "")
		view.Reason, view.WholeErr = reason, v.L.T("reveal.reason.short", leastReason)
		f.V = view
		return s.show(w, http.StatusUnprocessableEntity, "rosters", f)
	}
	if err := s.o.Audit.AddAudit(r.Context(), byline(r, v, fleet.Audit{What: fleet.AuditRosterWhole, Object: name, Detail: reason})); err != nil {
		return fmt.Errorf("telling of an export: %w", err)
	}
	g.Full = true
	g.Above = []string{v.L.T("rosters.watermark", v.User.Name, v.User.Login, v.Now.In(s.o.Zone).Format("2006-01-02 15:04:05"), reason)}
	pages, err := s.o.RosterDesk.Export(r.Context(), g)
	if err != nil {
		return fmt.Errorf("exporting a roster: %w", err)
	}
	return s.handOut(w, r, v, v.L.T("rosters.title"), pages, name+"-"+string(s.dayOf(v.Now)), "")
}

// sendPages sends a workbook, or the only page as CSV.
func (s *Server) sendPages(w http.ResponseWriter, pages []sheet.Page, name, as string) error {
	if as == "csv" && len(pages) == 1 {
		out := &lazy{w: w, start: func() { download(w, "text/csv; charset=utf-8", name+".csv") }}
		return s.halfSent(out, sheet.WriteCSV(out, pages[0]))
	}
	out := &lazy{w: w, start: func() { download(w, xlsxType, name+".xlsx") }}
	return s.halfSent(out, sheet.WriteXLSX(out, pages...))
}

// halfSent returns err, but ends the connection when part of the file is gone.
func (s *Server) halfSent(out *lazy, err error) error {
	if err != nil && out.begun {
		s.cutOff("roster", err)
	}
	return err
}

// shownLines bounds each list of the page of a check; the file has the rest.
const shownLines = 200

// rosterCheckView is what a file would do.
type rosterCheckView struct {
	File                        string
	Tables                      []rosterTable
	Added, Changed, Same, Wrong int
	Errors, Notes               []rosterProblem
	MoreErrors, MoreNotes       int
	Lines                       []rosterLine
	MoreLines                   int
	Here                        string
	Again                       bool // the registry changed since the first look
	Does                        bool
}

type rosterTable struct {
	Name, Roster, Unknown string
	Rows                  int
}

type rosterProblem struct{ At, Text string }

type rosterLine struct {
	At, What, Did, Tone string
	Changes             []rosterChange
}

type rosterChange struct{ Name, Before, After string }

func (s *Server) rosterCheck(ctx context.Context, v *visit, r *http.Request) (frame, error) {
	f, err := s.frame(ctx, v, r, "rostercheck.title", "register")
	if err != nil {
		return f, err
	}
	kept, ok := s.checks.get(r.PathValue("id"), v.User.ID, v.Now)
	if !ok {
		return f, checkGone()
	}
	f.V = v.L.checkView(kept, "/rosters/checks/"+r.PathValue("id"), r.URL.Query().Get("again") == "1")
	return f, nil
}

func (l *lang) checkView(kept keptCheck, here string, again bool) *rosterCheckView {
	c := kept.check
	view := &rosterCheckView{
		File: kept.name, Here: here, Again: again, Does: c.Does(),
		Added: c.Count(fleet.DidAdd), Changed: c.Count(fleet.DidChange), Same: c.Count(fleet.DidNothing), Wrong: c.Count(fleet.DidRefuse),
	}
	for _, t := range c.Tables {
		row := rosterTable{Name: t.Sheet, Rows: t.Rows, Roster: l.T("rostercheck.left"), Unknown: strings.Join(t.Unknown, l.T("comma"))}
		if ros, ok := t.Kind.Roster(); ok {
			row.Roster = l.either(ros.ZH, ros.EN)
		}
		if row.Name == "" {
			row.Name = kept.name
		}
		view.Tables = append(view.Tables, row)
	}
	at := func(name string, row, column int) string {
		cell := l.T("rostercheck.row", row)
		if column >= 0 {
			cell = sheet.Address(column, row)
		}
		return strings.TrimSpace(name + " " + cell)
	}
	for _, p := range c.Problems {
		list, more := &view.Errors, &view.MoreErrors
		if p.Warning {
			list, more = &view.Notes, &view.MoreNotes
		}
		if len(*list) == shownLines {
			*more++
			continue
		}
		*list = append(*list, rosterProblem{at(p.Sheet, p.Row, p.Column), l.either(p.Text, p.TextEN)})
	}
	for _, one := range c.Lines {
		if one.Did != fleet.DidAdd && one.Did != fleet.DidChange {
			continue
		}
		if len(view.Lines) == shownLines {
			view.MoreLines++
			continue
		}
		line := rosterLine{At: at(one.Sheet, one.Row, -1), What: one.Label, Did: l.T("rostercheck.did." + string(one.Did)), Tone: "info"}
		if one.Did == fleet.DidAdd {
			line.Tone = "ok"
		}
		for _, d := range one.Changes {
			line.Changes = append(line.Changes, rosterChange{l.either(d.Column.ZH, d.Column.EN), d.Before, d.After})
		}
		view.Lines = append(view.Lines, line)
	}
	slices.SortStableFunc(view.Lines, func(a, b rosterLine) int { return strings.Compare(b.Tone, a.Tone) })
	return view
}
