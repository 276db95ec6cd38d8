package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"gatecast/controller/fleet"
	"gatecast/schedules"
)

// editorRoutes are the form of a programme. It posts to one address; the button
// says what is to be done. Field names are those of schedules.Fields behind
// "p.".
func (s *Server) editorRoutes(mux *http.ServeMux) {
	s.page(mux, fleet.ActActivate, "/programmes/new", "editor", s.newProgramme)
	s.page(mux, fleet.ActActivate, "/programmes/{id}/edit", "editor", s.editProgramme)
	s.page(mux, fleet.ActActivate, "/drafts/{draft}", "editor", s.openDraft)
	s.may(mux, fleet.ActActivate, "POST /programmes/edit", s.saveProgramme)
	s.page(mux, fleet.ActRead, "/programmes/{id}/diff", "programmediff", s.programmeDiff)
}

// Drafts keeps what somebody left half written. Each belongs to its owner.
type Drafts interface {
	FormDrafts(ctx context.Context, owner string) ([]fleet.FormDraft, error) // latest first
	SaveFormDraft(ctx context.Context, d fleet.FormDraft) (int64, error)
	DropFormDraft(ctx context.Context, owner string, id int64) error
}

// editorView is the form with what is wrong with it.
type editorView struct {
	fields url.Values          // of schedules.Fields, with lists as they were typed
	errors map[string][]string // by name of field
	lang   *lang

	Base     string // text of the version it began with, for its comments
	Draft    string // id of the draft it came from, empty for none
	From     string // page of that version, empty for a new programme
	Error    string
	Rest     []problemRow // problems that belong to no field
	Hidden   []hiddenField
	Units    []option // code and name
	Tags     []string
	Clips    []option
	Effect   *effectView
	YAML     string // the form as YAML, when that was asked for
	Savable  bool
	DayTypes []option
	KindList []option
}

// hiddenField is one that the form carries along without showing it.
type hiddenField struct{ Name, Value string }

// editorField is a plain field of the form.
type editorField struct{ Name, Label, Hint string }

// The fields of the programme itself and of a dated rule.
var (
	editorBasics = []editorField{
		{"name", "pf.name", ""}, {"id", "pf.id", "daily"}, {"zone", "pf.zone", "Asia/Shanghai"}, {"from", "pf.from", "2026-01-01"}, {"to", "pf.to", "2026-12-31"}, {"daily_budget", "pf.daily_budget", "30m"},
	}
	editorRule = []editorField{
		{"name", "pf.name", ""}, {"id", "pf.id", "exam"}, {"from", "pf.from", "2026-06-07"}, {"to", "pf.to", "2026-06-09"}, {"times", "pf.times", "12:00-14:30, 21:30-07:00"}, {"gain_db", "pf.gain_db", "0"}, {"document", "pf.document", ""},
	}
)

// group is a part of the form whose fields begin alike.
type group struct {
	Prefix string // without the dot at the end; empty for the programme itself
	Number int    // from 1
	v      *editorView
}

// Top is the programme itself.
func (v *editorView) Top() group { return group{v: v} }

// At is the part of the form below path.
func (g group) At(path string) group { return group{Prefix: g.Key(path), v: g.v} }

// Key is the path of one of g's fields, Name its name in the form.
func (g group) Key(field string) string {
	if g.Prefix == "" {
		return field
	}
	return g.Prefix + "." + field
}

// Name is the name of one of g's fields in the form.
func (g group) Name(field string) string { return "p." + g.Key(field) }

// ID is the id of one of g's fields on the page.
func (g group) ID(field string) string { return "f-" + strings.ReplaceAll(g.Key(field), ".", "-") }

// Val is the value of a field, a list as one reads it.
func (g group) Val(field string) string { return g.v.fields.Get(g.Key(field)) }

// Has reports whether a choice is ticked.
func (g group) Has(field, value string) bool {
	return slices.Contains(splitList(g.Val(field)), value)
}

// Filled reports whether any field below g has a value.
func (g group) Filled() bool {
	for name, values := range g.v.fields {
		if strings.HasPrefix(name, g.Prefix+".") && len(values) > 0 && values[0] != "" {
			return true
		}
	}
	return false
}

