package web

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"gatecast/controller/fleet"
)

// pointInputs are what is asked about a point; code and unit are asked of a
// new one. One that exists changes its unit when the unit changes.
func pointInputs(l *lang, o *office, e *fleet.PointEntry, fresh bool) []regInput {
	kinds := optionsOf(l, "kind.", fleet.PointKinds)
	compounds := []option{{Text: l.T("none")}}
	var units []option
	if o != nil {
		units = unitOptions(o.units, e.Unit)
		for _, c := range o.compounds {
			if fresh || o.unit[c.Unit].Code == e.Unit {
				text := c.Name
				if fresh {
					text = l.T("point.compound_of", c.Name, o.unit[c.Unit].Name)
				}
				compounds = append(compounds, option{Value: c.Name, Text: text})
			}
		}
	}
	classes := []option{{Value: "", Text: l.T("reg.point.class.none")}, {Value: "1", Text: l.T("reg.point.class.1")}, {Value: "2", Text: l.T("reg.point.class.2")}}
	all := []regInput{{name: "name", kind: "text", required: true}, {name: "kind", kind: "select", required: true, options: kinds}}
	if fresh {
		all = append([]regInput{{name: "code", kind: "text", required: true, mono: true}}, append(all, regInput{name: "unit", kind: "select", required: true, options: units})...)
	}
	return append(all,
		regInput{name: "compound", kind: "select", options: compounds}, regInput{name: "place", kind: "text"}, regInput{name: "tags", kind: "text"},
		regInput{name: "duty", kind: "text"}, regInput{name: "phone", kind: "text", mono: true}, regInput{name: "approval", kind: "text"},
		regInput{name: "cap", kind: "number"}, regInput{name: "class", kind: "select", options: classes}, regInput{name: "hold", kind: "check"})
}

func (s *Server) pointNew(ctx context.Context, v *visit, r *http.Request) (frame, error) {
	f, err := s.frame(ctx, v, r, "pointnew.title", "points")
	if err != nil {
		return f, err
	}
	o, err := s.office(ctx)
	if err != nil {
		return f, err
	}
	e := &fleet.PointEntry{Point: fleet.Point{Kind: fleet.Gate}}
	f.V = &newThingView{s.regForm(v.L, "point", "/points", e, pointInputs(v.L, o, e, true))}
	return f, nil
}

func (s *Server) addPoint(w http.ResponseWriter, r *http.Request, v *visit) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	e := &fleet.PointEntry{}
	_, faults := s.read(r, e, pointInputs(v.L, nil, e, true))
	fleet.Tidy(e)
	all, err := s.o.Registry.Points(r.Context(), fleet.PointFilter{Query: e.Code})
	if err != nil {
		return fmt.Errorf("reading points: %w", err)
	}
	if slices.ContainsFunc(all, func(p fleet.Point) bool { return p.Code == e.Code }) {
		faults = append(faults, fleet.RegistryFault{Field: "code", Text: fmt.Sprintf("编号 %q 已有点位在用。", e.Code), TextEN: fmt.Sprintf("Code %q is that of another point.", e.Code)})
	}
	if faults == nil {
		if faults, err = s.apply(r, v, fleet.RegistryChange{Point: e}); err != nil {
			return err
		}
	}
	if faults != nil {
		return s.refill(w, r, v, "pointnew", s.pointNew, "/points/new", faults)
	}
	if all, err = s.o.Registry.Points(r.Context(), fleet.PointFilter{Query: e.Code}); err != nil {
		return fmt.Errorf("reading points: %w", err)
	}
	for _, p := range all {
		if p.Code == e.Code {
			return redirect(w, r, pointPath(p.ID)+"?done=saved")
		}
	}
	return redirect(w, r, "/points?done=saved")
}

// pointEditView is the form of a point with when it owes.
type pointEditView struct {
	newThingView
	ID       fleet.PointID
	Name     string
	Code     string
	Unit     string
	Stage    deviceState
	Start    string // day from which it owes; empty: as soon as it is installed
	Today    string
	Retired  bool
	Why      string // why the day was refused
	Hold     bool
	Measured bool
}

func (s *Server) pointOf(ctx context.Context, r *http.Request) (fleet.Point, error) {
	id, err := pointID(r)
	if err != nil {
		return fleet.Point{}, err
	}
	return s.o.Registry.Point(ctx, id)
}

func (s *Server) pointEdit(ctx context.Context, v *visit, r *http.Request) (frame, error) {
	pt, err := s.pointOf(ctx, r)
	if err != nil {
		return frame{}, err
	}
	f, err := s.frame(ctx, v, r, "", "points")
	if err != nil {
		return f, err
	}
	o, err := s.office(ctx)
	if err != nil {
		return f, err
	}
	measured, err := s.o.Sites.Calibrations(ctx, pt.ID)
	if err != nil {
		return f, fmt.Errorf("reading calibrations: %w", err)
	}
	e := &fleet.PointEntry{Point: pt, Unit: o.unit[pt.Unit].Code, Compound: o.compound[pt.Compound].Name}
	f.Title = pt.Name
	f.V = &pointEditView{
		newThingView: newThingView{s.regForm(v.L, "point", pointPath(pt.ID)+"/edit", e, pointInputs(v.L, o, e, false))},
		ID:           pt.ID, Name: pt.Name, Code: pt.Code, Unit: o.unit[pt.Unit].Name, Stage: v.L.stage(pt, v.Now), Start: termDay(v.L, pt.Start, "from"), Today: string(s.dayOf(v.Now)),
		Retired: pt.RetiredAt(v.Now), Hold: pt.Hold, Measured: len(measured) > 0,
	}
	return f, nil
}

