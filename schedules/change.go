package schedules

import (
	"cmp"
	"slices"
)

// ChangeKind says what becomes of a slot when programmes or quiet rules change.
type ChangeKind string

// The kinds of change, the most telling first: a slot that moves and falls
// silent is silenced.
const (
	SlotAdded    ChangeKind = "added"    // it was not there
	SlotRemoved  ChangeKind = "removed"  // it is there no more
	SlotSilenced ChangeKind = "silenced" // it sounded and is silent now
	SlotSounding ChangeKind = "sounding" // it was silent and sounds now
	SlotMoved    ChangeKind = "moved"    // it sounds at other times
	SlotLowered  ChangeKind = "lowered"  // it sounds lower or louder
	SlotAltered  ChangeKind = "altered"  // other clips, or another rule for its silence
)

// SlotChange is what becomes of one slot of one day, at all the points at which
// the same becomes of it.
type SlotChange struct {
	Kind   ChangeKind
	Before *Slot // nil for SlotAdded
	After  *Slot // nil for SlotRemoved
	Points []string
}

// Slot returns the slot as it will be, or as it was where it is removed.
func (c SlotChange) Slot() *Slot {
	if c.After != nil {
		return c.After
	}
	return c.Before
}

// Changes compares what two compilers put at the points on these days, ordered
// by start, then id. What stays the same is left out. The order of points is
// kept. Points that the same holds for share the work, so ten thousand of them
// cost little more than one.
func Changes(before, after *Compiler, points []Point, from Date, days int) []SlotChange {
	type pair struct{ a, b *pointKind }
	type shared struct {
		first Point
		ids   []string
	}
	var order []pair
	groups := make(map[pair]*shared)
	for _, p := range points {
		key := pair{before.lockedKind(p), after.lockedKind(p)}
		g := groups[key]
		if g == nil {
			g = &shared{first: p}
			groups[key], order = g, append(order, key)
		}
		g.ids = append(g.ids, p.ID)
	}
	var out []SlotChange
	index := make(map[string]int) // by what happens
	for _, key := range order {
		g := groups[key]
		for _, c := range changesAt(before.Slots(g.first, from, days), after.Slots(g.first, from, days)) {
			id := string(c.Kind) + " " + c.Before.print() + " > " + c.After.print()
			i, ok := index[id]
			if !ok {
				i = len(out)
				index[id], out = i, append(out, c)
			}
			out[i].Points = append(out[i].Points, g.ids...)
		}
	}
	slices.SortStableFunc(out, func(a, b SlotChange) int {
		return cmp.Or(a.Slot().Start.Compare(b.Slot().Start), cmp.Compare(a.Slot().ID, b.Slot().ID), cmp.Compare(a.Kind, b.Kind))
	})
	return out
}

func (c *Compiler) lockedKind(p Point) *pointKind {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.kindOf(p)
}

// changesAt compares the slots of one point.
func changesAt(before, after []Slot) []SlotChange {
	was := make(map[string]*Slot, len(before))
	for i := range before {
		was[before[i].ID] = &before[i]
	}
	var out []SlotChange
	for i := range after {
		b, a := was[after[i].ID], &after[i]
		delete(was, a.ID)
		if kind := kindOfChange(b, a); kind != "" {
			out = append(out, SlotChange{Kind: kind, Before: b, After: a})
		}
	}
	for i := range before {
		if b := was[before[i].ID]; b != nil {
			out = append(out, SlotChange{Kind: SlotRemoved, Before: b})
		}
	}
	return out
}

func kindOfChange(b, a *Slot) ChangeKind {
	switch {
	case b == nil:
		return SlotAdded
	case b.Silenced == nil && a.Silenced != nil:
		return SlotSilenced
	case b.Silenced != nil && a.Silenced == nil:
		return SlotSounding
	case !b.Start.Equal(a.Start) || !b.End.Equal(a.End) || b.Every != a.Every || b.Count != a.Count || b.Grace != a.Grace:
		return SlotMoved
	case b.Gain != a.Gain:
		return SlotLowered
	case !slices.Equal(b.Clips, a.Clips) || b.Silenced != nil && *b.Silenced != *a.Silenced:
		return SlotAltered
	}
	return ""
}

// Alike groups points for which c computes the same slots, in the order of each
// group's first point.
func (c *Compiler) Alike(points []Point) [][]Point {
	var out [][]Point
	index := make(map[*pointKind]int)
	for _, p := range points {
		k := c.lockedKind(p)
		i, ok := index[k]
		if !ok {
			i = len(out)
			index[k], out = i, append(out, nil)
		}
		out[i] = append(out[i], p)
	}
	return out
}
