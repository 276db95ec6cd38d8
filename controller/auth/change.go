package auth

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"gatecast/controller/fleet"
)

// Rules are what an administrator may choose about accounts.
type Rules struct {
	// PasswordDays is how many days a password may be used, 30 to 365; 0 means
	// for ever.
	PasswordDays int `json:"password_days"`
	// CodeRoles are the roles that must have a second factor.
	CodeRoles []fleet.Role `json:"code_roles"`
}

// DefaultRules are in force until somebody chooses others.
func DefaultRules() Rules { return Rules{PasswordDays: 90} }

// String is the rules in the form of the audit's Before and After.
func (r Rules) String() string {
	days, roles := "", []string{}
	if r.PasswordDays > 0 {
		days = strconv.Itoa(r.PasswordDays)
	}
	for _, role := range r.CodeRoles {
		roles = append(roles, string(role))
	}
	return fleet.Fields("password_days", cmp.Or(days, "off"), "code_roles", strings.Join(roles, " "))
}

const rulesKey = "account_rules" // of the store's settings

// Rules returns the rules in force.
func (l *Logins) Rules() Rules { return *l.rules.Load() }

// SetRules puts other rules in force; ones out of range yield a *fleet.Error
// of code Invalid.
func (l *Logins) SetRules(ctx context.Context, r Rules) error {
	if r.PasswordDays != 0 && (r.PasswordDays < 30 || r.PasswordDays > 365) {
		return &fleet.Error{Code: fleet.Invalid, Text: "密码有效天数填 30 到 365，或关掉。", TextEN: "A password lasts 30 to 365 days, or for ever."}
	}
	if slices.ContainsFunc(r.CodeRoles, func(role fleet.Role) bool { return !role.Valid() }) {
		return &fleet.Error{Code: fleet.Invalid, Text: "没有这个角色，请重新选择。", TextEN: "There is no such role. Choose again."}
	}
	text, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encoding account rules: %w", err)
	}
	if err := l.store.SetSetting(ctx, rulesKey, string(text)); err != nil {
		return fmt.Errorf("saving account rules: %w", err)
	}
	l.rules.Store(&r)
	return nil
}

func (l *Logins) loadRules(ctx context.Context) error {
	r := DefaultRules()
	text, err := l.store.Setting(ctx, rulesKey)
	if err != nil {
		return fmt.Errorf("reading account rules: %w", err)
	}
	if text != "" {
		if err := json.Unmarshal([]byte(text), &r); err != nil {
			return fmt.Errorf("parsing account rules: %w", err)
		}
	}
	l.rules.Store(&r)
	return nil
}

// Duty is what a user has to do before anything else.
type Duty int

// The duties.
const (
	NoDuty       Duty = iota
	NewPassword       // the password was given out, or is too old
	SecondFactor      // the role must have one
)

// Duty returns what user has to do first.
func (l *Logins) Duty(user fleet.User) Duty {
	r, since := l.Rules(), user.PasswordSet
	if since.IsZero() {
		since = user.Created
	}
	switch {
	case user.MustSet, r.PasswordDays > 0 && !l.now().Before(since.AddDate(0, 0, r.PasswordDays)):
		return NewPassword
	case user.TOTP == "" && slices.Contains(r.CodeRoles, user.Role) && l.vault != nil:
		return SecondFactor
	}
	return NoDuty
}

// prove checks the password of a user who is logged in. A wrong one counts as
// a failed login and yields *Refused.
func (l *Logins) prove(ctx context.Context, user fleet.User, password string, v Visitor) error {
	now := l.now()
	v, err := l.seated(ctx, user.Login, v, now)
	if err != nil {
		return err
	}
	if err := l.open(ctx, user.Login, v, now); err != nil {
		return err
	}
	ok, err := l.verify(ctx, user.Password, password)
	if err != nil {
		return err
	}
	if !ok {
		return l.refuse(ctx, user.Login, v, now)
	}
	return nil
}

// ChangePassword replaces the user's password after checking the old one,
// ends all of the user's sessions and starts a new one, whose token it
// returns. A wrong old password counts as a failed login and yields *Refused;
// a new one against the rules, or one of the account's last five, yields a
// *fleet.Error of code Invalid.
func (l *Logins) ChangePassword(ctx context.Context, user fleet.User, old, new string, v Visitor) (string, error) {
	if err := l.prove(ctx, user, old, v); err != nil {
		return "", err
	}
	if err := CheckPassword(new, user.Login, user.Name); err != nil {
		return "", err
	}
	if new == old {
		return "", &fleet.Error{Code: fleet.Invalid, Text: "新密码和原密码一样，请换一个。", TextEN: "The new password is the old one; choose another."}
	}
	had, err := l.store.OldPasswords(ctx, user.ID)
	if err != nil {
		return "", fmt.Errorf("reading old passwords: %w", err)
	}
	for _, phc := range had {
		same, err := l.verify(ctx, phc, new)
		if err != nil {
			return "", err
		}
		if same {
			return "", &fleet.Error{Code: fleet.Invalid, Text: "这个密码最近用过，请换一个没用过的。", TextEN: "This password was used lately; choose one that was not."}
		}
	}
	phc, err := Hash(new)
	if err != nil {
		return "", err
	}
	if err := l.store.SetPassword(ctx, user.ID, phc, false, l.now()); err != nil {
		return "", fmt.Errorf("saving password: %w", err)
	}
	v.Old = ""
	return l.start(ctx, user.ID, v)
}

// Session is one login of an account, as its owner sees it.
type Session struct {
	fleet.Session
	Here bool // the one that asks
}

// Sessions returns the logins of user that still work, the last used first.
func (l *Logins) Sessions(ctx context.Context, user fleet.User, token string) ([]Session, error) {
	now := l.now()
	all, err := l.store.SessionsOf(ctx, user.ID, now)
	if err != nil {
		return nil, err
	}
	var list []Session
	for _, s := range all {
		if now.Sub(s.Seen) < l.idleOf(user.Role) {
			list = append(list, Session{s, s.Hash == tokenHash(token)})
		}
	}
	return list, nil
}

// EndOthers ends every login of user but the one of token.
func (l *Logins) EndOthers(ctx context.Context, user fleet.User, token string) (int, error) {
	return l.store.DeleteOtherSessions(ctx, user.ID, tokenHash(token))
}

// Pauses returns the pauses of an account that are under way; an empty Address
// stands for every address that is new to it. ByBrowser tells those of a
// browser.
func (l *Logins) Pauses(login string) []fleet.LoginFailures {
	return l.pauses.of(fleet.NormalLogin(login), l.now())
}

// ByBrowser reports whether failures were counted by a browser that is known,
// not by an address.
func ByBrowser(f fleet.LoginFailures) bool { return strings.HasPrefix(f.Address, browserSeat) }
