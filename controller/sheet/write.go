package sheet

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/xuri/excelize/v2"
)

// Column heads a column that is written.
type Column struct {
	Head     string
	Width    int      // in characters of Latin text; 0: by the heading
	Choices  []string // what the column allows; nil for anything
	Required bool     // shown by the colour of the heading
}

// Page is a sheet that is written.
type Page struct {
	Name    string   // of the sheet, at most 31 characters, without []:*?/\
	Above   []string // lines over the headings, such as a title or a watermark
	Columns []Column
	Rows    [][]string
	// Empty rows that carry the format and the choices, for a template.
	Spare int
}

// Mark is a cell of a returned sheet that is wrong, and why.
type Mark struct {
	Row, Column int // row from 1, column from 0; -1 for the row as a whole
	Text        string
}

// dark red on light red is what Excel itself calls "bad".
const (
	badFill, badText    = "#FFC7CE", "#9C0006"
	headFill, mustFill  = "#E7ECF3", "#FFF2CC"
	maxInline           = 255 // characters of a list of choices within a cell's rule
	choicesSheet        = "选项"
	minWidth, maxColumn = 8, 60
)

type styles struct{ text, head, must, bad, above int }

func newStyles(f *excelize.File) (s styles, err error) {
	edge := []excelize.Border{
		{Type: "left", Color: "#BFBFBF", Style: 1}, {Type: "right", Color: "#BFBFBF", Style: 1},
		{Type: "top", Color: "#BFBFBF", Style: 1}, {Type: "bottom", Color: "#BFBFBF", Style: 1},
	}
	const asText = 49 // the number format "@"
	wrap := &excelize.Alignment{Vertical: "top", WrapText: true}
	fill := func(c string) excelize.Fill {
		return excelize.Fill{Type: "pattern", Pattern: 1, Color: []string{c}}
	}
	for _, e := range []struct {
		to    *int
		style excelize.Style
	}{
		{&s.text, excelize.Style{NumFmt: asText, Border: edge, Alignment: wrap}},
		{&s.head, excelize.Style{NumFmt: asText, Border: edge, Alignment: wrap, Font: &excelize.Font{Bold: true}, Fill: fill(headFill)}},
		{&s.must, excelize.Style{NumFmt: asText, Border: edge, Alignment: wrap, Font: &excelize.Font{Bold: true}, Fill: fill(mustFill)}},
		{&s.bad, excelize.Style{NumFmt: asText, Border: edge, Alignment: wrap, Font: &excelize.Font{Color: badText}, Fill: fill(badFill)}},
		{&s.above, excelize.Style{NumFmt: asText, Font: &excelize.Font{Color: "#595959"}}},
	} {
		if *e.to, err = f.NewStyle(&e.style); err != nil {
			return s, fmt.Errorf("styles of a workbook: %w", err)
		}
	}
	return s, nil
}

// WriteXLSX writes a workbook with one sheet per page. Every cell is text in
// the text format, so that no program shows 1.38E+10 for a phone, drops a
// leading zero, or computes anything.
func WriteXLSX(w io.Writer, pages ...Page) error {
	b, err := newBinder()
	if err != nil {
		return err
	}
	defer b.f.Close()
	for _, p := range pages {
		if err := b.add(p); err != nil {
			return fmt.Errorf("sheet %q: %w", p.Name, err)
		}
	}
	return b.write(w)
}

// binder makes a workbook sheet by sheet.
type binder struct {
	f       *excelize.File
	styles  styles
	sheets  int
	choices [][]string // that are too long for a cell's rule; a column of the hidden sheet each
}

func newBinder() (*binder, error) {
	f := excelize.NewFile()
	s, err := newStyles(f)
	if err != nil {
		f.Close()
		return nil, err
	}
	return &binder{f: f, styles: s}, nil
}

// sheet makes the next sheet.
func (b *binder) sheet(name string) error {
	b.sheets++
	if b.sheets == 1 {
		return b.f.SetSheetName("Sheet1", name)
	}
	_, err := b.f.NewSheet(name)
	return err
}

func (b *binder) write(w io.Writer) error {
	if err := b.writeChoices(); err != nil {
		return err
	}
	if err := b.f.Write(w); err != nil {
		return fmt.Errorf("writing a workbook: %w", err)
	}
	return nil
}

