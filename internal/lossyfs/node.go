package lossyfs

import (
	"slices"
	"time"
)

// node is a file or a folder, as programs see it and as it would be found
// after a cut. Guarded by its tree.
type node struct {
	id       uint64
	mode     uint32 // S_IFDIR or S_IFREG, and permissions
	uid, gid uint32
	mtime    time.Time
	links    int // names that lead here, as programs see it
	lookups  uint64

	names map[string]*node // of a folder, as programs see it
	kept  map[string]*node // durable

	data    []byte // of a file, as programs see it
	durable []byte
	pending []change // between the two, oldest first
}

// change is one write, or one setting of the size.
type change struct {
	at     time.Time
	off    int64
	data   []byte
	resize bool // to off; data is nil
}

func (n *node) isDir() bool { return n.names != nil }

// put writes p at off into b, growing it with zeros.
func put(b []byte, off int64, p []byte) []byte {
	if end := int(off) + len(p); end > len(b) {
		b = size(b, end)
	}
	copy(b[off:], p)
	return b
}

// size cuts b to n bytes or grows it with zeros.
func size(b []byte, n int) []byte {
	if n <= len(b) {
		return b[:n]
	}
	old := len(b)
	b = slices.Grow(b, n-old)[:n]
	clear(b[old:])
	return b
}

func (c change) apply(b []byte) []byte {
	if c.resize {
		return size(b, int(c.off))
	}
	return put(b, c.off, c.data)
}

// do makes a change that is not durable yet.
func (n *node) do(c change) {
	n.data = c.apply(n.data)
	n.pending = append(n.pending, c)
	n.mtime = c.at
}

// sync makes everything in the file durable.
func (n *node) sync() {
	for _, c := range n.pending {
		n.durable = c.apply(n.durable)
	}
	n.pending = nil
}

// edit sets or, with a nil node, removes one name.
type edit struct {
	dir  *node
	name string
	to   *node
}

// naming is one change of names; its edits survive together or not at all.
type naming struct {
	at    time.Time
	edits []edit
}

func (m naming) apply() {
	for _, e := range m.edits {
		if e.to == nil {
			delete(e.dir.kept, e.name)
		} else {
			e.dir.kept[e.name] = e.to
		}
	}
}

func (m naming) touches(dirs map[*node]bool) bool {
	return slices.ContainsFunc(m.edits, func(e edit) bool { return dirs[e.dir] })
}
