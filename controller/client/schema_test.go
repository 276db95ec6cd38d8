package client

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// openAPI is as much of a document as the tests hold the server to.
type openAPI struct {
	Paths      map[string]map[string]operation `yaml:"paths"`
	Components struct {
		Responses map[string]response       `yaml:"responses"`
		Schemas   map[string]map[string]any `yaml:"schemas"`
	} `yaml:"components"`
}

type operation struct {
	ID        string              `yaml:"operationId"`
	Scope     *string             `yaml:"x-scope"`
	Responses map[string]response `yaml:"responses"`
}

type response struct {
	Ref     string `yaml:"$ref"`
	Content map[string]struct {
		Schema map[string]any `yaml:"schema"`
	} `yaml:"content"`
}

func parseDocument(t *testing.T, data []byte) *openAPI {
	t.Helper()
	d := &openAPI{}
	if err := yaml.Unmarshal(data, d); err != nil {
		t.Fatal(err)
	}
	return d
}

// schema returns what answers of an operation with a status look like.
func (d *openAPI) schema(o operation, status string) map[string]any {
	r, ok := o.Responses[status]
	if !ok {
		r = o.Responses["default"]
	}
	if name, ok := strings.CutPrefix(r.Ref, "#/components/responses/"); ok {
		r = d.Components.Responses[name]
	}
	return r.Content["application/json"].Schema
}

// check returns what is wrong with v, which is decoded JSON, against a schema:
// the words of JSON Schema that the document uses, and no other.
func (d *openAPI) check(at string, schema map[string]any, v any) []string {
	var wrong []string
	fail := func(format string, args ...any) { wrong = append(wrong, at+": "+fmt.Sprintf(format, args...)) }
	for word, want := range schema {
		switch word {
		case "$ref":
			name, _ := strings.CutPrefix(want.(string), "#/components/schemas/")
			if d.Components.Schemas[name] == nil {
				fail("no schema %q", name)
				continue
			}
			wrong = append(wrong, d.check(at, d.Components.Schemas[name], v)...)
		case "type":
			types, ok := want.([]any)
			if !ok {
				types = []any{want}
			}
			have := typeOf(v)
			if !slices.Contains(types, any(have)) && !(have == "integer" && slices.Contains(types, any("number"))) {
				fail("is %s, want %v", have, types)
			}
		case "enum":
			if !slices.Contains(want.([]any), v) {
				fail("%v is none of %v", v, want)
			}
		case "oneOf":
			fits := 0
			for _, s := range want.([]any) {
				if len(d.check(at, s.(map[string]any), v)) == 0 {
					fits++
				}
			}
			if fits != 1 {
				fail("fits %d of %d forms", fits, len(want.([]any)))
			}
		case "required":
			m, _ := v.(map[string]any)
			for _, name := range want.([]any) {
				if _, ok := m[name.(string)]; !ok && m != nil {
					fail("lacks %q", name)
				}
			}
		case "properties":
			m, _ := v.(map[string]any)
			for name, value := range m {
				s, ok := want.(map[string]any)[name]
				if ok {
					wrong = append(wrong, d.check(at+"."+name, s.(map[string]any), value)...)
				} else if schema["additionalProperties"] == false {
					fail("has %q, which the document does not", name)
				}
			}
		case "items":
			list, _ := v.([]any)
			for i, value := range list {
				wrong = append(wrong, d.check(fmt.Sprintf("%s[%d]", at, i), want.(map[string]any), value)...)
			}
		case "minimum", "maximum":
			n, ok := v.(float64)
			if bound := float64(want.(int)); !ok {
				continue // the type says whether it must be one
			} else if word == "minimum" && n < bound || word == "maximum" && n > bound {
				fail("%v is beyond the %s %v", n, word, bound)
			}
		case "description", "format", "additionalProperties", "maxLength":
		default:
			fail("the test does not know %q", word)
		}
	}
	return wrong
}

func typeOf(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case float64:
		if v == float64(int64(v)) {
			return "integer"
		}
		return "number"
	case string:
		return "string"
	case []any:
		return "array"
	}
	return "object"
}

// TestTheCheckFindsFaults holds the check itself to what it must find.
func TestTheCheckFindsFaults(t *testing.T) {
	d := &openAPI{}
	d.Components.Schemas = map[string]map[string]any{"Day": {"type": "string"}}
	schema := map[string]any{
		"type": "object", "required": []any{"a"}, "additionalProperties": false,
		"properties": map[string]any{"a": map[string]any{"type": []any{"integer", "null"}, "minimum": 1}, "b": map[string]any{"type": "array", "items": map[string]any{"$ref": "#/components/schemas/Day"}}, "c": map[string]any{"enum": []any{"x"}}},
	}
	for _, tt := range []struct {
		v    any
		good bool
	}{
		{map[string]any{"a": 1.0, "b": []any{"x"}, "c": "x"}, true}, {map[string]any{"a": nil}, true},
		{map[string]any{}, false}, {map[string]any{"a": "1"}, false}, {map[string]any{"a": 1.5}, false}, {map[string]any{"a": 0.0}, false},
		{map[string]any{"a": 1.0, "z": 1.0}, false}, {map[string]any{"a": 1.0, "b": []any{1.0}}, false}, {map[string]any{"a": 1.0, "c": "y"}, false}, {[]any{}, false},
	} {
		if wrong := d.check("v", schema, tt.v); tt.good != (len(wrong) == 0) {
			t.Errorf("check(%v) = %q, want good %v", tt.v, wrong, tt.good)
		}
	}
}
