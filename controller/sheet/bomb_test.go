package sheet

import (
	"archive/zip"
	"bytes"
	"fmt"
	"hash/crc32"
	"runtime"
	"strings"
	"testing"
)

const (
	contentTypes = `<?xml version="1.0" encoding="UTF-8"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/><Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/><Override PartName="/xl/worksheets/sheet1.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/><Override PartName="/xl/sharedStrings.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"/></Types>`
	rootRels     = `<?xml version="1.0" encoding="UTF-8"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>`
	bookXML      = `<?xml version="1.0" encoding="UTF-8"?><workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets><sheet name="Sheet1" sheetId="1" r:id="rId1"/></sheets></workbook>`
	bookRels     = `<?xml version="1.0" encoding="UTF-8"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.xml"/><Relationship Id="rId2" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/sharedStrings" Target="sharedStrings.xml"/></Relationships>`
	sheetStart   = `<?xml version="1.0" encoding="UTF-8"?><worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>`
	sheetEnd     = `</sheetData></worksheet>`
)

// archive packs a workbook by hand; extra parts come last and may be anything.
func archive(t testing.TB, sheet string, extra ...[2]string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, p := range append([][2]string{
		{"[Content_Types].xml", contentTypes}, {"_rels/.rels", rootRels}, {"xl/workbook.xml", bookXML},
		{"xl/_rels/workbook.xml.rels", bookRels}, {"xl/worksheets/sheet1.xml", sheet},
	}, extra...) {
		w, err := z.Create(p[0])
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(p[1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func withSheet(t testing.TB, rows string) []byte { return archive(t, sheetStart+rows+sheetEnd) }

const oneRow = `<row r="1"><c r="A1" t="inlineStr"><is><t>姓名</t></is></c></row>`

func TestReadRefusesBombs(t *testing.T) {
	// no t.Parallel: it looks at the memory of the process
	l := DefaultLimits()
	l.Unpacked, l.Elements = 8<<20, 100_000
	for _, tt := range []struct {
		name   string
		raw    []byte
		zh, en string
	}{
		{"zip_of_zeros", archive(t, sheetStart+oneRow+sheetEnd, [2]string{"xl/media/a.png", strings.Repeat("\x00", 64<<20)}), "解开后太大", "too large once"},
		{"many_parts", archive(t, sheetStart+oneRow+sheetEnd, manyParts(600)...), "解开后太大", "too large once"},
		{"long_sheet", withSheet(t, oneRow+strings.Repeat(" ", 16<<20)), "解开后太大", "too large once"},
		{"many_cells", withSheet(t, strings.Repeat("<row><c/></row>", 200_000)), "解开后太大", "too large once"},
		{"many_strings", archive(t, sheetStart+oneRow+sheetEnd, [2]string{"xl/sharedStrings.xml", "<sst>" + strings.Repeat("<si/>", 200_000) + "</sst>"}), "解开后太大", "too large once"},
		{"deep", withSheet(t, strings.Repeat("<a>", 30_000)), "损坏", "too deep"},
		{"entities", archive(t, `<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]><worksheet><sheetData><row r="1"><c r="A1" t="str"><v>&b;</v></c></row></sheetData></worksheet>`), "损坏", "document type"},
		{"external_entity", archive(t, `<?xml version="1.0"?><!DOCTYPE x SYSTEM "file:///etc/passwd"><worksheet/>`), "损坏", "document type"},
		{"unknown_entity", withSheet(t, `<row r="1"><c r="A1" t="str"><v>&b;</v></c></row>`), "损坏", "entity"},
		{"truncated_xml", archive(t, sheetStart+oneRow), "损坏", "damaged"},
		{"other_encoding", archive(t, `<?xml version="1.0" encoding="UTF-7"?><worksheet/>`), "损坏", "damaged"},
		{"far_column", withSheet(t, `<row r="1"><c r="XFD1"><v>1</v></c></row>`), "200 列", "200 columns"},
		{"far_row", withSheet(t, oneRow+`<row r="1048576"><c r="A1048576"><v>1</v></c></row>`), "20000 行", "20000 rows"},
		{"one_string_everywhere", archive(t, sheetStart+`<row r="1">`+strings.Repeat(`<c t="s"><v>0</v></c>`, 150)+`</row>`+sheetEnd,
			[2]string{"xl/sharedStrings.xml", `<sst><si><r><t>` + strings.Repeat("x", 4<<20) + `</t></r><r><t>y</t></r></si></sst>`}), "解开后太大", "too large once"},
		{"long_text", withSheet(t, `<row r="1"><c r="A1" t="inlineStr"><is><t>`+strings.Repeat("x", 5000)+`</t></is></c></row>`), "文字太长", "too long"},
		{"macros", archive(t, sheetStart+oneRow+sheetEnd, [2]string{"xl/vbaProject.bin", "x"}), "宏", "macros"},
		{"two_of_a_name", archive(t, sheetStart+oneRow+sheetEnd, [2]string{"XL/worksheets/Sheet1.xml", sheetStart + sheetEnd}), "损坏", "two parts"},
		{"no_workbook", zipOf(t, "word/document.xml", "<x/>"), "另存为 .xlsx", "save as .xlsx"},
		{"locked_part", locked(t), "密码", "password"},
		{"lying_size", lying(t), "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			refused(t, tt.raw, l, tt.zh, tt.en)
			runtime.ReadMemStats(&after)
			// What is unpacked at once is a buffer; 64 MB is what the limits
			// allow for everything that the walk makes on its way.
			if used := after.TotalAlloc - before.TotalAlloc; used > 64<<20 {
				t.Errorf("reading took %d MB, want at most 64", used>>20)
			}
		})
	}
}

func TestReadTakesEmptyFormattedCells(t *testing.T) {
	t.Parallel()
	// WPS formats whole rows to the last column, and rows far below.
	b := mustRead(t, withSheet(t, oneRow+`<row r="2"><c r="A2" s="0"/><c r="XFD2" s="0"/></row><row r="1048576"><c r="A1048576"/></row>`))
	if len(b.Sheets[0].Rows) != 1 {
		t.Errorf("rows = %v, want the one with text", b.Sheets[0].Rows)
	}
}

func manyParts(n int) (parts [][2]string) {
	for i := range n {
		parts = append(parts, [2]string{fmt.Sprintf("xl/x%d.bin", i), ""})
	}
	return parts
}

func zipOf(t testing.TB, name, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w, err := z.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	w.Write([]byte(text))
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// locked is an archive one part of which is marked as encrypted.
func locked(t testing.TB) []byte {
	raw := withSheet(t, oneRow)
	i := bytes.LastIndex(raw, []byte("PK\x01\x02"))
	raw[i+8] |= 1
	return raw
}

// lying is an archive one part of which unpacks to more than it says.
func lying(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, p := range [][2]string{{"[Content_Types].xml", contentTypes}, {"_rels/.rels", rootRels}, {"xl/workbook.xml", bookXML}, {"xl/_rels/workbook.xml.rels", bookRels}} {
		w, err := z.Create(p[0])
		if err != nil {
			t.Fatal(err)
		}
		w.Write([]byte(p[1]))
	}
	text := []byte(sheetStart + oneRow + strings.Repeat(" ", 4<<20) + sheetEnd)
	w, err := z.CreateRaw(&zip.FileHeader{Name: "xl/worksheets/sheet1.xml", Method: zip.Store, CRC32: crc32.ChecksumIEEE(text), CompressedSize64: uint64(len(text)), UncompressedSize64: 100})
	if err != nil {
		t.Fatal(err)
	}
	w.Write(text)
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// FuzzRead demands that whatever is uploaded is read within the limits or
// refused with a sentence.
func FuzzRead(f *testing.F) {
	f.Add(withSheet(f, oneRow))
	f.Add([]byte(csvText))
	f.Add([]byte(bom + "a;b\r\n\"1\n2\";3"))
	f.Add([]byte("PK\x03\x04"))
	f.Add(append(bytes.Clone(oleMagic), utf16Bytes("EncryptedPackage")...))
	f.Add([]byte("\xd0\xd5\xc3\xfb,\xb5\xe7\xbb\xb0\n"))
	l := Limits{Bytes: 1 << 20, Unpacked: 1 << 20, Parts: 50, Elements: 10_000, Sheets: 3, Rows: 100, Columns: 20, Cells: 500, Text: 200}
	f.Fuzz(func(t *testing.T, raw []byte) {
		b, err := Read(raw, l)
		if err != nil {
			if !isRefusal(err) {
				t.Fatalf("Read: %v, want a refusal", err)
			}
			return
		}
		cells := 0
		for _, s := range b.Sheets {
			last := 0
			for _, r := range s.Rows {
				if len(r.Cells) > l.Columns || r.Number <= last {
					t.Fatalf("row %d after %d of %d cells", r.Number, last, len(r.Cells))
				}
				last = r.Number
				for _, c := range r.Cells {
					if c != "" {
						cells++
					}
					Text(c)
					Code(c)
					Phone(c)
					Number(c)
					Date(c, b.Date1904)
				}
			}
			Find(s, testHeads)
		}
		if cells > l.Cells {
			t.Fatalf("%d cells, want at most %d", cells, l.Cells)
		}
	})
}
