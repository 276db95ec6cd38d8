package audio

import (
	"errors"
	"io"
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// tone returns seconds of a sine at hz and amplitude in every channel.
func tone(f Format, hz, amplitude, seconds float64) *PCM {
	n := int(seconds * float64(f.Rate))
	p := &PCM{Format: f, Samples: make([]float32, n*f.Channels)}
	for i := range n {
		v := float32(amplitude * math.Sin(2*math.Pi*hz*float64(i)/float64(f.Rate)))
		for c := range f.Channels {
			p.Samples[i*f.Channels+c] = v
		}
	}
	return p
}

func level(f Format, value float32, frames int) *PCM {
	p := &PCM{Format: f, Samples: make([]float32, frames*f.Channels)}
	for i := range p.Samples {
		p.Samples[i] = value
	}
	return p
}

func render(t testing.TB, p *PCM, o RenderOptions) *PCM {
	t.Helper()
	src, err := Render(p, o)
	if err != nil {
		t.Fatalf("Render(%+v): %v", o, err)
	}
	out, err := Collect(src)
	if err != nil {
		t.Fatalf("Collect: %v", err)
	}
	return out
}

var mono24k = Format{Rate: 24_000, Channels: 1}

func TestRenderGainIsExactBelowTheCeiling(t *testing.T) {
	for _, gain := range []Gain{-60, -6.0206, -0.1, 0, 3} {
		p := tone(mono24k, 440, 0.5, 0.5)
		got := render(t, p, RenderOptions{Gain: gain, Fade: -1})
		for i, v := range got.Samples {
			want := float64(p.Samples[i]) * math.Pow(10, float64(gain)/20)
			if diff := math.Abs(float64(v) - want); diff > 1e-6*math.Abs(want)+1e-9 {
				t.Fatalf("gain %v: sample %d = %v, want %v", gain, i, v, want)
			}
		}
	}
}

func TestRenderPassesSamplesToTheBitWithoutGain(t *testing.T) {
	p := tone(Format{Rate: 44_100, Channels: 2}, 1000, 0.8, 0.3)
	got := render(t, p, RenderOptions{Fade: -1})
	for i := range p.Samples {
		if got.Samples[i] != p.Samples[i] {
			t.Fatalf("sample %d = %v, want %v", i, got.Samples[i], p.Samples[i])
		}
	}
}

func TestRenderNeverExceedsTheCeiling(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := Format{Rate: rapid.SampledFrom([]int{8000, 24000, 44100}).Draw(t, "rate"), Channels: rapid.IntRange(1, 3).Draw(t, "channels")}
		p := &PCM{Format: f, Samples: make([]float32, rapid.IntRange(0, 3000).Draw(t, "frames")*f.Channels)}
		seed := rapid.Uint64().Draw(t, "seed")
		burst := rapid.IntRange(1, 400).Draw(t, "burst")
		for i := range p.Samples {
			seed = seed*6364136223846793005 + 1442695040888963407
			if (i/burst)%3 != 0 {
				p.Samples[i] = float32(int32(seed>>32)) / (1 << 31)
			}
		}
		o := RenderOptions{Gain: Gain(rapid.Float64Range(-20, 40).Draw(t, "gain"))}
		if rapid.Bool().Draw(t, "resample") {
			o.Format = Format{Rate: 48_000, Channels: rapid.IntRange(1, 2).Draw(t, "out")}
		}
		src, err := Render(p, o)
		if err != nil {
			t.Fatal(err)
		}
		out, err := Collect(src)
		if err != nil {
			t.Fatal(err)
		}
		limit := math.Pow(10, CeilingDB/20)
		for i, v := range out.Samples {
			if math.Abs(float64(v)) > limit || v != v {
				t.Fatalf("sample %d = %v, over %v", i, v, limit)
			}
		}
	})
}

