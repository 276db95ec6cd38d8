package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"gatecast/controller/fleet"
)

// replacementRow is one order in the list.
type replacementRow struct {
	Href, At, By, Old, New, When string
	State                        deviceState
}

// replacementView is one order on its board.
type replacementView struct {
	replacementRow
	ID        fleet.ReplacementID
	Reason    string
	NewSHA    string
	First     string // when its first slot starts, with its name
	Undo      string // until when it can be undone, for the first slot
	MayUndo   bool
	UndoneBy  string
	UndoneWhy string
	Problem   string
}

// replaceWhen names the slots and days of an order.
func (l *lang) replaceWhen(r fleet.Replacement, names map[string]string) string {
	slots := l.T("replace.every_slot")
	if len(r.Slots) > 0 {
		list := make([]string, 0, len(r.Slots))
		for _, key := range r.Slots {
			if names[key] != "" {
				key = names[key]
			}
			list = append(list, key)
		}
		slots = strings.Join(list, l.T("list"))
	}
	switch {
	case r.To == "":
		return l.T("replace.when.open", l.Date(l.Day(r.From)), slots)
	case r.To == r.From:
		return l.T("replace.when.day", l.Date(l.Day(r.From)), slots)
	}
	return l.T("replace.when.range", l.Date(l.Day(r.From)), l.Date(l.Day(r.To)), slots)
}

func (l *lang) replacementRow(r fleet.Replacement, now time.Time) replacementRow {
	row := replacementRow{
		Href: dispatchPath(r.ID), At: l.Stamp(r.At, now), By: signer(r.Name, r.By), Old: r.OldName, New: r.NewName, When: l.replaceWhen(r, nil),
		State: deviceState{"ok", "i-swap", l.T("replace.holds")},
	}
	switch {
	case !r.Undone.IsZero():
		row.State = deviceState{"", "i-cross", l.T("replace.undone", l.Stamp(r.Undone, now))}
	case r.To != "" && r.To < fleet.Day(l.in(now).Format(time.DateOnly)):
		row.State = deviceState{"", "i-check", l.T("replace.over")}
	}
	return row
}

// replacementBoard shows one order, gate by gate.
func (s *Server) replacementBoard(ctx context.Context, v *visit, r *http.Request) (frame, error) {
	f, view, p, err := s.replacement(ctx, v, r)
	if err != nil {
		return f, err
	}
	view.cut(p, readDispatchFilter(view.Replacement.Href, r.URL.Query()))
	view.choices(v.L)
	view.Replacement.Problem = r.URL.Query().Get("problem")
	f.V = view
	return f, nil
}

// replacementSheet is its 确认单.
func (s *Server) replacementSheet(ctx context.Context, v *visit, r *http.Request) (frame, error) {
	f, view, _, err := s.replacement(ctx, v, r)
	if err != nil {
		return f, err
	}
	view.Title = v.L.T("dispatch.sheet.replaced", view.Replacement.Old, view.Replacement.New)
	f.V = view
	return f, nil
}

func (s *Server) replacement(ctx context.Context, v *visit, r *http.Request) (frame, *dispatchView, *places, error) {
	f, err := s.frame(ctx, v, r, "dispatch.title", "programmes")
	if err != nil {
		return f, nil, nil, err
	}
	rep, err := s.replacementOf(ctx, r)
	if err != nil {
		return f, nil, nil, err
	}
	at, err := s.o.Replacements.ReplacedAt(ctx, rep.ID)
	if err != nil {
		return f, nil, nil, fmt.Errorf("reading the points of a replacement: %w", err)
	}
	p, err := s.places(ctx, fleet.PointFilter{})
	if err != nil {
		return f, nil, nil, err
	}
	names := map[string]string{}
	rv := &replacementView{replacementRow: v.L.replacementRow(rep, v.Now), ID: rep.ID, Reason: rep.Reason, NewSHA: rep.New, UndoneBy: rep.UndoneBy, UndoneWhy: rep.UndoReason}
	view := &dispatchView{Replacement: rv, Sheet: dispatchPath(rep.ID) + "/sheet", MayReplace: fleet.May(v.User.Role, fleet.ActActivate)}
	first := time.Time{}
	for _, a := range at {
		if key := slotKeyOf(string(a.Slot)); names[key] == "" {
			names[key] = a.SlotName
		}
		if first.IsZero() || a.Start.Before(first) {
			first = a.Start
			rv.First = v.L.Stamp(a.Start, v.Now) + " " + a.SlotName
		}
		view.add(v.L.voiceRow(p, rep, a, v.Now))
	}
	rv.When = v.L.replaceWhen(rep, names)
	rv.Undo = v.L.Stamp(first.Add(-rep.Lead), v.Now)
	if view.MayReplace && rep.Undone.IsZero() {
		if rv.MayUndo, err = s.o.Dispatch.Left(ctx, rep, v.Now); err != nil {
			return f, nil, nil, err
		}
	}
	return f, view, p, nil
}

