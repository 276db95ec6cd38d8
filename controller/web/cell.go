package web

import (
	"fmt"
	"net/url"
	"sort"
	"strconv"
	"strings"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// cell is one slot of one point as the wall and the strips show it.
type cell struct {
	V, Grade string // data-v and data-g; V "none" where nothing is owed
	Text     string // inside the cell: 3/6 or 晚
	Title    string
	Href     string
}

// cellOf describes an obligation at an instant. d is the point's device, the
// zero value if there is none.
func (l *lang) cellOf(o fleet.Obligation, d fleet.Device, now time.Time) cell {
	c := cell{V: string(o.Verdict), Grade: string(o.Grade), Href: slotPath(o.Point, o.Slot)}
	var why string
	switch {
	case o.Verdict == fleet.Exempt:
		why = o.Note
		if why == "" {
			why = l.reason(o.Reason)
		}
	case o.Verdict == fleet.Due && now.Before(o.Start):
		c.Text, why = o.Name, l.T("cell.starts", l.Clock(o.Start))
	case o.Verdict == fleet.Due && now.Before(o.End):
		if l.online(d, now) {
			c.V, why = "now", l.T("cell.until", l.Clock(o.End))
			if n := sounding(o, d); n > 0 { // otherwise the icon says that it runs
				c.Text = fmt.Sprintf("%d/%d", n, o.Plays)
			}
		} else {
			c.Text, why = o.Name, l.T("cell.now_offline")
			if l.touch(d, now) == awaited {
				why = l.T("device.awaited")
			}
		}
	case o.Verdict == fleet.Due:
		c.Text, why = o.Name, l.T("cell.settling")
	default:
		why = l.outcome(o)
	}
	word := l.T("verdict." + c.V)
	c.Title = l.T("cell.title", o.Name, word)
	if why != "" {
		c.Title = l.T("cell.title_why", o.Name, word, why)
	}
	return c
}

// outcome is what happened in a settled slot: plays, reason, evidence.
func (l *lang) outcome(o fleet.Obligation) string {
	var parts []string
	if o.PlaysOK > 0 || o.Verdict == fleet.Played || o.Verdict == fleet.Partial {
		parts = append(parts, l.T("cell.plays", o.PlaysOK, o.Plays))
	}
	if o.Reason != "" {
		parts = append(parts, l.reason(o.Reason))
	}
	if o.Grade != fleet.NoGrade {
		parts = append(parts, l.T("grade."+string(o.Grade)))
	}
	return strings.Join(parts, l.T("comma"))
}

// sounding is the number of the play a device is at: what it says it plays
// now, or what is already proved, whichever is later.
func sounding(o fleet.Obligation, d fleet.Device) int {
	n := o.PlaysOK
	if slot, k, ok := strings.Cut(string(d.Playing), "#"); ok && slot == string(o.Slot) {
		if i, err := strconv.Atoi(k); err == nil && i > n && i <= o.Plays {
			n = i
		}
	}
	return n
}

// reason is the word for a reason code; a code from a newer device shows as
// other.
func (l *lang) reason(r wire.Reason) string {
	if r == "" {
		return ""
	}
	if key := "reason." + string(r); l.Has(key) {
		return l.T(key)
	}
	return l.T("reason.other")
}

func pointPath(id fleet.PointID) string { return fmt.Sprintf("/points/%d", id) }

func slotPath(id fleet.PointID, slot wire.SlotID) string {
	return pointPath(id) + "/slots/" + url.PathEscape(string(slot))
}

// column is one slot name of a day, in the order of its earliest start.
type column struct {
	Name  string
	Start time.Time // earliest of the day
}

// maxColumns keeps a wall readable when a programme has very many slots a
// day, as the demo's has.
const maxColumns = 6

// columns returns the slot names in rows by their earliest start; of more
// than maxColumns those around now: at most two that have not begun.
func columns(rows []fleet.Obligation, now time.Time) []column {
	first := map[string]time.Time{}
	for _, o := range rows {
		if t, ok := first[o.Name]; !ok || o.Start.Before(t) {
			first[o.Name] = o.Start
		}
	}
	all := make([]column, 0, len(first))
	for name, start := range first {
		all = append(all, column{Name: name, Start: start})
	}
	sort.Slice(all, func(i, j int) bool {
		if !all[i].Start.Equal(all[j].Start) {
			return all[i].Start.Before(all[j].Start)
		}
		return all[i].Name < all[j].Name
	})
	if len(all) <= maxColumns {
		return all
	}
	begun := sort.Search(len(all), func(i int) bool { return all[i].Start.After(now) })
	end := min(len(all), max(begun+2, maxColumns))
	return all[end-maxColumns : end]
}
