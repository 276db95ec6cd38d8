package auth

import (
	"context"
	"time"

	"gatecast/controller/fleet"
)

// Store is where accounts and logins are kept. Something missing yields an
// error of code fleet.NotFound. *store.Store is one.
type Store interface {
	Accounts
	Passwords
	Factors
	Sessions
	SessionLists
	Attempts
	Settings
}

// Vault seals secrets with a key that is not in the database. A name of a field
// is bound to what is sealed. *vault.Vault is one.
type Vault interface {
	Seal(field, text string) (string, error)
	Open(field, sealed string) (string, error)
}

// Accounts are the users that may log in.
type Accounts interface {
	Users(ctx context.Context) ([]fleet.User, error)
	User(ctx context.Context, id fleet.UserID) (fleet.User, error)
	UserByLogin(ctx context.Context, login string) (fleet.User, error)
	SaveUser(ctx context.Context, u fleet.User) (fleet.UserID, error)
	// ChangeUser refuses what would leave nobody to administer the system, and
	// ends the account's logins where its rights changed.
	ChangeUser(ctx context.Context, id fleet.UserID, apply func(*fleet.User) error) (was, is fleet.User, err error)
}

// Passwords are what an account has and had.
type Passwords interface {
	SetPassword(ctx context.Context, id fleet.UserID, password string, must bool, at time.Time) error // ends every login
	OldPasswords(ctx context.Context, id fleet.UserID) ([]string, error)
}

// Factors keeps second factors.
type Factors interface {
	SetTOTP(ctx context.Context, id fleet.UserID, sealed string, codes []string) error
	SetRecoveryCodes(ctx context.Context, id fleet.UserID, codes []string) error
	UseTOTPStep(ctx context.Context, id fleet.UserID, step int64) (bool, error)
	UseRecoveryCode(ctx context.Context, id fleet.UserID, hash string, at time.Time) (bool, error)
	RecoveryCodesLeft(ctx context.Context, id fleet.UserID) (int, error)
}

// Sessions keeps sessions by the hash of their token.
type Sessions interface {
	AddSession(ctx context.Context, s fleet.Session) error
	SessionByHash(ctx context.Context, hash string) (fleet.Session, error)
	TouchSession(ctx context.Context, hash string, seen, expires time.Time) error
	DeleteSession(ctx context.Context, hash string) error
	DeleteExpiredSessions(ctx context.Context, now time.Time) error
}

// SessionLists are the sessions of one account.
type SessionLists interface {
	SessionsOf(ctx context.Context, id fleet.UserID, now time.Time) ([]fleet.Session, error)
	DeleteOtherSessions(ctx context.Context, id fleet.UserID, keep string) (int, error)
	DeleteSessions(ctx context.Context, user fleet.UserID) error
}

// Attempts remembers failed logins, and where good ones came from.
type Attempts interface {
	LoginFailures(ctx context.Context, now time.Time) ([]fleet.LoginFailures, error)
	PutLoginFailures(ctx context.Context, all []fleet.LoginFailures) error
	DropLoginFailures(ctx context.Context, now time.Time) error
	NoteLogin(ctx context.Context, id fleet.UserID, address string, at time.Time) error
	KnownAddress(ctx context.Context, login, address string, now time.Time) (bool, error)
}

// Settings keeps the rules that an administrator chose.
type Settings interface {
	Setting(ctx context.Context, key string) (string, error)
	SetSetting(ctx context.Context, key, value string) error
}
