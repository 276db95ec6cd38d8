package playout

import (
	"slices"
	"time"

	"gatecast/agent/condition"
	"gatecast/agent/walltime"
	"gatecast/internal/wire"
)

// state belongs to the loop.
type state struct {
	started time.Duration         // since boot, when Run began
	known   time.Time             // plays before this are none of ours: the journal does not reach there
	done    map[wire.PlayID]int64 // settled or begun, and their planned µs
	owed    []wire.Outcome        // that the journal did not take yet
	starts  []time.Time           // of plays, for the ceiling

	plan      *wire.Plan // as last taken; may be older than the one in force
	manifest  *wire.Manifest
	planSince time.Time // when it was taken; zero for the one found at start
	agenda    []entry
	stale     bool      // agenda is that of a stale plan
	from, to  time.Time // what the agenda spans

	trustedSince time.Time               // wall; zero while nothing is trusted
	bootWall     time.Time               // when the machine booted, as known when time became trusted
	runWall      time.Time               // when Run began, likewise
	last         walltime.Stamp          // of the last trusted step
	jumpFrom     time.Time               // the newest forward step
	jumpTo       time.Time               //
	jumpAt       time.Duration           // since boot, when it happened
	late         map[wire.PlayID]refusal // due late when first seen, and why
	waiting      map[wire.PlayID]refusal // due, inside their grace, and what holds them up
	retry        time.Time               // no device is tried before
	gap          time.Time               // no play that cuts in starts before: repeats must not run into each other

	clips   map[string]*clip // decoded ahead: those of the next two plays
	loading bool
	checked time.Time // when the device was last asked
	asking  chan error
}

// maxBehind bounds the skips written in one step, so that after days without
// power the play that is due now does not wait for those that were missed.
const maxBehind = 8

// step settles what is due and returns how long to sleep.
func (e *Engine) step() time.Duration {
	now := e.o.Clock.Now()
	e.writeOwed(now)
	e.checkDevice()
	if now.Disputed {
		e.o.Conditions.Set(condition.ClockDisputed, "")
	} else {
		e.o.Conditions.Clear(condition.ClockDisputed)
	}
	if now.Level < wire.T1 {
		e.s.trustedSince = time.Time{}
		e.o.Conditions.Set(condition.ClockUntrusted, "")
		return time.Second
	}
	e.trust(now)
	e.takePlan(now)
	if e.s.plan == nil {
		e.o.Conditions.Set(condition.NoPlan, "")
		e.s.last = now
		return time.Second
	}
	e.o.Conditions.Clear(condition.NoPlan)
	if e.freshen(now) {
		e.s.last = now
		return 0
	}
	e.tellPlan(now)
	e.span(now)
	more := e.settle(now)
	wake := e.ahead(now)
	e.s.last = now
	if more {
		return 0
	}
	return wake
}

// trust notices that time became trusted, or jumped since the last step.
func (e *Engine) trust(now walltime.Stamp) {
	e.o.Conditions.Clear(condition.ClockUntrusted)
	if e.s.trustedSince.IsZero() {
		e.s.trustedSince = now.Wall
		e.s.bootWall = now.Wall.Add(-now.Mono)
		e.s.runWall = now.Wall.Add(e.s.started - now.Mono)
		if e.s.known.IsZero() {
			// An empty journal, or one that lost its past. What was due since
			// this run began is told: nobody knew the time, but it was here.
			e.s.known = e.s.runWall
		}
	}
	if e.s.last.Wall.IsZero() {
		return
	}
	expected := e.s.last.Wall.Add(now.Mono - e.s.last.Mono)
	if now.Wall.Sub(expected) > time.Second {
		e.s.jumpFrom, e.s.jumpTo, e.s.jumpAt = e.s.last.Wall, now.Wall, now.Mono
	}
}

