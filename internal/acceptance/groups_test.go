package acceptance

import (
	"bytes"
	"context"
	"fmt"
	"html"
	"math"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"gatecast/controller/fleet"
	"gatecast/controller/naming"
	"gatecast/controller/sheet"
	"gatecast/internal/needtool"
)

// tieredUnit is a unit below the subdistrict of the tests of groups.
type tieredUnit struct {
	code, name, short string
	grids             int
}

// tieredUnits are eight units with 23 grids.
var tieredUnits = []tieredUnit{
	{"SL-01", "松风社区", "松风", 3}, {"SL-02", "望河社区", "望河", 3}, {"SL-03", "云溪社区", "云溪", 3}, {"SL-04", "竹里社区", "竹里", 3},
	{"SL-05", "枫桥社区", "枫桥", 3}, {"SL-06", "石桥社区", "石桥", 3}, {"SL-07", "云岭村", "云岭", 3}, {"SL-08", "青山村", "青山", 2},
}

// tieredGroup is a group as somebody would write it down.
type tieredGroup struct {
	tier, grid int
	unit       tieredUnit
	name       string
}

// groupsOf lists the groups of units, named as the rule wants them.
func groupsOf(units []tieredUnit) []tieredGroup {
	out := []tieredGroup{{tier: 1, unit: tieredUnit{code: "SL", name: "示例街道"}, name: "示例街道反电诈指挥群"}}
	for _, u := range units {
		out = append(out, tieredGroup{tier: 2, unit: u, name: "示例街道" + u.short + "反电诈组织群"})
	}
	for _, u := range units {
		for n := 1; n <= u.grids; n++ {
			out = append(out, tieredGroup{tier: 3, unit: u, grid: n, name: fmt.Sprintf("示例街道%s（第%s网格）反电诈宣传群", u.name, naming.Numeral(n))})
		}
	}
	return out
}

// layOutTiers lays out an office with units and their grids.
func layOutTiers(t *testing.T, units []tieredUnit, more string) *office {
	t.Helper()
	o := layOut(t, t.TempDir(), "")
	var b strings.Builder
	b.WriteString("units:\n  - {code: SL, type: subdistrict, name: 示例街道}\n")
	for _, u := range units {
		kind := fleet.Community
		if strings.HasSuffix(u.name, "村") {
			kind = fleet.Village
		}
		fmt.Fprintf(&b, "  - {code: %s, type: %s, name: %s, short: %s, parent: SL}\n", u.code, kind, u.name, u.short)
	}
	b.WriteString("grids:\n")
	for _, u := range units {
		for n := 1; n <= u.grids; n++ {
			fmt.Fprintf(&b, "  - {unit: %s, number: %d, name: 第%s网格}\n", u.code, n, naming.Numeral(n))
		}
	}
	file := filepath.Join(o.dir, "registry.yaml")
	writeFile(t, file, b.String()+more)
	run(t, "gatecast-controller", "--config", o.config, "registry", "import", file)
	return o
}

// attributes returns the values of an attribute in a page, in its order.
func attributes(page, name string) (out []string) {
	for _, m := range regexp.MustCompile(` `+name+`="([^"]*)"`).FindAllStringSubmatch(page, -1) {
		out = append(out, html.UnescapeString(m[1]))
	}
	return out
}

// section returns the part of a page between two of its ids.
func section(t *testing.T, page, from, to string) string {
	t.Helper()
	_, rest, ok := strings.Cut(page, `id="`+from+`"`)
	part, _, ends := strings.Cut(rest, `id="`+to+`"`)
	if !ok || !ends {
		t.Fatalf("the page has no %s before %s\n%s", from, to, text(page))
	}
	return part
}

