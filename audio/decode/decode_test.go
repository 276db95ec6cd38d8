package decode

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"gatecast/audio"
)

func testFile(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func decodeFile(t testing.TB, name string) (*audio.PCM, Info) {
	t.Helper()
	p, info, err := Decode(context.Background(), testFile(t, name), Limits{})
	if err != nil {
		t.Fatalf("Decode %s: %v", name, err)
	}
	return p, info
}

// wantCode fails unless err is an *Error with code.
func wantCode(t testing.TB, err error, code Code) *Error {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) || e.Code != code {
		t.Fatalf("error = %v, want code %q", err, code)
	}
	return e
}

// likeness compares half a second in the middle of got with want at the same rate and
// returns the correlation and at how many frames later got has it.
func likeness(got, want []float32, rate int) (rho float64, lag int) {
	from, n := rate/2, rate/2
	at := func(shift, stride int) float64 {
		if from+shift < 0 || from+shift+n > len(got) || from+n > len(want) {
			return -1
		}
		a, b := got[from+shift:from+shift+n], want[from:from+n]
		var ab, aa, bb float64
		for i := 0; i < n; i += stride {
			ab += float64(a[i]) * float64(b[i])
			aa += float64(a[i]) * float64(a[i])
			bb += float64(b[i]) * float64(b[i])
		}
		return ab / math.Sqrt(aa*bb+1e-30)
	}
	rho = -1
	for shift := -1300; shift <= 1300; shift++ { // more than any coder's delay
		if r := at(shift, 23); r > rho {
			rho, lag = r, shift
		}
	}
	return at(lag, 1), lag
}

func channel(p *audio.PCM, c int) []float32 {
	out := make([]float32, p.Frames())
	for i := range out {
		out[i] = p.Samples[i*p.Channels+c]
	}
	return out
}

