package web

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"gatecast/controller/fleet"
	"gatecast/schedules"
)

// examTag is the tag of points near exam sites, as the field knows it.
const examTag = "考点周边"

// maxSpans is how many ranges of dates one entry has at most.
const maxSpans = 20

// entryForm is the form of an entry as it was sent, with what is wrong with it
// and what it would change.
type entryForm struct {
	Kinds           []option
	Title, Document string
	Spans           []spanForm
	Tags            []string // that points have, to choose from
	Error           string   // about the form as a whole
	ExamTag         string
	Exam            bool // the document is asked for as 文号
	Effect          *effectView
}

// spanForm is one range of dates of the form.
type spanForm struct {
	N        int // from 0; part of the names of fields
	Number   int // from 1
	From, To string
	Windows  []option
	Times    string
	Scopes   []option
	Where    string
	Levels   []option
	Errors   map[string]string // by field: from, to, times, where, level; "" for the range
	Only     bool              // it cannot be removed
}

// The windows that are chosen by name; night and midday are the stretched ones
// that notices about exams ask for.
var spanWindows = []struct{ name, times string }{
	{"all_day", ""}, {"midday", "12:00-14:30"}, {"night", "21:30-07:00"}, {"midday_night", "12:00-14:30, 21:30-07:00"}, {"own", ""},
}

// spanLevels are 静音 and the steps of 限音, in dB.
var spanLevels = []string{"0", "-3", "-6", "-10"}

func (s *Server) newEntry(ctx context.Context, v *visit, r *http.Request) (frame, error) {
	kind := fleet.EntryKind(r.URL.Query().Get("kind"))
	if !slices.Contains(fleet.EntryKinds, kind) {
		kind = fleet.EntryExam
	}
	form := url.Values{"kind": {string(kind)}, "n": {"1"}, "window0": {"all_day"}, "scope0": {"tag"}, "level0": {"0"}, "where0": {examTag}}
	if kind != fleet.EntryExam {
		today := string(s.dayOf(v.Now))
		form.Set("from0", today)
		form.Set("to0", today)
		form.Set("scope0", "all")
		form.Set("where0", "")
		form.Set("title", v.L.T("entry.kind."+string(kind)))
	}
	return s.entryFormPage(ctx, v, r, form, nil, nil)
}

// entryFormPage shows the form as it stands in fields.
func (s *Server) entryFormPage(ctx context.Context, v *visit, r *http.Request, fields url.Values, problems []Problem, eff *Effect) (frame, error) {
	f, err := s.frame(ctx, v, r, "entry.new", "programmes")
	if err != nil {
		return f, err
	}
	points, err := s.o.Registry.Points(ctx, fleet.PointFilter{})
	if err != nil {
		return f, fmt.Errorf("reading points: %w", err)
	}
	form := v.L.entryForm(fields, problems)
	for _, pt := range points {
		for _, tag := range pt.Tags {
			if !slices.Contains(form.Tags, tag) {
				form.Tags = append(form.Tags, tag)
			}
		}
	}
	slices.Sort(form.Tags)
	if eff != nil {
		cal, err := s.calendar(ctx)
		if err != nil {
			return f, err
		}
		form.Effect = s.effectView(v.L, cal, eff, points, v.Now)
	}
	f.Here, f.V = "/calendar/new", form
	return f, nil
}

// entryForm fills the form in.
func (l *lang) entryForm(fields url.Values, problems []Problem) *entryForm {
	form := &entryForm{ExamTag: examTag, Title: fields.Get("title"), Document: fields.Get("document"), Exam: fields.Get("kind") == string(fleet.EntryExam)}
	for _, k := range fleet.EntryKinds {
		form.Kinds = append(form.Kinds, option{Value: string(k), Text: l.T("entry.kind." + string(k)), On: string(k) == fields.Get("kind")})
	}
	n := spanCount(fields)
	for i := range n {
		at := strconv.Itoa(i)
		span := spanForm{
			N: i, Number: i + 1, From: fields.Get("from" + at), To: fields.Get("to" + at), Times: fields.Get("times" + at), Where: fields.Get("where" + at),
			Errors: map[string]string{}, Only: n == 1,
		}
		for _, w := range spanWindows {
			span.Windows = append(span.Windows, option{Value: w.name, Text: l.T("entry.window." + w.name), On: w.name == fields.Get("window"+at)})
		}
		for _, scope := range []string{"all", "tag", "unit", "point"} {
			span.Scopes = append(span.Scopes, option{Value: scope, Text: l.T("entry.scope." + scope), On: scope == fields.Get("scope"+at)})
		}
		for _, level := range spanLevels {
			text := l.T("entry.mute")
			if level != "0" {
				text = l.T("entry.lower", level[1:])
			}
			span.Levels = append(span.Levels, option{Value: level, Text: text, On: level == fields.Get("level"+at)})
		}
		form.Spans = append(form.Spans, span)
	}
	for _, p := range problems {
		text := l.Error(&fleet.Error{Text: p.Text, TextEN: p.TextEN})
		m := spanKey.FindStringSubmatch(p.Key)
		if m == nil {
			form.Error = join(form.Error, text)
			continue
		}
		i, _ := strconv.Atoi(m[1])
		if i >= len(form.Spans) {
			continue
		}
		field := spanFields[m[2]]
		form.Spans[i].Errors[field] = join(form.Spans[i].Errors[field], text)
		form.Error = l.T("form.look")
	}
	return form
}

