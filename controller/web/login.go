package web

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"gatecast/controller/auth"
	"gatecast/controller/fleet"
)

// loginView is the login form, with what was wrong the last time.
type loginView struct {
	Login  string
	To     string
	Error  string // bold part
	Hint   string
	Ended  bool // came here because a session ended
	Secure bool
	Idle   string // how long a login lasts without a click
}

// maxForm bounds forms without files.
const maxForm = 1 << 20

func (s *Server) loginForm(w http.ResponseWriter, r *http.Request, v *visit) error {
	to := localPath(r.URL.Query().Get("to"))
	if _, err := s.o.Logins.Resume(r.Context(), sessionToken(r)); err == nil {
		return redirect(w, r, to)
	}
	return s.showLogin(w, r, v, http.StatusOK, loginView{To: to, Ended: r.URL.Query().Has("to")})
}

func (s *Server) showLogin(w http.ResponseWriter, r *http.Request, v *visit, status int, view loginView) error {
	f, err := s.frame(r.Context(), v, r, "login.title", "")
	if err != nil {
		return err
	}
	view.Secure, view.Idle = secure(r), v.L.Span(s.o.Logins.Idle())
	f.Here, f.V = "/login", view
	return s.show(w, status, "login", f)
}

func (s *Server) login(w http.ResponseWriter, r *http.Request, v *visit) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	to := localPath(r.FormValue("to"))
	login, browser := strings.TrimSpace(r.FormValue("login")), browserToken(r)
	token, user, err := s.o.Logins.Login(r.Context(), login, r.FormValue("password"),
		loginVisitor(r, browser))
	if refused := (*auth.Refused)(nil); errors.As(err, &refused) {
		s.o.Logger.Warn("login refused", "login", login, "from", address(r), "left", refused.Left, "wait", refused.Wait)
		s.auditRefusal(r, v, fleet.Audit{Who: login, What: fleet.AuditLoginRefused})
		s.guessed(r, login, refused)
		view := loginView{Login: login, To: to}
		view.Error, view.Hint = v.L.refusal(refused)
		return s.showLogin(w, r, v, http.StatusUnauthorized, view)
	}
	if wanted := (*auth.CodeWanted)(nil); errors.As(err, &wanted) {
		return s.showCode(w, r, v, http.StatusOK, codeView{Half: wanted.Half, To: to})
	}
	if err != nil {
		return err
	}
	keepBrowser(w, r, browser)
	return s.enter(w, r, v, user, token, to)
}

// browserCookie is what a browser keeps after a login: see auth.NewBrowser.
const browserCookie = "gatecast_browser"

// browserFor is how long: as long as the store knows where a login came from.
const browserFor = 90 * 24 * time.Hour

// browserToken returns the token that the browser keeps, or a fresh one.
func browserToken(r *http.Request) string {
	if c, err := r.Cookie(browserCookie); err == nil && len(c.Value) == 43 {
		return c.Value
	}
	return auth.NewBrowser()
}

// keepBrowser has the browser keep its token; only after a good login, so that
// it tells nobody anything else.
func keepBrowser(w http.ResponseWriter, r *http.Request, token string) {
	http.SetCookie(w, &http.Cookie{
		Name: browserCookie, Value: token, Path: "/", HttpOnly: true, Secure: secure(r), SameSite: http.SameSiteLaxMode, MaxAge: int(browserFor / time.Second),
	})
}

func loginVisitor(r *http.Request, browser string) auth.Visitor {
	return auth.Visitor{Address: address(r), Agent: r.UserAgent(), Old: sessionToken(r), Browser: browser}
}

// enter starts the session of somebody who proved all there was to prove.
func (s *Server) enter(w http.ResponseWriter, r *http.Request, v *visit, user fleet.User, token, to string) error {
	v.User = user
	s.audit(r, v, fleet.AuditLogin, "", "")
	setSession(w, r, token)
	return redirect(w, r, to) // from there wrap sends on to what has to be done first
}

// codeView is the second step of a login.
type codeView struct {
	Half  string // token of the first step
	To    string
	Error string
}

func (s *Server) showCode(w http.ResponseWriter, r *http.Request, v *visit, status int, view codeView) error {
	f, err := s.frame(r.Context(), v, r, "code.title", "")
	if err != nil {
		return err
	}
	f.Here, f.V = "/login", view
	return s.show(w, status, "code", f)
}

