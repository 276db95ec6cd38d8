package signing

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"math"
	"strings"
	"testing"

	"gatecast/audio"
	"gatecast/audio/encode"
	"gatecast/internal/seal"
	"gatecast/internal/wire"
)

// sound is a second of a tone as a delivery form, with its manifest entry.
func sound(t testing.TB, hz float64) ([]byte, wire.ManifestClip) {
	t.Helper()
	const rate = 24000
	p := &audio.PCM{Format: audio.Format{Rate: rate, Channels: 1}, Samples: make([]float32, rate)}
	for i := range p.Samples {
		p.Samples[i] = float32(0.1 * math.Sin(2*math.Pi*hz*float64(i)/rate))
	}
	data, err := encode.FLAC(p)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(data)
	return data, wire.ManifestClip{SHA256: hex.EncodeToString(sum[:]), Title: "tone", Bytes: int64(len(data)), Rate: rate, Frames: rate}
}

func manifest(version uint64, clips ...wire.ManifestClip) wire.Manifest {
	return wire.Manifest{
		Header: wire.Header{Type: wire.DocManifest, Version: version}, Clips: clips,
		Ceilings: wire.Ceilings{Zone: "Asia/Shanghai", Allowed: []wire.DailyWindow{{FirstMin: 420, LastMin: 1200}}, MaxVolumePct: 60, MaxPlaysPerHour: 12, MaxClipS: 180},
	}
}

