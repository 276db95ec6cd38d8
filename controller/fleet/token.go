package fleet

import (
	"slices"
	"time"
)

// TokenID names an API token; it is no secret.
type TokenID int64

// TokenLongest is the longest life of a token.
const TokenLongest = 366 * 24 * time.Hour

// Token lets a program in under the name of an account. It may do what its
// scopes say and the account's role allows at the time, never more. Only the hash
// of the secret is stored.
type Token struct {
	ID        TokenID
	Name      string // what it is for, in the owner's words
	Hash      string // hex SHA-256 of the secret
	Hint      string // first characters of the secret, to tell tokens apart
	Owner     UserID
	Scopes    []Action
	Created   time.Time
	Expires   time.Time
	LastUsed  time.Time // to the minute; zero means never
	LastFrom  string    // address of the last use
	Revoked   time.Time // zero while it holds
	RevokedBy string    // login
}

// Usable reports whether the token lets anybody in at now.
func (t Token) Usable(now time.Time) bool { return t.Revoked.IsZero() && now.Before(t.Expires) }

// May reports whether a call under t may do what, for an owner of that role.
func (t Token) May(role Role, what Action) bool {
	return slices.Contains(t.Scopes, what) && May(role, what)
}

// TokenScopes are the actions that the API asks for and tokens may carry.
var TokenScopes = []Action{ActRead, ActEnrol, ActRelay}
