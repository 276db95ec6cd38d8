// Package fleetbench measures how a controller carries a fleet: a whole one
// (store on disk, broker, planner, ledger, pages) serves simulated devices
// over TLS with their own certificates, on this machine.
//
// The devices share the processors with what is measured and check neither
// certificates nor signatures, which real ones do on their own. Only the
// command "gatecast bench fleet" and tests use it. A Bench is for one
// goroutine.
package fleetbench

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"gatecast/controller"
	"gatecast/controller/config"
	"gatecast/controller/fleet"
	"gatecast/controller/sample"
	"gatecast/schedules/presets"
)

// Options of Run.
type Options struct {
	Devices   int                // simulated devices; 2 to 9,000 within 20,000 file descriptors
	Records   int                // backlog of the throughput runs, all devices together
	Dir       string             // for the controller's data; empty means a temporary folder
	Mosquitto bool               // measure Mosquitto beside it; needs the program
	Progress  func(what string)  // told what is being done; may be nil
	Logger    *slog.Logger       // of the controller; nil discards
	after     func(*world) error // tests look at the world before it ends
}

// Goals of the whole, for 9,000 devices.
const (
	GoalActivation = 3 * time.Second
	GoalOneEach    = time.Second
)

// Result is what was measured. A duration of 0 was not measured.
type Result struct {
	Machine string    `json:"machine"`
	Date    time.Time `json:"date"`
	Devices int       `json:"devices"`

	Connect    time.Duration `json:"connect_ns"`  // first dial → last hello answered
	Activate   time.Duration `json:"activate_ns"` // activation → last device has its plan
	Deliver    time.Duration `json:"deliver_ns"`  // first plan that arrived → last plan that arrived
	Planned    time.Duration `json:"planned_ns"`  // activation → all 60 days are written
	OneEach    time.Duration `json:"one_each_ns"` // one record from each at one instant → last ack
	OneEachP50 time.Duration `json:"one_each_p50_ns"`
	PlanBytes  int           `json:"plan_bytes"` // of one offer

	Records     int     `json:"records"`
	PerSecond   float64 `json:"records_per_s"`        // durably, batches of up to 50
	SinglePerS  float64 `json:"single_records_per_s"` // durably, one record a message
	RecordBytes int     `json:"record_bytes"`         // mean
	Dropped     int64   `json:"dropped"`              // messages that found a queue full; devices sent them again

	HeapPerDevice int `json:"heap_per_device"` // bytes of this process, both ends of the connection

	Mosquitto    float64 `json:"mosquitto_per_s,omitempty"`     // messages of one record it passes over TLS, storing nothing
	MosquittoTCP float64 `json:"mosquitto_tcp_per_s,omitempty"` // the same without TLS
}

func (o *Options) validate() error {
	if o.Devices < 2 {
		return errors.New("at least two devices are needed")
	}
	if o.Records == 0 {
		o.Records = 200_000
	}
	if o.Progress == nil {
		o.Progress = func(string) {}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	var lim syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &lim); err != nil {
		return fmt.Errorf("reading the limit of open files: %w", err)
	}
	if need := uint64(2*o.Devices + 300); lim.Cur < need {
		return fmt.Errorf("%d devices need %d open files, the limit is %d: raise it with ulimit -n %d", o.Devices, need, lim.Cur, need)
	}
	return nil
}

// Run measures everything and returns what it got. It takes some minutes for
// thousands of devices.
func Run(ctx context.Context, o Options) (Result, error) {
	r := Result{Machine: Machine(), Date: time.Now(), Devices: o.Devices}
	if err := o.validate(); err != nil {
		return r, err
	}
	dir := o.Dir
	if dir == "" {
		tmp, err := os.MkdirTemp("", "gatecast-bench-")
		if err != nil {
			return r, fmt.Errorf("making a temporary folder: %w", err)
		}
		defer os.RemoveAll(tmp)
		dir = tmp
	}
	w, err := open(ctx, dir, o)
	if err != nil {
		return r, err
	}
	defer w.close()
	for _, step := range []func(context.Context, *Result) error{w.connect, w.activate, w.oneEach, w.backlog} {
		if err := step(ctx, &r); err != nil {
			return r, err
		}
	}
	if o.after != nil {
		if err := o.after(w); err != nil {
			return r, err
		}
	}
	w.close()
	if o.Mosquitto {
		if err := w.mosquitto(ctx, &r); err != nil {
			return r, err
		}
	}
	return r, nil
}

// world is a controller with its fleet.
type world struct {
	o       Options
	dir     string
	c       *controller.Controller
	devices []*device
	points  []fleet.Point
	closed  bool

	recordBytes int // mean of the last run
}

