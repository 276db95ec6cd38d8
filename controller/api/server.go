package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"gatecast/controller/auth"
	"gatecast/controller/fleet"
)

// Tokens is where tokens and their owners are kept.
type Tokens interface {
	TokenByHash(ctx context.Context, hash string) (fleet.Token, error)
	TouchToken(ctx context.Context, id fleet.TokenID, at time.Time, from string) error
	User(ctx context.Context, id fleet.UserID) (fleet.User, error)
}

// Fleet is what the API reads of places and devices.
type Fleet interface {
	Units(ctx context.Context) ([]fleet.Unit, error)
	Points(ctx context.Context, f fleet.PointFilter) ([]fleet.Point, error)
	Devices(ctx context.Context) ([]fleet.Device, error)
}

// Ledger is what was owed, how it was settled, and what was tried.
type Ledger interface {
	Obligations(ctx context.Context, f fleet.ObligationFilter) ([]fleet.Obligation, error)
	Summary(ctx context.Context, q fleet.SummaryQuery) ([]fleet.SummaryRow, error)
	Incidents(ctx context.Context, f fleet.IncidentFilter) ([]fleet.Incident, error)
}

// News is what happened, in order.
type News interface {
	Occurrences(ctx context.Context, f fleet.OccurrenceFilter) ([]fleet.Occurrence, error)
	OccurrenceBounds(ctx context.Context) (first, last fleet.OccurrenceID, err error)
}

// Library is what may sound, and when.
type Library interface {
	Clips(ctx context.Context) ([]fleet.Clip, error)
	Programmes(ctx context.Context) ([]fleet.Programme, error)
}

// Relay is the three tiers of groups and what goes down them.
type Relay interface {
	Groups(ctx context.Context) ([]fleet.Group, error)
	RelayItems(ctx context.Context, query string, limit, offset int, now time.Time) ([]fleet.RelayItem, error)
	RelayTasks(ctx context.Context, f fleet.RelayFilter) ([]fleet.RelayTask, error)
	// AddItem starts an item on its way. Refusals are *fleet.Errors.
	AddItem(ctx context.Context, item fleet.RelayItem) (fleet.RelayID, error)
}

// Audit keeps who did what.
type Audit interface {
	AddAudit(ctx context.Context, a fleet.Audit) error
}

// Options of New. Everything but Trouble and Now is required.
type Options struct {
	Tokens Tokens
	Fleet  Fleet
	Ledger Ledger
	Audit  Audit
	News   News

	Library Library
	Relay   Relay

	// Subscribe returns a channel that gets a value when something happened, and
	// the function that ends it.
	Subscribe func() (<-chan struct{}, func())
	// JoinCode makes a code for a point and returns the line to paste.
	JoinCode func(ctx context.Context, point fleet.PointID, by string) (string, error)
	Trouble  func() error // why nothing can be stored at present; nil means never
	Logger   *slog.Logger
	Zone     *time.Location
	Version  string
	Now      func() time.Time // nil means time.Now
}

// Route is one call there is, for the permission tests.
type Route struct {
	Pattern string       // of http.ServeMux
	Action  fleet.Action // what it asks for; empty: any token
}

// Server answers calls; it is an http.Handler for everything below /api/.
type Server struct {
	o      Options // immutable after New
	mux    *http.ServeMux
	routes []Route
	calls  *buckets // by token
	misses *buckets // wrong tokens, by address

	once sync.Once
	done chan struct{} // closed by Close

	mu      sync.Mutex
	streams map[fleet.TokenID]int // that are open
}

// How often a token may call, and an address be wrong: so many at once, then
// one each step. A machine that guesses gets 28,800 of 2^256 a day.
const (
	callBurst, callEvery = 120, 100 * time.Millisecond
	missBurst, missEvery = 20, 3 * time.Second
	touchEvery           = time.Minute // spares the database a write for every call
	maxBody              = 64 << 10
)

