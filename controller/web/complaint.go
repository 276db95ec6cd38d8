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
	"gatecast/internal/wire"
)

// complaintFormView finds a point, shows what it played today, and takes a
// complaint about it.
type complaintFormView struct {
	Problem string
	Query   string
	Found   []foundPoint
	More    int // that match besides
	Point   *soundedView

	Channels, Measures       []option
	At, Reference, Text      string
	Gain                     string // dB that the point is turned down by now, as the form saw it
	Repeated                 int    // complaints about the point in 14 days
	Lowest, Offline, MayStop bool
	Lowered                  string // by how much, and until when; empty where it is not
	History                  string // path
	Compound, Property       string
}

type foundPoint struct{ Href, Name, Code, Compound, Unit string }

// soundedView is what a point played on a day, and how loud.
type soundedView struct {
	ID         fleet.PointID
	Name, Code string
	Href, Unit string
	State      deviceState
	Plays      []soundedRow
	Sounded    int
	Mixer      string
	Measured   string // dB on site; empty where nobody measured
}

type soundedRow struct {
	At, Slot, Clip, Length, Level, Result string
	Tone                                  string
}

// maxFound bounds the points that a search shows.
const maxFound = 20

func (s *Server) complaintForm(ctx context.Context, v *visit, r *http.Request) (frame, error) {
	return s.complaintPage(ctx, v, r, r.URL.Query(), "")
}

// complaintPage is the form with what was typed in it.
func (s *Server) complaintPage(ctx context.Context, v *visit, r *http.Request, in url.Values, problem string) (frame, error) {
	f, err := s.frame(ctx, v, r, "complaint.new", "points")
	if err != nil {
		return f, err
	}
	p, err := s.places(ctx, fleet.PointFilter{})
	if err != nil {
		return f, err
	}
	view := &complaintFormView{
		Problem: problem, Query: strings.TrimSpace(in.Get("q")), At: in.Get("at"), Reference: in.Get("reference"), Text: in.Get("text"),
		MayStop: fleet.May(v.User.Role, fleet.ActMute),
	}
	if view.At == "" {
		view.At = v.L.in(v.Now).Format("2006-01-02 15:04")
	}
	f.V = view
	id, _ := strconv.ParseInt(in.Get("point"), 10, 64)
	pt, ok := p.point[fleet.PointID(id)]
	if !ok {
		view.find(p)
		return f, nil
	}
	for _, c := range fleet.Channels {
		view.Channels = append(view.Channels, option{Value: string(c), Text: v.L.T("channel." + string(c)), On: in.Get("channel") == string(c) || in.Get("channel") == "" && c == fleet.Hotline})
	}
	levels, err := s.o.Complaints.Levels(ctx, pt.ID)
	if err != nil {
		return f, fmt.Errorf("reading levels: %w", err)
	}
	gain := fleet.GainAt(levels, v.Now)
	view.Gain, view.Lowest = strconv.FormatFloat(gain, 'f', -1, 64), gain <= fleet.MaxLevel
	if gain < 0 {
		view.Lowered = v.L.T("complaint.lowered", v.L.decibels(gain), v.L.levelUntil(levels, v.Now))
	}
	for _, m := range fleet.Measures {
		if m == fleet.MeasureStop && !view.MayStop {
			continue
		}
		view.Measures = append(view.Measures, option{Value: string(m), Text: v.L.T("measure." + string(m) + ".button"), On: in.Get("measure") == string(m)})
	}
	_, view.Repeated, err = s.o.Complaints.Complaints(ctx, fleet.ComplaintFilter{Point: pt.ID, From: v.Now.AddDate(0, 0, -14), Limit: 1})
	if err != nil {
		return f, fmt.Errorf("reading complaints: %w", err)
	}
	view.History = "/complaints?point=" + fmt.Sprint(pt.ID)
	view.Compound, view.Property = p.compound[pt.Compound].Name, p.compound[pt.Compound].Property
	view.Offline = p.device[pt.ID].ID != "" && !v.L.online(p.device[pt.ID], v.Now)
	if view.Point, err = s.sounded(ctx, v, p, pt, levels, v.Now); err != nil {
		return f, err
	}
	return f, nil
}

