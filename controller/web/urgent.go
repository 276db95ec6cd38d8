package web

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// UrgentDesk submits, signs and ends urgent broadcasts. It asks for the
// permission itself; refusals are *fleet.Errors.
type UrgentDesk interface {
	Submit(ctx context.Context, by fleet.User, want fleet.Insertion, now time.Time) (fleet.Insertion, error)
	Sign(ctx context.Context, by fleet.User, id fleet.InsertionID, now time.Time) (fleet.Insertion, error)
	End(ctx context.Context, by fleet.User, id fleet.InsertionID, reason string, now time.Time) (fleet.Insertion, error)
}

// Insertions are the urgent broadcasts.
type Insertions interface {
	Insertions(ctx context.Context, limit int) ([]fleet.Insertion, error) // newest first
	// Insertion returns one; fleet.NotFound if there is none.
	Insertion(ctx context.Context, id fleet.InsertionID) (fleet.Insertion, error)
}

// urgentRoutes are 紧急插播: an urgent one-off broadcast and its signatures.
func (s *Server) urgentRoutes(mux *http.ServeMux) {
	s.page(mux, fleet.ActRead, "/urgent", "urgentlist", s.urgentList)
	s.page(mux, fleet.ActUrgent, "/urgent/new", "urgentnew", s.urgentForm)
	s.may(mux, fleet.ActUrgent, "POST /urgent", s.submitUrgent)
	s.page(mux, fleet.ActRead, "/urgent/{id}", "urgent", s.urgentBoard)
	s.may(mux, fleet.ActApprove, "POST /urgent/{id}/sign", s.signUrgent)
	s.may(mux, fleet.ActUrgent, "POST /urgent/{id}/end", s.endUrgent)
}

func urgentPath(id fleet.InsertionID) string { return fmt.Sprintf("/urgent/%d", id) }

// maxUrgent is how many the list shows.
const maxUrgent = 100

type urgentRow struct {
	Href, At, Title, Area, By string
	State                     deviceState
}

type urgentListView struct {
	Rows []urgentRow
}

func (s *Server) urgentList(ctx context.Context, v *visit, r *http.Request) (frame, error) {
	f, err := s.frame(ctx, v, r, "urgent.title", "")
	if err != nil {
		return f, err
	}
	p, err := s.places(ctx, fleet.PointFilter{})
	if err != nil {
		return f, err
	}
	all, err := s.o.Insertions.Insertions(ctx, maxUrgent)
	if err != nil {
		return f, err
	}
	view := &urgentListView{}
	for _, i := range all {
		view.Rows = append(view.Rows, urgentRow{
			Href: urgentPath(i.ID), At: v.L.Stamp(i.At, v.Now), Title: i.Title, Area: v.L.scope(p, i.Area), By: signer(i.Name, i.By), State: v.L.urgentState(i, v.Now),
		})
	}
	f.V = view
	return f, nil
}

func (l *lang) urgentState(i fleet.Insertion, now time.Time) deviceState {
	state := i.Standing(now)
	text := l.T("urgent.state." + string(state))
	switch state {
	case fleet.InsertionWaiting:
		quiet := fleet.QuietOver(l.in(now), l.in(now).Add(i.Sounding()))
		return deviceState{"warn", "i-clock", l.T("urgent.waiting", len(i.Signatures), i.Needs(quiet))}
	case fleet.InsertionLive:
		if i.Unconfirmed() {
			return deviceState{"bad", "i-alert", l.T("urgent.unconfirmed", l.Clock(i.At.Add(fleet.ConfirmWithin)))}
		}
		return deviceState{"info", "i-horn", text}
	case fleet.InsertionUnconfirmed:
		return deviceState{"bad", "i-alert", text}
	}
	return deviceState{"", "i-check", text}
}

// urgentFormView asks for an insertion.
type urgentFormView struct {
	Clips    []urgentClip
	Units    []option
	Points   string
	Until    string // 15:04
	Warnings []string
	First    bool // the visitor may have it sound first
	Signers  int  // who have to sign a clip of the library now
}

