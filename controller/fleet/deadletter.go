package fleet

import (
	"time"

	"gatecast/internal/wire"
)

// DeadCode says in one word why a record could not be taken; pages translate it.
type DeadCode string

// The codes of dead letters.
const (
	DeadShape    DeadCode = "shape"    // not a record
	DeadNumber   DeadCode = "number"   // without a number, or one that cannot be
	DeadAhead    DeadCode = "ahead"    // its number is far above every one before
	DeadLog      DeadCode = "log"      // of another journal than it was sent as
	DeadKind     DeadCode = "kind"     // does not say what it is
	DeadSlot     DeadCode = "slot"     // names no slot or no play, or cannot be read
	DeadConflict DeadCode = "conflict" // other bytes under a number that is taken
	DeadSize     DeadCode = "size"     // longer than a record may be
	DeadText     DeadCode = "text"     // not valid UTF-8
	DeadBatch    DeadCode = "batch"    // a whole message that cannot be taken apart
	DeadOther    DeadCode = "other"    // of a version before the codes
)

// DeadCodes lists all of them.
var DeadCodes = []DeadCode{
	DeadShape, DeadNumber, DeadAhead, DeadLog, DeadKind, DeadSlot, DeadConflict, DeadSize, DeadText, DeadBatch, DeadOther,
}

// DeadLetter is a record that was received and could not be taken.
type DeadLetter struct {
	ID       int64
	Device   wire.DeviceID
	Log      wire.LogID // as it was sent; empty if it did not say
	Seq      wire.Seq   // 0 if the record did not say
	Received time.Time
	Code     DeadCode
	Reason   string // for operators
	Bytes    int64  // of the whole record
	Raw      []byte // its beginning
}

// DeadFilter selects dead letters. The zero value selects all.
type DeadFilter struct {
	Device wire.DeviceID
	Limit  int // 0 means no limit
	Offset int
}

// DeadCount is how many records of a device could not be taken.
type DeadCount struct {
	Device  wire.DeviceID
	Kept    int       // in the list
	Dropped int       // beyond the bound of the list: counted only
	Refused int       // batches of journals beyond the limit; neither taken nor acked
	Last    time.Time // when one came last
}

// Gap is a run of records that a device says nobody has any more. What they
// told lies between After and Before.
type Gap struct {
	Device      wire.DeviceID
	Log         wire.LogID
	First, Last wire.Seq
	Why         string    // wire.Gap.Why
	At          time.Time // the device's time of saying so
	Received    time.Time
	Lost        bool      // false when every one of the records is here all the same
	After       time.Time // of the last record before what is missing, zero if there is none
	Before      time.Time // of the first one after it, or of the saying
}

// UnknownPlan is a time in which a device obeyed a plan that was made between a
// backup and its restore, so that nobody knows what was in it.
type UnknownPlan struct {
	Device   wire.DeviceID
	Version  uint64
	From, To time.Time // To is zero while it is still in force
}
