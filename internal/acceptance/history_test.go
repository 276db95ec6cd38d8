package acceptance

import (
	"bytes"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"gatecast/controller/fleet"
	"gatecast/controller/sheet"
	"gatecast/internal/wire"
)

// Scenario C11, the units after it: a community is split and the rest of it
// merges into its neighbour. The weeks before stay where they were owed, on the
// page of a period and in what was signed; the old unit keeps its page with the
// papers, and its points go on under the new ones.
func TestSplitAndMergerKeepHistory(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	form := regexp.MustCompile(`action="(/rosters/checks/[0-9a-f]+)"`)
	bring := func(file string, data []byte) {
		t.Helper()
		_, page := o.upload("/rosters", file, data, nil)
		m := form.FindStringSubmatch(page)
		if m == nil {
			t.Fatalf("%s: %s", file, text(page))
		}
		o.post(m[1], url.Values{})
	}
	bring("云溪社区划入.xlsx", joinBook(t, "340103001021"))
	var more bytes.Buffer
	if err := sheet.WriteXLSX(&more, sheet.Page{
		Name: "单位", Columns: []sheet.Column{{Head: "单位编号"}, {Head: "全称"}, {Head: "简称"}, {Head: "类型"}, {Head: "上级"}},
		Rows: [][]string{{"XX", "溪西社区", "溪西", "社区", "示例街道"}},
	}); err != nil {
		t.Fatal(err)
	}
	bring("溪西社区.xlsx", more.Bytes())

	zone, err := time.LoadLocation(o.zone)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().In(zone)
	from := time.Date(now.Year(), now.Month(), now.Day()-8, 7, 30, 0, 0, zone)
	o.oweAWeek(from, "YX-01", "YX-02")
	o.start()
	o.logInAgain()

	day := func(n int) string { return from.AddDate(0, 0, n).Format(time.DateOnly) }
	period := url.Values{"from": {day(0)}, "to": {day(6)}}
	table := regexp.MustCompile(`(?s)<table.*</table>`)
	week := func() string { return text(table.FindString(o.get("/compliance?" + period.Encode()))) }
	before := week()
	if !strings.Contains(before, "云溪社区") || strings.Contains(before, "溪西社区") {
		t.Fatalf("the week before: %s", before)
	}
	o.post("/publications", url.Values{"from": {day(0)}, "to": {day(6)}, "checked": {"yes"}})
	signed := regexp.MustCompile(`href="(/publications/\d+)"`).FindStringSubmatch(o.get("/publications"))
	if signed == nil {
		t.Fatalf("the week was not signed: %s", text(o.get("/publications")))
	}
	paper := func() string { return text(table.FindString(o.get(signed[1]))) }
	said := paper()

	old, west, pines := o.unitPath("云溪社区"), o.unitPath("溪西社区"), o.unitPath("松风社区")
	number := func(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }
	page := o.get(old)
	compound := regexp.MustCompile(`name="compound" value="(\d+)"[^>]*>(?:\s|<[^>]*>)*云溪苑`).FindStringSubmatch(page)
	if compound == nil {
		t.Fatalf("云溪苑 cannot be given away: %s", text(page))
	}
	today := now.Format(time.DateOnly)
	for _, change := range []url.Values{
		{"kind": {"split"}, "target": {number(west)}, "compound": {compound[1]}, "day": {today}, "document": {"示例〔2026〕21号"}},
		{"kind": {"merge"}, "target": {number(pines)}, "day": {today}, "document": {"示例〔2026〕22号"}},
	} {
		if said := text(o.post(old+"/change", change)); !strings.Contains(said, change.Get("document")) {
			t.Fatalf("%s: %s", change.Get("kind"), said)
		}
	}

	if after := week(); after != before {
		t.Errorf("the week reads\n%s\nbefore it was\n%s", after, before)
	}
	if after := paper(); after != said {
		t.Errorf("what was signed reads\n%s\nbefore it was\n%s", after, said)
	}
	if page := text(o.get(old)); !strings.Contains(page, "并入") || !strings.Contains(page, "示例〔2026〕21号") || !strings.Contains(page, "示例〔2026〕22号") {
		t.Errorf("the page of the old unit: %s", page)
	}
	for code, unit := range map[string]string{"YX-01": "溪西社区", "YX-02": "松风社区"} {
		if list := text(table.FindString(o.get("/points?q=" + code))); !strings.Contains(list, unit) || strings.Contains(list, "云溪社区") {
			t.Errorf("point %s is not of %s: %s", code, unit, list)
		}
	}
	for _, unit := range []fleet.UnitID{o.unitID(west), o.unitID(pines)} {
		page := o.get("/compliance?" + period.Encode() + "&unit=" + fmt.Sprint(unit))
		if strings.Contains(text(table.FindString(page)), "云溪苑") {
			t.Errorf("unit %d was given the week before: %s", unit, text(page))
		}
	}
	if page := text(o.get("/units")); strings.Contains(page, "云溪社区") {
		t.Errorf("the register still lists the merged unit: %s", page)
	}
}

// oweAWeek stops the controller and writes a week of mornings of the points
// into its books, the first at from; every third was missed.
func (o *office) oweAWeek(from time.Time, codes ...string) {
	o.t.Helper()
	books := o.books()
	win := fleet.PlanWindow{From: from.Add(-time.Hour), To: from.AddDate(0, 0, 7)}
	var owed []fleet.Obligation
	var done []fleet.Settlement
	for _, code := range codes {
		pt, err := books.PointByCode(o.t.Context(), code)
		if err != nil {
			o.t.Fatal(err)
		}
		win.Points = append(win.Points, pt.ID)
		for n := range 7 {
			start := from.AddDate(0, 0, n)
			day := fleet.Day(start.Format(time.DateOnly))
			slot := wire.SlotID(string(day) + ".gates.morning")
			owed = append(owed, fleet.Obligation{
				Point: pt.ID, Slot: slot, Day: day, Programme: "gates", Version: 1, Name: "早", DayType: "workday",
				Start: start, End: start.Add(30 * time.Minute), Plays: 3, PlannedMS: 81_000,
			})
			verdict := fleet.Played
			if n%3 == 0 {
				verdict = fleet.Missed
			}
			done = append(done, fleet.Settlement{Point: pt.ID, Day: day, Slot: slot, Verdict: verdict})
		}
	}
	if _, err := books.PutObligations(o.t.Context(), win, owed, from.Add(-30*time.Minute)); err != nil {
		o.t.Fatal(err)
	}
	if _, err := books.Settle(o.t.Context(), done, from.AddDate(0, 0, 8)); err != nil {
		o.t.Fatal(err)
	}
	if err := books.Close(); err != nil {
		o.t.Fatal(err)
	}
}

// unitPath returns the page of the unit of that name.
func (o *office) unitPath(name string) string {
	o.t.Helper()
	m := regexp.MustCompile(`href="(/units/\d+)"[^>]*>\s*` + regexp.QuoteMeta(name)).FindStringSubmatch(o.get("/units"))
	if m == nil {
		o.t.Fatalf("there is no unit %s", name)
	}
	return m[1]
}

func (o *office) unitID(path string) (id fleet.UnitID) {
	o.t.Helper()
	if _, err := fmt.Sscanf(path, "/units/%d", &id); err != nil {
		o.t.Fatal(err)
	}
	return id
}
