package roster

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"gatecast/controller/fleet"
	"gatecast/controller/sheet"
)

// Problem is one thing wrong with, or odd about, a cell or a row.
type Problem struct {
	Sheet        string
	Row, Column  int // row from 1; column from 0, -1 for the row as a whole
	Text, TextEN string
	Warning      bool // the row is taken all the same
}

// Difference is a field that a row changes.
type Difference struct {
	Column        Column
	Before, After string // telephone numbers masked
}

// Line is what a row of a file comes to.
type Line struct {
	Sheet   string
	Row     int
	Kind    Kind
	Label   string // what it is about, such as "单位 SF"
	Did     fleet.RegistryDid
	Changes []Difference
}

// Table is what a sheet was taken for.
type Table struct {
	Sheet   string
	Kind    Kind // empty: it was left alone
	Header  int  // row of the headings
	Rows    int
	Unknown []string // headings that mean nothing
}

// Check is what a file would do.
type Check struct {
	Tables   []Table
	Lines    []Line
	Problems []Problem // by sheet and row

	book    *sheet.Book
	kind    Kind // that the clerk said it is
	changes []fleet.RegistryChange
	lineOf  []int // of each change
	at      []where
}

// where says in which column each field of a line stands.
type where struct{ columns map[string]int }

// Count returns how many rows come to did.
func (c *Check) Count(did fleet.RegistryDid) (n int) {
	for _, l := range c.Lines {
		if l.Did == did {
			n++
		}
	}
	return n
}

// Errors returns how many problems keep their row from being taken.
func (c *Check) Errors() (n int) {
	for _, p := range c.Problems {
		if !p.Warning {
			n++
		}
	}
	return n
}

// Does reports whether the file would change something, rows with errors left
// aside.
func (c *Check) Does() bool { return c.Count(fleet.DidAdd)+c.Count(fleet.DidChange) > 0 }

// Check reads a file and says what it would do. kind is what its only table is
// taken for; empty to tell by the names of the sheets and the headings. A file
// that cannot be read at all is a *fleet.Error of code Invalid.
func (d *Desk) Check(ctx context.Context, raw []byte, kind Kind) (*Check, error) {
	book, err := sheet.Read(raw, d.limits)
	if err != nil {
		return nil, err
	}
	return d.check(ctx, book, kind, nil)
}

// check checks a book; the lines in without are left out.
func (d *Desk) check(ctx context.Context, book *sheet.Book, kind Kind, without map[int]bool) (*Check, error) {
	now, err := d.read(ctx)
	if err != nil {
		return nil, err
	}
	c := &Check{book: book, kind: kind}
	r := &reading{
		check: c, state: now, office: &office{zone: d.zone, old: book.Date1904, units: now.units}, without: without,
		seen: map[string]Line{}, hidden: map[rowOf]bool{}, codes: map[string]bool{}, orders: map[string]int{},
	}
	if err := r.tables(); err != nil {
		return nil, err
	}
	r.identities()
	r.rows()
	out, err := d.register.ApplyRegistry(ctx, c.changes, fleet.RegistryOptions{Dry: true})
	if err != nil {
		return nil, err
	}
	r.outcome(out)
	slices.SortStableFunc(c.Problems, func(a, b Problem) int {
		if a.Sheet != b.Sheet {
			return cmp.Compare(c.order(a.Sheet), c.order(b.Sheet))
		}
		return cmp.Compare(a.Row, b.Row)
	})
	return c, nil
}

func (c *Check) order(name string) int {
	return slices.IndexFunc(c.Tables, func(t Table) bool { return t.Sheet == name })
}

// outcome notes what the registry said of the changes.
func (r *reading) outcome(out fleet.RegistryOutcome) {
	c := r.check
	for _, f := range out.Faults {
		line := c.Lines[c.lineOf[f.Change]]
		column, ok := c.at[f.Change].columns[f.Field]
		if !ok {
			column = -1
		}
		c.Problems = append(c.Problems, Problem{line.Sheet, line.Row, column, f.Text, f.TextEN, f.Warning})
	}
	for i, result := range out.Results {
		l := &c.Lines[c.lineOf[i]]
		if l.Did == fleet.DidRefuse {
			continue
		}
		if l.Did = result.Did; l.Did == fleet.DidNothing {
			l.Changes = nil
		}
	}
}

