package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"gatecast/controller/fleet"
)

// reelRoutes are the recordings that are too long for a clip: 剪取片段, 拆分,
// 申请长音频.
func (s *Server) reelRoutes(mux *http.ServeMux) {
	s.page(mux, fleet.ActRead, "/reels", "reels", s.reels)
	s.page(mux, fleet.ActRead, "/reels/{reel}", "reel", s.reel)
	s.may(mux, fleet.ActUpload, "GET /reels/{reel}/audio", s.reelAudio)
	s.may(mux, fleet.ActUpload, "POST /reels/{reel}/cut", s.cutReel(false))
	s.may(mux, fleet.ActUpload, "POST /reels/{reel}/long", s.cutReel(true))
	s.may(mux, fleet.ActUpload, "POST /reels/{reel}/split", s.splitReel)
	s.may(mux, fleet.ActUpload, "POST /reels/{reel}/drop", s.dropReel)
	s.page(mux, fleet.ActRead, "/clips/voice", "voice", s.voiceGuide)
}

func reelPath(id fleet.ReelID) string { return fmt.Sprintf("/reels/%d", id) }

// voiceGuide shows what to do with a WeChat voice message.
func (s *Server) voiceGuide(ctx context.Context, v *visit, r *http.Request) (frame, error) {
	return s.frame(ctx, v, r, "voice.title", "clips")
}

// clipLimit is the longest clip without an approval of its own.
func (s *Server) clipLimit() time.Duration { return time.Duration(s.o.Ceilings.MaxClipS) * time.Second }

// overLong says that a recording is too long, and for which slots.
func (s *Server) overLong(ctx context.Context, v *visit, length time.Duration) string {
	text := v.L.T("reel.over", v.L.InWords(length), s.o.Ceilings.MaxClipS)
	week, err := s.week(ctx, v)
	if err != nil {
		s.o.Logger.Warn("reading what is planned", "err", err)
		return text + v.L.T("stop")
	}
	short := week.TooShortFor(length.Minutes())
	if len(short) > 4 {
		short = short[len(short)-4:]
	}
	var windows []string
	for _, w := range short {
		windows = append(windows, fmt.Sprintf("%02d:%02d–%02d:%02d", w.From/60, w.From%60, w.To/60%24, w.To%60))
	}
	if len(windows) > 0 {
		text += v.L.T("reel.over.slots", strings.Join(windows, v.L.T("list")))
	}
	return text + v.L.T("stop")
}

// InWords is how long a recording lasts, as people say it: 40分12秒.
func (l *lang) InWords(d time.Duration) string {
	s := int(d.Round(time.Second) / time.Second)
	if s < 60 {
		return l.T("length.s", s)
	}
	return l.T("length.ms", s/60, s%60)
}

// reelRow is one recording in the list.
type reelRow struct {
	Href, File, Length, Kind, Size, Uploaded, By, Until, Wave string
}

// reelsView is 长录音.
type reelsView struct {
	Rows  []reelRow
	Limit int64 // seconds
}

func (s *Server) reels(ctx context.Context, v *visit, r *http.Request) (frame, error) {
	f, err := s.frame(ctx, v, r, "reels.title", "clips")
	if err != nil {
		return f, err
	}
	list, err := s.o.Reels.Reels(ctx)
	if err != nil {
		return f, err
	}
	view := &reelsView{Limit: s.o.Ceilings.MaxClipS}
	for _, x := range list {
		view.Rows = append(view.Rows, v.L.reelRow(x, v))
	}
	f.V = view
	return f, nil
}

func (l *lang) reelRow(x fleet.Reel, v *visit) reelRow {
	return reelRow{
		Href: reelPath(x.ID), File: x.File, Length: l.InWords(x.Duration), Kind: x.Kind, Size: megabytes(x.Bytes),
		Uploaded: l.Stamp(x.Uploaded, v.Now), By: x.By, Until: l.Date(x.Expires), Wave: wave(x.Peaks, 80, 224, 28),
	}
}

func megabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }

// reelForm is what a form about a recording holds, as it was typed.
type reelForm struct {
	From, To, Title, Text, Reason string
	Type, Audience                string
	Most                          int // seconds, of the parts of a split
	Which                         string
	Error                         string
}

// splitChoice is a way to divide a recording.
type splitChoice struct {
	Most, Parts int
	Each        string
	On          bool
}