func join(a, b string) string {
	if a == "" {
		return b
	}
	return a + " " + b
}

// spanKey is the key of a problem, spanFields the field of the form that it
// belongs to.
var (
	spanKey    = regexp.MustCompile(`^spans\[(\d+)\](?:\.([a-z_]+))?`)
	spanFields = map[string]string{"from": "from", "to": "to", "times": "times", "targets": "where", "gain_db": "level", "all_day": "times"}
)

func spanCount(fields url.Values) int {
	n, _ := strconv.Atoi(fields.Get("n"))
	return min(max(n, 1), maxSpans)
}

// words splits a list that a person typed.
func words(text string) []string {
	list := strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(",，、;；\n\t ", r) })
	if len(list) == 0 {
		return nil
	}
	return list
}

// readEntry makes an entry of the form; ranges that nobody filled in are left
// out at the end.
func readEntry(fields url.Values, by fleet.User) fleet.CalendarEntry {
	e := fleet.CalendarEntry{
		Kind: fleet.EntryKind(fields.Get("kind")), Title: strings.TrimSpace(fields.Get("title")), Document: strings.TrimSpace(fields.Get("document")),
		By: by.Login, Name: by.Name,
	}
	n := spanCount(fields)
	for n > 0 && fields.Get("from"+strconv.Itoa(n-1)) == "" && fields.Get("to"+strconv.Itoa(n-1)) == "" {
		n--
	}
	for i := range n {
		at := strconv.Itoa(i)
		span := fleet.CalendarSpan{From: dayText(fields.Get("from" + at)), To: dayText(fields.Get("to" + at))}
		if span.To == "" {
			span.To = span.From
		}
		span.GainDB, _ = strconv.ParseFloat(fields.Get("level"+at), 64)
		switch name := fields.Get("window" + at); name {
		case "all_day":
			span.AllDay = true
		default:
			times := fields.Get("times" + at)
			for _, w := range spanWindows {
				if w.name == name && w.times != "" {
					times = w.times
				}
			}
			span.Times = words(times)
		}
		where := words(fields.Get("where" + at))
		switch fields.Get("scope" + at) {
		case "all":
			span.All = true
		case "tag":
			span.Tags = where
		case "unit":
			span.Units = where
		case "point":
			span.Points = where
		}
		e.Spans = append(e.Spans, span)
	}
	return e
}

// dayText reads a day as people write it: 2026-06-07, 2026.6.7, 2026/6/7 or
// 2026年6月7日. What is none of these is returned as it is.
func dayText(text string) fleet.Day {
	text = strings.TrimSpace(text)
	clean := strings.TrimSuffix(strings.NewReplacer("年", "-", "月", "-", "日", "", ".", "-", "/", "-").Replace(text), "-")
	if t, err := time.Parse("2006-1-2", clean); err == nil {
		return fleet.Day(t.Format(time.DateOnly))
	}
	return fleet.Day(text)
}

// saveEntry answers every button of the form: another range, one less, look
// what it changes, save. Nothing that was typed is lost.
func (s *Server) saveEntry(w http.ResponseWriter, r *http.Request, v *visit) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		return &fleet.Error{Code: fleet.Invalid, Text: v.L.T("form.unreadable"), TextEN: v.L.T("form.unreadable"), Err: err}
	}
	fields := r.PostForm
	again := func(status int, problems []Problem, eff *Effect) error {
		f, err := s.entryFormPage(r.Context(), v, r, fields, problems, eff)
		if err != nil {
			return err
		}
		return s.show(w, status, "entryform", f)
	}
	do := fields.Get("do")
	if do == "add" {
		addSpan(fields)
		return again(http.StatusOK, nil, nil)
	}
	if n, ok := strings.CutPrefix(do, "drop"); ok {
		dropSpan(fields, n)
		return again(http.StatusOK, nil, nil)
	}
	e := readEntry(fields, v.User)
	if do == "save" {
		ctx, line := s.withAudit(r, v, fleet.Audit{What: fleet.AuditEntry, Object: e.Title, Detail: e.Document, After: fleet.Fields(v.L.entryFields(e, v.Now)...)})
		saved, problems, err := s.o.Almanac.SaveEntry(ctx, e, v.Now)
		if err != nil {
			return err
		}
		if saved.ID == 0 {
			return again(http.StatusUnprocessableEntity, problems, nil)
		}
		s.audited(r, line)
		return redirect(w, r, entryPath(saved.ID)+"?done=entry")
	}
	eff, problems, err := s.o.Almanac.EntryEffect(r.Context(), e, v.Now)
	if err != nil {
		return err
	}
	if eff == nil {
		return again(http.StatusUnprocessableEntity, problems, nil)
	}
	return again(http.StatusOK, nil, eff)
}

