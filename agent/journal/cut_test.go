package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"gatecast/agent/walltime"
	"gatecast/internal/simulate/disk"
	"gatecast/internal/wire"
)

// life is a journal on a simulated disk through many runs, and what its user
// knows of it.
type life struct {
	disk *disk.Disk
	o    Options
	j    *Journal

	n         int                    // bodies drawn so far
	tried     map[wire.PlayID]string // Append was called with this
	refused   map[wire.PlayID]bool   // Append returned an error, with the power on
	confirmed map[wire.PlayID]record // Append returned nil
	acked     map[wire.LogID]wire.Seq
	told      []wire.Gap              // delivered
	reported  []wire.Gap              // in a record, at some time
	cut       map[wire.LogID]wire.Seq // where a log's end became unreadable
}

type record struct {
	log wire.LogID
	seq wire.Seq
}

func newLife(seed uint64, o Options) *life {
	o.Now = func() walltime.Stamp { return stampAt(1000) }
	o.Rand = rand.NewChaCha8([32]byte{byte(seed)})
	return &life{
		disk: disk.New(rand.New(rand.NewPCG(seed, seed))), o: o,
		tried: make(map[wire.PlayID]string), refused: make(map[wire.PlayID]bool),
		confirmed: make(map[wire.PlayID]record), acked: make(map[wire.LogID]wire.Seq), cut: make(map[wire.LogID]wire.Seq),
	}
}

func (l *life) open() (err error) {
	l.o.FS = l.disk
	l.j, err = Open("/data/journal", l.o)
	return err
}

// append writes one intent with extra bytes in it.
func (l *life) append(extra int) error {
	l.n++
	id := wire.PlayID(fmt.Sprintf("s.%d#1", l.n))
	at, intent := stampAt(l.n), wire.Intent{Play: id, Slot: wire.SlotID(strings.Repeat("s", extra))}
	body, err := json.Marshal(intent)
	if err != nil {
		return err
	}
	l.tried[id] = fmt.Sprintf("%s %d %s", body, wire.US(at.Wall), at.BootID)
	seq, err := l.j.Append(wire.RecordIntent, at, intent)
	l.reported = append(l.reported, l.j.Gaps()...)
	if err == nil {
		l.confirmed[id] = record{l.j.Log(), seq}
	} else if !errors.Is(err, disk.ErrPower) {
		l.refused[id] = true
	}
	return err
}

// ack commits everything pending but the last few records, as an honest
// controller does.
func (l *life) ack(leave int) error {
	b, err := l.j.Batch(1000, 1<<20)
	if err != nil || len(b.Records) <= leave {
		return err
	}
	var r wire.Record
	for _, raw := range b.Records[:len(b.Records)-leave] {
		var g wire.Gap
		if err := json.Unmarshal(raw, &r); err != nil {
			return err
		}
		if r.Kind == wire.RecordGap && json.Unmarshal(r.Body, &g) == nil {
			l.told = append(l.told, g)
		}
	}
	l.acked[b.Log] = max(l.acked[b.Log], r.Seq)
	return l.j.Ack(wire.Ack{Log: b.Log, Upto: r.Seq})
}

