package relay

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"gatecast/controller/fleet"
)

func sortStuck(list []Node) {
	slices.SortStableFunc(list, func(a, b Node) int {
		return cmp.Or(cmp.Compare(b.Stops, a.Stops), a.Task.Due.Compare(b.Task.Due), cmp.Compare(a.Group.Code, b.Group.Code))
	})
}

// Late is one overdue task.
type Late struct {
	Task  fleet.RelayTask
	Item  fleet.RelayItem
	Group fleet.Group
	Unit  fleet.Unit
	For   time.Duration // since it was due
}

// Digest is what is overdue at an instant.
type Digest struct {
	At   time.Time
	Rows []Late // by unit, then by due time
}

// DigestOf returns the open tasks that were due before now, with what they are
// about. Tasks of items that were ended, or of groups that are no more, are not
// in it.
func DigestOf(tasks []fleet.RelayTask, items []fleet.RelayItem, c Chain, now time.Time) Digest {
	d := Digest{At: now}
	item, group, unit, order := map[fleet.RelayID]fleet.RelayItem{}, map[fleet.GroupID]fleet.Group{}, map[fleet.UnitID]fleet.Unit{}, map[fleet.UnitID]int{}
	for _, i := range items {
		item[i.ID] = i
	}
	for _, g := range c.Groups {
		group[g.ID] = g
	}
	for i, u := range c.Units {
		unit[u.ID], order[u.ID] = u, i
	}
	for _, t := range tasks {
		i, known := item[t.Item]
		g := group[t.Group]
		if !known || !i.Closed.IsZero() || !t.Done.IsZero() || !t.Late(now) || !g.State.Lives() {
			continue
		}
		d.Rows = append(d.Rows, Late{Task: t, Item: i, Group: g, Unit: unit[g.Unit], For: now.Sub(t.Due)})
	}
	slices.SortStableFunc(d.Rows, func(a, b Late) int {
		return cmp.Or(cmp.Compare(order[a.Unit.ID], order[b.Unit.ID]), a.Task.Due.Compare(b.Task.Due), cmp.Compare(a.Group.Code, b.Group.Code))
	})
	return d
}

// Units returns the units that have something overdue, in the order of Rows.
func (d Digest) Units() []fleet.Unit {
	var out []fleet.Unit
	for _, r := range d.Rows {
		if len(out) == 0 || out[len(out)-1].ID != r.Unit.ID {
			out = append(out, r.Unit)
		}
	}
	return out
}

// mostLines is how many groups a text names: more would not be read.
const mostLines = 20

// Text returns the digest in Chinese, to be pasted or sent by a robot; "" when
// nothing is overdue.
func (d Digest) Text(zone *time.Location) string {
	if len(d.Rows) == 0 {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "【转发催办】截至 %s，%d 个群还有逾期未转发的内容：", d.At.In(zone).Format("1月2日 15:04"), d.groups())
	for i, r := range d.Rows {
		if i == mostLines {
			fmt.Fprintf(&b, "\n……另有 %d 条，请在“转发”页查看。", len(d.Rows)-mostLines)
			break
		}
		fmt.Fprintf(&b, "\n%d. %s：“%s”，应于 %s 前转发", i+1, r.Group.Name, Brief(r.Item), r.Task.Due.In(zone).Format("1月2日 15:04"))
	}
	return b.String()
}

func (d Digest) groups() int {
	seen := map[fleet.GroupID]bool{}
	for _, r := range d.Rows {
		seen[r.Group.ID] = true
	}
	return len(seen)
}

// Brief returns the beginning of an item's text, for lists.
func Brief(i fleet.RelayItem) string {
	text := strings.Join(strings.Fields(i.Text), " ")
	if r := []rune(text); len(r) > 24 {
		return string(r[:24]) + "…"
	}
	return cmp.Or(text, i.Source, "图片")
}
