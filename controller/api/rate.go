package api

import (
	"sync"
	"time"
)

// maxBuckets bounds the memory of a limiter: 4,096 entries of about 150 bytes.
// With more, the one that was used the longest ago is forgotten.
const maxBuckets = 4096

// buckets are token buckets by key: burst at once, then one each step.
type buckets struct {
	burst int
	every time.Duration

	mu   sync.Mutex
	used map[string]bucket
}

// bucket is how many were spent as of at.
type bucket struct {
	spent int
	at    time.Time
}

func newBuckets(burst int, every time.Duration) *buckets {
	return &buckets{burst: burst, every: every, used: map[string]bucket{}}
}

// level returns key's bucket as of now.
func (b *buckets) level(key string, now time.Time) bucket {
	u, ok := b.used[key]
	if !ok {
		return bucket{at: now}
	}
	if back := int(now.Sub(u.at) / b.every); back > 0 {
		u.spent = max(0, u.spent-back)
		u.at = u.at.Add(time.Duration(back) * b.every)
	}
	return u
}

// look reports whether key has one left, and otherwise how long to wait.
func (b *buckets) look(key string, now time.Time) (time.Duration, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	u := b.level(key, now)
	return u.at.Add(b.every).Sub(now), u.spent < b.burst
}

// take is look, and spends one.
func (b *buckets) take(key string, now time.Time) (time.Duration, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	u := b.level(key, now)
	if u.spent >= b.burst {
		return u.at.Add(b.every).Sub(now), false
	}
	u.spent++
	if _, ok := b.used[key]; !ok && len(b.used) >= maxBuckets {
		b.forget()
	}
	b.used[key] = u
	return 0, true
}

func (b *buckets) forget() {
	oldest := ""
	for key, u := range b.used {
		if oldest == "" || u.at.Before(b.used[oldest].at) {
			oldest = key
		}
	}
	delete(b.used, oldest)
}
