// Command gatecast-controller is the server in the office.
//
// Without a subcommand it runs until SIGTERM. The others look after its
// configuration, its accounts and its registry; those that touch the store
// want the server stopped, because one process at a time holds it.
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
	_ "time/tzdata" // the office's zone must be known on every machine

	"gatecast/controller"
	"gatecast/controller/config"
	"gatecast/controller/dossier"
	"gatecast/controller/fleet"
	"gatecast/internal/configfile"
	"gatecast/internal/sdnotify"
)

// Exit statuses. The unit file has systemd leave the service alone after
// exitUsage: only a person can help.
const (
	exitOK    = 0
	exitBad   = 1 // something broke; trying again may help
	exitUsage = 2 // not understood, or a configuration that breaks a rule
)

const usageText = `用法 · usage: gatecast-controller [SUBCOMMAND] [--config FILE]

  run                     运行，直到 SIGTERM · run until SIGTERM (the default)
  config describe         打印带说明的默认配置 · print the annotated default configuration
  config check            检查配置文件 · check a configuration file
  users                   列出账号 · list the accounts
  password LOGIN [--role ROLE]
                          设置一次性口令并打印；给出角色（如 approver 签发人）可新建账号
                          · set and print a one-time password; with a role (e.g. approver) it makes the account
  unlock LOGIN            解除登录暂停 · lift the pause after wrong passwords
  user add LOGIN --role ROLE --name NAME [--company COMPANY]
                          新建账号 · make an account
  user role LOGIN ROLE    改角色 · change a role
  user disable|enable|code-off LOGIN
                          停用、启用、关闭两步验证 · disable, enable, turn the second factor off
  registry example        打印名册样例 · print an example registry
  registry import FILE    导入名册（可重复） · import units, compounds, points, groups, liaisons
  init [--root-out FILE] [--release-out FILE] [--paper FILE.html]
                          生成全部密钥，打印根密钥的纸质备份 · make all keys, print the root key for paper
  keys                    列出现用密钥 · list the keys in force
  rotate root|library|director|release|ca [--root-key FILE]
                          更换一把密钥，设备自动跟上；ca 另有 --finish、--now · replace a key; devices follow
  root paper|restore      重印纸质备份 / 从纸上找回根密钥 · print the paper again, or read it back
  mode strict --library-key-out FILE | --library-public KEY
                          严格模式：素材密钥不在主控上 · strict mode: the library key leaves the controller
  mode default [--library-key FILE]
                          回到默认模式 · back to default mode
  backup FILE [--plain]   加密备份数据库、密钥和素材，可在运行中做；--plain 不加密
                          · back up database, keys and clips, encrypted; also while running
  backup passphrase       打印备份口令，请抄在纸上 · print the passphrase of backups, to be written on paper
  restore FILE [--passphrase-file FILE] [--check]
                          用备份恢复，替下的数据另存；--check 只核对备份是否完好
                          · restore a backup, what it replaces is kept aside; --check only proves that it is whole
  export --from DAY --to DAY [--point CODE] FILE.zip|DIR
                          导出证据包，可离线核验 · export the evidence of a period
  audit verify            核对审计有没有被改动，可在运行中做 · check the audit; also while running
  fingerprint             打印网页证书的指纹，供核对 · print the fingerprints of the pages' certificate
  version                 版本 · version

registry import、restore、init、rotate 和 mode 须先停服务 · need the server stopped: systemctl stop gatecast-controller
关于账号的命令在运行中也可用 · the commands about accounts work while it runs, too
`

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// program is one run with its streams and its configuration.
type program struct {
	in       io.Reader
	out, err io.Writer
	keys     keyFlags
	file     string
	cfg      config.Config
	period   dossier.Query // of export
	role     fleet.Role    // of an account that is made, like name and company
	name     string
	company  string

	check, plain bool // of restore and backup
}

