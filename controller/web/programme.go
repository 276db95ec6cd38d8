package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"gatecast/controller/fleet"
	"gatecast/schedules"
)

// programmeView is one version: its preview, its problems, and where every
// point is with it.
type programmeView struct {
	ID         fleet.ProgrammeID
	Href       string
	Name, Code string
	Version    int
	State      string
	Tone       string
	Active     bool
	Superseded bool
	Uploaded   string
	By         string
	Activated  string
	YAML       string
	Lines      int
	Problems   []problemRow
	Blocked    bool
	MayWrite   bool
	Preview    *previewView
	Change     *changeView
	Delivery   *deliveryView
	Effect     *effectView // of putting it in force; nil where that was not asked for
}

// previewView is what one point would sound on some days.
type previewView struct {
	Points []option
	Point  string
	From   string // 2006-01-02
	Days   []option
	Rows   []previewDay
	Slots  int
	Silent int
	Sound  string // a day at most
}

type previewDay struct {
	Date, Weekday string
	DayType       string
	Off           bool // rest day or holiday
	Today         bool
	Slots         []previewSlot
	More          []previewSlot // beyond maxPreview
}

type previewSlot struct {
	Name, Window string
	Plays        int
	Every        string
	Clips        string
	Silenced     string // rule's text; empty when it sounds
	Lowered      string // likewise of the rule that has it sound lower
}

// changeView says what activation would do.
type changeView struct {
	Change
	From, To string
	Error    string // why it cannot be activated
}

// maxPreview is how many slots of a day stand open; the rest unfolds.
const maxPreview = 9

// previewDays are the lengths of preview there are.
var previewDays = []int{7, 14, 31}

func (s *Server) programme(ctx context.Context, v *visit, r *http.Request) (frame, error) {
	f, err := s.frame(ctx, v, r, "", "programmes")
	if err != nil {
		return f, err
	}
	prog, err := s.programmeOf(r)
	if err != nil {
		return f, err
	}
	p, err := s.places(ctx, fleet.PointFilter{})
	if err != nil {
		return f, err
	}
	view := &programmeView{
		ID: prog.ID, Href: programmePath(prog.ID), Name: prog.Name, Code: prog.Code, Version: prog.Version,
		Active: prog.State == fleet.Active, Superseded: prog.State == fleet.Superseded,
		Uploaded: v.L.Stamp(prog.Uploaded, v.Now), By: prog.By, Activated: v.L.Stamp(prog.Activated, v.Now),
		YAML: string(prog.YAML), MayWrite: fleet.May(v.User.Role, fleet.ActActivate),
	}
	view.State, view.Tone = v.L.programmeState(prog)
	if err := s.preview(ctx, v, r, prog, p, view); err != nil {
		return f, err
	}
	if view.Active {
		view.Delivery = v.L.deliveryOf(p, v.Now)
	}
	f.Title, f.V = prog.Name+" "+v.L.T("plan.version", prog.Version), view
	return f, nil
}

// preview fills in the calendar for the point and days that the URL asks for.
func (s *Server) preview(ctx context.Context, v *visit, r *http.Request, prog fleet.Programme, p *places, view *programmeView) error {
	q := r.URL.Query()
	days, _ := strconv.Atoi(q.Get("days"))
	pv := &previewView{From: string(s.dayOf(v.Now))}
	if validDay(q.Get("from")) {
		pv.From = q.Get("from")
	}
	if days != 14 && days != 31 {
		days = 7
	}
	for _, n := range previewDays {
		pv.Days = append(pv.Days, option{Value: strconv.Itoa(n), Text: v.L.T("preview.days", n), On: n == days})
	}
	chosen := s.choosePoint(p, q.Get("point"), prog, pv)
	if chosen == 0 {
		return nil
	}
	pv.Point = p.point[chosen].Name
	from, err := schedules.ParseDate(pv.From)
	if err != nil {
		return errNoPage
	}
	slots, problems, err := s.o.Planner.Preview(ctx, prog.Name, prog.YAML, []fleet.PointID{chosen}, from, days, v.Now)
	if err != nil {
		return fmt.Errorf("previewing programme: %w", err)
	}
	view.Problems = v.L.problems(problems)
	for _, pr := range problems {
		view.Blocked = view.Blocked || pr.Blocking
	}
	titles, err := s.clipTitles(ctx)
	if err != nil {
		return err
	}
	cal, err := s.calendar(ctx)
	if err != nil {
		return err
	}
	v.L.fillPreview(cal, pv, slots[chosen], from, days, titles, v.Now)
	view.Preview = pv
	return nil
}

// choosePoint lists the points and returns the one asked for, otherwise the
// first of the kind that the programme's name suggests least: simply the first.
func (s *Server) choosePoint(p *places, asked string, prog fleet.Programme, pv *previewView) fleet.PointID {
	want, _ := strconv.ParseInt(asked, 10, 64)
	chosen := fleet.PointID(0)
	if _, ok := p.point[fleet.PointID(want)]; ok {
		chosen = fleet.PointID(want)
	} else if len(p.points) > 0 {
		chosen = p.points[0].ID
	}
	for _, pt := range p.points {
		pv.Points = append(pv.Points, option{Value: fmt.Sprint(pt.ID), Text: pt.Name, On: pt.ID == chosen})
	}
	return chosen
}

