package simulate

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"gatecast/controller/depot"
	"gatecast/controller/fleet"
	"gatecast/controller/ledger"
	"gatecast/controller/link"
	"gatecast/controller/media"
	"gatecast/controller/mute"
	"gatecast/controller/planner"
	"gatecast/controller/store"
	"gatecast/controller/trust"
	"gatecast/internal/wire"
)

// Where devices find the office.
const (
	officeURL  = "https://office.test:8444"
	brokerAddr = "office.test:8883"
)

// office is the controller's machine: its files and, while it is up, the
// controller in it.
type office struct {
	w     *World
	base  string // folder of everything
	dirs  int    // numbers the folders of the database
	db    string // folder of the database now
	dice  streams
	trust *trust.Authority // lives in memory over kills: its folder never changes
	media *media.Store

	backups []backup

	mu sync.Mutex
	in *controller // nil while it is down
}

// backup is a copy of the database.
type backup struct {
	path string
	at   time.Time
}

// controller is one run of the controller.
type controller struct {
	store   *store.Store
	planner *planner.Planner
	mutes   *mute.Desk
	ledger  *ledger.Ledger
	link    *link.Link
	port    http.Handler
	cancel  context.CancelFunc
	running sync.WaitGroup
}

func newOffice(ctx context.Context, w *World, base string) (*office, error) {
	o := &office{w: w, base: base, dice: w.dice}
	trustDir := filepath.Join(base, "trust")
	if err := os.MkdirAll(trustDir, 0o700); err != nil {
		return nil, err
	}
	// Keys of the seed, so that signatures, hashes and names repeat.
	for _, name := range []string{"root.key", "library.key", "director.key"} {
		var seed [32]byte
		_, _ = w.dice.chacha("key " + name).Read(seed[:]) // never fails
		if err := os.WriteFile(filepath.Join(trustDir, name), []byte(base64.StdEncoding.EncodeToString(seed[:])+"\n"), 0o600); err != nil {
			return nil, err
		}
	}
	var err error
	if o.trust, err = trust.Open(trustDir, trust.Options{Names: []string{"office.test"}, Logger: o.log()}); err != nil {
		return nil, err
	}
	if o.media, err = media.New(filepath.Join(base, "media")); err != nil {
		return nil, err
	}
	o.db = o.newDir()
	if err := os.MkdirAll(o.db, 0o700); err != nil {
		return nil, err
	}
	if err := o.start(ctx); err != nil {
		return nil, err
	}
	return o, o.furnish(ctx)
}

func (o *office) newDir() string {
	o.dirs++
	return filepath.Join(o.base, fmt.Sprintf("db%d", o.dirs))
}

func (o *office) log() *slog.Logger { return slog.New(logTo{o.w.trace, "office"}) }

const dbName = "gatecast.db"

// start runs the controller on the files that are there.
func (o *office) start(ctx context.Context) error {
	c := &controller{}
	run, cancel := context.WithCancel(ctx)
	c.cancel = cancel
	var err error
	if c.store, err = store.Open(ctx, filepath.Join(o.db, dbName), store.Options{Logger: o.log()}); err != nil {
		return fmt.Errorf("opening store: %w", err)
	}
	if err = o.openMutes(ctx, c); err != nil {
		return fmt.Errorf("opening the desk of silence: %w", err)
	}
	c.planner, err = planner.New(planner.Options{
		Registry: c.store, Content: c.store, Ledger: c.store, Documents: c.store, Sealer: sealer{o, c},
		Offer:   func(_ context.Context, ids []wire.DeviceID) { c.link.OfferAll(ids) },
		OnEvent: func(fleet.Event) {}, Logger: o.log(), Ceilings: o.w.ceilings,
	})
	if err != nil {
		return err
	}
	if c.ledger, err = ledger.New(ledger.Options{
		Store: c.store, Mutes: c.mutes, Logger: o.log(), Every: 5 * time.Minute, OnSettled: func(ob fleet.Obligation) { o.w.settled(c, ob) },
	}); err != nil {
		return err
	}
	alive := func() bool { return o.present() == c }
	if c.link, err = link.New(link.Options{
		Broker: func() string { return brokerAddr }, Dial: o.w.net.dialOffice(alive), Store: c.store, Trust: o.trust,
		OnClone: func(id wire.DeviceID, detail string) {
			o.w.brokenBy(o.w.byID(id), "S13", "is taken for two machines: %s", detail)
		},
		OnRecords: c.ledger.Poke, Kick: o.kick, Lacking: c.mutes.Lacking, ClientID: "controller-sim",
		Rand: o.dice.chacha(fmt.Sprintf("office %d", o.dirs)), Logger: o.log(),
	}); err != nil {
		return err
	}
	c.port = depot.Handler(depot.Options{
		Store: c.store, Trust: o.trust, Clips: o.media, MQTTAddr: brokerAddr,
		OnEnrolled: func(wire.DeviceID) { c.planner.Poke() }, Logger: o.log(),
	})
	o.mu.Lock()
	o.in = c
	o.mu.Unlock()
	if err := c.link.Start(); err != nil {
		return err
	}
	c.running.Go(func() { _ = c.ledger.Run(run) })
	c.running.Go(func() { _ = c.planner.Run(run) })
	o.w.trace.event("office", "started")
	return nil
}

