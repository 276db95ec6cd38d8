package relay

import (
	"cmp"
	"slices"
	"time"

	"gatecast/controller/fleet"
)

// State is where a group stands with an item.
type State string

// The states of a group in a tree.
const (
	Done    State = "done"    // 已转发
	Waiting State = "waiting" // 待转发, and in time
	Overdue State = "overdue" // 逾期
	Unsent  State = "unsent"  // 没收到: the group above did not pass it on
	Dropped State = "dropped" // the office ended the item before
)

// Node is one group of a tree.
type Node struct {
	Group fleet.Group
	Task  fleet.RelayTask // zero while State is Unsent
	State State
	Hop   time.Duration // from its turn to its tick, so far while it is open
	Below []Node
	Stops int // groups below it that did not get the item because of it
}

// Tree is what became of an item.
type Tree struct {
	Roots []Node
	Tiers [3]Count
	Stuck []Node // where it stopped: overdue groups, those that hold up most first
}

// Count is how far a tier is.
type Count struct{ All, Done, Waiting, Overdue, Unsent int }

// Grow returns the tree of an item at now, siblings in the order of c.Groups.
// tasks are all of the item's, in any order.
func Grow(item fleet.RelayItem, tasks []fleet.RelayTask, c Chain, now time.Time) Tree {
	g := grower{item: item, chain: c, now: now, task: map[fleet.GroupID]fleet.RelayTask{}, group: map[fleet.GroupID]fleet.Group{}, below: map[fleet.RelayTaskID][]fleet.RelayTask{}}
	place := map[fleet.GroupID]int{}
	for i, one := range c.Groups {
		g.group[one.ID], place[one.ID] = one, i
	}
	// In the order of the groups: a tick moves nothing.
	tasks = slices.Clone(tasks)
	slices.SortStableFunc(tasks, func(a, b fleet.RelayTask) int { return cmp.Compare(place[a.Group], place[b.Group]) })
	for _, t := range tasks {
		g.task[t.Group] = t
		g.below[t.Parent] = append(g.below[t.Parent], t)
	}
	for _, t := range g.below[0] {
		g.tree.Roots = append(g.tree.Roots, g.grow(g.group[t.Group]))
	}
	sortStuck(g.tree.Stuck)
	return g.tree
}

type grower struct {
	item  fleet.RelayItem
	chain Chain
	now   time.Time
	task  map[fleet.GroupID]fleet.RelayTask
	group map[fleet.GroupID]fleet.Group
	below map[fleet.RelayTaskID][]fleet.RelayTask
	tree  Tree
}

func (g *grower) grow(group fleet.Group) Node {
	n := Node{Group: group, State: Unsent}
	t, got := g.task[group.ID]
	if got {
		n.Task = t
		n.State = g.state(t)
		end := t.Done
		if end.IsZero() {
			end = g.now
		}
		n.Hop = max(end.Sub(t.Created), 0)
	}
	g.count(group.Tier, n.State)
	if n.State == Done {
		for _, below := range g.below[t.ID] {
			n.Below = append(n.Below, g.grow(g.group[below.Group]))
		}
	} else if n.State != Dropped {
		for _, next := range g.chain.Next(g.item, group) {
			if _, has := g.task[next.ID]; !has && !g.shared(group, next) {
				child := g.grow(next)
				n.Below = append(n.Below, child)
				n.Stops += 1 + child.Stops
			}
		}
	}
	if n.State == Overdue {
		g.tree.Stuck = append(g.tree.Stuck, n)
	}
	return n
}

// shared reports whether another group of a series stands above next before
// group does, so that next is shown once.
func (g *grower) shared(group, next fleet.Group) bool {
	for _, o := range g.chain.at(g.item, group.Tier) {
		if o.ID == group.ID {
			return false
		}
		if o.Unit == group.Unit {
			return true
		}
	}
	return false
}

func (g *grower) state(t fleet.RelayTask) State {
	switch {
	case !t.Done.IsZero():
		return Done
	case !g.item.Closed.IsZero():
		return Dropped
	case t.Late(g.now):
		return Overdue
	}
	return Waiting
}

func (g *grower) count(tier int, s State) {
	if tier < 1 || tier > 3 {
		return
	}
	c := &g.tree.Tiers[tier-1]
	c.All++
	switch s {
	case Done:
		c.Done++
	case Waiting:
		c.Waiting++
	case Overdue:
		c.Overdue++
	case Unsent:
		c.Unsent++
	}
}
