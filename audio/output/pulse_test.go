package output

import (
	"context"
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jfreymuth/pulse/proto"

	"gatecast/audio"
	"gatecast/internal/needtool"
	"gatecast/internal/soundcheck"
)

// newTestServer starts a private sound server, or skips.
func newTestServer(t *testing.T, sinks ...string) *soundcheck.Server {
	t.Helper()
	needtool.Need(t, soundcheck.Programs...)
	dir, err := os.MkdirTemp("", "gc") // t.TempDir's name is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	s, err := soundcheck.Start(t.Context(), dir, sinks...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return s
}

func newTestPulse(t *testing.T, s *soundcheck.Server, sink string, o Options) Sink {
	t.Helper()
	o.Server = s.Address
	k, err := Open(Pulse, sink, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { k.Close() })
	return k
}

// speechLike returns d of a chirp with pauses and a definite head and tail.
func speechLike(rate, channels int, d time.Duration) *audio.PCM {
	p := chirp(rate, channels, d)
	for i := range p.Frames() {
		t := i.Duration(rate)
		if t%(700*time.Millisecond) > 600*time.Millisecond && t < d-time.Second/2 {
			for c := range channels {
				p.Samples[int(i)*channels+c] = 0
			}
		}
	}
	return p
}

func TestPulsePlaysTheClipWhole(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, "horn", "b", "c", "d", "e")
	tests := map[string]struct {
		clip *audio.PCM
		sink string
	}{
		"sink_rate_stereo":          {speechLike(44100, 2, 3*time.Second), "horn"},
		"speech_mono":               {speechLike(24000, 1, 4*time.Second), "b"},
		"shorter_than_the_buffer":   {speechLike(44100, 1, 150*time.Millisecond), "c"},
		"not_the_default_sink":      {speechLike(48000, 1, 2*time.Second), "d"},
		"more_channels_than_a_sink": {speechLike(44100, 4, 2*time.Second), "e"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := playHeard(t, s, tt.sink, tt.clip, 1800*time.Millisecond, func(ctx context.Context, at time.Time) (Report, error) {
				return newTestPulse(t, s, tt.sink, Options{}).Play(ctx, at, newPCMSource(tt.clip))
			})
			if r.Device != tt.sink+" ("+tt.sink+")" || r.Sink != Pulse {
				t.Errorf("played on %q by %q", r.Device, r.Sink)
			}
		})
	}
}

// playHeard plays the clip until it is not the machine that broke the sound: a
// server or a player that was kept from running for half a second really runs
// dry, or ends late, and says so. The play that is reported as whole must be whole in the
// recording of the sink, within a few samples, and on time.
func playHeard(t *testing.T, s *soundcheck.Server, sink string, clip *audio.PCM, ahead time.Duration, play func(context.Context, time.Time) (Report, error)) Report {
	t.Helper()
	for try := 1; ; try++ {
		rec, err := s.Record(t.Context(), sink)
		if err != nil {
			t.Fatal(err)
		}
		at := time.Now().Add(ahead)
		r, err := play(t.Context(), at)
		<-time.After(500 * time.Millisecond) // the monitor runs behind the sink
		heard := rec.Stop()
		off := r.StartedAt.Sub(at)
		late := r.Elapsed - clip.Frames().Duration(clip.Rate)
		if try < 6 && (r.End == Underrun || off.Abs() > 50*time.Millisecond || late > 150*time.Millisecond) {
			t.Logf("try %d, %v off: %+v %v", try, off, r, err)
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if ok, why := Played(r, clip.Frames().Duration(clip.Rate)); !ok {
			t.Errorf("Played = false: %s (%+v)", why, r)
		}
		m, err := soundcheck.Compare(clip, heard)
		if err != nil {
			t.Fatalf("%v: %v recorded; %+v", err, heard.Frames().Duration(heard.Rate), r)
		}
		if ok, why := m.Whole(2 * time.Millisecond); !ok {
			t.Errorf("recording: %s; %+v", why, m)
		}
		t.Logf("try %d: start off %v, elapsed %v of %v, correlation %.6f, span off %v, gain %.2f dB",
			try, off, r.Elapsed, m.Clip, m.Correlation, m.Span-m.ClipSpan, m.Gain)
		return r
	}
}

func TestPulseRefusesTheStandIn(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, stillborn)
	for _, device := range []string{"", stillborn} {
		k := newTestPulse(t, s, device, Options{})
		r, err := k.Play(t.Context(), time.Now(), newPCMSource(speechLike(44100, 1, time.Second)))
		if f, ok := errors.AsType[*Fault](err); !ok || f.Code != Dummy || r.End != Refused || !r.StartedAt.IsZero() {
			t.Errorf("Play on %q = %+v, %v; want refused as a dummy", device, r, err)
		}
		if _, err := k.Device(); err == nil {
			t.Errorf("Device on %q has no error", device)
		}
	}
}

