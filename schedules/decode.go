package schedules

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// decoder reads scalars, lists and mappings out of YAML nodes. It never stops
// at an error: it notes it, marks the key as bad and yields the zero value.
type decoder struct {
	file  string
	errs  Errors
	lines map[string]int
	bad   map[string]bool
}

func (d *decoder) fail(n *yaml.Node, key string, rule Rule, args ...any) {
	d.errs = append(d.errs, &Error{File: d.file, Line: n.Line, Key: key, Rule: rule, Args: args})
	d.bad[key] = true
}

// mapping returns the values of n by key. Keys that are not allowed, repeated
// or without a value are reported and left out.
func (d *decoder) mapping(n *yaml.Node, at string, allowed ...string) map[string]*yaml.Node {
	if n == nil {
		return nil
	}
	if _, seen := d.lines[at]; !seen {
		d.lines[at] = n.Line
	}
	if n.Kind != yaml.MappingNode {
		d.fail(n, at, RuleMapping)
		return nil
	}
	values := make(map[string]*yaml.Node)
	first := make(map[string]int)
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		key := join(at, k.Value)
		line, twice := first[k.Value]
		switch {
		case k.Kind != yaml.ScalarNode:
			d.fail(k, at, RuleMapping)
		case twice:
			d.fail(k, key, RuleTwice, k.Value, strconv.Itoa(line))
		case !slices.Contains(allowed, k.Value):
			if like := nearest(k.Value, allowed); like != "" {
				d.fail(k, key, RuleTypo, k.Value, like)
				d.bad[join(at, like)] = true // what was meant is there, only misspelt
			} else {
				d.fail(k, key, RuleUnknownKey, k.Value, strings.Join(allowed, ", "))
			}
		case v.Kind == yaml.ScalarNode && v.Tag == "!!null":
			d.fail(k, key, RuleNoValue)
		default:
			values[k.Value] = v
			d.lines[key] = k.Line
		}
		if !twice {
			first[k.Value] = k.Line
		}
	}
	return values
}

// join appends a key to a key path.
func join(at, key string) string {
	if at == "" {
		return key
	}
	return at + "." + key
}

// items returns the entries of a list that must have at least one.
func (d *decoder) items(n *yaml.Node, key string) []*yaml.Node {
	switch {
	case n == nil:
		return nil
	case n.Kind != yaml.SequenceNode:
		d.fail(n, key, RuleList)
		return nil
	case len(n.Content) == 0:
		d.fail(n, key, RuleEmptyList)
	}
	return n.Content
}

// text returns a scalar as it is written, whatever YAML takes it for: a unit
// code 0301 stays 0301.
func (d *decoder) text(n *yaml.Node, key string) string {
	if n == nil {
		return ""
	}
	if n.Kind != yaml.ScalarNode {
		d.fail(n, key, RuleScalar)
		return ""
	}
	if n.Tag == "!!null" || n.Value == "" {
		d.fail(n, key, RuleNoValue)
		return ""
	}
	return n.Value
}

// texts returns a list of scalars and notes the line of each entry.
func (d *decoder) texts(n *yaml.Node, key string) []string {
	var out []string
	for _, item := range d.items(n, key) {
		s := d.text(item, key)
		entry := key + "[" + s + "]"
		if _, seen := d.lines[entry]; !seen {
			d.lines[entry] = item.Line
		}
		out = append(out, s)
	}
	return out
}

func (d *decoder) boolean(n *yaml.Node, key string) bool {
	s := d.text(n, key)
	if s == "" {
		return false
	}
	if n.Tag != "!!bool" {
		d.fail(n, key, RuleBool, s)
		return false
	}
	return strings.EqualFold(s, "true")
}

func (d *decoder) date(n *yaml.Node, key string) Date {
	s := d.text(n, key)
	if s == "" {
		return Date{}
	}
	v, err := ParseDate(s)
	if err != nil || v.Year < 2000 || v.Year > 2200 {
		d.fail(n, key, RuleDate, s)
		return Date{}
	}
	return v
}

