package web

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"gatecast/controller/fleet"
)

// DeductionBook is what was deducted, and why.
type DeductionBook interface {
	// Deductions returns those that f selects, without proofs, and how many
	// without its limit.
	Deductions(ctx context.Context, f fleet.DeductionFilter) ([]fleet.Deduction, int, error)
	// DeductionFile returns one; fleet.NotFound if there is none.
	DeductionFile(ctx context.Context, id fleet.DeductionID) (fleet.DeductionFile, error)
	// DeductionRules returns every version, by code, the newest first.
	DeductionRules(ctx context.Context) ([]fleet.DeductionRule, error)
	AppealPhoto(ctx context.Context, d fleet.DeductionID, id fleet.AppealID) ([]byte, error)
	// MachineRecords are what a point's device wrote that belongs to no slot.
	MachineRecords(ctx context.Context, p fleet.PointID, from, to time.Time) ([]fleet.Record, error)
}

// deductionRoutes are 扣分申诉: the office's pages, and those of the units.
func (s *Server) deductionRoutes(mux *http.ServeMux) {
	s.page(mux, fleet.ActRead, "/deductions", "deductions", s.deductions)
	s.page(mux, fleet.ActRead, "/deductions/rules", "deductionrules", s.deductionRules)
	s.may(mux, fleet.ActCompose, "POST /deductions/rules", s.saveDeductionRule)
	s.page(mux, fleet.ActCompose, "/deductions/new", "deductionnew", s.deductionForm)
	s.may(mux, fleet.ActCompose, "POST /deductions", s.proposeDeduction)
	s.page(mux, fleet.ActRead, "/deductions/{id}", "deduction", s.deduction)
	s.page(mux, fleet.ActRead, "/deductions/{id}/notice", "deductionnotice", s.deductionNotice)
	s.may(mux, fleet.ActRead, "GET /deductions/{id}/photos/{photo}", s.appealPhoto)
	s.may(mux, fleet.ActCompose, "POST /deductions/{id}/notify", s.notifyDeduction)
	s.may(mux, fleet.ActRead, "POST /deductions/{id}/decide", s.decideDeduction) // the desk asks for more
	s.page(mux, fleet.ActOwn, "/my/deductions", "mydeductions", s.myDeductions)
	s.page(mux, fleet.ActOwn, "/my/deductions/{id}", "mydeduction", s.myDeduction)
	s.may(mux, fleet.ActOwn, "GET /my/deductions/{id}/photos/{photo}", s.myAppealPhoto)
	s.may(mux, fleet.ActOwn, "POST /my/deductions/{id}", s.appeal)
}

func deductionPath(id fleet.DeductionID) string { return fmt.Sprintf("/deductions/%d", id) }

// deductionsView is the list, with what counts of each unit in the period.
type deductionsView struct {
	Filter        deductionsFilter
	Units, States []option
	Heads         map[string]sortLink
	Rows          []deductionRow
	Total         int
	Pager         pager
	Totals        []deductionTotalRow
	Period        string
	May           bool
}

type deductionRow struct {
	Href, Number, Unit, Rule, Day, Points, Ground string
	State                                         deviceState
}

type deductionTotalRow struct {
	Unit, Href, Points, Appealed string
	Count, Revoked               int
}

type deductionsFilter struct {
	Query, Sort string
	State       fleet.DeductionState
	Unit        fleet.UnitID
	From, To    fleet.Day
	Page        int
}

const deductionsPerPage = 50

// readDeductionsFilter reads the URL; the period is this year's so far where it
// names none.
func readDeductionsFilter(q url.Values, today fleet.Day) deductionsFilter {
	f := deductionsFilter{Query: strings.TrimSpace(q.Get("q")), Sort: "day", Page: 1, State: fleet.DeductionState(q.Get("state")), From: today[:5] + "01-01", To: today}
	if !slices.Contains(fleet.DeductionStates, f.State) {
		f.State = ""
	}
	if by := q.Get("sort"); by == "unit" || by == "points" || by == "state" {
		f.Sort = by
	}
	if n, err := strconv.ParseInt(q.Get("unit"), 10, 64); err == nil && n > 0 {
		f.Unit = fleet.UnitID(n)
	}
	if n, err := strconv.Atoi(q.Get("page")); err == nil && n > 1 {
		f.Page = n
	}
	for key, day := range map[string]*fleet.Day{"from": &f.From, "to": &f.To} {
		if _, err := time.Parse(time.DateOnly, q.Get(key)); err == nil {
			*day = fleet.Day(q.Get(key))
		}
	}
	if f.To < f.From {
		f.From, f.To = f.To, f.From
	}
	return f
}

func (f deductionsFilter) link(sortBy string, page int) string {
	q := url.Values{"from": {string(f.From)}, "to": {string(f.To)}}
	for key, value := range map[string]string{"q": f.Query, "state": string(f.State)} {
		if value != "" {
			q.Set(key, value)
		}
	}
	if f.Unit != 0 {
		q.Set("unit", fmt.Sprint(f.Unit))
	}
	if sortBy != "day" {
		q.Set("sort", sortBy)
	}
	if page > 1 {
		q.Set("page", strconv.Itoa(page))
	}
	return "/deductions?" + q.Encode()
}

