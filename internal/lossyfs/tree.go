package lossyfs

import (
	"maps"
	"sync"
	"syscall"
	"time"
)

const (
	rootID  = 1
	dirMode = syscall.S_IFDIR
	regMode = syscall.S_IFREG
)

// tree is what one mount shows. After a cut a new one takes its place.
type tree struct {
	o    Options
	root *node // immutable

	mu      sync.Mutex
	nodes   map[uint64]*node // that a name leads to or the kernel knows
	next    uint64
	namings []naming // not durable, oldest first
	dirty   map[*node]struct{}
	swept   time.Time // of the last look at the ages

	changes int
	fuse    int // changes left until the power fails; 0 means none is set
	failed  chan struct{}
	dead    bool
}

func newTree(o Options) *tree {
	t := &tree{o: o, nodes: map[uint64]*node{}, dirty: map[*node]struct{}{}, next: rootID}
	t.root = t.add(dirMode | 0o755)
	t.root.links = 1
	return t
}

// add makes a node that no name leads to yet.
func (t *tree) add(mode uint32) *node {
	n := &node{id: t.next, mode: mode, mtime: t.o.Clock()}
	if mode&syscall.S_IFMT == dirMode {
		n.names, n.kept = map[string]*node{}, map[string]*node{}
	}
	t.nodes[n.id] = n
	t.next++
	return n
}

// die makes every later change fail.
func (t *tree) die() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.failLocked()
}

func (t *tree) failLocked() {
	t.dead, t.fuse = true, 0
	if t.failed != nil {
		close(t.failed)
		t.failed = nil
	}
}

func (t *tree) failAfter(n int) <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	ch := make(chan struct{})
	t.fuse, t.failed = max(1, n), ch
	if t.dead {
		t.failLocked()
	}
	return ch
}

// begin is called before each change and reports whether it may happen. On
// the change within which the power fails it may, but ends with EIO: it was
// under way.
func (t *tree) begin() (now time.Time, ok bool) {
	if t.dead {
		return now, false
	}
	now = t.o.Clock()
	t.age(now)
	t.changes++
	if t.fuse > 0 {
		if t.fuse--; t.fuse == 0 {
			t.failLocked()
		}
	}
	return now, true
}

// end is what the program is told about a change that begin allowed.
func (t *tree) end() syscall.Errno {
	if t.dead {
		return syscall.EIO
	}
	return 0
}

// write puts p at off into n.
func (t *tree) write(n *node, off int64, p []byte) syscall.Errno {
	now, ok := t.begin()
	if !ok {
		return syscall.EIO
	}
	n.do(change{at: now, off: off, data: append([]byte(nil), p...)})
	t.dirty[n] = struct{}{}
	return t.end()
}

// resize sets the size of n.
func (t *tree) resize(n *node, size int64) syscall.Errno {
	if int64(len(n.data)) == size {
		return 0
	}
	now, ok := t.begin()
	if !ok {
		return syscall.EIO
	}
	n.do(change{at: now, off: size, resize: true})
	t.dirty[n] = struct{}{}
	return t.end()
}

// rename does the edits of one change of names and counts the links.
func (t *tree) rename(edits ...edit) syscall.Errno {
	now, ok := t.begin()
	if !ok {
		return syscall.EIO
	}
	for _, e := range edits {
		if old := e.dir.names[e.name]; old != nil {
			old.links--
			t.drop(old)
		}
		if e.to == nil {
			delete(e.dir.names, e.name)
		} else {
			e.dir.names[e.name] = e.to
			e.to.links++
		}
		e.dir.mtime = now
	}
	t.namings = append(t.namings, naming{at: now, edits: edits})
	return t.end()
}

// drop forgets a node that neither a name nor the kernel leads to.
func (t *tree) drop(n *node) {
	if n.links <= 0 && n.lookups == 0 {
		delete(t.nodes, n.id)
	}
}

// syncFile makes a file durable, but not its name.
func (t *tree) syncFile(n *node) syscall.Errno {
	if _, ok := t.begin(); !ok || t.dead {
		return syscall.EIO // the power failed before it was down
	}
	n.sync()
	delete(t.dirty, n)
	if t.o.Journaled {
		t.commit()
	}
	return 0
}

// syncDir makes the names in a folder durable, and what they rest on: a
// rename from another folder takes the earlier changes there along.
func (t *tree) syncDir(n *node) syscall.Errno {
	if _, ok := t.begin(); !ok || t.dead {
		return syscall.EIO
	}
	if t.o.Journaled {
		t.commit()
		return 0
	}
	dirs := map[*node]bool{n: true}
	wanted := make([]bool, len(t.namings))
	for i := len(t.namings) - 1; i >= 0; i-- {
		if wanted[i] = t.namings[i].touches(dirs); wanted[i] {
			for _, e := range t.namings[i].edits {
				dirs[e.dir] = true
			}
		}
	}
	var rest []naming
	for i, m := range t.namings {
		if wanted[i] {
			m.apply()
		} else {
			rest = append(rest, m)
		}
	}
	t.namings = rest
	return 0
}

// commit makes all names durable.
func (t *tree) commit() {
	for _, m := range t.namings {
		m.apply()
	}
	t.namings = nil
}

func (t *tree) syncAll() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.dead {
		return
	}
	t.commit()
	for n := range t.dirty {
		n.sync()
	}
	clear(t.dirty)
}

// age makes durable what is old enough. A file with one old change is written
// whole, as the kernel's flusher does.
func (t *tree) age(now time.Time) {
	if t.o.NamesAge > 0 && len(t.namings) > 0 && now.Sub(t.namings[0].at) >= t.o.NamesAge {
		t.commit()
	}
	if t.o.DataAge <= 0 || now.Sub(t.swept) < t.o.DataAge/16 {
		return
	}
	t.swept = now
	for n := range t.dirty {
		if now.Sub(n.pending[0].at) >= t.o.DataAge {
			n.sync()
			delete(t.dirty, n)
		}
	}
}

// walk calls see once for each node that is reachable by durable names, in an
// order that depends on the tree alone.
func (t *tree) walk(see func(*node)) {
	seen := map[*node]bool{}
	var visit func(*node)
	visit = func(n *node) {
		if seen[n] {
			return
		}
		seen[n] = true
		see(n)
		for _, name := range sorted(maps.Keys(n.kept)) {
			visit(n.kept[name])
		}
	}
	visit(t.root)
}
