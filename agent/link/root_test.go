package link

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"gatecast/internal/wire"
)

// rootBook is a chain of trust roots in memory, of which version 1 is held.
type rootBook struct {
	mu   sync.Mutex
	held uint64
	up   bool // the controller answers
}

func (b *rootBook) Version() uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.held
}

func (b *rootBook) Accept([]byte) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.held++
	return nil
}

func (b *rootBook) Follow([][]byte, []byte, []byte, int64) (*wire.Plan, error) {
	return nil, errors.New("no plan")
}

func (b *rootBook) Needed([]byte) bool { return true }

// RoundTrip is the controller, which has root 2.
func (b *rootBook) RoundTrip(r *http.Request) (*http.Response, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.up {
		return nil, errors.New("connection refused")
	}
	status, body := http.StatusNotFound, ""
	if r.URL.Path == wire.PathRoots+"2" {
		status, body = http.StatusOK, "{}"
	}
	return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader(body)), Header: http.Header{}}, nil
}

// TestLaterRootIsFollowedSoonAfterTheControllerIsBack replaces the CA while the
// controller is away for half a minute: the device, which knows none of its
// servers any more, fetches the root and connects again within a minute,
// whatever its pauses had grown to.
func TestLaterRootIsFollowedSoonAfterTheControllerIsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		book := &rootBook{held: 1}
		_, conns, stop := start(t, newWorld(), func(o *Options) { o.Roots, o.HTTP = book, book }, func(n int) error {
			if n > 1 && book.Version() == 1 {
				return errors.New("certificate signed by unknown authority")
			}
			return nil
		})
		defer stop()
		time.Sleep(time.Minute)
		conns()[0].down <- io.EOF
		time.Sleep(30 * time.Second)
		book.mu.Lock()
		book.up = true
		book.mu.Unlock()
		time.Sleep(time.Minute)
		if n := len(conns()); n != 2 || book.Version() != 2 {
			t.Errorf("a minute after the controller is back: %d connections, want 2; root %d, want 2", n, book.Version())
		}
	})
}

// TestControllerThatIsAwayIsNotHammered counts what a device asks of a
// controller that nobody reaches for a day.
func TestControllerThatIsAwayIsNotHammered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		book := &rootBook{held: 1}
		var asked atomic.Int64
		count := roundTripper(func(r *http.Request) (*http.Response, error) { asked.Add(1); return book.RoundTrip(r) })
		_, _, stop := start(t, newWorld(), func(o *Options) { o.Roots, o.HTTP = book, count }, func(int) error { return errors.New("no route") })
		defer stop()
		time.Sleep(24 * time.Hour)
		if hour := asked.Load() / 24; hour > 2*60 { // a question is two requests
			t.Errorf("%d requests an hour", hour)
		}
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
