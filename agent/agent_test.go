package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gatecast/agent/condition"
	"gatecast/agent/enrol"
	"gatecast/agent/journal"
	"gatecast/audio"
	"gatecast/audio/encode"
	"gatecast/audio/output"
	"gatecast/internal/officetest"
	"gatecast/internal/wire"
)

// newOptions returns options for an agent of office o that plays into files.
func newOptions(t *testing.T, o *officetest.Office) Options {
	t.Helper()
	opt := DefaultOptions()
	opt.DataDir = filepath.Join(t.TempDir(), "data")
	opt.Sink, opt.Device, opt.Volume = output.File, filepath.Join(t.TempDir(), "wav"), 0
	opt.ReportJitter, opt.FetchJitter, opt.Heartbeat = 0, 0, time.Minute
	opt.Version = "1.2.3"
	if testing.Verbose() {
		opt.Logger = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	if o != nil {
		code := fmt.Sprintf("CODE%04d", time.Now().UnixNano()%10000)
		o.AddCode(code)
		opt.JoinLine = fmt.Sprintf("gatecast-agent join %s %s %s", o.URL(), code, o.RootHash())
	}
	return opt
}

// startTestAgent enrols and starts an agent, which stops with the test.
func startTestAgent(t *testing.T, opt Options) *App {
	t.Helper()
	if err := Enrol(t.Context(), opt); err != nil {
		t.Fatal(err)
	}
	a, err := New(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Stop(context.Background()); err != nil {
			t.Errorf("stopping: %v", err)
		}
	})
	if err := a.Start(); err != nil {
		t.Fatal(err)
	}
	return a
}

// clipOf puts a clip of length into the office and returns its manifest entry.
func clipOf(t *testing.T, o *officetest.Office, length time.Duration) wire.ManifestClip {
	t.Helper()
	pcm := &audio.PCM{Format: audio.Format{Rate: 24000, Channels: 1}, Samples: make([]float32, int(length.Seconds()*24000))}
	for i := range pcm.Samples {
		pcm.Samples[i] = float32(0.3 * math.Sin(float64(i)/20))
	}
	data, err := encode.FLAC(pcm)
	if err != nil {
		t.Fatal(err)
	}
	return wire.ManifestClip{SHA256: o.Put(data), Title: "谨防冒充公检法", Bytes: int64(len(data)), Rate: 24000, Frames: int64(pcm.Frames())}
}

// planOf returns documents with one slot of count plays, the first at start.
func planOf(d wire.DeviceID, version uint64, start time.Time, count int, clips ...wire.ManifestClip) (wire.Plan, wire.Manifest) {
	now := wire.US(time.Now())
	p := wire.Plan{
		Header: wire.Header{Device: d, Version: version, IssuedUS: now}, Point: "SF-01", PointName: "松风苑南门", Zone: "Asia/Shanghai",
		FromS: start.Unix() - 60, HorizonS: start.Unix() + 60*86400, NeedLevel: wire.T1,
		Slots: []wire.PlanSlot{{
			ID: wire.SlotID(fmt.Sprintf("2026-11-23.demo.s%d", start.Unix())), Name: "早", StartS: start.Unix(), EndS: start.Unix() + 600,
			EveryS: 6, Count: count, Playlist: []int{0}, GraceS: 5,
		}},
	}
	m := wire.Manifest{Header: wire.Header{Version: version, IssuedUS: now}, Clips: clips, Ceilings: wire.Ceilings{
		Zone: "Asia/Shanghai", Allowed: []wire.DailyWindow{{LastMin: 1440}}, MaxGainDB: 24, MaxVolumePct: 80, MaxPlaysPerHour: 100, MaxClipS: 60,
	}}
	for _, c := range clips {
		p.Clips = append(p.Clips, c.SHA256)
	}
	return p, m
}

// soon returns a start that leaves a loaded machine time to take the plan.
func soon() time.Time { return time.Now().Add(5 * time.Second).Truncate(time.Second) }

// outcomes returns the outcomes that the office has committed, by play.
func outcomes(k officetest.Device) map[wire.PlayID]wire.Outcome {
	out := map[wire.PlayID]wire.Outcome{}
	for _, records := range k.Records {
		for _, r := range records {
			if r.Kind == wire.RecordOutcome {
				o := unmarshal[wire.Outcome](r.Body)
				out[o.Play] = o
			}
		}
	}
	return out
}

