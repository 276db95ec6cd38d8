package fleet

import (
	"regexp"
	"strings"
	"time"
)

// User is an account of a person.
type User struct {
	ID          UserID
	Login       string // normalised: see NormalLogin
	Name        string
	Role        Role
	Unit        UnitID // of a unit account: it sees this unit and those below it; 0 for others
	Company     string // of a property account: the company as in Compound.Property; empty for others
	Password    string // argon2id, PHC string format
	MustSet     bool   // the password was given out and has to be changed
	PasswordSet time.Time
	Created     time.Time
	Expires     time.Time // the account ends then; zero means it does not
	Disabled    bool
	LastLogin   time.Time // zero means never
	TOTP        string    // secret of the second factor, sealed by package vault; empty while it is off
}

// Usable reports whether the account may log in at now.
func (u User) Usable(now time.Time) bool {
	return !u.Disabled && (u.Expires.IsZero() || now.Before(u.Expires)) && u.Role.Valid()
}

// Scope is which points somebody may see. The zero Scope sees none.
type Scope struct {
	All     bool
	Unit    UnitID // points of this unit and of those below it
	Company string // points of compounds that this property company looks after
}

// Scope returns the points that the account may see: all of them for whoever
// may read everything, its own for a unit's or a property company's account.
// A scoped account that nobody gave a unit or company sees none.
func (u User) Scope() Scope {
	switch {
	case May(u.Role, ActRead):
		return Scope{All: true}
	case u.Role == UnitAccount:
		return Scope{Unit: u.Unit}
	case u.Role == PropertyAccount:
		return Scope{Company: u.Company}
	}
	return Scope{}
}

// Nothing reports whether no point can be in the scope.
func (s Scope) Nothing() bool { return s == Scope{} }

// LoginFailures counts failed logins of one account from one address; an empty
// Login stands for all accounts, an empty Address for all addresses.
type LoginFailures struct {
	Login, Address string
	Count          int
	Until          time.Time // when the count is forgotten, or the pause that it means ends
}

// NormalLogin returns a login as accounts have it: without space around it, in
// small letters, with the full-width characters of an input method as plain
// ones.
func NormalLogin(login string) string {
	login = strings.Map(func(r rune) rune {
		if r >= '！' && r <= '～' { // U+FF01 to U+FF5E are U+0021 to U+007E, wide
			return r - '！' + '!'
		}
		return r
	}, login)
	return strings.ToLower(strings.TrimSpace(login))
}

var goodLogin = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{1,31}$`)

// CheckAccount returns nil when u, with a normal login, may be an account,
// otherwise a *fleet.Error of code Invalid that names what is missing.
func CheckAccount(u User) error {
	refuse := func(zh, en string) error { return &Error{Code: Invalid, Text: zh, TextEN: en} }
	name := strings.TrimSpace(u.Name)
	switch {
	case !goodLogin.MatchString(u.Login):
		return refuse("登录名用 2 到 32 个小写字母、数字、点、短横或下划线，以字母或数字开头，例如 lilei。",
			"A login has 2 to 32 small letters, digits, dots, dashes or underscores and starts with a letter or digit, such as lilei.")
	case name == "" || len([]rune(name)) > 40:
		return refuse("请填写姓名，最多 40 个字。", "Fill in the name, 40 characters at most.")
	case !u.Role.Valid():
		return refuse("请选择角色。", "Choose a role.")
	case u.Role == UnitAccount && u.Unit == 0:
		return refuse("单位账号要选所属单位。", "A unit account needs its unit.")
	case u.Role == PropertyAccount && u.Company == "":
		return refuse("物业账号要选物业公司。", "A property company's account needs its company.")
	}
	return nil
}