// check opens what is on the disk now and holds it against what is known.
func (l *life) check(lossy bool) error {
	seen := make(map[wire.PlayID]record)
	if err := l.j.Scan(func(r wire.Record) error {
		if r.Kind != wire.RecordIntent {
			return nil
		}
		var b wire.Intent
		if err := json.Unmarshal(r.Body, &b); err != nil {
			return err
		}
		// When the gap record that voids a record is damaged later, the record
		// is back: that its sync failed is known to nobody any more.
		if lossy && slices.ContainsFunc(l.reported, func(g wire.Gap) bool {
			return g.Why == whySync && g.Log == r.Log && g.First <= r.Seq
		}) {
			return nil
		}
		if _, twice := seen[b.Play]; twice || l.refused[b.Play] || l.tried[b.Play] != fmt.Sprintf("%s %d %s", r.Body, r.AtUS, r.BootID) {
			return fmt.Errorf("play %q is there twice (%v), was refused (%v), or nobody wrote it so", b.Play, twice, l.refused[b.Play])
		}
		if was, ok := l.confirmed[b.Play]; ok && was != (record{r.Log, r.Seq}) {
			return fmt.Errorf("play %q moved from %v to %s %d", b.Play, was, r.Log, r.Seq)
		}
		seen[b.Play] = record{r.Log, r.Seq}
		return nil
	}); err != nil {
		return err
	}
	if lossy {
		// The record of a gap may be damaged later; another gap then tells so.
		l.told = append(l.told, l.reported...)
	}
	for _, g := range append(l.j.Gaps(), l.j.owed...) {
		if g.Why != whyCorrupt {
			continue
		}
		if !lossy {
			return fmt.Errorf("damage %+v without any", g)
		}
		// When the end of a log cannot be read, nobody knows how many records
		// stood there, and the gap names the first.
		if c := l.j.chain(g.Log); c != nil && c.last == g.Last && (l.cut[g.Log] == 0 || g.First < l.cut[g.Log]) {
			l.cut[g.Log] = g.First
		}
	}
	for _, c := range slices.Clone(l.j.logs) {
		// Damage may have taken the gap record of a drop. The controller sees
		// the hole and asks.
		if err := l.j.Ack(wire.Ack{Log: c.id, Upto: l.acked[c.id]}); err != nil && !errors.Is(err, ErrAhead) {
			return nil // it cannot answer now
		}
	}
	for id, r := range l.confirmed {
		if _, ok := seen[id]; !ok && r.seq > l.acked[r.log] && !l.lost(r) {
			return fmt.Errorf("confirmed record %v of play %q is gone and no gap names it", r, id)
		}
	}
	for _, c := range l.j.logs {
		if c.acked > l.acked[c.id] {
			return fmt.Errorf("log %s is acked up to %d, the controller has %d", c.id, c.acked, l.acked[c.id])
		}
	}
	return nil
}

// lost reports whether a gap names r.
func (l *life) lost(r record) bool {
	if from, ok := l.cut[r.log]; ok && from <= r.seq {
		return true
	}
	for _, g := range slices.Concat(l.told, l.j.Gaps(), l.j.owed) {
		if g.Log == r.log && g.First <= r.seq && r.seq <= g.Last {
			return true
		}
	}
	return false
}

// script is a run that begins, fills segments, acks, stops, is killed and goes
// on. It ends early with the error of a power cut.
func (l *life) script() error {
	for run := range 3 {
		if err := l.open(); err != nil {
			return err
		}
		for i := range 12 {
			if err := l.append((i * 397) % 3000); err != nil {
				return err
			}
			if i%5 == 3 {
				if err := l.ack(i % 3); err != nil {
					return err
				}
			}
		}
		switch run {
		case 0:
			if err := l.j.Close(); err != nil {
				return err
			}
		case 1:
			l.disk = l.disk.Kill()
		}
	}
	return l.j.Close()
}

var smallSegments = Options{SegmentBytes: dataStart + maxFrame}

// TestPowerCutAtEveryOperation cuts the power at each operation of the script.
// What was confirmed is there and nothing else but the record being written;
// nothing is called damaged; the log goes on and takes records.
func TestPowerCutAtEveryOperation(t *testing.T) {
	for name, o := range map[string]Options{
		"kept":    smallSegments,
		"signed":  {SegmentBytes: smallSegments.SegmentBytes, Sign: newDeviceKey(t)},
		"bounded": {SegmentBytes: smallSegments.SegmentBytes, MaxBytes: 2 * smallSegments.SegmentBytes},
	} {
		t.Run(name, func(t *testing.T) {
			whole := newLife(0, o)
			if err := whole.script(); err != nil {
				t.Fatal(err)
			}
			ops := whole.disk.Count().Ops
			for at := 1; at <= ops; at++ {
				for seed := range 1 + *seeds/100 {
					if err := cutAt(seed, at, o); err != nil {
						t.Fatalf("seed %d, power cut at operation %d of %d: %v", seed, at, ops, err)
					}
				}
			}
			t.Logf("%d operations, cut at each, %d times", ops, 1+*seeds/100)
		})
	}
}

