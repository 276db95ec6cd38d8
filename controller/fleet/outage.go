package fleet

import "time"

// OutageKind is what was away on the office's side.
type OutageKind string

// The kinds of outages.
const (
	OutageController OutageKind = "controller" // 主控停机: the program or its machine did not run
	OutageBroker     OutageKind = "broker"     // 消息服务中断: the controller ran and had no broker
	OutageNetwork    OutageKind = "network"    // 主控断网: not one of the devices could be heard
	OutageRestored   OutageKind = "restored"   // 备份恢复: what the controller knew of that time was lost
)

// MinOutage is the shortest time that is called an outage of the controller; a
// restart is shorter.
const MinOutage = 2 * time.Minute

// Outage is a time in which the office could not hear the gates. They went on
// by their stored plans; what they played then, they report later, so none of
// it is held against them.
type Outage struct {
	Kind OutageKind
	From time.Time
	To   time.Time // zero while it lasts
}

// Overlaps reports whether any of o lies in [from, to).
func (o Outage) Overlaps(from, to time.Time) bool {
	return o.From.Before(to) && (o.To.IsZero() || o.To.After(from))
}