// present returns the controller that runs, nil for none.
func (o *office) present() *controller {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.in
}

// port returns the device port, nil while the office is down.
func (o *office) port() http.Handler {
	if c := o.present(); c != nil {
		return c.port
	}
	return nil
}

// admits is what the embedded broker asks before it lets a device in.
func (o *office) admits(id wire.DeviceID) bool {
	c := o.present()
	if c == nil {
		return false
	}
	d, err := c.store.Device(context.Background(), id)
	return err == nil && (d.State == fleet.DeviceActive || d.State == fleet.DeviceQuarantine)
}

func (o *office) kick(id wire.DeviceID) {
	if d := o.w.byID(id); d != nil {
		o.w.net.disturb(d, errReset)
	}
}

// kill ends the controller as SIGKILL does: what it had written by now is
// there, and nothing that it does afterwards counts. down then holds until
// start.
func (o *office) kill() {
	c := o.present()
	if c == nil {
		return
	}
	next, err := o.snapshot()
	if err != nil {
		o.w.broken("the simulator", "copying the database: %v", err)
		return
	}
	o.killedWith(c, next)
}

// killedWith ends c; the database goes on as the copy in dir.
func (o *office) killedWith(c *controller, dir string) {
	o.mu.Lock()
	if o.in != c {
		o.mu.Unlock()
		return
	}
	o.in = nil
	old := o.db
	o.db = dir
	o.mu.Unlock()
	o.w.trace.event("office", "killed")
	o.w.net.officeGone()
	o.end(c)
	if err := os.RemoveAll(old); err != nil {
		o.w.broken("the simulator", "removing a folder: %v", err)
	}
}

// end stops what runs in c.
func (o *office) end(c *controller) {
	c.cancel()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	err := errors.Join(c.link.Stop(ctx))
	c.running.Wait()
	if err := errors.Join(err, c.store.Close()); err != nil {
		o.w.trace.note("office", "ending: %v", err)
	}
}

// snapshot copies the database as a killed process leaves it. The log is
// copied first: if the writer is at work, the copy is of an earlier moment and
// not of two.
func (o *office) snapshot() (string, error) {
	dir := o.newDir()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	for _, name := range []string{dbName + "-wal", dbName} {
		if err := copyFile(filepath.Join(dir, name), filepath.Join(o.db, name)); err != nil {
			return "", err
		}
	}
	return dir, nil
}

// backUp makes a backup the way the product does.
func (o *office) backUp() {
	c := o.present()
	if c == nil {
		return
	}
	path := filepath.Join(o.base, fmt.Sprintf("backup%d.db", len(o.backups)))
	if err := c.store.Backup(context.Background(), path); err != nil {
		o.w.broken("the simulator", "making a backup: %v", err)
		return
	}
	o.backups = append(o.backups, backup{path, time.Now()})
	o.w.trace.event("office", "backup %d", len(o.backups))
}

// restore puts an old backup in the place of the database of an office that
// is down.
func (o *office) restore(b backup) error {
	dir := o.newDir()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := copyFile(filepath.Join(dir, dbName), b.path); err != nil {
		return err
	}
	o.db = dir
	o.w.trace.event("office", "restored a backup of %s ago", time.Since(b.at).Round(time.Second))
	return nil
}

func copyFile(to, from string) error {
	in, err := os.Open(from)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
