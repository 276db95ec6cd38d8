package fleet

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// CompanyEntry is a property company, known by its name.
type CompanyEntry struct{ Company }

// RegistryChange is one line of a batch: exactly one of its entries is set. It
// adds what its key does not name yet and changes what it does.
type RegistryChange struct {
	Line string // where it stands, such as "单位!7"; given back with every fault
	// Fields names what the line speaks of, as Field.Name; the others of a thing
	// that exists stay as they are. nil means that it speaks of all.
	Fields []string
	// Remove takes the thing away for good, which only works while nothing
	// refers to it. Units, points and liaisons are not removed: they are merged,
	// retired or leave.
	Remove bool

	Unit     *UnitEntry
	Grid     *GridEntry
	Compound *CompoundEntry
	Company  *CompanyEntry
	Point    *PointEntry
	Group    *GroupEntry
	Liaison  *LiaisonEntry
}

// RegistryOptions says how a batch is carried out.
type RegistryOptions struct {
	Dry bool  // find faults and tell what would change, and change nothing
	By  Audit // who did it: each line that changes something adds one to the audit, with before and after
	// Today is the day of the office: a unit that gets another parent is below
	// the former one until then. Empty means the day of By.At in UTC.
	Today Day
}

// RegistryFault is one thing wrong with, or odd about, one line.
type RegistryFault struct {
	Change  int    // index in the batch
	Line    string // of that change
	Field   string // Field.Name; empty for the line as a whole
	Text    string // in Chinese
	TextEN  string
	Warning bool // it does not keep the batch from being carried out
}

// RegistryDid is what became of a line.
type RegistryDid string

// What becomes of a line.
const (
	DidAdd     RegistryDid = "added"
	DidChange  RegistryDid = "changed"
	DidRemove  RegistryDid = "removed"
	DidNothing RegistryDid = "same"    // it was so already
	DidRefuse  RegistryDid = "refused" // it has a fault
)

// RegistryResult is what became of one line. Before and After are Fields of
// what differs.
type RegistryResult struct {
	Did           RegistryDid
	Label         string // kind and key, for people who read the audit
	Before, After string
}

// RegistryOutcome is what became of a batch.
type RegistryOutcome struct {
	Results []RegistryResult // one for each change
	Faults  []RegistryFault  // by change
	Applied bool             // false for a dry run and for a batch with a fault
}

// Refused reports whether a fault keeps the batch from being carried out.
func (o RegistryOutcome) Refused() bool {
	return slices.ContainsFunc(o.Faults, func(f RegistryFault) bool { return !f.Warning })
}

// Count returns how many lines came to that.
func (o RegistryOutcome) Count(did RegistryDid) int {
	n := 0
	for _, r := range o.Results {
		if r.Did == did {
			n++
		}
	}
	return n
}

// Err returns the first fault as an *Error of code Invalid, nil for none.
func (o RegistryOutcome) Err() error {
	for _, f := range o.Faults {
		if !f.Warning {
			return &Error{Code: Invalid, Text: f.Text, TextEN: f.TextEN}
		}
	}
	return nil
}

// Field is a part of an entry; Value points to it.
type Field struct {
	Name  string
	Value any
}

// Entry is one thing of the registry as a batch names it: references are codes
// and names.
type Entry interface {
	Label() string   // kind and key
	Fields() []Field // in the order of the audit
}

// Entry returns the entry that is set; nil unless exactly one is.
func (c RegistryChange) Entry() Entry {
	var all []Entry
	for _, e := range []Entry{c.Unit, c.Grid, c.Compound, c.Company, c.Point, c.Group, c.Liaison} {
		if !reflect.ValueOf(e).IsNil() {
			all = append(all, e)
		}
	}
	if len(all) != 1 {
		return nil
	}
	return all[0]
}

// Label names the unit.
func (e *UnitEntry) Label() string { return "单位 " + e.Code }

// Fields lists the parts of a unit.
func (e *UnitEntry) Fields() []Field {
	return []Field{
		{"code", &e.Code}, {"type", &e.Type}, {"name", &e.Name}, {"short", &e.ShortName}, {"parent", &e.Parent}, {"aliases", &e.Aliases},
		{"hats", &e.Hats}, {"region", &e.Region}, {"head", &e.Head}, {"leader", &e.Leader}, {"state", &e.State}, {"successor", &e.Successor}, {"order", &e.Order},
	}
}

// Label names the grid.
func (e *GridEntry) Label() string { return fmt.Sprintf("网格 %s-%d", e.Unit, e.Number) }

// Fields lists the parts of a grid.
func (e *GridEntry) Fields() []Field {
	return []Field{
		{"unit", &e.Unit}, {"number", &e.Number}, {"name", &e.Name}, {"worker", &e.Worker}, {"households", &e.Households}, {"population", &e.Population},
	}
}

// Label names the compound.
func (e *CompoundEntry) Label() string { return "小区 " + e.Unit + " " + e.Name }

// Fields lists the parts of a compound.
func (e *CompoundEntry) Fields() []Field {
	return []Field{{"unit", &e.Unit}, {"name", &e.Name}, {"grid", &e.Grid}, {"property", &e.Property}, {"households", &e.Households}}
}

// Label names the company.
func (e *CompanyEntry) Label() string { return "物业 " + e.Name }

// Fields lists the parts of a property company.
func (e *CompanyEntry) Fields() []Field {
	return []Field{{"name", &e.Name}, {"contact", &e.Contact}, {"phone", &e.Phone}, {"note", &e.Note}}
}

