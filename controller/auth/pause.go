package auth

import (
	"maps"
	"slices"
	"sync"
	"time"
)

// Limits of failed logins.
const (
	MaxFailures = 5                // of one account from one address
	PauseFor    = 15 * time.Minute // after them
	// maxFromAddress failures from one address over all accounts pause the
	// address: an office behind one router has at most a few dozen accounts.
	maxFromAddress = 30
	// maxTracked bounds the memory a flood of invented accounts can take
	// (about 100 bytes an entry); those that end first are forgotten.
	maxTracked = 20_000
)

// pauses counts failures by account and address. An attacker elsewhere
// therefore cannot keep an administrator out, which a lock of the account
// could.
type pauses struct {
	mu   sync.Mutex
	seen map[pauseKey]*failures
}

type pauseKey struct{ login, address string } // login "" stands for the address itself

type failures struct {
	n     int
	until time.Time // of the pause, or when the count is forgotten
}

func newPauses() *pauses { return &pauses{seen: map[pauseKey]*failures{}} }

// paused returns how long login from address must still wait, 0 if not at all.
func (p *pauses) paused(login, address string, now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return max(p.wait(pauseKey{login, address}, MaxFailures, now), p.wait(pauseKey{"", address}, maxFromAddress, now))
}

func (p *pauses) wait(k pauseKey, limit int, now time.Time) time.Duration {
	f := p.seen[k]
	if f == nil || f.n < limit || !f.until.After(now) {
		return 0
	}
	return f.until.Sub(now)
}

// failed counts a failure and returns how many tries are left before the pause.
func (p *pauses) failed(login, address string, now time.Time) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.count(pauseKey{"", address}, now)
	return max(0, MaxFailures-p.count(pauseKey{login, address}, now))
}

func (p *pauses) count(k pauseKey, now time.Time) int {
	f := p.seen[k]
	if f == nil || !f.until.After(now) {
		if f == nil && len(p.seen) >= maxTracked {
			p.forget(now)
		}
		f = &failures{}
		p.seen[k] = f
	}
	f.n++
	f.until = now.Add(PauseFor)
	return f.n
}

// succeeded clears the account's count from that address, not the address's.
func (p *pauses) succeeded(login, address string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.seen, pauseKey{login, address})
}

// forget drops what has ended and, if that is not enough, the tenth that ends
// first, so that a flood pays for one sorting in two thousand entries.
func (p *pauses) forget(now time.Time) {
	maps.DeleteFunc(p.seen, func(_ pauseKey, f *failures) bool { return !f.until.After(now) })
	if len(p.seen) < maxTracked {
		return
	}
	keys := slices.SortedFunc(maps.Keys(p.seen), func(a, b pauseKey) int { return p.seen[a].until.Compare(p.seen[b].until) })
	for _, k := range keys[:maxTracked/10] {
		delete(p.seen, k)
	}
}
