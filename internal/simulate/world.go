package simulate

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// World is one simulated office with its gates.
type World struct {
	o      Options
	dice   streams
	trace  *trace
	agenda *agenda
	net    *network
	office *office
	sounds *sounds
	truth  *truth
	wg     sync.WaitGroup // of programs on devices and of people's calls

	start    time.Time // of the simulation
	calm     time.Time // when the last fault is over
	built    time.Time // of the agent
	ceilings wire.Ceilings
	points   []fleet.PointID // by number of the gate
	versions int             // of the programme

	mu       sync.Mutex
	devices  []*device
	ids      map[wire.DeviceID]*device
	atSealed int // kill the office at this sealing from now; 0 for none
	fault    *Violation
	stats    Stats
}

// Stats is what happened in a run.
type Stats struct {
	Events   int
	Sounds   int // plays and tones that came out of loudspeakers
	Owed     int // obligations whose slot has ended
	Played   int // of them settled as played
	Faults   int // that were injected
	Restarts int // of the controller
}

// Result is what a run found.
type Result struct {
	Seed      uint64
	Hash      string        // of everything that happened
	Lived     time.Duration // of all devices together
	Stats     Stats
	Violation *Violation // nil when every invariant held
}

// Violation is a broken promise with its story.
type Violation struct {
	Rule  string // I1 to I8, or what else failed
	What  string
	At    time.Time
	Story []string // the newest events of those concerned
}

// Error implements error.
func (v *Violation) Error() string {
	return fmt.Sprintf("%s at %s: %s", v.Rule, v.At.UTC().Format("2006-01-02 15:04:05"), v.What)
}

// epoch is where virtual time goes before anything happens, so that
// certificates, calendars and floors are those of the product's first year.
var epoch = time.Date(2026, 1, 10, 0, 0, 0, 0, time.UTC)

// startDays is how many days of 2026 a run may begin on: the calendar ends
// with the year, and the longest run with its settling is 62 days.
const startDays = 280

// settling is how long a run goes on after the last fault: more than a day,
// so that each slot comes once without trouble.
const settling = 26 * time.Hour