// New returns a Server.
func New(o Options) (*Server, error) {
	if o.Tokens == nil || o.Fleet == nil || o.Ledger == nil || o.Audit == nil || o.JoinCode == nil || o.Logger == nil || o.Zone == nil {
		return nil, errors.New("api options: Tokens, Fleet, Ledger, Audit, JoinCode, Logger and Zone are required")
	}
	if o.News == nil || o.Library == nil || o.Relay == nil || o.Subscribe == nil {
		return nil, errors.New("api options: News, Library, Relay and Subscribe are required")
	}
	if o.Trouble == nil {
		o.Trouble = func() error { return nil }
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Server{o: o, mux: http.NewServeMux(), calls: newBuckets(callBurst, callEvery), misses: newBuckets(missBurst, missEvery), done: make(chan struct{}), streams: map[fleet.TokenID]int{}}
	s.call("", "GET /api/v1/token", s.token)
	s.call(fleet.ActRead, "GET /api/v1/health", s.health)
	s.call(fleet.ActRead, "GET /api/v1/points", s.points)
	s.call(fleet.ActRead, "GET /api/v1/points/{code}", s.point)
	s.call(fleet.ActRead, "GET /api/v1/obligations", s.obligations)
	s.call(fleet.ActRead, "GET /api/v1/compliance", s.compliance)
	s.call(fleet.ActRead, "GET /api/v1/incidents", s.incidents)
	s.call(fleet.ActRead, "GET /api/v1/units", s.units)
	s.call(fleet.ActRead, "GET /api/v1/clips", s.clips)
	s.call(fleet.ActRead, "GET /api/v1/programmes", s.programmes)
	s.call(fleet.ActRead, "GET /api/v1/groups", s.groups)
	s.call(fleet.ActRead, "GET /api/v1/relay/items", s.relayItems)
	s.call(fleet.ActRead, "GET /api/v1/relay/tasks", s.relayTasks)
	s.call(fleet.ActRelay, "POST /api/v1/relay/items", s.addRelay)
	s.call(fleet.ActEnrol, "POST /api/v1/points/{code}/join-codes", s.joinCode)
	s.eventRoute()
	s.documentRoute()
	s.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		s.admit(w, r, "", func(*call) (any, error) { return nil, errNoCall })
	})
	return s, nil
}

// Routes returns every call there is.
func (s *Server) Routes() []Route { return append([]Route(nil), s.routes...) }

// call is one admitted request.
type call struct {
	*http.Request
	Token fleet.Token
	Owner fleet.User
	Now   time.Time
}

// handler answers a call with what becomes the JSON.
type handler func(c *call) (any, error)

func (s *Server) call(what fleet.Action, pattern string, h handler) {
	s.routes = append(s.routes, Route{pattern, what})
	s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { s.admit(w, r, what, h) })
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	s.mux.ServeHTTP(w, r)
}

// admit is the one way in: token, owner, scope, rate, then h.
func (s *Server) admit(w http.ResponseWriter, r *http.Request, what fleet.Action, h handler) {
	c, err := s.open(w, r, what)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	v, err := h(c)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	write(w, http.StatusOK, v)
}

func (s *Server) open(w http.ResponseWriter, r *http.Request, what fleet.Action) (*call, error) {
	now, from := s.o.Now(), address(r)
	if wait, ok := s.misses.look(from, now); !ok {
		return nil, later(w, wait)
	}
	t, err := s.bearer(r, now)
	if err != nil {
		if fleet.CodeOf(err) == unauthorized {
			s.misses.take(from, now)
			w.Header().Set("WWW-Authenticate", `Bearer realm="gatecast"`)
			s.o.Logger.Warn("api call refused", "from", from, "path", r.URL.Path, "reason", err)
		}
		return nil, err
	}
	owner, err := s.o.Tokens.User(r.Context(), t.Owner)
	if err != nil && fleet.CodeOf(err) != fleet.NotFound {
		return nil, fmt.Errorf("reading owner of token: %w", err)
	}
	if err != nil || !owner.Usable(now) {
		return nil, errOwner
	}
	if what != "" && !t.May(owner.Role, what) {
		s.o.Logger.Warn("api call forbidden", "from", from, "path", r.URL.Path, "token", t.ID, "owner", owner.Login)
		return nil, errScope
	}
	if wait, ok := s.calls.take(t.Hash, now); !ok {
		return nil, later(w, wait)
	}
	if now.Sub(t.LastUsed) >= touchEvery || t.LastFrom != from {
		if err := s.o.Tokens.TouchToken(r.Context(), t.ID, now, from); err != nil {
			s.o.Logger.Error("keeping the use of a token", "token", t.ID, "err", err)
		}
	}
	return &call{r, t, owner, now}, nil
}

// bearer returns the usable token that the request shows.
func (s *Server) bearer(r *http.Request, now time.Time) (fleet.Token, error) {
	fields := r.Header.Values("Authorization")
	if len(fields) != 1 {
		return fleet.Token{}, errNoToken
	}
	scheme, text, _ := strings.Cut(fields[0], " ")
	hash, ok := auth.TokenHash(strings.TrimSpace(text))
	if !strings.EqualFold(scheme, "Bearer") || !ok {
		return fleet.Token{}, errNoToken
	}
	t, err := s.o.Tokens.TokenByHash(r.Context(), hash)
	switch {
	case fleet.CodeOf(err) == fleet.NotFound:
		return t, errNoToken
	case err != nil:
		return t, fmt.Errorf("looking up token: %w", err)
	case !t.Usable(now):
		return t, errEnded
	}
	return t, nil
}

// write sends v as JSON. The encoder writes <, > and & as escapes, so that no
// browser can take an answer for a page.
func write(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		status, body = http.StatusInternalServerError, []byte(`{"code":"internal"}`)
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // the caller may have gone
}

func address(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}