// slotKeyOf is "<programme>.<slot key>" of a slot's id.
func slotKeyOf(id string) string {
	_, rest, _ := strings.Cut(id, ".")
	parts := strings.Split(rest, ".")
	return strings.Join(parts[:min(2, len(parts))], ".")
}

// voiceRow is a gate against the clip that it should have.
func (l *lang) voiceRow(p *places, r fleet.Replacement, a fleet.ReplacedAt, now time.Time) dispatchRow {
	pt, ok := p.point[a.Point]
	if !ok {
		pt = fleet.Point{ID: a.Point, Name: l.T("dispatch.point.gone")}
	}
	d := p.device[a.Point]
	voice := a.Voice(r, d)
	has := slices.Contains(d.ClipsReady, r.New)
	row := l.dispatchRow(p, pt, d, voice == fleet.VoiceNew || voice == fleet.VoiceNone && has && d.Ready(), now)
	row.voice, row.Match = voice, has
	if d.ID != "" {
		row.Clip = l.T("dispatch.clip.not_yet")
		if has {
			row.Clip = l.T("dispatch.clip.match", r.NewName, short(r.New))
		}
	}
	switch voice {
	case fleet.VoiceNew:
		row.Will, row.WillTone = l.T("dispatch.will.new", r.NewName), "ok"
	case fleet.VoiceOld:
		row.Will, row.WillTone = l.T("dispatch.will.old", r.OldName, l.Date(d.Horizon)), "warn"
		if row.gate == gateLoading {
			row.Will = l.T("dispatch.will.loading", r.OldName)
		}
	case fleet.VoiceNone:
		row.Will, row.WillTone = l.T("dispatch.will.none"), "bad"
		if d.Mute.On {
			row.Will = l.T("dispatch.will.muted")
		}
	}
	if !r.Undone.IsZero() {
		row.Will, row.WillTone = l.T("dispatch.will.undone"), ""
	}
	return row
}

func (s *Server) replacementOf(ctx context.Context, r *http.Request) (fleet.Replacement, error) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil {
		return fleet.Replacement{}, errNoPage
	}
	return s.o.Replacements.Replacement(ctx, fleet.ReplacementID(id))
}

// undoReplacement has the old clip back.
func (s *Server) undoReplacement(w http.ResponseWriter, r *http.Request, v *visit) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	rep, err := s.replacementOf(r.Context(), r)
	if err != nil {
		return err
	}
	ctx, line := s.withAudit(r, v, fleet.Audit{
		What: fleet.AuditUnreplace, Object: fmt.Sprint(rep.ID), Detail: r.FormValue("reason"), Before: rep.NewName, After: rep.OldName,
	})
	_, err = s.o.Dispatch.Undo(ctx, v.User, rep.ID, r.FormValue("reason"), v.Now)
	var refused *fleet.Error
	if errors.As(err, &refused) && refused.Code == fleet.Conflict && !line.Written() {
		return redirect(w, r, dispatchPath(rep.ID)+"?problem="+url.QueryEscape(v.L.Error(refused)))
	}
	if err != nil {
		return err
	}
	return redirect(w, r, dispatchPath(rep.ID)+"?done=unreplaced")
}

// replaceView asks for a 更换.
type replaceView struct {
	Problem  string
	Slots    []option // of today and the days after, by "<day> <key>"
	Keys     []option // "<programme>.<slot key>"
	Old, New []option
	When     string // tonight, range or open
	From, To string
	Reason   string
	Empty    bool // nothing sounds in the coming days
}

func (s *Server) replaceForm(ctx context.Context, v *visit, r *http.Request) (frame, error) {
	return s.replacePage(ctx, v, r, r.URL.Query(), "")
}

