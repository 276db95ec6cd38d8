package link

import (
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"gatecast/internal/simulate/disk"
)

func counterDisk(seed int) *disk.Disk {
	d := disk.New(rand.New(rand.NewPCG(uint64(seed), 9)))
	if err := errors.Join(d.Mkdir("/link", 0o700), d.SyncDir("/")); err != nil {
		panic(err) // a fresh disk takes a folder
	}
	return d
}

// TestSessionsGrowThroughPowerCuts cuts the power at each operation of a run
// that counts over the end of a reservation: no number is given out twice.
func TestSessionsGrowThroughPowerCuts(t *testing.T) {
	now := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	count := func(d *disk.Disk, last *uint64) error {
		c := openCounters(d, "/link", now)
		for range 2*reserve + 3 {
			n, err := c.nextSession()
			if err != nil {
				return err
			}
			if n <= *last {
				t.Fatalf("session %d after %d", n, *last)
			}
			*last = n
		}
		return nil
	}
	for at := 1; ; at++ {
		for seed := range 6 {
			var last uint64
			d := counterDisk(seed)
			d.CutAt(at)
			if err := count(d, &last); err == nil {
				t.Logf("%d operations", at-1)
				return
			}
			if err := count(d.Boot(), &last); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestFlippedBitDoesNotMoveTheSessions finds any damage; numbers then go on
// from the seconds since 1970, which no device has counted up to.
func TestFlippedBitDoesNotMoveTheSessions(t *testing.T) {
	now := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	for seed := range 200 {
		d := counterDisk(seed)
		last, err := openCounters(d, "/link", now).nextSession()
		if err != nil {
			t.Fatal(err)
		}
		harm := d.Rot
		if seed%20 == 0 {
			harm = d.Spoil
		}
		if err := harm("/link/link.json"); err != nil {
			t.Fatal(err)
		}
		later := now.Add(2 * time.Minute)
		n, err := openCounters(d.Boot(), "/link", later).nextSession()
		if err != nil || n <= last || n > uint64(later.Unix())+1 {
			t.Fatalf("seed %d: session %d after %d, %v", seed, n, last, err)
		}
	}
}
