package playout

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"gatecast/audio/output"
	"gatecast/internal/wire"
)

func TestAllowedWindows(t *testing.T) {
	windows := func(minutes ...int) (w []wire.DailyWindow) {
		for i := 0; i < len(minutes); i += 2 {
			w = append(w, wire.DailyWindow{FirstMin: minutes[i], LastMin: minutes[i+1]})
		}
		return w
	}
	tests := map[string]struct {
		zone    string
		windows []wire.DailyWindow
		inside  []string // start, each with a minute of sound
		outside []string
	}{
		"day_in_shanghai": {
			"Asia/Shanghai", windows(360, 1320),
			[]string{"2026-11-23T06:00:00+08:00", "2026-11-23T12:00:00+08:00", "2026-11-23T21:59:00+08:00", "2026-02-28T21:59:00+08:00"},
			[]string{"2026-11-23T05:59:59+08:00", "2026-11-23T21:59:01+08:00", "2026-11-23T22:00:00+08:00", "2026-11-23T00:00:00+08:00"},
		},
		"without_midday": {
			"Asia/Shanghai", windows(360, 720, 840, 1320),
			[]string{"2026-11-23T11:59:00+08:00", "2026-11-23T14:00:00+08:00"},
			[]string{"2026-11-23T11:59:30+08:00", "2026-11-23T12:30:00+08:00", "2026-11-23T13:59:59+08:00"},
		},
		"touching_windows_are_one": {
			"Asia/Shanghai", windows(360, 720, 720, 1320),
			[]string{"2026-11-23T11:59:30+08:00"}, []string{"2026-11-23T05:00:00+08:00"},
		},
		"overlapping_windows": {
			"Asia/Shanghai", windows(360, 720, 600, 800),
			[]string{"2026-11-23T11:59:30+08:00", "2026-11-23T13:19:00+08:00"}, []string{"2026-11-23T13:19:01+08:00"},
		},
		"around_the_clock": {
			"Asia/Shanghai", windows(0, 1440),
			[]string{"2026-11-23T23:59:30+08:00", "2026-12-31T23:59:30+08:00", "2028-02-29T23:59:59+08:00", "2026-11-23T00:00:00+08:00"}, nil,
		},
		"over_midnight": {
			"Asia/Shanghai", windows(1380, 1440, 0, 60),
			[]string{"2026-11-23T23:59:30+08:00", "2026-11-24T00:59:00+08:00"}, []string{"2026-11-23T22:59:59+08:00", "2026-11-24T00:59:01+08:00"},
		},
		"until_midnight_only": {
			"Asia/Shanghai", windows(1380, 1440),
			[]string{"2026-11-23T23:59:00+08:00"}, []string{"2026-11-23T23:59:01+08:00"},
		},
		"spring_gap_in_new_york": { // 02:00 to 03:00 does not exist on 8 March
			"America/New_York", windows(60, 240),
			[]string{"2026-03-08T01:59:30-05:00", "2026-03-08T03:58:59-04:00"}, []string{"2026-03-08T00:59:59-05:00", "2026-03-08T04:00:00-04:00"},
		},
		"autumn_repeat_in_new_york": { // 01:00 to 02:00 happens twice on 1 November
			"America/New_York", windows(0, 120),
			[]string{"2026-11-01T01:30:00-04:00", "2026-11-01T01:30:00-05:00", "2026-11-01T01:58:59-05:00"}, []string{"2026-11-01T02:00:00-05:00"},
		},
		"no_windows":   {"Asia/Shanghai", nil, nil, []string{"2026-11-23T12:00:00+08:00"}},
		"unknown_zone": {"Asia/Atlantis", windows(0, 1440), nil, []string{"2026-11-23T12:00:00+08:00"}},
		"no_zone":      {"", windows(0, 1440), nil, []string{"2026-11-23T12:00:00+08:00"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := wire.Ceilings{Zone: tt.zone, Allowed: tt.windows}
			check := func(list []string, want bool) {
				for _, s := range list {
					start, err := time.Parse(time.RFC3339, s)
					if err != nil {
						t.Fatal(err)
					}
					if got := Allowed(c, start, start.Add(time.Minute)); got != want {
						t.Errorf("Allowed(%s, one minute) = %v, want %v", s, got, want)
					}
				}
			}
			check(tt.inside, true)
			check(tt.outside, false)
		})
	}
}