func TestDecodeYieldsTheSpeech(t *testing.T) {
	speech, _ := decodeFile(t, "speech.flac")
	seconds := float64(speech.Frames()) / float64(speech.Rate)
	tests := []struct {
		file     string
		kind     Kind
		format   audio.Format
		bits     int
		likeness float64
		exact    bool // encoder delay is known and taken off
	}{
		{"mono-22k-32.mp3", KindMP3, audio.Format{Rate: 22_050, Channels: 1}, 0, 0.98, false},
		{"mono-22k-24.mp3", KindMP3, audio.Format{Rate: 22_050, Channels: 1}, 0, 0.97, false},
		{"mono-22k-96.mp3", KindMP3, audio.Format{Rate: 22_050, Channels: 1}, 0, 0.99, true},
		{"mono-22k-160.mp3", KindMP3, audio.Format{Rate: 22_050, Channels: 1}, 0, 0.99, true},
		{"mono-22k-vbr.mp3", KindMP3, audio.Format{Rate: 22_050, Channels: 1}, 0, 0.99, true},
		{"mono-16k.mp3", KindMP3, audio.Format{Rate: 16_000, Channels: 1}, 0, 0.98, false},
		{"mono-24k.mp3", KindMP3, audio.Format{Rate: 24_000, Channels: 1}, 0, 0.98, false},
		{"mono-11k.mp3", KindMP3, audio.Format{Rate: 11_025, Channels: 1}, 0, 0.97, false},
		{"mono-12k.mp3", KindMP3, audio.Format{Rate: 12_000, Channels: 1}, 0, 0.97, false},
		{"mono-32k.mp3", KindMP3, audio.Format{Rate: 32_000, Channels: 1}, 0, 0.98, true},
		{"stereo-44k.mp3", KindMP3, audio.Format{Rate: 44_100, Channels: 2}, 0, 0.98, true},
		{"stereo-22k.mp3", KindMP3, audio.Format{Rate: 22_050, Channels: 2}, 0, 0.98, false},
		{"noheader-48k-crc.mp3", KindMP3, audio.Format{Rate: 48_000, Channels: 1}, 0, 0.98, false},
		{"mono-8000.ogg", KindVorbis, audio.Format{Rate: 8_000, Channels: 1}, 0, 0.97, true},
		{"mono-22050.ogg", KindVorbis, audio.Format{Rate: 22_050, Channels: 1}, 0, 0.97, true},
		{"mono-44100.ogg", KindVorbis, audio.Format{Rate: 44_100, Channels: 1}, 0, 0.97, true},
		{"stereo-44k.ogg", KindVorbis, audio.Format{Rate: 44_100, Channels: 2}, 0, 0.97, true},
		{"surround-5.ogg", KindVorbis, audio.Format{Rate: 44_100, Channels: 5}, 0, 0.97, true},
		{"surround.flac", KindFLAC, audio.Format{Rate: 44_100, Channels: 6}, 16, 0.9999, true},
		{"mono-8k-8.flac", KindFLAC, audio.Format{Rate: 8_000, Channels: 1}, 8, 0.99, true},
	}
	for _, tt := range tests {
		t.Run(tt.file, func(t *testing.T) {
			p, info := decodeFile(t, tt.file)
			if info.Kind != tt.kind || info.Format != tt.format || info.Bits != tt.bits {
				t.Errorf("Info = %+v, want %s, %+v, %d bits", info, tt.kind, tt.format, tt.bits)
			}
			want := audio.Resample(speech, tt.format.Rate).Samples
			c := 0
			if tt.format.Channels > 2 {
				c = 2 // only the centre speaks
				for _, other := range []int{0, 1, 3, 4} {
					if r, _ := likeness(channel(p, other), want, p.Rate); r > 0.3 {
						t.Errorf("channel %d has the centre's speech: %.2f", other, r)
					}
				}
			}
			rho, lag := likeness(channel(p, c), want, p.Rate)
			if rho < tt.likeness {
				t.Errorf("likeness to the speech = %.4f, want %v", rho, tt.likeness)
			}
			if tt.format.Channels == 2 {
				if r, _ := likeness(channel(p, 1), want, p.Rate); r < tt.likeness {
					t.Errorf("likeness of the right channel = %.4f", r)
				}
				if ratio := energy(channel(p, 1)) / energy(channel(p, 0)); math.Abs(ratio-0.25) > 0.02 {
					t.Errorf("right channel has %.3f of the left's energy, want 0.25", ratio)
				}
			}
			if !tt.exact {
				return
			}
			if lag < -1 || lag > 1 {
				t.Errorf("speech is %d frames late", lag)
			}
			if d := math.Abs(info.Duration.Seconds() - seconds); d > 0.002 {
				t.Errorf("lasts %v, want %.3f s", info.Duration, seconds)
			}
		})
	}
}

func energy(s []float32) (e float64) {
	for _, v := range s {
		e += float64(v) * float64(v)
	}
	return e
}

func TestDecodeKeepsHighResolution(t *testing.T) {
	p, info := decodeFile(t, "mono-96k-24.flac")
	if info.Bits != 24 || info.Format != (audio.Format{Rate: 96_000, Channels: 1}) || info.Frames != 48_000 || p.Frames() != 48_000 {
		t.Fatalf("Info = %+v", info)
	}
}