func run(args []string, out, errw io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	p := &program{in: os.Stdin, out: out, err: errw}
	flags := flag.NewFlagSet("gatecast-controller", flag.ContinueOnError)
	flags.SetOutput(errw)
	flags.Usage = func() { fmt.Fprint(errw, usageText) }
	flags.StringVar(&p.file, "config", "", "configuration file")
	dataDir := flags.String("data", "", "data folder, instead of the configuration's")
	flags.StringVar((*string)(&p.period.From), "from", "", "first day of an export, 2006-01-02")
	flags.StringVar((*string)(&p.period.To), "to", "", "last day of an export")
	flags.StringVar(&p.period.Point, "point", "", "code of the one point to export")
	flags.StringVar((*string)(&p.role), "role", "", "role of a new account")
	flags.StringVar(&p.name, "name", "", "name of the person of a new account")
	flags.StringVar(&p.company, "company", "", "property company of a new account of role property")
	flags.BoolVar(&p.check, "check", false, "only check a backup")
	flags.BoolVar(&p.plain, "plain", false, "do not encrypt a backup")
	p.keys.define(flags)
	var words []string
	for rest := args; ; {
		if err := flags.Parse(rest); errors.Is(err, flag.ErrHelp) {
			return exitOK
		} else if err != nil {
			return exitUsage
		}
		if rest = flags.Args(); len(rest) == 0 {
			break
		}
		words, rest = append(words, rest[0]), rest[1:]
	}
	cmd, ok := p.command(words)
	if !ok {
		fmt.Fprint(errw, usageText)
		return exitUsage
	}
	var err error
	if p.cfg, err = config.Load(p.file, os.LookupEnv); err != nil {
		return p.sayConfig(err)
	}
	if *dataDir != "" {
		p.cfg.DataDir = *dataDir
	}
	if err := cmd(ctx); err != nil {
		p.say(err)
		return exitBad
	}
	return exitOK
}

// command finds what words ask for.
func (p *program) command(words []string) (func(context.Context) error, bool) {
	word := func(i int) string {
		if i < len(words) {
			return words[i]
		}
		return ""
	}
	switch {
	case len(words) == 0, len(words) == 1 && words[0] == "run":
		return p.serve, true
	case len(words) == 1 && words[0] == "version":
		return func(context.Context) error { fmt.Fprintln(p.out, "gatecast-controller", version()); return nil }, true
	case len(words) == 2 && words[0] == "config" && words[1] == "describe":
		return func(context.Context) error { d := config.Defaults(); return configfile.Describe(p.out, &d) }, true
	case len(words) == 2 && words[0] == "config" && words[1] == "check":
		return func(context.Context) error {
			fmt.Fprintln(p.out, "配置没有问题 · the configuration is good")
			return nil
		}, true
	case len(words) == 2 && words[0] == "registry" && words[1] == "example":
		return func(context.Context) error { _, err := io.WriteString(p.out, registryExample); return err }, true
	case len(words) == 3 && words[0] == "registry" && words[1] == "import":
		return func(ctx context.Context) error { return p.importRegistry(ctx, word(2)) }, true
	case len(words) == 2 && words[0] == "export" && p.period.From != "" && p.period.To != "":
		return func(ctx context.Context) error { return p.exportTo(ctx, word(1), p.period) }, true
	case len(words) == 2 && words[0] == "audit" && words[1] == "verify":
		return p.auditVerify, true
	case len(words) == 1 && words[0] == "fingerprint":
		return p.fingerprint, true
	case len(words) == 2 && words[0] == "backup" && words[1] == "passphrase":
		return p.backupPassphrase, true
	case len(words) == 2 && words[0] == "backup":
		return func(ctx context.Context) error { return p.backup(ctx, word(1)) }, true
	case len(words) == 2 && words[0] == "restore":
		return func(ctx context.Context) error { return p.restore(ctx, word(1)) }, true
	}
	if q, ok := p.accountCommand(words); ok {
		return func(ctx context.Context) error { return p.accounts(ctx, q) }, true
	}
	return p.keyCommand(words)
}

// serve runs the controller and keeps systemd informed.
func (p *program) serve(ctx context.Context) error {
	return controller.Run(ctx, controller.Options{Config: p.cfg, Version: version(), Logger: p.logger()}, func(c *controller.Controller) {
		sdnotify.Ready()
		go sdnotify.Watchdog(ctx, func(ctx context.Context) error { return c.Store.Ping(ctx) })
	})
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

// say prints an error as people are told it, Chinese and English.
func (p *program) say(err error) {
	var fe *fleet.Error
	if errors.As(err, &fe) && fe.Text != "" {
		fmt.Fprintf(p.err, "%s\n%s\n", fe.Text, fe.TextEN)
		return
	}
	fmt.Fprintln(p.err, "gatecast-controller:", err)
}

// sayConfig tells what is wrong with the configuration and returns the status.
func (p *program) sayConfig(err error) int {
	var broken *configfile.Error
	switch {
	case errors.As(err, &broken):
		fmt.Fprintf(p.err, "%v\n配置有误，请改正上面指出的各项。 · Correct the settings named above.\n", err)
		return exitUsage
	case errors.Is(err, fs.ErrNotExist):
		fmt.Fprintf(p.err, "%s: 找不到这个配置文件，请核对路径。 · There is no such configuration file: check the path.\n", p.file)
		return exitUsage
	}
	fmt.Fprintln(p.err, "gatecast-controller:", err)
	return exitBad
}

func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "devel"
	}
	return info.Main.Version
}