// reelView is one recording with its three ways on.
type reelView struct {
	reelRow
	ID          fleet.ReelID
	Over        string // the sentence
	Big         string // waveform
	Seconds     float64
	X, Width    string // of the chosen part, in the waveform's 800 units
	Chosen      string // how long it is
	Audio       string // of the chosen part; empty for none
	Form        reelForm
	Types       []option
	Audiences   []option
	Splits      []splitChoice
	Cuts        []cutRow
	Gone        bool
	MayUpload   bool
	Long        bool // it can be asked for as a whole
	Limit       int64
	HardMinutes int
}

// reelPart is what one of the three forms is rendered with.
type reelPart struct {
	Key string
	V   *reelView
}

// Part returns the data of one form.
func (v *reelView) Part(key string) reelPart { return reelPart{key, v} }

// LongFrom and LongTo are the part that a long clip is asked for: what was typed
// there, else the beginning, as far as any approval goes.
func (v *reelView) LongFrom() string {
	if v.Form.Which == "long" {
		return v.Form.From
	}
	return "0:00"
}

// LongTo is the end of that part.
func (v *reelView) LongTo() string {
	if v.Form.Which == "long" {
		return v.Form.To
	}
	return clockText(min(time.Duration(v.Seconds*float64(time.Second)), fleet.ClipHardStop))
}

type cutRow struct{ Href, Title, From, To string }

func (s *Server) reel(ctx context.Context, v *visit, r *http.Request) (frame, error) {
	x, err := s.reelOf(r)
	if err != nil {
		return frame{}, err
	}
	form := reelForm{From: "0:00", To: clockText(min(x.Duration, time.Minute)), Title: strings.TrimSuffix(x.File, ext(x.File)), Most: int(s.o.Ceilings.MaxClipS)}
	if q := r.URL.Query(); q.Has("from") {
		form.From, form.To = q.Get("from"), q.Get("to")
	}
	return s.reelPage(ctx, v, r, x, form)
}

// ext is the ending of a file's name.
func ext(name string) string {
	if i := strings.LastIndexByte(name, '.'); i > 0 {
		return name[i:]
	}
	return ""
}

func (s *Server) reelOf(r *http.Request) (fleet.Reel, error) {
	id, err := strconv.ParseInt(r.PathValue("reel"), 10, 64)
	if err != nil || id < 1 {
		return fleet.Reel{}, errNoPage
	}
	x, err := s.o.Reels.Reel(r.Context(), fleet.ReelID(id))
	if fleet.CodeOf(err) == fleet.NotFound {
		return x, errNoPage
	}
	return x, err
}

func (s *Server) reelPage(ctx context.Context, v *visit, r *http.Request, x fleet.Reel, form reelForm) (frame, error) {
	f, err := s.frame(ctx, v, r, "", "clips")
	if err != nil {
		return f, err
	}
	l := v.L
	view := &reelView{
		reelRow: l.reelRow(x, v), ID: x.ID, Over: s.overLong(ctx, v, x.Duration), Big: wave(x.Peaks, 400, 800, 96), Seconds: x.Duration.Seconds(),
		Form: form, Types: l.choices(fleet.ScamTypes, form.Type), Audiences: l.choices(fleet.Audiences, form.Audience),
		Gone: !x.Gone.IsZero(), MayUpload: fleet.May(v.User.Role, fleet.ActUpload), Long: x.Duration <= fleet.ClipHardStop,
		Limit: s.o.Ceilings.MaxClipS, HardMinutes: int(fleet.ClipHardStop / time.Minute), X: "0", Width: "0",
	}
	if part, err := readStretch(form.From, form.To); err == nil && part.To > part.From && part.From < x.Duration {
		part.To = min(part.To, x.Duration)
		scale := 800 / x.Duration.Seconds()
		view.X, view.Width = fmt.Sprintf("%.2f", part.From.Seconds()*scale), fmt.Sprintf("%.2f", (part.To-part.From).Seconds()*scale)
		view.Chosen = l.InWords(part.To - part.From)
		view.Audio = fmt.Sprintf("%s/audio?from=%s&to=%s", reelPath(x.ID), clockText(part.From), clockText(part.To))
	}
	for _, most := range []int{60, 120, int(s.o.Ceilings.MaxClipS)} {
		parts := fleet.Split(x.Duration, time.Duration(most)*time.Second)
		if len(parts) == 0 || len(parts) > maxParts {
			continue
		}
		view.Splits = append(view.Splits, splitChoice{most, len(parts), l.InWords(parts[0].To - parts[0].From), most == form.Most})
	}
	for _, c := range x.Cuts {
		view.Cuts = append(view.Cuts, cutRow{clipPath(c.Clip), c.Title, clockText(c.From), clockText(c.To)})
	}
	f.Title, f.V = x.File, view
	return f, nil
}

