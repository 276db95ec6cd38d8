package docx

import (
	"archive/zip"
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func sample() Document {
	return Document{Title: "第46期", Author: "示例街道", Blocks: []Block{
		Paragraph{Style: Masthead, Text: "反电诈宣传工作简报"},
		Paragraph{Style: Line, Text: "示例街道办公室", Right: "2026年11月23日"},
		Paragraph{Style: Title, Text: "情况通报"},
		Paragraph{Style: Level1, Text: "一、广播播放情况"},
		Paragraph{Style: Level2, Text: "（一）总体"},
		Paragraph{Text: "应播 < 已播 & \"免播\" > '待报'\n第二行\x00\x1b\uFFFE结束 \xff\xfe"},
		Table{Head: []string{"单位", "应播"}, Rows: [][]string{{"松风社区", "168"}, {"合计"}}, Widths: []int{3, 1}, Left: []int{0}, Sum: true},
		Paragraph{Style: Tail, Text: "报：上级", Rule: true},
	}}
}

// parts writes d and returns every file in it, each read to its end as XML.
func parts(t testing.TB, d Document) map[string]string {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, d); err != nil {
		t.Fatal(err)
	}
	z, err := zip.NewReader(bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		doc, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		dec := xml.NewDecoder(bytes.NewReader(doc))
		for {
			if _, err := dec.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%s is no XML: %v\n%s", f.Name, err, doc)
			}
		}
		all[f.Name] = string(doc)
	}
	return all
}

// said is the text of a document, a paragraph a line.
func said(t testing.TB, doc string) string {
	t.Helper()
	var b strings.Builder
	dec := xml.NewDecoder(strings.NewReader(doc))
	in := false
	for {
		tok, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return b.String()
		}
		if err != nil {
			t.Fatal(err)
		}
		switch e := tok.(type) {
		case xml.StartElement:
			in = e.Name.Local == "t"
			if e.Name.Local == "br" {
				b.WriteByte('\n')
			}
		case xml.EndElement:
			in = false
			if e.Name.Local == "p" {
				b.WriteByte('\n')
			}
		case xml.CharData:
			if in {
				b.Write(e)
			}
		}
	}
}

func TestDocumentHoldsTheOfficialForm(t *testing.T) {
	all := parts(t, sample())
	for _, want := range []struct{ file, text, why string }{
		{"word/document.xml", `<w:pgSz w:w="11906" w:h="16838"/>`, "A4"},
		{"word/document.xml", `w:top="2098" w:right="1474" w:bottom="1984" w:left="1587"`, "margins of 37, 26, 35 and 28 mm"},
		{"word/document.xml", `<w:tblHeader/>`, "repeated heading rows"},
		{"word/styles.xml", `w:styleId="Normal" w:default="1"`, "a style for the body"},
		{"word/styles.xml", `w:line="560" w:lineRule="exact"/><w:ind w:firstLineChars="200" w:firstLine="640"/>`, "28 pt exactly, two characters in"},
		{"word/styles.xml", `w:eastAsia="方正小标宋简体"`, "the font of the title"},
		{"word/styles.xml", `w:eastAsia="仿宋_GB2312"`, "the font of the body"},
		{"word/styles.xml", `w:eastAsia="楷体_GB2312"`, "the font of level 2"},
		{"word/styles.xml", `w:eastAsia="黑体"`, "the font of level 1"},
		{"word/styles.xml", `<w:sz w:val="44"/>`, "22 pt"}, {"word/styles.xml", `<w:sz w:val="28"/>`, "14 pt"}, {"word/styles.xml", `<w:sz w:val="32"/>`, "16 pt"},
		{"word/footer1.xml", " PAGE ", "the number of the page"},
		{"word/settings.xml", "evenAndOddHeaders", "at the outer edge"},
	} {
		if !strings.Contains(all[want.file], want.text) {
			t.Errorf("%s lacks %s: %s", want.file, want.why, want.text)
		}
	}
	if strings.Contains(all["word/styles.xml"], "embed") {
		t.Error("a font is embedded")
	}
	for _, target := range []string{"word/styles.xml", "word/settings.xml", "word/fontTable.xml", "word/footer1.xml", "word/footer2.xml"} {
		if !strings.Contains(all["[Content_Types].xml"], "/"+target) || !strings.Contains(all["word/_rels/document.xml.rels"], strings.TrimPrefix(target, "word/")) {
			t.Errorf("%s is not told of", target)
		}
	}
}

func TestTextIsKeptWhatever(t *testing.T) {
	got := said(t, parts(t, sample())["word/document.xml"])
	want := "反电诈宣传工作简报\n示例街道办公室2026年11月23日\n情况通报\n一、广播播放情况\n（一）总体\n应播 < 已播 & \"免播\" > '待报'\n第二行结束 \n单位\n应播\n松风社区\n168\n合计\n\n报：上级\n"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("text (-want +got):\n%s", diff)
	}
}

func TestSameDocumentSameBytes(t *testing.T) {
	var a, b bytes.Buffer
	if err := errors.Join(Write(&a, sample()), Write(&b, sample())); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(a.Bytes(), b.Bytes()) {
		t.Error("two writings differ")
	}
}

func TestWriterThatFailsIsToldOf(t *testing.T) {
	full := errors.New("disk full")
	if err := Write(failing{full}, sample()); !errors.Is(err, full) {
		t.Errorf("Write = %v", err)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

func TestColumnsFillTheWidth(t *testing.T) {
	for _, widths := range [][]int{nil, {1}, {3, 1, 1}, {0, 9, 2}} {
		sum := 0
		for _, w := range (Table{Head: []string{"a", "b", "c"}, Widths: widths}).columns() {
			if w <= 0 {
				t.Errorf("%v has a column of width %d", widths, w)
			}
			sum += w
		}
		if sum != textWidth {
			t.Errorf("%v fills %d of %d", widths, sum, textWidth)
		}
	}
}

// FuzzText holds that no text breaks the XML, and that what XML can hold comes
// back.
func FuzzText(f *testing.F) {
	f.Add("应播 < & > \" '\r\n\x00", "]]>")
	f.Fuzz(func(t *testing.T, text, cell string) {
		got := said(t, parts(t, Document{Title: text, Blocks: []Block{Paragraph{Text: text, Right: cell}, Table{Head: []string{cell}, Rows: [][]string{{text}}}}})["word/document.xml"])
		if !utf8.ValidString(text) {
			return
		}
		for _, word := range strings.FieldsFunc(text, func(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 || r > 0xd7ff }) {
			if !strings.Contains(got, word) {
				t.Errorf("%q is not in %q", word, got)
			}
		}
	})
}