func bundle(t testing.TB, m wire.Manifest, clips map[string][]byte) *Bundle {
	t.Helper()
	var names []string
	for sha := range clips {
		names = append(names, sha)
	}
	var b bytes.Buffer
	err := Write(&b, Request{Manifest: m}, nil, names, func(sha string) (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(clips[sha])), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	opened, err := Open(bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil {
		t.Fatal(err)
	}
	return opened
}

func TestReviewMeasuresByItself(t *testing.T) {
	data, clip := sound(t, 440)
	_, other := sound(t, 880)
	with := func(change func(*wire.ManifestClip)) wire.ManifestClip {
		c := clip
		change(&c)
		return c
	}
	tests := map[string]struct {
		clip  wire.ManifestClip
		bytes []byte
		fault string // part of it; empty for none
	}{
		"as_it_is":      {clip, data, ""},
		"missing":       {clip, nil, "missing"},
		"other_bytes":   {other, data, "another hash"},
		"longer":        {with(func(c *wire.ManifestClip) { c.Frames++ }), data, "the manifest says"},
		"too_loud":      {with(func(c *wire.ManifestClip) { c.GainDB = 20 }), data, "above -15"},
		"called_silent": {with(func(c *wire.ManifestClip) { c.Silent = true }), data, "silent"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			clips := map[string][]byte{}
			if tt.bytes != nil {
				clips[tt.clip.SHA256] = tt.bytes
			}
			r, err := bundle(t, manifest(5, tt.clip), clips).Review(context.Background(), nil, nil)
			if err != nil || len(r.New) != 1 {
				t.Fatalf("%d new clips, %v", len(r.New), err)
			}
			if got := r.New[0].Fault; (got == "") != (tt.fault == "") || !strings.Contains(got, tt.fault) || (len(r.Faults) == 0) != (tt.fault == "") {
				t.Errorf("fault %q, want %q; faults %q", got, tt.fault, r.Faults)
			}
			if tt.fault == "" && (math.Abs(r.New[0].LUFS+23) > 1 || r.New[0].Length.Seconds() != 1) {
				t.Errorf("measured %.1f LUFS over %s", r.New[0].LUFS, r.New[0].Length)
			}
		})
	}
}

func TestReviewComparesWithWhatWasSigned(t *testing.T) {
	data, clip := sound(t, 440)
	gone := clip
	gone.SHA256 = strings.Repeat("ab", 32)
	known := manifest(5, clip, gone)
	now := manifest(6, clip)
	now.Ceilings.MaxVolumePct, now.Ceilings.MaxPlaysPerHour = 90, 6
	now.Ceilings.Allowed = []wire.DailyWindow{{FirstMin: 360, LastMin: 1140}}
	r, err := bundle(t, now, nil).Review(context.Background(), &known, nil)
	if err != nil || r.Kept != 1 || len(r.New) != 0 || len(r.Gone) != 1 || len(r.Faults) != 0 {
		t.Errorf("kept %d, new %d, gone %d, faults %q, %v", r.Kept, len(r.New), len(r.Gone), r.Faults, err)
	}
	wider := map[string]bool{}
	for _, d := range r.Ceilings {
		wider[d.What] = d.Wider
	}
	if len(wider) != 3 || !wider["音量上限 volume"] || !wider["允许时段 hours"] || wider["每小时最多 plays an hour"] {
		t.Errorf("differences %+v", r.Ceilings)
	}
	changed := clip
	changed.GainDB = 3
	r, err = bundle(t, manifest(4, changed), map[string][]byte{clip.SHA256: data}).Review(context.Background(), &known, nil)
	if err != nil || len(r.New) != 1 || r.New[0].Was == nil || len(r.Faults) != 1 || !strings.Contains(r.Faults[0], "not above") {
		t.Errorf("an older version with another gain: %d new, faults %q, %v", len(r.New), r.Faults, err)
	}
}

func TestWhatIsSignedIsWhatWasReviewed(t *testing.T) {
	_, clip := sound(t, 440)
	k, err := seal.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	env, err := bundle(t, manifest(7, clip), nil).Sign(k)
	if err != nil {
		t.Fatal(err)
	}
	var m wire.Manifest
	if _, err := seal.Open(env, []seal.PublicKey{k.Public()}, seal.Expect{Type: wire.DocManifest, Device: "d1", MinVersion: 7}, &m); err != nil || m.Clips[0] != clip {
		t.Errorf("%+v, %v", m, err)
	}
}

// zipOf makes an archive of those files.
func zipOf(t testing.TB, files ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := 0; i+1 < len(files); i += 2 {
		f, err := z.Create(files[i])
		if err == nil {
			_, err = io.WriteString(f, files[i+1])
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

const minimal = `{"format":1,"manifest":{"type":"manifest","version":3,"clips":[]}}`

func TestOpenRefuses(t *testing.T) {
	tests := map[string][]byte{
		"empty":         nil,
		"no_zip":        []byte("hello"),
		"no_request":    zipOf(t, "x", "y"),
		"no_json":       zipOf(t, requestName, "{"),
		"twice":         zipOf(t, requestName, minimal, requestName, minimal),
		"other_format":  zipOf(t, requestName, strings.Replace(minimal, `"format":1`, `"format":2`, 1)),
		"a_plan":        zipOf(t, requestName, strings.Replace(minimal, `"manifest","v`, `"plan","v`, 1)),
		"no_version":    zipOf(t, requestName, strings.Replace(minimal, `"version":3`, `"version":0`, 1)),
		"expires":       zipOf(t, requestName, strings.Replace(minimal, `"version":3`, `"version":3,"expires_us":1`, 1)),
		"for_a_device":  zipOf(t, requestName, strings.Replace(minimal, `"version":3`, `"version":3,"device":"d1"`, 1)),
		"clip_twice":    zipOf(t, requestName, strings.Replace(minimal, `[]`, `[{"sha256":"a"},{"sha256":"a"}]`, 1)),
		"endless":       zipOf(t, requestName, minimal+strings.Repeat(" ", maxRequest)),
		"long_previous": zipOf(t, requestName, minimal, previousName, strings.Repeat(" ", seal.MaxDocument+1)),
	}
	for name, data := range tests {
		t.Run(name, func(t *testing.T) {
			if _, err := Open(bytes.NewReader(data), int64(len(data))); !errors.Is(err, ErrBundle) {
				t.Errorf("Open = %v, want ErrBundle", err)
			}
		})
	}
	good := zipOf(t, requestName, minimal)
	if _, err := Open(bytes.NewReader(good), int64(len(good))); err != nil {
		t.Errorf("the smallest bundle: %v", err)
	}
}

func FuzzOpen(f *testing.F) {
	f.Add(zipOf(f, requestName, minimal, previousName, "{}", clipsDir+strings.Repeat("a", 64)+".flac", "fLaC"))
	f.Add(zipOf(f, requestName, strings.Replace(minimal, `[]`, `[{"sha256":"`+strings.Repeat("a", 64)+`"}]`, 1)))
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := Open(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			return
		}
		if _, err := b.Review(t.Context(), nil, nil); err != nil {
			t.Error(err)
		}
	})
}
