package soundcheck

import (
	"encoding/binary"
	"math"
	"math/cmplx"
	"math/rand/v2"
	"testing"
	"time"

	"gatecast/audio"
)

const rate = 8000

// noise returns d of low-passed noise under a slow swell: like speech, unlike
// itself at every other lag.
func noise(seed uint64, d time.Duration) *audio.PCM {
	rng := rand.New(rand.NewPCG(seed, 1))
	p := &audio.PCM{Format: audio.Format{Rate: rate, Channels: 1}}
	var low float64
	for i := range int(d * rate / time.Second) {
		low += 0.3 * (rng.Float64()*2 - 1 - low)
		swell := 0.6 + 0.4*math.Sin(float64(i)/rate*2*math.Pi*1.3)
		p.Samples = append(p.Samples, float32(0.5*low*swell))
	}
	return p
}

// record returns before, then clip at gain, then after, over a hiss of the
// given amplitude.
func record(clip *audio.PCM, gain, hiss float64, before, after time.Duration) *audio.PCM {
	rng := rand.New(rand.NewPCG(99, 2))
	head, tail := int(before*rate/time.Second), int(after*rate/time.Second)
	p := &audio.PCM{Format: clip.Format, Samples: make([]float32, head+len(clip.Samples)+tail)}
	for i := range p.Samples {
		var v float64
		if j := i - head; j >= 0 && j < len(clip.Samples) {
			v = gain * float64(clip.Samples[j])
		}
		p.Samples[i] = float32(v + hiss*(rng.Float64()*2-1))
	}
	return p
}

func TestCompareFindsTheClip(t *testing.T) {
	clip := noise(1, 3*time.Second)
	tests := map[string]struct {
		rec       *audio.PCM
		start     time.Duration
		gain      audio.Gain
		tolerance time.Duration
		whole     bool
	}{
		"itself":            {clip, 0, 0, time.Millisecond, true},
		"late_and_quiet":    {record(clip, 0.25, 0, 1234*time.Millisecond, time.Second), 1234 * time.Millisecond, -12.04, time.Millisecond, true},
		"turned_over":       {record(clip, -1, 0, time.Second, time.Second), 0, 0, time.Millisecond, false},
		"head_cut_off":      {&audio.PCM{Format: clip.Format, Samples: clip.Samples[4000:]}, -500 * time.Millisecond, 0, time.Millisecond, false},
		"tail_cut_off":      {&audio.PCM{Format: clip.Format, Samples: clip.Samples[:20000]}, 0, 0, time.Millisecond, false},
		"other_clip":        {noise(2, 3*time.Second), 0, 0, time.Second, false},
		"drowned_in_hiss":   {record(clip, 0.5, 0.3, 0, 0), 0, -6.02, time.Second, false},
		"a_little_hiss":     {record(clip, 1, 0.002, 200*time.Millisecond, 0), 200 * time.Millisecond, 0, 201 * time.Millisecond, true},
		"something_follows": {record(append2(clip, noise(3, time.Second)), 1, 0, 0, 0), 0, 0, 10 * time.Millisecond, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			m, err := Compare(clip, tt.rec)
			if err != nil {
				t.Fatal(err)
			}
			ok, why := m.Whole(tt.tolerance)
			if ok != tt.whole {
				t.Fatalf("Whole = %v (%s), want %v; %+v", ok, why, tt.whole, m)
			}
			if !ok && name != "head_cut_off" && name != "tail_cut_off" && name != "something_follows" {
				return // no clip, no place
			}
			if m.Start != tt.start || math.Abs(float64(m.Gain-tt.gain)) > 0.1 {
				t.Errorf("found at %v with %.2f dB, want %v with %.2f dB", m.Start, m.Gain, tt.start, tt.gain)
			}
		})
	}
}

func append2(a, b *audio.PCM) *audio.PCM {
	return &audio.PCM{Format: a.Format, Samples: append(append([]float32{}, a.Samples...), b.Samples...)}
}

func TestCompareFindsGaps(t *testing.T) {
	clip := noise(1, 3*time.Second)
	rec := record(clip, 0.5, 0, time.Second, time.Second)
	clear(rec.Samples[rate+12000 : rate+12800]) // 100 ms at 1.5 s of the clip
	m, err := Compare(clip, rec)
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Gaps) != 1 || (m.Gaps[0].From-1500*time.Millisecond).Abs() > gapWindow || (m.Gaps[0].To-1600*time.Millisecond).Abs() > gapWindow {
		t.Errorf("Gaps = %v, want one from 1.5s to 1.6s", m.Gaps)
	}
	if ok, _ := m.Whole(time.Millisecond); ok {
		t.Error("Whole = true with a gap")
	}
}

func TestCompareRefusesSilence(t *testing.T) {
	clip := noise(1, time.Second)
	quiet := &audio.PCM{Format: clip.Format, Samples: make([]float32, rate)}
	for name, tt := range map[string]struct{ clip, rec *audio.PCM }{
		"silent_recording": {clip, quiet}, "silent_clip": {quiet, clip},
		"no_recording": {clip, &audio.PCM{Format: clip.Format}}, "no_clip": {nil, clip},
	} {
		t.Run(name, func(t *testing.T) {
			if m, err := Compare(tt.clip, tt.rec); err == nil {
				t.Errorf("Compare = %+v, want an error", m)
			}
		})
	}
}

func TestTransformIsTheFourierTransform(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	x := make([]complex128, 16)
	for i := range x {
		x[i] = complex(rng.Float64(), rng.Float64())
	}
	got := append([]complex128{}, x...)
	transform(got, false)
	for k := range got {
		var want complex128
		for i, v := range x {
			want += v * cmplx.Rect(1, -2*math.Pi*float64(i*k)/16)
		}
		if cmplx.Abs(got[k]-want) > 1e-9 {
			t.Errorf("transform[%d] = %v, want %v", k, got[k], want)
		}
	}
	transform(got, true)
	for i := range got {
		if cmplx.Abs(got[i]/16-x[i]) > 1e-12 {
			t.Errorf("inverse[%d] = %v, want %v", i, got[i]/16, x[i])
		}
	}
}

func FuzzDecodeWAV(f *testing.F) {
	h := make([]byte, 48)
	copy(h, "RIFF\x28\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00")
	binary.LittleEndian.PutUint32(h[24:], 8000)
	binary.LittleEndian.PutUint16(h[34:], 16)
	copy(h[36:], "data\x04\x00\x00\x00")
	f.Add(h)
	f.Add(h[:44])
	f.Add(h[:20])
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := decodeWAV(b)
		if err == nil && (len(p.Samples)%p.Channels != 0 || len(p.Samples)*2 > len(b)) {
			t.Errorf("decodeWAV: %d samples of %d channels from %d bytes", len(p.Samples), p.Channels, len(b))
		}
	})
}
