package alert

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatecast/controller/fleet"
	"gatecast/controller/ledger"
	"gatecast/internal/wire"
)

// TestAlertLivesFromDeadlineToNextPlay follows one gate that loses its power
// for three slots: one alert, from the first deadline on, that grows and closes
// by itself, with a line for each step.
func TestAlertLivesFromDeadlineToNextPlay(t *testing.T) {
	w := newTestWorld(t, 2)
	w.owe(6)
	g := w.gates[0]
	w.connect(g, true)
	w.now = w.slot(g, 0).End
	w.settle(w.slot(g, 0), fleet.Missed, wire.ReasonPower) // known before its time
	w.pass()
	if got := w.alerts(""); len(got) != 0 {
		t.Fatalf("before the deadline: %+v", got)
	}
	w.deadline(w.slot(g, 0))
	raised := w.now
	for range 3 { // however often it looks
		w.pass()
	}
	for i := range 2 {
		w.deadline(w.slot(g, i+1))
		w.settle(w.slot(g, i+1), fleet.Missed, wire.ReasonPower)
		w.pass()
	}
	open := w.alerts(fleet.ShowOpen)
	if len(open) != 1 {
		t.Fatalf("open: %+v", open)
	}
	want := fleet.Alert{
		ID: open[0].ID, Point: g, Unit: open[0].Unit, Compound: open[0].Compound, Trouble: fleet.TroublePower, Likely: fleet.LikelyPower, Raised: raised,
		Heard: open[0].Heard, NearIn: fleet.NearCompound, Near: 1, NearGone: 1, First: w.slot(g, 0).Start, Last: w.slot(g, 2).Start, Slots: 3, Bad: 3,
	}
	if diff := cmp.Diff(want, open[0]); diff != "" || want.Unit == 0 || want.Compound == 0 {
		t.Errorf("alert (-want +got):\n%s", diff)
	}
	w.deadline(w.slot(g, 3))
	w.settle(w.slot(g, 3), fleet.Played, "")
	w.pass()
	if got := w.alerts(fleet.ShowOpen); len(got) != 0 {
		t.Fatalf("open after it played: %+v", got)
	}
	f := w.file(want.ID)
	var kinds []fleet.AlertLineKind
	for _, l := range f.Lines {
		kinds = append(kinds, l.Kind)
	}
	if diff := cmp.Diff([]fleet.AlertLineKind{fleet.AlertRaised, fleet.AlertGrew, fleet.AlertGrew, fleet.AlertClosed}, kinds); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
	if f.ClosedSlot != w.slot(g, 3).Slot || !f.Closed.Equal(w.now) || len(f.Affected) != 3 {
		t.Errorf("closed by %q at %v with %d slots", f.ClosedSlot, f.Closed, len(f.Affected))
	}
	if diff := cmp.Diff([]string{"raised power", "closed power"}, w.told); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
}

