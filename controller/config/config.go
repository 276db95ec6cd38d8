// Package config is what an operator writes for the controller: its file, the
// defaults, and the rules that values obey. Precedence is defaults, file,
// environment (GATECAST_CONTROLLER_SECTION_KEY), flags.
package config

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/configfile"
)

// EnvPrefix starts the names of environment variables.
const EnvPrefix = "GATECAST_CONTROLLER"

// Config is the controller's configuration. Defaults fills every field.
type Config struct {
	DataDir   string    `yaml:"data_dir" doc:"Database, clips and keys. Back it up; who can read it can speak for the office."`
	Name      string    `yaml:"name" doc:"Name of the office, shown on every page."`
	Hosts     []string  `yaml:"hosts" doc:"Names and addresses by which gates reach this machine, the first one in join lines.\nEmpty: the machine's own addresses."`
	Web       Web       `yaml:"web" doc:"The pages of the office."`
	Devices   Devices   `yaml:"devices" doc:"What the gates connect to. Open both ports in the firewall."`
	Tables    []string  `yaml:"holiday_tables" doc:"Files with the public holidays of further years, JSON in the form of the holiday-cn project;\n2026 is built in. Without the table of a year Monday to Friday count as workdays in it."`
	Sound     Sound     `yaml:"sound" doc:"Ceilings that every device enforces, whatever it is told."`
	Speech    Speech    `yaml:"speech" doc:"Who reads texts aloud."`
	Robots    Robots    `yaml:"robots" doc:"Robots of group chats and webhooks, which are set up on the page /settings/robots."`
	Metrics   Metrics   `yaml:"metrics" doc:"Figures for Prometheus."`
	Retention Retention `yaml:"retention" doc:"How long what is kept of people stays."`
	Backup    Backup    `yaml:"backup" doc:"What the controller saves every night, encrypted."`
	Log       Log       `yaml:"log" doc:"Log on standard error."`
}

// Web configures the pages.
type Web struct {
	Listen   string        `yaml:"listen" doc:"Address of the pages and of the API."`
	Plain    bool          `yaml:"plain_http" doc:"Serve without TLS. Only for a loopback address or behind a proxy that adds TLS."`
	Redirect string        `yaml:"redirect_listen" doc:"Address that sends plain HTTP on to the pages, such as :80. Empty: none."`
	CertFile string        `yaml:"cert_file" doc:"Certificate chain (PEM). Empty: one by the controller's own CA. A new file is taken without a restart;\nbrowsers are told to insist on TLS (HSTS) only with a certificate of your own."`
	KeyFile  string        `yaml:"key_file" doc:"Private key (PEM) of cert_file."`
	Idle     time.Duration `yaml:"idle_logout" doc:"A login ends after this long without a click, 1m to 12h."`
	// AdminAddresses and TrustedProxies are networks: doorway.ParsePrefixes.
	AdminAddresses []string `yaml:"admin_addresses" doc:"Networks from which accounts, settings and the audit may be opened, such as 192.168.1.0/24.\nEmpty: from everywhere. The controller's own machine always may, unless plain_http is on."`
	TrustedProxies []string `yaml:"trusted_proxies" doc:"Proxies in front of the pages, whose X-Forwarded-For is believed."`
	// AdminIdle is for accounts that administer the system.
	AdminIdle time.Duration `yaml:"admin_idle_logout" doc:"The same for administrators, 1m to 12h; never longer than idle_logout."`
}

// Devices configures the device side.
type Devices struct {
	HTTPS string `yaml:"https_listen" doc:"Address for enrolment, clips and plans (HTTPS)."`
	MQTT  string `yaml:"mqtt_listen" doc:"Address of the embedded MQTT broker (TLS)."`
	// Broker replaces the embedded one.
	Broker string `yaml:"mqtt_broker" doc:"host:port of an MQTT broker of your own, as gates reach it; deploy/broker shows how to set one up.\nEmpty: the embedded one."`
	// StaleAfter and DefaultClip go into every plan.
	StaleAfter  time.Duration `yaml:"stale_after" doc:"A gate that has not heard from this machine for so long says so and plays only default_clip,\n24h to 9600h; 0s: it goes on with its plan."`
	DefaultClip string        `yaml:"default_clip" doc:"Name of a clip in the library that is never out of date.\nEmpty: gates go on with their plan, and say that it is old."`
}

