package sheet

import (
	"archive/zip"
	"bytes"
	"encoding/csv"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/xuri/excelize/v2"
	"pgregory.net/rapid"
)

// hostile is text that some program takes for something else.
var hostile = []string{
	"=1+1", " =1", "+86", "-1", "@SUM(1)", "＝1", "\t=1", "13800001234", "007", "1.38E+10", "2026-11-23", "TRUE", "_x0041_", "_x000D_", "<b>&amp;\"'", "'x", "'=1", "a\nb", " 前后 ", "😀", "第二网格",
}

func pages(t *rapid.T) []Page {
	text := rapid.OneOf(rapid.SampledFrom(hostile), rapid.StringOfN(rapid.RuneFrom([]rune("松风社区a1 '\"=+-@,;\n\t")), 0, 12, -1))
	columns := rapid.IntRange(1, 5).Draw(t, "columns")
	var out []Page
	for _, name := range []string{"单位", "小区"}[:rapid.IntRange(1, 2).Draw(t, "pages")] {
		p := Page{Name: name, Above: []string{"名册"}, Spare: 3}
		for i := range columns {
			p.Columns = append(p.Columns, Column{Head: "列" + string(rune('甲'+i)), Choices: []string{"是", "否"}})
		}
		for range rapid.IntRange(0, 6).Draw(t, "rows") {
			row := make([]string, columns)
			for i := range row {
				row[i] = text.Draw(t, "text")
			}
			p.Rows = append(p.Rows, row)
		}
		out = append(out, p)
	}
	return out
}

func readRecords(text string) ([][]string, error) {
	r := csv.NewReader(strings.NewReader(strings.TrimPrefix(text, bom)))
	r.FieldsPerRecord = -1
	return r.ReadAll()
}

// lines are the rows of a page as reading gives them back.
func (p Page) lines() (rows []Row) {
	all := [][]string{}
	for _, a := range p.Above {
		all = append(all, []string{a})
	}
	var head []string
	for _, c := range p.Columns {
		head = append(head, c.Head)
	}
	for i, cells := range append(append(all, head), p.Rows...) {
		r := Row{Number: i + 1, Cells: append([]string(nil), cells...)}
		if r.trim(); len(r.Cells) > 0 {
			rows = append(rows, r)
		}
	}
	return rows
}

func TestWrittenWorkbookReadsBackTheSame(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := pages(t)
		var b bytes.Buffer
		if err := WriteXLSX(&b, p...); err != nil {
			t.Fatal(err)
		}
		book, err := Read(b.Bytes(), DefaultLimits())
		if err != nil {
			t.Fatal(err)
		}
		for i := range p {
			if diff := cmp.Diff(p[i].lines(), book.Sheets[i].Rows); diff != "" {
				t.Fatalf("sheet %q (-want +got):\n%s", p[i].Name, diff)
			}
		}
	})
}

func TestWrittenCSVReadsBackTheSame(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := pages(t)[0]
		var b bytes.Buffer
		if err := WriteCSV(&b, p); err != nil {
			t.Fatal(err)
		}
		records, err := readRecords(b.String())
		if err != nil {
			t.Fatal(err)
		}
		for _, field := range slices.Concat(records...) {
			if first := strings.TrimLeft(field, " "); first != "" && strings.ContainsAny(first[:1], starters) || strings.HasPrefix(first, "＝") {
				t.Fatalf("field %q starts a formula", field)
			}
		}
		book, err := Read(b.Bytes(), DefaultLimits())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(p.lines(), book.Sheets[0].Rows); diff != "" {
			t.Fatalf("rows (-want +got):\n%s", diff)
		}
	})
}