// takePlan takes a new plan into force, after everything that the old one
// owed by now is settled.
func (e *Engine) takePlan(now walltime.Stamp) {
	p, m, ok := e.o.Plan()
	if !ok {
		e.dropPlan()
		return
	}
	if p == e.s.plan && m == e.s.manifest {
		return
	}
	if e.s.plan != nil {
		e.span(now)
		if e.settle(now) {
			return // the rest in the next step
		}
	}
	e.s.planSince = now.Wall
	e.s.plan, e.s.manifest = p, m
	e.s.agenda, e.s.to = nil, time.Time{}
	e.log.Info("plan taken", "version", p.Version, "slots", len(p.Slots))
	e.dropReplanned(now)
	e.cutRecalled()
}

// dropPlan forgets the plan when there is none any more: the device was
// revoked. What was to come is not settled, because nobody believes it.
func (e *Engine) dropPlan() {
	if e.s.plan == nil {
		return
	}
	e.s.plan, e.s.manifest, e.s.agenda, e.s.to = nil, nil, nil, time.Time{}
	clear(e.s.waiting)
	clear(e.s.late)
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.current != nil {
		e.current.withdraw(errReplanned)
	}
	e.log.Warn("no plan is in force any more")
}

// dropReplanned ends what is being prepared and is not in the plan any more.
// What has begun finishes, at the level of the new plan if that is lower.
func (e *Engine) dropReplanned(now walltime.Stamp) {
	e.span(now)
	e.mu.Lock()
	defer e.mu.Unlock()
	c := e.current
	if c == nil {
		return
	}
	i := slices.IndexFunc(e.s.agenda, func(p entry) bool {
		return p.ID == c.play.ID && p.At.Equal(c.play.At) && (p.Clip == c.play.Clip || c.play.former && p.Before == c.play.Clip)
	})
	switch {
	case i < 0 && c.play.Urgent:
		c.cut(errCancelled) // also what sounds already
	case i < 0:
		c.withdraw(errReplanned)
	}
	// Also what began before the plan was issued, which is not on its agenda.
	s := slices.IndexFunc(e.s.plan.Slots, func(s wire.PlanSlot) bool { return s.ID == c.play.Slot })
	if m, ok := e.s.manifest.Clip(c.play.Clip); ok && s >= 0 && !c.play.standIn() {
		c.fade.turn(gainOf(m, e.s.plan.Slots[s].GainDB, e.s.manifest) - c.gain)
	}
}

// cutRecalled ends what sounds if it may not sound any more: it was recalled,
// or the manifest has it no longer.
func (e *Engine) cutRecalled() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.current == nil {
		return
	}
	sha := e.current.play.Clip
	if _, ok := e.s.manifest.Clip(sha); !ok || slices.Contains(e.s.plan.Recalled, sha) {
		e.current.cancel(errRecalled)
	}
}

// stale reports whether the controller has not been heard for as long as the
// plan allows. A plan is a word of the controller, too.
func (e *Engine) stale(now walltime.Stamp) bool {
	p := e.s.plan
	heard := latest(e.o.Clock.Contact(), wire.FromUS(p.IssuedUS))
	return p.StaleS > 0 && now.Wall.Sub(heard) >= time.Duration(p.StaleS)*time.Second
}

// freshen takes notice that the plan has gone stale, or that the controller
// was heard again, after everything that was due before is settled. It reports
// whether it left work. What has begun finishes.
func (e *Engine) freshen(now walltime.Stamp) (more bool) {
	stale := e.stale(now)
	if stale == e.s.stale {
		return false
	}
	if e.s.agenda != nil {
		e.span(now)
		if e.settle(now) {
			return true
		}
	}
	e.s.stale = stale
	e.s.agenda, e.s.to = nil, time.Time{}
	e.log.Warn("plan's freshness changed", "stale", stale, "last_contact", e.o.Clock.Contact())
	e.dropReplanned(now)
	return false
}

