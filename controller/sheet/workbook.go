package sheet

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/xuri/excelize/v2"

	"gatecast/controller/fleet"
)

func isRefusal(err error) bool {
	var e *fleet.Error
	return errors.As(err, &e)
}

// readWorkbook reads an .xlsx file.
func readWorkbook(raw []byte, l Limits) (book *Book, err error) {
	p, err := inspect(raw, l)
	if err != nil {
		return nil, err
	}
	// excelize reads what strangers made; a panic of it is a damaged file.
	defer func() {
		if r := recover(); r != nil {
			book, err = nil, damaged(fmt.Errorf("%v", r))
		}
	}()
	// What the limit lets through is kept in memory, so that no temporary file
	// holds a roster with phones.
	f, err := excelize.OpenReader(bytes.NewReader(raw), excelize.Options{
		RawCellValue: true, UnzipSizeLimit: int64(l.Unpacked), UnzipXMLSizeLimit: int64(l.Unpacked),
	})
	if err != nil {
		return nil, damaged(err)
	}
	defer f.Close()
	names := f.GetSheetList()
	if len(names) > l.Sheets {
		return nil, refuse(fmt.Sprintf("文件里有 %d 个工作表，最多 %d 个。", len(names), l.Sheets),
			fmt.Sprintf("The file has %d sheets, at most %d are read.", len(names), l.Sheets))
	}
	book = &Book{}
	if props, err := f.GetWorkbookProps(); err == nil && props.Date1904 != nil {
		book.Date1904 = *props.Date1904
	}
	c := counter{l: l}
	for _, name := range names {
		if visible, err := f.GetSheetVisible(name); err != nil || !visible {
			continue // lists of choices, such as those of our own templates
		}
		s, err := c.readSheet(f, name)
		if err != nil {
			return nil, err
		}
		if err := c.fillDown(&s, p.mergedIn(name)); err != nil {
			return nil, err
		}
		if len(s.Rows) > 0 {
			book.Sheets = append(book.Sheets, s)
		}
	}
	return book, nil
}

func (c *counter) readSheet(f *excelize.File, name string) (Sheet, error) {
	s := Sheet{Name: name}
	rows, err := f.Rows(name)
	if err != nil {
		return s, damaged(err)
	}
	defer rows.Close()
	for number := 1; rows.Next(); number++ {
		cells, err := rows.Columns()
		if err != nil {
			return s, damaged(err)
		}
		row := Row{Number: number, Cells: cells}
		if row.trim(); len(row.Cells) == 0 {
			continue
		}
		for i, text := range row.Cells {
			if err := c.add(name, i, number, text); err != nil {
				return s, err
			}
		}
		s.Rows = append(s.Rows, row)
	}
	if err := rows.Error(); err != nil {
		return s, damaged(err)
	}
	return s, nil
}

// fillDown writes the text of a cell that is merged over several rows into each
// of them: people merge the community over its compounds. Text is never filled
// to the right, where another column is.
func (c *counter) fillDown(s *Sheet, merged []area) error {
	at := make(map[int]int, len(s.Rows))
	for i, r := range s.Rows {
		at[r.Number] = i
	}
	for _, a := range merged {
		first, ok := at[a.top]
		if !ok || a.left >= c.l.Columns {
			continue
		}
		text := s.Rows[first].Cell(a.left)
		if strings.TrimSpace(text) == "" {
			continue
		}
		// Rows without other text have nothing that the merged one belongs to.
		for i := first + 1; i < len(s.Rows) && s.Rows[i].Number <= a.bottom; i++ {
			r := &s.Rows[i]
			for len(r.Cells) <= a.left {
				r.Cells = append(r.Cells, "")
			}
			if r.Cells[a.left] != "" {
				continue
			}
			if err := c.add(s.Name, a.left, r.Number, text); err != nil {
				return err
			}
			r.Cells[a.left] = text
		}
	}
	return nil
}
