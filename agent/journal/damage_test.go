package journal

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"gatecast/agent/walltime"
	"gatecast/internal/wire"
)

// kept is a journal on disk and what was in it when it was closed.
type kept struct {
	dir     string
	log     wire.LogID
	records map[wire.Seq]string // bytes of each record
	last    wire.Seq
}

// written makes a journal of n records in a new folder under base.
func written(t testing.TB, base string, n int, o Options) kept {
	t.Helper()
	dir, err := os.MkdirTemp(base, "j")
	if err != nil {
		t.Fatal(err)
	}
	o.Now = func() walltime.Stamp { return stampAt(1000) }
	j, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		if _, err := j.Append(wire.RecordIntent, stampAt(i), wire.Intent{Play: wire.PlayID(fmt.Sprintf("x.%s#%d", strings.Repeat("y", i%40), i))}); err != nil {
			t.Fatal(err)
		}
	}
	k := kept{dir: dir, log: j.Log(), last: j.Last(), records: recordsOf(t, j)}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	return k
}

// recordsOf returns the pending records of the journal's oldest log.
func recordsOf(t testing.TB, j *Journal) map[wire.Seq]string {
	t.Helper()
	b, err := j.Batch(1<<20, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	m := make(map[wire.Seq]string)
	for _, raw := range b.Records {
		var r wire.Record
		if err := json.Unmarshal(raw, &r); err != nil {
			t.Fatal(err)
		}
		m[r.Seq] = string(raw)
	}
	return m
}

// newestSegment returns the path of the segment with the highest name.
func newestSegment(t testing.TB, dir string) string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.seg"))
	if err != nil || len(names) == 0 {
		t.Fatalf("segments %v, %v", names, err)
	}
	return names[len(names)-1]
}

func copyOf(t testing.TB, base string, k kept) kept {
	t.Helper()
	dir, err := os.MkdirTemp(base, "c")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(dir, os.DirFS(k.dir)); err != nil {
		t.Fatal(err)
	}
	k.dir = dir
	return k
}

func reopened(t testing.TB, dir string, o Options) *Journal {
	t.Helper()
	o.Now = func() walltime.Stamp { return stampAt(1000) }
	j, err := Open(dir, o)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	return j
}

// frameEnds returns the offset behind each frame of a segment.
func frameEnds(t testing.TB, path string) []int {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	s, err := parseName(path)
	if err != nil {
		t.Fatal(err)
	}
	ends := []int{dataStart}
	for off, seq := dataStart, s.first; ; seq++ {
		f, err := parseFrame(data, off, s.id, seq)
		if err != nil {
			return ends
		}
		off += f.size
		ends = append(ends, off)
	}
}

