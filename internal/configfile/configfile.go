// Package configfile reads the YAML file of a daemon into a struct and writes
// the annotated file back from the same struct.
//
// The struct holds the defaults when Load gets it; a key that is absent keeps
// its default, an unknown key is an error. Fields carry `yaml:"key"` and
// `doc:"sentence"` tags; nested structs become nested maps. Supported leaves
// are string, bool, int, float64, time.Duration and []string.
package configfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Error says where in a configuration which rule is broken.
type Error struct {
	File string // empty when the value came from the environment
	Line int    // 0 where there is none
	Key  string
	Rule string // English · 中文
}

// Error returns "file:line: key: rule", leaving out what is not known.
func (e *Error) Error() string {
	var b strings.Builder
	if e.File != "" {
		b.WriteString(e.File + ":")
		if e.Line > 0 {
			b.WriteString(strconv.Itoa(e.Line) + ":")
		}
		b.WriteString(" ")
	}
	if e.Key != "" {
		b.WriteString(e.Key + ": ")
	}
	return b.String() + e.Rule
}

// Load overwrites the fields of cfg, a pointer to a struct, by what the file
// at path says. Every error is an *Error or a joined list of them, except that
// a file that cannot be read yields the error of the read.
func Load(path string, cfg any) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("reading configuration: %w", err)
	}
	return Parse(path, data, cfg)
}

// Parse is Load for bytes that were read already; file stands in errors.
func Parse(file string, data []byte, cfg any) error {
	var doc yaml.Node
	dec := yaml.NewDecoder(bytes.NewReader(data))
	if err := dec.Decode(&doc); errors.Is(err, io.EOF) {
		return nil // an empty file keeps every default
	} else if err != nil {
		return &Error{File: file, Rule: strings.TrimPrefix(err.Error(), "yaml: ")}
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return &Error{File: file, Rule: "one document only: remove what follows --- · 只能有一段，请去掉 --- 之后的内容"}
	}
	r := reader{file: file}
	r.structure("", doc.Content[0], reflect.ValueOf(cfg).Elem())
	return errors.Join(r.errs...)
}

type reader struct {
	file string
	errs []error
}

func (r *reader) fail(n *yaml.Node, key, format string, args ...any) {
	r.errs = append(r.errs, &Error{r.file, n.Line, key, fmt.Sprintf(format, args...)})
}

func (r *reader) structure(at string, n *yaml.Node, v reflect.Value) {
	if n.Kind == yaml.ScalarNode && n.Tag == "!!null" {
		return // "section:" with nothing below keeps the defaults
	}
	if n.Kind != yaml.MappingNode {
		r.fail(n, at, "want key: value lines · 应写成“键: 值”")
		return
	}
	fields, names := fieldsOf(v)
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, val := n.Content[i], n.Content[i+1]
		key := join(at, k.Value)
		f, ok := fields[k.Value]
		switch {
		case !ok:
			r.fail(k, key, "unknown key; known are · 没有这个键，可用的有: %s", strings.Join(names, ", "))
		case seen[k.Value]:
			r.fail(k, key, "stands here twice · 写了两遍，请去掉一处")
		case isSection(f):
			r.structure(key, val, f)
		default:
			if rule := decode(val, f); rule != "" {
				r.fail(val, key, "%s", rule)
			}
		}
		seen[k.Value] = true
	}
}

// decode stores n in the leaf v and returns the rule that it breaks, if any.
func decode(n *yaml.Node, v reflect.Value) string {
	if v.Type() == reflect.TypeFor[time.Duration]() {
		d, err := time.ParseDuration(n.Value)
		if n.Kind != yaml.ScalarNode || err != nil {
			return fmt.Sprintf("%q is no duration such as · 不是时长，写法如: 30s, 5m", n.Value)
		}
		v.SetInt(int64(d))
		return ""
	}
	if err := n.Decode(v.Addr().Interface()); err != nil {
		en, zh := kindWords(v)
		return fmt.Sprintf("%q is no %s · 这里应填%s", n.Value, en, zh)
	}
	return ""
}

