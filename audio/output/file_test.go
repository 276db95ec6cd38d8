package output

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"gatecast/audio"
)

// pcmSource plays a PCM in memory; frames may claim more than there is.
type pcmSource struct {
	pcm    *audio.PCM
	claims audio.Frames
	pos    int
	err    error // instead of io.EOF
}

func newPCMSource(p *audio.PCM) *pcmSource { return &pcmSource{pcm: p, claims: p.Frames()} }

func (s *pcmSource) Format() audio.Format { return s.pcm.Format }
func (s *pcmSource) Frames() audio.Frames { return s.claims }
func (s *pcmSource) Read(dst []float32) (int, error) {
	if s.pos >= len(s.pcm.Samples) {
		if s.err != nil {
			return 0, s.err
		}
		return 0, io.EOF
	}
	n := copy(dst[:len(dst)/s.pcm.Channels*s.pcm.Channels], s.pcm.Samples[s.pos:])
	s.pos += n
	return n, nil
}

// chirp returns d of a mono sweep with an onset and an end that correlation
// finds to the sample.
func chirp(rate, channels int, d time.Duration) *audio.PCM {
	n := int(framesIn(d, rate))
	p := &audio.PCM{Format: audio.Format{Rate: rate, Channels: channels}}
	for i := range n {
		t := float64(i) / float64(rate)
		v := float32(0.5 * math.Sin(2*math.Pi*(300+200*t)*t))
		for range channels {
			p.Samples = append(p.Samples, v)
		}
	}
	return p
}

// readWAV returns format and samples of a canonical 16-bit WAV, and checks that
// the header's sizes lie within the file.
func readWAV(t *testing.T, name string) (audio.Format, []int16) {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if len(b) < wavHeaderSize || string(b[:4]) != "RIFF" || string(b[36:40]) != "data" {
		t.Fatalf("%s is no WAV: %q", name, b[:min(len(b), wavHeaderSize)])
	}
	riff, data := binary.LittleEndian.Uint32(b[4:]), binary.LittleEndian.Uint32(b[40:])
	if riff != data+36 || int(data)+wavHeaderSize > len(b) {
		t.Fatalf("%s: RIFF size %d, data size %d, file %d bytes", name, riff, data, len(b))
	}
	f := audio.Format{Rate: int(binary.LittleEndian.Uint32(b[24:])), Channels: int(binary.LittleEndian.Uint16(b[22:]))}
	samples := make([]int16, data/2)
	for i := range samples {
		samples[i] = int16(binary.LittleEndian.Uint16(b[wavHeaderSize+2*i:]))
	}
	return f, samples
}

func openTestFile(t *testing.T, target string) Sink {
	t.Helper()
	s, err := Open(File, target, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestFilePlaysEachFrameInRealTime(t *testing.T) {
	tests := map[string]struct {
		rate, channels int
		d              time.Duration
	}{
		"speech_mono":     {24000, 1, 8 * time.Second},
		"music_stereo":    {44100, 2, 3 * time.Second},
		"under_one_chunk": {48000, 1, 10 * time.Millisecond},
		"one_frame":       {8000, 1, 125 * time.Microsecond},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				clip := chirp(tt.rate, tt.channels, tt.d)
				s := openTestFile(t, filepath.Join(dir, "plays"))
				at := time.Now().Add(90 * time.Minute)
				r, err := s.Play(t.Context(), at, newPCMSource(clip))
				if err != nil {
					t.Fatal(err)
				}
				if !r.StartedAt.Equal(at) {
					t.Errorf("StartedAt = %v, want %v", r.StartedAt, at)
				}
				if ok, why := Played(r, clip.Frames().Duration(tt.rate)); !ok {
					t.Errorf("Played = false: %s", why)
				}
				if r.FramesWritten != clip.Frames() || r.FramesPlayed != clip.Frames() {
					t.Errorf("wrote %d and played %d of %d frames", r.FramesWritten, r.FramesPlayed, clip.Frames())
				}
				f, samples := readWAV(t, r.Path)
				if f != clip.Format || len(samples) != len(clip.Samples) {
					t.Fatalf("WAV has %v and %d samples, want %v and %d", f, len(samples), clip.Format, len(clip.Samples))
				}
				for i, v := range samples {
					if want := int16(quantise(clip.Samples[i], 1<<15)); v != want {
						t.Fatalf("sample %d = %d, want %d", i, v, want)
					}
				}
			})
		})
	}
}

