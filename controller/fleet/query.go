package fleet

import (
	"encoding/json"
	"fmt"
	"time"

	"gatecast/internal/wire"
)

// PointFilter selects points. The zero value selects all of them.
type PointFilter struct {
	Unit     UnitID // with all units below it
	Compound CompoundID
	Kind     PointKind
	Tag      string
	Query    string // part of code, name, unit or compound
	InUse    bool   // leave out those that are retired
	Limit    int    // 0 means no limit
	Offset   int
}

// Registry is what an import brings. References are codes, so that a file
// means the same in every database; row ids inside are ignored.
type Registry struct {
	Units     []UnitEntry
	Grids     []GridEntry
	Compounds []CompoundEntry
	Points    []PointEntry
	Groups    []GroupEntry
	Liaisons  []LiaisonEntry
}

// UnitEntry is a unit, known by its code; Parent and Successor are codes of
// units.
type UnitEntry struct {
	Unit
	Parent    string
	Successor string
}

// GridEntry is a grid, known by unit and number.
type GridEntry struct {
	Grid
	Unit string // code
}

// CompoundEntry is a compound, known by unit and name.
type CompoundEntry struct {
	Compound
	Unit string // code
	Grid int    // number within the unit, 0 if none
}

// PointEntry is a point, known by its code.
type PointEntry struct {
	Point
	Unit     string // code
	Compound string // name within the unit, empty if none
}

// GroupEntry is a group, known by its code, or without one by its place and
// name.
type GroupEntry struct {
	Group
	Unit string // code
	Grid int    // number within the unit, 0 if none
}

// LiaisonEntry is a liaison, known by unit and name.
type LiaisonEntry struct {
	Liaison
	Unit string // code
}

// Doc is a sealed document as the bytes that were signed.
type Doc struct {
	SHA256  string // hex, of Bytes
	Type    wire.DocType
	Device  wire.DeviceID // empty for a document of every device
	Version uint64
	Bytes   []byte
	Stored  time.Time
}

// Wanted is the plan that a device should have.
type Wanted struct {
	Device  wire.DeviceID
	Version uint64
	SHA256  string
}

// Record is a journal entry as the store keeps it.
type Record struct {
	wire.Record
	ID       int64 // order of commit, growing
	Device   wire.DeviceID
	Point    PointID // that the device was bound to when the record was written
	Received time.Time
	// At is the best known instant of the record: AtUS, the device's own time,
	// or, where that was not trusted then and the boot's time became known
	// since, the instant that follows from it; Retimed says so.
	At      time.Time
	AtErr   time.Duration // bound of At's error; 0 means unknown where Level is T0 and Retimed is false
	Retimed bool
	Raw     []byte // the bytes that the journal hashed
}

// Outcome decodes the body of an outcome record.
func (r Record) Outcome() (wire.Outcome, error) {
	var o wire.Outcome
	if r.Kind != wire.RecordOutcome {
		return o, fmt.Errorf("record %s/%d is of kind %q, not an outcome", r.Log, r.Seq, r.Kind)
	}
	if err := json.Unmarshal(r.Body, &o); err != nil {
		return o, fmt.Errorf("parsing outcome %s/%d: %w", r.Log, r.Seq, err)
	}
	return o, nil
}

// PlanWindow says which obligations a plan decides about: those of Points
// whose slots start in [From, To).
type PlanWindow struct {
	Points   []PointID
	From, To time.Time
}

// PutResult counts what a plan changed.
type PutResult struct {
	Added, Changed, Removed, Kept int
	Late                          int // wanted, but their slot had begun and they had not been written in advance
}

// ObligationFilter selects obligations. The zero value selects all.
type ObligationFilter struct {
	From, To  Day    // both included; empty means open
	Unit      UnitID // with all units below it, as they were when the row was written
	Compound  CompoundID
	Point     PointID
	Points    []PointID // nil means all
	Programme string    // code
	Name      string    // slot name, 早 …
	Verdict   Verdict
	Limit     int // 0 means no limit
	Offset    int
}

// Settlement is what the ledger decided about one obligation.
type Settlement struct {
	Point   PointID
	Day     Day
	Slot    wire.SlotID
	Verdict Verdict
	Grade   Grade
	Reason  wire.Reason
	Note    string
	PlaysOK int
	SoundMS int64
	Demo    bool // what sounded, sounded into a file
	Device  wire.DeviceID
}

// Correction is a settled verdict that better evidence changed.
type Correction struct {
	At    time.Time
	Point PointID
	Slot  wire.SlotID
	Was   Settlement
	Now   Settlement
}

// OpenPoint is a point with pending obligations.
type OpenPoint struct {
	Point    PointID
	Earliest time.Time // end of the earliest pending slot
	Count    int
}

// Grouping is what a summary is made by.
type Grouping string

// The groupings.
const (
	ByNothing  Grouping = ""
	ByUnit     Grouping = "unit"
	ByCompound Grouping = "compound"
	ByPoint    Grouping = "point"
	BySlot     Grouping = "slot" // slot name
	ByDay      Grouping = "day"
	ByMonth    Grouping = "month" // calendar month
)

// SummaryQuery asks for counts over obligations.
type SummaryQuery struct {
	From, To Day    // both included
	Unit     UnitID // with all units below it; 0 means all
	Compound CompoundID
	Point    PointID
	Points   []PointID // nil means all
	Name     string    // slot name, 早 …; empty means all
	By       []Grouping
	NoDemo   bool // leave out what plays into files
}

// SummaryRow is one line of a summary; only the fields of the query's
// groupings are set.
type SummaryRow struct {
	Unit     UnitID
	Compound CompoundID
	Point    PointID
	Name     string // slot name
	Day      Day
	Month    Day // its first day
	Counts   Counts
	Demo     int // how many of Counts.Owed are demo
}

// Session is a login of a user. Only the hash of its token is stored.
type Session struct {
	Hash    string // hex SHA-256 of the token
	User    UserID
	Created time.Time
	Seen    time.Time
	Expires time.Time
	From    string // address
	Agent   string // browser
}
