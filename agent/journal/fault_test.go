package journal

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"gatecast/agent/walltime"
	"gatecast/internal/durable"
	"gatecast/internal/evidence"
	"gatecast/internal/wire"
)

// faultyDisk puts faults between a journal and its segments.
type faultyDisk struct {
	realDisk
	writeErr  error
	short     int // bytes written before writeErr strikes
	syncErr   error
	syncOnce  bool // fail the next sync alone
	openErr   error
	fullWhile string // no file can be opened while this one is there
	syncs     int
}

// realDisk is what a fault is put in front of.
type realDisk struct{ durable.FS }

func newFaultyDisk() *faultyDisk { return &faultyDisk{realDisk: realDisk{durable.Disk}} }

func (d *faultyDisk) OpenFile(path string, flag int, perm fs.FileMode) (durable.File, error) {
	if flag&os.O_RDWR == 0 || !strings.Contains(path, ".seg") {
		return d.realDisk.OpenFile(path, flag, perm)
	}
	if d.openErr != nil {
		return nil, d.openErr
	}
	if _, err := os.Stat(d.fullWhile); err == nil {
		return nil, unix.ENOSPC
	}
	f, err := d.realDisk.OpenFile(path, flag, perm)
	if err != nil {
		return nil, err
	}
	return &faultyFile{f, d}, nil
}

type faultyFile struct {
	durable.File
	d *faultyDisk
}

func (f *faultyFile) WriteAt(p []byte, off int64) (int, error) {
	if f.d.writeErr != nil {
		n, err := f.File.WriteAt(p[:min(len(p), f.d.short)], off)
		return n, errors.Join(f.d.writeErr, err)
	}
	return f.File.WriteAt(p, off)
}

func (f *faultyFile) SyncData() error {
	f.d.syncs++
	if f.d.syncOnce {
		f.d.syncOnce = false
		return errIO
	}
	if f.d.syncErr != nil {
		return f.d.syncErr
	}
	return f.File.SyncData()
}

var errIO = &os.PathError{Op: "fdatasync", Path: "x.seg", Err: unix.EIO}

func appendOne(j *Journal) (wire.Seq, error) {
	return j.Append(wire.RecordIntent, stampAt(1), wire.Intent{Play: "a.b#1"})
}

func TestEveryRecordIsSyncedBeforeAppendReturns(t *testing.T) {
	d := newFaultyDisk()
	j := openTest(t, t.TempDir(), Options{FS: d})
	for range 5 {
		before := d.syncs
		if _, err := appendOne(j); err != nil || d.syncs != before+1 {
			t.Fatalf("Append: %d syncs, %v, want one", d.syncs-before, err)
		}
	}
}

func TestFailedSyncRetiresTheLog(t *testing.T) {
	d := newFaultyDisk()
	dir := t.TempDir()
	j := openTest(t, dir, Options{FS: d})
	write(t, j, 3)
	old := j.Log()
	d.syncErr = errIO
	if _, err := appendOne(j); !errors.Is(err, ErrBroken) || !errors.Is(err, unix.EIO) {
		t.Fatalf("Append on a failing disk = %v, want ErrBroken and its cause", err)
	}
	if _, err := appendOne(j); !errors.Is(err, ErrBroken) {
		t.Fatalf("second Append on a failing disk = %v, want ErrBroken", err)
	}
	d.syncErr = nil
	seq, err := appendOne(j)
	if err != nil {
		t.Fatalf("Append on the mended disk: %v", err)
	}
	if j.Log() == old {
		t.Fatal("the log whose sync failed is still written to")
	}
	check := func(j *Journal) {
		t.Helper()
		b, err := j.Batch(50, 1<<20)
		if err != nil || b.Log != old || len(b.Records) != 3 {
			t.Errorf("first batch: log %s, %d records, %v, want the 3 of the retired log %s", b.Log, len(b.Records), err, old)
		}
		if g := j.Gaps(); len(g) < 1 || g[0] != (wire.Gap{Log: old, First: 4, Last: 4, Why: whySync}) {
			t.Errorf("gaps = %v, want record 4 of %s", g, old)
		}
		if j.Last() != seq {
			t.Errorf("last = %d, want %d", j.Last(), seq)
		}
	}
	check(j)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	// The unsure record is on the disk in fact, and must not come back.
	check(openTest(t, dir, Options{}))
}