func open(ctx context.Context, dir string, o Options) (*world, error) {
	o.Progress(fmt.Sprintf("starting a controller and enrolling %d devices", o.Devices))
	cfg := config.Defaults()
	cfg.DataDir = filepath.Join(dir, "controller")
	cfg.Hosts = []string{"127.0.0.1"}
	cfg.Web.Listen, cfg.Devices.HTTPS, cfg.Devices.MQTT = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"
	c, err := controller.New(ctx, controller.Options{Config: cfg, Logger: o.Logger, Version: "bench"})
	if err != nil {
		return nil, err
	}
	w := &world{o: o, dir: dir, c: c}
	if err := c.Start(); err != nil {
		w.close()
		return nil, err
	}
	if err := w.enrol(ctx); err != nil {
		w.close()
		return nil, err
	}
	return w, nil
}

// close ends the fleet, then the controller. It is idempotent.
func (w *world) close() {
	if w.closed {
		return
	}
	w.closed = true
	for _, d := range w.devices {
		d.close()
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := w.c.Stop(ctx); err != nil {
		w.o.Logger.Warn("stopping", "err", err)
	}
}

// activate uploads the shipped programme and puts it in force.
func (w *world) activate(ctx context.Context, r *Result) error {
	w.o.Progress("activating the shipped programme, 60 days")
	for i, name := range []string{"shuadan", "kefu", "laonian"} {
		if _, err := w.c.Store.AddClip(ctx, fleet.Clip{
			SHA256: strings.Repeat(fmt.Sprint(i), 64), Original: strings.Repeat(fmt.Sprint(i+4), 64), Name: name, Title: name,
			Rate: 24000, Frames: 24000 * 30, Bytes: 600_000, Uploaded: time.Now(),
		}); err != nil {
			return fmt.Errorf("adding clip: %w", err)
		}
	}
	if err := sample.SignOff(ctx, w.c.Store, time.Now(), nil); err != nil {
		return err
	}
	prog, problems, err := w.c.Planner.Upload(ctx, "default.yaml", presets.Default(), "bench", time.Now())
	if err != nil {
		return fmt.Errorf("uploading programme: %w", err)
	}
	if prog.ID == 0 {
		return fmt.Errorf("uploading programme: %+v", problems)
	}
	done := w.all(func(d *device) <-chan time.Time { return d.planned })
	began := time.Now()
	planned := make(chan error, 1)
	go func() {
		_, err := w.c.Planner.Activate(ctx, prog.ID, began)
		planned <- err
	}()
	select {
	case last := <-done:
		r.Activate = last.Sub(began)
	case err := <-planned:
		if err != nil {
			return fmt.Errorf("activating programme: %w", err)
		}
		planned <- nil
		select {
		case last := <-done:
			r.Activate = last.Sub(began)
		case <-time.After(time.Minute):
			return fmt.Errorf("%d of %d devices did not get their plan in a minute", w.lacking(), len(w.devices))
		}
	case <-ctx.Done():
		return ctx.Err()
	}
	r.PlanBytes = int(w.devices[0].offerBytes.Load())
	first := time.Now()
	for _, d := range w.devices {
		if at := time.Unix(0, d.plannedAt.Load()); at.Before(first) {
			first = at
		}
	}
	r.Deliver = began.Add(r.Activate).Sub(first)
	w.o.Progress("writing the rest of the 60 days")
	if err := <-planned; err != nil {
		return fmt.Errorf("activating programme: %w", err)
	}
	r.Planned = time.Since(began)
	return nil
}

// lacking counts the devices without a plan.
func (w *world) lacking() int {
	n := 0
	for _, d := range w.devices {
		if d.offerBytes.Load() == 0 {
			n++
		}
	}
	return n
}

// all returns a channel that yields the latest of one instant from each device.
func (w *world) all(of func(*device) <-chan time.Time) <-chan time.Time {
	out := make(chan time.Time, 1)
	go func() { // ends with the last device, or with the process
		var last time.Time
		for _, d := range w.devices {
			select {
			case at := <-of(d):
				if at.After(last) {
					last = at
				}
			case <-d.gone:
				return
			}
		}
		out <- last
	}()
	return out
}

// Machine describes where figures were measured.
func Machine() string {
	cpu := runtime.GOARCH
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(text)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				cpu = strings.TrimSpace(value)
				break
			}
		}
	}
	return fmt.Sprintf("%s, %d CPU, %s %s/%s", cpu, runtime.NumCPU(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
