package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"gatecast/controller/fleet"
)

// Bounds of event streams.
const (
	maxStreams  = 64               // at a time
	eachStreams = 4                // of one token
	pulse       = 15 * time.Second // between signs of life; the token is looked at again then
	streamPage  = 500              // events read at a time
)

// eventRoute serves GET /api/v1/events: as JSON, or as a stream to whoever
// accepts text/event-stream.
func (s *Server) eventRoute() {
	const pattern = "GET /api/v1/events"
	s.routes = append(s.routes, Route{pattern, fleet.ActRead})
	s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		if !strings.Contains(r.Header.Get("Accept"), "text/event-stream") {
			s.admit(w, r, fleet.ActRead, s.events)
			return
		}
		c, err := s.open(w, r, fleet.ActRead)
		if err == nil {
			err = s.stream(w, c)
		}
		if err != nil {
			s.refuse(w, r, err)
		}
	})
}

// events lists what happened after a number, in order: next is the number to
// ask with again.
func (s *Server) events(c *call) (any, error) {
	q := c.read("after", "limit", "kind")
	f := fleet.OccurrenceFilter{After: fleet.OccurrenceID(q.id("after", 0, 1<<53)), Limit: q.limit(200), Kinds: q.kinds()}
	if q.err != nil {
		return nil, q.err
	}
	first, last, err := s.o.News.OccurrenceBounds(c.Context())
	if err != nil {
		return nil, fmt.Errorf("reading what happened: %w", err)
	}
	all, err := s.o.News.Occurrences(c.Context(), f)
	if err != nil {
		return nil, fmt.Errorf("reading what happened: %w", err)
	}
	next := last
	if len(all) == f.Limit {
		next = all[len(all)-1].ID
	} else if n := len(all); n > 0 && all[n-1].ID > next {
		next = all[n-1].ID // it happened between the two readings
	}
	return map[string]any{"events": append([]fleet.Occurrence{}, all...), "first": first, "next": next}, nil
}

func (q *query) kinds() (kinds []fleet.OccurrenceKind) {
	for _, word := range strings.FieldsFunc(q.values.Get("kind"), func(r rune) bool { return r == ',' }) {
		if k := fleet.OccurrenceKind(word); slices.Contains(fleet.OccurrenceKinds, k) {
			kinds = append(kinds, k)
		} else {
			q.fail("kind", fmt.Sprintf("应为 %v，以逗号分隔", fleet.OccurrenceKinds), fmt.Sprintf("must be of %v, with commas between", fleet.OccurrenceKinds))
		}
	}
	return kinds
}

var (
	errStreams = &fleet.Error{Code: tooMany, Text: "同时打开的事件流太多，请关掉不用的。", TextEN: "Too many event streams are open. Close those that are not used."}
	errSince   = invalid("Last-Event-ID 应为事件的编号。", "Last-Event-ID must be the number of an event.")
)

// stream answers with server-sent events from Last-Event-ID, or the parameter
// after, or from now on, until the reader goes, the token does not hold any
// more, or the server ends.
func (s *Server) stream(w http.ResponseWriter, c *call) error {
	q := c.read("after", "kind")
	after, kinds := q.id("after", -1, 1<<53), q.kinds()
	if q.err != nil {
		return q.err
	}
	if text := c.Header.Get("Last-Event-ID"); text != "" {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < 0 {
			return errSince
		}
		after = n
	}
	if !s.enter(c.Token.ID) {
		return errStreams
	}
	defer s.leave(c.Token.ID)
	news, cancel := s.o.Subscribe()
	defer cancel()
	first, last, err := s.o.News.OccurrenceBounds(c.Context())
	if err != nil {
		return fmt.Errorf("reading what happened: %w", err)
	}
	out := http.NewResponseController(w)
	_ = out.SetWriteDeadline(time.Time{}) // the stream is meant to last
	h := w.Header()
	h.Set("Content-Type", "text/event-stream; charset=utf-8")
	h.Set("X-Accel-Buffering", "no")
	w.WriteHeader(http.StatusOK)
	_, _ = fmt.Fprint(w, "retry: 3000\n\n")
	at := fleet.OccurrenceID(after)
	switch {
	case after < 0:
		at = last
	case at > last || at+1 < first: // from before a restore, or older than what is kept
		at = max(min(at, last), first-1)
		gap := fleet.Occurrence{ID: at, At: s.o.Now(), Kind: fleet.OccurredGap, Data: fleet.Fields("why", "not_kept")}
		if err := send(w, gap); err != nil {
			return nil
		}
	}
	tick := time.NewTicker(pulse)
	defer tick.Stop()
	for {
		if at, err = s.catchUp(w, c, at, kinds); err != nil || out.Flush() != nil {
			return nil // the reader is gone, or will ask again where it stands
		}
		select {
		case <-c.Context().Done():
			return nil
		case <-s.done:
			return nil
		case <-news:
		case <-tick.C:
			if !s.holds(c) {
				_, _ = fmt.Fprint(w, "event: end\ndata: {}\n\n")
				return nil
			}
			_, _ = fmt.Fprint(w, ": \n\n")
		}
	}
}

// catchUp writes what happened after a number and returns the last one.
func (s *Server) catchUp(w http.ResponseWriter, c *call, at fleet.OccurrenceID, kinds []fleet.OccurrenceKind) (fleet.OccurrenceID, error) {
	for {
		all, err := s.o.News.Occurrences(c.Context(), fleet.OccurrenceFilter{After: at, Kinds: kinds, Limit: streamPage})
		if err != nil {
			if c.Context().Err() == nil {
				s.o.Logger.Error("reading what happened", "err", err)
			}
			return at, err
		}
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(time.Minute)) // a reader that takes nothing is let go
		for _, o := range all {
			if err := send(w, o); err != nil {
				return at, err
			}
			at = o.ID
		}
		if len(all) < streamPage {
			return at, nil
		}
	}
}

func send(w http.ResponseWriter, o fleet.Occurrence) error {
	data, err := json.Marshal(o)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "id: %d\nevent: %s\ndata: %s\n\n", o.ID, o.Kind, data)
	return err
}

// holds reports whether the token of c still opens what it opened.
func (s *Server) holds(c *call) bool {
	now := s.o.Now()
	t, err := s.bearer(c.Request, now)
	if err != nil {
		return false
	}
	owner, err := s.o.Tokens.User(c.Context(), t.Owner)
	return err == nil && owner.Usable(now) && t.May(owner.Role, fleet.ActRead)
}

func (s *Server) enter(t fleet.TokenID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := 0
	for _, n := range s.streams {
		all += n
	}
	if all >= maxStreams || s.streams[t] >= eachStreams {
		return false
	}
	s.streams[t]++
	return true
}

func (s *Server) leave(t fleet.TokenID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.streams[t]--; s.streams[t] == 0 {
		delete(s.streams, t)
	}
}

// Close ends the event streams; the server answers on. It is idempotent.
func (s *Server) Close() error {
	s.once.Do(func() { close(s.done) })
	return nil
}