// TestNineDaysAwayAreOneAlert has a gate out of touch for nine days, which it
// plays through and reports when it is back: one alert, told of once, whose
// cause turns out to be the network and whose slots turn out to have played.
func TestNineDaysAwayAreOneAlert(t *testing.T) {
	w := newTestWorld(t, 2)
	const slots = 27
	w.owe(slots + 1)
	g, near := w.gates[0], w.gates[1]
	w.connect(g, false)
	for i := range slots {
		w.now = w.slot(g, i).Start
		w.connect(near, true)
		w.deadline(w.slot(g, i))
		w.settle(w.slot(g, i), fleet.Pending, "")
		w.settle(w.slot(near, i), fleet.Played, "")
		w.pass()
		if err := w.d.Morning(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	open := w.alerts(fleet.ShowOpen)
	if len(open) != 1 || open[0].Slots != slots || open[0].Trouble != fleet.TroubleAway || open[0].Likely != fleet.LikelySite || open[0].Near != 1 || open[0].NearGone != 0 {
		t.Fatalf("open: %+v", open)
	}
	if len(w.told) != 1 || len(w.digests) != 9 {
		t.Errorf("told of %d alerts and by %d digests, want 1 and 9", len(w.told), len(w.digests))
	}
	w.now = w.now.Add(time.Hour)
	w.connect(g, true)
	for i := range slots {
		w.settle(w.slot(g, i), fleet.Played, "")
	}
	w.pass()
	f := w.file(open[0].ID)
	if f.Open() || f.Likely != fleet.LikelyNetwork || f.Bad != 0 || f.Slots != slots || f.ClosedSlot != "" && f.ClosedSlot != w.slot(g, slots-1).Slot {
		t.Errorf("after it came back: %+v", f.Alert)
	}
	if got := w.alerts(""); len(got) != 1 {
		t.Errorf("%d alerts in all", len(got))
	}
}

// TestOfficeOutageRaisesNothing has the office itself off over a slot of eight
// gates: those that report when it is back are never alarmed about, those that
// do not are at the second deadline, and their neighbours say that it was not
// the neighbourhood.
func TestOfficeOutageRaisesNothing(t *testing.T) {
	w := newTestWorld(t, 8)
	w.owe(3)
	first := w.slot(w.gates[0], 0)
	off := fleet.Outage{From: first.Start.Add(-time.Hour), To: first.End.Add(4 * time.Hour)}
	for _, g := range w.gates {
		w.now = off.From
		w.connect(g, false)
	}
	w.outages = []fleet.Outage{off}
	w.now = off.To
	for _, g := range w.gates {
		w.settle(w.slot(g, 0), fleet.Pending, "")
	}
	w.pass()
	if got := w.alerts(""); len(got) != 0 {
		t.Fatalf("%d alerts when the office comes back", len(got))
	}
	for _, g := range w.gates[2:] {
		w.now = off.To.Add(5 * time.Minute)
		w.connect(g, true)
		w.settle(w.slot(g, 0), fleet.Played, "")
	}
	w.pass()
	w.now = off.To.Add(Return)
	w.pass()
	w.pass()
	got := w.alerts("")
	if len(got) != 2 || got[0].Near != 7 || got[0].NearGone != 1 {
		t.Errorf("at the second deadline: %+v", got)
	}
	for _, a := range got {
		if a.Trouble != fleet.TroubleAway || a.Likely != fleet.LikelySite {
			t.Errorf("trouble %q, likely %q", a.Trouble, a.Likely)
		}
	}
}

// TestDoubtTwiceCallsTheProperty raises the property after two doubtful slots
// in a row, once, and not where a slot between them played.
func TestDoubtTwiceCallsTheProperty(t *testing.T) {
	tests := map[string]struct {
		verdicts []fleet.Verdict
		called   bool
		run      int
	}{
		"once":             {[]fleet.Verdict{fleet.Doubt}, false, 1},
		"twice":            {[]fleet.Verdict{fleet.Doubt, fleet.Doubt}, true, 2},
		"three_times":      {[]fleet.Verdict{fleet.Doubt, fleet.Doubt, fleet.Doubt}, true, 3},
		"played_between":   {[]fleet.Verdict{fleet.Doubt, fleet.Played, fleet.Doubt}, false, 1},
		"missed_in_a_row":  {[]fleet.Verdict{fleet.Missed, fleet.Missed}, false, 0},
		"doubt_after_miss": {[]fleet.Verdict{fleet.Missed, fleet.Doubt, fleet.Doubt}, true, 2},
	}
	w := newTestWorld(t, 2*len(tests))
	w.owe(4)
	gates := w.gates
	for name, tt := range tests {
		for _, together := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s_%v", name, together), func(t *testing.T) {
				g := gates[0]
				gates, w.told = gates[1:], nil
				w.now = day0
				w.connect(g, true)
				for i, v := range tt.verdicts {
					w.deadline(w.slot(g, i))
					reason := wire.ReasonSilent
					if v != fleet.Doubt {
						reason = ""
					}
					w.settle(w.slot(g, i), v, reason)
					if !together {
						w.pass()
					}
				}
				w.pass()
				called, run := false, 0
				for _, a := range w.alerts(fleet.ShowOpen) {
					if a.Point == g {
						called, run = called || !a.Called.IsZero(), max(run, a.Run)
					}
				}
				if called != tt.called || run != tt.run {
					t.Errorf("called %v after %d in a row, want %v after %d", called, run, tt.called, tt.run)
				}
				if n := count(w.told, "call sound"); n > 1 || n == 1 != tt.called {
					t.Errorf("told %q", w.told)
				}
			})
		}
	}
}