// loginCode takes the code of the second factor.
func (s *Server) loginCode(w http.ResponseWriter, r *http.Request, v *visit) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	half, to, browser := r.FormValue("half"), localPath(r.FormValue("to")), browserToken(r)
	token, user, err := s.o.Logins.Confirm(r.Context(), half, r.FormValue("code"),
		loginVisitor(r, browser))
	var refused *auth.Refused
	var rule *fleet.Error
	switch {
	case errors.Is(err, auth.ErrNoSession):
		return s.showLogin(w, r, v, http.StatusUnauthorized, loginView{To: to, Error: v.L.T("code.late")})
	case errors.As(err, &refused):
		s.o.Logger.Warn("login code refused", "login", user.Login, "from", address(r), "left", refused.Left, "wait", refused.Wait)
		s.auditRefusal(r, v, fleet.Audit{Who: user.Login, What: fleet.AuditCodeRefused})
		s.guessed(r, user.Login, refused)
		if refused.Wait > 0 {
			view := loginView{Login: user.Login, To: to}
			view.Error, view.Hint = v.L.refusal(refused)
			return s.showLogin(w, r, v, http.StatusUnauthorized, view)
		}
		return s.showCode(w, r, v, http.StatusUnauthorized, codeView{Half: half, To: to, Error: v.L.T("code.wrong") + v.L.T("login.left", refused.Left)})
	case errors.As(err, &rule) && rule.Code == fleet.Invalid:
		return s.showCode(w, r, v, http.StatusUnprocessableEntity, codeView{Half: half, To: to, Error: v.L.Error(rule)})
	case err != nil:
		return err
	}
	keepBrowser(w, r, browser)
	return s.enter(w, r, v, user, token, to)
}

// guessed reports wrong passwords once they paused an account.
func (s *Server) guessed(r *http.Request, login string, refused *auth.Refused) {
	if refused.Wait == auth.PauseFor {
		s.o.OnAttack(fleet.Incident{Kind: fleet.IncidentLoginGuess, From: address(r), Detail: fmt.Sprintf("login %q paused for %s", login, auth.PauseFor)})
	}
}

// refusal is what a refused login reads. It does not say which part was
// wrong, nor whether the account exists.
func (l *lang) refusal(r *auth.Refused) (text, hint string) {
	if r.Wait > 0 {
		minutes := int((r.Wait + time.Minute - 1) / time.Minute)
		return l.T("login.paused"), l.T("login.wait", minutes)
	}
	return l.T("login.wrong"), l.T("login.left", r.Left)
}

func (s *Server) logout(w http.ResponseWriter, r *http.Request, v *visit) error {
	if err := s.o.Logins.Logout(r.Context(), v.Token); err != nil {
		return err
	}
	s.audit(r, v, fleet.AuditLogout, "", "")
	setSession(w, r, "")
	return redirect(w, r, "/login")
}

// passwordError is what somebody reads who typed the own password wrong.
func (l *lang) passwordError(refused *auth.Refused) string {
	if refused.Wait > 0 || refused.Left == 0 {
		text, hint := l.refusal(&auth.Refused{Wait: max(refused.Wait, time.Minute)})
		return text + hint
	}
	return l.T("password.wrong") + l.T("login.left", refused.Left)
}

// passwordView is the form for a new password.
type passwordView struct {
	Forced   bool // the password was given out and has to be changed first
	Old      bool // it has been used for too long
	OldError string
	NewError string
}

func (s *Server) passwordForm(w http.ResponseWriter, r *http.Request, v *visit) error {
	return s.showPassword(w, r, v, http.StatusOK, passwordView{})
}

func (s *Server) showPassword(w http.ResponseWriter, r *http.Request, v *visit, status int, view passwordView) error {
	f, err := s.frame(r.Context(), v, r, "password.title", "")
	if err != nil {
		return err
	}
	view.Forced = v.User.MustSet
	view.Old = !view.Forced && s.o.Logins.Duty(v.User) == auth.NewPassword
	f.V = view
	return s.show(w, status, "password", f)
}

func (s *Server) changePassword(w http.ResponseWriter, r *http.Request, v *visit) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	old, chosen := r.FormValue("old"), r.FormValue("new")
	if chosen != r.FormValue("again") {
		return s.showPassword(w, r, v, http.StatusUnprocessableEntity, passwordView{NewError: v.L.T("password.differ")})
	}
	token, err := s.o.Logins.ChangePassword(r.Context(), v.User, old, chosen,
		visitorOf(r))
	var refused *auth.Refused
	var rule *fleet.Error
	switch {
	case errors.As(err, &refused):
		return s.showPassword(w, r, v, http.StatusUnprocessableEntity, passwordView{OldError: v.L.passwordError(refused)})
	case errors.As(err, &rule) && rule.Code == fleet.Invalid:
		return s.showPassword(w, r, v, http.StatusUnprocessableEntity, passwordView{NewError: v.L.Error(rule)})
	case err != nil:
		return err
	}
	s.audit(r, v, fleet.AuditPassword, "", "")
	setSession(w, r, token)
	return redirect(w, r, home(v.User.Role)+"?done=password")
}
