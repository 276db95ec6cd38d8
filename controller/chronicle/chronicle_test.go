package chronicle

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatecast/controller/fleet"
	"gatecast/controller/store"
	"gatecast/internal/wire"
)

var testNow = time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)

// scene is a world of which a test says what is in it.
type scene struct {
	mu         sync.Mutex
	devices    []fleet.Device
	programmes []fleet.Programme
	incidents  []fleet.Incident
	signOffs   []fleet.SignOff
}

func (s *scene) Points(context.Context, fleet.PointFilter) ([]fleet.Point, error) {
	return []fleet.Point{{ID: 1, Code: "SL-01", Name: "松风苑南门"}, {ID: 2, Code: "SL-02", Name: "望河花园东门"}}, nil
}

func (s *scene) Devices(context.Context) ([]fleet.Device, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.devices), nil
}

func (s *scene) Programmes(context.Context) ([]fleet.Programme, error) {
	return slices.Clone(s.programmes), nil
}

func (s *scene) IncidentsAfter(_ context.Context, id int64, limit int) ([]fleet.Incident, error) {
	return after(s.incidents, func(in fleet.Incident) bool { return in.ID > id }, limit), nil
}

func (s *scene) SignOffsAfter(_ context.Context, id int64, limit int) ([]fleet.SignOff, error) {
	return after(s.signOffs, func(v fleet.SignOff) bool { return v.ID > id }, limit), nil
}

func after[T any](all []T, keep func(T) bool, limit int) (some []T) {
	for _, v := range all {
		if keep(v) && len(some) < limit {
			some = append(some, v)
		}
	}
	return some
}