// replacePage is the form with what was typed in it.
func (s *Server) replacePage(ctx context.Context, v *visit, r *http.Request, in url.Values, problem string) (frame, error) {
	f, err := s.frame(ctx, v, r, "replace.title", "programmes")
	if err != nil {
		return f, err
	}
	sounding, err := s.o.Dispatch.Sounding(ctx, v.Now)
	if err != nil {
		return f, err
	}
	clips, err := s.o.Clips.Clips(ctx)
	if err != nil {
		return f, fmt.Errorf("reading clips: %w", err)
	}
	today := s.today(v)
	view := &replaceView{Problem: problem, When: in.Get("when"), From: in.Get("from"), To: in.Get("to"), Reason: in.Get("reason"), Empty: len(sounding) == 0}
	if view.When == "" {
		view.When = "slots"
	}
	if view.From == "" {
		view.From = string(today)
	}
	if view.To == "" {
		view.To = string(dayPlus(today, 6))
	}
	heard := map[string]bool{}
	for _, sl := range sounding {
		for _, sha := range sl.Clips {
			heard[sha] = true
		}
		if !slices.ContainsFunc(view.Keys, func(o option) bool { return o.Value == sl.Key }) {
			view.Keys = append(view.Keys, option{Value: sl.Key, Text: v.L.T("replace.key", sl.Programme, sl.Name, v.L.Clock(sl.Start)), On: slices.Contains(in["key"], sl.Key)})
		}
		if sl.Day <= dayPlus(today, 1) {
			value := string(sl.Day) + " " + sl.Key
			on := slices.Contains(in["slot"], value) || len(in["slot"]) == 0 && len(view.Slots) == 0
			view.Slots = append(view.Slots, option{Value: value, Text: v.L.T("replace.slot", v.L.Stamp(sl.Start, v.Now), sl.Name, sl.Points, s.clipNames(clips, sl.Clips, v.L)), On: on})
		}
	}
	for _, c := range clips {
		id := fmt.Sprint(c.ID)
		text := v.L.T("replace.clip", c.Title, c.Name, v.L.Length(c.Duration()))
		if heard[c.SHA256] {
			view.Old = append(view.Old, option{Value: id, Text: text, On: in.Get("old") == id})
		}
		if c.Standing(today) == fleet.ClipApproved || c.Standing(today) == fleet.ClipAhead {
			view.New = append(view.New, option{Value: id, Text: text, On: in.Get("new") == id})
		}
	}
	f.V = view
	return f, nil
}

func (s *Server) clipNames(clips []fleet.Clip, shas []string, l *lang) string {
	var names []string
	for _, sha := range shas {
		if i := slices.IndexFunc(clips, func(c fleet.Clip) bool { return c.SHA256 == sha }); i >= 0 {
			names = append(names, clips[i].Name)
		}
	}
	return strings.Join(names, l.T("list"))
}

// readOrder reads what the form asks for. Slots of several days are one order
// only if they are the same slots on days in a row; the form says so.
func (s *Server) readOrder(r *http.Request, v *visit) (fleet.ReplaceOrder, error) {
	o := fleet.ReplaceOrder{Reason: r.FormValue("reason")}
	number := func(key string) fleet.ClipID {
		n, err := strconv.ParseInt(r.FormValue(key), 10, 64)
		if err != nil {
			return 0
		}
		return fleet.ClipID(n)
	}
	o.Old, o.New = number("old"), number("new")
	refuse := func(key string) error {
		return &fleet.Error{Code: fleet.Invalid, Text: s.langs["zh"].T(key), TextEN: s.langs["en"].T(key)}
	}
	switch r.FormValue("when") {
	case "slots":
		for _, value := range r.Form["slot"] {
			day, key, _ := strings.Cut(value, " ")
			if o.From != "" && string(o.From) != day {
				return o, refuse("replace.error.one_day")
			}
			o.From, o.To = fleet.Day(day), fleet.Day(day)
			o.Slots = append(o.Slots, key)
		}
		if len(o.Slots) == 0 {
			return o, refuse("replace.error.no_slot")
		}
	case "open":
		o.From, o.Slots = s.today(v), r.Form["key"]
	default:
		o.From, o.To, o.Slots = fleet.Day(strings.TrimSpace(r.FormValue("from"))), fleet.Day(strings.TrimSpace(r.FormValue("to"))), r.Form["key"]
		if !validDay(string(o.From)) || !validDay(string(o.To)) {
			return o, refuse("replace.error.day")
		}
	}
	if !validDay(string(o.From)) {
		return o, refuse("replace.error.day")
	}
	return o, nil
}

// replaceClip takes the form.
func (s *Server) replaceClip(w http.ResponseWriter, r *http.Request, v *visit) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		return &fleet.Error{Code: fleet.Invalid, Text: v.L.T("error.form"), TextEN: v.L.T("error.form"), Err: err}
	}
	o, err := s.readOrder(r, v)
	var done fleet.Replacement
	again := false
	if err == nil {
		ctx, _ := s.withAudit(r, v, fleet.Audit{
			What: fleet.AuditReplace, Object: strings.Join(o.Slots, " "), Detail: o.Reason,
			Before: fleet.Fields("clip", fmt.Sprint(o.Old)), After: fleet.Fields("clip", fmt.Sprint(o.New), "from", string(o.From), "to", string(o.To)),
		})
		done, again, err = s.o.Dispatch.Replace(ctx, v.User, o, v.Now)
	}
	var refused *fleet.Error
	if errors.As(err, &refused) && (refused.Code == fleet.Invalid || refused.Code == fleet.NotFound) {
		f, err := s.replacePage(r.Context(), v, r, r.Form, v.L.Error(refused))
		if err != nil {
			return err
		}
		return s.show(w, http.StatusUnprocessableEntity, "replace", f)
	}
	if err != nil {
		return err
	}
	if again {
		return redirect(w, r, dispatchPath(done.ID)+"?done=replaced_again")
	}
	return redirect(w, r, dispatchPath(done.ID)+"?done=replaced")
}
