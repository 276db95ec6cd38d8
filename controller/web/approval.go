package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// approvalRoutes are the steps of clips between upload and loudspeaker.
func (s *Server) approvalRoutes(mux *http.ServeMux) {
	s.may(mux, fleet.ActUpload, "POST /clips/submit", s.stepMany(fleet.StepSubmit))
	s.may(mux, fleet.ActApprove, "POST /clips/approve", s.stepMany(fleet.StepApprove))
	s.may(mux, fleet.ActUpload, "POST /clips/{id}/submit", s.step(fleet.StepSubmit))
	s.may(mux, fleet.ActUpload, "POST /clips/{id}/edit", s.step(fleet.StepEdit))
	s.may(mux, fleet.ActApprove, "POST /clips/{id}/approve", s.step(fleet.StepApprove))
	s.may(mux, fleet.ActApprove, "POST /clips/{id}/return", s.step(fleet.StepReturn))
	s.may(mux, fleet.ActApprove, "POST /clips/{id}/recall", s.step(fleet.StepRecall))
}

// today is the office's date.
func (s *Server) today(v *visit) fleet.Day {
	return fleet.Day(v.Now.In(s.o.Zone).Format("2006-01-02"))
}

// decision is a step that v takes now.
func (s *Server) decision(r *http.Request, v *visit, step fleet.ClipStep) fleet.ClipDecision {
	return fleet.ClipDecision{Step: step, By: v.User, At: v.Now, Today: s.today(v), Address: address(r)}
}

// step serves one button of a clip's page.
func (s *Server) step(step fleet.ClipStep) handler {
	return func(w http.ResponseWriter, r *http.Request, v *visit) error {
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		c, err := s.clipOf(r)
		if err != nil {
			return err
		}
		d := s.decision(r, v, step)
		d.Reason, d.Long = r.FormValue("reason"), r.FormValue("long") != ""
		_, _ = fmt.Sscan(r.FormValue("revision"), &d.Revision) // none is refused by the rules where it matters
		d.Terms = fleet.ClipTerms{
			Title: r.FormValue("title"), Text: strings.ReplaceAll(r.FormValue("text"), "\r\n", "\n"),
			ValidFrom: fleet.Day(r.FormValue("from")), ValidUntil: fleet.Day(r.FormValue("until")),
		}
		if c, err = s.decide(r, v, c, d); err != nil {
			return fmt.Errorf("clip %q: %w", step, err)
		}
		return redirect(w, r, clipPath(c.ID)+"?done=clip_"+string(step))
	}
}

// maxMany bounds how many clips one click decides about.
const maxMany = 100

// stepMany serves the button over several clips. Each is decided by itself;
// the page after it names every one.
func (s *Server) stepMany(step fleet.ClipStep) handler {
	return func(w http.ResponseWriter, r *http.Request, v *visit) error {
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		if err := r.ParseForm(); err != nil {
			return &fleet.Error{Code: fleet.Invalid, Text: v.L.T("upload.no_form"), TextEN: v.L.T("upload.no_form"), Err: err}
		}
		var results []uploadResult
		for _, word := range r.PostForm["clip"][:min(len(r.PostForm["clip"]), maxMany)] {
			var id fleet.ClipID
			d := s.decision(r, v, step)
			if _, err := fmt.Sscanf(word, "%d.%d", &id, &d.Revision); err != nil {
				return &fleet.Error{Code: fleet.Invalid, Text: v.L.T("upload.no_form"), TextEN: v.L.T("upload.no_form"), Err: err}
			}
			results = append(results, s.stepOne(r, v, id, d))
		}
		if len(results) == 0 {
			results = append(results, uploadResult{Did: v.L.T("approval.none"), Text: v.L.T("approval.none.text")})
		}
		return redirect(w, r, "/clips?upload="+s.results.put(results, v.User.ID, v.Now))
	}
}

func (s *Server) stepOne(r *http.Request, v *visit, id fleet.ClipID, d fleet.ClipDecision) uploadResult {
	c, err := s.o.Clips.Clip(r.Context(), id)
	if err == nil {
		c, err = s.decide(r, v, c, d)
	}
	if err != nil {
		text, ref, _ := s.userText(r, v, err)
		if ref != "" {
			text += v.L.T("error.ref", ref)
		}
		return uploadResult{Did: v.L.T("approval.refused." + string(d.Step)), Text: text}
	}
	return uploadResult{OK: true, Did: v.L.T("done.clip_" + string(d.Step)), Title: c.Title, Href: clipPath(c.ID)}
}

