package library

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"syscall"
	"testing"

	"gatecast/internal/durable"
	"gatecast/internal/simulate/disk"
	"gatecast/internal/wire"
)

func newDisk(seed int) *disk.Disk { return disk.New(rand.New(rand.NewPCG(uint64(seed), 6))) }

// opened is a library on d.
func opened(d *disk.Disk) (*Library, error) { return Open("/data/clips", d) }

// whole reports what keeps l from having exactly want, each playable.
func whole(l *Library, want []wire.ManifestClip) error {
	for _, c := range want {
		if !l.Have(c.SHA256) {
			return fmt.Errorf("clip %s is not here", c.SHA256)
		}
		if _, err := l.Load(c.SHA256, c); err != nil {
			return err
		}
	}
	return nil
}

// TestPowerCutWhileFetching cuts the power at each operation of two fetches,
// one of them continued. What Have reports can be played; a further Sync gets
// the rest; nothing is left behind but clips. What had been reported before
// the cut needs no fetch.
func TestPowerCutWhileFetching(t *testing.T) {
	a, ca := tone(t, 440, 8000)
	b, cb := tone(t, 880, 6000)
	want := []wire.ManifestClip{ca, cb}
	fetchAll := func(d *disk.Disk, done *int) error {
		for _, breakAt := range []int{len(a) / 2, 0} {
			l, err := opened(d)
			if err != nil {
				return err
			}
			s := &shelf{clips: map[string][]byte{ca.SHA256: a, cb.SHA256: b}, breakAt: breakAt}
			for i, c := range want {
				if err := l.Sync(context.Background(), []wire.ManifestClip{c}, s); err == nil {
					*done = max(*done, i+1)
				} else if errors.Is(err, disk.ErrPower) {
					return err
				}
			}
		}
		return nil
	}
	for at := 1; ; at++ {
		for seed := range 3 {
			d, done := newDisk(seed), 0
			d.CutAt(at)
			err := fetchAll(d, &done)
			if err == nil && !d.Dead() {
				t.Logf("%d operations", at-1)
				return
			}
			l, err := opened(d.Boot())
			if err != nil {
				t.Fatal(err)
			}
			s := &shelf{clips: map[string][]byte{ca.SHA256: a, cb.SHA256: b}}
			if err := l.Sync(t.Context(), want, s); err != nil {
				t.Fatal(err)
			}
			// Two for a clip whose beginning has holes: the rest, and the whole.
			if len(s.offsets) > 2*(len(want)-done) {
				t.Fatalf("cut at %d, seed %d: %d fetches after %d clips were here", at, seed, len(s.offsets), done)
			}
			if err := errors.Join(whole(l, want), l.Evict([]string{ca.SHA256, cb.SHA256})); err != nil {
				t.Fatalf("cut at %d, seed %d: %v", at, seed, err)
			}
			if names, err := d.Boot().ReadDir("/data/clips"); err != nil || len(names) != 2 {
				t.Fatalf("cut at %d: folder holds %v, %v", at, names, err)
			}
		}
	}
}

// TestClipIsNamedOnlyAfterItsSync has all bytes of a clip in the cache, from a
// run that was killed or whose sync failed: they must not count as synced.
func TestClipIsNamedOnlyAfterItsSync(t *testing.T) {
	data, c := tone(t, 440, 8000)
	want := []wire.ManifestClip{c}
	for seed := range 12 {
		for _, failed := range []bool{false, true} {
			d := newDisk(seed)
			l, err := opened(d)
			if err != nil {
				t.Fatal(err)
			}
			s := &shelf{clips: map[string][]byte{c.SHA256: data}}
			if failed {
				d.FailSync(1)
				if err := l.Sync(t.Context(), want, s); !errors.Is(err, syscall.EIO) {
					t.Fatalf("Sync on a failing disk = %v, want EIO", err)
				}
			} else {
				f, err := d.OpenFile("/data/clips/"+c.SHA256+partSuffix, os.O_RDWR|os.O_CREATE, 0o600)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := f.Write(data); err != nil {
					t.Fatal(err)
				}
				if l, err = opened(d.Kill()); err != nil {
					t.Fatal(err)
				}
				d = d.Kill()
			}
			if err := l.Sync(t.Context(), want, s); err != nil {
				t.Fatal(err)
			}
			got, err := durable.On(d.Boot()).ReadFile("/data/clips/" + c.SHA256)
			if err != nil || string(got) != string(data) {
				t.Fatalf("seed %d, failed %v: a clip that was reported is not on the disk: %d bytes, %v", seed, failed, len(got), err)
			}
		}
	}
}

// TestRottenOrUnreadableClipIsFetchedAgain damages a clip that was verified
// before. It is not played, and Missing names it.
func TestRottenOrUnreadableClipIsFetchedAgain(t *testing.T) {
	data, c := tone(t, 440, 8000)
	for name, harm := range map[string]func(*disk.Disk, string) error{
		"bit":    (*disk.Disk).Rot,
		"sector": (*disk.Disk).Spoil,
	} {
		for _, restart := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s_restart_%v", name, restart), func(t *testing.T) {
				d := newDisk(1)
				l, err := opened(d)
				if err != nil {
					t.Fatal(err)
				}
				s := &shelf{clips: map[string][]byte{c.SHA256: data}}
				if err := l.Sync(t.Context(), []wire.ManifestClip{c}, s); err != nil {
					t.Fatal(err)
				}
				if err := harm(d, "/data/clips/"+c.SHA256); err != nil {
					t.Fatal(err)
				}
				if restart {
					d = d.Boot()
					if l, err = opened(d); err != nil {
						t.Fatal(err)
					}
				}
				if _, err := l.Load(c.SHA256, c); err == nil {
					t.Fatal("a damaged clip was loaded")
				}
				if !slices.Equal(l.Missing([]string{c.SHA256}), []string{c.SHA256}) {
					t.Fatal("a damaged clip is not missing")
				}
				if err := l.Sync(t.Context(), []wire.ManifestClip{c}, s); err != nil {
					t.Fatal(err)
				}
				if err := whole(l, []wire.ManifestClip{c}); err != nil || len(s.offsets) != 2 {
					t.Errorf("after a second fetch: %v, %d fetches", err, len(s.offsets))
				}
			})
		}
	}
}

// TestFullCardLeavesNoPart gives the space back, and fetches once there is
// some.
func TestFullCardLeavesNoPart(t *testing.T) {
	data, c := tone(t, 440, 40_000)
	for limit := int64(4096); limit < int64(len(data)); limit += 4096 {
		d := newDisk(1)
		d.Limit(limit)
		l, err := opened(d)
		if err != nil {
			t.Fatal(err)
		}
		s := &shelf{clips: map[string][]byte{c.SHA256: data}}
		if err := l.Sync(t.Context(), []wire.ManifestClip{c}, s); !errors.Is(err, ErrFull) {
			t.Fatalf("limit %d: Sync = %v, want ErrFull", limit, err)
		}
		if d.Used() != 0 {
			t.Fatalf("limit %d: %d bytes are taken", limit, d.Used())
		}
		d.Limit(0)
		if err := errors.Join(l.Sync(t.Context(), []wire.ManifestClip{c}, s), whole(l, []wire.ManifestClip{c})); err != nil {
			t.Fatal(err)
		}
	}
}