// find lists the points that match what was typed, by compound, gate and unit.
func (v *complaintFormView) find(p *places) {
	query := strings.ToLower(v.Query)
	for _, pt := range p.points {
		c := p.compound[pt.Compound].Name
		if query == "" || !strings.Contains(strings.ToLower(c+"\n"+pt.Name+"\n"+pt.Code+"\n"+p.unit[pt.Unit].Name), query) {
			continue
		}
		if len(v.Found) >= maxFound {
			v.More++
			continue
		}
		v.Found = append(v.Found, foundPoint{
			Href: "/complaints/new?" + url.Values{"point": {fmt.Sprint(pt.ID)}, "q": {v.Query}}.Encode(), Name: pt.Name, Code: pt.Code, Compound: c, Unit: p.unit[pt.Unit].Name,
		})
	}
}

// maxSounded is how many outcomes of a point are looked at for a day's plays.
const maxSounded = 120

// sounded is what the point played on the office's day of at.
func (s *Server) sounded(ctx context.Context, v *visit, p *places, pt fleet.Point, levels []fleet.Level, at time.Time) (*soundedView, error) {
	d := p.device[pt.ID]
	view := &soundedView{ID: pt.ID, Name: pt.Name, Code: pt.Code, Href: pointPath(pt.ID), Unit: p.unit[pt.Unit].Name, Mixer: d.Output.Mixer}
	view.State, _ = p.stateOf(v.L, pt.ID, v.Now)
	measured, err := s.o.Calibrations.Calibrations(ctx, pt.ID)
	if err != nil {
		return nil, fmt.Errorf("reading calibrations: %w", err)
	}
	if len(measured) > 0 {
		m := measured[0]
		view.Measured = v.L.T("sounded.measured", v.L.Date(v.L.Day(m.Day)), fmt.Sprintf("%.0f", m.OnDB), fmt.Sprintf("%.0f", m.OffDB))
	}
	records, err := s.o.Ledger.PlaysOfPoint(ctx, pt.ID, maxSounded)
	if err != nil {
		return nil, fmt.Errorf("reading plays: %w", err)
	}
	clips, err := s.o.Clips.Clips(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading clips: %w", err)
	}
	gains := map[wire.SlotID]float64{} // of the newest plan, with what is turned down now
	if d.ID != "" {
		plan, err := s.o.Plans.PlanOf(ctx, d.ID)
		if err != nil && fleet.CodeOf(err) != fleet.NotFound {
			return nil, fmt.Errorf("reading the plan of a device: %w", err)
		}
		for _, sl := range plan.Slots {
			gains[sl.ID] = sl.GainDB - gainThen(levels, wire.FromUS(plan.IssuedUS), time.Unix(sl.StartS, 0))
		}
	}
	day := s.dayOf(at)
	for _, rec := range records {
		o, err := rec.Outcome()
		if err != nil {
			continue // its record is shown at the point
		}
		start := wire.FromUS(o.StartedUS)
		if o.StartedUS == 0 {
			start = wire.FromUS(o.PlannedUS)
		}
		if s.dayOf(start) != day {
			continue
		}
		view.Plays = append(view.Plays, v.L.soundedRow(o, start, clips, gains, levels))
		if o.SoundMS > 0 {
			view.Sounded++
		}
	}
	slices.Reverse(view.Plays)
	return view, nil
}