func TestPulseFaultsBeforeThePlay(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, "horn")
	gone := Options{Server: "unix:" + t.TempDir() + "/native"}
	tests := map[string]struct {
		sink string
		o    Options
		want Code
	}{
		"no_such_sink": {"attic", Options{Server: s.Address}, Absent},
		"no_server":    {"horn", gone, NoServer},
		"bad_address":  {"horn", Options{Server: "carrier-pigeon"}, NoServer},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			k, err := Open(Pulse, tt.sink, tt.o)
			if err != nil {
				t.Fatal(err)
			}
			defer k.Close()
			r, err := k.Play(t.Context(), time.Now(), newPCMSource(speechLike(44100, 1, time.Second)))
			if f, ok := errors.AsType[*Fault](err); !ok || f.Code != tt.want || r.End != Refused {
				t.Errorf("Play = %v, %v; want refused with %s", r.End, err, tt.want)
			}
		})
	}
}

func TestPulseMuteIsSeen(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, "horn")
	clip := speechLike(44100, 1, 2500*time.Millisecond)
	mute := func(t *testing.T, on string) {
		t.Helper()
		if _, err := s.Control("set-sink-mute", "horn", on); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("kept_muted_is_refused", func(t *testing.T) {
		mute(t, "1")
		r, err := newTestPulse(t, s, "horn", Options{KeepMixer: true}).Play(t.Context(), time.Now(), newPCMSource(clip))
		if f, ok := errors.AsType[*Fault](err); !ok || f.Code != Silenced || r.End != Refused || !r.Muted {
			t.Errorf("Play = %+v, %v; want refused as muted", r, err)
		}
	})
	t.Run("switched_on_and_set", func(t *testing.T) {
		mute(t, "1")
		k := newTestPulse(t, s, "horn", Options{Volume: 60})
		r, err := k.Play(t.Context(), time.Now(), newPCMSource(clip))
		if err != nil || r.Muted || r.FramesPlayed != r.Frames || r.Mixer != "horn 60% on" {
			t.Errorf("Play = %+v, %v; want played at 60%%", r, err)
		}
		d, err := k.Device()
		if err != nil || d.Muted || d.Name != "horn (horn)" {
			t.Errorf("Device = %+v, %v", d, err)
		}
	})
	t.Run("muted_in_the_middle", func(t *testing.T) {
		go func() {
			<-time.After(2500 * time.Millisecond)
			s.Control("set-sink-mute", "horn", "1")
		}()
		r, err := newTestPulse(t, s, "horn", Options{}).Play(t.Context(), time.Now(), newPCMSource(speechLike(44100, 1, 4*time.Second)))
		if ok, _ := Played(r, 4*time.Second); ok || err != nil || !r.Muted {
			t.Errorf("Play = %+v, %v; want muted", r, err)
		}
	})
}

// TestPulseSinkLostInTheMiddle removes the sink under the clip while another
// sink stands ready to take the stream over, which is what a server does when
// a card's plug is pulled.
func TestPulseSinkLostInTheMiddle(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		disturb func(s *soundcheck.Server) error
		code    Code
	}{
		"removed": {func(s *soundcheck.Server) error { return unloadHorn(s) }, Gone},
		"killed":  {func(s *soundcheck.Server) error { return s.Signal(os.Kill) }, Gone},
		"stalled": {func(s *soundcheck.Server) error { return s.Signal(syscall.SIGSTOP) }, Gone},
		"suspended": {func(s *soundcheck.Server) error {
			_, err := s.Control("suspend-sink", "horn", "1")
			return err
		}, Stalled},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newTestServer(t, "other", "horn")
			at := time.Now().Add(1300 * time.Millisecond)
			failed := make(chan error, 1)
			go func() {
				<-time.After(time.Until(at.Add(2 * time.Second)))
				failed <- tt.disturb(s)
			}()
			r, err := newTestPulse(t, s, "horn", Options{}).Play(t.Context(), at, newPCMSource(speechLike(44100, 1, 8*time.Second)))
			if err := <-failed; err != nil {
				t.Fatal(err)
			}
			f, ok := errors.AsType[*Fault](err)
			if !ok || r.End != Lost {
				t.Fatalf("Play = %+v, %v; want lost", r, err)
			}
			if f.Code != tt.code {
				t.Errorf("fault = %v, want %s", err, tt.code)
			}
			if got := r.FramesPlayed.Duration(44100); got < time.Second/2 || got > 7*time.Second {
				t.Errorf("played %v, want about 2s", got)
			}
			if ok, _ := Played(r, 8*time.Second); ok {
				t.Error("Played = true")
			}
		})
	}
}