// A limiter that only clipped would also stay under the ceiling: the gain must
// move smoothly instead, and come back.
func TestLimiterMovesTheGainSmoothlyAndRecovers(t *testing.T) {
	p := tone(mono24k, 1000, 0.2, 2)
	for i := 24_000; i < 26_400; i++ { // 100 ms four times as loud
		p.Samples[i] *= 4
	}
	got := render(t, p, RenderOptions{Gain: 6, Fade: -1})
	factor := Gain(6).Factor()
	last := 1.0
	for i := range p.Samples {
		if math.Abs(float64(p.Samples[i])) < 0.05 {
			continue
		}
		g := float64(got.Samples[i]) / (float64(p.Samples[i]) * factor)
		if g > 1+1e-5 {
			t.Fatalf("frame %d: gain %v over 1", i, g)
		}
		if math.Abs(g-last) > 0.05 {
			t.Fatalf("frame %d: gain jumps from %v to %v", i, last, g)
		}
		last = g
	}
	if last != 1 && math.Abs(last-1) > 1e-4 {
		t.Fatalf("gain a second after the peak = %v, want 1", last)
	}
	mid := render(t, tone(mono24k, 1000, 0.9, 1), RenderOptions{Gain: 12, Fade: -1})
	var peak float64
	for _, v := range mid.Samples[6000:18000] {
		peak = math.Max(peak, math.Abs(float64(v)))
	}
	if want := math.Pow(10, CeilingDB/20); peak < want*0.97 {
		t.Fatalf("steady tone is held at %v, want close under %v", peak, want)
	}
}

func TestLimiterSeesPeaksBetweenSamples(t *testing.T) {
	// A quarter of the rate at 45°: samples at 0.707 of the wave's peak.
	p := &PCM{Format: mono24k, Samples: make([]float32, 24_000)}
	for i := range p.Samples {
		p.Samples[i] = float32(math.Sin(math.Pi/2*float64(i) + math.Pi/4))
	}
	got := render(t, p, RenderOptions{Fade: -1})
	want := math.Pow(10, CeilingDB/20) / math.Sqrt2
	for i := 2000; i < 22_000; i++ {
		if v := math.Abs(float64(got.Samples[i])); v > want*1.03 {
			t.Fatalf("sample %d = %v: its wave peaks %.2f dB over the ceiling", i, v, 20*math.Log10(v/want))
		}
	}
}

func TestRenderFrameCountsAreExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := Format{Rate: rapid.IntRange(MinRate, 50_000).Draw(t, "from"), Channels: rapid.IntRange(1, 8).Draw(t, "in")}
		out := Format{Rate: rapid.IntRange(MinRate, 50_000).Draw(t, "to"), Channels: rapid.IntRange(1, 8).Draw(t, "out")}
		n := rapid.IntRange(0, 2000).Draw(t, "frames")
		lead := time.Duration(rapid.IntRange(0, 30).Draw(t, "lead")) * time.Millisecond
		src, err := Render(level(in, 0.1, n), RenderOptions{Format: out, LeadIn: lead})
		if err != nil {
			t.Fatal(err)
		}
		body := Frames((n*out.Rate + in.Rate - 1) / in.Rate)
		if src.Body() != body || src.LeadIn() != FramesIn(lead, out.Rate) || src.Frames() != src.LeadIn()+body {
			t.Fatalf("frames %d = lead-in %d + body %d, want body %d", src.Frames(), src.LeadIn(), src.Body(), body)
		}
		chunk := make([]float32, rapid.IntRange(1, 700).Draw(t, "chunk")*out.Channels)
		var got Frames
		for {
			c, err := src.Read(chunk)
			if err == io.EOF {
				break
			}
			if err != nil || c == 0 || c%out.Channels != 0 {
				t.Fatalf("Read = %d, %v", c, err)
			}
			got += Frames(c / out.Channels)
		}
		if got != src.Frames() {
			t.Fatalf("read %d frames, promised %d", got, src.Frames())
		}
	})
}

func TestRenderIsTheSameInAnyChunks(t *testing.T) {
	p := tone(Format{Rate: 22_050, Channels: 1}, 700, 0.9, 0.4)
	o := RenderOptions{Gain: 5, LeadIn: 30 * time.Millisecond, Format: Format{Rate: 48_000, Channels: 2}}
	whole := render(t, p, o)
	src, err := Render(p, o)
	if err != nil {
		t.Fatal(err)
	}
	var got []float32
	for size := 2; ; size = size*3%997 + 2 {
		buf := make([]float32, size)
		n, err := src.Read(buf)
		if err == io.EOF {
			break
		}
		got = append(got, buf[:n]...)
	}
	if len(got) != len(whole.Samples) {
		t.Fatalf("read %d samples, want %d", len(got), len(whole.Samples))
	}
	for i := range got {
		if got[i] != whole.Samples[i] {
			t.Fatalf("sample %d = %v in small reads, %v in one", i, got[i], whole.Samples[i])
		}
	}
}

