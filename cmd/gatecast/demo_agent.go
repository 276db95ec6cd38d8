package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"gatecast/agent"
	"gatecast/audio/output"
	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// agentStop bounds how long an agent may take to stop.
const agentStop = 4 * time.Second

// child is an agent in a process of its own.
type child struct {
	cmd  *exec.Cmd
	log  *os.File
	done chan struct{} // closed when the process has ended
	err  error         // how; read after done
}

// startChild starts program, or this program again, as an agent, in a process group of its
// own so that Ctrl-C at the terminal reaches the demo alone, which stops its
// agents in order.
func startChild(program, dir string, args ...string) (*child, error) {
	if program == "" {
		self, err := os.Executable()
		if err != nil {
			return nil, fmt.Errorf("finding this program: %w", err)
		}
		program = self
	}
	log, err := os.OpenFile(filepath.Join(dir, "agent.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening log of agent: %w", err)
	}
	c := &child{cmd: exec.Command(program, args...), log: log, done: make(chan struct{})}
	c.cmd.Stdout, c.cmd.Stderr = log, log
	c.cmd.SysProcAttr = ownGroup()
	started := make(chan error)
	go func() {
		// The kernel's death signal goes by the thread that started the child,
		// so that thread has to live as long.
		runtime.LockOSThread()
		defer close(c.done)
		defer log.Close()
		err := c.cmd.Start()
		started <- err
		if err == nil {
			c.err = c.cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("starting agent: %w", err)
	}
	return c, nil
}

// stop asks the agent to end, and ends it when ctx does.
func (c *child) stop(ctx context.Context) error {
	if c == nil {
		return nil
	}
	_ = c.cmd.Process.Signal(syscall.SIGTERM) // it may have ended already
	timer := time.NewTimer(agentStop)
	defer timer.Stop()
	select {
	case <-c.done:
		return nil
	case <-timer.C:
	case <-ctx.Done():
	}
	_ = c.cmd.Process.Kill()
	<-c.done
	return errors.New("an agent did not stop by itself and was killed")
}

// startAgents gives each live point an agent and waits until all of them are
// connected and know the time. The first plays through this machine's sound
// output, if one works; more than one at a time would be an echo.
func (d *demo) startAgents(ctx context.Context) error {
	kind, device := output.File, ""
	if c, ok := output.Choose(output.Probe(ctx, output.Options{KeepMixer: true, Server: output.ServerFromEnv(os.Getenv)}, output.Pulse, output.ALSA, output.APlay)); ok {
		kind, device = c.Kind, c.Device
		d.say("声音：%s 从本机 %s 播出，其余写成 WAV。", "sound: %s plays through this machine's %s, the others into WAV files.", livePoints[0], c.Name)
	} else {
		d.say("本机没有能用的声音输出，每个点写成一个 WAV。", "this machine has no working sound output: every point plays into a WAV file.")
	}
	for i, code := range livePoints {
		k, dev := kind, device
		if i > 0 || kind == output.File {
			k, dev = output.File, filepath.Join(d.dir, "wav", code)
		}
		if err := d.startAgent(ctx, code, k, dev); err != nil {
			return err
		}
	}
	return d.awaitAgents(ctx)
}

// startAgent starts the agent of one point, with a join code if no device is
// bound to it yet.
func (d *demo) startAgent(ctx context.Context, code, kind, device string) error {
	pt, err := d.office.Store.PointByCode(ctx, code)
	if err != nil {
		return err
	}
	dir := filepath.Join(d.dir, "agents", code)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("creating folder of agent: %w", err)
	}
	args := []string{"demo-agent", "--data", dir, "--sink", kind, "--device", device}
	if d.program != "" {
		config := filepath.Join(dir, "agent.yaml") // a new device looks nowhere else for a join line
		if err := os.WriteFile(config, nil, 0o600); err != nil {
			return fmt.Errorf("writing configuration of agent: %w", err)
		}
		args = []string{"run", "--config", config, "--data", dir, "--sink", kind, "--device", device, "--report-jitter", "0s"}
	}
	if _, err := d.office.Store.DeviceOfPoint(ctx, pt.ID); fleet.CodeOf(err) == fleet.NotFound {
		line, err := d.office.JoinCode(ctx, pt.ID, "demo")
		if err != nil {
			return err
		}
		if d.program == "" {
			args = append(args, "--join", line)
		} else if out, err := exec.CommandContext(ctx, d.program, append([]string{"join", "--data", dir}, strings.Fields(line)[2:]...)...).CombinedOutput(); err != nil {
			return fmt.Errorf("enrolling %s: %w: %s", code, err, out)
		}
	} else if err != nil {
		return err
	}
	agent, err := startChild(d.program, cmp.Or(d.logs, dir), args...)
	if err != nil {
		return err
	}
	d.live = append(d.live, &livePoint{point: pt, agent: agent})
	return nil
}