func TestFileCancelledKeepsWhatSounded(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := openTestFile(t, dir)
		ctx, cancel := context.WithTimeout(t.Context(), 2333*time.Millisecond)
		defer cancel()
		r, err := s.Play(ctx, time.Now(), newPCMSource(chirp(24000, 1, 8*time.Second)))
		if !errors.Is(err, context.DeadlineExceeded) || r.End != Cancelled {
			t.Fatalf("Play = %v, %v; want cancelled by the deadline", r.End, err)
		}
		if want := audio.Frames(55992); r.FramesPlayed != want { // 2.333 s × 24,000
			t.Errorf("FramesPlayed = %d, want %d", r.FramesPlayed, want)
		}
		if _, samples := readWAV(t, r.Path); len(samples) != int(r.FramesPlayed) {
			t.Errorf("WAV has %d frames, want %d", len(samples), r.FramesPlayed)
		}
		if ok, _ := Played(r, 8*time.Second); ok {
			t.Error("Played(cancelled) = true")
		}
	})
}

func TestFileIsValidAtEveryInstant(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		name := filepath.Join(dir, "point.wav")
		s := openTestFile(t, name)
		done := make(chan error, 1)
		go func() {
			_, err := s.Play(t.Context(), time.Now(), newPCMSource(chirp(8000, 2, time.Second)))
			done <- err
		}()
		for range 20 { // a kill between any two chunks leaves this file
			time.Sleep(49 * time.Millisecond)
			synctest.Wait()
			readWAV(t, name)
		}
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	})
}

func TestFileNamesDoNotCollide(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := openTestFile(t, dir)
		at, seen := time.Now(), map[string]bool{}
		for range 3 {
			r, err := s.Play(t.Context(), at, newPCMSource(chirp(8000, 1, 100*time.Millisecond)))
			if err != nil || seen[r.Path] {
				t.Fatalf("Play into %q = %v", r.Path, err)
			}
			seen[r.Path] = true
		}
	})
}

func TestFileReportsAShortSource(t *testing.T) {
	tests := map[string]error{"end_of_file": nil, "read_error": errors.New("bad block")}
	for name, cause := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				src := newPCMSource(chirp(8000, 1, time.Second))
				src.claims, src.err = 16000, cause
				r, err := openTestFile(t, dir).Play(t.Context(), time.Now(), src)
				f, ok := errors.AsType[*Fault](err)
				if !ok || f.Code != BadSource || r.End == Drained {
					t.Errorf("Play = %v, %v; want bad_source", r.End, err)
				}
				if cause != nil && !errors.Is(err, cause) {
					t.Errorf("error %v does not name the cause", err)
				}
				if TextOf(err, "zh") == "" || TextOf(err, "zh") == TextOf(err, "en") {
					t.Errorf("texts %q and %q", TextOf(err, "zh"), TextOf(err, "en"))
				}
			})
		})
	}
}

func TestFileFolderThatCannotBeMade(t *testing.T) {
	file := filepath.Join(t.TempDir(), "taken")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	s := openTestFile(t, filepath.Join(file, "plays"))
	r, err := s.Play(t.Context(), time.Now(), newPCMSource(chirp(8000, 1, time.Second)))
	if f, ok := errors.AsType[*Fault](err); !ok || f.Code != NoSpace || r.End != Refused {
		t.Errorf("Play = %v, %v; want no_space and refused", r.End, err)
	}
}

func TestFileCloseEndsAPlay(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := openTestFile(t, dir)
		done := make(chan Report, 1)
		go func() {
			r, _ := s.Play(t.Context(), time.Now(), newPCMSource(chirp(8000, 1, time.Minute)))
			done <- r
		}()
		time.Sleep(time.Second)
		if _, err := s.Play(t.Context(), time.Now(), newPCMSource(chirp(8000, 1, time.Second))); !errors.Is(err, ErrPlaying) {
			t.Errorf("second Play = %v, want ErrPlaying", err)
		}
		s.Close()
		s.Close()
		if r := <-done; r.End != Cancelled {
			t.Errorf("End = %v, want cancelled", r.End)
		}
		if _, err := s.Play(t.Context(), time.Now(), newPCMSource(chirp(8000, 1, time.Second))); !errors.Is(err, ErrClosed) {
			t.Errorf("Play after Close = %v, want ErrClosed", err)
		}
	})
}
