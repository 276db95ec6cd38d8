package web

import (
	"strings"
	"testing"
	"time"

	"gatecast/schedules"
)

// From 1 December the office is told that next year's holidays are missing,
// until it has brought them; days of a year without a table are marked.
func TestOverviewAsksForNextYearsHolidays(t *testing.T) {
	w := newWorld(t)
	page := func() doc {
		t.Helper()
		return w.as(t, "inspector").page("/")
	}
	w.setNow(time.Date(2026, 11, 30, 23, 50, 0, 0, shanghai))
	page().count("#holidays", 0)
	w.setNow(time.Date(2026, 12, 1, 8, 0, 0, 0, shanghai))
	page().has("#holidays", "还没有 2027 年的节假日表")
	page().has("#holidays", "holiday_tables")
	if text := w.as(t, "inspector").page("/?lang=en").text("#holidays"); !strings.Contains(text, "holiday table of 2027 is missing") {
		t.Errorf("in English: %q", text)
	}
	// Behind what was planned with the old table.
	w.setNow(time.Date(2027, 2, 8, 8, 0, 0, 0, shanghai))
	page().has("#holidays", "2027")
	page().has("h1 .tag", "工作日（推定）")

	calendar := schedules.DefaultCalendar()
	if err := calendar.Import([]byte(`{"year": 2027, "days": [{"name": "元旦", "date": "2027-02-08", "isOffDay": true}]}`)); err != nil {
		t.Fatal(err)
	}
	w.serve(t, func(o *Options) { o.Calendar = calendar })
	page().count("#holidays", 0)
	page().has("h1 .tag", "法定节假日")
}

func TestProgrammePreviewMarksAssumedDays(t *testing.T) {
	w := newWorld(t)
	d := w.as(t, "inspector").page("/programmes/1?days=7&from=2026-12-31")
	rows := d.texts("#preview tbody tr")
	if len(rows) != 7 || strings.Contains(rows[0], "推定") || !strings.Contains(rows[1], "工作日（推定）") {
		t.Errorf("preview over the new year: %q; want 1 January assumed, 31 December not", rows)
	}
}
