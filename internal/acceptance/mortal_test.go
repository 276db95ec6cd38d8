package acceptance

import (
	"context"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"
)

// seedOf returns the seed of a test's dice and prints it; the variable
// GATECAST_SEED repeats one. Who is killed when is the same then; what the
// kernel lets happen in between is not.
func seedOf(t *testing.T) uint64 {
	t.Helper()
	seed := rand.Uint64()
	if text := os.Getenv("GATECAST_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("GATECAST_SEED: %v", err)
		}
	}
	t.Logf("GATECAST_SEED=%d", seed)
	return seed
}

// atLeast returns the number in an environment variable, or n.
func atLeast(t *testing.T, variable string, n int) int {
	t.Helper()
	text := os.Getenv(variable)
	if text == "" {
		return n
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("%s: %v", variable, err)
	}
	return n
}

// mortal is a program that is started again and again and killed after a
// random time. It runs with a lower priority: the tests beside it watch clocks.
type mortal struct {
	t     *testing.T
	name  string
	line  []string
	log   *logbook
	dice  *rand.Rand
	life  func(*rand.Rand) time.Duration
	after func() // called while the program is dead; may be nil
	// growing lives get longer with every kill, so that a program which has
	// something to finish gets there on a slow machine too.
	growing bool

	mu    sync.Mutex
	kills int
}

func newMortal(t *testing.T, seed uint64, name string, log *logbook, life func(*rand.Rand) time.Duration, line ...string) *mortal {
	nice := append([]string{"nice", "-n", "5"}, line...)
	return &mortal{t: t, name: name, line: nice, log: log, life: life, dice: rand.New(rand.NewPCG(seed, uint64(len(name))<<32+uint64(name[len(name)-1])))}
}

// once starts the program and kills it at the end of its life. It reports
// whether the program ended by itself before that, and with which status.
func (m *mortal) once(ctx context.Context) (ended bool, status int) {
	life := m.life(m.dice)
	if m.growing {
		life += life * time.Duration(m.killed()) / 8
	}
	p := startProgram(m.t, m.log, m.line...)
	timer := time.NewTimer(life)
	defer timer.Stop()
	select {
	case <-p.done:
		return true, p.cmd.ProcessState.ExitCode()
	case <-timer.C:
	case <-ctx.Done():
	}
	p.kill()
	if p.cmd.ProcessState.Exited() {
		return true, p.cmd.ProcessState.ExitCode()
	}
	m.mu.Lock()
	m.kills++
	m.mu.Unlock()
	if m.after != nil {
		m.after()
	}
	return false, 0
}

// haunt kills the program again and again until ctx ends. A program that ends
// by itself fails the test: nothing asked it to.
func (m *mortal) haunt(ctx context.Context) {
	for ctx.Err() == nil {
		if ended, status := m.once(ctx); ended {
			m.t.Errorf("%s ended by itself with status %d", m.name, status)
			return
		}
	}
}

// killed returns how often the program was killed so far.
func (m *mortal) killed() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.kills
}

// lives returns lives that are short in most cases, so that death comes at
// the start, and long in some, so that it comes in the middle of the work.
func lives(short, long time.Duration, longPct int) func(*rand.Rand) time.Duration {
	return func(r *rand.Rand) time.Duration {
		if r.IntN(100) < longPct {
			return short + time.Duration(r.Int64N(int64(long-short)))
		}
		return time.Duration(r.Int64N(int64(short)))
	}
}
