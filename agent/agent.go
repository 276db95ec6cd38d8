// Package agent wires the daemon at a gate: journal, time, plan, clips,
// playout and the link to the controller.
//
// It decides nothing itself. New opens everything and takes it back when a
// step does not succeed; Start lets it run; Stop ends it in reverse order, by
// name, within one deadline. Playing needs no network: the link comes and goes
// on its own, and a device that is killed at any moment goes on where its disk
// says it was.
//
// On disk, below DataDir: identity, time, journal, plan, clips, link, each
// owned by the package of that trade. One process at a time owns them; the
// lock is the journal's.
//
// Only cmd/gatecast-agent and the acceptance tests use this package. An App is
// safe for concurrent use.
package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"gatecast/agent/condition"
	"gatecast/agent/enrol"
	"gatecast/agent/incident"
	"gatecast/agent/journal"
	"gatecast/agent/library"
	"gatecast/agent/link"
	"gatecast/agent/plan"
	"gatecast/agent/playout"
	"gatecast/agent/walltime"
	"gatecast/internal/durable"
	"gatecast/internal/lifecycle"
	"gatecast/internal/wire"
)

// StopTimeout bounds Stop when its context has no earlier deadline.
const StopTimeout = 3 * time.Second

// The playout loop turns once a second. A slow card may hold an fsync for
// seconds; before the first turn the whole journal is read, which takes an
// ARMv6 board a minute when it is full.
const (
	stuck    = 10 * time.Second
	recovery = 5 * time.Minute
)

// App is one agent.
type App struct {
	o    Options
	log  *slog.Logger
	id   *enrol.Identity
	base string // https://host:port

	clock   *walltime.Clock
	faults  *condition.Registry
	attacks *incident.Reporter
	looked  atomic.Pointer[wire.Plan] // the plan that was compared with the ceilings last
	journal *journal.Journal
	plans   *plan.Store
	clips   *library.Library
	speaker *speaker
	engine  *playout.Engine
	link    *link.Link
	zoned   zoned

	stack  lifecycle.Stack
	failed chan error    // a part that ended although nobody asked it to
	rooted chan struct{} // a trust root was accepted

	mu      sync.Mutex
	started time.Time // zero before Start
	stopped bool
}

// New opens everything and starts nothing. The device must be enrolled:
// enrol.ErrNotEnrolled says that it is not. A folder in use by another agent
// yields journal.ErrInUse.
func New(o Options) (app *App, err error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	a := &App{o: o, log: o.Logger.With("component", "agent"), failed: make(chan error, 8), rooted: make(chan struct{}, 1)}
	defer func() {
		if err != nil {
			ctx, cancel := context.WithTimeout(context.Background(), StopTimeout)
			defer cancel()
			err = errors.Join(err, a.stack.Stop(ctx))
		}
	}()
	dirs := DirsOf(o.DataDir)
	if a.id, err = enrol.Load(dirs.Identity, a.o.FS); err != nil {
		return nil, err
	}
	a.id.HTTP = a.o.HTTP
	a.base = "https://" + elsewhere(strings.TrimPrefix(a.id.URL, "https://"), o.Host)
	if err := a.openStores(dirs); err != nil {
		return nil, err
	}
	if err := a.openParts(dirs); err != nil {
		return nil, err
	}
	return a, nil
}

