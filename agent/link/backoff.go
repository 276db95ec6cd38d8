package link

import (
	"hash/fnv"
	"math/rand/v2"
	"strings"
	"time"
)

// backoff yields growing pauses: about first, doubled with every attempt, at
// most most. Each is drawn from the upper half of its range, so that devices
// which lost the same broker at the same instant do not return together.
type backoff struct {
	first, most time.Duration
	attempt     int
}

// next returns the pause before the next attempt, in [d/2, d).
func (b *backoff) next() time.Duration {
	d := b.first
	for range min(b.attempt, 30) {
		d = min(2*d, b.most)
	}
	b.attempt++
	return d/2 + rand.N(d/2)
}

func (b *backoff) reset() { b.attempt = 0 }

// about returns d, up to a tenth more or less.
func about(d time.Duration) time.Duration {
	return d - d/10 + rand.N(d/5+1)
}

// within returns a random time in [0, d]; 0 for d ≤ 0.
func within(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	return rand.N(d + 1)
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
