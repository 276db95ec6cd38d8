package web

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"gatecast/controller/fleet"
	"gatecast/controller/sheet"
)

// counts reads the eight numbers of a row of a table of counts.
func counts(t *testing.T, row *html.Node) []int {
	t.Helper()
	var list []int
	for c := row.FirstChild; c != nil; c = c.NextSibling {
		if c.Type == html.ElementNode && c.Data == "td" && len(list) < 8 {
			n, err := strconv.Atoi(textOf(c))
			if err != nil {
				t.Fatalf("cell %q: %v", textOf(c), err)
			}
			list = append(list, n)
		}
	}
	if len(list) != 8 {
		t.Fatalf("%d counts in %q", len(list), textOf(row))
	}
	return list
}

func TestComplianceTablesAgree(t *testing.T) {
	w := newWorld(t)
	c := w.as(t, "inspector")
	for _, query := range []string{"", "?from=2026-11-16&to=2026-11-22", "?from=2026-11-10&to=2026-11-23&slot=%E4%B8%AD", "?from=2026-11-23&to=2026-11-23&demo=no"} {
		d := c.page("/compliance" + query)
		var totals [][]int
		for _, id := range []string{"#by-unit", "#by-day", "#by-slot"} {
			sum := make([]int, 8)
			for _, row := range d.all(id + " tbody tr") {
				n := counts(t, row)
				owed := 0
				for i, v := range n {
					sum[i] += v
					if i > 0 {
						owed += v
					}
				}
				if owed != n[0] {
					t.Errorf("%s %s: %q does not sum", query, id, textOf(row))
				}
			}
			foot := counts(t, d.all(id + " tfoot tr")[0])
			for i := range sum {
				if sum[i] != foot[i] {
					t.Errorf("%s %s: column %d sums to %d, total says %d", query, id, i, sum[i], foot[i])
				}
			}
			totals = append(totals, foot)
		}
		for i := range totals[0] {
			if totals[0][i] != totals[1][i] || totals[0][i] != totals[2][i] {
				t.Errorf("%s: totals differ: %v", query, totals)
			}
		}
		d.has("[data-live=live-units] .state", "行列合计相符")
	}
}

func TestComplianceLastWeek(t *testing.T) {
	w := newWorld(t)
	d := w.as(t, "inspector").page("/compliance?from=2026-11-16&to=2026-11-22")
	// 41 gates × 3 × 7 and 5 village points × 2 × 7.
	if got := counts(t, d.all("#by-unit tfoot tr")[0]); got[0] != 931 || got[7] != 0 {
		t.Errorf("owed %d, not yet due %d, want 931 and 0", got[0], got[7])
	}
	d.count("#by-day tbody tr", 7)
	d.count("#by-unit tbody tr", 8)
	d.count("#grid tbody tr", 8)
	d.count("#grid thead th", 8)
	d.has("#slots tbody tr", "松风苑南门 松风社区 11月17日 星期二 晚 未播 断电")
	d.has("#slots tbody tr", "晴川府西门 晴川社区 11月22日 星期日 早 待报 离线 D仅已下发")
	if got := d.attr("#slots tbody a[href*=slots]", "href"); !strings.HasPrefix(got, "/points/") {
		t.Errorf("the way to the evidence is %q", got)
	}
}

func TestComplianceFilterDrillsDown(t *testing.T) {
	w := newWorld(t)
	c := w.as(t, "inspector")
	d := c.page("/compliance?from=2026-11-23&to=2026-11-23")
	var missed string
	for _, n := range d.all("#by-unit tbody tr") {
		if strings.HasPrefix(textOf(n), "松风社区") {
			links := doc{t, n}.all("td a")
			missed = attrOf(links[len(links)-2], "href")
			for _, l := range links {
				if strings.Contains(attrOf(l, "href"), "result=missed") {
					missed = attrOf(l, "href")
				}
			}
		}
	}
	u, err := url.Parse(missed)
	if err != nil || u.Query().Get("result") != "missed" || u.Query().Get("unit") == "" {
		t.Fatalf("the figure leads to %q", missed)
	}
	rows := c.page(missed)
	rows.count("#slots tbody tr", 2)
	rows.has("#slots tbody tr", "云阶台侧门")
	if rows.attr("#f-r option[selected]", "value") != "missed" || rows.attr("#f-a", "value") != "2026-11-23" {
		t.Error("the form forgets the filter")
	}
	rows.has("#slots tbody tr", "设备故障")
}

