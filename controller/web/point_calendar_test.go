package web

import (
	"strings"
	"testing"
	"time"

	"gatecast/controller/fleet"
)

// Every slot of the month stands there with what became of it or what is to
// be, and every silence with the rule behind it.
func TestPointCalendarExplainsEverySilence(t *testing.T) {
	w := newWorld(t)
	id := w.points["谷雨里南门"].ID
	e := fleet.CalendarEntry{Kind: fleet.EntryExam, Title: "示例考试", Document: "示例文号〔2026〕9号", Spans: []fleet.CalendarSpan{
		{From: "2026-12-26", To: "2026-12-27", AllDay: true, All: true}, {From: "2026-12-28", To: "2026-12-28", Times: []string{"18:00-19:00"}, GainDB: -6, All: true},
	}}
	if saved, problems, err := w.planner.SaveEntry(t.Context(), e, w.now()); err != nil || saved.ID == 0 {
		t.Fatal(problems, err)
	}
	if _, err := w.planner.Replan(t.Context(), w.now()); err != nil {
		t.Fatal(err)
	}
	c := w.as(t, "inspector")
	d := c.page(pointPath(id) + "/calendar?month=2026-12")
	d.has("h1", "谷雨里南门 2026 年 12 月")
	d.has("#days tbody", "12月26日 星期六 休息日 早 08:30–09:00 免播")
	d.has("#days tbody", "示例文号〔2026〕9号")
	d.has("#days tbody", "限音 -6 dB")
	d.count("#sheet td.quiet", 2)
	if n := len(d.all("#days tbody")); n != 31 {
		t.Errorf("%d days of December", n)
	}
	d = c.page(pointPath(id) + "/calendar") // this month, with what was played
	d.has("#sheet .cal a.cell[data-v=played]", "早")
	d.has("#days tbody", "11月23日 星期一")
	far := c.page(pointPath(id) + "/calendar?month=2027-05&lang=en") // beyond what is written
	far.has("h1", "May 2027")
	if text := far.text("#days tbody"); !strings.Contains(text, "will sound") {
		t.Errorf("the first of May: %q", text)
	}
	if res := c.get("/points/4711/calendar"); res.Code != 404 {
		t.Errorf("a point that does not exist: %d", res.Code)
	}
	if _, month, ok := monthOf("2026-13"); ok || month != 0 && month != time.Month(0) {
		t.Error("2026-13 is a month")
	}
}
