package auth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"gatecast/controller/fleet"
)

// Lifetimes of a session.
const (
	DefaultIdle = 30 * time.Minute // without a request by the user
	Longest     = 12 * time.Hour   // one working day, then the password again
	// touchAfter spares the database a write for every click.
	touchAfter = 30 * time.Second
	// verifyAtOnce bounds the memory that simultaneous logins take: 4 × 19 MiB.
	verifyAtOnce = 4
)

// ErrNoSession reports a token that is unknown, idle for too long or at its end.
var ErrNoSession = errors.New("no such session")

// Refused is a login that was not let in. It says the same whether the
// account exists, the password is wrong or the account may not log in.
type Refused struct {
	Left int           // tries left before the pause
	Wait time.Duration // > 0 while paused; the password was not looked at
}

// Error returns the operator's text.
func (r *Refused) Error() string {
	if r.Wait > 0 {
		return fmt.Sprintf("login paused for %s", r.Wait.Round(time.Second))
	}
	return fmt.Sprintf("login refused, %d tries left", r.Left)
}

// Accounts are the users that may log in.
type Accounts interface {
	User(ctx context.Context, id fleet.UserID) (fleet.User, error)
	UserByLogin(ctx context.Context, login string) (fleet.User, error)
	SaveUser(ctx context.Context, u fleet.User) (fleet.UserID, error)
	DeleteSessions(ctx context.Context, user fleet.UserID) error
}

// Sessions keeps sessions by the hash of their token. A missing one yields an
// error of code fleet.NotFound.
type Sessions interface {
	AddSession(ctx context.Context, s fleet.Session) error
	SessionByHash(ctx context.Context, hash string) (fleet.Session, error)
	TouchSession(ctx context.Context, hash string, seen, expires time.Time) error
	DeleteSession(ctx context.Context, hash string) error
	DeleteExpiredSessions(ctx context.Context, now time.Time) error
}

// Logins lets users in and knows them again. Use New.
type Logins struct {
	accounts Accounts
	sessions Sessions
	pauses   *pauses
	slots    chan struct{} // one a running password hash
	decoy    string        // hash to verify against when there is no such account
	idle     time.Duration // immutable after New
	now      func() time.Time
}

// Options of Logins. Accounts and Sessions are required.
type Options struct {
	Accounts Accounts
	Sessions Sessions
	Idle     time.Duration    // after which a session ends, 1 minute to Longest; 0 means DefaultIdle
	Now      func() time.Time // the controller's clock; nil means time.Now
}

