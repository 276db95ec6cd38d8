package config

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatecast/internal/configfile"
	"gatecast/internal/wire"
)

func none(string) (string, bool) { return "", false }

// The example that ships says what the defaults are.
func TestShippedFileEqualsDefaults(t *testing.T) {
	path := filepath.Join("..", "..", "deploy", "gatecast-controller.yaml")
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
}

func TestValidateNamesEachField(t *testing.T) {
	tests := map[string]struct {
		change func(*Config)
		want   string
	}{
		"audit_floor":   {func(c *Config) { c.Retention.AuditDays = 183 }, "retention.audit_days: 183 is below 184: the audit is kept for at least 184 days"},
		"audit_none":    {func(c *Config) { c.Retention.AuditDays = 0 }, "retention.audit_days: 0 is below 184"},
		"audit_endless": {func(c *Config) { c.Retention.AuditDays = 40000 }, "retention.audit_days: 40000"},
		"phone_days":    {func(c *Config) { c.Retention.PhoneDays = 0 }, "retention.leaver_phone_days: 0"},
		"no_folder":     {func(c *Config) { c.DataDir = "" }, "data_dir: must name a folder"},
		"no_table":      {func(c *Config) { c.Tables = []string{"/no/2027.json"} }, "holiday_tables: reading holiday table: open /no/2027.json"},
		"bad_table":     {func(c *Config) { c.Tables = []string{"config.go"} }, `holiday_tables: "config.go": reading holiday table`},
		"robot_host":    {func(c *Config) { c.Robots.Hosts = []string{"https://a.example/x"} }, `robots.allowed_hosts: "https://a.example/x" is neither`},
		"metrics":       {func(c *Config) { c.Metrics.Listen = "9464" }, `metrics.listen: "9464" is no address`},
		"robot_none":    {func(c *Config) { c.Robots.Hosts = []string{""} }, `robots.allowed_hosts: "" is neither`},
		"web_address":   {func(c *Config) { c.Web.Listen = "8443" }, `web.listen: "8443" is no address`},
		"https":         {func(c *Config) { c.Devices.HTTPS = "" }, `devices.https_listen: "" is no address`},
		"mqtt":          {func(c *Config) { c.Devices.MQTT = "x:y:z" }, `devices.mqtt_listen: "x:y:z"`},
		"broker":        {func(c *Config) { c.Devices.Broker = ":8883" }, `devices.mqtt_broker: ":8883"`},
		"stale_never":   {func(c *Config) { c.Devices.StaleAfter = time.Minute }, "devices.stale_after: 1m0s"},
		"cert_alone":    {func(c *Config) { c.Web.CertFile = "config.go" }, "cert_file and key_file go together"},
		"cert_no_pem":   {func(c *Config) { c.Web.CertFile, c.Web.KeyFile = "config.go", "config.go" }, "are no PEM certificate and key"},
		"admins":        {func(c *Config) { c.Web.AdminAddresses = []string{"192.168.1.7/24"} }, "web.admin_addresses: \"192.168.1.7/24\" is an address with a length: write 192.168.1.0/24"},
		"proxies":       {func(c *Config) { c.Web.TrustedProxies = []string{"proxy"} }, `web.trusted_proxies: "proxy" is no address or network`},
		"all_proxies":   {func(c *Config) { c.Web.TrustedProxies = []string{"0.0.0.0/0"} }, "web.trusted_proxies: 0.0.0.0/0 is everybody"},
		"hidden_admins": {func(c *Config) {
			c.Web.Listen, c.Web.Plain, c.Web.AdminAddresses = "127.0.0.1:8080", true, []string{"192.168.1.0/24"}
		}, "web.admin_addresses: behind a proxy on this machine everybody has its address"},
		"redirect":       {func(c *Config) { c.Web.Redirect = "80" }, `web.redirect_listen: "80" is no address`},
		"redirect_plain": {func(c *Config) { c.Web.Redirect, c.Web.Plain = ":80", true }, "web.redirect_listen: there is no HTTPS to send to"},
		"cert_absent":    {func(c *Config) { c.Web.CertFile, c.Web.KeyFile = "no.pem", "config.go" }, `"no.pem" cannot be read`},
		"idle":           {func(c *Config) { c.Web.Idle = 0 }, "web.idle_logout: 0s is outside"},
		"zone":           {func(c *Config) { c.Sound.Zone = "China" }, `sound.zone: "China" is no time zone`},
		"no_hours":       {func(c *Config) { c.Sound.Hours = nil }, "sound.allowed_hours: empty"},
		"bad_hours":      {func(c *Config) { c.Sound.Hours = []string{"22:00-06:00"} }, `"22:00-06:00" is no range`},
		"gain":           {func(c *Config) { c.Sound.MaxGainDB = 99 }, "sound.max_gain_db: 99"},
		"volume":         {func(c *Config) { c.Sound.MaxVolumePct = 0 }, "sound.max_volume_pct: 0"},
		"plays":          {func(c *Config) { c.Sound.MaxPerHour = 0 }, "sound.max_plays_per_hour: 0"},
		"clip":           {func(c *Config) { c.Sound.MaxClip = time.Hour }, "sound.max_clip: 1h0m0s"},
		"voice":          {func(c *Config) { c.Speech.Command = []string{"espeak-ng"} }, `speech.command: "espeak-ng" is no absolute path`},
		"voice_slow":     {func(c *Config) { c.Speech.Timeout = time.Hour }, "speech.timeout: 1h0m0s"},
		"no_night":       {func(c *Config) { c.Sound.Night = "" }, "sound.night_quiet"},
		"bad_midday":     {func(c *Config) { c.Sound.Midday = "noon" }, `"noon" is no range`},
		"level":          {func(c *Config) { c.Log.Level = "loud" }, `log.level: "loud"`},
		"format":         {func(c *Config) { c.Log.Format = "xml" }, `log.format: "xml"`},
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
}

func TestCeilingsOfHours(t *testing.T) {
	c := Defaults()
	c.Sound.Hours = []string{"06:00-12:00", "14:00 - 24:00"}
	got, err := c.Ceilings()
	if err != nil {
		t.Fatal(err)
	}
	want := []wire.DailyWindow{{FirstMin: 360, LastMin: 720}, {FirstMin: 840, LastMin: 1440}}
	if diff := cmp.Diff(want, got.Allowed); diff != "" {
		t.Errorf("Allowed (-want +got):\n%s", diff)
	}
}

// TestRetentionCanBeSet holds that the floor is the only bar.
func TestRetentionCanBeSet(t *testing.T) {
	for _, days := range []int{184, 400, 3650} {
		c := Defaults()
		c.Retention.AuditDays = days
		if err := c.Validate(""); err != nil || c.Retention.Audit() != time.Duration(days)*24*time.Hour {
			t.Errorf("%d days: %v, %s", days, err, c.Retention.Audit())
		}
	}
}
