package disk

import (
	"fmt"
	"io/fs"
)

// faults are armed by counting down: 0 is disarmed, n strikes at the n-th call
// from now.
type faults struct{ cut, sync int }

// strikes counts c down and reports whether it has run out.
func (*faults) strikes(c *int) bool {
	if *c == 0 {
		return false
	}
	*c--
	return *c == 0
}

// CutAt arms a power cut at the n-th operation from now, counted from 1 as
// Count.Ops does. That call returns ErrPower: what it was to change may have
// happened in full, in part or not at all. 0 disarms.
func (d *Disk) CutAt(n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.faults.cut = n
}

// FailSync makes the n-th sync from now, of a file or a directory, return EIO.
// 0 disarms.
func (d *Disk) FailSync(n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.faults.sync = n
}

// Limit makes the disk full at that many bytes, counted in pages of 4096; 0
// means that there is no limit.
func (d *Disk) Limit(bytes int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.limit = bytes
}

// Dead reports whether the power was cut.
func (d *Disk) Dead() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.dead
}

// Rot flips one bit, drawn at random, of the file at p, on the medium and in
// the cache. An empty or absent file is an error.
func (d *Disk) Rot(p string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	n, err := d.find(p)
	if err != nil {
		return named("rot", p, err)
	}
	if len(n.medium) == 0 {
		return named("rot", p, fmt.Errorf("%w: nothing was synced", fs.ErrInvalid))
	}
	at, bit := d.rand.IntN(len(n.medium)), byte(1)<<d.rand.IntN(8)
	n.medium[at] ^= bit
	if at < len(n.cache) {
		n.cache[at] ^= bit
	}
	return nil
}

// Spoil makes every read of the file at p return EIO from now on. Another file
// in its place can be read.
func (d *Disk) Spoil(p string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	n, err := d.find(p)
	if err != nil {
		return named("spoil", p, err)
	}
	n.bad = true
	return nil
}
