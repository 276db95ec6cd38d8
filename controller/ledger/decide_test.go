package ledger

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

var start = time.Date(2026, 11, 23, 7, 30, 0, 0, time.UTC)

const slot = wire.SlotID("2026-11-23.gates.morning")

// owed is a slot of six plays of 27 s.
func owed() fleet.Obligation {
	return fleet.Obligation{
		Point: 7, Slot: slot, Day: "2026-11-23", Start: start, End: start.Add(30 * time.Minute),
		Plays: 6, PlannedMS: 6 * 27000, Verdict: fleet.Due,
	}
}

func play(n int, result wire.PlayResult, reason wire.Reason, soundMS int64) wire.Outcome {
	return wire.Outcome{Play: wire.PlayID(fmt.Sprintf("%s#%d", slot, n)), Slot: slot, Result: result, Reason: reason, SoundMS: soundMS, ClipMS: 27000}
}

// plays are n outcomes of one kind, numbered from first.
func plays(first, n int, result wire.PlayResult, reason wire.Reason, soundMS int64) []wire.Outcome {
	var all []wire.Outcome
	for i := range n {
		all = append(all, play(first+i, result, reason, soundMS))
	}
	return all
}

func join(parts ...[]wire.Outcome) []wire.Outcome {
	var all []wire.Outcome
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

// TestDecideSilencedByOrder: what an approved order of silence took is exempt,
// unless something else was wrong, too.
func TestDecideSilencedByOrder(t *testing.T) {
	dev := DeviceView{ID: "d1", Bound: true, HasPlan: true, Online: true}
	approved := dev
	approved.Silenced = true
	muted := plays(3, 4, wire.PlaySkipped, wire.ReasonMuted, 0)
	tests := []struct {
		name     string
		outcomes []wire.Outcome
		dev      DeviceView
		verdict  fleet.Verdict
		reason   wire.Reason
	}{
		{"approved", join(plays(1, 2, wire.PlaySkipped, wire.ReasonMuted, 0), muted), approved, fleet.Exempt, wire.ReasonMuted},
		{"not_approved", join(plays(1, 2, wire.PlaySkipped, wire.ReasonMuted, 0), muted), dev, fleet.Missed, wire.ReasonMuted},
		{"from_the_third_play_on", join(plays(1, 2, wire.PlayPlayed, "", 27000), muted), approved, fleet.Exempt, wire.ReasonMuted},
		{"in_the_middle_of_a_play", join(plays(1, 1, wire.PlayPlayed, "", 27000), plays(2, 1, wire.PlayPartial, wire.ReasonMuted, 9000), muted), approved, fleet.Exempt, wire.ReasonMuted},
		{"power_failed_before", join(plays(1, 2, wire.PlaySkipped, wire.ReasonPower, 0), muted), approved, fleet.Missed, wire.ReasonMuted},
		{"the_last_play_only", join(plays(1, 5, wire.PlayPlayed, "", 27000), plays(6, 1, wire.PlaySkipped, wire.ReasonMuted, 0)), approved, fleet.Played, ""},
		{"not_all_reported", plays(1, 2, wire.PlaySkipped, wire.ReasonMuted, 0), approved, fleet.Due, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := Decide(owed(), tt.outcomes, tt.dev, start.Add(time.Hour/2))
			if got.Verdict != tt.verdict || got.Reason != tt.reason {
				t.Errorf("Decide = %s %s, want %s %s", got.Verdict, got.Reason, tt.verdict, tt.reason)
			}
		})
	}
}

