package acceptance

import (
	"context"
	"crypto/tls"
	"errors"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"gatecast/agent/condition"
	"gatecast/agent/enrol"
	"gatecast/agent/journal"
	"gatecast/agent/library"
	"gatecast/agent/link"
	"gatecast/agent/plan"
	"gatecast/agent/walltime"
	"gatecast/internal/wire"
)

// simDevice is an agent without playout in the process of the test: identity,
// clock, journal, plan and link are the real ones, so that many fit beside
// each other and records come as fast as the test wants.
type simDevice struct {
	id      *enrol.Identity
	clock   *walltime.Clock
	journal *journal.Journal
	plans   *plan.Store
	link    *link.Link
	stop    context.CancelFunc
	running sync.WaitGroup
}

// newSimDevice enrols a device for a point, connects it to broker and accepts it.
func newSimDevice(t *testing.T, o *office, point, broker string) *simDevice {
	t.Helper()
	dir := t.TempDir()
	line, err := enrol.ParseJoinLine(o.joinLine(point))
	if err != nil {
		t.Fatal(err)
	}
	d := &simDevice{}
	if d.id, err = enrol.Join(t.Context(), enrol.Request{Line: line, Dir: filepath.Join(dir, "identity")}); err != nil {
		t.Fatal(err)
	}
	if d.clock, err = walltime.Open(dir, walltime.Options{}); err != nil {
		t.Fatal(err)
	}
	if d.journal, err = journal.Open(filepath.Join(dir, "journal"), journal.Options{Now: d.clock.Now}); err != nil {
		t.Fatal(err)
	}
	if d.plans, err = plan.Open(filepath.Join(dir, "plan"), d.id.Device, d.id.Root, nil); err != nil {
		t.Fatal(err)
	}
	clips, err := library.Open(filepath.Join(dir, "clips"), nil)
	if err != nil {
		t.Fatal(err)
	}
	opts := link.DefaultOptions()
	opts.Device, opts.Broker, opts.Base, opts.Dir, opts.Agent = d.id.Device, broker, d.id.URL, dir, "test"
	opts.TLS = func() *tls.Config { return d.id.TLS(nil) }
	opts.Journal, opts.Plans, opts.Clock = d.journal, d.plans, d.clock
	opts.State = d.state
	opts.Faults = condition.New(nil)
	opts.Doer = deaf{}
	opts.Clips = func(f *link.Fetcher) link.Clips { return shelf{clips, f} }
	opts.ReportJitter, opts.FetchJitter = 0, 0
	if d.link, err = link.New(opts); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	d.stop = stop
	d.running.Go(func() { d.link.Run(ctx) })
	t.Cleanup(d.close)
	o.accept(point)
	return d
}

func (d *simDevice) close() {
	d.stop()
	d.running.Wait()
	_ = d.journal.Close() // the test has read what it wants
}

func (d *simDevice) state() wire.State {
	now := d.clock.Now()
	s := wire.State{
		Log: d.journal.Log(), LastSeq: d.journal.Last(), AckedSeq: d.journal.Acked(),
		Time: wire.TimeState{Level: now.Level}, Output: wire.Output{Sink: "file", Demo: true},
	}
	if p, _, hash, ok := d.plans.Current(); ok {
		s.PlanVersion, s.PlanSHA256, s.HorizonS = p.Version, hash, p.HorizonS
	}
	return s
}

// write appends a record every now and then until ctx ends.
func (d *simDevice) write(ctx context.Context, every time.Duration) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		body := wire.ClockStep{StepUS: int64(n), From: wire.T1, To: wire.T1}
		if _, err := d.journal.Append(wire.RecordClock, d.clock.Now(), body); err != nil {
			return err
		}
	}
}

// records returns what the device wrote.
func (d *simDevice) records(t *testing.T) (all []wire.Record) {
	t.Helper()
	if err := d.journal.Scan(func(r wire.Record) error { all = append(all, r); return nil }); err != nil {
		t.Fatal(err)
	}
	return all
}

// deaf refuses every command but the test tone, which it says it sounded.
type deaf struct{}

func (deaf) Do(_ context.Context, c wire.Command) error {
	if c.Do == wire.DoTestTone {
		return nil
	}
	return errors.New("not here")
}

// shelf is a library as a link sees it.
type shelf struct {
	*library.Library
	fetch *link.Fetcher
}

func (s shelf) Sync(ctx context.Context, want []wire.ManifestClip) error {
	return s.Library.Sync(ctx, want, s.fetch)
}
