package web

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"gatecast/controller/auth"
	"gatecast/controller/fleet"
)

// examFields is scenario C8 as a clerk fills it in.
func examFields() url.Values {
	return url.Values{
		"kind": {"exam"}, "title": {"高考、中考"}, "document": {"示例文号〔2027〕9号"}, "n": {"3"},
		"from0": {"2027-06-07"}, "to0": {"2027-06-09"}, "window0": {"all_day"}, "scope0": {"tag"}, "where0": {"考点周边"}, "level0": {"0"},
		"from1": {"2027.6.14"}, "to1": {"2027年6月16日"}, "window1": {"all_day"}, "scope1": {"tag"}, "where1": {"考点周边"}, "level1": {"0"},
		"from2": {"2027-06-01"}, "to2": {"2027-06-16"}, "window2": {"own"}, "times2": {"17:30-19:00"}, "scope2": {"all"}, "where2": {""}, "level2": {"-6"},
	}
}

func TestExamFromFormToCalendar(t *testing.T) {
	w := newWorld(t)
	w.tag(t, "谷雨里南门", "考点周边")
	c := w.as(t, "clerk")
	c.page("/calendar/new?kind=exam").count(`input[name=where0][value=考点周边]`, 1)

	fields := examFields()
	fields.Set("do", "preview")
	d := parse(t, c.post("/calendar", fields))
	d.has("#effect h2", "保存后会变什么")
	d.has("#effect .diff li", "应播转免播")
	d.has("#effect .diff li", "示例文号〔2027〕9号")
	d.has("#effect .diff li", "-6 dB")
	d.count("#effect .cal", 1) // June
	if n := len(d.all("#effect .cal td.changed")); n != 16 {
		t.Errorf("%d changed days on the sheet, want 16", n)
	}
	if entries, err := w.store.CalendarEntries(t.Context()); err != nil || len(entries) != 0 {
		t.Fatalf("a preview stored %d entries, %v", len(entries), err)
	}

	fields.Set("do", "save")
	res := c.post("/calendar", fields)
	if res.Code != http.StatusSeeOther {
		t.Fatalf("saving: %d\n%s", res.Code, parse(t, res).text("main"))
	}
	page := c.page(res.Header().Get("Location"))
	page.has("h1", "高考、中考")
	page.has("dl dd", "2027-06-07–2027-06-09 全天，标签 考点周边，静音")
	page.has("dl dd", "17:30-19:00，全部点位，限音，降 6 dB")
	c.page("/calendar").has("#entries tbody tr", "示例文号〔2027〕9号")
	if audits, err := w.store.Audits(t.Context(), 1); err != nil || audits[0].What != fleet.AuditEntry || !strings.Contains(audits[0].After, "考点周边") {
		t.Errorf("audit = %+v, %v", audits, err)
	}

	end := strings.Split(res.Header().Get("Location"), "?")[0] + "/end"
	if got := c.post(end, url.Values{"reason": {" "}}); got.Code != http.StatusUnprocessableEntity {
		t.Errorf("taken back without a reason: %d", got.Code)
	}
	c.post(end, url.Values{"reason": {"改期"}})
	c.page("/calendar").count("#entries", 0)
	c.page("/calendar?past=1").has("#entries tbody tr", "已撤销")
}

func TestExamFormLosesNothing(t *testing.T) {
	w := newWorld(t)
	c := w.as(t, "clerk")
	fields := examFields()
	fields.Set("do", "save")
	fields.Set("from0", "2027-02-30")
	fields.Set("document", "")
	d := parse(t, c.post("/calendar", fields))
	d.has("[role=alert]", "文号")
	if got := d.attr("input[name=from0]", "value"); got != "2027-02-30" {
		t.Errorf("what was typed is lost: %q", got)
	}
	fields.Set("document", "示例文号〔2027〕9号")
	d = parse(t, c.post("/calendar", fields))
	d.has(".field.invalid", "2027-02-30")
	fields.Set("from0", "2027-06-07")
	d = parse(t, c.post("/calendar", fields)) // nobody has that tag
	d.has(".field.invalid", "考点周边")
	en := parse(t, c.post("/calendar?lang=en", fields))
	if text := en.text(".field.invalid .error"); text == "" || hasHan(strings.ReplaceAll(text, "考点周边", "")) {
		t.Errorf("in English: %q", text)
	}
	fields.Set("do", "add")
	d = parse(t, c.post("/calendar?lang=zh", fields))
	d.count("fieldset.span", 4)
	fields.Set("n", "4")
	fields.Set("do", "drop0")
	d = parse(t, c.post("/calendar", fields))
	d.count("fieldset.span", 3)
	if got := d.attr("input[name=from0]", "value"); got != "2027.6.14" {
		t.Errorf("after the first range was removed the first begins on %q", got)
	}
}