// maxParts bounds how many clips one split makes: an hour in parts of a minute.
const maxParts = 61

// clockText writes a place in a recording as people read it off a player.
func clockText(d time.Duration) string {
	s := int(d / time.Second)
	tenth := ""
	if rest := d % time.Second / (100 * time.Millisecond); rest > 0 {
		tenth = fmt.Sprintf(".%d", rest)
	}
	if s >= 3600 {
		return fmt.Sprintf("%d:%02d:%02d%s", s/3600, s/60%60, s%60, tenth)
	}
	return fmt.Sprintf("%d:%02d%s", s/60, s%60, tenth)
}

var errClock = errors.New("no time in a recording")

// readClock reads a place in a recording: 12:40, 1:02:03, 95 or 12:40.5, with
// Chinese signs and digits too.
func readClock(text string) (time.Duration, error) {
	text = strings.Map(func(r rune) rune {
		switch {
		case r == '：':
			return ':'
		case r == '．' || r == '。':
			return '.'
		case r >= '０' && r <= '９':
			return r - '０' + '0'
		}
		return r
	}, strings.TrimSpace(text))
	fields := strings.Split(text, ":")
	if len(fields) > 3 || len(text) > 12 {
		return 0, errClock
	}
	var at time.Duration
	for i, f := range fields {
		if f == "" || strings.Trim(f, "0123456789.") != "" || i < len(fields)-1 && strings.Contains(f, ".") {
			return 0, errClock
		}
		n, err := strconv.ParseFloat(f, 64)
		if err != nil || n > 1e6 || i > 0 && n >= 60 {
			return 0, errClock
		}
		at = at*60 + time.Duration(n*1000)*time.Millisecond
	}
	return at, nil
}

func readStretch(from, to string) (part fleet.Stretch, err error) {
	if part.From, err = readClock(from); err != nil {
		return part, err
	}
	part.To, err = readClock(to)
	return part, err
}

// reelAudio serves a part of a recording, to listen before it is cut.
func (s *Server) reelAudio(w http.ResponseWriter, r *http.Request, v *visit) error {
	x, err := s.reelOf(r)
	if err != nil {
		return err
	}
	part, err := readStretch(r.URL.Query().Get("from"), r.URL.Query().Get("to"))
	if err != nil {
		return &fleet.Error{Code: fleet.Invalid, Text: v.L.T("reel.bad_times"), TextEN: v.L.T("reel.bad_times"), Err: err}
	}
	sound, err := s.o.Reels.Excerpt(r.Context(), x.ID, part)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "audio/flac")
	w.Header().Set("Cache-Control", "private, max-age=3600")
	http.ServeContent(w, r, "", x.Uploaded, sound)
	return nil
}

// readReelForm takes what was typed, whatever it is.
func readReelForm(r *http.Request, which string) reelForm {
	f := reelForm{
		From: strings.TrimSpace(r.PostFormValue("from")), To: strings.TrimSpace(r.PostFormValue("to")), Title: strings.TrimSpace(r.PostFormValue("title")),
		Text: strings.TrimSpace(strings.ReplaceAll(r.PostFormValue("text"), "\r\n", "\n")), Reason: strings.TrimSpace(r.PostFormValue("reason")),
		Type: known(fleet.ScamTypes, r.PostFormValue("type")), Audience: known(fleet.Audiences, r.PostFormValue("audience")), Which: which,
	}
	f.Most, _ = strconv.Atoi(r.PostFormValue("most")) // none is refused where it matters
	return f
}

// again shows the form with what was typed and what is wrong.
func (s *Server) again(w http.ResponseWriter, r *http.Request, v *visit, x fleet.Reel, form reelForm, problem string) error {
	form.Error = problem
	f, err := s.reelPage(r.Context(), v, r, x, form)
	if err != nil {
		return err
	}
	return s.show(w, http.StatusUnprocessableEntity, "reel", f)
}

