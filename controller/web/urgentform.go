package web

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"gatecast/controller/fleet"
	"gatecast/controller/speech"
	"gatecast/internal/wire"
	"gatecast/schedules"
)

// QuietRules knows what is silent when: night, midday rest, exams and the like.
type QuietRules interface {
	// QuietAt returns the rules that hold at the points at some moment of [from, to).
	QuietAt(ctx context.Context, points []fleet.PointID, from, to, now time.Time) (map[fleet.PointID][]*schedules.Silence, error)
}

// The sources of an urgent broadcast.
const (
	fromText  = "text"  // read aloud
	fromSound = "sound" // recorded here, or a file
	fromClip  = "clip"  // of the library
)

// urgentFormView asks for an insertion. What was typed stays on every answer.
type urgentFormView struct {
	Problem  string
	Drill    bool // it asks for a 演练
	Silent   bool // of a drill: without a tone
	Source   string
	Title    string
	Spoken   spokenView
	Texts    []fleet.UrgentText
	Text     fleet.UrgentTextID // the one that was taken
	Clips    []urgentClip
	Units    []urgentUnit
	All      bool
	Total    int // points there are
	Points   string
	Repeats  string
	Until    string // 15:04
	Reason   string
	Warnings []string
	MayFirst bool // the visitor may have it sound first
	First    bool
	Relay    bool // its text goes to the groups as well
	Signers  int  // who have to sign a clip of the library now
	Order    []string
}

type urgentClip struct {
	ID                    fleet.ClipID
	Title, Length, Status string
	On                    bool
}

type urgentUnit struct {
	Value, Text  string
	Gates, Ready int // points; those that hear it within seconds
	On           bool
}

// urgentForm is the form as it begins: with a template, a choice of points or a
// drill in the query.
func (s *Server) urgentForm(w http.ResponseWriter, r *http.Request, v *visit) error {
	q := r.URL.Query()
	view := urgentFormView{Drill: q.Get("drill") != "", Source: fromText, Points: strings.TrimSpace(q.Get("points")), Repeats: "3", Until: "20:00", Relay: true}
	if v.L.in(v.Now).Hour() >= 19 {
		view.Until = "23:59"
	}
	texts, err := s.o.UrgentTexts.UrgentTexts(r.Context())
	if err != nil {
		return fmt.Errorf("reading urgent texts: %w", err)
	}
	if id, err := strconv.ParseInt(q.Get("template"), 10, 64); err == nil {
		if i := slices.IndexFunc(texts, func(t fleet.UrgentText) bool { return int64(t.ID) == id }); i >= 0 {
			view.Text, view.Title = texts[i].ID, texts[i].Title
			view.Spoken = s.spokenOf(v, texts[i].Spoken).checked(v.L)
		}
	}
	if view.Text == 0 {
		view.Spoken = s.spokenOf(v, "")
	}
	view.Texts = texts
	return s.showUrgent(w, r, v, http.StatusOK, view)
}

// typed reads back what a form held.
func (s *Server) typed(r *http.Request, v *visit) urgentFormView {
	view := urgentFormView{
		Drill: r.FormValue("drill") != "", Silent: r.FormValue("drill") == string(fleet.DrillSilent), Source: r.FormValue("source"), Title: strings.TrimSpace(r.FormValue("title")),
		All: r.FormValue("scope") == "all", Points: r.FormValue("points"), Repeats: r.FormValue("repeats"), Until: r.FormValue("until"),
		Reason: r.FormValue("reason"), First: r.FormValue("first") == "yes", Relay: r.FormValue("relay") == "yes",
	}
	if !slices.Contains([]string{fromText, fromSound, fromClip}, view.Source) {
		view.Source = fromClip
	}
	text := strings.TrimSpace(r.FormValue("spoken"))
	if r.FormValue("do") == "fix" {
		text = speech.Fix(text)
	}
	if view.Spoken = s.spokenOf(v, text); text != "" {
		view.Spoken = view.Spoken.checked(v.L)
	}
	return view
}