func (s *Server) deductions(ctx context.Context, v *visit, r *http.Request) (frame, error) {
	f, err := s.frame(ctx, v, r, "deductions.title", "compliance")
	if err != nil {
		return f, err
	}
	f.Wide = true
	q := readDeductionsFilter(r.URL.Query(), s.dayOf(v.Now))
	rows, all, err := s.o.DeductionBook.Deductions(ctx, fleet.DeductionFilter{
		From: q.From, To: q.To, Unit: q.Unit, State: q.State, Query: q.Query, Sort: q.Sort, Limit: deductionsPerPage, Offset: (q.Page - 1) * deductionsPerPage,
	})
	if err != nil {
		return f, err
	}
	period, _, err := s.o.DeductionBook.Deductions(ctx, fleet.DeductionFilter{From: q.From, To: q.To})
	if err != nil {
		return f, err
	}
	units, err := s.o.Registry.Units(ctx)
	if err != nil {
		return f, fmt.Errorf("reading units: %w", err)
	}
	view := &deductionsView{Filter: q, Total: all, May: fleet.May(v.User.Role, fleet.ActCompose), Heads: map[string]sortLink{}}
	view.Period = v.L.T("deductions.period", v.L.Date(v.L.Day(q.From)), v.L.Date(v.L.Day(q.To)))
	for _, by := range []string{"day", "unit", "points", "state"} {
		view.Heads[by] = sortLink{Text: v.L.T("deduction.col." + by), Href: q.link(by, 1), On: q.Sort == by}
	}
	view.Pager = pager{Page: q.Page, Pages: max(1, (all+deductionsPerPage-1)/deductionsPerPage)}
	if q.Page > 1 {
		view.Pager.Previous = q.link(q.Sort, q.Page-1)
	}
	if q.Page < view.Pager.Pages {
		view.Pager.Next = q.link(q.Sort, q.Page+1)
	}
	view.Units = unitsByID(units, q.Unit)
	for _, st := range fleet.DeductionStates {
		view.States = append(view.States, option{Value: string(st), Text: v.L.T("deduction.state." + string(st)), On: st == q.State})
	}
	for _, d := range rows {
		view.Rows = append(view.Rows, v.L.deductionRow(d, deductionPath(d.ID)))
	}
	for _, t := range fleet.DeductionTotals(period) {
		only := q
		only.Unit, only.State, only.Query = t.Unit, "", ""
		view.Totals = append(view.Totals, deductionTotalRow{
			Unit: t.Name, Href: only.link("day", 1), Points: t.Points.String(), Appealed: t.Appealed.String(), Count: t.Count, Revoked: t.Revoked,
		})
	}
	f.V = view
	return f, nil
}

// unitsByID offers units by their ids.
func unitsByID(units []fleet.Unit, chosen fleet.UnitID) []option {
	all := make([]option, len(units))
	for i, u := range units {
		all[i] = option{Value: fmt.Sprint(u.ID), Text: u.Name, On: u.ID == chosen}
	}
	return all
}

func (l *lang) deductionRow(d fleet.Deduction, href string) deductionRow {
	return deductionRow{
		Href: href, Number: l.deductionNumber(d), Unit: d.Name, Rule: l.T("deduction.rule.version", d.Rule.Code, d.Rule.Version), Day: l.Date(l.Day(d.Day)),
		Points: d.Points.String(), Ground: d.Ground, State: l.deductionState(d.State),
	}
}

// deductionNumber is the number of a notice as it is printed.
func (l *lang) deductionNumber(d fleet.Deduction) string {
	if d.Number == 0 {
		return l.T("deduction.unnumbered", int64(d.ID))
	}
	return l.T("deduction.number", d.Year, d.Number)
}

func (l *lang) deductionState(st fleet.DeductionState) deviceState {
	look := map[fleet.DeductionState]deviceState{
		fleet.DeductionDraft:    {Icon: "i-clock"},
		fleet.DeductionNotified: {Tone: "warn", Icon: "i-alert"},
		fleet.DeductionAppealed: {Tone: "warn", Icon: "i-clock"},
		fleet.DeductionUpheld:   {Tone: "bad", Icon: "i-cross"},
		fleet.DeductionRevoked:  {Tone: "ok", Icon: "i-check"},
	}[st]
	look.Text = l.T("deduction.state." + string(st))
	return look
}

// deductionRulesView is the rules with all their versions, and the form of the
// next one.
type deductionRulesView struct {
	Rules   []ruleGroup
	Form    ruleForm
	Problem string
	May     bool
}

type ruleGroup struct {
	Code, Edit string
	Ended      bool
	Versions   []ruleRow // newest first
}

type ruleRow struct {
	Version                                int
	Text, Points, Period, About, At, State string
}

type ruleForm struct {
	Code, Text, Points, From, To string
	Base                         string // version that it was made from, 0 for a new rule
	Ended                        bool
	Verdicts                     []option
}

