package web

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// noticeView is what the 扣分告知单 says, for the office, the unit and on paper.
type noticeView struct {
	Number, Unit, Day, Points, Ground string
	Rule                              ruleRow
	RuleCode                          string
	By, Notified, Deadline            string
	State                             deviceState
	Decision, Reason                  string // who decided what and when; empty before
	Proofs                            []proofRow
	Appeals                           []appealRow
	Total                             string // what counts of the unit this year
}

type proofRow struct {
	Point, Code, Day, Slot, Verdict, Reason, Seen, Plan, Records string
	Link                                                         []string // the office's outages within the slot
	Peers                                                        string
}

type appealRow struct{ At, Who, Text, Photo string }

// deductionView is the office's page of one.
type deductionView struct {
	ID        fleet.DeductionID
	N         noticeView
	Sources   []sourceView
	Steps     []stepRow
	Problem   string
	Days      string // typed for the notice
	Reason    string // typed for a decision
	Draft     bool
	MayNotify bool
	MayDrop   bool
	MayUphold bool
	MayRevoke bool
	Waits     string // why the reader may not decide
	Paper     string
}

type stepRow struct{ At, Text, Who, Reason string }

// sourceView is what is known today about the hours of a slot.
type sourceView struct {
	Title, Href string
	Now         string // verdict in the ledger today
	Log         []logRow
	Outages     []outageRow
	Near        []nearSlot
}

type logRow struct{ At, Kind, Level string }

type nearSlot struct{ Name, Href, Verdict, Reason string }

// The page shows the hours around each of the first slots.
const (
	maxSources  = 12
	beforeSlot  = time.Hour
	afterSlot   = 4 * time.Hour
	defaultDays = "5"
)

func deductionID(r *http.Request) (fleet.DeductionID, error) {
	n, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil || n < 1 {
		return 0, errNoPage
	}
	return fleet.DeductionID(n), nil
}

// notice says what a deduction says; photos is the path that their ids follow.
func (s *Server) notice(ctx context.Context, v *visit, d fleet.DeductionFile, photos string) (noticeView, error) {
	n := noticeView{
		Number: v.L.deductionNumber(d.Deduction), Unit: d.Name, Day: v.L.Date(v.L.Day(d.Day)), Points: d.Points.String(), Ground: d.Ground, By: d.ByName,
		Rule: v.L.ruleRow(d.Rule, v.Now), RuleCode: d.Rule.Code, State: v.L.deductionState(d.State),
	}
	if !d.Notified.IsZero() {
		n.Notified, n.Deadline = v.L.Date(d.Notified), v.L.T("deduction.until", v.L.Date(d.Deadline.Add(-time.Second)))
	}
	if !d.Decided.IsZero() {
		n.Decision, n.Reason = v.L.T("deduction.decided", v.L.T("deduction.state."+string(d.State)), d.DecidedBy, v.L.Stamp(d.Decided, v.Now)), d.Reason
	}
	for _, p := range d.Proofs {
		n.Proofs = append(n.Proofs, v.L.proofRow(p, v.Now))
	}
	for _, a := range d.Appeals {
		row := appealRow{At: v.L.Stamp(a.At, v.Now), Who: a.Name, Text: a.Text}
		if a.Photo {
			row.Photo = fmt.Sprintf("%s/photos/%d", photos, a.ID)
		}
		n.Appeals = append(n.Appeals, row)
	}
	year := d.Day[:5]
	all, _, err := s.o.DeductionBook.Deductions(ctx, fleet.DeductionFilter{From: year + "01-01", To: year + "12-31", Unit: d.Unit})
	if err != nil {
		return n, err
	}
	total := fleet.Hundredths(0)
	for _, t := range fleet.DeductionTotals(all) {
		total += t.Points
	}
	n.Total = v.L.T("deduction.total", string(year[:4]), total.String())
	return n, nil
}

func (l *lang) proofRow(p fleet.Proof, now time.Time) proofRow {
	row := proofRow{
		Point: p.PointName, Code: p.PointCode, Day: l.Date(l.Day(p.Day)), Slot: fmt.Sprintf("%s %s–%s", p.SlotName, l.in(p.Start).Format("15:04"), l.in(p.End).Format("15:04")),
		Verdict: l.T("verdict." + string(p.Verdict)), Reason: l.reason(p.Reason), Plan: l.T("slot.programme", p.Programme, p.Version), Records: l.T("deduction.records", p.Records),
	}
	if p.Note != "" {
		row.Reason = l.note(p.Note) + " " + row.Reason
	}
	switch {
	case p.Device == "":
		row.Seen = l.T("deduction.seen.none")
	case p.LastSeen.IsZero():
		row.Seen = l.T("deduction.seen.never")
	default:
		row.Seen = l.T("deduction.seen", l.in(p.LastSeen).Format("2006-01-02 15:04"))
	}
	for _, o := range p.Link {
		row.Link = append(row.Link, l.outageText(o, now))
	}
	if p.Peers.Owed > 0 {
		row.Peers = l.T("deduction.peers", p.Peers.Owed, p.Peers.Played, p.Peers.Missed+p.Peers.Pending)
	}
	return row
}

