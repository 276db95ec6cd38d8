// Package client is the API of the office for Go programs: a method for each
// operation of openapi.yaml, and Follow, which reads events as they happen.
//
// A refusal of the controller is an *Error. A Client is safe for concurrent
// use; its fields must not change while it is used.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Client calls one controller.
type Client struct {
	URL   string       // of the pages, such as https://gatecast.example.cn:8443
	Token string       // of the page of API tokens
	HTTP  *http.Client // nil means one with a timeout of half a minute

	strict bool // unknown fields are an error: tests
}

// Error is why the controller refused.
type Error struct {
	Status int    `json:"-"`
	Code   string `json:"code"`
	Text   string `json:"text"` // in Chinese
	TextEN string `json:"text_en"`
	Ref    string `json:"ref"` // also in the controller's log; empty where it is the caller's fault
}

// Error returns the English sentence.
func (e *Error) Error() string {
	if e.Ref != "" {
		return fmt.Sprintf("%s (ref %s)", e.TextEN, e.Ref)
	}
	return e.TextEN
}

// maxAnswer bounds what is read of an answer: 100,000 rows and more.
const maxAnswer = 256 << 20

var plain = &http.Client{Timeout: 30 * time.Second}

func (c *Client) request(ctx context.Context, method, path string, query url.Values, body any) (*http.Request, error) {
	address := strings.TrimSuffix(c.URL, "/") + "/api/v1/" + path
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	var in io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			return nil, fmt.Errorf("encoding the body: %w", err)
		}
		in = bytes.NewReader(data)
	}
	r, err := http.NewRequestWithContext(ctx, method, address, in)
	if err != nil {
		return nil, fmt.Errorf("calling %q: %w", c.URL, err)
	}
	r.Header.Set("Authorization", "Bearer "+c.Token)
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	return r, nil
}

// send returns the answer of a call that was not refused; its body must be
// closed.
func (c *Client) send(h *http.Client, r *http.Request) (*http.Response, error) {
	res, err := h.Do(r)
	if err != nil {
		return nil, fmt.Errorf("calling the controller: %w", err)
	}
	if res.StatusCode == http.StatusOK {
		return res, nil
	}
	defer res.Body.Close()
	data, _ := io.ReadAll(io.LimitReader(res.Body, 64<<10)) // what came of it is read
	e := &Error{Status: res.StatusCode}
	if json.Unmarshal(data, e) != nil || e.TextEN == "" {
		e.TextEN = fmt.Sprintf("%s answers %s and not as a controller does; check the address", r.URL.Host, res.Status)
		e.Text = fmt.Sprintf("%s 回答 %s，不像主控，请核对地址", r.URL.Host, res.Status)
	}
	return nil, e
}

func (c *Client) http() *http.Client {
	if c.HTTP != nil {
		return c.HTTP
	}
	return plain
}

func (c *Client) do(ctx context.Context, method, path string, query url.Values, body, out any) error {
	r, err := c.request(ctx, method, path, query, body)
	if err != nil {
		return err
	}
	res, err := c.send(c.http(), r)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	dec := json.NewDecoder(io.LimitReader(res.Body, maxAnswer))
	if c.strict {
		dec.DisallowUnknownFields()
	}
	if err := dec.Decode(out); err != nil {
		return fmt.Errorf("reading the answer to %s %s: %w", method, path, err)
	}
	return nil
}

func (c *Client) get(ctx context.Context, path string, query url.Values, out any) error {
	return c.do(ctx, http.MethodGet, path, query, nil, out)
}

// values returns the pairs that have a value; 0 and "" are none.
func values(pairs ...any) url.Values {
	q := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		name, _ := pairs[i].(string)
		switch v := pairs[i+1].(type) {
		case string:
			if v != "" {
				q.Set(name, v)
			}
		case int:
			if v != 0 {
				q.Set(name, strconv.Itoa(v))
			}
		case int64:
			if v != 0 {
				q.Set(name, strconv.FormatInt(v, 10))
			}
		case bool:
			if v {
				q.Set(name, "1")
			}
		}
	}
	return q
}

// errEnd is returned by Follow when the token does not hold any more.
var errEnd = errors.New("the token does not hold any more")
