package docx

// look is how a style is set. Sizes are points, lengths twentieths of a point.
type look struct {
	id, name, font string
	size           int
	color          string
	bold           bool
	align          string // both, center, left or right
	indent         int    // first line, in hundredths of a character
	line           int    // exact pitch, in points
	before, after  int
	keep           bool // on the page of what follows
	level          int  // in the outline, from 1; 0 for none
	rule           bool // a red line below
}

// pitch is the line pitch of the body; sources of the standard give 28 to 29 pt
// for its 22 lines on 225 mm.
const pitch = 28

var looks = []look{
	{id: string(Masthead), name: "Bulletin Name", font: songTitle, size: 36, color: "C8161D", align: "center", line: 52},
	{id: string(Centered), name: "Bulletin Number", font: kai, size: 16, align: "center", line: pitch},
	{id: string(Line), name: "Bulletin Line", font: fangSong, size: 14, align: "left", line: 24, after: 240, rule: true},
	{id: string(Title), name: "Title", font: songTitle, size: 22, align: "center", line: 36, after: 120, keep: true},
	{id: string(Level1), name: "heading 1", font: hei, size: 16, align: "both", indent: 200, line: pitch, keep: true, level: 1},
	{id: string(Level2), name: "heading 2", font: kai, size: 16, align: "both", indent: 200, line: pitch, keep: true, level: 2},
	{id: string(Caption), name: "caption", font: hei, size: 12, align: "center", line: 20, before: 60, keep: true},
	{id: string(Note), name: "Note", font: fangSong, size: 12, align: "both", line: 18, after: 60},
	{id: string(Tail), name: "Tail", font: fangSong, size: 14, align: "left", line: 22},
	{id: "Cell", name: "Cell", font: song, size: 10, align: "center", line: 15},
	{id: "CellLeft", name: "Cell Left", font: song, size: 10, align: "left", line: 15},
	{id: "Footer", name: "footer", font: song, size: 14, align: "right", line: 18},
}

func styles(b *builder) {
	b.raw(`<w:styles ` + namespaces + `>`)
	b.in("w:docDefaults", nil, func() {
		b.in("w:rPrDefault", nil, func() {
			b.in("w:rPr", nil, func() {
				family(b, fangSong)
				b.empty("w:sz", "w:val", 32)
				b.empty("w:szCs", "w:val", 32)
				b.empty("w:lang", "w:val", "en-US", "w:eastAsia", "zh-CN", "w:bidi", "ar-SA")
			})
		})
	})
	body := look{id: "Normal", name: "Normal", font: fangSong, size: 16, align: "both", indent: 200, line: pitch}
	for i, l := range append([]look{body}, looks...) {
		attrs := []any{"w:type", "paragraph", "w:styleId", l.id}
		if i == 0 {
			attrs = append(attrs, "w:default", 1)
		}
		b.in("w:style", attrs, func() {
			b.empty("w:name", "w:val", l.name)
			b.empty("w:qFormat")
			l.paragraph(b)
			b.in("w:rPr", nil, func() {
				family(b, l.font)
				if l.bold {
					b.empty("w:b")
				}
				if l.color != "" {
					b.empty("w:color", "w:val", l.color)
				}
				b.empty("w:sz", "w:val", 2*l.size)
				b.empty("w:szCs", "w:val", 2*l.size)
			})
		})
	}
	b.raw(`</w:styles>`)
}

// paragraph writes the properties in the order that the schema asks for
// (ECMA-376 part 1, 17.3.1.26).
func (l look) paragraph(b *builder) {
	b.in("w:pPr", nil, func() {
		if l.keep {
			b.empty("w:keepNext")
		}
		b.empty("w:widowControl", "w:val", 0)
		if l.rule {
			b.in("w:pBdr", nil, func() { b.empty("w:bottom", "w:val", "single", "w:sz", 16, "w:space", 4, "w:color", "C8161D") })
		}
		b.empty("w:spacing", "w:before", l.before, "w:after", l.after, "w:line", 20*l.line, "w:lineRule", "exact")
		// The characters decide; firstLine is for programs that know no characters.
		// 0 is said too: a style known by its name may bring an indent of its own.
		b.empty("w:ind", "w:firstLineChars", l.indent, "w:firstLine", l.indent*l.size*20/100)
		b.empty("w:jc", "w:val", l.align)
		if l.level > 0 {
			b.empty("w:outlineLvl", "w:val", l.level-1)
		}
	})
}

// family names a font for Chinese and Latin text alike.
func family(b *builder, font string) {
	b.empty("w:rFonts", "w:ascii", font, "w:eastAsia", font, "w:hAnsi", font, "w:cs", font)
}
