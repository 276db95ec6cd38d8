package fleet

import (
	"time"

	"gatecast/internal/evidence"
	"gatecast/internal/wire"
)

// Break is a place where a device's journal does not hold together: it was
// changed, or the card is failing. Its records are kept like any other.
type Break struct {
	Device wire.DeviceID
	Log    wire.LogID
	Seq    wire.Seq // of the record at which it shows
	Code   evidence.Code
	Detail string // operator's text
	Found  time.Time
}

// Receipt is a counter-signature as the controller made it.
type Receipt struct {
	wire.Receipt
	SHA256   string // hex, of Envelope
	Envelope []byte
}

// Unsigned is a journal with records that no receipt covers yet.
type Unsigned struct {
	Device wire.DeviceID
	Log    wire.LogID
	Upto   wire.Seq // last record that is committed with everything before it
	Hash   string   // of that record
	Count  int64    // records held up to there
}

// LogSpan is a part of a journal that is held without a gap.
type LogSpan struct {
	Device      wire.DeviceID
	Log         wire.LogID
	First, Last wire.Seq // both included
}

// PlanInForce is the plan that a device had taken, as its journal says.
type PlanInForce struct {
	Device  wire.DeviceID
	Version uint64
	SHA256  string // hex, of the plan's envelope
	Taken   time.Time
	Log     wire.LogID // where the journal says it
	Seq     wire.Seq
}
