package web

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"gatecast/controller/alert"
	"gatecast/controller/fleet"
)

// alertPlaces is the registry as the pages of alerts see it.
type alertPlaces struct {
	*places
	companies map[string]fleet.Company // by name
	near      map[fleet.UnitID][]fleet.Point
}

func (s *Server) alertPlaces(ctx context.Context) (*alertPlaces, error) {
	p, err := s.places(ctx, fleet.PointFilter{})
	if err != nil {
		return nil, err
	}
	companies, err := s.o.Rosters.Companies(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading property companies: %w", err)
	}
	all := &alertPlaces{places: p, companies: map[string]fleet.Company{}, near: map[fleet.UnitID][]fleet.Point{}}
	for _, c := range companies {
		all.companies[c.Name] = c
	}
	for _, pt := range p.points {
		all.near[pt.Unit] = append(all.near[pt.Unit], pt)
	}
	return all, nil
}

// liaisonOf is the liaison of a unit with a masked number, "" if there is none.
func (p *alertPlaces) liaisonOf(l *lang, unit fleet.UnitID) string {
	if who, ok := p.liaison[unit]; ok {
		return l.T("contact.liaison", who.Name, who.Phone)
	}
	return ""
}

// property is the property company of a point and whom to call there, "" if
// none is known.
func (p *alertPlaces) property(l *lang, pt fleet.Point) string {
	name := p.compound[pt.Compound].Property
	if name == "" {
		return ""
	}
	c := p.companies[name]
	return strings.TrimSpace(l.T("alert.property", name, strings.TrimSpace(c.Contact+" "+c.Phone.String())))
}

// gateContact is whom to call about a gate: who is on duty there, otherwise the
// property.
func (p *alertPlaces) gateContact(l *lang, pt fleet.Point) string {
	if pt.DutyName != "" {
		return strings.TrimSpace(pt.DutyName + " " + pt.DutyPhone.String())
	}
	return p.property(l, pt)
}

// nearNow is how the neighbours of a point are now.
func (p *alertPlaces) nearNow(l *lang, pt fleet.Point) string {
	site := alert.Look(pt, p.near[pt.Unit], p.device)
	return l.near(site.In, site.Near, site.Gone)
}

// near says how many neighbours are out of touch.
func (l *lang) near(in fleet.Nearness, near, gone int) string {
	switch {
	case in == fleet.NearNobody:
		return l.T("near.nobody")
	case gone == 0:
		return l.T("near."+string(in)+".fine", near)
	}
	return l.T("near."+string(in)+".gone", near, gone)
}

// alertView is the page of one alert.
type alertView struct {
	alertRow
	ID        fleet.AlertID
	PointHref string
	Unit      string
	Advice    string
	Heard     string
	Then, Now string // the neighbours at its latest slot, and now
	Liaison   string
	Duty      string
	Property  string
	Reveal    string // where the whole number is shown, for a reason; empty for nobody
	Copy      string // to be pasted
	Slots     []alertSlotRow
	Near      []nearRow
	Lines     []alertLineRow
	MayAck    bool
	Acked     bool
	Note      string // typed before
	Problem   string
}

type alertSlotRow struct {
	Href, Day, Name, Time string
	Cell                  cell
	Verdict, Reason       string
	Late                  string // since when it is made good, empty if it is not
}

type nearRow struct {
	Name, Href, Seen string
	State            deviceState
}

type alertLineRow struct{ At, Text, Who, Note string }

// maxNear is how many neighbours the page lists.
const maxNear = 12

var errNoAlert = &fleet.Error{Code: fleet.NotFound, Text: "没有这条预警。", TextEN: "There is no such alert."}

func (s *Server) alert(ctx context.Context, v *visit, r *http.Request) (frame, error) {
	id, err := idOf(r, "id", errNoAlert)
	if err != nil {
		return frame{}, err
	}
	file, err := s.o.Alerts.AlertFile(ctx, fleet.AlertID(id))
	if err != nil {
		return frame{}, fmt.Errorf("reading alert: %w", err)
	}
	f, err := s.frame(ctx, v, r, "alerts.title", "compliance")
	if err != nil {
		return f, err
	}
	p, err := s.alertPlaces(ctx)
	if err != nil {
		return f, err
	}
	pt := p.point[file.Point]
	view := &alertView{
		alertRow: v.L.alertRow(p, file.Alert, v.Now), ID: file.ID, PointHref: pointPath(pt.ID), Unit: p.unit[pt.Unit].Name, Advice: v.L.T("likely." + string(file.Likely) + ".text"),
		Then: v.L.near(file.NearIn, file.Alert.Near, file.NearGone), Liaison: p.liaisonOf(v.L, pt.Unit), Property: p.property(v.L, pt),
		MayAck: fleet.May(v.User.Role, fleet.ActAlert), Acked: !file.Acked.IsZero(),
	}
	if pt.DutyName != "" {
		view.Duty = strings.TrimSpace(pt.DutyName + " " + pt.DutyPhone.String())
	}
	if fleet.May(v.User.Role, fleet.ActReveal) && p.contact(v.L, pt) != "" {
		view.Reveal = pointPath(pt.ID) + "/phone"
	}
	if !file.Heard.IsZero() {
		view.Heard = v.L.Stamp(file.Heard, v.Now)
	}
	view.slots(v.L, p, file, v.Now)
	view.neighbours(v.L, p, pt, v.Now)
	names := slotNames(file.Affected)
	for _, line := range file.Lines {
		view.Lines = append(view.Lines, v.L.alertLine(line, names, v.Now))
	}
	view.Copy = v.L.T("need.copy", pt.Name, view.Trouble, v.L.T("alert.copy", view.Since, view.alertRow.Slots, view.Likely, view.Advice))
	view.Now = p.nearNow(v.L, pt)
	f.Title, f.V = v.L.T("alert.of", pt.Name), view
	return f, nil
}

