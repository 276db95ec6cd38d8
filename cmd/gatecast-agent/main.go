// Command gatecast-agent is the daemon at a gate or village loudspeaker.
//
// Without a subcommand it runs until SIGTERM. The others enrol the device,
// look after its configuration and tell how it is doing; they may be used
// while the daemon runs. Results go to standard output, everything else to
// standard error.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"
	_ "time/tzdata" // the zone of the ceilings must be known on every device

	"gatecast/agent"
	"gatecast/agent/config"
	"gatecast/agent/enrol"
	"gatecast/agent/journal"
	"gatecast/internal/configfile"
)

// Exit statuses. The unit file has systemd leave the service alone after
// exitUsage and exitRefused: only a person can help.
const (
	exitOK      = 0
	exitBad     = 1 // something broke; trying again may help
	exitUsage   = 2 // not understood, or a configuration that breaks a rule
	exitRefused = 3 // the controller refused to enrol this device
)

const usageText = `用法 · usage: gatecast-agent [SUBCOMMAND] [FLAGS]

  run                       运行，直到 SIGTERM · run until SIGTERM (the default)
  join URL CODE FINGERPRINT 入网 · make this device a member, as the office's page shows it
  status [--json]           本机状态 · how this device is doing
  cards                     列出声音输出 · list the sound outputs
  tidy                      入网后删除用过的 join.txt · once a member, remove the used join.txt
  config describe           打印带说明的默认配置 · print the annotated default configuration
  config check              检查配置 · check the configuration
  version                   版本 · version

参数 · flags:
  --config FILE        配置文件 · configuration file (` + config.DefaultFile + `, if it exists)
  --data DIR           数据目录 · data folder
  --sink KIND          声音输出 · alsa, aplay, pulse or file
  --device NAME        输出设备 · device of that sink; a folder for file
  --report-jitter TIME 上报的随机延迟 · random delay of reports
  --json               输出 JSON · print JSON (status, cards)
`

// Set by the release build: -ldflags "-X main.release=1.2.3 -X main.built=2026-11-23T10:00:00Z".
var release, built string

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// program is one run with its streams and its configuration.
type program struct {
	out, err io.Writer
	file     string // the configuration file, empty for none
	json     bool
	cfg      config.Config
}

// errUsage marks what was not understood.
var errUsage = errors.New("usage")

func run(args []string, out, errw io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	p := &program{out: out, err: errw}
	words, cfg, err := p.parse(args)
	if err == nil {
		err = p.configure(cfg)
	}
	if err == nil {
		err = p.dispatch(ctx, words)
	}
	return p.exit(err)
}

// parse reads flags, which may stand anywhere, and returns the words between
// them and what the flags change in the configuration.
func (p *program) parse(args []string) (words []string, changes []func(*config.Config), err error) {
	fs := flag.NewFlagSet("gatecast-agent", flag.ContinueOnError)
	fs.SetOutput(p.err)
	fs.Usage = func() {} // printed where the error is
	fs.StringVar(&p.file, "config", "", "")
	fs.BoolVar(&p.json, "json", false, "")
	change := func(name string, f func(c *config.Config, s string)) {
		fs.Func(name, "", func(s string) error {
			changes = append(changes, func(c *config.Config) { f(c, s) })
			return nil
		})
	}
	change("data", func(c *config.Config, s string) { c.DataDir = s })
	change("sink", func(c *config.Config, s string) { c.Output.Sink = s })
	change("device", func(c *config.Config, s string) { c.Output.Device = s })
	fs.Func("report-jitter", "", func(s string) error {
		d, err := time.ParseDuration(s)
		changes = append(changes, func(c *config.Config) { c.ReportJitter = d })
		return err
	})
	for rest := args; ; {
		if err := fs.Parse(rest); errors.Is(err, flag.ErrHelp) {
			return nil, nil, err
		} else if err != nil {
			return nil, nil, errUsage // told already
		}
		if rest = fs.Args(); len(rest) == 0 {
			return words, changes, nil
		}
		words, rest = append(words, rest[0]), rest[1:]
	}
}

// configure loads defaults, file, environment and flags, in this order.
func (p *program) configure(changes []func(*config.Config)) (err error) {
	if p.file == "" {
		if _, err := os.Stat(config.DefaultFile); !errors.Is(err, fs.ErrNotExist) {
			p.file = config.DefaultFile
		}
	}
	if p.cfg, err = config.Load(p.file, os.LookupEnv); errors.Is(err, fs.ErrNotExist) {
		return &configfile.Error{File: p.file, Rule: "no such file · 找不到这个配置文件"}
	} else if err != nil {
		return err
	}
	for _, f := range changes {
		f(&p.cfg)
	}
	return nil
}