func TestWrittenCellsAreTextWithoutFormulas(t *testing.T) {
	t.Parallel()
	p := Page{Name: "单位", Columns: []Column{{Head: "值", Choices: []string{"是", "否"}, Required: true}, {Head: "上级", Choices: long(80)}}, Spare: 5}
	for _, h := range hostile {
		p.Rows = append(p.Rows, []string{h, ""})
	}
	var b bytes.Buffer
	if err := WriteXLSX(&b, p); err != nil {
		t.Fatal(err)
	}
	f, err := excelize.OpenReader(bytes.NewReader(b.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for i := range p.Rows {
		at := Address(0, i+2)
		if formula, _ := f.GetCellFormula("单位", at); formula != "" {
			t.Errorf("%s is the formula %q", at, formula)
		}
		if kind, _ := f.GetCellType("单位", at); kind != excelize.CellTypeInlineString && kind != excelize.CellTypeSharedString {
			t.Errorf("%s %q is of type %v, want text", at, p.Rows[i][0], kind)
		}
		id, _ := f.GetCellStyle("单位", at)
		if s, err := f.GetStyle(id); err != nil || s.NumFmt != 49 {
			t.Errorf("%s has the number format %+v, %v, want text", at, s, err)
		}
	}
	rules, err := f.GetDataValidations("单位")
	if err != nil || len(rules) != 2 || rules[0].Sqref != "A2:"+Address(0, 1+len(p.Rows)+5) || !strings.Contains(rules[1].Formula1, "选项!$A$1:$A$80") {
		t.Errorf("rules = %+v, %v, want one list in the rule and one on the hidden sheet", rules, err)
	}
	if visible, _ := f.GetSheetVisible("选项"); visible {
		t.Error("the sheet of choices shows")
	}
	if panes, err := f.GetPanes("单位"); err != nil || !panes.Freeze || panes.YSplit != 1 {
		t.Errorf("panes = %+v, %v, want the headings frozen", panes, err)
	}
	z, err := zip.NewReader(bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range z.File {
		r, err := part.Open()
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(r)
		r.Close()
		if bytes.Contains(text, []byte("<f>")) {
			t.Errorf("part %q holds a formula", part.Name)
		}
	}
}

func long(n int) (list []string) {
	for i := range n {
		list = append(list, "SF-"+Address(i, 1)+" 松风社区")
	}
	return list
}

func TestReturnMarksWhatIsWrong(t *testing.T) {
	t.Parallel()
	book := &Book{Sheets: []Sheet{{Name: "联络员", Rows: []Row{
		{1, []string{"名单"}}, {3, []string{"姓名", "电话", "说明"}}, {4, []string{"张工", "1.38E+10", "旧说明"}}, {6, []string{"=1", "13800001234"}},
	}}}}
	var b bytes.Buffer
	err := Return(&b, book, "说明", map[string]int{"联络员": 3}, map[string][]Mark{"联络员": {{4, 1, "丢失了后几位数字"}, {4, 0, "没有这个人"}}})
	if err != nil {
		t.Fatal(err)
	}
	again := mustRead(t, b.Bytes())
	want := []Row{
		{1, []string{"名单"}}, {3, []string{"姓名", "电话", "说明"}}, {4, []string{"张工", "1.38E+10", "丢失了后几位数字\n没有这个人"}}, {6, []string{"=1", "13800001234"}},
	}
	if diff := cmp.Diff(want, again.Sheets[0].Rows); diff != "" {
		t.Errorf("returned rows (-want +got):\n%s", diff)
	}
	f, err := excelize.OpenReader(bytes.NewReader(b.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for cell, red := range map[string]bool{"A4": true, "B4": true, "C4": true, "A6": false, "B6": false, "C6": false} {
		id, _ := f.GetCellStyle("联络员", cell)
		s, err := f.GetStyle(id)
		if err != nil {
			t.Fatal(err)
		}
		if got := len(s.Fill.Color) > 0 && strings.EqualFold(s.Fill.Color[0], strings.TrimPrefix(badFill, "#")) || len(s.Fill.Color) > 0 && strings.EqualFold(s.Fill.Color[0], badFill); got != red {
			t.Errorf("%s red: %v, want %v (fill %+v)", cell, got, red, s.Fill)
		}
	}
}
