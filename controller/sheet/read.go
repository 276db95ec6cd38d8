package sheet

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf16"

	"gatecast/controller/fleet"
)

// Limits bound what one file may hold. A limit of 0 allows nothing.
type Limits struct {
	Bytes    int // of the file
	Unpacked int // bytes of all parts of a workbook together
	Parts    int // files inside a workbook
	Elements int // of XML in a workbook, all parts together
	Sheets   int
	Rows     int // of a sheet, blank ones before the last with text included
	Columns  int // the last that may hold text
	Cells    int // with text, of a file
	Text     int // bytes of one cell
}

// DefaultLimits holds the greatest roster that is promised, 10,000 points of
// 20 columns in one sheet, twice over. 2 million elements of XML take about
// 200 MB at the worst while a workbook is open.
func DefaultLimits() Limits {
	return Limits{
		Bytes: 10 << 20, Unpacked: 64 << 20, Parts: 500, Elements: 2_000_000,
		Sheets: 30, Rows: 20_000, Columns: 200, Cells: 400_000, Text: 4000,
	}
}

// Book is the tables of one file.
type Book struct {
	Sheets   []Sheet // those with text, in the file's order
	Date1904 bool    // serial dates count from 1904, as old Excel on a Mac did
}

// Sheet is one table.
type Sheet struct {
	Name string // empty for CSV
	Rows []Row  // those with text
}

// Row is the cells of a row that have text before its end.
type Row struct {
	Number int      // from 1, as the clerk's program shows it
	Cells  []string // from column A; trimmed of nothing
}

// Cell returns the text of the column, counted from 0; empty beyond the end.
func (r Row) Cell(column int) string {
	if column < 0 || column >= len(r.Cells) {
		return ""
	}
	return r.Cells[column]
}

// Address names a cell as Excel does, such as "B7". Column counts from 0, row
// from 1.
func Address(column, row int) string {
	return columnName(column) + fmt.Sprint(row)
}

func columnName(column int) string {
	name := ""
	for c := column; c >= 0; c = c/26 - 1 {
		name = string(rune('A'+c%26)) + name
	}
	return name
}

// oleMagic starts .xls, .et, .wps and every workbook with a password.
var oleMagic = []byte{0xD0, 0xCF, 0x11, 0xE0, 0xA1, 0xB1, 0x1A, 0xE1}

// Read returns the tables of a file, told apart by its first bytes and not by
// its name. A file that is of another kind, damaged, locked, or beyond the
// limits is a *fleet.Error of code Invalid.
func Read(raw []byte, l Limits) (*Book, error) {
	switch {
	case len(bytes.TrimSpace(raw)) == 0:
		return nil, refuse("文件是空的。", "The file is empty.")
	case len(raw) > l.Bytes:
		return nil, refuse(fmt.Sprintf("文件有 %d MB，超过 %d MB。请删去图片和无关的工作表，或分成几个文件。", len(raw)>>20, l.Bytes>>20),
			fmt.Sprintf("The file has %d MB, more than %d MB. Remove pictures and other sheets, or split it.", len(raw)>>20, l.Bytes>>20))
	case bytes.HasPrefix(raw, []byte("PK")):
		return readWorkbook(raw, l)
	case bytes.HasPrefix(raw, oleMagic):
		if bytes.Contains(raw, utf16Bytes("EncryptedPackage")) {
			return nil, refuse("这个文件有打开密码。请在 Excel 或 WPS 中去掉密码，另存为 .xlsx 再上传。",
				"The file has a password. Take it off in Excel or WPS, save as .xlsx and upload again.")
		}
		return nil, refuse("这是旧格式的表格（.xls、.et 或 .wps）。请用 Excel 或 WPS 打开，另存为 .xlsx 再上传。",
			"This is a file of an old format (.xls, .et or .wps). Open it in Excel or WPS, save as .xlsx and upload again.")
	case oldBinary(raw):
		return nil, refuse("这是很旧的 .xls 文件。请用 Excel 或 WPS 打开，另存为 .xlsx 再上传。",
			"This is a very old .xls file. Open it in Excel or WPS, save as .xlsx and upload again.")
	case markup(raw):
		return nil, refuse("这是网页格式的表格，只是名字像 Excel 文件。请用 Excel 或 WPS 打开，另存为 .xlsx 再上传。",
			"This is a web page named like a workbook. Open it in Excel or WPS, save as .xlsx and upload again.")
	}
	return readText(raw, l)
}

// refuse makes the error of a file that is not taken.
func refuse(zh, en string) error { return &fleet.Error{Code: fleet.Invalid, Text: zh, TextEN: en} }

// oldBinary reports whether raw starts as Excel 2 to 4 wrote.
func oldBinary(raw []byte) bool {
	return len(raw) > 4 && raw[0] == 0x09 && (raw[1] == 0x00 || raw[1] == 0x02 || raw[1] == 0x04) && (raw[2] == 0x04 || raw[2] == 0x06) && raw[3] == 0
}

// markup reports whether raw is HTML or XML, which many systems export under
// the name of a workbook.
func markup(raw []byte) bool {
	start := strings.ToLower(string(bytes.TrimLeft(raw[:min(len(raw), 512)], "\xef\xbb\xbf \t\r\n")))
	for _, p := range []string{"<?xml", "<html", "<!doctype", "<table", "<meta", "<head"} {
		if strings.HasPrefix(start, p) {
			return true
		}
	}
	return false
}

func utf16Bytes(s string) []byte {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		b = append(b, byte(u), byte(u>>8))
	}
	return b
}

// counter keeps a file within its limits.
type counter struct {
	l     Limits
	cells int
}

// add counts a cell with text; where names it.
func (c *counter) add(sheet string, column, row int, text string) error {
	if text == "" {
		return nil
	}
	at := place(sheet, column, row)
	if len(text) > c.l.Text {
		return refuse(fmt.Sprintf("%s的文字太长（%d 字节，最多 %d）。", at, len(text), c.l.Text),
			fmt.Sprintf("The text of %s is too long (%d bytes, at most %d).", at, len(text), c.l.Text))
	}
	if row > c.l.Rows {
		return refuse(fmt.Sprintf("表格超过 %d 行（%s）。请分成几个文件。", c.l.Rows, at),
			fmt.Sprintf("The table has more than %d rows (%s). Split it into several files.", c.l.Rows, at))
	}
	if column >= c.l.Columns {
		return tooWide(at, c.l.Columns)
	}
	if c.cells++; c.cells > c.l.Cells {
		return refuse(fmt.Sprintf("文件的内容太多（超过 %d 格）。请分成几个文件。", c.l.Cells),
			fmt.Sprintf("The file holds too much (more than %d cells). Split it into several files.", c.l.Cells))
	}
	return nil
}

func tooWide(at string, columns int) error {
	return refuse(fmt.Sprintf("表格超过 %d 列（%s）。请删去多余的列。", columns, at),
		fmt.Sprintf("The table has more than %d columns (%s). Remove the columns that are not needed.", columns, at))
}

// place names a cell, with its sheet if it has a name.
func place(sheet string, column, row int) string {
	if sheet == "" {
		return Address(column, row)
	}
	return sheet + "!" + Address(column, row)
}
