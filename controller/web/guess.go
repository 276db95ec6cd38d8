package web

import (
	"sync"
	"time"
)

// guesses slows down whoever tries join codes: after guessLimit wrong ones
// from an address within guessWindow it has to wait. The codes themselves are
// long enough; this keeps the log readable.
type guesses struct {
	mu    sync.Mutex
	since time.Time
	wrong map[string]int
}

const (
	guessLimit  = 30
	guessWindow = 15 * time.Minute
)

func newGuesses() *guesses { return &guesses{wrong: map[string]int{}} }

// allowed reports whether address may try a code now.
func (g *guesses) allowed(address string, now time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if now.Sub(g.since) > guessWindow {
		g.since = now
		clear(g.wrong)
	}
	return g.wrong[address] < guessLimit
}

// missed counts a wrong code.
func (g *guesses) missed(address string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.wrong[address]++
}
