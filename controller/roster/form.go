package roster

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"gatecast/controller/fleet"
	"gatecast/controller/naming"
	"gatecast/controller/sheet"
)

// form is how cells of a column are read and printed. read returns a value of
// the field's kind or a *fleet.Error for the clerk; print of what read returns
// is a text that read takes back as the same.
type form interface {
	read(c *office, text string) (any, error)
	print(c *office, v any) string
	choices(c *office) []string // nil for anything
}

// office is what reading and printing need to know besides the cell.
type office struct {
	zone  *time.Location
	old   bool // serial dates of the file count from 1904
	units *unitIndex
	full  bool // telephone numbers are printed whole
}

func wrong(zh, en string, args ...any) error {
	return &fleet.Error{Code: fleet.Invalid, Text: fmt.Sprintf(zh, args...), TextEN: fmt.Sprintf(en, args...)}
}

// told is wrong with two sentences that name different things.
func told(zh, en string) error { return &fleet.Error{Code: fleet.Invalid, Text: zh, TextEN: en} }

// free is a form without choices.
type free struct{}

func (free) choices(*office) []string { return nil }

// words is a name or a remark.
type words struct{ free }

func (words) read(_ *office, text string) (any, error) { return sheet.Text(text), nil }
func (words) print(_ *office, v any) string            { return fmt.Sprint(v) }

// code is a code or a number that names something.
type code struct{ free }

func (code) read(_ *office, text string) (any, error) { return sheet.Code(text) }
func (code) print(_ *office, v any) string            { return fmt.Sprint(v) }

// phone is a telephone number. It is printed masked unless the whole numbers
// were asked for.
type phone struct{ free }

func (phone) read(_ *office, text string) (any, error) {
	if strings.Contains(text, "**") {
		return nil, wrong("这是脱敏显示的号码，不能导入：请填写完整号码，或把这一格留空（保持原号）。",
			"This is a masked number: give it in full, or leave the cell empty to keep what is known.")
	}
	p, err := sheet.Phone(text)
	return p, err
}

func (phone) print(c *office, v any) string {
	p := v.(fleet.Phone)
	if c.full && p != fleet.UnreadablePhone {
		return p.Full()
	}
	return p.String()
}

// count is a whole number; 0 prints as nothing.
type count struct{ free }

func (count) read(_ *office, text string) (any, error) { return sheet.Number(text) }
func (count) print(_ *office, v any) string {
	if n := reflect.ValueOf(v).Int(); n != 0 {
		return fmt.Sprint(n)
	}
	return ""
}

// gridNumber is the number of a grid, also as 第二网格.
type gridNumber struct{ free }

func (gridNumber) read(_ *office, text string) (any, error) {
	plain := strings.NewReplacer("第", "", "网格", "", "格", "", "号", "").Replace(sheet.Text(text))
	if n, ok := naming.ParseNumeral(plain); ok {
		return n, nil
	}
	n, err := sheet.Number(plain)
	if err != nil || n < 1 {
		return 0, wrong("%q 不是网格序号：请写 2 或 第二网格。", "%q is no number of a grid: write 2 or 第二网格.", text)
	}
	return n, nil
}

func (gridNumber) print(c *office, v any) string { return count{}.print(c, v) }

// date is a day; the field is a time of the office or a fleet.Day. A last day
// is kept as its end.
type date struct {
	free
	day  bool // the field is a fleet.Day
	last bool
}

func (f date) read(c *office, text string) (any, error) {
	day, err := sheet.Date(text, c.old)
	if err != nil || f.day {
		return day, err
	}
	t, err := time.ParseInLocation(time.DateOnly, string(day), c.zone)
	if err != nil {
		return nil, err
	}
	if f.last {
		t = t.AddDate(0, 0, 1)
	}
	return t, nil
}

func (f date) print(c *office, v any) string {
	if d, ok := v.(fleet.Day); ok {
		return string(d)
	}
	t := v.(time.Time)
	if t.IsZero() {
		return ""
	}
	if f.last {
		t = t.Add(-time.Nanosecond)
	}
	return t.In(c.zone).Format(time.DateOnly)
}

// list is several words in one cell.
type list struct{ free }

func (list) read(_ *office, text string) (any, error) {
	var all []string
	for _, one := range strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune("、，,；;\n", r) }) {
		if one = sheet.Text(one); one != "" && !slices.Contains(all, one) {
			all = append(all, one)
		}
	}
	return all, nil
}

func (list) print(_ *office, v any) string { return strings.Join(v.([]string), "、") }

// choice is one of a few values, printed by the first of its words.
type choice struct {
	values []string // of the field
	words  [][]string
}

func (f choice) read(_ *office, text string) (any, error) {
	plain := strings.ToLower(sheet.Text(text))
	for i, list := range f.words {
		if plain == strings.ToLower(f.values[i]) || slices.ContainsFunc(list, func(w string) bool { return strings.ToLower(w) == plain }) {
			return f.values[i], nil
		}
	}
	return nil, wrong("%q 不在可选项里：%s。", "%q is none of the choices: %s.", sheet.Text(text), strings.Join(f.choices(nil), "、"))
}

func (f choice) print(_ *office, v any) string {
	if i := slices.Index(f.values, fmt.Sprint(v)); i >= 0 && len(f.words[i]) > 0 {
		return f.words[i][0]
	}
	return ""
}

func (f choice) choices(*office) (all []string) {
	for _, w := range f.words {
		if len(w) > 0 {
			all = append(all, w[0])
		}
	}
	return all
}

// unitRef is the unit that something belongs to, kept as its code.
type unitRef struct{}

func (unitRef) read(c *office, text string) (any, error) { return c.units.find(text) }
func (unitRef) print(c *office, v any) string            { return c.units.name(fmt.Sprint(v)) }
func (unitRef) choices(c *office) []string               { return c.units.names() }

// set puts what a form read into the field, which may be of a named type.
func set(field fleet.Field, v any) {
	to := reflect.ValueOf(field.Value).Elem()
	if v == nil {
		to.SetZero()
		return
	}
	from := reflect.ValueOf(v)
	if s, ok := v.(string); ok && to.Kind() == reflect.Int {
		n := 0
		fmt.Sscan(s, &n) // the values of such choices are digits
		to.SetInt(int64(n))
		return
	}
	to.Set(from.Convert(to.Type()))
}

// get is what the field holds.
func get(field fleet.Field) any { return reflect.ValueOf(field.Value).Elem().Interface() }
