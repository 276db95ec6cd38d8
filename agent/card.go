package agent

import (
	"fmt"
	"strings"

	"gatecast/agent/condition"
)

// cardFaults reports what the parts noticed of the memory card: records that
// are lost, and what was damaged or not confirmed without a loss. They are
// facts about the card and hold until the agent starts anew.
func (a *App) cardFaults() {
	var lost, failing []string
	for _, g := range a.journal.Damage() {
		if g.Why != "sync" { // that one was written again
			lost = append(lost, fmt.Sprintf("%s %d–%d", g.Log, g.First, g.Last))
		}
	}
	if n := a.journal.Refusals(); n > 0 {
		failing = append(failing, fmt.Sprintf("journal ×%d", n))
	}
	failing = append(failing, a.id.Mended()...)
	if a.clock.Damaged() {
		failing = append(failing, "walltime.json")
	}
	if a.plans != nil {
		failing = append(failing, a.plans.Mended()...)
	}
	if len(lost) > 0 {
		a.faults.Set(condition.JournalDamaged, lost[0])
	}
	if len(failing) > 0 {
		a.faults.Set(condition.CardFailing, strings.Join(failing, ", "))
	}
}
