package journal

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"gatecast/agent/walltime"
	"gatecast/internal/evidence"
	"gatecast/internal/wire"
)

// deviceKey is a device as far as a journal knows one.
type deviceKey struct{ *ecdsa.PrivateKey }

func (k deviceKey) Checkpoint(r wire.Record, after *wire.LogEnd) (json.RawMessage, error) {
	return evidence.Checkpoint(r, after, k)
}

func newDeviceKey(t testing.TB) deviceKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return deviceKey{key}
}

// minutes is a clock that moves by one at each reading.
type minutes int

func (m *minutes) now() walltime.Stamp { *m++; return stampAt(int(*m)) }

// day moves the clock to the next noon.
func (m *minutes) day() { *m = (*m/(24*60) + 1) * 24 * 60 }

// plays appends n of them.
func plays(t testing.TB, j *Journal, m *minutes, n int) {
	t.Helper()
	for range n {
		at := m.now()
		for _, kind := range []wire.RecordKind{wire.RecordIntent, wire.RecordOutcome} {
			if _, err := j.Append(kind, at, wire.Intent{Play: "2026-11-23.gates.noon#1", Slot: "2026-11-23.gates.noon"}); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func stop(t testing.TB, j *Journal, m *minutes) {
	t.Helper()
	if _, err := j.Append(wire.RecordStop, m.now(), wire.Stop{}); err != nil {
		t.Fatal(err)
	}
}

func verifyFolder(t testing.TB, dir string) evidence.Report {
	t.Helper()
	f, err := OpenFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	r, err := evidence.Verify(f, evidence.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func kinds(t testing.TB, j *Journal) (all []wire.RecordKind) {
	t.Helper()
	if err := j.Scan(func(r wire.Record) error { all = append(all, r.Kind); return nil }); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestCheckpointsAreFew(t *testing.T) {
	dir := t.TempDir()
	var clock minutes
	o := Options{Sign: newDeviceKey(t), Now: clock.now}
	j := openTest(t, dir, o)
	for range 4 {
		clock.day()
		plays(t, j, &clock, 50) // 100 records
	}
	stop(t, j, &clock)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j = openTest(t, dir, o)
	all := kinds(t, j)
	checkpoints := 0
	for i, k := range all {
		if k != wire.RecordCheckpoint {
			continue
		}
		checkpoints++
		if i > 0 && all[i-1] == wire.RecordIntent {
			t.Errorf("checkpoint %d stands between an intent and its sound", i+1)
		}
	}
	// One at the beginning, one for each of four new days, one for each 64 records, one at the stop.
	if want := 1 + 4 + 4 + 1; checkpoints != want || all[0] != wire.RecordCheckpoint || all[len(all)-1] != wire.RecordCheckpoint {
		t.Errorf("%d checkpoints in 400 records of four days, want %d; first %s, last %s", checkpoints, want, all[0], all[len(all)-1])
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if r := verifyFolder(t, dir); len(r.Faults) > 0 || len(r.Logs) != 1 || len(r.Logs[0].Bare) > 0 {
		t.Errorf("Verify = %+v", r)
	}
	// Opening and closing without a record adds nothing.
	j = openTest(t, dir, o)
	if got := kinds(t, j); len(got) != len(all) {
		t.Errorf("%d records after an idle run, %d before", len(got), len(all))
	}
}

// TestWhatAJournalGoesThroughVerifies writes for long enough to drop old
// segments, loses a log to a failed sync, and is opened again and again.
func TestWhatAJournalGoesThroughVerifies(t *testing.T) {
	dir := t.TempDir()
	disk := newFaultyDisk()
	var clock minutes
	o := Options{
		Sign: newDeviceKey(t), Now: clock.now, FS: disk,
		SegmentBytes: dataStart + maxFrame, MaxBytes: 6 * (dataStart + maxFrame), Zone: func() *time.Location { return time.FixedZone("", 8*3600) },
	}
	logs := map[wire.LogID]bool{}
	for d := range 12 {
		clock.day()
		j := openTest(t, dir, o)
		plays(t, j, &clock, 20)
		if d%4 == 1 {
			disk.syncOnce = true // the log is retired
			plays(t, j, &clock, 5)
		}
		if d != 9 { // that much is dropped before anybody had it
			for l := range logs {
				if err := j.Ack(wire.Ack{Log: l, Upto: 1 << 40}); err != nil && !errors.Is(err, ErrAhead) {
					t.Fatal(err)
				}
			}
			if err := j.Ack(wire.Ack{Log: j.Log(), Upto: j.Last()}); err != nil {
				t.Fatal(err)
			}
		}
		logs[j.Log()] = true
		if d%3 == 0 { // no orderly stop
			if err := j.abandon(); err != nil {
				t.Fatal(err)
			}
		} else if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		r := verifyFolder(t, dir)
		if len(r.Faults) > 0 {
			t.Fatalf("day %d: %v; gaps %v", d, r.Faults, r.Gaps)
		}
	}
	if len(logs) < 3 {
		t.Errorf("%d logs, want three", len(logs))
	}
}

// attackFolder writes the newest log anew as one segment with right checksums
// after change has had its records.
func attackFolder(t testing.TB, from, to string, change func(raws [][]byte) [][]byte) (before, after [][]byte) {
	t.Helper()
	f, err := OpenFolder(from)
	if err != nil {
		t.Fatal(err)
	}
	infos := f.Logs()
	if err := f.Read(infos[0], func(raw []byte) { before = append(before, bytes.Clone(raw)) }, func(_, _ wire.Seq) {}); err != nil {
		t.Fatal(err)
	}
	after = change(slices.Clone(before))
	s, err := parseName(filepath.Join(to, segmentName(1, infos[0].Log, 1)))
	if err != nil {
		t.Fatal(err)
	}
	data := s.head()
	for i, raw := range after {
		data = appendFrame(data, s.id, wire.Seq(i+1), 0, raw)
	}
	if err := os.WriteFile(s.path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return before, after
}

// TestChangedFolderIsFound is evidence's promise on real segments: somebody
// has the card and the code, but not the key.
func TestChangedFolderIsFound(t *testing.T) {
	base := t.TempDir()
	var clock minutes
	j := openTest(t, base, Options{Sign: newDeviceKey(t), Now: clock.now, SegmentBytes: dataStart + maxFrame})
	plays(t, j, &clock, 80)
	stop(t, j, &clock)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(t.TempDir(), "")
		if err != nil {
			t.Fatal(err)
		}
		var k int
		var what string
		before, after := attackFolder(t, base, dir, func(raws [][]byte) [][]byte {
			k = rapid.IntRange(0, len(raws)-2).Draw(rt, "at")
			what = rapid.SampledFrom([]string{"edit", "remove", "swap", "insert", "truncate"}).Draw(rt, "what")
			switch what {
			case "edit":
				raws[k] = bytes.Replace(raws[k], []byte(`"level":1`), []byte(`"level":2`), 1)
			case "remove":
				raws = slices.Delete(raws, k, k+1)
			case "swap":
				raws[k], raws[k+1] = raws[k+1], raws[k]
			case "insert":
				raws = slices.Insert(raws, k, raws[k])
			case "truncate":
				return raws[:k+1]
			}
			for i := k; i < len(raws); i++ {
				var r wire.Record
				if err := json.Unmarshal(raws[i], &r); err != nil {
					t.Fatal(err)
				}
				r.Seq, r.Prev = wire.Seq(i+1), ""
				if i > 0 {
					r.Prev = evidence.Hash(raws[i-1])
				}
				if raws[i], err = json.Marshal(r); err != nil {
					t.Fatal(err)
				}
			}
			return raws
		})
		r := verifyFolder(t, dir)
		if _, bad := r.First(); bad {
			return
		}
		if what != "truncate" {
			rt.Fatalf("%s at %d is not found", what, k+1)
		}
		for seq := range r.Logs[0].Signed { // what is left and called covered is what was written
			if !bytes.Equal(after[seq], before[seq]) {
				rt.Fatalf("record %d is called covered and was changed", seq+1)
			}
		}
		if int(r.Logs[0].Last) > k+1 {
			rt.Fatalf("%d records after a cut at %d", r.Logs[0].Last, k+1)
		}
	})
}

func TestNoFolderIsNoJournal(t *testing.T) {
	for _, dir := range []string{t.TempDir(), filepath.Join(t.TempDir(), "none")} {
		if _, err := OpenFolder(dir); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("OpenFolder without segments = %v", err)
		}
	}
}

// FuzzFolder reads any bytes as a segment: it ends, and reports each number at
// most once, in order.
func FuzzFolder(f *testing.F) {
	s, err := parseName(segmentName(1, "0011223344556677", 1))
	if err != nil {
		f.Fatal(err)
	}
	page := s.head()
	one := appendFrame(slices.Clone(page), s.id, 1, 0, []byte(`{"seq":1}`))
	f.Add(one, true)
	f.Add(appendFrame(slices.Clone(one), s.id, 3, 0, []byte(`{"seq":3}`)), false)
	f.Add(one[:len(one)-9], false)
	f.Fuzz(func(t *testing.T, data []byte, tail bool) {
		last := wire.Seq(0)
		take := func(first, end wire.Seq) {
			if first <= last || end < first {
				t.Fatalf("numbers %d to %d after %d", first, end, last)
			}
			last = end
		}
		s.frames(data, tail, func([]byte) { take(last+1, last+1) }, take)
	})
}