// cutReel makes a draft of a part; a long one is submitted with its reason.
func (s *Server) cutReel(long bool) handler {
	return func(w http.ResponseWriter, r *http.Request, v *visit) error {
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		x, err := s.reelOf(r)
		if err != nil {
			return err
		}
		which := "cut"
		if long {
			which = "long"
		}
		form := readReelForm(r, which)
		part, err := readStretch(form.From, form.To)
		switch {
		case err != nil:
			return s.again(w, r, v, x, form, v.L.T("reel.bad_times"))
		case form.Title == "" || utf8.RuneCountInString(form.Title) > fleet.MaxClipTitle:
			return s.again(w, r, v, x, form, v.L.T("reel.no_title", fleet.MaxClipTitle))
		case long && (form.Reason == "" || utf8.RuneCountInString(form.Reason) > fleet.MaxLongReason):
			return s.again(w, r, v, x, form, v.L.T("reel.no_reason", fleet.MaxLongReason))
		case !long && part.To-part.From > s.clipLimit():
			return s.again(w, r, v, x, form, v.L.T("reel.part_long", v.L.InWords(part.To-part.From), s.o.Ceilings.MaxClipS))
		}
		part.To = min(part.To, x.Duration)
		c, err := s.o.Reels.Cut(r.Context(), x.ID, part, s.cutOf(v, form, form.Title))
		if err != nil {
			var told *fleet.Error
			if errors.As(err, &told) && told.Code != fleet.Internal {
				return s.again(w, r, v, x, form, v.L.Error(told))
			}
			return err
		}
		res := s.cutResult(r, v, x, part, c)
		if long {
			res.Notes = append(res.Notes, s.submitUpload(r, v, c))
		}
		return redirect(w, r, "/clips?upload="+s.results.put([]uploadResult{res}, v.User.ID, v.Now))
	}
}

// cutOf is the clip that a form asks for.
func (s *Server) cutOf(v *visit, form reelForm, title string) fleet.Clip {
	c := fleet.Clip{Name: clipName(title), Title: title, Text: form.Text, ScamType: form.Type, Audience: form.Audience, By: v.User.Login}
	if form.Which == "long" {
		c.Long = form.Reason
	}
	return c
}

// cutResult says what came of a cut, here and in the audit.
func (s *Server) cutResult(r *http.Request, v *visit, x fleet.Reel, part fleet.Stretch, c fleet.Clip) uploadResult {
	s.audit(r, v, fleet.AuditReelCut, c.Title, fmt.Sprintf("%s %s–%s", x.File, clockText(part.From), clockText(part.To)))
	return uploadResult{
		OK: true, Title: c.Title, Href: clipPath(c.ID), Did: v.L.T("reel.cut.done", v.L.InWords(c.Duration())),
		Said: v.L.T("upload.said", v.L.Length(c.Duration()), signed(c.LUFS), signed(c.LUFS+c.GainDB)),
	}
}

// splitReel makes drafts of all of a recording. Each part is made or refused by
// itself.
func (s *Server) splitReel(w http.ResponseWriter, r *http.Request, v *visit) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	x, err := s.reelOf(r)
	if err != nil {
		return err
	}
	form := readReelForm(r, "split")
	parts := fleet.Split(x.Duration, time.Duration(form.Most)*time.Second)
	switch {
	case len(parts) == 0 || len(parts) > maxParts || form.Most > int(s.o.Ceilings.MaxClipS):
		return s.again(w, r, v, x, form, v.L.T("reel.bad_split"))
	case form.Title == "" || utf8.RuneCountInString(form.Title) > fleet.MaxClipTitle-10:
		return s.again(w, r, v, x, form, v.L.T("reel.no_title", fleet.MaxClipTitle-10))
	}
	var results []uploadResult
	for i, part := range parts {
		title := v.L.T("reel.part_title", form.Title, i+1)
		c, err := s.o.Reels.Cut(r.Context(), x.ID, part, s.cutOf(v, form, title))
		if err != nil {
			res := uploadResult{Did: v.L.T("reel.part_refused", i+1, clockText(part.From), clockText(part.To))}
			s.refuse(r, v, &res, err)
			results = append(results, res)
			continue
		}
		results = append(results, s.cutResult(r, v, x, part, c))
	}
	return redirect(w, r, "/clips?upload="+s.results.put(results, v.User.ID, v.Now))
}

// dropReel gives a recording up before its time.
func (s *Server) dropReel(w http.ResponseWriter, r *http.Request, v *visit) error {
	x, err := s.reelOf(r)
	if err != nil {
		return err
	}
	ctx, pending := s.withAudit(r, v, fleet.Audit{What: fleet.AuditReelDrop, Object: x.File, Detail: x.Original})
	if err := s.o.Reels.EndReel(ctx, x.ID, v.Now); err != nil {
		return err
	}
	s.audited(r, pending)
	return redirect(w, r, "/reels?done=reel_drop")
}
