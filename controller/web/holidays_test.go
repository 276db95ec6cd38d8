package web

import (
	"net/http"
	"net/url"
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
	w.as(t, "clerk").page("/").has("#holidays a", "导入放假安排")
	if text := w.as(t, "inspector").page("/?lang=en").text("#holidays"); !strings.Contains(text, "holiday table of 2027 is missing") {
		t.Errorf("in English: %q", text)
	}
	// Behind what was planned with the old table.
	w.setNow(time.Date(2027, 2, 8, 8, 0, 0, 0, shanghai))
	page().has("#holidays", "2027")
	page().has("h1 .tag", "工作日（推定）")

	table, err := schedules.ParseHolidays("2027.csv", []byte("2027-02-08,春节,休\n"))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.planner.ImportHolidays(t.Context(), table, "2027.csv", "clerk", w.now()); err != nil {
		t.Fatal(err)
	}
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

func TestHolidaysAreLookedAtThenImported(t *testing.T) {
	w := newWorld(t)
	w.setNow(time.Date(2026, 12, 2, 8, 0, 0, 0, shanghai))
	c := w.as(t, "clerk")
	page := c.page("/holidays")
	page.has("#holidays", "还没有 2027 年的节假日表")
	page.has("#years tbody tr", "国庆节 10月1日–10月7日")
	page.has("#years tbody tr", "10月10日")
	bad := url.Values{"do": {"preview"}, "text": {"2027-01-01,元旦,休\n2027-10-08,国庆节,班\n"}}
	d := parse(t, c.post("/holidays", bad))
	d.has("[role=alert] tbody tr", "不是周六或周日")
	if got := d.text("textarea"); !strings.Contains(got, "2027-10-08") {
		t.Errorf("what was typed is lost: %q", got)
	}
	good := url.Values{"do": {"preview"}, "name": {"2027.csv"}, "text": {"2027-01-01,元旦,休\n2027-01-02,元旦,休\n2027-01-04,元旦,休\n2027-01-09,元旦,班\n"}}
	d = parse(t, c.post("/holidays", good))
	d.has("#effect h2", "2027")
	d.has("#effect .diff li", "早：改时间") // on the day off it starts an hour later
	page = c.page("/holidays")
	page.count("#holidays", 1) // looking changes nothing
	good.Set("do", "save")
	if res := c.post("/holidays", good); res.Code != http.StatusSeeOther {
		t.Fatalf("importing: %d", res.Code)
	}
	page = c.page("/holidays")
	page.count("#holidays", 0)
	page.has("#years tbody tr", "2027.csv")
	c.page("/programmes/1?days=14&from=2027-01-01").has("#preview tbody tr", "调休上班")
}
