package roster

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatecast/controller/fleet"
	"gatecast/controller/sample"
	"gatecast/controller/sheet"
	"gatecast/controller/store"
)

var (
	zone  = time.FixedZone("CST", 8*3600)
	now   = time.Date(2026, 11, 23, 9, 0, 0, 0, zone)
	clerk = fleet.Audit{At: now, Who: "clerk", Role: fleet.Clerk}
)

func newTestDesk(t testing.TB) (*Desk, *store.Store) {
	t.Helper()
	s, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "gatecast.db"), store.Options{Clock: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	if err := s.ImportRegistry(t.Context(), sample.Registry(now)); err != nil {
		t.Fatal(err)
	}
	d, err := New(Options{Places: s, People: s, Register: s, Zone: zone, Limits: sheet.DefaultLimits()})
	if err != nil {
		t.Fatal(err)
	}
	return d, s
}

func book(t testing.TB, pages ...sheet.Page) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := sheet.WriteXLSX(&b, pages...); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// page makes a sheet of rows as a clerk types them, the first of them the
// headings.
func page(name string, rows ...string) sheet.Page {
	p := sheet.Page{Name: name, Above: []string{"示例街道" + name + "登记表"}}
	for _, h := range strings.Split(rows[0], "|") {
		p.Columns = append(p.Columns, sheet.Column{Head: h})
	}
	for _, r := range rows[1:] {
		p.Rows = append(p.Rows, strings.Split(r, "|"))
	}
	return p
}

func check(t testing.TB, d *Desk, raw []byte, kind Kind) *Check {
	t.Helper()
	c, err := d.Check(t.Context(), raw, kind)
	if err != nil {
		t.Fatalf("Check: %v", err)
	}
	return c
}

func counts(c *Check) [4]int {
	return [4]int{c.Count(fleet.DidAdd), c.Count(fleet.DidChange), c.Count(fleet.DidNothing), c.Count(fleet.DidRefuse)}
}

// newcomer is a community that joins: everything in one file, what is referred
// to after what refers to it.
func newcomer() []sheet.Page {
	return []sheet.Page{
		page("群", "级别|群名|所属单位|网格|群主|职务|联系方式|人数",
			"二级||云溪社区||周砚|书记|13800000101|18", "三级||云溪|第一网格|王禾|网格员|13800000102|210", "三级||云溪|2|李禾|网格员||180", "三级||云溪|三|赵禾|网格员||512"),
		page("点位", "点位编号|点位名称|类型|社区|小区|现场联系人|手机", "YX-01|云溪苑南门|小区门口|云溪社区|云溪苑|物业值班|0557-2345678", "YX-02|溪畔里东门|小区门口|云溪社区|溪畔里||"),
		page("小区", "社区|小区|所属网格|物业|户数", "云溪社区|云溪苑|1|和屿物业|420户", "云溪社区|溪畔里|1|和屿物业|380", "云溪社区|听溪台|2|云屿物业|512.0", "云溪社区|云起府|2|云屿物业|260", "云溪社区|溪山庭|第三网格|云屿物业|300"),
		page("联络员名单", "单位|姓名|职务|联系方式|起", "云溪社区|沈溪|副主任|+86 138 0000 0103|2026年11月1日"),
		page("网格", "社区|网格|网格员|户数|人口", "云溪社区|第一网格|王禾|800|2,100", "云溪社区|二|李禾|772|2000", "云溪社区|3|赵禾|300|900"),
		page("单位", "单位编号|单位全称|简称|单位类型|上级|行政区划代码|第一责任人|分管领导", "SL-21|云溪社区|云溪|社区|示例街道|340103001021|周砚|吴棠"),
	}
}