// awaitAgents returns when every live point's device is connected and knows
// the time, or says what is missing.
func (d *demo) awaitAgents(ctx context.Context) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		waiting := ""
		for _, l := range d.live {
			dev, err := d.office.Store.DeviceOfPoint(ctx, l.point.ID)
			switch {
			case fleet.CodeOf(err) == fleet.NotFound:
				waiting = l.point.Name + d.t(" 还没有入网", " has not enrolled")
				if err := d.accept(ctx, l.point.ID); err != nil {
					return err
				}
			case err != nil && ctx.Err() == nil:
				return err
			case err == nil && (!dev.Online || dev.TimeLevel < wire.T1):
				waiting = l.point.Name + d.t(" 还没有连上", " has not connected")
			}
			select {
			case <-l.agent.done:
				return &fleet.Error{Code: fleet.Internal, Err: l.agent.err,
					Text:   fmt.Sprintf("%s 的设备程序退出了，见 %s", l.point.Name, l.agent.log.Name()),
					TextEN: fmt.Sprintf("the agent of %s ended; see %s", l.point.Code, l.agent.log.Name())}
			default:
			}
		}
		if waiting == "" {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return errors.New(waiting)
		}
	}
}

// accept takes a demo's own device in without anybody listening: a real one
// plays nothing until a person has heard its test tone.
func (d *demo) accept(ctx context.Context, point fleet.PointID) error {
	all, err := d.office.Store.DevicesOfPoint(ctx, point)
	if err != nil {
		return err
	}
	for _, dev := range all {
		if !dev.Newcomer() {
			continue
		}
		if _, err := d.office.Store.AcceptDevice(ctx, dev.ID, "demo", time.Now()); err != nil {
			return err
		}
		d.office.Planner.Poke()
	}
	return nil
}

// runDemoAgent is the agent of one live point. It is not in the usage text:
// the demo starts it, a real gate runs gatecast-agent.
func runDemoAgent(ctx context.Context, std streams, args []string) int {
	fs := newFlags(std, "gatecast demo-agent --data DIR --sink KIND --device DEVICE [--join LINE]")
	o := agent.DefaultOptions()
	o.Version = "demo"
	o.Volume = 0 // the machine's own volume is its user's business
	o.ReportJitter, o.FetchJitter = 0, 0
	o.Logger = slog.New(slog.NewTextHandler(std.err, nil))
	fs.StringVar(&o.DataDir, "data", "", "data folder")
	fs.StringVar(&o.Sink, "sink", output.File, "kind of sink")
	fs.StringVar(&o.Device, "device", "", "device of the sink")
	o.Server = output.ServerFromEnv(os.Getenv)
	fs.StringVar(&o.JoinLine, "join", "", "join line")
	if _, status, done := parseFlags(fs, args); done {
		return status
	}
	if err := agent.Run(ctx, o, nil); err != nil {
		fmt.Fprintln(std.err, err)
		return exitBad
	}
	return exitOK
}