// TestDecideYieldedToEmergency: what an emergency broadcast over the same
// amplifier took is exempt, without anybody's approval, unless something else
// was wrong, too; before the slot's time is over nothing is decided.
func TestDecideYieldedToEmergency(t *testing.T) {
	dev := DeviceView{ID: "d1", Bound: true, HasPlan: true, Online: true}
	approved := dev
	approved.Silenced = true
	cut := plays(3, 1, wire.PlayPartial, wire.ReasonYielded, 9000)
	rest := plays(4, 3, wire.PlaySkipped, wire.ReasonYielded, 0)
	whole := plays(1, 2, wire.PlayPlayed, "", 27000)
	tests := map[string]struct {
		outcomes []wire.Outcome
		dev      DeviceView
		verdict  fleet.Verdict
		reason   wire.Reason
		note     string
	}{
		"in_the_middle":        {join(whole, cut, rest), dev, fleet.Exempt, wire.ReasonYielded, fleet.NoteYielded},
		"all_of_it":            {plays(1, 6, wire.PlaySkipped, wire.ReasonYielded, 0), dev, fleet.Exempt, wire.ReasonYielded, fleet.NoteYielded},
		"enough_sounded":       {join(plays(1, 5, wire.PlayPlayed, "", 27000), plays(6, 1, wire.PlaySkipped, wire.ReasonYielded, 0)), dev, fleet.Played, "", ""},
		"and_muted_by_order":   {join(plays(1, 2, wire.PlaySkipped, wire.ReasonMuted, 0), cut, rest), approved, fleet.Exempt, wire.ReasonYielded, fleet.NoteYielded},
		"muted_by_nobody":      {join(plays(1, 2, wire.PlaySkipped, wire.ReasonMuted, 0), cut, rest), dev, fleet.Partial, wire.ReasonYielded, ""},
		"a_clip_was_missing":   {join(plays(1, 2, wire.PlayFailed, wire.ReasonClipMissing, 0), cut, rest), dev, fleet.Partial, wire.ReasonYielded, ""},
		"not_all_is_known_yet": {join(whole, cut), dev, fleet.Due, "", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := Decide(owed(), tt.outcomes, tt.dev, start.Add(time.Hour/2))
			if got.Verdict != tt.verdict || got.Reason != tt.reason || got.Note != tt.note {
				t.Errorf("Decide = %s %s %q, want %s %s %q", got.Verdict, got.Reason, got.Note, tt.verdict, tt.reason, tt.note)
			}
		})
	}
}

