package output

import (
	"testing"
	"time"
)

func TestPlayedNeedsEveryProof(t *testing.T) {
	const clip = 8 * time.Second
	good := Report{
		Sink: ALSA, Device: "hw:0", StartedAt: time.Now(), Frames: 192000, FramesWritten: 192000,
		FramesPlayed: 192000, Elapsed: clip, End: Drained,
	}
	tests := map[string]struct {
		change func(*Report)
		clip   time.Duration
		want   bool
	}{
		"as_it_should_be":      {func(*Report) {}, clip, true},
		"card_padded_the_end":  {func(r *Report) { r.FramesPlayed += 1024 }, clip, true},
		"pace_at_lower_bound":  {func(r *Report) { r.Elapsed = 7890 * time.Millisecond }, clip, true},
		"pace_at_upper_bound":  {func(r *Report) { r.Elapsed = 8190 * time.Millisecond }, clip, true},
		"just_too_early":       {func(r *Report) { r.Elapsed = 7889 * time.Millisecond }, clip, false},
		"just_too_late":        {func(r *Report) { r.Elapsed = 8191 * time.Millisecond }, clip, false},
		"swallowed_at_once":    {func(r *Report) { r.Elapsed = 6 * time.Millisecond }, clip, false},
		"one_frame_short":      {func(r *Report) { r.FramesPlayed-- }, clip, false},
		"underrun":             {func(r *Report) { r.End = Underrun }, clip, false},
		"underrun_counted":     {func(r *Report) { r.Underruns = 1 }, clip, false},
		"lost":                 {func(r *Report) { r.End = Lost }, clip, false},
		"cancelled":            {func(r *Report) { r.End = Cancelled }, clip, false},
		"refused":              {func(r *Report) { r.End = Refused }, clip, false},
		"no_end":               {func(r *Report) { r.End = "" }, clip, false},
		"muted":                {func(r *Report) { r.Muted = true }, clip, false},
		"moved":                {func(r *Report) { r.MovedTo = "auto_null" }, clip, false},
		"start_unknown":        {func(r *Report) { r.StartedAt = time.Time{} }, clip, false},
		"clip_without_length":  {func(*Report) {}, 0, false},
		"zero_report":          {func(r *Report) { *r = Report{} }, clip, false},
		"catalogue_says_other": {func(*Report) {}, 9 * time.Second, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := good
			tt.change(&r)
			ok, why := Played(r, tt.clip)
			if ok != tt.want || ok != (why == "") {
				t.Errorf("Played(%+v, %v) = %v, %q; want %v", r, tt.clip, ok, why, tt.want)
			}
		})
	}
}