// Err is what is wrong with a field; with "" what is wrong with g as a whole.
func (g group) Err(field string) string {
	key := g.Prefix
	if field != "" {
		key = g.Key(field)
	}
	return strings.Join(g.v.errors[key], " ")
}

// Wrong reports whether anything in g is.
func (g group) Wrong() bool {
	for name := range g.v.errors {
		if name == g.Prefix || strings.HasPrefix(name, g.Prefix+".") {
			return true
		}
	}
	return false
}

// Rows are the entries of a list of groups.
func (g group) Rows(list string) []group {
	at := g.Key(list)
	rows := make([]group, rowCount(g.v.fields, at))
	for i := range rows {
		rows[i] = group{Prefix: at + "." + strconv.Itoa(i), Number: i + 1, v: g.v}
	}
	return rows
}

// Count is the name of the field that says how many entries a list has.
func (g group) Count(list string) hiddenField {
	at := g.Key(list)
	return hiddenField{"n." + at, strconv.Itoa(rowCount(g.v.fields, at))}
}

// DayTypes and Kinds are choices of g's fields.
func (g group) DayTypes() []option { return g.v.DayTypes }

// Kinds are the kinds of points.
func (g group) Kinds() []option { return g.v.KindList }

// maxRows is how many entries a list of the form has at most.
const maxRows = 60

// rowCount is how many entries a list has: what the form said, or as many as
// have fields.
func rowCount(fields url.Values, list string) int {
	n := 0
	if said, err := strconv.Atoi(fields.Get("#" + list)); err == nil {
		n = said
	}
	for name := range fields {
		rest, ok := strings.CutPrefix(name, list+".")
		if !ok {
			continue
		}
		first, _, _ := strings.Cut(rest, ".")
		if i, err := strconv.Atoi(first); err == nil {
			n = max(n, i+1)
		}
	}
	return min(max(n, 0), maxRows)
}

// listField reports whether a field holds a list of values.
func listField(name string) bool {
	last := name[strings.LastIndexByte(name, '.')+1:]
	return slices.Contains([]string{"units", "groups", "tags", "kinds", "points", "off_for", "times", "days", "playlist"}, last)
}

// joinList writes values as a person reads them; a value that holds a separator
// stands in quotes.
func joinList(values []string) string {
	out := make([]string, len(values))
	for i, v := range values {
		if strings.ContainsAny(v, ",，、;； \n\t\"") {
			v = `"` + strings.ReplaceAll(v, `"`, `""`) + `"`
		}
		out[i] = v
	}
	return strings.Join(out, ", ")
}

// splitList reads what joinList wrote, and what people write.
func splitList(text string) []string {
	var out []string
	var b strings.Builder
	quoted, was := false, false
	flush := func() {
		if b.Len() > 0 || was {
			out = append(out, b.String())
		}
		b.Reset()
		was = false
	}
	runes := []rune(text)
	for i := 0; i < len(runes); i++ {
		switch r := runes[i]; {
		case r == '"' && quoted && i+1 < len(runes) && runes[i+1] == '"':
			b.WriteRune('"')
			i++
		case r == '"':
			quoted, was = !quoted, true
		case !quoted && strings.ContainsRune(",，、;； \n\t", r):
			flush()
		default:
			b.WriteRune(r)
		}
	}
	flush()
	return out
}

// shownFields are the fields of a programme as the form shows them.
func shownFields(p *schedules.Programme) (url.Values, error) {
	fields, err := schedules.Fields(p)
	if err != nil {
		return nil, err
	}
	shown := url.Values{}
	for name, values := range fields {
		if listField(name) {
			shown.Set(name, joinList(values))
		} else {
			shown.Set(name, values[0])
		}
	}
	return shown, nil
}

