package audio

import (
	"fmt"
	"math"
	"testing"
	"time"
)

// amplitude returns how strong the wave of hz is in the middle of p's first
// channel.
func amplitude(p *PCM, hz float64) float64 {
	var re, im, sum float64
	n := int(p.Frames())
	for i := n / 10; i < n-n/10; i++ {
		w := 0.5 - 0.5*math.Cos(2*math.Pi*float64(i-n/10)/float64(n-n/5)) // Hann
		x := w * float64(p.Samples[i*p.Channels])
		re += x * math.Cos(2*math.Pi*hz*float64(i)/float64(p.Rate))
		im += x * math.Sin(2*math.Pi*hz*float64(i)/float64(p.Rate))
		sum += w
	}
	return 2 * math.Hypot(re, im) / sum
}

func TestResampleKeepsSpeechAndFoldsNothingBack(t *testing.T) {
	for _, tt := range []struct{ from, to int }{
		{44_100, 24_000}, {48_000, 24_000}, {22_050, 24_000}, {8_000, 24_000}, {24_000, 48_000},
		{24_000, 44_100}, {96_000, 24_000}, {192_000, 24_000}, {11_025, 24_000}, {44_100, 47_999}, {32_001, 24_000},
	} {
		t.Run(fmt.Sprintf("%d_to_%d", tt.from, tt.to), func(t *testing.T) {
			edge := 0.4 * float64(min(tt.from, tt.to))
			for _, hz := range []float64{100, 1000, 3000, edge} {
				p := Resample(tone(Format{Rate: tt.from, Channels: 1}, hz, 0.5, 0.5), tt.to)
				if got := amplitude(p, hz); math.Abs(20*math.Log10(got/0.5)) > 0.1 {
					t.Errorf("%v Hz comes out at %+.2f dB", hz, 20*math.Log10(got/0.5))
				}
			}
			if tt.from > tt.to { // what cannot be kept must not fold back
				hz := math.Min(0.6*float64(tt.to), 0.49*float64(tt.from))
				if hz < 0.5*float64(tt.to) {
					return
				}
				p := Resample(tone(Format{Rate: tt.from, Channels: 1}, hz, 0.5, 0.5), tt.to)
				if got := 20 * math.Log10(amplitude(p, float64(tt.to)-hz)/0.5); got > -70 {
					t.Errorf("%v Hz folds back at %.1f dB", hz, got)
				}
			}
		})
	}
}

func TestResampleKeepsTheInstant(t *testing.T) {
	p := &PCM{Format: mono24k, Samples: make([]float32, 2400)}
	p.Samples[1200] = 1
	got := Resample(p, 48_000)
	best := 0
	for i, v := range got.Samples {
		if v > got.Samples[best] {
			best = i
		}
	}
	if best != 2400 {
		t.Fatalf("a click at frame 1200 of 24 kHz comes out at frame %d of 48 kHz, want 2400", best)
	}
}

func TestResampleRefusesWhatItCannotDo(t *testing.T) {
	if got := Resample(level(mono24k, 0, 4), 7_999); got != nil {
		t.Errorf("Resample to 7,999 Hz = %v, want nil", got)
	}
	if got := Resample(nil, 48_000); got != nil {
		t.Errorf("Resample(nil) = %v, want nil", got)
	}
	p := level(mono24k, 0, 4)
	if got := Resample(p, 24_000); got != p {
		t.Errorf("Resample to its own rate = %p, want %p itself", got, p)
	}
}

func TestRemix(t *testing.T) {
	tests := []struct {
		name string
		in   []float32 // one frame
		out  int
		want []float32
	}{
		{"mono_to_all", []float32{0.5}, 3, []float32{0.5, 0.5, 0.5}},
		{"stereo_to_mono", []float32{1, 0.5}, 1, []float32{0.75}},
		{"opposite_sides_cancel", []float32{0.5, -0.5}, 1, []float32{0}},
		{"stereo_to_four", []float32{0.1, 0.2}, 4, []float32{0.1, 0.2, 0.1, 0.2}},
		{"centre_of_5_1_is_kept", []float32{0, 0, 1, 0, 0, 0}, 1, []float32{0.25}},
		{"effects_of_5_1_are_dropped", []float32{0, 0, 0, 1, 0, 0}, 1, []float32{0}},
		{"full_scale_stays_full_scale", []float32{1, 1, 1, 1, 1, 1, 1, 1}, 1, []float32{1}},
		{"5_1_to_stereo_keeps_sides_apart", []float32{1, 0, 0, 0, 0, 0}, 2, []float32{0.4530818, 0}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := Remix(&PCM{Format: Format{Rate: 8000, Channels: len(tt.in)}, Samples: tt.in}, tt.out)
			for c := range tt.want {
				if math.Abs(float64(got.Samples[c]-tt.want[c])) > 1e-6 {
					t.Fatalf("Remix(%v, %d) = %v, want %v", tt.in, tt.out, got.Samples, tt.want)
				}
			}
		})
	}
	for in := 1; in <= MaxChannels; in++ {
		for out := 1; out <= MaxChannels; out++ {
			full := Remix(level(Format{Rate: 8000, Channels: in}, 1, 1), out)
			for c, v := range full.Samples {
				if v > 1.000001 {
					t.Errorf("%d to %d channels: full scale gives %v in channel %d", in, out, v, c)
				}
			}
		}
	}
}

func TestPeaksCoverEveryFrame(t *testing.T) {
	p := level(Format{Rate: 8000, Channels: 2}, 0, 1000)
	p.Samples[0], p.Samples[1999] = 0.5, -0.75
	got := Peaks(p, 7)
	if len(got) != 7 || got[0].Max != 0.5 || got[6].Min != -0.75 || got[3] != (Peak{}) {
		t.Fatalf("Peaks = %v", got)
	}
	if got := Peaks(p, 5000); len(got) != 1000 {
		t.Fatalf("5000 peaks of 1000 frames = %d, want 1000", len(got))
	}
	if got := Peaks(p, 0); got != nil {
		t.Fatalf("no peaks = %v, want nil", got)
	}
	if got := Peaks(&PCM{}, 3); got != nil {
		t.Fatalf("peaks of nothing = %v, want nil", got)
	}
}

func TestSilentKnowsDitherFromSound(t *testing.T) {
	tests := []struct {
		name  string
		value float32
		want  bool
	}{{"zero", 0, true}, {"one_step", 1.0 / 32768, true}, {"two_steps", -2.0 / 32768, false}}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Silent(level(mono24k, tt.value, 100)); got != tt.want {
				t.Fatalf("Silent of %v = %v, want %v", tt.value, got, tt.want)
			}
		})
	}
	if !Silent(nil) || !Silent(&PCM{}) {
		t.Fatal("nothing is not silent")
	}
}

func TestFramesAndDurationsAgree(t *testing.T) {
	for _, rate := range []int{8000, 22_050, 44_100, 48_000} {
		for _, n := range []Frames{0, 1, 441, 48_000, 1_000_000_007} {
			if got := FramesIn(n.Duration(rate), rate); got != n {
				t.Errorf("FramesIn(%v at %d) = %d, want %d", n.Duration(rate), rate, got, n)
			}
		}
	}
	if got := FramesIn(-time.Second, 8000); got != 0 {
		t.Errorf("FramesIn(-1s) = %d, want 0", got)
	}
}