// showUrgent answers with the form, filled as view has it.
func (s *Server) showUrgent(w http.ResponseWriter, r *http.Request, v *visit, status int, view urgentFormView) error {
	ctx := r.Context()
	f, err := s.frame(ctx, v, r, map[bool]string{true: "urgent.drill", false: "urgent.new"}[view.Drill], "")
	if err != nil {
		return err
	}
	p, err := s.places(ctx, fleet.PointFilter{})
	if err != nil {
		return err
	}
	if view.Texts == nil {
		if view.Texts, err = s.o.UrgentTexts.UrgentTexts(ctx); err != nil {
			return fmt.Errorf("reading urgent texts: %w", err)
		}
	}
	local := v.L.in(v.Now)
	quiet := s.o.Quiet.Over(local, local.Add(5*time.Minute))
	view.MayFirst = fleet.May(v.User.Role, fleet.ActUrgentFirst) && quiet == fleet.NotQuiet
	view.Signers, view.Order = fleet.Insertion{Quiet: quiet}.Needs(quiet), v.L.priorities()
	view.Warnings = v.L.urgentWarnings(s.o.Ceilings, s.o.Quiet, quiet, local)
	dated, err := s.datedQuiet(ctx, v, p)
	if err != nil {
		return err
	}
	view.Warnings = append(view.Warnings, dated...)
	if view.Clips, err = s.urgentClips(ctx, v, r.FormValue("clip")); err != nil {
		return err
	}
	view.Total = len(p.points)
	for _, id := range p.unitOrder {
		value := strconv.FormatInt(int64(id), 10)
		u := urgentUnit{Value: value, Text: p.unit[id].Name, On: slices.Contains(r.Form["unit"], value)}
		for _, pt := range p.points {
			if pt.Unit == id {
				u.Gates++
				if d, has := p.device[pt.ID]; has && v.L.online(d, v.Now) {
					u.Ready++
				}
			}
		}
		view.Units = append(view.Units, u)
	}
	f.V = view
	listening(w)
	return s.show(w, status, "urgentnew", f)
}

func (s *Server) urgentClips(ctx context.Context, v *visit, chosen string) ([]urgentClip, error) {
	clips, err := s.o.Clips.Clips(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading clips: %w", err)
	}
	var list []urgentClip
	for _, c := range clips {
		if c.State == fleet.ClipRecalled {
			continue
		}
		status := v.L.T("urgent.clip.library")
		if c.Standing(s.dayOf(v.Now)) != fleet.ClipApproved {
			status = v.L.T("urgent.clip.outside")
		}
		list = append(list, urgentClip{c.ID, c.Title, v.L.Length(c.Duration()), status, strconv.FormatInt(int64(c.ID), 10) == chosen})
	}
	return list, nil
}

// urgentWarnings says what stands against sounding at this hour.
func (l *lang) urgentWarnings(c wire.Ceilings, hours fleet.QuietHours, quiet fleet.Quiet, local time.Time) []string {
	var list []string
	switch quiet {
	case fleet.Midday:
		list = append(list, l.T("urgent.quiet.midday", hours.Midday))
	case fleet.Night:
		list = append(list, l.T("urgent.quiet.night", hours.Night))
	}
	minute := local.Hour()*60 + local.Minute()
	if !slices.ContainsFunc(c.Allowed, func(w wire.DailyWindow) bool { return w.FirstMin <= minute && minute < w.LastMin }) {
		list = append(list, l.T("urgent.envelope.hours"))
	}
	return append(list, l.T("urgent.envelope", c.MaxPlaysPerHour, l.Length(time.Duration(c.MaxClipS)*time.Second)))
}

// datedQuiet says which exams and other dated rules are quiet within the hour,
// and at how many points.
func (s *Server) datedQuiet(ctx context.Context, v *visit, p *places) ([]string, error) {
	ids := make([]fleet.PointID, len(p.points))
	for i, pt := range p.points {
		ids[i] = pt.ID
	}
	at, err := s.o.QuietRules.QuietAt(ctx, ids, v.Now, v.Now.Add(time.Hour), v.Now)
	if err != nil {
		return nil, fmt.Errorf("reading quiet rules: %w", err)
	}
	points, texts := map[string]int{}, map[string]string{}
	for _, rules := range at {
		for _, q := range rules {
			if q.Rule != schedules.SilenceNight && q.Rule != schedules.SilenceMidday {
				points[q.Rule]++
				texts[q.Rule] = q.In(v.L.code)
			}
		}
	}
	var list []string
	for rule, n := range points {
		list = append(list, v.L.T("urgent.quiet.dated", texts[rule], n))
	}
	slices.Sort(list)
	return list, nil
}

// submitUrgent previews a text, or submits.
func (s *Server) submitUrgent(w http.ResponseWriter, r *http.Request, v *visit) error {
	var sound []byte
	var unheard error
	if strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/") {
		sound, unheard = takeSound(w, r, v)
	} else {
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	}
	view := s.typed(r, v)
	var err error
	switch r.FormValue("do") {
	case "preview", "fix":
		view.Source = fromText
		view.Spoken.Sound, _, err = s.readAloud(r, v, view.Spoken.Text)
		if r.FormValue("do") == "fix" && fleet.CodeOf(err) == fleet.Invalid {
			err = nil // the findings say it
		}
	default:
		var i fleet.Insertion
		if i, err = s.submit(r, v, view, sound, unheard); err == nil {
			return redirect(w, r, urgentPath(i.ID)+"?done="+s.passOn(r, v, i, "urgent"))
		}
	}
	status := http.StatusOK
	if err != nil {
		var code fleet.Code
		view.Problem, _, code = s.userText(r, v, err)
		status = statuses[code]
	}
	return s.showUrgent(w, r, v, status, view)
}