// typedFields are the fields that a form was sent with, as the form shows them.
func typedFields(form url.Values) url.Values {
	fields := url.Values{}
	for name, values := range form {
		switch key, ok := strings.CutPrefix(name, "p."); {
		case ok && listField(key) && len(values) > 1: // ticked choices
			fields.Set(key, joinList(values))
		case ok:
			fields.Set(key, strings.TrimSpace(strings.ReplaceAll(values[0], "\r\n", "\n")))
		}
		if list, ok := strings.CutPrefix(name, "n."); ok {
			fields.Set("#"+list, values[0])
		}
	}
	return fields
}

// readFields reads a programme from fields as the form shows them.
func readFields(shown url.Values) (*schedules.Programme, error) {
	fields := map[string][]string{}
	for name, values := range shown {
		switch {
		case strings.HasPrefix(name, "#"):
		case listField(name):
			fields[name] = splitList(values[0])
		default:
			fields[name] = values
		}
	}
	return schedules.ParseFields(fields)
}

// addRow appends an entry to a list; dropRow takes one out, and those behind it
// move up.
func addRow(fields url.Values, list string) {
	fields.Set("#"+list, strconv.Itoa(min(rowCount(fields, list)+1, maxRows)))
}

func dropRow(fields url.Values, row string) {
	dot := strings.LastIndexByte(row, '.')
	if dot < 0 {
		return
	}
	list := row[:dot]
	at, err := strconv.Atoi(row[dot+1:])
	n := rowCount(fields, list)
	if err != nil || at < 0 || at >= n {
		return
	}
	moved := url.Values{}
	for name, values := range fields {
		bare, mark := strings.CutPrefix(name, "#")
		rest, ok := strings.CutPrefix(bare, list+".")
		if !ok {
			moved[name] = values
			continue
		}
		first, tail, _ := strings.Cut(rest, ".")
		i, err := strconv.Atoi(first)
		switch {
		case err != nil || i < at:
			moved[name] = values
		case i > at:
			to := list + "." + strconv.Itoa(i-1)
			if tail != "" {
				to += "." + tail
			}
			if mark {
				to = "#" + to
			}
			moved[to] = values
		}
	}
	clear(fields)
	for name, values := range moved {
		fields[name] = values
	}
	fields.Set("#"+list, strconv.Itoa(n-1))
}

// blankProgramme is what a new programme begins with.
func (s *Server) blankProgramme() url.Values {
	return url.Values{
		"zone": {s.o.Zone.String()}, "targets.kinds": {schedules.KindGate}, "#slots": {"1"},
		"slots.0.every": {"5m"}, "slots.0.max_plays": {"6"},
	}
}

func (s *Server) newProgramme(ctx context.Context, v *visit, r *http.Request) (frame, error) {
	fields := s.blankProgramme()
	if name := s.o.Ceilings.Zone; name != "" {
		fields.Set("zone", name)
	}
	return s.editor(ctx, v, r, &editorView{fields: fields})
}

func (s *Server) editProgramme(ctx context.Context, v *visit, r *http.Request) (frame, error) {
	prog, err := s.programmeOf(r)
	if err != nil {
		return frame{}, err
	}
	parsed, err := schedules.Parse(prog.Name, prog.YAML)
	if err != nil {
		return frame{}, fmt.Errorf("parsing programme: %w", err)
	}
	fields, err := shownFields(parsed)
	if err != nil {
		return frame{}, err
	}
	return s.editor(ctx, v, r, &editorView{fields: fields, Base: string(prog.YAML), From: programmePath(prog.ID)})
}

func (s *Server) openDraft(ctx context.Context, v *visit, r *http.Request) (frame, error) {
	drafts, err := s.o.Drafts.FormDrafts(ctx, v.User.Login)
	if err != nil {
		return frame{}, fmt.Errorf("reading drafts: %w", err)
	}
	for _, d := range drafts {
		if strconv.FormatInt(d.ID, 10) != r.PathValue("draft") {
			continue
		}
		var form url.Values
		if err := json.Unmarshal(d.Form, &form); err != nil {
			return frame{}, fmt.Errorf("reading draft %d: %w", d.ID, err)
		}
		view := &editorView{fields: typedFields(form), Base: form.Get("base"), From: localProgramme(form.Get("from")), Draft: strconv.FormatInt(d.ID, 10)}
		return s.editor(ctx, v, r, view)
	}
	return frame{}, errNoPage
}

