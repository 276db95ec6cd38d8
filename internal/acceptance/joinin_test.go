package acceptance

import (
	"bytes"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"gatecast/agent"
	"gatecast/controller/fleet"
	"gatecast/controller/sheet"
)

// joinBook is the file of a community that joins, sheet by sheet; the first
// line of each is its headings.
func joinBook(t *testing.T, region string) []byte {
	t.Helper()
	var pages []sheet.Page
	for _, s := range [][]string{
		{"单位", "单位编号|全称|简称|类型|上级|区划代码|第一责任人|主管领导", "YX|云溪社区|云溪|社区|示例街道|" + region + "|周砚|吴棠"},
		{"网格", "社区|网格|网格员|户数", "云溪社区|第一网格|王禾|800", "云溪社区|第二网格|李禾|772", "云溪社区|第三网格|赵禾|300"},
		{"小区", "社区|小区|网格|物业", "云溪社区|云溪苑|1|云屿物业", "云溪社区|溪畔里|1|云屿物业", "云溪社区|听溪台|2|云屿物业", "云溪社区|云起府|2|云屿物业", "云溪社区|溪山庭|3|云屿物业"},
		{"点位", "点位编号|点位名称|类型|社区|小区", "YX-01|云溪苑南门|小区门口|云溪社区|云溪苑", "YX-02|溪畔里东门|小区门口|云溪社区|溪畔里"},
		{"联络员名单", "单位|姓名|职务|联系方式", "云溪社区|沈溪|副主任|+86 138 0000 0103"},
		{"群", "级别|单位|网格|群主|人数", "二级|云溪社区||周砚|18", "三级|云溪社区|第一网格|王禾|210", "三级|云溪社区|第二网格|李禾|180", "三级|云溪社区|第三网格|赵禾|120"},
	} {
		p := sheet.Page{Name: s[0], Above: []string{"示例街道" + s[0] + "登记表"}}
		for _, h := range strings.Split(s[1], "|") {
			p.Columns = append(p.Columns, sheet.Column{Head: h})
		}
		for _, r := range s[2:] {
			p.Rows = append(p.Rows, strings.Split(r, "|"))
		}
		pages = append(pages, p)
	}
	var b bytes.Buffer
	if err := sheet.WriteXLSX(&b, pages...); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Scenario C11: a community joins with one workbook of unit, grids, compounds,
// points, liaison and groups. A wrong region code is told by its cell, and with
// it every row that names the unit; nothing is written. Put right, everything
// goes in at once, the groups get their names, and the gates wait for their
// devices: what the gate owes begins when it is accepted, and the gate without
// a device owes nothing. The weeks before owe nothing either.
func TestCommunityJoinsWithOneWorkbook(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.addClip("ding", wavOf(testClip(time.Second)))

	form := regexp.MustCompile(`action="(/rosters/checks/[0-9a-f]+)"`)
	status, page := o.upload("/rosters", "云溪社区划入.xlsx", joinBook(t, "34010300103"), nil)
	if said := text(page); status != http.StatusOK || !strings.Contains(said, "有错 16") || !strings.Contains(said, "单位 F3 区划代码") || !strings.Contains(said, "应是 12 位数字") ||
		!strings.Contains(said, "群 B3") || form.MatchString(page) {
		t.Fatalf("a wrong region code: %d %s", status, said)
	}
	status, page = o.upload("/rosters", "云溪社区划入.xlsx", joinBook(t, "340103001021"), nil)
	m := form.FindStringSubmatch(page)
	if said := text(page); status != http.StatusOK || m == nil || !strings.Contains(said, "新增 16 · 更改 0 · 未变 0 · 有错 0") || !strings.Contains(said, "（第一网格）反电诈宣传群") {
		t.Fatalf("the check: %d %s", status, said)
	}
	if said := text(o.post(m[1], url.Values{})); !strings.Contains(said, "新增 16，更改 0，未变 0。") {
		t.Fatalf("the import: %s", said)
	}
	_, page = o.upload("/rosters", "云溪社区划入.xlsx", joinBook(t, "340103001021"), nil)
	if said := text(page); !strings.Contains(said, "新增 0 · 更改 0 · 未变 16 · 有错 0") || !strings.Contains(said, "没有变化") {
		t.Errorf("the same file again: %s", said)
	}
	if said := text(o.get("/points?q=YX-0")); strings.Count(said, "待安装") < 2 {
		t.Errorf("the new gates do not wait for devices: %s", said)
	}

	g := newGate(t, o, "YX-01")
	accepted := time.Now()
	first := soon(15 * time.Second)
	o.activate(slotsFrom(o, first, 12*time.Second, 1))
	g.waitStatus(func(s agent.Status) bool { return s.NextPlay != nil && s.NextPlay.Equal(first) })
	waitRecorded(t, g, 1, time.Until(first)+20*time.Second)
	eventually(t, 40*time.Second, func() string {
		page := o.get("/compliance")
		if said := text(page); !strings.Contains(said, "云溪社区") || !strings.Contains(said, "已播 1") {
			return said
		}
		return ""
	})
	g.process.stop(t, 5*time.Second)
	books := o.books()
	rows := today(t, books, "YX-01")
	for _, row := range rows {
		if row.Start.Before(accepted.Add(-time.Minute)) || row.Verdict == fleet.Missed {
			t.Errorf("the new gate owes %s at %s with the verdict %q", row.Name, row.Start, row.Verdict)
		}
	}
	if len(rows) == 0 || rows[0].Verdict != fleet.Played {
		t.Errorf("the new gate owes %+v", rows)
	}
	if rows := today(t, books, "YX-02"); len(rows) != 0 {
		t.Errorf("a gate without a device owes %+v", rows)
	}
	zone, err := time.LoadLocation(o.zone)
	if err != nil {
		t.Fatal(err)
	}
	day := func(days int) fleet.Day {
		return fleet.Day(accepted.In(zone).AddDate(0, 0, days).Format(time.DateOnly))
	}
	if past, err := books.Summary(t.Context(), fleet.SummaryQuery{From: day(-14), To: day(-1), By: []fleet.Grouping{fleet.ByUnit}}); err != nil || len(past) != 0 {
		t.Errorf("two weeks before it joined it owes %+v, %v", past, err)
	}
	groups, err := books.Groups(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	named := 0
	for _, group := range groups {
		if strings.Contains(group.Name, "云溪") && strings.HasPrefix(group.Name, "示例街道云溪") {
			named++
		}
	}
	if named != 4 {
		t.Errorf("%d groups of the community are named by the rule, want 4: %+v", named, groups)
	}
}
