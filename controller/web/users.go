package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"gatecast/controller/auth"
	"gatecast/controller/fleet"
)

// userRoutes are the pages on which an administrator looks after accounts.
func (s *Server) userRoutes(mux *http.ServeMux) {
	s.page(mux, fleet.ActUsers, "/users", "users", s.users)
	s.may(mux, fleet.ActUsers, "POST /users", s.addUser)
	s.may(mux, fleet.ActSettings, "POST /users/rules", s.setRules)
	s.page(mux, fleet.ActUsers, "/users/{id}", "user", s.user)
	s.may(mux, fleet.ActUsers, "POST /users/{id}", s.changeUser)
	s.may(mux, fleet.ActUsers, "POST /users/{id}/password", s.resetPassword)
	s.may(mux, fleet.ActUsers, "POST /users/{id}/unlock", s.unlockUser)
	s.may(mux, fleet.ActUsers, "POST /users/{id}/code", s.resetCode)
}

// usersView is the list of accounts with the form for a new one.
type usersView struct {
	Rows  []userRow
	Form  userForm
	Rules rulesForm
}

type userRow struct {
	Href, Login, Name, Role, Scope, Last, Expires string
	Code                                          bool
	State                                         deviceState
}

// userForm is what an administrator says about an account.
type userForm struct {
	Login, Name, Expires string // Expires is the last day, empty if there is none
	Disabled             bool
	Roles                []option
	Units, Companies     []option
	Self                 bool // one's own: only the name can be changed
	Error                string
}

// rulesForm is what an administrator chooses for all accounts.
type rulesForm struct {
	Days  int
	Roles []option
	Error string
}

func (s *Server) users(ctx context.Context, v *visit, r *http.Request) (frame, error) {
	f, err := s.frame(ctx, v, r, "users.title", "users")
	if err != nil {
		return f, err
	}
	all, err := s.o.Logins.Users(ctx)
	if err != nil {
		return f, fmt.Errorf("reading accounts: %w", err)
	}
	form, err := s.userForm(ctx, v, fleet.User{})
	if err != nil {
		return f, err
	}
	view := &usersView{Form: form, Rules: s.rulesForm(v)}
	units := map[string]string{}
	for _, u := range form.Units {
		units[u.Value] = u.Text
	}
	for _, u := range all {
		row := userRow{
			Href: fmt.Sprintf("/users/%d", u.ID), Login: u.Login, Name: u.Name, Role: v.L.T("role." + string(u.Role)), Scope: u.Company,
			Last: v.L.T("users.never"), Expires: s.lastDay(v.L, u), Code: u.TOTP != "", State: s.userState(v, u),
		}
		if u.Unit != 0 {
			row.Scope = units[fmt.Sprint(u.Unit)]
		}
		if !u.LastLogin.IsZero() {
			row.Last = v.L.Stamp(u.LastLogin, v.Now)
		}
		view.Rows = append(view.Rows, row)
	}
	f.V = view
	return f, nil
}

// userState says in a word whether an account can log in.
func (s *Server) userState(v *visit, u fleet.User) deviceState {
	switch {
	case u.Disabled:
		return deviceState{Icon: "i-lock", Text: v.L.T("users.disabled")}
	case !u.Usable(v.Now):
		return deviceState{Tone: "warn", Icon: "i-clock", Text: v.L.T("users.expired")}
	case len(s.o.Logins.Pauses(u.Login)) > 0:
		return deviceState{Tone: "warn", Icon: "i-lock", Text: v.L.T("users.paused")}
	case u.MustSet:
		return deviceState{Tone: "info", Icon: "i-info", Text: v.L.T("users.one_time")}
	}
	return deviceState{Tone: "ok", Icon: "i-check", Text: v.L.T("users.good")}
}

// lastDay is the last day on which an account can be used, empty if it has no
// end.
func (s *Server) lastDay(l *lang, u fleet.User) string {
	if u.Expires.IsZero() {
		return ""
	}
	return l.in(u.Expires.Add(-time.Second)).Format(time.DateOnly)
}