func count(all []string, one string) (n int) {
	for _, s := range all {
		if s == one {
			n++
		}
	}
	return n
}

func TestDiagnoseNamesTheCause(t *testing.T) {
	device := func(online bool, conditions ...string) Site {
		s := Site{Device: fleet.Device{ID: "d1"}, Online: online, In: fleet.NearCompound, Near: 3}
		for _, c := range conditions {
			s.Device.Conditions = append(s.Device.Conditions, wire.Condition{Code: c})
		}
		return s
	}
	gone := device(false)
	gone.Gone, gone.Together = 2, 2
	tests := map[string]struct {
		verdict fleet.Verdict
		reason  wire.Reason
		note    string
		site    Site
		want    Diagnosis
	}{
		"power":              {fleet.Missed, wire.ReasonPower, "", device(true), Diagnosis{fleet.TroublePower, fleet.LikelyPower, ""}},
		"power_part":         {fleet.Partial, wire.ReasonPower, "", device(true, "output_fault"), Diagnosis{fleet.TroublePower, fleet.LikelyPower, ""}},
		"clock":              {fleet.Missed, wire.ReasonClock, "", device(true, "clock_untrusted"), Diagnosis{fleet.TroubleClock, fleet.LikelyClock, "clock_untrusted"}},
		"clip":               {fleet.Missed, wire.ReasonClipMissing, "", device(true, "output_muted", "clip_missing"), Diagnosis{fleet.TroubleClip, fleet.LikelyClip, "clip_missing"}},
		"damaged_clip":       {fleet.Missed, wire.ReasonHash, "", device(true), Diagnosis{fleet.TroubleClip, fleet.LikelyClip, ""}},
		"silent":             {fleet.Doubt, wire.ReasonSilent, "", device(true, "output_muted"), Diagnosis{fleet.TroubleSound, fleet.LikelySound, "output_muted"}},
		"lost_records":       {fleet.Doubt, wire.ReasonLost, "", device(true), Diagnosis{fleet.TroubleRecords, fleet.LikelyRecords, ""}},
		"stopped":            {fleet.Partial, wire.ReasonStopped, "", device(true), Diagnosis{fleet.TroubleOrder, fleet.LikelyOrder, ""}},
		"urgent":             {fleet.Partial, wire.ReasonPreempted, "", device(true), Diagnosis{fleet.TroubleOrder, fleet.LikelyOrder, ""}},
		"stale_plan":         {fleet.Partial, wire.ReasonOther, fleet.NoteDefaultClip, device(true, "plan_stale"), Diagnosis{fleet.TroublePlan, fleet.LikelyPlan, "plan_stale"}},
		"plan_over":          {fleet.Missed, wire.ReasonOther, "", device(true, "plan_over"), Diagnosis{fleet.TroublePlan, fleet.LikelyPlan, "plan_over"}},
		"sound_card":         {fleet.Missed, wire.ReasonOther, "", device(true, "output_fault"), Diagnosis{fleet.TroubleSound, fleet.LikelySound, "output_fault"}},
		"program":            {fleet.Missed, wire.ReasonExit, "", device(true), Diagnosis{fleet.TroubleDevice, fleet.LikelyDevice, ""}},
		"nobody_knows":       {fleet.Missed, wire.ReasonOther, "", device(true, "cert_expiring"), Diagnosis{fleet.TroubleOther, fleet.LikelyUnknown, ""}},
		"bare":               {fleet.Missed, wire.ReasonNotInstalled, "", Site{}, Diagnosis{fleet.TroubleDevice, fleet.LikelyBare, ""}},
		"away_alone":         {fleet.Pending, "", "", device(false, "output_fault"), Diagnosis{fleet.TroubleAway, fleet.LikelySite, ""}},
		"away_with_others":   {fleet.Pending, "", "", gone, Diagnosis{fleet.TroubleAway, fleet.LikelyArea, ""}},
		"here_and_silent":    {fleet.Pending, "", "", device(true), Diagnosis{fleet.TroubleRecords, fleet.LikelyRecords, ""}},
		"reason_of_tomorrow": {fleet.Missed, "later", "", device(false), Diagnosis{fleet.TroubleAway, fleet.LikelySite, ""}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			o := fleet.Obligation{Verdict: tt.verdict, Reason: tt.reason, Note: tt.note}
			if got := Diagnose(o, tt.site); got != tt.want {
				t.Errorf("Diagnose = %+v, want %+v", got, tt.want)
			}
		})
	}
}

