package simulate

import (
	"math"
	"strings"
	"sync"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// truth is what happened, as far as records and verdicts can be held against
// it.
type truth struct {
	w *World

	mu       sync.Mutex
	sounded  map[owedKey]map[wire.PlayID]time.Duration // not muted, longest sounding of each play
	first    map[owedKey]time.Time                     // when a slot began to sound
	harms    map[fleet.PointID][]harm
	silences map[fleet.PointID][]harm     // when a point may have been silent by order
	seen     map[owedKey]fleet.Obligation // every obligation that was ever written and had begun
	looked   time.Time                    // when the ledger was looked at last
	changed  time.Time                    // when people last changed what is owed
	moved    time.Time                    // when a device last came to a gate or left it
	restored bool                         // an old backup was put back
}

type owedKey struct {
	point fleet.PointID
	slot  wire.SlotID
}

func newTruth(w *World) *truth {
	return &truth{
		w: w, sounded: map[owedKey]map[wire.PlayID]time.Duration{}, harms: map[fleet.PointID][]harm{}, silences: map[fleet.PointID][]harm{}, first: map[owedKey]time.Time{},
		seen: map[owedKey]fleet.Obligation{},
	}
}

// slotOf returns the slot of a play: its id without the number.
func slotOf(p wire.PlayID) wire.SlotID {
	slot, _, _ := strings.Cut(string(p), "#")
	return wire.SlotID(slot)
}

// heard takes what a card sounded. It holds it against I1, I2, I7 and I8.
func (w *World) heard(s sound) {
	d := s.dev
	w.trace.event(d.name, "sounded %q clip %d, %.1f dB at %d %%, %s of %s, muted %t", s.play, s.clip, s.gain, s.volume, s.length.Round(time.Millisecond), s.whole.Round(time.Millisecond), s.muted)
	w.mu.Lock()
	w.stats.Sounds++
	w.mu.Unlock()
	c := w.ceilings
	if s.volume > c.MaxVolumePct {
		w.brokenBy(d, "I8", "sounded at %d %% of the mixer, the ceiling is %d %%", s.volume, c.MaxVolumePct)
	}
	if s.length > 0 && d.watch.hushed(s.start) {
		w.brokenBy(d, "I8", "sounded %q while it said that it is silent by order", s.play)
	}
	if s.play != "" {
		if s.clip < 0 {
			w.brokenBy(d, "I1", "play %q sounded samples of no approved clip", s.play)
		}
		// Half a decibel for the limiter and the way of measuring.
		if s.gain > c.MaxGainDB+0.5 {
			w.brokenBy(d, "I1", "play %q sounded %.1f dB amplified, the ceiling is %.1f dB", s.play, s.gain, c.MaxGainDB)
		}
		if s.length > 0 && d.watch.sounded(s.play) {
			w.brokenBy(d, "I2", "play %q sounded twice", s.play)
		}
		w.checkHours(s)
	}
	if knew := d.watch.deaf(s.start); knew > toKnow && s.length > 0 {
		w.brokenBy(d, "I7", "sounded %q, %s after it could know that it was revoked", s.play, knew.Round(time.Second))
	}
	if _, gone := d.watch.ousted(); s.play == "" || s.muted || gone {
		return // what a revoked device sounds does not count
	}
	t := w.truth
	k := owedKey{d.point, slotOf(s.play)}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.sounded[k] == nil {
		t.first[k] = s.start
		t.sounded[k] = map[wire.PlayID]time.Duration{}
	}
	t.sounded[k][s.play] = max(t.sounded[k][s.play], s.length)
}

// checkHours holds a sound against the hours of I8 in true time. A device may
// be wrong by the error that it states, and a second for its loop; at T0 it
// must be silent. A time service that lies is believed by design, so a device
// under one is not judged.
func (w *World) checkHours(s sound) {
	d := s.dev
	if s.stamp.Level == wire.T0 {
		w.brokenBy(d, "I8", "play %q sounded while nothing was known of the time", s.play)
		return
	}
	if d.watch.misled() {
		return
	}
	if off := s.stamp.Wall.Sub(s.start).Abs(); off > s.stamp.Err+50*time.Millisecond {
		w.brokenBy(d, "I8", "the clock was wrong by %s and stated an error of %s", off, s.stamp.Err)
	}
	slack := s.stamp.Err + time.Second
	if !w.allowed(s.start.Add(slack)) && !w.allowed(s.start.Add(-slack)) {
		w.brokenBy(d, "I8", "play %q sounded at %s", s.play, s.start.In(w.zone()).Format("15:04:05"))
	}
}

func (w *World) zone() *time.Location {
	z, err := time.LoadLocation(w.ceilings.Zone)
	if err != nil {
		return time.UTC
	}
	return z
}

// allowed reports whether the ceilings let anything sound at t.
func (w *World) allowed(t time.Time) bool {
	at := t.In(w.zone())
	minute := at.Hour()*60 + at.Minute()
	for _, r := range w.ceilings.Allowed {
		if r.FirstMin <= minute && minute < r.LastMin {
			return true
		}
	}
	return false
}

// toKnow is how long a device that was revoked may take to hear of it while it
// can: it asks the device port after two minutes without a session, and the
// network is looked at here every ten.
const toKnow = 15 * time.Minute

// share returns how much of an obligation sounded in truth, 0 to 1.
func (t *truth) share(o fleet.Obligation) float64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	var sum time.Duration
	for _, d := range t.sounded[owedKey{o.Point, o.Slot}] {
		sum += d
	}
	if o.PlannedMS == 0 {
		return 0
	}
	return math.Min(1, float64(sum.Milliseconds())/float64(o.PlannedMS))
}

// harm is a reason why less may be known of what a point does than sounded.
type harm struct {
	from, to time.Time
	why      string
}

// harm notes that less may be known from now on, for that long, about what
// sounds where d stands: an under-claim is then no lie.
func (t *truth) harm(d *device, long time.Duration, why string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.harms[d.point] = append(t.harms[d.point], harm{time.Now().Add(-time.Minute), time.Now().Add(long + time.Minute), why})
}

// harmed returns the reason why an under-claim about o is no lie, empty for
// none.
func (t *truth) harmed(o fleet.Obligation) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, h := range t.harms[o.Point] {
		if h.from.Before(o.End.Add(time.Minute)) && h.to.After(o.Start) {
			return h.why
		}
	}
	return ""
}
