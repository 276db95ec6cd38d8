package playout

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gatecast/agent/condition"
	"gatecast/agent/journal"
	"gatecast/agent/library"
	"gatecast/agent/walltime"
	"gatecast/audio"
	"gatecast/audio/output"
	"gatecast/internal/durable"
	"gatecast/internal/wire"
)

// The rig runs an Engine in a synctest bubble: the real journal on a real
// disk, the real clock over a kernel that can be stepped, and a sink that
// keeps the contract in virtual time.

// origin is the wall time at which a rig's machine boots, a Monday in
// Shanghai at 07:00.
var origin = time.Date(2026, 11, 22, 23, 0, 0, 0, time.UTC)

const (
	clipRate   = 8000
	clipFrames = 80_000 // 10 s
)

func shaOf(n int) string { return fmt.Sprintf("%064x", n) }

// kernelClock is a machine whose wall clock can be set. Its time is that of
// the bubble.
type kernelClock struct {
	mu     sync.Mutex
	boot   time.Time // of the bubble
	bootID string
	off    time.Duration // wall minus bubble time
	synced bool
}

func (k *kernelClock) BootID() string           { return k.bootID }
func (k *kernelClock) SinceBoot() time.Duration { return time.Since(k.boot) }
func (k *kernelClock) Battery() bool            { return false }

func (k *kernelClock) Wall() time.Time {
	k.mu.Lock()
	defer k.mu.Unlock()
	return time.Now().Round(0).Add(k.off)
}

func (k *kernelClock) Synchronised() (bool, time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.synced, time.Millisecond
}

// step sets the wall clock forward by d, as a time service does.
func (k *kernelClock) step(d time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.off += d
}

func (k *kernelClock) sync(ok bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.synced = ok
}

// fakeSink sounds in virtual time.
type fakeSink struct {
	mu       sync.Mutex
	plays    []fakePlay
	prepare  error         // what Prepare returns
	lostAt   time.Duration // the device goes after this much sound; 0 never
	muted    bool
	tooFast  bool
	stall    bool          // it fills its buffer of a tenth of a second, and nothing sounds
	lag      time.Duration // it begins so much late
	playing  bool
	prepared int
}

type fakePlay struct {
	at    time.Time // bubble time of the first frame
	first float32
	peak  float64
	end   output.End
}

var _ output.Sink = (*fakeSink)(nil)

func (s *fakeSink) Prepare(context.Context, audio.Format) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.prepared++
	return s.prepare
}

func (s *fakeSink) Play(ctx context.Context, at time.Time, src audio.Source) (output.Report, error) {
	s.mu.Lock()
	if s.playing {
		s.mu.Unlock()
		return output.Report{End: output.Refused}, output.ErrPlaying
	}
	s.playing = true
	lostAt, muted, tooFast, stall := s.lostAt, s.muted, s.tooFast, s.stall
	at = at.Add(s.lag)
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.playing = false
		s.mu.Unlock()
	}()
	r := output.Report{Sink: "alsa", Device: "hw:CARD=Fake", Frames: src.Frames(), Muted: muted, Mixer: "Speaker 60% on", End: output.Refused}
	if err := sleepUntil(ctx, at); err != nil {
		r.End = output.Cancelled
		return r, err
	}
	if stall {
		r.StartedAt, r.End = time.Now(), output.Lost
		if err := s.swallow(src); err != nil {
			return r, err
		}
		<-ctx.Done()
		return r, ctx.Err()
	}
	pcm, err := audio.Collect(src)
	if err != nil {
		return r, err
	}
	r.StartedAt, r.FramesWritten = time.Now(), src.Frames()
	p := fakePlay{at: r.StartedAt, first: pcm.Samples[0]}
	for _, v := range pcm.Samples {
		p.peak = max(p.peak, math.Abs(float64(v)))
	}
	whole := src.Frames().Duration(src.Format().Rate)
	until := whole
	if lostAt > 0 && lostAt < whole {
		until = lostAt
	}
	if tooFast {
		until = time.Millisecond
	}
	err = sleepUntil(ctx, r.StartedAt.Add(until))
	r.Elapsed = time.Since(r.StartedAt)
	r.FramesPlayed = min(src.Frames(), audio.FramesIn(r.Elapsed, src.Format().Rate))
	switch {
	case err != nil:
		r.End = output.Cancelled
	case until < whole && !tooFast:
		r.End, err = output.Lost, &output.Fault{Code: output.Gone, Device: r.Device}
		s.set(func(s *fakeSink) { s.prepare = err })
	default:
		r.End, r.FramesPlayed = output.Drained, src.Frames()
	}
	p.end = r.End
	s.mu.Lock()
	s.plays = append(s.plays, p)
	s.mu.Unlock()
	return r, err
}

// swallow fills a buffer that nothing empties: a tenth of a second.
func (s *fakeSink) swallow(src audio.Source) error {
	_, err := src.Read(make([]float32, src.Format().Rate/10*src.Format().Channels))
	return err
}

func (s *fakeSink) Device() (output.Device, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return output.Device{Sink: "alsa", Name: "hw:CARD=Fake"}, s.prepare
}

