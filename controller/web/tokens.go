package web

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"gatecast/controller/auth"
	"gatecast/controller/fleet"
)

// tokensView lists the tokens of the API and has the form for another.
type tokensView struct {
	Rows   []tokenRow
	Name   string
	Error  string
	Scopes []option
	Days   []option
	Fresh  string // the secret of the token just made: on this one answer only
	Origin string // where the API is, for the example
}

type tokenRow struct {
	ID      fleet.TokenID
	Name    string
	Hint    string
	Owner   string
	Scopes  string
	Created string
	Expires string
	Used    string // empty: never
	From    string
	State   string // key of the catalog
	Tone    string
	Open    bool // can be revoked
}

// tokenDays are the lives that are offered, in days.
var tokenDays = []int{30, 90, 180, 365}

// maxTokenName bounds a name, in characters.
const maxTokenName = 60

func (s *Server) tokens(w http.ResponseWriter, r *http.Request, v *visit) error {
	return s.showTokens(w, r, v, http.StatusOK, tokensView{})
}

func (s *Server) showTokens(w http.ResponseWriter, r *http.Request, v *visit, status int, view tokensView) error {
	if s.o.Tokens == nil {
		return errNoPage
	}
	f, err := s.frame(r.Context(), v, r, "tokens.title", "")
	if err != nil {
		return err
	}
	all, err := s.o.Tokens.Tokens(r.Context())
	if err != nil {
		return fmt.Errorf("reading tokens: %w", err)
	}
	users, err := s.o.Tokens.Users(r.Context())
	if err != nil {
		return fmt.Errorf("reading accounts: %w", err)
	}
	owner := map[fleet.UserID]fleet.User{}
	for _, u := range users {
		owner[u.ID] = u
	}
	for _, t := range all {
		view.Rows = append(view.Rows, v.tokenRow(t, owner[t.Owner]))
	}
	chosen := view.Scopes
	view.Scopes = nil
	for _, a := range fleet.TokenScopes {
		if fleet.May(v.User.Role, a) {
			on := slices.ContainsFunc(chosen, func(o option) bool { return o.Value == string(a) })
			view.Scopes = append(view.Scopes, option{Value: string(a), Text: v.L.T("tokens.scope." + string(a)), On: on || (len(chosen) == 0 && a == fleet.ActRead)})
		}
	}
	for _, n := range tokenDays {
		view.Days = append(view.Days, option{Value: strconv.Itoa(n), Text: v.L.T("tokens.days", n), On: n == 90})
	}
	view.Origin = s.publicURL(r)
	f.Here, f.V = "/tokens", view
	return s.show(w, status, "tokens", f)
}

func (v *visit) tokenRow(t fleet.Token, owner fleet.User) tokenRow {
	row := tokenRow{
		ID: t.ID, Name: t.Name, Hint: t.Hint, Owner: owner.Login, Created: v.L.Stamp(t.Created, v.Now), Expires: t.Expires.In(v.L.zone).Format(time.DateOnly),
		From: t.LastFrom, State: "tokens.holds", Tone: "ok", Open: t.Usable(v.Now),
	}
	var scopes []string
	for _, a := range t.Scopes {
		scopes = append(scopes, v.L.T("tokens.scope."+string(a)))
	}
	row.Scopes = strings.Join(scopes, v.L.T("list"))
	if !t.LastUsed.IsZero() {
		row.Used = v.L.Stamp(t.LastUsed, v.Now)
	}
	switch {
	case !t.Revoked.IsZero():
		row.State, row.Tone = "tokens.revoked", "info"
	case !v.Now.Before(t.Expires):
		row.State, row.Tone = "tokens.ended", "info"
	case !owner.Usable(v.Now):
		row.State, row.Tone = "tokens.orphan", "warn"
	}
	return row
}

// addToken makes a token under the name of whoever asks. The secret is on the
// answer and nowhere else: neither in the database nor in an address.
func (s *Server) addToken(w http.ResponseWriter, r *http.Request, v *visit) error {
	if s.o.Tokens == nil {
		return errNoPage
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		return &fleet.Error{Code: fleet.Invalid, Text: v.L.T("upload.no_form"), TextEN: v.L.T("upload.no_form"), Err: err}
	}
	view := tokensView{Name: strings.Join(strings.Fields(strings.ToValidUTF8(r.PostForm.Get("name"), "")), " ")}
	var scopes []fleet.Action
	for _, text := range r.PostForm["scope"] {
		view.Scopes = append(view.Scopes, option{Value: text})
		if a := fleet.Action(text); slices.Contains(fleet.TokenScopes, a) && fleet.May(v.User.Role, a) && !slices.Contains(scopes, a) {
			scopes = append(scopes, a)
		} else {
			view.Error = v.L.T("tokens.bad_scope")
		}
	}
	days, err := strconv.Atoi(r.PostForm.Get("days"))
	switch {
	case view.Error != "":
	case view.Name == "" || len([]rune(view.Name)) > maxTokenName:
		view.Error = v.L.T("tokens.bad_name", maxTokenName)
	case len(scopes) == 0:
		view.Error = v.L.T("tokens.no_scope")
	case err != nil || !slices.Contains(tokenDays, days):
		view.Error = v.L.T("tokens.bad_days")
	}
	if view.Error != "" {
		return s.showTokens(w, r, v, http.StatusUnprocessableEntity, view)
	}
	token, hash, hint := auth.NewToken()
	t := fleet.Token{Name: view.Name, Hash: hash, Hint: hint, Owner: v.User.ID, Scopes: scopes, Created: v.Now, Expires: v.Now.AddDate(0, 0, days)}
	if _, err := s.o.Tokens.AddToken(r.Context(), t); err != nil {
		return err
	}
	s.audit(r, v, fleet.AuditToken, t.Name, scopeText(t))
	return s.showTokens(w, r, v, http.StatusOK, tokensView{Fresh: token})
}

// scopeText is what the audit says of a token.
func scopeText(t fleet.Token) string {
	var scopes []string
	for _, a := range t.Scopes {
		scopes = append(scopes, string(a))
	}
	return strings.Join(scopes, ", ") + " → " + t.Expires.Format(time.DateOnly)
}

func (s *Server) revokeToken(w http.ResponseWriter, r *http.Request, v *visit) error {
	if s.o.Tokens == nil {
		return errNoPage
	}
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil {
		return errNoPage
	}
	t, err := s.o.Tokens.RevokeToken(r.Context(), fleet.TokenID(id), v.User.Login, v.Now)
	if err != nil {
		return err
	}
	s.audit(r, v, fleet.AuditTokenRevoked, t.Name, scopeText(t))
	return redirect(w, r, "/tokens?done=token_revoked")
}
