package web

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"gatecast/controller/auth"
	"gatecast/controller/fleet"
)

// routes is every page and action there is, and what it needs.
func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()

	// without login
	s.public(mux, "GET /login", s.loginForm)
	s.public(mux, "POST /login", s.login)
	s.public(mux, "POST /login/code", s.loginCode)
	s.public(mux, "GET /j/{code}", s.joinGuide)
	s.public(mux, "GET /j/{code}/join.txt", s.joinFile)
	s.handle(mux, "", "GET /static/{file}", s.assets)

	// account
	s.may(mux, fleet.ActAccount, "POST /logout", s.logout)
	s.may(mux, fleet.ActAccount, "GET /password", s.passwordForm)
	s.may(mux, fleet.ActAccount, "POST /password", s.changePassword)

	s.myRoutes(mux)
	s.rosterRoutes(mux)
	s.incidentRoutes(mux)
	s.alertRoutes(mux)
	s.deductionRoutes(mux)
	s.inspectionRoutes(mux)
	s.accountRoutes(mux)
	s.userRoutes(mux)

	// overview
	s.page(mux, fleet.ActRead, "/{$}", "overview", s.overview)

	// points
	s.page(mux, fleet.ActRead, "/points", "points", s.points)
	s.page(mux, fleet.ActRead, "/points/{id}", "point", s.point)
	s.may(mux, fleet.ActEnrol, "POST /points/{id}/clock", s.demandSync)
	s.page(mux, fleet.ActRead, "/points/{id}/slots/{slot}", "slot", s.slot)

	// clips
	s.clipRoutes(mux)
	s.reelRoutes(mux)
	s.transferRoutes(mux)
	s.approvalRoutes(mux)
	s.speakRoutes(mux)

	// programmes
	s.page(mux, fleet.ActRead, "/programmes", "programmes", s.programmes)
	s.page(mux, fleet.ActRead, "/programmes/{id}", "programme", s.programme)
	s.page(mux, fleet.ActActivate, "/programmes/{id}/activate", "activate", s.confirmProgramme)
	s.may(mux, fleet.ActRead, "GET /programmes/{id}/yaml", s.programmeYAML)
	s.may(mux, fleet.ActActivate, "POST /programmes", s.uploadProgramme)
	s.may(mux, fleet.ActActivate, "POST /programmes/{id}/activate", s.activateProgramme)

	s.editorRoutes(mux)
	s.calendarRoutes(mux)

	s.complianceRoutes(mux)

	// published periods
	s.page(mux, fleet.ActRead, "/publications", "publications", s.publications)
	s.page(mux, fleet.ActPublish, "/publications/new", "publish", s.publish)
	s.page(mux, fleet.ActRead, "/publications/{id}", "publication", s.publication)
	s.may(mux, fleet.ActPublish, "POST /publications", s.sealPeriod)
	s.may(mux, fleet.ActPublish, "POST /publications/{id}/amend", s.amend)

	// what was lost, and what follows a restore
	s.page(mux, fleet.ActRead, "/rejected", "rejected", s.rejected)
	s.page(mux, fleet.ActRead, "/restored", "restored", s.restored)
	s.may(mux, fleet.ActActivate, "POST /restored/confirm", s.confirmPlans)

	// enrolment of devices
	s.page(mux, fleet.ActEnrol, "/enrol", "enrol", s.enrolList)
	s.may(mux, fleet.ActEnrol, "POST /enrol", s.issueCode)
	s.page(mux, fleet.ActEnrol, "/enrol/{code}", "enrolcode", s.enrolCode)
	s.admissionRoutes(mux)

	s.auditRoutes(mux)
	s.personalRoutes(mux)
	s.edgeRoutes(mux)
	s.registerRoutes(mux)
	s.muteRoutes(mux)
	s.keyRoutes(mux)
	s.robotRoutes(mux)
	s.urgentRoutes(mux)
	s.dispatchRoutes(mux)
	s.complaintRoutes(mux)
	s.groupRoutes(mux)
	s.relayRoutes(mux)
	s.backupRoutes(mux)
	s.bulletinRoutes(mux)
	s.paperRoutes(mux)
	s.weekFigureRoutes(mux)
	s.feedbackRoutes(mux)

	s.handle(mux, fleet.ActAccount, "/", s.wrap(fleet.ActAccount, func(http.ResponseWriter, *http.Request, *visit) error {
		return errNoPage
	}))
	return mux
}

