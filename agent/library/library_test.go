package library

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"gatecast/audio"
	"gatecast/audio/encode"
	"gatecast/internal/wire"
)

func shaOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// tone is a FLAC clip of n frames at 8 kHz, and its entry in a manifest.
func tone(t testing.TB, hz float64, n int) ([]byte, wire.ManifestClip) {
	t.Helper()
	pcm := &audio.PCM{Format: audio.Format{Rate: 8000, Channels: 1}, Samples: make([]float32, n)}
	for i := range pcm.Samples {
		pcm.Samples[i] = float32(0.5 * math.Sin(2*math.Pi*hz*float64(i)/8000))
	}
	data, err := encode.FLAC(pcm)
	if err != nil {
		t.Fatal(err)
	}
	return data, wire.ManifestClip{SHA256: shaOf(data), Title: "tone", Bytes: int64(len(data)), Rate: 8000, Frames: int64(n)}
}

// shelf is a controller's clips.
type shelf struct {
	clips   map[string][]byte
	breakAt int   // bytes after which a body breaks off; 0 never
	err     error // of Fetch
	offsets []int64
	served  int64
}

func (s *shelf) Fetch(_ context.Context, path string, offset int64) (io.ReadCloser, int64, error) {
	s.offsets = append(s.offsets, offset)
	if s.err != nil {
		return nil, 0, s.err
	}
	data, ok := s.clips[strings.TrimPrefix(path, wire.PathClips)]
	if !ok {
		return nil, 0, errors.New("status 404")
	}
	rest := data[offset:]
	s.served += int64(len(rest))
	var body io.Reader = bytes.NewReader(rest)
	if s.breakAt > 0 && s.breakAt < len(rest) {
		body = io.MultiReader(bytes.NewReader(rest[:s.breakAt]), broken{})
	}
	return io.NopCloser(body), int64(len(data)), nil
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, unix.ECONNRESET }