// unloadHorn removes the sink called horn and leaves the others.
func unloadHorn(s *soundcheck.Server) error {
	list, err := s.Control("list", "short", "modules")
	if err != nil {
		return err
	}
	for line := range strings.Lines(list) {
		if f := strings.Fields(line); len(f) > 2 && strings.Contains(line, "sink_name=horn") {
			_, err := s.Control("unload-module", f[0])
			return err
		}
	}
	return errors.New("no sink called horn")
}

// TestPulsePlaysOnASleepingSink prepares long ahead, so that the idle sink is
// put to sleep under the waiting stream, as desktops do.
func TestPulsePlaysOnASleepingSink(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, "horn")
	if _, err := s.Control("load-module", "module-suspend-on-idle", "timeout=1"); err != nil {
		t.Fatal(err)
	}
	k, clip := newTestPulse(t, s, "", Options{}), speechLike(44100, 1, 2*time.Second)
	if err := k.Prepare(t.Context(), clip.Format); err != nil {
		t.Fatal(err)
	}
	playHeard(t, s, "horn", clip, 4*time.Second, func(ctx context.Context, at time.Time) (Report, error) {
		return k.Play(ctx, at, newPCMSource(clip))
	})
}

func TestPulseMovedIsLost(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, "horn", "other")
	k := newTestPulse(t, s, "horn", Options{}).(*pulseSink)
	k.o.KeepMixer = true
	st, err := newPulseStream("horn", k.o)
	if err != nil {
		t.Fatal(err)
	}
	defer st.close()
	st.conn.event(&movedEvent) // the server refuses to move our stream, so it is told
	if f, ok := errors.AsType[*Fault](st.check()); !ok || f.Code != Moved {
		t.Errorf("check = %v, want moved", st.check())
	}
}

func TestPulseStarvedIsAnUnderrun(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, "horn")
	src := &stallingSource{pcmSource: newPCMSource(speechLike(44100, 2, 3*time.Second)), at: 100000, stall: 2500 * time.Millisecond}
	r, err := newTestPulse(t, s, "horn", Options{}).Play(t.Context(), time.Now(), src)
	if r.End != Underrun || r.Underruns == 0 {
		t.Errorf("Play = %+v, %v; want an underrun", r, err)
	}
	if ok, _ := Played(r, 3*time.Second); ok {
		t.Error("Played = true")
	}
}

// stallingSource stops yielding for a while once at samples are read.
type stallingSource struct {
	*pcmSource
	at    int
	stall time.Duration
}

func (s *stallingSource) Read(dst []float32) (int, error) {
	if s.stall > 0 && s.pos >= s.at {
		<-time.After(s.stall)
		s.stall = 0
	}
	return s.pcmSource.Read(dst)
}

func TestPulseCancelStopsAtOnce(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, "horn")
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	began := time.Now()
	r, err := newTestPulse(t, s, "horn", Options{}).Play(ctx, began.Add(time.Second), newPCMSource(speechLike(44100, 2, 30*time.Second)))
	if !errors.Is(err, context.DeadlineExceeded) || r.End != Cancelled {
		t.Errorf("Play = %v, %v; want cancelled", r.End, err)
	}
	if took := time.Since(began); took > 4500*time.Millisecond {
		t.Errorf("cancelled after %v", took)
	}
	if got := r.FramesPlayed.Duration(44100); r.StartedAt.Before(began.Add(1500*time.Millisecond)) && got < time.Second/2 || got > 2200*time.Millisecond {
		t.Errorf("played %v, want about 2s", got)
	}
}

var movedEvent = proto.PlaybackStreamMoved{DestName: "other"}
