package sheet

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"
)

const bom = "\ufeff"

// readText reads CSV.
func readText(raw []byte, l Limits) (*Book, error) {
	text, err := decode(raw)
	if err != nil {
		return nil, err
	}
	if strings.ContainsRune(text, 0) {
		return nil, refuse("这不是表格文件。请上传 .xlsx 或 .csv。", "This is no table. Upload an .xlsx or a .csv file.")
	}
	comma := delimiter(text)
	// The line that tells Excel its delimiter is no row of the table.
	skipped := 0
	if rest, found := strings.CutPrefix(text, "sep="); found {
		if _, after, ok := strings.Cut(rest, "\n"); ok {
			text, skipped = after, 1
		}
	}
	r := csv.NewReader(strings.NewReader(text))
	r.Comma, r.LazyQuotes, r.FieldsPerRecord = comma, true, -1
	c := counter{l: l}
	var s Sheet
	number, end := skipped, 0 // of the row; last line read
	for {
		fields, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, refuse(fmt.Sprintf("CSV 文件第 %d 行之后读不下去：引号没有成对。请另存为 .xlsx 再上传。", number),
				fmt.Sprintf("The CSV file cannot be read after row %d: a quotation mark is not closed. Save it as .xlsx and upload again.", number))
		}
		// Blank lines are rows to Excel and nothing to the reader; line breaks
		// within quotes are lines to the reader and no rows to Excel.
		line, _ := r.FieldPos(0)
		number += line - end
		end = line
		row := Row{Number: number}
		for i, f := range fields {
			end += strings.Count(f, "\n")
			f = unguard(f)
			if err := c.add("", i, number, f); err != nil {
				return nil, err
			}
			row.Cells = append(row.Cells, f)
		}
		if row.trim(); len(row.Cells) > 0 {
			s.Rows = append(s.Rows, row)
		}
	}
	return &Book{Sheets: []Sheet{s}}, nil
}

// trim takes empty cells off the end.
func (r *Row) trim() {
	for len(r.Cells) > 0 && strings.TrimSpace(r.Cells[len(r.Cells)-1]) == "" {
		r.Cells = r.Cells[:len(r.Cells)-1]
	}
}

// decode returns the text of a file in UTF-8, UTF-16 with a BOM, or GB 18030,
// of which GBK is a part.
func decode(raw []byte) (string, error) {
	switch {
	case bytes.HasPrefix(raw, []byte{0xFF, 0xFE}), bytes.HasPrefix(raw, []byte{0xFE, 0xFF}):
		text, err := unicode.UTF16(unicode.LittleEndian, unicode.ExpectBOM).NewDecoder().Bytes(raw)
		if err != nil || bytes.ContainsRune(text, utf8.RuneError) {
			return "", unknownEncoding()
		}
		return string(text), nil
	case utf8.Valid(raw):
		return strings.TrimPrefix(string(raw), bom), nil
	}
	text, err := simplifiedchinese.GB18030.NewDecoder().Bytes(raw)
	if err != nil || bytes.ContainsRune(text, utf8.RuneError) {
		return "", unknownEncoding()
	}
	return string(text), nil
}

func unknownEncoding() error {
	return refuse("文件的文字编码认不出来（支持 UTF-8 和 GBK）。请在 Excel 或 WPS 中另存为 .xlsx 再上传。",
		"The encoding of the file is not known (UTF-8 and GBK are). Save it as .xlsx in Excel or WPS and upload again.")
}

// delimiter returns the one of comma, tab and semicolon that the first lines
// hold most of outside quotes.
func delimiter(text string) rune {
	if rest, found := strings.CutPrefix(text, "sep="); found && len(rest) > 1 && strings.ContainsRune(",;\t", rune(rest[0])) {
		return rune(rest[0])
	}
	count := map[rune]int{}
	quoted, lines := false, 0
	for _, r := range text {
		switch {
		case r == '"':
			quoted = !quoted
		case quoted:
		case r == '\n':
			lines++
		default:
			count[r]++
		}
		if lines == 10 {
			break
		}
	}
	best := ','
	for _, r := range []rune{'\t', ';'} {
		if count[r] > count[best] {
			best = r
		}
	}
	return best
}