func (l *lang) outageText(o fleet.Outage, now time.Time) string {
	row := l.outage(o, now)
	return row.Kind + " " + row.When
}

func (s *Server) deduction(ctx context.Context, v *visit, r *http.Request) (frame, error) {
	return s.deductionPage(ctx, v, r, nil, "")
}

// deductionPage shows one; typed is what a form that was refused held.
func (s *Server) deductionPage(ctx context.Context, v *visit, r *http.Request, typed url.Values, problem string) (frame, error) {
	f, err := s.frame(ctx, v, r, "", "compliance")
	if err != nil {
		return f, err
	}
	id, err := deductionID(r)
	if err != nil {
		return f, err
	}
	d, err := s.o.DeductionBook.DeductionFile(ctx, id)
	if err != nil {
		return f, err
	}
	view := &deductionView{ID: id, Problem: problem, Days: defaultDays, Reason: typed.Get("reason"), Paper: deductionPath(id) + "/notice", Draft: d.State == fleet.DeductionDraft}
	if typed.Has("days") {
		view.Days = typed.Get("days")
	}
	if view.N, err = s.notice(ctx, v, d, deductionPath(id)); err != nil {
		return f, err
	}
	compose, decide := fleet.May(v.User.Role, fleet.ActCompose), fleet.May(v.User.Role, fleet.ActPublish)
	view.MayNotify, view.MayDrop = compose && view.Draft, compose && view.Draft
	open := !view.Draft && d.State.May(fleet.DeductionRevoked)
	switch {
	case !open:
	case !decide:
		view.Waits = v.L.T("deduction.waits.role")
	case v.User.Login == d.By:
		view.Waits = v.L.T("deduction.waits.maker")
	default:
		view.MayRevoke = true
		view.MayUphold = d.State == fleet.DeductionAppealed || d.State == fleet.DeductionNotified && !v.Now.Before(d.Deadline)
	}
	for _, p := range d.Steps {
		text := v.L.T("deduction.state." + string(p.To))
		if p.From == p.To {
			text = v.L.T("deduction.added")
		}
		view.Steps = append(view.Steps, stepRow{At: v.L.in(p.At).Format("2006-01-02 15:04"), Text: text, Who: p.Name, Reason: p.Reason})
	}
	for _, p := range d.Proofs[:min(len(d.Proofs), maxSources)] {
		src, err := s.sourceOf(ctx, v, d.Unit, p)
		if err != nil {
			return f, err
		}
		view.Sources = append(view.Sources, src)
	}
	f.Title, f.V = view.N.Number, view
	return f, nil
}

// told are the records that say something about power, clock and program.
var told = []wire.RecordKind{wire.RecordBoot, wire.RecordStop, wire.RecordClock, wire.RecordGap, wire.RecordIncident}

// sourceOf reads what the ledger, the device and the neighbours say today about
// the hours of a slot.
func (s *Server) sourceOf(ctx context.Context, v *visit, unit fleet.UnitID, p fleet.Proof) (sourceView, error) {
	src := sourceView{Title: fmt.Sprintf("%s %s %s", p.PointName, v.L.Date(v.L.Day(p.Day)), p.SlotName), Href: fmt.Sprintf("%s/slots/%s", pointPath(p.Point), url.PathEscape(string(p.Slot)))}
	o, err := s.o.Ledger.Obligation(ctx, p.Point, p.Slot)
	if err != nil {
		return src, fmt.Errorf("reading obligation: %w", err)
	}
	src.Now = v.L.T("verdict." + string(o.Verdict))
	from, to := p.Start.Add(-beforeSlot), p.End.Add(afterSlot)
	records, err := s.o.DeductionBook.MachineRecords(ctx, p.Point, from, to)
	if err != nil {
		return src, err
	}
	for _, rec := range records {
		if slices.Contains(told, rec.Kind) {
			row := v.L.recordRow(rec, v.Now)
			src.Log = append(src.Log, logRow{At: row.At, Kind: row.Kind, Level: row.Level})
		}
	}
	outages, err := s.o.Figures.Outages(ctx, from, to)
	if err != nil {
		return src, fmt.Errorf("reading outages: %w", err)
	}
	for _, o := range outages {
		src.Outages = append(src.Outages, v.L.outage(o, v.Now))
	}
	near, err := s.o.Figures.Slots(ctx, fleet.SlotQuery{From: p.Day, To: p.Day, Unit: unit, Name: p.SlotName, Limit: 50})
	if err != nil {
		return src, fmt.Errorf("reading slots of the unit: %w", err)
	}
	for _, o := range near {
		if o.Point == p.Point {
			continue
		}
		pt, err := s.o.Registry.Point(ctx, o.Point)
		if err != nil {
			return src, fmt.Errorf("reading point: %w", err)
		}
		src.Near = append(src.Near, nearSlot{Name: pt.Name, Href: fmt.Sprintf("%s/slots/%s", pointPath(o.Point), url.PathEscape(string(o.Slot))), Verdict: v.L.T("verdict." + string(o.Verdict)), Reason: v.L.reason(o.Reason)})
	}
	return src, nil
}

