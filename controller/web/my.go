package web

import (
	"context"
	"fmt"
	"net/http"

	"gatecast/controller/fleet"
)

// myRoutes are the pages of accounts that see only what is their own.
func (s *Server) myRoutes(mux *http.ServeMux) {
	s.page(mux, fleet.ActOwn, "/my", "my", s.my)
}

// home is the page that an account of role starts on.
func home(role fleet.Role) string {
	switch {
	case fleet.May(role, fleet.ActRead):
		return "/"
	case fleet.May(role, fleet.ActOwn):
		return "/my"
	case fleet.May(role, fleet.ActAudit):
		return "/audit"
	}
	return "/account"
}

// myView is the list of one's own points.
type myView struct {
	Owner string // unit or company; empty if the account was given none

	MayInstall bool
	Rows       []myRow
}

type myRow struct {
	pointRow
	ID    fleet.PointID
	Needs []need // what somebody has to do, the first one first
}

// my lists the points of the account's own unit or property company, with what
// each needs. It names nobody else's point.
func (s *Server) my(ctx context.Context, v *visit, r *http.Request) (frame, error) {
	f, err := s.frame(ctx, v, r, "my.title", "my")
	if err != nil {
		return f, err
	}
	p, err := s.places(ctx, fleet.PointFilter{})
	if err != nil {
		return f, err
	}
	if p.points, err = s.o.Scopes.PointsIn(ctx, v.User.Scope()); err != nil {
		return f, fmt.Errorf("reading own points: %w", err)
	}
	today := s.dayOf(v.Now)
	view := &myView{Owner: v.User.Company, MayInstall: fleet.May(v.User.Role, fleet.ActInstall)}
	if v.User.Role == fleet.UnitAccount {
		view.Owner = p.unit[v.User.Unit].Name
	}
	byPoint := map[fleet.PointID][]fleet.Obligation{}
	var owed []fleet.Obligation
	for _, pt := range p.points {
		rows, err := s.o.Ledger.Obligations(ctx, fleet.ObligationFilter{From: today, To: today, Point: pt.ID})
		if err != nil {
			return f, fmt.Errorf("reading obligations: %w", err)
		}
		if err := s.progress(ctx, rows, v.Now); err != nil {
			return f, err
		}
		byPoint[pt.ID] = rows
		owed = append(owed, rows...)
	}
	alarmed, err := s.ownAlerts(ctx, v, p.points)
	if err != nil {
		return f, err
	}
	columns := v.L.columns(owed, v.Now)
	for _, pt := range p.points {
		view.Rows = append(view.Rows, myRow{
			ID: pt.ID, pointRow: v.L.pointRow(p, pt, byPoint[pt.ID], columns, v.Now), Needs: append(alarmed[pt.ID], v.L.needsOf(p, pt, byPoint[pt.ID], v.Now)...),
		})
	}
	f.V = view
	return f, nil
}
