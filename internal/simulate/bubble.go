package simulate

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"testing"
	"testing/synctest"
)

// Bubble runs f in virtual time, which begins at the start of 2000. It returns
// when f and every goroutine that it started have ended.
type Bubble func(f func())

// Virtually calls f with a Bubble and ends the process when f returns; f
// should exit by itself, with a status.
//
// Virtual time is a part of the testing package, and only a test can have it.
// Therefore the command becomes a test program of one test: flags of its own
// and no arguments.
func Virtually(f func(Bubble)) {
	runtime.GOMAXPROCS(1)
	testing.Init()
	os.Args = os.Args[:1]
	anything := func(string, string) (bool, error) { return true, nil }
	testing.Main(anything, []testing.InternalTest{{Name: "simulate", F: func(t *testing.T) { f(bubbleOf(t)) }}}, nil, nil)
}

// A garbage collection in the middle of things makes goroutines change places.
// So it happens between events, when the heap has grown this much; the limit is
// for a run that has no events for long.
const (
	heapStep  = 96 << 20
	heapLimit = 1 << 30
)

// collectBetween keeps the collector quiet until the function that it returns
// is called.
func collectBetween() (restore func()) {
	percent, limit := debug.SetGCPercent(-1), debug.SetMemoryLimit(heapLimit)
	return func() {
		debug.SetGCPercent(percent)
		debug.SetMemoryLimit(limit)
	}
}

// collect collects if the heap has grown enough.
func collect(sample []metrics.Sample) {
	if metrics.Read(sample); sample[0].Value.Uint64() > heapStep {
		runtime.GC()
	}
}

func bubbleOf(t *testing.T) Bubble {
	return func(f func()) { synctest.Test(t, func(*testing.T) { f() }) }
}
