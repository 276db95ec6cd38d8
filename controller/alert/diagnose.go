package alert

import (
	"slices"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// Site is what is known of a point and of those around it, besides the slot.
type Site struct {
	Point  fleet.Point
	Device fleet.Device // the active one; the zero Device if there is none
	Online bool         // it is in touch with us

	In         fleet.Nearness // which neighbours were counted
	Near, Gone int            // neighbours with a device, and of them those out of touch
	Together   int            // of Gone: they went when this one did
}

// bound reports whether the point has a device.
func (s Site) bound() bool { return s.Device.ID != "" }

// together is how far apart two devices may have been heard last to have gone
// at the same time: their heartbeats are a minute apart, with jitter, and the
// last one before the fault may be lost.
const together = 5 * time.Minute

// Look returns the site of a point among all points in use and all devices.
// Neighbours are the other points of its compound, or of its unit where the
// compound has no other with a device.
func Look(pt fleet.Point, points []fleet.Point, devices map[fleet.PointID]fleet.Device) Site {
	s := Site{Point: pt, Device: devices[pt.ID]}
	s.Online = s.Device.Online
	circles := []struct {
		in   fleet.Nearness
		same func(fleet.Point) bool
	}{
		{fleet.NearCompound, func(p fleet.Point) bool { return pt.Compound != 0 && p.Compound == pt.Compound }},
		{fleet.NearUnit, func(p fleet.Point) bool { return p.Unit == pt.Unit }},
	}
	for _, c := range circles {
		for _, p := range points {
			d, has := devices[p.ID]
			if p.ID == pt.ID || !has || !p.Retired.IsZero() || !c.same(p) {
				continue
			}
			s.In = c.in
			s.Near++
			if d.Online {
				continue
			}
			s.Gone++
			if apart := d.LastSeen.Sub(s.Device.LastSeen).Abs(); !d.LastSeen.IsZero() && apart <= together {
				s.Together++
			}
		}
		if s.Near > 0 {
			return s
		}
	}
	return s
}

// away is the likely cause of a device that is out of touch. That half of its
// neighbours or more went when it did says that the fault is not at the gate.
func (s Site) away() fleet.Likely {
	if s.Together > 0 && s.Together*2 >= s.Near {
		return fleet.LikelyArea
	}
	return fleet.LikelySite
}

// symptoms are the conditions that devices report, by what they say is wrong,
// the most telling trouble first.
var symptoms = []struct {
	trouble fleet.Trouble
	codes   []string
}{
	{fleet.TroubleClip, []string{"clip_missing", "clip_corrupt"}},
	{fleet.TroubleSound, []string{"output_fault", "output_muted"}},
	{fleet.TroubleClock, []string{"clock_untrusted", "clock_disputed"}},
	{fleet.TroublePlan, []string{"no_plan", "plan_over", "plan_stale", "plan_refused"}},
}

// symptom returns the trouble that a condition of the device stands for, and
// its code; none where the device reported nothing of the kind. A trouble that
// is wanted goes before the others.
func (s Site) symptom(wanted fleet.Trouble) (fleet.Trouble, string) {
	for _, only := range []bool{true, false} {
		for _, sym := range symptoms {
			if only && sym.trouble != wanted {
				continue
			}
			for _, c := range s.Device.Conditions {
				if slices.Contains(sym.codes, c.Code) {
					return sym.trouble, c.Code
				}
			}
		}
	}
	return "", ""
}

// byReason is the trouble that a reason of the ledger stands for.
var byReason = map[wire.Reason]fleet.Trouble{
	wire.ReasonPower: fleet.TroublePower, wire.ReasonClock: fleet.TroubleClock, wire.ReasonClipMissing: fleet.TroubleClip, wire.ReasonHash: fleet.TroubleClip,
	wire.ReasonSilent: fleet.TroubleSound, wire.ReasonDevice: fleet.TroubleDevice, wire.ReasonExit: fleet.TroubleDevice, wire.ReasonNotInstalled: fleet.TroubleDevice,
	wire.ReasonStopped: fleet.TroubleOrder, wire.ReasonMuted: fleet.TroubleOrder, wire.ReasonPreempted: fleet.TroubleOrder, wire.ReasonQuiet: fleet.TroubleOrder,
	wire.ReasonYielded: fleet.TroubleOrder, wire.ReasonOffline: fleet.TroubleAway, wire.ReasonLost: fleet.TroubleRecords, wire.ReasonReplanned: fleet.TroubleRecords,
}

// likelyOf is the likely cause of a trouble where nothing else tells more.
var likelyOf = map[fleet.Trouble]fleet.Likely{
	fleet.TroublePower: fleet.LikelyPower, fleet.TroubleSound: fleet.LikelySound, fleet.TroubleClock: fleet.LikelyClock, fleet.TroublePlan: fleet.LikelyPlan,
	fleet.TroubleClip: fleet.LikelyClip, fleet.TroubleDevice: fleet.LikelyDevice, fleet.TroubleOrder: fleet.LikelyOrder, fleet.TroubleRecords: fleet.LikelyRecords,
	fleet.TroubleOther: fleet.LikelyUnknown,
}

// Diagnosis is what a slot that went wrong says.
type Diagnosis struct {
	Trouble   fleet.Trouble
	Likely    fleet.Likely
	Condition string // code that the device reported; empty for none
}

// Diagnose returns what is likely wrong where o did not play as owed. What the
// ledger found out about the slot goes first, then what the device reports,
// then whether it is in touch. It is a pure function.
func Diagnose(o fleet.Obligation, s Site) Diagnosis {
	t := troubleOf(o, s)
	d := Diagnosis{Trouble: t, Likely: likelyOf[t]}
	switch t {
	case fleet.TroubleAway:
		d.Likely = s.away()
		if o.Reason == wire.ReasonOffline {
			d.Likely = fleet.LikelyNetwork
		}
	case fleet.TroubleDevice:
		if !s.bound() {
			d.Likely = fleet.LikelyBare
		}
	}
	if got, code := s.symptom(t); got == t {
		d.Condition = code
	}
	return d
}

func troubleOf(o fleet.Obligation, s Site) fleet.Trouble {
	if t, ok := byReason[o.Reason]; ok {
		return t
	}
	switch {
	case o.Note == fleet.NoteDefaultClip:
		return fleet.TroublePlan
	case o.Verdict == fleet.Doubt:
		return fleet.TroubleSound
	case !s.bound():
		return fleet.TroubleDevice
	case o.Verdict == fleet.Pending && !s.Online:
		return fleet.TroubleAway
	case o.Verdict == fleet.Pending:
		return fleet.TroubleRecords
	}
	if t, _ := s.symptom(""); t != "" {
		return t
	}
	if !s.Online {
		return fleet.TroubleAway
	}
	return fleet.TroubleOther
}
