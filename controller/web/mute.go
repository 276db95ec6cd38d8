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
)

// muteRoutes are 全部静音: silence every gate, and let them sound again.
func (s *Server) muteRoutes(mux *http.ServeMux) {
	s.page(mux, fleet.ActMute, "/mute", "mute", s.muteForm)
	s.may(mux, fleet.ActMute, "POST /mute", s.muteGates)
	s.page(mux, fleet.ActRead, "/mute/sheet", "mutesheet", s.muteSheet)
	s.page(mux, fleet.ActRead, "/mutes", "mutes", s.mutes)
	s.page(mux, fleet.ActRead, "/mutes/{id}", "muteboard", s.muteBoard)
	s.may(mux, fleet.ActUnmute, "POST /mutes/{id}/lift", s.liftMute)
	s.may(mux, fleet.ActUnmute, "POST /mutes/{id}/approve", s.approveMute)
	s.may(mux, fleet.ActUnmute, "POST /mutes/release", s.releaseMutes)
}

func mutePath(id fleet.MuteID) string { return fmt.Sprintf("/mutes/%d", id) }

// mutedBanner stands on every page while gates are silent by order.
type mutedBanner struct {
	Text, Href string
}

// banners returns one for each order that holds.
func (s *Server) banners(l *lang, now time.Time) []mutedBanner {
	var list []mutedBanner
	for _, m := range s.o.Mutes.All() {
		if !m.Open(now) {
			continue
		}
		key := "mute.banner.some"
		if m.Area.All {
			key = "mute.banner"
		}
		list = append(list, mutedBanner{l.T(key, l.Stamp(m.At, now), signer(m.Name, m.By), m.Reason), mutePath(m.ID)})
	}
	return list
}

// muteReasons are offered; their keys are those of the catalog.
var muteReasons = []string{"wrong", "complaints", "ordered", "abuse"}

// muteFormView asks for the one click that silences.
type muteFormView struct {
	Gates, Online int // that have a device; that hear it within seconds
	Away          string
	Reasons       []option
	Ends          []option
	Units         []option
	Points        string // codes
	Narrow        bool   // something else than everything is chosen
	Problem       string
	Approved      bool // the visitor's word alone makes the slots exempt
}

func (s *Server) muteForm(ctx context.Context, v *visit, r *http.Request) (frame, error) {
	f, err := s.frame(ctx, v, r, "mute.title", "")
	if err != nil {
		return f, err
	}
	p, err := s.places(ctx, fleet.PointFilter{})
	if err != nil {
		return f, err
	}
	q := r.URL.Query()
	view := &muteFormView{Points: strings.TrimSpace(q.Get("points")), Problem: q.Get("problem"), Approved: fleet.May(v.User.Role, fleet.ActUnmute)}
	view.Narrow = view.Points != ""
	var away []string
	for _, pt := range p.points {
		d, has := p.device[pt.ID]
		switch {
		case !has:
		case v.L.online(d, v.Now):
			view.Online++
			view.Gates++
		default:
			view.Gates++
			away = append(away, pt.Name)
		}
	}
	if n := len(away); n > 10 {
		away = append(away[:10], v.L.T("mute.away.more", n-10))
	}
	view.Away = strings.Join(away, v.L.T("list"))
	for _, key := range muteReasons {
		view.Reasons = append(view.Reasons, option{Value: v.L.T("mute.reason." + key), Text: v.L.T("mute.reason." + key)})
	}
	for _, key := range []string{"", "1h", "day"} {
		view.Ends = append(view.Ends, option{Value: key, Text: v.L.T("mute.until." + cmp.Or(key, "open"))})
	}
	for _, id := range p.unitOrder {
		view.Units = append(view.Units, option{Value: strconv.FormatInt(int64(id), 10), Text: p.unit[id].Name})
	}
	f.V = view
	return f, nil
}