// tellPlan raises what people should know of the plan's end. Missing clips
// are told by whoever fetches them.
func (e *Engine) tellPlan(now walltime.Stamp) {
	left := time.Unix(e.s.plan.HorizonS, 0).Sub(now.Wall)
	over := left <= 0 || e.expired(now.Wall)
	toggle(e.o.Conditions, condition.PlanOver, over, e.s.plan.Point)
	toggle(e.o.Conditions, condition.PlanEnding, !over && left < 7*24*time.Hour, e.s.plan.Point)
	title := ""
	if c, ok := e.s.manifest.Clip(e.s.plan.Default); ok {
		title = c.Title
	}
	toggle(e.o.Conditions, condition.PlanStale, e.s.stale, title)
}

func toggle(c Conditions, code condition.Code, on bool, detail string) {
	if on {
		c.Set(code, detail)
	} else {
		c.Clear(code)
	}
}

// expired reports whether a document in force has expired at wall.
func (e *Engine) expired(wall time.Time) bool {
	us := wire.US(wall)
	return e.s.plan.ExpiresUS != 0 && us >= e.s.plan.ExpiresUS || e.s.manifest.ExpiresUS != 0 && us >= e.s.manifest.ExpiresUS
}

// maxGrace is the longest grace that a plan may give (agent/plan holds it).
const maxGrace = 6 * time.Hour

// span expands the plays around now. What the plan says of the time before it
// was issued, or before the journal's memory, is not owed by this device.
func (e *Engine) span(now walltime.Stamp) {
	if !e.s.to.IsZero() && now.Wall.Add(time.Hour).Before(e.s.to) && !now.Wall.Before(e.s.from) {
		return
	}
	// What cuts in is owed from its own start: the plan that brings it may be a
	// later one than the first that had it.
	urgent := latest(time.Unix(e.s.plan.FromS, 0), e.s.known)
	owed := latest(urgent, wire.FromUS(e.s.plan.IssuedUS))
	if !e.s.last.Wall.IsZero() && e.s.agenda != nil {
		owed = latest(owed, earliest(e.s.last.Wall, now.Wall).Add(-maxGrace))
	}
	e.s.from, e.s.to = earliest(owed, now.Wall), now.Wall.Add(agendaSpan)
	e.s.agenda = expand(e.s.plan, urgent, owed, e.s.to, e.s.stale)
	if e.s.agenda == nil {
		e.s.agenda = []entry{}
	}
	oldest := wire.US(now.Wall.Add(-60 * 24 * time.Hour))
	for id, planned := range e.s.done {
		if planned < oldest && planned < wire.US(owed) {
			delete(e.s.done, id)
		}
	}
}

func latest(times ...time.Time) time.Time { return slices.MaxFunc(times, time.Time.Compare) }

func earliest(times ...time.Time) time.Time { return slices.MinFunc(times, time.Time.Compare) }

// settle goes over the plays that are due: it skips those that can never
// sound and starts the one that still can. It reports whether it left work.
func (e *Engine) settle(now walltime.Stamp) (more bool) {
	var due []*entry
	skips := 0
	for i := range e.s.agenda {
		p := &e.s.agenda[i]
		if p.At.After(now.Wall) {
			break
		}
		if _, ok := e.s.done[p.ID]; ok || e.isCurrent(p.ID) {
			continue
		}
		if p.latest().Before(now.Wall) {
			if e.jumped(p) && now.Mono-e.s.jumpAt < jumpWait {
				continue
			}
			if skips++; skips > maxBehind {
				return true
			}
			e.skip(now, p, e.why(p))
			continue
		}
		if _, seen := e.s.late[p.ID]; !seen && now.Wall.Sub(p.At) > minGrace {
			e.s.late[p.ID] = e.why(p)
		}
		due = append(due, p)
	}
	if len(due) == 0 {
		return false
	}
	due, urgent := urgentFirst(e.newestOfSlot(now, due))
	if e.busy() {
		e.makeWay(now, urgent, due)
		return false
	}
	if urgent && time.Now().Before(e.s.gap) {
		return false
	}
	for _, p := range due {
		if e.startLate(now, p) {
			break
		}
	}
	return false
}

// jumpWait is how long the plays that a forward step jumped over stay open: a
// time service that is wrong for a moment must not cost a day's slots.
const jumpWait = 2 * time.Minute

