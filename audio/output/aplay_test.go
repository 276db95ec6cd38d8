package output

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"gatecast/internal/needtool"
	"gatecast/internal/soundcheck"
)

// newTestALSA writes an ALSA configuration with a device on the sound server's
// sink ("horn"), one that swallows everything at once ("swallow"), and one that
// cannot be opened ("broken"), and returns an aplay that reads it.
func newTestALSA(t *testing.T, s *soundcheck.Server) Options {
	t.Helper()
	needtool.Need(t, "aplay")
	if found, err := filepath.Glob("/usr/lib/*/alsa-lib/libasound_module_pcm_pulse.so"); err != nil || len(found) == 0 {
		needtool.Missing(t, "libasound2-plugins")
	}
	dir := t.TempDir()
	server := ""
	if s != nil {
		server = s.Address
	}
	conf := fmt.Sprintf(`</usr/share/alsa/alsa.conf>
pcm.horn { type pulse server "%s" device "horn" handle_underrun 1 }
pcm.swallow { type file slave.pcm "null" file "%s/swallowed.raw" format "raw" }
pcm.broken { type hw card 31 }
`, server, dir)
	name := filepath.Join(dir, "asound.conf")
	if err := os.WriteFile(name, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	wrapper := filepath.Join(dir, "aplay")
	script := fmt.Sprintf("#!/bin/sh\nexport ALSA_CONFIG_PATH=%s\nexec aplay \"$@\"\n", name)
	if err := os.WriteFile(wrapper, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	return Options{Program: wrapper}
}

func newTestAPlay(t *testing.T, device string, o Options) Sink {
	t.Helper()
	k, err := Open(APlay, device, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { k.Close() })
	return k
}

func TestAPlayPlaysTheClipWhole(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, "horn")
	o := newTestALSA(t, s)
	clip := speechLike(44100, 1, 8*time.Second)
	r := playHeard(t, s, "horn", clip, 1800*time.Millisecond, func(ctx context.Context, at time.Time) (Report, error) {
		return newTestAPlay(t, "horn", o).Play(ctx, at, newPCMSource(clip))
	})
	if r.Device != "horn" || r.Sink != APlay {
		t.Errorf("played on %q by %q", r.Device, r.Sink)
	}
}

func TestAPlayUnpacedIsNotPlayed(t *testing.T) {
	t.Parallel()
	o := newTestALSA(t, nil)
	for _, device := range []string{"swallow", "null"} {
		r, err := newTestAPlay(t, device, o).Play(t.Context(), time.Now().Add(time.Second), newPCMSource(speechLike(48000, 1, 8*time.Second)))
		if f, ok := errors.AsType[*Fault](err); !ok || f.Code != Unpaced || r.FramesPlayed != 0 {
			t.Errorf("Play on %q = %+v, %v; want unpaced", device, r, err)
		}
		if ok, _ := Played(r, 8*time.Second); ok {
			t.Errorf("Played on %q = true", device)
		}
	}
}

func TestAPlayFaultsBeforeThePlay(t *testing.T) {
	t.Parallel()
	o := newTestALSA(t, nil)
	missing := Options{Program: filepath.Join(t.TempDir(), "aplay")}
	tests := map[string]struct {
		device string
		o      Options
		want   Code
	}{
		"no_such_device":  {"attic", o, Absent},
		"no_such_card":    {"broken", o, Absent},
		"no_such_program": {"default", missing, NoTool},
		"no_sound_server": {"horn", o, NoServer},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r, err := newTestAPlay(t, tt.device, tt.o).Play(t.Context(), time.Now(), newPCMSource(speechLike(44100, 1, time.Second)))
			if f, ok := errors.AsType[*Fault](err); !ok || f.Code != tt.want || r.End != Refused {
				t.Errorf("Play = %v, %v; want refused with %s", r.End, err, tt.want)
			}
		})
	}
}

func TestAPlayLostAndCancelled(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, "horn")
	o := newTestALSA(t, s)
	clip := speechLike(44100, 2, 30*time.Second)
	t.Run("cancelled", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 3500*time.Millisecond)
		defer cancel()
		r, err := newTestAPlay(t, "horn", o).Play(ctx, time.Now().Add(1500*time.Millisecond), newPCMSource(clip))
		got := r.FramesPlayed.Duration(44100)
		if !errors.Is(err, context.DeadlineExceeded) || r.End != Cancelled || got < time.Second/2 || got > 2100*time.Millisecond {
			t.Errorf("Play = %+v, %v; want cancelled after about 2s", r, err)
		}
	})
	t.Run("sink_removed", func(t *testing.T) {
		failed := make(chan error, 1)
		go func() {
			<-time.After(3500 * time.Millisecond)
			failed <- unloadHorn(s)
		}()
		r, err := newTestAPlay(t, "horn", o).Play(t.Context(), time.Now().Add(1500*time.Millisecond), newPCMSource(clip))
		if err := <-failed; err != nil {
			t.Fatal(err)
		}
		if f, ok := errors.AsType[*Fault](err); !ok || f.Code != Gone || r.End != Lost {
			t.Errorf("Play = %+v, %v; want lost", r, err)
		}
	})
}

func TestAPlayUnderrunIsCounted(t *testing.T) {
	t.Parallel()
	o := newTestALSA(t, newTestServer(t, "horn"))
	src := &stallingSource{pcmSource: newPCMSource(speechLike(44100, 1, 3*time.Second)), at: 66150, stall: 1500 * time.Millisecond}
	r, err := newTestAPlay(t, "horn", o).Play(t.Context(), time.Now(), src)
	if err != nil || r.Underruns == 0 || r.End != Underrun {
		t.Errorf("Play = %+v, %v; want an underrun", r, err)
	}
}
