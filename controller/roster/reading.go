package roster

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"gatecast/controller/fleet"
	"gatecast/controller/sheet"
)

// reading turns the rows of one file into changes.
type reading struct {
	check   *Check
	state   *state
	office  *office
	sheets  []sheetOf
	seen    map[string]Line // by label, in this file
	without map[int]bool    // lines that are left out
	hidden  map[rowOf]bool  // rows in which an identity number stood
	codes   map[string]bool // of groups, given to rows without one
	orders  map[string]int  // last order given to a new unit, by parent
}

type rowOf struct {
	sheet string
	row   int
}

type sheetOf struct {
	sheet  sheet.Sheet
	roster Roster
	table  sheet.Table
}

// identity is what looks like a resident identity number: a region, a date of
// birth, and four more; also where the check digit is wrong, and where a
// spreadsheet made zeros of the last digits.
var identity = regexp.MustCompile(`(^|\D)([1-9]\d{5}(?:19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}[\dXx])(\D|$)`)

// blacked stands where an identity number stood.
const blacked = "******（身份证号）"

// identities refuses the rows of a file, in whatever sheet, that hold an
// identity number, and blacks the number out: what is returned or kept does not
// hold it.
func (r *reading) identities() {
	for _, s := range r.sheets {
		for _, row := range s.sheet.Rows {
			for i, cell := range row.Cells {
				plain, err := sheet.Code(cell)
				if err != nil || cell != blacked && !identity.MatchString(plain) {
					continue
				}
				row.Cells[i] = blacked
				r.hidden[rowOf{s.sheet.Name, row.Number}] = true
				r.problem(s.sheet.Name, row.Number, i, wrong(
					"这里有身份证号（已遮去）。名册只收姓名、单位、职务和工作电话，请删去身份证号再导入。",
					"There was an identity number here (blacked out). A roster takes name, unit, post and work telephone only: remove it and import again."))
			}
		}
	}
}

func (r *reading) problem(name string, row, column int, err error) {
	p := Problem{Sheet: name, Row: row, Column: column}
	var e *fleet.Error
	if errors.As(err, &e) {
		p.Text, p.TextEN = e.Text, e.TextEN
	} else {
		p.Text, p.TextEN = err.Error(), err.Error()
	}
	r.check.Problems = append(r.check.Problems, p)
}

func (r *reading) warn(name string, row, column int, zh, en string) {
	r.check.Problems = append(r.check.Problems, Problem{name, row, column, zh, en, true})
}

// rows reads the units first, as other sheets name them.
func (r *reading) rows() {
	for _, s := range r.sheets {
		if s.roster.Kind != Units {
			continue
		}
		for _, row := range s.table.Rows {
			r.announce(s, row)
		}
	}
	for _, k := range Kinds {
		for _, s := range r.sheets {
			if s.roster.Kind == k {
				r.sheet(s)
			}
		}
	}
}

// announce makes a unit known by its names before any row is read.
func (r *reading) announce(s sheetOf, row sheet.Row) {
	code, err := sheet.Code(s.table.Text(row, "code"))
	if err != nil || code == "" {
		return
	}
	u := r.office.units.byCode[code]
	u.Code = code
	if name := sheet.Text(s.table.Text(row, "name")); name != "" {
		u.Name = name
	}
	if short := sheet.Text(s.table.Text(row, "short")); short != "" {
		u.ShortName = short
	}
	if t, err := unitTypes.read(nil, s.table.Text(row, "type")); err == nil {
		u.Type = fleet.UnitType(t.(string))
	}
	if n, err := sheet.Number(s.table.Text(row, "order")); err == nil {
		u.Order = n
	}
	if text := s.table.Text(row, "aliases"); text != "" {
		if all, err := (list{}).read(nil, text); err == nil {
			u.Aliases = all.([]string)
		}
	}
	r.office.units.add(u)
}

func (r *reading) sheet(s sheetOf) {
	name := s.sheet.Name
	for _, key := range s.table.Twice {
		if c, ok := s.roster.column(key); ok {
			r.warn(name, s.table.Header.Number, -1, fmt.Sprintf("“%s”有不止一列，只用第一列。", c.ZH), fmt.Sprintf("There is more than one column %q: the first counts.", c.EN))
		}
	}
	for _, c := range s.roster.Columns {
		if _, ok := s.table.Columns[c.Field]; !ok && c.Key && c.Must {
			r.problem(name, s.table.Header.Number, -1, told(fmt.Sprintf("表头缺少“%s”一列。", c.ZH), fmt.Sprintf("The heading lacks the column %q.", c.EN)))
			return
		}
	}
	for _, row := range s.table.Rows {
		if slices.ContainsFunc(s.roster.Columns, func(c Column) bool { return strings.TrimSpace(s.table.Text(row, c.Field)) != "" }) {
			r.row(s, row)
		}
	}
}

