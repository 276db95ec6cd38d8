package simulate

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"gatecast/agent"
	"gatecast/agent/walltime"
	"gatecast/controller/fleet"
	"gatecast/controller/trust"
	"gatecast/internal/durable"
	"gatecast/internal/simulate/disk"
	"gatecast/internal/wire"
)

// dataDir is where a device keeps everything, on its own card.
const dataDir = "/data"

// device is one machine: clocks, memory card, sound card, power.
type device struct {
	w       *World
	name    string
	address string
	point   fleet.PointID // where it stands, by what people did
	id      wire.DeviceID
	line    string // to paste, until it is enrolled
	kernel  *kernel
	card    *card
	disk    *disk.Disk // as the present or next run of the program sees it
	dice    deviceDice
	runs    int

	upward, downward direction

	mu      sync.Mutex
	weather weather
	cert    *x509.Certificate
	run     *process // nil while nothing runs
	powered bool
	off     bool // people have taken it away

	watch watch
	kept  []kept // messages that a bad broker may repeat
}

// deviceDice are the streams of what happens around one device.
type deviceDice struct{ will, dial, http, disk *rand.Rand }

// kept is a message as somebody on the way has seen it.
type kept struct {
	topic   string
	payload []byte
}

// newDevice makes a machine with a key of the seed; it is off.
func (w *World) newDevice(point fleet.PointID, line string) (*device, error) {
	n := len(w.devices) + 1
	name := fmt.Sprintf("device-%d", n)
	r := w.dice.of(name)
	d := &device{
		w: w, name: name, address: fmt.Sprintf("10.0.0.%d:40000", n), point: point, line: line,
		kernel: &kernel{name: name, ppm: float64(r.IntN(81) - 40)},
		dice: deviceDice{
			will: w.dice.of(name + " will"), dial: w.dice.of(name + " dial"),
			http: w.dice.of(name + " http"), disk: w.dice.of(name + " disk"),
		},
	}
	d.upward.dice, d.downward.dice = w.dice.of(name+" up"), w.dice.of(name+" down")
	d.kernel.rtc = w.has(Clock) && r.IntN(2) == 0
	d.card = newCard(w, d)
	d.disk = disk.New(d.dice.disk)
	key, err := d.bearKey(w.dice.chacha(name + " key"))
	if err != nil {
		return nil, err
	}
	spki, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return nil, err
	}
	d.id = deviceID(spki)
	w.addDevice(d)
	return d, nil
}

// bearKey puts a key on the memory card before the program draws one.
func (d *device) bearKey(src *rand.ChaCha8) (*ecdsa.PrivateKey, error) {
	var secret [32]byte
	_, _ = src.Read(secret[:]) // never fails
	secret[0] &= 0x7f          // below the order of the curve
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), secret[:])
	if err != nil {
		return nil, fmt.Errorf("making a device's key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encoding a device's key: %w", err)
	}
	dir := filepath.Join(dataDir, "identity")
	v := durable.On(d.disk)
	if err := v.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	for _, name := range []string{"key.pem", "key-copy.pem"} {
		if err := v.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			return nil, err
		}
	}
	return key, nil
}

// process is one run of the agent's program.
type process struct {
	dev    *device
	disk   *disk.Disk
	dead   atomic.Bool // killed or without power: what it still does reaches nobody
	cancel context.CancelFunc
	done   chan struct{}

	mu  sync.Mutex
	app *agent.App // nil until it is enrolled and running
}

// ended reports whether the program is dead, or the machine under it.
func (p *process) ended() bool { return p.dead.Load() || p.disk.Dead() }

func (p *process) running() *agent.App {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.app
}

func (p *process) playing() wire.PlayID {
	if a := p.running(); a != nil {
		return a.Playing()
	}
	return ""
}

func (p *process) now() walltime.Stamp {
	if a := p.running(); a != nil {
		return a.Now()
	}
	return walltime.Stamp{}
}

