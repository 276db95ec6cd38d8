package fleet

import (
	"time"

	"gatecast/internal/wire"
)

// Row ids of the store. 0 means not stored yet, or none.
type (
	UnitID      int64
	GridID      int64
	CompoundID  int64
	PointID     int64
	GroupID     int64
	LiaisonID   int64
	CompanyID   int64
	ClipID      int64
	ProgrammeID int64
	UserID      int64
)

// DeviceState says what a device may do.
type DeviceState string

// The states of a device.
const (
	// DeviceQuarantine is a device that nobody has accepted yet, or one whose
	// key turned up twice: it connects and reports, and its plan has no slots.
	DeviceQuarantine DeviceState = "quarantine"
	DeviceActive     DeviceState = "active"
	DeviceRetired    DeviceState = "retired" // another device took over its point; it delivers what it wrote
	DeviceRevoked    DeviceState = "revoked"
)

// Device is an agent bound to a point. Its key is its identity.
type Device struct {
	ID       wire.DeviceID
	Point    PointID
	State    DeviceState
	SPKI     []byte // DER of its public key
	Enrolled time.Time
	Retired  time.Time // since when it is active no more; zero while it is, or never was
	Hardware string

	// Quarantine and the way out of it.
	Cloned     bool      // its key is used by two machines; it never becomes active again
	Toned      time.Time // end of its latest test tone that sounded whole; zero for none
	Unheard    time.Time // when a person last said that nothing was heard; zero for never
	Accepted   time.Time // when a person heard it and let it play; zero before
	AcceptedBy string    // login

	// What it said last.
	Online      bool
	LastSeen    time.Time
	StateAt     time.Time // controller's time of its last complete state
	Session     uint64
	Nonce       string
	Agent       string
	RootVersion uint64 // of the trust root that it obeys; 0 for a program that cannot follow it
	PlanVersion uint64 // had
	PlanHash    string
	ClipsReady  []string
	ClipsMiss   []string
	Log         wire.LogID
	AckedSeq    wire.Seq
	LastSeq     wire.Seq
	Receipt     uint64          // number of the newest receipt that it keeps
	Older       []wire.LogState // journals before Log that it still keeps
	TimeLevel   wire.TimeLevel
	Time        wire.TimeState // with TimeLevel as its level
	Output      wire.Output
	Playing     wire.PlayID
	Horizon     time.Time
	Conditions  []wire.Condition
	Mute        wire.MuteState // what it obeys of the office's word about silence

	// What it should have.
	WantVersion uint64
	WantHash    string
	Awaiting    Awaiting // why it gets no plan now

	Receipts uint64 // receipts made for it
}

// Ahead reports whether the device has a plan that the controller never made,
// as after a restore of an older database.
func (d Device) Ahead() bool {
	return d.WantVersion != 0 && (d.PlanVersion > d.WantVersion || d.PlanVersion == d.WantVersion && d.PlanHash != "" && d.PlanHash != d.WantHash)
}

// Newcomer reports whether the device waits for a person to hear its test tone.
func (d Device) Newcomer() bool { return d.State == DeviceQuarantine && !d.Cloned }

// Silenced reports whether the device may talk to us and must not sound: its
// plan has no slots.
func (d Device) Silenced() bool { return d.State == DeviceQuarantine || d.State == DeviceRetired }

// Ready reports whether the device has exactly the plan it should have and
// every clip of it.
func (d Device) Ready() bool {
	return d.WantVersion != 0 && d.PlanVersion == d.WantVersion && d.PlanHash == d.WantHash && len(d.ClipsMiss) == 0
}

// JoinCode lets one device enrol for one point once. Only its hash is stored.
type JoinCode struct {
	Hash    string // hex SHA-256 of the normalised code
	Point   PointID
	Issued  time.Time
	Expires time.Time
	By      string
	UsedBy  wire.DeviceID // empty while unused
	UsedAt  time.Time
}
