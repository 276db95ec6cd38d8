package fleet

import (
	"time"

	"gatecast/internal/wire"
)

// IncidentKind is what an incident is about, by code. Those that devices
// report are in wire.
type IncidentKind = wire.IncidentKind

// The incidents that the controller itself notices.
const (
	IncidentStranger   IncidentKind = "stranger"    // a connection without a certificate of this office
	IncidentNoDevice   IncidentKind = "no_device"   // a certificate of this office that belongs to no device
	IncidentRevoked    IncidentKind = "revoked"     // a revoked device knocks
	IncidentOtherName  IncidentKind = "other_name"  // a device connects under the name of another
	IncidentOtherTopic IncidentKind = "other_topic" // a device publishes or listens where it may not
	IncidentCodeGuess  IncidentKind = "code_guess"  // join codes are being guessed
	IncidentLoginGuess IncidentKind = "login_guess" // wrong passwords until an account was paused
	IncidentCodeReused IncidentKind = "code_reused" // a join code that was used before
	IncidentOtherDoc   IncidentKind = "other_doc"   // a device asks for the plan of another
	IncidentJournal    IncidentKind = "journal"     // records that do not hold together, or whose signature is not the device's
	IncidentClone      IncidentKind = "clone"       // one key, two devices
)

// Incident is a 安全事件: somebody or something tried what is not allowed, and
// was refused. Like ones of one hour are one incident with a count.
type Incident struct {
	ID     int64
	Kind   IncidentKind
	Point  PointID       // 0 where no point is known
	Device wire.DeviceID // empty where none is known
	From   string        // network address, empty for what a device reported
	Detail string        // operator text with operands, never a secret
	First  time.Time
	Last   time.Time
	Count  int
	Seen   time.Time // when a person ticked it off; zero while open
	SeenBy string
	Note   string // what that person wrote
}

// IncidentFilter selects incidents. The zero value selects all.
type IncidentFilter struct {
	Point  PointID // 0 means any
	Open   bool    // only those that nobody ticked off
	Limit  int     // 0 means no limit
	Offset int
}