// handler answers one request. An error becomes an error page; nothing may
// have been written then.
type handler func(w http.ResponseWriter, r *http.Request, v *visit) error

// loader reads what a page shows, for the page and for its event stream.
type loader func(ctx context.Context, v *visit, r *http.Request) (frame, error)

// route is one line of the table of routes.
type route struct {
	Pattern string       // of http.ServeMux
	Action  fleet.Action // what it asks for; empty: nothing, it is public
}

// handle is the one way into the mux: what it is not told of does not exist,
// so the table that the permission tests walk is whole.
func (s *Server) handle(mux *http.ServeMux, what fleet.Action, pattern string, h http.Handler) {
	s.table = append(s.table, route{pattern, what})
	mux.Handle(pattern, h)
}

// public serves whoever asks.
func (s *Server) public(mux *http.ServeMux, pattern string, h handler) {
	s.handle(mux, "", pattern, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v := &visit{L: s.pickLang(w, r), Now: s.o.Now()}
		if err := h(w, r, v); err != nil {
			s.fail(w, r, v, err)
		}
	}))
}

// may serves users who may do what.
func (s *Server) may(mux *http.ServeMux, what fleet.Action, pattern string, h handler) {
	s.handle(mux, what, pattern, s.wrap(what, h))
}

// page serves a page and, under /events, the stream of its live cards.
func (s *Server) page(mux *http.ServeMux, what fleet.Action, path, name string, load loader) {
	s.may(mux, what, "GET "+path, func(w http.ResponseWriter, r *http.Request, v *visit) error {
		f, err := load(r.Context(), v, r)
		if err != nil {
			return err
		}
		f.Live = "/events" + f.Here
		return s.show(w, http.StatusOK, name, f)
	})
	s.handle(mux, what, "GET /events"+path, s.stream(what, name, load))
}

// wrap is the one place where a session and the permission are asked for.
func (s *Server) wrap(what fleet.Action, h handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v := &visit{L: s.pickLang(w, r), Now: s.o.Now(), Token: sessionToken(r)}
		user, err := s.o.Logins.Resume(r.Context(), v.Token)
		if errors.Is(err, auth.ErrNoSession) {
			s.toLogin(w, r, v)
			return
		}
		if err != nil {
			s.fail(w, r, v, err)
			return
		}
		v.User = user
		if first := dutyPath(s.o.Logins.Duty(user), r.URL.Path); first != "" {
			http.Redirect(w, r, first, http.StatusSeeOther)
			return
		}
		if to := home(user.Role); r.URL.Path == "/" && to != "/" {
			http.Redirect(w, r, to, http.StatusSeeOther)
			return
		}
		if !fleet.May(user.Role, what) {
			s.auditRefusal(r, v, fleet.Audit{What: fleet.AuditForbidden, Object: r.Method + " " + r.URL.Path, Detail: string(what)})
			s.fail(w, r, v, &fleet.Error{Code: fleet.Forbidden, Text: v.L.T("error.forbidden"), TextEN: v.L.T("error.forbidden")})
			return
		}
		if !s.openFrom(r, what) {
			s.fail(w, r, v, elsewhere(r))
			return
		}
		if err := h(w, r, v); err != nil {
			s.fail(w, r, v, err)
		}
	})
}

// toLogin sends a reader to the login and back afterwards; what a form held
// is lost, so a POST comes back to the page the form stood on.
func (s *Server) toLogin(w http.ResponseWriter, r *http.Request, v *visit) {
	to := here(r)
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		to = "/"
		if ref, err := url.Parse(r.Referer()); err == nil && ref.Host == r.Host {
			to = localPath(ref.RequestURI())
		}
	}
	if v.Token != "" {
		setSession(w, r, "")
	}
	target := "/login"
	if to != "/" {
		target += "?to=" + url.QueryEscape(to)
	}
	http.Redirect(w, r, target, http.StatusSeeOther)
}