// TestCutTailLosesOnlyWholeRecords cuts the newest segment at any byte, with
// or without zeros behind, as a power cut during the last write leaves it. The
// records before the cut are kept byte for byte, the log goes on, and no gap
// is claimed.
func TestCutTailLosesOnlyWholeRecords(t *testing.T) {
	base := t.TempDir()
	whole := written(t, base, 30, Options{SegmentBytes: dataStart + maxFrame})
	path := newestSegment(t, whole.dir)
	ends := frameEnds(t, path)
	before := whole.last - wire.Seq(len(ends)-1)
	rapid.Check(t, func(rt *rapid.T) {
		// Only the last frame is ever unsynced.
		at := rapid.IntRange(ends[len(ends)-2], ends[len(ends)-1]).Draw(rt, "cut")
		zeros := rapid.SampledFrom([]int{0, 1, 100, 512, 4096}).Draw(rt, "zeros")
		k := copyOf(t, base, whole)
		data, err := os.ReadFile(path)
		if err != nil {
			rt.Fatal(err)
		}
		data = append(data[:at:at], make([]byte, zeros)...)
		if err := os.WriteFile(filepath.Join(k.dir, filepath.Base(path)), data, 0o600); err != nil {
			rt.Fatal(err)
		}
		j := reopened(t, k.dir, Options{})
		defer j.Close()
		last := before + wire.Seq(len(ends)-2)
		if j.Last() == last+1 {
			last++ // whole but for its end mark, or whole
			if at < ends[len(ends)-1]-markSize {
				rt.Fatalf("record %d survives a cut %d bytes before its end", last, ends[len(ends)-1]-at)
			}
		}
		if j.Log() != k.log || j.Last() != last || len(j.Gaps()) != 0 {
			rt.Fatalf("log %s last %d gaps %v, want %s %d none", j.Log(), j.Last(), j.Gaps(), k.log, last)
		}
		got := recordsOf(t, j)
		for seq := wire.Seq(1); seq <= last; seq++ {
			if got[seq] != k.records[seq] {
				rt.Fatalf("record %d changed", seq)
			}
		}
		if seq, err := j.Append(wire.RecordStop, stampAt(99), wire.Stop{}); err != nil || seq != last+1 {
			rt.Fatalf("Append = %d, %v", seq, err)
		}
		if err := j.Close(); err != nil {
			rt.Fatal(err)
		}
		j = reopened(t, k.dir, Options{})
		defer j.Close()
		if j.Last() != last+1 || j.Truncated() != 0 || len(j.Gaps()) != 0 {
			rt.Fatalf("opened again: last %d truncated %d gaps %v", j.Last(), j.Truncated(), j.Gaps())
		}
	})
}

