package web

import (
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"gatecast/controller/fleet"
)

// personalRoutes are what has to do with personal data.
func (s *Server) personalRoutes(mux *http.ServeMux) {
	s.public(mux, "GET /privacy", s.privacy)
	s.may(mux, fleet.ActReveal, "GET /points/{id}/phone", s.askPhone)
	s.may(mux, fleet.ActReveal, "POST /points/{id}/phone", s.revealPhone)
}

// privacyView is 个人信息告知.
type privacyView struct{ Phone, Audit int } // days

func (s *Server) privacy(w http.ResponseWriter, r *http.Request, v *visit) error {
	f, err := s.frame(r.Context(), v, r, "privacy.title", "")
	if err != nil {
		return err
	}
	day := 24 * time.Hour
	f.V = privacyView{int(s.o.ErasePhone / day), int(s.o.Retention / day)}
	return s.show(w, http.StatusOK, "privacy", f)
}

// revealView is the form that asks for a reason, and the number once.
type revealView struct {
	Back, Point, Name string
	Masked, Number    string
	Reason, Error     string
}

// contactPhone is whom contact names, and the number.
func (s *Server) contactPhone(r *http.Request) (revealView, fleet.Phone, error) {
	id, err := pointID(r)
	if err != nil {
		return revealView{}, "", err
	}
	pt, err := s.o.Registry.Point(r.Context(), id)
	if err != nil {
		return revealView{}, "", fmt.Errorf("reading point: %w", err)
	}
	view := revealView{Back: pointPath(id), Point: pt.Name, Name: pt.DutyName}
	phone := pt.DutyPhone
	if pt.DutyName == "" {
		all, err := s.o.Registry.Liaisons(r.Context())
		if err != nil {
			return view, "", fmt.Errorf("reading liaisons: %w", err)
		}
		for _, l := range all {
			if l.Unit == pt.Unit && l.To.IsZero() {
				view.Name, phone = l.Name, l.Phone
				break
			}
		}
	}
	view.Masked = phone.String()
	if phone == "" {
		return view, "", &fleet.Error{Code: fleet.NotFound, Text: "这个点位没有登记电话。", TextEN: "There is no telephone number for this point."}
	}
	if phone == fleet.UnreadablePhone {
		return view, "", &fleet.Error{
			Code:   fleet.Conflict,
			Text:   "这个号码解不开：密钥文件 trust/vault.key 不在或不对。请放回密钥文件并重启主控，或重新导入名册。",
			TextEN: "This number cannot be opened: the key file trust/vault.key is missing or another one. Put it back and restart the controller, or import the registry again.",
		}
	}
	return view, phone, nil
}

func (s *Server) askPhone(w http.ResponseWriter, r *http.Request, v *visit) error {
	view, _, err := s.contactPhone(r)
	if err != nil {
		return err
	}
	return s.showReveal(w, r, v, http.StatusOK, view)
}

func (s *Server) showReveal(w http.ResponseWriter, r *http.Request, v *visit, status int, view revealView) error {
	f, err := s.frame(r.Context(), v, r, "reveal.title", "points")
	if err != nil {
		return err
	}
	f.V = view
	return s.show(w, status, "reveal", f)
}

// leastReason is how many characters a reason has at least.
const leastReason = 4

// revealPhone shows a whole number for a reason. The line of the audit comes
// first: a number that nobody knows of having been shown is not shown.
func (s *Server) revealPhone(w http.ResponseWriter, r *http.Request, v *visit) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	view, phone, err := s.contactPhone(r)
	if err != nil {
		return err
	}
	view.Reason = strings.TrimSpace(r.FormValue("reason"))
	if utf8.RuneCountInString(view.Reason) < leastReason {
		view.Error = v.L.T("reveal.reason.short", leastReason)
		return s.showReveal(w, r, v, http.StatusUnprocessableEntity, view)
	}
	line := byline(r, v, fleet.Audit{What: fleet.AuditReveal, Object: view.Point + " " + view.Name, Detail: view.Reason, After: view.Masked})
	if err := s.o.Audit.AddAudit(r.Context(), line); err != nil {
		return fmt.Errorf("telling of a telephone number: %w", err)
	}
	view.Number = phone.Full()
	return s.showReveal(w, r, v, http.StatusOK, view)
}
