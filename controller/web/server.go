package web

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"gatecast/controller/auth"
	"gatecast/controller/doorway"
	"gatecast/controller/fleet"
)

// Server answers requests for pages. Use New; it is an http.Handler.
type Server struct {
	o       Options // immutable after New
	langs   map[string]*lang
	assets  *assets
	pages   *pages
	handler http.Handler
	guesses *guesses
	results *results
	table   []route // every route there is; immutable after New
	refused *refusals
	views   *views
	planned weekMemo

	previews *previews
	checks   *rosterChecks

	stop context.CancelFunc // ends the event streams
	done context.Context
}

// New reads the catalogs and returns a Server that answers at
// once. Its event streams run until Close.
func New(o Options) (*Server, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	s := &Server{o: o, guesses: newGuesses(), results: newResults(), refused: newRefusals(), views: newViews(), previews: newPreviews(), checks: newRosterChecks()}
	var err error
	if s.langs, err = loadLanguages(o.Zone, o.Now()); err != nil {
		return nil, err
	}
	if s.assets, err = loadAssets(); err != nil {
		return nil, err
	}
	s.pages = newPages(s.langs, s.assets)
	s.done, s.stop = context.WithCancel(context.Background())
	s.handler = doorway.Visitors(o.TrustedProxies, s.guard(http.NewCrossOriginProtection().Handler(s.routes())))
	return s, nil
}

// Close ends the event streams, which http.Server.Shutdown would wait for.
// Requests after it are answered all the same.
func (s *Server) Close() error {
	s.stop()
	return nil
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// policy allows nothing but our own files; data: is for the icons in the
// stylesheet and QR codes. There is no inline script or style anywhere.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src 'self'; " +
	"connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

// features that no page uses: a script that got in all the same could not
// listen, look or locate.
const features = "camera=(), microphone=(), geolocation=(), payment=(), usb=(), serial=(), bluetooth=(), display-capture=()"

// insist tells browsers to use nothing but TLS here for half a year. It is sent
// with a certificate that the office was given only: with the controller's own
// CA a browser that has not been told of it could not be let in any more.
const insist = "max-age=15552000"

// How long a request and its answer may take on the way where a handler does
// not say otherwise.
const (
	requestTime = 30 * time.Second
	answerTime  = 5 * time.Minute
)

// guard sets the headers that every answer carries, and the deadlines.
func (s *Server) guard(next http.Handler) http.Handler {
	return doorway.Patience(requestTime, answerTime, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("Permissions-Policy", features)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store") // what may be kept says so itself
		if s.o.Insist && r.TLS != nil {
			h.Set("Strict-Transport-Security", insist)
		}
		next.ServeHTTP(w, r)
	}))
}

// visit is one request by somebody in a language.
type visit struct {
	L     *lang
	User  fleet.User // zero on public pages
	Token string     // of the session
	Now   time.Time
}

// The cookie of a session. Over TLS it has the name that browsers take only
// from a secure page of this very host, so that neither a neighbour under the
// same domain nor anybody on the wire can plant one.
const (
	sessionCookie = "gatecast_session"
	secureCookie  = "__Host-gatecast_session"
)

// sessionName is the name of the cookie that a visitor's browser holds.
func sessionName(r *http.Request) string {
	if secure(r) {
		return secureCookie
	}
	return sessionCookie
}

// secure reports whether the request came over TLS, here or at a proxy that
// says so.
func secure(r *http.Request) bool { return doorway.Secure(r) }

func address(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

func setSession(w http.ResponseWriter, r *http.Request, token string) {
	c := &http.Cookie{
		Name: sessionName(r), Value: token, Path: "/", HttpOnly: true, Secure: secure(r),
		SameSite: http.SameSiteLaxMode, MaxAge: int(auth.Longest / time.Second),
	}
	if token == "" {
		c.MaxAge = -1
	}
	http.SetCookie(w, c)
}

func sessionToken(r *http.Request) string {
	c, err := r.Cookie(sessionName(r))
	if err != nil {
		return ""
	}
	return c.Value
}

// frame starts the frame of a page for a visit.
func (s *Server) frame(ctx context.Context, v *visit, r *http.Request, titleKey, nav string) (frame, error) {
	units, err := s.o.Registry.Units(ctx)
	if err != nil {
		return frame{}, fmt.Errorf("reading units: %w", err)
	}
	f := frame{
		L: v.L, Nav: nav, User: v.User, Site: s.siteName(units), Here: here(r), Now: v.Now,
		Demo: s.o.Demo, Version: s.o.Version,
	}
	if fleet.May(v.User.Role, fleet.ActApprove) {
		if f.Waiting, err = s.o.Clips.ClipsWaiting(ctx, v.User.Login); err != nil {
			return frame{}, err
		}
	}
	f.Muted = s.banners(v.L, v.Now)
	if titleKey != "" {
		f.Title = v.L.T(titleKey)
	}
	if done := r.URL.Query().Get("done"); done != "" && v.L.Has("done."+done) {
		f.Done = v.L.T("done." + done)
	}
	return f, nil
}

func (s *Server) siteName(units []fleet.Unit) string {
	for _, u := range units {
		if u.Parent == 0 && u.Type == fleet.Subdistrict {
			return u.Name
		}
	}
	return s.o.Name
}

// here is the page's own path and query without what one visit added to it.
func here(r *http.Request) string {
	path := strings.TrimPrefix(r.URL.Path, "/events")
	q := r.URL.Query()
	for _, once := range []string{"lang", "done", "have"} {
		q.Del(once)
	}
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}

// localPath returns to if it is a path on this server, otherwise "/": a
// redirect must not lead a user who just logged in to somebody else's site.
func localPath(to string) string {
	u, err := url.Parse(to)
	if err != nil || u.Scheme != "" || u.Host != "" || !strings.HasPrefix(u.Path, "/") || strings.HasPrefix(to, "//") ||
		strings.ContainsAny(to, "\\\r\n") || strings.HasPrefix(u.Path, "/events") || strings.HasPrefix(u.Path, "//") {
		return "/"
	}
	return to
}

// redirect is the answer after every action that changed something.
func redirect(w http.ResponseWriter, r *http.Request, to string) error {
	http.Redirect(w, r, to, http.StatusSeeOther)
	return nil
}