type urgentClip struct {
	ID                    fleet.ClipID
	Title, Length, Status string
}

func (s *Server) urgentForm(ctx context.Context, v *visit, r *http.Request) (frame, error) {
	f, err := s.frame(ctx, v, r, "urgent.new", "")
	if err != nil {
		return f, err
	}
	p, err := s.places(ctx, fleet.PointFilter{})
	if err != nil {
		return f, err
	}
	clips, err := s.o.Clips.Clips(ctx)
	if err != nil {
		return f, fmt.Errorf("reading clips: %w", err)
	}
	local := v.L.in(v.Now)
	quiet := fleet.QuietOver(local, local.Add(5*time.Minute))
	view := &urgentFormView{
		Points: strings.TrimSpace(r.URL.Query().Get("points")), First: fleet.May(v.User.Role, fleet.ActUrgentFirst) && quiet == fleet.NotQuiet,
		Signers: fleet.Insertion{Quiet: quiet}.Needs(quiet), Until: "20:00", Warnings: v.L.urgentWarnings(s.o.Ceilings, quiet, local),
	}
	if local.Hour() >= 19 {
		view.Until = "23:59"
	}
	day := s.dayOf(v.Now)
	for _, c := range clips {
		if c.State == fleet.ClipRecalled {
			continue
		}
		status := v.L.T("urgent.clip.library")
		if c.Standing(day) != fleet.ClipApproved {
			status = v.L.T("urgent.clip.outside")
		}
		view.Clips = append(view.Clips, urgentClip{c.ID, c.Title, v.L.Length(c.Duration()), status})
	}
	for _, id := range p.unitOrder {
		view.Units = append(view.Units, option{Value: strconv.FormatInt(int64(id), 10), Text: p.unit[id].Name})
	}
	f.V = view
	return f, nil
}

// urgentWarnings says what stands against sounding at this hour.
func (l *lang) urgentWarnings(c wire.Ceilings, quiet fleet.Quiet, local time.Time) []string {
	var list []string
	if quiet != fleet.NotQuiet {
		list = append(list, l.T("urgent.quiet."+string(quiet)))
	}
	minute := local.Hour()*60 + local.Minute()
	if !slices.ContainsFunc(c.Allowed, func(w wire.DailyWindow) bool { return w.FirstMin <= minute && minute < w.LastMin }) {
		list = append(list, l.T("urgent.envelope.hours"))
	}
	return append(list, l.T("urgent.envelope", c.MaxPlaysPerHour, l.Length(time.Duration(c.MaxClipS)*time.Second)))
}

func (s *Server) submitUrgent(w http.ResponseWriter, r *http.Request, v *visit) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	area, err := s.scopeOf(r, v)
	if err != nil {
		return err
	}
	clip, _ := strconv.ParseInt(r.FormValue("clip"), 10, 64)
	repeats, _ := strconv.Atoi(strings.TrimSpace(r.FormValue("repeats")))
	local := v.L.in(v.Now)
	at, err := time.ParseInLocation("15:04", strings.TrimSpace(r.FormValue("until")), local.Location())
	if err != nil {
		return &fleet.Error{Code: fleet.Invalid, Text: "请填写今天的截止时间，例如 20:00。", TextEN: "Say until when today, e.g. 20:00.", Err: err}
	}
	i, err := s.o.Urgent.Submit(r.Context(), v.User, fleet.Insertion{
		Clip: fleet.ClipID(clip), Area: area, Repeats: repeats, Reason: r.FormValue("reason"), First: r.FormValue("first") == "yes",
		Until: time.Date(local.Year(), local.Month(), local.Day(), at.Hour(), at.Minute(), 0, 0, local.Location()),
	}, v.Now)
	if i.ID != 0 {
		code := fleet.AuditUrgent
		if i.First {
			code = fleet.AuditUrgentFirst
		}
		s.audit(r, v, code, fmt.Sprint(i.ID), fmt.Sprintf("%s ×%d · %s · %s", i.Title, i.Repeats, areaText(i.Area), i.Reason))
	}
	if err != nil {
		return err
	}
	return redirect(w, r, urgentPath(i.ID)+"?done=urgent")
}