// Sound holds the ceilings.
type Sound struct {
	Zone         string        `yaml:"zone" doc:"Time zone of the hours below."`
	Hours        []string      `yaml:"allowed_hours" doc:"Nothing sounds outside, not even by mistake."`
	Night        string        `yaml:"night_quiet" doc:"Night: an urgent broadcast needs two approvers. Such as 22:00-06:00."`
	Midday       string        `yaml:"midday_quiet" doc:"Midday rest: likewise. Empty: none."`
	MaxGainDB    float64       `yaml:"max_gain_db" doc:"Highest digital gain, -60 to 40 dB."`
	MaxVolumePct int           `yaml:"max_volume_pct" doc:"Highest mixer volume, 1 to 100 percent."`
	MaxPerHour   int           `yaml:"max_plays_per_hour" doc:"Per point, 1 to 720."`
	MaxClip      time.Duration `yaml:"max_clip" doc:"Longest clip, 1s to 10m."`
	ReplaceLead  time.Duration `yaml:"replace_lead" doc:"A clip can be replaced in a slot, and that undone, until so long before it starts, 1s to 1h."`
}

// Speech configures the synthesiser of texts.
type Speech struct {
	Command []string      `yaml:"command" doc:"Program by absolute path and its arguments: text in UTF-8 on standard input, a WAV file on standard output.\nEmpty: espeak-ng where it is installed."`
	Timeout time.Duration `yaml:"timeout" doc:"Longest time for one text, 1s to 2m."`
}

// Robots bounds whom the controller calls.
type Robots struct {
	Hosts []string `yaml:"allowed_hosts" doc:"host or host:port of webhooks, or of a stand-in for a platform; http is allowed for them, too.\nEmpty: nothing but the robots of WeCom, DingTalk and Feishu may be called."`
}

// check tells fail which hosts are none.
func (r Robots) check(fail func(key, format string, args ...any)) {
	for _, h := range r.Hosts {
		u, err := url.Parse("https://" + h + "/")
		if err != nil || u.Host != h || h == "" || u.User != nil || u.Path != "/" {
			fail("robots.allowed_hosts", "%q is neither a host nor host:port, such as screen.example.cn or 10.1.2.3:8080", h)
		}
	}
}

// Metrics configures the figures of the controller.
type Metrics struct {
	Listen string `yaml:"listen" doc:"Address that serves /metrics by plain HTTP to whoever reaches it, such as 127.0.0.1:9464. Empty: none."`
}

// Retention says how long the audit and personal data are kept. Journals of
// devices, what was owed and how it was settled, publications and signed
// documents are never dropped.
type Retention struct {
	AuditDays int `yaml:"audit_days" doc:"Lines of the audit older than this are dropped, 184 to 36500 days. The law demands six months."`
	PhoneDays int `yaml:"leaver_phone_days" doc:"The telephone number of somebody who left is erased after this, 1 to 3650 days; the name stays."`
}

// Audit returns how long lines of the audit are kept.
func (r Retention) Audit() time.Duration { return time.Duration(r.AuditDays) * 24 * time.Hour }

// Phone returns how long the number of somebody who left is kept.
func (r Retention) Phone() time.Duration { return time.Duration(r.PhoneDays) * 24 * time.Hour }

// Log configures logging.
type Log struct {
	Level  string `yaml:"level" doc:"debug, info, warn or error."`
	Format string `yaml:"format" doc:"text or json."`
}

// Defaults returns the configuration that an empty file means.
func Defaults() Config {
	return Config{
		DataDir: "/var/lib/gatecast-controller",
		Name:    "示例街道",
		Hosts:   []string{},
		Tables:  []string{},
		Web:     Web{Listen: ":8443", Idle: 30 * time.Minute, AdminIdle: 10 * time.Minute, AdminAddresses: []string{}, TrustedProxies: []string{}},
		Devices: Devices{HTTPS: ":8444", MQTT: ":8883", StaleAfter: 14 * 24 * time.Hour},
		Sound: Sound{
			Zone: "Asia/Shanghai", Hours: []string{"06:00-22:00"}, Night: "22:00-06:00", Midday: "12:00-14:00", MaxGainDB: 24,
			MaxVolumePct: 80, MaxPerHour: 20, MaxClip: 3 * time.Minute, ReplaceLead: 2 * time.Minute,
		},
		Speech:    Speech{Command: []string{}, Timeout: 20 * time.Second},
		Robots:    Robots{Hosts: []string{}},
		Retention: Retention{AuditDays: int(fleet.DefaultRetention / (24 * time.Hour)), PhoneDays: int(fleet.DefaultErasePhone / (24 * time.Hour))},
		Backup:    Backup{At: "03:10", Keep: 14},
		Log:       Log{Level: "info", Format: "text"},
	}
}

// Load returns the defaults overwritten by the file at path, unless path is
// empty, and by the environment that lookup finds, after Validate.
func Load(path string, lookup func(string) (string, bool)) (Config, error) {
	c := Defaults()
	if path != "" {
		if err := configfile.Load(path, &c); err != nil {
			return c, err
		}
	}
	if err := configfile.Env(EnvPrefix, lookup, &c); err != nil {
		return c, err
	}
	return c, c.Validate(path)
}

