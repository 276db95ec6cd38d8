package fleet

import "time"

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
	TOTP        []byte    // sealed secret of the second factor; nil while it is off
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
