package web

import (
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"gatecast/controller/fleet"
)

// regForm is a form about one thing of the registry. What was typed stays in
// it when it is refused.
type regForm struct {
	Action string // path that it is sent to
	ID     string // prefix of the ids of its inputs
	Fields []regField
	Error  string   // about the thing as a whole
	Hints  []string // warnings that do not keep it from being saved
}

// regField is one input.
type regField struct {
	Name, ID, Label, Hint string
	Kind                  string // text, number, area, select, check, day
	Value                 string
	Options               []option
	On                    bool // of a check
	Required, Mono        bool
	Error                 string
}

// regInput says how a field of an entry is asked for.
type regInput struct {
	name, kind string
	options    []option
	required   bool
	mono       bool
}

// regForm makes the form for e; kind is the first part of the keys of its
// texts.
func (s *Server) regForm(l *lang, kind, action string, e fleet.Entry, inputs []regInput) regForm {
	form := regForm{Action: action, ID: kind}
	for _, in := range inputs {
		f := regField{
			Name: in.name, ID: kind + "-" + in.name, Label: l.T("reg." + kind + "." + in.name), Kind: in.kind, Required: in.required, Mono: in.mono,
			Options: slices.Clone(in.options),
		}
		if key := "reg." + kind + "." + in.name + ".hint"; l.Has(key) {
			f.Hint = l.T(key)
		}
		f.set(s.text(l, e, in.name))
		form.Fields = append(form.Fields, f)
	}
	return form
}

// set puts a value into the input.
func (f *regField) set(value string) {
	f.Value, f.On = value, value == "1"
	for i := range f.Options {
		f.Options[i].On = f.Options[i].Value == value
	}
}

// text is what an input shows of a field. Telephone numbers are not shown: an
// empty input leaves them as they are.
func (s *Server) text(l *lang, e fleet.Entry, name string) string {
	for _, f := range e.Fields() {
		if f.Name != name {
			continue
		}
		switch v := f.Value.(type) {
		case *fleet.Phone:
			return ""
		case *[]string:
			return strings.Join(*v, "、")
		case *bool:
			if *v {
				return "1"
			}
			return ""
		case *int:
			if *v == 0 {
				return ""
			}
			return strconv.Itoa(*v)
		case *time.Time:
			return termDay(l, *v, name)
		}
		return reflect.ValueOf(f.Value).Elem().String()
	}
	return ""
}

// termDay is the day of a time; a time that ends something is after its last
// day.
func termDay(l *lang, t time.Time, name string) string {
	if t.IsZero() {
		return ""
	}
	if name == "to" {
		t = t.Add(-time.Second)
	}
	return l.in(t).Format(time.DateOnly)
}

// read fills e with what was sent and returns the names of the fields that the
// form spoke of. What cannot be read is a fault of its field.
func (s *Server) read(r *http.Request, e fleet.Entry, inputs []regInput) (names []string, faults []fleet.RegistryFault) {
	at := map[string]any{}
	for _, f := range e.Fields() {
		at[f.Name] = f.Value
	}
	fault := func(name, zh, en string) {
		faults = append(faults, fleet.RegistryFault{Field: name, Text: zh, TextEN: en})
	}
	for _, in := range inputs {
		text := strings.TrimSpace(r.FormValue(in.name))
		switch v := at[in.name].(type) {
		case *fleet.Phone:
			if text == "" {
				continue // stays as it is
			}
			*v = fleet.Phone(text)
		case *[]string:
			*v = strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune("、，,;；\n", r) })
		case *bool:
			*v = text == "1"
		case *int:
			n, ok := fleet.ParseCount(text)
			if !ok {
				fault(in.name, fmt.Sprintf("“%s”不是数目，请只填数字。", text), fmt.Sprintf("%q is no number: write digits only.", text))
			}
			*v = n
		case *time.Time:
			t, err := time.ParseInLocation(time.DateOnly, text, s.o.Zone)
			if text != "" && err != nil {
				fault(in.name, "日期要写成 2026-11-23 的样子。", "Write the day like 2026-11-23.")
			}
			if err == nil && in.name == "to" {
				t = t.AddDate(0, 0, 1)
			}
			if err != nil {
				t = time.Time{}
			}
			*v = t
		default:
			reflect.ValueOf(at[in.name]).Elem().SetString(text)
		}
		names = append(names, in.name)
	}
	return names, faults
}

// keep puts what was typed back and says beside each field what is wrong.
func (f *regForm) keep(l *lang, r *http.Request, faults []fleet.RegistryFault) {
	say := func(x fleet.RegistryFault) string { return l.Error(&fleet.Error{Text: x.Text, TextEN: x.TextEN}) }
	for i := range f.Fields {
		f.Fields[i].set(strings.TrimSpace(r.FormValue(f.Fields[i].Name)))
	}
	for _, x := range faults {
		at := slices.IndexFunc(f.Fields, func(i regField) bool { return i.Name == x.Field })
		switch {
		case x.Warning:
		case at >= 0 && f.Fields[at].Error == "":
			f.Fields[at].Error = say(x)
		case at < 0 && f.Error == "":
			f.Error = say(x)
		}
	}
	if f.Error == "" {
		f.Error = l.T("reg.refused")
	}
}

// apply saves one thing with a line of the audit. Its faults are nil when it
// is saved.
func (s *Server) apply(r *http.Request, v *visit, c fleet.RegistryChange) ([]fleet.RegistryFault, error) {
	return s.applyAll(r, v, []fleet.RegistryChange{c})
}

func (s *Server) applyAll(r *http.Request, v *visit, all []fleet.RegistryChange) ([]fleet.RegistryFault, error) {
	out, err := s.o.Register.ApplyRegistry(r.Context(), all, fleet.RegistryOptions{By: byline(r, v, fleet.Audit{}), Today: s.dayOf(v.Now)})
	if err != nil || out.Applied {
		return nil, err
	}
	return out.Faults, nil
}

func optionsOf[T ~string](l *lang, family string, all []T) []option {
	list := make([]option, len(all))
	for i, v := range all {
		list[i] = option{Value: string(v), Text: l.T(family + string(v))}
	}
	return list
}
