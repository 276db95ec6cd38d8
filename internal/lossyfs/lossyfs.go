// Package lossyfs is a file system on which the power can be cut, for tests on
// real programs: it is mounted over FUSE, and what a program did not sync is
// gone, or partly gone, after Cut.
//
// It is made in the manner of LazyFS (Ramos et al., "When Amnesia Strikes:
// Understanding and Reproducing Data Loss Bugs with Fault Injection", PVLDB
// 17(11), 2024). That one is C++, fetched from GitHub and built by CMake, which
// a clean machine with this repository, Go modules and apt cannot do. This one
// is pure Go, and stricter in one point: LazyFS caches data; here the names in
// a folder are unsynced, too, until the folder is.
//
// What a cut takes, and what it leaves:
//
//   - Data: fsync, fdatasync and O_SYNC writes make a file's bytes and size
//     durable. Other writes are lost by a cut of seed 0. By another seed any of
//     them survives or not: a prefix of them whose last one is torn, or single
//     sectors of any of them, with zeros where a file grew around a lost one.
//   - Names: create, rename, remove and mkdir are durable when the folder is
//     synced; the folders of one rename stay together. A cut of seed 0 loses
//     the others; by another seed a prefix per folder survives. So a new file
//     that was synced but whose folder was not can be gone, as POSIX allows.
//     Options.Journaled makes every sync commit all names before, as the
//     journals of ext4 and XFS do.
//   - Time: Options.DataAge and NamesAge let unsynced changes become durable by
//     themselves, as the kernel's flusher does (30 s) and ext4's journal (5 s);
//     zero means never.
//   - Permissions are durable at once, and mtime is not rolled back.
//
// The medium is in memory, so a cut takes microseconds and the machine's own
// disk has no part in the result. Locks and shared memory maps are the
// kernel's: several processes can use one SQLite database in WAL mode. A
// process must not map files of a Disk that it mounts itself: a page fault
// holds the runtime up that has to answer it. Missing: hard and symbolic
// links, devices, extended attributes.
package lossyfs

import (
	"fmt"
	"sync"
	"time"
)

// Options shapes a Disk. The zero value is the strictest.
type Options struct {
	// Sector is the unit that is written whole, in bytes; 0 means 512.
	Sector int
	// Journaled makes a sync of anything commit every name change before it.
	Journaled bool
	// DataAge and NamesAge are after how long unsynced bytes and names are
	// written anyway; 0 means never.
	DataAge, NamesAge time.Duration
	// Clock is for the ages; nil means time.Now.
	Clock func() time.Time
}

// Loss is what a cut took.
type Loss struct {
	Bytes int64 // written and not there; a byte overwritten twice counts twice
	Files int   // that lost bytes
	Names int   // creations, renames and removals undone
}

// Add returns the sum.
func (l Loss) Add(m Loss) Loss {
	return Loss{Bytes: l.Bytes + m.Bytes, Files: l.Files + m.Files, Names: l.Names + m.Names}
}

func (l Loss) String() string {
	return fmt.Sprintf("%d bytes in %d files, %d names", l.Bytes, l.Files, l.Names)
}

// Disk is a medium that outlives its mounts. Safe for concurrent use.
type Disk struct {
	o Options

	mu   sync.Mutex // guards what follows; taken before tree.mu
	tree *tree
	dir  string
	srv  *server // nil when it is not mounted
}

// New returns an empty disk.
func New(o Options) *Disk {
	if o.Sector <= 0 {
		o.Sector = 512
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	return &Disk{o: o, tree: newTree(o)}
}

// Mount shows the disk at dir, an empty folder. It needs Linux, /dev/fuse and
// the right to mount, and fails otherwise.
func (d *Disk) Mount(dir string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.srv != nil {
		return fmt.Errorf("mounting lossy disk at %q: it is mounted at %q", dir, d.dir)
	}
	return d.mount(dir)
}

func (d *Disk) mount(dir string) error {
	srv, err := serve(d.tree, dir)
	if err != nil {
		return fmt.Errorf("mounting lossy disk at %q: %w", dir, err)
	}
	d.dir, d.srv = dir, srv
	return nil
}

// Unmount syncs everything and takes the disk away, as an orderly shutdown
// does. Programs that still have files open keep them, but can write no more.
func (d *Disk) Unmount() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.tree.syncAll()
	d.tree.die()
	d.tree = d.tree.survivors(0, nil)
	return d.detach()
}

// Sync makes everything durable that was written so far, as sync(2) does.
func (d *Disk) Sync() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.tree.syncAll()
}

// Cut takes the power away and gives it back: what was not durable is lost or
// partly lost as seed says, and the disk, if it was mounted, shows at the same
// folder what survived. Seed 0 loses all of it. Programs that have files open
// from before see every change fail; kill them first to have them end as by a
// power cut, at one instant.
func (d *Disk) Cut(seed uint64) (Loss, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.tree.die()
	var l Loss
	d.tree = d.tree.survivors(seed, &l)
	if d.srv == nil {
		return l, nil
	}
	dir := d.dir
	if err := d.detach(); err != nil {
		return l, err
	}
	return l, d.mount(dir)
}

// FailAfter takes the power away within the n-th change from now (a write, a
// sync, or a change of a name or size; n ≥ 1): it and all after it fail, and
// Cut decides what is left of it. The channel is closed when that happens.
func (d *Disk) FailAfter(n int) <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.tree.failAfter(n)
}

// Changes returns how many changes the disk saw since it was mounted or cut.
func (d *Disk) Changes() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.tree.mu.Lock()
	defer d.tree.mu.Unlock()
	return d.tree.changes
}

func (d *Disk) detach() error {
	if d.srv == nil {
		return nil
	}
	err := d.srv.detach()
	d.srv = nil
	if err != nil {
		return fmt.Errorf("unmounting lossy disk at %q: %w", d.dir, err)
	}
	return nil
}