// TestAllowedHoldsForEveryInstant compares with asking for each second alone.
func TestAllowedHoldsForEveryInstant(t *testing.T) {
	zones := []string{"Asia/Shanghai", "America/New_York", "Australia/Lord_Howe", "Africa/Cairo"}
	rapid.Check(t, func(rt *rapid.T) {
		c := wire.Ceilings{Zone: rapid.SampledFrom(zones).Draw(rt, "zone")}
		for range rapid.IntRange(0, 4).Draw(rt, "windows") {
			first := rapid.IntRange(0, 1439).Draw(rt, "first")
			c.Allowed = append(c.Allowed, wire.DailyWindow{FirstMin: first, LastMin: rapid.IntRange(first+1, 1440).Draw(rt, "last")})
		}
		start := time.Unix(rapid.Int64Range(1767225600, 1798761600).Draw(rt, "start"), 0) // in 2026
		dur := time.Duration(rapid.IntRange(1, 600).Draw(rt, "s")) * time.Second
		got := Allowed(c, start, start.Add(dur))
		zone, err := time.LoadLocation(c.Zone)
		if err != nil {
			rt.Fatal(err)
		}
		want := true
		for at := start; at.Before(start.Add(dur)); at = at.Add(time.Second) {
			local, ok := at.In(zone), false
			for _, w := range c.Allowed {
				second := local.Hour()*3600 + local.Minute()*60 + local.Second()
				ok = ok || w.FirstMin*60 <= second && second < w.LastMin*60
			}
			want = want && ok
		}
		if got != want {
			rt.Fatalf("Allowed(%v, %v) in %s = %v, want %v", start.In(zone), dur, c.Zone, got, want)
		}
	})
}

func TestPlaysAnHour(t *testing.T) {
	m := testManifest()
	m.Ceilings.MaxPlaysPerHour = 6
	var starts []time.Time
	for i := range 6 {
		starts = append(starts, minutes(10*float64(i)).Add(800*time.Millisecond)) // each a little late
	}
	if _, r, ok := permitted(m, shaOf(1), minutes(60), starts); !ok {
		t.Errorf("the seventh of six an hour, on time: %+v", r)
	}
	if _, _, ok := permitted(m, shaOf(1), minutes(55), starts); ok {
		t.Error("a seventh within the hour is permitted")
	}
	if _, _, ok := permitted(m, shaOf(1), minutes(-1), starts); ok {
		t.Error("plays that sounded before the clock was set back do not count")
	}
	if _, _, ok := permitted(m, shaOf(1), minutes(-120), starts); !ok {
		t.Error("plays of another hour count")
	}
	m.Ceilings.MaxPlaysPerHour = 1_000_000
	for len(starts) < maxStarts {
		starts = append(starts, minutes(1))
	}
	if _, _, ok := permitted(m, shaOf(1), minutes(2), starts); ok {
		t.Error("more plays an hour than are remembered")
	}
	m.Ceilings.MaxPlaysPerHour, m.Ceilings.MaxVolumePct = 60, 0
	if _, _, ok := permitted(m, shaOf(1), minutes(200), nil); ok {
		t.Error("a play where no volume is allowed")
	}
}

