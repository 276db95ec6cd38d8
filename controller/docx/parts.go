package docx

const (
	relationships = "http://schemas.openxmlformats.org/package/2006/relationships"
	officeRel     = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/"
	wordType      = "application/vnd.openxmlformats-officedocument.wordprocessingml."
)

func types(b *builder) {
	b.in("Types", []any{"xmlns", "http://schemas.openxmlformats.org/package/2006/content-types"}, func() {
		b.empty("Default", "Extension", "rels", "ContentType", "application/vnd.openxmlformats-package.relationships+xml")
		b.empty("Default", "Extension", "xml", "ContentType", "application/xml")
		for _, part := range [][2]string{{"document", "document.main+xml"}, {"styles", "styles+xml"}, {"settings", "settings+xml"}, {"fontTable", "fontTable+xml"}, {"footer1", "footer+xml"}, {"footer2", "footer+xml"}} {
			b.empty("Override", "PartName", "/word/"+part[0]+".xml", "ContentType", wordType+part[1])
		}
		b.empty("Override", "PartName", "/docProps/core.xml", "ContentType", "application/vnd.openxmlformats-package.core-properties+xml")
		b.empty("Override", "PartName", "/docProps/app.xml", "ContentType", "application/vnd.openxmlformats-officedocument.extended-properties+xml")
	})
}

func packageRels(b *builder) {
	b.in("Relationships", []any{"xmlns", relationships}, func() {
		b.empty("Relationship", "Id", "rId1", "Type", officeRel+"officeDocument", "Target", "word/document.xml")
		b.empty("Relationship", "Id", "rId2", "Type", "http://schemas.openxmlformats.org/package/2006/relationships/metadata/core-properties", "Target", "docProps/core.xml")
		b.empty("Relationship", "Id", "rId3", "Type", officeRel+"extended-properties", "Target", "docProps/app.xml")
	})
}

func documentRels(b *builder) {
	b.in("Relationships", []any{"xmlns", relationships}, func() {
		for _, r := range [][3]string{{"rId1", "styles", "styles.xml"}, {"rId2", "settings", "settings.xml"}, {"rId3", "fontTable", "fontTable.xml"}, {"rId4", "footer", "footer1.xml"}, {"rId5", "footer", "footer2.xml"}} {
			b.empty("Relationship", "Id", r[0], "Type", officeRel+r[1], "Target", r[2])
		}
	})
}

func (d Document) core(b *builder) {
	b.in("cp:coreProperties", []any{"xmlns:cp", "http://schemas.openxmlformats.org/package/2006/metadata/core-properties", "xmlns:dc", "http://purl.org/dc/elements/1.1/"}, func() {
		b.in("dc:title", nil, func() { b.text(d.Title) })
		b.in("dc:creator", nil, func() { b.text(d.Author) })
	})
}

func app(b *builder) {
	b.in("Properties", []any{"xmlns", "http://schemas.openxmlformats.org/officeDocument/2006/extended-properties"}, func() {
		b.in("Application", nil, func() { b.text("Gatecast") })
	})
}

// settings: odd and even pages have their number at different sides.
func settings(b *builder) {
	b.raw(`<w:settings ` + namespaces + `>`)
	b.empty("w:defaultTabStop", "w:val", 640)
	b.empty("w:evenAndOddHeaders")
	b.empty("w:characterSpacingControl", "w:val", "compressPunctuation")
	b.in("w:compat", nil, func() {
		b.empty("w:compatSetting", "w:name", "compatibilityMode", "w:uri", "http://schemas.microsoft.com/office/word", "w:val", 15)
	})
	b.raw(`</w:settings>`)
}

// The fonts of GB/T 9704, and what a machine takes where it lacks them.
const (
	songTitle = "方正小标宋简体"
	fangSong  = "仿宋_GB2312"
	kai       = "楷体_GB2312"
	hei       = "黑体"
	song      = "宋体"
)

func fonts(b *builder) {
	b.raw(`<w:fonts ` + namespaces + `>`)
	for _, f := range [][2]string{{songTitle, "小标宋"}, {fangSong, "仿宋"}, {kai, "楷体"}, {hei, "SimHei"}, {song, "SimSun"}} {
		b.in("w:font", []any{"w:name", f[0]}, func() {
			b.empty("w:altName", "w:val", f[1])
			b.empty("w:charset", "w:val", "86")
			b.empty("w:family", "w:val", "auto")
			b.empty("w:pitch", "w:val", "variable")
		})
	}
	b.raw(`</w:fonts>`)
}

// footer is the number of the page, — 1 —, at the outer edge, one character in.
func footer(side string) func(*builder) {
	return func(b *builder) {
		b.raw(`<w:ftr ` + namespaces + `>`)
		b.in("w:p", nil, func() {
			b.in("w:pPr", nil, func() {
				b.empty("w:pStyle", "w:val", "Footer")
				if side == "right" {
					b.empty("w:ind", "w:right", 280)
				} else {
					b.empty("w:ind", "w:left", 280)
				}
				b.empty("w:jc", "w:val", side)
			})
			b.run("— ", nil)
			b.in("w:r", nil, func() { b.empty("w:fldChar", "w:fldCharType", "begin") })
			b.in("w:r", nil, func() {
				b.in("w:instrText", []any{"xml:space", "preserve"}, func() { b.text(" PAGE ") })
			})
			b.in("w:r", nil, func() { b.empty("w:fldChar", "w:fldCharType", "end") })
			b.run(" —", nil)
		})
		b.raw(`</w:ftr>`)
	}
}
