package loudness

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	"gatecast/audio"
	"gatecast/internal/needtool"
)

// part is a stretch of a test signal: a tone of 1 kHz, its level per channel.
type part struct {
	seconds float64
	dBFS    []float64
}

func stereo(dBFS, seconds float64) part { return part{seconds, []float64{dBFS, dBFS}} }

func signal(rate int, parts ...part) *audio.PCM {
	p := &audio.PCM{Format: audio.Format{Rate: rate, Channels: len(parts[0].dBFS)}}
	i := 0
	for _, part := range parts {
		for range int(part.seconds * float64(rate)) {
			v := math.Sin(2 * math.Pi * 1000 * float64(i) / float64(rate))
			for _, level := range part.dBFS {
				p.Samples = append(p.Samples, float32(v*math.Pow(10, level/20)))
			}
			i++
		}
	}
	return p
}

// The minimum requirements of EBU Tech 3341 (2016), table 1, made as described
// there; cases 1 and 2 are shortened to 5 s.
func TestMeasureMeetsEBUTech3341(t *testing.T) {
	tests := []struct {
		name  string
		parts []part
		want  float64
	}{
		{"case_1", []part{stereo(-23, 5)}, -23},
		{"case_2", []part{stereo(-33, 5)}, -33},
		{"case_3", []part{stereo(-36, 10), stereo(-23, 60), stereo(-36, 10)}, -23},
		{"case_4", []part{stereo(-72, 10), stereo(-36, 10), stereo(-23, 60), stereo(-36, 10), stereo(-72, 10)}, -23},
		{"case_5", []part{stereo(-26, 20), stereo(-20, 20.1), stereo(-26, 20)}, -23},
		{"case_6", []part{{20, []float64{-28, -28, -24, -30, -30}}}, -23},
		{"mono_is_3_LU_less", []part{{5, []float64{-23}}}, -26.01},
		{"effects_do_not_count", []part{{5, []float64{-23, -23, -200, 0, -200, -200}}}, -23},
	}
	for _, tt := range tests {
		for _, rate := range []int{8_000, 22_050, 24_000, 44_100, 48_000, 96_000} {
			if rate != 24_000 && tt.name != "case_1" { // the filters are all that depends on the rate
				continue
			}
			t.Run(fmt.Sprintf("%s_%d", tt.name, rate), func(t *testing.T) {
				got := Measure(signal(rate, tt.parts...)).Integrated
				if math.Abs(got-tt.want) > 0.1 {
					t.Fatalf("integrated = %.2f LUFS, want %.2f", got, tt.want)
				}
			})
		}
	}
}

// Cases 15 to 19: tones at a quarter of the rate whose peaks lie between the
// samples. Tolerance +0.2, −0.4 dB.
func TestTruePeakMeetsEBUTech3341(t *testing.T) {
	tests := []struct {
		name      string
		divide    float64
		degrees   float64
		amplitude float64
		want      float64
	}{
		{"case_15", 4, 0, 0.5, -6},
		{"case_16", 4, 45, 0.5, -6},
		{"case_17", 6, 60, 0.5, -6},
		{"case_18", 8, 67.5, 0.5, -6},
		{"case_19", 4, 45, 1.41, 3},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := &audio.PCM{Format: audio.Format{Rate: 48_000, Channels: 1}, Samples: make([]float32, 24_000)}
			for i := range p.Samples {
				fade := math.Min(1, math.Min(float64(i), float64(len(p.Samples)-1-i))/480)
				p.Samples[i] = float32(fade * tt.amplitude * math.Sin(2*math.Pi*float64(i)/tt.divide+tt.degrees*math.Pi/180))
			}
			if got := Measure(p).TruePeak; got > tt.want+0.2 || got < tt.want-0.4 {
				t.Fatalf("true peak = %.2f dBTP, want %v", got, tt.want)
			}
		})
	}
}

func TestMeasureKnowsSilence(t *testing.T) {
	tests := []struct {
		name string
		pcm  *audio.PCM
	}{
		{"nil", nil},
		{"empty", &audio.PCM{Format: audio.Format{Rate: 8000, Channels: 1}}},
		{"ill_formed", &audio.PCM{Samples: []float32{1}}},
		{"zeros", &audio.PCM{Format: audio.Format{Rate: 8000, Channels: 1}, Samples: make([]float32, 16_000)}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := Measure(tt.pcm)
			if !math.IsInf(got.Integrated, -1) || !math.IsInf(got.TruePeak, -1) {
				t.Fatalf("Measure = %+v, want −Inf twice", got)
			}
		})
	}
	short := signal(8000, part{0.39, []float64{-20}})
	if got := Measure(short); !math.IsInf(got.Integrated, -1) || got.TruePeak < -20.2 {
		t.Fatalf("390 ms measure as %+v, want −Inf LUFS and −20 dBTP", got)
	}
}

