package output

import (
	"encoding/binary"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatecast/audio"
)

func TestEncodingClampsAndRounds(t *testing.T) {
	tests := map[string]struct {
		e    encoding
		in   float32
		want []byte
	}{
		"s16_zero":        {s16, 0, []byte{0, 0}},
		"s16_top":         {s16, 1, []byte{0xff, 0x7f}},
		"s16_bottom":      {s16, -1, []byte{0x00, 0x80}},
		"s16_over":        {s16, 7, []byte{0xff, 0x7f}},
		"s16_under":       {s16, -7, []byte{0x00, 0x80}},
		"s16_not_number":  {s16, float32(math.NaN()), []byte{0, 0}},
		"s16_infinity":    {s16, float32(math.Inf(-1)), []byte{0x00, 0x80}},
		"s24in4_half":     {s24in4, 0.5, []byte{0, 0, 0x40, 0}},
		"s24in4_negative": {s24in4, -0.5, []byte{0, 0, 0xc0, 0xff}},
		"s24in3_half":     {s24in3, -0.5, []byte{0, 0, 0xc0}},
		"s32_top":         {s32, 1, []byte{0xff, 0xff, 0xff, 0x7f}},
		"s32_bottom":      {s32, -1, []byte{0, 0, 0, 0x80}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := tt.e.put(nil, []float32{tt.in})
			if diff := cmp.Diff(tt.want, got); diff != "" || len(got) != tt.e.size() {
				t.Errorf("put(%v) = % x, want % x", tt.in, got, tt.want)
			}
		})
	}
}

func TestEncodingKeepsEverySixteenBitSample(t *testing.T) {
	for v := math.MinInt16; v <= math.MaxInt16; v++ {
		got := s16.put(nil, []float32{float32(v) / 32768})
		if int16(binary.LittleEndian.Uint16(got)) != int16(v) {
			t.Fatalf("put(%d/32768) = % x", v, got)
		}
	}
}

func TestSpreadMapsChannels(t *testing.T) {
	tests := map[string]struct {
		in       []float32
		from, to int
		want     []float32
	}{
		"mono_to_stereo":   {[]float32{1, 2}, 1, 2, []float32{1, 1, 2, 2}},
		"mono_stays":       {[]float32{1, 2}, 1, 1, []float32{1, 2}},
		"mono_to_four":     {[]float32{1}, 1, 4, []float32{1, 1, 1, 1}},
		"stereo_stays":     {[]float32{1, 2, 3, 4}, 2, 2, []float32{1, 2, 3, 4}},
		"stereo_to_six":    {[]float32{1, 2}, 2, 6, []float32{1, 2, 0, 0, 0, 0}},
		"nothing_is_empty": {nil, 1, 2, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, spread(nil, tt.in, tt.from, tt.to)); diff != "" {
				t.Errorf("spread (-want +got):\n%s", diff)
			}
		})
	}
}

func TestFramesInIsTheInverseOfDuration(t *testing.T) {
	for _, rate := range []int{8000, 22050, 24000, 44100, 48000, 192000} {
		for _, n := range []audio.Frames{0, 1, 7, 12345, 384000, 1 << 32} {
			got := framesIn(n.Duration(rate)+time.Nanosecond, rate)
			if got != n {
				t.Errorf("framesIn(%d frames at %d) = %d", n, rate, got)
			}
		}
	}
	if got := framesIn(-time.Second, 48000); got != 0 {
		t.Errorf("framesIn(-1s) = %d, want 0", got)
	}
}
