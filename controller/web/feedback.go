package web

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"gatecast/controller/feedback"
	"gatecast/controller/fleet"
	"gatecast/controller/sheet"
)

// Feedback says who owes 问题反馈 and until when. Refusals are *fleet.Errors.
type Feedback interface {
	Week(ctx context.Context, w fleet.ISOWeek) ([]fleet.FeedbackStanding, error)
	Marks(ctx context.Context, w fleet.ISOWeek) (map[feedback.ItemKey]fleet.ItemMark, error)
	Open(ctx context.Context) ([]fleet.ISOWeek, error)
	Rules(ctx context.Context) (fleet.FeedbackRules, error)
	SetMode(ctx context.Context, mode fleet.DeadlineMode) error
}

// FeedbackBook keeps what was filed.
type FeedbackBook interface {
	FileFeedback(ctx context.Context, f fleet.Feedback, photos map[int][][]byte) (version int, err error)
	FeedbackVersions(ctx context.Context, unit fleet.UnitID, week fleet.ISOWeek) ([]fleet.Feedback, error) // newest first
	FeedbackWeek(ctx context.Context, week fleet.ISOWeek) (map[fleet.UnitID]fleet.Feedback, error)
	FeedbackPhoto(ctx context.Context, unit fleet.UnitID, week fleet.ISOWeek, id fleet.FeedbackPhotoID) ([]byte, error)
	MarkFeedback(ctx context.Context, m fleet.ItemMark) error
}

func (s *Server) feedbackRoutes(mux *http.ServeMux) {
	s.page(mux, fleet.ActRead, "/feedback", "feedback", s.feedback)
	s.page(mux, fleet.ActRead, "/feedback/sheet", "feedbacksheet", s.feedbackSheet)
	s.may(mux, fleet.ActRead, "GET /feedback/export", s.exportFeedback)
	s.may(mux, fleet.ActRead, "GET /feedback/{week}/{unit}/photos/{photo}", s.feedbackPhoto)
	s.may(mux, fleet.ActRegister, "POST /feedback/{week}/{unit}/{number}", s.markFeedback)
	s.may(mux, fleet.ActRegister, "POST /feedback/mode", s.setFeedbackMode)
	s.page(mux, fleet.ActOwn, "/my/feedback", "myfeedback", s.myFeedback)
	s.may(mux, fleet.ActOwn, "POST /my/feedback", s.fileMine)
	s.may(mux, fleet.ActOwn, "GET /my/feedback/{week}/photos/{photo}", s.myFeedbackPhoto)
}

// feedbackView is the list of a Monday, with the problems below it.
type feedbackView struct {
	Week    weekNav
	Due     string
	Counts  []countOf
	Rows    []feedbackRow
	Items   []feedbackItem
	Missing []feedbackCall // whom to call up, while the week runs and after it
	Copy    string         // the reminder to paste into a chat
	May     bool
	Modes   []option
	States  []option
}

type countOf struct {
	Text  string
	Count int
}

type feedbackRow struct {
	Unit     string
	State    deviceState
	Filed    string
	Versions int
	Items    string
	Overdue  string // in minutes; empty when on time
}

// feedbackItem is one problem.
type feedbackItem struct {
	Unit   string
	Number int
	Text   string
	Photos []string // paths
	State  deviceState
	Note   string // what the office said, who and when
	Path   string // where it is decided about
	States []option
}

// feedbackCall is somebody to be reminded by telephone.
type feedbackCall struct{ Unit, Person, Phone string }

var feedbackTones = map[fleet.FeedbackState]deviceState{
	fleet.FeedbackFiled: {Tone: "ok", Icon: "i-check"}, fleet.FeedbackNil: {Tone: "ok", Icon: "i-check"}, fleet.FeedbackLate: {Tone: "warn", Icon: "i-clock"},
	fleet.FeedbackMissing: {Tone: "bad", Icon: "i-cross"}, fleet.FeedbackOpen: {Tone: "", Icon: "i-clock"},
}

var itemTones = map[fleet.ItemState]deviceState{
	fleet.ItemOpen: {Tone: "warn", Icon: "i-clock"}, fleet.ItemClosed: {Tone: "ok", Icon: "i-check"}, fleet.ItemPassed: {Tone: "ok", Icon: "i-check"},
}

func (l *lang) feedbackRow(r fleet.FeedbackStanding, v *visit) feedbackRow {
	row := feedbackRow{Unit: r.Unit.Name, State: feedbackTones[r.State], Versions: r.Versions}
	row.State.Text = l.T("feedback.state." + string(r.State))
	if r.Versions > 0 {
		row.Filed = l.Stamp(r.First, v.Now)
		row.Items = l.T("feedback.items", r.Items, r.Pending)
		if r.Nil {
			row.Items = l.T("feedback.state.nil")
		}
	}
	if r.Overdue > 0 {
		row.Overdue = l.T("feedback.overdue", r.OverdueMinutes())
	}
	return row
}