// guide is the sheet of our templates that explains the others.
const (
	guideZH = "填写说明"
	guideEN = "How to fill in"
)

// tables finds out what each sheet holds.
func (r *reading) tables() error {
	found := false
	for _, s := range r.check.book.Sheets {
		t := Table{Sheet: s.Name}
		if s.Name == guideZH || s.Name == guideEN {
			r.add(s, t, Roster{}, sheet.Table{})
			continue
		}
		ros, table, ok := r.recognise(s)
		if ok {
			found = true
			t.Kind, t.Header, t.Rows, t.Unknown = ros.Kind, table.Header.Number, len(table.Rows), table.Unknown
		}
		r.add(s, t, ros, table)
	}
	if found {
		return nil
	}
	var names []string
	for _, k := range rosters {
		names = append(names, k.ZH)
	}
	return wrong("没有认出名册：请保留表头一行（如“单位编号”“全称”），或把工作表命名为%s之一。也可以先下载模板再填。",
		"No roster was recognised: keep the row of headings, or name the sheet one of %s. You can also start from a template.", strings.Join(names, "、"))
}

func (r *reading) add(s sheet.Sheet, t Table, ros Roster, table sheet.Table) {
	r.check.Tables = append(r.check.Tables, t)
	r.sheets = append(r.sheets, sheetOf{s, ros, table})
}

// recognise finds the roster that a sheet holds: the one that the clerk says,
// the one that it is named for, or the one that most of its headings belong to.
func (r *reading) recognise(s sheet.Sheet) (best Roster, table sheet.Table, ok bool) {
	most := 0
	for _, ros := range rosters {
		if r.check.kind != "" && ros.Kind != r.check.kind && len(r.check.book.Sheets) == 1 {
			continue
		}
		t, found := sheet.Find(s, ros.heads())
		if !found {
			continue
		}
		score := 0
		for _, c := range ros.Columns {
			if _, has := t.Columns[c.Field]; has {
				score += 2
				if c.Key || c.Must {
					score++
				}
			} else if c.Must && c.Key {
				score -= 6
			}
		}
		if named(ros, s.Name) {
			score += 20
		}
		if score > most {
			best, table, most, ok = ros, t, score, true
		}
	}
	// One heading alone is rather a word in a letter.
	if ok && len(table.Columns) < 2 && r.check.kind == "" && !named(best, s.Name) {
		return Roster{}, sheet.Table{}, false
	}
	return best, table, ok
}

// named reports whether a sheet's name says that it holds the roster. A name
// with two of the words, such as 网格群, counts for the last of the list.
func named(ros Roster, name string) bool {
	holder := Kind("")
	for _, one := range rosters {
		for _, part := range one.sheets {
			if strings.Contains(strings.ToLower(name), part) {
				holder = one.Kind
			}
		}
	}
	return holder == ros.Kind
}

// Return writes the file back with every wrong cell marked and said why, in
// Chinese or English.
func (c *Check) Return(w io.Writer, english bool) error {
	headers, marks := map[string]int{}, map[string][]sheet.Mark{}
	for _, t := range c.Tables {
		headers[t.Sheet] = t.Header
	}
	for _, p := range c.Problems {
		text := p.Text
		if english {
			text = p.TextEN
		}
		if p.Warning {
			text = map[bool]string{false: "（提示）", true: "(Note) "}[english] + text
		}
		marks[p.Sheet] = append(marks[p.Sheet], sheet.Mark{Row: p.Row, Column: p.Column, Text: text})
	}
	remark := "说明"
	if english {
		remark = "What is wrong"
	}
	if err := sheet.Return(w, c.book, remark, headers, marks); err != nil {
		return fmt.Errorf("returning a roster: %w", err)
	}
	return nil
}