func TestRenderFadesAreMonotone(t *testing.T) {
	tests := []struct {
		name   string
		frames int
		fade   time.Duration
		want   int
	}{
		{"default", 24_000, 0, 480},
		{"none", 24_000, -1, 0},
		{"long", 24_000, 200 * time.Millisecond, 4800},
		{"clip_shorter_than_its_fades", 101, 0, 50},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := render(t, level(mono24k, 0.5, tt.frames), RenderOptions{Fade: tt.fade}).Samples
			full := 0
			for full < len(got) && got[full] < 0.5 {
				full++
			}
			if full > tt.want || full < tt.want-tt.want/100 { // the last of it rounds to 1
				t.Fatalf("fade in takes %d frames, want %d", full, tt.want)
			}
			for i := range tt.want {
				if i > 0 && got[i] < got[i-1] {
					t.Fatalf("fade in falls at frame %d", i)
				}
				if got[i] != got[len(got)-1-i] {
					t.Fatalf("fades differ at frame %d: %v in, %v out", i, got[i], got[len(got)-1-i])
				}
			}
			if tt.want > 0 && got[0] > 0.01 {
				t.Fatalf("first sample %v clicks", got[0])
			}
		})
	}
}

func TestRenderLeadInIsSilence(t *testing.T) {
	got := render(t, level(mono24k, 0.5, 1000), RenderOptions{LeadIn: 100 * time.Millisecond, Fade: -1}).Samples
	for i, v := range got {
		if want := float32(0); i < 2400 && v != want {
			t.Fatalf("lead-in sample %d = %v", i, v)
		}
	}
	if got[2400] != 0.5 {
		t.Fatalf("first sample of the clip = %v, want 0.5", got[2400])
	}
}

func TestRenderRefusesBadOptions(t *testing.T) {
	ok := level(mono24k, 0.1, 10)
	tests := []struct {
		name string
		pcm  *PCM
		o    RenderOptions
	}{
		{"no_clip", nil, RenderOptions{}},
		{"rate_of_the_clip", &PCM{Format: Format{Rate: 1, Channels: 1}}, RenderOptions{}},
		{"channels_of_the_clip", &PCM{Format: Format{Rate: 8000, Channels: 9}}, RenderOptions{}},
		{"gain_over_40_dB", ok, RenderOptions{Gain: 41}},
		{"gain_not_a_number", ok, RenderOptions{Gain: Gain(math.NaN())}},
		{"lead_in_below_zero", ok, RenderOptions{LeadIn: -1}},
		{"wanted_rate", ok, RenderOptions{Format: Format{Rate: 400_000}}},
		{"wanted_channels", ok, RenderOptions{Format: Format{Channels: -1}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if src, err := Render(tt.pcm, tt.o); err == nil {
				t.Fatalf("Render = %v, want an error", src)
			}
		})
	}
}

func TestReadNeedsRoomForAFrame(t *testing.T) {
	src, err := Render(level(Format{Rate: 8000, Channels: 2}, 0, 4), RenderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if n, err := src.Read(make([]float32, 1)); n != 0 || !errors.Is(err, io.ErrShortBuffer) {
		t.Fatalf("Read into one sample of two = %d, %v, want 0, %v", n, err, io.ErrShortBuffer)
	}
}

func TestReadAllocatesNothing(t *testing.T) {
	src, err := Render(tone(Format{Rate: 22_050, Channels: 1}, 400, 0.9, 30), RenderOptions{
		Gain: 6, Format: Format{Rate: 48_000, Channels: 2},
	})
	if err != nil {
		t.Fatal(err)
	}
	buf := make([]float32, 960)
	if n := testing.AllocsPerRun(100, func() { _, _ = src.Read(buf) }); n != 0 {
		t.Fatalf("Read allocates %v times", n)
	}
}

func BenchmarkRender(b *testing.B) {
	for _, bb := range []struct {
		name string
		in   Format
		out  Format
	}{
		{"24k_mono_to_48k_stereo", mono24k, Format{Rate: 48_000, Channels: 2}},
		{"24k_mono", mono24k, mono24k},
		{"48k_stereo_to_24k_mono", Format{Rate: 48_000, Channels: 2}, mono24k},
	} {
		b.Run(bb.name, func(b *testing.B) {
			p := tone(bb.in, 440, 0.9, 10)
			for b.Loop() {
				render(b, p, RenderOptions{Gain: 3, Format: bb.out})
			}
			b.ReportMetric(10*float64(b.N)/b.Elapsed().Seconds(), "×realtime")
		})
	}
}
