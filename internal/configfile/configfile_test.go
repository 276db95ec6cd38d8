package configfile

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

type testConfig struct {
	Dir  string   `yaml:"data_dir" doc:"Where everything is kept."`
	Tags []string `yaml:"tags" doc:"Any number of words."`
	Web  struct {
		Addr  string        `yaml:"listen" doc:"Address of the pages."`
		Idle  time.Duration `yaml:"idle"`
		Debug bool          `yaml:"debug"`
		Max   int           `yaml:"max"`
		Gain  float64       `yaml:"gain"`
	} `yaml:"web" doc:"The office's pages."`
}

func defaults() testConfig {
	c := testConfig{Dir: "/var/lib/x", Tags: []string{"a", "b"}}
	c.Web.Addr, c.Web.Idle, c.Web.Max, c.Web.Gain = ":80", 30*time.Minute, 7, -1.5
	return c
}

func TestDescribeReadsBack(t *testing.T) {
	var b bytes.Buffer
	want := defaults()
	if err := Describe(&b, &want); err != nil {
		t.Fatal(err)
	}
	var got testConfig
	if err := Parse("x.yaml", b.Bytes(), &got); err != nil {
		t.Fatalf("%v\n%s", err, b.String())
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s\n%s", diff, b.String())
	}
	if !strings.Contains(b.String(), "  # Address of the pages.\n") {
		t.Errorf("no comment in\n%s", b.String())
	}
}

func TestParseNamesWhatIsWrong(t *testing.T) {
	tests := map[string]struct{ in, want string }{
		"unknown_key":   {"data_dirr: x\n", `x.yaml:1: data_dirr: unknown key; known are · 没有这个键，可用的有: data_dir, tags, web`},
		"nested_typo":   {"web:\n  lisen: x\n", `x.yaml:2: web.lisen: unknown key; known are · 没有这个键，可用的有: listen, idle, debug, max, gain`},
		"bad_duration":  {"web:\n  idle: soon\n", `x.yaml:2: web.idle: "soon" is no duration such as · 不是时长，写法如: 30s, 5m`},
		"bad_bool":      {"web:\n  debug: 7up\n", `x.yaml:2: web.debug: "7up" is no true or false · 这里应填 true 或 false`},
		"bad_number":    {"web:\n  max: many\n", `x.yaml:2: web.max: "many" is no whole number · 这里应填整数`},
		"twice":         {"data_dir: a\ndata_dir: b\n", `x.yaml:2: data_dir: stands here twice · 写了两遍，请去掉一处`},
		"a_list":        {"- a\n", `x.yaml:1: want key: value lines · 应写成“键: 值”`},
		"no_yaml":       {"a: [\n", `x.yaml: line 1: did not find expected node content`},
		"two_documents": {"data_dir: a\n---\ndata_dir: b\n", `x.yaml: one document only: remove what follows --- · 只能有一段，请去掉 --- 之后的内容`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := defaults()
			err := Parse("x.yaml", []byte(tt.in), &c)
			if err == nil || err.Error() != tt.want {
				t.Errorf("Parse = %v, want %s", err, tt.want)
			}
			var e *Error
			if !errors.As(err, &e) {
				t.Errorf("%T holds no *Error", err)
			}
		})
	}
}

func TestAbsentKeepsDefault(t *testing.T) {
	for _, in := range []string{"", "# nothing\n", "web:\n", "tags: [a, b]\n"} {
		got := defaults()
		if err := Parse("x.yaml", []byte(in), &got); err != nil {
			t.Errorf("Parse(%q) = %v", in, err)
		}
		if diff := cmp.Diff(defaults(), got); diff != "" {
			t.Errorf("Parse(%q) changed:\n%s", in, diff)
		}
	}
}

func TestEnvOverrides(t *testing.T) {
	env := map[string]string{"GC_DATA_DIR": "123", "GC_WEB_IDLE": "5s", "GC_TAGS": "x, y", "GC_WEB_MAX": "many"}
	c := defaults()
	err := Env("GC", func(k string) (string, bool) { v, ok := env[k]; return v, ok }, &c)
	if err == nil || err.Error() != `GC_WEB_MAX: "many" is no whole number · 这里应填整数` {
		t.Errorf("Env = %v", err)
	}
	if c.Dir != "123" || c.Web.Idle != 5*time.Second || !cmp.Equal(c.Tags, []string{"x", "y"}) || c.Web.Max != 7 {
		t.Errorf("Env left %+v", c)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("data_dir: x\nweb:\n  idle: 3s\n"))
	f.Add([]byte("web: &a\n  idle: *a\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c := defaults()
		_ = Parse("x.yaml", data, &c)
	})
}
