package fleet

import (
	"time"

	"gatecast/internal/wire"
)

// IncidentKind is what an incident is about, by code.
type IncidentKind string

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
}
