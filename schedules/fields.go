package schedules

import (
	"bytes"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Fields returns p as a flat form has it: the name of a field is the path of
// its keys with the places of list entries, such as "slots.0.start" or
// "slots.0.overrides.1.days"; a list of values is several values of one field.
// ParseFields reads it back as an equal programme.
func Fields(p *Programme) (map[string][]string, error) {
	text, err := Marshal(p)
	if err != nil {
		return nil, err
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return nil, fmt.Errorf("reading back programme %q: %w", p.ID, err)
	}
	fields := make(map[string][]string)
	flatten(doc.Content[0], "", fields)
	return fields, nil
}

func flatten(n *yaml.Node, at string, into map[string][]string) {
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			flatten(n.Content[i+1], join(at, n.Content[i].Value), into)
		}
	case yaml.SequenceNode:
		for i, item := range n.Content {
			if item.Kind == yaml.MappingNode {
				flatten(item, at+"."+strconv.Itoa(i), into)
			} else {
				into[at] = append(into[at], item.Value)
			}
		}
	default:
		into[at] = append(into[at], n.Value)
	}
}

// What the path of a field ends in says what it holds.
var (
	boolKeys = []string{"demo", "all", "all_day"}
	listKeys = []string{"units", "groups", "tags", "kinds", "points", "off_for", "times", "days", "playlist"}
	numbered = regexp.MustCompile(`^\d{1,4}$`)
)

// ParseFields reads a programme from fields as Fields returns them. Values that
// are empty count as not there, and so do list entries without any value. The
// error is of type Errors, whose keys are names of fields, or beginnings of such
// names where several fields together are wrong.
func ParseFields(fields map[string][]string) (*Programme, error) {
	root := &branch{}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		var values []string
		for _, v := range fields[name] {
			if v != "" {
				values = append(values, v)
			}
		}
		if len(values) > 0 && name != "" {
			root.put(strings.Split(name, "."), values)
		}
	}
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	if err := enc.Encode(root.node()); err != nil {
		return nil, fmt.Errorf("writing fields: %w", err)
	}
	p, err := Parse("", b.Bytes())
	if list, ok := err.(Errors); ok {
		for _, e := range list {
			e.Key, e.Line = root.field(e.Key), 0
			if name, ok := missing(e); ok {
				e.Key = join(e.Key, name)
			}
		}
		return nil, list
	}
	return p, err
}

// missing returns the key that e misses.
func missing(e *Error) (string, bool) {
	if e.Rule != RuleMissing || len(e.Args) != 1 {
		return "", false
	}
	name, ok := e.Args[0].(string)
	return name, ok
}

// branch is a node of the tree that the paths of fields make.
type branch struct {
	values   []string // of a leaf
	key      string   // of the leaf
	children map[string]*branch
}

func (b *branch) put(path []string, values []string) {
	for _, step := range path {
		if b.children == nil {
			b.children = make(map[string]*branch)
		}
		next := b.children[step]
		if next == nil {
			next = &branch{key: step}
			b.children[step] = next
		}
		b = next
	}
	b.values = values
}

// steps returns the keys of b's children: places of a list by number, with
// gaps closed by whoever reads them.
func (b *branch) steps() (keys []string, list bool) {
	keys = slices.Collect(maps.Keys(b.children))
	list = len(keys) > 0
	for _, k := range keys {
		list = list && numbered.MatchString(k)
	}
	if !list {
		slices.Sort(keys)
		return keys, false
	}
	slices.SortFunc(keys, func(x, y string) int {
		m, _ := strconv.Atoi(x)
		n, _ := strconv.Atoi(y)
		return m - n
	})
	return keys, true
}

func (b *branch) node() *yaml.Node {
	if b.children == nil {
		return b.leaf()
	}
	keys, list := b.steps()
	n := &yaml.Node{Kind: yaml.MappingNode}
	if list {
		n.Kind = yaml.SequenceNode
	}
	for _, k := range keys {
		if !list {
			n.Content = append(n.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: k})
		}
		n.Content = append(n.Content, b.children[k].node())
	}
	return n
}

func (b *branch) leaf() *yaml.Node {
	scalar := func(v string) *yaml.Node {
		n := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Style: yaml.DoubleQuotedStyle, Value: v}
		if slices.Contains(boolKeys, b.key) && (v == "true" || v == "false") {
			n.Tag, n.Style = "!!bool", 0
		}
		return n
	}
	if !slices.Contains(listKeys, b.key) && len(b.values) == 1 {
		return scalar(b.values[0])
	}
	n := &yaml.Node{Kind: yaml.SequenceNode}
	for _, v := range b.values {
		n.Content = append(n.Content, scalar(v))
	}
	return n
}

// entry is a place in a key path, as "slots[noon]" or "overrides[#2]".
var entry = regexp.MustCompile(`([a-z_]+)\[([^\]]*)\]`)

// field turns a key path of Parse into the name of a field.
func (b *branch) field(key string) string {
	out := ""
	for _, part := range splitKey(key) {
		m := entry.FindStringSubmatch(part)
		if m == nil {
			out = join(out, part)
			continue
		}
		out = join(out, m[1])
		at := b.at(out)
		if at == nil || at.children == nil {
			return out // an entry of a list of values
		}
		keys, _ := at.steps()
		label, idKey := labeller(m[1]), "key"
		if m[1] != "slots" {
			idKey = "id"
		}
		for _, k := range keys {
			id := ""
			if leaf := at.children[k].children[idKey]; leaf != nil && len(leaf.values) == 1 && m[1] != "overrides" {
				id = leaf.values[0]
			}
			if label(id) == m[1]+"["+m[2]+"]" {
				out = join(out, k)
				break
			}
		}
	}
	return out
}

// splitKey cuts a key path at the dots outside brackets.
func splitKey(key string) []string {
	var parts []string
	depth, from := 0, 0
	for i, r := range key {
		switch r {
		case '[':
			depth++
		case ']':
			depth--
		case '.':
			if depth == 0 {
				parts, from = append(parts, key[from:i]), i+1
			}
		}
	}
	if from < len(key) {
		parts = append(parts, key[from:])
	}
	return parts
}

// at returns the branch of a field, nil for none.
func (b *branch) at(name string) *branch {
	for _, step := range strings.Split(name, ".") {
		if b = b.children[step]; b == nil {
			return nil
		}
	}
	return b
}

// FieldOf turns the key path of an error about p into the name of the field of
// Fields, or the beginning of names, that it is about.
func (p *Programme) FieldOf(key string) string {
	fields, err := Fields(p)
	if err != nil {
		return key
	}
	root := &branch{}
	for name, values := range fields {
		root.put(strings.Split(name, "."), values)
	}
	return root.field(key)
}
