package schedules

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestHolidaysOf2026 compares the shipped table with the notice, written down a
// second time as ranges.
func TestHolidaysOf2026(t *testing.T) {
	t.Parallel()
	ranges := []struct {
		name, from, to string
		want           DayType
	}{
		{"元旦", "2026-01-01", "2026-01-03", Holiday}, {"元旦", "2026-01-04", "2026-01-04", MakeUpWorkday},
		{"春节", "2026-02-15", "2026-02-23", Holiday}, {"春节", "2026-02-14", "2026-02-14", MakeUpWorkday}, {"春节", "2026-02-28", "2026-02-28", MakeUpWorkday},
		{"清明节", "2026-04-04", "2026-04-06", Holiday},
		{"劳动节", "2026-05-01", "2026-05-05", Holiday}, {"劳动节", "2026-05-09", "2026-05-09", MakeUpWorkday},
		{"端午节", "2026-06-19", "2026-06-21", Holiday},
		{"中秋节", "2026-09-25", "2026-09-27", Holiday},
		{"国庆节", "2026-10-01", "2026-10-07", Holiday}, {"国庆节", "2026-09-20", "2026-09-20", MakeUpWorkday}, {"国庆节", "2026-10-10", "2026-10-10", MakeUpWorkday},
	}
	cal := DefaultCalendar()
	first := Date{2026, time.January, 1}
	counts := make(map[DayType]int)
	for d := first; d.Year == 2026; d = d.AddDays(1) {
		want, name := Workday, ""
		if w := d.Weekday(); w == time.Saturday || w == time.Sunday {
			want = RestDay
		}
		for _, r := range ranges {
			from, _ := ParseDate(r.from)
			to, _ := ParseDate(r.to)
			if !d.Before(from) && !d.After(to) {
				want, name = r.want, r.name
			}
		}
		got, known := cal.DayType(d)
		if got != want || !known || cal.Name(d) != name {
			t.Errorf("%s: %s %q known %v, want %s %q", d, got, cal.Name(d), known, want, name)
		}
		counts[got]++
	}
	if diff := cmp.Diff(map[DayType]int{Workday: 242, MakeUpWorkday: 6, RestDay: 84, Holiday: 33}, counts); diff != "" {
		t.Errorf("days of 2026 by type differ (-want +got):\n%s", diff)
	}
}

func TestDayTypeOfUnknownYear(t *testing.T) {
	t.Parallel()
	cal := DefaultCalendar()
	for date, want := range map[string]DayType{"2027-10-01": Workday, "2027-10-02": RestDay, "2025-12-31": Workday, "2024-02-29": Workday} {
		d, _ := ParseDate(date)
		if got, known := cal.DayType(d); got != want || known {
			t.Errorf("DayType(%s) = %s, %v, want %s and unknown", d, got, known, want)
		}
	}
}

func TestCalendarImport(t *testing.T) {
	t.Parallel()
	cal := DefaultCalendar()
	next := `{"$schema": "x", "year": 2027, "papers": ["http://example.invalid"], "days": [
		{"name": "元旦", "date": "2026-12-31", "isOffDay": true},
		{"name": "元旦", "date": "2027-01-01", "isOffDay": true},
		{"name": "元旦", "date": "2027-01-03", "isOffDay": false}]}`
	if err := cal.Import([]byte("\xef\xbb\xbf" + next)); err != nil {
		t.Fatal(err)
	}
	want := map[string]DayType{
		"2026-12-31": Holiday, // December days come with the next year's notice
		"2027-01-01": Holiday, "2027-01-02": RestDay, "2027-01-03": MakeUpWorkday, "2027-01-04": Workday,
		"2026-10-01": Holiday, // the year before is kept
	}
	check := func(when string) {
		t.Helper()
		for date, w := range want {
			d, _ := ParseDate(date)
			if got, known := cal.DayType(d); got != w || !known {
				t.Errorf("%s: DayType(%s) = %s, %v, want %s", when, d, got, known, w)
			}
		}
	}
	check("after import")
	if diff := cmp.Diff([]int{2026, 2027}, cal.Years()); diff != "" {
		t.Errorf("Years differ (-want +got):\n%s", diff)
	}
	if err := cal.Import(holidays2026); err != nil {
		t.Fatal(err)
	}
	check("after importing 2026 again")
	// A corrected notice replaces what the first one said.
	if err := cal.Import([]byte(`{"year": 2027, "days": [{"name": "元旦", "date": "2027-01-04", "isOffDay": true}]}`)); err != nil {
		t.Fatal(err)
	}
	want = map[string]DayType{"2026-12-31": Workday, "2027-01-01": Workday, "2027-01-03": RestDay, "2027-01-04": Holiday}
	check("after the correction")
}

func TestCalendarImportRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, in, want string }{
		{"not_json", `year: 2027`, "reading holiday table"},
		{"unpublished", `{"year": 2027, "days": []}`, "not be published"},
		{"no_year", `{"days": [{"date": "2027-01-01", "isOffDay": true}]}`, "year 0"},
		{"bad_date", `{"year": 2027, "days": [{"date": "2027-02-30", "isOffDay": true}]}`, "2027-02-30"},
		{"other_year", `{"year": 2027, "days": [{"date": "2029-01-01", "isOffDay": true}]}`, "does not belong"},
		{"no_is_off_day", `{"year": 2027, "days": [{"date": "2027-01-01"}]}`, "isOffDay"},
		{"twice", `{"year": 2027, "days": [{"date": "2027-01-01", "isOffDay": true}, {"date": "2027-01-01", "isOffDay": false}]}`, "twice"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cal := DefaultCalendar()
			if err := cal.Import([]byte(tt.in)); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Import(%s) = %v, want an error that says %q", tt.in, err, tt.want)
			}
			if diff := cmp.Diff([]int{2026}, cal.Years()); diff != "" {
				t.Errorf("a refused import changed the calendar:\n%s", diff)
			}
		})
	}
}

// TestZeroCalendarKnowsNothing makes sure that nothing breaks without a table.
func TestZeroCalendarKnowsNothing(t *testing.T) {
	t.Parallel()
	var cal Calendar
	if got, known := cal.DayType(Date{2026, time.October, 1}); got != Workday || known {
		t.Errorf("DayType = %s, %v, want workday and unknown", got, known)
	}
	if err := cal.Import(holidays2026); err != nil {
		t.Fatal(err)
	}
	if got, known := cal.DayType(Date{2026, time.October, 1}); got != Holiday || !known {
		t.Errorf("DayType after import = %s, %v, want holiday", got, known)
	}
}

func TestCalendarWanting(t *testing.T) {
	t.Parallel()
	next := DefaultCalendar()
	if err := next.Import([]byte(`{"year": 2027, "days": [{"name": "元旦", "date": "2027-01-01", "isOffDay": true}]}`)); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		today string
		cal   *Calendar
		want  int
	}{
		{"2026-10-10", DefaultCalendar(), 0},
		{"2026-11-30", DefaultCalendar(), 0},
		{"2026-12-01", DefaultCalendar(), 2027},
		{"2026-12-31", next, 0},
		{"2027-03-01", DefaultCalendar(), 2027},
		{"2027-12-01", next, 2028},
		{"2025-12-15", DefaultCalendar(), 2025},
		{"2026-01-01", new(Calendar), 2026},
	}
	for _, tt := range tests {
		d, err := ParseDate(tt.today)
		if err != nil {
			t.Fatal(err)
		}
		if got, wanting := tt.cal.Wanting(d); got != tt.want || wanting != (tt.want != 0) {
			t.Errorf("Wanting(%s) = %d, %v, want %d", tt.today, got, wanting, tt.want)
		}
	}
}