func (s *Server) urgentOf(r *http.Request) (fleet.Insertion, error) {
	id, _ := strconv.ParseInt(r.PathValue("id"), 10, 64) // what is no number is nobody's
	return s.o.Insertions.Insertion(r.Context(), fleet.InsertionID(id))
}

func (s *Server) signUrgent(w http.ResponseWriter, r *http.Request, v *visit) error {
	i, err := s.urgentOf(r)
	if err != nil {
		return err
	}
	if i, err = s.o.Urgent.Sign(r.Context(), v.User, i.ID, v.Now); err != nil {
		return err
	}
	s.audit(r, v, fleet.AuditUrgentSigned, fmt.Sprint(i.ID), string(i.State))
	return redirect(w, r, urgentPath(i.ID)+"?done=urgent_signed")
}

func (s *Server) endUrgent(w http.ResponseWriter, r *http.Request, v *visit) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	i, err := s.urgentOf(r)
	if err != nil {
		return err
	}
	if i, err = s.o.Urgent.End(r.Context(), v.User, i.ID, r.FormValue("reason"), v.Now); err != nil {
		return err
	}
	s.audit(r, v, fleet.AuditUrgentEnded, fmt.Sprint(i.ID), strings.TrimSpace(string(i.State)+" "+i.EndReason))
	return redirect(w, r, urgentPath(i.ID)+"?done=urgent_ended")
}

// urgentView is one insertion and what became of it, gate by gate.
type urgentView struct {
	ID               fleet.InsertionID
	Title, ClipHref  string
	Outside          bool
	Area, By, Reason string
	Repeats          int
	Until            string
	State            deviceState
	Quiet            string
	Signatures       []string
	EndReason        string
	MaySign, MayEnd  bool
	Own              bool // the visitor submitted it
	Confirm          bool // a signature confirms what sounds already
	Sum              string
	Rows             []gateRow
}

func (s *Server) urgentBoard(ctx context.Context, v *visit, r *http.Request) (frame, error) {
	f, err := s.frame(ctx, v, r, "urgent.title", "")
	if err != nil {
		return f, err
	}
	i, err := s.urgentOf(r)
	if err != nil {
		return f, err
	}
	p, err := s.places(ctx, fleet.PointFilter{})
	if err != nil {
		return f, err
	}
	state := i.Standing(v.Now)
	open := state == fleet.InsertionWaiting || state == fleet.InsertionLive
	signed := slices.ContainsFunc(i.Signatures, func(g fleet.Signature) bool { return g.By == v.User.Login })
	view := &urgentView{
		ID: i.ID, Title: i.Title, ClipHref: fmt.Sprintf("/clips/%d", i.Clip), Outside: i.Outside, Area: v.L.scope(p, i.Area), By: v.L.T("urgent.by", signer(i.Name, i.By), v.L.Stamp(i.At, v.Now)),
		Reason: i.Reason, Repeats: i.Repeats, Until: v.L.Clock(i.Until), State: v.L.urgentState(i, v.Now), EndReason: i.EndReason, Own: i.By == v.User.Login,
		Confirm: i.Unconfirmed(), MaySign: open && fleet.May(v.User.Role, fleet.ActApprove) && i.By != v.User.Login && !signed && (state == fleet.InsertionWaiting || i.Unconfirmed()),
		MayEnd: open && (i.By == v.User.Login || fleet.May(v.User.Role, fleet.ActApprove)),
	}
	if i.Quiet != fleet.NotQuiet {
		view.Quiet = v.L.T("urgent.quiet." + string(i.Quiet))
	}
	for _, g := range i.Signatures {
		view.Signatures = append(view.Signatures, v.L.T("urgent.by", signer(g.Name, g.By), v.L.Stamp(g.At, v.Now)))
	}
	done := 0
	for _, id := range i.Points {
		pt, ok := p.point[id]
		if !ok {
			continue
		}
		row, err := s.urgentGate(ctx, v, i, pt, p)
		if err != nil {
			return f, err
		}
		row.Name, row.Href, row.Unit, row.Contact = pt.Name, pointPath(pt.ID), p.unit[pt.Unit].Name, p.contact(v.L, pt)
		if row.rank == urgentDone {
			done++
		}
		view.Rows = append(view.Rows, row)
	}
	slices.SortStableFunc(view.Rows, func(a, b gateRow) int { return cmp.Compare(a.rank, b.rank) })
	view.Sum = v.L.T("urgent.sum", done, len(view.Rows))
	f.V = view
	return f, nil
}

