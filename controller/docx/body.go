package docx

import "slices"

// Lengths are twentieths of a point (dxa): 1 mm is 56.693 of them.
const (
	pageWidth, pageHeight      = 11906, 16838 // A4
	marginTop, marginBottom    = 2098, 1984   // 37 and 35 mm
	marginLeft, marginRight    = 1587, 1474   // 28 and 26 mm
	footerDistance             = 1587         // the number stands 7 mm under the type area (GB/T 9704, 7.5)
	textWidth                  = pageWidth - marginLeft - marginRight
	namespaces                 = `xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"`
	documentOpen, documentShut = `<w:document ` + namespaces + `><w:body>`, `</w:body></w:document>`
)

func (d Document) body(b *builder) {
	b.raw(documentOpen)
	for _, block := range d.Blocks {
		block.write(b)
	}
	// A table may not be the last block of a body.
	if n := len(d.Blocks); n == 0 {
		Paragraph{}.write(b)
	} else if _, ok := d.Blocks[n-1].(Table); ok {
		Paragraph{Style: Note}.write(b)
	}
	b.in("w:sectPr", nil, func() {
		b.empty("w:footerReference", "w:type", "default", "r:id", "rId4")
		b.empty("w:footerReference", "w:type", "even", "r:id", "rId5")
		b.empty("w:pgSz", "w:w", pageWidth, "w:h", pageHeight)
		b.empty("w:pgMar", "w:top", marginTop, "w:right", marginRight, "w:bottom", marginBottom, "w:left", marginLeft, "w:header", 851, "w:footer", footerDistance, "w:gutter", 0)
	})
	b.raw(documentShut)
}

func (p Paragraph) write(b *builder) {
	b.in("w:p", nil, func() {
		b.in("w:pPr", nil, func() {
			if p.Style != Body {
				b.empty("w:pStyle", "w:val", string(p.Style))
			}
			if p.Rule {
				b.in("w:pBdr", nil, func() { b.empty("w:top", "w:val", "single", "w:sz", 8, "w:space", 1, "w:color", "000000") })
			}
			if p.Right != "" {
				b.in("w:tabs", nil, func() { b.empty("w:tab", "w:val", "right", "w:pos", textWidth) })
			}
		})
		b.run(p.Text, nil)
		if p.Right != "" {
			b.in("w:r", nil, func() { b.empty("w:tab") })
			b.run(p.Right, nil)
		}
	})
}

func (t Table) write(b *builder) {
	widths := t.columns()
	b.in("w:tbl", nil, func() {
		b.in("w:tblPr", nil, func() {
			b.empty("w:tblW", "w:w", textWidth, "w:type", "dxa")
			b.in("w:tblBorders", nil, func() {
				for _, side := range []string{"w:top", "w:left", "w:bottom", "w:right", "w:insideH", "w:insideV"} {
					b.empty(side, "w:val", "single", "w:sz", 4, "w:space", 0, "w:color", "000000")
				}
			})
			b.empty("w:tblLayout", "w:type", "fixed")
			b.in("w:tblCellMar", nil, func() {
				b.empty("w:left", "w:w", 40, "w:type", "dxa")
				b.empty("w:right", "w:w", 40, "w:type", "dxa")
			})
		})
		b.in("w:tblGrid", nil, func() {
			for _, w := range widths {
				b.empty("w:gridCol", "w:w", w)
			}
		})
		t.row(b, widths, t.Head, true, false)
		for i, r := range t.Rows {
			t.row(b, widths, r, false, t.Sum && i == len(t.Rows)-1)
		}
	})
}

func (t Table) row(b *builder, widths []int, cells []string, head, bold bool) {
	b.in("w:tr", nil, func() {
		b.in("w:trPr", nil, func() {
			b.empty("w:cantSplit")
			if head {
				b.empty("w:tblHeader")
			}
			b.empty("w:jc", "w:val", "center")
		})
		for i, width := range widths {
			text := ""
			if i < len(cells) {
				text = cells[i]
			}
			b.in("w:tc", nil, func() {
				b.in("w:tcPr", nil, func() {
					b.empty("w:tcW", "w:w", width, "w:type", "dxa")
					if head {
						b.empty("w:shd", "w:val", "clear", "w:color", "auto", "w:fill", "F0F0F0")
					}
					b.empty("w:vAlign", "w:val", "center")
				})
				b.in("w:p", nil, func() {
					b.in("w:pPr", nil, func() {
						style := "Cell"
						if slices.Contains(t.Left, i) && !head {
							style = "CellLeft"
						}
						b.empty("w:pStyle", "w:val", style)
					})
					var look func()
					if head || bold {
						look = func() { b.empty("w:b") }
					}
					b.run(text, look)
				})
			})
		}
	})
}

// columns returns the width of each column.
func (t Table) columns() []int {
	n := len(t.Head)
	parts, sum := make([]int, n), 0
	for i := range parts {
		parts[i] = 1
		if i < len(t.Widths) && t.Widths[i] > 0 {
			parts[i] = t.Widths[i]
		}
		sum += parts[i]
	}
	rest := textWidth
	for i := range parts {
		if i == n-1 {
			parts[i] = rest
			break
		}
		parts[i] = textWidth * parts[i] / sum
		rest -= parts[i]
	}
	return parts
}