func TestCheckTakesAWholeCommunityFromOneFile(t *testing.T) {
	t.Parallel()
	d, s := newTestDesk(t)
	c := check(t, d, book(t, newcomer()...), "")
	if len(c.Problems) != 1 || !c.Problems[0].Warning || !strings.Contains(c.Problems[0].Text, "应分群") {
		t.Errorf("problems = %+v, want a word about the group of 512", c.Problems)
	}
	if got := counts(c); got != [4]int{16, 0, 0, 0} {
		t.Fatalf("counts = %v, want 16 additions: %+v", got, c.Lines)
	}
	if units, _ := s.Units(t.Context()); len(units) != len(sample.Registry(now).Units) {
		t.Fatalf("checking changed the registry: %d units", len(units))
	}
	done, changed, err := d.Carry(t.Context(), c, false, clerk, "2026-11-23")
	if err != nil || changed != nil || done != (Done{Added: 16}) {
		t.Fatalf("Carry = %+v, %v, %v", done, changed, err)
	}
	groups, err := s.Groups(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]string{}
	for _, g := range groups {
		names[g.Code] = g.Name
	}
	for code, name := range map[string]string{
		"SL-2-13-00-1": "示例街道云溪反电诈组织群",
		"SL-3-13-01-1": "示例街道云溪社区（第一网格）反电诈宣传群",
		"SL-3-13-03-1": "示例街道云溪社区（第三网格）反电诈宣传群",
	} {
		if names[code] != name {
			t.Errorf("group %s = %q, want the generated %q ", code, names[code], name)
		}
	}
	liaisons, _ := s.Liaisons(t.Context())
	for _, l := range liaisons {
		if l.Name == "沈溪" && (l.Phone != "13800000103" || !l.From.Equal(time.Date(2026, 11, 1, 0, 0, 0, 0, zone))) {
			t.Errorf("liaison = %q since %v", l.Phone.Full(), l.From)
		}
	}
	points, _ := s.Points(t.Context(), fleet.PointFilter{Query: "YX-0"})
	for _, p := range points {
		if p.StageAt(now) != fleet.StageBare {
			t.Errorf("point %s is %q, want it to wait for a device", p.Code, p.StageAt(now))
		}
	}
	if len(points) != 2 || points[0].DutyPhone != "0557-2345678" {
		t.Errorf("points = %+v", points)
	}

	again := check(t, d, book(t, newcomer()...), "")
	if got := counts(again); got != [4]int{0, 0, 16, 0} || again.Errors() != 0 {
		t.Errorf("the second time: %v, %+v, want nothing to change: %+v", got, again.Problems, again.Lines)
	}
}