// openStores opens what is on the disk. The journal comes first: its lock
// keeps a second agent out of everything else.
func (a *App) openStores(dirs Dirs) (err error) {
	disk := durable.On(a.o.FS)
	for _, dir := range []string{dirs.Time, dirs.Link} {
		if err := disk.MkdirAll(dir, 0o700); err != nil {
			return err
		}
		if _, err := disk.Clean(dir); err != nil {
			return err
		}
	}
	if a.journal, err = journal.Open(dirs.Journal, journal.Options{Now: a.now, FS: a.o.FS, Logger: a.o.Logger, Rand: a.dice(), Sign: a.id, Zone: a.zone}); err != nil {
		return err
	}
	a.stack.OnStop("journal", func(context.Context) error { return a.journal.Close() })
	clock, err := walltime.Open(dirs.Time, walltime.Options{BuildTime: a.o.Built, Kernel: a.o.Kernel, FS: a.o.FS, Logger: a.o.Logger})
	if err != nil {
		return err
	}
	a.mu.Lock()
	a.clock = clock
	a.mu.Unlock()
	a.faults = condition.New(func() time.Time { return clock.Now().Wall })
	a.attacks = incident.New(a.journal, clock.Now, a.o.Logger)
	if a.plans, err = plan.Open(dirs.Plan, a.id.Device, a.id.Root, a.o.FS); err != nil {
		return err
	}
	if err := a.id.SetCAs(a.plans.Root()); err != nil {
		return fmt.Errorf("using trust root: %w", err)
	}
	a.cardFaults()
	if a.plans.Revoked() {
		a.faults.Set(condition.DeviceRevoked, "")
	}
	if p, _, _, ok := a.plans.Current(); ok {
		clock.RaiseFloor(wire.FromUS(p.IssuedUS))
	}
	if a.clips, err = library.Open(dirs.Clips, a.o.FS); err != nil {
		return err
	}
	a.evict() // the run before may have ended between a plan and this
	a.watchCard()
	return nil
}

// now stamps the journal's own records, also those of its recovery, which
// happens before the clock is open.
func (a *App) now() walltime.Stamp {
	a.mu.Lock()
	clock := a.clock
	a.mu.Unlock()
	if clock == nil {
		return walltime.Untrusted(a.o.Kernel)
	}
	return clock.Now()
}

// openParts makes speaker, playout and link.
func (a *App) openParts(dirs Dirs) (err error) {
	if a.speaker, err = newSpeaker(a.o.OpenOutput, a.o.Volume, a.ceilings); err != nil {
		return fmt.Errorf("opening output: %w", err)
	}
	a.stack.OnStop("output", func(context.Context) error { return a.speaker.Close() })
	a.engine, err = playout.New(playout.Options{
		Clock: a.clock, Library: a.clips, Journal: a.journal, Sink: a.speaker, Conditions: a.faults,
		Plan: func() (*wire.Plan, *wire.Manifest, bool) {
			p, m, _, ok := a.plans.Current()
			return p, m, ok
		},
		Muted: func(wall time.Time) bool { return a.plans.Muted(wire.US(wall)) },
		Agent: a.o.Version, LeadIn: a.o.LeadIn, Progress: filepath.Join(dirs.Journal, "progress"), FS: a.o.FS, Logger: a.o.Logger,
	})
	if err != nil {
		return err
	}
	a.speaker.playing = func() bool { return a.engine.Playing() != "" }
	o := link.DefaultOptions()
	o.Device, o.Broker, o.Base, o.Dir = a.id.Device, elsewhere(a.id.MQTT, a.o.Host), a.base, dirs.Link
	o.FS = a.o.FS
	o.TLS = a.tls
	o.Agent, o.Platform = a.o.Version, runtime.GOOS+"/"+runtime.GOARCH
	o.State, o.Journal, o.Plans, o.Clock, o.Faults = a.state, a.journal, a.plans, a.clock, a.faults
	o.Clips = func(f *link.Fetcher) link.Clips { return shelf{a, f} }
	o.Doer, o.Receipts, o.Roots = orders{a}, a, roots{a}
	o.Revoked, o.Refused, o.Gone, o.Muted = a.revoked, a.refused, a.plans.Revoked(), a.muted
	o.PlanChanged = a.planChanged
	o.ReportJitter, o.FetchJitter, o.Heartbeat, o.Logger = a.o.ReportJitter, a.o.FetchJitter, a.o.Heartbeat, a.o.Logger
	o.Dial, o.HTTP, o.Rand = a.o.Dial, a.o.HTTP, a.o.Rand
	a.link, err = link.New(o)
	return err
}

// revoked takes the controller's word that this device plays no more.
func (a *App) revoked(envelope []byte) error {
	before := a.plans.Revoked()
	err := a.plans.Revoke(envelope)
	a.refused("revocation", err)
	if !before && a.plans.Revoked() {
		a.log.Warn("the controller revoked this device: silent from now on")
		a.faults.Set(condition.DeviceRevoked, "")
		a.engine.PlanChanged()
		a.engine.CancelPlay()
	}
	return err
}

