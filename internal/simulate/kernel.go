package simulate

import (
	"fmt"
	"sync"
	"time"

	"gatecast/agent/walltime"
)

// kernel is a machine's clocks. Bubble time is the truth.
type kernel struct {
	mu     sync.Mutex
	name   string
	boots  int
	booted time.Time     // true
	ppm    float64       // how much faster the crystal runs, in millionths
	wall   time.Time     // of the system when it booted
	rtc    bool          // has a battery clock
	rtcOff time.Duration // its error
	synced bool          // by a time service
	lie    time.Duration // error of that service, which it does not admit
}

var _ walltime.KernelClock = (*kernel)(nil)

// boot starts the machine anew.
func (k *kernel) boot() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.boots++
	k.booted = time.Now()
	k.synced, k.lie = false, 0
	k.wall = time.Unix(3, 0)
	if k.rtc {
		k.wall = time.Now().Add(k.rtcOff)
	}
}

// BootID implements walltime.KernelClock.
func (k *kernel) BootID() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return fmt.Sprintf("%s-boot-%d", k.name, k.boots)
}

// SinceBoot implements walltime.KernelClock.
func (k *kernel) SinceBoot() time.Duration {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.sinceLocked()
}

func (k *kernel) sinceLocked() time.Duration {
	d := time.Since(k.booted)
	return d + time.Duration(float64(d)*k.ppm/1e6)
}

// Wall implements walltime.KernelClock.
func (k *kernel) Wall() time.Time {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.synced {
		return time.Now().Add(k.lie).Round(0)
	}
	return k.wall.Add(k.sinceLocked()).Round(0)
}

// Synchronised implements walltime.KernelClock.
func (k *kernel) Synchronised() (bool, time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.synced, 20 * time.Millisecond
}

// Battery implements walltime.KernelClock.
func (k *kernel) Battery() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.rtc
}

// step sets the system's clock by hand, which ends synchronisation.
func (k *kernel) step(by time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.wall.Add(k.sinceLocked())
	if k.synced {
		now = time.Now().Add(k.lie)
	}
	k.synced, k.lie = false, 0
	k.wall = now.Add(by).Add(-k.sinceLocked())
}

// sync has a time service discipline the clock, wrongly by lie.
func (k *kernel) sync(on bool, lie time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !on {
		wall := time.Now().Add(k.lie)
		if !k.synced {
			wall = k.wall.Add(k.sinceLocked())
		}
		k.wall = wall.Add(-k.sinceLocked())
	}
	k.synced, k.lie = on, lie
}

// drift sets the crystal's rate without moving what the clocks read.
func (k *kernel) drift(ppm float64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	d := time.Since(k.booted)
	reads := k.sinceLocked()
	// booted moves so that the new rate reads the same now.
	k.ppm = ppm
	k.booted = k.booted.Add(d - time.Duration(float64(reads)/(1+ppm/1e6)))
}