// deductionNotice is the 扣分告知单 to print and sign.
func (s *Server) deductionNotice(ctx context.Context, v *visit, r *http.Request) (frame, error) {
	f, err := s.frame(ctx, v, r, "deduction.notice", "compliance")
	if err != nil {
		return f, err
	}
	id, err := deductionID(r)
	if err != nil {
		return f, err
	}
	d, err := s.o.DeductionBook.DeductionFile(ctx, id)
	if err != nil {
		return f, err
	}
	view := &deductionView{ID: id, Draft: d.State == fleet.DeductionDraft}
	if view.N, err = s.notice(ctx, v, d, deductionPath(id)); err != nil {
		return f, err
	}
	f.Paper, f.V = true, view
	return f, nil
}

func (s *Server) notifyDeduction(w http.ResponseWriter, r *http.Request, v *visit) error {
	return s.moveDeduction(w, r, v, func(id fleet.DeductionID, in url.Values) (fleet.Audit, func(context.Context) (fleet.Deduction, error)) {
		days, _ := strconv.Atoi(in.Get("days")) // nonsense is refused as 0
		return fleet.Audit{What: fleet.AuditDeductionNotice, Detail: in.Get("days")}, func(ctx context.Context) (fleet.Deduction, error) {
			return s.o.Deductions.Notify(ctx, v.User, id, days, v.Now)
		}
	})
}

func (s *Server) decideDeduction(w http.ResponseWriter, r *http.Request, v *visit) error {
	return s.moveDeduction(w, r, v, func(id fleet.DeductionID, in url.Values) (fleet.Audit, func(context.Context) (fleet.Deduction, error)) {
		to := fleet.DeductionState(in.Get("to"))
		word := ""
		if slices.Contains(fleet.DeductionStates, to) {
			word = v.L.T("deduction.state." + string(to))
		}
		return fleet.Audit{What: fleet.AuditDeductionDecision, Detail: word, After: fleet.Fields("state", string(to), "reason", in.Get("reason"))}, func(ctx context.Context) (fleet.Deduction, error) {
			return s.o.Deductions.Decide(ctx, v.User, id, to, in.Get("reason"), v.Now)
		}
	})
}

// moveDeduction reads a form of the page and takes the step that it asks for.
func (s *Server) moveDeduction(w http.ResponseWriter, r *http.Request, v *visit, step func(fleet.DeductionID, url.Values) (fleet.Audit, func(context.Context) (fleet.Deduction, error))) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		return &fleet.Error{Code: fleet.Invalid, Text: v.L.T("error.form"), TextEN: v.L.T("error.form"), Err: err}
	}
	id, err := deductionID(r)
	if err != nil {
		return err
	}
	line, take := step(id, r.PostForm)
	line.Object = fmt.Sprint(id)
	ctx, pending := s.withAudit(r, v, line)
	d, err := take(ctx)
	if why, ok := refusalOf(v.L, err); ok {
		f, err := s.deductionPage(r.Context(), v, r, r.PostForm, why)
		if err != nil {
			return err
		}
		f.Here = deductionPath(id)
		return s.show(w, http.StatusUnprocessableEntity, "deduction", f)
	}
	if err != nil {
		return err
	}
	s.audited(r, pending)
	return redirect(w, r, deductionPath(id)+"?done=deduction_"+string(d.State))
}

func (s *Server) appealPhoto(w http.ResponseWriter, r *http.Request, _ *visit) error {
	id, err := deductionID(r)
	if err != nil {
		return err
	}
	return s.sendAppealPhoto(w, r, id)
}

func (s *Server) sendAppealPhoto(w http.ResponseWriter, r *http.Request, id fleet.DeductionID) error {
	n, err := strconv.ParseInt(r.PathValue("photo"), 10, 64)
	if err != nil {
		return errNoPage
	}
	jpeg, err := s.o.DeductionBook.AppealPhoto(r.Context(), id, fleet.AppealID(n))
	if err != nil {
		return err
	}
	return sendPicture(w, jpeg)
}