// wrongNames are nine ways in which a group is called by mistake.
var wrongNames = map[string]string{ // by the right name
	"示例街道反电诈指挥群":           "示例街道反诈指挥群",
	"示例街道松风反电诈组织群":         "松风反电诈组织群",
	"示例街道望河反电诈组织群":         "示例街道望河社区反电诈组织群",
	"示例街道云岭反电诈组织群":         "示例街道云岭反电诈宣传群",
	"示例街道松风社区（第一网格）反电诈宣传群": "示例街道松风社区(第一网格)反电诈宣传群",
	"示例街道松风社区（第二网格）反电诈宣传群": "示例街道松风社区（第2网格）反电诈宣传群",
	"示例街道望河社区（第一网格）反电诈宣传群": "示例街道望河（第一网格）反电诈宣传群",
	"示例街道云溪社区（第二网格）反电诈宣传群": "示例街道云溪社区（第三网格）反电诈宣传群",
	"示例街道竹里社区（第一网格）反电诈宣传群": "示例街道竹里社区 （第一网格）反电诈宣传群",
}

const crowded = "示例街道枫桥社区（第一网格）反电诈宣传群"

// groupBook is the file of an office's 31 groups, nine of them called wrongly
// and one with 512 members.
func groupBook(t *testing.T, groups []tieredGroup) []byte {
	t.Helper()
	p := sheet.Page{Name: "群"}
	for _, head := range []string{"级别", "群名", "单位", "网格", "人数"} {
		p.Columns = append(p.Columns, sheet.Column{Head: head})
	}
	for i, g := range groups {
		grid, members, name := "", 100+i, g.name
		if g.grid > 0 {
			grid = "第" + naming.Numeral(g.grid) + "网格"
		}
		if name == crowded {
			members = 512
		}
		if wrong := wrongNames[name]; wrong != "" {
			name = wrong
		}
		p.Rows = append(p.Rows, []string{naming.Numeral(g.tier) + "级", name, g.unit.name, grid, strconv.Itoa(members)})
	}
	var b bytes.Buffer
	if err := sheet.WriteXLSX(&b, p); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Scenario C21: an office imports its 31 groups as they are called today. The
// nine wrong names are listed with the right ones to copy; the group of 512
// should be split, and with a second one beside it both carry a number. No two
// codes are the same, and the register prints on A4 landscape.
func TestGroupsAreImportedNamedSplitAndPrinted(t *testing.T) {
	t.Parallel()
	needtool.Need(t, "chromium")
	units := slices.Clone(tieredUnits)
	units[6].grids = 2
	groups := groupsOf(units)
	if len(groups) != 31 {
		t.Fatalf("the test has %d groups", len(groups))
	}
	o := layOutTiers(t, units, "")
	once := o.oncePasswordOf("admin")
	o.start()
	o.logIn(once)

	status, check := o.upload("/rosters", "微信群.xlsx", groupBook(t, groups), nil)
	form := regexp.MustCompile(`action="(/rosters/checks/[0-9a-f]+)"`).FindStringSubmatch(check)
	if said := text(check); status != http.StatusOK || form == nil || !strings.Contains(said, "新增 31 · 更改 0 · 未变 0 · 有错 0") {
		t.Fatalf("the check: %d %s", status, said)
	}
	if said := text(o.post(form[1], nil)); !strings.Contains(said, "新增 31，更改 0，未变 0。") {
		t.Fatalf("the import: %s", said)
	}

	names := o.get("/groups/names")
	wrong := section(t, names, "names", "progress")
	var want []string
	for right, name := range wrongNames {
		want = append(want, right)
		if name = strings.ReplaceAll(name, " ", "␣"); !strings.Contains(strings.ReplaceAll(text(wrong), " ", ""), name) {
			t.Errorf("the page does not show %q", name)
		}
	}
	got := attributes(wrong, "data-copy")
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) || !strings.Contains(text(names), "核对了 31 个群名，22 个对") {
		t.Errorf("the buttons copy %q, want %q\n%s", got, want, text(names))
	}

	above, _, _ := strings.Cut(names, `id="names"`)
	if said := text(above); !strings.Contains(said, "枫桥社区 第一网格 有 512 人，超过 500 人，应分群") || strings.Count(said, "应分群") != 1 {
		t.Errorf("the group of 512: %s", said)
	}
	if got := attributes(above, "data-copy"); !slices.Equal(got, []string{crowded + "1群", crowded + "2群"}) {
		t.Errorf("to split it the buttons copy %q", got)
	}
	grid := regexp.MustCompile(`href="/groups/new\?tier=3&amp;grid=(\d+)"`).FindStringSubmatch(above)
	if grid == nil {
		t.Fatalf("nothing leads to the second group\n%s", text(above))
	}
	if said := o.post("/groups", url.Values{"tier": {"3"}, "grid": {grid[1]}, "platform": {"wechat"}}); !strings.Contains(text(said), crowded+"2群") {
		t.Errorf("the second group: %s", text(said))
	}
	rename := regexp.MustCompile(`action="(/groups/\d+/rename)"[^>]*><input type="hidden" name="name" value="([^"]+)"`)
	renames := rename.FindAllStringSubmatch(o.get("/groups/names"), -1)
	if len(renames) != 10 {
		t.Fatalf("%d groups are to be renamed, want the nine and the first of the two", len(renames))
	}
	for _, m := range renames {
		o.post(m[1], url.Values{"name": {m[2]}})
	}
	if said := text(o.get("/groups/names")); !strings.Contains(said, "核对了 32 个群名，32 个对") || !strings.Contains(said, "群名都对") {
		t.Errorf("after all were renamed: %s", said)
	}

	register := o.get("/groups/register")
	said := text(register)
	for _, name := range []string{crowded + "1群", crowded + "2群", wrongNames["示例街道反电诈指挥群"]} { // the last as 曾用名
		if !strings.Contains(said, name) {
			t.Errorf("the register lacks %s", name)
		}
	}
	codes := regexp.MustCompile(`<td class="mono">(SL-[0-9-]+)</td>`).FindAllStringSubmatch(register, -1)
	seen := map[string]bool{}
	for _, c := range codes {
		if seen[c[1]] {
			t.Errorf("two groups have the code %s", c[1])
		}
		seen[c[1]] = true
	}
	if len(codes) != 32 {
		t.Errorf("the register has %d codes, want 32", len(codes))
	}
	sizes := mediaBoxes(t, o.print("/groups/register"))
	for _, s := range sizes {
		if math.Abs(s[0]-842) > 1 || math.Abs(s[1]-595) > 1 {
			t.Errorf("a page of the register is %.0f×%.0f points, want A4 landscape", s[0], s[1])
		}
	}
	if len(sizes) == 0 {
		t.Error("the register prints no page")
	}
}

