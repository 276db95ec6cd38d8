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

	"gatecast/controller/assessment"
	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// deductionFormView picks a rule, a unit and slots from the ledger.
type deductionFormView struct {
	Problem      string
	Rules, Units []option
	Days         int
	From, To     string
	Rule         *ruleRow // that was chosen; nil before
	RuleCode     string
	RuleID, Unit string
	OfSlots      bool
	Slots        []slotChoice
	Fit          int // of Slots that may be picked
	More         bool
	Day, Ground  string
}

type slotChoice struct {
	Value, Href, Point, Day, Name, Verdict, Reason, Refusal string
	On                                                      bool
}

func (s *Server) deductionForm(ctx context.Context, v *visit, r *http.Request) (frame, error) {
	return s.deductionFormPage(ctx, v, r, r.URL.Query(), "")
}

// deductionFormPage is the form with what was typed in it.
func (s *Server) deductionFormPage(ctx context.Context, v *visit, r *http.Request, in url.Values, problem string) (frame, error) {
	f, err := s.frame(ctx, v, r, "deduction.new", "compliance")
	if err != nil {
		return f, err
	}
	rules, err := s.o.DeductionBook.DeductionRules(ctx)
	if err != nil {
		return f, err
	}
	p, err := s.places(ctx, fleet.PointFilter{})
	if err != nil {
		return f, err
	}
	today := s.dayOf(v.Now)
	view := &deductionFormView{Problem: problem, From: in.Get("from"), To: in.Get("to"), RuleID: in.Get("rule"), Unit: in.Get("unit"), Day: in.Get("day"), Ground: in.Get("ground")}
	from, to := fleet.Day(view.From), fleet.Day(view.To)
	for _, day := range []struct {
		at  *fleet.Day
		too fleet.Day
	}{{&from, dayPlus(today, -7)}, {&to, today}} {
		if _, err := time.Parse(time.DateOnly, string(*day.at)); err != nil {
			*day.at = day.too
		}
	}
	view.From, view.To = string(from), string(to)
	if view.Day == "" {
		view.Day = string(today)
	}
	unit, _ := strconv.ParseInt(view.Unit, 10, 64)
	view.Units = unitsByID(p.units, fleet.UnitID(unit))
	var chosen *fleet.DeductionRule
	for i, rule := range rules {
		on := fmt.Sprint(rule.ID) == view.RuleID
		if on {
			chosen = &rules[i]
		}
		if rule.Ended && !on {
			continue
		}
		view.Rules = append(view.Rules, option{Value: fmt.Sprint(rule.ID), On: on, Text: v.L.T("deduction.rule.choice", rule.Code, rule.Version, rule.Points.String(), v.L.rulePeriod(rule))})
	}
	f.V = view
	if chosen == nil || unit == 0 {
		return f, nil
	}
	row := v.L.ruleRow(*chosen, v.Now)
	view.Rule, view.RuleCode, view.OfSlots = &row, chosen.Code, len(chosen.Verdicts) > 0
	if !view.OfSlots {
		return f, nil
	}
	all, more, err := s.o.Deductions.Candidates(ctx, fleet.UnitID(unit), *chosen, from, to, v.Now)
	if err != nil {
		return f, err
	}
	view.More = more
	for _, c := range all {
		o := c.Slot
		value := fmt.Sprintf("%d|%s", o.Point, o.Slot)
		choice := slotChoice{
			Value: value, Href: fmt.Sprintf("%s/slots/%s", pointPath(o.Point), url.PathEscape(string(o.Slot))), Point: p.point[o.Point].Name, Day: v.L.Date(v.L.Day(o.Day)), Name: o.Name,
			Verdict: v.L.T("verdict." + string(o.Verdict)), Reason: v.L.reason(o.Reason), On: slices.Contains(in["slot"], value),
		}
		if refused := (*fleet.Error)(nil); errors.As(c.Refusal, &refused) {
			choice.Refusal = v.L.Error(refused)
		} else {
			view.Fit++
		}
		view.Slots = append(view.Slots, choice)
	}
	return f, nil
}

func (s *Server) proposeDeduction(w http.ResponseWriter, r *http.Request, v *visit) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		return &fleet.Error{Code: fleet.Invalid, Text: v.L.T("error.form"), TextEN: v.L.T("error.form"), Err: err}
	}
	in := r.PostForm
	unit, _ := strconv.ParseInt(in.Get("unit"), 10, 64) // nonsense is no unit and no rule
	rule, _ := strconv.ParseInt(in.Get("rule"), 10, 64)
	p := assessment.Proposal{Unit: fleet.UnitID(unit), Rule: fleet.RuleID(rule), Day: fleet.Day(strings.TrimSpace(in.Get("day"))), Ground: in.Get("ground")}
	for _, value := range in["slot"] {
		point, slot, _ := strings.Cut(value, "|")
		n, _ := strconv.ParseInt(point, 10, 64)
		p.Slots = append(p.Slots, assessment.Pick{Point: fleet.PointID(n), Slot: wire.SlotID(slot)})
	}
	ctx, line := s.withAudit(r, v, fleet.Audit{
		What: fleet.AuditDeduction, Object: s.unitName(r.Context(), p.Unit), Detail: fmt.Sprint(len(p.Slots)), After: fleet.Fields("rule", in.Get("rule"), "slots", strings.Join(in["slot"], " "), "ground", p.Ground),
	})
	d, err := s.o.Deductions.Propose(ctx, v.User, p, v.Now)
	if why, ok := refusalOf(v.L, err); ok {
		f, err := s.deductionFormPage(r.Context(), v, r, in, why)
		if err != nil {
			return err
		}
		return s.show(w, http.StatusUnprocessableEntity, "deductionnew", f)
	}
	if err != nil {
		return err
	}
	s.audited(r, line)
	return redirect(w, r, deductionPath(d.ID)+"?done=deduction")
}
