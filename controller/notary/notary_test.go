package notary

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"gatecast/controller/fleet"
	"gatecast/controller/sample"
	"gatecast/controller/store"
	"gatecast/controller/trust"
	"gatecast/internal/evidence"
	"gatecast/internal/wire"
)

const (
	device  = wire.DeviceID("d-notary")
	logA    = wire.LogID("00112233445566aa")
	logB    = wire.LogID("00112233445566bb")
	dateFmt = "2006-01-02 15:04"
)

var zone = time.FixedZone("", 8*3600)

func at(t testing.TB, s string) time.Time {
	t.Helper()
	v, err := time.ParseInLocation(dateFmt, s, zone)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// office is a real store, real keys and one device.
type office struct {
	t      testing.TB
	store  *store.Store
	trust  *trust.Authority
	notary *Notary
	prev   map[wire.LogID]string
	seq    map[wire.LogID]wire.Seq
}

func newTestOffice(t testing.TB) *office {
	t.Helper()
	dir := t.TempDir()
	o := &office{t: t, prev: map[wire.LogID]string{}, seq: map[wire.LogID]wire.Seq{}}
	var err error
	if o.trust, err = trust.Open(filepath.Join(dir, "trust"), trust.Options{}); err != nil {
		t.Fatal(err)
	}
	if o.store, err = store.Open(t.Context(), filepath.Join(dir, "gatecast.db"), store.Options{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = o.store.Close() })
	now := at(t, "2026-11-23 08:00")
	if err := o.store.ImportRegistry(t.Context(), sample.Registry(now)); err != nil {
		t.Fatal(err)
	}
	points, err := o.store.Points(t.Context(), fleet.PointFilter{})
	if err != nil {
		t.Fatal(err)
	}
	if err := o.store.AddJoinCode(t.Context(), fleet.JoinCode{Hash: "x", Point: points[0].ID, Issued: now, Expires: now.Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	if _, err := o.store.Enrol(t.Context(), "x", fleet.Device{ID: device, SPKI: []byte("spki")}, now); err != nil {
		t.Fatal(err)
	}
	if _, err := o.store.AcceptDevice(t.Context(), device, "test", now); err != nil {
		t.Fatal(err)
	}
	o.notary, err = New(Options{Store: o.store, Sealer: o.trust, Zone: zone})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// deliver commits n further records of a journal, leaving out skip numbers
// before them.
func (o *office) deliver(log wire.LogID, kind wire.RecordKind, n, skip int) {
	o.t.Helper()
	o.seq[log] += wire.Seq(skip)
	var raws []json.RawMessage
	for range n {
		o.seq[log]++
		raw, err := json.Marshal(wire.Record{Log: log, Seq: o.seq[log], Prev: o.prev[log], Kind: kind, Body: json.RawMessage(`{}`)})
		if err != nil {
			o.t.Fatal(err)
		}
		raws, o.prev[log] = append(raws, raw), evidence.Hash(raw)
	}
	if _, err := o.store.AppendRecords(o.t.Context(), device, log, raws, time.Now()); err != nil {
		o.t.Fatal(err)
	}
}

func (o *office) close(when string, want int) {
	o.t.Helper()
	if n, err := o.notary.Close(o.t.Context(), at(o.t, when)); err != nil || n != want {
		o.t.Errorf("Close at %s = %d, %v, want %d", when, n, err, want)
	}
}

// receipts opens every receipt with the director's public key.
func (o *office) receipts() (all []wire.Receipt) {
	o.t.Helper()
	if err := o.store.Receipts(o.t.Context(), device, func(r fleet.Receipt) error {
		doc, err := evidence.OpenReceipt(r.Envelope, o.trust.DirectorKeys(), device)
		if err != nil {
			return err
		}
		if n := len(all); n > 0 && doc.Version != all[n-1].Version+1 {
			return fmt.Errorf("receipt %d follows %d", doc.Version, all[n-1].Version)
		}
		all = append(all, doc)
		return nil
	}); err != nil {
		o.t.Fatal(err)
	}
	return all
}

func TestDayIsClosedOnce(t *testing.T) {
	o := newTestOffice(t)
	o.deliver(logA, wire.RecordStop, 5, 0)
	o.close("2026-11-24 00:05", 1) // the day before yesterday, as nothing was ever closed
	o.deliver(logA, wire.RecordStop, 5, 0)
	o.close("2026-11-24 00:09", 0)
	o.close("2026-11-24 00:10", 1)
	o.deliver(logA, wire.RecordStop, 5, 0)
	o.close("2026-11-24 23:59", 0)
	o.close("2026-11-25 00:11", 1)
	o.close("2026-11-26 00:11", 0) // nothing came
	o.deliver(logA, wire.RecordReceipt, 1, 0)
	o.deliver(logA, wire.RecordCheckpoint, 1, 0)
	o.close("2026-11-27 00:11", 0) // nothing but what belongs to receipts
	all := o.receipts()
	if len(all) != 3 {
		t.Fatalf("receipts = %+v", all)
	}
	for i, want := range []struct {
		upto wire.Seq
		day  string
	}{{5, "2026-11-22"}, {10, "2026-11-23"}, {15, "2026-11-24"}} {
		r := all[i]
		raw, err := o.store.RecordBytes(t.Context(), device, logA, want.upto)
		if err != nil || r.Upto != want.upto || r.Day != want.day || r.Count != int64(want.upto) || r.Hash != evidence.Hash(raw) || r.Log != logA {
			t.Errorf("receipt %d = %+v, want up to %d of %s (%v)", i+1, r, want.upto, want.day, err)
		}
	}
}

func TestReceiptStopsAtTheFirstHole(t *testing.T) {
	o := newTestOffice(t)
	o.deliver(logA, wire.RecordStop, 3, 0)
	o.deliver(logA, wire.RecordStop, 3, 2)
	o.deliver(logB, wire.RecordStop, 2, 0)
	o.close("2026-11-24 00:30", 2)
	all := o.receipts()
	if len(all) != 2 || all[0].Upto != 3 || all[0].Count != 3 || all[1].Log != logB || all[1].Upto != 2 {
		t.Errorf("receipts = %+v, want up to 3 of the first journal and 2 of the second", all)
	}
}

// After an old backup was restored the device still keeps later receipts; a
// second one of the same number would be a forgery.
func TestNoReceiptWhileTheDeviceKeepsMore(t *testing.T) {
	o := newTestOffice(t)
	o.deliver(logA, wire.RecordStop, 3, 0)
	if _, err := o.store.SaveState(t.Context(), device, wire.State{Session: 1, Receipt: 4}, time.Now()); err != nil {
		t.Fatal(err)
	}
	o.close("2026-11-24 00:30", 0)
	if all := o.receipts(); len(all) != 0 {
		t.Errorf("receipts = %+v", all)
	}
}

func TestNextReceiptIsOneAfterTheOther(t *testing.T) {
	o := newTestOffice(t)
	for d := range 3 {
		o.deliver(logA, wire.RecordStop, 2, 0)
		o.close(fmt.Sprintf("2026-11-%d 01:00", 24+d), 1)
	}
	for held, want := range []uint64{3, 2, 3, 0} { // without any, the newest
		envelope, err := o.store.NextReceipt(t.Context(), device, uint64(held))
		if err != nil {
			t.Fatal(err)
		}
		if want == 0 {
			if envelope != nil {
				t.Errorf("NextReceipt behind the last = %s", envelope)
			}
			continue
		}
		if r, err := o.trust.OpenReceipt(envelope, device); err != nil || r.Version != want {
			t.Errorf("NextReceipt behind %d = %d, %v, want %d", held, r.Version, err, want)
		}
	}
}

// counter is a Store that has nothing and counts how often it is asked.
type counter struct {
	Store
	asked int
	last  string
}

func (c *counter) Unsigned(context.Context) ([]fleet.Unsigned, error)  { c.asked++; return nil, nil }
func (c *counter) AddReceipts(context.Context, []fleet.Receipt) error  { return nil }
func (c *counter) Setting(context.Context, string) (string, error)     { return c.last, nil }
func (c *counter) SetSetting(_ context.Context, _, value string) error { c.last = value; return nil }

func TestRunClosesEachDay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &counter{}
		n, err := New(Options{Store: c, Sealer: &trust.Authority{}, Zone: time.UTC})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		done := make(chan error, 1)
		go func() { done <- n.Run(ctx) }()
		time.Sleep(72*time.Hour + time.Minute) // from midnight, in the bubble's time
		cancel()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if c.asked != 4 || c.last != "2000-01-02" {
			t.Errorf("asked %d times, last day %q, want 4 and 2000-01-02", c.asked, c.last)
		}
	})
}
