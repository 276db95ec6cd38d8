package fleet

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

// number is the example of GB 11643-1999; nobody has it.
const number = "11010519491231002X"

func TestHoldsIdentity(t *testing.T) {
	tests := map[string]bool{
		number: true, "张工" + number + "，值班": true, "11010519491231 002x": true, "440524188001010014": true,
		"110105194912310021": false, // the check digit does not hold
		"11010519491331002X": false, // no such month
		"SF" + number:        false, // part of a code
		"1234567890":         false, "": false, "340123456789012345678": false, "13812345678": false,
	}
	for text, want := range tests {
		if got := HoldsIdentity(text); got != want {
			t.Errorf("HoldsIdentity(%q) = %v, want %v", text, got, want)
		}
	}
}

// TestRegistryTakesNoIdentity puts a number into every text of every entry.
func TestRegistryTakesNoIdentity(t *testing.T) {
	fill := func() Registry {
		return Registry{
			Units: []UnitEntry{{Unit: Unit{Name: "单位"}}}, Grids: []GridEntry{{Grid: Grid{Name: "网格"}}}, Compounds: []CompoundEntry{{Compound: Compound{Name: "小区"}}},
			Points: []PointEntry{{Point: Point{Name: "点位", Tags: []string{"x"}}}}, Groups: []GroupEntry{{Group: Group{Name: "群"}}}, Liaisons: []LiaisonEntry{{Liaison: Liaison{Name: "联络员"}}},
		}
	}
	if err := fill().NoIdentity(); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, list := range []string{"Units", "Grids", "Compounds", "Points", "Groups", "Liaisons"} {
		kind := reflect.TypeFor[Registry]()
		field, _ := kind.FieldByName(list)
		inner, _ := field.Type.Elem().FieldByName(strings.TrimSuffix(list, "s"))
		for i := range inner.Type.NumField() {
			f := inner.Type.Field(i)
			if f.Type.Kind() != reflect.String || f.Name == "Type" || f.Name == "Kind" || f.Name == "Region" {
				continue
			}
			r := fill()
			v := reflect.ValueOf(&r).Elem().FieldByName(list).Index(0).FieldByName(inner.Name).Field(i)
			v.SetString("值班 " + number)
			var told *Error
			if err := r.NoIdentity(); !errors.As(err, &told) || told.Code != Invalid || !strings.Contains(told.Text, "身份证号") || strings.Contains(told.Text+told.TextEN, number) {
				t.Errorf("%s.%s: %v", list, f.Name, err)
			}
			n++
		}
	}
	if n < 15 {
		t.Errorf("only %d fields were tried", n)
	}
}
