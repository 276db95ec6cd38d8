// Package playout decides which slot is due and what sounds now, and proves it
// in the journal.
//
// One loop owns the state. At least once a second it settles every play that
// has become due: played at its instant, played late within its grace, or
// skipped with a reason. A play's intent is on the disk before its sound and
// its outcome after it; a play of which the journal knows anything is never
// played again. The clip is decoded ahead of its instant and the sink opened a
// second early, so that at the instant only the sink works.
//
// What the signed ceilings forbid does not sound, whatever the plan says:
// clips outside the manifest, hours outside the allowed windows, more plays an
// hour or longer clips than allowed; gain is cut to the ceiling.
//
// Late plays never come in a burst: of one slot only the newest is made up,
// and only if it ends before the next one starts.
//
// A slot that is urgent cuts in: what sounds fades out (reason preempted), what
// becomes due meanwhile waits as long as its grace allows, and each of its own
// plays is made up until the slot ends. Ceilings hold for it like for any other.
//
// A plan goes stale when the controller has not been heard for as long as the
// plan says. Then its default clip sounds in place of every other, and intent
// and outcome say so; a plan that names none is played on. A condition tells
// people of both.
//
// The engine writes boot, intent, outcome, clock and stop records; plan
// records are written by whoever accepts plans. It knows nothing of the
// network and goes on without it.
package playout

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"gatecast/agent/condition"
	"gatecast/agent/walltime"
	"gatecast/audio"
	"gatecast/audio/output"
	"gatecast/internal/durable"
	"gatecast/internal/wire"
)

// Clock is the trusted time; *walltime.Clock is one.
type Clock interface {
	Now() walltime.Stamp
	// At returns the process-monotonic instant at which the clock reads wall.
	At(wall time.Time) time.Time
	// Wall is the inverse of At.
	Wall(mono time.Time) time.Time
	Steps() <-chan walltime.Step
	// Contact returns the newest instant that the controller signed; zero for
	// none.
	Contact() time.Time
}

// Journal takes the records; *journal.Journal is one.
type Journal interface {
	// Append returns once the record survives loss of power.
	Append(kind wire.RecordKind, at walltime.Stamp, body any) (wire.Seq, error)
	Scan(see func(wire.Record) error) error
	Truncated() int64
}

// Library yields verified sound; *library.Library is one.
type Library interface {
	Have(sha string) bool
	Load(sha string, c wire.ManifestClip) (*audio.PCM, error)
}

// Conditions takes faults; *condition.Registry is one.
type Conditions interface {
	Set(code condition.Code, detail string)
	Clear(code condition.Code)
}

// Options wires an Engine. Agent, LeadIn, Progress, FS and Logger may be left out.
type Options struct {
	Clock Clock
	// Plan returns the documents in force; ok is false while there are none.
	Plan func() (p *wire.Plan, m *wire.Manifest, ok bool)
	// Muted reports whether the office wants silence at wall; nil means never.
	Muted      func(wall time.Time) bool
	Library    Library
	Journal    Journal
	Sink       output.Sink // the engine is its only user; the caller closes it
	Conditions Conditions
	// Agent is the version of the program, for the boot record.
	Agent string
	// LeadIn is silence played before each clip, so that an amplifier that
	// wakes late swallows none of it; the clip itself starts at its instant.
	LeadIn time.Duration
	// Progress is the file that says how far a play has come, for a play that
	// power or a signal ends; empty means that nothing is known of such a one.
	Progress string
	FS       durable.FS // where Progress is; nil means the real disk
	Logger   *slog.Logger
}

