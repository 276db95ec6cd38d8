package media

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatecast/audio"
	"gatecast/audio/clips"
	"gatecast/audio/decode"
	"gatecast/audio/loudness"
	"gatecast/controller/fleet"
	"gatecast/internal/needtool"
)

func newTestStore(t testing.TB) *Store {
	t.Helper()
	s, err := New(filepath.Join(t.TempDir(), "media"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// wav returns p as a 16-bit WAV file.
func wav(p *audio.PCM) []byte {
	le := binary.LittleEndian
	b := append([]byte("RIFF"), le.AppendUint32(nil, uint32(36+2*len(p.Samples)))...)
	b = append(b, "WAVEfmt \x10\x00\x00\x00\x01\x00"...)
	b = le.AppendUint16(b, uint16(p.Channels))
	b = le.AppendUint32(b, uint32(p.Rate))
	b = le.AppendUint32(b, uint32(p.Rate*p.Channels*2))
	b = le.AppendUint16(b, uint16(p.Channels*2))
	b = append(b, "\x10\x00data"...)
	b = le.AppendUint32(b, uint32(2*len(p.Samples)))
	for _, v := range p.Samples {
		b = le.AppendUint16(b, uint16(int16(math.Round(float64(max(-1, min(1, v)))*32767))))
	}
	return b
}

// speech returns seconds of syllables of a 150 Hz voice whose peaks reach level.
func speech(seconds, level float64) *audio.PCM {
	p := &audio.PCM{Format: audio.Format{Rate: 16_000, Channels: 1}, Samples: make([]float32, int(seconds*16_000))}
	for i := range p.Samples {
		x := float64(i) / 16_000
		var v float64
		for h := 1.0; h <= 12; h++ {
			v += math.Sin(2*math.Pi*h*150*x+h) / h
		}
		p.Samples[i] = float32(level / 2.2 * v * math.Abs(math.Sin(2*math.Pi*1.7*x)))
	}
	return p
}

func silence(seconds float64) *audio.PCM {
	return &audio.PCM{Format: audio.Format{Rate: 16_000, Channels: 1}, Samples: make([]float32, int(seconds*16_000))}
}

func joined(parts ...*audio.PCM) *audio.PCM {
	out := &audio.PCM{Format: parts[0].Format}
	for _, p := range parts {
		out.Samples = append(out.Samples, p.Samples...)
	}
	return out
}

// stereo returns p on the left and p times right on the right.
func stereo(p *audio.PCM, right float32) *audio.PCM {
	out := &audio.PCM{Format: audio.Format{Rate: p.Rate, Channels: 2}}
	for _, v := range p.Samples {
		out.Samples = append(out.Samples, v, v*right)
	}
	return out
}

func ingest(t testing.TB, s *Store, name string, data []byte) *Prepared {
	t.Helper()
	p, err := s.Ingest(context.Background(), name, bytes.NewReader(data), Options{})
	if err != nil {
		t.Fatalf("Ingest %s: %v", name, err)
	}
	return p
}

func files(t testing.TB, s *Store) []string {
	t.Helper()
	var names []string
	for _, sub := range []string{"clips", "originals", "incoming"} {
		list, err := os.ReadDir(s.sub(sub))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range list {
			names = append(names, sub+"/"+f.Name())
		}
	}
	return names
}

func TestIngestMakesTheDeliveryForm(t *testing.T) {
	for _, c := range clips.All() {
		t.Run(c.Name, func(t *testing.T) {
			s := newTestStore(t)
			p := ingest(t, s, c.FileName(), c.Data())
			f, err := s.Open(p.SHA256)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			flac, err := io.ReadAll(f)
			if err != nil {
				t.Fatal(err)
			}
			if sum := sha256.Sum256(flac); hexOf(sum[:]) != p.SHA256 || int64(len(flac)) != p.Bytes {
				t.Errorf("delivery form is %x of %d bytes, Prepared says %s of %d", sum, len(flac), p.SHA256, p.Bytes)
			}
			original, err := os.ReadFile(s.OriginalPath(p.OriginalSHA256))
			if err != nil || !bytes.Equal(original, c.Data()) {
				t.Errorf("original is not what was sent: %v", err)
			}
			pcm, info, err := decode.Decode(context.Background(), flac, decode.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			if info.Kind != decode.KindFLAC || pcm.Format != (audio.Format{Rate: 24_000, Channels: 1}) || info.Bits != 16 {
				t.Errorf("delivery form is %+v, want mono FLAC of 24 kHz and 16 bits", info)
			}
			if pcm.Frames() != p.Frames || p.Rate != 24_000 || p.Duration != info.Duration {
				t.Errorf("Prepared says %d frames, %v; the file has %d, %v", p.Frames, p.Duration, pcm.Frames(), info.Duration)
			}
			if d := p.Duration - c.Duration; d.Abs() > time.Millisecond {
				t.Errorf("lasts %v, was %v", p.Duration, c.Duration)
			}
			if p.Bytes > 700_000*int64(p.Duration/time.Second)/30 {
				t.Errorf("%d bytes for %v, the design expects 0.6 MB in 30 s", p.Bytes, p.Duration)
			}
			m := loudness.Measure(pcm)
			if math.Abs(m.Integrated-p.LUFS) > 0.06 || math.Abs(m.TruePeak-p.TruePeak) > 0.06 {
				t.Errorf("measures %+v, Prepared says %v LUFS, %v dBTP", m, p.LUFS, p.TruePeak)
			}
			src, err := audio.Render(pcm, audio.RenderOptions{Gain: audio.Gain(p.GainDB)})
			if err != nil {
				t.Fatal(err)
			}
			out, err := audio.Collect(src)
			if err != nil {
				t.Fatal(err)
			}
			played := loudness.Measure(out)
			if math.Abs(played.Integrated+18) > 0.5 || math.Abs(played.Integrated-p.PlayLUFS) > 0.06 {
				t.Errorf("plays at %.2f LUFS, want −18 (Prepared says %v)", played.Integrated, p.PlayLUFS)
			}
			if played.TruePeak > audio.CeilingDB+0.2 {
				t.Errorf("plays with %.2f dBTP, want at most %v", played.TruePeak, audio.CeilingDB)
			}
			if len(p.Peaks) != 400 || len(p.PeakBytes()) != 800 {
				t.Errorf("%d peaks, %d bytes of them", len(p.Peaks), len(p.PeakBytes()))
			}
			if len(p.Warnings) != 0 || p.Kind != decode.KindMP3 {
				t.Errorf("Warnings %v, Kind %s", p.Warnings, p.Kind)
			}
		})
	}
}

func TestIngestTwiceChangesNothing(t *testing.T) {
	s := newTestStore(t)
	data := wav(speech(3, 0.5))
	first := ingest(t, s, "a.wav", data)
	before := files(t, s)
	second := ingest(t, s, "a.wav", data)
	if diff := cmp.Diff(first, second); diff != "" {
		t.Errorf("the second time differs:\n%s", diff)
	}
	if diff := cmp.Diff(before, files(t, s)); diff != "" || len(before) != 2 {
		t.Errorf("files changed: %v\n%s", before, diff)
	}
	t.Run("at_the_same_time", func(t *testing.T) {
		s := newTestStore(t)
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				if p := ingest(t, s, "a.wav", data); p.SHA256 != first.SHA256 {
					t.Errorf("hash %s, want %s", p.SHA256, first.SHA256)
				}
			})
		}
		wg.Wait()
		if got := files(t, s); len(got) != 2 {
			t.Errorf("files %v, want a clip and an original", got)
		}
	})
	t.Run("repairs_a_damaged_clip", func(t *testing.T) {
		if err := os.WriteFile(s.Path(first.SHA256), []byte("fLaC"), 0o600); err != nil {
			t.Fatal(err)
		}
		ingest(t, s, "a.wav", data)
		if fi, err := os.Stat(s.Path(first.SHA256)); err != nil || fi.Size() != first.Bytes {
			t.Errorf("clip is %v, %v", fi, err)
		}
	})
}

func TestIngestWarns(t *testing.T) {
	loud := speech(5, 1)
	for i, v := range loud.Samples { // as a recorder that was turned up
		loud.Samples[i] = max(-1, min(1, 5*v))
	}
	spiky := speech(4, 0.02)
	for i := 8000; i < len(spiky.Samples); i += 16_000 { // knocks on the microphone
		for j := range 8 {
			spiky.Samples[i+j] = 0.9
		}
	}
	tests := []struct {
		name string
		pcm  *audio.PCM
		want []WarningCode
		dur  time.Duration
	}{
		{"plain", speech(5, 0.5), nil, 5 * time.Second},
		{"stereo", stereo(speech(5, 0.5), 1), nil, 5 * time.Second},
		{"one_side_only", stereo(speech(5, 0.5), 0), nil, 5 * time.Second},
		{"sides_opposed", stereo(speech(5, 0.5), -1), []WarningCode{WarnPhase}, 5 * time.Second},
		{"long", speech(61, 0.5), []WarningCode{WarnLong}, 61 * time.Second},
		{"short_silence_at_the_ends", joined(silence(0.4), speech(5, 0.5), silence(0.4)), nil, 5800 * time.Millisecond},
		{"silence_at_the_ends", joined(silence(1.2), speech(5, 0.5), silence(2)), []WarningCode{WarnTrimmed}, 5500 * time.Millisecond},
		{"too_loud", loud, []WarningCode{WarnClipped}, 5 * time.Second},
		{"quiet_with_knocks", spiky, []WarningCode{WarnQuiet}, 4 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := ingest(t, newTestStore(t), "a.wav", wav(tt.pcm))
			var got []WarningCode
			for _, w := range p.Warnings {
				got = append(got, w.Code)
				sound(t, w.Say(ZH), w.Say(EN))
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("warnings:\n%s", diff)
			}
			if d := p.Duration - tt.dur; d.Abs() > 30*time.Millisecond {
				t.Errorf("lasts %v, want %v", p.Duration, tt.dur)
			}
			if len(tt.want) == 0 && math.Abs(p.PlayLUFS+18) > 1 {
				t.Errorf("plays at %v LUFS, want −18 ± 1", p.PlayLUFS)
			}
		})
	}
}

