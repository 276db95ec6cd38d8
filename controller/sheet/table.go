package sheet

import (
	"strings"

	"golang.org/x/text/width"
)

// Head is a column that is looked for by name.
type Head struct {
	Key   string
	Names []string // any of which heads the column; the first is the usual one
}

// Table is the rows below a row of headings.
type Table struct {
	Header  Row
	Columns map[string]int // column from 0 of each key found
	Unknown []string       // headings that no key has, trimmed
	Twice   []string       // keys that a second column is headed with too
	Rows    []Row
}

// Text returns the cell of the row under the key; empty if there is none.
func (t Table) Text(r Row, key string) string {
	c, ok := t.Columns[key]
	if !ok {
		return ""
	}
	return r.Cell(c)
}

// headerWithin is how many rows with text are searched for the headings:
// titles, notes and the line of who filled it in stand above them.
const headerWithin = 20

// Find returns the table below the row, among the first, that has most of the
// headings; of two with the same headings the lower one, since headings that
// are merged over two rows stand in both. ok is false if no row has any.
func Find(s Sheet, heads []Head) (t Table, ok bool) {
	names := make(map[string]string)
	for _, h := range heads {
		for _, n := range h.Names {
			names[heading(n)] = h.Key
		}
	}
	best := -1
	for i, r := range s.Rows[:min(len(s.Rows), headerWithin)] {
		found := match(r, names)
		if n := len(found.Columns); n > 0 && (n > len(t.Columns) || best == i-1 && sameHeads(found, t)) {
			t, best = found, i
		}
	}
	if best < 0 {
		return Table{}, false
	}
	t.Rows = s.Rows[best+1:]
	return t, true
}

func match(r Row, names map[string]string) Table {
	t := Table{Header: r, Columns: map[string]int{}}
	for i, cell := range r.Cells {
		text := heading(cell)
		if text == "" {
			continue
		}
		key, known := names[text]
		if !known {
			t.Unknown = append(t.Unknown, strings.TrimSpace(cell))
			continue
		}
		if _, taken := t.Columns[key]; taken {
			t.Twice = append(t.Twice, key)
			continue
		}
		t.Columns[key] = i
	}
	return t
}

// sameHeads reports whether two rows head the same columns by the same words.
func sameHeads(a, b Table) bool {
	if len(a.Columns) != len(b.Columns) {
		return false
	}
	for k, c := range a.Columns {
		if o, ok := b.Columns[k]; !ok || o != c || a.Header.Cell(c) != b.Header.Cell(c) {
			return false
		}
	}
	return true
}

// heading brings a heading into the form in which it is compared: half-width,
// lower case, without spaces, marks of what is required, and remarks in
// brackets.
func heading(s string) string {
	s = strings.ToLower(width.Narrow.String(s))
	if i := strings.IndexAny(s, "(【[（"); i > 0 {
		s = s[:i]
	}
	return strings.Map(func(r rune) rune {
		if isBlank(r) || strings.ContainsRune("*:·_-", r) {
			return -1
		}
		return r
	}, s)
}