// Run simulates one world in the present bubble and returns what it found. The
// error is for what keeps the simulation itself from running.
func Run(o Options) (res Result, err error) {
	if err := o.Validate(); err != nil {
		return res, err
	}
	defer collectBetween()()
	base, err := os.MkdirTemp(scratch(o.Scratch), "gatecast-sim-")
	if err != nil {
		return res, fmt.Errorf("making a folder for the controller: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(base)) }()
	w, err := newWorld(o, base)
	if err != nil {
		return res, err
	}
	defer w.end()
	if err := w.populate(); err != nil {
		return res, err
	}
	w.plot()
	end := w.calm.Add(settling)
	if w.live(end); w.planning() {
		w.live(end.Add(2 * time.Minute))
	}
	hash := w.trace.hash()
	w.judge()
	res = w.result()
	res.Hash = hash
	return res, nil
}

// scratch returns a folder in memory, if the machine has one with room.
func scratch(dir string) string {
	if dir != "" {
		return dir
	}
	var st syscall.Statfs_t
	if syscall.Statfs("/dev/shm", &st) == nil && st.Bavail*uint64(st.Bsize) > 256<<20 {
		return "/dev/shm"
	}
	return ""
}

func newWorld(o Options, base string) (*World, error) {
	w := &World{o: o, dice: streams(o.Seed), trace: newTrace(o.Trace), agenda: newAgenda(), ids: map[wire.DeviceID]*device{}}
	r := w.dice.of("world")
	begin := o.Start
	day := r.IntN(startDays)
	if begin.IsZero() {
		begin = epoch.AddDate(0, 0, day).Add(between(r, 0, 24*time.Hour))
	}
	time.Sleep(time.Until(begin))
	w.start, w.built = time.Now(), epoch.AddDate(0, -1, 0)
	w.calm = w.start.Add(time.Duration(o.Days) * 24 * time.Hour)
	w.truth = newTruth(w)
	w.net = newNetwork(w)
	var err error
	if w.sounds, err = newSounds(w.dice.of("sounds")); err != nil {
		return nil, err
	}
	if w.ceilings, err = drawCeilings(w.dice.of("ceilings")); err != nil {
		return nil, err
	}
	w.office, err = newOffice(context.Background(), w, base)
	return w, err
}

// populate enrols a device at each gate and puts a programme in force.
func (w *World) populate() error {
	ctx := context.Background()
	if err := w.activate(ctx); err != nil {
		return err
	}
	r := w.dice.of("enrolment")
	for i, p := range w.points {
		d, err := w.install(ctx, p)
		if err != nil {
			return err
		}
		w.agenda.add(w.start.Add(time.Duration(i+1)*time.Second+between(r, 0, time.Second)), d.boot)
	}
	return nil
}

// activate writes the next version of the programme and puts it in force.
func (w *World) activate(ctx context.Context) error {
	yaml := programme(w.dice.of(fmt.Sprintf("programme %d", w.versions)), w.versions)
	w.versions++
	return w.office.activate(ctx, yaml)
}

// install makes a new device for a point. It is off.
func (w *World) install(ctx context.Context, p fleet.PointID) (*device, error) {
	line, err := w.office.joinLine(ctx, p, w.dice.of(fmt.Sprintf("code %d", len(w.devices))))
	if err != nil {
		return nil, err
	}
	d, err := w.newDevice(p, line)
	if err == nil {
		w.lookAgain(d)
	}
	return d, err
}

// live lets the world go on until end, or until a promise breaks.
func (w *World) live(end time.Time) {
	w.agenda.run(end, func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.fault != nil
	})
}

// end stops everything, so that no goroutine is left.
func (w *World) end() {
	for _, d := range w.devices {
		d.takeAway()
	}
	if c := w.office.present(); c != nil {
		w.office.mu.Lock()
		w.office.in = nil
		w.office.mu.Unlock()
		w.net.officeGone()
		w.office.end(c)
	}
	w.wg.Wait()
}

// broken notes the first broken promise; who is concerned tells its story.
func (w *World) broken(rule, format string, args ...any) { w.brokenBy(nil, rule, format, args...) }

func (w *World) brokenBy(d *device, rule, format string, args ...any) {
	who := []string{"office"}
	if d != nil {
		who = append(who, d.name)
	}
	v := &Violation{Rule: rule, What: fmt.Sprintf(format, args...), At: time.Now(), Story: w.trace.story(who...)}
	if d != nil {
		v.What = d.name + ": " + v.What
	}
	w.trace.note("world", "%s: %s", v.Rule, v.What)
	w.mu.Lock()
	if w.fault == nil {
		w.fault = v
	}
	w.mu.Unlock()
	w.agenda.add(time.Now(), func() {})
}

func (w *World) result() Result {
	w.mu.Lock()
	defer w.mu.Unlock()
	r := Result{Seed: w.o.Seed, Stats: w.stats, Violation: w.fault}
	r.Stats.Events = w.trace.events
	r.Lived = time.Duration(w.o.Devices) * time.Since(w.start)
	return r
}

// has reports whether the run has faults of that kind.
func (w *World) has(f Fault) bool {
	return strings.Contains(","+JoinFaults(w.o.Faults)+",", ","+string(f)+",")
}

func (w *World) addDevice(d *device) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.devices = append(w.devices, d)
	w.ids[d.id] = d
}

// byID returns the device of that name, nil for none.
func (w *World) byID(id wire.DeviceID) *device {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.ids[id]
}

// atSeal is called when the planner is about to sign a plan: the obligations
// of the next hours are written, the plan is not.
func (w *World) atSeal(c *controller) {
	w.mu.Lock()
	now := w.atSealed == 1
	if w.atSealed > 0 {
		w.atSealed--
	}
	w.mu.Unlock()
	if !now || w.office.present() != c {
		return
	}
	dir, err := w.office.snapshot()
	if err != nil {
		w.broken("the simulator", "copying the database: %v", err)
		return
	}
	// What the dying run still writes goes into the old folder. The kill
	// itself is an event of its own: this goroutine is the one that dies.
	w.agenda.add(time.Now(), func() { w.office.killedWith(c, dir) })
}