func TestRecordGoesIntoTheNewLogWhenOneSyncFails(t *testing.T) {
	d := newFaultyDisk()
	j := openTest(t, t.TempDir(), Options{FS: d})
	write(t, j, 2)
	d.syncOnce = true
	seq, err := appendOne(j)
	if err != nil || seq != 2 { // behind the gap record
		t.Fatalf("Append = %d, %v, want record 2 of a new log", seq, err)
	}
	var kinds []wire.RecordKind
	if err := j.Scan(func(r wire.Record) error { kinds = append(kinds, r.Kind); return nil }); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]wire.RecordKind{"intent", "intent", "gap", "intent"}, kinds); diff != "" {
		t.Errorf("kinds (-want +got):\n%s", diff)
	}
}

func TestFullDiskLeavesTheJournalWhole(t *testing.T) {
	for name, short := range map[string]int{"nothing_written": 0, "half_written": 100} {
		t.Run(name, func(t *testing.T) {
			d := newFaultyDisk()
			dir := t.TempDir()
			j := openTest(t, dir, Options{FS: d})
			write(t, j, 3)
			d.writeErr, d.short = unix.ENOSPC, short
			if _, err := appendOne(j); !errors.Is(err, ErrFull) {
				t.Fatalf("Append on a full disk = %v, want ErrFull", err)
			}
			cut := t.TempDir()
			copyDir(t, dir, cut)
			if k := openTest(t, cut, Options{}); k.Last() != 3 || k.Truncated() != 0 || len(k.Gaps()) != 0 {
				t.Errorf("power cut on a full disk: last %d truncated %d gaps %v", k.Last(), k.Truncated(), k.Gaps())
			}
			d.writeErr = nil
			if seq, err := appendOne(j); err != nil || seq != 4 {
				t.Errorf("Append with space again = %d, %v, want 4", seq, err)
			}
		})
	}
}

// TestFullDiskTakesTheSpaceOfAckedSegments has no space for a new segment
// until an old one goes.
func TestFullDiskTakesTheSpaceOfAckedSegments(t *testing.T) {
	d := newFaultyDisk()
	dir := t.TempDir()
	o := Options{SegmentBytes: dataStart + maxFrame, FS: d}
	j := openTest(t, dir, o)
	for len(segments(t, dir)) < 3 {
		write(t, j, 1)
	}
	if err := j.Ack(wire.Ack{Log: j.Log(), Upto: j.Last()}); err != nil {
		t.Fatal(err)
	}
	oldest := segments(t, dir)[0]
	d.fullWhile = oldest
	for len(segments(t, dir)) > 0 {
		if _, err := os.Stat(oldest); err != nil {
			break
		}
		write(t, j, 1)
	}
	if len(j.Gaps()) != 0 {
		t.Errorf("gaps %v for records that were acked", j.Gaps())
	}
}

func TestBrokenDiskAtOpenIsAnError(t *testing.T) {
	d := newFaultyDisk()
	d.openErr = errIO
	if _, err := Open(t.TempDir(), Options{FS: d}); !errors.Is(err, unix.EIO) {
		t.Errorf("Open = %v, want EIO", err)
	}
}

func TestByteBoundDropsOldestAndSaysSo(t *testing.T) {
	dir := t.TempDir()
	o := Options{SegmentBytes: dataStart + maxFrame, MaxBytes: 4 * (dataStart + maxFrame)}
	j := openTest(t, dir, o)
	write(t, j, 400)
	var size int64
	for _, name := range segments(t, dir) {
		fi, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		size += fi.Size()
	}
	if size > o.MaxBytes {
		t.Errorf("%d bytes on disk, bound is %d", size, o.MaxBytes)
	}
	checkAllNamed(t, j, 400)
	if len(j.Gaps()) == 0 {
		t.Fatal("nothing was dropped")
	}
	last := j.Last()
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	k := openTest(t, dir, o)
	if k.Last() != last {
		t.Errorf("opened again: last %d, want %d", k.Last(), last)
	}
	checkAllNamed(t, k, 400)
}

