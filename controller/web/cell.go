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
		c.Text, why = brief(o.Name), l.T("cell.starts", l.Clock(o.Start))
	case o.Verdict == fleet.Due && now.Before(o.End):
		if l.online(d, now) {
			c.V, why = "now", l.T("cell.until", l.Clock(o.End))
			if n := sounding(o, d); n > 0 { // otherwise the icon says that it runs
				c.Text = fmt.Sprintf("%d/%d", n, o.Plays)
			}
		} else {
			c.Text, why = brief(o.Name), l.T("cell.now_offline")
			if l.touch(d, now) == awaited {
				why = l.T("device.awaited")
			}
		}
	case o.Verdict == fleet.Due:
		c.Text, why = brief(o.Name), l.T("cell.settling")
	default:
		why = l.outcome(o)
	}
	word := l.T("verdict." + c.V)
	name := o.Name + " " + l.Clock(o.Start)
	c.Title = l.T("cell.title", name, word)
	if why != "" {
		c.Title = l.T("cell.title_why", name, word, why)
	}
	return c
}

// outcome is what happened in a settled slot: plays, reason, evidence.
func (l *lang) outcome(o fleet.Obligation) string {
	var parts []string
	if o.PlaysOK > 0 || o.Verdict == fleet.Played || o.Verdict == fleet.Partial {
		parts = append(parts, l.T("cell.plays", o.PlaysOK, o.Plays))
	}
	if why := l.why(o); why != "" {
		parts = append(parts, why)
	}
	if o.Grade != fleet.NoGrade {
		parts = append(parts, l.T("grade."+string(o.Grade)))
	}
	return strings.Join(parts, l.T("comma"))
}

// why is what people should know of how a slot was settled: the rule that
// silenced it, the reason why it did not sound as owed, or what else did.
func (l *lang) why(o fleet.Obligation) string {
	switch {
	case o.Verdict == fleet.Exempt && o.Note != "":
		return l.note(o.Note)
	case o.Note != "" && o.Reason != "":
		return l.reason(o.Reason) + l.T("comma") + l.note(o.Note)
	case o.Note != "":
		return l.note(o.Note)
	}
	return l.reason(o.Reason)
}

// note translates the notes that are ours; a rule's text is the office's own.
func (l *lang) note(text string) string {
	switch text {
	case fleet.NoteDefaultClip:
		return l.T("note.default_clip")
	case fleet.NoteMuted:
		return l.reason(wire.ReasonMuted)
	case fleet.NoteYielded:
		return l.reason(wire.ReasonYielded)
	case fleet.NoteUnheard:
		return l.T("note.unheard")
	case fleet.NoteHeard:
		return l.T("note.heard")
	case fleet.NoteNoClip:
		return l.T("note.no_clip")
	}
	return text
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

// slotKey tells the slots of a day at a point apart: the name, and which of
// that name it is. Gates and villages share a column of their mornings though
// they start at different times; a demo has one name many times a day.
type slotKey struct {
	name string
	nth  int // from 0
}

// slotKeys returns the key of each of rows.
func slotKeys(rows []fleet.Obligation) []slotKey {
	order := make([]int, len(rows))
	for i := range order {
		order[i] = i
	}
	sort.SliceStable(order, func(i, j int) bool { return rows[order[i]].Start.Before(rows[order[j]].Start) })
	type place struct {
		point fleet.PointID
		day   fleet.Day
		name  string
	}
	seen := map[place]int{}
	keys := make([]slotKey, len(rows))
	for _, i := range order {
		at := place{rows[i].Point, rows[i].Day, rows[i].Name}
		keys[i] = slotKey{rows[i].Name, seen[at]}
		seen[at]++
	}
	return keys
}

// column is one slot of the day on the wall or in a strip.
type column struct {
	key   slotKey
	Start time.Time // earliest of the day
	Text  string    // name, with its start where the name comes more than once
}

// maxColumns keeps a wall readable when a programme has very many slots a
// day, as the demo's has.
const maxColumns = 6

// columns returns the slots in rows by their earliest start; of more than
// maxColumns those around now: at most two that have not begun.
func (l *lang) columns(rows []fleet.Obligation, now time.Time) []column {
	first := map[slotKey]time.Time{}
	for i, key := range slotKeys(rows) {
		if t, ok := first[key]; !ok || rows[i].Start.Before(t) {
			first[key] = rows[i].Start
		}
	}
	all := make([]column, 0, len(first))
	for key, start := range first {
		c := column{key: key, Start: start, Text: key.name}
		if _, more := first[slotKey{key.name, 1}]; more {
			c.Text += " " + l.Clock(start)
		}
		all = append(all, c)
	}
	sort.Slice(all, func(i, j int) bool {
		if !all[i].Start.Equal(all[j].Start) {
			return all[i].Start.Before(all[j].Start)
		}
		return all[i].key.name < all[j].key.name
	})
	if len(all) <= maxColumns {
		return all
	}
	begun := sort.Search(len(all), func(i int) bool { return all[i].Start.After(now) })
	end := min(len(all), max(begun+2, maxColumns))
	return all[end-maxColumns : end]
}

// brief is a slot's name where there is room for two characters.
func brief(name string) string {
	if r := []rune(name); len(r) > 2 {
		return string(r[:2])
	}
	return name
}