func TestComplianceReadsOddPeriods(t *testing.T) {
	w := newEmptyWorld(t)
	read := func(query string) complianceFilter {
		q, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		return w.server.readCompliance(q, testNow)
	}
	if f := read(""); f.From != "2026-11-23" || f.To != "2026-11-23" { // a Monday: the week so far
		t.Errorf("default period %s to %s", f.From, f.To)
	}
	if f := w.server.readCompliance(nil, time.Date(2026, 11, 29, 23, 0, 0, 0, shanghai)); f.From != "2026-11-23" || f.To != "2026-11-29" {
		t.Errorf("period on a Sunday %s to %s", f.From, f.To)
	}
	if f := read("from=2026-11-20&to=2026-11-01"); f.From != "2026-11-01" || f.To != "2026-11-20" {
		t.Errorf("turned period %s to %s", f.From, f.To)
	}
	if f := read("from=1900-01-01&to=2026-11-23"); dayPlus(f.From, maxPeriod-1) != f.To {
		t.Errorf("endless period %s to %s", f.From, f.To)
	}
	if f := read("from=yesterday&to=31.12.&result=x&unit=-1"); f.From != "2026-11-23" || f.Result != "" || f.Unit != 0 {
		t.Errorf("nonsense gives %+v", f)
	}
	d := w.as(t, "admin").page("/compliance")
	d.has(".empty", "这段时间没有应播的时段")
}

// wasAway has the office offline on the Wednesday before and down on this
// evening, each over a slot.
func (w *world) wasAway(t testing.TB) {
	t.Helper()
	for _, o := range []fleet.Outage{
		{Kind: fleet.OutageNetwork, From: time.Date(2026, 11, 18, 18, 5, 0, 0, shanghai), To: time.Date(2026, 11, 18, 18, 26, 0, 0, shanghai)},
		{Kind: fleet.OutageController, From: time.Date(2026, 11, 22, 18, 10, 0, 0, shanghai), To: time.Date(2026, 11, 23, 8, 10, 0, 0, shanghai)},
	} {
		if err := w.store.BeginOutage(t.Context(), o.Kind, o.From); err != nil {
			t.Fatal(err)
		}
		if _, err := w.store.EndOutage(t.Context(), o.Kind, o.To); err != nil {
			t.Fatal(err)
		}
	}
}

func TestComplianceShowsTheOfficesOwnOutages(t *testing.T) {
	w := newWorld(t)
	w.wasAway(t)
	c := w.as(t, "inspector")
	d := c.page("/compliance?from=2026-11-16&to=2026-11-22")
	d.has("#outages li", "主控断网（所有点位同时失联） 11月18日 星期三 18:05–18:26 21 分钟")
	d.has("#outages li", "主控停机 11月22日 星期日 18:10–11月23日 星期一 08:10 14 小时")
	d.has("#slots tbody tr", "晴川府西门 晴川社区 11月22日 星期日 晚 待报 离线 主控停机 18:10–11-23 08:10")
	if n := len(c.page("/compliance?from=2026-11-16&to=2026-11-17").all("#outages")); n != 0 {
		t.Error("a period without outages shows some")
	}
}

func TestComplianceTreeAddsUpAtEveryLevel(t *testing.T) {
	w := newWorld(t)
	c := w.as(t, "inspector")
	var walk func(path string, depth int)
	walk = func(path string, depth int) {
		d := c.page(path)
		table := d.all("[data-live=live-units] table")[0]
		whole := counts(t, doc{t, table}.all("tfoot tr")[0])
		sum := make([]int, 8)
		rows := doc{t, table}.all("tbody tr")
		for _, row := range rows {
			for i, n := range counts(t, row) {
				sum[i] += n
			}
		}
		if !slices.Equal(sum, whole) {
			t.Errorf("%s: the lines sum to %v, the total is %v", path, sum, whole)
		}
		d.has("[data-live=live-units] .state", "行列合计相符")
		by := attrOf(table, "id")
		if by == "by-point" {
			return
		}
		for i, row := range rows {
			if i > 1 && depth > 0 {
				break
			}
			to := attrOf(doc{t, row}.all("th a")[0], "href")
			down := counts(t, c.page(to).all("[data-live=live-units] tfoot tr")[0])
			if !slices.Equal(down, counts(t, row)) {
				t.Errorf("%s: the line %q and its page %s differ: %v", path, textOf(row), to, down)
			}
			walk(to, depth+1)
		}
	}
	walk("/compliance?from=2026-11-16&to=2026-11-23", 0)
	d := c.page("/compliance?from=2026-11-16&to=2026-11-23&by=point")
	d.count("#by-point tbody tr", 46)
	d = c.page("/compliance?from=2026-01-01&to=2026-11-23&by=compound")
	d.has("#by-day tbody tr", "2026 年 11 月")
	d.count("#by-compound tfoot tr", 1)
	d.has("#why tbody tr", "断电")
}

