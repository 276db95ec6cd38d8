package acceptance

import (
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"gatecast/controller/fleet"
	"gatecast/controller/store"
)

// Scenario C18: last week one unit filed its feedback in time, one files a 零报告
// now, which is late by the minute, and one has not filed. The list of the week
// says so, names whom to call up, and prints; filing again keeps both versions.
// Saturday as the deadline is one setting, and changes no week that is over.
func TestWeeklyFeedback(t *testing.T) {
	t.Parallel()
	var week fleet.ISOWeek
	var due time.Time
	o, people := newOfficeWithPast(t, map[string]fleet.Role{"wanghe": fleet.UnitAccount}, func(o *office, books *store.Store) {
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		zone, err := time.LoadLocation(o.zone)
		must(err)
		week = fleet.WeekAt(time.Now(), zone).Add(-1)
		due = fleet.DueSunday.Due(week, zone)
		unit := func(code, name string) fleet.UnitEntry {
			return fleet.UnitEntry{Unit: fleet.Unit{Code: code, Type: fleet.Community, Name: name}, Parent: "SL"}
		}
		must(books.ImportRegistry(t.Context(), fleet.Registry{Units: []fleet.UnitEntry{unit("SL-02", "望河社区"), unit("SL-03", "云岭社区")}}))
		units, err := books.Units(t.Context())
		must(err)
		for _, u := range units {
			switch u.Code {
			case "SL-01":
				_, err := books.FileFeedback(t.Context(), fleet.Feedback{Unit: u.ID, Week: week, At: due.Add(-time.Hour), By: "songfeng", Name: "周工", Items: []fleet.FeedbackItem{{Number: 1, Text: "北门音柱被树挡住"}}}, nil)
				must(err)
			case "SL-02":
				account, err := books.UserByLogin(t.Context(), "wanghe")
				must(err)
				account.Unit = u.ID
				_, err = books.SaveUser(t.Context(), account)
				must(err)
			}
		}
		must(books.SetSetting(t.Context(), fleet.SettingFeedback, fleet.FeedbackRules{Since: week.String()}.String()))
	})
	page := func() string { return text(o.get("/feedback?week=" + week.String())) }
	if said := page(); !strings.Contains(said, "已报 1") || !strings.Contains(said, "未报 2") || !strings.Contains(said, "还没有报的单位 2") {
		t.Fatalf("before anything was filed late: %s", said)
	}
	filed := time.Now()
	if said := text(people["wanghe"].post("/my/feedback", url.Values{"week": {week.String()}, "do": {"nil"}})); !strings.Contains(said, "已报送") || !strings.Contains(said, "逾期") {
		t.Fatalf("the unit after its nil report: %s", said)
	}
	said := page()
	for _, want := range []string{"已报 1", "零报告 0", "逾期 1", "未报 1", "北门音柱被树挡住"} {
		if !strings.Contains(said, want) {
			t.Errorf("the list lacks %q: %s", want, said)
		}
	}
	if minutes := overdueMinutes(filed.Sub(due)); !strings.Contains(said, minutes) && !strings.Contains(said, overdueMinutes(filed.Sub(due)+time.Minute)) {
		t.Errorf("the list does not say %q: %s", minutes, said)
	}
	people["wanghe"].post("/my/feedback", url.Values{"week": {week.String()}, "text": {"西门没有电源"}})
	if said := text(o.get("/feedback/sheet?week=" + week.String())); !strings.Contains(said, "问题反馈汇总表") || !strings.Contains(said, "西门没有电源") || !strings.Contains(said, "云岭社区 未报") {
		t.Errorf("on paper: %s", said)
	}
	if said := text(o.post("/feedback/mode", url.Values{"mode": {"saturday"}})); !strings.Contains(said, "反馈期限已修改") {
		t.Errorf("choosing Saturday: %s", said)
	}
	if said := page(); !strings.Contains(said, "已报 1") {
		t.Errorf("Saturday made last week's feedback late: %s", said)
	}
}

func overdueMinutes(late time.Duration) string {
	return "逾期 " + strconv.Itoa(int((late+time.Minute-1)/time.Minute)) + " 分钟"
}
