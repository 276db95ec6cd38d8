// Package walltime says what time it is and how far that is trusted.
//
// A device may boot in 1970, be set by hand, or be told a lie by its network.
// The clock here is therefore an offset to the time since boot, kept inside
// the process and moved only by what is trusted: the controller's signed
// answer to a nonce (T1), a battery clock that reads plausibly at start (T1),
// or the kernel once it says that it is synchronised (T2). What anybody does
// to the kernel's wall clock in between changes nothing.
//
// Time services sign nothing, so the controller's word is stronger: a kernel
// that is more than a minute away from what was signed during the same boot
// is not followed, however synchronised it says to be (Stamp.Disputed).
//
// Time never goes below the floor: the newest of build time, the issue dates
// of valid documents and a minute before the controller's answers, and the time
// that has gone by since. Nothing unsigned raises it, so that a lie cannot bind
// a device for longer than until the next answer.
//
// While the clock is trusted, the true time lies within Err of what it reads,
// unless whoever was trusted lied: the bound grows with the drift of the
// crystal, and with every evidence that contradicts it.
//
// The clock also knows when the controller was heard last (Contact) and how
// far the two were apart then (Compared).
//
// On disk: <dir>/walltime.json, replaced hourly, at stop, and when trust is
// gained. It carries the floor, the last contact and, for a restart within the
// same boot, the offset.
//
// A Clock is safe for concurrent use.
package walltime

import (
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"gatecast/internal/durable"
	"gatecast/internal/wire"
)

// Stamp is one reading of the clock, as it stands in a record.
type Stamp struct {
	Wall   time.Time     // UTC, without monotonic reading
	Mono   time.Duration // since the machine's boot
	BootID string
	Level  wire.TimeLevel
	Err    time.Duration // bound of Wall's error; 0 at T0 means unknown
	// Disputed says that a time service disciplines the kernel to a time that
	// contradicts the controller's, and that it is therefore not followed.
	Disputed bool
}

// Step tells that the trusted time jumped or that its level changed.
type Step struct {
	By       time.Duration // forward positive; 0 when only the level changed
	From, To wire.TimeLevel
}

// Comparison is how the clock stood against the controller's.
type Comparison struct {
	Off  time.Duration // this clock minus the controller's
	At   time.Time     // the controller's time then; zero for never
	Span time.Duration // how long this clock had run on its own; 0 while a time service sets it
}

// KernelClock is what the machine knows of time.
type KernelClock interface {
	// BootID is constant for the life of the machine's boot and never
	// repeated by another one.
	BootID() string
	// SinceBoot never steps and counts through suspend.
	SinceBoot() time.Duration
	// Wall is the system's wall clock: a claim.
	Wall() time.Time
	// Synchronised reports whether the kernel's clock is disciplined by a time
	// service, and the bound of its error.
	Synchronised() (ok bool, maxErr time.Duration)
	// Battery reports whether the wall clock was set at boot from a clock that
	// runs on a battery.
	Battery() bool
}

// Options configures a Clock. The zero value is ready to use.
type Options struct {
	// BuildTime is when the program was built; zero means unknown.
	BuildTime time.Time
	// Kernel is the machine's clock; nil means the real one.
	Kernel KernelClock
	// FS is the disk; nil means the real one.
	FS durable.FS
	// Logger receives steps and changes of trust; nil discards them.
	Logger *slog.Logger
}

const (
	// driftPPM bounds the error of a crystal on its own: nine days without an
	// answer are 78 seconds.
	driftPPM = wire.DriftPPM
	// stepLimit separates a step from slewing. The kernel slews by at most
	// 0.5 ms a second.
	stepLimit = 100 * time.Millisecond
	// batteryErr is what a battery clock is believed to within, beside its
	// drift since the floor: while the machine was off, nobody set it.
	batteryErr = 30 * time.Second
	// trustSpan is how far beyond the newest signed evidence an unsigned clock
	// is believed: a gate that long without its controller has no plan left,
	// and a wrong year must not become the floor.
	trustSpan = 400 * 24 * time.Hour
	// slack is how far the issue date of a document may be ahead of trusted
	// time before that trust is given up, and how far a time service may be
	// away from signed time: two honest clocks differ by less.
	slack = time.Minute
	// persistEvery is how often Run writes the floor.
	persistEvery = time.Hour
)

// Clock is the device's time.
type Clock struct {
	kernel  KernelClock    // immutable
	log     *slog.Logger   // immutable
	fs      durable.Volume // immutable
	damaged bool           // immutable
	path    string         // immutable
	bootID  string         // immutable
	steps   chan Step

	mu       sync.Mutex
	offset   time.Duration // wall, as time since 1970, minus time since boot
	level    wire.TimeLevel
	err      time.Duration // at asOf
	asOf     time.Duration // since boot, when offset was last confirmed
	floor    time.Time
	floorAt  time.Duration // since boot, when floor was known to have passed
	signed   anchor        // the controller's time, in this boot
	disputed bool          // the kernel is synchronised, to something else
	evidence time.Time     // newest signed instant, at least the build time
	contact  time.Time     // newest signed instant; zero for none
	compared Comparison    // with the controller's last answer that could be
	saved    saved         // what is on disk
}