func TestLookCountsNeighbours(t *testing.T) {
	at := day0
	dev := func(online bool, seen time.Time) fleet.Device {
		return fleet.Device{ID: "x", Online: online, LastSeen: seen}
	}
	points := []fleet.Point{{ID: 1, Unit: 1, Compound: 1}, {ID: 2, Unit: 1, Compound: 1}, {ID: 3, Unit: 1, Compound: 1}, {ID: 4, Unit: 1, Compound: 2}, {ID: 5, Unit: 1}, {ID: 6, Unit: 2}, {ID: 7, Unit: 1, Compound: 1, Retired: at}}
	devices := map[fleet.PointID]fleet.Device{
		1: dev(false, at), 2: dev(false, at.Add(-2*time.Minute)), 3: dev(false, at.Add(-time.Hour)), 4: dev(true, at), 6: dev(true, at), 7: dev(false, at),
	}
	tests := map[string]struct {
		point               int
		in                  fleet.Nearness
		near, gone, togethr int
		likely              fleet.Likely
	}{
		"compound":          {0, fleet.NearCompound, 2, 2, 1, fleet.LikelyArea},
		"unit_without_more": {3, fleet.NearUnit, 3, 3, 2, fleet.LikelyArea},
		"alone":             {5, fleet.NearNobody, 0, 0, 0, fleet.LikelySite},
		"went_by_itself":    {2, fleet.NearCompound, 2, 2, 0, fleet.LikelySite},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := Look(points[tt.point], points, devices)
			if s.In != tt.in || s.Near != tt.near || s.Gone != tt.gone || s.Together != tt.togethr || s.away() != tt.likely {
				t.Errorf("Look = %q %d, %d gone, %d together, likely %q; want %+v", s.In, s.Near, s.Gone, s.Together, s.away(), tt)
			}
		})
	}
}

func TestHoldUntil(t *testing.T) {
	o := (&world{begin: day0}).slot(1, 0)
	deadline := o.End.Add(ledger.Grace)
	over := fleet.Outage{From: o.Start.Add(-time.Hour), To: deadline.Add(time.Hour)}
	lasts := []fleet.Outage{{From: o.Start}}
	tests := map[string]struct {
		verdict fleet.Verdict
		online  bool
		outages []fleet.Outage
		now     time.Time
		want    time.Time
	}{
		"gone":             {fleet.Pending, false, nil, deadline, time.Time{}},
		"about_to_deliver": {fleet.Pending, true, nil, deadline, o.End.Add(2 * ledger.Grace)},
		"did_not_deliver":  {fleet.Pending, true, nil, o.End.Add(2 * ledger.Grace), time.Time{}},
		"office_was_off":   {fleet.Pending, false, []fleet.Outage{over}, over.To, over.To.Add(Return)},
		"second_deadline":  {fleet.Pending, false, []fleet.Outage{over}, over.To.Add(Return), time.Time{}},
		"settled_anyway":   {fleet.Missed, false, []fleet.Outage{over}, over.To, time.Time{}},
		"before_the_slot":  {fleet.Pending, false, []fleet.Outage{{From: o.Start.Add(-time.Hour), To: o.Start}}, deadline, time.Time{}},
		"off_in_the_grace": {fleet.Pending, false, []fleet.Outage{{From: o.End.Add(time.Minute), To: o.End.Add(2 * time.Minute)}}, deadline, o.End.Add(2 * time.Minute).Add(Return)},
		"it_lasts":         {fleet.Pending, false, lasts, deadline, deadline.Add(Patience)},
		"it_lasts_long":    {fleet.Pending, false, lasts, deadline.Add(Patience), time.Time{}},
		"the_longest_wait": {fleet.Pending, true, []fleet.Outage{{From: o.Start, To: o.Start.Add(time.Second)}, over}, deadline, over.To.Add(Return)},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			o := o
			o.Verdict = tt.verdict
			if got := HoldUntil(o, tt.online, tt.outages, tt.now); !got.Equal(tt.want) {
				t.Errorf("HoldUntil = %v, want %v", got, tt.want)
			}
		})
	}
}

