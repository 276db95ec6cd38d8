package assessment

import (
	"fmt"
	"slices"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// ReportFor is how long after its end a slot may still be reported, and nothing
// is deducted for it while it is pending.
const ReportFor = 14 * 24 * time.Hour

// Evidence is what is known of one slot when somebody wants to deduct for it.
type Evidence struct {
	Slot     fleet.Obligation
	Outcomes int            // that the device wrote about it
	Outages  []fleet.Outage // of the office, whenever they were
	Taken    bool           // another deduction under the same rule rests on it
}

// gaveWay are the reasons for which nobody at the gate can answer.
var gaveWay = []wire.Reason{wire.ReasonYielded, wire.ReasonPreempted, wire.ReasonQuiet, wire.ReasonMuted, wire.ReasonNotInstalled, wire.ReasonReplanned}

// Weigh says why points of a unit may not be deducted for a slot under a rule
// at now: a *fleet.Error of code Conflict, or nil where they may. A pending slot
// counts as missed once ReportFor has passed since its end.
func Weigh(e Evidence, unit fleet.UnitID, rule fleet.DeductionRule, now time.Time) error {
	o := e.Slot
	verdict := o.Verdict
	if verdict == fleet.Pending && !now.Before(o.End.Add(ReportFor)) {
		verdict = fleet.Missed
	}
	away := slices.ContainsFunc(e.Outages, func(a fleet.Outage) bool { return a.Overlaps(o.Start, o.End) })
	no := func(zh, en string) error { return refuse(fleet.Conflict, zh, en) }
	switch {
	case o.Unit != unit:
		return no("当日不属于这个单位。", "On that day it was not of this unit.")
	case o.Demo:
		return no("演示点位，没有真正播放。", "A demo point, which plays into a file.")
	case verdict == fleet.Due:
		return no("时段还没有结束。", "The slot has not ended.")
	case verdict == fleet.Exempt:
		return no("这一时段免播。", "The slot is exempt.")
	case slices.Contains(gaveWay, o.Reason) || o.Note == fleet.NoteYielded || o.Note == fleet.NoteMuted:
		return no("因让位、插播或静默没有播完，不能扣分。", "It gave way to another broadcast or to silence.")
	case verdict == fleet.Pending:
		return no("待报不满 14 天，可能还会补报，不能扣分。", "Pending for less than 14 days: it may still be reported.")
	case away && (e.Outcomes == 0 || o.Verdict == fleet.Pending):
		return no("主控当时中断，又没有设备记录，不能扣分。", "The office was away then and there is no record of the device.")
	case !slices.Contains(rule.Verdicts, verdict):
		return no("规则不针对这种结论。", "The rule is not about this verdict.")
	case !rule.Holds(o.Day):
		return no(fmt.Sprintf("规则第 %d 版在当日不适用。", rule.Version), fmt.Sprintf("Version %d of the rule is not for that day.", rule.Version))
	case e.Taken:
		return no("已按这条规则扣过分。", "It has been deducted under this rule before.")
	}
	return nil
}

// span returns the times that slots cover together.
func span(all []fleet.Obligation) (from, to time.Time) {
	for i, o := range all {
		if i == 0 || o.Start.Before(from) {
			from = o.Start
		}
		if o.End.After(to) {
			to = o.End
		}
	}
	return from, to
}
