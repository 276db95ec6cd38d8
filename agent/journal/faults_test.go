package journal

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"

	"gatecast/internal/simulate/disk"
)

var seeds = flag.Uint64("journal.seeds", 60, "how many runs of faults to draw; each hundred adds a power cut at every operation")

// TestFaultsInAnyOrderLoseNothingSilently draws runs of records, acks,
// restarts, kills, power cuts, failing syncs, a full disk, flipped bits and
// unreadable files. The journal always opens; what was confirmed is there, or
// was acked, or is named by a gap; nothing appears that was refused, twice, or
// changed; when the faults stop, it takes records again.
func TestFaultsInAnyOrderLoseNothingSilently(t *testing.T) {
	key := newDeviceKey(t)
	for seed := range *seeds {
		if err := mixed(seed, key); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}

// mix is one drawn run.
type mix struct {
	*life
	r     *rand.Rand
	lossy bool // bits were flipped or files spoiled
}

func mixed(seed uint64, key deviceKey) error {
	r := rand.New(rand.NewPCG(seed, 99))
	o := Options{SegmentBytes: smallSegments.SegmentBytes}
	if r.IntN(3) == 0 {
		o.MaxBytes = int64(2+r.IntN(3)) * o.SegmentBytes
	}
	if r.IntN(2) == 0 {
		o.Sign = key
	}
	m := &mix{life: newLife(seed, o), r: r}
	if err := m.open(); err != nil {
		return fmt.Errorf("first open: %w", err)
	}
	for step := range 40 {
		if err := m.step(); err != nil {
			return fmt.Errorf("step %d: %w", step, err)
		}
	}
	m.disk.CutAt(0)
	m.disk.FailSync(0)
	m.disk.Limit(0)
	if err := m.again(m.boot); err != nil {
		return err
	}
	if err := m.append(10); err != nil {
		return fmt.Errorf("record after the faults: %w", err)
	}
	return m.check(m.lossy)
}

func (m *mix) step() error {
	switch k := m.r.IntN(20); {
	case k < 9:
		for range 1 + m.r.IntN(6) {
			if err := m.append(m.r.IntN(3000)); err != nil && !expected(err) {
				return fmt.Errorf("append: %w", err)
			}
		}
	case k < 12:
		if err := m.ack(m.r.IntN(3)); err != nil && !expected(err) {
			return fmt.Errorf("ack: %w", err)
		}
	case k == 12:
		if err := m.j.Close(); err != nil && !expected(err) {
			return fmt.Errorf("close: %w", err)
		}
		return m.again(m.kill)
	case k == 13:
		return m.again(m.kill)
	case k == 14:
		m.disk.CutAt(1 + m.r.IntN(12))
	case k == 15:
		m.disk.FailSync(1 + m.r.IntN(4))
	case k == 16:
		m.disk.Limit(m.disk.Used() + int64(m.r.IntN(30_000)))
	case k == 17:
		m.disk.Limit(0)
	case k == 18:
		m.harm(m.disk.Rot)
	case k == 19 && m.r.IntN(3) == 0:
		m.harm(m.disk.Spoil)
	}
	if m.disk.Dead() {
		return m.again(m.boot)
	}
	return nil
}

// boot is a power cut. A record that was being written, or that the disk had
// not confirmed, may be there afterwards.
func (m *mix) boot(d *disk.Disk) *disk.Disk {
	clear(m.refused)
	return d.Boot()
}

// kill is a power cut when there was one.
func (m *mix) kill(d *disk.Disk) *disk.Disk {
	if d.Dead() {
		return m.boot(d)
	}
	return d.Kill()
}

// again opens the journal on the next disk and checks it.
func (m *mix) again(next func(*disk.Disk) *disk.Disk) error {
	for {
		m.disk = next(m.disk)
		if err := m.open(); err != nil {
			if errors.Is(err, disk.ErrPower) {
				continue
			}
			return fmt.Errorf("opening: %w", err)
		}
		if m.disk.Dead() {
			continue
		}
		return m.check(m.lossy)
	}
}

func (m *mix) harm(how func(string) error) {
	files := m.disk.Files()
	if err := how(files[m.r.IntN(len(files))]); err == nil {
		m.lossy = true
	}
}

// expected reports whether err is one that a journal may return on a bad disk.
func expected(err error) bool {
	return errors.Is(err, ErrFull) || errors.Is(err, ErrBroken) || errors.Is(err, disk.ErrPower) ||
		errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EIO)
}
