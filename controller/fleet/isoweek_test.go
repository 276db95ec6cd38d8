package fleet

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestWeeksCountByTheISOCalendar(t *testing.T) {
	tests := []struct {
		day  Day
		week string
		mon  Day
		last string // the week before
		ago  string // empty for none
	}{
		{"2026-11-22", "2026-W47", "2026-11-16", "2026-W46", "2025-W47"},
		{"2026-12-31", "2026-W53", "2026-12-28", "2026-W52", ""},
		{"2027-01-03", "2026-W53", "2026-12-28", "2026-W52", ""},
		{"2027-01-04", "2027-W01", "2027-01-04", "2026-W53", "2026-W01"},
		{"2024-12-30", "2025-W01", "2024-12-30", "2024-W52", "2024-W01"},
	}
	for _, tt := range tests {
		w, ok := WeekOfDay(tt.day)
		if !ok || w.String() != tt.week || w.Monday() != tt.mon || w.Add(-1).String() != tt.last {
			t.Errorf("%s: %s from %s after %s, want %s from %s after %s", tt.day, w, w.Monday(), w.Add(-1), tt.week, tt.mon, tt.last)
		}
		ago, ok := w.YearAgo()
		if ok != (tt.ago != "") || ok && ago.String() != tt.ago {
			t.Errorf("%s: a year ago %s, %t; want %q", tt.day, ago, ok, tt.ago)
		}
	}
	for _, text := range []string{"2026-W54", "2025-W53", "2026-W00", "2026W1", "1999-W10", ""} {
		if w, ok := ParseWeek(text); ok {
			t.Errorf("ParseWeek(%q) = %s", text, w)
		}
	}
}

func TestWeekAddIsASevenDayStep(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		day := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, rapid.IntRange(0, 10_000).Draw(t, "day"))
		n := rapid.IntRange(-200, 200).Draw(t, "weeks")
		w := WeekAt(day, time.UTC)
		if got, want := w.Add(n), WeekAt(day.AddDate(0, 0, 7*n), time.UTC); got != want || w.Add(n).Add(-n) != w {
			t.Fatalf("%s + %d weeks = %s, want %s", w, n, got, want)
		}
		if back, ok := ParseWeek(w.String()); !ok || back != w {
			t.Fatalf("ParseWeek(%q) = %s, %t", w.String(), back, ok)
		}
	})
}

func TestReminderAndDeadline(t *testing.T) {
	zone := time.FixedZone("CST", 8*3600)
	w := ISOWeek{2026, 47} // 16 to 22 November
	at := func(day, hour, minute int) time.Time { return time.Date(2026, 11, day, hour, minute, 0, 0, zone) }
	tests := []struct {
		now      time.Time
		sun, sat int
	}{
		{at(20, 8, 59), 0, 0}, {at(20, 9, 0), 1, 1}, {at(21, 8, 59), 1, 1}, {at(21, 9, 0), 2, 2}, {at(21, 23, 59), 2, 2}, {at(22, 0, 0), 2, 0}, {at(22, 23, 59), 2, 0}, {at(23, 0, 0), 0, 0},
	}
	for _, tt := range tests {
		if sun, sat := DueSunday.Reminder(w, tt.now, zone), DueSaturday.Reminder(w, tt.now, zone); sun != tt.sun || sat != tt.sat {
			t.Errorf("at %s reminder %d and %d, want %d and %d", tt.now, sun, sat, tt.sun, tt.sat)
		}
	}
	rules := FeedbackRules{Since: "2026-W40"}.With(DueSaturday, at(22, 12, 0), zone)
	if rules.Mode(w) != DueSunday || rules.Mode(w.Add(1)) != DueSaturday {
		t.Errorf("chosen on a Sunday, Saturday holds in %s: %s, after it: %s", w, rules.Mode(w), rules.Mode(w.Add(1)))
	}
	if back := ParseFeedbackRules(rules.String()); back.Mode(w.Add(1)) != DueSaturday || back.Owed(ISOWeek{2026, 39}) || !back.Owed(w) {
		t.Errorf("rules read back: %+v", back)
	}
}

func TestParseYuan(t *testing.T) {
	for text, want := range map[string]int64{"12000": 1200000, "12,000.50": 1200050, "0": 0, "3.5": 350, "1.25万": 1250000, "￥300元": 30000} {
		if got, err := ParseYuan(text); err != nil || got != want {
			t.Errorf("ParseYuan(%q) = %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"-1", "1.234", "一万", "1e5", "", "12a"} {
		if got, err := ParseYuan(text); CodeOf(err) != Invalid {
			t.Errorf("ParseYuan(%q) = %d, %v; want it refused", text, got, err)
		}
	}
}

// TestTotalsCompareTheSameUnits draws weeks with holes: a change in the total is
// never made by a unit that is on one side only.
func TestTotalsCompareTheSameUnits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string) Figures {
			f := Figures{Count: map[Tally]int64{}}
			if rapid.Bool().Draw(t, name) {
				f.Count[TallyCases] = rapid.Int64Range(0, 9).Draw(t, name+" cases")
			}
			return f
		}
		var rows []FiguresRow
		equal := true
		for range rapid.IntRange(1, 5).Draw(t, "units") {
			r := FiguresRow{Now: draw("now"), Last: draw("last")}
			_, a := r.Now.Value(TallyCases)
			_, b := r.Last.Value(TallyCases)
			equal = equal && a == b
			rows = append(rows, r)
		}
		total := FiguresTotal(rows)
		_, any := total.Now.Value(TallyCases)
		if known := total.OnWeek(TallyCases).Known; known != (any && equal) {
			t.Fatalf("known %t with equal units %t and figures %t", known, equal, any)
		}
	})
}
