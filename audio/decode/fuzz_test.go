package decode

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"gatecast/audio"
)

// fuzzLimits keep one input to a fraction of a second.
var fuzzLimits = Limits{Bytes: 1 << 20, Duration: 20 * time.Second, Samples: 1 << 20}

// addCorpus adds every fixture, and the small ones with their ends cut off.
func addCorpus(f *testing.F, pattern string) {
	f.Helper()
	list, err := filepath.Glob(filepath.Join("testdata", pattern))
	if err != nil || len(list) == 0 {
		f.Fatalf("no corpus for %q: %v", pattern, err)
	}
	for _, name := range list {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b[:min(len(b), 9000)])
		f.Add(b)
	}
}

func FuzzSniff(f *testing.F) {
	addCorpus(f, "[mv]o*.*")
	f.Add([]byte("ID3\x03\x00\x00\x7f\x7f\x7f\x7f"))
	f.Add([]byte("APETAGEX"))
	f.Fuzz(func(t *testing.T, b []byte) {
		k := Sniff(b)
		if k == "" {
			t.Fatal("no kind")
		}
		if (len(b) == 0) != (k == KindEmpty) {
			t.Fatalf("%d bytes are %q", len(b), k)
		}
		if len(b) >= HeadBytes && id3Length(b) == 0 {
			if head := Sniff(b[:HeadBytes]); head != k {
				t.Fatalf("head is %q, whole is %q", head, k)
			}
		}
	})
}

// checkDecoded fails unless a decoding kept its promises.
func checkDecoded(t *testing.T, p *audio.PCM, info Info, err error) {
	t.Helper()
	if err != nil {
		var e *Error
		if !errors.As(err, &e) || e.Code == "" {
			t.Fatalf("error without a code: %v", err)
		}
		return
	}
	if err := p.Format.Validate(); err != nil {
		t.Fatalf("format: %v", err)
	}
	if p.Frames() < 1 || p.Frames() != info.Frames || len(p.Samples)%p.Channels != 0 {
		t.Fatalf("%d samples in %d channels, Info says %d frames", len(p.Samples), p.Channels, info.Frames)
	}
	if int64(len(p.Samples)) > fuzzLimits.Samples || info.Duration > fuzzLimits.Duration+time.Millisecond {
		t.Fatalf("%d samples, %v: over the limits", len(p.Samples), info.Duration)
	}
	for i, v := range p.Samples {
		if v != v || v > maxFloat || v < -maxFloat {
			t.Fatalf("sample %d = %v", i, v)
		}
	}
}

// decodeBounded decodes and fails if that allocated out of proportion.
func decodeBounded(t *testing.T, b []byte) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	p, info, err := Decode(context.Background(), b, fuzzLimits)
	runtime.ReadMemStats(&after)
	checkDecoded(t, p, info, err)
	// Decoders make garbage for every block: what is allowed is per decoded
	// second, on top of tables and the result.
	if got := after.TotalAlloc - before.TotalAlloc; got > 2<<30 {
		t.Fatalf("%d bytes allocated for a file of %d", got, len(b))
	}
	if d := time.Since(start); d > 20*time.Second {
		t.Fatalf("took %v", d)
	}
}

func FuzzDecode(f *testing.F) {
	addCorpus(f, "*.*")
	f.Fuzz(func(t *testing.T, b []byte) { decodeBounded(t, b) })
}

func FuzzDecodeMP3(f *testing.F) {
	addCorpus(f, "*.mp3")
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, err := scanMP3(b); err == nil {
			end := int32(0)
			for _, fr := range s.frames {
				if fr.at < end || fr.size < 4 || int(fr.at+fr.size) > len(b) {
					t.Fatalf("frame %+v after byte %d of %d", fr, end, len(b))
				}
				end = fr.at + fr.size
			}
		} else {
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("error without a code: %v", err)
			}
		}
		decodeBounded(t, b)
	})
}

// FuzzDecodeVorbis repairs the checksums first, or nothing would get past them.
func FuzzDecodeVorbis(f *testing.F) {
	addCorpus(f, "*.ogg")
	f.Fuzz(func(t *testing.T, b []byte) { decodeBounded(t, resealOgg(b)) })
}