// TestAgentPlaysItsPlan is the whole journey: join, time, plan, clip, sound,
// record, ack.
func TestAgentPlaysItsPlan(t *testing.T) {
	t.Parallel()
	for _, inline := range []bool{true, false} {
		t.Run(fmt.Sprintf("inline_%v", inline), func(t *testing.T) {
			t.Parallel()
			o := officetest.New(t)
			o.StartBroker("")
			opt := newOptions(t, o)
			a := startTestAgent(t, opt)
			d := a.Device()
			k := o.Await(d, 10*time.Second, "hello", func(k officetest.Device) bool { return len(k.Hellos) > 0 })
			if h := k.Hellos[0]; h.Agent != "1.2.3" || h.State.Log == "" || h.State.PlanVersion != 0 {
				t.Errorf("hello = %+v", h)
			}
			clip := clipOf(t, o, 5*time.Second)
			p, m := planOf(d, 1, soon(), 2, clip)
			o.Send(o.Offer(p, m, inline))
			k = o.Await(d, 10*time.Second, "plan and clips", func(k officetest.Device) bool {
				s := k.States[len(k.States)-1]
				return s.PlanVersion == 1 && len(s.ClipsReady) == 1 && len(s.ClipsMissing) == 0
			})
			k = o.Await(d, 30*time.Second, "two outcomes", func(k officetest.Device) bool { return len(outcomes(k)) == 2 })
			for id, y := range outcomes(k) {
				off := wire.FromUS(y.StartedUS).Sub(wire.FromUS(y.PlannedUS))
				if y.Result != wire.PlayPlayed || !y.Demo || off.Abs() > 200*time.Millisecond || y.FramesPlayed != 120000 {
					t.Errorf("%s: %+v, started %s off", id, y, off)
				}
				if fi, err := os.Stat(y.Path); err != nil || fi.Size() < 120000*2 {
					t.Errorf("%s: WAV %q: %v", id, y.Path, err)
				}
			}
			s := o.Await(d, 5*time.Second, "a state after the play", func(k officetest.Device) bool {
				s := k.States[len(k.States)-1]
				return s.Playing == "" && s.Time.Level >= wire.T1 && s.Output.Demo
			})
			if n := s.States[len(s.States)-1].Conditions; len(n) > 1 {
				t.Errorf("conditions %+v", n)
			}
		})
	}
}

// TestAgentOutlivesTheController plays with the office gone and delivers
// every record once it is back, each exactly once.
func TestAgentOutlivesTheController(t *testing.T) {
	t.Parallel()
	o := officetest.New(t)
	addr := o.StartBroker("")
	a := startTestAgent(t, newOptions(t, o))
	d := a.Device()
	o.Await(d, 10*time.Second, "hello", func(k officetest.Device) bool { return len(k.Hellos) > 0 })
	clip := clipOf(t, o, 5*time.Second)
	start := soon()
	p, m := planOf(d, 1, start, 2, clip)
	o.Send(o.Offer(p, m, true))
	o.Await(d, 10*time.Second, "clips", func(k officetest.Device) bool { return len(k.States[len(k.States)-1].ClipsReady) == 1 })
	o.StopBroker()
	if got := len(outcomes(o.Know(d))); got != 0 {
		t.Fatalf("%d outcomes before the office went: the test is too slow", got)
	}
	deadline := time.After(time.Until(start) + 13*time.Second)
	<-deadline
	if got := len(outcomes(o.Know(d))); got != 0 {
		t.Fatalf("%d outcomes while the office was gone", got)
	}
	o.StartBroker(addr)
	k := o.Await(d, 30*time.Second, "two outcomes", func(k officetest.Device) bool { return len(outcomes(k)) == 2 })
	for id, y := range outcomes(k) {
		if y.Result != wire.PlayPlayed {
			t.Errorf("%s: %+v", id, y)
		}
	}
	if n := len(k.Records); n != 1 {
		t.Errorf("%d logs", n)
	}
	if h := k.Hellos; len(h) < 2 || h[len(h)-1].Session <= h[0].Session {
		t.Errorf("sessions of hellos do not grow: %d, %d", h[0].Session, h[len(h)-1].Session)
	}
	// The second answer finds a clock that had run on its own for the outage.
	k = o.Await(d, 10*time.Second, "drift", func(k officetest.Device) bool { return k.States[len(k.States)-1].Time.ComparedUS != 0 })
	if got := k.States[len(k.States)-1].Time; got.Level < wire.T1 || got.OffMS > 500 || got.OffMS < -500 || got.SpanS > 60 {
		t.Errorf("time = %+v, want a comparison after the outage", got)
	}
}

