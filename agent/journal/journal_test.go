package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatecast/agent/walltime"
	"gatecast/internal/evidence"
	"gatecast/internal/wire"
)

// noon is the instant of the first record in these tests.
var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func stampAt(n int) walltime.Stamp {
	return walltime.Stamp{Wall: noon.Add(time.Duration(n) * time.Minute), Mono: time.Duration(n) * time.Minute, BootID: "boot-1", Level: wire.T1, Err: 20 * time.Millisecond}
}

func openTest(t *testing.T, dir string, o Options) *Journal {
	t.Helper()
	if o.Now == nil {
		o.Now = func() walltime.Stamp { return stampAt(1000) }
	}
	j, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	return j
}

// write appends n intents and returns the number of the last.
func write(t *testing.T, j *Journal, n int) wire.Seq {
	t.Helper()
	var seq wire.Seq
	for i := range n {
		var err error
		seq, err = j.Append(wire.RecordIntent, stampAt(i), wire.Intent{Play: wire.PlayID(fmt.Sprintf("2026-11-23.gates.noon#%d", i)), Plan: 7})
		if err != nil {
			t.Fatal(err)
		}
	}
	return seq
}

// content returns every record as text.
func content(t *testing.T, j *Journal) []string {
	t.Helper()
	var all []string
	if err := j.Scan(func(r wire.Record) error {
		b, err := json.Marshal(r)
		all = append(all, string(b))
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return all
}

func segments(t *testing.T, dir string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.seg"))
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestAppendSurvivesReopening(t *testing.T) {
	dir := t.TempDir()
	j := openTest(t, dir, Options{})
	if last := write(t, j, 5); last != 5 || j.Last() != 5 {
		t.Fatalf("last = %d, %d, want 5", last, j.Last())
	}
	id, before := j.Log(), content(t, j)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j = openTest(t, dir, Options{})
	if j.Log() != id || j.Last() != 5 || j.Truncated() != 0 || len(j.Gaps()) != 0 {
		t.Errorf("reopened: log %s last %d truncated %d gaps %v, want %s 5 0 none", j.Log(), j.Last(), j.Truncated(), j.Gaps(), id)
	}
	if diff := cmp.Diff(before, content(t, j)); diff != "" {
		t.Errorf("records (-before +after):\n%s", diff)
	}
	if seq := write(t, j, 1); seq != 6 {
		t.Errorf("next record is %d, want 6", seq)
	}
}

func TestRecordsAreChained(t *testing.T) {
	j := openTest(t, t.TempDir(), Options{SegmentBytes: dataStart + maxFrame})
	write(t, j, 100)
	if n := len(segments(t, j.dir)); n < 2 {
		t.Fatalf("%d segments, want several", n)
	}
	b, err := j.Batch(1000, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	prev := ""
	for i, raw := range b.Records {
		var r wire.Record
		if err := json.Unmarshal(raw, &r); err != nil {
			t.Fatal(err)
		}
		if r.Seq != wire.Seq(i+1) || r.Prev != prev || r.Log != j.Log() {
			t.Fatalf("record %d: seq %d prev %q log %q, want prev %q", i+1, r.Seq, r.Prev, r.Log, prev)
		}
		prev = evidence.Hash(raw)
	}
	if len(b.Records) != 100 {
		t.Errorf("%d records, want 100", len(b.Records))
	}
}

func TestBatchIsWhatIsNotAcked(t *testing.T) {
	j := openTest(t, t.TempDir(), Options{})
	write(t, j, 10)
	seqs := func() []wire.Seq {
		t.Helper()
		b, err := j.Batch(4, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		got := []wire.Seq{}
		for _, raw := range b.Records {
			var r wire.Record
			if err := json.Unmarshal(raw, &r); err != nil {
				t.Fatal(err)
			}
			got = append(got, r.Seq)
		}
		return got
	}
	steps := []struct {
		name string
		ack  wire.Ack
		err  error
		want []wire.Seq
	}{
		{"nothing_acked", wire.Ack{Log: "0000000000000000", Upto: 3}, nil, []wire.Seq{1, 2, 3, 4}},
		{"half_acked", wire.Ack{Log: j.Log(), Upto: 5}, nil, []wire.Seq{6, 7, 8, 9}},
		{"missing_is_sent_first", wire.Ack{Log: j.Log(), Upto: 8, Missing: []wire.SeqRange{{First: 2, Last: 3}, {First: 7, Last: 7}}}, nil, []wire.Seq{2, 3, 7, 9}},
		{"ahead_changes_nothing", wire.Ack{Log: j.Log(), Upto: 11}, ErrAhead, []wire.Seq{2, 3, 7, 9}},
		{"lower_rewinds", wire.Ack{Log: j.Log(), Upto: 4}, nil, []wire.Seq{5, 6, 7, 8}},
		{"all_acked", wire.Ack{Log: j.Log(), Upto: 10}, nil, []wire.Seq{}},
	}
	for _, tt := range steps {
		if err := j.Ack(tt.ack); !errors.Is(err, tt.err) {
			t.Errorf("%s: Ack = %v, want %v", tt.name, err, tt.err)
		}
		if diff := cmp.Diff(tt.want, seqs()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

func TestBatchIsBoundedInBytes(t *testing.T) {
	j := openTest(t, t.TempDir(), Options{})
	write(t, j, 10)
	b, err := j.Batch(50, 1)
	if err != nil || len(b.Records) != 1 {
		t.Errorf("Batch(50, 1) = %d records, %v, want always one", len(b.Records), err)
	}
	b, err = j.Batch(50, 3*len(b.Records[0])+150)
	if err != nil || len(b.Records) != 3 {
		t.Errorf("Batch of three records' size = %d records, %v", len(b.Records), err)
	}
}

func TestAckRidesInTheNextFrame(t *testing.T) {
	dir := t.TempDir()
	j := openTest(t, dir, Options{})
	write(t, j, 3)
	if err := j.Ack(wire.Ack{Log: j.Log(), Upto: 2}); err != nil {
		t.Fatal(err)
	}
	write(t, j, 1)
	cut := t.TempDir() // as the power would leave it: no Close
	copyDir(t, dir, cut)
	if k := openTest(t, cut, Options{}); k.Acked() != 2 {
		t.Errorf("after a power cut acked = %d, want 2", k.Acked())
	}
	if err := j.Ack(wire.Ack{Log: j.Log(), Upto: 4}); err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if k := openTest(t, dir, Options{}); k.Acked() != 4 {
		t.Errorf("after an orderly stop acked = %d, want 4", k.Acked())
	}
}

func TestOneProcessOwnsAJournal(t *testing.T) {
	dir := t.TempDir()
	j := openTest(t, dir, Options{})
	if _, err := Open(dir, Options{}); !errors.Is(err, ErrInUse) {
		t.Errorf("second Open = %v, want ErrInUse", err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	openTest(t, dir, Options{})
}

func TestChangedSignalsWhatIsPending(t *testing.T) {
	dir := t.TempDir()
	j := openTest(t, dir, Options{})
	select {
	case <-j.Changed():
		t.Error("an empty journal signals")
	default:
	}
	write(t, j, 2)
	<-j.Changed()
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	<-openTest(t, dir, Options{}).Changed()
}

func TestClosedJournalRefuses(t *testing.T) {
	j := openTest(t, t.TempDir(), Options{})
	for range 2 {
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := j.Append(wire.RecordStop, stampAt(0), wire.Stop{}); !errors.Is(err, ErrClosed) {
		t.Errorf("Append after Close = %v, want ErrClosed", err)
	}
}

func copyDir(t *testing.T, from, to string) {
	t.Helper()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
}
