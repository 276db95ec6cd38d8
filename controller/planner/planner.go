// Package planner turns what the office wrote into what is owed and what is
// delivered: programmes → schedules → obligations and plans → seal → offer.
//
// It owns the rule which slots are owed (a slot is owed from the moment it is
// planned ahead of its start at a point that has a device) and the versions of
// plans and manifest. Obligations of the next hours are written before a
// plan is offered, the rest of the horizon right after, under an intent that
// is durable before the first of them: a run that was cut short is finished by
// the next one as of its own time, however long after. A slot that has begun
// is never changed otherwise. A plan says for how long it holds without a word
// of the controller, and what sounds then. A device that is awaited after a restore gets no
// plan before it has said what it has, and if that is newer, before a person
// has confirmed. A device that waits to be accepted, was replaced or has a double
// gets a plan without slots. All methods are safe for concurrent use; plans are made by
// one goroutine at a time.
package planner

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
	"gatecast/schedules"
)

// Registry is what the planner reads of points and devices.
type Registry interface {
	Units(ctx context.Context) ([]fleet.Unit, error)
	Groups(ctx context.Context) ([]fleet.Group, error)
	Compounds(ctx context.Context) ([]fleet.Compound, error)
	Points(ctx context.Context, f fleet.PointFilter) ([]fleet.Point, error)
	Devices(ctx context.Context) ([]fleet.Device, error)
}

// Content is what the planner reads and writes of clips and programmes.
type Content interface {
	Clips(ctx context.Context) ([]fleet.Clip, error)
	Programme(ctx context.Context, id fleet.ProgrammeID) (fleet.Programme, error)
	AddProgramme(ctx context.Context, p fleet.Programme) (fleet.ProgrammeID, error)
	ActiveProgrammes(ctx context.Context) ([]fleet.Programme, error)
	ActivateProgramme(ctx context.Context, id fleet.ProgrammeID, now time.Time) error
}

// Ledger is where obligations are written.
type Ledger interface {
	// PutObligations makes owed what the points of the window owe in it; rows
	// that have begun by now or are settled stay as they are.
	PutObligations(ctx context.Context, w fleet.PlanWindow, owed []fleet.Obligation, now time.Time) (fleet.PutResult, error)
	Obligations(ctx context.Context, f fleet.ObligationFilter) ([]fleet.Obligation, error)
	// Setting and SetSetting keep what a run has begun until it has ended.
	Setting(ctx context.Context, key string) (string, error)
	SetSetting(ctx context.Context, key, value string) error
}

// Documents keeps signed documents and what each device should have.
type Documents interface {
	PutDocs(ctx context.Context, docs []fleet.Doc) error
	// PutPlans stores plans and makes each the one that its device should have.
	PutPlans(ctx context.Context, plans []fleet.Doc) error
	// LatestDoc returns the document of that type with the highest version;
	// fleet.NotFound if there is none.
	LatestDoc(ctx context.Context, d wire.DeviceID, t wire.DocType) (fleet.Doc, error)
}

// Sealer signs documents with the controller's keys.
type Sealer interface {
	SealPlan(p *wire.Plan) ([]byte, error)
	SealManifest(m *wire.Manifest) ([]byte, error)
	// InForce reports whether a plan or manifest is by a key that devices
	// believe now; one by a key that was rotated away is sealed anew.
	InForce(t wire.DocType, envelope []byte) bool
	// Strict reports whether manifests are signed elsewhere; SealManifest is an
	// error then, and OpenManifest verifies what comes from there.
	Strict() bool
	OpenManifest(envelope []byte) (wire.Manifest, error)
}

// Insertions knows the urgent broadcasts.
type Insertions interface {
	// Live returns those that belong into plans at now; it is not changed.
	Live(now time.Time) []fleet.Insertion
}

// Options of a Planner. Required are the fields above Calendar.
type Options struct {
	Registry  Registry
	Content   Content
	Ledger    Ledger
	Documents Documents
	Sealer    Sealer
	Offer     func(ctx context.Context, devices []wire.DeviceID) // tells devices that a plan waits; must not block long
	OnEvent   func(fleet.Event)
	Logger    *slog.Logger
	Ceilings  wire.Ceilings

	Insertions  Insertions  // urgent broadcasts; nil means that there are none
	Almanac     Almanac     // the office's calendar; nil means that there is none
	Adjustments Adjustments // what was changed beside programmes; nil likewise

	// Before is called at the start of every run: what of the registry holds from
	// that moment on is put in place by it. nil does nothing.
	Before func(ctx context.Context, now time.Time) error

	Calendar    *schedules.Calendar // nil means the shipped table
	Demo        bool                // accepts programmes marked demo
	HorizonDays int                 // 0 means DefaultHorizonDays
	// StaleAfter is for how long a device may go without a word of the
	// controller before it plays only DefaultClip; in seconds, 0 means for ever.
	StaleAfter  time.Duration
	DefaultClip string // name or hash; empty, or not in the library: a stale plan is played on
}

// DefaultHorizonDays is how far ahead a device holds its slots.
const DefaultHorizonDays = 60

// Planner makes obligations and plans.
type Planner struct {
	o Options // immutable after New

	mu       sync.Mutex                // held while planning
	planned  map[fleet.PointID]written // what this process wrote last
	silent   map[wire.DeviceID]string  // hash of the plan without slots that the device should have
	manifest manifestState
	reseal   bool // the manifest, though it says the same: devices may have a newer one

	poke chan struct{}
}

// New checks o and returns a Planner that does nothing until Run or a method
// is called.
func New(o Options) (*Planner, error) {
	switch {
	case o.Registry == nil, o.Content == nil, o.Ledger == nil, o.Documents == nil, o.Sealer == nil:
		return nil, errors.New("planner options: Registry, Content, Ledger, Documents and Sealer are required")
	case o.Offer == nil, o.OnEvent == nil, o.Logger == nil:
		return nil, errors.New("planner options: Offer, OnEvent and Logger are required")
	case o.HorizonDays < 0 || o.HorizonDays > 400:
		return nil, errors.New("planner options: HorizonDays must be 0 to 400")
	case o.StaleAfter < 0 || o.StaleAfter%time.Second != 0:
		return nil, errors.New("planner options: StaleAfter must be whole seconds, 0 or more")
	case len(o.Ceilings.Allowed) == 0:
		return nil, errors.New("planner options: Ceilings allow nothing to sound")
	}
	if o.HorizonDays == 0 {
		o.HorizonDays = DefaultHorizonDays
	}
	if o.Before == nil {
		o.Before = func(context.Context, time.Time) error { return nil }
	}
	if o.Calendar == nil {
		o.Calendar = schedules.DefaultCalendar()
	}
	return &Planner{o: o, planned: map[fleet.PointID]written{}, silent: map[wire.DeviceID]string{}, poke: make(chan struct{}, 1)}, nil
}

// Poke asks Run for a fresh plan soon, e.g. after a device enrolled or a clip
// came in. It never blocks.
func (p *Planner) Poke() {
	select {
	case p.poke <- struct{}{}:
	default:
	}
}

// Run plans once, then after every Poke, at least hourly, which moves the
// horizon on, and at midnight in the office, when clips come into force and
// expire, until ctx ends. A planning error is logged and tried again; the
// plans in force stay.
func (p *Planner) Run(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-p.poke:
		case <-timer.C:
		}
		next := p.nextTurn(time.Now())
		if _, err := p.Replan(ctx, time.Now()); err != nil && ctx.Err() == nil {
			p.o.Logger.Error("planning", "err", err)
			next = 30 * time.Second
		}
		timer.Reset(next)
	}
}
