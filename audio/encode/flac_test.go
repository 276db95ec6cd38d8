package encode

import (
	"bytes"
	"context"
	"encoding/binary"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"pgregory.net/rapid"

	"gatecast/audio"
	"gatecast/audio/decode"
	"gatecast/internal/needtool"
)

// voice returns seconds of something like speech: harmonics under syllables,
// with breath noise.
func voice(rate int, seconds float64) *audio.PCM {
	p := &audio.PCM{Format: audio.Format{Rate: rate, Channels: 1}, Samples: make([]float32, int(seconds*float64(rate)))}
	seed := uint32(1)
	for i := range p.Samples {
		x := float64(i) / float64(rate)
		syllable := math.Max(0, math.Sin(2*math.Pi*2*x))
		var v float64
		for h := 1.0; h < 20; h++ {
			v += math.Sin(2*math.Pi*h*140*x) / h
		}
		seed = seed*1664525 + 1013904223
		v += 0.05 * (float64(seed)/math.MaxUint32 - 0.5)
		p.Samples[i] = float32(0.3 * syllable * v)
	}
	return p
}

func roundTrip(t testing.TB, p *audio.PCM) ([]byte, *audio.PCM) {
	t.Helper()
	b, err := FLAC(p)
	if err != nil {
		t.Fatalf("FLAC: %v", err)
	}
	got, info, err := decode.Decode(context.Background(), b, decode.Limits{})
	if err != nil {
		t.Fatalf("Decode: %v", err)
	}
	if info.Kind != decode.KindFLAC || got.Format != p.Format || got.Frames() != p.Frames() || info.Bits != 16 {
		t.Fatalf("decoded as %+v, want the format %+v and %d frames", info, p.Format, p.Frames())
	}
	for i, v := range p.Samples {
		if want := float32(Quantize(v)) / (1 << 15); got.Samples[i] != want {
			t.Fatalf("sample %d = %v, want %v", i, got.Samples[i], want)
		}
	}
	return b, got
}

func TestFLACRoundTripIsExact(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		p := &audio.PCM{Format: audio.Format{
			Rate:     rapid.SampledFrom([]int{8000, 22_050, 24_000, 44_100, 48_000}).Draw(rt, "rate"),
			Channels: rapid.IntRange(1, 8).Draw(rt, "channels"),
		}}
		n := rapid.SampledFrom([]int{1, 2, 5, 41, 4095, 4096, 4097, 9000}).Draw(rt, "frames")
		seed := rapid.Uint32().Draw(rt, "seed")
		shape := rapid.IntRange(0, 4).Draw(rt, "shape")
		for i := range n * p.Channels {
			seed = seed*1664525 + 1013904223
			var v float64
			switch shape {
			case 0: // noise over full scale
				v = 2.2 * (float64(seed)/math.MaxUint32 - 0.5)
			case 1: // constant
				v = 0.25
			case 2: // silence with rare clicks at the extremes
				if seed%997 == 0 {
					v = math.Copysign(1.5, float64(int32(seed)))
				}
			case 3: // a steep wave
				v = math.Sin(float64(i*i) / 1e4)
			case 4: // the worst for a predictor: full swing at every sample
				v = float64(1 - 2*(i&1))
			}
			p.Samples = append(p.Samples, float32(v))
		}
		roundTrip(t, p)
	})
}

func TestFLACOfSpeechIsSmall(t *testing.T) {
	p := voice(24_000, 10)
	b, _ := roundTrip(t, p)
	raw := len(p.Samples) * 2
	if len(b)*10 > raw*6 {
		t.Errorf("%d bytes for %d of samples, want at most 60 %%", len(b), raw)
	}
	again, err := FLAC(p)
	if err != nil || !bytes.Equal(b, again) {
		t.Errorf("the same sound gives other bytes: %v", err)
	}
}

func TestFLACRefusesNothing(t *testing.T) {
	for _, p := range []*audio.PCM{nil, {}, {Format: audio.Format{Rate: 1, Channels: 1}, Samples: []float32{0}}} {
		if b, err := FLAC(p); err == nil {
			t.Errorf("FLAC(%+v) = %d bytes, want an error", p, len(b))
		}
	}
}

func TestFLACIsReadByTheReferenceDecoder(t *testing.T) {
	needtool.Need(t, "flac")
	p := voice(24_000, 5.01)
	b, err := FLAC(p)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "clip.flac")
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	raw, err := exec.Command("flac", "-d", "-s", "-c", "--force-raw-format", "--endian=little", "--sign=signed", file).Output()
	if err != nil {
		t.Fatalf("flac -d: %v", err)
	}
	if len(raw) != 2*len(p.Samples) {
		t.Fatalf("flac -d yields %d bytes, want %d", len(raw), 2*len(p.Samples))
	}
	for i, v := range p.Samples {
		if got := int32(int16(binary.LittleEndian.Uint16(raw[2*i:]))); got != Quantize(v) {
			t.Fatalf("sample %d = %d, want %d", i, got, Quantize(v))
		}
	}
}

func BenchmarkFLAC(b *testing.B) {
	p := voice(24_000, 30)
	var n int
	for b.Loop() {
		out, err := FLAC(p)
		if err != nil {
			b.Fatal(err)
		}
		n = len(out)
	}
	b.ReportMetric(30*float64(b.N)/b.Elapsed().Seconds(), "×realtime")
	b.ReportMetric(float64(n)/1000, "kB/30s")
}
