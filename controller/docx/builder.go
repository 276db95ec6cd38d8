package docx

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"strings"
	"unicode"
)

// builder writes XML. Names of elements and attributes are this package's own;
// text and the values of attributes are escaped.
type builder struct{ b bytes.Buffer }

func (b *builder) bytes() []byte { return b.b.Bytes() }

// raw writes markup.
func (b *builder) raw(markup string) { b.b.WriteString(markup) }

// empty writes an element without content: <name a="1" b="2"/>.
func (b *builder) empty(name string, attrs ...any) { b.tag(name, "/>", attrs) }

// in writes an element around what inside writes.
func (b *builder) in(name string, attrs []any, inside func()) {
	b.tag(name, ">", attrs)
	inside()
	b.raw("</" + name + ">")
}

func (b *builder) tag(name, end string, attrs []any) {
	b.raw("<" + name)
	for i := 0; i+1 < len(attrs); i += 2 {
		fmt.Fprintf(&b.b, ` %s="`, attrs[i])
		b.text(fmt.Sprint(attrs[i+1]))
		b.raw(`"`)
	}
	b.raw(end)
}

// text writes escaped text. What XML cannot hold is left out (XML 1.0, 2.2).
func (b *builder) text(s string) {
	s = strings.Map(func(r rune) rune {
		if r != '\t' && r != '\n' && unicode.IsControl(r) || r == 0xFFFE || r == 0xFFFF || r == unicode.ReplacementChar {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	_ = xml.EscapeText(&b.b, []byte(s)) // a buffer never refuses
}

// run writes text in the paragraph's own looks; a line break is one, a tab too.
func (b *builder) run(text string, look func()) {
	for i, line := range strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n") {
		b.in("w:r", nil, func() {
			if look != nil {
				b.in("w:rPr", nil, look)
			}
			if i > 0 {
				b.empty("w:br")
			}
			b.in("w:t", []any{"xml:space", "preserve"}, func() { b.text(strings.ReplaceAll(line, "\t", " ")) })
		})
	}
}