// TestAgentWithAStalePlan hears nothing for eight seconds, which its plan calls
// long: between the first play and the second it turns to the default clip.
func TestAgentWithAStalePlan(t *testing.T) {
	t.Parallel()
	o := officetest.New(t)
	o.StartBroker("")
	a := startTestAgent(t, newOptions(t, o))
	d := a.Device()
	o.Await(d, 10*time.Second, "hello", func(k officetest.Device) bool { return len(k.Hellos) > 0 })
	p, m := planOf(d, 1, soon(), 2, clipOf(t, o, 4*time.Second), clipOf(t, o, 3*time.Second))
	p.StaleS, p.Default = 8, p.Clips[1]
	o.Send(o.Offer(p, m, true))
	k := o.Await(d, 30*time.Second, "two outcomes", func(k officetest.Device) bool { return len(outcomes(k)) == 2 })
	for i, want := range []wire.Outcome{{Clip: p.Clips[0], SoundMS: 4000}, {Clip: p.Clips[1], SoundMS: 3000, Default: true}} {
		y := outcomes(k)[wire.PlayID(fmt.Sprintf("%s#%d", p.Slots[0].ID, i+1))]
		if y.Result != wire.PlayPlayed || y.Clip != want.Clip || y.SoundMS != want.SoundMS || y.Default != want.Default {
			t.Errorf("play %d: %+v, want clip %s of %d ms, default %v", i+1, y, want.Clip, want.SoundMS, want.Default)
		}
	}
	o.Await(d, 10*time.Second, "the condition", func(k officetest.Device) bool {
		return slices.ContainsFunc(k.States[len(k.States)-1].Conditions, func(c wire.Condition) bool { return c.Code == string(condition.PlanStale) })
	})
}

func TestAgentRestartsWhereItWas(t *testing.T) {
	t.Parallel()
	o := officetest.New(t)
	o.StartBroker("")
	opt := newOptions(t, o)
	a := startTestAgent(t, opt)
	d := a.Device()
	o.Await(d, 10*time.Second, "hello", func(k officetest.Device) bool { return len(k.Hellos) > 0 })
	p, m := planOf(d, 1, time.Now().Add(time.Hour), 1, clipOf(t, o, time.Second))
	o.Send(o.Offer(p, m, true))
	o.Await(d, 10*time.Second, "clips", func(k officetest.Device) bool { return len(k.States[len(k.States)-1].ClipsReady) == 1 })
	if err := a.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	k := o.Await(d, 5*time.Second, "leaving", func(k officetest.Device) bool { return !k.States[len(k.States)-1].Online })
	before := len(k.Hellos)
	startTestAgent(t, opt)
	k = o.Await(d, 10*time.Second, "second hello", func(k officetest.Device) bool { return len(k.Hellos) > before })
	h := k.Hellos[len(k.Hellos)-1]
	if h.State.PlanVersion != 1 || len(h.State.ClipsReady) != 1 || h.Session <= k.Hellos[0].Session || h.State.Log != k.Hellos[0].State.Log {
		t.Errorf("second hello = %+v", h)
	}
	k = o.Await(d, 10*time.Second, "second boot record", func(k officetest.Device) bool {
		boots := 0
		for _, r := range k.Records[h.State.Log] {
			if r.Kind == wire.RecordBoot {
				boots++
			}
		}
		return boots == 2
	})
	for seq, r := range k.Records[h.State.Log] {
		if r.Kind == wire.RecordBoot && seq > 2 && // the first is behind the first checkpoint
			!unmarshal[wire.Boot](r.Body).Clean {
			t.Errorf("boot %d is not clean after Stop", seq)
		}
	}
}

