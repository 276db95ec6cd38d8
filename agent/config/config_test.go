package config

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatecast/agent/link"
	"gatecast/internal/configfile"
)

func none(string) (string, bool) { return "", false }

// The example that ships says what the defaults are.
func TestShippedFileEqualsDefaults(t *testing.T) {
	path := filepath.Join("..", "..", "deploy", "gatecast-agent.yaml")
	want := Defaults()
	var b bytes.Buffer
	if err := configfile.Describe(&b, &want); err != nil {
		t.Fatal(err)
	}
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	shipped, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(b.String(), string(shipped)); diff != "" {
		t.Errorf("%s (-describe +file):\n%s", path, diff)
	}
	got, err := Load(path, none)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("defaults (-want +got):\n%s", diff)
	}
	if err := got.Validate(path); err != nil {
		t.Errorf("the shipped file is not valid: %v", err)
	}
}

func TestDefaultsAreThoseOfTheLink(t *testing.T) {
	c, l := Defaults(), link.DefaultOptions()
	if c.ReportJitter != l.ReportJitter || c.FetchJitter != l.FetchJitter {
		t.Errorf("jitters %s and %s, the link's are %s and %s", c.ReportJitter, c.FetchJitter, l.ReportJitter, l.FetchJitter)
	}
}

func TestPrecedenceIsDefaultsFileEnvironment(t *testing.T) {
	path := filepath.Join(t.TempDir(), "agent.yaml")
	if err := os.WriteFile(path, []byte("data_dir: /srv/a\noutput:\n  sink: pulse\n  volume_pct: 40\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"GATECAST_AGENT_OUTPUT_VOLUME_PCT": "30", "GATECAST_AGENT_REPORT_JITTER": "0s", "GATECAST_AGENT_JOIN_FILES": "/a, /b"}
	c, err := Load(path, func(k string) (string, bool) { v, ok := env[k]; return v, ok })
	if err != nil {
		t.Fatal(err)
	}
	want := Defaults()
	want.DataDir, want.Output.Sink, want.Output.VolumePct, want.ReportJitter, want.Join.Files = "/srv/a", "pulse", 30, 0, []string{"/a", "/b"}
	if diff := cmp.Diff(want, c); diff != "" {
		t.Errorf("Load (-want +got):\n%s", diff)
	}
}

func TestValidateNamesEachField(t *testing.T) {
	tests := map[string]struct {
		change func(*Config)
		want   string
	}{
		"no_folder":     {func(c *Config) { c.DataDir = "" }, "data_dir: "},
		"url_as_host":   {func(c *Config) { c.Controller = "https://10.0.0.1" }, `controller_host: "https://10.0.0.1" must be a name`},
		"port_in_host":  {func(c *Config) { c.Controller = "office:8444" }, `controller_host: "office:8444"`},
		"report_jitter": {func(c *Config) { c.ReportJitter = time.Hour }, "report_jitter: 1h0m0s is outside"},
		"fetch_jitter":  {func(c *Config) { c.FetchJitter = -1 }, "fetch_jitter: "},
		"join_line":     {func(c *Config) { c.Join.Line = "https://office 1234" }, "join.line: The join line is wrong"},
		"join_file":     {func(c *Config) { c.Join.Files = []string{""} }, "join.files: "},
		"sink":          {func(c *Config) { c.Output.Sink = "speaker" }, `output.sink: "speaker" is none of alsa, aplay, pulse, file`},
		"file_device":   {func(c *Config) { c.Output.Sink = "file" }, "output.device: the file sink needs a folder"},
		"volume":        {func(c *Config) { c.Output.VolumePct = 101 }, "output.volume_pct: 101"},
		"lead_in":       {func(c *Config) { c.Output.LeadIn = time.Minute }, "output.lead_in: 1m0s"},
		"level":         {func(c *Config) { c.Log.Level = "loud" }, `log.level: "loud"`},
		"format":        {func(c *Config) { c.Log.Format = "xml" }, `log.format: "xml"`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := Defaults()
			tt.change(&c)
			err := c.Validate("x.yaml")
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), "x.yaml: ") {
				t.Errorf("Validate = %v, want %s", err, tt.want)
			}
		})
	}
	c := Defaults()
	c.Controller = "fd00::5"
	if err := c.Validate("x.yaml"); err != nil {
		t.Errorf("IPv6 address as controller_host: %v", err)
	}
}
