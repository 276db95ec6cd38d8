package fleet

import (
	"slices"
	"time"

	"gatecast/internal/wire"
)

// Row ids of the store; 0 means not stored yet.
type (
	AlertID     int64
	AlertLineID int64
)

// Trouble is what an alert is about. A point has at most one open alert of
// each.
type Trouble string

// The troubles.
const (
	TroubleAway    Trouble = "away"    // the device is out of touch, its slots are 待报
	TroublePower   Trouble = "power"   // it had no power
	TroubleSound   Trouble = "sound"   // it played, and no sound is proved
	TroubleClock   Trouble = "clock"   // it did not know the time
	TroublePlan    Trouble = "plan"    // it had no plan, or an old one
	TroubleClip    Trouble = "clip"    // clips were missing or damaged
	TroubleDevice  Trouble = "device"  // the device or its program failed, or there is none
	TroubleOrder   Trouble = "order"   // people stopped or silenced it, or something more urgent sounded
	TroubleRecords Trouble = "records" // what it wrote is lost, or does not arrive
	TroubleOther   Trouble = "other"
)

// Troubles is every trouble, in the order in which pages offer them.
var Troubles = []Trouble{
	TroubleAway, TroublePower, TroubleSound, TroubleClock, TroublePlan, TroubleClip, TroubleDevice, TroubleOrder, TroubleRecords, TroubleOther,
}

// Likely is the likely cause of an alert, as far as the evidence goes; it may
// change while evidence comes in.
type Likely string

// The likely causes.
const (
	LikelyArea    Likely = "area"    // power or network of the neighbourhood: neighbours went at the same time
	LikelySite    Likely = "site"    // power or network of this gate alone
	LikelyNetwork Likely = "network" // the network: it went on playing while it was away
	LikelyPower   Likely = "power"
	LikelySound   Likely = "sound"
	LikelyClock   Likely = "clock"
	LikelyPlan    Likely = "plan"
	LikelyClip    Likely = "clip"
	LikelyDevice  Likely = "device"
	LikelyBare    Likely = "bare" // no device is bound
	LikelyOrder   Likely = "order"
	LikelyRecords Likely = "records"
	LikelyUnknown Likely = "unknown"
)

// Likelies is every likely cause.
var Likelies = []Likely{
	LikelyArea, LikelySite, LikelyNetwork, LikelyPower, LikelySound, LikelyClock, LikelyPlan, LikelyClip, LikelyDevice, LikelyBare, LikelyOrder, LikelyRecords,
	LikelyUnknown,
}

// Nearness says which neighbours of a point were counted.
type Nearness string

// The circles of neighbours.
const (
	NearNobody   Nearness = ""
	NearCompound Nearness = "compound" // the other points of the compound
	NearUnit     Nearness = "unit"     // the other points of the unit, where the compound has no other
)

// CallAfter is how many doubtful slots in a row have the property telephoned.
const CallAfter = 2

// Alert is a 漏播预警: what is wrong at a point, from its first slot until a
// later one played. It is raised when a slot's deadline has passed, grows by
// every slot that the same trouble costs, and closes by itself.
type Alert struct {
	ID        AlertID
	Point     PointID
	Unit      UnitID     // of the point when it was raised
	Compound  CompoundID // likewise; 0 if none
	Trouble   Trouble
	Likely    Likely
	Condition string    // code that the device reported; empty for none
	Heard     time.Time // when the device was heard last, as of the latest slot; zero for never

	NearIn   Nearness
	Near     int // neighbours with a device
	NearGone int // of them out of touch

	Raised     time.Time
	Closed     time.Time   // zero while open
	ClosedSlot wire.SlotID // the later slot that played; empty where its own turned out to have played
	Called     time.Time   // since when the property is to be telephoned; zero for never
	Acked      time.Time   // when a person took note first; zero before
	AckedBy    string      // login
	AckedName  string

	First, Last time.Time // starts of its first and last slot
	Slots, Bad  int       // slots in it, and how many of them were not made good since
	Run         int       // doubtful slots in a row, the last of them its last
}

// Open reports whether the trouble lasts.
func (a Alert) Open() bool { return a.Closed.IsZero() }

// AlertSlot is a slot of an alert, with the verdict that it has now.
type AlertSlot struct {
	Alert AlertID
	Added time.Time // when the alert grew by it
	Obligation
}

// Wrong reports whether a verdict leaves something to be alarmed about.
func (v Verdict) Wrong() bool {
	return slices.Contains([]Verdict{Missed, Partial, Doubt, Pending}, v)
}

// AlertLineKind is what happened to an alert.
type AlertLineKind string

// The kinds of lines.
const (
	AlertRaised AlertLineKind = "raised"
	AlertGrew   AlertLineKind = "grew"   // by a slot
	AlertLikely AlertLineKind = "likely" // evidence points elsewhere
	AlertCall   AlertLineKind = "call"   // the property is to be telephoned
	AlertMoved  AlertLineKind = "moved"  // a slot went to another alert, when its verdict was corrected
	AlertClosed AlertLineKind = "closed"
	AlertAcked  AlertLineKind = "acked" // a person took note, and said what was done
)

// AlertLineKinds is every kind.
var AlertLineKinds = []AlertLineKind{AlertRaised, AlertGrew, AlertLikely, AlertCall, AlertMoved, AlertClosed, AlertAcked}

// AlertLine is one line of the history of an alert.
type AlertLine struct {
	ID     AlertLineID
	Alert  AlertID
	At     time.Time
	Kind   AlertLineKind
	Slots  int // of the alert since
	Likely Likely
	Slot   wire.SlotID // that it is about; empty for none
	Name   string      // of the person; empty for the controller itself
	Note   string
}

// AlertFile is an alert with all that belongs to it, in order of time.
type AlertFile struct {
	Alert
	Affected []AlertSlot
	Lines    []AlertLine
}

// AlertShow is which alerts a list has.
type AlertShow string

// The lists.
const (
	ShowOpen   AlertShow = "open"
	ShowNew    AlertShow = "new"    // open, and nobody took note
	ShowCall   AlertShow = "call"   // open, and the property is to be telephoned
	ShowClosed AlertShow = "closed" // the history
)

// AlertShows is every list, in the order in which they are offered.
var AlertShows = []AlertShow{ShowOpen, ShowNew, ShowCall, ShowClosed}

// AlertFilter selects alerts; the zero value selects all. Lists are by unit and
// point, those of the history the latest first.
type AlertFilter struct {
	Show    AlertShow
	Unit    UnitID // with all units below it
	Point   PointID
	Trouble Trouble
	Query   string // part of the name or code of the point, or of the compound or property company
	Limit   int    // 0 means no limit
	Offset  int
}

// AlertSum counts the alerts of a unit, or of all.
type AlertSum struct {
	Unit      UnitID // 0 for all
	Open      int
	New       int // of Open: nobody took note
	Call      int // of Open: the property is to be telephoned
	ByTrouble map[Trouble]int
}

// AlertNews is a verdict that alerts have not looked at.
type AlertNews struct {
	ID    int64
	In    AlertID // alert that has the slot; 0 for none
	Owed  Obligation
	Ended bool // of In: it is closed
}

// AlertChange is an alert with what was decided about it. A zero ID makes a new
// one.
type AlertChange struct {
	Alert Alert
	Slots []AlertNews // that join it
	Lines []AlertLine // in order; Alert is set by the store
}
