package web

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"gatecast/controller/fleet"
)

func TestWeeklyFiguresAreTypedComparedAndKept(t *testing.T) {
	w := newWorld(t)
	c := w.as(t, "clerk")
	pines, river := w.unitNamed(t, "松风社区"), w.unitNamed(t, "望河社区")
	field := func(m fleet.Tally, u fleet.Unit) string { return fmt.Sprintf("%s-%d", m, u.ID) }
	save := func(week string, values map[string]string) *url.Values {
		t.Helper()
		form := url.Values{"week": {week}}
		for k, v := range values {
			form.Set(k, v)
		}
		if res := c.post("/figures", form); res.Code != http.StatusSeeOther {
			t.Fatalf("saving %s = %d %s", week, res.Code, parse(t, res).text("[role=alert]"))
		}
		return &form
	}
	save("2026-W46", map[string]string{field(fleet.TallyCases, pines): "8", field(fleet.TallyLoss, pines): "20000"})
	save("2026-W47", map[string]string{
		field(fleet.TallyCases, pines): "６", field(fleet.TallyLoss, pines): "2.5万", field(fleet.TallyCases, river): "0", fmt.Sprintf("type0-%d", pines.ID): "4",
	})
	d := c.page("/figures?week=2026-W47")
	if d.attr("[name="+field(fleet.TallyLoss, pines)+"]", "value") != "25000" || d.attr("[name="+field(fleet.TallyCases, river)+"]", "value") != "0" {
		t.Error("the figures are not on the page")
	}
	d.has("#figures", "↓ 25.0%")
	d.has("#figures", "↑ 25.0%")
	d.has("#figures tfoot", "—") // the river community has no past: the total says nothing
	d.has("main", "建议素材")
	bad := url.Values{"week": {"2026-W47"}, field(fleet.TallyCases, pines): {"七"}, field(fleet.TallyCases, river): {"3"}}
	res := c.post("/figures", bad)
	if res.Code != http.StatusUnprocessableEntity {
		t.Fatalf("a word for a number: %d", res.Code)
	}
	again := parse(t, res)
	again.has("#figures [role=alert]", "不是整数")
	if again.attr("[name="+field(fleet.TallyCases, pines)+"]", "value") != "七" || again.attr("[name="+field(fleet.TallyCases, river)+"]", "value") != "3" {
		t.Error("the form lost what was typed")
	}
	if rows, err := w.store.FiguresVersions(t.Context(), river.ID, fleet.ISOWeek{Year: 2026, Number: 47}); err != nil || len(rows) != 1 {
		t.Errorf("a refused form was kept in part: %+v, %v", rows, err)
	}
	if res := c.get("/figures/export?week=2026-W47&format=csv"); res.Code != http.StatusOK || !strings.Contains(res.Body.String(), "松风社区") {
		t.Errorf("export = %d", res.Code)
	}
	if res := w.as(t, "inspector").post("/figures", bad); res.Code != http.StatusForbidden {
		t.Errorf("a supervisor types figures: %d", res.Code)
	}
}

func TestFeedbackIsFiledOnAPhoneAndHandled(t *testing.T) {
	w := newWorld(t)
	unit := w.unitNamed(t, "松风社区")
	mine := w.unitAccount(t, "songfeng", "松风社区")
	week := fleet.WeekAt(testNow, shanghai).String()
	file := func(values map[string]string, files ...testFile) int {
		t.Helper()
		values["week"] = week
		return mine.uploadTo("/my/feedback", values, files...).Code
	}
	if code := file(map[string]string{"text": "喇叭被树挡住 <b>"}); code != http.StatusSeeOther {
		t.Fatalf("filing = %d", code)
	}
	mine.page("/my/feedback").has("main", "喇叭被树挡住 <b>")
	res := mine.uploadTo("/my/feedback", map[string]string{"week": week, "text": "号码 110101199003074258"})
	if said := parse(t, res).text("main"); res.Code != http.StatusUnprocessableEntity || !strings.Contains(said, "身份证号") || !strings.Contains(said, "110101199003074258") {
		t.Errorf("an identity number: %d %s", res.Code, said)
	}
	office := w.as(t, "clerk")
	page := office.page("/feedback?week=" + week)
	page.has("#problems", "喇叭被树挡住")
	page.has("#standings", "已报")
	if res := office.post(fmt.Sprintf("/feedback/%s/%d/1", week, unit.ID), url.Values{"state": {"passed"}, "note": {"转物业"}}); res.Code != http.StatusSeeOther {
		t.Fatalf("passing on = %d", res.Code)
	}
	office.page("/feedback?week="+week).has("#problems", "转物业")
	office.page("/feedback/sheet?week="+week).has("h1", "问题反馈汇总表")
	if code := mine.post("/my/feedback", url.Values{"week": {week}, "do": {"nil"}}).Code; code != http.StatusSeeOther {
		t.Fatalf("a nil report = %d", code)
	}
	office.page("/feedback?week="+week).has("#standings", "零报告")
	if versions, err := w.store.FeedbackVersions(t.Context(), unit.ID, fleet.WeekAt(testNow, shanghai)); err != nil || len(versions) != 2 {
		t.Errorf("%d versions, %v; want 2", len(versions), err)
	}
	if res := mine.post("/my/feedback", url.Values{"week": {"2026-W01"}, "do": {"nil"}}); res.Code != http.StatusUnprocessableEntity {
		t.Errorf("a week long ago = %d", res.Code)
	}
	if res := mine.get("/feedback"); res.Code != http.StatusForbidden {
		t.Errorf("a unit reads everybody's feedback: %d", res.Code)
	}
}