// New returns Logins on a store.
func New(o Options) (*Logins, error) {
	if o.Accounts == nil || o.Sessions == nil {
		return nil, errors.New("auth options: Accounts and Sessions are required")
	}
	if o.Idle == 0 {
		o.Idle = DefaultIdle
	}
	if o.Idle < time.Minute || o.Idle > Longest {
		return nil, fmt.Errorf("auth options: Idle %s must be 1m to %s", o.Idle, Longest)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	decoy, err := Hash(OneTime())
	if err != nil {
		return nil, err
	}
	return &Logins{
		accounts: o.Accounts, sessions: o.Sessions, now: o.Now, idle: o.Idle, decoy: decoy,
		pauses: newPauses(), slots: make(chan struct{}, verifyAtOnce),
	}, nil
}

// Idle is how long a session lasts without a request by its user.
func (l *Logins) Idle() time.Duration { return l.idle }

// Visitor is where a login comes from.
type Visitor struct {
	Address string // without port
	Agent   string // browser, as it names itself
	Old     string // token of a session to end, empty if none
}

// Login checks the password and starts a session. It returns the token for
// the cookie, which is stored nowhere, and the user. A wrong account or
// password yields *Refused; any other error is a fault of the store. The
// session that v.Old names is ended, so a token set by somebody else before
// the login is worth nothing after it.
func (l *Logins) Login(ctx context.Context, login, password string, v Visitor) (string, fleet.User, error) {
	login = strings.ToLower(strings.TrimSpace(login))
	if len(login) > 200 {
		login = login[:200] // bounds what a failed login makes us remember
	}
	now := l.now()
	if wait := l.pauses.paused(login, v.Address, now); wait > 0 {
		return "", fleet.User{}, &Refused{Wait: wait}
	}
	user, err := l.accounts.UserByLogin(ctx, login)
	if err != nil && fleet.CodeOf(err) != fleet.NotFound {
		return "", fleet.User{}, fmt.Errorf("looking up account: %w", err)
	}
	known := err == nil && user.Password != ""
	phc := l.decoy
	if known {
		phc = user.Password
	}
	ok, err := l.verify(ctx, phc, password)
	if err != nil {
		return "", fleet.User{}, err
	}
	if !ok || !known || !user.Usable(now) {
		left := l.pauses.failed(login, v.Address, now)
		if left == 0 {
			return "", fleet.User{}, &Refused{Wait: PauseFor}
		}
		return "", fleet.User{}, &Refused{Left: left}
	}
	l.pauses.succeeded(login, v.Address)
	token, err := l.start(ctx, user.ID, v)
	return token, user, err
}

func (l *Logins) verify(ctx context.Context, phc, password string) (bool, error) {
	select {
	case l.slots <- struct{}{}:
		defer func() { <-l.slots }()
	case <-ctx.Done():
		return false, fmt.Errorf("waiting to check a password: %w", ctx.Err())
	}
	return Verify(phc, password)
}

func (l *Logins) start(ctx context.Context, id fleet.UserID, v Visitor) (string, error) {
	var raw [32]byte
	_, _ = rand.Read(raw[:]) // never fails
	token := base64.RawURLEncoding.EncodeToString(raw[:])
	now := l.now()
	if err := l.sessions.DeleteExpiredSessions(ctx, now); err != nil {
		return "", fmt.Errorf("clearing old sessions: %w", err)
	}
	agent := v.Agent
	if len(agent) > 200 {
		agent = strings.ToValidUTF8(agent[:200], "")
	}
	err := l.sessions.AddSession(ctx, fleet.Session{
		Hash: tokenHash(token), User: id, Created: now, Seen: now, Expires: now.Add(Longest), From: v.Address, Agent: agent,
	})
	if err != nil {
		return "", fmt.Errorf("starting session: %w", err)
	}
	if v.Old != "" {
		if err := l.Logout(ctx, v.Old); err != nil {
			return "", err
		}
	}
	return token, nil
}

// Resume returns the user of a session and counts as activity. A token that
// is unknown or has run out yields ErrNoSession.
func (l *Logins) Resume(ctx context.Context, token string) (fleet.User, error) {
	s, user, err := l.session(ctx, token)
	if err != nil {
		return fleet.User{}, err
	}
	if now := l.now(); now.Sub(s.Seen) >= touchAfter {
		if err := l.sessions.TouchSession(ctx, s.Hash, now, s.Expires); err != nil {
			return fleet.User{}, fmt.Errorf("touching session: %w", err)
		}
	}
	return user, nil
}

// Look is Resume without counting as activity, for pages that refresh
// themselves: a screen nobody touches is logged out all the same.
func (l *Logins) Look(ctx context.Context, token string) (fleet.User, error) {
	_, user, err := l.session(ctx, token)
	return user, err
}

func (l *Logins) session(ctx context.Context, token string) (fleet.Session, fleet.User, error) {
	if token == "" || len(token) > 100 {
		return fleet.Session{}, fleet.User{}, ErrNoSession
	}
	s, err := l.sessions.SessionByHash(ctx, tokenHash(token))
	if fleet.CodeOf(err) == fleet.NotFound {
		return s, fleet.User{}, ErrNoSession
	}
	if err != nil {
		return s, fleet.User{}, fmt.Errorf("looking up session: %w", err)
	}
	if now := l.now(); !now.Before(s.Expires) || now.Sub(s.Seen) >= l.idle {
		return s, fleet.User{}, ErrNoSession
	}
	user, err := l.accounts.User(ctx, s.User)
	if fleet.CodeOf(err) == fleet.NotFound {
		return s, fleet.User{}, ErrNoSession
	}
	if err != nil {
		return s, fleet.User{}, fmt.Errorf("looking up user of session: %w", err)
	}
	if !user.Usable(l.now()) {
		return s, fleet.User{}, ErrNoSession
	}
	return s, user, nil
}

// Logout ends the session of token; a token without session is no error.
func (l *Logins) Logout(ctx context.Context, token string) error {
	if err := l.sessions.DeleteSession(ctx, tokenHash(token)); err != nil && fleet.CodeOf(err) != fleet.NotFound {
		return fmt.Errorf("ending session: %w", err)
	}
	return nil
}

// ChangePassword replaces the user's password after checking the old one,
// ends all of the user's sessions and starts a new one, whose token it
// returns. A wrong old password counts as a failed login and yields *Refused;
// a new one against the rules yields a *fleet.Error of code Invalid.
func (l *Logins) ChangePassword(ctx context.Context, user fleet.User, old, new string, v Visitor) (string, error) {
	now := l.now()
	if wait := l.pauses.paused(user.Login, v.Address, now); wait > 0 {
		return "", &Refused{Wait: wait}
	}
	ok, err := l.verify(ctx, user.Password, old)
	if err != nil {
		return "", err
	}
	if !ok {
		return "", &Refused{Left: l.pauses.failed(user.Login, v.Address, now)}
	}
	if err := CheckPassword(new, user.Login, user.Name); err != nil {
		return "", err
	}
	if new == old {
		return "", &fleet.Error{Code: fleet.Invalid, Text: "新密码和原密码一样，请换一个。", TextEN: "The new password is the old one; choose another."}
	}
	if user.Password, err = Hash(new); err != nil {
		return "", err
	}
	user.MustSet, user.PasswordSet = false, now
	if _, err := l.accounts.SaveUser(ctx, user); err != nil {
		return "", fmt.Errorf("saving password: %w", err)
	}
	if err := l.accounts.DeleteSessions(ctx, user.ID); err != nil {
		return "", fmt.Errorf("ending sessions of user: %w", err)
	}
	v.Old = ""
	return l.start(ctx, user.ID, v)
}

func tokenHash(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}
