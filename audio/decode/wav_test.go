package decode

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"testing"

	"pgregory.net/rapid"

	"gatecast/audio"
)

// wavSpec describes a WAV file to make.
type wavSpec struct {
	coding     uint16
	bits       int
	format     audio.Format
	extensible bool
	before     []byte // chunks between fmt and data
	dataSize   int64  // what the header says; −1 the truth
	riffSize   int64  // −1 the truth
	form       string
}

// make returns the file with frames given as bytes.
func (w wavSpec) make(data []byte) []byte {
	le := binary.LittleEndian
	size := w.bits / 8
	f := le.AppendUint16(nil, w.coding)
	if w.extensible {
		f = le.AppendUint16(nil, wavExtensible)
	}
	f = le.AppendUint16(f, uint16(w.format.Channels))
	f = le.AppendUint32(f, uint32(w.format.Rate))
	f = le.AppendUint32(f, uint32(w.format.Rate*w.format.Channels*size))
	f = le.AppendUint16(f, uint16(w.format.Channels*size))
	f = le.AppendUint16(f, uint16(w.bits))
	if w.extensible {
		f = le.AppendUint16(f, 22)
		f = le.AppendUint16(f, uint16(w.bits))
		f = le.AppendUint32(f, 0)
		f = le.AppendUint16(f, w.coding)
		f = append(f, "\x00\x00\x00\x00\x10\x00\x80\x00\x00\xAA\x00\x38\x9B\x71"...)
	}
	body := append([]byte("WAVE"), chunk("fmt ", f)...)
	body = append(body, w.before...)
	body = append(body, "data"...)
	said := w.dataSize
	if said < 0 {
		said = int64(len(data))
	}
	body = le.AppendUint32(body, uint32(said))
	body = append(body, data...)
	riff := w.riffSize
	if riff < 0 {
		riff = int64(len(body))
	}
	form := w.form
	if form == "" {
		form = "RIFF"
	}
	return append(le.AppendUint32([]byte(form), uint32(riff)), body...)
}

func chunk(id string, data []byte) []byte {
	b := binary.LittleEndian.AppendUint32([]byte(id), uint32(len(data)))
	b = append(b, data...)
	if len(data)%2 == 1 {
		b = append(b, 0)
	}
	return b
}

// put appends v in the coding of w.
func (w wavSpec) put(b []byte, v float64) []byte {
	le := binary.LittleEndian
	switch {
	case w.coding == wavFloat && w.bits == 64:
		return le.AppendUint64(b, math.Float64bits(v))
	case w.coding == wavFloat:
		return le.AppendUint32(b, math.Float32bits(float32(v)))
	case w.bits == 8:
		return append(b, byte(math.Round(v*127)+128))
	}
	x := int64(math.Round(v * float64(int64(1)<<(w.bits-1)-1)))
	for i := 0; i < w.bits; i += 8 {
		b = append(b, byte(x>>i))
	}
	return b
}

func plainWAV(bits, channels int) wavSpec {
	return wavSpec{coding: wavPCM, bits: bits, format: audio.Format{Rate: 16_000, Channels: channels}, dataSize: -1, riffSize: -1}
}

func TestWAVOfEveryDepthKeepsItsSamples(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := wavSpec{
			coding:     wavPCM,
			bits:       rapid.SampledFrom([]int{8, 16, 24, 32}).Draw(t, "bits"),
			extensible: rapid.Bool().Draw(t, "extensible"),
			dataSize:   -1, riffSize: -1,
			format: audio.Format{Rate: rapid.IntRange(8000, 192_000).Draw(t, "rate"), Channels: rapid.IntRange(1, 8).Draw(t, "channels")},
		}
		if rapid.Bool().Draw(t, "float") {
			w.coding, w.bits = wavFloat, rapid.SampledFrom([]int{32, 64}).Draw(t, "float bits")
		}
		if rapid.Bool().Draw(t, "chunks") {
			w.before = append(chunk("LIST", []byte("INFOISFT\x05\x00\x00\x00Lavf")), chunk("bext", make([]byte, 603))...)
		}
		n := rapid.IntRange(1, 500).Draw(t, "frames") * w.format.Channels
		var want []float64
		var data []byte
		seed := rapid.Uint32().Draw(t, "seed")
		for range n {
			seed = seed*1664525 + 1013904223
			v := float64(int32(seed)) / (1 << 31)
			want = append(want, v)
			data = w.put(data, v)
		}
		p, info, err := Decode(context.Background(), w.make(data), Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if p.Format != w.format || len(p.Samples) != n || info.Bits != w.bits || info.Float != (w.coding == wavFloat) {
			t.Fatalf("Info = %+v, %d samples, want %+v, %d", info, len(p.Samples), w, n)
		}
		step := 1.5 / float64(int64(1)<<(min(w.bits, 24)-1))
		for i := range want {
			if math.Abs(float64(p.Samples[i])-want[i]) > step {
				t.Fatalf("sample %d = %v, want %v ± %v", i, p.Samples[i], want[i], step)
			}
		}
	})
}

