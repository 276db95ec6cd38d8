package acceptance

import (
	"html"
	"regexp"
	"strings"
	"testing"
	"time"

	"gatecast/controller/fleet"
	"gatecast/controller/store"
)

// heading finds the first link of a row's heading in the first table by place.
var heading = regexp.MustCompile(`(?s)<table[^>]* id="by-(unit|compound|point)">.*?<tbody><tr><th scope="row"><a href="([^"]+)">([^<]+)</a>`)

// A supervisor asks who did not play last week: from the community over the
// compound and the point down to the slot the same numbers, with reason and
// evidence; that the office itself was down when the slot was due stands beside
// it and is not the gate's fault; the file says what the page does.
func TestSupervisorFollowsTheLedgerDown(t *testing.T) {
	t.Parallel()
	var pending fleet.Obligation
	o, people := newOfficeWithPast(t, map[string]fleet.Role{"wang": fleet.Supervisor}, func(o *office, books *store.Store) {
		pending = lastWeek(t, o, books)
		// The last that was heard of the controller is of the middle of that slot.
		if _, _, err := books.Beat(t.Context(), pending.Start.Add(10*time.Minute)); err != nil {
			t.Fatal(err)
		}
	})
	wang := people["wang"]
	zone, err := time.LoadLocation(o.zone)
	if err != nil {
		t.Fatal(err)
	}
	sunday := mustDay(t, pending.Day).AddDate(0, 0, 6).Format(time.DateOnly)
	query := "?from=" + string(pending.Day) + "&to=" + sunday
	path := "/compliance" + query
	var way []string
	for range 4 {
		page := wang.get(path)
		said := text(page)
		if !strings.Contains(said, "行列合计相符") || !strings.Contains(said, "合计 2 1 0 0 0 0 1 0 100.0% 50.0%") {
			t.Errorf("%s has other numbers: %s", path, said)
		}
		if !strings.Contains(said, "主控停机 "+pending.Start.In(zone).Format("1月2日")) || !strings.Contains(said, "不因此记未播") {
			t.Errorf("%s does not tell of the office's own outage: %s", path, said)
		}
		m := heading.FindStringSubmatch(page)
		if m == nil {
			t.Fatalf("%s has no table by place: %s", path, said)
		}
		way = append(way, m[1]+" "+m[3])
		path = html.UnescapeString(m[2])
	}
	if got, want := strings.Join(way, " › "), "unit 松风社区 › compound 松风苑 › point 松风苑南门 › point 松风苑南门"; got != want {
		t.Errorf("the way down is %q, want %q", got, want)
	}
	list := wang.get("/compliance" + query)
	slot := "/points/" + regexp.MustCompile(`href="/points/(\d+/slots/[^"]+)"`).FindStringSubmatch(list)[1]
	if said := text(list); !strings.Contains(said, "中 待报 离线 主控停机 12:10–") {
		t.Errorf("the slot that was not heard of stands as %s", said)
	}
	if said := text(wang.get(slot)); !strings.Contains(said, "待报") || !strings.Contains(said, "default 第 1 版") || !strings.Contains(said, "设备日志里没有收下计划的记录") || !strings.Contains(said, "主控停机") {
		t.Errorf("the slot's page says %s", said)
	}
	if said := xlsxText(t, wang.fetch("/compliance/table.xlsx"+query)); !strings.Contains(said, "松风社区") || !strings.Contains(said, "100.0%") || !strings.Contains(said, "主控停机") {
		t.Errorf("the workbook says %s", said)
	}
}