// timeOfDay reads a time after 00:00.
func (d *decoder) timeOfDay(n *yaml.Node, key string) TimeOfDay {
	s := d.text(n, key)
	if s == "" {
		return 0
	}
	v, err := ParseTimeOfDay(s)
	if err != nil {
		d.fail(n, key, RuleTime, s)
		return 0
	}
	if v == 0 {
		d.fail(n, key, RuleRange, s, "00:01", "24:00")
	}
	return v
}

func (d *decoder) times(n *yaml.Node, key string) []TimeRange {
	var out []TimeRange
	for _, item := range d.items(n, key) {
		s := d.text(item, key)
		if s == "" {
			continue
		}
		v, err := ParseTimeRange(s)
		if err != nil {
			d.fail(item, key, RuleTimes, s)
			continue
		}
		out = append(out, v)
	}
	return out
}

// duration reads a duration of at least least, in whole seconds.
func (d *decoder) duration(n *yaml.Node, key string, least, most time.Duration) time.Duration {
	s := d.text(n, key)
	if s == "" {
		return 0
	}
	v, err := time.ParseDuration(s)
	if err != nil {
		d.fail(n, key, RuleDuration, s)
		return 0
	}
	if v < least || v > most || v%time.Second != 0 {
		d.fail(n, key, RuleRange, s, least, most)
		return 0
	}
	return v
}

// count reads a whole number of at least 1.
func (d *decoder) count(n *yaml.Node, key string, most int) int {
	s := d.text(n, key)
	if s == "" {
		return 0
	}
	v, err := strconv.Atoi(s)
	if err != nil {
		d.fail(n, key, RuleNumber, s)
		return 0
	}
	if v < 1 || v > most {
		d.fail(n, key, RuleRange, s, "1", strconv.Itoa(most))
		return 0
	}
	return v
}

// gain reads a level in dB; the checker knows the range.
func (d *decoder) gain(n *yaml.Node, key string) *float64 {
	s := d.text(n, key)
	if s == "" {
		return nil
	}
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
		d.fail(n, key, RuleNumber, s)
		return nil
	}
	return &v
}

// days reads day types by code or by their Chinese words.
func (d *decoder) days(n *yaml.Node, key string) []DayType {
	var out []DayType
	for _, item := range d.items(n, key) {
		s := d.text(item, key)
		if s == "" {
			continue
		}
		i := slices.IndexFunc(DayTypes(), func(t DayType) bool { return s == string(t) || s == t.Text("zh") })
		if i < 0 {
			d.fail(item, key, RuleOneOf, s, dayTypeChoices())
			continue
		}
		t := DayTypes()[i]
		if slices.Contains(out, t) {
			d.fail(item, key, RuleRepeated, s)
			continue
		}
		out = append(out, t)
	}
	return out
}

// dayTypeChoices lists what days accepts.
func dayTypeChoices() string {
	var words []string
	for _, t := range DayTypes() {
		words = append(words, string(t)+" ("+t.Text("zh")+")")
	}
	return strings.Join(words, ", ")
}

// nearest returns the allowed key that s is most likely a misspelling of, or "".
func nearest(s string, allowed []string) string {
	best, least := "", 3
	for _, a := range allowed {
		if n := distance(strings.ToLower(s), a); n < least && n < len(a) {
			best, least = a, n
		}
	}
	return best
}

// distance is the number of single-character edits between a and b. It gives
// up, with a large number, on words whose lengths already differ by more than
// any misspelling.
func distance(a, b string) int {
	if len(a)-len(b) > 3 || len(b)-len(a) > 3 {
		return 99
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			next := min(diagonal+cost, row[j]+1, row[j+1]+1)
			diagonal, row[j+1] = row[j+1], next
		}
	}
	return row[len(b)]
}