func (s *Server) userForm(ctx context.Context, v *visit, u fleet.User) (userForm, error) {
	form := userForm{Login: u.Login, Name: u.Name, Expires: s.lastDay(v.L, u), Disabled: u.Disabled, Self: u.ID != 0 && u.ID == v.User.ID}
	for _, role := range fleet.Roles {
		form.Roles = append(form.Roles, option{Value: string(role), Text: v.L.T("role." + string(role)), On: role == u.Role})
	}
	units, err := s.o.Registry.Units(ctx)
	if err != nil {
		return form, fmt.Errorf("reading units: %w", err)
	}
	for _, one := range units {
		form.Units = append(form.Units, option{Value: fmt.Sprint(one.ID), Text: one.Name, On: one.ID == u.Unit})
	}
	compounds, err := s.o.Registry.Compounds(ctx)
	if err != nil {
		return form, fmt.Errorf("reading compounds: %w", err)
	}
	var names []string
	for _, c := range compounds {
		if c.Property != "" && !slices.Contains(names, c.Property) {
			names = append(names, c.Property)
		}
	}
	if u.Company != "" && !slices.Contains(names, u.Company) {
		names = append(names, u.Company) // the registry changed since
	}
	slices.Sort(names)
	for _, name := range names {
		form.Companies = append(form.Companies, option{Value: name, Text: name, On: name == u.Company})
	}
	return form, nil
}

func (s *Server) rulesForm(v *visit) rulesForm {
	rules := s.o.Logins.Rules()
	form := rulesForm{Days: rules.PasswordDays}
	for _, role := range fleet.Roles {
		form.Roles = append(form.Roles, option{Value: string(role), Text: v.L.T("role." + string(role)), On: slices.Contains(rules.CodeRoles, role)})
	}
	return form
}

// readChange reads the form of an account.
func (s *Server) readChange(r *http.Request) (auth.Change, error) {
	c := auth.Change{
		Name: r.FormValue("name"), Role: fleet.Role(r.FormValue("role")), Company: r.FormValue("company"), Disabled: r.FormValue("disabled") == "1",
	}
	if text := r.FormValue("unit"); text != "" {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < 1 {
			return c, &fleet.Error{Code: fleet.Invalid, Text: "没有这个单位，请重新选择。", TextEN: "There is no such unit. Choose again."}
		}
		c.Unit = fleet.UnitID(n)
	}
	if text := strings.TrimSpace(r.FormValue("expires")); text != "" {
		day, err := time.ParseInLocation(time.DateOnly, text, s.o.Zone)
		if err != nil {
			return c, &fleet.Error{Code: fleet.Invalid, Text: "到期日要写成 2026-12-31 的样子，不设就留空。", TextEN: "Write the last day like 2026-12-31, or leave it empty."}
		}
		c.Expires = day.AddDate(0, 0, 1) // the day is the last one
	}
	return c, nil
}

// keep puts what somebody typed back into the form.
func (f *userForm) keep(r *http.Request, why string) {
	f.Error, f.Login, f.Name, f.Expires, f.Disabled = why, r.FormValue("login"), r.FormValue("name"), r.FormValue("expires"), r.FormValue("disabled") == "1"
	for name, list := range map[string][]option{"role": f.Roles, "unit": f.Units, "company": f.Companies} {
		for i := range list {
			list[i].On = list[i].Value == r.FormValue(name)
		}
	}
}

// refusalOf returns the sentence of what the reader can put right.
func refusalOf(l *lang, err error) (string, bool) {
	var rule *fleet.Error
	if errors.As(err, &rule) && (rule.Code == fleet.Invalid || rule.Code == fleet.Conflict) {
		return l.Error(rule), true
	}
	return "", false
}