// jumped reports whether the newest forward step went over p's instant.
func (e *Engine) jumped(p *entry) bool {
	return p.At.After(e.s.jumpFrom) && !p.At.After(e.s.jumpTo)
}

// newestOfSlot keeps the newest due play of each slot and skips the others:
// what was missed is not made up in a burst.
func (e *Engine) newestOfSlot(now walltime.Stamp, due []*entry) []*entry {
	newest := make(map[wire.SlotID]*entry)
	for _, p := range due {
		newest[p.Slot] = p
	}
	return slices.DeleteFunc(due, func(p *entry) bool {
		if newest[p.Slot] == p || p.Urgent {
			return false
		}
		e.skip(now, p, e.why(p))
		return true
	})
}

// startLate starts a due play now, if everything about it holds. It reports
// whether it did.
func (e *Engine) startLate(now walltime.Stamp, p *entry) bool {
	start := now.Wall.Add(lateLead + e.o.LeadIn)
	c, ready := e.consider(now, p, start)
	if !ready {
		return false
	}
	if late := now.Wall.Sub(p.At); late > minGrace && !p.Urgent {
		if next := e.next(now.Wall); next != nil && start.Add(length(c)).After(next.At) {
			e.skip(now, p, e.why(p))
			return false
		}
	}
	e.perform(p, c, false)
	return true
}

// consider looks at everything that can stand against p at start. What never
// goes away settles p; what may, is remembered for the day its grace is over.
func (e *Engine) consider(now walltime.Stamp, p *entry, start time.Time) (wire.ManifestClip, bool) {
	c, r, ok := permitted(e.s.manifest, p.Clip, start, e.s.starts)
	if ok {
		r, ok = approved(e.s.plan, c, start)
	}
	if e.silenced(now.Wall) {
		r, ok = refusal{wire.ReasonMuted, errMuted.Error()}, false
	}
	if ok && e.expired(now.Wall) {
		r, ok = refusal{wire.ReasonOther, "plan or manifest has expired"}, false
	}
	if !ok {
		if !p.At.After(now.Wall) {
			e.skip(now, p, r)
		}
		return c, false
	}
	if !p.Urgent && e.cutsIn(now, start.Add(length(c))) {
		if !p.At.After(now.Wall) {
			e.s.waiting[p.ID] = refusal{wire.ReasonPreempted, errPreempted.Error()}
		}
		return c, false
	}
	if now.Level < e.s.plan.NeedLevel {
		e.s.waiting[p.ID] = refusal{wire.ReasonClock, "time is not trusted as far as the point demands"}
		return c, false
	}
	if r, ok := e.ready(c); !ok {
		if b, ok := e.former(p, start, r); ok {
			return b, !time.Now().Before(e.s.retry)
		}
		if !p.At.After(now.Wall) && r != (refusal{}) {
			e.s.waiting[p.ID] = r
		}
		return c, false
	}
	return c, !time.Now().Before(e.s.retry)
}

// former returns the clip that sounds in p while the planned one cannot be
// read, for reason r. It must hold for everything that the planned one must;
// p goes on asking for the planned one until a play begins.
func (e *Engine) former(p *entry, start time.Time, r refusal) (wire.ManifestClip, bool) {
	if p.Before == "" || r == (refusal{}) {
		return wire.ManifestClip{}, false
	}
	c, _, ok := permitted(e.s.manifest, p.Before, start, e.s.starts)
	if ok {
		_, ok = approved(e.s.plan, c, start)
	}
	if ok {
		_, ok = e.ready(c)
	}
	return c, ok
}

// next returns the first play after wall that is not settled, nil for none
// within the agenda.
func (e *Engine) next(wall time.Time) *entry {
	for i := range e.s.agenda {
		p := &e.s.agenda[i]
		if _, ok := e.s.done[p.ID]; !ok && p.At.After(wall) {
			return p
		}
	}
	return nil
}