// clipTitles are titles by name and by hash.
func (s *Server) clipTitles(ctx context.Context) (map[string]string, error) {
	all, err := s.o.Clips.Clips(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading clips: %w", err)
	}
	titles := map[string]string{}
	for _, c := range all {
		titles[c.Name], titles[c.SHA256] = c.Title, c.Title
	}
	return titles, nil
}

func (l *lang) fillPreview(cal *schedules.Calendar, pv *previewView, slots []schedules.Slot, from schedules.Date, days int, titles map[string]string, now time.Time) {
	byDay := map[schedules.Date][]schedules.Slot{}
	for _, slot := range slots {
		byDay[slot.Date] = append(byDay[slot.Date], slot)
	}
	today := schedules.DateOf(now, l.zone)
	for i := range days {
		date := from.AddDays(i)
		kind, _ := cal.DayType(date)
		row := previewDay{Today: date == today}
		noon := time.Date(date.Year, date.Month, date.Day, 12, 0, 0, 0, l.zone)
		row.Date, row.Weekday = l.Date(noon), l.Weekday(noon)
		for _, slot := range byDay[date] {
			kind = slot.DayType
			row.Slots = append(row.Slots, l.previewSlot(slot, titles))
			pv.Slots++
			if slot.Silenced != nil {
				pv.Silent++
			}
		}
		if len(row.Slots) > maxPreview {
			row.Slots, row.More = row.Slots[:maxPreview], row.Slots[maxPreview:]
		}
		row.DayType = l.dayWord(cal, string(kind), fleet.Day(date.String()))
		row.Off = kind == schedules.RestDay || kind == schedules.Holiday
		pv.Rows = append(pv.Rows, row)
	}
}

func (l *lang) previewSlot(s schedules.Slot, titles map[string]string) previewSlot {
	out := previewSlot{Name: s.Name, Window: l.Clock(s.Start) + "–" + l.Clock(s.End), Plays: s.Count, Every: l.Span(s.Every), Clips: l.clipNames(s, titles), Lowered: l.lowered(s)}
	if s.Silenced != nil {
		out.Silenced = s.Silenced.In(l.code)
	}
	return out
}

// confirmProgramme shows what activation would change, and asks.
func (s *Server) confirmProgramme(ctx context.Context, v *visit, r *http.Request) (frame, error) {
	f, err := s.programme(ctx, v, r)
	if err != nil {
		return f, err
	}
	view, ok := f.V.(*programmeView)
	if !ok {
		return f, fmt.Errorf("view of a programme is %T", f.V)
	}
	c, err := s.o.Planner.WhatIf(ctx, view.ID, v.Now)
	var fe *fleet.Error
	switch {
	case errors.As(err, &fe) && fe.Code != fleet.Internal:
		view.Change = &changeView{Error: v.L.Error(fe)}
	case err != nil:
		return f, fmt.Errorf("computing what would change: %w", err)
	default:
		c.Kept -= c.Altered
		view.Change = &changeView{Change: c, From: v.L.Date(c.From), To: v.L.Date(c.To)}
		if view.Effect, err = s.programmeEffect(ctx, v, view.Name, []byte(view.YAML)); err != nil {
			return f, err
		}
	}
	return f, nil
}

// programmeEffect is what putting a programme in force would do to the slots of
// the coming month; nil where its problems forbid to say.
func (s *Server) programmeEffect(ctx context.Context, v *visit, file string, yaml []byte) (*effectView, error) {
	eff, _, err := s.o.Outlook.ProgrammeEffect(ctx, file, yaml, v.Now)
	if err != nil || eff == nil {
		return nil, err
	}
	points, err := s.o.Registry.Points(ctx, fleet.PointFilter{})
	if err != nil {
		return nil, fmt.Errorf("reading points: %w", err)
	}
	cal, err := s.calendar(ctx)
	if err != nil {
		return nil, err
	}
	return s.effectView(v.L, cal, eff, points, v.Now), nil
}

// activeVersion is the version of a programme in force, as a field of the audit.
func (s *Server) activeVersion(ctx context.Context, code string) (string, error) {
	all, err := s.o.Programmes.Programmes(ctx)
	if err != nil {
		return "", fmt.Errorf("reading programmes: %w", err)
	}
	for _, p := range all {
		if p.Code == code && p.State == fleet.Active {
			return fleet.Fields("version", strconv.Itoa(p.Version)), nil
		}
	}
	return "", nil
}

// activateProgramme puts a version in force.
func (s *Server) activateProgramme(w http.ResponseWriter, r *http.Request, v *visit) error {
	p, err := s.programmeOf(r)
	if err != nil {
		return err
	}
	was, err := s.activeVersion(r.Context(), p.Code)
	if err != nil {
		return err
	}
	ctx, line := s.withAudit(r, v, fleet.Audit{What: fleet.AuditActivate, Object: p.Name, Before: was, After: fleet.Fields("version", strconv.Itoa(p.Version))})
	_, err = s.o.Planner.Activate(ctx, p.ID, v.Now)
	if fe := (*fleet.Error)(nil); errors.As(err, &fe) && fe.Code != fleet.Internal {
		return redirect(w, r, programmePath(p.ID)+"/activate") // which says why
	}
	if err != nil {
		return fmt.Errorf("activating programme %q: %w", p.Code, err)
	}
	s.audited(r, line)
	return redirect(w, r, programmePath(p.ID)+"?done=activated")
}
