package web

import (
	"context"
	"errors"
	"fmt"
	"html/template"
	"net/http"

	"gatecast/controller/auth"
	"gatecast/controller/fleet"
)

// accountRoutes are the pages on which people look after their own account.
func (s *Server) accountRoutes(mux *http.ServeMux) {
	s.page(mux, fleet.ActAccount, "/account", "account", s.account)
	s.may(mux, fleet.ActAccount, "POST /account/sessions", s.endOthers)
	s.may(mux, fleet.ActAccount, "GET /account/code", s.codeForm)
	s.may(mux, fleet.ActAccount, "POST /account/code", s.turnOnCode)
	s.may(mux, fleet.ActAccount, "POST /account/code/off", s.turnOffCode)
	s.may(mux, fleet.ActAccount, "POST /account/code/recovery", s.newRecoveryCodes)
}

// dutyPath returns where a user with that duty has to go before path may be
// seen, "" if it may be seen now.
func dutyPath(duty auth.Duty, path string) string {
	if path == "/logout" || path == "/password" {
		return ""
	}
	switch duty {
	case auth.NewPassword:
		return "/password"
	case auth.SecondFactor:
		if path != "/account/code" {
			return "/account/code"
		}
	}
	return ""
}

// accountView is one's own account.
type accountView struct {
	PasswordSet string
	PasswordEnd string // date on which it has to be changed; empty if never
	Expires     string // last day of the account; empty if it has no end
	Code        bool   // the second factor is on
	Wanted      bool   // the role must have one
	Left        int    // recovery codes
	Sessions    []sessionRow
	Others      int

	OffError, RecoveryError string
}

type sessionRow struct {
	From, Agent, Since, Seen string
	Here                     bool
}

func (s *Server) account(ctx context.Context, v *visit, r *http.Request) (frame, error) {
	f, err := s.frame(ctx, v, r, "account.title", "account")
	if err != nil {
		return f, err
	}
	rules := s.o.Logins.Rules()
	set := v.User.PasswordSet
	if set.IsZero() {
		set = v.User.Created
	}
	view := &accountView{PasswordSet: v.L.Stamp(set, v.Now), Code: v.User.TOTP != "", Wanted: s.wantsCode(v.User.Role), Expires: s.lastDay(v.L, v.User)}
	if rules.PasswordDays > 0 {
		view.PasswordEnd = v.L.Date(set.AddDate(0, 0, rules.PasswordDays))
	}
	if view.Code {
		if view.Left, err = s.o.Logins.RecoveryCodesLeft(ctx, v.User); err != nil {
			return f, fmt.Errorf("counting recovery codes: %w", err)
		}
	}
	all, err := s.o.Logins.Sessions(ctx, v.User, v.Token)
	if err != nil {
		return f, fmt.Errorf("reading own sessions: %w", err)
	}
	for _, one := range all {
		view.Sessions = append(view.Sessions, sessionRow{
			From: one.From, Agent: one.Agent, Since: v.L.Stamp(one.Created, v.Now), Seen: v.L.Stamp(one.Seen, v.Now), Here: one.Here,
		})
		if !one.Here {
			view.Others++
		}
	}
	f.V = view
	return f, nil
}

func (s *Server) wantsCode(role fleet.Role) bool {
	return s.o.Logins.Duty(fleet.User{Role: role, PasswordSet: s.o.Now()}) == auth.SecondFactor
}

// endOthers ends every other login of one's own.
func (s *Server) endOthers(w http.ResponseWriter, r *http.Request, v *visit) error {
	n, err := s.o.Logins.EndOthers(r.Context(), v.User, v.Token)
	if err != nil {
		return fmt.Errorf("ending other sessions: %w", err)
	}
	s.audit(r, v, fleet.AuditSessionsEnded, "", fmt.Sprint(n))
	return redirect(w, r, "/account?done=sessions")
}

// codeSetupView is the page that sets a second factor up.
type codeSetupView struct {
	QR            template.URL
	Text          string
	Wanted        bool
	PasswordError string
	CodeError     string
}

