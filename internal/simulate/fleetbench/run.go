package fleetbench

import (
	"context"
	"fmt"
	"net"
	"runtime"
	"slices"
	"sync"
	"time"

	"gatecast/controller/fleet"
	"gatecast/controller/trust"
	"gatecast/internal/wire"
)

// enrol makes points and devices in the registry, as an import and enrolments
// would.
func (w *world) enrol(ctx context.Context) error {
	reg := fleet.Registry{Units: []fleet.UnitEntry{{Unit: fleet.Unit{Code: "C", Type: fleet.Subdistrict, Name: "Bench"}}}}
	const perCommunity = 100
	for i := range w.o.Devices {
		unit := fmt.Sprintf("C-%04d", i/perCommunity)
		if i%perCommunity == 0 {
			reg.Units = append(reg.Units, fleet.UnitEntry{Unit: fleet.Unit{Code: unit, Type: fleet.Community, Name: unit}, Parent: "C"})
		}
		code := fmt.Sprintf("G-%05d", i)
		kind := fleet.Gate
		if i%10 == 1 {
			kind = fleet.Horn // the shipped programme wants some of each
		}
		reg.Points = append(reg.Points, fleet.PointEntry{Point: fleet.Point{Code: code, Name: code, Kind: kind}, Unit: unit})
	}
	if err := w.c.Store.ImportRegistry(ctx, reg); err != nil {
		return fmt.Errorf("importing points: %w", err)
	}
	var err error
	if w.points, err = w.c.Store.Points(ctx, fleet.PointFilter{}); err != nil {
		return fmt.Errorf("reading points: %w", err)
	}
	w.devices = make([]*device, w.o.Devices)
	return parallel(256, len(w.devices), func(i int) (err error) {
		w.devices[i], err = w.enrolOne(ctx, w.points[i].ID)
		return err
	})
}

func (w *world) enrolOne(ctx context.Context, point fleet.PointID) (*device, error) {
	d, key, err := newDevice()
	if err != nil {
		return nil, err
	}
	now := time.Now()
	return d, d.enrolWith(key, func(csr []byte) ([]byte, wire.DeviceID, error) {
		cert, id, spki, err := w.c.Trust.IssueDevice(csr, now)
		if err != nil {
			return nil, "", err
		}
		_, hash := trust.NewJoinCode()
		if err := w.c.Store.AddJoinCode(ctx, fleet.JoinCode{Hash: hash, Point: point, Issued: now, Expires: now.Add(time.Hour)}); err != nil {
			return nil, "", err
		}
		if _, err = w.c.Store.Enrol(ctx, hash, fleet.Device{ID: id, SPKI: spki}, now); err != nil {
			return nil, "", err
		}
		_, err = w.c.Store.AcceptDevice(ctx, id, "bench", now)
		return cert, id, err
	})
}

// parallel calls f for 0 to n−1, at most at a time, and returns the first error.
func parallel(at, n int, f func(i int) error) error {
	var wg sync.WaitGroup
	var once sync.Once
	var first error
	next := make(chan int)
	for range min(at, n) {
		wg.Go(func() {
			for i := range next {
				if err := f(i); err != nil {
					once.Do(func() { first = err })
				}
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	wg.Wait()
	return first
}

// dialling bounds handshakes under way, as a router in between would.
const dialling = 400

// connect brings all devices in: TLS, CONNECT, SUBSCRIBE, hello, answer.
func (w *world) connect(ctx context.Context, r *Result) error {
	w.o.Progress("connecting them all")
	before := heap()
	done := w.all(func(d *device) <-chan time.Time { return d.answered })
	began := time.Now()
	addr := w.brokerAddr()
	if err := parallel(dialling, len(w.devices), func(i int) error { return w.devices[i].connect(ctx, addr) }); err != nil {
		return err
	}
	select {
	case last := <-done:
		r.Connect = last.Sub(began)
	case <-time.After(2 * time.Minute):
		return fmt.Errorf("not every device was answered within two minutes")
	case <-ctx.Done():
		return ctx.Err()
	}
	r.HeapPerDevice = int(heap()-before) / len(w.devices)
	return nil
}

func (w *world) brokerAddr() string {
	addr := w.c.MQTTAddr()
	if host, port, err := net.SplitHostPort(addr); err == nil && host == "" {
		return net.JoinHostPort("127.0.0.1", port)
	}
	return addr
}

// heap returns the live bytes of the process, stacks included.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}

// oneEach lets every device send one record at the same instant.
func (w *world) oneEach(ctx context.Context, r *Result) error {
	w.o.Progress("one record from each at the same instant")
	took, all, err := w.send(ctx, len(w.devices), 1)
	if err != nil {
		return err
	}
	r.OneEach = took
	slices.Sort(all)
	r.OneEachP50 = all[len(all)/2]
	return nil
}

// backlog measures how many records a second come in and are committed, in
// batches and one a message.
func (w *world) backlog(ctx context.Context, r *Result) error {
	n := max(w.o.Records, len(w.devices))
	w.o.Progress(fmt.Sprintf("%d records in batches", n))
	took, _, err := w.send(ctx, n, wire.MaxBatchRecords)
	if err != nil {
		return err
	}
	r.Records, r.PerSecond = n, float64(n)/took.Seconds()
	r.RecordBytes = w.recordBytes
	single := max(n/5, len(w.devices))
	w.o.Progress(fmt.Sprintf("%d records, one a message", single))
	if took, _, err = w.send(ctx, single, 1); err != nil {
		return err
	}
	r.SinglePerS = float64(single) / took.Seconds()
	r.Dropped = w.c.LinkStats().Dropped
	return nil
}

// send has the devices send n records together, at most each in a message, and
// returns when the last and when each device had all of its acks.
func (w *world) send(ctx context.Context, n, each int) (time.Duration, []time.Duration, error) {
	sizes := make([]int, len(w.devices))
	err := parallel(runtime.NumCPU(), len(w.devices), func(i int) (err error) {
		share := n / len(w.devices)
		if i < n%len(w.devices) {
			share++
		}
		sizes[i], err = w.devices[i].load(share, each)
		return err
	})
	if err != nil {
		return 0, nil, err
	}
	total := 0
	for _, s := range sizes {
		total += s
	}
	w.recordBytes = total / n
	runtime.GC() // of what preparing left, not of what is measured

	// Each device's goroutine is there before the clock starts.
	start := make(chan struct{})
	var wg sync.WaitGroup
	ends := make([]time.Time, len(w.devices))
	errs := make([]error, len(w.devices))
	for i, d := range w.devices {
		wg.Go(func() {
			<-start
			if errs[i] = d.start(); errs[i] == nil {
				ends[i], errs[i] = d.finish(ctx)
			}
		})
	}
	began := time.Now()
	close(start)
	wg.Wait()
	took := make([]time.Duration, len(w.devices))
	var last time.Duration
	for i := range took {
		if errs[i] != nil {
			return 0, nil, fmt.Errorf("device %q: %w", w.devices[i].id, errs[i])
		}
		took[i] = ends[i].Sub(began)
		last = max(last, took[i])
	}
	return last, took, nil
}

// finish waits for the last ack, sending again as an agent would.
func (d *device) finish(ctx context.Context) (time.Time, error) {
	t := time.NewTicker(resend / 2)
	defer t.Stop()
	for {
		select {
		case at := <-d.acked:
			return at, nil
		case <-d.gone:
			return time.Time{}, fmt.Errorf("connection lost")
		case now := <-t.C:
			d.again(now)
		case <-ctx.Done():
			return time.Time{}, ctx.Err()
		}
	}
}
