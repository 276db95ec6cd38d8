package roster

import (
	"context"
	"fmt"
	"strings"

	"gatecast/controller/sheet"
)

// Give is what is given out.
type Give struct {
	Kinds   []Kind // none: all
	English bool
	Full    bool     // whole telephone numbers; otherwise 138****1234
	Above   []string // lines above the headings, such as who took it out and when
}

// Export returns the rosters as sheets.
func (d *Desk) Export(ctx context.Context, g Give) ([]sheet.Page, error) {
	now, err := d.read(ctx)
	if err != nil {
		return nil, err
	}
	o := &office{zone: d.zone, units: now.units, full: g.Full}
	var pages []sheet.Page
	for _, k := range g.kinds() {
		ros, ok := k.Roster()
		if !ok {
			return nil, fmt.Errorf("roster %q: no such roster", k)
		}
		p := ros.page(o, g.English)
		p.Above = g.Above
		for _, e := range now.entries[k] {
			row := make([]string, len(ros.Columns))
			for i, c := range ros.Columns {
				if c.Printed {
					row[i] = c.print(e)
				} else {
					row[i] = c.form.print(o, get(field(e, c.Field)))
				}
			}
			p.Rows = append(p.Rows, row)
		}
		pages = append(pages, p)
	}
	return pages, nil
}

func (g Give) kinds() []Kind {
	if len(g.Kinds) == 0 {
		return Kinds
	}
	return g.Kinds
}

// spareRows of a template carry its lists of choices.
const spareRows = 300

// Template returns empty rosters with the lists of what their columns allow,
// and a sheet that explains them.
func (d *Desk) Template(ctx context.Context, g Give) ([]sheet.Page, error) {
	now, err := d.read(ctx)
	if err != nil {
		return nil, err
	}
	o := &office{zone: d.zone, units: now.units}
	var pages []sheet.Page
	for _, k := range g.kinds() {
		ros, ok := k.Roster()
		if !ok {
			return nil, fmt.Errorf("roster %q: no such roster", k)
		}
		p := ros.page(o, g.English)
		p.Spare = spareRows
		pages = append(pages, p)
	}
	return append(pages, g.guide()), nil
}

func (r Roster) page(o *office, english bool) sheet.Page {
	p := sheet.Page{Name: r.ZH}
	if english {
		p.Name = r.EN
	}
	for _, c := range r.Columns {
		col := sheet.Column{Head: c.ZH, Width: c.width, Required: c.Must}
		if english {
			col.Head = c.EN
		}
		if c.form != nil {
			col.Choices = c.form.choices(o)
		}
		p.Columns = append(p.Columns, col)
	}
	return p
}

// guide is the sheet that explains the columns.
func (g Give) guide() sheet.Page {
	p := sheet.Page{Name: guideZH, Columns: []sheet.Column{{Head: "名册", Width: 14}, {Head: "列", Width: 16}, {Head: "必填", Width: 8}, {Head: "怎么填", Width: 60}}}
	if g.English {
		p.Name = guideEN
		p.Columns = []sheet.Column{{Head: "Roster", Width: 18}, {Head: "Column", Width: 20}, {Head: "Needed", Width: 8}, {Head: "How", Width: 60}}
	}
	for _, k := range g.kinds() {
		ros, _ := k.Roster()
		for _, c := range ros.Columns {
			row := []string{ros.ZH, c.ZH, "", c.hint(false)}
			if g.English {
				row = []string{ros.EN, c.EN, "", c.hint(true)}
			}
			if c.Must {
				row[2] = map[bool]string{false: "新增必填", true: "if new"}[g.English]
			}
			p.Rows = append(p.Rows, row)
		}
	}
	last := []string{"", "", "", "空格不改动原值；要清空一格请填“清空”。不要填身份证号。"}
	if g.English {
		last[3] = "An empty cell leaves what is known; to empty a field write 清空 or (clear). Do not fill in identity numbers."
	}
	p.Rows = append(p.Rows, last)
	return p
}

// hint says how a column is filled in.
func (c Column) hint(english bool) string {
	zh, en := "", ""
	switch f := c.form.(type) {
	case nil:
		zh, en = "只供查看，导入时不读", "for reading only, left alone by an import"
	case phone:
		zh, en = "11 位手机号，或 0557-1234567", "11 digits of a mobile number, or 0557-1234567"
	case count:
		zh, en = "整数", "a whole number"
	case gridNumber:
		zh, en = "2 或 第二网格", "2 or 第二网格"
	case date:
		zh, en = "2026-11-23", "2026-11-23"
	case list:
		zh, en = "几项之间用顿号隔开", "several parted by 、 or a comma"
	case unitRef:
		zh, en = "单位编号或全称", "code or full name of a unit"
	case choice:
		zh = strings.Join(f.choices(nil), "、")
		en = zh
	}
	if english {
		return en
	}
	return zh
}