func (s *Server) codeForm(w http.ResponseWriter, r *http.Request, v *visit) error {
	if v.User.TOTP != "" {
		return redirect(w, r, "/account")
	}
	return s.showCodeForm(w, r, v, http.StatusOK, codeSetupView{})
}

func (s *Server) showCodeForm(w http.ResponseWriter, r *http.Request, v *visit, status int, view codeSetupView) error {
	f, err := s.frame(r.Context(), v, r, "code.setup", "account")
	if err != nil {
		return err
	}
	setup, err := s.o.Logins.SetUpCode(v.User)
	if err != nil {
		return err
	}
	view.Text, view.Wanted = setup.Text, s.wantsCode(v.User.Role)
	if view.QR, err = qrCode(setup.URI); err != nil {
		return err
	}
	f.Here, f.V = "/account/code", view
	return s.show(w, status, "codesetup", f)
}

// turnOnCode turns the second factor on and shows the recovery codes, once.
func (s *Server) turnOnCode(w http.ResponseWriter, r *http.Request, v *visit) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if v.User.TOTP != "" {
		return redirect(w, r, "/account")
	}
	codes, err := s.o.Logins.TurnOnCode(r.Context(), v.User, r.FormValue("password"), r.FormValue("code"), visitorOf(r))
	var refused *auth.Refused
	var rule *fleet.Error
	switch {
	case errors.As(err, &refused):
		return s.showCodeForm(w, r, v, http.StatusUnprocessableEntity, codeSetupView{PasswordError: v.L.passwordError(refused)})
	case errors.As(err, &rule) && rule.Code == fleet.Invalid:
		return s.showCodeForm(w, r, v, http.StatusUnprocessableEntity, codeSetupView{CodeError: v.L.Error(rule)})
	case err != nil:
		return err
	}
	s.audit(r, v, fleet.AuditCodeOn, "", "")
	return s.showRecovery(w, r, v, codes)
}

// recoveryView shows recovery codes this once.
type recoveryView struct{ Codes []string }

func (s *Server) showRecovery(w http.ResponseWriter, r *http.Request, v *visit, codes []string) error {
	f, err := s.frame(r.Context(), v, r, "recovery.title", "account")
	if err != nil {
		return err
	}
	f.Here, f.V = "/account", recoveryView{codes}
	return s.show(w, http.StatusOK, "recovery", f)
}

func (s *Server) turnOffCode(w http.ResponseWriter, r *http.Request, v *visit) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	err := s.o.Logins.TurnOffCode(r.Context(), v.User, r.FormValue("password"), visitorOf(r))
	if refused := (*auth.Refused)(nil); errors.As(err, &refused) {
		return s.showAccount(w, r, v, func(a *accountView) { a.OffError = v.L.passwordError(refused) })
	}
	if err != nil {
		return err
	}
	s.audit(r, v, fleet.AuditCodeOff, "", "")
	return redirect(w, r, "/account?done=code_off")
}

func (s *Server) newRecoveryCodes(w http.ResponseWriter, r *http.Request, v *visit) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if v.User.TOTP == "" {
		return redirect(w, r, "/account")
	}
	codes, err := s.o.Logins.NewRecoveryCodes(r.Context(), v.User, r.FormValue("password"), visitorOf(r))
	if refused := (*auth.Refused)(nil); errors.As(err, &refused) {
		return s.showAccount(w, r, v, func(a *accountView) { a.RecoveryError = v.L.passwordError(refused) })
	}
	if err != nil {
		return err
	}
	s.audit(r, v, fleet.AuditRecoveryCodes, "", "")
	return s.showRecovery(w, r, v, codes)
}

// showAccount shows the account again with what was wrong.
func (s *Server) showAccount(w http.ResponseWriter, r *http.Request, v *visit, note func(*accountView)) error {
	f, err := s.account(r.Context(), v, r)
	if err != nil {
		return err
	}
	note(f.V.(*accountView))
	f.Here = "/account"
	return s.show(w, http.StatusUnprocessableEntity, "account", f)
}

func visitorOf(r *http.Request) auth.Visitor {
	return auth.Visitor{Address: address(r), Agent: r.UserAgent(), Browser: browserToken(r)}
}