// decide takes one step with c. The line of the audit is written with it; that
// somebody tried what the rules refuse is told, too.
func (s *Server) decide(r *http.Request, v *visit, c fleet.Clip, d fleet.ClipDecision) (fleet.Clip, error) {
	line := fleet.Audit{What: fleet.AuditCode("clip_" + string(d.Step)), Object: c.Title, Detail: strings.TrimSpace(d.Reason), Before: clipFields(c)}
	next, _, err := c.Decide(d)
	if err != nil {
		if fleet.CodeOf(err) == fleet.Forbidden {
			s.auditRefusal(r, v, line)
		}
		return c, err
	}
	line.After = clipFields(next)
	ctx, pending := s.withAudit(r, v, line)
	if next, err = s.o.Approvals.DecideClip(ctx, c.ID, d); err != nil {
		return c, err
	}
	s.audited(r, pending)
	return next, nil
}

// clipFields is what a step changes, as the audit has it.
func clipFields(c fleet.Clip) string {
	t := c.Wanted()
	return fleet.Fields("sha256", c.SHA256, "state", string(c.State), "title", t.Title, "text", t.Text, "from", string(t.ValidFrom), "until", string(t.ValidUntil))
}

// standing is where a clip stands, for people.
type standing struct {
	Code string // fleet.ClipState
	Text string
	Tone string
	Icon string
}

var standingTones = map[fleet.ClipState][2]string{
	fleet.ClipDraft: {"", "i-pen"}, fleet.ClipSubmitted: {"warn", "i-clock"}, fleet.ClipApproved: {"ok", "i-check"},
	fleet.ClipReturned: {"bad", "i-undo"}, fleet.ClipRecalled: {"bad", "i-cross"}, fleet.ClipExpired: {"bad", "i-clock"}, fleet.ClipAhead: {"info", "i-clock"},
}

func (l *lang) standing(s fleet.ClipState) standing {
	t := standingTones[s]
	return standing{Code: string(s), Text: l.T("clip.state." + string(s)), Tone: t[0], Icon: t[1]}
}

// valid says on which days a clip may sound.
func (l *lang) valid(from, until fleet.Day) string {
	switch {
	case from == "" && until == "":
		return l.T("clip.valid.ever")
	case from == "":
		return l.T("clip.valid.until", until)
	case until == "":
		return l.T("clip.valid.from", from)
	}
	return l.T("clip.valid.between", from, until)
}

// eventRow is one line of a clip's history.
type eventRow struct {
	At, Who, What, Reason string
	Terms                 string // what was signed
	Deaf                  bool   // signed without having fetched the audio
}

// purgeRow is one point of a recall.
type purgeRow struct {
	Point, Href string
	State       standing
	When        string
}

// approvalView is what a clip's page says of its approval.
type approvalView struct {
	Revision            int
	Reason              string
	Submitted, Signed   string // by whom and when
	Pending, MaySign    bool
	WhyNot              string // the user may not sign what waits
	Heard               bool   // by the user
	MaySubmit, MayEdit  bool
	MayReturn           bool
	MayRecall, Recalled bool
	Now, Next           fleet.ClipTerms // in force, and proposed
	NowValid, NextValid string
	Changed             bool // Next waits beside Now
	Events              []eventRow
	Purges              []purgeRow
	Purged              int
	Live                bool // it sounds, or may
}

