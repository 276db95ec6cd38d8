package web

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"gatecast/controller/fleet"
)

// myDeductionsView is what was deducted from the account's own unit.
type myDeductionsView struct {
	Owner string
	Rows  []myDeductionRow
	Total string
}

type myDeductionRow struct {
	deductionRow
	Until string // until when it may be appealed against; empty where it may not
}

// maxMine is how many notices a unit's page lists, the newest first.
const maxMine = 100

func myDeductionPath(id fleet.DeductionID) string { return fmt.Sprintf("/my/deductions/%d", id) }

// myDeductions lists the notices to the account's own unit.
func (s *Server) myDeductions(ctx context.Context, v *visit, r *http.Request) (frame, error) {
	f, err := s.frame(ctx, v, r, "deduction.my", "mydeductions")
	if err != nil {
		return f, err
	}
	view := &myDeductionsView{}
	f.V = view
	unit := v.User.Scope().Unit
	if unit == 0 {
		return f, nil // a property company is not assessed
	}
	view.Owner = s.unitName(ctx, unit)
	rows, _, err := s.o.DeductionBook.Deductions(ctx, fleet.DeductionFilter{Unit: unit, NoDrafts: true, Limit: maxMine})
	if err != nil {
		return f, err
	}
	for _, d := range rows {
		row := myDeductionRow{deductionRow: v.L.deductionRow(d, myDeductionPath(d.ID))}
		if mayAppeal(d, v) {
			row.Until = v.L.T("deduction.until", v.L.Date(d.Deadline.Add(-time.Second)))
		}
		view.Rows = append(view.Rows, row)
	}
	year := s.dayOf(v.Now)[:5]
	counted, _, err := s.o.DeductionBook.Deductions(ctx, fleet.DeductionFilter{From: year + "01-01", To: year + "12-31", Unit: unit})
	if err != nil {
		return f, err
	}
	total := fleet.Hundredths(0)
	for _, t := range fleet.DeductionTotals(counted) {
		total += t.Points
	}
	view.Total = v.L.T("deduction.total", string(year[:4]), total.String())
	return f, nil
}

// mayAppeal reports whether the unit may say something against d now.
func mayAppeal(d fleet.Deduction, v *visit) bool {
	return (d.State == fleet.DeductionNotified || d.State == fleet.DeductionAppealed) && v.Now.Before(d.Deadline)
}

// myDeductionView is one notice, with the form of an appeal.
type myDeductionView struct {
	ID        fleet.DeductionID
	N         noticeView
	MayAppeal bool
	Problem   string
	Text      string
}

// ownDeduction returns a notice to the account's own unit. Those of others, and
// drafts, do not exist for it.
func (s *Server) ownDeduction(r *http.Request, v *visit) (fleet.DeductionFile, error) {
	id, err := deductionID(r)
	if err != nil {
		return fleet.DeductionFile{}, err
	}
	d, err := s.o.DeductionBook.DeductionFile(r.Context(), id)
	if err != nil {
		return d, err
	}
	if unit := v.User.Scope().Unit; unit == 0 || d.Unit != unit || d.Number == 0 {
		return fleet.DeductionFile{}, errNoPage
	}
	return d, nil
}

func (s *Server) myDeduction(ctx context.Context, v *visit, r *http.Request) (frame, error) {
	return s.myDeductionPage(ctx, v, r, "", "")
}

func (s *Server) myDeductionPage(ctx context.Context, v *visit, r *http.Request, text, problem string) (frame, error) {
	f, err := s.frame(ctx, v, r, "deduction.notice", "mydeductions")
	if err != nil {
		return f, err
	}
	d, err := s.ownDeduction(r, v)
	if err != nil {
		return f, err
	}
	view := &myDeductionView{ID: d.ID, MayAppeal: mayAppeal(d.Deduction, v), Text: text, Problem: problem}
	if view.N, err = s.notice(ctx, v, d, myDeductionPath(d.ID)); err != nil {
		return f, err
	}
	f.V = view
	return f, nil
}

// appeal keeps what the unit says against a notice.
func (s *Server) appeal(w http.ResponseWriter, r *http.Request, v *visit) error {
	d, err := s.ownDeduction(r, v)
	if err != nil {
		return err
	}
	form, photo, err := readUpload(w, r, "photo")
	if err != nil {
		return err
	}
	ctx, line := s.withAudit(r, v, fleet.Audit{What: fleet.AuditDeductionAppeal, Object: fmt.Sprint(d.ID), Detail: d.Name})
	_, err = s.o.Deductions.Appeal(ctx, v.User, d.ID, form.Get("text"), photo, v.Now)
	if why, ok := refusalOf(v.L, err); ok {
		f, err := s.myDeductionPage(r.Context(), v, r, form.Get("text"), why)
		if err != nil {
			return err
		}
		return s.show(w, http.StatusUnprocessableEntity, "mydeduction", f)
	}
	if err != nil {
		return err
	}
	s.audited(r, line)
	return redirect(w, r, myDeductionPath(d.ID)+"?done=appealed")
}

func (s *Server) myAppealPhoto(w http.ResponseWriter, r *http.Request, v *visit) error {
	d, err := s.ownDeduction(r, v)
	if err != nil {
		return err
	}
	return s.sendAppealPhoto(w, r, d.ID)
}
