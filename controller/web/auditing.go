package web

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"gatecast/controller/fleet"
)

// audit keeps who did what. A failure is logged and does not undo the action:
// a change whose line must not be lost goes through withAudit.
func (s *Server) audit(r *http.Request, v *visit, what fleet.AuditCode, object, detail string) {
	s.auditLine(r, v, fleet.Audit{What: what, Object: object, Detail: detail})
}

// auditLine is audit for a line with more to say; At, Who, Role and From are
// filled in where they are empty.
func (s *Server) auditLine(r *http.Request, v *visit, a fleet.Audit) {
	// Without the request's end: what was done is told even when the reader went.
	if err := s.o.Audit.AddAudit(context.WithoutCancel(r.Context()), byline(r, v, a)); err != nil {
		s.o.Logger.Error("writing audit line", "what", a.What, "object", a.Object, "err", err)
	}
}

// byline fills in what is known of every line.
func byline(r *http.Request, v *visit, a fleet.Audit) fleet.Audit {
	if a.At.IsZero() {
		a.At = v.Now
	}
	if a.Who == "" {
		a.Who, a.Role = v.User.Login, v.User.Role
	}
	if a.From == "" {
		a.From = address(r)
	}
	return a
}

// withAudit returns a context in which the first change that the store makes
// carries a, so that there is never the one without the other. Call audited
// when the change has succeeded.
func (s *Server) withAudit(r *http.Request, v *visit, a fleet.Audit) (context.Context, *fleet.PendingLine) {
	return fleet.WithAudit(r.Context(), byline(r, v, a))
}

// audited writes the line of withAudit if no change took it along.
func (s *Server) audited(r *http.Request, p *fleet.PendingLine) {
	if !p.Written() {
		s.auditLine(r, &visit{}, p.Line)
	}
}

// auditText says in words what a line tells.
func (l *lang) auditText(a fleet.Audit) string {
	if key := "audit." + string(a.What); l.Has(key) {
		return l.T(key, a.Object, a.Detail)
	}
	return strings.TrimSpace(string(a.What) + " " + a.Object)
}

// auditRefusal keeps a line of something that was refused, unless the same
// address was refused the same again and again: then only at each doubling,
// with the count. A flood cannot drown the audit, nor fill the disk.
func (s *Server) auditRefusal(r *http.Request, v *visit, a fleet.Audit) {
	n, tell := s.refused.count(string(a.What)+" "+address(r), v.Now)
	if !tell {
		return
	}
	if n > plainRefusals {
		a.Detail = strings.TrimSpace(fmt.Sprintf("%s ×%d", a.Detail, n))
	}
	a.Failed = true
	s.auditLine(r, v, a)
}

const (
	plainRefusals = 10        // of one kind from one address that are told one by one
	refusalPause  = time.Hour // after so long without one the count begins anew
	maxRefusals   = 256       // kinds and addresses counted apart; all others share one count
)

// refusals counts what was refused, by kind and address.
type refusals struct {
	mu   sync.Mutex
	seen map[string]*refusal
}

type refusal struct {
	n    int
	last time.Time
}

func newRefusals() *refusals { return &refusals{seen: map[string]*refusal{}} }

// count notes one more and reports whether to tell of it.
func (c *refusals) count(key string, now time.Time) (n int, tell bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f := c.seen[key]
	if f == nil && len(c.seen) >= maxRefusals {
		for k, old := range c.seen {
			if now.Sub(old.last) > refusalPause {
				delete(c.seen, k)
			}
		}
		if len(c.seen) >= maxRefusals {
			key = ""
			f = c.seen[key]
		}
	}
	if f == nil {
		f = &refusal{}
		c.seen[key] = f
	}
	if now.Sub(f.last) > refusalPause {
		f.n = 0
	}
	f.n++
	f.last = now
	return f.n, f.n <= plainRefusals || f.n&(f.n-1) == 0
}
