// Package condition holds the faults of a device in words people can act on.
//
// Code that notices a fault reports the fact, by code; the registry decides
// when a person sees it: a fault is listed once it has lasted its time to
// become visible, so that a blink is no alarm. The controller shows the same
// codes with its own sentences, in its own languages; Detail carries only the
// operands (a device's name, a clip's title).
package condition

import (
	"slices"
	"strings"
	"sync"
	"time"

	"gatecast/internal/wire"
)

// Code names a fault. Codes are stable: the controller keeps a sentence for
// each of them.
type Code string

// The faults of an agent.
const (
	ClockUntrusted  Code = "clock_untrusted"  // time level below what public sound needs
	ClockDisputed   Code = "clock_disputed"   // a time service contradicts the controller and is not followed
	NoPlan          Code = "no_plan"          // no plan was ever accepted
	PlanEnding      Code = "plan_ending"      // fewer than seven days of plan left
	PlanOver        Code = "plan_over"        // past the horizon, or expired: silent
	PlanStale       Code = "plan_stale"       // the controller has not been heard for longer than the plan allows
	PlanRefused     Code = "plan_refused"     // the last plan offered was refused; the one before goes on
	ClipMissing     Code = "clip_missing"     // a clip of the plan is not on the device
	ClipCorrupt     Code = "clip_corrupt"     // a clip on the card did not match its hash
	OutputFault     Code = "output_fault"     // the sound device cannot play
	OutputMuted     Code = "output_muted"     // the sound device's mixer is off or at zero
	JournalFault    Code = "journal_fault"    // records cannot be written
	JournalDamaged  Code = "journal_damaged"  // records were lost from the card
	RecordsDisputed Code = "records_disputed" // the controller signed something else than the journal says
	CardFailing     Code = "card_failing"     // the card damaged a file that was restored, or did not confirm a write
	DiskFull        Code = "disk_full"        // no space for clips or records
	LinkDown        Code = "link_down"        // no connection to the controller
	CertExpiring    Code = "cert_expiring"    // the certificate ends soon
	DeviceRevoked   Code = "device_revoked"   // the controller revoked this device: silent for good
)

// Severity says how loud a fault is shown.
type Severity string

// The severities, worst first.
const (
	Bad  Severity = "bad"  // nothing sounds, or nothing can be proved
	Warn Severity = "warn" // works, but somebody should look
	Info Severity = "info" // worth knowing
)

// trait is what the registry knows of a code.
type trait struct {
	severity Severity
	visible  time.Duration // how long it must last before it is listed
}

// traits holds the severity and the time to become visible of each code. A
// link flaps and a card takes some seconds to come back after a restart; what
// stops a play shows at once.
var traits = map[Code]trait{
	ClockUntrusted:  {Bad, 30 * time.Second},
	ClockDisputed:   {Warn, 30 * time.Second},
	NoPlan:          {Warn, 10 * time.Second},
	PlanEnding:      {Warn, 0},
	PlanOver:        {Bad, 0},
	PlanStale:       {Warn, 0},
	PlanRefused:     {Bad, 0},
	ClipMissing:     {Warn, 30 * time.Second},
	ClipCorrupt:     {Warn, 0},
	OutputFault:     {Bad, 5 * time.Second},
	OutputMuted:     {Bad, 0},
	JournalFault:    {Bad, 0},
	JournalDamaged:  {Warn, 0},
	RecordsDisputed: {Bad, 0},
	CardFailing:     {Warn, 0},
	DiskFull:        {Bad, 0},
	LinkDown:        {Warn, time.Minute},
	CertExpiring:    {Warn, 0},
	DeviceRevoked:   {Bad, 0},
}

// fault is one active condition.
type fault struct {
	since  time.Time // monotonic
	wallUS int64
	detail string
}

// Registry is the set of active faults. It is safe for concurrent use.
type Registry struct {
	wall    func() time.Time // immutable
	changed chan struct{}

	mu     sync.Mutex
	active map[Code]fault
}

// New returns an empty registry. wall tells the best known wall time, for
// SinceUS; nil means the system clock.
func New(wall func() time.Time) *Registry {
	if wall == nil {
		wall = time.Now
	}
	return &Registry{wall: wall, changed: make(chan struct{}, 1), active: make(map[Code]fault)}
}

// Set reports that code holds now. A fault already active keeps its beginning
// and takes the new detail.
func (r *Registry) Set(code Code, detail string) {
	detail = clean(detail)
	r.mu.Lock()
	old, ok := r.active[code]
	if ok && old.detail == detail {
		r.mu.Unlock()
		return
	}
	if ok {
		old.detail = detail
	} else {
		old = fault{since: time.Now(), wallUS: wire.US(r.wall()), detail: detail}
	}
	r.active[code] = old
	r.mu.Unlock()
	r.signal()
}

// Clear reports that code does not hold any more.
func (r *Registry) Clear(code Code) {
	r.mu.Lock()
	_, ok := r.active[code]
	delete(r.active, code)
	r.mu.Unlock()
	if ok {
		r.signal()
	}
}

// List returns the faults that have lasted long enough to be seen, worst
// first, then by code. It never returns nil.
func (r *Registry) List() []wire.Condition {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := make([]wire.Condition, 0, len(r.active))
	for code, f := range r.active {
		t := traitOf(code)
		if time.Since(f.since) < t.visible {
			continue
		}
		list = append(list, wire.Condition{Code: string(code), Severity: string(t.severity), SinceUS: f.wallUS, Detail: f.detail})
	}
	slices.SortFunc(list, func(a, b wire.Condition) int {
		if d := rank(a.Severity) - rank(b.Severity); d != 0 {
			return d
		}
		return strings.Compare(a.Code, b.Code)
	})
	return list
}

// Changed yields a value after Set or Clear changed something. It has one
// reader; signals that nobody waited for are merged.
func (r *Registry) Changed() <-chan struct{} { return r.changed }

func (r *Registry) signal() {
	select {
	case r.changed <- struct{}{}:
	default:
	}
}

func traitOf(code Code) trait {
	if t, ok := traits[code]; ok {
		return t
	}
	return trait{severity: Warn}
}

func rank(severity string) int {
	return slices.Index([]string{string(Bad), string(Warn), string(Info)}, severity)
}

// maxDetail bounds a detail, in bytes: some twenty conditions must fit into a
// State message beside everything else.
const maxDetail = 300

// clean makes detail one line of valid UTF-8 within maxDetail.
func clean(detail string) string {
	detail = strings.Join(strings.Fields(strings.ToValidUTF8(detail, "?")), " ")
	if len(detail) <= maxDetail {
		return detail
	}
	return strings.ToValidUTF8(detail[:maxDetail-len("…")], "") + "…"
}