func TestCheckSaysWhatIsWrongWithEachCell(t *testing.T) {
	t.Parallel()
	d, s := newTestDesk(t)
	raw := book(t,
		page("单位", "编号|全称|类型|上级|区划代码", "SL-31|新一社区|社区|示例街道|34010300103", "SL-32|新二社区|居民楼|示例街道|", "|没有编号社区|社区|示例街道|", "SL-33|新三社区|社区|无此街道|", "SL-01|松风社区|社区|示例街道|340103001201"),
		page("联络员", "单位|姓名|电话|任职日期|备注", "松风社区|甲工|1.38E+10||", "望河社区|乙工|138****1234||", "青禾|丙工|13800000001|昨天|", "晴川社区|丁工|13800000001||34010319900307123X", "新一社区|戊工|13800000001||", "芳甸社区|己工|13800000001||", "芳甸社区|己工|13800000002||"),
		page("微信群", "级别|群名|单位|网格|人数", "三级|示例街道松风社区(第一网格)反诈宣传群|松风社区|1|512", "四级|x|松风社区|1|", "三级||松风社区||5"),
		page("随笔", "今天天气不错"),
	)
	c := check(t, d, raw, "")
	type fault struct {
		at, has string
		warning bool
	}
	want := []fault{
		{"单位!3,4", "12 位", false}, {"单位!4,2", "不在可选项里", false}, {"单位!5,0", "编号", false}, {"单位!6,3", "找不到单位", false}, {"单位!7,4", "请核对", true},
		{"联络员!3,2", "丢失了后几位", false}, {"联络员!4,2", "脱敏", false}, {"联络员!5,3", "不是日期", false}, {"联络员!6,4", "身份证号", false},
		{"联络员!7,0", "先改正那一行", false}, {"联络员!9,-1", "重复", false},
		{"微信群!3,1", "应为“示例街道松风社区（第一网格）反电诈宣传群2群”", true}, {"微信群!3,4", "应分群", true}, {"微信群!4,0", "不在可选项里", false}, {"微信群!5,3", "要填网格", false},
	}
	var got []fault
	for _, p := range c.Problems {
		at := p.Sheet + "!" + itoa(p.Row) + "," + itoa(p.Column)
		i := len(got)
		f := fault{at, p.Text, p.Warning}
		if i < len(want) && strings.Contains(p.Text, want[i].has) {
			f.has = want[i].has
		}
		if p.TextEN == "" || strings.Contains(p.TextEN, "%!") || strings.Contains(p.Text, "%!") {
			t.Errorf("%s: texts %q, %q", at, p.Text, p.TextEN)
		}
		got = append(got, f)
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(fault{})); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
	if _, _, err := d.Carry(t.Context(), c, false, clerk, "2026-11-23"); fleet.CodeOf(err) != fleet.Invalid {
		t.Errorf("Carry with errors: %v, want a refusal", err)
	}

	var b bytes.Buffer
	if err := c.Return(&b, false); err != nil {
		t.Fatal(err)
	}
	back, err := sheet.Read(b.Bytes(), sheet.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	text := ""
	for _, s := range back.Sheets {
		for _, r := range s.Rows {
			text += strings.Join(r.Cells, "|") + "\n"
		}
	}
	if strings.Contains(text, "19900307") || !strings.Contains(text, "身份证号") || !strings.Contains(text, "说明") || !strings.Contains(text, "今天天气不错") {
		t.Errorf("the returned sheets hold\n%s", text)
	}

	done, changed, err := d.Carry(t.Context(), c, true, clerk, "2026-11-23")
	if err != nil || changed != nil {
		t.Fatalf("Carry of the good rows = %v, %v", changed != nil, err)
	}
	if done != (Done{Added: 2, Changed: 1, Left: 12}) {
		t.Errorf("done = %+v, want a liaison and a group added, a unit changed and 12 left", done)
	}
	liaisons, _ := s.Liaisons(t.Context())
	for _, l := range liaisons {
		if l.Name == "己工" && l.Phone != "13800000001" {
			t.Errorf("the first of two rows was taken as %q", l.Phone.Full())
		}
	}
}

func itoa(n int) string {
	if n < 0 {
		return "-" + itoa(-n)
	}
	if n < 10 {
		return string(rune('0' + n))
	}
	return itoa(n/10) + itoa(n%10)
}

func TestCheckShowsWhatChanges(t *testing.T) {
	t.Parallel()
	d, s := newTestDesk(t)
	raw := book(t, page("联络员", "单位|姓名|职务|电话|任职日期", "SL-01|"+liaisonOf(t, s, "SL-01")+"|副主任|13911112222|", "松风|"+liaisonOf(t, s, "SL-01")+"x|清空||"))
	c := check(t, d, raw, "")
	var got []string
	for _, l := range c.Lines {
		for _, ch := range l.Changes {
			if l.Did == fleet.DidAdd {
				continue
			}
			got = append(got, string(l.Did)+" "+ch.Column.ZH+": "+ch.Before+" → "+ch.After)
		}
	}
	if len(got) != 2 || !strings.HasPrefix(got[0], "changed 职务: 联络员 → 副主任") || !strings.HasSuffix(got[1], "→ 139****2222") {
		t.Errorf("changes = %q", got)
	}
	if done, changed, err := d.Carry(t.Context(), c, false, clerk, "2026-11-23"); err != nil || changed != nil || done.Changed != 1 || done.Added != 1 {
		t.Fatalf("Carry = %+v, %v, %v", done, changed, err)
	}
	// The same agreement a second time is about another registry.
	if _, changed, err := d.Carry(t.Context(), c, false, clerk, "2026-11-23"); err != nil || changed == nil || changed.Does() {
		t.Errorf("Carry again = %+v, %v, want another Check that changes nothing", changed, err)
	}
	lines, err := s.FindAudits(t.Context(), fleet.AuditFilter{Who: "clerk"})
	if err != nil || len(lines) != 2 || strings.Contains(lines[0].Before+lines[0].After+lines[1].Before+lines[1].After, "13911112222") {
		t.Errorf("audit = %+v, %v, want two lines without a whole number", lines, err)
	}
}

func liaisonOf(t *testing.T, s *store.Store, code string) string {
	t.Helper()
	units, _ := s.Units(t.Context())
	all, _ := s.Liaisons(t.Context())
	for _, u := range units {
		for _, l := range all {
			if u.Code == code && l.Unit == u.ID {
				return l.Name
			}
		}
	}
	t.Fatalf("no liaison of %s", code)
	return ""
}

func TestCheckKnowsRostersByNameAndHeadings(t *testing.T) {
	t.Parallel()
	d, _ := newTestDesk(t)
	for _, tt := range []struct {
		name string
		raw  []byte
		kind Kind
		want Kind
	}{
		{"by_sheet", book(t, page("各社区网格表", "社区|序号|名称", "松风社区|9|第九网格")), "", Grids},
		{"group_of_grids", book(t, page("网格群", "级别|单位|网格|群名", "三级|松风社区|1|")), "", Groups},
		{"by_headings", []byte("社区,姓名,职务,联系电话\n松风社区,甲工,主任,13800000001\n"), "", Liaisons},
		{"said", []byte("名称,联系人\n新物业,甲工\n"), Companies, Companies},
		{"points_csv", []byte("编号;名称;类型;社区\nZZ-1;东门;村广播;松风社区\n"), "", Points},
		{"english", book(t, page("Sheet1", "Unit|Name|Grid|Property company|Households", "SL-01|新苑|1||10")), "", Compounds},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := check(t, d, tt.raw, tt.kind)
			if len(c.Tables) != 1 || c.Tables[0].Kind != tt.want || c.Errors() != 0 {
				t.Errorf("tables = %+v, problems %+v, want %q without errors", c.Tables, c.Problems, tt.want)
			}
		})
	}
	if _, err := d.Check(t.Context(), []byte("今天天气不错,昨天也是\n"), ""); fleet.CodeOf(err) != fleet.Invalid {
		t.Errorf("Check of a letter: %v, want a refusal", err)
	}
	c := check(t, d, book(t, page("联络员", "姓名|电话", "甲工|13800000001")), "")
	if c.Errors() != 1 || !strings.Contains(c.Problems[0].Text, "缺少“所属单位”一列") || c.Does() {
		t.Errorf("without the unit: %+v", c.Problems)
	}
}
