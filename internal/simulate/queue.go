package simulate

import (
	"container/heap"
	"hash/fnv"
	"math/rand/v2"
	"runtime/metrics"
	"sync"
	"testing/synctest"
	"time"
)

// happening is something that will happen.
type happening struct {
	at  time.Time
	seq uint64
	do  func()
}

// agenda orders what will happen by instant, then by number. It is safe for
// concurrent use: actors add to it from their goroutines.
type agenda struct {
	mu   sync.Mutex
	list happenings
	seq  uint64
	wake chan struct{}
}

func newAgenda() *agenda { return &agenda{wake: make(chan struct{}, 1)} }

// add plans do for the instant at.
func (a *agenda) add(at time.Time, do func()) {
	a.mu.Lock()
	a.seq++
	heap.Push(&a.list, happening{at, a.seq, do})
	a.mu.Unlock()
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// take returns what is due at now, or when the next thing is.
func (a *agenda) take(now time.Time) (do func(), next time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.list) == 0 {
		return nil, time.Time{}
	}
	if h := a.list[0]; h.at.After(now) {
		return nil, h.at
	}
	return heap.Pop(&a.list).(happening).do, time.Time{}
}

// run lets happen what is due until the instant end, or until over says so.
// Everything that an event caused has come to rest before the next one.
func (a *agenda) run(end time.Time, over func() bool) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	heap := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	for n := 0; ; n++ {
		synctest.Wait()
		if n%64 == 0 {
			collect(heap)
		}
		if over() {
			return
		}
		now := time.Now()
		do, next := a.take(now)
		if do != nil {
			do()
			continue
		}
		if !now.Before(end) {
			return
		}
		if next.IsZero() || next.After(end) {
			next = end
		}
		timer.Reset(next.Sub(now))
		select {
		case <-timer.C:
		case <-a.wake:
		}
	}
}

type happenings []happening

func (h happenings) Len() int { return len(h) }
func (h happenings) Less(i, j int) bool {
	if !h[i].at.Equal(h[j].at) {
		return h[i].at.Before(h[j].at)
	}
	return h[i].seq < h[j].seq
}
func (h happenings) Swap(i, j int) { h[i], h[j] = h[j], h[i] }

// Push implements heap.Interface.
func (h *happenings) Push(x any) { *h = append(*h, x.(happening)) }

// Pop implements heap.Interface.
func (h *happenings) Pop() any {
	old := *h
	last := old[len(old)-1]
	old[len(old)-1].do = nil
	*h = old[:len(old)-1]
	return last
}

// streams makes random numbers of one seed, a stream for each purpose.
type streams uint64

// of returns the stream of that name. The same name gives the same stream
// from its beginning.
func (s streams) of(name string) *rand.Rand { return rand.New(rand.NewPCG(uint64(s), nameHash(name))) }

// bytes is of for what wants its own generator.
func (s streams) chacha(name string) *rand.ChaCha8 {
	r := s.of(name)
	var seed [32]byte
	for i := range seed {
		seed[i] = byte(r.Uint32())
	}
	return rand.NewChaCha8(seed)
}

func nameHash(name string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name)) // never fails
	return h.Sum64()
}

// between returns a time in [low, high), to the nanosecond, so that hardly any
// two things happen at the same instant.
func between(r *rand.Rand, low, high time.Duration) time.Duration {
	if high <= low {
		return low
	}
	return low + time.Duration(r.Int64N(int64(high-low)))
}

// chance reports true in p of all cases.
func chance(r *rand.Rand, p float64) bool { return r.Float64() < p }