func (l *lang) soundedRow(o wire.Outcome, start time.Time, clips []fleet.Clip, gains map[wire.SlotID]float64, levels []fleet.Level) soundedRow {
	row := soundedRow{At: l.ClockSec(start), Clip: short(o.Clip), Length: l.Length(time.Duration(o.SoundMS) * time.Millisecond), Level: l.T("none")}
	if i := slices.IndexFunc(clips, func(c fleet.Clip) bool { return c.SHA256 == o.Clip }); i >= 0 {
		row.Clip = clips[i].Title
	}
	row.Result, row.Tone = l.T("result."+string(o.Result)), "ok"
	if o.Result != wire.PlayPlayed {
		row.Tone = "warn"
		if o.Reason != "" {
			row.Result += l.T("comma") + l.reason(o.Reason)
		}
	}
	if gain, ok := gains[o.Slot]; ok && o.SoundMS > 0 {
		row.Level = l.decibels(gain + gainThen(levels, start, start))
	}
	return row
}

// gainThen is by how much levels, as they were at an instant, turn down a slot
// that starts at start.
func gainThen(levels []fleet.Level, at, start time.Time) float64 {
	var then []fleet.Level
	for _, lv := range levels {
		if !lv.At.After(at) && (lv.Ended.IsZero() || at.Before(lv.Ended)) {
			lv.Ended = time.Time{}
			then = append(then, lv)
		}
	}
	return fleet.GainAt(then, start)
}

// takeComplaint takes the form.
func (s *Server) takeComplaint(w http.ResponseWriter, r *http.Request, v *visit) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		return &fleet.Error{Code: fleet.Invalid, Text: v.L.T("error.form"), TextEN: v.L.T("error.form"), Err: err}
	}
	id, _ := strconv.ParseInt(r.FormValue("point"), 10, 64)
	c := fleet.Complaint{
		Point: fleet.PointID(id), Channel: fleet.Channel(r.FormValue("channel")), Reference: r.FormValue("reference"),
		Text: strings.ReplaceAll(r.FormValue("text"), "\r\n", "\n"), Measure: fleet.Measure(r.FormValue("measure")),
	}
	gain, _ := strconv.ParseFloat(r.FormValue("gain"), 64) // nonsense is another value than the one in force
	at, err := time.ParseInLocation("2006-01-02 15:04", strings.TrimSpace(r.FormValue("at")), s.o.Zone)
	if err == nil {
		if c.At = at; c.At.After(v.Now) && c.At.Sub(v.Now) < time.Minute {
			c.At = v.Now
		}
		ctx, _ := s.withAudit(r, v, fleet.Audit{What: fleet.AuditComplaint, Object: fmt.Sprint(id), Detail: string(c.Measure), After: fleet.Fields("channel", string(c.Channel), "measure", string(c.Measure))})
		c, err = s.o.ComplaintDesk.Take(ctx, v.User, c, gain, v.Now)
		if c.Mute != 0 {
			s.audit(r, v, fleet.AuditMute, fmt.Sprint(c.Mute), fmt.Sprintf("points [%d]", id))
		}
	} else {
		err = &fleet.Error{Code: fleet.Invalid, Text: s.langs["zh"].T("complaint.error.at"), TextEN: s.langs["en"].T("complaint.error.at")}
	}
	var refused *fleet.Error
	if errors.As(err, &refused) && (refused.Code == fleet.Invalid || refused.Code == fleet.Conflict) {
		f, err := s.complaintPage(r.Context(), v, r, r.Form, v.L.Error(refused))
		if err != nil {
			return err
		}
		return s.show(w, statuses[refused.Code], "complaintnew", f)
	}
	if err != nil {
		return err
	}
	return redirect(w, r, complaintPath(c.ID)+"?done=complaint_"+string(c.Measure))
}

// complaintView is one complaint, what was done and what to answer.
type complaintView struct {
	complaintRow
	ID       fleet.ComplaintID
	By       string
	Effect   deviceState // of the measure, at the gate
	Counts   string      // how slots count
	MuteHref string
	Levels   []levelRow
	Lowered  bool // the point is turned down now
	MayAct   bool
	Point    *soundedView
	Reply    string // what was answered, or what to answer
	Answered bool
	Problem  string
	History  string
}

type levelRow struct {
	At, By, Change, Until string
	State                 deviceState
}

func (s *Server) complaintOf(ctx context.Context, r *http.Request) (fleet.Complaint, error) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil {
		return fleet.Complaint{}, errNoPage
	}
	return s.o.Complaints.Complaint(ctx, fleet.ComplaintID(id))
}