// checkAllNamed holds that each record of the current log is held or named by
// a gap, and that there are at least n.
func checkAllNamed(t *testing.T, j *Journal, n wire.Seq) {
	t.Helper()
	b, err := j.Batch(1<<20, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	named := make(map[wire.Seq]bool)
	for _, raw := range b.Records {
		var r wire.Record
		if err := json.Unmarshal(raw, &r); err != nil {
			t.Fatal(err)
		}
		named[r.Seq] = true
	}
	for _, g := range j.Gaps() {
		if g.Why != whyFull || g.Log != j.Log() {
			t.Errorf("gap %+v", g)
		}
		for s := g.First; s <= g.Last; s++ {
			named[s] = true
		}
	}
	for s := wire.Seq(1); s <= max(n, j.Last()); s++ {
		if !named[s] {
			t.Fatalf("record %d is neither held nor named by a gap", s)
		}
	}
}

func TestByteBoundDropsAckedSilently(t *testing.T) {
	dir := t.TempDir()
	j := openTest(t, dir, Options{SegmentBytes: dataStart + maxFrame, MaxBytes: 3 * (dataStart + maxFrame)})
	for range 40 {
		write(t, j, 10)
		if err := j.Ack(wire.Ack{Log: j.Log(), Upto: j.Last()}); err != nil {
			t.Fatal(err)
		}
	}
	if len(j.Gaps()) != 0 || len(segments(t, dir)) > 3 {
		t.Errorf("gaps %v, %d segments", j.Gaps(), len(segments(t, dir)))
	}
}

// TestAckedRecordsAreKeptForARestoredController rewinds within the 35 days,
// and beyond.
func TestAckedRecordsAreKeptForARestoredController(t *testing.T) {
	dir := t.TempDir()
	now := stampAt(0)
	j := openTest(t, dir, Options{SegmentBytes: dataStart + maxFrame, Now: func() walltime.Stamp { return now }})
	day := func(n int) walltime.Stamp { s := stampAt(0); s.Wall = s.Wall.AddDate(0, 0, n); return s }
	for n := range 60 {
		now = day(n)
		for range 10 {
			if _, err := j.Append(wire.RecordIntent, now, wire.Intent{Play: "a.b#1"}); err != nil {
				t.Fatal(err)
			}
		}
		if err := j.Ack(wire.Ack{Log: j.Log(), Upto: j.Last()}); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Ack(wire.Ack{Log: j.Log(), Upto: j.Last() - 340}); err != nil { // 34 days back
		t.Fatal(err)
	}
	if b, err := j.Batch(1<<20, 1<<30); err != nil || len(b.Records) != 340 || len(j.Gaps()) != 0 {
		t.Fatalf("34 days back: %d records, %v, gaps %v, want 340 and none", len(b.Records), err, j.Gaps())
	}
	for range 2 { // asked twice, answered once
		if err := j.Ack(wire.Ack{Log: j.Log(), Upto: 0}); err != nil {
			t.Fatal(err)
		}
	}
	first, err := parseName(segments(t, dir)[0])
	if err != nil {
		t.Fatal(err)
	}
	want := []wire.Gap{{Log: j.Log(), First: 1, Last: first.first - 1, Why: whyAged}}
	if diff := cmp.Diff(want, j.Gaps()); diff != "" || first.first < 100 {
		t.Errorf("first held %d, gaps (-want +got):\n%s", first.first, diff)
	}
}

func TestUnackedRecordsDoNotAge(t *testing.T) {
	dir := t.TempDir()
	now := stampAt(0)
	j := openTest(t, dir, Options{SegmentBytes: dataStart + maxFrame, Now: func() walltime.Stamp { return now }})
	for n := range 200 {
		now.Wall = noon.AddDate(0, 0, n)
		if _, err := j.Append(wire.RecordIntent, now, wire.Intent{Play: "a.b#1"}); err != nil {
			t.Fatal(err)
		}
	}
	if b, err := j.Batch(1<<20, 1<<30); err != nil || len(b.Records) != 200 {
		t.Errorf("%d records pending, %v, want all 200", len(b.Records), err)
	}
}

func TestRetiredLogIsDeliveredThenLeftAlone(t *testing.T) {
	dir := t.TempDir()
	k := written(t, dir, 5, Options{})
	path := newestSegment(t, k.dir)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data[frameEnds(t, path)[2]+60] ^= 0x40 // in record 3
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	j := reopened(t, k.dir, Options{})
	b, err := j.Batch(50, 1<<20)
	if err != nil || b.Log != k.log || len(b.Records) != 4 {
		t.Fatalf("batch: log %s, %d records, %v, want 4 of %s", b.Log, len(b.Records), err, k.log)
	}
	if err := j.Ack(wire.Ack{Log: k.log, Upto: 5}); err != nil {
		t.Fatal(err)
	}
	if b, err = j.Batch(50, 1<<20); err != nil || b.Log != j.Log() || len(b.Records) != 1 {
		t.Fatalf("batch: log %s, %d records, %v, want the gap record of %s", b.Log, len(b.Records), err, j.Log())
	}
	cut := t.TempDir() // no Close: what the retired log was acked is on the disk already
	copyDir(t, k.dir, cut)
	n := reopened(t, cut, Options{})
	if b, err = n.Batch(50, 1<<20); err != nil || b.Log != j.Log() {
		t.Errorf("after a power cut the retired log is pending again: %s", b.Log)
	}
	if err := errors.Join(j.Close(), n.Close()); err != nil {
		t.Fatal(err)
	}
}

func TestCrashBetweenGapAndRemovalIsFinished(t *testing.T) {
	dir := t.TempDir()
	o := Options{SegmentBytes: dataStart + maxFrame, MaxBytes: 4 * (dataStart + maxFrame)}
	j := openTest(t, dir, o)
	for len(segments(t, dir)) < 3 {
		write(t, j, 1)
	}
	first := segments(t, dir)[0]
	content, err := os.ReadFile(first)
	if err != nil {
		t.Fatal(err)
	}
	for len(j.Gaps()) == 0 {
		write(t, j, 1)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(first, content, 0o600); err != nil { // the removal did not reach the disk
		t.Fatal(err)
	}
	k := openTest(t, dir, o)
	if _, err := os.Stat(first); err == nil {
		t.Error("the dropped segment is still there")
	}
	if len(k.Gaps()) != 1 {
		t.Errorf("gaps %v, want the one", k.Gaps())
	}
}

func TestLargeRecordIsRefused(t *testing.T) {
	j := openTest(t, t.TempDir(), Options{})
	if _, err := j.Append(wire.RecordOutcome, stampAt(0), wire.Outcome{Detail: string(make([]byte, maxPayload))}); err == nil {
		t.Error("a record of more than a message was accepted")
	}
	if seq := write(t, j, 1); seq != 1 {
		t.Errorf("next record is %d, want 1", seq)
	}
}

func TestLostAckFileMeansSendingAgain(t *testing.T) {
	dir := t.TempDir()
	j := openTest(t, dir, Options{})
	write(t, j, 3)
	if err := errors.Join(j.Ack(wire.Ack{Log: j.Log(), Upto: 3}), j.Close()); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, acksName), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if k := openTest(t, dir, Options{}); k.Acked() != 0 || k.Last() != 3 {
		t.Errorf("acked %d of %d, want 0 of 3", k.Acked(), k.Last())
	}
}

// BenchmarkPlay prints the bytes that one play dirties: intent, outcome and
// the ack in between, as /proc/self/io counts them.
func BenchmarkPlay(b *testing.B) {
	dir, err := os.MkdirTemp(".", "bench") // not a memory file system
	if err != nil {
		b.Fatal(err)
	}
	defer os.RemoveAll(dir)
	j, err := Open(dir, Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer j.Close()
	sha := evidence.Hash([]byte("x"))
	before := writtenBytes(b)
	for b.Loop() {
		seq, err := j.Append(wire.RecordIntent, stampAt(1), wire.Intent{Play: "2026-11-23.gates.morning#1", Slot: "2026-11-23.gates.morning", Plan: 7, Clip: sha, PlannedUS: wire.US(noon)})
		if err != nil {
			b.Fatal(err)
		}
		if _, err = j.Append(wire.RecordOutcome, stampAt(2), wire.Outcome{
			Play: "2026-11-23.gates.morning#1", Slot: "2026-11-23.gates.morning", Plan: 7, Clip: sha, PlannedUS: wire.US(noon), IntentSeq: seq,
			Result: wire.PlayPlayed, StartedUS: wire.US(noon), ElapsedMS: 30_000, SoundMS: 30_000, ClipMS: 30_000, Frames: 720_000,
			FramesWritten: 720_000, FramesPlayed: 720_000, Rate: 24_000, Sink: "alsa", Device: "hw:CARD=Device,DEV=0 (USB Audio)", Mixer: "Speaker 60% on", End: "drained",
		}); err != nil {
			b.Fatal(err)
		}
		if err := j.Ack(wire.Ack{Log: j.Log(), Upto: j.Last()}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(writtenBytes(b)-before)/float64(b.N)/1024, "KiB/play")
	b.ReportMetric(50*float64(writtenBytes(b)-before)/float64(b.N)/1024, "KiB/day@50")
}

// writtenBytes reads how many bytes this process has dirtied.
func writtenBytes(b *testing.B) int64 {
	b.Helper()
	f, err := os.Open("/proc/self/io")
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	data, err := io.ReadAll(f)
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		if v, ok := strings.CutPrefix(line, "write_bytes: "); ok {
			n, err := strconv.ParseInt(strings.TrimSpace(v), 10, 64)
			if err != nil {
				b.Fatal(err)
			}
			return n
		}
	}
	b.Fatal("no write_bytes in /proc/self/io")
	return 0
}