// stage says how far a point has come.
func (l *lang) stage(pt fleet.Point, now time.Time) deviceState {
	st := pt.StageAt(now)
	d := deviceState{Text: l.T("stage." + string(st)), Icon: "i-info", Tone: "info"}
	switch st {
	case fleet.StageActive:
		d.Tone, d.Icon = "ok", "i-check"
	case fleet.StageRetired:
		d.Tone, d.Icon = "", "i-lock"
	case fleet.StageWaiting:
		if !pt.ActiveFrom.IsZero() {
			d.Text = l.T("stage.from", l.in(pt.ActiveFrom).Format(time.DateOnly))
		}
		d.Tone, d.Icon = "warn", "i-clock"
	case fleet.StageBare:
		d.Icon = "i-plus"
	}
	return d
}

func (s *Server) savePoint(w http.ResponseWriter, r *http.Request, v *visit) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	pt, err := s.pointOf(r.Context(), r)
	if err != nil {
		return err
	}
	e := &fleet.PointEntry{}
	names, faults := s.read(r, e, pointInputs(v.L, nil, e, false))
	e.Code = pt.Code
	o, err := s.office(r.Context())
	if err != nil {
		return err
	}
	e.Unit = o.unit[pt.Unit].Code
	if faults == nil {
		if faults, err = s.apply(r, v, fleet.RegistryChange{Point: e, Fields: append(names, "unit")}); err != nil {
			return err
		}
	}
	if faults == nil {
		return redirect(w, r, pointPath(pt.ID)+"?done=saved")
	}
	f, err := s.pointEdit(r.Context(), v, r)
	if err != nil {
		return err
	}
	f.V.(*pointEditView).Form.keep(v.L, r, faults)
	return s.show(w, http.StatusUnprocessableEntity, "pointedit", f)
}

// startPoint says from which day a point owes. One that the office holds back
// has to be measured first.
func (s *Server) startPoint(w http.ResponseWriter, r *http.Request, v *visit) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	pt, err := s.pointOf(r.Context(), r)
	if err != nil {
		return err
	}
	measured, err := s.o.Sites.Calibrations(r.Context(), pt.ID)
	if err != nil {
		return fmt.Errorf("reading calibrations: %w", err)
	}
	text := strings.TrimSpace(r.FormValue("start"))
	day, err := time.ParseInLocation(time.DateOnly, text, s.o.Zone)
	why := ""
	switch today := s.dayOf(v.Now); {
	case text == "":
		day = time.Time{}
	case err != nil:
		why = v.L.T("pointedit.start.bad")
	case fleet.Day(text) < today:
		why = v.L.T("pointedit.start.past")
	case pt.Hold && len(measured) == 0:
		why = v.L.T("pointedit.start.unmeasured")
	case fleet.Day(text) == today:
		day = v.Now // what should have begun today is not owed
	}
	if why != "" {
		f, err := s.pointEdit(r.Context(), v, r)
		if err != nil {
			return err
		}
		view := f.V.(*pointEditView)
		f.Here, view.Start, view.Why = pointPath(pt.ID)+"/edit", text, why
		return s.show(w, http.StatusUnprocessableEntity, "pointedit", f)
	}
	ctx, line := s.withAudit(r, v, fleet.Audit{
		What: fleet.AuditPointStage, Object: pt.Name, Detail: v.L.T("pointedit.start"),
		Before: fleet.Fields("start", termDay(v.L, pt.Start, "from")), After: fleet.Fields("start", text),
	})
	if err := s.o.Sites.SetPointStart(ctx, pt.ID, day); err != nil {
		return fmt.Errorf("setting from when %q owes: %w", pt.Code, err)
	}
	s.audited(r, line)
	return redirect(w, r, pointPath(pt.ID)+"?done=saved")
}

// retirePoint takes a point out of use, or back.
func (s *Server) retirePoint(w http.ResponseWriter, r *http.Request, v *visit) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	pt, err := s.pointOf(r.Context(), r)
	if err != nil {
		return err
	}
	at, key := v.Now, "stage.retired"
	if r.FormValue("back") == "1" {
		at, key = time.Time{}, "pointedit.back"
	}
	ctx, line := s.withAudit(r, v, fleet.Audit{
		What: fleet.AuditPointStage, Object: pt.Name, Detail: v.L.T(key),
		Before: fleet.Fields("stage", string(pt.StageAt(v.Now))), After: fleet.Fields("retired", termDay(v.L, at, "from")),
	})
	if err := s.o.Sites.RetirePoint(ctx, pt.ID, at); err != nil {
		return fmt.Errorf("retiring %q: %w", pt.Code, err)
	}
	s.audited(r, line)
	return redirect(w, r, pointPath(pt.ID)+"?done=saved")
}
