package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"strings"
	"time"

	"gatecast/controller/auth"
	"gatecast/controller/fleet"
)

// How live pages are kept so. Events in bursts (a slot that ends at 42 gates)
// are answered by one rendering; the tick moves what only the clock changes.
const (
	liveSettle = 300 * time.Millisecond
	liveTick   = 10 * time.Second
	liveRetry  = 3 * time.Second // after which a browser asks again
)

// liveCard is one message of an event stream.
type liveCard struct {
	ID   string `json:"id"`
	Hash string `json:"hash"`
	HTML string `json:"html"`
}

// stream answers with server-sent events: whenever a live card of the page
// has become another, its new HTML. What the browser has is in ?have=, as
// name.hash pairs, so nothing is lost between the page and the stream. Looking
// does not keep a session alive; when it ends, so does the stream, after an
// event "gone".
func (s *Server) stream(what fleet.Action, name string, load loader) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v := &visit{L: s.pickLang(w, r), Now: s.o.Now(), Token: sessionToken(r)}
		have := parseHave(r.URL.Query().Get("have"))
		t, err := s.pages.page(v.L.code, name)
		if err != nil {
			s.o.Logger.Error("opening a live page", "path", r.URL.Path, "err", err)
			http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
			return
		}
		out := http.NewResponseController(w)
		h := w.Header()
		h.Set("Content-Type", "text/event-stream; charset=utf-8")
		h.Set("Cache-Control", "no-store")
		h.Set("X-Accel-Buffering", "no")
		_ = out.SetWriteDeadline(time.Time{}) // a server with a write timeout would cut the stream
		fmt.Fprintf(w, "retry: %d\n\n", liveRetry/time.Millisecond)

		events, cancel := s.o.Events.subscribe()
		defer cancel()
		tick := time.NewTicker(liveTick)
		defer tick.Stop()
		for {
			v.Now = s.o.Now()
			if err := s.refresh(r.Context(), w, v, r, what, t, load, have); err != nil {
				if r.Context().Err() == nil && !errors.Is(err, errGone) {
					s.o.Logger.Warn("refreshing live page", "path", r.URL.Path, "err", err)
				}
				return
			}
			if out.Flush() != nil {
				return
			}
			select {
			case <-r.Context().Done():
				return
			case <-s.done.Done():
				return
			case <-tick.C:
			case <-events:
				if !settle(r.Context(), events) {
					return
				}
			}
		}
	})
}

var errGone = errors.New("session ended")

// refresh writes the cards that changed.
func (s *Server) refresh(ctx context.Context, w http.ResponseWriter, v *visit, r *http.Request, what fleet.Action,
	t *template.Template, load loader, have map[string]string) error {
	user, err := s.o.Logins.Look(ctx, v.Token)
	if errors.Is(err, auth.ErrNoSession) || (err == nil && (!fleet.May(user.Role, what) || !s.openFrom(r, what) || s.o.Logins.Duty(user) != auth.NoDuty)) {
		_, _ = fmt.Fprint(w, "event: gone\ndata: {}\n\n")
		return errGone
	}
	if err != nil {
		return err
	}
	v.User = user
	f, err := load(ctx, v, r)
	if err != nil {
		return err
	}
	for id, was := range have {
		if t.Lookup(id) == nil {
			continue
		}
		body, err := card(t, id, f)
		if err != nil {
			return err
		}
		hash := digest(body)
		if hash == was {
			continue
		}
		msg, err := json.Marshal(liveCard{ID: id, Hash: hash, HTML: string(body)})
		if err != nil {
			return fmt.Errorf("encoding card %q: %w", id, err)
		}
		if _, err := fmt.Fprintf(w, "event: card\ndata: %s\n\n", msg); err != nil {
			return nil // the reader went away; the flush after this ends the stream
		}
		have[id] = hash
	}
	_, _ = fmt.Fprint(w, ": up to date\n\n")
	return nil
}

// settle waits until a burst of events is over.
func settle(ctx context.Context, events <-chan fleet.Event) bool {
	timer := time.NewTimer(liveSettle)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-events:
		case <-timer.C:
			return true
		}
	}
}

// parseHave reads "name.hash,name.hash", at most 20 of them. Only names of
// cards ("live-…") are taken, so nobody can ask for another template.
func parseHave(text string) map[string]string {
	have := map[string]string{}
	for _, pair := range strings.Split(text, ",") {
		id, hash, ok := strings.Cut(pair, ".")
		if ok && strings.HasPrefix(id, "live-") && len(have) < 20 {
			have[id] = hash
		}
	}
	return have
}
