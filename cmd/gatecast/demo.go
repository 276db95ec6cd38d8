package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"gatecast/controller"
	"gatecast/controller/auth"
	"gatecast/controller/config"
	"gatecast/controller/fleet"
	"gatecast/controller/sample"
)

// onceLimit is how long `demo --once` waits for the first slot of every point.
const onceLimit = 90 * time.Second

// livePoints are the points of the sample subdistrict that get a real agent.
var livePoints = []string{"SL-01-01", "SL-02-01", "SL-11-01"}

// demo is one run of the demo.
type demo struct {
	std     streams
	dir     string
	once    bool
	json    bool
	english bool

	logs    string // folder of the agents' logs; empty puts each beside its data
	program string // gatecast-agent to start for each point; empty starts this program

	office  *controller.Controller
	live    []*livePoint
	settled chan fleet.Obligation
}

// livePoint is a point with an agent process of its own.
type livePoint struct {
	point fleet.Point
	agent *child
}

func runDemo(ctx context.Context, std streams, args []string) int {
	fs := newFlags(std, "gatecast demo [--data DIR] [--fresh] [--once] [--json] [--lang zh|en]")
	d := &demo{std: std, settled: make(chan fleet.Obligation, 1024)}
	fresh := fs.Bool("fresh", false, "清空后重来 · start over with an empty folder")
	lang := fs.String("lang", "zh", "zh or en")
	fs.StringVar(&d.dir, "data", "gatecast-demo", "数据文件夹 · data folder")
	fs.BoolVar(&d.once, "once", false, "每个点的第一段播完即退出 · exit when the first slot of every live point has settled")
	fs.BoolVar(&d.json, "json", false, "结果为 JSON（配合 --once）· print the results as JSON, with --once")
	rest, status, done := parseFlags(fs, args)
	if done {
		return status
	}
	if len(rest) > 0 || *lang != "zh" && *lang != "en" || d.json && !d.once {
		fs.Usage()
		return exitUsage
	}
	d.english = *lang == "en"
	if err := d.run(ctx, *fresh); err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(std.err, d.words(err))
		return exitBad
	}
	return exitOK
}

// words returns err as people are told it.
func (d *demo) words(err error) string {
	var fe *fleet.Error
	if errors.As(err, &fe) {
		return d.t(fe.Text, fe.TextEN)
	}
	return "gatecast demo: " + err.Error()
}

// t picks the language.
func (d *demo) t(zh, en string) string {
	if d.english {
		return en
	}
	return zh
}

// say prints a line for people: on standard error when results go as JSON.
func (d *demo) say(zh, en string, args ...any) {
	w := d.std.out
	if d.json {
		w = d.std.err
	}
	fmt.Fprintf(w, d.t(zh, en)+"\n", args...)
}

func (d *demo) run(ctx context.Context, fresh bool) (err error) {
	release, err := d.folder(fresh)
	if err != nil {
		return err
	}
	defer release()
	begun := time.Now()
	if d.once {
		limited, cancel := context.WithTimeout(ctx, onceLimit)
		defer cancel()
		ctx = limited
	}
	logFile, err := os.OpenFile(filepath.Join(d.dir, "controller.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("opening log: %w", err)
	}
	defer logFile.Close()
	if d.office, err = d.openOffice(ctx, slog.New(slog.NewTextHandler(logFile, nil))); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.stop(ctx)) }()
	if err := d.office.Start(); err != nil {
		return err
	}
	if err := d.furnish(ctx); err != nil {
		return d.missing(ctx, err)
	}
	if err := d.startAgents(ctx); err != nil {
		return d.missing(ctx, err)
	}
	if err := d.activate(ctx); err != nil {
		return d.missing(ctx, err)
	}
	return d.watch(ctx, begun)
}