// addUser makes an account and shows its one-time password, once.
func (s *Server) addUser(w http.ResponseWriter, r *http.Request, v *visit) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	ctx, line := s.withAudit(r, v, fleet.Audit{What: fleet.AuditUserAdd, Object: fleet.NormalLogin(r.FormValue("login"))})
	var u fleet.User
	var once string
	c, err := s.readChange(r)
	c.Told = func(was, is fleet.User) { _, line.Line.After = auth.Differences(was, is) }
	if err == nil {
		u, once, err = s.o.Logins.Create(ctx, r.FormValue("login"), c)
	}
	if why, ok := refusalOf(v.L, err); ok {
		f, err := s.users(r.Context(), v, r)
		if err != nil {
			return err
		}
		f.V.(*usersView).Form.keep(r, why)
		f.Here = "/users"
		return s.show(w, http.StatusUnprocessableEntity, "users", f)
	}
	if err != nil {
		return err
	}
	s.audited(r, line)
	return s.showOneTime(w, r, v, u, once)
}

// oneTimeView shows a one-time password this once.
type oneTimeView struct{ Login, Name, Href, Password string }

func (s *Server) showOneTime(w http.ResponseWriter, r *http.Request, v *visit, u fleet.User, once string) error {
	f, err := s.frame(r.Context(), v, r, "onetime.title", "users")
	if err != nil {
		return err
	}
	f.Here, f.V = "/users", oneTimeView{Login: u.Login, Name: u.Name, Href: fmt.Sprintf("/users/%d", u.ID), Password: once}
	return s.show(w, http.StatusOK, "onetime", f)
}

// setRules puts other rules for all accounts in force.
func (s *Server) setRules(w http.ResponseWriter, r *http.Request, v *visit) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	was, rules := s.o.Logins.Rules(), auth.Rules{}
	if err := r.ParseForm(); err != nil {
		return &fleet.Error{Code: fleet.Invalid, Text: v.L.T("rules.unreadable"), TextEN: v.L.T("rules.unreadable"), Err: err}
	}
	var err error
	if text := strings.TrimSpace(r.PostFormValue("days")); r.PostFormValue("forever") != "1" {
		if rules.PasswordDays, err = strconv.Atoi(text); err != nil || rules.PasswordDays == 0 {
			rules.PasswordDays = -1 // out of range
		}
	}
	for _, role := range r.PostForm["code"] {
		rules.CodeRoles = append(rules.CodeRoles, fleet.Role(role))
	}
	ctx, line := s.withAudit(r, v, fleet.Audit{What: fleet.AuditAccountRules, Before: was.String(), After: rules.String()})
	err = s.o.Logins.SetRules(ctx, rules)
	if why, ok := refusalOf(v.L, err); ok {
		f, err := s.users(r.Context(), v, r)
		if err != nil {
			return err
		}
		f.V.(*usersView).Rules.Error = why
		f.Here = "/users"
		return s.show(w, http.StatusUnprocessableEntity, "users", f)
	}
	if err != nil {
		return err
	}
	s.audited(r, line)
	return redirect(w, r, "/users?done=rules")
}

// userView is one account.
type userView struct {
	ID       fleet.UserID
	Form     userForm
	State    deviceState
	Code     bool
	Created  string
	Last     string
	Set      string // when the password was set
	Pauses   []pauseRow
	Sessions int
}

type pauseRow struct {
	From, Until string // From empty: every address that is new to the account
	Count       int
}

var errNoUser = &fleet.Error{Code: fleet.NotFound, Text: "没有这个账号。", TextEN: "There is no such account."}

func (s *Server) userOf(ctx context.Context, r *http.Request) (fleet.User, error) {
	n, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil || n < 1 {
		return fleet.User{}, errNoUser
	}
	return s.o.Logins.User(ctx, fleet.UserID(n))
}

