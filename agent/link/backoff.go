package link

import (
	cryptorand "crypto/rand"
	"hash/fnv"
	"math/rand/v2"
	"strings"
	"sync"
	"time"
)

// backoff yields growing pauses: about first, doubled with every attempt, at
// most most. Each is drawn from the upper half of its range, so that devices
// which lost the same broker at the same instant do not return together.
type backoff struct {
	first, most time.Duration
	dice        *dice // nil is the machine's own
	attempt     int
}

// next returns the pause before the next attempt, in [d/2, d).
func (b *backoff) next() time.Duration {
	d := b.first
	for range min(b.attempt, 30) {
		d = min(2*d, b.most)
	}
	b.attempt++
	return d/2 + b.dice.below(d/2)
}

func (b *backoff) reset() { b.attempt = 0 }

// dice is where jitter and nonces come from. Nil is the machine's own source.
// It is safe for concurrent use.
type dice struct {
	mu  sync.Mutex
	src *rand.ChaCha8
	r   *rand.Rand // draws from src
}

// newDice returns dice of their own, drawn from src; nil for nil.
func newDice(src *rand.ChaCha8) *dice {
	if src == nil {
		return nil
	}
	var seed [32]byte
	_, _ = src.Read(seed[:]) // never fails
	own := rand.NewChaCha8(seed)
	return &dice{src: own, r: rand.New(own)}
}

// below returns a random time in [0, d); d is above 0.
func (x *dice) below(d time.Duration) time.Duration {
	if x == nil {
		return rand.N(d)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	return time.Duration(x.r.Int64N(int64(d)))
}

// about returns d, up to a tenth more or less.
func (x *dice) about(d time.Duration) time.Duration {
	return d - d/10 + x.below(d/5+1)
}

// within returns a random time in [0, d]; 0 for d ≤ 0.
func (x *dice) within(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	return x.below(d + 1)
}

// read fills b with what nobody can guess.
func (x *dice) read(b []byte) {
	if x == nil {
		_, _ = cryptorand.Read(b) // never fails
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	_, _ = x.src.Read(b) // never fails
}

// seeded returns a time in [0, d] that depends on the words only: each device
// fetches the clips of a plan at its own moment, and at the same one when it
// starts again.
func seeded(d time.Duration, words ...string) time.Duration {
	if d <= 0 {
		return 0
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(strings.Join(words, "\x00"))) // never fails
	return time.Duration(h.Sum64() % uint64(d+1))
}