// localProgramme returns path if it is the page of a version, otherwise "".
func localProgramme(path string) string {
	if id, ok := strings.CutPrefix(path, "/programmes/"); ok {
		if _, err := strconv.ParseInt(id, 10, 64); err == nil {
			return path
		}
	}
	return ""
}

// editor fills in what the form chooses from.
func (s *Server) editor(ctx context.Context, v *visit, r *http.Request, view *editorView) (frame, error) {
	f, err := s.frame(ctx, v, r, "editor.title", "programmes")
	if err != nil {
		return f, err
	}
	view.lang = v.L
	for _, t := range schedules.DayTypes() {
		view.DayTypes = append(view.DayTypes, option{Value: string(t), Text: v.L.T("daytype." + string(t))})
	}
	for _, k := range schedules.Kinds() {
		view.KindList = append(view.KindList, option{Value: k, Text: schedules.KindText(k, v.L.code)})
	}
	units, err := s.o.Registry.Units(ctx)
	if err != nil {
		return f, fmt.Errorf("reading units: %w", err)
	}
	for _, u := range units {
		view.Units = append(view.Units, option{Value: u.Code, Text: u.Name})
	}
	all, err := s.o.Clips.Clips(ctx)
	if err != nil {
		return f, fmt.Errorf("reading clips: %w", err)
	}
	for _, c := range all {
		if c.State == fleet.ClipApproved {
			view.Clips = append(view.Clips, option{Value: c.Name, Text: c.Title})
		}
	}
	points, err := s.o.Registry.Points(ctx, fleet.PointFilter{})
	if err != nil {
		return f, fmt.Errorf("reading points: %w", err)
	}
	for _, pt := range points {
		for _, tag := range pt.Tags {
			if !slices.Contains(view.Tags, tag) {
				view.Tags = append(view.Tags, tag)
			}
		}
	}
	for name, values := range view.fields {
		if strings.HasPrefix(name, "example_points.") {
			view.Hidden = append(view.Hidden, hiddenField{"p." + name, values[0]})
		}
	}
	slices.SortFunc(view.Hidden, func(a, b hiddenField) int { return strings.Compare(a.Name, b.Name) })
	if name := view.fields.Get("name"); name != "" {
		f.Title = name + " " + f.Title
	}
	f.V = view
	return f, nil
}

// mark puts problems beside their fields.
func (v *editorView) mark(l *lang, problems []Problem) {
	v.errors = map[string][]string{}
	for _, p := range problems {
		text := l.Error(&fleet.Error{Text: p.Text, TextEN: p.TextEN})
		if p.Key == "" || !p.Blocking {
			v.Rest = append(v.Rest, problemRow{Key: p.Key, Text: text, Blocking: p.Blocking})
			continue
		}
		v.errors[p.Key] = append(v.errors[p.Key], text)
		v.Error = l.T("form.look")
	}
}

