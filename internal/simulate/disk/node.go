package disk

import (
	"maps"
	"math/rand/v2"
	"slices"
)

const (
	sector = 512
	page   = 4096 // of the cache, and the unit in which space is counted
)

// node is a file or a directory.
type node struct {
	// Of a file.
	cache    []byte         // what programs see
	medium   []byte         // what was synced
	pending  []change       // since the last sync, oldest first
	lost     map[int64]bool // pages that a failed sync left clean in the cache only
	reserved int64
	bad      bool // reads fail
	linked   bool // has a name, so that it takes space

	// Of a directory; nil for a file.
	names  map[string]*node // as programs see them
	synced map[string]*node
	ops    []nameOp // since the last SyncDir, oldest first
}

// change is one write, or a truncation.
type change struct {
	off      int64
	data     []byte // written; nil for a truncation to off
	truncate bool
}

// nameOp sets name to n, or removes it when n is nil. A rename sets two.
type nameOp []struct {
	name string
	n    *node
}

func newFile() *node { return &node{} }

func newDir() *node {
	return &node{names: make(map[string]*node), synced: make(map[string]*node)}
}

func (n *node) isDir() bool { return n.names != nil }

// space returns what n takes of the disk, in bytes.
func (n *node) space() int64 {
	if n.isDir() || !n.linked {
		return 0
	}
	return (max(int64(len(n.cache)), n.reserved) + page - 1) / page * page
}

// write puts p into the cache.
func (n *node) write(p []byte, off int64) {
	n.cache = put(n.cache, p, off)
	from, to := off, off+int64(len(p))
	// A page that a failed sync left behind is dirty as a whole again.
	for at := from / page; at <= (to-1)/page; at++ {
		if n.lost[at] {
			delete(n.lost, at)
			from, to = min(from, at*page), max(to, min((at+1)*page, int64(len(n.cache))))
		}
	}
	n.pending = append(n.pending, change{off: from, data: slices.Clone(n.cache[from:to])})
}

func (n *node) truncate(size int64) {
	n.cache = resize(n.cache, size)
	n.pending = append(n.pending, change{off: size, truncate: true})
}

// sync brings everything to the medium.
func (n *node) sync() {
	for _, c := range n.pending {
		n.medium = c.apply(n.medium)
	}
	n.pending = nil
}

// failSync brings a part to the medium and forgets about the rest.
func (n *node) failSync(r *rand.Rand) {
	n.medium = n.survive(r)
	if n.lost == nil {
		n.lost = make(map[int64]bool)
	}
	for _, c := range n.pending {
		for at := c.off / page; at*page < c.off+int64(len(c.data)); at++ {
			n.lost[at] = true
		}
	}
	n.pending = nil
}

// apply returns b with all of c.
func (c change) apply(b []byte) []byte {
	if c.truncate {
		return resize(b, c.off)
	}
	return put(b, c.data, c.off)
}

// end returns the size that c gives to a file of that size.
func (c change) end(size int64) int64 {
	if c.truncate {
		return c.off
	}
	return max(size, c.off+int64(len(c.data)))
}

// survive returns what the medium holds after a power cut.
func (n *node) survive(r *rand.Rand) []byte {
	b := slices.Clone(n.medium)
	// The sizes that the file had, in order; the first few were committed.
	size, sizes := int64(len(b)), 0
	for _, c := range n.pending {
		if e := c.end(size); e != size || c.truncate {
			size, sizes = e, sizes+1
		}
	}
	committed := pick(r, sizes)
	size = int64(len(b))
	seen := size // what it would be if all sizes were committed
	for _, c := range n.pending {
		if e := c.end(seen); e != seen || c.truncate {
			seen = e
			if committed--; committed >= 0 {
				size = e
				b = resize(b, size)
			} else if c.truncate {
				continue
			}
		}
		if !c.truncate {
			c.tear(r, b)
		}
	}
	return resize(b, size)
}

// tear writes of c into b what survives, within b's size.
func (c change) tear(r *rand.Rand, b []byte) {
	kept := func() bool { return true }
	switch r.IntN(3) {
	case 0:
		return
	case 1:
		kept = func() bool { return r.IntN(2) == 0 }
	}
	end := min(c.off+int64(len(c.data)), int64(len(b)))
	for from := c.off; from < end; {
		to := min((from/sector+1)*sector, end)
		if kept() {
			copy(b[from:to], c.data[from-c.off:])
		}
		from = to
	}
}

// pick returns 0 to n: often all, often none, else any.
func pick(r *rand.Rand, n int) int {
	switch r.IntN(4) {
	case 0:
		return n
	case 1:
		return 0
	}
	return r.IntN(n + 1)
}

// change records what happens to the names of a directory, in one step.
func (n *node) change(op nameOp) {
	for _, o := range op {
		set(n.names, o.name, o.n)
	}
	n.ops = append(n.ops, op)
}

func set(names map[string]*node, name string, n *node) {
	if n == nil {
		delete(names, name)
		return
	}
	names[name] = n
}

// syncNames brings the first k operations to the medium.
func (n *node) syncNames(k int) {
	for _, op := range n.ops[:k] {
		for _, o := range op {
			set(n.synced, o.name, o.n)
		}
	}
	n.ops = n.ops[k:]
}

// cut returns the tree below n as it is after a power cut.
func (n *node) cut(r *rand.Rand) *node {
	if !n.isDir() {
		b := n.survive(r)
		return &node{cache: slices.Clone(b), medium: b, bad: n.bad, linked: true}
	}
	n.syncNames(pick(r, len(n.ops)))
	after := newDir()
	for _, name := range slices.Sorted(maps.Keys(n.synced)) {
		after.names[name] = n.synced[name].cut(r)
	}
	after.synced = maps.Clone(after.names)
	return after
}

// each calls see with every file below n, in order of their paths.
func (n *node) each(path string, see func(path string, f *node)) {
	for _, name := range slices.Sorted(maps.Keys(n.names)) {
		if c, p := n.names[name], path+"/"+name; c.isDir() {
			c.each(p, see)
		} else {
			see(p, c)
		}
	}
}

// put returns b with p at off, longer where it has to be.
func put(b, p []byte, off int64) []byte {
	if end := off + int64(len(p)); end > int64(len(b)) {
		b = resize(b, end)
	}
	copy(b[off:], p)
	return b
}

// resize returns b with exactly size bytes; new ones are zero.
func resize(b []byte, size int64) []byte {
	if size <= int64(len(b)) {
		return b[:size:size]
	}
	return append(b, make([]byte, size-int64(len(b)))...)
}
