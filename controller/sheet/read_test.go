package sheet

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/xuri/excelize/v2"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"

	"gatecast/controller/fleet"
)

// workbook makes a file by excelize, as another program would.
func workbook(t testing.TB, fill func(f *excelize.File)) []byte {
	t.Helper()
	f := excelize.NewFile()
	defer f.Close()
	fill(f)
	var b bytes.Buffer
	if err := f.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func set(t testing.TB, f *excelize.File, cell string, v any) {
	t.Helper()
	if err := f.SetCellValue("Sheet1", cell, v); err != nil {
		t.Fatal(err)
	}
}

func mustRead(t testing.TB, raw []byte) *Book {
	t.Helper()
	b, err := Read(raw, DefaultLimits())
	if err != nil {
		t.Fatalf("Read: %v", err)
	}
	return b
}

// refused demands a refusal for the clerk that says both words.
func refused(t *testing.T, raw []byte, l Limits, zh, en string) {
	t.Helper()
	b, err := Read(raw, l)
	e, ok := err.(*fleet.Error)
	if !ok || e.Code != fleet.Invalid || !strings.Contains(e.Text, zh) || !strings.Contains(e.TextEN, en) {
		t.Errorf("Read = %v, %v (%+v), want a refusal with %q and %q", b, err, e, zh, en)
	}
}

var testHeads = []Head{
	{"name", []string{"姓名", "联络员", "name"}},
	{"phone", []string{"电话", "手机", "联系方式", "联系电话", "phone"}},
	{"from", []string{"起始日期", "from"}},
}

func TestReadFindsHeadingsBelowMergedTitles(t *testing.T) {
	t.Parallel()
	raw := workbook(t, func(f *excelize.File) {
		set(t, f, "A1", "示例街道反电诈工作联络员名单")
		f.MergeCell("Sheet1", "A1", "E1")
		set(t, f, "A2", "填表单位：松风社区")
		set(t, f, "A4", "单位")
		f.MergeCell("Sheet1", "A4", "A5")
		set(t, f, "B4", "联络员情况")
		f.MergeCell("Sheet1", "B4", "D4")
		set(t, f, "B5", " 姓 名*")
		set(t, f, "C5", "联系方式（11位）")
		set(t, f, "D5", "备注")
		set(t, f, "A6", "松风社区")
		f.MergeCell("Sheet1", "A6", "A7")
		set(t, f, "B6", "张工")
		set(t, f, "C6", 13800001234)
		set(t, f, "B7", "李工")
		set(t, f, "C7", "13900001234")
		set(t, f, "A9", "望河社区")
	})
	b := mustRead(t, raw)
	table, ok := Find(b.Sheets[0], append(testHeads, Head{"unit", []string{"单位"}}))
	if !ok || table.Header.Number != 5 {
		t.Fatalf("Find = %+v, %v, want the headings in row 5", table, ok)
	}
	if diff := cmp.Diff([]string{"备注"}, table.Unknown); diff != "" {
		t.Errorf("unknown headings (-want +got):\n%s", diff)
	}
	type line struct {
		row               int
		unit, name, phone string
	}
	var got []line
	for _, r := range table.Rows {
		p, err := Phone(table.Text(r, "phone"))
		if err != nil {
			t.Errorf("row %d: %v", r.Number, err)
		}
		got = append(got, line{r.Number, table.Text(r, "unit"), table.Text(r, "name"), p.Full()})
	}
	want := []line{{6, "松风社区", "张工", "13800001234"}, {7, "松风社区", "李工", "13900001234"}, {9, "望河社区", "", ""}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(line{})); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
}

func TestReadTakesStoredResultsOfFormulas(t *testing.T) {
	t.Parallel()
	raw := workbook(t, func(f *excelize.File) {
		set(t, f, "A1", "姓名")
		if err := f.SetCellFormula("Sheet1", "A2", `HYPERLINK("http://192.0.2.1/","x")`); err != nil {
			t.Fatal(err)
		}
	})
	// excelize keeps no result beside a formula: the file of a program.
	refused(t, raw, DefaultLimits(), "A2 格是公式", "Cell A2 is a formula")

	for _, tt := range []struct{ name, cell, want string }{
		{"text", `<c r="A2" t="str"><f>CONCATENATE("张","工")</f><v>张工</v></c>`, "张工"},
		{"number", `<c r="A2"><f>1+1</f><v>13800001234</v></c>`, "13800001234"},
		{"empty_text", `<c r="A2" t="str"><f>IF(1,"","")</f><v></v></c><c r="B2"><v>1</v></c>`, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := mustRead(t, withSheet(t, `<row r="1"><c r="A1" t="inlineStr"><is><t>姓名</t></is></c></row><row r="2">`+tt.cell+`</row>`))
			if got := b.Sheets[0].Rows[1].Cell(0); got != tt.want {
				t.Errorf("cell = %q, want the stored %q", got, tt.want)
			}
		})
	}
	refused(t, withSheet(t, `<row r="2"><c r="A2" t="e"><f>1/0</f><v>#DIV/0!</v></c></row>`), DefaultLimits(), "A2 格是公式", "without a usable result")
}