// clearing is the word that empties a field.
func clearing(text string) bool { return text == "清空" || strings.EqualFold(text, "(clear)") }

// row reads one row.
func (r *reading) row(s sheetOf, row sheet.Row) {
	line := Line{Sheet: s.sheet.Name, Row: row.Number, Kind: s.roster.Kind, Did: fleet.DidRefuse}
	at, since := len(r.check.Lines), len(r.check.Problems)
	e := s.roster.entry()
	for _, c := range s.roster.Columns {
		if text := sheet.Text(s.table.Text(row, c.Field)); text != "" && !c.Printed && !clearing(text) {
			if v, err := c.form.read(r.office, s.table.Text(row, c.Field)); err == nil {
				set(field(e, c.Field), v)
			}
		}
	}
	known := r.identify(s, row, e)
	line.Label = e.Label()
	fields := make([]string, 0, len(s.roster.Columns))
	for _, c := range s.roster.Columns {
		if d, differs := r.cell(s, row, c, e, known); differs {
			fields = append(fields, c.Field)
			line.Changes = append(line.Changes, d)
		}
	}
	if known == nil {
		fields = nil // a new entry speaks of everything
		r.begin(e)
		for _, c := range s.roster.Columns { // names and codes that the rule gave
			said := c.Printed || slices.ContainsFunc(line.Changes, func(d Difference) bool { return d.Column.Field == c.Field })
			if said {
				continue
			}
			if after := c.form.print(r.office, get(field(e, c.Field))); after != "" {
				line.Changes = append(line.Changes, Difference{Column: c, After: after})
			}
		}
	}
	if first, twice := r.seen[line.Label]; twice && !r.failed(line, since) {
		r.problem(line.Sheet, row.Number, -1, wrong("与工作表 %q 第 %d 行重复（%s）。", "The same as sheet %q, row %d (%s).", first.Sheet, first.Row, line.Label))
	} else if !twice {
		r.seen[line.Label] = line
	}
	r.check.Lines = append(r.check.Lines, line)
	if r.failed(line, since) || r.without[at] {
		return
	}
	c := s.roster.change(e)
	c.Line, c.Fields = fmt.Sprintf("%s!%d", line.Sheet, row.Number), fields
	r.check.changes = append(r.check.changes, c)
	r.check.Lines[at].Did = "" // the registry says
	r.check.lineOf = append(r.check.lineOf, at)
	r.check.at = append(r.check.at, where{s.table.Columns})
}

// failed reports whether the row has an error: one found from index since on,
// or an identity number.
func (r *reading) failed(l Line, since int) bool {
	return r.hidden[rowOf{l.Sheet, l.Row}] || slices.ContainsFunc(r.check.Problems[since:], func(p Problem) bool {
		return !p.Warning && p.Sheet == l.Sheet && p.Row == l.Row
	})
}

// cell reads one cell into e, noting what is wrong with it, and reports whether
// it says something else than what is known; known is nil for a new entry.
func (r *reading) cell(s sheetOf, row sheet.Row, c Column, e, known fleet.Entry) (d Difference, differs bool) {
	column, there := s.table.Columns[c.Field]
	if !there {
		column = -1
	}
	raw := s.table.Text(row, c.Field)
	text := sheet.Text(raw)
	if c.Printed {
		return d, false
	}
	if text == "" {
		if known == nil && c.Must && reflect.ValueOf(get(field(e, c.Field))).IsZero() {
			r.problem(s.sheet.Name, row.Number, column, told(fmt.Sprintf("新增的一行要填“%s”。", c.ZH), fmt.Sprintf("A new row needs %q.", c.EN)))
		}
		return d, false
	}
	was := ""
	if known != nil {
		old := get(field(known, c.Field))
		if was = c.form.print(r.office, old); sheet.Text(was) == text {
			set(field(e, c.Field), old)
			return d, false
		}
	}
	var v any
	if clearing(text) {
		if c.Key || c.Must {
			r.problem(s.sheet.Name, row.Number, column, told(fmt.Sprintf("“%s”不能清空。", c.ZH), fmt.Sprintf("%q cannot be emptied.", c.EN)))
			return d, false
		}
	} else {
		var err error
		if v, err = c.form.read(r.office, raw); err != nil {
			r.problem(s.sheet.Name, row.Number, column, err)
			return d, false
		}
	}
	set(field(e, c.Field), v)
	is := get(field(e, c.Field))
	if known != nil {
		whole := *r.office
		whole.full = true
		if c.form.print(&whole, is) == c.form.print(&whole, get(field(known, c.Field))) {
			return d, false
		}
	}
	return Difference{Column: c, Before: was, After: c.form.print(r.office, is)}, true
}
