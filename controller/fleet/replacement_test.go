package fleet

import (
	"testing"
	"time"

	"gatecast/internal/wire"
)

// TestReplacementHolds: what holds in a slot depends on when it was ordered and
// undone, each with the lead, and does not change once the slot is near.
func TestReplacementHolds(t *testing.T) {
	at := func(hour, minute int) time.Time { return time.Date(2026, 11, 23, hour, minute, 0, 0, time.UTC) }
	r := Replacement{At: at(16, 0), Old: "a", New: "b", Slots: []string{"daily.evening"}, From: "2026-11-23", To: "2026-11-24", Lead: 2 * time.Minute}
	tests := map[string]struct {
		change func(*Replacement)
		slot   string
		day    Day
		want   bool
	}{
		"ordered":         {func(*Replacement) {}, "daily.evening", "2026-11-23", true},
		"other_slot":      {func(*Replacement) {}, "daily.noon", "2026-11-23", false},
		"every_slot":      {func(r *Replacement) { r.Slots = nil }, "daily.noon", "2026-11-23", true},
		"day_before":      {func(r *Replacement) { r.From = "2026-11-24" }, "daily.evening", "2026-11-23", false},
		"day_after":       {func(*Replacement) {}, "daily.evening", "2026-11-25", false},
		"open_end":        {func(r *Replacement) { r.To = "" }, "daily.evening", "2027-01-01", true},
		"just_in_time":    {func(r *Replacement) { r.At = at(17, 58) }, "daily.evening", "2026-11-23", true},
		"too_late":        {func(r *Replacement) { r.At = at(17, 58).Add(time.Second) }, "daily.evening", "2026-11-23", false},
		"undone":          {func(r *Replacement) { r.Undone = at(17, 58) }, "daily.evening", "2026-11-23", false},
		"undone_too_late": {func(r *Replacement) { r.Undone = at(17, 58).Add(time.Second) }, "daily.evening", "2026-11-23", true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := r
			tt.change(&r)
			if got := r.Holds(tt.slot, tt.day, at(18, 0)); got != tt.want {
				t.Errorf("Holds = %t, want %t", got, tt.want)
			}
		})
	}
}

func TestVoiceOfADevice(t *testing.T) {
	start := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	a := ReplacedAt{Start: start, Device: "d1", Version: 7}
	r := Replacement{New: "b"}
	d := Device{ID: "d1", PlanVersion: 8, Horizon: start.AddDate(0, 0, 50), ClipsReady: []string{"a", "b"}}
	tests := map[string]struct {
		change func(*Device)
		want   Voice
	}{
		"ready":            {func(*Device) {}, VoiceNew},
		"plan_of_before":   {func(d *Device) { d.PlanVersion = 7 }, VoiceOld},
		"clip_on_its_way":  {func(d *Device) { d.ClipsReady = []string{"a"} }, VoiceOld},
		"no_device":        {func(d *Device) { *d = Device{} }, VoiceNone},
		"no_plan":          {func(d *Device) { d.PlanVersion = 0 }, VoiceNone},
		"plan_is_over":     {func(d *Device) { d.Horizon = start }, VoiceNone},
		"silent_by_order":  {func(d *Device) { d.Mute = wire.MuteState{On: true} }, VoiceNone},
		"another_device":   {func(d *Device) { d.ID = "d2" }, VoiceOld},
		"another_is_ready": {func(d *Device) { d.ID, d.WantVersion = "d2", 8 }, VoiceNew},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			d := d
			tt.change(&d)
			if got := a.Voice(r, d); got != tt.want {
				t.Errorf("Voice = %s, want %s", got, tt.want)
			}
		})
	}
}

func TestLevelsAddUpToALimit(t *testing.T) {
	at := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	step := Level{At: at, GainDB: LevelStep, Until: at.Add(LevelFor)}
	ended := step
	ended.Ended = at.Add(time.Hour)
	for name, tt := range map[string]struct {
		levels []Level
		start  time.Time
		want   float64
	}{
		"none":     {nil, at, 0},
		"one":      {[]Level{step}, at, -6},
		"two":      {[]Level{step, step}, at, -12},
		"bounded":  {[]Level{step, step, step, step}, at, -18},
		"over":     {[]Level{step}, at.Add(LevelFor), 0},
		"restored": {[]Level{ended, step}, at, -6},
		"for_good": {[]Level{{At: at, GainDB: -6}}, at.AddDate(1, 0, 0), -6},
	} {
		if got := GainAt(tt.levels, tt.start); got != tt.want {
			t.Errorf("%s: %v dB, want %v", name, got, tt.want)
		}
	}
}

func TestImpersonalText(t *testing.T) {
	for text, fine := range map[string]bool{
		"孩子在睡觉，7:40 太响": true, "工单 2026-11-23 转来": true, "影响 300 户": true,
		"3-1-502 反映": false, "2号楼1单元302室": false, "请打 13812345678": false, "0557-3012345": false, "110101199003074477": false,
	} {
		if err := Impersonal(text); (err == nil) != fine {
			t.Errorf("Impersonal(%q) = %v", text, err)
		}
	}
}