// Open restores the clock from dir, which must exist. A file that cannot be
// read as written counts as absent, because build time and documents raise
// the floor again; Damaged tells so.
func Open(dir string, o Options) (*Clock, error) {
	if o.Kernel == nil {
		k, err := newKernel()
		if err != nil {
			return nil, err
		}
		o.Kernel = k
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	c := &Clock{
		kernel: o.Kernel,
		log:    o.Logger.With("component", "walltime"),
		fs:     durable.On(o.FS),
		path:   filepath.Join(dir, fileName),
		bootID: o.Kernel.BootID(),
		steps:  make(chan Step, 16),
	}
	s, err := load(c.fs, c.path)
	if c.damaged = err != nil; c.damaged {
		c.log.Warn("time begins anew from build and documents", "err", err)
	}
	c.start(o.BuildTime, s)
	return c, nil
}

// Damaged reports whether Open found a file that could not be read as written.
func (c *Clock) Damaged() bool { return c.damaged }

// start sets floor, offset and level from what is known before anything is
// heard from outside.
func (c *Clock) start(built time.Time, s saved) {
	boot := c.kernel.SinceBoot()
	c.saved, c.evidence, c.floorAt = s, latest(built, wire.FromUS(s.EvidenceUS)), boot
	c.contact = wire.FromUS(s.ContactUS)
	c.floor = latest(built, wire.FromUS(s.FloorUS))
	c.asOf = boot
	wall := c.kernel.Wall()
	switch {
	case s.BootID != "" && s.BootID == c.bootID && s.Level > wire.T0 && s.MonoUS <= boot.Microseconds():
		c.offset = time.Duration(s.OffsetUS) * time.Microsecond
		c.level = wire.T1
		c.asOf = time.Duration(s.MonoUS) * time.Microsecond
		c.err = time.Duration(s.ErrUS) * time.Microsecond
		c.signed = s.Signed.anchor()
	case s.BootID != c.bootID && c.kernel.Battery() && c.plausible(wall):
		c.offset, c.level, c.err = offsetOf(wall, boot), wire.T1, batteryErr+drift(wall.Sub(c.floor))
	default:
		c.offset = offsetOf(latest(wall, c.floor), boot)
	}
	c.holdFloor(boot)
	c.follow()
	if s.BootID != c.bootID { // what sets the kernel's clock from here on is no battery
		c.persistLocked(boot)
	}
	select { // what happened before the first reader is no step
	case <-c.steps:
	default:
	}
}

// Untrusted reads k without a Clock, for what must be written before one can
// be opened: what the machine claims, at level T0, with the boot and the time
// since it, by which the true time is found later. nil means the real machine.
func Untrusted(k KernelClock) Stamp {
	if k == nil {
		real, err := newKernel()
		if err != nil {
			return Stamp{Wall: time.Now().Round(0).UTC()}
		}
		k = real
	}
	return Stamp{Wall: k.Wall().UTC(), Mono: k.SinceBoot(), BootID: k.BootID()}
}

// Now reads the clock.
func (c *Clock) Now() Stamp {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stamp(c.kernel.SinceBoot())
}

// At returns the process-monotonic instant at which the clock will read, or
// did read, wall. It holds until the next step.
func (c *Clock) At(wall time.Time) time.Time {
	now, read := c.both()
	return now.Add(wall.Sub(read))
}

// Wall is the inverse of At; mono must carry a monotonic reading.
func (c *Clock) Wall(mono time.Time) time.Time {
	now, read := c.both()
	return read.Add(mono.Sub(now))
}

// both reads the process clock and this one at the same instant, as far as a
// scheduler allows: the closest of a few tries.
func (c *Clock) both() (now, wall time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	best := time.Duration(-1)
	for range 4 {
		before := time.Now()
		boot := c.kernel.SinceBoot()
		width := time.Since(before)
		if best < 0 || width < best {
			best, now, wall = width, before.Add(width/2), c.wallAt(boot)
		}
		if best < 20*time.Microsecond {
			break
		}
	}
	return now, wall
}

// Steps yields steps and changes of level. It has one reader, the playout;
// what a slow reader misses is dropped, because a step also shows in Now.
func (c *Clock) Steps() <-chan Step { return c.steps }

// Contact returns the newest instant that the controller signed and this
// device verified, in a document or in an answer; zero for none. It survives a
// restart, and is at most an hour older after a power cut.
func (c *Clock) Contact() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.contact
}

// Compared returns how the clock stood against the controller's at the last
// answer that found it trusted; the zero value where none did in this run.
func (c *Clock) Compared() Comparison {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.compared
}

// Floor returns the instant below which the clock never reads.
func (c *Clock) Floor() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.floor
}

func (c *Clock) wallAt(boot time.Duration) time.Time {
	return time.UnixMicro(0).Add(c.offset + boot).UTC()
}

func (c *Clock) stamp(boot time.Duration) Stamp {
	s := Stamp{Wall: c.wallAt(boot), Mono: boot, BootID: c.bootID, Level: c.level, Disputed: c.disputed}
	if c.level > wire.T0 {
		s.Err = c.errAt(boot)
	}
	return s
}

// errAt returns the error bound at boot: what it was, and the drift since.
func (c *Clock) errAt(boot time.Duration) time.Duration {
	return c.err + drift(boot-c.asOf)
}

// drift bounds by how much a crystal may be wrong after d on its own.
// A part of a nanosecond counts as a whole one.
func drift(d time.Duration) time.Duration {
	const million = 1_000_000
	d = max(0, d)
	return d/million*driftPPM + (d%million*driftPPM+million-1)/million
}

// plausible reports whether an unsigned clock may be believed at all.
func (c *Clock) plausible(wall time.Time) bool {
	if wall.Before(c.floor) {
		return false
	}
	return c.evidence.IsZero() || wall.Before(c.evidence.Add(trustSpan))
}

func offsetOf(wall time.Time, boot time.Duration) time.Duration {
	return wall.Sub(time.UnixMicro(0)) - boot
}

func latest(times ...time.Time) time.Time {
	var newest time.Time
	for _, t := range times {
		if t.After(newest) {
			newest = t
		}
	}
	return newest
}
