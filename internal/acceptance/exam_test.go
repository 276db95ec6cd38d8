package acceptance

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"gatecast/agent"
	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// Scenario C8 within half a minute: the clerk enters one exam with its 文号 for
// the points around it, sees the slots that change, and saves. The gate there
// gets it, loses its network and stays silent in the exam while its neighbour
// sounds; in the slot after it both sound, without anybody's doing. The report
// counts the silence as 免播 and names the 文号. The days of the calendar itself
// are those of TestNineDaysOfflineInTheHolidays, whose clock is moved.
func TestExamSilencesTheGatesAroundIt(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.addClip("ding", wavOf(testClip(2*time.Second)))
	near, far := newGate(t, o, "SL-01-01"), newGate(t, o, "SL-01-02") // the first has the tag 考点周边
	first := soon(15 * time.Second)
	second := first.Add(12 * time.Second)
	o.activate(slotsFrom(o, first, 12*time.Second, 2))
	for _, g := range []*gate{near, far} {
		g.waitStatus(func(s agent.Status) bool { return s.NextPlay != nil && s.NextPlay.Equal(first) && s.ClipsReady > 0 })
	}
	zone, err := time.LoadLocation(o.zone)
	if err != nil {
		t.Fatal(err)
	}
	day := first.In(zone).Format(time.DateOnly)
	form := url.Values{
		"do": {"preview"}, "kind": {"exam"}, "title": {"示例考试"}, "n": {"1"}, "from0": {day}, "to0": {day}, "window0": {"own"},
		"times0": {first.In(zone).Format(time.TimeOnly) + "-" + first.Add(10*time.Second).In(zone).Format(time.TimeOnly)},
		"scope0": {"tag"}, "where0": {"考点周边"}, "level0": {"0"},
	}
	clerk := &person{o: o, login: "admin", client: o.clerk}
	if status := clerk.refused("/calendar", form); status != http.StatusUnprocessableEntity {
		t.Errorf("an exam without 文号 is answered %d, want 422", status)
	}
	form.Set("document", "示例文号〔2026〕9号")
	page := text(o.post("/calendar", form))
	if !strings.Contains(page, "段1：应播转免播") || !strings.Contains(page, "共 1 段、1 个点") || strings.Contains(page, "段2") {
		t.Errorf("the preview does not show the one slot that changes: %s", page)
	}
	form.Set("do", "save")
	o.post("/calendar", form)
	near.waitStatus(func(s agent.Status) bool { return s.NextPlay != nil && s.NextPlay.Equal(second) })
	o.mqtt.setCut(true) // neither has a network from here on
	if time.Now().After(first) {
		t.Fatal("the exam reached the gate after its slot had begun: this machine is too slow for the test")
	}
	waitRecorded(t, far, 2, time.Until(second)+10*time.Second)
	waitRecorded(t, near, 1, 10*time.Second)
	o.mqtt.setCut(false)
	eventually(t, 40*time.Second, func() string {
		if page := text(o.get("/compliance")); !strings.Contains(page, "已播 3") || !strings.Contains(page, "免播 1") {
			return page
		}
		return ""
	})
	if page := text(o.get("/compliance?result=exempt")); !strings.Contains(page, "示例文号〔2026〕9号") {
		t.Errorf("the report does not name the 文号: %s", page)
	}
	for _, g := range []*gate{near, far} {
		g.process.stop(t, 5*time.Second)
	}
	if n, m := len(near.recordings()), len(far.recordings()); n != 1 || m != 2 {
		t.Errorf("%d recordings near the exam and %d elsewhere, want 1 and 2", n, m)
	}
	rows := today(t, o.books(), "SL-01-01")
	if len(rows) != 2 || rows[0].Verdict != fleet.Exempt || rows[0].Reason != wire.ReasonQuiet || !strings.Contains(rows[0].Note, "示例文号〔2026〕9号") || rows[1].Verdict != fleet.Played {
		t.Errorf("the books say %+v", rows)
	}
}

// examDay is a day of the nine without network on which an exam silences the
// gate of the holidays: it was told eight days before.
const examDay = "2026-10-08"

// enterExam enters the exam by the tag of the gate, and waits until the gate
// has it.
func (h *holidays) enterExam() {
	h.Helper()
	mark := len(h.b.log.String())
	h.talk(func() {
		form := url.Values{
			"do": {"preview"}, "kind": {"exam"}, "title": {"示例考试"}, "document": {"示例文号〔2026〕10号"}, "n": {"1"},
			"from0": {examDay}, "to0": {examDay}, "window0": {"all_day"}, "scope0": {"tag"}, "where0": {"考点周边"}, "level0": {"0"},
		}
		if page := text(h.o.post("/calendar", form)); !strings.Contains(page, "早：应播转免播") || !strings.Contains(page, "10月8日") {
			h.Errorf("the preview does not show what changes: %s", page)
		}
		form.Set("do", "save")
		h.o.post("/calendar", form)
	})
	h.b.said(mark, "plan accepted", time.Minute)
}