func TestDecide(t *testing.T) {
	end := start.Add(30 * time.Minute)
	late := end.Add(Grace)
	heard := DeviceView{ID: "d1", Bound: true, Online: true, HasPlan: true, ReportedTo: end.Add(14 * time.Minute)}
	away := DeviceView{ID: "d1", Bound: true, HasPlan: true, ReportedTo: start.Add(-time.Hour)}
	whole := plays(1, 6, wire.PlayPlayed, "", 27000)
	type want struct {
		Verdict fleet.Verdict
		Grade   fleet.Grade
		Reason  wire.Reason
		PlaysOK int
		SoundMS int64
		Demo    bool
	}
	tests := []struct {
		name     string
		owed     func(*fleet.Obligation)
		outcomes []wire.Outcome
		dev      DeviceView
		now      time.Time
		want     want
	}{
		{"before_anything", nil, nil, away, start.Add(-time.Hour), want{Verdict: fleet.Due}},
		{"in_the_middle", nil, whole[:3], heard, start.Add(16 * time.Minute), want{fleet.Due, "", "", 3, 81000, false}},
		{"ended_but_in_grace", nil, whole[:3], heard, late.Add(-time.Second), want{fleet.Due, "", "", 3, 81000, false}},
		{"all_reported_in_slot", nil, whole, away, start.Add(26 * time.Minute), want{fleet.Played, fleet.GradeB, "", 6, 162000, false}},
		{"all_reported_partly_in_slot", nil, join(whole[:3], plays(4, 3, wire.PlaySkipped, wire.ReasonClipMissing, 0)), heard, start.Add(26 * time.Minute),
			want{fleet.Partial, fleet.GradeB, wire.ReasonClipMissing, 3, 81000, false}},
		{"five_of_six_with_device_away", nil, whole[:5], away, late, want{fleet.Played, fleet.GradeB, "", 5, 135000, false}},
		{"four_of_six_with_device_away", nil, whole[:4], away, late, want{fleet.Pending, fleet.GradeD, "", 4, 108000, false}},
		{"four_of_six_and_no_more", nil, whole[:4], heard, late, want{fleet.Partial, fleet.GradeB, wire.ReasonOther, 4, 108000, false}},
		{"exactly_80_percent", nil, join(whole[:4], plays(5, 1, wire.PlayPartial, wire.ReasonPower, 21600)), heard, late, want{fleet.Played, fleet.GradeB, "", 4, 129600, false}},
		{"a_millisecond_less", nil, join(whole[:4], plays(5, 1, wire.PlayPartial, wire.ReasonPower, 21599)), heard, late, want{fleet.Partial, fleet.GradeB, wire.ReasonPower, 4, 129599, false}},
		{"sound_longer_than_clip_is_cut", nil, plays(1, 6, wire.PlayPartial, wire.ReasonDevice, 99999999), heard, late, want{fleet.Played, fleet.GradeB, "", 0, 162000, false}},
		{"cut_by_a_power_failure_without_length", nil, join(whole[:4], []wire.Outcome{{Play: "x#5", Slot: slot, Result: wire.PlayPartial, Reason: wire.ReasonPower, SoundMS: 9000}}), heard, late,
			want{fleet.Partial, fleet.GradeB, wire.ReasonPower, 4, 117000, false}},
		{"cut_by_a_power_failure_long_ago", nil, []wire.Outcome{{Play: "x#5", Slot: slot, Result: wire.PlayPartial, Reason: wire.ReasonPower, SoundMS: 99999999}}, heard, late,
			want{fleet.Partial, fleet.GradeB, wire.ReasonPower, 0, 27000, false}},
		{"cut_off_and_nobody_knows_how_much", nil, join(plays(1, 1, wire.PlayPartial, wire.ReasonPower, 0), plays(2, 5, wire.PlaySkipped, wire.ReasonPower, 0)), heard, late,
			want{fleet.Partial, fleet.GradeD, wire.ReasonPower, 0, 0, false}},
		{"ended_before_it_sounded", nil, plays(1, 6, wire.PlayFailed, wire.ReasonOther, 0), heard, late, want{fleet.Missed, "", wire.ReasonOther, 0, 0, false}},
		{"all_silent", nil, plays(1, 6, wire.PlayDoubt, wire.ReasonSilent, 0), heard, late, want{fleet.Doubt, fleet.GradeD, wire.ReasonSilent, 0, 0, false}},
		{"doubt_without_reason_is_silence", nil, plays(1, 6, wire.PlayDoubt, "", 0), heard, late, want{fleet.Doubt, fleet.GradeD, wire.ReasonSilent, 0, 0, false}},
		{"one_silent_of_six", nil, join(whole[:5], plays(6, 1, wire.PlayDoubt, wire.ReasonSilent, 0)), heard, late, want{fleet.Played, fleet.GradeB, "", 5, 135000, false}},
		{"half_silent", nil, join(whole[:3], plays(4, 3, wire.PlayDoubt, wire.ReasonSilent, 0)), heard, late, want{fleet.Doubt, fleet.GradeD, wire.ReasonSilent, 3, 81000, false}},
		{"silent_and_device_away", nil, plays(1, 3, wire.PlayDoubt, wire.ReasonSilent, 0), away, late, want{fleet.Pending, fleet.GradeD, "", 0, 0, false}},
		{"nothing_and_away", nil, nil, away, late, want{fleet.Pending, fleet.GradeD, "", 0, 0, false}},
		{"nothing_and_away_for_a_month", nil, nil, away, late.AddDate(0, 1, 0), want{fleet.Pending, fleet.GradeD, "", 0, 0, false}},
		{"nothing_away_without_plan", nil, nil, DeviceView{ID: "d1", Bound: true}, late, want{fleet.Pending, "", "", 0, 0, false}},
		{"nothing_though_all_reported", nil, nil, heard, late, want{fleet.Missed, "", wire.ReasonOther, 0, 0, false}},
		{"reported_only_to_the_end", nil, nil, DeviceView{ID: "d1", Bound: true, Online: true, ReportedTo: end}, late, want{fleet.Pending, "", "", 0, 0, false}},
		{"never_had_a_device", nil, nil, DeviceView{}, late, want{fleet.Missed, "", wire.ReasonNotInstalled, 0, 0, false}},
		{"device_replaced_unheard", nil, nil, DeviceView{ID: "d1", Bound: true, Gone: true}, late, want{fleet.Missed, "", wire.ReasonDevice, 0, 0, false}},
		{"power_cut_over_the_slot", nil, nil, DeviceView{ID: "d1", Bound: true, ReportedTo: late, Outages: []Outage{{start.Add(-time.Hour), late, wire.ReasonPower}}}, late.Add(time.Hour),
			want{fleet.Missed, "", wire.ReasonPower, 0, 0, false}},
		{"power_cut_on_another_day", nil, nil, DeviceView{ID: "d1", Bound: true, ReportedTo: late, Outages: []Outage{{start.Add(-9 * time.Hour), start, wire.ReasonPower}}}, late.Add(time.Hour),
			want{fleet.Missed, "", wire.ReasonOther, 0, 0, false}},
		{"reason_of_most_plays", nil, join(plays(1, 4, wire.PlaySkipped, wire.ReasonClock, 0), plays(5, 2, wire.PlayFailed, wire.ReasonDevice, 0)), heard, late,
			want{fleet.Missed, "", wire.ReasonClock, 0, 0, false}},
		{"more_telling_reason_between_equals", nil, join(plays(1, 3, wire.PlaySkipped, wire.ReasonPower, 0), plays(4, 3, wire.PlayFailed, wire.ReasonHash, 0)), heard, late,
			want{fleet.Missed, "", wire.ReasonHash, 0, 0, false}},
		{"other_only_for_want_of_better", nil, join(plays(1, 5, wire.PlaySkipped, wire.ReasonOther, 0), plays(6, 1, wire.PlayFailed, wire.ReasonStopped, 0)), heard, late,
			want{fleet.Missed, "", wire.ReasonStopped, 0, 0, false}},
		{"result_of_a_later_protocol", nil, plays(1, 6, "hummed", "", 27000), heard, late, want{fleet.Missed, "", wire.ReasonOther, 0, 0, false}},
		{"same_play_twice_counts_once", nil, join(plays(1, 1, wire.PlayFailed, wire.ReasonDevice, 0), whole[:1], plays(1, 1, wire.PlayPartial, wire.ReasonPower, 5000)), heard, late,
			want{fleet.Partial, fleet.GradeB, wire.ReasonOther, 1, 27000, false}},
		{"exempt_whatever_sounded", func(o *fleet.Obligation) { o.Verdict, o.Reason = fleet.Exempt, wire.ReasonQuiet }, whole, heard, late, want{fleet.Exempt, "", wire.ReasonQuiet, 0, 0, false}},
		{"planned_time_unknown", func(o *fleet.Obligation) { o.PlannedMS = 0 }, whole[:5], heard, late, want{fleet.Played, fleet.GradeB, "", 5, 135000, false}},
		{"into_a_file", nil, func() []wire.Outcome {
			all := plays(1, 6, wire.PlayPlayed, "", 27000)
			for i := range all {
				all[i].Demo = true
			}
			return all
		}(), heard, late, want{fleet.Played, fleet.GradeB, "", 6, 162000, true}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := owed()
			if tt.owed != nil {
				tt.owed(&o)
			}
			d := Decide(o, tt.outcomes, tt.dev, tt.now)
			got := want{d.Verdict, d.Grade, d.Reason, d.PlaysOK, d.SoundMS, d.Demo}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("Decide (-want +got):\n%s", diff)
			}
			if d.Point != o.Point || d.Slot != o.Slot || d.Day != o.Day {
				t.Errorf("Decide is about %d %q %q", d.Point, d.Slot, d.Day)
			}
		})
	}
}

