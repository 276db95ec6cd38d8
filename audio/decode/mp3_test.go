package decode

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"gatecast/internal/needtool"
)

func TestScanMP3CountsFrames(t *testing.T) {
	tests := []struct {
		file     string
		frames   int
		promised int
		delay    int
	}{
		{"mono-22k-vbr.mp3", 79, 79, 576},
		{"stereo-44k.mp3", 78, 78, 576},
		{"mono-22k-32.mp3", 79, 0, -1},
		{"noheader-48k-crc.mp3", 85, 0, -1},
	}
	for _, tt := range tests {
		t.Run(tt.file, func(t *testing.T) {
			s, err := scanMP3(testFile(t, tt.file))
			if err != nil {
				t.Fatal(err)
			}
			if len(s.frames) != tt.frames || s.promised != tt.promised || s.delay != tt.delay {
				t.Fatalf("%d frames, %d promised, delay %d, want %d, %d, %d", len(s.frames), s.promised, s.delay, tt.frames, tt.promised, tt.delay)
			}
		})
	}
}

func TestScanMP3SeesTheEndMissingAtAFrameBorder(t *testing.T) {
	data := testFile(t, "mono-22k-vbr.mp3")
	s, err := scanMP3(data)
	if err != nil {
		t.Fatal(err)
	}
	_, err = scanMP3(data[:s.frames[60].at])
	wantCode(t, err, Truncated)
}

func TestScanMP3SeesAGap(t *testing.T) {
	data := testFile(t, "mono-22k-32.mp3")
	s, err := scanMP3(data)
	if err != nil {
		t.Fatal(err)
	}
	at := s.frames[40].at
	for _, gap := range []string{"x", "\x00\x00\x00", string(make([]byte, 5000))} {
		broken := append(append(append([]byte(nil), data[:at]...), gap...), data[at:]...)
		_, err := scanMP3(broken)
		wantCode(t, err, Corrupt)
	}
}

func TestMPEGHeaders(t *testing.T) {
	tests := []struct {
		name string
		b    string
		want mpegHeader
		ok   bool
	}{
		{"128k_44k_joint", "\xFF\xFB\x90\x64", mpegHeader{version: 1, layer: 3, kbps: 128, rate: 44_100, channels: 2, frameSize: 417}, true},
		{"128k_padded", "\xFF\xFB\x92\x64", mpegHeader{version: 1, layer: 3, kbps: 128, rate: 44_100, channels: 2, padding: 1, frameSize: 418}, true},
		{"32k_22k_mono_padded", "\xFF\xF3\x42\xC4", mpegHeader{version: 2, layer: 3, kbps: 32, rate: 22_050, channels: 1, padding: 1, frameSize: 105}, true},
		{"16k_11k_mono", "\xFF\xE3\x20\xC4", mpegHeader{version: 25, layer: 3, kbps: 16, rate: 11_025, channels: 1, frameSize: 104}, true},
		{"layer_II_with_crc", "\xFF\xFC\x80\x04", mpegHeader{version: 1, layer: 2, crc: true, kbps: 128, rate: 44_100, channels: 2, frameSize: 417}, true},
		{"free_format", "\xFF\xFB\x00\x64", mpegHeader{version: 1, layer: 3, rate: 44_100, channels: 2}, true},
		{"bad_rate", "\xFF\xFB\x9C\x64", mpegHeader{}, false},
		{"bad_bitrate", "\xFF\xFB\xF0\x64", mpegHeader{}, false},
		{"bad_version", "\xFF\xEB\x90\x64", mpegHeader{}, false},
		{"bad_emphasis", "\xFF\xFB\x90\x66", mpegHeader{}, false},
		{"no_sync", "\xFE\xFB\x90\x64", mpegHeader{}, false},
		{"cut", "\xFF\xFB\x90", mpegHeader{}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := parseMPEG([]byte(tt.b))
			if ok != tt.ok || ok && got != tt.want {
				t.Fatalf("parseMPEG = %+v, %v, want %+v, %v", got, ok, tt.want, tt.ok)
			}
		})
	}
}

// The decoder beneath beep misreads padded frames of low rates; what comes out
// here must be what a sound decoder makes of the file.
func TestMP3DecodesAsFFmpegDoes(t *testing.T) {
	needtool.Need(t, "ffmpeg", "lame", "flac")
	dir := t.TempDir()
	speech := filepath.Join(dir, "speech.wav")
	run(t, "flac", "-d", "-s", "-f", "-o", speech, "testdata/speech.flac")
	type kind struct {
		rate string
		kbps []int
	}
	for _, k := range []kind{
		{"11.025", []int{16, 32, 64}}, {"12", []int{16, 48}},
		{"16", []int{16, 24, 64, 160}}, {"22.05", []int{16, 24, 32, 40, 48, 56, 64, 80, 96, 128, 144, 160}},
		{"24", []int{24, 64, 160}}, {"32", []int{48, 128}}, {"44.1", []int{32, 128, 320}}, {"48", []int{64, 192}},
	} {
		for _, kbps := range k.kbps {
			for _, mode := range []string{"m", "j", "s"} {
				if mode != "m" && kbps != 48 && kbps != 96 && kbps != 128 {
					continue
				}
				name := fmt.Sprintf("%s_%d_%s", k.rate, kbps, mode)
				t.Run(name, func(t *testing.T) {
					file := filepath.Join(dir, name+".mp3")
					run(t, "lame", "--quiet", "-m", mode, "-b", fmt.Sprint(kbps), "--resample", k.rate, speech, file)
					data, err := os.ReadFile(file)
					if err != nil {
						t.Fatal(err)
					}
					p, _, err := Decode(context.Background(), data, Limits{Channels: 1})
					if err != nil {
						t.Fatal(err)
					}
					out, err := exec.Command("ffmpeg", "-v", "error", "-i", file, "-f", "s16le", "-ac", "1", "-").Output()
					if err != nil {
						t.Fatal(err)
					}
					want := make([]float32, len(out)/2)
					for i := range want {
						want[i] = float32(int16(binary.LittleEndian.Uint16(out[2*i:]))) / 32768
					}
					if d := len(want) - len(p.Samples); d < -1152 || d > 1152 {
						t.Errorf("%d frames, ffmpeg has %d", len(p.Samples), len(want))
					}
					if rho, _ := likeness(p.Samples, want, p.Rate); rho < 0.9999 {
						t.Errorf("likeness to what ffmpeg decodes = %.5f", rho)
					}
				})
			}
		}
	}
}

func run(t testing.TB, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
}
