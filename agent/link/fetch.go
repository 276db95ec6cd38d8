package link

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"gatecast/internal/seal"
	"gatecast/internal/wire"
)

// stall is how long a transfer may stand still.
const stall = 30 * time.Second

// maxRetryAfter bounds what a server may ask for; a device that waits longer
// would look dead.
const maxRetryAfter = 10 * time.Minute

// BusyError says that the controller asked to come back later.
type BusyError struct{ After time.Duration }

func (e *BusyError) Error() string {
	return fmt.Sprintf("controller is busy, come back in %s", e.After)
}

// Fetcher gets documents and clips from the device port. It is safe for
// concurrent use.
type Fetcher struct {
	base   string
	client *http.Client
	stall  time.Duration
}

func newFetcher(base string, conf func() *tls.Config, instead http.RoundTripper) *Fetcher {
	if instead != nil {
		return &Fetcher{base: base, stall: stall, client: &http.Client{Transport: instead}}
	}
	dialer := net.Dialer{Timeout: dialTimeout}
	return &Fetcher{base: base, stall: stall, client: &http.Client{Transport: &http.Transport{
		DialTLSContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			// A fresh configuration each time: certificate and clock change.
			d := tls.Dialer{NetDialer: &dialer, Config: conf()}
			return d.DialContext(ctx, network, addr)
		},
		MaxIdleConns:          1,
		MaxConnsPerHost:       2,
		IdleConnTimeout:       20 * time.Second,
		ResponseHeaderTimeout: stall,
	}}}
}

func (f *Fetcher) close() { f.client.CloseIdleConnections() }

// Fetch opens path from offset on and returns the body, which begins there and
// which the caller closes, and the length of the whole. A transfer that stands
// still for 30 s ends with an error. A busy controller yields a *BusyError.
func (f *Fetcher) Fetch(ctx context.Context, path string, offset int64) (io.ReadCloser, int64, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	b, total, err := f.open(ctx, path, offset)
	if err != nil {
		cancel(nil)
		return nil, 0, fmt.Errorf("fetching %q: %w", path, err)
	}
	r := &body{ReadCloser: b, ctx: ctx, cancel: cancel, stall: f.stall}
	r.idle = time.AfterFunc(f.stall, func() { cancel(errStalled) })
	return r, total, nil
}

var errStalled = errors.New("transfer stands still")

func (f *Fetcher) open(ctx context.Context, path string, offset int64) (io.ReadCloser, int64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, f.base+path, nil)
	if err != nil {
		return nil, 0, err
	}
	if offset > 0 {
		req.Header.Set("Range", "bytes="+strconv.FormatInt(offset, 10)+"-")
	}
	resp, err := f.client.Do(req)
	if err != nil {
		return nil, 0, err
	}
	at, total, err := extent(resp)
	if err == nil && at != offset {
		// The server does not know ranges: what is here already is read over.
		if at != 0 {
			err = fmt.Errorf("answer begins at byte %d, asked for %d", at, offset)
		} else if _, err = io.CopyN(io.Discard, resp.Body, offset); err != nil {
			err = fmt.Errorf("reading over %d bytes: %w", offset, err)
		}
	}
	if err != nil {
		drain(resp.Body)
		return nil, 0, err
	}
	return resp.Body, total, nil
}

// extent returns where a response begins and how long the whole is.
func extent(resp *http.Response) (at, total int64, err error) {
	switch resp.StatusCode {
	case http.StatusOK:
		if resp.ContentLength < 0 {
			return 0, 0, errors.New("answer without a length")
		}
		return 0, resp.ContentLength, nil
	case http.StatusPartialContent:
		h := resp.Header.Get("Content-Range")
		var last int64
		if _, err := fmt.Sscanf(h, "bytes %d-%d/%d", &at, &last, &total); err != nil || at < 0 || last != total-1 {
			return 0, 0, fmt.Errorf("answer covers %q", h)
		}
		return at, total, nil
	case http.StatusServiceUnavailable, http.StatusTooManyRequests:
		return 0, 0, &BusyError{After: retryAfter(resp.Header.Get("Retry-After"))}
	}
	return 0, 0, fmt.Errorf("status %d", resp.StatusCode)
}

// retryAfter reads the seconds form; anything else means 30 s.
func retryAfter(s string) time.Duration {
	n, err := strconv.Atoi(strings.TrimSpace(s))
	if err != nil || n < 0 {
		return stall
	}
	return min(time.Duration(min(n, 1<<20))*time.Second, maxRetryAfter)
}

// body ends a transfer that stands still, and its context with it.
type body struct {
	io.ReadCloser
	stall  time.Duration
	idle   *time.Timer
	ctx    context.Context
	cancel context.CancelCauseFunc
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if n > 0 {
		b.idle.Reset(b.stall)
	}
	if err != nil && err != io.EOF && context.Cause(b.ctx) == errStalled {
		err = errStalled
	}
	return n, err
}

// Close ends the transfer.
func (b *body) Close() error {
	b.idle.Stop()
	err := b.ReadCloser.Close()
	b.cancel(nil)
	return err
}

// document fetches a sealed document by its hash and checks it.
func (f *Fetcher) document(ctx context.Context, ref wire.DocRef) ([]byte, error) {
	if !isHash(ref.SHA256) {
		return nil, fmt.Errorf("document hash %q is not one", ref.SHA256)
	}
	if ref.Size < 0 || ref.Size > seal.MaxDocument {
		return nil, fmt.Errorf("%w: document of %d bytes: the limit is %d", ErrEndless, ref.Size, seal.MaxDocument)
	}
	r, _, err := f.Fetch(ctx, wire.PathDocs+ref.SHA256, 0)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	data, err := io.ReadAll(io.LimitReader(r, seal.MaxDocument+1))
	if err != nil {
		return nil, fmt.Errorf("fetching document: %w", err)
	}
	return data, checkDoc(data, ref)
}

// checkDoc compares a document with its name.
func checkDoc(data []byte, ref wire.DocRef) error {
	if len(data) > seal.MaxDocument {
		return fmt.Errorf("%w: document of more than %d bytes", ErrEndless, seal.MaxDocument)
	}
	if got := seal.Hash(data); got != ref.SHA256 {
		return fmt.Errorf("%w: document has hash %s, want %s", ErrBytes, got, ref.SHA256)
	}
	return nil
}

// isHash reports whether s is a SHA-256 in lower-case hex.
func isHash(s string) bool {
	if len(s) != 64 {
		return false
	}
	for _, c := range s {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