func (s *fakeSink) Close() error { return nil }

func (s *fakeSink) set(change func(*fakeSink)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(s)
}

func (s *fakeSink) sounded() []fakePlay {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]fakePlay(nil), s.plays...)
}

// fakeLibrary holds clips of noise, or the error that loading one gives.
type fakeLibrary struct {
	mu    sync.Mutex
	bad   map[string]error
	quiet bool // clips are digital silence
	loads int
}

func (l *fakeLibrary) Have(sha string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.bad[sha] == nil
}

func (l *fakeLibrary) Load(sha string, c wire.ManifestClip) (*audio.PCM, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.loads++
	if err := l.bad[sha]; err != nil {
		return nil, err
	}
	pcm := &audio.PCM{Format: audio.Format{Rate: c.Rate, Channels: 1}, Samples: make([]float32, c.Frames)}
	for i := range pcm.Samples {
		if !l.quiet {
			pcm.Samples[i] = 0.25 * float32(math.Sin(float64(i)/7))
		}
	}
	return pcm, nil
}

func (l *fakeLibrary) fail(sha string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.bad == nil {
		l.bad = make(map[string]error)
	}
	l.bad[sha] = err
}

// rig is one device over several runs, boots and power cuts.
type rig struct {
	t       *testing.T
	dir     string
	fs      durable.FS // nil means the real disk
	kernel  *kernelClock
	sink    *fakeSink
	lib     *fakeLibrary
	boots   int
	wrap    func(Journal) Journal
	leadIn  time.Duration
	muted   func(time.Time) bool
	mu      sync.Mutex
	plan    *wire.Plan
	man     *wire.Manifest
	engine  *Engine
	conds   *condition.Registry
	clock   *walltime.Clock
	journal *journal.Journal
	cancel  context.CancelFunc
	stopped chan struct{}
}

// inBubble runs test with a rig whose machine has booted at origin, with its
// kernel synchronised and plan p.
func inBubble(t *testing.T, p *wire.Plan, test func(*rig)) {
	t.Helper()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		r := &rig{t: t, dir: dir, sink: &fakeSink{}, lib: &fakeLibrary{}, plan: p, man: testManifest()}
		r.boot(time.Until(origin), true)
		test(r)
		if r.cancel != nil {
			r.stop()
		}
	})
}

// boot starts the machine with its wall clock off bubble time by off.
func (r *rig) boot(off time.Duration, synced bool) {
	r.boots++
	r.kernel = &kernelClock{boot: time.Now(), bootID: fmt.Sprintf("boot-%d", r.boots), off: off, synced: synced}
}

// start starts the agent's playout.
func (r *rig) start() {
	r.t.Helper()
	var err error
	if r.clock, err = walltime.Open(r.dir, walltime.Options{BuildTime: origin.Add(-time.Hour), Kernel: r.kernel, FS: r.fs}); err != nil {
		r.t.Fatal(err)
	}
	if r.journal, err = journal.Open(r.dir+"/journal", journal.Options{Now: r.clock.Now, FS: r.fs}); err != nil {
		r.t.Fatal(err)
	}
	var j Journal = r.journal
	if r.wrap != nil {
		j = r.wrap(j)
	}
	r.conds = condition.New(nil)
	r.engine, err = New(Options{
		Clock: r.clock, Library: r.lib, Journal: j, Sink: r.sink, Conditions: r.conds, Agent: "test", LeadIn: r.leadIn, Progress: r.dir + "/progress", FS: r.fs, Muted: r.muted,
		Plan: func() (*wire.Plan, *wire.Manifest, bool) {
			r.mu.Lock()
			defer r.mu.Unlock()
			return r.plan, r.man, r.plan != nil
		},
	})
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(r.t.Context())
	r.cancel, r.stopped = cancel, make(chan struct{})
	clock, engine, stopped := r.clock, r.engine, r.stopped
	var wg sync.WaitGroup
	wg.Go(func() { clock.Run(ctx) })
	wg.Go(func() {
		if err := engine.Run(ctx); err != nil {
			r.t.Errorf("Run: %v", err)
		}
	})
	go func() { wg.Wait(); close(stopped) }()
}

// stop ends the agent in good order.
func (r *rig) stop() {
	r.t.Helper()
	r.cancel()
	<-r.stopped
	r.cancel = nil
	if err := r.journal.Close(); err != nil {
		r.t.Error(err)
	}
}

// setPlan puts p into force.
func (r *rig) setPlan(p *wire.Plan) {
	r.mu.Lock()
	r.plan = p
	r.mu.Unlock()
	r.engine.PlanChanged()
}

// until sleeps until the bubble's wall clock, as it was at the boot, reads t.
func (r *rig) until(t time.Time) {
	r.t.Helper()
	d := t.Sub(r.kernel.Wall())
	if d < 0 {
		r.t.Fatalf("%v has passed", t)
	}
	time.Sleep(d)
	synctest.Wait()
}

