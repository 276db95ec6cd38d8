package schedules

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// zones are those in which everything that depends on clocks is tested: none,
// one hour, half an hour, and changes at midnight.
func zones() []string {
	return []string{"Asia/Shanghai", "America/New_York", "Australia/Lord_Howe", "Africa/Cairo"}
}

func mustZone(t interface{ Fatal(...any) }, name string) *time.Location {
	loc, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

func naiveTime(t interface{ Fatal(...any) }, s string) time.Time {
	v, err := time.Parse("2006-01-02 15:04:05", s)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestInstantOfWallClock(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, zone, wall string
		first, last      string // UTC
	}{
		{"shanghai_plain", "Asia/Shanghai", "2026-02-28 07:30:00", "2026-02-27 23:30:00", "2026-02-27 23:30:00"},
		{"shanghai_gap_of_1986", "Asia/Shanghai", "1986-05-04 02:30:00", "1986-05-03 18:00:00", "1986-05-03 18:00:00"},
		{"shanghai_repeat_of_1986", "Asia/Shanghai", "1986-09-14 01:30:00", "1986-09-13 16:30:00", "1986-09-13 17:30:00"},
		{"leap_day", "Asia/Shanghai", "2028-02-29 00:00:00", "2028-02-28 16:00:00", "2028-02-28 16:00:00"},
		{"year_change", "Asia/Shanghai", "2027-01-01 00:00:00", "2026-12-31 16:00:00", "2026-12-31 16:00:00"},
		{"new_york_winter", "America/New_York", "2026-03-07 02:30:00", "2026-03-07 07:30:00", "2026-03-07 07:30:00"},
		{"new_york_before_gap", "America/New_York", "2026-03-08 01:59:59", "2026-03-08 06:59:59", "2026-03-08 06:59:59"},
		{"new_york_gap_first", "America/New_York", "2026-03-08 02:00:00", "2026-03-08 07:00:00", "2026-03-08 07:00:00"},
		{"new_york_gap_last", "America/New_York", "2026-03-08 02:59:59", "2026-03-08 07:00:00", "2026-03-08 07:00:00"},
		{"new_york_after_gap", "America/New_York", "2026-03-08 03:00:00", "2026-03-08 07:00:00", "2026-03-08 07:00:00"},
		{"new_york_before_repeat", "America/New_York", "2026-11-01 00:59:59", "2026-11-01 04:59:59", "2026-11-01 04:59:59"},
		{"new_york_repeat_first", "America/New_York", "2026-11-01 01:00:00", "2026-11-01 05:00:00", "2026-11-01 06:00:00"},
		{"new_york_repeat_last", "America/New_York", "2026-11-01 01:59:59", "2026-11-01 05:59:59", "2026-11-01 06:59:59"},
		{"new_york_after_repeat", "America/New_York", "2026-11-01 02:00:00", "2026-11-01 07:00:00", "2026-11-01 07:00:00"},
		{"lord_howe_gap_is_half_an_hour", "Australia/Lord_Howe", "2026-10-04 02:15:00", "2026-10-03 15:30:00", "2026-10-03 15:30:00"},
		{"lord_howe_after_gap", "Australia/Lord_Howe", "2026-10-04 02:30:00", "2026-10-03 15:30:00", "2026-10-03 15:30:00"},
		{"lord_howe_repeat", "Australia/Lord_Howe", "2026-04-05 01:45:00", "2026-04-04 14:45:00", "2026-04-04 15:15:00"},
		{"lord_howe_before_repeat", "Australia/Lord_Howe", "2026-04-05 01:29:59", "2026-04-04 14:29:59", "2026-04-04 14:29:59"},
		{"cairo_gap_at_midnight", "Africa/Cairo", "2026-04-24 00:00:00", "2026-04-23 22:00:00", "2026-04-23 22:00:00"},
		{"cairo_gap_end", "Africa/Cairo", "2026-04-24 01:00:00", "2026-04-23 22:00:00", "2026-04-23 22:00:00"},
		{"cairo_repeat_before_midnight", "Africa/Cairo", "2026-10-29 23:30:00", "2026-10-29 20:30:00", "2026-10-29 21:30:00"},
		{"cairo_after_repeat", "Africa/Cairo", "2026-10-30 00:00:00", "2026-10-29 22:00:00", "2026-10-29 22:00:00"},
		{"apia_day_that_never_was", "Pacific/Apia", "2011-12-30 12:00:00", "2011-12-30 10:00:00", "2011-12-30 10:00:00"},
		{"kiritimati_far_east", "Pacific/Kiritimati", "2026-01-01 00:00:00", "2025-12-31 10:00:00", "2025-12-31 10:00:00"},
		{"utc", "UTC", "2026-01-01 00:00:00", "2026-01-01 00:00:00", "2026-01-01 00:00:00"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			loc, wall := mustZone(t, tt.zone), naiveTime(t, tt.wall)
			if got, want := firstInstant(wall, loc), naiveTime(t, tt.first); !got.Equal(want) {
				t.Errorf("firstInstant(%s) = %s, want %s", tt.wall, got.UTC(), want)
			}
			if got, want := lastInstant(wall, loc), naiveTime(t, tt.last); !got.Equal(want) {
				t.Errorf("lastInstant(%s) = %s, want %s", tt.wall, got.UTC(), want)
			}
		})
	}
}

