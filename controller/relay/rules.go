// Package relay passes items down the three tiers of groups: what somebody
// pasted once becomes a task for the group of tier 1; ticking it makes tasks
// for the groups of tier 2, and ticking one of those the tasks of the groups of
// tier 3 below. People do the passing on; nothing here posts anywhere.
//
// The rules (Rules, Next, Grow, DigestOf) are pure functions of their arguments.
// Desk keeps items and tasks in a store and tells of what is overdue once a
// morning. A Desk is safe for concurrent use.
package relay

import (
	"encoding/json"
	"fmt"
	"time"

	"gatecast/controller/fleet"
)

// Rules are the deadlines of an office.
type Rules struct {
	// Minutes are how long a group of tier 1 to 3 has. 0 means until midnight of
	// the same day; where less than SameDayLeast of it is left, until noon of
	// the next.
	Minutes [3]int `json:"minutes"`
	// Urgent is how many minutes each tier has for an urgent item.
	Urgent int `json:"urgent"`
	// Digest is the minute of the day at which overdue tasks are told of.
	Digest int `json:"digest"`
}

// Setting is the key under which an office keeps its Rules.
const Setting = "relay.rules"

// SameDayLeast is the least that "the same day" leaves for a group.
const SameDayLeast = 2 * time.Hour

// Default returns 2 hours, 4 hours and the same day, half an hour when it is
// urgent, and a digest at 08:30. All of it is a proposal.
func Default() Rules { return Rules{Minutes: [3]int{120, 240, 0}, Urgent: 30, Digest: 8*60 + 30} }

// Parse returns the rules that text holds as JSON, Default for "" and for what
// cannot be read or does not hold any more.
func Parse(text string) Rules {
	r := Default()
	if text == "" || json.Unmarshal([]byte(text), &r) != nil || r.Validate() != nil {
		return Default()
	}
	return r
}

// String returns the rules as Parse reads them.
func (r Rules) String() string {
	b, err := json.Marshal(r)
	if err != nil {
		return "" // numbers marshal
	}
	return string(b)
}

// Validate returns nil when the rules can be kept, otherwise a *fleet.Error of
// code Invalid.
func (r Rules) Validate() error {
	for i, m := range r.Minutes {
		if m < 0 || m > 7*24*60 {
			return &fleet.Error{
				Code: fleet.Invalid, Text: fmt.Sprintf("%d级的时限要在 7 天以内，填 0 表示当天。", i+1),
				TextEN: fmt.Sprintf("Tier %d has 7 days at most; 0 means the same day.", i+1),
			}
		}
	}
	if r.Urgent < 5 || r.Urgent > 24*60 {
		return &fleet.Error{Code: fleet.Invalid, Text: "紧急转发的时限要在 5 分钟到 24 小时之间。", TextEN: "An urgent item leaves between 5 minutes and 24 hours."}
	}
	if r.Digest < 0 || r.Digest >= 24*60 {
		return &fleet.Error{Code: fleet.Invalid, Text: "催办时间要写成 08:30 的样子。", TextEN: "Write the time of the digest like 08:30."}
	}
	return nil
}

// Due returns until when a group of that tier has passed on what it got at from.
func (r Rules) Due(tier int, urgent bool, from time.Time, zone *time.Location) time.Time {
	if urgent {
		return from.Add(time.Duration(r.Urgent) * time.Minute)
	}
	if m := r.Minutes[tier-1]; m > 0 {
		return from.Add(time.Duration(m) * time.Minute)
	}
	local := from.In(zone)
	midnight := time.Date(local.Year(), local.Month(), local.Day()+1, 0, 0, 0, 0, zone)
	if midnight.Sub(from) < SameDayLeast {
		return time.Date(local.Year(), local.Month(), local.Day()+1, 12, 0, 0, 0, zone)
	}
	return midnight
}

// Chain is the tiers of an office: its groups, and its units for what is below
// what.
type Chain struct {
	Groups []fleet.Group
	Units  []fleet.Unit
}

// path returns the ids of the units above unit, and its own at the end.
func (c Chain) path(unit fleet.UnitID) []fleet.UnitID {
	up := map[fleet.UnitID]fleet.UnitID{}
	for _, u := range c.Units {
		up[u.ID] = u.Parent
	}
	var out []fleet.UnitID
	for n := 0; unit != 0 && n <= len(c.Units); n++ {
		out = append([]fleet.UnitID{unit}, out...)
		unit = up[unit]
	}
	return out
}

// at returns the living groups of a tier that an item goes to.
func (c Chain) at(item fleet.RelayItem, tier int) []fleet.Group {
	var out []fleet.Group
	concerns := map[fleet.UnitID]bool{}
	for _, g := range c.Groups {
		if g.Tier != tier || !g.State.Lives() {
			continue
		}
		if tier > 1 && len(item.Units) > 0 {
			yes, known := concerns[g.Unit]
			if !known {
				yes = item.Concerns(c.path(g.Unit))
				concerns[g.Unit] = yes
			}
			if !yes {
				continue
			}
		}
		out = append(out, g)
	}
	return out
}

// Start returns the groups that get an item first: those of tier 1.
func (c Chain) Start(item fleet.RelayItem) []fleet.Group { return c.at(item, 1) }

// Next returns the groups whose turn it is once the group of a task passed the
// item on, of those that the item goes to: below tier 1 those of tier 2, and
// those of tier 3 whose unit has no group of tier 2; below tier 2 those of tier
// 3 of the same unit. It goes downward only.
func (c Chain) Next(item fleet.RelayItem, done fleet.Group) []fleet.Group {
	switch done.Tier {
	case 1:
		out := c.at(item, 2)
		has := map[fleet.UnitID]bool{}
		for _, g := range out {
			has[g.Unit] = true
		}
		for _, g := range c.at(item, 3) {
			if !has[g.Unit] {
				out = append(out, g)
			}
		}
		return out
	case 2:
		var out []fleet.Group
		for _, g := range c.at(item, 3) {
			if g.Unit == done.Unit {
				out = append(out, g)
			}
		}
		return out
	}
	return nil
}
