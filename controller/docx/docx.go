// Package docx writes documents that WPS, Word and LibreOffice open, in the form
// of an official Chinese paper (GB/T 9704-2012).
//
// The page is A4 with margins of 37 mm above, 35 below, 28 left and 26 right; the
// title is 22 pt 方正小标宋简体, the body 16 pt 仿宋_GB2312 at a line pitch of exactly
// 28 pt with the first line indented by two characters, headings of the first
// level are 黑体 and of the second 楷体_GB2312, and the number of the page stands at
// the outer edge in 14 pt. Fonts are named and never embedded: a machine without
// them shows its own.
//
// Write puts out the same bytes for the same document: no time, no name of a
// machine or a user is in it. To look at one, convert it as a person would print
// it (LibreOffice is not needed for anything else here):
//
//	soffice --headless --convert-to pdf bulletin.docx && pdftoppm -r 60 -png bulletin.pdf page
package docx

import (
	"archive/zip"
	"fmt"
	"io"
	"time"
)

// Style is how a paragraph looks.
type Style string

// The styles. The zero Style is Body.
const (
	Body     Style = ""
	Masthead Style = "Masthead" // name of a bulletin, large and red
	Centered Style = "Centered" // number of an issue
	Line     Style = "Line"     // issuing unit and date over the red line
	Title    Style = "Title"    // 标题
	Level1   Style = "Level1"   // 一、
	Level2   Style = "Level2"   // （一）
	Caption  Style = "Caption"  // over a table
	Note     Style = "Note"     // under a table
	Tail     Style = "Tail"     // 报、送、发
)

// Block is a Paragraph or a Table.
type Block interface{ write(b *builder) }

// Paragraph is text in one style. A line break in Text stays one.
type Paragraph struct {
	Style Style
	Text  string
	Right string // stands at the right edge of the same line; empty for nothing
	Rule  bool   // a black line above
}

// Table is a grid with lines. Its heading rows are repeated on every page that
// it runs over; no row is parted by a page.
type Table struct {
	Head   []string
	Rows   [][]string
	Widths []int // of the columns, in parts of the whole; nil for equal ones
	Left   []int // columns of text, from 0; the others are centred
	Sum    bool  // the last row is bold
}

// Document is what is written.
type Document struct {
	Title  string // in the properties of the file
	Author string // likewise: an office, not a person
	Blocks []Block
}

// oldest is the time of every file in the archive: the format has none earlier.
var oldest = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)

// Write writes d. Errors are those of w.
func Write(w io.Writer, d Document) error {
	z := zip.NewWriter(w)
	for _, part := range []struct {
		name string
		make func(*builder)
	}{
		{"[Content_Types].xml", types}, {"_rels/.rels", packageRels}, {"docProps/core.xml", d.core}, {"docProps/app.xml", app},
		{"word/document.xml", d.body}, {"word/_rels/document.xml.rels", documentRels}, {"word/styles.xml", styles}, {"word/settings.xml", settings},
		{"word/fontTable.xml", fonts}, {"word/footer1.xml", footer("right")}, {"word/footer2.xml", footer("left")},
	} {
		b := &builder{}
		b.raw(`<?xml version="1.0" encoding="UTF-8" standalone="yes"?>` + "\n")
		part.make(b)
		f, err := z.CreateHeader(&zip.FileHeader{Name: part.name, Method: zip.Deflate, Modified: oldest})
		if err != nil {
			return fmt.Errorf("writing %s: %w", part.name, err)
		}
		if _, err := f.Write(b.bytes()); err != nil {
			return fmt.Errorf("writing %s: %w", part.name, err)
		}
	}
	if err := z.Close(); err != nil {
		return fmt.Errorf("writing a document: %w", err)
	}
	return nil
}
