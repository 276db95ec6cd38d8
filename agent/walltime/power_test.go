package walltime

import (
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"gatecast/internal/simulate/disk"
)

func newDisk(seed int) *disk.Disk {
	d := disk.New(rand.New(rand.NewPCG(uint64(seed), 8)))
	if err := errors.Join(d.Mkdir("/time", 0o700), d.SyncDir("/")); err != nil {
		panic(err) // a fresh disk takes a folder
	}
	return d
}

// floors runs a clock in 1970 that hears of documents of ever later days, and
// returns the floors that were persisted.
func floors(t *testing.T, d *disk.Disk) (persisted []time.Time, err error) {
	t.Helper()
	c, err := Open("/time", Options{BuildTime: built, Kernel: bootAt(time.Unix(0, 0), "a"), FS: d})
	if err != nil {
		return nil, err
	}
	for day := 1; day <= 4; day++ {
		c.RaiseFloor(built.AddDate(0, 0, day))
		if err := c.Persist(); err != nil {
			return persisted, err
		}
		persisted = append(persisted, c.floor)
	}
	return persisted, nil
}

// TestFloorSurvivesAPowerCutAnywhere cuts the power at each operation: time
// begins at the floor that was persisted last, or at the one being written.
func TestFloorSurvivesAPowerCutAnywhere(t *testing.T) {
	for at := 1; ; at++ {
		for seed := range 6 {
			d := newDisk(seed)
			d.CutAt(at)
			persisted, err := floors(t, d)
			if err == nil {
				t.Logf("%d operations", at-1)
				return
			}
			c, err := Open("/time", Options{BuildTime: built, Kernel: bootAt(time.Unix(0, 0), "b"), FS: d.Boot()})
			if err != nil || c.Damaged() {
				t.Fatalf("cut at %d: %v, damaged %v", at, err, c.Damaged())
			}
			low, high := built, built.AddDate(0, 0, len(persisted)+1)
			if n := len(persisted); n > 0 {
				low = persisted[n-1]
			}
			if now := c.Now().Wall; now.Before(low) || now.After(high.Add(time.Minute)) {
				t.Fatalf("cut at %d, seed %d: time begins at %v, want %v to %v", at, seed, now, low, high)
			}
		}
	}
}

// TestFlippedBitDoesNotMoveTheFloor holds for every kind of damage that the
// clock begins at the floor, or at the build time and says so; a wrong digit
// would silence a gate for centuries.
func TestFlippedBitDoesNotMoveTheFloor(t *testing.T) {
	for seed := range 400 {
		d := newDisk(seed)
		persisted, err := floors(t, d)
		if err != nil {
			t.Fatal(err)
		}
		harm := d.Rot
		if seed%20 == 0 {
			harm = d.Spoil
		}
		if err := harm("/time/" + fileName); err != nil {
			t.Fatal(err)
		}
		d = d.Boot()
		c, err := Open("/time", Options{BuildTime: built, Kernel: bootAt(time.Unix(0, 0), "b"), FS: d})
		if err != nil {
			t.Fatal(err)
		}
		want := persisted[len(persisted)-1]
		if c.Damaged() {
			want = built
		}
		if d := c.Now().Wall.Sub(want); d < 0 || d > time.Minute {
			t.Fatalf("seed %d: time begins %v off, damaged %v", seed, d, c.Damaged())
		}
		c.RaiseFloor(built.AddDate(0, 0, 9))
		if err := c.Persist(); err != nil {
			t.Fatal(err)
		}
		if c, err = Open("/time", Options{BuildTime: built, Kernel: bootAt(time.Unix(0, 0), "c"), FS: d}); err != nil || c.Damaged() {
			t.Fatalf("seed %d: written anew: %v, damaged %v", seed, err, c.Damaged())
		}
	}
}
