package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// revokeView is the page that asks twice before a device loses its rights.
type revokeView struct {
	Point, Href string
	ID          fleet.PointID
	Devices     []revokeRow
	Reason      string
	MayEnrol    bool
	Error       string
}

type revokeRow struct {
	ID, Hardware string
	State        deviceState
	Since        string
	On           bool
}

// maxReason bounds what a person writes why, in bytes.
const maxReason = 400

func (s *Server) revokeRoutes(mux *http.ServeMux) {
	s.page(mux, fleet.ActRevoke, "/points/{id}/revoke", "revoke", s.revokeAsk)
	s.may(mux, fleet.ActRevoke, "POST /points/{id}/revoke", s.revoke)
}

// revokeAsk lists the devices of a point that still have rights.
func (s *Server) revokeAsk(ctx context.Context, v *visit, r *http.Request) (frame, error) {
	f, err := s.frame(ctx, v, r, "", "points")
	if err != nil {
		return f, err
	}
	id, err := pointID(r)
	if err != nil {
		return f, err
	}
	pt, err := s.o.Registry.Point(ctx, id)
	if err != nil {
		return f, fmt.Errorf("reading point: %w", err)
	}
	devices, err := s.o.Devices.Devices(ctx)
	if err != nil {
		return f, fmt.Errorf("reading devices: %w", err)
	}
	view := &revokeView{Point: pt.Name, Href: pointPath(id), ID: id, MayEnrol: fleet.May(v.User.Role, fleet.ActEnrol)}
	for _, d := range devices {
		if d.Point != id || d.State == fleet.DeviceRevoked {
			continue
		}
		row := revokeRow{ID: string(d.ID), Hardware: d.Hardware, Since: v.L.Stamp(d.Enrolled, v.Now)}
		switch {
		case d.Cloned:
			row.State = deviceState{"bad", "i-shield", v.L.T("device.cloned")}
		case d.State == fleet.DeviceQuarantine:
			row.State = deviceState{"warn", "i-speaker", v.L.T("device.quarantine")}
		case d.State == fleet.DeviceRetired:
			row.State = deviceState{"", "i-dash", v.L.T("device.retired")}
		default:
			row.State, _ = v.L.deviceState(d, true, v.Now)
			row.On = true
		}
		view.Devices = append(view.Devices, row)
	}
	if len(view.Devices) == 1 {
		view.Devices[0].On = true
	}
	f.Title, f.V = v.L.T("revoke.title", pt.Name), view
	return f, nil
}

// revoke ends the trust in a device of the point, and makes the join code for
// its successor where that was asked for.
func (s *Server) revoke(w http.ResponseWriter, r *http.Request, v *visit) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	f, err := s.revokeAsk(r.Context(), v, r)
	if err != nil {
		return err
	}
	view := f.V.(*revokeView)
	view.Reason = strings.TrimSpace(r.FormValue("reason"))
	again := func(text string) error {
		view.Error = text
		return s.show(w, http.StatusUnprocessableEntity, "revoke", f)
	}
	id := wire.DeviceID("")
	for i := range view.Devices {
		row := &view.Devices[i]
		if row.On = row.ID == r.FormValue("device"); row.On {
			id = wire.DeviceID(row.ID)
		}
	}
	switch {
	case id == "":
		return again(v.L.T("revoke.choose"))
	case view.Reason == "" || len(view.Reason) > maxReason:
		return again(v.L.T("revoke.why"))
	case r.FormValue("sure") != "yes":
		return again(v.L.T("revoke.unsure"))
	}
	ctx, line := s.withAudit(r, v, fleet.Audit{What: fleet.AuditRevoked, Object: view.Point, Detail: string(id) + " " + view.Reason})
	if err := s.o.Admission.Revoke(ctx, id); err != nil {
		return fmt.Errorf("revoking device %q: %w", id, err)
	}
	s.audited(r, line)
	if r.FormValue("then") == "replace" && view.MayEnrol {
		r.Form.Set("point", fmt.Sprint(view.ID))
		if err := s.issueCode(w, r, v); err != nil {
			return errors.Join(errors.New("making a code for the successor"), err)
		}
		return nil
	}
	return redirect(w, r, view.Href)
}