// entryFields are the fields of an entry for the audit.
func (l *lang) entryFields(e fleet.CalendarEntry, now time.Time) []string {
	spans := make([]string, len(e.Spans))
	for i, span := range e.Spans {
		spans[i] = l.entrySpan(span, now)
	}
	return []string{"title", e.Title, "document", e.Document, "dates", strings.Join(spans, l.T("change.semicolon"))}
}

var spanNames = []string{"from", "to", "window", "times", "scope", "where", "level"}

// addSpan appends a range that takes over all but the dates of the last.
func addSpan(fields url.Values) {
	n := spanCount(fields)
	if n == maxSpans {
		return
	}
	for _, name := range spanNames[2:] {
		fields.Set(name+strconv.Itoa(n), fields.Get(name+strconv.Itoa(n-1)))
	}
	fields.Set("n", strconv.Itoa(n+1))
}

// dropSpan takes a range out; those behind it move up.
func dropSpan(fields url.Values, which string) {
	n := spanCount(fields)
	i, err := strconv.Atoi(which)
	if err != nil || i < 0 || i >= n || n == 1 {
		return
	}
	for ; i < n-1; i++ {
		for _, name := range spanNames {
			fields.Set(name+strconv.Itoa(i), fields.Get(name+strconv.Itoa(i+1)))
		}
	}
	for _, name := range spanNames {
		fields.Del(name + strconv.Itoa(n-1))
	}
	fields.Set("n", strconv.Itoa(n-1))
}

// effectView is what a change does to the slots of the coming days: a sheet for
// each month, and the same in words.
type effectView struct {
	Months []*monthView
	Lines  []effectLine
	Slots  int // at all points together
	Silent int // of them that fall silent
	Points int
	Plans  string // until when every gate has its slots; empty without gates
	Away   []string
	More   int // offline gates that are not named
}

// effectLine is one sort of change.
type effectLine struct {
	Icon, V  string // icon, or verdict of a cell
	Slot     string
	Was, Is  string // windows or levels that differ; empty where they do not
	Why      string // the rule
	Dates    string
	N        int // slots, at all points together
	PointsN  int
	points   map[string]bool
	from, to schedules.Date
}

// maxMonths is how many sheets are shown; the lines below tell of all.
const maxMonths = 3

func (s *Server) effectView(l *lang, cal *schedules.Calendar, eff *Effect, points []fleet.Point, now time.Time) *effectView {
	view := &effectView{Points: eff.Points}
	if !eff.Plans.IsZero() {
		view.Plans = l.Date(eff.Plans)
	}
	name := make(map[fleet.PointID]string, len(points))
	for _, pt := range points {
		name[pt.ID] = pt.Name
	}
	for i, id := range eff.Away {
		if i == 12 {
			view.More = len(eff.Away) - i
			break
		}
		view.Away = append(view.Away, name[id])
	}
	view.Lines = l.effectLines(eff.Changes, now)
	for _, c := range eff.Changes {
		view.Slots += len(c.Points)
		if c.Kind == schedules.SlotSilenced {
			view.Silent += len(c.Points)
		}
	}
	view.Months = l.effectMonths(cal, eff.Changes, eff.From, eff.To, schedules.DateOf(now, l.zone))
	return view
}