func (s *Server) complaint(ctx context.Context, v *visit, r *http.Request) (frame, error) {
	return s.complaintShown(ctx, v, r, "", "")
}

// complaintShown is the page with an answer that was not taken, and why.
func (s *Server) complaintShown(ctx context.Context, v *visit, r *http.Request, typed, problem string) (frame, error) {
	f, err := s.frame(ctx, v, r, "complaint.title", "points")
	if err != nil {
		return f, err
	}
	c, err := s.complaintOf(ctx, r)
	if err != nil {
		return f, err
	}
	p, err := s.places(ctx, fleet.PointFilter{})
	if err != nil {
		return f, err
	}
	pt := p.point[c.Point]
	levels, err := s.o.Complaints.Levels(ctx, c.Point)
	if err != nil {
		return f, fmt.Errorf("reading levels: %w", err)
	}
	view := &complaintView{
		complaintRow: v.L.complaintRow(p, c, v.Now), ID: c.ID, By: c.By, MayAct: fleet.May(v.User.Role, fleet.ActActivate), Problem: problem,
		Lowered: fleet.GainAt(levels, v.Now) < 0, Answered: !c.Replied.IsZero(), History: "/complaints?point=" + fmt.Sprint(c.Point),
	}
	if view.Point, err = s.sounded(ctx, v, p, pt, levels, c.At); err != nil {
		return f, err
	}
	for _, lv := range levels {
		view.Levels = append(view.Levels, v.L.levelRow(lv, v.Now))
	}
	s.effect(v, view, c, p.device[c.Point], levels)
	switch {
	case typed != "":
		view.Reply = typed
	case c.Reply != "":
		view.Reply = c.Reply
	default:
		view.Reply = s.replyText(v, f.Site, p, c, view.Point, levels)
	}
	f.V = view
	return f, nil
}

func (l *lang) levelRow(lv fleet.Level, now time.Time) levelRow {
	row := levelRow{At: l.Stamp(lv.At, now), By: lv.By, Change: l.decibels(lv.GainDB), Until: l.levelUntil([]fleet.Level{lv}, now)}
	switch {
	case !lv.Ended.IsZero():
		row.State = deviceState{"", "i-check", l.T("level.restored", l.Stamp(lv.Ended, now), lv.EndedBy)}
		row.Until = lv.EndReason
	case lv.Open(now):
		row.State = deviceState{"warn", "i-speaker", l.T("level.open")}
	default:
		row.State = deviceState{"", "i-check", l.T("level.over")}
		row.Until = l.Stamp(lv.Until, now)
	}
	return row
}

// effect says what the measure of a complaint does at the gate now, and how the
// slots of it count.
func (s *Server) effect(v *visit, view *complaintView, c fleet.Complaint, d fleet.Device, levels []fleet.Level) {
	pending := deviceState{"warn", "i-export", v.L.T("effect.pending")}
	if d.ID == "" || !v.L.online(d, v.Now) {
		pending = deviceState{"bad", "i-offline", v.L.T("effect.offline")}
	}
	switch c.Measure {
	case fleet.MeasureLower, fleet.MeasureLasting:
		view.Counts = v.L.T("effect.counts.lower")
		i := slices.IndexFunc(levels, func(l fleet.Level) bool { return l.Complaint == c.ID })
		switch {
		case i < 0 || !levels[i].Open(v.Now):
			view.Effect = deviceState{"", "i-check", v.L.T("effect.over")}
		case d.WantVersion != 0 && d.PlanVersion == d.WantVersion && d.PlanHash == d.WantHash:
			view.Effect = deviceState{"ok", "i-check", v.L.T("effect.there")}
		default:
			view.Effect = pending
		}
	case fleet.MeasureStop:
		view.MuteHref = mutePath(c.Mute)
		mutes := s.o.Mutes.All()
		i := slices.IndexFunc(mutes, func(m fleet.Mute) bool { return m.ID == c.Mute })
		if i < 0 {
			return
		}
		m := mutes[i]
		view.Counts = v.L.T("effect.counts.stop." + strconv.FormatBool(!m.Approved.IsZero()))
		switch {
		case !m.Open(v.Now):
			view.Effect = deviceState{"", "i-check", v.L.T("effect.over")}
		case d.Mute.Number >= m.Number && d.Mute.On:
			view.Effect = deviceState{"ok", "i-check", v.L.T("effect.there")}
		default:
			view.Effect = pending
		}
	case fleet.MeasureNone:
		view.Effect = deviceState{"", "i-info", v.L.T("effect.none")}
	}
}