func TestDecodeRefusesByName(t *testing.T) {
	tests := []struct {
		name string
		data []byte
		kind Kind
		code Code
	}{
		{"m4a", testFile(t, "voice.m4a"), KindM4A, Unsupported},
		{"bare_aac", testFile(t, "voice.aac"), KindAAC, Unsupported},
		{"opus", testFile(t, "voice.opus"), KindOpus, Unsupported},
		{"wma", testFile(t, "voice.wma"), KindWMA, Unsupported},
		{"layer_II", testFile(t, "voice.mp2"), KindMPEG, Unsupported},
		{"mpeg_2_5_at_8_kHz", testFile(t, "mono-8k.mp3"), KindMP3, Unsupported},
		{"vorbis_5_1", testFile(t, "surround-5.1.ogg"), KindVorbis, Unsupported},
		{"amr", []byte("#!AMR\n\x3c\x08\x00"), KindAMR, Unsupported},
		{"amr_wide", []byte("#!AMR-WB\n\x3c\x08\x00"), KindAMR, Unsupported},
		{"silk", []byte("#!SILK_V3\x0c\x00"), KindSILK, Unsupported},
		{"silk_of_wechat", []byte("\x02#!SILK_V3\x0c\x00"), KindSILK, Unsupported},
		{"webm", []byte("\x1A\x45\xDF\xA3\x9F\x42\x86\x81"), KindMatroska, Unsupported},
		{"empty", nil, KindEmpty, Empty},
		{"text", []byte("第一条 各位居民请注意\n"), KindText, NotAudio},
		{"text_in_gbk", []byte("\xB5\xDA\xD2\xBB\xCC\xF5 \xB8\xF7\xCE\xBB\xBE\xD3\xC3\xF1\xC7\xEB\xD7\xA2\xD2\xE2\r\n"), KindText, NotAudio},
		{"page", []byte("<!DOCTYPE html><html><body>404</body></html>"), KindText, NotAudio},
		{"zip", []byte("PK\x03\x04\x14\x00\x00\x00\x08\x00\x00\x01"), KindUnknown, NotAudio},
		{"jpeg", []byte("\xFF\xD8\xFF\xE0\x00\x10JFIF\x00\x01"), KindUnknown, NotAudio},
		{"zeros", make([]byte, 5000), KindUnknown, NotAudio},
		{"tag_and_nothing", append([]byte("ID3\x03\x00\x00\x00\x00\x00\x05"), "abcde"...), KindMP3, Truncated},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, info, err := Decode(context.Background(), tt.data, Limits{})
			e := wantCode(t, err, tt.code)
			if info.Kind != tt.kind || e.Kind != tt.kind {
				t.Fatalf("kind = %q in Info, %q in the error, want %q", info.Kind, e.Kind, tt.kind)
			}
		})
	}
}

func TestDecodeSeesThatAFileIsCut(t *testing.T) {
	for _, name := range []string{
		"speech.flac", "mono-22k-32.mp3", "mono-22k-vbr.mp3", "stereo-44k.mp3", "noheader-48k-crc.mp3",
		"mono-44100.ogg", "surround-5.ogg", "surround.flac",
	} {
		t.Run(name, func(t *testing.T) {
			data := testFile(t, name)
			for _, keep := range []float64{0.1, 0.5, 0.9, 0.999} {
				cut := data[:int(keep*float64(len(data)))]
				if _, _, err := Decode(context.Background(), cut, Limits{}); err == nil {
					t.Errorf("first %v of the file pass as a whole", keep)
				} else if code := wantError(t, err).Code; code != Truncated {
					t.Errorf("first %v of the file: %v, want %s", keep, err, Truncated)
				}
			}
		})
	}
}

func wantError(t testing.TB, err error) *Error {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("error = %v, want *Error", err)
	}
	return e
}

func TestDecodeSeesThatAFileIsDamaged(t *testing.T) {
	for _, name := range []string{"speech.flac", "surround.flac", "mono-22k-32.mp3", "stereo-44k.mp3", "mono-44100.ogg", "surround-5.ogg"} {
		t.Run(name, func(t *testing.T) {
			data := append([]byte(nil), testFile(t, name)...)
			seed := uint32(7)
			for i := len(data) / 2; i < len(data)/2+1000; i++ {
				seed = seed*1664525 + 1013904223
				data[i] = byte(seed >> 24)
			}
			_, _, err := Decode(context.Background(), data, Limits{})
			if e := wantError(t, err); e.Code != Corrupt && e.Code != Truncated {
				t.Fatalf("error = %v, want %s", err, Corrupt)
			}
		})
	}
}