func (b *binder) add(p Page) error {
	if err := b.sheet(p.Name); err != nil {
		return err
	}
	s, err := b.f.NewStreamWriter(p.Name)
	if err != nil {
		return err
	}
	for i, c := range p.Columns {
		if err := s.SetColWidth(i+1, i+1, float64(columnWidth(c))); err != nil {
			return err
		}
		// The format of cells that are typed into later.
		if err := s.SetColStyle(i+1, i+1, b.styles.text); err != nil {
			return err
		}
	}
	header := len(p.Above) + 1
	if err := s.SetPanes(&excelize.Panes{Freeze: true, YSplit: header, TopLeftCell: Address(0, header+1), ActivePane: "bottomLeft"}); err != nil {
		return err
	}
	for i, line := range p.Above {
		if err := s.SetRow(Address(0, i+1), []any{excelize.Cell{StyleID: b.styles.above, Value: Clean(line)}}); err != nil {
			return err
		}
	}
	var head []any
	for _, c := range p.Columns {
		style := b.styles.head
		if c.Required {
			style = b.styles.must
		}
		head = append(head, excelize.Cell{StyleID: style, Value: Clean(c.Head)})
	}
	if err := s.SetRow(Address(0, header), head); err != nil {
		return err
	}
	for i, row := range p.Rows {
		if err := s.SetRow(Address(0, header+1+i), b.cells(row, nil)); err != nil {
			return err
		}
	}
	last := header + len(p.Rows) + p.Spare
	for i, c := range p.Columns {
		if len(c.Choices) > 0 && last > header {
			if err := b.allow(p.Name, i, header+1, last, c.Choices); err != nil {
				return err
			}
		}
	}
	return s.Flush()
}

// cells makes the cells of a row; those in bad are marked.
func (b *binder) cells(row []string, bad map[int]bool) []any {
	cells := make([]any, len(row))
	for i, text := range row {
		style := b.styles.text
		if bad[i] {
			style = b.styles.bad
		}
		cells[i] = excelize.Cell{StyleID: style, Value: Clean(text)}
	}
	return cells
}

// allow gives cells a list to choose from. Other text is still taken, with a
// word: the import says better what is wrong.
func (b *binder) allow(name string, column, from, to int, choices []string) error {
	v := excelize.NewDataValidation(true)
	v.Sqref = Address(column, from) + ":" + Address(column, to)
	v.SetError(excelize.DataValidationErrorStyleWarning, "不在列表中", "请从列表中选择。")
	if joined := strings.Join(choices, ","); utf8.RuneCountInString(joined) <= maxInline && !slices.ContainsFunc(choices, func(c string) bool { return strings.ContainsAny(c, ",\"") }) {
		if err := v.SetDropList(choices); err != nil {
			return fmt.Errorf("choices: %w", err)
		}
	} else {
		at := columnName(len(b.choices))
		v.SetSqrefDropList(fmt.Sprintf("%s!$%s$1:$%s$%d", choicesSheet, at, at, len(choices)))
		b.choices = append(b.choices, choices)
	}
	return b.f.AddDataValidation(name, v)
}

// writeChoices adds the hidden sheet of the long lists.
func (b *binder) writeChoices() error {
	if len(b.choices) == 0 {
		return nil
	}
	if err := b.sheet(choicesSheet); err != nil {
		return err
	}
	for i, list := range b.choices {
		for j, text := range list {
			if err := b.f.SetCellStr(choicesSheet, Address(i, j+1), Clean(text)); err != nil {
				return err
			}
		}
	}
	return b.f.SetSheetVisible(choicesSheet, false)
}

// Return writes a book back as it was read, each row at its number, with the
// cells of marks red and a last column that says what is wrong in each row.
// Marks are by the name of the sheet. CSV comes back as a sheet too.
func Return(w io.Writer, book *Book, remark string, headers map[string]int, marks map[string][]Mark) error {
	b, err := newBinder()
	if err != nil {
		return err
	}
	defer b.f.Close()
	for _, s := range book.Sheets {
		if err := b.giveBack(s, remark, headers[s.Name], marks[s.Name]); err != nil {
			return fmt.Errorf("sheet %q: %w", s.Name, err)
		}
	}
	return b.write(w)
}