// outcomes returns every outcome in the journal, as "play result reason".
func (r *rig) outcomes() []string {
	r.t.Helper()
	got := []string{}
	for _, o := range r.outcomeRecords() {
		s := fmt.Sprintf("%s %s", strings.TrimPrefix(string(o.Play), "2026-11-23."), o.Result)
		if o.Reason != "" {
			s += " " + string(o.Reason)
		}
		got = append(got, s)
	}
	return got
}

func (r *rig) outcomeRecords() []wire.Outcome {
	r.t.Helper()
	var got []wire.Outcome
	for _, rec := range r.records(wire.RecordOutcome) {
		var o wire.Outcome
		if err := json.Unmarshal(rec.Body, &o); err != nil {
			r.t.Fatal(err)
		}
		got = append(got, o)
	}
	return got
}

func (r *rig) records(kind wire.RecordKind) []wire.Record {
	r.t.Helper()
	var got []wire.Record
	if err := r.journal.Scan(func(rec wire.Record) error {
		if rec.Kind == kind {
			got = append(got, rec)
		}
		return nil
	}); err != nil {
		r.t.Fatal(err)
	}
	return got
}

func (r *rig) has(code condition.Code) bool {
	for _, c := range r.conds.List() {
		if c.Code == string(code) {
			return true
		}
	}
	return false
}

// testManifest allows clips 1 to 9, around the clock.
func testManifest() *wire.Manifest {
	m := &wire.Manifest{Ceilings: wire.Ceilings{
		Zone: "Asia/Shanghai", Allowed: []wire.DailyWindow{{FirstMin: 0, LastMin: 1440}},
		MaxGainDB: 6, MaxVolumePct: 80, MaxPlaysPerHour: 60, MaxClipS: 180,
	}}
	for n := 1; n <= 9; n++ {
		m.Clips = append(m.Clips, wire.ManifestClip{SHA256: shaOf(n), Title: fmt.Sprintf("clip %d", n), Bytes: 1, Rate: clipRate, Frames: clipFrames})
	}
	return m
}

// testSlot is a slot of count plays, every two minutes, from minutes after
// origin, with a grace of 30 s.
func testSlot(key string, minutes, count int) wire.PlanSlot {
	start := origin.Add(time.Duration(minutes) * time.Minute).Unix()
	return wire.PlanSlot{
		ID: wire.SlotID("2026-11-23." + key), Name: key, StartS: start, EndS: start + int64(count)*120,
		EveryS: 120, Count: count, Playlist: []int{0}, GraceS: 30,
	}
}

func testPlan(slots ...wire.PlanSlot) *wire.Plan {
	return &wire.Plan{
		Header: wire.Header{Type: wire.DocPlan, Version: 7, IssuedUS: wire.US(origin.Add(-time.Hour))},
		Point:  "SF-01", Zone: "Asia/Shanghai", FromS: origin.Unix(), HorizonS: origin.Add(60 * 24 * time.Hour).Unix(),
		Clips: []string{shaOf(1), shaOf(2)}, Slots: slots,
	}
}

var (
	errMissing = fmt.Errorf("test: %w", library.ErrMissing)
	errBusy    = errors.Join(&output.Fault{Code: output.Busy, Device: "hw:CARD=Fake"})
)

// cut is a power cut: what is on the disk now goes on in a machine that boots
// after off, while the run that was cut is forgotten. The sink is a new one.
func (r *rig) cut(off time.Duration) *rig {
	r.t.Helper()
	n := &rig{t: r.t, dir: r.t.TempDir(), sink: &fakeSink{}, lib: r.lib, plan: r.plan, man: r.man, boots: r.boots}
	r.copyTo(n.dir)
	wall := r.kernel.Wall()
	r.stop()
	time.Sleep(off)
	n.boot(time.Until(wall.Add(off)), true)
	return n
}

// kill ends the agent as SIGKILL does and returns the same device, on the
// same boot, to be started again.
func (r *rig) kill() *rig {
	r.t.Helper()
	n := &rig{t: r.t, dir: r.t.TempDir(), sink: &fakeSink{}, lib: r.lib, plan: r.plan, man: r.man, boots: r.boots, kernel: r.kernel}
	r.copyTo(n.dir)
	r.stop()
	return n
}

func (r *rig) copyTo(dir string) {
	r.t.Helper()
	if err := os.CopyFS(dir, os.DirFS(r.dir)); err != nil {
		r.t.Fatal(err)
	}
}

// damage flips a byte in the middle of the journal's only segment.
func (r *rig) damage() {
	r.t.Helper()
	names, err := filepath.Glob(filepath.Join(r.dir, "journal", "*.seg"))
	if err != nil || len(names) != 1 {
		r.t.Fatalf("segments %v, %v", names, err)
	}
	data, err := os.ReadFile(names[0])
	if err != nil {
		r.t.Fatal(err)
	}
	data[bytes.Index(data, []byte("intent"))] ^= 1
	if err := os.WriteFile(names[0], data, 0o600); err != nil {
		r.t.Fatal(err)
	}
}

// pass lets d of the bubble's time go by.
func (r *rig) pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}