// Ranks of gates on a board, what needs somebody first.
const (
	urgentRefused = iota
	urgentAway
	urgentPending
	urgentPlaying
	urgentDone
)

// urgentGate is where a gate is with an insertion, by its own records.
func (s *Server) urgentGate(ctx context.Context, v *visit, i fleet.Insertion, pt fleet.Point, p *places) (gateRow, error) {
	d, has := p.device[pt.ID]
	slot := i.Slot(s.o.Zone)
	if slot == "" || !has {
		if !has {
			return gateRow{State: deviceState{"", "i-plus", v.L.T("device.bare")}, rank: urgentAway}, nil
		}
		return gateRow{State: deviceState{"", "i-clock", v.L.T("urgent.gate.unsigned")}, rank: urgentPending}, nil
	}
	recs, err := s.o.Ledger.RecordsOfSlot(ctx, pt.ID, slot)
	if err != nil {
		return gateRow{}, fmt.Errorf("reading records: %w", err)
	}
	whole, reported := 0, map[wire.PlayID]bool{}
	var why wire.Outcome
	var first time.Time
	for _, rec := range recs {
		if rec.Kind != wire.RecordOutcome {
			continue
		}
		o, err := rec.Outcome()
		if err != nil || reported[o.Play] {
			continue
		}
		reported[o.Play] = true
		if o.Result == wire.PlayPlayed {
			whole++
			if at := wire.FromUS(o.StartedUS); first.IsZero() || at.Before(first) {
				first = at
			}
		} else {
			why = o
		}
	}
	count := v.L.T("urgent.gate.count", whole, i.Repeats)
	switch {
	case strings.HasPrefix(string(d.Playing), string(slot)+"#") && v.L.online(d, v.Now):
		return gateRow{State: deviceState{"info", "i-bars", v.L.T("urgent.gate.playing")}, Note: count, rank: urgentPlaying}, nil
	case whole == i.Repeats:
		return gateRow{State: deviceState{"ok", "i-check", v.L.T("urgent.gate.played")}, Note: v.L.T("urgent.gate.at", count, v.L.ClockSec(first)), rank: urgentDone}, nil
	case why.Play != "" && whole > 0:
		return gateRow{State: deviceState{"warn", "i-alert", v.L.T("urgent.gate.partly")}, Note: count + v.L.T("list") + v.L.reason(why.Reason), rank: urgentRefused}, nil
	case why.Play != "":
		return gateRow{State: deviceState{"bad", "i-cross", v.L.T("urgent.gate.refused")}, Note: v.L.reason(why.Reason), rank: urgentRefused}, nil
	case i.Standing(v.Now) != fleet.InsertionLive && whole == 0:
		return gateRow{State: deviceState{"", "i-dash", v.L.T("urgent.gate.not")}, rank: urgentAway}, nil
	case !v.L.online(d, v.Now):
		return gateRow{State: deviceState{"bad", "i-offline", v.L.T("urgent.gate.away")}, Note: v.L.T("urgent.gate.away.note", v.L.Clock(i.Until)), rank: urgentAway}, nil
	case whole > 0:
		return gateRow{State: deviceState{"info", "i-bars", v.L.T("urgent.gate.playing")}, Note: count, rank: urgentPlaying}, nil
	}
	return gateRow{State: deviceState{"warn", "i-clock", v.L.T("urgent.gate.sent")}, rank: urgentPending}, nil
}