// openOffice opens the controller on the usual ports, or on free ones where
// they are taken.
func (d *demo) openOffice(ctx context.Context, logger *slog.Logger) (*controller.Controller, error) {
	cfg := config.Defaults()
	cfg.DataDir = filepath.Join(d.dir, "controller")
	cfg.Hosts = []string{"127.0.0.1"}
	cfg.Web.Listen, cfg.Web.Plain = freeAddr("127.0.0.1:8080"), true
	var err error
	if cfg.Devices.HTTPS, cfg.Devices.MQTT, err = d.devicePorts(); err != nil {
		return nil, err
	}
	// The demo sounds at any hour, on this machine's own speaker or in files.
	cfg.Sound.Hours, cfg.Sound.MaxPerHour = []string{"00:00-24:00"}, 720
	cfg.Sound.Zone = machineZone().String() // the pages show the machine's own time
	return controller.New(ctx, controller.Options{
		Config: cfg, Demo: true, Version: "demo", Logger: logger,
		OnSettled: func(o fleet.Obligation) {
			select {
			case d.settled <- o:
			default: // a reader that is gone
			}
		},
	})
}

// furnish fills an empty office and gives out a fresh one-time password.
func (d *demo) furnish(ctx context.Context) error {
	units, err := d.office.Store.Units(ctx)
	if err != nil {
		return err
	}
	if len(units) == 0 {
		if err := d.office.Store.ImportRegistry(ctx, sample.Registry(time.Now())); err != nil {
			return fmt.Errorf("loading the sample subdistrict: %w", err)
		}
	}
	if err := addSampleClips(ctx, d.office); err != nil {
		return err
	}
	if err := sample.SignOff(ctx, d.office.Store, time.Now(), func(c fleet.Clip) bool { return c.Example }); err != nil {
		return err
	}
	d.office.Planner.Poke()
	password := auth.OneTime()
	hash, err := auth.Hash(password)
	if err != nil {
		return err
	}
	for _, user := range []fleet.User{{Login: "admin", Name: "张工", Role: fleet.Admin}, sample.Approver} {
		if err := d.account(ctx, user, hash); err != nil {
			return err
		}
	}
	d.say("门播演示：示例街道，42 个小区门口、6 个村广播，名称均为虚构。",
		"Gatecast demo: an invented subdistrict with 42 gates and 6 village points.")
	d.say("网页 %s　账号 admin　口令 %s（本次有效）", "pages %s  account admin  password %s (for this run)", d.office.WebURL(), password)
	d.say("上传的素材由签发人签发：账号 %s，口令相同", "what admin uploads is signed off by the approver: account %s, same password", sample.Approver.Login)
	return nil
}

// account makes or finds an account and gives it the password with that hash.
func (d *demo) account(ctx context.Context, fresh fleet.User, hash string) error {
	user, err := d.office.Store.UserByLogin(ctx, fresh.Login)
	if fleet.CodeOf(err) == fleet.NotFound {
		user, err = fresh, nil
		user.Created = time.Now()
	}
	if err != nil {
		return err
	}
	user.Password, user.MustSet, user.PasswordSet = hash, false, time.Now()
	if _, err := d.office.Store.SaveUser(ctx, user); err != nil {
		return fmt.Errorf("setting password: %w", err)
	}
	return nil
}

// stop ends agents first, then the office, within seconds.
func (d *demo) stop(ctx context.Context) error {
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), controller.StopTimeout+agentStop)
	defer cancel()
	var errs []error
	for _, l := range d.live {
		errs = append(errs, l.agent.stop(stop))
	}
	return errors.Join(append(errs, d.office.Stop(stop))...)
}

// missing says what --once still lacked when its time was over. What was cut
// short by Ctrl-C lacks nothing.
func (d *demo) missing(ctx context.Context, err error) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return ctx.Err()
	}
	if d.once && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return &fleet.Error{Code: fleet.Internal, Err: err,
			Text:   fmt.Sprintf("%s 内没有全部播完，卡在：%v", onceLimit, err),
			TextEN: fmt.Sprintf("not everything was played within %s; it hangs at: %v", onceLimit, err)}
	}
	return err
}