func newTestDesk(t *testing.T, s *scene, book Book) *Desk {
	t.Helper()
	d, err := New(Options{Book: book, World: s, Now: func() time.Time { return testNow }})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func newTestStore(t *testing.T) *store.Store {
	t.Helper()
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "gatecast.db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// told returns the kinds and objects of what was written, but for the line of
// each start.
func told(t *testing.T, db *store.Store) (lines []string) {
	t.Helper()
	all, err := db.Occurrences(t.Context(), fleet.OccurrenceFilter{})
	if err != nil {
		t.Fatal(err)
	}
	for i, o := range all {
		if o.ID != fleet.OccurrenceID(i+1) {
			t.Errorf("row %d has number %d", i, o.ID)
		}
		if o.Kind == fleet.OccurredGap && o.Value("why") == "start" {
			continue
		}
		lines = append(lines, fmt.Sprintf("%s %s %s", o.Kind, o.Object, o.Value("point")))
	}
	return lines
}

func pass(t *testing.T, d *Desk) {
	t.Helper()
	if err := d.pass(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestEverythingIsToldOnce(t *testing.T) {
	db := newTestStore(t)
	s := &scene{
		devices:    []fleet.Device{{ID: "d1", Point: 1, State: fleet.DeviceActive, Online: true}, {ID: "d2", Point: 2, State: fleet.DeviceActive}},
		incidents:  []fleet.Incident{{ID: 3, Kind: fleet.IncidentClone, Point: 1, Last: testNow}},
		signOffs:   []fleet.SignOff{{ID: 8, Clip: 1, Title: "旧的"}},
		programmes: []fleet.Programme{{Name: "旧的", Activated: testNow.Add(-time.Hour)}},
	}
	d := newTestDesk(t, s, db)
	pass(t, d)
	if got := told(t, db); got != nil {
		t.Errorf("what was there before the first start is told: %q", got)
	}
	s.incidents = append(s.incidents, fleet.Incident{ID: 4, Kind: fleet.IncidentStranger, Last: testNow})
	s.signOffs = append(s.signOffs, fleet.SignOff{ID: 9, Clip: 2, Title: "冒充客服", SHA256: "ab"})
	s.programmes = append(s.programmes, fleet.Programme{Name: "日常宣传", Code: "daily", Version: 2, Activated: testNow.Add(time.Second)})
	s.devices[0].Online, s.devices[1].Online = false, true
	d.Notice(fleet.Event{Kind: fleet.EventDevice, Point: 1})
	d.Notice(fleet.Event{Kind: fleet.EventIncident})
	d.Settled(fleet.Obligation{Point: 2, Slot: "2026-11-23.x.noon", Verdict: fleet.Missed, Settled: testNow})
	d.Tell(fleet.Occurrence{Kind: fleet.OccurredRelay, Object: "请李工 13800000421 转发"})
	pass(t, d)
	want := []string{
		"incident  ", "clip_signed_off 冒充客服 ", "programme_activated 日常宣传 ", "relay_overdue 请李工 138****0421 转发 ", "verdict 望河花园东门 SL-02", "device_offline 松风苑南门 SL-01", "device_online 望河花园东门 SL-02",
	}
	if diff := cmp.Diff(want, told(t, db)); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
	for _, kind := range []fleet.EventKind{fleet.EventDevice, fleet.EventIncident, fleet.EventPlan, fleet.EventClip, fleet.EventRecord} {
		d.Notice(fleet.Event{Kind: kind})
	}
	pass(t, d)
	d = newTestDesk(t, s, db) // a restart
	pass(t, d)
	d.Notice(fleet.Event{Kind: fleet.EventDevice})
	pass(t, d)
	if got := told(t, db); len(got) != len(want) {
		t.Errorf("told twice: %q", got[len(want):])
	}
}

// stuck is a book that fails, or never answers.
type stuck struct {
	Book
	fail error
	hold chan struct{}
}

func (s stuck) AddOccurrences(ctx context.Context, all []fleet.Occurrence, read fleet.Sources) ([]fleet.Occurrence, error) {
	if s.fail != nil {
		return nil, s.fail
	}
	select {
	case <-s.hold:
		return s.Book.AddOccurrences(ctx, all, read)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// TestNobodyWaitsForTheBook has the disk hang while a city settles: those who
// tell go on at once, what is above the bound is counted, and the rest is
// written when the disk is back.
func TestNobodyWaitsForTheBook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kept := memory{all: &[]fleet.Occurrence{}}
		book := stuck{Book: kept, hold: make(chan struct{})}
		d := newTestDesk(t, &scene{}, book)
		d.read, d.online = fleet.Sources{sourceProgrammes: wire.US(testNow)}, map[wire.DeviceID]bool{}
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { _ = d.Run(ctx) })
		start := time.Now()
		for i := range maxWaiting + 5000 {
			d.Settled(fleet.Obligation{Point: 1, Slot: wire.SlotID(fmt.Sprint(i)), Verdict: fleet.Played})
			d.Notice(fleet.Event{Kind: fleet.EventDevice, Point: 1})
		}
		if took := time.Since(start); took != 0 { // the clock of the bubble stands still unless somebody waits
			t.Errorf("telling waited for %s", took)
		}
		synctest.Wait()
		close(book.hold)
		time.Sleep(2 * idle)
		cancel()
		wg.Wait()
		all := *kept.all
		last := all[len(all)-1]
		dropped, err := strconv.Atoi(last.Value("dropped"))
		if err != nil || last.Kind != fleet.OccurredGap || dropped == 0 || len(all)-1+dropped != maxWaiting+5000 {
			t.Errorf("%d rows, the last one %+v", len(all), last)
		}
	})
}

// memory is a book in memory.
type memory struct{ all *[]fleet.Occurrence }

func (m memory) AddOccurrences(_ context.Context, all []fleet.Occurrence, _ fleet.Sources) ([]fleet.Occurrence, error) {
	*m.all = append(*m.all, all...)
	return all, nil
}
func (m memory) OccurrenceSources(context.Context) (fleet.Sources, error) {
	return fleet.Sources{}, nil
}
func (m memory) TrimOccurrences(context.Context, time.Time, int) (int, error) { return 0, nil }

func TestAFailedWriteIsTriedAgain(t *testing.T) {
	db := newTestStore(t)
	s := &scene{devices: []fleet.Device{{ID: "d1", Point: 1, State: fleet.DeviceActive}}}
	d := newTestDesk(t, s, db)
	pass(t, d)
	d.o.Book = stuck{Book: db, fail: errors.New("disk full")}
	s.devices[0].Online = true
	d.Notice(fleet.Event{Kind: fleet.EventDevice})
	d.Settled(fleet.Obligation{Point: 1, Verdict: fleet.Played, Settled: testNow})
	if err := d.pass(t.Context()); err == nil {
		t.Fatal("no error though nothing was written")
	}
	d.Settled(fleet.Obligation{Point: 2, Verdict: fleet.Missed, Settled: testNow})
	d.o.Book = db
	pass(t, d)
	want := []string{"verdict 松风苑南门 SL-01", "verdict 望河花园东门 SL-02", "device_online 松风苑南门 SL-01"}
	if diff := cmp.Diff(want, told(t, db)); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
}

func TestReadersAreWoken(t *testing.T) {
	db := newTestStore(t)
	d := newTestDesk(t, &scene{}, db)
	c, cancel := d.Subscribe()
	pass(t, d) // the line of the start
	select {
	case <-c:
	default:
		t.Error("no reader is woken")
	}
	pass(t, d)
	select {
	case <-c:
		t.Error("a reader is woken though nothing happened")
	default:
	}
	cancel()
	for range 3 { // nobody reads: nobody waits
		d.Settled(fleet.Obligation{Point: 1, Verdict: fleet.Played})
		pass(t, d)
	}
}