func TestJudge(t *testing.T) {
	clip := 10 * time.Second
	good := output.Report{
		Sink: "alsa", Device: "hw:0", StartedAt: time.Now(), Frames: clipFrames, FramesWritten: clipFrames, FramesPlayed: clipFrames,
		Elapsed: clip, End: output.Drained,
	}
	with := func(f func(*output.Report)) output.Report { r := good; f(&r); return r }
	fault := &output.Fault{Code: output.Gone, Device: "hw:0"}
	tests := map[string]struct {
		s      sounded
		result wire.PlayResult
		reason wire.Reason
		ms     int64
	}{
		"whole":             {sounded{report: good}, wire.PlayPlayed, "", 10_000},
		"whole_but_silence": {sounded{report: good, silent: true}, wire.PlayDoubt, wire.ReasonSilent, 10_000},
		"muted":             {sounded{report: with(func(r *output.Report) { r.Muted = true })}, wire.PlayDoubt, wire.ReasonSilent, 10_000},
		"underrun": {sounded{report: with(func(r *output.Report) { r.End, r.FramesPlayed, r.Underruns = output.Underrun, 40_000, 1 })},
			wire.PlayPartial, wire.ReasonDevice, 5000},
		"broke_off_and_went_on": {sounded{report: with(func(r *output.Report) { r.Underruns = 2 })}, wire.PlayPartial, wire.ReasonDevice, 10_000},
		"lost":                  {sounded{report: with(func(r *output.Report) { r.End, r.FramesPlayed = output.Lost, 8000 }), err: fault}, wire.PlayPartial, wire.ReasonDevice, 1000},
		"lost_at_once": {sounded{report: with(func(r *output.Report) { r.End, r.FramesPlayed, r.StartedAt = output.Lost, 0, time.Time{} }), err: fault},
			wire.PlayFailed, wire.ReasonDevice, 0},
		"refused":               {sounded{report: output.Report{End: output.Refused, Frames: clipFrames}, err: fault}, wire.PlayFailed, wire.ReasonDevice, 0},
		"empty_report":          {sounded{err: errors.New("x")}, wire.PlayFailed, wire.ReasonDevice, 0},
		"moved":                 {sounded{report: with(func(r *output.Report) { r.MovedTo = "other" })}, wire.PlayFailed, wire.ReasonDevice, 0},
		"swallowed":             {sounded{report: with(func(r *output.Report) { r.Elapsed = time.Millisecond })}, wire.PlayFailed, wire.ReasonDevice, 0},
		"too_slow":              {sounded{report: with(func(r *output.Report) { r.Elapsed = 11 * time.Second })}, wire.PlayPartial, wire.ReasonDevice, 10_000},
		"stopped":               {sounded{report: with(func(r *output.Report) { r.End, r.FramesPlayed = output.Cancelled, 24_000 }), err: errStopped, cause: errStopped}, wire.PlayPartial, wire.ReasonStopped, 3000},
		"stopped_at_once":       {sounded{report: output.Report{End: output.Cancelled, Frames: clipFrames}, err: errStopped, cause: errStopped}, wire.PlayFailed, wire.ReasonStopped, 0},
		"stopped_after_the_end": {sounded{report: good, cause: errStopped}, wire.PlayPlayed, "", 10_000},
		"in_the_lead_in": {sounded{report: with(func(r *output.Report) { r.End, r.FramesPlayed, r.Frames = output.Cancelled, 4000, clipFrames+8000 }),
			err: errStopped, cause: errStopped, lead: time.Second}, wire.PlayFailed, wire.ReasonStopped, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			tt.s.clip, tt.s.rate = clip, clipRate
			var o wire.Outcome
			judge(&o, tt.s)
			if o.Result != tt.result || o.Reason != tt.reason || o.SoundMS != tt.ms {
				t.Errorf("judge = %s %q, %d ms (%s), want %s %q, %d ms", o.Result, o.Reason, o.SoundMS, o.Detail, tt.result, tt.reason, tt.ms)
			}
			if (o.Detail == "") != (o.Result == wire.PlayPlayed) {
				t.Errorf("%s with the detail %q", o.Result, o.Detail)
			}
		})
	}
}

func TestExpandOrdersPlaysOfAllSlots(t *testing.T) {
	p := testPlan(testSlot("gates.a", 10, 3), testSlot("gates.b", 11, 2), testSlot("gates.far", 60*26, 1))
	var got []string
	for _, e := range expand(p, minutes(12), minutes(12), minutes(60), false) {
		got = append(got, string(e.ID[len("2026-11-23.gates."):]))
	}
	if diff := cmp.Diff([]string{"a#2", "b#2", "a#3"}, got); diff != "" {
		t.Errorf("plays (-want +got):\n%s", diff)
	}
}

func TestLatestStart(t *testing.T) {
	at := minutes(10)
	tests := map[string]struct {
		grace time.Duration
		end   time.Time
		want  time.Time
	}{
		"grace":              {30 * time.Second, minutes(20), at.Add(30 * time.Second)},
		"every_play_has_one": {0, minutes(20), at.Add(minGrace)},
		"slot_ends_before":   {time.Hour, minutes(20), minutes(20).Add(-1)},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			e := entry{Play: wire.Play{At: at, Grace: tt.grace}, end: tt.end}
			if got := e.latest(); !got.Equal(tt.want) {
				t.Errorf("latest() = %v, want %v", got, tt.want)
			}
		})
	}
}

func FuzzProgress(f *testing.F) {
	b := encodeProgress("a.b#1", 1500*time.Millisecond)
	f.Add(b[:])
	f.Add([]byte("gcPROG1\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if d := decodeProgress(data, "a.b#1"); d != 0 {
			if again := encodeProgress("a.b#1", d); string(again[:]) != string(data[:progressSize]) {
				t.Errorf("decodeProgress(%x) = %v", data, d)
			}
		}
	})
}
