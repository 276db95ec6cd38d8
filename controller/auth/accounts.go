package auth

import (
	"context"
	"fmt"
	"strings"
	"time"

	"gatecast/controller/fleet"
)

// Change is what an administrator says about an account.
type Change struct {
	Name     string
	Role     fleet.Role
	Unit     fleet.UnitID
	Company  string
	Expires  time.Time
	Disabled bool

	// Told hears of the change, in its transaction, before it is committed; may
	// be nil.
	Told func(was, is fleet.User)
}

func (c Change) tell(was, is fleet.User) {
	if c.Told != nil {
		c.Told(was, is)
	}
}

// apply puts c into u. What the role has no use for is left out.
func (c Change) apply(u *fleet.User) error {
	u.Name, u.Role, u.Expires, u.Disabled = strings.TrimSpace(c.Name), c.Role, c.Expires, c.Disabled
	u.Unit, u.Company = 0, ""
	switch c.Role {
	case fleet.UnitAccount:
		u.Unit = c.Unit
	case fleet.PropertyAccount:
		u.Company = strings.TrimSpace(c.Company)
	}
	return fleet.CheckAccount(*u)
}

// Create adds an account and returns it with its one-time password, which is
// stored nowhere. Refusals are *fleet.Errors.
func (l *Logins) Create(ctx context.Context, login string, c Change) (fleet.User, string, error) {
	u := fleet.User{Login: fleet.NormalLogin(login), MustSet: true, Created: l.now(), PasswordSet: l.now()}
	if err := c.apply(&u); err != nil {
		return u, "", err
	}
	once := OneTime()
	var err error
	if u.Password, err = Hash(once); err != nil {
		return u, "", err
	}
	c.tell(fleet.User{}, u)
	u.ID, err = l.store.SaveUser(ctx, u)
	return u, once, err
}

var errOwnAccount = &fleet.Error{
	Code: fleet.Forbidden, Text: "自己的账号请另一位系统管理员来改。自己的密码和两步验证在“我的账号”里改。",
	TextEN: "Another administrator has to change your own account. Your password and second factor are under “My account”.",
}

// Change changes the account with that id in the name of by, and returns it as
// it was and as it is. Nobody changes their own role, end or disabling, and an
// administrator who can log in for good always remains. Where its rights
// changed, the account's sessions are over when Change returns. by is the zero
// User at the machine's own console.
func (l *Logins) Change(ctx context.Context, by fleet.User, id fleet.UserID, c Change) (was, is fleet.User, err error) {
	return l.store.ChangeUser(ctx, id, func(u *fleet.User) error {
		old := *u
		if err := c.apply(u); err != nil {
			return err
		}
		if by.ID == id && (old.Role != u.Role || old.Disabled != u.Disabled || !old.Expires.Equal(u.Expires)) {
			return errOwnAccount
		}
		c.tell(old, *u)
		return nil
	})
}

// ResetPassword gives an account that is not by's own a one-time password,
// which it returns, ends its sessions and lifts its pauses.
func (l *Logins) ResetPassword(ctx context.Context, by fleet.User, id fleet.UserID) (fleet.User, string, error) {
	u, err := l.other(ctx, by, id)
	if err != nil {
		return u, "", err
	}
	once := OneTime()
	phc, err := Hash(once)
	if err != nil {
		return u, "", err
	}
	if err := l.store.SetPassword(ctx, id, phc, true, l.now()); err != nil {
		return u, "", fmt.Errorf("saving password: %w", err)
	}
	_, err = l.pauses.free(ctx, u.Login)
	return u, once, err
}

// ResetCode turns off the second factor of an account that is not by's own,
// and ends its sessions.
func (l *Logins) ResetCode(ctx context.Context, by fleet.User, id fleet.UserID) (fleet.User, error) {
	u, err := l.other(ctx, by, id)
	if err != nil {
		return u, err
	}
	if err := l.store.SetTOTP(ctx, id, "", nil); err != nil {
		return u, fmt.Errorf("resetting a second factor: %w", err)
	}
	return u, l.store.DeleteSessions(ctx, id)
}

// Unlock lifts the pauses of an account, and of the addresses that it failed
// at, and reports whether there were any.
func (l *Logins) Unlock(ctx context.Context, login string) (bool, error) {
	return l.pauses.free(ctx, fleet.NormalLogin(login))
}

// Users returns every account by login.
func (l *Logins) Users(ctx context.Context) ([]fleet.User, error) { return l.store.Users(ctx) }

// User returns the account with that id, or a *fleet.Error of code NotFound.
func (l *Logins) User(ctx context.Context, id fleet.UserID) (fleet.User, error) {
	return l.store.User(ctx, id)
}

// ByLogin returns the account with that login, or a *fleet.Error of code
// NotFound.
func (l *Logins) ByLogin(ctx context.Context, login string) (fleet.User, error) {
	return l.store.UserByLogin(ctx, fleet.NormalLogin(login))
}

func (l *Logins) other(ctx context.Context, by fleet.User, id fleet.UserID) (fleet.User, error) {
	u, err := l.store.User(ctx, id)
	if err == nil && by.ID == u.ID {
		err = errOwnAccount
	}
	return u, err
}

// Differences names what differs between two states of an account in the form
// of the audit's Before and After: never a password.
func Differences(was, is fleet.User) (before, after string) {
	var b, a []string
	note := func(name, x, y string) {
		if x != y {
			b, a = append(b, name, x), append(a, name, y)
		}
	}
	end := func(u fleet.User) string {
		if u.Expires.IsZero() {
			return ""
		}
		return u.Expires.Format(time.RFC3339)
	}
	unit := func(u fleet.User) string {
		if u.Unit == 0 {
			return ""
		}
		return fmt.Sprint(u.Unit)
	}
	note("name", was.Name, is.Name)
	note("role", string(was.Role), string(is.Role))
	note("unit", unit(was), unit(is))
	note("company", was.Company, is.Company)
	note("expires", end(was), end(is))
	note("disabled", fmt.Sprint(was.Disabled), fmt.Sprint(is.Disabled))
	return fleet.Fields(b...), fleet.Fields(a...)
}
