package fleet

import (
	"time"

	"gatecast/internal/wire"
)

// Verdict is how an obligation was settled.
type Verdict string

// The verdicts, and Due for an obligation whose slot has not ended yet.
const (
	Played  Verdict = "played"  // 已播
	Partial Verdict = "partial" // 部分播
	Missed  Verdict = "missed"  // 未播
	Doubt   Verdict = "doubt"   // 存疑
	Exempt  Verdict = "exempt"  // 免播
	Pending Verdict = "pending" // 待报
	Due     Verdict = "due"     // 未到
)

// Verdicts lists the six settled verdicts in the order of every page.
var Verdicts = []Verdict{Played, Partial, Missed, Doubt, Exempt, Pending}

// Grade is the strength of the evidence.
type Grade string

// The grades; NoGrade where nothing was proved.
const (
	GradeA  Grade = "A" // 实测有声
	GradeB  Grade = "B" // 设备已输出
	GradeC  Grade = "C" // 人工登记
	GradeD  Grade = "D" // 仅已下发
	NoGrade Grade = ""
)

// NoteDefaultClip is the note of a slot in which the device played the default
// clip of a stale plan. It counts as what it is: the slot sounded.
const NoteDefaultClip = "默认素材"

// NoteNoClip is the note of a slot for which no clip of its playlist was signed
// off and valid when it was planned.
const NoteNoClip = "没有可播的素材"

// NoteMuted is the note of a slot that an approved order of silence exempted.
const NoteMuted = "全部静音"

// NoteYielded is the note of a slot that gave way to an emergency broadcast over
// the same amplifier: nothing is held against the point.
const NoteYielded = "让位应急广播"

// Notes of slots whose verdict rests on what a person heard, or did not.
const (
	NoteUnheard = "人工核查未听到"
	NoteHeard   = "人工登记听到"
)

// Day is a local date as 2006-01-02; it sorts as text.
type Day string

// Obligation is one slot owed by one point on one day, written in advance.
// (Point, Slot) is unique; Slot contains the day.
type Obligation struct {
	Point      PointID
	Slot       wire.SlotID
	Day        Day
	Programme  string // code
	Version    int
	Name       string // 早, 中, 晚 …
	DayType    string
	Start, End time.Time
	Plays      int
	PlannedMS  int64 // planned sounding time of all plays
	Demo       bool  // plays into a file or belongs to a demo programme

	Verdict Verdict
	Grade   Grade
	Reason  wire.Reason
	Note    string    // for Exempt: the rule's text or NoteMuted; NoteDefaultClip
	PlaysOK int       // plays that sounded whole
	SoundMS int64     // time known to have sounded
	Settled time.Time // zero while Due
	Device  wire.DeviceID

	Unit      UnitID     // of the point when the row was written
	Compound  CompoundID // of the point when the row was written
	Revisions int        // how often better evidence changed a settled verdict
}

// Counts is a sum over obligations. Owed is the sum of all others.
type Counts struct {
	Owed, Played, Partial, Missed, Doubt, Exempt, Pending, Due int
}

// Add counts one obligation.
func (c *Counts) Add(v Verdict) {
	c.Owed++
	switch v {
	case Played:
		c.Played++
	case Partial:
		c.Partial++
	case Missed:
		c.Missed++
	case Doubt:
		c.Doubt++
	case Exempt:
		c.Exempt++
	case Pending:
		c.Pending++
	default:
		c.Due++
	}
}

// Plus returns the sum of c and d.
func (c Counts) Plus(d Counts) Counts {
	return Counts{c.Owed + d.Owed, c.Played + d.Played, c.Partial + d.Partial, c.Missed + d.Missed,
		c.Doubt + d.Doubt, c.Exempt + d.Exempt, c.Pending + d.Pending, c.Due + d.Due}
}

// Confirmed is 确认达标率: played of what was owed and reported; ok is false
// where nothing was.
func (c Counts) Confirmed() (rate float64, ok bool) {
	return ratio(c.Played, c.Owed-c.Exempt-c.Due-c.Pending)
}

// CountingPending is 按未播计: the same with pending counted as missed.
func (c Counts) CountingPending() (rate float64, ok bool) {
	return ratio(c.Played, c.Owed-c.Exempt-c.Due)
}

func ratio(n, of int) (float64, bool) {
	if of <= 0 {
		return 0, false
	}
	return float64(n) / float64(of), true
}

// Event tells live pages that something changed; it carries no content.
type Event struct {
	Kind  EventKind
	Point PointID // 0 when it concerns all
}

// EventKind is what changed.
type EventKind string

// The kinds of events.
const (
	EventDevice  EventKind = "device"  // connection, plan or clips of a device
	EventRecord  EventKind = "record"  // a play began or ended
	EventVerdict EventKind = "verdict" // an obligation was settled
	EventPlan    EventKind = "plan"    // a programme was activated
	EventClip    EventKind = "clip"
	EventBroken  EventKind = "broken" // a journal does not hold together

	EventIncident EventKind = "incident" // somebody tried what is not allowed
	EventRelay    EventKind = "relay"    // an item of the relay came in, or was passed on
	EventAlert    EventKind = "alert"    // an alert was raised, grew or closed
)
