package depot

import (
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"gatecast/internal/wire"
)

// turnstile admits a number of transfers at a time, and a few of each device.
type turnstile struct {
	all, each int // immutable

	mu  sync.Mutex
	n   int
	per map[wire.DeviceID]int
}

func newTurnstile(all, each int) *turnstile {
	return &turnstile{all: all, each: each, per: map[wire.DeviceID]int{}}
}

func (t *turnstile) enter(d wire.DeviceID) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.n >= t.all || t.per[d] >= t.each {
		return false
	}
	t.n++
	t.per[d]++
	return true
}

func (t *turnstile) leave(d wire.DeviceID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.n--
	if t.per[d]--; t.per[d] == 0 {
		delete(t.per, d)
	}
}

// Tries is how many wrong enrolments an address may make: Burst at once, then
// one each Every.
type Tries struct {
	Burst int
	Every time.Duration
}

// DefaultTries lets a person mistype, and a machine try 28,800 of 2^50 codes
// a day.
var DefaultTries = Tries{Burst: 20, Every: 3 * time.Second}

// maxAddresses bounds the limiter's memory: 4,096 entries of about 100 bytes.
// With more, the one that has waited longest is forgotten.
const maxAddresses = 4096

// limiter is a token bucket per address.
type limiter struct {
	o Tries // immutable

	mu   sync.Mutex
	used map[string]bucket
}

// bucket is level tokens spent as of at.
type bucket struct {
	spent int
	at    time.Time
}

func newLimiter(o Tries) *limiter { return &limiter{o: o, used: map[string]bucket{}} }

// take spends a token of from. Without one it returns how long to wait.
func (l *limiter) take(from string, now time.Time) (time.Duration, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	b, ok := l.used[from]
	if !ok {
		if len(l.used) >= maxAddresses {
			l.forget(now)
		}
		b.at = now
	}
	if back := int(now.Sub(b.at) / l.o.Every); back > 0 {
		b.spent = max(0, b.spent-back)
		b.at = b.at.Add(time.Duration(back) * l.o.Every)
	}
	if b.spent >= l.o.Burst {
		l.used[from] = b
		return b.at.Add(l.o.Every).Sub(now), false
	}
	b.spent++
	l.used[from] = b
	return 0, true
}

// guesses is how many wrong join codes in a row are more than a person's slips.
const guesses = 5

// spent returns how many tries from has used up of late.
func (l *limiter) spent(from string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.used[from].spent
}

// giveBack returns a token of a try that was none.
func (l *limiter) giveBack(from string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if b, ok := l.used[from]; ok && b.spent > 0 {
		b.spent--
		l.used[from] = b
	}
}

// forget drops every address that has all its tokens again, or else the one
// whose last try is the longest ago.
func (l *limiter) forget(now time.Time) {
	var oldest string
	for from, b := range l.used {
		if now.Sub(b.at) >= time.Duration(l.o.Burst)*l.o.Every {
			delete(l.used, from)
		} else if oldest == "" || b.at.Before(l.used[oldest].at) {
			oldest = from
		}
	}
	if len(l.used) >= maxAddresses {
		delete(l.used, oldest)
	}
}

// address names who asks: an IPv4 address, or the /64 of an IPv6 one, because
// a customer has all of it.
func address(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	a, err := netip.ParseAddr(host)
	if err != nil {
		return host
	}
	if a = a.Unmap().WithZone(""); a.Is4() {
		return a.String()
	}
	p, err := a.Prefix(64)
	if err != nil {
		return host
	}
	return p.String()
}
