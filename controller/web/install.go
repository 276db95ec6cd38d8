package web

import (
	"context"
	"fmt"
	"net/http"
	"net/url"

	"gatecast/controller/fleet"
)

// installListView is where somebody with a phone picks the gate.
type installListView struct{ Rows []installRow }

type installRow struct {
	Name, Compound, Href string
	State                deviceState
}

// installView is one gate while a device is installed there. Whoever leaves
// and comes back finds it as it stands.
type installView struct {
	ID       fleet.PointID
	Name     string
	Compound string
	State    deviceState
	Newcomer *newcomerView
	Device   string // that plays here, empty for none
	Accepted string // since when and who heard it
}

func (s *Server) installRoutes(mux *http.ServeMux) {
	s.page(mux, fleet.ActInstall, "/install", "install", s.installList)
	s.page(mux, fleet.ActInstall, "/install/{id}", "installing", s.installing)
	s.may(mux, fleet.ActInstall, "POST /install/{id}/code", s.installCode)
}

// installList lists the account's own points.
func (s *Server) installList(ctx context.Context, v *visit, r *http.Request) (frame, error) {
	f, err := s.frame(ctx, v, r, "install.title", "")
	if err != nil {
		return f, err
	}
	p, err := s.places(ctx, fleet.PointFilter{})
	if err != nil {
		return f, err
	}
	own, err := s.o.Scopes.PointsIn(ctx, v.User.Scope())
	if err != nil {
		return f, fmt.Errorf("reading own points: %w", err)
	}
	view := &installListView{}
	for _, bare := range []bool{true, false} {
		for _, pt := range own {
			if _, has := p.device[pt.ID]; has == bare {
				continue
			}
			row := installRow{Name: pt.Name, Compound: p.compound[pt.Compound].Name, Href: installPath(pt.ID)}
			row.State, _ = p.stateOf(v.L, pt.ID, v.Now)
			view.Rows = append(view.Rows, row)
		}
	}
	f.V = view
	return f, nil
}

func installPath(id fleet.PointID) string { return fmt.Sprintf("/install/%d", id) }

// installing shows one of the account's own points.
func (s *Server) installing(ctx context.Context, v *visit, r *http.Request) (frame, error) {
	f, err := s.frame(ctx, v, r, "", "")
	if err != nil {
		return f, err
	}
	pt, err := s.ownPoint(ctx, v, r)
	if err != nil {
		return f, err
	}
	p, err := s.places(ctx, fleet.PointFilter{Unit: pt.Unit})
	if err != nil {
		return f, err
	}
	view := &installView{ID: pt.ID, Name: pt.Name, Compound: p.compound[pt.Compound].Name}
	view.State, _ = p.stateOf(v.L, pt.ID, v.Now)
	if d, has := p.device[pt.ID]; has {
		view.Device, view.Accepted = string(d.ID), v.L.T("install.accepted", v.L.Stamp(d.Accepted, v.Now), d.AcceptedBy)
	}
	if view.Newcomer = v.L.newcomerOf(p, pt.ID, v.Now); view.Newcomer != nil {
		view.Newcomer.MayAdmit, view.Newcomer.Back = true, installPath(pt.ID)
	}
	f.Title, f.V = v.L.T("install.at", pt.Name), view
	return f, nil
}

// ownPoint returns the point of the request if it is one of the account's own.
func (s *Server) ownPoint(ctx context.Context, v *visit, r *http.Request) (fleet.Point, error) {
	id, err := pointID(r)
	if err != nil {
		return fleet.Point{}, err
	}
	pt, err := s.o.Scopes.PointIn(ctx, v.User.Scope(), id)
	if err != nil {
		return pt, fmt.Errorf("reading point: %w", err)
	}
	return pt, nil
}

// installCode makes the join code for a first device. To replace one is for the
// office: who has a phone at the gate must not take its place over.
func (s *Server) installCode(w http.ResponseWriter, r *http.Request, v *visit) error {
	pt, err := s.ownPoint(r.Context(), v, r)
	if err != nil {
		return err
	}
	_, err = s.o.Devices.DeviceOfPoint(r.Context(), pt.ID)
	if err == nil {
		return &fleet.Error{Code: fleet.Conflict, Text: v.L.T("install.taken"), TextEN: v.L.T("install.taken")}
	}
	if fleet.CodeOf(err) != fleet.NotFound {
		return fmt.Errorf("reading device of point: %w", err)
	}
	code, hash := s.o.Trust.NewJoinCode()
	if err := s.o.JoinCodes.AddJoinCode(r.Context(), fleet.JoinCode{Hash: hash, Point: pt.ID, Issued: v.Now, Expires: v.Now.Add(joinFor), By: v.User.Login}); err != nil {
		return fmt.Errorf("storing join code: %w", err)
	}
	s.audit(r, v, fleet.AuditJoinCode, pt.Name, "")
	return redirect(w, r, "/j/"+url.PathEscape(code))
}
