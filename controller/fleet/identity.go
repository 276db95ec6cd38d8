package fleet

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// identity is what could be a mainland identity number: 17 digits and a digit
// or X that stand by themselves.
var identity = regexp.MustCompile(`\b[1-9]\d{16}[\dXx]\b`)

// weights and checks are those of GB 11643-1999 (ISO 7064 MOD 11-2).
var (
	weights = [17]int{7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2}
	checks  = "10X98765432"
)

// HoldsIdentity reports whether there is a resident identity number in text:
// 18 digits with a date of birth and a check digit that holds. Other numbers
// of that length, such as codes of devices, are none.
func HoldsIdentity(text string) bool {
	for _, n := range identity.FindAllString(strings.ReplaceAll(text, " ", ""), -1) {
		sum := 0
		for i, w := range weights {
			sum += w * int(n[i]-'0')
		}
		if _, err := time.Parse("20060102", n[6:14]); err == nil && checks[sum%11] == strings.ToUpper(n[17:])[0] {
			return true
		}
	}
	return false
}

// NoIdentity returns a *Error of code Invalid when one of the texts of the
// registry holds an identity number: the office has no use for them, and what
// is not kept cannot be lost.
func (r Registry) NoIdentity() error {
	check := func(kind, name string, texts ...string) error {
		for _, text := range texts {
			if HoldsIdentity(text) {
				name := identity.ReplaceAllString(strings.ReplaceAll(name, " ", ""), "******")
				return &Error{
					Code:   Invalid,
					Text:   fmt.Sprintf("%s“%s”里有身份证号。名册只收姓名、单位、职务和工作电话，请删去身份证号再导入；什么都没有导入。", kind, name),
					TextEN: fmt.Sprintf("There is an identity number in %q. The registry takes name, unit, post and work telephone only: remove it and import again; nothing was imported.", name),
				}
			}
		}
		return nil
	}
	for _, u := range r.Units {
		if err := check("单位", u.Name, slices.Concat([]string{u.Code, u.Name, u.ShortName, u.Head, u.Leader, string(u.State)}, u.Aliases, u.Hats)...); err != nil {
			return err
		}
	}
	for _, g := range r.Grids {
		if err := check("网格", g.Name, g.Name, g.Worker); err != nil {
			return err
		}
	}
	for _, c := range r.Compounds {
		if err := check("小区", c.Name, c.Name, c.Property); err != nil {
			return err
		}
	}
	for _, p := range r.Points {
		if err := check("点位", p.Name, append([]string{p.Code, p.Name, p.Place, p.Approval, p.DutyName, p.DutyPhone.Full()}, p.Tags...)...); err != nil {
			return err
		}
	}
	for _, g := range r.Groups {
		if err := check("群", g.Name, slices.Concat([]string{g.Code, g.Name, string(g.State), g.Platform, g.Owner, g.OwnerPost, g.OwnerPhone.Full(), string(g.Created)}, g.Admins, g.Former)...); err != nil {
			return err
		}
	}
	for _, l := range r.Liaisons {
		if err := check("联络员", l.Name, l.Name, l.Post, l.Phone.Full()); err != nil {
			return err
		}
	}
	return nil
}