func openTest(t *testing.T) *Library {
	t.Helper()
	l, err := Open(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func files(t *testing.T, l *Library) []string {
	t.Helper()
	entries, err := os.ReadDir(l.dir)
	if err != nil {
		t.Fatal(err)
	}
	names := []string{}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestSyncFetchesWhatIsMissing(t *testing.T) {
	l := openTest(t)
	a, ca := tone(t, 440, 4000)
	b, cb := tone(t, 880, 4000)
	s := &shelf{clips: map[string][]byte{ca.SHA256: a, cb.SHA256: b}}
	want := []wire.ManifestClip{ca, cb}
	if got := l.Missing([]string{ca.SHA256, cb.SHA256}); len(got) != 2 {
		t.Errorf("Missing = %v, want both", got)
	}
	for range 2 {
		if err := l.Sync(t.Context(), want, s); err != nil {
			t.Fatal(err)
		}
	}
	if len(s.offsets) != 2 {
		t.Errorf("%d fetches, want one a clip", len(s.offsets))
	}
	if got := l.Missing([]string{ca.SHA256, cb.SHA256}); len(got) != 0 {
		t.Errorf("Missing = %v, want none", got)
	}
	pcm, err := l.Load(ca.SHA256, ca)
	if err != nil || pcm.Frames() != 4000 || pcm.Rate != 8000 || pcm.Channels != 1 {
		t.Fatalf("Load = %+v, %v", pcm, err)
	}
	if peak := slices.Max(pcm.Samples); peak < 0.49 || peak > 0.51 {
		t.Errorf("peak = %v, want 0.5", peak)
	}
}

func TestBrokenFetchIsContinued(t *testing.T) {
	dir := t.TempDir()
	data, c := tone(t, 440, 40_000)
	s := &shelf{clips: map[string][]byte{c.SHA256: data}, breakAt: len(data) / 3}
	for i := range 10 {
		l, err := Open(dir, nil) // the agent restarts each time
		if err != nil {
			t.Fatal(err)
		}
		if err = l.Sync(t.Context(), []wire.ManifestClip{c}, s); err == nil {
			break
		}
		if !errors.Is(err, unix.ECONNRESET) || l.Have(c.SHA256) {
			t.Fatalf("try %d: %v, have %v", i, err, l.Have(c.SHA256))
		}
	}
	want := []int64{0, int64(len(data) / 3), int64(2 * (len(data) / 3))}
	if diff := cmp.Diff(want, s.offsets[:3]); diff != "" {
		t.Errorf("offsets (-want +got):\n%s", diff)
	}
	l, err := Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !l.Have(c.SHA256) {
		t.Error("the clip is not here in the end")
	}
	if diff := cmp.Diff([]string{c.SHA256}, files(t, l)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

func TestWrongBytesAreNotKept(t *testing.T) {
	data, c := tone(t, 440, 4000)
	wrong := bytes.Clone(data)
	wrong[len(wrong)/2] ^= 1
	tests := map[string]struct {
		served []byte
		part   []byte
		want   error
	}{
		"changed_by_the_way": {wrong, nil, ErrHash},
		"rotten_part":        {data, wrong[:len(wrong)-5], nil},
		"another_length":     {data[:len(data)-1], nil, ErrContent},
		"part_too_long":      {data, append(bytes.Clone(data), 0), nil},
		"part_is_whole":      {nil, data, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			l := openTest(t)
			if tt.part != nil {
				if err := os.WriteFile(l.path(c.SHA256)+partSuffix, tt.part, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			s := &shelf{clips: map[string][]byte{c.SHA256: tt.served}}
			err := l.Sync(t.Context(), []wire.ManifestClip{c}, s)
			if !errors.Is(err, tt.want) || l.Have(c.SHA256) != (tt.want == nil) {
				t.Fatalf("Sync = %v, want %v; have %v", err, tt.want, l.Have(c.SHA256))
			}
			s.clips[c.SHA256] = data
			if err := l.Sync(t.Context(), []wire.ManifestClip{c}, s); err != nil || !l.Have(c.SHA256) {
				t.Errorf("Sync of the right bytes afterwards = %v", err)
			}
		})
	}
}

func TestOneFailureDoesNotStopTheOthers(t *testing.T) {
	l := openTest(t)
	_, ca := tone(t, 440, 4000)
	b, cb := tone(t, 880, 4000)
	err := l.Sync(t.Context(), []wire.ManifestClip{ca, cb}, &shelf{clips: map[string][]byte{cb.SHA256: b}})
	if err == nil || !strings.Contains(err.Error(), ca.SHA256) || !l.Have(cb.SHA256) {
		t.Errorf("Sync = %v, second clip here: %v", err, l.Have(cb.SHA256))
	}
}

func TestCancelledSyncStops(t *testing.T) {
	l := openTest(t)
	_, ca := tone(t, 440, 4000)
	_, cb := tone(t, 880, 4000)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s := &shelf{err: context.Canceled}
	if err := l.Sync(ctx, []wire.ManifestClip{ca, cb}, s); !errors.Is(err, context.Canceled) || len(s.offsets) != 1 {
		t.Errorf("Sync = %v after %d fetches, want one", err, len(s.offsets))
	}
}

func TestRottenFileIsRemovedAndFetchedAgain(t *testing.T) {
	l := openTest(t)
	data, c := tone(t, 440, 4000)
	s := &shelf{clips: map[string][]byte{c.SHA256: data}}
	if err := l.Sync(t.Context(), []wire.ManifestClip{c}, s); err != nil {
		t.Fatal(err)
	}
	rotten := bytes.Clone(data)
	rotten[100] ^= 0x10
	if err := os.WriteFile(l.path(c.SHA256), rotten, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Load(c.SHA256, c); !errors.Is(err, ErrHash) {
		t.Fatalf("Load = %v, want ErrHash", err)
	}
	if _, err := l.Load(c.SHA256, c); !errors.Is(err, ErrMissing) || l.Have(c.SHA256) {
		t.Fatalf("Load again = %v, want ErrMissing", err)
	}
	if err := l.Sync(t.Context(), []wire.ManifestClip{c}, s); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Load(c.SHA256, c); err != nil {
		t.Errorf("Load of the fresh file: %v", err)
	}
}

func TestRottenFileIsFoundAtTheNextStart(t *testing.T) {
	dir := t.TempDir()
	data, c := tone(t, 440, 4000)
	data[50] ^= 1
	if err := os.WriteFile(filepath.Join(dir, c.SHA256), data, 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	if l.Have(c.SHA256) || len(files(t, l)) != 0 {
		t.Errorf("have %v, files %v", l.Have(c.SHA256), files(t, l))
	}
}

func TestLoadHoldsWhatTheManifestSays(t *testing.T) {
	data, c := tone(t, 440, 4000)
	wav := append([]byte("RIFF\x24\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x40\x1f\x00\x00\x80\x3e\x00\x00\x02\x00\x10\x00data\x00\x00\x00\x00"), 0, 0)
	tests := map[string]struct {
		data   []byte
		change func(*wire.ManifestClip)
	}{
		"fewer_frames": {data, func(c *wire.ManifestClip) { c.Frames = 4001 }},
		"more_frames":  {data, func(c *wire.ManifestClip) { c.Frames = 3999 }},
		"another_rate": {data, func(c *wire.ManifestClip) { c.Rate = 16_000 }},
		"not_flac":     {wav, func(*wire.ManifestClip) {}},
		"cut_flac":     {data[:len(data)-100], func(*wire.ManifestClip) {}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			l := openTest(t)
			c := c
			c.SHA256, c.Bytes = shaOf(tt.data), int64(len(tt.data))
			tt.change(&c)
			if err := l.Sync(t.Context(), []wire.ManifestClip{c}, &shelf{clips: map[string][]byte{c.SHA256: tt.data}}); err != nil {
				t.Fatal(err)
			}
			if pcm, err := l.Load(c.SHA256, c); !errors.Is(err, ErrContent) || pcm != nil {
				t.Errorf("Load = %v, %v, want ErrContent", pcm, err)
			}
		})
	}
}

func TestEvictKeepsWhatIsNamed(t *testing.T) {
	l := openTest(t)
	a, ca := tone(t, 440, 4000)
	b, cb := tone(t, 880, 4000)
	if err := l.Sync(t.Context(), []wire.ManifestClip{ca, cb}, &shelf{clips: map[string][]byte{ca.SHA256: a, cb.SHA256: b}}); err != nil {
		t.Fatal(err)
	}
	part := strings.Repeat("a", 64) + partSuffix
	for _, name := range []string{part, "note.txt"} {
		if err := os.WriteFile(filepath.Join(l.dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	all := []string{ca.SHA256, cb.SHA256, strings.Repeat("a", 64)}
	slices.Sort(all)
	if names, err := l.Names(); err != nil || !slices.Equal(slices.Sorted(slices.Values(names)), all) {
		t.Errorf("Names = %q, %v, want %q", names, err, all)
	}
	if err := l.Evict([]string{cb.SHA256}); err != nil {
		t.Fatal(err)
	}
	if names, err := l.Names(); err != nil || !slices.Equal(names, []string{cb.SHA256}) {
		t.Errorf("Names = %q, %v, want only the one that was kept", names, err)
	}
	want := []string{cb.SHA256, "note.txt"}
	slices.Sort(want)
	if diff := cmp.Diff(want, files(t, l)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	if l.Have(ca.SHA256) || !l.Have(cb.SHA256) {
		t.Errorf("have %v and %v, want only the second", l.Have(ca.SHA256), l.Have(cb.SHA256))
	}
}

func TestNamesAreHashesOnly(t *testing.T) {
	l := openTest(t)
	for _, name := range []string{"", "../" + strings.Repeat("a", 61), strings.Repeat("A", 64), strings.Repeat("a", 63)} {
		if _, err := l.Load(name, wire.ManifestClip{}); !errors.Is(err, ErrMissing) || l.Have(name) {
			t.Errorf("Load(%q) = %v, want ErrMissing", name, err)
		}
		s := &shelf{}
		if err := l.Sync(t.Context(), []wire.ManifestClip{{SHA256: name, Bytes: 5}}, s); err == nil || len(s.offsets) != 0 {
			t.Errorf("Sync(%q) = %v after %d fetches", name, err, len(s.offsets))
		}
	}
}

func TestFullDiskIsNamed(t *testing.T) {
	if err := full(&os.PathError{Op: "write", Path: "x", Err: unix.ENOSPC}); !errors.Is(err, ErrFull) {
		t.Errorf("full(ENOSPC) = %v", err)
	}
	if err := full(io.ErrUnexpectedEOF); errors.Is(err, ErrFull) || err == nil {
		t.Errorf("full(EOF) = %v", err)
	}
}