// dispatch runs the subcommand that words name.
func (p *program) dispatch(ctx context.Context, words []string) error {
	name := "run"
	if len(words) > 0 {
		name, words = words[0], words[1:]
	}
	switch {
	case name == "run" && len(words) == 0:
		return p.serve(ctx)
	case name == "join" && len(words) > 0:
		return p.join(ctx, words)
	case name == "status" && len(words) == 0:
		return p.status()
	case name == "cards" && len(words) == 0:
		return p.cards(ctx)
	case name == "config" && len(words) == 1 && words[0] == "describe":
		d := config.Defaults()
		return configfile.Describe(p.out, &d)
	case name == "config" && len(words) == 1 && words[0] == "check":
		if err := p.cfg.Validate(p.file); err != nil {
			return err
		}
		fmt.Fprintln(p.out, "配置没有问题 · the configuration is good")
		return nil
	case name == "tidy" && len(words) == 0:
		return agent.Tidy(p.options())
	case name == "version" && len(words) == 0:
		v, _ := version()
		fmt.Fprintln(p.out, "gatecast-agent", v)
		return nil
	case name == "help":
		return flag.ErrHelp
	}
	return errUsage
}

// exit tells people about err and returns the status.
func (p *program) exit(err error) int {
	var (
		refused *enrol.Error
		cfg     *configfile.Error
	)
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(p.out, usageText)
		return exitOK
	case errors.Is(err, errUsage):
		fmt.Fprint(p.err, usageText)
		return exitUsage
	case errors.As(err, &refused):
		fmt.Fprintf(p.err, "%s\n%s\n", refused.Text("zh"), refused.Text("en"))
		if refused.Retry() || refused.Code == enrol.BadDisk {
			return exitBad
		}
		return exitRefused
	case errors.As(err, &cfg):
		fmt.Fprintf(p.err, "%v\n配置有误，请改正上面指出的各项。 · Correct the settings named above.\n", err)
		return exitUsage
	case errors.Is(err, journal.ErrInUse):
		fmt.Fprintf(p.err, "数据目录“%s”正被另一个 gatecast-agent 使用，请先停止它（systemctl stop gatecast-agent）。\n", p.cfg.DataDir)
		fmt.Fprintf(p.err, "The data folder %q is in use by another gatecast-agent: stop that one first.\n", p.cfg.DataDir)
		return exitBad
	case errors.Is(err, syscall.ENOSPC):
		fmt.Fprintf(p.err, "磁盘已满，请清理“%s”所在的磁盘。\nThe disk of %q is full: make room on it. (%v)\n", p.cfg.DataDir, p.cfg.DataDir, err)
		return exitBad
	case errors.Is(err, fs.ErrPermission):
		fmt.Fprintf(p.err, "没有权限：%v。请用 root（sudo）运行，或检查目录的属主。\nNo permission: run it as root (sudo), or check who owns the folder.\n", err)
		return exitBad
	}
	fmt.Fprintln(p.err, "gatecast-agent:", err)
	return exitBad
}

func (p *program) logger() *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(p.cfg.Log.Level)) // validated
	o := &slog.HandlerOptions{Level: level}
	if p.cfg.Log.Format == "json" {
		return slog.New(slog.NewJSONHandler(p.err, o))
	}
	return slog.New(slog.NewTextHandler(p.err, o))
}

// options turns the configuration into what the agent needs.
func (p *program) options() agent.Options {
	o, c := agent.DefaultOptions(), p.cfg
	o.Version, o.Built = version()
	o.DataDir, o.Host = c.DataDir, c.Controller
	o.JoinLine, o.JoinFiles = c.Join.Line, c.Join.Files
	o.Sink, o.Device, o.Server = c.Output.Sink, c.Output.Device, c.Output.Server
	o.Volume, o.LeadIn = c.Output.VolumePct, c.Output.LeadIn
	o.ReportJitter, o.FetchJitter = c.ReportJitter, c.FetchJitter
	o.Logger = p.logger()
	return o
}

// version returns the program's version and when it was built; the zero time
// when that is not known.
func version() (string, time.Time) {
	name, at := release, built
	if info, ok := debug.ReadBuildInfo(); ok {
		if name == "" {
			name = info.Main.Version
		}
		for _, s := range info.Settings {
			if s.Key == "vcs.time" && at == "" {
				at = s.Value
			}
		}
	}
	if name == "" || name == "(devel)" {
		name = "devel"
	}
	t, err := time.Parse(time.RFC3339, at)
	if err != nil {
		return name, time.Time{}
	}
	return name, t
}