// wallOf is what a clock shows, as a naive time.
func wallOf(t time.Time, loc *time.Location) time.Time {
	_, offset := t.In(loc).Zone()
	return t.UTC().Add(time.Duration(offset) * time.Second)
}

// TestInstantOfWallClockProperty compares with the definition: among all
// instants in steps of a minute around the reading, the first and the last that
// show it; where none does, the first that shows anything later.
func TestInstantOfWallClockProperty(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		loc := mustZone(t, rapid.SampledFrom(append(zones(), "Pacific/Apia", "America/Sao_Paulo", "Antarctica/Troll", "Europe/Dublin")).Draw(t, "zone"))
		// Near a change of the clock, or anywhere.
		at := time.Unix(rapid.Int64Range(0, 2_000_000_000).Draw(t, "at"), 0).In(loc)
		if _, next := at.ZoneBounds(); !next.IsZero() {
			at = next
		}
		wall := wallOf(at, loc).Add(time.Duration(rapid.IntRange(-200, 200).Draw(t, "minutes")) * time.Minute).Truncate(time.Minute)
		var first, last, later time.Time
		for m := -30 * 60; m <= 30*60; m++ {
			i := wall.Add(time.Duration(m) * time.Minute)
			switch w := wallOf(i, loc); {
			case w.Equal(wall):
				if first.IsZero() {
					first = i
				}
				last = i
			case w.After(wall) && later.IsZero():
				later = i
			}
		}
		if first.IsZero() {
			first, last = later, later
		}
		if got := firstInstant(wall, loc); !got.Equal(first) {
			t.Fatalf("firstInstant(%s, %s) = %s, want %s", wall, loc, got.UTC(), first)
		}
		if got := lastInstant(wall, loc); !got.Equal(last) {
			t.Fatalf("lastInstant(%s, %s) = %s, want %s", wall, loc, got.UTC(), last)
		}
	})
}

func TestTimeRangeTouches(t *testing.T) {
	t.Parallel()
	hm := func(h, m int) TimeOfDay {
		return TimeOfDay(time.Duration(h)*time.Hour + time.Duration(m)*time.Minute)
	}
	tests := []struct {
		name         string
		times        string
		start, until TimeOfDay
		want         bool
	}{
		{"ends_as_midday_begins", "12:00-14:00", hm(11, 30), hm(12, 0), false},
		{"one_minute_into_midday", "12:00-14:00", hm(11, 30), hm(12, 1), true},
		{"begins_as_midday_ends", "12:00-14:00", hm(14, 0), hm(14, 30), false},
		{"inside", "12:00-14:00", hm(12, 30), hm(13, 0), true},
		{"around", "12:00-14:00", hm(11, 0), hm(15, 0), true},
		{"ends_as_night_begins", "22:00-06:00", hm(21, 30), hm(22, 0), false},
		{"into_night", "22:00-06:00", hm(21, 30), hm(22, 1), true},
		{"early", "22:00-06:00", hm(5, 59), hm(6, 10), true},
		{"begins_as_night_ends", "22:00-06:00", hm(6, 0), hm(6, 10), false},
		{"past_midnight", "01:00-02:00", hm(23, 30), hm(25, 30), true},
		{"whole_day", "00:00-24:00", hm(9, 0), hm(9, 1), true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r, err := ParseTimeRange(tt.times)
			if err != nil {
				t.Fatal(err)
			}
			if got := r.touches(tt.start, tt.until-tt.start); got != tt.want {
				t.Errorf("%s touches %s until %s = %v, want %v", r, tt.start, tt.until, got, tt.want)
			}
		})
	}
}

