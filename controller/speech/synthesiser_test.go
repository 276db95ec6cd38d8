package speech

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatecast/audio"
	"gatecast/audio/decode"
	"gatecast/controller/fleet"
	"gatecast/internal/needtool"
)

// refusal fails the test unless err is a sentence for the user that contains part.
func refusal(t *testing.T, err error, part string) {
	t.Helper()
	var fe *fleet.Error
	if !errors.As(err, &fe) || !strings.Contains(fe.Text, part) {
		t.Errorf("err = %v, want a sentence with %q", err, part)
	}
}

func TestSpeakSounds(t *testing.T) {
	needtool.Need(t, "espeak-ng")
	s := New(Options{})
	if err := s.Ready(); err != nil {
		t.Fatal(err)
	}
	lengths := map[string]time.Duration{}
	for _, text := range []string{"各位居民请注意，有人冒充燃气公司上门，让您扫码交费。", "去银行。", "去银行[yin2 hang2]。"} {
		wav, err := s.Speak(t.Context(), text)
		if err != nil {
			t.Fatal(err)
		}
		pcm, _, err := decode.Decode(t.Context(), wav, decode.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if audio.Silent(pcm) {
			t.Errorf("%q is silent", text)
		}
		lengths[text] = pcm.Frames().Duration(pcm.Format.Rate)
		if want := Length(text); lengths[text] < want/2 || lengths[text] > 2*want+time.Second {
			t.Errorf("%q sounds for %s, estimated were %s", text, lengths[text], want)
		}
	}
}

func TestSpeakSaysWhatIsMissing(t *testing.T) {
	s := New(Options{LookPath: func(string) (string, error) { return "", os.ErrNotExist }})
	refusal(t, s.Ready(), "espeak-ng")
	_, err := s.Speak(t.Context(), "好")
	refusal(t, err, "espeak-ng")
	_, err = s.Speak(t.Context(), " ")
	refusal(t, err, "请填写朗读文本")
	_, err = s.Speak(t.Context(), "请打96110")
	refusal(t, err, "读不准")
}

// script writes a program for the test.
func script(t *testing.T, body string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "voice")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+body+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestConfiguredCommandIsBounded(t *testing.T) {
	tests := map[string]struct{ body, part string }{
		"fails":    {"exit 3", "出错"},
		"no_wav":   {"cat >/dev/null; echo hello, this is no sound file at all, not even nearly so", "没有给出声音"},
		"too_much": {"cat /dev/zero", "太长"},
		"too_slow": {"exec sleep 30", "超时"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := New(Options{Command: []string{script(t, tt.body)}, Timeout: 500 * time.Millisecond, MaxBytes: 100_000})
			if name != "too_slow" {
				s.o.Timeout = 20 * time.Second
			}
			_, err := s.Speak(t.Context(), "各位居民")
			refusal(t, err, tt.part)
		})
	}
}

// A text is data: nothing in it reaches a command line, and a command gets it
// without readings.
func TestConfiguredCommandReadsTheTextOnly(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "said")
	path := script(t, `cat > "$1"; printf '%s' "$#" > "$1.args"; printf 'RIFF....WAVEfmt 0123456789012345678901234567890123456789'`)
	s := New(Options{Command: []string{path, out}})
	if _, err := s.Speak(t.Context(), "去银行[yin2 hang2]，“；”"); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{out: "去银行，“；”\n", out + ".args": "1"} {
		if got, err := os.ReadFile(file); err != nil || string(got) != want {
			t.Errorf("%s = %q, %v, want %q", filepath.Base(file), got, err, want)
		}
	}
	if s.Voice() != "voice" {
		t.Errorf("Voice() = %q, want the program's name", s.Voice())
	}
}