// resealOgg returns b with the checksum and the number of every page put right.
func resealOgg(b []byte) []byte {
	b = append([]byte(nil), b...)
	for at, number := 0, byte(0); ; number++ {
		i := bytes.Index(b[at:], []byte("OggS"))
		if i < 0 {
			return b
		}
		at += i
		if len(b)-at < 27 {
			return b
		}
		size := 27 + int(b[at+26])
		if len(b)-at < size {
			return b
		}
		for _, n := range b[at+27 : at+size] {
			size += int(n)
		}
		if len(b)-at < size {
			b[at+26] = 0
			return b
		}
		copy(b[at+14:], b[14:18])
		copy(b[at+18:], []byte{number, 0, 0, 0})
		crc := oggChecksum(b[at : at+size])
		copy(b[at+22:], []byte{byte(crc), byte(crc >> 8), byte(crc >> 16), byte(crc >> 24)})
		at += size
	}
}

func FuzzDecodeWAV(f *testing.F) {
	for _, bits := range []int{8, 16, 24, 32} {
		w := plainWAV(bits, 2)
		f.Add(w.make(make([]byte, 48)))
		w.extensible = true
		f.Add(w.make(make([]byte, 48)))
	}
	f.Fuzz(func(t *testing.T, b []byte) { decodeBounded(t, b) })
}

func FuzzCheckSetup(f *testing.F) {
	scan, err := scanOgg(func() []byte {
		b, err := os.ReadFile("testdata/mono-8000.ogg")
		if err != nil {
			f.Fatal(err)
		}
		return b
	}())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(scan.packets[2][7:])
	f.Fuzz(func(t *testing.T, b []byte) { _ = checkSetup(b) })
}

// Forged headers that make the library beneath allocate gigabytes, recurse or
// never return; each must be refused before it is asked.
func TestDecodeRefusesForgedVorbisHeaders(t *testing.T) {
	good := testFile(t, "mono-8000.ogg")
	scan, err := scanOgg(good)
	if err != nil {
		t.Fatal(err)
	}
	setup := func(bits ...uint32) []byte { // pairs of value and width
		var out []byte
		n := 0
		for i := 0; i < len(bits); i += 2 {
			for b := range bits[i+1] {
				if n%8 == 0 {
					out = append(out, 0)
				}
				out[n/8] |= byte(bits[i]>>b&1) << (n % 8)
				n++
			}
		}
		return out
	}
	tests := []struct {
		name  string
		setup []byte
	}{
		{"no_entries", setup(0, 8, codebookPattern, 24, 1, 16, 0, 24)},
		{"16_million_entries", setup(0, 8, codebookPattern, 24, 1, 16, 1<<24-1, 24)},
		{"no_dimensions", setup(0, 8, codebookPattern, 24, 0, 16, 8, 24)},
		{"many_dimensions", setup(0, 8, codebookPattern, 24, 65535, 16, 8, 24)},
		{"no_used_entry", setup(0, 8, codebookPattern, 24, 1, 16, 4, 24, 0, 1, 1, 1, 0, 4, 0, 4)},
		{"ordered_without_end", setup(0, 8, codebookPattern, 24, 1, 16, 4, 24, 1, 1, 0, 5, 0, 3, 0, 3)},
		{"no_mark", setup(0, 8, 0, 24)},
		{"nothing", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			wantCode(t, checkSetup(tt.setup), Corrupt)
			packets := [][]byte{scan.packets[0], scan.packets[1], append([]byte("\x05vorbis"), tt.setup...)}
			_, err := checkVorbis(packets)
			wantCode(t, err, Corrupt)
		})
	}
	t.Run("residue_that_ends_before_it_begins", func(t *testing.T) {
		r := &bitReader{data: setup(0, 6, 2, 16, 9, 24, 3, 24, 0, 24, 0, 6, 0, 8, 0, 4)}
		wantCode(t, checkResidues(r), Corrupt)
		r = &bitReader{data: setup(0, 6, 2, 16, 3, 24, 9, 24, 0, 24, 0, 6, 0, 8, 0, 4)}
		if err := checkResidues(r); err != nil {
			t.Fatalf("a sound residue is refused: %v", err)
		}
	})
	t.Run("four_billion_comments", func(t *testing.T) {
		packets := [][]byte{scan.packets[0], []byte("\x03vorbis\x00\x00\x00\x00\xFF\xFF\xFF\xFF\x01"), scan.packets[2]}
		_, err := checkVorbis(packets)
		wantCode(t, err, Corrupt)
	})
}