func TestIngestBringsEveryLevelToTheTarget(t *testing.T) {
	for _, level := range []float64{0.02, 0.05, 0.2, 0.6, 1} {
		p := ingest(t, newTestStore(t), "a.wav", wav(speech(6, level)))
		if math.Abs(p.PlayLUFS+18) > 0.5 {
			t.Errorf("peaks at %v: %v LUFS with %+v dB plays at %v", level, p.LUFS, p.GainDB, p.PlayLUFS)
		}
	}
}

func TestIngestRefuses(t *testing.T) {
	fixture := func(name string) []byte {
		b, err := os.ReadFile("../../audio/decode/testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	mp3 := fixture("mono-22k-vbr.mp3")
	changed := append(append([]byte(nil), fixture("mono-22k-32.mp3")...), fixture("mono-24k.mp3")...)
	damaged := append([]byte(nil), mp3...)
	clear(damaged[len(damaged)/2 : len(damaged)/2+4000])
	tests := []struct {
		name string
		file string
		data []byte
		code Code
		says string
	}{
		{"empty", "空.mp3", nil, Empty, "空的"},
		{"text_named_mp3", "通知.mp3", []byte("各位居民请注意"), NotAudio, "不是音频"},
		{"cut", "a.mp3", mp3[:len(mp3)*2/3], Truncated, "不完整"},
		{"damaged", "a.mp3", damaged, Corrupt, "损坏"},
		{"rate_change", "a.mp3", changed, RateChange, "先 22050 Hz，后 24000 Hz"},
		{"wechat_voice", "微信语音 1123.amr", []byte("\x02#!SILK_V3\x10\x00abc"), Unsupported, "这是微信语音文件。请用手机录音机重录，或以文件形式发送。"},
		{"silk_without_mark", "1123.amr", []byte("#!SILK_V3\x10\x00abc"), Unsupported, "微信语音"},
		{"amr", "录音.amr", []byte("#!AMR\n\x3c\x08"), Unsupported, "amr"},
		{"m4a", "民警录音.m4a", fixture("voice.m4a"), Unsupported, "m4a"},
		{"m4a_named_mp3", "民警录音.mp3", fixture("voice.m4a"), Unsupported, "m4a"},
		{"wma", "a.wma", fixture("voice.wma"), Unsupported, "wma"},
		{"opus", "a.ogg", fixture("voice.opus"), Unsupported, "opus"},
		{"silent", "a.wav", wav(silence(5)), Silent, "几乎没有声音"},
		{"whispered", "a.wav", wav(speech(5, 0.005)), Silent, "几乎没有声音"},
		{"mostly_silent", "a.wav", wav(joined(speech(2, 0.5), silence(6), speech(1, 0.5))), MostlySilent, "67% 的时间没有声音"},
		{"over_long", "a.wav", wav(speech(181, 0.5)), TooLong, "时长3分1秒，超过180秒上限"},
		{"too_short", "a.wav", wav(speech(0.5, 0.5)), TooShort, "只有0.5秒"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newTestStore(t)
			p, err := s.Ingest(context.Background(), tt.file, bytes.NewReader(tt.data), Options{})
			var e *Error
			if !errors.As(err, &e) || e.Code != tt.code || e.Name != tt.file {
				t.Fatalf("Ingest = %+v, %v, want code %q about %q", p, err, tt.code, tt.file)
			}
			var f *fleet.Error
			if !errors.As(err, &f) || f.Code != fleet.Invalid {
				t.Fatalf("fleet error = %+v", f)
			}
			sound(t, f.Text, f.TextEN)
			if !bytes.Contains([]byte(f.Text), []byte(tt.says)) {
				t.Errorf("says %q, want %q in it", f.Text, tt.says)
			}
			if got := files(t, s); len(got) != 0 {
				t.Errorf("left behind: %v", got)
			}
		})
	}
}

func TestIngestRefusesWhatIsTooBigBeforeReadingIt(t *testing.T) {
	s := newTestStore(t)
	r := &countingReader{}
	_, err := s.Ingest(context.Background(), "big.mp3", r, Options{MaxBytes: 2_000_000})
	var e *Error
	if !errors.As(err, &e) || e.Code != TooBig {
		t.Fatalf("error = %v, want %s", err, TooBig)
	}
	if zh := e.Say(ZH).String(); !bytes.Contains([]byte(zh), []byte("2 MB")) {
		t.Errorf("says %q, want the limit", zh)
	}
	if r.n > 2_100_000 {
		t.Errorf("read %d bytes of an endless upload, limit 2,000,000", r.n)
	}
	if got := files(t, s); len(got) != 0 {
		t.Errorf("left behind: %v", got)
	}
}

// countingReader yields bytes for ever.
type countingReader struct{ n int }

func (r *countingReader) Read(p []byte) (int, error) {
	r.n += len(p)
	return len(p), nil
}

func TestIngestTellsABrokenUploadFromABrokenDisk(t *testing.T) {
	data := wav(speech(3, 0.5))
	t.Run("upload_cut", func(t *testing.T) {
		s := newTestStore(t)
		r := io.MultiReader(bytes.NewReader(data[:1000]), iotest.ErrReader(io.ErrUnexpectedEOF))
		_, err := s.Ingest(context.Background(), "a.wav", r, Options{})
		var e *Error
		if !errors.As(err, &e) || e.Code != UploadCut || e.Bytes != 1000 {
			t.Fatalf("error = %v, want %s after 1000 bytes", err, UploadCut)
		}
		if got := files(t, s); len(got) != 0 {
			t.Errorf("left behind: %v", got)
		}
	})
	t.Run("disk_full", func(t *testing.T) {
		small := t.TempDir()
		needtool.SmallDisk(t, small, 4096)
		s := newTestStore(t)
		kept := ingest(t, s, "kept.wav", data)
		s.create = func() (*os.File, error) { return os.CreateTemp(small, "upload") }
		_, err := s.Ingest(context.Background(), "b.wav", bytes.NewReader(data), Options{})
		var e *Error
		if !errors.As(err, &e) || e.Code != DiskFull {
			t.Fatalf("error = %v, want %s", err, DiskFull)
		}
		var f *fleet.Error
		if !errors.As(err, &f) || f.Code != fleet.Full {
			t.Fatalf("fleet error = %+v, want code %s", f, fleet.Full)
		}
		sound(t, f.Text, f.TextEN)
		if _, err := os.Stat(s.Path(kept.SHA256)); err != nil {
			t.Errorf("what was there is gone: %v", err)
		}
	})
	t.Run("cancelled", func(t *testing.T) {
		s := newTestStore(t)
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if _, err := s.Ingest(ctx, "a.wav", bytes.NewReader(data), Options{}); !errors.Is(err, context.Canceled) {
			t.Fatalf("error = %v, want %v", err, context.Canceled)
		}
		if got := files(t, s); len(got) != 0 {
			t.Errorf("left behind: %v", got)
		}
	})
}

func TestIngestIgnoresWhatTheNameSays(t *testing.T) {
	s := newTestStore(t)
	for _, name := range []string{"../../etc/passwd", "", "a\x00b", "/abs.wav", "…很长的名字"} {
		ingest(t, s, name, wav(speech(2, 0.5)))
	}
	if got := files(t, s); len(got) != 2 {
		t.Fatalf("files %v, want a clip and an original", got)
	}
}

func TestIngestRefusesBadOptions(t *testing.T) {
	for name, o := range map[string]Options{
		"bytes":    {MaxBytes: -1},
		"duration": {MaxDuration: time.Millisecond},
		"target":   {TargetLUFS: 3},
		"rate":     {Rate: 100},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := newTestStore(t).Ingest(context.Background(), "a.wav", bytes.NewReader(nil), o); err == nil {
				t.Fatalf("options %+v are taken", o)
			}
		})
	}
}

func BenchmarkIngest(b *testing.B) {
	c, _ := clips.ByName("shuadan")
	data := c.Data()
	for b.Loop() {
		ingest(b, newTestStore(b), c.FileName(), data)
	}
	b.ReportMetric(c.Duration.Seconds()*float64(b.N)/b.Elapsed().Seconds(), "×realtime")
}
