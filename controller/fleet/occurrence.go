package fleet

import (
	"encoding/json"
	"time"
)

// OccurrenceID numbers what happened, from 1 upwards in the order of commit.
// Numbers are never reused; after a restore from a backup they begin again
// where the backup ended.
type OccurrenceID int64

// OccurrenceKind is what happened.
type OccurrenceKind string

// The kinds of occurrences. Data of each is named beside it, with "point", the
// code of the point, where one is concerned; a reader ignores kinds and names
// that it does not know.
const (
	OccurredVerdict   OccurrenceKind = "verdict"             // an obligation was settled: slot, day, name, verdict, reason, grade
	OccurredOnline    OccurrenceKind = "device_online"       // device
	OccurredOffline   OccurrenceKind = "device_offline"      // device
	OccurredIncident  OccurrenceKind = "incident"            // incident, code, count
	OccurredProgramme OccurrenceKind = "programme_activated" // version
	OccurredClip      OccurrenceKind = "clip_signed_off"     // clip, sha256
	OccurredRelay     OccurrenceKind = "relay_overdue"       // item, tasks: how many groups, tier: of the first
	// Alerts of missed slots: alert, trouble, likely, slots, run; see package alert.
	OccurredAlert       OccurrenceKind = "alert_raised"
	OccurredAlertCall   OccurrenceKind = "alert_call" // the property is to be telephoned
	OccurredAlertClosed OccurrenceKind = "alert_closed"
	OccurredAlertsOpen  OccurrenceKind = "alerts_open" // once a day; Object says where: open, new, call
	// OccurredFeedback reminds of feedback that is not filed yet; Object is the
	// week: missing, due.
	OccurredFeedback OccurrenceKind = "feedback_missing"
	// OccurredGap says that some were dropped, or may be missing because the
	// controller was not running: read what you keep a copy of anew.
	OccurredGap OccurrenceKind = "gap" // dropped
)

// OccurrenceKinds is every kind, in the order in which they are offered.
var OccurrenceKinds = []OccurrenceKind{
	OccurredVerdict, OccurredOnline, OccurredOffline, OccurredIncident, OccurredProgramme, OccurredClip, OccurredRelay,
	OccurredAlert, OccurredAlertCall, OccurredAlertClosed, OccurredAlertsOpen, OccurredFeedback, OccurredGap,
}

// Occurrence is one thing that happened.
type Occurrence struct {
	ID     OccurrenceID // set by the store
	At     time.Time
	Kind   OccurrenceKind
	Point  PointID // 0 where no point is concerned
	Object string  // name of what it happened to: the point, the programme, the clip
	Data   string  // JSON object of strings, as Fields makes it; empty means {}
}

// Value returns what Data has under name, "" if nothing.
func (o Occurrence) Value(name string) string {
	var fields map[string]string
	if json.Unmarshal([]byte(o.Data), &fields) != nil {
		return ""
	}
	return fields[name]
}

// MarshalJSON returns the form in which programs get an occurrence, by the API
// and by webhooks. It only ever gains fields.
func (o Occurrence) MarshalJSON() ([]byte, error) {
	data := json.RawMessage(o.Data)
	if len(data) == 0 {
		data = json.RawMessage("{}")
	}
	return json.Marshal(struct {
		ID     OccurrenceID    `json:"id"`
		At     time.Time       `json:"at"`
		Kind   OccurrenceKind  `json:"kind"`
		Object string          `json:"object"`
		Data   json.RawMessage `json:"data"`
	}{o.ID, o.At.UTC().Truncate(time.Microsecond), o.Kind, o.Object, data})
}

// OccurrenceFilter selects occurrences with higher numbers than After, in
// order. No kinds means all.
type OccurrenceFilter struct {
	After OccurrenceID
	Kinds []OccurrenceKind
	Limit int // 0 means no limit
}

// Sources says how far the sources of occurrences were read, by name.
type Sources map[string]int64

// SignOff is one sign-off of a clip, as a source of occurrences.
type SignOff struct {
	ID     int64 // of the line in the clip's history
	Clip   ClipID
	At     time.Time
	Title  string
	SHA256 string
}