// TestQuietEndsAtTheLaterReading pins that quiet errs on the long side where the
// clock shows its end twice.
func TestQuietEndsAtTheLaterReading(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, zone, times, on string
		from, to              string // UTC
	}{
		{"end_repeated", "America/New_York", "22:00-01:30", "2026-10-31", "2026-11-01 02:00:00", "2026-11-01 06:30:00"},
		{"start_repeated", "America/New_York", "01:30-03:00", "2026-11-01", "2026-11-01 05:30:00", "2026-11-01 08:00:00"},
		{"end_skipped", "America/New_York", "22:00-02:30", "2026-03-07", "2026-03-08 03:00:00", "2026-03-08 07:00:00"},
		{"half_hour", "Australia/Lord_Howe", "22:00-01:45", "2026-04-04", "2026-04-04 11:00:00", "2026-04-04 15:15:00"},
		{"plain", "Asia/Shanghai", "22:00-06:00", "2026-06-10", "2026-06-10 14:00:00", "2026-06-10 22:00:00"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r, err := ParseTimeRange(tt.times)
			if err != nil {
				t.Fatal(err)
			}
			d, err := ParseDate(tt.on)
			if err != nil {
				t.Fatal(err)
			}
			from, to := r.window(d, mustZone(t, tt.zone))
			if !from.Equal(naiveTime(t, tt.from)) || !to.Equal(naiveTime(t, tt.to)) {
				t.Errorf("%s on %s = %s to %s, want %s to %s", r, d, from.UTC(), to.UTC(), tt.from, tt.to)
			}
		})
	}
}

func TestParseTimeOfDay(t *testing.T) {
	t.Parallel()
	good := map[string]string{"07:30": "07:30", "7:30": "07:30", "00:00": "00:00", "24:00": "24:00", "23:59:59": "23:59:59", "07:30:00": "07:30"}
	for in, want := range good {
		if got, err := ParseTimeOfDay(in); err != nil || got.String() != want {
			t.Errorf("ParseTimeOfDay(%q) = %s, %v, want %s", in, got, err, want)
		}
	}
	for _, in := range []string{"", ":", "7", "730", "7:3", "07:60", "25:00", "24:01", "24:00:01", "-1:00", "+7:30", "07:30:60", "07:30:00:00", "07：30", " 7:30", "007:30", "7:+3", "7: 3", "１:00"} {
		if got, err := ParseTimeOfDay(in); err == nil {
			t.Errorf("ParseTimeOfDay(%q) = %s, want an error", in, got)
		}
	}
	for _, in := range []string{"12:00", "12:00-12:00", "24:00-06:00", "22:00-00:00", "12:00-25:00", "a-b", "12:00–14:00–15:00"} {
		if got, err := ParseTimeRange(in); err == nil {
			t.Errorf("ParseTimeRange(%q) = %s, want an error", in, got)
		}
	}
}

func TestDateArithmetic(t *testing.T) {
	t.Parallel()
	tests := []struct {
		date string
		n    int
		want string
	}{
		{"2026-12-31", 1, "2027-01-01"}, {"2028-02-28", 1, "2028-02-29"}, {"2026-02-28", 1, "2026-03-01"},
		{"2026-03-01", -1, "2026-02-28"}, {"2026-01-01", 365, "2027-01-01"}, {"2026-06-10", 0, "2026-06-10"},
	}
	for _, tt := range tests {
		d, err := ParseDate(tt.date)
		if err != nil {
			t.Fatal(err)
		}
		if got := d.AddDays(tt.n).String(); got != tt.want {
			t.Errorf("%s.AddDays(%d) = %s, want %s", d, tt.n, got, tt.want)
		}
	}
	for _, s := range []string{"", "2026-02-30", "2026-2-3", "2026/02/03", "20260203", "2026-13-01"} {
		if d, err := ParseDate(s); err == nil {
			t.Errorf("ParseDate(%q) = %s, want an error", s, d)
		}
	}
	var d Date
	if err := d.UnmarshalText([]byte("2026-06-07")); err != nil || d.String() != "2026-06-07" {
		t.Errorf("UnmarshalText = %s, %v", d, err)
	}
	if b, err := d.MarshalText(); err != nil || string(b) != "2026-06-07" {
		t.Errorf("MarshalText = %s, %v", b, err)
	}
	if err := d.UnmarshalText(nil); err != nil || !d.IsZero() {
		t.Errorf("UnmarshalText of nothing = %s, %v, want the zero date", d, err)
	}
}