func cutAt(seed uint64, at int, o Options) error {
	l := newLife(seed, o)
	l.disk.CutAt(at)
	if err := l.script(); !errors.Is(err, disk.ErrPower) {
		return fmt.Errorf("script: %w", err)
	}
	if len(l.refused) > 0 {
		return fmt.Errorf("refused %v with the power on", l.refused)
	}
	logs := make(map[wire.LogID]bool)
	for _, r := range l.confirmed {
		logs[r.log] = true
	}
	for range 2 {
		l.disk = l.disk.Boot()
		if err := l.open(); err != nil {
			return fmt.Errorf("opening: %w", err)
		}
		if err := l.check(false); err != nil {
			return err
		}
		if len(logs) > 0 && !logs[l.j.Log()] {
			return errors.New("a new log without a fault")
		}
		if err := l.append(100); err != nil {
			return fmt.Errorf("next record: %w", err)
		}
	}
	if l.j.Truncated() != 0 {
		return errors.New("torn again without a write")
	}
	return nil
}

// TestSegmentThatFoundNoSpaceDoesNotComeBack has no space for a new segment,
// then for a short record in the old one. A power cut must not bring the new
// one back: it would begin with the number that the short record has.
func TestSegmentThatFoundNoSpaceDoesNotComeBack(t *testing.T) {
	for seed := range uint64(40) {
		l := newLife(seed, smallSegments)
		if err := l.open(); err != nil {
			t.Fatal(err)
		}
		for l.j.current().segs[0].size < l.o.SegmentBytes-2500 {
			if err := l.append(500); err != nil {
				t.Fatal(err)
			}
		}
		l.disk.Limit(l.disk.Used() + 8192)
		if err := l.append(3000); !errors.Is(err, ErrFull) {
			t.Fatalf("Append = %v, want ErrFull", err)
		}
		if err := l.append(10); err != nil {
			t.Fatal(err)
		}
		l.disk = l.disk.Boot()
		l.disk.Limit(0)
		for range 2 {
			if err := l.open(); err != nil {
				t.Fatal(err)
			}
			for range 3 {
				if err := l.append(1000); err != nil {
					t.Fatal(err)
				}
			}
			if err := l.check(false); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			l.disk = l.disk.Kill()
		}
	}
}

// TestFailedSyncIsTold holds that a sync which the disk refused once is known
// to whoever asks for damage, although the record went into a new log.
func TestFailedSyncIsTold(t *testing.T) {
	l := newLife(1, Options{})
	if err := l.open(); err != nil {
		t.Fatal(err)
	}
	old := l.j.Log()
	if len(l.j.Damage()) != 0 {
		t.Fatalf("damage %v of a fresh journal", l.j.Damage())
	}
	l.disk.FailSync(1)
	if err := l.append(10); err != nil {
		t.Fatal(err)
	}
	if d := l.j.Damage(); len(d) != 1 || d[0] != (wire.Gap{Log: old, First: 1, Last: 1, Why: whySync}) {
		t.Errorf("damage %v, want record 1 of %s", d, old)
	}
}

// TestRecordThatRotsIsAGapAndNotSent flips a bit of a record while the journal
// is open, after which it must not be delivered, and the ones around it must.
func TestRecordThatRotsIsAGapAndNotSent(t *testing.T) {
	for seed := range uint64(60) {
		l := newLife(seed, Options{})
		if err := l.open(); err != nil {
			t.Fatal(err)
		}
		for range 5 {
			if err := l.append(3000); err != nil { // so that the bit is in one of them
				t.Fatal(err)
			}
		}
		if err := l.disk.Rot(l.j.current().segs[0].path); err != nil {
			t.Fatal(err)
		}
		b, err := l.j.Batch(50, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		d := l.j.Damage()
		if len(b.Records)+len(d) != 5 || len(d) > 1 {
			t.Fatalf("seed %d: %d records sent, damage %v", seed, len(b.Records), d)
		}
		if err := l.append(10); err != nil {
			t.Fatal(err)
		}
		if err := l.check(true); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if len(d) == 1 && !slices.Contains(l.j.Gaps(), d[0]) {
			t.Fatalf("seed %d: %v is in no gap record", seed, d)
		}
	}
}