func kindWords(v reflect.Value) (en, zh string) {
	switch v.Kind() {
	case reflect.Bool:
		return "true or false", " true 或 false"
	case reflect.Int:
		return "whole number", "整数"
	case reflect.Float64:
		return "number", "数字"
	case reflect.Slice:
		return "list of texts", "列表"
	}
	return "text", "文字"
}

// Env overwrites leaves of cfg by variables named prefix_SECTION_KEY, as
// lookup (os.LookupEnv) finds them.
func Env(prefix string, lookup func(string) (string, bool), cfg any) error {
	var errs []error
	walk("", reflect.ValueOf(cfg).Elem(), func(key, _ string, v reflect.Value) {
		name := prefix + "_" + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
		text, ok := lookup(name)
		if !ok {
			return
		}
		n := &yaml.Node{Kind: yaml.ScalarNode, Value: text}
		if v.Kind() == reflect.String {
			n.Tag = "!!str"
		}
		if v.Kind() == reflect.Slice {
			n = &yaml.Node{Kind: yaml.SequenceNode}
			for _, part := range strings.Split(text, ",") {
				n.Content = append(n.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: strings.TrimSpace(part)})
			}
		}
		if rule := decode(n, v); rule != "" {
			errs = append(errs, &Error{Key: name, Rule: rule})
		}
	}, nil)
	return errors.Join(errs...)
}

// Describe writes cfg as a YAML file with every key and its sentence, which
// Parse reads back to the same values.
func Describe(w io.Writer, cfg any) error {
	var b bytes.Buffer
	section := func(key, doc string, _ reflect.Value) {
		indent := strings.Repeat("  ", strings.Count(key, "."))
		fmt.Fprintf(&b, "\n%s%s%s:\n", comment(indent, doc), indent, last(key))
	}
	walk("", reflect.ValueOf(cfg).Elem(), func(key, doc string, v reflect.Value) {
		indent := strings.Repeat("  ", strings.Count(key, "."))
		fmt.Fprintf(&b, "%s%s%s: %s\n", comment(indent, doc), indent, last(key), scalar(v))
	}, section)
	_, err := w.Write(bytes.TrimLeft(b.Bytes(), "\n"))
	return err
}

func comment(indent, doc string) string {
	if doc == "" {
		return ""
	}
	return indent + "# " + strings.ReplaceAll(doc, "\n", "\n"+indent+"# ") + "\n"
}

func scalar(v reflect.Value) string {
	if v.Type() == reflect.TypeFor[time.Duration]() {
		return time.Duration(v.Int()).String()
	}
	switch v.Kind() {
	case reflect.String:
		return strconv.Quote(v.String())
	case reflect.Slice:
		parts := make([]string, v.Len())
		for i := range parts {
			parts[i] = strconv.Quote(v.Index(i).String())
		}
		return "[" + strings.Join(parts, ", ") + "]"
	}
	return fmt.Sprint(v.Interface())
}

// walk visits the leaves of v in order, and its sections before their leaves.
func walk(at string, v reflect.Value, leaf, section func(key, doc string, v reflect.Value)) {
	for i := range v.NumField() {
		tag := v.Type().Field(i).Tag
		key := join(at, tag.Get("yaml"))
		if isSection(v.Field(i)) {
			if section != nil {
				section(key, tag.Get("doc"), v.Field(i))
			}
			walk(key, v.Field(i), leaf, section)
			continue
		}
		leaf(key, tag.Get("doc"), v.Field(i))
	}
}

func isSection(v reflect.Value) bool { return v.Kind() == reflect.Struct }

func fieldsOf(v reflect.Value) (map[string]reflect.Value, []string) {
	fields := map[string]reflect.Value{}
	var names []string
	for i := range v.NumField() {
		name := v.Type().Field(i).Tag.Get("yaml")
		fields[name] = v.Field(i)
		names = append(names, name)
	}
	return fields, names
}

func join(at, key string) string {
	if at == "" {
		return key
	}
	return at + "." + key
}

func last(key string) string { return key[strings.LastIndexByte(key, '.')+1:] }