func (s *Server) approvalOf(ctx context.Context, v *visit, c fleet.Clip) (*approvalView, error) {
	l := v.L
	next := c.Wanted()
	a := &approvalView{
		Revision: c.Revision, Reason: c.Reason, Pending: c.Pending(), Now: c.Terms(), Next: next, Changed: c.Change != nil,
		NowValid: l.valid(c.ValidFrom, c.ValidUntil), NextValid: l.valid(next.ValidFrom, next.ValidUntil),
		Recalled: c.State == fleet.ClipRecalled, Live: c.State == fleet.ClipApproved,
	}
	if !c.Submitted.IsZero() {
		a.Submitted = l.T("clip.by", c.Submitter, l.Stamp(c.Submitted, v.Now))
	}
	if !c.Signed.IsZero() {
		a.Signed = l.T("clip.by", c.Signer, l.Stamp(c.Signed, v.Now))
	}
	uploads, signs := fleet.May(v.User.Role, fleet.ActUpload), fleet.May(v.User.Role, fleet.ActApprove)
	a.MaySubmit = uploads && (c.State == fleet.ClipDraft || c.State == fleet.ClipReturned || c.State == fleet.ClipRecalled)
	a.MayEdit = uploads && c.State != fleet.ClipRecalled
	a.MayReturn = signs && a.Pending
	a.MayRecall = signs && c.State == fleet.ClipApproved
	if a.Pending {
		var why *fleet.Error
		if err := c.MaySign(v.User); errors.As(err, &why) {
			a.WhyNot = l.Error(why)
		} else {
			a.MaySign = true
		}
	}
	var err error
	if a.MaySign {
		if a.Heard, err = s.o.Approvals.HeardClip(ctx, c.ID, v.User.Login); err != nil {
			return nil, err
		}
	}
	events, err := s.o.Approvals.ClipEvents(ctx, c.ID)
	if err != nil {
		return nil, err
	}
	for i := len(events) - 1; i >= 0; i-- {
		a.Events = append(a.Events, l.eventRow(events[i], v))
	}
	return a, s.purges(ctx, v, c, a)
}

func (l *lang) eventRow(e fleet.ClipEvent, v *visit) eventRow {
	row := eventRow{
		At: l.Stamp(e.At, v.Now), Who: signer(e.Name, e.By), What: l.T("clip.step." + string(e.Step)), Reason: e.Reason,
		Deaf: e.Step == fleet.StepApprove && !e.Heard,
	}
	if e.Step == fleet.StepApprove || e.Step == fleet.StepEdit {
		row.Terms = l.T("clip.terms", e.Terms.Title, l.valid(e.Terms.ValidFrom, e.Terms.ValidUntil))
	}
	return row
}

// purges lists for the latest recall who has deleted the clip.
func (s *Server) purges(ctx context.Context, v *visit, c fleet.Clip, a *approvalView) error {
	list, err := s.o.Approvals.ClipPurges(ctx, c.ID)
	if err != nil || len(list) == 0 {
		return err
	}
	points, err := s.o.Registry.Points(ctx, fleet.PointFilter{})
	if err != nil {
		return fmt.Errorf("reading points: %w", err)
	}
	devices, err := s.o.Devices.Devices(ctx)
	if err != nil {
		return fmt.Errorf("reading devices: %w", err)
	}
	names, state := map[fleet.PointID]string{}, map[wire.DeviceID]fleet.Device{}
	for _, p := range points {
		names[p.ID] = p.Name
	}
	for _, d := range devices {
		state[d.ID] = d
	}
	for _, p := range list {
		row := v.L.purgeRow(p, state[p.Device], v)
		row.Point, row.Href = names[p.Point], pointPath(p.Point)
		if row.State.Code == "purged" {
			a.Purged++
		}
		a.Purges = append(a.Purges, row)
	}
	return nil
}

func (l *lang) purgeRow(p fleet.ClipPurge, d fleet.Device, v *visit) purgeRow {
	row := purgeRow{}
	say := func(code, tone, icon string) standing {
		return standing{Code: code, Text: l.T("clip.purge." + code), Tone: tone, Icon: icon}
	}
	switch {
	case !p.Purged.IsZero():
		row.State, row.When = say("purged", "ok", "i-check"), l.Stamp(p.Purged, v.Now)
	case d.State == fleet.DeviceRevoked || d.State == fleet.DeviceRetired:
		row.State = say("gone", "", "i-cross")
	case l.online(d, v.Now):
		row.State = say("online", "warn", "i-clock")
	case d.LastSeen.IsZero():
		row.State = say("never", "bad", "i-clock")
	default:
		row.State, row.When = say("offline", "bad", "i-clock"), l.T("clip.purge.since", l.Stamp(d.LastSeen, v.Now))
	}
	return row
}