// replyText is what to answer, from what is known: when the point played, how
// loud it is, what was measured and what was done.
func (s *Server) replyText(v *visit, site string, p *places, c fleet.Complaint, sounded *soundedView, levels []fleet.Level) string {
	l := v.L
	pt := p.point[c.Point]
	name := p.compound[pt.Compound].Name
	if !strings.Contains(pt.Name, name) {
		name += pt.Name
	} else {
		name = pt.Name
	}
	var heard []soundedRow
	for _, row := range sounded.Plays {
		if row.Tone == "ok" {
			heard = append(heard, row)
		}
	}
	parts := []string{l.T("reply.head", l.in(c.At).Format("2006-01-02 15:04"), name)}
	if len(heard) == 0 {
		parts = append(parts, l.T("reply.silent"))
	} else {
		parts = append(parts, l.T("reply.played", len(heard), heard[0].At, heard[len(heard)-1].At))
	}
	parts = append(parts, l.T("reply.loudness"))
	if sounded.Measured != "" {
		parts = append(parts, l.T("reply.measured", sounded.Measured))
	}
	until := ""
	if i := slices.IndexFunc(levels, func(lv fleet.Level) bool { return lv.Complaint == c.ID }); i >= 0 && !levels[i].Until.IsZero() {
		until = l.in(levels[i].Until).Format("2006-01-02 15:04")
	}
	parts = append(parts, l.T("reply."+string(c.Measure), fmt.Sprintf("%.0f", -fleet.LevelStep), until), l.T("reply.tail"))
	if site != "" {
		parts = append(parts, site)
	}
	return strings.Join(parts, "")
}

// answerComplaint keeps what was answered.
func (s *Server) answerComplaint(w http.ResponseWriter, r *http.Request, v *visit) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	c, err := s.complaintOf(r.Context(), r)
	if err != nil {
		return err
	}
	ctx, _ := s.withAudit(r, v, fleet.Audit{What: fleet.AuditComplaintReply, Object: fmt.Sprint(c.ID), Before: c.Reply, After: r.FormValue("reply")})
	err = s.o.ComplaintDesk.Answer(ctx, v.User, c.ID, r.FormValue("reply"), v.Now)
	var refused *fleet.Error
	if errors.As(err, &refused) && refused.Code == fleet.Invalid {
		f, err := s.complaintShown(r.Context(), v, r, r.FormValue("reply"), v.L.Error(refused))
		if err != nil {
			return err
		}
		return s.show(w, http.StatusUnprocessableEntity, "complaint", f)
	}
	if err != nil {
		return err
	}
	return redirect(w, r, complaintPath(c.ID)+"?done=complaint_answered")
}

// restoreLevel lets the point of a complaint sound as before.
func (s *Server) restoreLevel(w http.ResponseWriter, r *http.Request, v *visit) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	c, err := s.complaintOf(r.Context(), r)
	if err != nil {
		return err
	}
	ctx, _ := s.withAudit(r, v, fleet.Audit{What: fleet.AuditRestoreLevel, Object: fmt.Sprint(c.Point), Detail: r.FormValue("reason")})
	if err := s.o.ComplaintDesk.Restore(ctx, v.User, c.Point, r.FormValue("reason"), v.Now); err != nil {
		return err
	}
	return redirect(w, r, complaintPath(c.ID)+"?done=level_restored")
}
