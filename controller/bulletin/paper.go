package bulletin

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"gatecast/controller/docx"
	"gatecast/controller/fleet"
	"gatecast/controller/sheet"
)

// Unissued stands where the number and the date come once it is signed.
const Unissued = "（未签发）"

// Heads returns the lines over the text: number, issuing unit and date.
func Heads(c fleet.BulletinContent) (number, issuer, date string) {
	number, date = c.Number, c.Date
	if number == "" {
		number, date = Unissued, "草稿"
	}
	return number, c.Issuer, date
}

// Tails returns the lines under the text, those that say something.
func Tails(c fleet.BulletinContent) (lines []string, copies string) {
	for _, l := range [][2]string{{"报", c.Report}, {"送", c.Send}, {"发", c.Give}} {
		if l[1] != "" {
			lines = append(lines, l[0]+"："+l[1])
		}
	}
	if c.Copies > 0 {
		copies = fmt.Sprintf("共印%d份", c.Copies)
	}
	return lines, copies
}

// Paragraphs parts a typed text.
func Paragraphs(text string) (all []string) {
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			all = append(all, line)
		}
	}
	return all
}

// WriteDocx writes c as a document of Word and WPS; the same content yields the
// same bytes.
func WriteDocx(w io.Writer, c fleet.BulletinContent) error {
	number, issuer, date := Heads(c)
	d := docx.Document{Title: c.Masthead + number + " " + c.Title, Author: c.Issuer}
	add := func(style docx.Style, text string) {
		d.Blocks = append(d.Blocks, docx.Paragraph{Style: style, Text: text})
	}
	add(docx.Masthead, c.Masthead)
	add(docx.Centered, number)
	d.Blocks = append(d.Blocks, docx.Paragraph{Style: docx.Line, Text: issuer, Right: date})
	add(docx.Title, c.Title)
	if c.Period != "" {
		add(docx.Body, c.Period+"。")
	}
	for _, ch := range c.Chapters {
		if ch.Title != "" {
			add(docx.Level1, ch.Title)
		}
		for _, text := range slices.Concat(ch.Facts, Paragraphs(ch.Text)) {
			style := docx.Body
			if strings.HasPrefix(text, "（") && strings.Contains(text, "）") && len([]rune(text)) <= 30 {
				style = docx.Level2
			}
			add(style, text)
		}
		for _, t := range ch.Tables {
			add(docx.Caption, t.Caption)
			d.Blocks = append(d.Blocks, table(t))
		}
		for _, note := range ch.Notes {
			add(docx.Note, note)
		}
	}
	if c.Signer != "" {
		d.Blocks = append(d.Blocks, docx.Paragraph{Style: docx.Tail, Text: "", Right: "签发人：" + c.Signer})
	}
	lines, copies := Tails(c)
	for i, line := range lines {
		p := docx.Paragraph{Style: docx.Tail, Text: line, Rule: i == 0}
		if i == len(lines)-1 {
			p.Right = copies
		}
		d.Blocks = append(d.Blocks, p)
	}
	return docx.Write(w, d)
}

// table sets the columns: names and words are wider than figures.
func table(t fleet.BulletinTable) docx.Table {
	out := docx.Table{Head: t.Head, Rows: t.Rows, Sum: t.Sum, Left: []int{0}}
	words := len(t.Head) - t.Words
	for i := range t.Head {
		width := 0
		for _, r := range append([][]string{t.Head}, t.Rows...) {
			if i < len(r) {
				width = max(width, len([]rune(r[i])))
			}
		}
		width = min(max(width, 3), 14)
		if len([]rune(t.Head[i])) >= 3 || i == 0 { // a heading does not break for want of a hair
			width++
		}
		out.Widths = append(out.Widths, width)
		if i >= words {
			out.Left = append(out.Left, i)
		}
	}
	return out
}

// WriteXLSX writes the tables of c as a workbook, one sheet each, with the
// bulletin and its period above every one.
func WriteXLSX(w io.Writer, c fleet.BulletinContent) error {
	number, issuer, date := Heads(c)
	above := []string{c.Masthead + number + "　" + c.Title, issuer + "　" + date}
	if c.Period != "" {
		above = append(above, c.Period)
	}
	var pages []sheet.Page
	for _, ch := range c.Chapters {
		for _, t := range ch.Tables {
			p := sheet.Page{Name: sheetName(t.Caption), Above: append(slices.Clone(above), t.Caption), Rows: slices.Clone(t.Rows)}
			for i, head := range t.Head {
				col := sheet.Column{Head: head}
				for _, r := range t.Rows {
					if i < len(r) {
						col.Width = min(max(col.Width, 2*len([]rune(head))+4, 2*len([]rune(r[i]))+2), 40)
					}
				}
				p.Columns = append(p.Columns, col)
			}
			for _, note := range ch.Notes {
				p.Rows = append(p.Rows, []string{note})
			}
			pages = append(pages, p)
		}
	}
	if len(pages) == 0 {
		p := sheet.Page{Name: "正文", Above: above, Columns: []sheet.Column{{Head: "正文", Width: 60}}}
		for _, ch := range c.Chapters {
			for _, text := range slices.Concat(ch.Facts, Paragraphs(ch.Text)) {
				p.Rows = append(p.Rows, []string{text})
			}
		}
		pages = append(pages, p)
	}
	return sheet.WriteXLSX(w, pages...)
}

// sheetName is the caption as the name of a sheet: at most 31 characters,
// without those that it may not hold.
func sheetName(caption string) string {
	name := strings.Map(func(r rune) rune {
		if strings.ContainsRune(`[]:*?/\'`, r) {
			return -1
		}
		return r
	}, strings.ReplaceAll(caption, "　", " "))
	if runes := []rune(name); len(runes) > 31 {
		name = string(runes[:31])
	}
	return name
}