// TestDecideSlotWithoutAClip: no clip of the playlist was signed off and valid.
// The slot is missed for that, not for what the device did or was.
func TestDecideSlotWithoutAClip(t *testing.T) {
	o := owed()
	o.PlannedMS = 0
	late := o.End.Add(time.Hour)
	for name, tt := range map[string]struct {
		dev    DeviceView
		want   fleet.Verdict
		reason wire.Reason
	}{
		"reported":     {DeviceView{ID: "d1", Bound: true, HasPlan: true, ReportedTo: late}, fleet.Missed, wire.ReasonClipMissing},
		"replaced":     {DeviceView{ID: "d1", Bound: true, Gone: true}, fleet.Missed, wire.ReasonClipMissing},
		"no_device":    {DeviceView{}, fleet.Missed, wire.ReasonNotInstalled},
		"away_as_ever": {DeviceView{ID: "d1", Bound: true, HasPlan: true}, fleet.Pending, ""},
	} {
		t.Run(name, func(t *testing.T) {
			if d := Decide(o, nil, tt.dev, late); d.Verdict != tt.want || d.Reason != tt.reason || d.Note != fleet.NoteNoClip {
				t.Errorf("Decide = %s %s %q, want %s %s", d.Verdict, d.Reason, d.Note, tt.want, tt.reason)
			}
		})
	}
}

// TestDecideTwoDoubtsOfOnePlay: reasons that tell the same are not the same.
func TestDecideTwoDoubtsOfOnePlay(t *testing.T) {
	o := owed()
	o.Plays, o.PlannedMS = 1, 27000
	reasons := []wire.Reason{"", wire.ReasonOther, "later"}
	for _, a := range reasons {
		for _, b := range reasons {
			first, second := play(1, wire.PlayDoubt, a, 0), play(1, wire.PlayDoubt, b, 0)
			one, other := Decide(o, []wire.Outcome{first, second}, DeviceView{}, o.End), Decide(o, []wire.Outcome{second, first}, DeviceView{}, o.End)
			if diff := cmp.Diff(one, other); diff != "" {
				t.Errorf("reasons %q and %q, in another order (-first +second):\n%s", a, b, diff)
			}
		}
	}
}
