package roster

import (
	"slices"

	"gatecast/controller/fleet"
	"gatecast/controller/sheet"
)

// unitIndex finds units by what people call them.
type unitIndex struct {
	byCode map[string]fleet.UnitEntry
	byName map[string][]string // codes, by full name, short name and alias
	order  []string            // codes
}

func newUnitIndex(units []fleet.UnitEntry) *unitIndex {
	x := &unitIndex{byCode: map[string]fleet.UnitEntry{}, byName: map[string][]string{}}
	for _, u := range units {
		x.add(u)
	}
	return x
}

// add takes a unit in, over the one with its code.
func (x *unitIndex) add(u fleet.UnitEntry) {
	if u.Code == "" {
		return
	}
	if _, known := x.byCode[u.Code]; !known {
		x.order = append(x.order, u.Code)
	}
	x.byCode[u.Code] = u
	for _, n := range append([]string{u.Name, u.ShortName}, u.Aliases...) {
		if n = sheet.Text(n); n != "" && !slices.Contains(x.byName[n], u.Code) {
			x.byName[n] = append(x.byName[n], u.Code)
		}
	}
}

// find returns the code of the unit that text names. Text with both, as the
// lists of our templates have it, counts by its first word.
func (x *unitIndex) find(text string) (string, error) {
	plain := sheet.Text(text)
	if c, err := sheet.Code(text); err == nil {
		if _, ok := x.byCode[c]; ok {
			return c, nil
		}
	}
	codes := x.byName[plain]
	if listed := slices.DeleteFunc(slices.Clone(codes), func(c string) bool { u := x.byCode[c]; return !u.Listed() }); len(listed) > 0 {
		codes = listed
	}
	// A full name goes before another unit's short name.
	for _, c := range codes {
		if len(codes) > 1 && sheet.Text(x.byCode[c].Name) == plain && x.only(plain) {
			return c, nil
		}
	}
	switch len(codes) {
	case 1:
		return codes[0], nil
	case 0:
		return "", wrong("找不到单位 %q：请填单位编号或全称，或先在单位表中登记。", "There is no unit %q: give its code or full name, or add it to the table of units first.", plain)
	}
	return "", wrong("叫 %q 的单位不止一个（%s、%s）：请填单位编号。", "More than one unit is called %q (%s, %s): give the code.", plain, codes[0], codes[1])
}

// only reports whether one unit alone has the full name.
func (x *unitIndex) only(name string) bool {
	n := 0
	for _, u := range x.byCode {
		if sheet.Text(u.Name) == name {
			n++
		}
	}
	return n == 1
}

// name returns how a unit is printed: its full name where no other unit goes by
// it, otherwise its code.
func (x *unitIndex) name(code string) string {
	u, ok := x.byCode[code]
	if !ok {
		return code
	}
	if c, err := x.find(u.Name); err == nil && c == code {
		return u.Name
	}
	return code
}

func (x *unitIndex) names() (all []string) {
	for _, c := range x.order {
		if u := x.byCode[c]; u.Listed() {
			all = append(all, x.name(c))
		}
	}
	return all
}
