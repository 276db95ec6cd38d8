package web

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"gatecast/controller/fleet"
)

// joinView is the page behind the QR code, for whoever stands at the gate.
type joinView struct {
	Point, Unit string
	Code        string
	Line        string
	File        string
	State       codeState
	Install     string // page on which the device is heard
	Error       string // instead of everything else
}

// joinGuide explains how to install, without login: who has the code may.
func (s *Server) joinGuide(w http.ResponseWriter, r *http.Request, v *visit) error {
	c, pt, err := s.joinPublic(r, v)
	f, ferr := s.frame(r.Context(), v, r, "join.title", "")
	if ferr != nil {
		return ferr
	}
	if fe := (*fleet.Error)(nil); errors.As(err, &fe) {
		f.V = &joinView{Error: v.L.Error(fe)}
		return s.show(w, statuses[fe.Code], "join", f)
	}
	if err != nil {
		return err
	}
	code := r.PathValue("code")
	view := &joinView{
		Point: pt.Name, Code: code, Line: s.o.Trust.JoinLine(code),
		File: "/j/" + url.PathEscape(code) + "/join.txt", State: v.L.codeState(c, v.Now), Install: installPath(pt.ID),
	}
	units, err := s.o.Registry.Units(r.Context())
	if err != nil {
		return fmt.Errorf("reading units: %w", err)
	}
	for _, u := range units {
		if u.ID == pt.Unit {
			view.Unit = u.Name
		}
	}
	f.V = view
	return s.show(w, http.StatusOK, "join", f)
}

// joinFile is the file that goes onto the boot partition: the same one line.
func (s *Server) joinFile(w http.ResponseWriter, r *http.Request, v *visit) error {
	c, _, err := s.joinPublic(r, v)
	if err != nil {
		return err
	}
	if st := v.L.codeState(c, v.Now); !st.Usable {
		return &fleet.Error{Code: fleet.Conflict, Text: st.Text, TextEN: st.Text}
	}
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Content-Disposition", `attachment; filename="join.txt"`)
	h.Set("Cache-Control", "no-store")
	_, _ = fmt.Fprintln(w, s.o.Trust.JoinLine(r.PathValue("code")))
	return nil
}

func (s *Server) joinPublic(r *http.Request, v *visit) (fleet.JoinCode, fleet.Point, error) {
	if !s.guesses.allowed(address(r), v.Now) {
		return fleet.JoinCode{}, fleet.Point{}, &fleet.Error{
			Code: fleet.Forbidden, Text: v.L.T("join.slow"), TextEN: v.L.T("join.slow"),
		}
	}
	c, pt, err := s.join(r.Context(), r.PathValue("code"))
	if errors.Is(err, errNoCode) {
		s.guesses.missed(address(r))
	}
	return c, pt, err
}