// effectMonths draws the changes of each month from the first to the last day.
func (l *lang) effectMonths(cal *schedules.Calendar, changes []schedules.SlotChange, from, to, today schedules.Date) []*monthView {
	byDay := map[schedules.Date][]schedules.SlotChange{}
	for _, c := range changes {
		byDay[c.Slot().Date] = append(byDay[c.Slot().Date], c)
	}
	var months []*monthView
	for at := (schedules.Date{Year: from.Year, Month: from.Month, Day: 1}); !at.After(to) && len(months) < maxMonths; at = (schedules.Date{Year: at.Year, Month: at.Month, Day: 1}).AddDays(31) {
		at.Day = 1
		months = append(months, l.sheet(cal, at.Year, at.Month, today, func(d schedules.Date, into *monthDay) {
			seen := map[string]bool{}
			for _, c := range byDay[d] {
				into.Changed = true
				slot := monthSlot{Text: brief(c.Slot().Name), Title: l.changeTitle(c), Class: "chg"}
				if c.Kind == schedules.SlotSilenced || c.Kind == schedules.SlotRemoved {
					slot.Class = "off"
				}
				if key := slot.Text + slot.Class; !seen[key] {
					seen[key], into.Slots = true, append(into.Slots, slot)
				}
			}
			if into.Changed {
				into.Notes = []string{l.T("effect.points", pointsOf(byDay[d]))}
			}
		}))
	}
	return months
}

// pointsOf counts the points that changes touch.
func pointsOf(changes []schedules.SlotChange) int {
	seen := map[string]bool{}
	for _, c := range changes {
		for _, id := range c.Points {
			seen[id] = true
		}
	}
	return len(seen)
}

func (l *lang) window(s *schedules.Slot) string { return l.Clock(s.Start) + "–" + l.Clock(s.End) }

// changeTitle is one change in full.
func (l *lang) changeTitle(c schedules.SlotChange) string {
	text := c.Slot().Name + " " + l.window(c.Slot()) + " " + l.T("change."+string(c.Kind))
	if why := l.changeWhy(c); why != "" {
		text += l.T("comma") + why
	}
	return text
}

// changeWhy is the rule behind a change, empty where there is none.
func (l *lang) changeWhy(c schedules.SlotChange) string {
	switch {
	case c.After != nil && c.After.Silenced != nil:
		return c.After.Silenced.In(l.code)
	case c.After != nil && c.After.Lowered != nil && c.Kind == schedules.SlotLowered:
		return c.After.Lowered.In(l.code)
	case c.Before != nil && c.Before.Silenced != nil && c.Kind == schedules.SlotSounding:
		return l.T("change.before", c.Before.Silenced.In(l.code))
	}
	return ""
}

var changeIcons = map[schedules.ChangeKind]string{
	schedules.SlotAdded: "i-plus", schedules.SlotRemoved: "i-dash", schedules.SlotMoved: "i-clock",
	schedules.SlotLowered: "i-speaker", schedules.SlotSounding: "i-horn", schedules.SlotAltered: "i-swap",
}

// effectLines gathers changes of one sort.
func (l *lang) effectLines(changes []schedules.SlotChange, now time.Time) []effectLine {
	var lines []*effectLine
	index := map[string]*effectLine{}
	for _, c := range changes {
		line := effectLine{Slot: c.Slot().Name + l.T("change.colon") + l.T("change."+string(c.Kind)), Icon: changeIcons[c.Kind], Why: l.changeWhy(c)}
		switch {
		case c.Kind == schedules.SlotSilenced:
			line.V = "exempt"
		case c.Kind == schedules.SlotMoved:
			line.Was, line.Is = l.window(c.Before)+l.rhythm(c.Before), l.window(c.After)+l.rhythm(c.After)
		case c.Kind == schedules.SlotLowered:
			line.Was, line.Is = l.decibels(c.Before.Gain), l.decibels(c.After.Gain)
		case c.Kind == schedules.SlotAltered && c.After.Silenced == nil:
			line.Was, line.Is = strings.Join(c.Before.Clips, l.T("list")), strings.Join(c.After.Clips, l.T("list"))
		}
		key := fmt.Sprint(c.Slot().Programme, c.Slot().Key, line.Slot, line.Was, line.Is, line.Why)
		at := index[key]
		if at == nil {
			at = &line
			at.points, at.from = map[string]bool{}, c.Slot().Date
			index[key], lines = at, append(lines, at)
		}
		at.to = c.Slot().Date
		at.N += len(c.Points)
		for _, id := range c.Points {
			at.points[id] = true
		}
	}
	out := make([]effectLine, len(lines))
	for i, line := range lines {
		line.PointsN = len(line.points)
		line.Dates = l.daySpan(fleet.Day(line.from.String()), fleet.Day(line.to.String()), now)
		out[i] = *line
	}
	return out
}

// rhythm is how often a slot sounds.
func (l *lang) rhythm(s *schedules.Slot) string {
	return l.T("change.rhythm", s.Count, l.Span(s.Every))
}

func (l *lang) decibels(gain float64) string { return strconv.FormatFloat(gain, 'f', -1, 64) + " dB" }