// slotNames are the names of slots as people read them.
func slotNames(all []fleet.AlertSlot) map[string]string {
	names := map[string]string{}
	for _, x := range all {
		names[string(x.Slot)] = string(x.Day) + " " + x.Name
	}
	return names
}

func (view *alertView) slots(l *lang, p *alertPlaces, file fleet.AlertFile, now time.Time) {
	for _, x := range file.Affected {
		row := alertSlotRow{
			Href: slotPath(x.Point, x.Slot), Day: l.Date(l.Day(x.Day)), Name: x.Name, Time: l.Clock(x.Start) + "–" + l.Clock(x.End),
			Cell: l.cellOf(x.Obligation, p.device[x.Point], now), Verdict: l.T("verdict." + string(x.Verdict)),
		}
		if x.Reason != "" {
			row.Reason = l.reason(x.Reason)
		}
		if !x.Verdict.Wrong() {
			row.Late = l.T("alert.late", l.Stamp(x.Settled, now))
		}
		view.Slots = append(view.Slots, row)
	}
}

func (view *alertView) neighbours(l *lang, p *alertPlaces, pt fleet.Point, now time.Time) {
	for _, same := range []func(fleet.Point) bool{
		func(o fleet.Point) bool { return pt.Compound != 0 && o.Compound == pt.Compound },
		func(fleet.Point) bool { return true },
	} {
		for _, o := range p.near[pt.Unit] {
			d, has := p.device[o.ID]
			if o.ID == pt.ID || !has || !same(o) || len(view.Near) == maxNear {
				continue
			}
			state, _ := p.stateOf(l, o.ID, now)
			view.Near = append(view.Near, nearRow{Name: o.Name, Href: pointPath(o.ID), State: state, Seen: l.Stamp(d.LastSeen, now)})
		}
		if len(view.Near) > 0 {
			return
		}
	}
}

func (l *lang) alertLine(line fleet.AlertLine, names map[string]string, now time.Time) alertLineRow {
	row := alertLineRow{At: l.Stamp(line.At, now), Who: line.Name, Note: line.Note}
	slot := string(line.Slot)
	if name, ok := names[slot]; ok {
		slot = name
	}
	switch line.Kind {
	case fleet.AlertRaised, fleet.AlertGrew:
		row.Text = l.T("alert.line."+string(line.Kind), slot, line.Slots, l.T("likely."+string(line.Likely)))
	case fleet.AlertLikely:
		row.Text = l.T("alert.line.likely", l.T("likely."+string(line.Likely)))
	case fleet.AlertClosed:
		row.Text = l.T("alert.line.closed.late")
		if slot != "" {
			row.Text = l.T("alert.line.closed", slot)
		}
	default:
		row.Text = l.T("alert.line."+string(line.Kind), slot)
	}
	return row
}

// ackAlert keeps that somebody took note, and what was done. What was typed is
// shown again where it is refused.
func (s *Server) ackAlert(w http.ResponseWriter, r *http.Request, v *visit) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	note := strings.TrimSpace(r.FormValue("note"))
	f, err := s.alert(r.Context(), v, r)
	if err != nil {
		return err
	}
	view := f.V.(*alertView) //nolint:forcetypeassert // s.alert made it
	if note == "" || len(note) > maxNote || !utf8.ValidString(note) {
		view.Note, view.Problem = note, v.L.T("alert.note.missing")
		f.Here = alertPath(view.ID)
		return s.show(w, http.StatusUnprocessableEntity, "alert", f)
	}
	ctx, line := s.withAudit(r, v, fleet.Audit{What: fleet.AuditAlert, Object: view.Point, Detail: fleet.MaskPhones(note)})
	if _, err := s.o.Alerts.AckAlert(ctx, view.ID, v.User, fleet.MaskPhones(note), v.Now); err != nil {
		return fmt.Errorf("taking note of an alert: %w", err)
	}
	s.audited(r, line)
	return redirect(w, r, alertPath(view.ID)+"?done=alert")
}