// readFeedback reads a week for the page, the print and the export.
func (s *Server) readFeedback(ctx context.Context, v *visit, r *http.Request) (*feedbackView, []fleet.FeedbackStanding, error) {
	w, nav := s.weekOf(r, v)
	all, err := s.o.Feedback.Week(ctx, w)
	if err != nil {
		return nil, nil, err
	}
	rules, err := s.o.Feedback.Rules(ctx)
	if err != nil {
		return nil, nil, err
	}
	l := v.L
	view := &feedbackView{Week: nav, Due: l.Stamp(rules.Mode(w).Due(w, l.zone), v.Now), May: fleet.May(v.User.Role, fleet.ActRegister)}
	if len(all) > 0 {
		view.Due = l.Stamp(all[0].Due, v.Now)
	}
	counts := fleet.FeedbackCounts(all)
	for _, state := range fleet.FeedbackStates {
		view.Counts = append(view.Counts, countOf{l.T("feedback.state." + string(state)), counts[state]})
	}
	for _, m := range fleet.DeadlineModes {
		view.Modes = append(view.Modes, option{Value: string(m), Text: l.T("feedback.mode." + string(m)), On: m == rules.Mode(fleet.WeekAt(v.Now, l.zone))})
	}
	for _, r := range all {
		view.Rows = append(view.Rows, l.feedbackRow(r, v))
	}
	return view, all, s.readItems(ctx, v, w, view)
}

// readItems adds the problems of a week.
func (s *Server) readItems(ctx context.Context, v *visit, w fleet.ISOWeek, view *feedbackView) error {
	units, err := s.o.Registry.Units(ctx)
	if err != nil {
		return fmt.Errorf("reading units: %w", err)
	}
	filed, err := s.o.FeedbackBook.FeedbackWeek(ctx, w)
	if err != nil {
		return err
	}
	marks, err := s.o.Feedback.Marks(ctx, w)
	if err != nil {
		return err
	}
	for _, u := range units {
		for _, it := range filed[u.ID].Items {
			path := fmt.Sprintf("/feedback/%s/%d", w, u.ID)
			view.Items = append(view.Items, v.L.feedbackItem(u, it, marks[feedback.ItemKey{Unit: u.ID, Number: it.Number}], path, v))
		}
	}
	return nil
}

func (l *lang) feedbackItem(u fleet.Unit, it fleet.FeedbackItem, m fleet.ItemMark, path string, v *visit) feedbackItem {
	if m.State == "" {
		m.State = fleet.ItemOpen
	}
	row := feedbackItem{Unit: u.Name, Number: it.Number, Text: it.Text, State: itemTones[m.State], Path: fmt.Sprintf("%s/%d", path, it.Number)}
	row.State.Text = l.T("feedback.item." + string(m.State))
	for _, id := range it.Photos {
		row.Photos = append(row.Photos, fmt.Sprintf("%s/photos/%d", path, id))
	}
	if m.By != "" {
		row.Note = strings.TrimSpace(m.Note + " " + l.T("feedback.marked", m.Name, l.Stamp(m.At, v.Now)))
	}
	for _, state := range fleet.ItemStates {
		row.States = append(row.States, option{Value: string(state), Text: l.T("feedback.item." + string(state)), On: state == m.State})
	}
	return row
}

func (s *Server) feedback(ctx context.Context, v *visit, r *http.Request) (frame, error) {
	f, err := s.frame(ctx, v, r, "feedback.title", "weekly")
	if err != nil {
		return f, err
	}
	view, all, err := s.readFeedback(ctx, v, r)
	if err != nil {
		return f, err
	}
	people, err := s.o.Registry.Liaisons(ctx)
	if err != nil {
		return f, fmt.Errorf("reading liaisons: %w", err)
	}
	var names []string
	for _, st := range all {
		if st.Versions > 0 {
			continue
		}
		names = append(names, st.Unit.Name)
		call := feedbackCall{Unit: st.Unit.Name}
		for _, p := range people {
			if p.Unit == st.Unit.ID && p.CurrentAt(v.Now) {
				call.Person, call.Phone = p.Name, p.Phone.String()
				break
			}
		}
		view.Missing = append(view.Missing, call)
	}
	if len(names) > 0 {
		view.Copy = v.L.T("feedback.copy", view.Week.Name, view.Due, strings.Join(names, v.L.T("comma")))
	}
	f.V = view
	return f, nil
}

// feedbackSheet is 《问题反馈汇总表》 on paper.
func (s *Server) feedbackSheet(ctx context.Context, v *visit, r *http.Request) (frame, error) {
	f, err := s.frame(ctx, v, r, "feedback.sheet", "weekly")
	if err != nil {
		return f, err
	}
	view, _, err := s.readFeedback(ctx, v, r)
	f.V = view
	return f, err
}