// Validate checks every value and names each one that breaks its rule.
func (c Config) Validate(file string) error {
	var errs []error
	fail := func(key, format string, args ...any) {
		errs = append(errs, &configfile.Error{File: file, Key: key, Rule: fmt.Sprintf(format, args...)})
	}
	if c.DataDir == "" {
		fail("data_dir", "must name a folder")
	}
	for key, addr := range map[string]string{"web.listen": c.Web.Listen, "devices.https_listen": c.Devices.HTTPS, "devices.mqtt_listen": c.Devices.MQTT} {
		if _, _, err := net.SplitHostPort(addr); err != nil {
			fail(key, "%q is no address such as :8443 or 127.0.0.1:8443", addr)
		}
	}
	if _, _, err := net.SplitHostPort(c.Metrics.Listen); c.Metrics.Listen != "" && err != nil {
		fail("metrics.listen", "%q is no address such as 127.0.0.1:9464", c.Metrics.Listen)
	}
	if host, port, err := net.SplitHostPort(c.Devices.Broker); c.Devices.Broker != "" && (err != nil || host == "" || port == "") {
		fail("devices.mqtt_broker", "%q is no address such as mqtt.example.cn:8883", c.Devices.Broker)
	}
	if s := c.Devices.StaleAfter; s != 0 && (s < 24*time.Hour || s > 9600*time.Hour || s%time.Second != 0) {
		fail("devices.stale_after", "%s is neither 0s nor within 24h to 9600h", s)
	}
	c.Web.check(fail)
	c.Robots.check(fail)
	c.Backup.check(fail)
	if _, err := c.Calendar(); err != nil {
		fail("holiday_tables", "%v", err)
	}
	if c.Web.Idle < time.Minute || c.Web.Idle > 12*time.Hour {
		fail("web.idle_logout", "%s is outside 1m to 12h", c.Web.Idle)
	}
	if c.Web.AdminIdle < time.Minute || c.Web.AdminIdle > 12*time.Hour {
		fail("web.admin_idle_logout", "%s is outside 1m to 12h", c.Web.AdminIdle)
	}
	if _, err := time.LoadLocation(c.Sound.Zone); err != nil || c.Sound.Zone == "" {
		fail("sound.zone", "%q is no time zone such as Asia/Shanghai", c.Sound.Zone)
	}
	if l := c.Sound.ReplaceLead; l < time.Second || l > time.Hour {
		fail("sound.replace_lead", "%s is outside 1s to 1h", l)
	}
	if _, err := c.Sound.windows(); err != nil {
		fail("sound.allowed_hours", "%v", err)
	}
	if _, err := c.Sound.Quiet(); err != nil {
		fail("sound.night_quiet", "or midday_quiet: %v", err)
	}
	if c.Sound.MaxGainDB < -60 || c.Sound.MaxGainDB > 40 {
		fail("sound.max_gain_db", "%g is outside -60 to 40", c.Sound.MaxGainDB)
	}
	if c.Sound.MaxVolumePct < 1 || c.Sound.MaxVolumePct > 100 {
		fail("sound.max_volume_pct", "%d is outside 1 to 100", c.Sound.MaxVolumePct)
	}
	if c.Sound.MaxPerHour < 1 || c.Sound.MaxPerHour > 720 {
		fail("sound.max_plays_per_hour", "%d is outside 1 to 720", c.Sound.MaxPerHour)
	}
	if c.Sound.MaxClip < time.Second || c.Sound.MaxClip > 10*time.Minute {
		fail("sound.max_clip", "%s is outside 1s to 10m", c.Sound.MaxClip)
	}
	if len(c.Speech.Command) > 0 && !filepath.IsAbs(c.Speech.Command[0]) {
		fail("speech.command", "%q is no absolute path such as /usr/bin/espeak-ng", c.Speech.Command[0])
	}
	if c.Speech.Timeout < time.Second || c.Speech.Timeout > 2*time.Minute {
		fail("speech.timeout", "%s is outside 1s to 2m", c.Speech.Timeout)
	}
	if err := fleet.CheckRetention(c.Retention.Audit()); err != nil {
		fail("retention.audit_days", "%d is below 184: the audit is kept for at least 184 days, as the law demands six months of logs (审计至少保存 184 天)", c.Retention.AuditDays)
	} else if c.Retention.AuditDays > 36500 {
		fail("retention.audit_days", "%d is outside 184 to 36500", c.Retention.AuditDays)
	}
	if c.Retention.PhoneDays < 1 || c.Retention.PhoneDays > 3650 {
		fail("retention.leaver_phone_days", "%d is outside 1 to 3650", c.Retention.PhoneDays)
	}
	if !oneOf(c.Log.Level, "debug", "info", "warn", "error") {
		fail("log.level", "%q is none of debug, info, warn, error", c.Log.Level)
	}
	if !oneOf(c.Log.Format, "text", "json") {
		fail("log.format", "%q is neither text nor json", c.Log.Format)
	}
	return errors.Join(errs...)
}

func oneOf(s string, words ...string) bool {
	for _, w := range words {
		if s == w {
			return true
		}
	}
	return false
}