func TestComplianceIsExportedAsShown(t *testing.T) {
	w := newWorld(t)
	w.wasAway(t)
	c := w.as(t, "inspector")
	query := "?from=2026-11-16&to=2026-11-22"
	d := c.page("/compliance" + query)
	res := c.get("/compliance/table.xlsx" + query)
	book, err := sheet.Read(res.Body.Bytes(), sheet.DefaultLimits())
	if err != nil || len(book.Sheets) != 5 {
		t.Fatalf("the workbook: %v, %d sheets", err, len(book.Sheets))
	}
	text := func(s sheet.Sheet) (lines []string) {
		for _, r := range s.Rows {
			lines = append(lines, strings.Join(r.Cells, " "))
		}
		return lines
	}
	total := counts(t, d.all("#by-unit tfoot tr")[0])
	want := "合计  " + strings.Trim(fmt.Sprint(total), "[]")
	for i := range 3 {
		lines := text(book.Sheets[i])
		if last := lines[len(lines)-1]; !strings.HasPrefix(last, want) {
			t.Errorf("sheet %q ends with %q, the page with %q", book.Sheets[i].Name, last, want)
		}
	}
	slots := text(book.Sheets[3])
	if n := total[2] + total[3] + total[4] + total[6]; len(slots) != n+5 {
		t.Errorf("%d lines of slots, want %d below four lines and the heads", len(slots), n)
	}
	if lines := text(book.Sheets[4]); !strings.Contains(strings.Join(lines, "\n"), "主控停机") {
		t.Errorf("the sheet of outages has %q", lines)
	}
	res = c.get("/compliance/slots.csv" + query + "&result=missed&reason=power")
	list, err := sheet.Read(res.Body.Bytes(), sheet.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	shown := c.page("/compliance" + query + "&result=missed&reason=power")
	if rows := text(list.Sheets[0]); len(rows) != len(shown.all("#slots tbody tr"))+2 || !strings.Contains(rows[0], "核验编号") || !strings.Contains(rows[2], "断电") {
		t.Errorf("the CSV has %d lines, the page %d slots: %q", len(rows), len(shown.all("#slots tbody tr")), rows)
	}
}

func TestComplianceComparesLikeWithLike(t *testing.T) {
	tests := map[string]struct{ from, to, wantFrom, wantTo fleet.Day }{
		"a_week":                {"2026-11-16", "2026-11-22", "2026-11-09", "2026-11-15"},
		"a_week_so_far":         {"2026-11-23", "2026-11-25", "2026-11-16", "2026-11-18"},
		"a_month":               {"2026-11-01", "2026-11-30", "2026-10-01", "2026-10-31"},
		"a_month_so_far":        {"2026-11-01", "2026-11-24", "2026-10-01", "2026-10-24"},
		"the_end_of_march":      {"2026-03-01", "2026-03-30", "2026-02-01", "2026-02-28"},
		"february":              {"2026-02-01", "2026-02-28", "2026-01-01", "2026-01-31"},
		"january":               {"2026-01-01", "2026-01-31", "2025-12-01", "2025-12-31"},
		"some_days":             {"2026-11-18", "2026-11-20", "2026-11-15", "2026-11-17"},
		"a_tuesday":             {"2026-11-24", "2026-11-24", "2026-11-23", "2026-11-23"},
		"two_weeks":             {"2026-11-09", "2026-11-22", "2026-10-26", "2026-11-08"},
		"a_month_into_the_next": {"2026-11-01", "2026-12-01", "2026-10-01", "2026-10-31"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if from, to := (complianceFilter{From: tt.from, To: tt.to}).before(); from != tt.wantFrom || to != tt.wantTo {
				t.Errorf("%s to %s is compared with %s to %s, want %s to %s", tt.from, tt.to, from, to, tt.wantFrom, tt.wantTo)
			}
		})
	}
	rates := map[string]struct {
		was, now fleet.Counts
		want     string
	}{
		"up":             {fleet.Counts{Owed: 168, Played: 162, Missed: 6}, fleet.Counts{Owed: 168, Played: 164, Missed: 4}, "▲ 1.2 good"},
		"down":           {fleet.Counts{Owed: 100, Played: 100}, fleet.Counts{Owed: 100, Played: 99, Missed: 1}, "▼ 1.0 bad"},
		"the_same":       {fleet.Counts{Owed: 10, Played: 9, Missed: 1}, fleet.Counts{Owed: 20, Played: 18, Missed: 2}, " "},
		"no_past":        {fleet.Counts{}, fleet.Counts{Owed: 1, Played: 1}, " "},
		"nothing_proved": {fleet.Counts{Owed: 1, Played: 1}, fleet.Counts{Owed: 1, Pending: 1}, " "},
	}
	for name, tt := range rates {
		t.Run(name, func(t *testing.T) {
			if text, tone := change(tt.was, tt.now); text+" "+tone != tt.want {
				t.Errorf("change = %q, want %q", text+" "+tone, tt.want)
			}
		})
	}
	w := newWorld(t)
	d := w.as(t, "inspector").page("/compliance?from=2026-11-23&to=2026-11-23")
	d.has("#by-unit thead tr", "比上期")
	d.has("#by-unit tbody tr", "▼") // a bad Monday after a better one
}