func (s *Server) exportFeedback(w http.ResponseWriter, r *http.Request, v *visit) error {
	view, _, err := s.readFeedback(r.Context(), v, r)
	if err != nil {
		return err
	}
	l := v.L
	above := []string{l.T("feedback.sheet"), view.Week.Name + " " + l.T("feedback.due", view.Due)}
	list := sheet.Page{Name: l.T("feedback.list"), Above: above, Columns: columns(l.T("points.col.unit"), l.T("mute.state"), l.T("feedback.col.filed"), l.T("feedback.col.late"), l.T("feedback.col.items"), l.T("feedback.col.versions"))}
	for _, row := range view.Rows {
		list.Rows = append(list.Rows, []string{row.Unit, row.State.Text, row.Filed, row.Overdue, row.Items, strconv.Itoa(row.Versions)})
	}
	items := sheet.Page{Name: l.T("feedback.problems"), Above: above, Columns: columns(l.T("points.col.unit"), l.T("feedback.col.number"), l.T("feedback.col.text"), l.T("mute.state"), l.T("feedback.col.note"))}
	for _, it := range view.Items {
		items.Rows = append(items.Rows, []string{it.Unit, strconv.Itoa(it.Number), it.Text, it.State.Text, it.Note})
	}
	pages := []sheet.Page{list, items}
	format := tableFormat(r)
	if format == "csv" {
		pages = pages[1:]
	}
	s.audit(r, v, fleet.AuditExport, l.T("feedback.sheet")+" "+view.Week.Week, format)
	return s.handOut(w, r, v, l.T("feedback.sheet"), pages, l.T("feedback.sheet")+"-"+view.Week.Week, format)
}

// unitName names a unit for the audit, by its number where it is not known.
func (s *Server) unitName(ctx context.Context, id fleet.UnitID) string {
	units, err := s.o.Registry.Units(ctx)
	if err == nil {
		for _, u := range units {
			if u.ID == id {
				return u.Name
			}
		}
	}
	return strconv.FormatInt(int64(id), 10)
}

var errNoFeedback = &fleet.Error{Code: fleet.NotFound, Text: "没有这条反馈。", TextEN: "There is no such feedback."}

// pathWeek reads the week and unit of a path.
func pathWeek(r *http.Request) (fleet.ISOWeek, fleet.UnitID, error) {
	w, ok := fleet.ParseWeek(r.PathValue("week"))
	unit, err := strconv.ParseInt(r.PathValue("unit"), 10, 64)
	if !ok || err != nil || unit < 1 {
		return w, 0, errNoFeedback
	}
	return w, fleet.UnitID(unit), nil
}

func (s *Server) markFeedback(w http.ResponseWriter, r *http.Request, v *visit) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	week, unit, err := pathWeek(r)
	if err != nil {
		return err
	}
	number, _ := strconv.Atoi(r.PathValue("number")) // 0 does not exist
	m := fleet.ItemMark{
		Unit: unit, Week: week, Number: number, State: fleet.ItemState(r.FormValue("state")), Note: strings.TrimSpace(r.FormValue("note")),
		At: v.Now, By: v.User.Login, Name: v.User.Name,
	}
	ctx, line := s.withAudit(r, v, fleet.Audit{
		What: fleet.AuditFeedbackMark, Object: s.unitName(r.Context(), unit), Detail: fmt.Sprintf("%s #%d", week, number),
		After: fleet.Fields("state", string(m.State), "note", m.Note),
	})
	if err := s.o.FeedbackBook.MarkFeedback(ctx, m); err != nil {
		return err
	}
	s.audited(r, line)
	return redirect(w, r, "/feedback?week="+week.String()+"&done=feedback_mark")
}

func (s *Server) setFeedbackMode(w http.ResponseWriter, r *http.Request, v *visit) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	mode := r.FormValue("mode")
	ctx, line := s.withAudit(r, v, fleet.Audit{What: fleet.AuditFeedbackMode, After: fleet.Fields("mode", mode)})
	if err := s.o.Feedback.SetMode(ctx, fleet.DeadlineMode(mode)); err != nil {
		return err
	}
	s.audited(r, line)
	return redirect(w, r, "/feedback?done=feedback_mode")
}

func (s *Server) feedbackPhoto(w http.ResponseWriter, r *http.Request, _ *visit) error {
	week, unit, err := pathWeek(r)
	if err != nil {
		return err
	}
	return s.sendFeedbackPhoto(w, r, unit, week)
}

func (s *Server) sendFeedbackPhoto(w http.ResponseWriter, r *http.Request, unit fleet.UnitID, week fleet.ISOWeek) error {
	id, err := strconv.ParseInt(r.PathValue("photo"), 10, 64)
	if err != nil {
		return errNoFeedback
	}
	jpeg, err := s.o.FeedbackBook.FeedbackPhoto(r.Context(), unit, week, fleet.FeedbackPhotoID(id))
	if err != nil {
		return err
	}
	return sendPicture(w, jpeg)
}