// TestLostSectorsOfTheLastWriteAreATornTail leaves out any sector of the last
// write, as storage does that writes sectors in its own order.
func TestLostSectorsOfTheLastWriteAreATornTail(t *testing.T) {
	base := t.TempDir()
	whole := written(t, base, 5, Options{})
	path := newestSegment(t, whole.dir)
	ends := frameEnds(t, path)
	from, to := ends[len(ends)-2], ends[len(ends)-1]
	for sect := from / sector; sect <= (to-1)/sector; sect++ {
		k := copyOf(t, base, whole)
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		clear(data[max(from, sect*sector):min(to, (sect+1)*sector)])
		if err := os.WriteFile(filepath.Join(k.dir, filepath.Base(path)), data, 0o600); err != nil {
			t.Fatal(err)
		}
		j := reopened(t, k.dir, Options{})
		if j.Log() != k.log || len(j.Gaps()) != 0 || j.Last() != 4 && j.Last() != 5 {
			t.Errorf("sector %d lost: log %s last %d gaps %v", sect, j.Log(), j.Last(), j.Gaps())
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestFlippedByteIsFound changes any one byte of any segment. Every record
// that can still be read is delivered unchanged; what cannot is named by a
// gap record of a new log; nothing is silently different.
func TestFlippedByteIsFound(t *testing.T) {
	base := t.TempDir()
	o := Options{SegmentBytes: dataStart + maxFrame}
	whole := written(t, base, 120, o)
	names, err := filepath.Glob(filepath.Join(whole.dir, "*.seg"))
	if err != nil || len(names) < 3 {
		t.Fatalf("segments %v, %v", names, err)
	}
	rapid.Check(t, func(rt *rapid.T) {
		name := rapid.SampledFrom(names).Draw(rt, "segment")
		data, err := os.ReadFile(name)
		if err != nil {
			rt.Fatal(err)
		}
		at := rapid.IntRange(0, len(data)-1).Draw(rt, "at")
		flip := rapid.ByteRange(1, 255).Draw(rt, "flip")
		data[at] ^= flip
		k := copyOf(t, base, whole)
		if err := os.WriteFile(filepath.Join(k.dir, filepath.Base(name)), data, 0o600); err != nil {
			rt.Fatal(err)
		}
		j := reopened(t, k.dir, o)
		defer j.Close()
		got := recordsOf(t, j)
		var lost []wire.Seq
		for seq := wire.Seq(1); seq <= k.last; seq++ {
			switch raw, ok := got[seq]; {
			case !ok:
				lost = append(lost, seq)
			case raw != k.records[seq]:
				rt.Fatalf("record %d is delivered changed", seq)
			}
		}
		if len(got) > int(k.last) {
			rt.Fatalf("%d records delivered, %d written", len(got), k.last)
		}
		if len(lost) > 1 {
			rt.Fatalf("one byte lost records %v", lost)
		}
		padding := at < dataStart && at%headCopy >= headLen
		switch {
		case len(lost) == 0 && j.healed == 0 && !padding:
			rt.Fatal("damage was not noticed")
		case len(lost) == 0 && j.Log() != k.log:
			rt.Fatal("a new log without a loss")
		case len(lost) != len(j.Damage()):
			rt.Fatalf("lost %v, told %v", lost, j.Damage())
		case len(lost) == 1 && (j.Log() == k.log || len(j.Gaps()) != 1 || j.Gaps()[0] != wire.Gap{Log: k.log, First: lost[0], Last: lost[0], Why: whyCorrupt}):
			rt.Fatalf("lost %v, log %s, gaps %v", lost, j.Log(), j.Gaps())
		}
		id, gaps := j.Log(), len(j.Gaps())
		if err := j.Close(); err != nil {
			rt.Fatal(err)
		}
		j = reopened(t, k.dir, o)
		defer j.Close()
		if j.Log() != id || len(j.Gaps()) != gaps || len(j.Damage()) != 0 {
			rt.Fatalf("opened again: log %s gaps %v, want the same", j.Log(), j.Gaps())
		}
	})
}

// TestEditedJournalIsFound writes frames whose checksums are right and whose
// content is not: somebody had the code.
func TestEditedJournalIsFound(t *testing.T) {
	base := t.TempDir()
	whole := written(t, base, 6, Options{})
	path := newestSegment(t, whole.dir)
	ends := frameEnds(t, path)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	s, err := parseName(path)
	if err != nil {
		t.Fatal(err)
	}
	frameOf := func(i int) []byte { return data[ends[i]:ends[i+1]] }
	payloadOf := func(i int) []byte {
		f, err := parseFrame(data, ends[i], s.id, wire.Seq(i+1))
		if err != nil {
			t.Fatal(err)
		}
		return f.payload
	}
	edited := strings.Replace(string(payloadOf(2)), `"plan":0`, `"plan":9`, 1)
	tests := map[string][]byte{
		"changed":   join(data[:ends[2]], appendFrame(nil, s.id, 3, 0, []byte(edited)), data[ends[3]:]),
		"removed":   join(data[:ends[2]], data[ends[3]:]),
		"doubled":   join(data[:ends[3]], data[ends[2]:]),
		"reordered": join(data[:ends[2]], frameOf(3), frameOf(2), data[ends[4]:]),
		"renumbered": join(data[:ends[2]], appendFrame(nil, s.id, 3, 0, payloadOf(3)), appendFrame(nil, s.id, 4, 0, payloadOf(2)),
			data[ends[4]:]),
	}
	for name, content := range tests {
		t.Run(name, func(t *testing.T) {
			k := copyOf(t, base, whole)
			if err := os.WriteFile(filepath.Join(k.dir, filepath.Base(path)), content, 0o600); err != nil {
				t.Fatal(err)
			}
			j := reopened(t, k.dir, Options{})
			defer j.Close()
			if len(j.Gaps()) == 0 || j.Log() == k.log {
				t.Errorf("gaps %v, log %s, want a gap and a new log", j.Gaps(), j.Log())
			}
			for seq, raw := range recordsOf(t, j) {
				if raw != k.records[seq] {
					t.Errorf("record %d is delivered changed", seq)
				}
			}
		})
	}
}

func join(parts ...[]byte) []byte {
	var all []byte
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

func TestMissingSegmentIsAGap(t *testing.T) {
	base := t.TempDir()
	o := Options{SegmentBytes: dataStart + maxFrame}
	k := written(t, base, 150, o)
	names, err := filepath.Glob(filepath.Join(k.dir, "*.seg"))
	if err != nil || len(names) < 4 {
		t.Fatalf("segments %v, %v", names, err)
	}
	gone, err := parseName(names[1])
	if err != nil {
		t.Fatal(err)
	}
	next, err := parseName(names[2])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(names[1]); err != nil {
		t.Fatal(err)
	}
	j := reopened(t, k.dir, o)
	defer j.Close()
	want := wire.Gap{Log: k.log, First: gone.first, Last: next.first - 1, Why: whyCorrupt}
	if len(j.Gaps()) != 1 || j.Gaps()[0] != want {
		t.Errorf("gaps %v, want %v", j.Gaps(), want)
	}
}

func FuzzFrame(f *testing.F) {
	id := [8]byte{1, 2, 3, 4, 5, 6, 7, 8}
	one := appendFrame(nil, id, 1, 0, []byte(`{"seq":1}`))
	f.Add(one, 0)
	f.Add(appendFrame(one, id, 2, 1, []byte(`{"seq":2,"body":{}}`)), 8)
	f.Add(one[:50], 0)
	f.Add(append(one[:len(one)-3:len(one)-3], 0, 0, 0), 0)
	f.Fuzz(func(t *testing.T, data []byte, off int) {
		if off < 0 || off > len(data) {
			return
		}
		fr, err := parseFrame(data, off, id, 1)
		if err != nil {
			return
		}
		again := appendFrame(nil, id, fr.seq, fr.acked, fr.payload)
		if n := len(again) - markSize; string(again[:n]) != string(data[off:off+n]) && string(again[:headSize]) == string(data[off:off+headSize]) {
			// Only the padding may differ from what is written here.
			if got := data[off+headSize : off+headSize+len(fr.payload)]; string(got) != string(fr.payload) {
				t.Errorf("payload %q is not in the frame", fr.payload)
			}
		}
	})
}

// FuzzSegment reads a segment of arbitrary content: what it takes for records
// lies inside, belongs to the log, and is numbered in order.
func FuzzSegment(f *testing.F) {
	k := written(f, f.TempDir(), 3, Options{})
	name := "000001-0102030405060708-0000000000000001.seg"
	id, err := parseLogID("0102030405060708")
	if err != nil {
		f.Fatal(err)
	}
	data := make([]byte, dataStart)
	for seq := wire.Seq(1); seq <= 3; seq++ {
		data = appendFrame(data, id, seq, seq-1, []byte(strings.Replace(k.records[seq], string(k.log), "0102030405060708", 1)))
	}
	f.Add(data, true)
	f.Add(data[:len(data)-10], true)
	f.Add(data[:len(data)-100], false)
	f.Add(data[:4100], true)
	f.Fuzz(func(t *testing.T, data []byte, tail bool) {
		s, err := parseName(name)
		if err != nil {
			t.Fatal(err)
		}
		frames := 0
		r := s.read(data, "", tail, func(e envelope, payload []byte) {
			if frames++; e.Log != s.log || !json.Valid(payload) {
				t.Errorf("record %d of log %q", e.Seq, e.Log)
			}
		})
		if frames != r.frames || s.size < dataStart || r.torn < 0 || r.torn > 0 && !tail {
			t.Errorf("%d records seen, found %+v, size %d", frames, r, s.size)
		}
		lost := 0
		for _, p := range s.recs {
			if p.size == 0 {
				lost++
			} else if p.off < dataStart || int(p.off+p.size) > len(data) {
				t.Errorf("place %+v outside %d bytes", p, len(data))
			}
		}
		named := 0
		for _, l := range r.lost {
			if named += int(l.Last - l.First + 1); l.First < 1 || l.Last < l.First {
				t.Errorf("lost %+v", l)
			}
		}
		if named < lost {
			t.Errorf("%d records lost, %d named", lost, named)
		}
	})
}