func TestMeterIsTheSameInAnyPieces(t *testing.T) {
	p := signal(22_050, stereo(-20, 2), stereo(-40, 1))
	want := Measure(p)
	m := New(p.Format)
	for s := p.Samples; len(s) > 0; {
		n := min(len(s), 2*137)
		m.Write(s[:n])
		_ = m.Result() // asking in between changes nothing
		s = s[n:]
	}
	if got := m.Result(); got != want {
		t.Fatalf("in pieces %+v, at once %+v", got, want)
	}
}

// writeWAV writes p as a float WAV, which ffmpeg reads without rounding.
func writeWAV(t testing.TB, file string, p *audio.PCM) {
	t.Helper()
	le := binary.LittleEndian
	data := len(p.Samples) * 4
	b := append([]byte("RIFF"), le.AppendUint32(nil, uint32(36+data))...)
	b = append(b, "WAVEfmt \x10\x00\x00\x00\x03\x00"...)
	b = le.AppendUint16(b, uint16(p.Channels))
	b = le.AppendUint32(b, uint32(p.Rate))
	b = le.AppendUint32(b, uint32(p.Rate*p.Channels*4))
	b = le.AppendUint16(b, uint16(p.Channels*4))
	b = le.AppendUint16(b, 32)
	b = append(b, "data"...)
	b = le.AppendUint32(b, uint32(data))
	for _, v := range p.Samples {
		b = le.AppendUint32(b, math.Float32bits(v))
	}
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// programme returns something between speech and music, with pauses and peaks.
func programme(f audio.Format, seconds, level float64) *audio.PCM {
	p := &audio.PCM{Format: f}
	seed := uint32(f.Rate)
	var low float64
	for i := range int(seconds * float64(f.Rate)) {
		x := float64(i) / float64(f.Rate)
		seed = seed*1664525 + 1013904223
		low += 0.1 * (float64(seed)/math.MaxUint32 - 0.5 - low)
		word := math.Max(0, math.Sin(2*math.Pi*0.4*x)) * math.Max(0, math.Sin(2*math.Pi*3*x))
		for c := range f.Channels {
			v := 2*low + math.Sin(2*math.Pi*(200+90*float64(c))*x) + 0.4*math.Sin(2*math.Pi*2900*x)
			p.Samples = append(p.Samples, float32(level*word*v))
		}
	}
	return p
}

func TestMeasureAgreesWithFFmpeg(t *testing.T) {
	needtool.Need(t, "ffmpeg")
	tests := []struct {
		name string
		pcm  *audio.PCM
	}{
		{"speech_24k", programme(audio.Format{Rate: 24_000, Channels: 1}, 6, 0.3)},
		{"quiet_speech_22k", programme(audio.Format{Rate: 22_050, Channels: 1}, 6, 0.004)},
		{"stereo_44k", programme(audio.Format{Rate: 44_100, Channels: 2}, 4, 0.2)},
		{"over_full_scale_48k", programme(audio.Format{Rate: 48_000, Channels: 2}, 4, 0.8)},
		{"phone_8k", programme(audio.Format{Rate: 8_000, Channels: 1}, 6, 0.2)},
		{"tone_48k", signal(48_000, stereo(-23, 5))},
	}
	loud := regexp.MustCompile(`(?s)Summary:.*I:\s+(-?[\d.]+) LUFS.*Peak:\s+(-?[\d.]+) dBFS`)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "in.wav")
			writeWAV(t, file, tt.pcm)
			out, err := exec.Command("ffmpeg", "-nostats", "-hide_banner", "-i", file,
				"-af", "ebur128=peak=true", "-f", "null", "-").CombinedOutput()
			if err != nil {
				t.Fatalf("ffmpeg: %v\n%s", err, out)
			}
			m := loud.FindSubmatch(out)
			if m == nil {
				t.Fatalf("no summary in:\n%s", out)
			}
			wantLUFS, _ := strconv.ParseFloat(string(m[1]), 64)
			wantPeak, _ := strconv.ParseFloat(string(m[2]), 64)
			got := Measure(tt.pcm)
			t.Logf("ours %.2f LUFS %.2f dBTP, ffmpeg %.1f LUFS %.1f dBTP", got.Integrated, got.TruePeak, wantLUFS, wantPeak)
			if math.Abs(got.Integrated-wantLUFS) > 0.1 {
				t.Errorf("integrated = %.2f LUFS, ffmpeg says %.1f", got.Integrated, wantLUFS)
			}
			if math.Abs(got.TruePeak-wantPeak) > 0.1 {
				t.Errorf("true peak = %.2f dBTP, ffmpeg says %.1f", got.TruePeak, wantPeak)
			}
		})
	}
}

func BenchmarkMeasure(b *testing.B) {
	for _, f := range []audio.Format{{Rate: 24_000, Channels: 1}, {Rate: 48_000, Channels: 2}} {
		b.Run(fmt.Sprintf("%d_Hz_%d_channels", f.Rate, f.Channels), func(b *testing.B) {
			p := programme(f, 10, 0.3)
			for b.Loop() {
				Measure(p)
			}
			b.ReportMetric(10*float64(b.N)/b.Elapsed().Seconds(), "×realtime")
		})
	}
}