// TestCorrectionReopensTheMatter downgrades the slot that closed an alert, and
// the only slot of an alert that had turned out to have played: both are in one
// open alert afterwards.
func TestCorrectionReopensTheMatter(t *testing.T) {
	w := newTestWorld(t, 1)
	w.owe(3)
	g := w.gates[0]
	w.connect(g, true)
	w.deadline(w.slot(g, 0))
	w.settle(w.slot(g, 0), fleet.Doubt, wire.ReasonSilent)
	w.pass()
	w.settle(w.slot(g, 0), fleet.Played, "") // somebody heard it
	w.pass()
	if a := w.alerts(""); len(a) != 1 || a[0].Open() || a[0].ClosedSlot != "" || a[0].Bad != 0 {
		t.Fatalf("alerts %+v", a)
	}
	w.settle(w.slot(g, 0), fleet.Doubt, wire.ReasonSilent)
	w.deadline(w.slot(g, 1))
	w.settle(w.slot(g, 1), fleet.Doubt, wire.ReasonSilent)
	w.pass()
	open := w.alerts(fleet.ShowOpen)
	if len(open) != 1 || open[0].Slots != 2 || open[0].Run != 2 {
		t.Fatalf("open %+v", open)
	}
	old := w.alerts(fleet.ShowClosed)
	if len(old) != 1 || old[0].Slots != 0 {
		t.Fatalf("closed %+v", old)
	}
	moved := slices.ContainsFunc(w.file(old[0].ID).Lines, func(l fleet.AlertLine) bool { return l.Kind == fleet.AlertMoved && l.Slot == w.slot(g, 0).Slot })
	if !moved {
		t.Errorf("the old alert does not say where its slot went: %+v", w.file(old[0].ID).Lines)
	}
}

// TestReturnTellsTheCause has a gate come back with what it wrote while nobody
// heard it: that decides what its absence was.
func TestReturnTellsTheCause(t *testing.T) {
	tests := map[string]struct {
		verdict fleet.Verdict
		reason  wire.Reason
		soundMS int64
		want    fleet.Likely
	}{
		"played_all_the_while": {fleet.Played, "", 81000, fleet.LikelyNetwork},
		"had_no_power":         {fleet.Missed, wire.ReasonPower, 0, fleet.LikelyPower},
		"power_went_in_it":     {fleet.Partial, wire.ReasonPower, 27000, fleet.LikelyPower},
		"the_program_ended":    {fleet.Missed, wire.ReasonExit, 0, fleet.LikelyDevice},
		"it_sounded_in_part":   {fleet.Partial, wire.ReasonOther, 27000, fleet.LikelyNetwork},
		"nothing_is_known":     {fleet.Missed, wire.ReasonOther, 0, fleet.LikelySite},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			o := fleet.Obligation{Point: 1, Slot: "2026-11-23.gates.s0", Start: day0, End: day0.Add(time.Hour), Verdict: tt.verdict, Reason: tt.reason, SoundMS: tt.soundMS}
			open := fleet.AlertFile{Alert: fleet.Alert{ID: 7, Point: 1, Trouble: fleet.TroubleAway, Likely: fleet.LikelySite}, Affected: []fleet.AlertSlot{{Alert: 7, Obligation: o}}}
			got := fleet.LikelySite
			for _, c := range Weigh(Case{Open: []fleet.AlertFile{open}, News: []fleet.AlertNews{{ID: 1, In: 7, Owed: o}}, Now: day0.AddDate(0, 0, 1)}) {
				got = c.Alert.Likely
			}
			if got != tt.want {
				t.Errorf("likely %q, want %q", got, tt.want)
			}
		})
	}
}
