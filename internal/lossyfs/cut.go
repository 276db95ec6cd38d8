package lossyfs

import (
	"cmp"
	"iter"
	"maps"
	"math/rand/v2"
	"slices"
)

func sorted[T cmp.Ordered](s iter.Seq[T]) []T { return slices.Sorted(s) }

// survivors returns what a mount finds after the power was cut on the dead
// tree t, and adds to l, unless it is nil, what was lost.
func (t *tree) survivors(seed uint64, l *Loss) *tree {
	t.mu.Lock()
	defer t.mu.Unlock()
	if l == nil {
		l = new(Loss)
	}
	t.age(t.o.Clock())
	r := seeded(seed)
	t.loseNames(r, l)
	after := newTree(t.o)
	twins := map[*node]*node{t.root: after.root}
	twin := func(n *node) *node {
		if c, ok := twins[n]; ok {
			return c
		}
		c := after.add(n.mode)
		c.uid, c.gid, c.mtime = n.uid, n.gid, n.mtime
		twins[n] = c
		return c
	}
	after.root.mode = t.root.mode
	t.walk(func(n *node) {
		c := twin(n)
		if n.isDir() {
			for _, name := range sorted(maps.Keys(n.kept)) {
				to := twin(n.kept[name])
				c.names[name], c.kept[name] = to, to
				to.links++
			}
			return
		}
		c.durable = n.remains(r, t.o.Sector, l)
		c.data = slices.Clone(c.durable)
	})
	return after
}

// seeded returns the dice of a seed, nil for 0.
func seeded(seed uint64) *rand.Rand {
	if seed == 0 {
		return nil
	}
	return rand.New(rand.NewPCG(seed, 0x10551f5))
}

// loseNames applies those changes of names that survive: in each folder a
// prefix of them, and the edits of one change together.
func (t *tree) loseNames(r *rand.Rand, l *Loss) {
	survive := 0.0
	if r != nil {
		survive = []float64{0, 0.5, 0.8, 0.95, 1}[r.IntN(5)]
	}
	broken := map[*node]bool{}
	for _, m := range t.namings {
		if r == nil || m.touches(broken) || r.Float64() >= survive {
			for _, e := range m.edits {
				broken[e.dir] = true
			}
			l.Names++
			continue
		}
		m.apply()
	}
	t.namings = nil
}

// remains returns the bytes of a file after the cut.
func (n *node) remains(r *rand.Rand, sector int, l *Loss) []byte {
	b := slices.Clone(n.durable)
	if len(n.pending) == 0 {
		return b
	}
	var kept int64
	how := 0
	if r != nil {
		how = r.IntN(4)
	}
	switch how {
	case 0: // nothing
	case 1: // all, as if it had just been written
		for _, c := range n.pending {
			b, kept = c.apply(b), kept+int64(len(c.data))
		}
	case 2: // in order up to one that is torn
		k := r.IntN(len(n.pending))
		for _, c := range n.pending[:k] {
			b, kept = c.apply(b), kept+int64(len(c.data))
		}
		if pieces := n.pending[k].sectors(sector); len(pieces) > 0 {
			for _, c := range pieces[:r.IntN(len(pieces)+1)] {
				b, kept = c.apply(b), kept+int64(len(c.data))
			}
		}
	default: // single sectors, in the order in which they were written
		likely := []float64{0.25, 0.5, 0.9}[r.IntN(3)]
		for _, c := range n.pending {
			if c.resize {
				// What was freed is not written again before the size is
				// down: nothing later survives without it.
				if r.IntN(2) == 0 {
					if c.off < int64(len(b)) {
						break
					}
					continue
				}
				b = c.apply(b)
				continue
			}
			for _, p := range c.sectors(sector) {
				if r.Float64() < likely {
					b, kept = p.apply(b), kept+int64(len(p.data))
				}
			}
		}
	}
	var all int64
	for _, c := range n.pending {
		all += int64(len(c.data))
	}
	if kept < all {
		l.Bytes, l.Files = l.Bytes+all-kept, l.Files+1
	}
	return b
}

// sectors splits a write at sector boundaries; a change of size has none.
func (c change) sectors(sector int) []change {
	var pieces []change
	for off, p := c.off, c.data; len(p) > 0; {
		n := min(len(p), sector-int(off)%sector)
		pieces = append(pieces, change{at: c.at, off: off, data: p[:n]})
		off, p = off+int64(n), p[n:]
	}
	return pieces
}