func TestCommandsReachTheSpeaker(t *testing.T) {
	t.Parallel()
	o := officetest.New(t)
	o.StartBroker("")
	opt := newOptions(t, o)
	a := startTestAgent(t, opt)
	d := a.Device()
	o.Await(d, 10*time.Second, "hello", func(k officetest.Device) bool { return len(k.Hellos) > 0 })
	// Without the signed ceilings nothing sounds; they come with a plan that has no slots.
	o.Send(o.Command(d, wire.Command{ID: "early", Counter: 1, Do: wire.DoTestTone}))
	k := o.Await(d, 15*time.Second, "result of the tone", func(k officetest.Device) bool { return len(k.Results) == 1 })
	if r := k.Results[0]; r.ID != "early" || r.OK || r.Text != wire.ToneNoCeilings {
		t.Errorf("tone before the ceilings: %+v", r)
	}
	none, ceilings := planOf(d, 1, soon(), 1, clipOf(t, o, time.Second))
	none.Slots, none.Clips, none.MaxVolumePct = nil, nil, 30
	o.Send(o.Offer(none, ceilings, true))
	o.Await(d, 10*time.Second, "the plan without slots", func(k officetest.Device) bool { return k.States[len(k.States)-1].PlanVersion == 1 })
	o.Send(o.Command(d, wire.Command{ID: "tone", Counter: 2, Do: wire.DoTestTone}))
	k = o.Await(d, 15*time.Second, "result of the tone", func(k officetest.Device) bool { return len(k.Results) == 2 })
	if r := k.Results[1]; r.ID != "tone" || !r.OK {
		t.Errorf("tone: %+v", r)
	}
	if c, ok := a.ceilings(); !ok || c.MaxVolumePct != 30 || a.speaker.allowed() > 30 {
		t.Errorf("the speaker may go to %d of %+v, want the point's own 30", a.speaker.allowed(), c)
	}
	if wavs, _ := filepath.Glob(filepath.Join(opt.Device, "*.wav")); len(wavs) != 1 {
		t.Errorf("WAVs after the tone: %q", wavs)
	}
	// A play that is on is stopped; a tone meanwhile is refused.
	clip := clipOf(t, o, 20*time.Second)
	p, m := planOf(d, 2, soon(), 1, clip)
	o.Send(o.Offer(p, m, true))
	o.Await(d, 15*time.Second, "playing", func(k officetest.Device) bool { return k.States[len(k.States)-1].Playing != "" })
	o.Send(o.Command(d, wire.Command{ID: "tone2", Counter: 3, Do: "test_tone"}))
	o.Send(o.Command(d, wire.Command{ID: "stop", Counter: 4, Do: "stop"}))
	o.Send(o.Command(d, wire.Command{ID: "old", Counter: 4, Do: "test_tone"}))
	k = o.Await(d, 10*time.Second, "results", func(k officetest.Device) bool { return len(k.Results) == 4 })
	if k.Results[2].OK || !k.Results[3].OK || k.Results[3].ID != "stop" {
		t.Errorf("results %+v", k.Results)
	}
	k = o.Await(d, 10*time.Second, "outcome", func(k officetest.Device) bool { return len(outcomes(k)) == 1 })
	for _, y := range outcomes(k) {
		if y.Result == wire.PlayPlayed || y.Reason != wire.ReasonStopped {
			t.Errorf("outcome %+v", y)
		}
	}
}

