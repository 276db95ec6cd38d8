package ledger

import (
	"cmp"
	"slices"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// Grace is how long after its end a slot waits for outcomes: devices report
// within a minute, and one that lost its connection has time to come back.
const Grace = 15 * time.Minute

// enoughPct is the share of the planned sounding time that counts as played.
const enoughPct = 80

// DeviceView is what is known of the device that was to play a slot. The zero
// value says that there was none.
type DeviceView struct {
	ID      wire.DeviceID
	Bound   bool // a device was bound to the point before the slot ended
	Gone    bool // it was replaced or revoked since: nothing more will come
	Online  bool
	HasPlan bool

	// ReportedTo is the instant up to which all that the device wrote is
	// committed, by its own count of records; zero if that is not known.
	ReportedTo time.Time

	// Outages are times at which it provably did not run.
	Outages []Outage

	// Silenced says that the plays which were silent by order were so by an
	// approved one.
	Silenced bool

	// Unclear are times of which nobody can tell any more.
	Unclear []Unclear
}

// Unclear is a time about which evidence is missing for good.
type Unclear struct {
	From, To time.Time   // To zero means to this day
	Reason   wire.Reason // lost: records of it are; replanned: the plan in force is not known
}

// Outage is a time without a running agent.
type Outage struct {
	From, To time.Time
	Reason   wire.Reason // power, or exit where only the program had ended
}

// Decide settles one obligation by its evidence. It is a pure function of the
// set of outcomes: order and repetition do not matter. The result's verdict
// is one of
//
//	Due      it is too early: plays are missing, and End + Grace has not come
//	Exempt   planned so, whatever the evidence; or all that did not sound whole
//	         was silenced by an approved order (全部静音), reason muted, or gave
//	         way to an emergency broadcast (让位应急广播), reason yielded
//	Played   at least 80 % of the planned time sounded; grade B. The default
//	         clip of a stale plan counts as the share of its slot that it stood
//	         in for, and Note says so
//	Pending  less, and what is missing may still be reported; grade D if the
//	         device has a plan
//	Doubt    less, and some plays ended without provable sound, or what they
//	         did is not known any more (lost, replanned); grade D
//	Partial  less, but some sounded; grade B, or D where a play was cut off and
//	         nobody knows how much of it had sounded
//	Missed   nothing sounded, and nothing more will be reported
//
// Missed, Doubt and Partial carry the most telling reason. A device that is
// merely offline is Pending for as long as it stays away.
//
// Evidence that is lost for good settles, too, or the slot would be pending
// for ever: with plays unaccounted for, a slot whose records were written in a
// time that a gap of the journal covers is Doubt with reason lost, because
// they may have sounded; unless the device had no power through the whole
// slot, which is known. After a restore from a backup, a slot that the device
// wrote nothing at all about while it obeyed a plan which that backup does not
// have is Doubt with reason replanned: it may not have been owed.
//
// What people heard, in any order, is evidence beside that of the device and
// never more than it:
//
//   - A person who did not hear a play that the device says sounded while they
//     listened makes Played and Partial a Doubt, grade C, reason silent. It
//     holds against any other person who heard something.
//   - A person who heard the point settles only what no device tells of: with
//     no outcome at all, where no device was bound, it is gone, its report may
//     still come, or its records are lost. The slot is Played, grade C, if the
//     times listened cover 80 % of it, otherwise Partial, grade C. Where the
//     device's journal is whole, it decides, and nothing heard makes Missed
//     Played.
func Decide(o fleet.Obligation, outcomes []wire.Outcome, dev DeviceView, now time.Time, seen ...fleet.Observation) fleet.Settlement {
	d := fleet.Settlement{
		Point: o.Point, Day: o.Day, Slot: o.Slot, Verdict: fleet.Due, Device: dev.ID,
	}
	if o.Verdict == fleet.Exempt {
		d.Verdict, d.Reason, d.Note, d.Demo, d.Device = fleet.Exempt, o.Reason, o.Note, o.Demo, ""
		return d
	}
	t := tallyOf(o, outcomes)
	d.PlaysOK, d.SoundMS, d.Demo = t.whole, t.soundMS, t.demo
	if t.standIns > 0 {
		d.Note = fleet.NoteDefaultClip
	}
	if unplayable(o) && len(t.plays) == 0 {
		d.Note = fleet.NoteNoClip
	}
	all := o.Plays > 0 && len(t.plays) >= o.Plays
	if !all && now.Before(o.End.Add(Grace)) {
		return d
	}
	switch final := all || !dev.Bound || dev.Gone || dev.reported(o); {
	case t.enough(o):
		d.Verdict, d.Grade = fleet.Played, fleet.GradeB
	case all && t.excuse(dev.Silenced) != "":
		d.Verdict, d.Reason = fleet.Exempt, t.excuse(dev.Silenced)
		if d.Note = fleet.NoteMuted; d.Reason == wire.ReasonYielded {
			d.Note = fleet.NoteYielded
		}
	case !final:
		d.Verdict = fleet.Pending
		if dev.HasPlan {
			d.Grade = fleet.GradeD
		}
	case !all && dev.unclear(o, len(t.plays)) != "":
		d.Verdict, d.Grade, d.Reason = fleet.Doubt, fleet.GradeD, dev.unclear(o, len(t.plays))
	case t.doubts > 0:
		d.Verdict, d.Grade, d.Reason = fleet.Doubt, fleet.GradeD, t.reason(o, dev, true)
	case t.cut > 0 && t.soundMS == 0 && t.whole == 0:
		d.Verdict, d.Grade, d.Reason = fleet.Partial, fleet.GradeD, t.reason(o, dev, false)
	case t.soundMS > 0 || t.whole > 0:
		d.Verdict, d.Grade, d.Reason = fleet.Partial, fleet.GradeB, t.reason(o, dev, false)
	default:
		d.Verdict, d.Reason = fleet.Missed, t.reason(o, dev, false)
	}
	return weigh(o, t, dev, d, seen)
}

// reported reports whether everything that the device wrote about o is
// committed. A play that begins just before the end lasts no longer than all
// plays together; a minute is for late starts and for messages on the way.
func (v DeviceView) reported(o fleet.Obligation) bool { return !v.ReportedTo.Before(written(o)) }

// written is when a device that runs has written everything about o.
func written(o fleet.Obligation) time.Time {
	longest := min(time.Duration(o.PlannedMS)*time.Millisecond, 10*time.Minute)
	return o.End.Add(longest + time.Minute)
}

// unclear returns why nobody can tell about plays of o that were never
// reported, of which there are some; empty when the evidence is whole.
// reported is how many were.
func (v DeviceView) unclear(o fleet.Obligation, reported int) wire.Reason {
	out := false
	for _, a := range v.Outages {
		if !a.From.After(o.Start) && !a.To.Before(o.End) {
			return ""
		}
		out = out || a.From.Before(o.End) && a.To.After(o.Start)
	}
	var why wire.Reason
	for _, u := range v.Unclear {
		if !u.From.Before(written(o)) || !u.To.IsZero() && !u.To.After(o.Start) {
			continue
		}
		if u.Reason == wire.ReasonLost {
			return u.Reason
		}
		if reported == 0 && !out {
			why = u.Reason
		}
	}
	return why
}

// tally is the evidence of one slot, each play counted once, with SoundMS as
// far as it is proved.
type tally struct {
	plays   map[wire.PlayID]wire.Outcome
	whole   int
	doubts  int
	cut     int // sounded in part, perhaps unknown how much
	soundMS int64
	demo    bool

	countedMS int64 // of the planned time
	standIns  int   // sounded, with the default clip of a stale plan
}

func tallyOf(owed fleet.Obligation, outcomes []wire.Outcome) tally {
	t := tally{plays: map[wire.PlayID]wire.Outcome{}}
	for _, o := range outcomes {
		o.SoundMS = sounded(owed, o)
		if old, ok := t.plays[o.Play]; !ok || stronger(o, old) {
			t.plays[o.Play] = o
		}
	}
	for _, o := range t.plays {
		t.soundMS += o.SoundMS
		t.countedMS += counted(owed, o)
		if o.Default && o.SoundMS > 0 {
			t.standIns++
		}
		switch o.Result {
		case wire.PlayPlayed:
			t.whole++
		case wire.PlayDoubt:
			t.doubts++
		case wire.PlayPartial:
			t.cut++
		}
		t.demo = t.demo || o.Demo && o.SoundMS > 0
	}
	return t
}

// sounded is the time that an outcome proves, never more than its clip. A play
// that was cut by a power failure does not say how long its clip is: it counts
// for no more than the mean of the slot.
func sounded(owed fleet.Obligation, o wire.Outcome) int64 {
	clip := o.ClipMS
	if clip <= 0 && owed.Plays > 0 {
		clip = owed.PlannedMS / int64(owed.Plays)
	}
	switch {
	case o.Result == wire.PlayPlayed && o.ClipMS > 0:
		return o.ClipMS
	case o.Result == wire.PlayPlayed || o.Result == wire.PlayPartial:
		return max(min(o.SoundMS, clip), 0)
	}
	return 0
}

// counted is the part of the planned time that o, with its proved SoundMS,
// stands for. A default clip, and one that was to be replaced, is as long as it
// is: whole, it stands for the play that it sounded in.
func counted(owed fleet.Obligation, o wire.Outcome) int64 {
	if !o.Default && !o.Before || o.ClipMS <= 0 || owed.Plays <= 0 {
		return o.SoundMS
	}
	return min(o.SoundMS, o.ClipMS) * (owed.PlannedMS / int64(owed.Plays)) / o.ClipMS
}

// strength orders what outcomes prove; results of later protocols prove nothing.
var strength = map[wire.PlayResult]int{
	wire.PlayPlayed: 4, wire.PlayPartial: 3, wire.PlayDoubt: 2, wire.PlayFailed: 1,
}

// stronger reports whether a proves more than b of the same play; between
// equals the choice depends on their contents only.
func stronger(a, b wire.Outcome) bool {
	return cmp.Or(
		cmp.Compare(strength[a.Result], strength[b.Result]),
		cmp.Compare(a.SoundMS, b.SoundMS),
		cmp.Compare(telling(a.Reason), telling(b.Reason)),
		cmp.Compare(a.StartedUS, b.StartedUS),
		cmp.Compare(a.Reason, b.Reason), // none, "other" and one of a later version tell the same, and are not
	) > 0
}

// excuse returns why no play of the slot is held against anybody: every one
// that did not sound whole was silenced by order, which counts where that order
// is approved, or gave way to an emergency broadcast. It is the latter where
// both are true, and empty where some play has another reason, or all sounded.
func (t tally) excuse(silenced bool) wire.Reason {
	var why wire.Reason
	for _, p := range t.plays {
		switch {
		case p.Result == wire.PlayPlayed:
		case p.Reason == wire.ReasonYielded:
			why = wire.ReasonYielded
		case p.Reason != wire.ReasonMuted || !silenced:
			return ""
		case why == "":
			why = wire.ReasonMuted
		}
	}
	return why
}

func (t tally) enough(o fleet.Obligation) bool {
	if o.PlannedMS > 0 {
		return t.countedMS*100 >= o.PlannedMS*enoughPct
	}
	return o.Plays > 0 && t.whole*100 >= o.Plays*enoughPct
}

// reasons in the order in which they tell people what to do; an unknown
// reason tells as much as ReasonOther.
var reasons = []wire.Reason{
	wire.ReasonOther, wire.ReasonOffline, wire.ReasonQuiet, wire.ReasonStopped, wire.ReasonMuted, wire.ReasonPreempted, wire.ReasonYielded,
	wire.ReasonNotInstalled, wire.ReasonExit, wire.ReasonClock, wire.ReasonPower, wire.ReasonDevice, wire.ReasonSilent, wire.ReasonClipMissing, wire.ReasonHash,
}

func telling(r wire.Reason) int { return max(slices.Index(reasons, r), 0) }

// reason returns the reason of most plays that did not sound whole, the more
// telling one between equals. "Other" counts only where there is nothing else.
func (t tally) reason(o fleet.Obligation, dev DeviceView, doubt bool) wire.Reason {
	votes := map[wire.Reason]int{}
	for _, p := range t.plays {
		switch {
		case p.Result == wire.PlayPlayed || doubt && p.Result != wire.PlayDoubt:
		case p.Reason != "":
			votes[p.Reason]++
		case p.Result == wire.PlayDoubt:
			votes[wire.ReasonSilent]++
		}
	}
	if n := o.Plays - len(t.plays); n > 0 && !doubt {
		votes[dev.why(o)] += n
	}
	best := wire.ReasonOther
	for r, n := range votes {
		if telling(r) == 0 {
			continue
		}
		if best == wire.ReasonOther || n > votes[best] || n == votes[best] && telling(r) > telling(best) {
			best = r
		}
	}
	return best
}

// unplayable reports whether no clip could be planned for o: none of its
// playlist was signed off and valid then.
func unplayable(o fleet.Obligation) bool { return o.Plays > 0 && o.PlannedMS == 0 }

// why says what the evidence about the device itself tells of plays that it
// never reported.
func (v DeviceView) why(o fleet.Obligation) wire.Reason {
	switch {
	case !v.Bound:
		return wire.ReasonNotInstalled
	case unplayable(o):
		return wire.ReasonClipMissing
	case v.Gone:
		return wire.ReasonDevice
	}
	for _, out := range v.Outages {
		if out.From.Before(o.End) && out.To.After(o.Start) {
			return out.Reason
		}
	}
	return wire.ReasonOther
}
