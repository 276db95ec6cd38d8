package media

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gatecast/audio"
	"gatecast/audio/clips"
	"gatecast/audio/decode"
	"gatecast/audio/loudness"
	"gatecast/internal/needtool"
)

// newConvertingStore is a store with ffmpeg.
func newConvertingStore(t testing.TB) *Store {
	t.Helper()
	needtool.Need(t, "ffmpeg")
	s := newTestStore(t)
	s.Convert(FindConverter())
	return s
}

// ffmpeg makes a file by these arguments and returns what is in it.
func ffmpeg(t testing.TB, name string, args ...string) []byte {
	t.Helper()
	out := filepath.Join(t.TempDir(), name)
	said, err := exec.CommandContext(t.Context(), "ffmpeg", append(append([]string{"-v", "error", "-nostdin"}, args...), out)...).CombinedOutput()
	if err != nil {
		t.Fatalf("ffmpeg %q: %v\n%s", args, err, said)
	}
	data, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// sample is a file with a shipped sample in it.
func sample(t testing.TB) string {
	t.Helper()
	c, _ := clips.ByName("kefu")
	file := filepath.Join(t.TempDir(), c.FileName())
	if err := os.WriteFile(file, c.Data(), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// wideAMR is six seconds of wide-band AMR of frames with the bits of noise, at
// 6.6 kbit/s: no free encoder of it is packaged.
func wideAMR() []byte {
	b := []byte("#!AMR-WB\n")
	r := rand.NewChaCha8([32]byte{1})
	for range 300 {
		frame := make([]byte, 18)
		_, _ = r.Read(frame)
		frame[0] = 0x04 // mode 0, whole
		b = append(b, frame...)
	}
	return b
}

// soundsAt measures a clip as a device plays it.
func soundsAt(t testing.TB, s *Store, p *Prepared) float64 {
	t.Helper()
	flac, err := os.ReadFile(s.Path(p.SHA256))
	if err != nil {
		t.Fatal(err)
	}
	pcm, _, err := decode.Decode(t.Context(), flac, decode.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	src, err := audio.Render(pcm, audio.RenderOptions{Gain: audio.Gain(p.GainDB)})
	if err != nil {
		t.Fatal(err)
	}
	if pcm, err = audio.Collect(src); err != nil {
		t.Fatal(err)
	}
	return loudness.Measure(pcm).Integrated
}

// TestConvertedRecordingsReachTheTarget takes what phones and office programs
// record, also under wrong names.
func TestConvertedRecordingsReachTheTarget(t *testing.T) {
	t.Parallel()
	s := newConvertingStore(t)
	voice := sample(t)
	from := func(name string, coding ...string) []byte {
		return ffmpeg(t, name, append([]string{"-i", voice, "-t", "5"}, coding...)...)
	}
	file := func(name string) []byte {
		data, err := os.ReadFile("testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	tests := []struct {
		name, file string
		data       []byte
		kind       decode.Kind
		named      string
	}{
		{"amr", "电话录音.amr", file("phone.amr"), decode.KindAMR, ""},
		{"amr_wide", "录音.amr", wideAMR(), decode.KindAMR, ""},
		{"m4a", "民警录音.m4a", from("a.m4a", "-c:a", "aac", "-b:a", "32k"), decode.KindM4A, ""},
		{"m4a_named_mp3", "民警录音.mp3", from("b.m4a", "-ac", "2", "-c:a", "aac"), decode.KindM4A, ".mp3"},
		{"alac", "a.m4a", from("c.m4a", "-c:a", "alac"), decode.KindM4A, ""},
		{"aac", "a.aac", from("a.aac", "-c:a", "aac"), decode.KindAAC, ""},
		{"opus", "a.ogg", from("a.opus", "-c:a", "libopus", "-b:a", "24k"), decode.KindOpus, ""},
		{"wma", "a.wma", from("a.wma", "-c:a", "wmav2"), decode.KindWMA, ""},
		{"aiff", "a.aiff", from("a.aiff"), decode.KindAIFF, ""},
		{"caf_quiet", "a.caf", from("a.caf", "-af", "volume=-14dB"), decode.KindCAF, ""},
		{"matroska", "a.mka", from("a.mka", "-c:a", "flac"), decode.KindMatroska, ""},
		{"rare_wav", "a.wav", from("a.wav", "-c:a", "adpcm_ms"), decode.KindWAV, ""},
		{"video", "a.mp4", from("a.mp4", "-f", "lavfi", "-i", "color=size=64x64:rate=5:duration=5", "-t", "5", "-c:v", "mpeg4", "-c:a", "aac"), decode.KindM4A, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := ingest(t, s, tt.file, tt.data)
			if p.Kind != tt.kind || p.Duration < 4*time.Second || p.Duration > 8*time.Second {
				t.Errorf("%s of %v, want %s of 4 to 8 s", p.Kind, p.Duration, tt.kind)
			}
			if got := soundsAt(t, s, p); math.Abs(got+18) > 1 {
				t.Errorf("sounds at %.1f LUFS, want −18 ± 1", got)
			}
			i := slices.IndexFunc(p.Warnings, func(w Warning) bool { return w.Code == WarnNamed })
			if (i >= 0) != (tt.named != "") || i >= 0 && !strings.Contains(p.Warnings[i].Say(ZH), tt.named+"，内容其实是 "+string(tt.kind)) {
				t.Errorf("warnings %+v, want one about the name: %q", p.Warnings, tt.named)
			}
		})
	}
}

// long is an m4a of a voice that is said again and again; copying packets makes
// it in no time.
func long(t testing.TB, length string) []byte {
	t.Helper()
	short := filepath.Join(t.TempDir(), "short.m4a")
	if err := os.WriteFile(short, ffmpeg(t, "s.m4a", "-i", sample(t), "-ac", "1", "-ar", "16000", "-c:a", "aac", "-b:a", "16k"), 0o600); err != nil {
		t.Fatal(err)
	}
	return ffmpeg(t, "long.m4a", "-stream_loop", "-1", "-i", short, "-c", "copy", "-t", length)
}

func TestFortyMinutesStayToBeCut(t *testing.T) {
	t.Parallel()
	s := newConvertingStore(t)
	data := long(t, "40:12")
	_, err := s.Ingest(t.Context(), "反诈讲座录音.m4a", bytes.NewReader(data), Options{KeepLong: true})
	var e *Error
	if !errors.As(err, &e) || e.Code != TooLong || e.Reel == nil {
		t.Fatalf("error = %v, want %s with the recording", err, TooLong)
	}
	if d := e.Reel.Duration - (40*time.Minute + 12*time.Second); d.Abs() > time.Second || len(e.Reel.Peaks) < 2*peakCount {
		t.Errorf("lasts %v with %d bytes of waveform", e.Reel.Duration, len(e.Reel.Peaks))
	}
	if zh := e.Say(ZH).Reason; zh != "时长40分12秒，超过180秒上限" {
		t.Errorf("says %q", zh)
	}
	if got, want := files(t, s), []string{"originals/" + e.Reel.Original}; !slices.Equal(got, want) {
		t.Fatalf("files %v, want %v", got, want)
	}
	p, err := s.Cut(t.Context(), e.Reel.Original, "讲座片段", 12*time.Minute+40*time.Second, 13*time.Minute+35*time.Second, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if p.Duration < 53*time.Second || p.Duration > 55*time.Second+50*time.Millisecond || p.OriginalSHA256 != e.Reel.Original {
		t.Errorf("cut %v of %s", p.Duration, p.OriginalSHA256)
	}
	if got := soundsAt(t, s, p); math.Abs(got+18) > 1 {
		t.Errorf("the cut sounds at %.1f LUFS, want −18 ± 1", got)
	}
	if err := s.DropOriginal(e.Reel.Original); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Cut(t.Context(), e.Reel.Original, "x", 0, time.Minute, Options{}); !errors.As(err, &e) || e.Code != NoOriginal {
		t.Errorf("cutting what is gone: %v, want %s", err, NoOriginal)
	}
}

func TestCutTakesWhatWasAskedFor(t *testing.T) {
	t.Parallel()
	s := newConvertingStore(t)
	// In second n it is a tone of 200+2n Hz.
	tones := ffmpeg(t, "t.m4a", "-f", "lavfi", "-i", `aevalsrc=0.4*sin(2*PI*(200+2*floor(t))*t):s=8000:d=190`, "-c:a", "aac", "-b:a", "32k")
	native := ffmpeg(t, "t.flac", "-f", "lavfi", "-i", `aevalsrc=0.4*sin(2*PI*(200+2*floor(t))*t):s=8000:d=190`)
	for name, data := range map[string][]byte{"converted": tones, "native": native} {
		t.Run(name, func(t *testing.T) {
			_, err := s.Ingest(t.Context(), name, bytes.NewReader(data), Options{KeepLong: true})
			var e *Error
			if !errors.As(err, &e) || e.Reel == nil {
				t.Fatalf("error = %v, want a recording", err)
			}
			p, err := s.Cut(t.Context(), e.Reel.Original, name, 100*time.Second, 104*time.Second, Options{})
			if err != nil {
				t.Fatal(err)
			}
			heard, err := s.Excerpt(t.Context(), e.Reel.Original, 100*time.Second, 104*time.Second)
			if err != nil {
				t.Fatal(err)
			}
			cut, err := os.ReadFile(s.Path(p.SHA256))
			if err != nil {
				t.Fatal(err)
			}
			before, err := io.ReadAll(heard)
			if err != nil {
				t.Fatal(err)
			}
			for what, flac := range map[string][]byte{"cut": cut, "heard before": before} {
				pcm, _, err := decode.Decode(t.Context(), flac, decode.Limits{})
				if err != nil {
					t.Fatal(err)
				}
				for _, second := range []int{0, 3} {
					if got, want := pitch(pcm, second), float64(200+2*(100+second)); math.Abs(got-want) > 1.5 {
						t.Errorf("%s, second %d: %.1f Hz, want %.0f", what, second, got, want)
					}
				}
			}
		})
	}
	for name, part := range map[string]stretch{"backwards": {time.Minute, time.Second}, "negative": {-time.Second, time.Second}, "short": {time.Second, 1200 * time.Millisecond}} {
		var e *Error
		if _, err := s.Cut(t.Context(), strings.Repeat("a", 64), "x", part.From, part.To, Options{}); !errors.As(err, &e) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// pitch counts the waves in the middle of a second.
func pitch(p *audio.PCM, second int) float64 {
	from, n := second*p.Rate+p.Rate/5, p.Rate/2
	first, last, waves := 0, 0, 0
	for i := from; i < from+n; i++ {
		if p.Samples[i] < 0 && p.Samples[i+1] >= 0 {
			if waves == 0 {
				first = i
			}
			last = i
			waves++
		}
	}
	return float64(waves-1) * float64(p.Rate) / float64(last-first)
}

// TestHostileRecordingsCostLittle: what is too long, broken or no recording at
// all leaves nothing on disk and is refused by what it is.
func TestHostileRecordingsCostLittle(t *testing.T) {
	t.Parallel()
	s := newConvertingStore(t)
	noise := func(magic string) []byte {
		r := rand.NewChaCha8([32]byte{7})
		b := make([]byte, 200_000)
		_, _ = r.Read(b)
		return append([]byte(magic), b...)
	}
	m4a := ffmpeg(t, "a.m4a", "-i", sample(t), "-c:a", "aac", "-movflags", "+faststart")
	tail := ffmpeg(t, "b.m4a", "-i", sample(t), "-c:a", "aac")
	wma := ffmpeg(t, "a.wma", "-i", sample(t), "-c:a", "wmav2")
	phone, err := os.ReadFile("testdata/phone.amr")
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		data []byte
		code []Code
	}{
		{"two_hours", long(t, "2:00:00"), []Code{OverReel}},
		{"cut_at_the_end", m4a[:len(m4a)/2], []Code{Truncated}},
		{"cut_before_its_index", tail[:len(tail)/2], []Code{Truncated}},
		{"cut_wma", wma[:len(wma)/2], []Code{Truncated, Corrupt}},
		{"picture_only", ffmpeg(t, "v.mp4", "-f", "lavfi", "-i", "color=size=64x64:rate=5:duration=3", "-c:v", "mpeg4"), []Code{NoSound}},
		{"noise_as_m4a", noise("\x00\x00\x00\x18ftypM4A "), []Code{Truncated, Corrupt, NoSound}},
		{"noise_as_amr", noise("#!AMR\n"), []Code{Corrupt}},
		{"cut_amr", phone[:5000], []Code{Truncated}},
		{"amr_of_many_channels", append([]byte("#!AMR_MC1.0\n\x00\x00\x00\x02"), phone[6:]...), []Code{Unsupported}},
		{"noise_as_wma", noise("\x30\x26\xB2\x75\x8E\x66\xCF\x11\xA6\xD9\x00\xAA\x00\x62\xCE\x6C"), []Code{Truncated, Corrupt, NoSound}},
		{"noise_as_matroska", noise("\x1A\x45\xDF\xA3"), []Code{Truncated, Corrupt, NoSound}},
		{"noise_as_caf", noise("caff\x00\x01\x00\x00"), []Code{Truncated, Corrupt, NoSound}},
		{"list_of_files", []byte("#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile:///etc/passwd\n"), []Code{NotAudio}},
		{"other_list_of_files", []byte("ffconcat version 1.0\nfile /etc/passwd\n"), []Code{NotAudio}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			began := time.Now()
			_, err := s.Ingest(t.Context(), "a.m4a", bytes.NewReader(tt.data), Options{KeepLong: true})
			var e *Error
			if !errors.As(err, &e) || !slices.Contains(tt.code, e.Code) {
				t.Fatalf("error = %v, want one of %v", err, tt.code)
			}
			if e.Reel != nil {
				if err := s.DropOriginal(e.Reel.Original); err != nil {
					t.Fatal(err)
				}
			}
			sound(t, e.Say(ZH).String(), e.Say(EN).String())
			if got := files(t, s); len(got) != 0 {
				t.Errorf("left behind: %v", got)
			}
			if took := time.Since(began); took > time.Minute {
				t.Errorf("took %v", took)
			}
		})
	}
}

// script is a converter that does what the shell lines say.
func script(t testing.TB, b bounds, lines string) *Converter {
	t.Helper()
	needtool.Need(t, "sh")
	path := filepath.Join(t.TempDir(), "ffmpeg")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+lines+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return &Converter{path, b}
}

func TestConversionIsBounded(t *testing.T) {
	t.Parallel()
	plenty := bounds{60, 1 << 30, time.Minute}
	amr, err := os.ReadFile("testdata/phone.amr")
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name  string
		tool  *Converter
		limit time.Duration // of the request
		want  func(error) bool
	}{
		{"endless_sound", script(t, plenty, `printf '.snd\000\000\000\030\377\377\377\377\000\000\000\003\000\000\135\300\000\000\000\001'; exec cat /dev/zero`), 0, func(err error) bool {
			var e *Error
			return errors.As(err, &e) && e.Code == OverReel
		}},
		{"processor", script(t, bounds{1, 1 << 30, time.Minute}, `while :; do :; done`), 0, func(err error) bool {
			var e *Error
			return errors.As(err, &e) && e.Code == Corrupt
		}},
		{"hangs", script(t, bounds{60, 1 << 30, 200 * time.Millisecond}, `exec sleep 600`), 0, func(err error) bool {
			var e *Error
			return errors.As(err, &e) && e.Code == Corrupt
		}},
		{"sender_gone", script(t, plenty, `exec sleep 600`), 200 * time.Millisecond, func(err error) bool { return errors.Is(err, context.DeadlineExceeded) }},
		{"writes_to_disk", script(t, plenty, fmt.Sprintf(`head -c 100000 /dev/zero > %q/big`, t.TempDir())), 0, func(err error) bool {
			var e *Error
			return errors.As(err, &e) && e.Code == Corrupt
		}},
		{"other_output", script(t, plenty, `head -c 100 /dev/zero`), 0, func(err error) bool {
			var e *Error
			return errors.As(err, &e) && e.Code == Corrupt
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newTestStore(t)
			s.Convert(tt.tool)
			ctx := t.Context()
			if tt.limit > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, tt.limit)
				defer cancel()
			}
			if _, err := s.Ingest(ctx, "a.amr", bytes.NewReader(amr), Options{KeepLong: true}); !tt.want(err) {
				t.Errorf("error = %v", err)
			}
			if got := files(t, s); len(got) != 0 {
				t.Errorf("left behind: %v", got)
			}
		})
	}
}

func FuzzCheckAMR(f *testing.F) {
	phone, err := os.ReadFile("testdata/phone.amr")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(phone)
	f.Add(wideAMR())
	f.Add([]byte("#!AMR\n\x44"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := checkAMR(data); err == nil && !bytes.HasPrefix(data, []byte("#!AMR")) {
			t.Errorf("%q passes", data)
		}
	})
}

func FuzzWind(f *testing.F) {
	head := func(h auHead, rest ...byte) []byte {
		var b bytes.Buffer
		_ = binary.Write(&b, binary.BigEndian, h)
		return append(b.Bytes(), rest...)
	}
	f.Add(head(auHead{auMagic, 24, 0xffffffff, auInt16, 24_000, 1}, 0, 1, 2, 3))
	f.Add(head(auHead{auMagic, 32, 0, auInt16, 24_000, 2}, make([]byte, 77)...))
	f.Fuzz(func(t *testing.T, data []byte) {
		tape, err := wind(bufio.NewReader(bytes.NewReader(data)), time.Minute, time.Hour)
		if err == nil && int(tape.frames)*2 > len(data) {
			t.Errorf("%d frames of %d bytes", tape.frames, len(data))
		}
	})
}