// start runs the program. It does nothing while it runs already, and comes
// back later while the run before is still ending.
func (d *device) start() {
	d.mu.Lock()
	if d.off || !d.powered {
		d.mu.Unlock()
		return
	}
	if d.run != nil {
		dead := d.run.ended()
		d.mu.Unlock()
		if dead {
			d.w.agenda.add(time.Now().Add(time.Second), d.start)
		}
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	run := &process{dev: d, disk: d.disk, cancel: cancel, done: make(chan struct{})}
	d.run = run
	d.runs++
	line := d.line
	d.mu.Unlock()
	o := agent.DefaultOptions()
	o.DataDir, o.Version, o.Built, o.JoinLine = dataDir, "sim", d.w.built, line
	o.Kernel, o.FS, o.Dial, o.HTTP = d.kernel, run.disk, d.w.net.dial(run), wayToPort{d.w.net, run}
	o.OpenOutput, o.Rand = d.card.open(run), d.w.dice.chacha(fmt.Sprintf("%s run %d", d.name, d.runs))
	o.Logger = slog.New(logTo{d.w.trace, d.name})
	d.w.trace.event(d.name, "program starts")
	d.w.wg.Go(func() {
		defer close(run.done)
		err := agent.Run(ctx, o, func(a *agent.App) {
			run.mu.Lock()
			run.app = a
			run.mu.Unlock()
		})
		cancel()
		died := run.dead.Swap(true)
		d.mu.Lock()
		d.run = nil
		if !died {
			d.disk = run.disk.Kill()
		}
		d.mu.Unlock()
		d.w.net.disturb(d, errReset)
		switch {
		case died:
		case err != nil:
			// systemd starts it again.
			d.w.trace.note(d.name, "program ended: %v", err)
			d.w.agenda.add(time.Now().Add(5*time.Second), d.start)
		}
	})
}

// kill ends the program as SIGKILL does; what it wrote is in the page cache.
func (d *device) kill() { d.die("program killed", (*disk.Disk).Kill) }

// cutPower ends the program and loses what the memory card had not got. It
// stays off until boot, however often power is cut.
func (d *device) cutPower() {
	d.mu.Lock()
	d.powered = false
	d.mu.Unlock()
	d.die("power is cut", (*disk.Disk).Boot)
}

// die ends the program; what is left on the disk is next of what was.
func (d *device) die(what string, next func(*disk.Disk) *disk.Disk) {
	d.mu.Lock()
	run := d.run
	if run != nil && run.dead.Load() {
		run = nil
	}
	d.disk = next(d.disk)
	d.mu.Unlock()
	d.w.trace.event(d.name, "%s", what)
	if run == nil {
		return
	}
	run.dead.Store(true)
	d.card.set(func() {})
	d.w.net.disturb(d, errReset)
	run.cancel()
}

// boot gives power to a machine that has none.
func (d *device) boot() {
	d.mu.Lock()
	stays := d.off || d.powered
	d.powered = true
	d.mu.Unlock()
	if stays {
		return
	}
	d.w.trace.event(d.name, "power comes")
	d.kernel.boot()
	d.start()
}

// takeAway removes the machine for good.
func (d *device) takeAway() {
	d.mu.Lock()
	d.off = true
	d.mu.Unlock()
	d.cutPower()
	d.w.trace.event(d.name, "taken away")
}

// sky returns the state of the device's way to the office.
func (d *device) sky() weather {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.weather
}

func (d *device) setSky(f func(*weather)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f(&d.weather)
}

// certificate is what the device shows, nil before it has one.
func (d *device) certificate() *x509.Certificate {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.cert
}

func (d *device) issued(der []byte) {
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return
	}
	d.mu.Lock()
	d.cert = cert
	d.mu.Unlock()
	d.w.truth.mu.Lock()
	d.w.truth.moved = time.Now()
	d.w.truth.mu.Unlock()
}

// maxKept bounds what a bad broker remembers of one device.
const maxKept = 64

// keep remembers a message that passed.
func (d *device) keep(topic string, payload []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.kept) == maxKept {
		d.kept = append(d.kept[:0], d.kept[1:]...)
	}
	d.kept = append(d.kept, kept{topic, payload})
}

// deviceID names the device whose key has that DER form.
func deviceID(spki []byte) wire.DeviceID { return trust.DeviceIDOf(spki) }