// print returns a page as the clerk's browser prints it into a file.
func (o *office) print(path string) []byte {
	o.t.Helper()
	at, err := url.Parse(o.web)
	if err != nil {
		o.t.Fatal(err)
	}
	var cookies []*network.CookieParam
	for _, c := range o.clerk.Jar.Cookies(at) {
		cookies = append(cookies, &network.CookieParam{Name: c.Name, Value: c.Value, URL: o.web})
	}
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath("chromium"), chromedp.NoSandbox, chromedp.UserDataDir(o.t.TempDir()))
	ctx, cancel := chromedp.NewExecAllocator(o.t.Context(), opts...)
	o.t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	defer cancel()
	ctx, cancel = context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	if _, err := chromedp.Call(ctx, network.SetCookies, network.SetCookiesParams{Cookies: cookies}); err != nil {
		o.t.Fatalf("handing on the session: %v", err)
	}
	if err := chromedp.Do(ctx, chromedp.Navigate(o.web+path), chromedp.WaitVisible(chromedp.CSS("#register"))); err != nil {
		o.t.Fatalf("opening %s: %v", path, err)
	}
	asStyled := true // the size of the paper is that of the style sheet
	pdf, err := chromedp.Call(ctx, page.PrintToPDF, page.PrintToPDFParams{PreferCSSPageSize: &asStyled})
	if err != nil {
		o.t.Fatalf("printing %s: %v", path, err)
	}
	return pdf.Data
}

// mediaBoxes returns the widths and heights of a file's pages, in points.
func mediaBoxes(t *testing.T, pdf []byte) (out [][2]float64) {
	t.Helper()
	for _, m := range regexp.MustCompile(`/MediaBox\s*\[\s*0 0 ([0-9.]+) ([0-9.]+)\s*\]`).FindAllSubmatch(pdf, -1) {
		var size [2]float64
		for i := range size {
			var err error
			if size[i], err = strconv.ParseFloat(string(m[i+1]), 64); err != nil {
				t.Fatal(err)
			}
		}
		out = append(out, size)
	}
	return out
}