// muteGates silences.
func (s *Server) muteGates(w http.ResponseWriter, r *http.Request, v *visit) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	scope, err := s.scopeOf(r, v)
	if err != nil {
		return err
	}
	reason := strings.TrimSpace(r.FormValue("reason"))
	if more := strings.TrimSpace(r.FormValue("more")); more != "" {
		reason = strings.TrimLeft(reason+v.L.T("mute.reason.and")+more, v.L.T("mute.reason.and"))
	}
	var until time.Time
	switch local := v.L.in(v.Now); r.FormValue("until") {
	case "1h":
		until = v.Now.Add(time.Hour)
	case "day":
		until = time.Date(local.Year(), local.Month(), local.Day()+1, 0, 0, 0, 0, local.Location())
	}
	m, err := s.o.Mutes.Mute(r.Context(), v.User, scope, reason, until, v.Now)
	if m.ID != 0 {
		s.audit(r, v, fleet.AuditMute, fmt.Sprint(m.ID), areaText(scope)+" · "+m.Reason)
	}
	if err != nil {
		return err
	}
	return redirect(w, r, mutePath(m.ID)+"?done=muted")
}

// areaText names a scope for the audit.
func areaText(scope fleet.Area) string {
	if scope.All {
		return "all"
	}
	return fmt.Sprintf("units %v points %v", scope.Units, scope.Points)
}

// scopeOf reads where something is to hold: scope is all, or units and points
// count, which are chosen and typed as codes.
func (s *Server) scopeOf(r *http.Request, v *visit) (fleet.Area, error) {
	if err := r.ParseForm(); err != nil {
		return fleet.Area{}, &fleet.Error{Code: fleet.Invalid, Text: v.L.T("error.form"), TextEN: v.L.T("error.form"), Err: err}
	}
	var scope fleet.Area
	if r.FormValue("scope") == "all" {
		scope.All = true
		return scope, nil
	}
	for _, text := range r.Form["unit"] {
		if id, err := strconv.ParseInt(text, 10, 64); err == nil && id > 0 {
			scope.Units = append(scope.Units, fleet.UnitID(id))
		}
	}
	codes := strings.FieldsFunc(r.FormValue("points"), func(c rune) bool { return strings.ContainsRune(",，、;； \t\r\n", c) })
	if len(codes) == 0 {
		return scope, nil
	}
	points, err := s.o.Registry.Points(r.Context(), fleet.PointFilter{})
	if err != nil {
		return scope, fmt.Errorf("reading points: %w", err)
	}
	for _, code := range codes {
		i := slices.IndexFunc(points, func(p fleet.Point) bool { return strings.EqualFold(p.Code, code) || p.Name == code })
		if i < 0 {
			return scope, &fleet.Error{
				Code:   fleet.Invalid,
				Text:   fmt.Sprintf("没有编号或名称为“%s”的点位，请返回核对。", code),
				TextEN: fmt.Sprintf("There is no point with the code or name %q. Go back and check it.", code),
			}
		}
		scope.Points = append(scope.Points, points[i].ID)
	}
	return scope, nil
}

// mutesView lists the orders of silence.
type mutesView struct {
	Rows  []muteRow
	Stray []gateRow // gates that obey an order which this database does not have
	May   bool
}

type muteRow struct {
	Href, At, Scope, By, Reason string
	State                       deviceState
	Approved                    string
}

func (s *Server) mutes(ctx context.Context, v *visit, r *http.Request) (frame, error) {
	f, err := s.frame(ctx, v, r, "mutes.title", "")
	if err != nil {
		return f, err
	}
	p, err := s.places(ctx, fleet.PointFilter{})
	if err != nil {
		return f, err
	}
	view := &mutesView{May: fleet.May(v.User.Role, fleet.ActUnmute)}
	for _, m := range s.o.Mutes.All() {
		view.Rows = append(view.Rows, muteRow{
			Href: mutePath(m.ID), At: v.L.Stamp(m.At, v.Now), Scope: v.L.scope(p, m.Area), By: signer(m.Name, m.By), Reason: m.Reason,
			State: v.L.muteState(m, v.Now), Approved: v.L.T("mute.approved." + strconv.FormatBool(!m.Approved.IsZero())),
		})
	}
	for _, pt := range p.points {
		if d, ok := p.device[pt.ID]; ok && s.o.Mutes.Stray(d) {
			view.Stray = append(view.Stray, gateRow{Name: pt.Name, Href: pointPath(pt.ID), State: deviceState{"bad", "i-mute", v.L.T("mute.stray")}})
		}
	}
	f.V = view
	return f, nil
}

