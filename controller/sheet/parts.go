package sheet

import (
	"archive/zip"
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
)

// parts is what an archive says of itself before it is opened as a workbook.
type parts struct {
	l        Limits
	unpacked int
	elements int
	names    map[string]bool      // lower case
	sheets   []sheetPart          // of the workbook, in its order
	targets  map[string]string    // of the workbook's relations, by id
	worksets map[string]worksheet // by lower-case name of the part
}

// sheetPart is one entry of the list of sheets.
type sheetPart struct{ name, relation string }

// worksheet is what excelize does not say while it reads row by row.
type worksheet struct {
	merged []area
}

// area is a range of cells; columns from 0, rows from 1, both ends within.
type area struct{ left, top, right, bottom int }

// maxString is Excel's own limit for a string, in characters.
const maxString = 32767

// inspect walks every part of the archive. On nil nothing in it is larger than
// the limits say, all of its XML is well-formed to the end without a document
// type, and no two parts share a name.
func inspect(raw []byte, l Limits) (*parts, error) {
	z, err := zip.NewReader(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		return nil, damaged(err)
	}
	if len(z.File) > l.Parts {
		return nil, tooMuch()
	}
	p := &parts{l: l, names: map[string]bool{}, targets: map[string]string{}, worksets: map[string]worksheet{}}
	for _, f := range z.File {
		name := strings.ToLower(strings.ReplaceAll(f.Name, `\`, "/"))
		if p.names[name] {
			return nil, damaged(fmt.Errorf("two parts named %q", name))
		}
		p.names[name] = true
		if f.Flags&1 != 0 {
			return nil, refuse("这个文件有打开密码。请去掉密码再上传。", "The file has a password. Take it off and upload again.")
		}
	}
	if err := p.kind(); err != nil {
		return nil, err
	}
	for _, f := range z.File {
		if err := p.walk(f); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// kind refuses archives that are no plain workbook.
func (p *parts) kind() error {
	switch {
	case p.names["xl/vbaproject.bin"]:
		return refuse("这个文件带有宏。请另存为不带宏的 .xlsx 再上传。", "The file holds macros. Save it as .xlsx without macros and upload again.")
	case p.names["xl/workbook.xml"]:
		return nil
	}
	return refuse("这不是 .xlsx 文件。请用 Excel 或 WPS 打开，另存为 .xlsx 再上传。",
		"This is no .xlsx file. Open it in Excel or WPS, save as .xlsx and upload again.")
}

func damaged(err error) error {
	return refuse(fmt.Sprintf("文件已损坏或不完整（%v）。请在 Excel 或 WPS 中打开，另存为 .xlsx 再上传。", err),
		fmt.Sprintf("The file is damaged or not whole (%v). Open it in Excel or WPS, save as .xlsx and upload again.", err))
}

func tooMuch() error {
	return refuse("文件解开后太大。请删去图片和无关的工作表，或分成几个文件。",
		"The file is too large once it is unpacked. Remove pictures and other sheets, or split it.")
}

// errTooMuch ends the reading of a part that unpacks to more than is allowed.
var errTooMuch = errors.New("unpacked size")

// meter counts what is unpacked.
type meter struct {
	r io.Reader
	p *parts
}

func (m meter) Read(b []byte) (int, error) {
	n, err := m.r.Read(b)
	if m.p.unpacked += n; m.p.unpacked > m.p.l.Unpacked {
		return 0, errTooMuch
	}
	return n, err
}

func (p *parts) walk(f *zip.File) error {
	if f.UncompressedSize64 > uint64(p.l.Unpacked) {
		return tooMuch()
	}
	r, err := f.Open()
	if err != nil {
		return damaged(err)
	}
	defer r.Close()
	m := meter{r, p}
	name := strings.ToLower(strings.ReplaceAll(f.Name, `\`, "/"))
	if ext := path.Ext(name); ext == ".xml" || ext == ".rels" || ext == ".vml" {
		err = p.read(name, m)
	} else {
		_, err = io.Copy(io.Discard, m)
	}
	switch {
	case errors.Is(err, errTooMuch):
		return tooMuch()
	case err != nil && !isRefusal(err):
		return damaged(err)
	}
	return err
}

// read walks the XML of one part.
func (p *parts) read(name string, r io.Reader) error {
	if path.Ext(name) == ".vml" { // drawings in HTML's manner
		_, err := io.Copy(io.Discard, r)
		return err
	}
	d := xml.NewDecoder(r)
	v := visitor{p: p, part: name}
	for {
		t, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		switch t := t.(type) {
		case xml.Directive:
			return errors.New("document type declaration")
		case xml.StartElement:
			if p.elements++; p.elements > p.l.Elements {
				return tooMuch()
			}
			v.depth++
			if v.depth > 100 {
				return errors.New("elements too deep")
			}
			if err := v.start(t); err != nil {
				return err
			}
		case xml.EndElement:
			v.depth--
			if err := v.end(t.Name.Local); err != nil {
				return err
			}
		case xml.CharData:
			v.text += len(t)
		}
	}
	if len(v.work.merged) > 0 {
		p.worksets[name] = v.work
	}
	return nil
}

// visitor looks at the elements of one part.
type visitor struct {
	p       *parts
	part    string
	depth   int
	text    int // bytes in the current string or cell
	work    worksheet
	cell    string // address of the current cell
	kind    string // its type
	formula bool
	valued  bool // it has a value, be it empty text
}

func (v *visitor) start(t xml.StartElement) error {
	switch t.Name.Local {
	case "sheet":
		if v.part == "xl/workbook.xml" {
			v.p.sheets = append(v.p.sheets, sheetPart{attr(t, "name"), attr(t, "id")})
		}
	case "Relationship":
		if v.part == "xl/_rels/workbook.xml.rels" {
			v.p.targets[attr(t, "Id")] = attr(t, "Target")
		}
	case "mergeCell":
		if a, ok := parseArea(attr(t, "ref")); ok {
			v.work.merged = append(v.work.merged, a)
		}
	case "si", "is":
		v.text = 0
	case "c":
		v.cell, v.kind, v.formula, v.valued, v.text = attr(t, "r"), attr(t, "t"), false, false, 0
	case "f":
		v.formula = true
	case "v":
		v.valued = true
	}
	return nil
}

func (v *visitor) end(name string) error {
	switch name {
	case "si", "is":
		// A table of shared strings names a long one in few bytes, as often as
		// it likes; Excel has no longer ones.
		if v.text > 4*maxString {
			return tooMuch()
		}
	case "c":
		if !strings.HasPrefix(v.part, "xl/worksheets/") {
			return nil
		}
		if column, row, ok := parseAddress(v.cell); ok && column >= v.p.l.Columns && v.text > 0 {
			return tooWide(Address(column, row), v.p.l.Columns)
		}
		if v.kind == "e" || v.formula && !v.valued {
			return refuse(fmt.Sprintf("%s 格是公式，没有可用的结果。请在 Excel 或 WPS 中打开、看到结果后保存，或把它改为文字。", v.cell),
				fmt.Sprintf("Cell %s is a formula without a usable result. Open the file in Excel or WPS and save it once the result shows, or replace it by text.", v.cell))
		}
	}
	return nil
}

func attr(t xml.StartElement, name string) string {
	for _, a := range t.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

// mergedIn returns the merged ranges of the named sheet.
func (p *parts) mergedIn(sheet string) []area {
	i := slices.IndexFunc(p.sheets, func(s sheetPart) bool { return s.name == sheet })
	if i < 0 {
		return nil
	}
	target := p.targets[p.sheets[i].relation]
	if !strings.HasPrefix(target, "/") {
		target = path.Join("xl", target)
	}
	return p.worksets[strings.ToLower(strings.TrimPrefix(target, "/"))].merged
}

func parseArea(ref string) (area, bool) {
	from, to, ok := strings.Cut(ref, ":")
	if !ok {
		return area{}, false
	}
	left, top, ok1 := parseAddress(from)
	right, bottom, ok2 := parseAddress(to)
	return area{left, top, right, bottom}, ok1 && ok2 && left <= right && top <= bottom
}

// parseAddress reads what Address writes, up to Excel's own limits.
func parseAddress(s string) (column, row int, ok bool) {
	i := 0
	for ; i < len(s) && i < 3 && s[i] >= 'A' && s[i] <= 'Z'; i++ {
		column = column*26 + int(s[i]-'A') + 1
	}
	if i == 0 || i == len(s) || len(s)-i > 7 {
		return 0, 0, false
	}
	for ; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return 0, 0, false
		}
		row = row*10 + int(s[i]-'0')
	}
	return column - 1, row, row > 0
}