// TestRevokedDeviceFallsSilent revokes a device while it plays: the sound ends,
// nothing follows, also after a restart.
func TestRevokedDeviceFallsSilent(t *testing.T) {
	t.Parallel()
	o := officetest.New(t)
	addr := o.StartBroker("")
	opt := newOptions(t, o)
	a := startTestAgent(t, opt)
	d := a.Device()
	o.Await(d, 10*time.Second, "hello", func(k officetest.Device) bool { return len(k.Hellos) > 0 })
	p, m := planOf(d, 1, soon(), 3, clipOf(t, o, 50*time.Second))
	p.Slots[0].EveryS = 60
	o.Send(o.Offer(p, m, true))
	o.Await(d, 20*time.Second, "playing", func(k officetest.Device) bool { return k.States[len(k.States)-1].Playing != "" })
	asked := make(chan struct{}, 1)
	o.Before(func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != wire.PathRevoked {
			return false
		}
		_, _ = w.Write(o.Seal(wire.Revocation{Header: wire.Header{Type: wire.DocRevoked, Device: d, Version: 1}}, o.Director))
		select {
		case asked <- struct{}{}:
		default:
		}
		return true
	})
	o.StopBroker()
	<-asked
	o.StartBroker(addr)
	k := o.Await(d, 60*time.Second, "the outcome and the condition", func(k officetest.Device) bool {
		s := k.States[len(k.States)-1]
		return len(outcomes(k)) == 1 && s.Playing == "" && s.PlanVersion == 0 &&
			slices.ContainsFunc(s.Conditions, func(c wire.Condition) bool { return c.Code == string(condition.DeviceRevoked) })
	})
	for _, y := range outcomes(k) {
		if y.Result == wire.PlayPlayed || y.Reason != wire.ReasonStopped {
			t.Errorf("outcome %+v", y)
		}
	}
	if err := a.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	b, err := New(opt)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, _, ok := b.plans.Current(); ok {
		t.Error("the plan is back after a restart")
	}
	if err := b.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestLifecycle(t *testing.T) {
	t.Parallel()
	o := officetest.New(t)
	o.StartBroker("")
	opt := newOptions(t, o)
	if _, err := New(opt); !errors.Is(err, enrol.ErrNotEnrolled) {
		t.Errorf("New before enrolment: %v, want %v", err, enrol.ErrNotEnrolled)
	}
	a := startTestAgent(t, opt)
	if err := a.Start(); err != nil {
		t.Errorf("second Start: %v", err)
	}
	if _, err := New(opt); !errors.Is(err, journal.ErrInUse) {
		t.Errorf("second agent on the same folder: %v, want %v", err, journal.ErrInUse)
	}
	if err := a.Alive(); err != nil {
		t.Errorf("Alive: %v", err)
	}
	began := time.Now()
	for range 2 {
		if err := a.Stop(t.Context()); err != nil {
			t.Errorf("Stop: %v", err)
		}
	}
	if d := time.Since(began); d > StopTimeout {
		t.Errorf("stopping took %s", d)
	}
	if a.Start() == nil {
		t.Error("Start after Stop succeeded")
	}
	b, err := New(opt)
	if err != nil {
		t.Fatalf("New after Stop: %v", err)
	}
	if b.Alive() == nil {
		t.Error("an agent that was not started is alive")
	}
	if err := b.Stop(t.Context()); err != nil {
		t.Errorf("Stop before Start: %v", err)
	}
}