func (s *Server) submit(r *http.Request, v *visit, view urgentFormView, sound []byte, unheard error) (fleet.Insertion, error) {
	want := fleet.Insertion{Reason: view.Reason, First: view.First, Relay: view.Relay}
	var err error
	if want.Area, err = s.scopeOf(r, v); err != nil {
		return want, err
	}
	want.Repeats, _ = strconv.Atoi(strings.TrimSpace(view.Repeats))
	local := v.L.in(v.Now)
	at, err := time.ParseInLocation("15:04", strings.TrimSpace(view.Until), local.Location())
	if err != nil {
		return want, &fleet.Error{Code: fleet.Invalid, Text: "请填写今天的截止时间，例如 20:00。", TextEN: "Say until when today, e.g. 20:00.", Err: err}
	}
	want.Until = time.Date(local.Year(), local.Month(), local.Day(), at.Hour(), at.Minute(), 0, 0, local.Location())
	if view.Drill {
		if want, err = s.drillOf(r, v, want, view); err != nil {
			return want, err
		}
	} else {
		if strings.TrimSpace(want.Reason) == "" { // before anything is made of the text
			return want, &fleet.Error{Code: fleet.Invalid, Text: "请写明插播的原因。", TextEN: "Say why it has to be broadcast."}
		}
		if want.Clip, err = s.urgentSource(r, v, view, sound, unheard); err != nil {
			return want, err
		}
	}
	i, err := s.o.Urgent.Submit(r.Context(), v.User, want, v.Now)
	if i.ID != 0 {
		code := fleet.AuditUrgent
		if i.First {
			code = fleet.AuditUrgentFirst
		}
		s.audit(r, v, code, fmt.Sprint(i.ID), strings.TrimSpace(fmt.Sprintf("%s ×%d · %s · %s %s", i.Title, i.Repeats, areaText(i.Area), i.Reason, drillMark(i))))
	}
	return i, err
}

func drillMark(i fleet.Insertion) string {
	if i.Drill == fleet.NoDrill {
		return ""
	}
	return "[" + string(i.Drill) + " drill]"
}

// urgentSource returns the clip that is to sound: of the library, or made of the
// text or the recording of the form. Made ones are drafts.
func (s *Server) urgentSource(r *http.Request, v *visit, view urgentFormView, sound []byte, unheard error) (fleet.ClipID, error) {
	info := ClipInfo{Title: cmp.Or(view.Title, v.L.T("urgent.made", v.L.Stamp(v.Now, v.Now)))}
	switch view.Source {
	case fromText:
		_, wav, err := s.readAloud(r, v, view.Spoken.Text)
		if err != nil {
			return 0, err
		}
		c, err := s.keepSpoken(r, v, info, view.Spoken.Text, wav)
		return c.ID, err
	case fromSound:
		if unheard != nil {
			return 0, unheard
		}
		c, err := s.keepRecorded(r, v, info, sound)
		return c.ID, err
	}
	id, _ := strconv.ParseInt(r.FormValue("clip"), 10, 64) // what is no number is no clip
	return fleet.ClipID(id), nil
}

// drillName is the clip of drills in the library.
const drillName = "yanlian"

// drillOf makes a drill of what is wanted: its own tone, once. It is refused
// while a slot runs at one of its points, which it would cut.
func (s *Server) drillOf(r *http.Request, v *visit, want fleet.Insertion, view urgentFormView) (fleet.Insertion, error) {
	want.Drill, want.Repeats, want.First = fleet.DrillTone, 1, false
	if view.Silent {
		want.Drill = fleet.DrillSilent
	}
	want.Reason = cmp.Or(strings.TrimSpace(want.Reason), v.L.T("urgent.drill"))
	if err := s.drillClash(r.Context(), v); err != nil {
		return want, err
	}
	c, _, err := s.o.Media.Ingest(r.Context(), drillName+".wav", bytes.NewReader(s.o.Urgent.DrillTone()), ClipInfo{Name: drillName, Title: "演练提示音"}, v.User.Login)
	want.Clip = c.ID
	return want, err
}

// drillClash refuses a drill while a slot runs or is about to.
func (s *Server) drillClash(ctx context.Context, v *visit) error {
	day := s.dayOf(v.Now)
	rows, err := s.o.Ledger.Obligations(ctx, fleet.ObligationFilter{From: day, To: day})
	if err != nil {
		return fmt.Errorf("reading obligations: %w", err)
	}
	for _, o := range rows {
		if o.Verdict == fleet.Due && o.Start.Before(v.Now.Add(time.Minute)) && v.Now.Before(o.End) {
			return &fleet.Error{
				Code:   fleet.Conflict,
				Text:   fmt.Sprintf("%s段正在播或马上开始，演练会打断它，请在 %s 以后再演练。", o.Name, v.L.Clock(o.End)),
				TextEN: fmt.Sprintf("The slot %s is on or about to begin, and a drill would cut it. Drill after %s.", o.Name, v.L.Clock(o.End)),
			}
		}
	}
	return nil
}