func TestOverviewAsksForExamsFromMay(t *testing.T) {
	w := newWorld(t)
	if err := w.server.o.Logins.SetRules(t.Context(), auth.Rules{}); err != nil { // passwords do not run out till then
		t.Fatal(err)
	}
	for _, tt := range []struct {
		at   time.Time
		want int
	}{
		{time.Date(2027, 4, 30, 23, 50, 0, 0, shanghai), 0}, {time.Date(2027, 5, 1, 8, 0, 0, 0, shanghai), 1}, {time.Date(2027, 7, 1, 8, 0, 0, 0, shanghai), 0},
	} {
		w.setNow(tt.at)
		c := w.as(t, "clerk")
		c.page("/").count("#exams", tt.want)
		c.page("/calendar").count("#exams", tt.want)
	}
	w.setNow(time.Date(2027, 5, 2, 8, 0, 0, 0, shanghai))
	e := fleet.CalendarEntry{Kind: fleet.EntryExam, Title: "高考", Document: "d", At: w.now(), Spans: []fleet.CalendarSpan{{From: "2027-06-07", To: "2027-06-09", AllDay: true, All: true}}}
	if _, err := w.store.AddCalendarEntry(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	w.as(t, "clerk").page("/").count("#exams", 0)
}

// One click: everything stops today for a reason.
func TestStopOfTheDayIsFilledIn(t *testing.T) {
	w := newWorld(t)
	c := w.as(t, "clerk")
	d := c.page("/calendar/new?kind=stop")
	if got := d.attr("input[name=from0]", "value"); got != "2026-11-23" {
		t.Errorf("from = %q, want today", got)
	}
	d.count("select[name=scope0] option[value=all][selected]", 1)
	res := c.post("/calendar", url.Values{"do": {"save"}, "kind": {"stop"}, "title": {"临时停播"}, "document": {"线路检修"}, "n": {"1"}, "from0": {"2026-11-23"}, "to0": {"2026-11-23"}, "window0": {"all_day"}, "scope0": {"all"}, "level0": {"0"}})
	if res.Code != http.StatusSeeOther {
		t.Errorf("saving: %d\n%s", res.Code, parse(t, res).text("main"))
	}
}

// tag gives a point a tag, as an import of the registry does.
func (w *world) tag(t testing.TB, point, tag string) {
	t.Helper()
	pt := w.points[point]
	pt.Tags = append(pt.Tags, tag)
	if _, err := w.store.SavePoint(t.Context(), pt); err != nil {
		t.Fatal(err)
	}
	w.points[point] = pt
}

// calendarFamilies adds the keys that the calendar's pages compose.
func calendarFamilies(f map[string][]string) {
	f["done."] = append(f["done."], "entry", "entry_ended", "holidays")
	for _, k := range fleet.EntryKinds {
		f["entry.kind."] = append(f["entry.kind."], string(k))
	}
	for _, w := range spanWindows {
		f["entry.window."] = append(f["entry.window."], w.name)
	}
	f["entry.scope."] = []string{"all", "tag", "unit", "point"}
	f["entry.area."] = []string{"tags", "units", "points"}
	f["done."] = append(f["done."], "draft")
	f["pf."] = []string{"name", "id", "zone", "from", "to", "daily_budget", "times", "gain_db", "document"}
	f["change."] = []string{"added", "removed", "silenced", "sounding", "moved", "lowered", "altered"}
}

// calendarTour adds the calendar's pages and the editor to a tour.
func (w *world) calendarTour(t testing.TB, pages map[string]string) {
	t.Helper()
	saved, problems, err := w.planner.SaveEntry(t.Context(), fleet.CalendarEntry{
		Kind: fleet.EntryExam, Title: "示例考试", Document: "示例文号〔2026〕9号", By: "clerk", Name: "李工",
		Spans: []fleet.CalendarSpan{
			{From: "2026-12-26", To: "2026-12-27", AllDay: true, Points: []string{w.points["谷雨里南门"].Code, w.points["松风苑南门"].Code}},
			{From: "2026-12-21", To: "2026-12-27", Times: []string{"12:00-14:30", "17:30-19:00"}, GainDB: -6, All: true},
		},
	}, testNow)
	if err != nil || saved.ID == 0 {
		t.Fatal(problems, err)
	}
	pages["calendar"], pages["entry_new"], pages["entry"], pages["holidays"] = "/calendar", "/calendar/new?kind=exam", entryPath(saved.ID), "/holidays"
	pages["editor"], pages["programme_diff"] = "/programmes/1/edit", strings.TrimSuffix(pages["activate"], "/activate")+"/diff"
	pages["month"] = pointPath(w.points["谷雨里南门"].ID) + "/calendar?month=2026-12"
}