func TestReadSkipsHiddenSheetsAndKeepsOrder(t *testing.T) {
	t.Parallel()
	raw := workbook(t, func(f *excelize.File) {
		set(t, f, "A1", "姓名")
		for _, n := range []string{"小区", "选项", "空"} {
			f.NewSheet(n)
		}
		f.SetCellStr("小区", "B2", "望河苑")
		f.SetCellStr("选项", "A1", "x")
		f.SetSheetVisible("选项", false)
	})
	var names []string
	for _, s := range mustRead(t, raw).Sheets {
		names = append(names, s.Name)
	}
	if diff := cmp.Diff([]string{"Sheet1", "小区"}, names); diff != "" {
		t.Errorf("sheets (-want +got):\n%s", diff)
	}
}

func TestReadKnowsDates(t *testing.T) {
	t.Parallel()
	for _, old := range []bool{false, true} {
		raw := workbook(t, func(f *excelize.File) {
			f.SetWorkbookProps(&excelize.WorkbookPropsOptions{Date1904: &old})
			serial := 46349
			if old {
				serial = 44887
			}
			set(t, f, "A1", serial)
		})
		b := mustRead(t, raw)
		if got, err := Date(b.Sheets[0].Rows[0].Cell(0), b.Date1904); got != "2026-11-23" {
			t.Errorf("1904 %v: date = %q, %v, want 2026-11-23", old, got, err)
		}
	}
}

const csvText = "名单\n\n姓名,电话\n张工,13800001234\n\"李,工\n\",'-1\n\n\n王工,\"=1\"\n"

func TestReadTakesEveryCSV(t *testing.T) {
	t.Parallel()
	gbk, err := simplifiedchinese.GBK.NewEncoder().String(csvText)
	if err != nil {
		t.Fatal(err)
	}
	wide, err := unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewEncoder().String(strings.ReplaceAll(csvText, ",", "\t"))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, text, name5 string }{
		{"utf8", csvText, "李,工\n"},
		{"utf8_bom", bom + csvText, "李,工\n"},
		{"crlf", strings.ReplaceAll(csvText, "\n", "\r\n"), "李,工\n"},
		{"gbk", gbk, "李,工\n"},
		{"semicolons", strings.ReplaceAll(csvText, ",", ";"), "李;工\n"},
		{"tabs", strings.ReplaceAll(csvText, ",", "\t"), "李\t工\n"},
		{"utf16_tabs", wide, "李\t工\n"},
		{"told_delimiter", "sep=;\n" + strings.ReplaceAll(csvText, ",", ";"), "李;工\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			first := 1
			if strings.HasPrefix(tt.text, "sep=") {
				first = 2
			}
			want := []Row{
				{first, []string{"名单"}}, {first + 2, []string{"姓名", "电话"}}, {first + 3, []string{"张工", "13800001234"}},
				{first + 4, []string{tt.name5, "-1"}}, {first + 7, []string{"王工", "=1"}},
			}
			if diff := cmp.Diff(want, mustRead(t, []byte(tt.text)).Sheets[0].Rows); diff != "" {
				t.Errorf("rows (-want +got):\n%s", diff)
			}
		})
	}
}

func TestReadRefusesOtherFiles(t *testing.T) {
	t.Parallel()
	ole := string(oleMagic)
	for _, tt := range []struct{ name, raw, zh, en string }{
		{"empty", " \n", "空的", "empty"},
		{"xls_et_wps", ole + "Workbook", "另存为 .xlsx", "save as .xlsx"},
		{"password", ole + strings.Repeat("\x00", 512) + string(utf16Bytes("EncryptedPackage")), "密码", "password"},
		{"old_xls", "\x09\x00\x04\x00\x00\x00", "另存为 .xlsx", "save as .xlsx"},
		{"web_page", "\xef\xbb\xbf <html><table>", "网页格式", "web page"},
		{"broken_zip", "PK\x03\x04", "损坏", "damaged"},
		{"binary", "\x00\x01\x02", "不是表格", "no table"},
		{"no_encoding", "a,b\n\xff\xff\xff", "编码", "encoding"},
	} {
		t.Run(tt.name, func(t *testing.T) { refused(t, []byte(tt.raw), DefaultLimits(), tt.zh, tt.en) })
	}
}

func TestFindPrefersTheFullestRow(t *testing.T) {
	t.Parallel()
	s := Sheet{Rows: []Row{
		{1, []string{"联络员"}}, // a title that is a heading, too
		{2, []string{"序号", "ＮＡＭＥ ", "手 机:", "电话"}},
		{3, []string{"1", "张工", "1", "2"}},
	}}
	table, ok := Find(s, testHeads)
	if !ok || table.Header.Number != 2 || table.Columns["name"] != 1 || table.Columns["phone"] != 2 || len(table.Twice) != 1 || len(table.Rows) != 1 {
		t.Errorf("Find = %+v, %v", table, ok)
	}
	if _, ok := Find(Sheet{Rows: []Row{{1, []string{"甲"}}}}, testHeads); ok {
		t.Error("Find found headings where there are none")
	}
}