func (s *Server) user(ctx context.Context, v *visit, r *http.Request) (frame, error) {
	u, err := s.userOf(ctx, r)
	if err != nil {
		return frame{}, err
	}
	f, err := s.frame(ctx, v, r, "", "users")
	if err != nil {
		return f, err
	}
	view := &userView{
		ID: u.ID, State: s.userState(v, u), Code: u.TOTP != "", Created: v.L.Stamp(u.Created, v.Now), Last: v.L.T("users.never"), Set: v.L.Stamp(u.PasswordSet, v.Now),
	}
	if view.Form, err = s.userForm(ctx, v, u); err != nil {
		return f, err
	}
	if !u.LastLogin.IsZero() {
		view.Last = v.L.Stamp(u.LastLogin, v.Now)
	}
	for _, p := range s.o.Logins.Pauses(u.Login) {
		if auth.ByBrowser(p) {
			p.Address = v.L.T("users.browser")
		}
		view.Pauses = append(view.Pauses, pauseRow{From: p.Address, Until: v.L.Clock(p.Until), Count: p.Count})
	}
	sessions, err := s.o.Logins.Sessions(ctx, u, "")
	if err != nil {
		return f, fmt.Errorf("reading sessions: %w", err)
	}
	view.Sessions = len(sessions)
	f.Title, f.V = u.Name, view
	return f, nil
}

func (s *Server) changeUser(w http.ResponseWriter, r *http.Request, v *visit) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	u, err := s.userOf(r.Context(), r)
	if err != nil {
		return err
	}
	c, err := s.readChange(r)
	if v.User.ID == u.ID { // the form shows nothing but the name
		c = auth.Change{Name: c.Name, Role: u.Role, Unit: u.Unit, Company: u.Company, Expires: u.Expires, Disabled: u.Disabled}
		if role := r.FormValue("role"); role != "" {
			c.Role = fleet.Role(role) // refused with the reason
		}
	}
	ctx, line := s.withAudit(r, v, fleet.Audit{What: fleet.AuditUserChange, Object: u.Login})
	c.Told = func(was, is fleet.User) { line.Line.Before, line.Line.After = auth.Differences(was, is) }
	if err == nil {
		_, _, err = s.o.Logins.Change(ctx, v.User, u.ID, c)
	}
	if why, ok := refusalOf(v.L, err); ok {
		f, err := s.user(r.Context(), v, r)
		if err != nil {
			return err
		}
		view := f.V.(*userView)
		view.Form.keep(r, why)
		view.Form.Login = u.Login
		return s.show(w, http.StatusUnprocessableEntity, "user", f)
	}
	if err != nil {
		return err
	}
	s.audited(r, line)
	return redirect(w, r, fmt.Sprintf("/users/%d?done=user", u.ID))
}

func (s *Server) resetPassword(w http.ResponseWriter, r *http.Request, v *visit) error {
	u, err := s.userOf(r.Context(), r)
	if err != nil {
		return err
	}
	ctx, line := s.withAudit(r, v, fleet.Audit{What: fleet.AuditUserPassword, Object: u.Login})
	u, once, err := s.o.Logins.ResetPassword(ctx, v.User, u.ID)
	if err != nil {
		return err
	}
	s.audited(r, line)
	return s.showOneTime(w, r, v, u, once)
}

func (s *Server) unlockUser(w http.ResponseWriter, r *http.Request, v *visit) error {
	u, err := s.userOf(r.Context(), r)
	if err != nil {
		return err
	}
	ctx, line := s.withAudit(r, v, fleet.Audit{What: fleet.AuditUserUnlock, Object: u.Login})
	if _, err := s.o.Logins.Unlock(ctx, u.Login); err != nil {
		return err
	}
	s.audited(r, line)
	return redirect(w, r, fmt.Sprintf("/users/%d?done=unlocked", u.ID))
}

func (s *Server) resetCode(w http.ResponseWriter, r *http.Request, v *visit) error {
	u, err := s.userOf(r.Context(), r)
	if err != nil {
		return err
	}
	ctx, line := s.withAudit(r, v, fleet.Audit{What: fleet.AuditUserCode, Object: u.Login})
	if u, err = s.o.Logins.ResetCode(ctx, v.User, u.ID); err != nil {
		return err
	}
	s.audited(r, line)
	return redirect(w, r, fmt.Sprintf("/users/%d?done=code_reset", u.ID))
}
