package alert

import (
	"slices"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// Case is all that decides about the alerts of one point.
type Case struct {
	Open   []fleet.AlertFile // its open alerts
	News   []fleet.AlertNews // verdicts that were not looked at, by start
	Played fleet.Obligation  // of its slots that played, the one that started last; zero for none
	Site   Site
	Now    time.Time
}

// draft is an alert while it is decided about.
type draft struct {
	fleet.AlertChange
	slots   []fleet.AlertSlot // by start
	changed bool
}

func (d *draft) line(l fleet.AlertLine) {
	d.Lines = append(d.Lines, l)
	d.changed = true
}

// Weigh decides about the alerts of one point: which are raised, which grow by
// which slots, which close, and which call for the property. It returns only
// those that change. It is a pure function, and gives the same alerts whether
// news come one by one or together:
//
//   - a slot that went wrong and is in no alert joins the open one of its
//     trouble, or a new one;
//   - a slot that is in an open alert stays there, whatever becomes of its
//     verdict; one in a closed alert, too, unless it went wrong after that and
//     nothing has played since;
//   - an alert closes when a slot played that started after the last of its
//     slots that is still wrong, or when none of them is any more.
//
// So no point has two open alerts of one trouble, and no slot is in two.
func Weigh(c Case) []fleet.AlertChange {
	var drafts []*draft
	byTrouble := map[fleet.Trouble]*draft{}
	for _, f := range c.Open {
		d := &draft{AlertChange: fleet.AlertChange{Alert: f.Alert}, slots: f.Affected}
		drafts = append(drafts, d)
		byTrouble[f.Trouble] = d
	}
	for _, n := range c.News {
		if !n.Owed.Verdict.Wrong() || n.In != 0 && (!n.Ended || c.playedAfter(n.Owed)) {
			continue
		}
		dx := Diagnose(n.Owed, c.Site)
		d := byTrouble[dx.Trouble]
		if d == nil {
			d = &draft{AlertChange: fleet.AlertChange{Alert: fleet.Alert{
				Point: n.Owed.Point, Unit: n.Owed.Unit, Compound: n.Owed.Compound, Trouble: dx.Trouble, Likely: dx.Likely, Raised: c.Now, First: n.Owed.Start, Last: n.Owed.Start,
			}}}
			drafts = append(drafts, d)
			byTrouble[dx.Trouble] = d
		}
		d.join(n, dx, c)
	}
	var all []fleet.AlertChange
	for _, d := range drafts {
		d.refine(c)
		d.close(c)
		d.call(c)
		if d.changed {
			all = append(all, d.AlertChange)
		}
	}
	return all
}

func (c Case) playedAfter(o fleet.Obligation) bool {
	return c.Played.Slot != "" && c.Played.Start.After(o.Start)
}

// join has the alert grow by a slot.
func (d *draft) join(n fleet.AlertNews, dx Diagnosis, c Case) {
	kind := fleet.AlertGrew
	if d.Alert.ID == 0 && len(d.slots) == 0 {
		kind = fleet.AlertRaised
	}
	d.Slots = append(d.Slots, n)
	d.slots = append(d.slots, fleet.AlertSlot{Obligation: n.Owed, Added: c.Now})
	slices.SortStableFunc(d.slots, func(a, b fleet.AlertSlot) int { return a.Start.Compare(b.Start) })
	a := &d.Alert
	a.Heard, a.NearIn, a.Near, a.NearGone = c.Site.Device.LastSeen, c.Site.In, c.Site.Near, c.Site.Gone
	if dx.Condition != "" {
		a.Condition = dx.Condition
	}
	if kind == fleet.AlertGrew && len(d.Lines) > 0 && d.Lines[len(d.Lines)-1].Kind == kind {
		d.Lines = d.Lines[:len(d.Lines)-1] // together they are one line
	}
	d.line(fleet.AlertLine{At: c.Now, Kind: kind, Slots: len(d.slots), Likely: dx.Likely, Slot: n.Owed.Slot})
}

// refine looks again at the cause of a device that was out of touch: what it
// delivers when it is back tells what it was.
func (d *draft) refine(c Case) {
	if d.Alert.Trouble != fleet.TroubleAway {
		return
	}
	likely := d.Alert.Likely
	if len(d.Slots) > 0 && (likely == fleet.LikelyArea || likely == fleet.LikelySite) {
		likely = c.Site.away()
	}
	for _, x := range d.slots {
		switch {
		case x.Reason == wire.ReasonPower:
			likely = fleet.LikelyPower
		case byReason[x.Reason] == fleet.TroubleDevice:
			likely = fleet.LikelyDevice
		case x.Verdict == fleet.Played || x.SoundMS > 0:
			likely = fleet.LikelyNetwork
		default:
			continue
		}
		break
	}
	if likely != d.Alert.Likely {
		d.Alert.Likely = likely
		if d.Alert.ID != 0 {
			d.line(fleet.AlertLine{At: c.Now, Kind: fleet.AlertLikely, Slots: len(d.slots), Likely: likely})
		}
	}
}

// close ends an alert whose trouble is over.
func (d *draft) close(c Case) {
	var last *fleet.AlertSlot
	for i := range d.slots {
		if d.slots[i].Verdict.Wrong() {
			last = &d.slots[i]
		}
	}
	switch {
	case last == nil && len(d.slots) > 0:
		d.Alert.ClosedSlot = ""
	case last != nil && c.playedAfter(last.Obligation):
		d.Alert.ClosedSlot = c.Played.Slot
	default:
		return
	}
	d.Alert.Closed = c.Now
	d.line(fleet.AlertLine{At: c.Now, Kind: fleet.AlertClosed, Slots: len(d.slots), Likely: d.Alert.Likely, Slot: d.Alert.ClosedSlot})
}

// call counts doubtful slots in a row, and has the property telephoned when
// there are enough.
func (d *draft) call(c Case) {
	if d.Alert.Trouble != fleet.TroubleSound {
		return
	}
	run := 0
	for _, x := range d.slots {
		if x.Verdict == fleet.Doubt && (c.Played.Slot == "" || x.Start.After(c.Played.Start)) {
			run++
		}
	}
	if run != d.Alert.Run {
		d.Alert.Run = run
		d.changed = true
	}
	if run >= fleet.CallAfter && d.Alert.Called.IsZero() && d.Alert.Open() {
		d.Alert.Called = c.Now
		d.line(fleet.AlertLine{At: c.Now, Kind: fleet.AlertCall, Slots: len(d.slots), Likely: d.Alert.Likely})
	}
}
