package auth

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"gatecast/controller/fleet"
)

// Limits of failed logins.
const (
	MaxFailures = 5                // of one account from one address
	PauseFor    = 15 * time.Minute // after them
	// maxFromAddress failures from one address over all accounts pause the
	// address: an office behind one router has at most a few dozen accounts.
	maxFromAddress = 30
	// maxOfAccount failures of one account from strange addresses, those from
	// which nobody logged in to it before, pause it for strange addresses: so
	// many machines together guess no faster than ten of them.
	maxOfAccount = 50
	// maxTracked bounds the memory a flood of invented accounts can take
	// (about 100 bytes an entry); those that end first are forgotten.
	maxTracked = 20_000
)

// pauses counts failures by account and address. An attacker elsewhere
// therefore cannot keep an administrator out, which a lock of the account
// could. The counts outlive a restart; memory is what decides, the store is
// only read at the start.
type pauses struct {
	store Attempts
	mu    sync.Mutex
	seen  map[pauseKey]*failures
	kept  int // rows written since ended ones were dropped from the store
}

// dropEvery bounds what a flood leaves in the store.
const dropEvery = 500

type pauseKey struct{ login, address string } // login "" stands for the address, address "" for the account

type failures struct {
	n     int
	until time.Time // of the pause, or when the count is forgotten
}

// limit is how many failures of k make a pause.
func (k pauseKey) limit() int {
	switch {
	case k.login == "":
		return maxFromAddress
	case k.address == "":
		return maxOfAccount
	}
	return MaxFailures
}

func newPauses(ctx context.Context, store Attempts, now time.Time) (*pauses, error) {
	p := &pauses{store: store, seen: map[pauseKey]*failures{}}
	if err := store.DropLoginFailures(ctx, now); err != nil {
		return nil, fmt.Errorf("dropping old login failures: %w", err)
	}
	all, err := store.LoginFailures(ctx, now)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(all, func(a, b fleet.LoginFailures) int { return b.Until.Compare(a.Until) })
	for _, f := range all[:min(len(all), maxTracked)] {
		p.seen[pauseKey{f.Login, f.Address}] = &failures{f.Count, f.Until}
	}
	return p, nil
}

// paused returns how long login from address must still wait, 0 if not at all.
func (p *pauses) paused(ctx context.Context, login, address string, now time.Time) (time.Duration, error) {
	p.mu.Lock()
	wait := max(p.wait(pauseKey{login, address}, now), p.wait(pauseKey{"", address}, now))
	strangers := p.wait(pauseKey{login, ""}, now)
	p.mu.Unlock()
	if strangers <= wait {
		return wait, nil
	}
	known, err := p.store.KnownAddress(ctx, login, address, now)
	if err != nil {
		return 0, fmt.Errorf("looking up the address of a login: %w", err)
	}
	if known {
		return wait, nil
	}
	return strangers, nil
}

func (p *pauses) wait(k pauseKey, now time.Time) time.Duration {
	f := p.seen[k]
	if f == nil || f.n < k.limit() || !f.until.After(now) {
		return 0
	}
	return f.until.Sub(now)
}

// failed counts a failure and returns how many tries are left before the pause.
func (p *pauses) failed(ctx context.Context, login, address string, now time.Time) (int, error) {
	known, err := p.store.KnownAddress(ctx, login, address, now)
	if err != nil {
		return 0, fmt.Errorf("looking up the address of a login: %w", err)
	}
	p.mu.Lock()
	keys := []pauseKey{{"", address}, {login, address}}
	if !known {
		keys = append(keys, pauseKey{login, ""})
	}
	var rows []fleet.LoginFailures
	left := MaxFailures
	for _, k := range keys {
		f := p.count(k, now)
		rows = append(rows, fleet.LoginFailures{Login: k.login, Address: k.address, Count: f.n, Until: f.until})
		left = min(left, k.limit()-f.n)
	}
	p.kept += len(rows)
	drop := p.kept >= dropEvery
	if drop {
		p.kept = 0
	}
	p.mu.Unlock()
	if drop {
		if err := p.store.DropLoginFailures(ctx, now); err != nil {
			return 0, fmt.Errorf("dropping old login failures: %w", err)
		}
	}
	if err := p.store.PutLoginFailures(ctx, rows); err != nil {
		return 0, fmt.Errorf("keeping a login failure: %w", err)
	}
	return max(0, left), nil
}

func (p *pauses) count(k pauseKey, now time.Time) failures {
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
	return *f
}

// succeeded clears the account's count from that address, not the address's.
func (p *pauses) succeeded(ctx context.Context, login, address string) error {
	return p.clear(ctx, func(k pauseKey) bool { return k == pauseKey{login, address} })
}

// free clears every count of the account, and those of the addresses that it
// failed at, and reports whether there was one.
func (p *pauses) free(ctx context.Context, login string) (bool, error) {
	p.mu.Lock()
	at := map[string]bool{}
	for k := range p.seen {
		if k.login == login && k.address != "" {
			at[k.address] = true
		}
	}
	p.mu.Unlock()
	return len(at) > 0, p.clear(ctx, func(k pauseKey) bool { return k.login == login || k.login == "" && at[k.address] })
}

func (p *pauses) clear(ctx context.Context, which func(pauseKey) bool) error {
	p.mu.Lock()
	var rows []fleet.LoginFailures
	for k := range p.seen {
		if which(k) {
			rows = append(rows, fleet.LoginFailures{Login: k.login, Address: k.address})
			delete(p.seen, k)
		}
	}
	p.mu.Unlock()
	if len(rows) == 0 {
		return nil
	}
	if err := p.store.PutLoginFailures(ctx, rows); err != nil {
		return fmt.Errorf("clearing login failures: %w", err)
	}
	return nil
}

// of returns the pauses of one account that are under way, the longest first.
func (p *pauses) of(login string, now time.Time) []fleet.LoginFailures {
	p.mu.Lock()
	defer p.mu.Unlock()
	var list []fleet.LoginFailures
	for k, f := range p.seen {
		if k.login == login && p.wait(k, now) > 0 {
			list = append(list, fleet.LoginFailures{Login: login, Address: k.address, Count: f.n, Until: f.until})
		}
	}
	slices.SortFunc(list, func(a, b fleet.LoginFailures) int {
		return cmp.Or(b.Until.Compare(a.Until), cmp.Compare(a.Address, b.Address))
	})
	return list
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
