package client

import (
	"bufio"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Event is one thing that happened. Kind gap says that some are missing: read
// what you keep a copy of anew.
type Event struct {
	ID     int64             `json:"id"`
	At     time.Time         `json:"at"`
	Kind   string            `json:"kind"`
	Object string            `json:"object"`
	Data   map[string]string `json:"data"`
}

// Events is one page of them.
type Events struct {
	Events []Event `json:"events"`
	First  int64   `json:"first"` // lowest number that is kept
	Next   int64   `json:"next"`  // to ask with again
}

// Events returns what happened after a number; no kinds means all.
func (c *Client) Events(ctx context.Context, after int64, limit int, kinds ...string) (v Events, err error) {
	return v, c.get(ctx, "events", values("after", after, "limit", limit, "kind", strings.Join(kinds, ",")), &v)
}

// Follow calls see with every event after a number, from now on for a negative
// one, until ctx ends or see returns an error, which it returns. A connection
// that breaks is made again where it stood; a refusal is an *Error.
func (c *Client) Follow(ctx context.Context, after int64, see func(Event) error) error {
	for pause := time.Second; ; pause = min(pause*2, time.Minute) {
		at := after
		err := c.follow(ctx, &after, see)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if _, refused := err.(*Error); refused || err == errEnd { //nolint:errorlint // both come from here, unwrapped
			return err
		}
		if s, stop := err.(*stopped); stop { //nolint:errorlint // likewise
			return s.err
		}
		if after != at {
			pause = time.Second
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		}
	}
}

// stopped is the end that the caller of Follow wants.
type stopped struct{ err error }

func (s *stopped) Error() string { return s.err.Error() }

// follow reads one stream and keeps the last number in after.
func (c *Client) follow(ctx context.Context, after *int64, see func(Event) error) error {
	r, err := c.request(ctx, http.MethodGet, "events", nil, nil)
	if err != nil {
		return err
	}
	r.Header.Set("Accept", "text/event-stream")
	if *after >= 0 {
		r.Header.Set("Last-Event-ID", strconv.FormatInt(*after, 10))
	}
	h := *c.http()
	h.Timeout = 0 // the stream goes on
	res, err := c.send(&h, r)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(nil, 1<<20)
	kind := ""
	for lines.Scan() {
		switch name, value, _ := strings.Cut(lines.Text(), ": "); name {
		case "event":
			kind = value
		case "data":
			if kind == "end" {
				return errEnd
			}
			var e Event
			if err := json.Unmarshal([]byte(value), &e); err != nil {
				return fmt.Errorf("reading event: %w", err)
			}
			if err := see(e); err != nil {
				return &stopped{err}
			}
			*after = e.ID
		}
	}
	return lines.Err()
}

// VerifyWebhook reports whether a webhook's request is the controller's and not
// older than five minutes: body is what came, timestamp and signature are its
// fields Gatecast-Timestamp and Gatecast-Signature.
func VerifyWebhook(secret, timestamp, signature string, body []byte, now time.Time) bool {
	s, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil || now.Sub(time.Unix(s, 0)).Abs() > 5*time.Minute {
		return false
	}
	h := hmac.New(sha256.New, []byte(secret))
	h.Write([]byte(timestamp + "."))
	h.Write(body)
	return hmac.Equal([]byte(signature), []byte("v1="+hex.EncodeToString(h.Sum(nil))))
}