// TestNewRollsBack spoils one folder at a time; each time New must release
// what it took, so that the next one succeeds.
func TestNewRollsBack(t *testing.T) {
	t.Parallel()
	o := officetest.New(t)
	opt := newOptions(t, o)
	if err := Enrol(t.Context(), opt); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"time", "journal", "plan", "clips", "link"} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(opt.DataDir, name)
			if err := os.RemoveAll(dir); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(dir, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := New(opt); err == nil {
				t.Fatal("New succeeded with a file in the way")
			}
			if err := os.Remove(dir); err != nil {
				t.Fatal(err)
			}
			a, err := New(opt)
			if err != nil {
				t.Fatalf("New after the fault: %v", err)
			}
			if err := a.Stop(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("output", func(t *testing.T) {
		bad := opt
		bad.OpenOutput = func(int) (output.Sink, error) { return nil, errors.New("no such sink") }
		if _, err := New(bad); err == nil || !strings.Contains(err.Error(), "no such sink") {
			t.Errorf("New = %v", err)
		}
		a, err := New(opt)
		if err != nil {
			t.Fatal(err)
		}
		if err := a.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestRunEnrolsFromAFileAndStops(t *testing.T) {
	t.Parallel()
	o := officetest.New(t)
	o.StartBroker("")
	opt := newOptions(t, o)
	file := filepath.Join(t.TempDir(), "join.txt")
	if err := os.WriteFile(file, []byte("# 松风苑南门\r\n"+opt.JoinLine+"\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	opt.JoinLine, opt.JoinFiles = "", []string{filepath.Join(t.TempDir(), "none"), file}
	ctx, cancel := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	ready := make(chan *App, 1)
	go func() { ran <- Run(ctx, opt, func(a *App) { ready <- a }) }()
	select {
	case <-ready:
	case err := <-ran:
		t.Fatalf("Run ended: %v", err)
	}
	if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the used join file is still there: %v", err)
	}
	cancel()
	if err := <-ran; err != nil {
		t.Errorf("Run = %v", err)
	}
	// The daemon may not have been allowed to: root does it before the next start.
	if err := os.WriteFile(file, []byte("https://10.0.0.1:8444 ABCDE-FGHJK"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Tidy(opt); err != nil {
		t.Errorf("Tidy = %v", err)
	}
	if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("after Tidy the join file is still there: %v", err)
	}
}

func TestEnrolGivesUpOnARefusalOnly(t *testing.T) {
	t.Parallel()
	o := officetest.New(t)
	opt := newOptions(t, o)
	opt.JoinLine = strings.Replace(opt.JoinLine, "CODE", "XXXX", 1)
	if err := Enrol(t.Context(), opt); enrol.TextOf(err, "en") == "" {
		t.Errorf("Enrol with an unknown code: %v", err)
	}
	// Nobody listens at first: the agent waits for the controller.
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
	opt.JoinLine = fmt.Sprintf("https://%s CODE1234 %s", ln.Addr(), o.RootHash())
	ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
	defer cancel()
	if err := Enrol(ctx, opt); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Enrol with nobody there = %v, want it to go on trying", err)
	}
}

func TestInspectWhileRunning(t *testing.T) {
	t.Parallel()
	o := officetest.New(t)
	o.StartBroker("")
	opt := newOptions(t, o)
	a := startTestAgent(t, opt)
	d := a.Device()
	o.Await(d, 10*time.Second, "hello", func(k officetest.Device) bool { return len(k.Hellos) > 0 })
	next := time.Now().Add(time.Hour).Truncate(time.Second)
	p, m := planOf(d, 3, next, 1, clipOf(t, o, time.Second))
	o.Send(o.Offer(p, m, true))
	o.Await(d, 10*time.Second, "clips", func(k officetest.Device) bool { return len(k.States[len(k.States)-1].ClipsReady) == 1 })
	s, err := Inspect(opt.DataDir)
	if err != nil {
		t.Fatal(err)
	}
	if s.Running != os.Getpid() || !s.Enrolled || s.Device != d || s.Point != "SF-01" || s.PlanVersion != 3 ||
		s.ClipsReady != 1 || len(s.ClipsMissing) != 0 || s.Last == 0 || s.NextPlay == nil || !s.NextPlay.Equal(next) || len(s.Problems) != 0 {
		t.Errorf("Inspect = %+v", s)
	}
}

func TestRenewalDue(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	tests := map[string]struct {
		now                time.Time
		trusted, connected bool
		want               bool
	}{
		"early":               {at.Add(-1), true, true, false},
		"late":                {at, true, true, true},
		"late_and_cut_off":    {at, true, false, true},
		"no_time_but_a_link":  {at.Add(time.Hour), false, true, false},
		"no_time_and_no_link": {at.Add(-time.Hour), false, false, true},
		"early_and_no_link":   {at.Add(-time.Hour), true, false, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := renewalDue(tt.now, tt.trusted, tt.connected, at); got != tt.want {
				t.Errorf("renewalDue = %v, want %v", got, tt.want)
			}
		})
	}
}

func TestOptionsAreValidated(t *testing.T) {
	t.Parallel()
	tests := map[string]func(*Options){
		"DataDir":      func(o *Options) { o.DataDir = "" },
		"Version":      func(o *Options) { o.Version = "" },
		"Sink":         func(o *Options) { o.Sink = "horn" },
		"Device":       func(o *Options) { o.Device = "" },
		"Volume":       func(o *Options) { o.Volume = 101 },
		"LeadIn":       func(o *Options) { o.LeadIn = time.Minute },
		"ReportJitter": func(o *Options) { o.ReportJitter = -1 },
		"FetchJitter":  func(o *Options) { o.FetchJitter = -1 },
		"Heartbeat":    func(o *Options) { o.Heartbeat = 0 },
		"Host":         func(o *Options) { o.Host = "https://x" },
	}
	for name, spoil := range tests {
		t.Run(name, func(t *testing.T) {
			o := newOptions(t, nil)
			spoil(&o)
			if _, err := New(o); err == nil || !strings.Contains(err.Error(), "Options."+name+" ") {
				t.Errorf("New = %v, want an error that names Options.%s", err, name)
			}
		})
	}
}