// scope names where something holds.
func (l *lang) scope(p *places, sc fleet.Area) string {
	if sc.All {
		return l.T("scope.all")
	}
	var names []string
	for _, u := range sc.Units {
		names = append(names, p.unit[u].Name)
	}
	for _, id := range sc.Points {
		names = append(names, p.point[id].Name)
	}
	if n := len(names); n > 6 {
		names = append(names[:6], l.T("scope.more", n-6))
	}
	return strings.Join(names, l.T("list"))
}

func (l *lang) muteState(m fleet.Mute, now time.Time) deviceState {
	switch {
	case m.Open(now) && m.Until.IsZero():
		return deviceState{"bad", "i-mute", l.T("mute.open")}
	case m.Open(now):
		return deviceState{"bad", "i-mute", l.T("mute.open.until", l.Stamp(m.Until, now))}
	case m.Lifted.IsZero():
		return deviceState{"", "i-check", l.T("mute.over", l.Stamp(m.Until, now))}
	}
	return deviceState{"ok", "i-check", l.T("mute.lifted", l.Stamp(m.Lifted, now), m.LiftedBy)}
}

// muteBoardView is one order of silence and what became of it, gate by gate.
type muteBoardView struct {
	ID         fleet.MuteID
	Scope      string
	At, By     string
	Reason     string
	State      deviceState
	LiftReason string
	Approved   string
	ApprovedBy string
	Open       bool
	MayLift    bool
	MayApprove bool
	Board      board
}

func (s *Server) muteOf(r *http.Request) (fleet.Mute, error) {
	id, _ := strconv.ParseInt(r.PathValue("id"), 10, 64)
	for _, m := range s.o.Mutes.All() {
		if int64(m.ID) == id {
			return m, nil
		}
	}
	return fleet.Mute{}, &fleet.Error{Code: fleet.NotFound, Text: "没有这次静音记录。", TextEN: "There is no such mute."}
}

func (s *Server) muteBoard(ctx context.Context, v *visit, r *http.Request) (frame, error) {
	f, err := s.frame(ctx, v, r, "mute.board", "")
	if err != nil {
		return f, err
	}
	m, err := s.muteOf(r)
	if err != nil {
		return f, err
	}
	p, err := s.places(ctx, fleet.PointFilter{})
	if err != nil {
		return f, err
	}
	may := fleet.May(v.User.Role, fleet.ActUnmute)
	view := &muteBoardView{
		ID: m.ID, Scope: v.L.scope(p, m.Area), At: v.L.Stamp(m.At, v.Now), By: signer(m.Name, m.By), Reason: m.Reason, LiftReason: m.LiftReason,
		State: v.L.muteState(m, v.Now), Open: m.Open(v.Now), MayLift: may && m.Lifted.IsZero(), MayApprove: may && m.Approved.IsZero(),
		Approved: v.L.T("mute.approved." + strconv.FormatBool(!m.Approved.IsZero())), ApprovedBy: m.ApprovedBy,
	}
	view.Board, err = s.boardOf(v, p, slices.DeleteFunc(slices.Clone(p.points), func(pt fleet.Point) bool { return !s.o.Mutes.Holds(m, pt.ID) }),
		func(_ fleet.Point, d fleet.Device) (gateRow, error) { return v.L.mutedGate(m, d, v.Now), nil })
	if err != nil {
		return f, err
	}
	key := "mute.sum"
	if !m.Open(v.Now) {
		key = "mute.sum.lifted"
	}
	view.Board.Sum = v.L.T(key, view.Board.Done, view.Board.Of)
	f.V = view
	return f, nil
}