// saveProgramme does what the button says. Whatever happens, the form comes
// back as it was typed.
func (s *Server) saveProgramme(w http.ResponseWriter, r *http.Request, v *visit) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		return &fleet.Error{Code: fleet.Invalid, Text: v.L.T("form.unreadable"), TextEN: v.L.T("form.unreadable"), Err: err}
	}
	view := &editorView{fields: typedFields(r.PostForm), Base: r.PostForm.Get("base"), Draft: r.PostForm.Get("draft"), From: localProgramme(r.PostForm.Get("from"))}
	again := func(status int) error {
		f, err := s.editor(r.Context(), v, r, view)
		if err != nil {
			return err
		}
		f.Here = "/programmes/new"
		if view.From != "" {
			f.Here = view.From + "/edit"
		}
		return s.show(w, status, "editor", f)
	}
	do, what, _ := strings.Cut(r.PostForm.Get("do"), ":")
	switch do {
	case "add":
		addRow(view.fields, what)
		return again(http.StatusOK)
	case "drop":
		dropRow(view.fields, what)
		return again(http.StatusOK)
	case "draft":
		return s.keepDraft(w, r, v, view)
	}
	parsed, err := readFields(view.fields)
	if list := (schedules.Errors)(nil); errors.As(err, &list) {
		var problems []Problem
		for _, e := range list {
			problems = append(problems, Problem{Key: e.Key, Text: e.Text("zh"), TextEN: e.Text("en"), Blocking: true})
		}
		view.mark(v.L, problems)
		return again(http.StatusUnprocessableEntity)
	}
	if err != nil {
		return fmt.Errorf("reading form: %w", err)
	}
	text, err := schedules.Rewrite([]byte(view.Base), parsed)
	if err != nil {
		return err
	}
	switch do {
	case "yaml":
		view.YAML = string(text)
		return again(http.StatusOK)
	case "save":
		return s.storeProgramme(w, r, v, view, text, again)
	}
	eff, problems, err := s.o.Outlook.ProgrammeEffect(r.Context(), parsed.Name, text, v.Now)
	if err != nil {
		return fmt.Errorf("computing what would change: %w", err)
	}
	view.mark(v.L, fieldProblems(problems, parsed))
	if eff == nil {
		return again(http.StatusUnprocessableEntity)
	}
	points, err := s.o.Registry.Points(r.Context(), fleet.PointFilter{})
	if err != nil {
		return fmt.Errorf("reading points: %w", err)
	}
	cal, err := s.calendar(r.Context())
	if err != nil {
		return err
	}
	view.Effect = s.effectView(v.L, cal, eff, points, v.Now)
	return again(http.StatusOK)
}

// fieldProblems gives problems the names of the form's fields.
func fieldProblems(problems []Problem, p *schedules.Programme) []Problem {
	out := slices.Clone(problems)
	for i := range out {
		out[i].Key = p.FieldOf(out[i].Key)
	}
	return out
}

// storeProgramme stores the form as the next version, a draft until somebody
// activates it.
func (s *Server) storeProgramme(w http.ResponseWriter, r *http.Request, v *visit, view *editorView, text []byte, again func(int) error) error {
	parsed, err := schedules.Parse("", text)
	if err != nil {
		return fmt.Errorf("reading back the form: %w", err)
	}
	p, problems, err := s.o.Planner.Upload(r.Context(), parsed.Name, text, v.User.Login, v.Now)
	if why, ok := refusalOf(v.L, err); ok {
		view.Error = why
		return again(http.StatusUnprocessableEntity)
	}
	if err != nil {
		return fmt.Errorf("storing programme: %w", err)
	}
	if p.ID == 0 {
		view.mark(v.L, fieldProblems(problems, parsed))
		return again(http.StatusUnprocessableEntity)
	}
	s.audit(r, v, fleet.AuditProgramme, p.Name, fmt.Sprint(p.Version))
	if id, err := strconv.ParseInt(view.Draft, 10, 64); err == nil {
		if err := s.o.Drafts.DropFormDraft(r.Context(), v.User.Login, id); err != nil {
			return fmt.Errorf("dropping draft: %w", err)
		}
	}
	return redirect(w, r, programmePath(p.ID)+"?done=programme")
}

// keepDraft keeps the form as it stands, whatever is wrong with it.
func (s *Server) keepDraft(w http.ResponseWriter, r *http.Request, v *visit, view *editorView) error {
	r.PostForm.Del("do")
	form, err := json.Marshal(r.PostForm)
	if err != nil {
		return fmt.Errorf("encoding draft: %w", err)
	}
	id, _ := strconv.ParseInt(view.Draft, 10, 64)
	title := view.fields.Get("name")
	if title == "" {
		title = v.L.T("editor.unnamed")
	}
	id, err = s.o.Drafts.SaveFormDraft(r.Context(), fleet.FormDraft{ID: id, Owner: v.User.Login, Title: title, Form: form, Saved: v.Now})
	if err != nil {
		return fmt.Errorf("saving draft: %w", err)
	}
	return redirect(w, r, fmt.Sprintf("/drafts/%d?done=draft", id))
}