func (s *Server) deductionRules(ctx context.Context, v *visit, r *http.Request) (frame, error) {
	return s.deductionRulesPage(ctx, v, r, nil, "")
}

// deductionRulesPage shows the rules; typed is what a form that was refused held.
func (s *Server) deductionRulesPage(ctx context.Context, v *visit, r *http.Request, typed url.Values, problem string) (frame, error) {
	f, err := s.frame(ctx, v, r, "deduction.rules", "compliance")
	if err != nil {
		return f, err
	}
	all, err := s.o.DeductionBook.DeductionRules(ctx)
	if err != nil {
		return f, err
	}
	view := &deductionRulesView{Problem: problem, May: fleet.May(v.User.Role, fleet.ActCompose)}
	view.Form = ruleForm{Base: "0", From: string(s.dayOf(v.Now))}
	about := []fleet.Verdict{fleet.Missed}
	for i, rule := range all {
		if i == 0 || all[i-1].Code != rule.Code {
			view.Rules = append(view.Rules, ruleGroup{Code: rule.Code, Ended: rule.Ended, Edit: "/deductions/rules?edit=" + url.QueryEscape(rule.Code) + "#rule"})
			if typed == nil && r.URL.Query().Get("edit") == rule.Code {
				view.Form = ruleForm{Code: rule.Code, Text: rule.Text, Points: rule.Points.String(), From: string(rule.From), To: string(rule.To), Base: fmt.Sprint(rule.Version), Ended: rule.Ended}
				about = rule.Verdicts
			}
		}
		g := &view.Rules[len(view.Rules)-1]
		g.Versions = append(g.Versions, v.L.ruleRow(rule, v.Now))
	}
	if typed != nil {
		view.Form = ruleForm{Code: typed.Get("code"), Text: typed.Get("text"), Points: typed.Get("points"), From: typed.Get("from"), To: typed.Get("to"), Base: typed.Get("base"), Ended: typed.Get("ended") != ""}
		about = nil
		for _, verdict := range typed["verdict"] {
			about = append(about, fleet.Verdict(verdict))
		}
	}
	for _, verdict := range fleet.RuleVerdicts {
		view.Form.Verdicts = append(view.Form.Verdicts, option{Value: string(verdict), Text: v.L.T("verdict." + string(verdict)), On: slices.Contains(about, verdict)})
	}
	f.V = view
	return f, nil
}

func (l *lang) ruleRow(r fleet.DeductionRule, now time.Time) ruleRow {
	row := ruleRow{Version: r.Version, Text: r.Text, Points: r.Points.String(), Period: l.rulePeriod(r), At: l.T("deduction.rule.by", l.Stamp(r.At, now), r.By)}
	if r.Ended {
		row.State = l.T("deduction.rule.ended")
	}
	var about []string
	for _, v := range r.Verdicts {
		about = append(about, l.T("verdict."+string(v)))
	}
	row.About = strings.Join(about, l.T("comma"))
	if len(about) == 0 {
		row.About = l.T("deduction.rule.whole")
	}
	return row
}

func (l *lang) rulePeriod(r fleet.DeductionRule) string {
	if r.To == "" {
		return l.T("deduction.rule.since", string(r.From))
	}
	return l.T("deduction.rule.period", string(r.From), string(r.To))
}

func (s *Server) saveDeductionRule(w http.ResponseWriter, r *http.Request, v *visit) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		return &fleet.Error{Code: fleet.Invalid, Text: v.L.T("error.form"), TextEN: v.L.T("error.form"), Err: err}
	}
	in := r.PostForm
	rule := fleet.DeductionRule{
		Code: strings.TrimSpace(in.Get("code")), Text: in.Get("text"), From: fleet.Day(strings.TrimSpace(in.Get("from"))), To: fleet.Day(strings.TrimSpace(in.Get("to"))), Ended: in.Get("ended") != "",
	}
	rule.Version, _ = strconv.Atoi(in.Get("base")) // nonsense is another version than the newest
	for _, verdict := range in["verdict"] {
		rule.Verdicts = append(rule.Verdicts, fleet.Verdict(verdict))
	}
	points, err := fleet.ParseHundredths(in.Get("points"))
	if err == nil {
		rule.Points = points
		ctx, line := s.withAudit(r, v, fleet.Audit{
			What: fleet.AuditDeductionRule, Object: rule.Code, Detail: points.String(), After: fleet.Fields("text", rule.Text, "points", points.String(), "from", string(rule.From), "to", string(rule.To)),
		})
		if _, err = s.o.Deductions.SaveRule(ctx, v.User, rule, v.Now); err == nil {
			s.audited(r, line)
			return redirect(w, r, "/deductions/rules?done=deduction_rule")
		}
	}
	why, ok := refusalOf(v.L, err)
	if !ok {
		return err
	}
	f, err := s.deductionRulesPage(r.Context(), v, r, in, why)
	if err != nil {
		return err
	}
	return s.show(w, http.StatusUnprocessableEntity, "deductionrules", f)
}
