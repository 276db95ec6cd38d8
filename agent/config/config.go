// Package config is what an operator writes for the agent: its file, the
// defaults, and the rules that values obey. Precedence is defaults, file,
// environment (GATECAST_AGENT_KEY, GATECAST_AGENT_SECTION_KEY), flags.
package config

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"gatecast/agent/enrol"
	"gatecast/audio/output"
	"gatecast/internal/configfile"
)

// EnvPrefix starts the names of environment variables.
const EnvPrefix = "GATECAST_AGENT"

// DefaultFile is read when no file is named, if it exists.
const DefaultFile = "/etc/gatecast/agent.yaml"

// Config is the agent's configuration. Defaults fills every field.
type Config struct {
	DataDir      string        `yaml:"data_dir" doc:"Key, plan, clips and records. Losing it means enrolling again; copying it to a second device locks both out."`
	Controller   string        `yaml:"controller_host" doc:"Name or address of the controller, if it moved after this device enrolled. Empty: where it enrolled."`
	ReportJitter time.Duration `yaml:"report_jitter" doc:"Records wait a random time up to this, so that a whole town does not report in the same second, 0s to 10m."`
	FetchJitter  time.Duration `yaml:"fetch_jitter" doc:"New clips are fetched at a random moment within this, sooner when a slot is near, 0s to 1h."`
	Join         Join          `yaml:"join" doc:"How a new device becomes a member. Does nothing once it is one."`
	Output       Output        `yaml:"output" doc:"Where it sounds. See: gatecast-agent cards"`
	Log          Log           `yaml:"log" doc:"Log on standard error."`
}

// Join configures enrolment.
type Join struct {
	Line  string   `yaml:"line" doc:"The line that the office shows for this point: https://HOST:PORT CODE FINGERPRINT"`
	Files []string `yaml:"files" doc:"Files that may hold the line instead, so that a card can be prepared on any computer."`
}

// Output configures the sound.
type Output struct {
	Sink      string        `yaml:"sink" doc:"alsa (the sound card itself), aplay, pulse (PulseAudio, PipeWire) or file (WAV files, for trying it out)."`
	Device    string        `yaml:"device" doc:"alsa: hw:CARD=name; aplay: any ALSA name; pulse: a sink's name; empty means the first or default one.\nfile: a folder, never empty."`
	Server    string        `yaml:"server" doc:"pulse: address of the server. Empty: the usual places."`
	VolumePct int           `yaml:"volume_pct" doc:"Mixer volume, 1 to 100 percent, never above what the office signed.\n0 leaves the mixer as it is, and then no ceiling holds it: not for a gate."`
	LeadIn    time.Duration `yaml:"lead_in" doc:"Silence before each clip, for amplifiers that wake up late, 0s to 5s."`
}

// Log configures logging.
type Log struct {
	Level  string `yaml:"level" doc:"debug, info, warn or error."`
	Format string `yaml:"format" doc:"text or json."`
}

// Defaults returns the configuration that an empty file means.
func Defaults() Config {
	return Config{
		DataDir:      "/var/lib/gatecast-agent",
		ReportJitter: 2 * time.Second,
		FetchJitter:  30 * time.Second,
		Join:         Join{Files: []string{"/boot/firmware/join.txt", "/boot/join.txt"}},
		Output:       Output{Sink: output.ALSA, VolumePct: 60},
		Log:          Log{Level: "info", Format: "text"},
	}
}

// Load returns the defaults overwritten by the file at path, unless path is
// empty, and by the environment that lookup finds. Validate it once flags have
// had their say.
func Load(path string, lookup func(string) (string, bool)) (Config, error) {
	c := Defaults()
	if path != "" {
		if err := configfile.Load(path, &c); err != nil {
			return c, err
		}
	}
	return c, configfile.Env(EnvPrefix, lookup, &c)
}

// Validate checks every value and names each one that breaks its rule. file
// stands in the errors.
func (c Config) Validate(file string) error {
	var errs []error
	fail := func(key, format string, args ...any) {
		errs = append(errs, &configfile.Error{File: file, Key: key, Rule: fmt.Sprintf(format, args...)})
	}
	if c.DataDir == "" {
		fail("data_dir", "must name a folder")
	}
	if h := c.Controller; strings.ContainsAny(h, "/ @") || strings.Contains(h, ":") && net.ParseIP(h) == nil {
		fail("controller_host", "%q must be a name or an address, without https:// and port", h)
	}
	if c.ReportJitter < 0 || c.ReportJitter > 10*time.Minute {
		fail("report_jitter", "%s is outside 0s to 10m", c.ReportJitter)
	}
	if c.FetchJitter < 0 || c.FetchJitter > time.Hour {
		fail("fetch_jitter", "%s is outside 0s to 1h", c.FetchJitter)
	}
	if c.Join.Line != "" {
		if _, err := enrol.ParseJoinLine(c.Join.Line); err != nil {
			fail("join.line", "%s", enrol.TextOf(err, "en"))
		}
	}
	if slices.Contains(c.Join.Files, "") {
		fail("join.files", "a name is empty")
	}
	if !slices.Contains(output.Kinds(), c.Output.Sink) {
		fail("output.sink", "%q is none of %s", c.Output.Sink, strings.Join(output.Kinds(), ", "))
	}
	if c.Output.Sink == output.File && c.Output.Device == "" {
		fail("output.device", "the file sink needs a folder")
	}
	if c.Output.VolumePct < 0 || c.Output.VolumePct > 100 {
		fail("output.volume_pct", "%d is outside 0 to 100", c.Output.VolumePct)
	}
	if c.Output.LeadIn < 0 || c.Output.LeadIn > 5*time.Second {
		fail("output.lead_in", "%s is outside 0s to 5s", c.Output.LeadIn)
	}
	if !slices.Contains([]string{"debug", "info", "warn", "error"}, c.Log.Level) {
		fail("log.level", "%q is none of debug, info, warn, error", c.Log.Level)
	}
	if !slices.Contains([]string{"text", "json"}, c.Log.Format) {
		fail("log.format", "%q is neither text nor json", c.Log.Format)
	}
	return errors.Join(errs...)
}