func TestDecodeSeesARateChange(t *testing.T) {
	joined := append(append([]byte(nil), testFile(t, "mono-22k-32.mp3")...), testFile(t, "stereo-44k.mp3")...)
	_, _, err := Decode(context.Background(), joined, Limits{})
	if e := wantCode(t, err, RateChange); e.From != 22_050 || e.To != 44_100 {
		t.Fatalf("rates = %d, %d, want 22050, 44100", e.From, e.To)
	}
}

func TestDecodeTakesTagsAndJoinedPieces(t *testing.T) {
	piece := testFile(t, "mono-22k-32.mp3")
	_, one := decodeFile(t, "mono-22k-32.mp3")
	tag := append([]byte("ID3\x03\x00\x00\x00\x18\x00\x00"), make([]byte, 0x18<<14)...) // a picture of 393 kB
	id3v1 := append([]byte("TAG"), make([]byte, 125)...)
	join := func(parts ...[]byte) (b []byte) {
		for _, p := range parts {
			b = append(b, p...)
		}
		return b
	}
	tests := []struct {
		name string
		data []byte
		min  time.Duration
	}{
		{"picture_before", join(tag, piece), one.Duration},
		{"zeros_before", join(make([]byte, 600), piece), one.Duration},
		{"id3v1_behind", join(piece, id3v1), one.Duration},
		{"zeros_behind", join(piece, make([]byte, 9000)), one.Duration},
		{"junk_behind_a_counted_file", join(piece, []byte("unknown tag \x00\x01\x02\xff\xfb")), one.Duration},
		{"two_pieces", join(piece, piece), 2 * one.Duration},
		{"two_pieces_with_tags", join(tag, piece, id3v1, tag, piece, id3v1), 2 * one.Duration},
		{"flac_behind_a_tag", join(tag, testFile(t, "speech.flac")), 2 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, info, err := Decode(context.Background(), tt.data, Limits{})
			if err != nil {
				t.Fatal(err)
			}
			if info.Duration < tt.min || info.Duration > tt.min+300*time.Millisecond {
				t.Fatalf("lasts %v, want %v", info.Duration, tt.min)
			}
		})
	}
}

func TestDecodeKeepsItsLimits(t *testing.T) {
	data := testFile(t, "stereo-44k.mp3")
	tests := []struct {
		name   string
		limits Limits
		code   Code
	}{
		{"bytes", Limits{Bytes: 1000}, TooBig},
		{"duration", Limits{Duration: time.Second}, TooLong},
		{"samples", Limits{Samples: 50_000}, TooLong},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, _, err := Decode(context.Background(), data, tt.limits)
			e := wantCode(t, err, tt.code)
			if tt.name == "duration" && (e.Duration < 2*time.Second || e.MaxDuration != time.Second) {
				t.Fatalf("error says %v of %v", e.Duration, e.MaxDuration)
			}
		})
	}
	t.Run("channels", func(t *testing.T) {
		p, info, err := Decode(context.Background(), testFile(t, "surround.flac"), Limits{Channels: 2})
		if err != nil {
			t.Fatal(err)
		}
		if p.Channels != 1 || info.Format.Channels != 6 || energy(p.Samples) == 0 {
			t.Fatalf("down-mixed to %d channels of %d, energy %v", p.Channels, info.Format.Channels, energy(p.Samples))
		}
	})
}

func TestDecodeStopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, _, err := Decode(ctx, testFile(t, "speech.flac"), Limits{}); !errors.Is(err, context.Canceled) {
		t.Fatalf("error = %v, want %v", err, context.Canceled)
	}
}

func BenchmarkDecode(b *testing.B) {
	for _, name := range []string{"speech.flac", "mono-22k-32.mp3", "stereo-44k.mp3", "mono-44100.ogg", "stereo-44k.ogg"} {
		b.Run(name, func(b *testing.B) {
			data := testFile(b, name)
			var d time.Duration
			for b.Loop() {
				_, info, err := Decode(context.Background(), data, Limits{})
				if err != nil {
					b.Fatal(err)
				}
				d = info.Duration
			}
			b.ReportMetric(d.Seconds()*float64(b.N)/b.Elapsed().Seconds(), "×realtime")
		})
	}
}