func (b *binder) giveBack(s Sheet, remark string, header int, marks []Mark) error {
	name := s.Name
	if name == "" {
		name = "Sheet1"
	}
	if err := b.sheet(name); err != nil {
		return err
	}
	out, err := b.f.NewStreamWriter(name)
	if err != nil {
		return err
	}
	columns := 0
	width := map[int]int{}
	for _, r := range s.Rows {
		columns = max(columns, len(r.Cells))
		for i, text := range r.Cells {
			if r.Number >= header {
				width[i] = max(width[i], textWidth(text))
			}
		}
	}
	// Where an earlier return has left its column, the new one takes it.
	for _, r := range s.Rows {
		if r.Number == header {
			if i := slices.IndexFunc(r.Cells, func(c string) bool { return Text(c) == remark }); i >= 0 {
				columns = i
			}
		}
	}
	for i := range columns {
		if err := out.SetColWidth(i+1, i+1, float64(min(max(width[i]+2, minWidth), maxColumn))); err != nil {
			return err
		}
	}
	if err := out.SetColWidth(columns+1, columns+1, maxColumn); err != nil {
		return err
	}
	if header > 0 {
		if err := out.SetPanes(&excelize.Panes{Freeze: true, YSplit: header, TopLeftCell: Address(0, header+1), ActivePane: "bottomLeft"}); err != nil {
			return err
		}
	}
	why := map[int][]string{}
	bad := map[int]map[int]bool{}
	for _, m := range marks {
		why[m.Row] = append(why[m.Row], m.Text)
		if bad[m.Row] == nil {
			bad[m.Row] = map[int]bool{columns: true}
		}
		bad[m.Row][m.Column] = true
	}
	for _, r := range s.Rows {
		row := make([]string, columns+1)
		copy(row, r.Cells[:min(len(r.Cells), columns)])
		if row[columns] = strings.Join(why[r.Number], "\n"); r.Number == header && header > 0 {
			row[columns] = remark
		}
		cells := b.cells(row, bad[r.Number])
		if r.Number < header {
			cells = cells[:columns] // titles
		}
		if err := out.SetRow(Address(0, r.Number), cells); err != nil {
			return err
		}
	}
	return out.Flush()
}

func columnWidth(c Column) int {
	w := c.Width
	if w == 0 {
		w = textWidth(c.Head) + 4
	}
	return min(max(w, minWidth), maxColumn)
}

// textWidth counts a Chinese character as two.
func textWidth(s string) (n int) {
	for _, r := range s {
		if n++; r > 0x2e80 {
			n++
		}
	}
	return n
}

// Clean returns text as a cell can hold it: line breaks as \n, no other control
// characters, valid UTF-8, at most Excel's 32,767 characters.
func Clean(s string) string {
	s = strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' || !unicode.IsControl(r) && r != 0xFFFE && r != 0xFFFF {
			return r
		}
		return -1
	}, strings.ReplaceAll(strings.ToValidUTF8(s, "�"), "\r\n", "\n"))
	if utf8.RuneCountInString(s) > maxString {
		s = string([]rune(s)[:maxString])
	}
	return s
}

// WriteCSV writes a page as UTF-8 with a BOM, by which Excel knows the
// encoding, with the lines ended by CR LF.
func WriteCSV(w io.Writer, p Page) error {
	if _, err := io.WriteString(w, bom); err != nil {
		return fmt.Errorf("writing a table: %w", err)
	}
	out := bufio.NewWriter(w)
	// Every field is quoted, so that what it holds is not taken for another
	// delimiter.
	put := func(row []string) {
		for i, text := range row {
			if i > 0 {
				out.WriteByte(',')
			}
			out.WriteString(`"` + strings.ReplaceAll(guard(Clean(text)), `"`, `""`) + `"`)
		}
		out.WriteString("\r\n") // Flush returns the first error
	}
	for _, line := range p.Above {
		put([]string{line})
	}
	var head []string
	for _, col := range p.Columns {
		head = append(head, col.Head)
	}
	put(head)
	for _, row := range p.Rows {
		put(row)
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("writing a table: %w", err)
	}
	return nil
}
