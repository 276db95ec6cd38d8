package web

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// newcomerView is a device in quarantine: it waits for somebody to hear it.
type newcomerView struct {
	Point    fleet.PointID
	ID       string
	Hardware string
	Enrolled string
	State    deviceState
	Cloned   bool
	Online   bool
	Knows    bool   // it has the time and the signed volume
	Toned    string // when its latest tone ended, empty for none
	Ask      bool   // that tone waits for an answer
	Unheard  bool   // the latest answer was no
	Replaces bool   // another device plays until this one is accepted
	Back     string // where the forms lead to
	MayAdmit bool
}

func (s *Server) admissionRoutes(mux *http.ServeMux) {
	s.may(mux, fleet.ActInstall, "POST /points/{id}/tone", s.testTone)
	s.may(mux, fleet.ActInstall, "POST /points/{id}/heard", s.heard)
	s.revokeRoutes(mux)
	s.installRoutes(mux)
}

// newcomerOf returns the device that waits at a point, nil for none.
func (l *lang) newcomerOf(p *places, id fleet.PointID, now time.Time) *newcomerView {
	d, ok := p.waiting[id]
	if !ok {
		return nil
	}
	_, taken := p.device[id]
	v := &newcomerView{
		Point: id, ID: string(d.ID), Hardware: d.Hardware, Enrolled: l.Stamp(d.Enrolled, now), Cloned: d.Cloned,
		Online: l.online(d, now), Knows: d.TimeLevel >= wire.T1 && d.Ready(), Replaces: taken, Back: pointPath(id),
		Ask: d.Toned.After(d.Unheard), Unheard: d.Unheard.After(d.Toned),
	}
	if !d.Toned.IsZero() {
		v.Toned = l.Stamp(d.Toned, now)
	}
	switch {
	case d.Cloned:
		v.State = deviceState{"bad", "i-shield", l.T("device.cloned")}
	case !v.Online:
		v.State = deviceState{"bad", "i-offline", l.T("newcomer.offline")}
	case !v.Knows:
		v.State = deviceState{"info", "i-clock", l.T("newcomer.preparing")}
	default:
		v.State = deviceState{"warn", "i-speaker", l.T("device.quarantine")}
	}
	return v
}

// waitingAt returns the point of the request, one of the account's own, and the device that waits there
// under the name that the form carries: what a page of an hour ago says about
// another device does not count.
func (s *Server) waitingAt(ctx context.Context, r *http.Request, v *visit) (fleet.Point, fleet.Device, error) {
	pt, err := s.ownPoint(ctx, v, r)
	if err != nil {
		return pt, fleet.Device{}, err
	}
	all, err := s.o.Devices.Devices(ctx)
	if err != nil {
		return pt, fleet.Device{}, fmt.Errorf("reading devices: %w", err)
	}
	for _, d := range all {
		if d.Point == pt.ID && string(d.ID) == r.FormValue("device") && d.State == fleet.DeviceQuarantine {
			return pt, d, nil
		}
	}
	return pt, fleet.Device{}, &fleet.Error{Code: fleet.Conflict, Text: v.L.T("newcomer.gone"), TextEN: v.L.T("newcomer.gone")}
}

// testTone sounds a device in quarantine.
func (s *Server) testTone(w http.ResponseWriter, r *http.Request, v *visit) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	pt, d, err := s.waitingAt(r.Context(), r, v)
	if err != nil {
		return err
	}
	if err := s.o.Admission.TestTone(r.Context(), d.ID); err != nil {
		return err
	}
	s.audit(r, v, fleet.AuditTone, pt.Name, string(d.ID))
	return redirect(w, r, back(r, pt))
}

// heard takes the answer to a test tone.
func (s *Server) heard(w http.ResponseWriter, r *http.Request, v *visit) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	pt, d, err := s.waitingAt(r.Context(), r, v)
	if err != nil {
		return err
	}
	if r.FormValue("heard") != "yes" {
		if err := s.o.Admission.NotHeard(r.Context(), d.ID); err != nil {
			return err
		}
		s.audit(r, v, fleet.AuditUnheard, pt.Name, string(d.ID))
		return redirect(w, r, back(r, pt))
	}
	if err := s.o.Admission.Accept(r.Context(), d.ID, v.User.Login); err != nil {
		return err
	}
	s.audit(r, v, fleet.AuditAccepted, pt.Name, string(d.ID))
	return redirect(w, r, back(r, pt))
}

// back is the page that the form stood on.
func back(r *http.Request, pt fleet.Point) string {
	if to := localPath(r.FormValue("back")); to != "/" {
		return to
	}
	return pointPath(pt.ID)
}