func TestWAVIsAtFullLevel(t *testing.T) {
	// Decoders that divide 16 bits by 65,535 play everything 6 dB down.
	p, _, err := Decode(context.Background(), plainWAV(16, 1).make([]byte{0x00, 0x80, 0x00, 0x40, 0xFF, 0x7F}), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []float32{-1, 0.5, 32767.0 / 32768} {
		if p.Samples[i] != want {
			t.Errorf("sample %d = %v, want %v", i, p.Samples[i], want)
		}
	}
}

func TestWAVOfATelephone(t *testing.T) {
	// Reference values of ITU-T G.711: code and 16-bit sample.
	tests := []struct {
		coding uint16
		code   byte
		want   int
	}{
		{wavMuLaw, 0x00, -32124}, {wavMuLaw, 0x80, 32124}, {wavMuLaw, 0xFF, 0}, {wavMuLaw, 0x7F, 0}, {wavMuLaw, 0xEF, 132}, {wavMuLaw, 0xF0, 120},
		{wavALaw, 0x2A, -32256}, {wavALaw, 0xAA, 32256}, {wavALaw, 0xD5, 8}, {wavALaw, 0x55, -8}, {wavALaw, 0x80, 5504},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%#04x_%#02x", tt.coding, tt.code), func(t *testing.T) {
			w := plainWAV(8, 1)
			w.coding = tt.coding
			p, _, err := Decode(context.Background(), w.make([]byte{tt.code}), Limits{})
			if err != nil {
				t.Fatal(err)
			}
			if got := p.Samples[0] * 32768; got != float32(tt.want) {
				t.Fatalf("sample = %v, want %d", got, tt.want)
			}
		})
	}
}

func TestWAVLengthsAreChecked(t *testing.T) {
	data := make([]byte, 3200)
	for i := range data {
		data[i] = byte(i * 7)
	}
	spec := func(change func(*wavSpec)) []byte {
		w := plainWAV(16, 1)
		change(&w)
		return w.make(data)
	}
	whole := spec(func(*wavSpec) {})
	ds64 := binary.LittleEndian.AppendUint64(make([]byte, 8), uint64(len(data)))
	tests := []struct {
		name   string
		file   []byte
		frames audio.Frames
		code   Code
	}{
		{"true", whole, 1600, ""},
		{"from_a_pipe_ffmpeg", spec(func(w *wavSpec) { w.dataSize, w.riffSize = math.MaxUint32, math.MaxUint32 }), 1600, ""},
		{"from_a_pipe_sox", spec(func(w *wavSpec) { w.dataSize, w.riffSize = 0x7FFFF000, 0x7FFFF024 }), 1600, ""},
		{"lengths_never_written", spec(func(w *wavSpec) { w.dataSize, w.riffSize = 0, 0 }), 1600, ""},
		{"rf64", spec(func(w *wavSpec) {
			w.form, w.dataSize, w.before = "RF64", math.MaxUint32, chunk("ds64", append(ds64, make([]byte, 12)...))
		}), 1600, ""},
		{"rf64_cut", spec(func(w *wavSpec) {
			w.form, w.dataSize, w.before = "RF64", math.MaxUint32, chunk("ds64", append(ds64, make([]byte, 12)...))
		})[:3000], 0, Truncated},
		{"half_a_frame_more", append(append([]byte(nil), whole...), 1), 1600, ""},
		{"chunk_behind", append(append([]byte(nil), whole...), chunk("LIST", make([]byte, 40))...), 1600, ""},
		{"cut", whole[:len(whole)-10], 0, Truncated},
		{"header_only", whole[:44], 0, Truncated},
		{"cut_in_the_header", whole[:30], 0, Truncated},
		{"no_data", plainWAV(16, 1).make(nil), 0, Empty},
		{"huge_chunk", spec(func(w *wavSpec) { w.before = []byte("LIST\xFF\xFF\xFF\x7F") }), 0, Truncated},
		{"many_chunks", spec(func(w *wavSpec) { w.before = bytes.Repeat(chunk("junk", nil), 2000) }), 0, Corrupt},
		{"no_fmt", append([]byte("RIFF\x10\x00\x00\x00WAVE"), chunk("data", data)...), 0, Corrupt},
		{"short_fmt", append([]byte("RIFF\x10\x00\x00\x00WAVE"), chunk("fmt ", make([]byte, 8))...), 0, Corrupt},
		{"no_channels", spec(func(w *wavSpec) { w.format.Channels = 0 }), 0, Unsupported},
		{"nine_channels", spec(func(w *wavSpec) { w.format.Channels = 9 }), 0, Unsupported},
		{"slow", spec(func(w *wavSpec) { w.format.Rate = 4000 }), 0, Unsupported},
		{"adpcm", spec(func(w *wavSpec) { w.coding = 0x11 }), 0, Unsupported},
		{"mp3_in_wav", spec(func(w *wavSpec) { w.coding = 0x55 }), 0, Unsupported},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, _, err := Decode(context.Background(), tt.file, Limits{})
			if tt.code != "" {
				wantCode(t, err, tt.code)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if p.Frames() != tt.frames {
				t.Fatalf("%d frames, want %d", p.Frames(), tt.frames)
			}
		})
	}
}

func TestWAVWithoutSensibleNumbersIsDamaged(t *testing.T) {
	for _, v := range []float32{float32(math.NaN()), float32(math.Inf(1)), 1e9} {
		w := wavSpec{coding: wavFloat, bits: 32, format: audio.Format{Rate: 8000, Channels: 1}, dataSize: -1, riffSize: -1}
		_, _, err := Decode(context.Background(), w.make(binary.LittleEndian.AppendUint32(nil, math.Float32bits(v))), Limits{})
		wantCode(t, err, Corrupt)
	}
}