// ahead prepares the plays to come and returns how long to sleep.
func (e *Engine) ahead(now walltime.Stamp) time.Duration {
	wake := time.Second
	var keep []string
	p := e.next(now.Wall)
	for n := 0; p != nil && n < 2; n++ {
		left := p.At.Sub(now.Wall)
		if left > loadLead+e.o.LeadIn {
			wake = min(wake, left-loadLead-e.o.LeadIn)
			break
		}
		keep = append(keep, p.Clip, p.Before)
		c, ready := e.consider(now, p, p.At)
		if lead := prepareLead + e.o.LeadIn; n == 0 && ready && !e.busy() {
			if left <= lead {
				e.perform(p, c, true)
			} else {
				wake = min(wake, left-lead)
			}
		}
		wake = min(wake, left)
		p = e.next(p.At)
	}
	e.dropClips(keep)
	return max(wake, time.Millisecond)
}

// why names the reason of a play that is seen too late.
func (e *Engine) why(p *entry) refusal {
	if r, ok := e.s.waiting[p.ID]; ok {
		return r
	}
	if r, ok := e.s.late[p.ID]; ok {
		return r
	}
	switch {
	case e.jumped(p):
		return refusal{wire.ReasonClock, "the clock stepped over the play"}
	case p.At.Before(e.s.planSince):
		return refusal{wire.ReasonOffline, "the plan arrived after the play"}
	case p.At.Before(e.s.bootWall):
		return refusal{wire.ReasonPower, "the device was without power"}
	case p.At.Before(e.s.runWall):
		return refusal{wire.ReasonExit, "the agent was not running"}
	case p.At.Before(e.s.trustedSince):
		return refusal{wire.ReasonClock, "time was not trusted yet"}
	}
	return refusal{wire.ReasonOther, "the agent was held up"}
}

// skip settles a play that does not sound. While the journal does not take
// the outcome the play stays open, with its reason.
func (e *Engine) skip(now walltime.Stamp, p *entry, r refusal) {
	out := wire.Outcome{
		Play: p.ID, Slot: p.Slot, Plan: p.plan, Clip: p.planned, PlannedUS: wire.US(p.At),
		Result: wire.PlaySkipped, Reason: r.reason, Detail: r.detail,
	}
	if _, err := e.o.Journal.Append(wire.RecordOutcome, now, out); err != nil {
		e.journalFault(err)
		e.s.waiting[p.ID] = r
		return
	}
	e.o.Conditions.Clear(condition.JournalFault)
	e.log.Warn("play skipped", "play", p.ID, "reason", r.reason, "detail", r.detail)
	e.settled(p.ID, p.At)
}

func (e *Engine) settled(id wire.PlayID, planned time.Time) {
	e.s.done[id] = wire.US(planned)
	delete(e.s.waiting, id)
	delete(e.s.late, id)
}

// recordStep writes what the clock did. Steps below a second change no play,
// and a kernel that gains and loses its time service by the minute is not
// worth the card: every record carries the level anyway.
func (e *Engine) recordStep(s walltime.Step) {
	if s.By.Abs() < time.Second && (s.From == wire.T0) == (s.To == wire.T0) {
		return
	}
	body := wire.ClockStep{StepUS: s.By.Microseconds(), From: s.From, To: s.To}
	if _, err := e.o.Journal.Append(wire.RecordClock, e.o.Clock.Now(), body); err != nil {
		e.journalFault(err)
	}
}

// writeOwed writes the outcomes that the journal did not take before.
func (e *Engine) writeOwed(now walltime.Stamp) {
	for len(e.s.owed) > 0 {
		if _, err := e.o.Journal.Append(wire.RecordOutcome, now, e.s.owed[0]); err != nil {
			e.journalFault(err)
			return
		}
		e.s.owed = e.s.owed[1:]
		e.o.Conditions.Clear(condition.JournalFault)
	}
}

func (e *Engine) journalFault(err error) {
	e.log.Error("journal does not take records", "err", err)
	e.o.Conditions.Set(condition.JournalFault, err.Error())
}