func (o *Options) validate() error {
	switch {
	case o.Clock == nil:
		return errors.New("Options.Clock is missing")
	case o.Plan == nil:
		return errors.New("Options.Plan is missing")
	case o.Library == nil:
		return errors.New("Options.Library is missing")
	case o.Journal == nil:
		return errors.New("Options.Journal is missing")
	case o.Sink == nil:
		return errors.New("Options.Sink is missing")
	case o.Conditions == nil:
		return errors.New("Options.Conditions is missing")
	case o.LeadIn < 0 || o.LeadIn > maxLeadIn:
		return fmt.Errorf("Options.LeadIn is %v; it must be 0 to %v", o.LeadIn, maxLeadIn)
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return nil
}

// How far ahead of its instant a play is worked on.
const (
	maxLeadIn = 5 * time.Second
	// loadLead leaves a slow card and an ARMv6 core time to read, verify and
	// decode the longest clip.
	loadLead = 30 * time.Second
	// prepareLead opens the device and sets its mixer.
	prepareLead = 1200 * time.Millisecond
	// intentLead covers a slow fsync: a card may take some hundred
	// milliseconds. A slower one delays the start, and the outcome says so.
	intentLead = 500 * time.Millisecond
	// lateLead is how far ahead a late play is started: the sink needs an
	// instant that has not passed.
	lateLead = 20 * time.Millisecond
	// minGrace is given to every play: the loop itself may come that late.
	minGrace = time.Second
	// moved is how far the clock may shift a start that is being prepared
	// before it is looked at anew.
	moved = 250 * time.Millisecond
	// stopWait bounds how long Run waits for a sink to stop.
	stopWait = 3 * time.Second
)

// Engine plays a device's plan. Its methods are safe for concurrent use.
type Engine struct {
	o       Options      // immutable
	log     *slog.Logger // immutable
	poke    chan struct{}
	results chan result
	loads   chan load
	workers sync.WaitGroup // loader, performance, question to the device

	mu      sync.Mutex
	current *performance // nil when nothing is prepared or sounds
	turned  time.Time    // when the loop went round last

	s state // of the loop alone
}

// New returns an engine that does nothing until Run.
func New(o Options) (*Engine, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	return &Engine{
		o:       o,
		log:     o.Logger.With("component", "playout"),
		poke:    make(chan struct{}, 1),
		results: make(chan result, 1),
		loads:   make(chan load, 1),
		s: state{
			done:    make(map[wire.PlayID]int64),
			late:    make(map[wire.PlayID]refusal),
			waiting: make(map[wire.PlayID]refusal),
			clips:   make(map[string]*clip),
		},
	}, nil
}

// Run recovers from the run before, then plays until ctx ends; a play that
// sounds then is cut off and recorded. It returns an error only when the
// journal cannot be read. It is called once.
func (e *Engine) Run(ctx context.Context) error {
	if err := e.recover(); err != nil {
		return fmt.Errorf("recovering playout: %w", err)
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			e.shutdown()
			return nil
		case <-timer.C:
		case <-e.poke:
		case s := <-e.o.Clock.Steps():
			e.recordStep(s)
		case r := <-e.results:
			e.finished(r)
		case l := <-e.loads:
			e.loaded(l)
		}
		timer.Reset(e.step())
		e.mu.Lock()
		e.turned = time.Now()
		e.mu.Unlock()
	}
}

// Turned returns when the loop last went round, which it does at least once a
// second; zero before it first did.
func (e *Engine) Turned() time.Time {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.turned
}

// Playing returns the play that sounds, or is about to within a second; empty
// when none does.
func (e *Engine) Playing() wire.PlayID {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.current == nil {
		return ""
	}
	return e.current.play.ID
}

// PlanChanged makes the loop look at the plan now.
func (e *Engine) PlanChanged() {
	select {
	case e.poke <- struct{}{}:
	default:
	}
}

// Ready returns the hashes of the plan's clips that are on the device and
// verified, in the plan's order; never nil.
func (e *Engine) Ready() []string {
	ready := []string{}
	if p, _, ok := e.o.Plan(); ok {
		for _, sha := range p.Clips {
			if e.o.Library.Have(sha) {
				ready = append(ready, sha)
			}
		}
	}
	return ready
}

// errStopped ends a play by order of a person, errMuted because the office
// wants silence, errPreempted because something urgent cuts in, errCancelled
// because that is not in the plan any more, errRecalled because its clip must
// not sound any more, errShutdown with the program, errReplanned before it
// began because the plan has it no longer.
var (
	errStopped   = errors.New("stopped by command")
	errMuted     = errors.New("muted by the office")
	errPreempted = errors.New("an urgent broadcast cuts in")
	errCancelled = errors.New("the urgent broadcast was cancelled")
	errShutdown  = errors.New("agent was stopped")
	errReplanned = errors.New("no longer in the plan")
	errRecalled  = errors.New("clip was recalled")
)

// CancelPlay stops what sounds, or is about to within a second, and reports
// whether there was anything. Its outcome has the reason "stopped". Plays to
// come are not touched.
func (e *Engine) CancelPlay() bool { return e.cancel(errStopped) }

func (e *Engine) cancel(cause error) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.current == nil {
		return false
	}
	e.current.cancel(cause)
	return true
}

// MuteChanged makes the loop look at Options.Muted now: what sounds although
// it may not fades out within a second, and its outcome has the reason "muted".
func (e *Engine) MuteChanged() {
	if e.silenced(e.o.Clock.Now().Wall) {
		e.mu.Lock()
		if e.current != nil {
			e.current.cut(errMuted)
		}
		e.mu.Unlock()
	}
	e.PlanChanged()
}

// silenced reports whether the office wants silence at wall.
func (e *Engine) silenced(wall time.Time) bool { return e.o.Muted != nil && e.o.Muted(wall) }

// shutdown ends what sounds, waits for every goroutine, and writes what is
// owed and the stop record. A sink or a sound server that does not answer in
// time is left behind.
func (e *Engine) shutdown() {
	timer := time.NewTimer(stopWait)
	defer timer.Stop()
	if e.cancel(errShutdown) {
		select {
		case r := <-e.results:
			e.finished(r)
		case <-timer.C:
			e.log.Error("sink does not stop")
			timer.Reset(0)
		}
	}
	idle := make(chan struct{})
	go func() { e.workers.Wait(); close(idle) }()
	select {
	case <-idle:
	case <-timer.C:
		e.log.Error("goroutines left behind")
	}
	now := e.o.Clock.Now()
	e.writeOwed(now)
	if _, err := e.o.Journal.Append(wire.RecordStop, now, wire.Stop{}); err != nil {
		e.log.Error("writing stop record", "err", err)
	}
}
