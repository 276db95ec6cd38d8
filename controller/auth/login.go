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
	"sync"
	"sync/atomic"
	"time"

	"gatecast/controller/fleet"
)

// Lifetimes of a session.
const (
	DefaultIdle      = 30 * time.Minute // without a request by the user
	DefaultAdminIdle = 10 * time.Minute // the same for those who administer the system
	Longest          = 12 * time.Hour   // one working day, then the password again
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

// Logins lets users in and knows them again. Use New.
type Logins struct {
	store  Store
	vault  Vault
	pauses *pauses
	slots  chan struct{} // one a running password hash
	decoy  string        // hash to verify against when there is no such account
	idle   time.Duration // immutable after New
	admin  time.Duration // likewise
	issuer string        // name of the office in authenticator apps
	now    func() time.Time
	rules  atomic.Pointer[Rules]

	mu     sync.Mutex
	halves map[string]half        // logins that wait for their code, by the hash of their token
	setups map[fleet.UserID]setup // second factors that are being set up
}

// Options of Logins. Store is required.
type Options struct {
	Store  Store
	Vault  Vault            // seals second factors; nil means that nobody can set one up
	Idle   time.Duration    // after which a session ends, 1 minute to Longest; 0 means DefaultIdle
	Admin  time.Duration    // the same for accounts that administer the system, at most Idle; 0 means DefaultAdminIdle or Idle, whichever is shorter
	Issuer string           // name of the office in authenticator apps
	Now    func() time.Time // the controller's clock; nil means time.Now
}

// New returns Logins on a store, with the failures and rules that are in it.
func New(ctx context.Context, o Options) (*Logins, error) {
	if o.Store == nil {
		return nil, errors.New("auth options: Store is required")
	}
	if o.Idle == 0 {
		o.Idle = DefaultIdle
	}
	if o.Admin == 0 {
		o.Admin = min(DefaultAdminIdle, o.Idle)
	}
	if o.Idle < time.Minute || o.Idle > Longest {
		return nil, fmt.Errorf("auth options: Idle %s must be 1m to %s", o.Idle, Longest)
	}
	if o.Admin < time.Minute || o.Admin > o.Idle {
		return nil, fmt.Errorf("auth options: Admin %s must be 1m to Idle, which is %s", o.Admin, o.Idle)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	decoy, err := Hash(OneTime())
	if err != nil {
		return nil, err
	}
	l := &Logins{
		store: o.Store, vault: o.Vault, now: o.Now, idle: o.Idle, admin: o.Admin, issuer: o.Issuer, decoy: decoy,
		slots: make(chan struct{}, verifyAtOnce), halves: map[string]half{}, setups: map[fleet.UserID]setup{},
	}
	if l.pauses, err = newPauses(ctx, o.Store, o.Now()); err != nil {
		return nil, err
	}
	return l, l.loadRules(ctx)
}

// Idle is how long a session lasts without a request by its user.
func (l *Logins) Idle() time.Duration { return l.idle }

// idleOf is Idle for an account of role: less for those that administer.
func (l *Logins) idleOf(role fleet.Role) time.Duration {
	if fleet.May(role, fleet.ActUsers) || fleet.May(role, fleet.ActSettings) {
		return l.admin
	}
	return l.idle
}

// Visitor is where a login comes from.
type Visitor struct {
	Address string // without port
	Agent   string // browser, as it names itself
	Old     string // token of a session to end, empty if none
	Browser string // token that the browser keeps between logins, empty if it keeps none: see NewBrowser

	seat string // what failures are counted by: the address, or a browser that is known
}

// NewBrowser returns a token for a browser to keep. Once somebody logged in
// with it, failures of that account in that browser are counted apart from
// those of the address: whoever types wrong passwords behind the same router
// or proxy does not keep them out. The token is worth nothing else.
func NewBrowser() string { return newToken() }

// browserSeat marks seats that are browsers.
const browserSeat = "browser:"

// seated returns v with the seat that it has for login.
func (l *Logins) seated(ctx context.Context, login string, v Visitor, now time.Time) (Visitor, error) {
	v.seat = v.Address
	if v.Browser == "" || len(v.Browser) > 100 {
		return v, nil
	}
	known, err := l.store.KnownAddress(ctx, login, browserSeat+tokenHash(v.Browser), now)
	if err != nil {
		return v, fmt.Errorf("looking up the browser of a login: %w", err)
	}
	if known {
		v.seat = browserSeat + tokenHash(v.Browser)
	}
	return v, nil
}

// Login checks the password and starts a session. It returns the token for
// the cookie, which is stored nowhere, and the user. A wrong account or
// password yields *Refused; a right one of an account with a second factor
// *CodeWanted, and no session yet: see Confirm. Any other error is a fault of
// the store. The session that v.Old names is ended, so a token set by somebody
// else before the login is worth nothing after it.
func (l *Logins) Login(ctx context.Context, login, password string, v Visitor) (string, fleet.User, error) {
	login = fleet.NormalLogin(login)
	if len(login) > 200 {
		login = login[:200] // bounds what a failed login makes us remember
	}
	now := l.now()
	v, err := l.seated(ctx, login, v, now)
	if err != nil {
		return "", fleet.User{}, err
	}
	if err := l.open(ctx, login, v, now); err != nil {
		return "", fleet.User{}, err
	}
	user, err := l.store.UserByLogin(ctx, login)
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
		return "", fleet.User{}, l.refuse(ctx, login, v, now)
	}
	if user.TOTP != "" {
		return "", fleet.User{}, &CodeWanted{Half: l.halve(user.ID, now)}
	}
	token, err := l.enter(ctx, user, v)
	return token, user, err
}

// open returns *Refused while login from v has to wait.
func (l *Logins) open(ctx context.Context, login string, v Visitor, now time.Time) error {
	wait, err := l.pauses.paused(ctx, login, v.seat, now)
	if err != nil {
		return err
	}
	if wait > 0 {
		return &Refused{Wait: wait}
	}
	return nil
}

// refuse counts a failure and returns *Refused.
func (l *Logins) refuse(ctx context.Context, login string, v Visitor, now time.Time) error {
	left, err := l.pauses.failed(ctx, login, v.seat, now)
	if err != nil {
		return err
	}
	if left == 0 {
		return &Refused{Wait: PauseFor}
	}
	return &Refused{Left: left}
}

// enter starts the session of a user who proved all there was to prove.
func (l *Logins) enter(ctx context.Context, user fleet.User, v Visitor) (string, error) {
	if err := l.pauses.succeeded(ctx, user.Login, v.seat); err != nil {
		return "", err
	}
	if err := l.store.NoteLogin(ctx, user.ID, v.Address, l.now()); err != nil {
		return "", fmt.Errorf("noting a login: %w", err)
	}
	if v.Browser != "" && len(v.Browser) <= 100 {
		if err := l.store.NoteLogin(ctx, user.ID, browserSeat+tokenHash(v.Browser), l.now()); err != nil {
			return "", fmt.Errorf("noting a login: %w", err)
		}
	}
	return l.start(ctx, user.ID, v)
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
	token := newToken()
	now := l.now()
	if err := l.store.DeleteExpiredSessions(ctx, now); err != nil {
		return "", fmt.Errorf("clearing old sessions: %w", err)
	}
	agent := v.Agent
	if len(agent) > 200 {
		agent = strings.ToValidUTF8(agent[:200], "")
	}
	err := l.store.AddSession(ctx, fleet.Session{
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
		if err := l.store.TouchSession(ctx, s.Hash, now, s.Expires); err != nil {
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
	s, err := l.store.SessionByHash(ctx, tokenHash(token))
	if fleet.CodeOf(err) == fleet.NotFound {
		return s, fleet.User{}, ErrNoSession
	}
	if err != nil {
		return s, fleet.User{}, fmt.Errorf("looking up session: %w", err)
	}
	user, err := l.store.User(ctx, s.User)
	if fleet.CodeOf(err) == fleet.NotFound {
		return s, fleet.User{}, ErrNoSession
	}
	if err != nil {
		return s, fleet.User{}, fmt.Errorf("looking up user of session: %w", err)
	}
	if now := l.now(); !now.Before(s.Expires) || now.Sub(s.Seen) >= l.idleOf(user.Role) || !user.Usable(now) {
		return s, fleet.User{}, ErrNoSession
	}
	return s, user, nil
}

// Logout ends the session of token; a token without session is no error.
func (l *Logins) Logout(ctx context.Context, token string) error {
	if err := l.store.DeleteSession(ctx, tokenHash(token)); err != nil && fleet.CodeOf(err) != fleet.NotFound {
		return fmt.Errorf("ending session: %w", err)
	}
	return nil
}

func newToken() string {
	var raw [32]byte
	_, _ = rand.Read(raw[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(raw[:])
}

func tokenHash(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}
