package schedules

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestStartAccepts(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, expr string
		on         string
		want       string
	}{
		{"time_of_day", "07:30", "2026-06-10", "07:30"},
		{"time_with_seconds", "7:30:15", "2026-06-10", "07:30:15"},
		{"five_fields", "30 7 * * *", "2026-06-10", "07:30"},
		{"six_fields", "15 30 7 * * *", "2026-06-10", "07:30:15"},
		{"list_and_step", "0,30 8-10/2 * * *", "2026-06-10", "08:00 08:30 10:00 10:30"},
		{"weekday_hit", "0 8 * * MON-FRI", "2026-06-10", "08:00"},
		{"weekday_miss", "0 8 * * MON-FRI", "2026-06-13", ""},
		{"sunday_is_zero", "0 8 * * 0", "2026-06-14", "08:00"},
		{"day_of_month_hit", "0 8 10 * *", "2026-06-10", "08:00"},
		{"day_of_month_miss", "0 8 10 * *", "2026-06-11", ""},
		{"month_by_name", "0 8 * jun *", "2026-06-30", "08:00"},
		{"month_miss", "0 8 * jun *", "2026-07-01", ""},
		{"question_mark", "0 8 ? * 3", "2026-06-10", "08:00"},
		{"leap_day_hit", "0 8 29 2 *", "2028-02-29", "08:00"},
		{"leap_day_miss", "0 8 29 2 *", "2027-03-01", ""},
		{"midnight", "00:00", "2026-06-10", "00:00"},
		{"last_second", "59 59 23 * * *", "2026-06-10", "23:59:59"},
		{"odd_spacing", "  30\t7  * * * ", "2026-06-10", "07:30"},
		{"day_step_of_one", "0 8 */1 * 3", "2026-06-10", "08:00"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, err := parseStart(tt.expr)
			if err != nil {
				t.Fatalf("parseStart(%q): %v", tt.expr, err)
			}
			d, _ := ParseDate(tt.on)
			var got []string
			for _, tod := range s.on(d) {
				got = append(got, tod.String())
			}
			if diff := cmp.Diff(tt.want, strings.Join(got, " ")); diff != "" {
				t.Errorf("starts of %q on %s differ (-want +got):\n%s", tt.expr, d, diff)
			}
			if s.hits(d) != (len(got) > 0) {
				t.Errorf("hits(%s) = %v with starts %v", d, s.hits(d), got)
			}
		})
	}
}

func TestStartRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		expr string
		want Rule
	}{
		{"", RuleCron}, {"8", RuleCron}, {"0 8 * *", RuleCron}, {"0 0 0 8 * * *", RuleCron}, {"24:00", RuleCron}, {"07：30", RuleCron},
		{strings.Repeat("0,", 250) + "0 8 * * *", RuleCron},
		{"60 8 * * *", RuleCronField}, {"0 24 * * *", RuleCronField}, {"0 8 0 * *", RuleCronField}, {"0 8 32 * *", RuleCronField},
		{"0 8 * 13 *", RuleCronField}, {"0 8 * * 7", RuleCronField}, {"0 8 * * FRI-MON", RuleCronField}, {"-1 8 * * *", RuleCronField},
		{"*/0 8 * * *", RuleCronField}, {"*-5 8 * * *", RuleCronField}, {", 8 * * *", RuleCronField}, {"1,,2 8 * * *", RuleCronField},
		{"? 8 * * *", RuleCronField}, {"0 8 L * *", RuleCronField}, {"0 8 1-2-3 * *", RuleCronField}, {"0 8 * foo *", RuleCronField},
		{"60 0 8 * * *", RuleCronField}, {"1/2/3 8 * * *", RuleCronField}, {"5-1 8 * * *", RuleCronField},
		{"TZ=UTC 0 8 * * *", RuleCronZone}, {"TZ=", RuleCronZone}, {"TZ=x", RuleCronZone}, {"CRON_TZ=Asia/Tokyo 0 8 * * *", RuleCronZone}, {" tz=x", RuleCronZone},
		{"@every 5m", RuleCronEvery}, {"@every 1ns", RuleCronEvery}, {"@daily", RuleCronEvery}, {"@reboot", RuleCronEvery},
		{"0 0 1 * MON", RuleCronDays}, {"0 8 1-7 * 1", RuleCronDays}, {"0 8 */2 * 1-5", RuleCronDays},
		{"0 8 31 2 *", RuleCronNever}, {"0 8 30 2 *", RuleCronNever}, {"0 8 31 4,6,9,11 *", RuleCronNever},
		{"* * * * * *", RuleCronOften}, {"0,30 * * * * *", RuleCronOften},
	}
	for _, tt := range tests {
		if s, err := parseStart(tt.expr); err == nil {
			t.Errorf("parseStart(%.40q) = %v, want %s", tt.expr, s.times, tt.want)
		} else if err.rule != tt.want {
			t.Errorf("parseStart(%.40q) breaks %s, want %s (%v)", tt.expr, err.rule, tt.want, err)
		}
	}
}

// TestStartDaysProperty holds the quick answer of hits, and the times taken
// from the first day, to what cron's Next says.
func TestStartDaysProperty(t *testing.T) {
	t.Parallel()
	field := func(t *rapid.T, name string, low, high int) string {
		a := rapid.IntRange(low, high).Draw(t, name)
		b := rapid.IntRange(a, high).Draw(t, name+" end")
		step := rapid.IntRange(1, 9).Draw(t, name+" step")
		switch rapid.IntRange(0, 3).Draw(t, name+" form") {
		case 0:
			return itoa(a)
		case 1:
			return itoa(a) + "-" + itoa(b)
		case 2:
			return itoa(a) + "-" + itoa(b) + "/" + itoa(step)
		}
		return "*"
	}
	rapid.Check(t, func(t *rapid.T) {
		dom, dow := field(t, "dom", 1, 31), "*"
		if rapid.Bool().Draw(t, "by weekday") {
			dom, dow = "*", field(t, "dow", 0, 6)
		}
		expr := itoa(rapid.IntRange(0, 59).Draw(t, "minute")) + " " + field(t, "hour", 0, 23) + " " + dom + " " + field(t, "month", 1, 12) + " " + dow
		s, err := parseStart(expr)
		if err != nil {
			if err.rule != RuleCronNever {
				t.Fatalf("parseStart(%q): %v", expr, err)
			}
			return
		}
		d := Date{2024, time.January, 1}.AddDays(rapid.IntRange(0, 1500).Draw(t, "day"))
		got := s.on(d)
		if s.hits(d) != (len(got) > 0) {
			t.Fatalf("%q: hits(%s) = %v, starts %v", expr, d, s.hits(d), got)
		}
		if len(got) > 0 {
			if diff := cmp.Diff(s.times, got); diff != "" {
				t.Fatalf("%q: times on %s differ from those of the first day:\n%s", expr, d, diff)
			}
			if len(got) != s.perDay() {
				t.Fatalf("%q: %d starts, perDay() = %d", expr, len(got), s.perDay())
			}
		}
	})
}