// mutedGate is where a gate is with an order of silence: away, to be delivered,
// done.
func (l *lang) mutedGate(m fleet.Mute, d fleet.Device, now time.Time) gateRow {
	number := max(m.Number, m.LiftNumber)
	switch {
	case d.Mute.Number >= number && d.Mute.On:
		row := gateRow{State: deviceState{"ok", "i-mute", l.T("mute.gate.silent")}, rank: 2, done: true}
		if d.Mute.AtUS != 0 {
			row.Note = l.T("mute.gate.since", l.ClockSec(time.UnixMicro(d.Mute.AtUS)))
		}
		if !m.Open(now) {
			row.Note = l.T("mute.gate.other") // another order holds here
		}
		return row
	case d.Mute.Number >= number:
		return gateRow{State: deviceState{"", "i-speaker", l.T("mute.gate.sounds")}, rank: 2, done: true}
	case l.online(d, now):
		return gateRow{State: deviceState{"warn", "i-clock", l.T("mute.gate.sent")}, rank: 1}
	}
	row := gateRow{State: deviceState{"bad", "i-offline", l.T("mute.gate.away")}, Note: l.T("mute.gate.away.note")}
	if m.Open(now) && d.Horizon.After(now) {
		row.Note = l.T("mute.gate.away.until", l.Date(d.Horizon))
	}
	return row
}

// liftMute lets the gates sound again.
func (s *Server) liftMute(w http.ResponseWriter, r *http.Request, v *visit) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	m, err := s.muteOf(r)
	if err != nil {
		return err
	}
	reason, approve := r.FormValue("reason"), r.FormValue("exempt") == "yes"
	if err := s.o.Mutes.Lift(r.Context(), v.User, m.ID, reason, approve, v.Now); err != nil {
		return err
	}
	s.audit(r, v, fleet.AuditUnmute, fmt.Sprint(m.ID), strings.TrimSpace(reason))
	if approve && m.Approved.IsZero() {
		s.audit(r, v, fleet.AuditMuteApprove, fmt.Sprint(m.ID), "")
	}
	return redirect(w, r, mutePath(m.ID)+"?done=unmuted")
}

// approveMute makes the slots that were silenced exempt.
func (s *Server) approveMute(w http.ResponseWriter, r *http.Request, v *visit) error {
	m, err := s.muteOf(r)
	if err != nil {
		return err
	}
	if err := s.o.Mutes.Approve(r.Context(), v.User, m.ID, v.Now); err != nil {
		return err
	}
	s.audit(r, v, fleet.AuditMuteApprove, fmt.Sprint(m.ID), "")
	return redirect(w, r, mutePath(m.ID)+"?done=mute_approved")
}

// releaseMutes lets gates sound again that obey an order of a lost database.
func (s *Server) releaseMutes(w http.ResponseWriter, r *http.Request, v *visit) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	n, err := s.o.Mutes.Release(r.Context(), v.User, r.FormValue("reason"), v.Now)
	if err != nil {
		return err
	}
	s.audit(r, v, fleet.AuditUnmute, fmt.Sprintf("%d gates of a lost order", n), strings.TrimSpace(r.FormValue("reason")))
	return redirect(w, r, "/mutes?done=unmuted")
}

// MuteBook is what the pages read of silence by order; it answers from memory.
type MuteBook interface {
	All() []fleet.Mute // newest first; must not be changed
	Holds(m fleet.Mute, p fleet.PointID) bool
	// Stray reports whether a device obeys an order that is not in the store.
	Stray(d fleet.Device) bool
}

// MuteDesk gives and ends orders of silence. It asks for the permission itself;
// refusals are *fleet.Errors.
type MuteDesk interface {
	Mute(ctx context.Context, by fleet.User, scope fleet.Area, reason string, until, now time.Time) (fleet.Mute, error)
	Lift(ctx context.Context, by fleet.User, id fleet.MuteID, reason string, approve bool, now time.Time) error
	Approve(ctx context.Context, by fleet.User, id fleet.MuteID, now time.Time) error
	Release(ctx context.Context, by fleet.User, reason string, now time.Time) (int, error)
}

// Mutes is both; one value has them.
type Mutes interface {
	MuteBook
	MuteDesk
}