// muted takes the office's word about silence: what sounds ends within a
// second, a test tone too.
func (a *App) muted(envelope []byte) error {
	now := wire.US(a.clock.Now().Wall)
	changed, err := a.plans.TakeMute(envelope, now)
	if changed {
		on := a.plans.Muted(now)
		a.log.Warn("the office spoke about silence", "muted", on, "number", a.plans.MuteState(now).Number)
		a.engine.MuteChanged()
		if on {
			a.speaker.hush()
		}
	}
	return err
}

// ceilings returns what the library role allows, false while no manifest is
// in force.
func (a *App) ceilings() (wire.Ceilings, bool) {
	p, m, _, ok := a.plans.Current()
	if !ok {
		return wire.Ceilings{}, false
	}
	c := m.Ceilings
	if p != nil && p.MaxVolumePct > 0 {
		c.MaxVolumePct = min(c.MaxVolumePct, p.MaxVolumePct)
	}
	return c, true
}

// trustedNow is the enrol.Clock of an enrolled device.
func (a *App) trustedNow() (time.Time, bool) {
	now := a.clock.Now()
	return now.Wall, now.Level >= wire.T1
}

// dice names the journal's logs; nil is the machine's own source.
func (a *App) dice() io.Reader {
	if a.o.Rand == nil {
		return nil
	}
	var seed [32]byte
	_, _ = a.o.Rand.Read(seed[:]) // never fails
	return rand.NewChaCha8(seed)
}

// Playing returns the play that sounds, or is about to within a second; empty
// when none does.
func (a *App) Playing() wire.PlayID { return a.engine.Playing() }

// Now reads the device's clock: what it believes, and how far.
func (a *App) Now() walltime.Stamp { return a.clock.Now() }

// Device returns who this agent is.
func (a *App) Device() wire.DeviceID { return a.id.Device }

// Start lets everything run. It returns at once and is idempotent; after Stop
// it is an error.
func (a *App) Start() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.stopped:
		return errors.New("starting agent: it was stopped")
	case !a.started.IsZero():
		return nil
	}
	a.started = time.Now()
	failed := func(name string, err error) { a.failed <- fmt.Errorf("%s: %w", name, err) }
	run := func(f func(context.Context)) func(context.Context) error {
		return func(ctx context.Context) error { f(ctx); return nil }
	}
	a.stack.Go("incidents", run(a.attacks.Run), failed) // stopped after all that report
	// Stopped in reverse: first the sound, whose last records the link may
	// still deliver, then the link, then the clock, which persists itself.
	a.stack.Go("clock", run(a.clock.Run), failed)
	a.stack.Go("renewal", run(a.keepCertificate), failed)
	a.stack.Go("faults", run(a.followFaults), failed)
	a.stack.Go("link", run(a.link.Run), failed)
	a.stack.Go("playout", a.engine.Run, failed)
	a.log.Info("agent started", "device", a.id.Device, "version", a.o.Version, "data", a.o.DataDir)
	return nil
}

// Stop ends everything in reverse order: what sounds is cut off and recorded.
// It returns within StopTimeout, or when ctx ends, and names the steps that
// did not end. It is idempotent.
func (a *App) Stop(ctx context.Context) error {
	a.mu.Lock()
	a.stopped = true
	a.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, StopTimeout)
	defer cancel()
	return a.stack.Stop(ctx)
}

// Alive returns nil while the playout loop turns.
func (a *App) Alive() error {
	a.mu.Lock()
	since := a.started
	a.mu.Unlock()
	if since.IsZero() {
		return errors.New("agent is not started")
	}
	limit := recovery
	if turned := a.engine.Turned(); !turned.IsZero() {
		since, limit = turned, stuck
	}
	if d := time.Since(since); d > limit {
		return fmt.Errorf("playout has not turned for %s", d.Round(time.Second))
	}
	return nil
}

// Run enrols the device if need be, runs the agent until ctx ends or a part of
// it fails, and stops it. ready is called once it runs; nil for nobody.
func Run(ctx context.Context, o Options, ready func(*App)) (err error) {
	if err := Enrol(ctx, o); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	a, err := New(o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.Stop(context.WithoutCancel(ctx))) }()
	if err := a.Start(); err != nil {
		return err
	}
	if ready != nil {
		ready(a)
	}
	select {
	case <-ctx.Done():
		return nil
	case err := <-a.failed:
		return err
	}
}