// Label names the point.
func (e *PointEntry) Label() string { return "点位 " + e.Code }

// Fields lists the parts of a point. When it owes is not among them.
func (e *PointEntry) Fields() []Field {
	return []Field{
		{"code", &e.Code}, {"name", &e.Name}, {"kind", &e.Kind}, {"unit", &e.Unit}, {"compound", &e.Compound}, {"place", &e.Place}, {"tags", &e.Tags},
		{"duty", &e.DutyName}, {"phone", &e.DutyPhone}, {"approval", &e.Approval}, {"cap", &e.CapPct}, {"class", &e.NoiseClass}, {"hold", &e.Hold},
	}
}

// Label names the group.
func (e *GroupEntry) Label() string { return "群 " + e.Code }

// Fields lists the parts of a group.
func (e *GroupEntry) Fields() []Field {
	return []Field{
		{"code", &e.Code}, {"tier", &e.Tier}, {"name", &e.Name}, {"unit", &e.Unit}, {"grid", &e.Grid}, {"state", &e.State}, {"platform", &e.Platform},
		{"owner", &e.Owner}, {"post", &e.OwnerPost}, {"phone", &e.OwnerPhone}, {"admins", &e.Admins}, {"members", &e.Members},
		{"households", &e.Households}, {"joined", &e.Joined}, {"created", &e.Created},
	}
}

// Label names the liaison.
func (e *LiaisonEntry) Label() string { return "联络员 " + e.Unit + " " + e.Name }

// Fields lists the parts of a liaison.
func (e *LiaisonEntry) Fields() []Field {
	return []Field{{"unit", &e.Unit}, {"name", &e.Name}, {"post", &e.Post}, {"phone", &e.Phone}, {"from", &e.From}, {"to", &e.To}}
}

// Keep gives e the parts of old that only does not name; nil names all. Both
// are entries of one kind.
func Keep(e, old Entry, only []string) {
	if only == nil {
		return
	}
	was := old.Fields()
	for i, f := range e.Fields() {
		if !slices.Contains(only, f.Name) {
			reflect.ValueOf(f.Value).Elem().Set(reflect.ValueOf(was[i].Value).Elem())
		}
	}
}

// Compare returns what differs between two entries of one kind as Fields, both
// empty when nothing does. Telephone numbers in it are masked.
func Compare(old, e Entry) (before, after string) {
	var was, is []string
	have := old.Fields()
	for i, f := range e.Fields() {
		a, b := reflect.ValueOf(have[i].Value).Elem(), reflect.ValueOf(f.Value).Elem()
		if same(a, b) {
			continue
		}
		was, is = append(was, f.Name, told(a)), append(is, f.Name, told(b))
	}
	if len(is) == 0 {
		return "", ""
	}
	return Fields(was...), Fields(is...)
}

// All returns everything an entry says that is not zero, as Fields.
func All(e Entry) string {
	var is []string
	for _, f := range e.Fields() {
		if v := reflect.ValueOf(f.Value).Elem(); !v.IsZero() {
			is = append(is, f.Name, told(v))
		}
	}
	return Fields(is...)
}

func same(a, b reflect.Value) bool {
	if x, ok := a.Interface().(time.Time); ok {
		return x.Equal(b.Interface().(time.Time))
	}
	if a.Kind() == reflect.Slice && a.Len() == 0 && b.Len() == 0 {
		return true
	}
	if a.Kind() == reflect.String && b.Interface() == any(UnreadablePhone) {
		return true // storing it changes nothing
	}
	return reflect.DeepEqual(a.Interface(), b.Interface())
}

func told(v reflect.Value) string {
	switch x := v.Interface().(type) {
	case time.Time:
		if x.IsZero() {
			return ""
		}
		return x.UTC().Format(time.RFC3339)
	case []string:
		return strings.Join(x, "、")
	case Phone:
		return x.String()
	}
	return fmt.Sprint(v.Interface())
}

// Tidy takes space around texts away and writes the digits and letters of
// codes half-width.
func Tidy(e Entry) {
	for _, f := range e.Fields() {
		v := reflect.ValueOf(f.Value).Elem()
		switch v.Kind() {
		case reflect.String:
			v.SetString(strings.TrimSpace(v.String()))
			if slices.Contains([]string{"code", "region", "phone"}, f.Name) || f.Name == "unit" || f.Name == "parent" || f.Name == "successor" {
				v.SetString(narrow(v.String()))
			}
		case reflect.Slice:
			var kept []string
			for _, s := range v.Interface().([]string) {
				if s = strings.TrimSpace(s); s != "" && !slices.Contains(kept, s) {
					kept = append(kept, s)
				}
			}
			v.Set(reflect.ValueOf(kept))
		}
	}
}

// narrow writes the full-width characters of an input method as plain ones.
func narrow(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= '！' && r <= '～' { // U+FF01 to U+FF5E are U+0021 to U+007E, wide
			return r - '！' + '!'
		}
		return r
	}, s)
}

// ParseCount reads a number of households, people or members: digits, possibly
// with separators; empty means 0.
func ParseCount(text string) (int, bool) {
	text = strings.NewReplacer(",", "", " ", "").Replace(narrow(strings.TrimSpace(text)))
	if text == "" {
		return 0, true
	}
	n, err := strconv.Atoi(text)
	return n, err == nil && n >= 0 && n <= maxCount
}
