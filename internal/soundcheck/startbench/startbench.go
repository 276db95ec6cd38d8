// Package startbench measures how far from the planned instant a play begins:
// ours through the pulse sink, beside mpg123 and aplay started at the tick, all
// into the same sink of a private sound server and all timed in one recording
// of it.
package startbench

import (
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
	"runtime"
	"slices"
	"sync"
	"time"

	"gatecast/audio"
	"gatecast/audio/output"
	"gatecast/internal/soundcheck"
)

// Goals of the project for our own starts, and how many times better than the
// other players they shall be.
const (
	GoalIdle   = 2 * time.Millisecond
	GoalLoaded = 10 * time.Millisecond
	GoalRatio  = 20
)

// Options says what to measure. The zero value measures 200 plays of each on
// an otherwise idle machine.
type Options struct {
	Plays    int               // of each player and phase; 0 means 200
	Load     bool              // measure again with every core loaded
	Progress func(what string) // told now and then; may be nil
}

// Starts are the start errors of one player in one phase: absolute values,
// except Median, which keeps its sign.
type Starts struct {
	Player  string        `json:"player"`
	Plays   int           `json:"plays"`   // found in the recording
	Missing int           `json:"missing"` // planned and not found, or failed
	Median  time.Duration `json:"median_ns"`
	P50     time.Duration `json:"p50_ns"`
	P99     time.Duration `json:"p99_ns"`
	Max     time.Duration `json:"max_ns"`
}

// Phase is one pass over all players.
type Phase struct {
	Name   string   `json:"name"` // "idle" or "loaded"
	Starts []Starts `json:"starts"`
}

// Result is what Run measured.
type Result struct {
	Phases []Phase `json:"phases"`
}

// sink is the name of the server's one sink.
const sink = "bench"

// Run measures for some 1.6 s a play and phase. Players that are not installed
// are left out; without PulseAudio there is nothing to measure, which is an
// error.
func Run(ctx context.Context, o Options) (Result, error) {
	if o.Plays <= 0 {
		o.Plays = 200
	}
	if o.Progress == nil {
		o.Progress = func(string) {}
	}
	for _, p := range soundcheck.Programs {
		if _, err := exec.LookPath(p); err != nil {
			return Result{}, fmt.Errorf("measuring needs %s: %w", p, err)
		}
	}
	dir, err := os.MkdirTemp("", "gcbench")
	if err != nil {
		return Result{}, err
	}
	defer os.RemoveAll(dir)
	server, err := soundcheck.Start(ctx, dir, sink)
	if err != nil {
		return Result{}, err
	}
	defer server.Stop()
	players, err := newPlayers(dir, server)
	if err != nil {
		return Result{}, err
	}
	var r Result
	for _, name := range []string{"idle", "loaded"} {
		if name == "loaded" && !o.Load {
			break
		}
		phase, err := measure(ctx, name, o, server, players)
		if err != nil {
			return r, err
		}
		r.Phases = append(r.Phases, phase)
	}
	return r, nil
}

// player begins a clip at an instant. Its offset is when in a round that is.
type player struct {
	name   string
	clip   *audio.PCM
	offset time.Duration
	play   func(ctx context.Context, at time.Time) error
}

// The course of a round. Our sink is called first, as the agent calls it, and
// prepares beside the others' sounds.
const (
	round      = 1600 * time.Millisecond
	mpg123At   = 150 * time.Millisecond
	aplayAt    = 650 * time.Millisecond
	gatecastAt = 1350 * time.Millisecond
	playLead   = 450 * time.Millisecond // before its instant our sink is told to play
	// block is how much the sink takes at a time, which the recording asks for:
	// a stream that begins in the middle of one sounds from the next on. The
	// instants are strewn over it.
	block = 5 * time.Millisecond
	// latest is the largest error that is looked for: before the next round.
	latest = round - 250*time.Millisecond
)

func newPlayers(dir string, server *soundcheck.Server) ([]player, error) {
	ours := sweep(500, 2000)
	k, err := output.Open(output.Pulse, sink, output.Options{Server: server.Address})
	if err != nil {
		return nil, err
	}
	players := []player{{"gatecast", ours, gatecastAt, func(ctx context.Context, at time.Time) error {
		// As the agent does it: the device first, the intent on disk, the play.
		if err := k.Prepare(ctx, ours.Format); err != nil {
			return err
		}
		if err := sleepUntil(ctx, at.Add(-playLead)); err != nil {
			return err
		}
		r, err := k.Play(ctx, at, &source{pcm: ours})
		if err == nil && r.End != output.Drained {
			err = fmt.Errorf("ended as %s", r.End)
		}
		return err
	}}}
	if p, err := newMPG123(dir, server); err == nil {
		players = append(players, p)
	}
	if p, err := newAPlay(dir, server); err == nil {
		players = append(players, p)
	}
	return players, nil
}

// newMPG123 makes an MP3 of its sweep. What the coder puts before the first
// sample is no start error of the player: the clip to look for is what mpg123
// itself decodes.
func newMPG123(dir string, server *soundcheck.Server) (player, error) {
	wav, mp3, decoded := filepath.Join(dir, "m.wav"), filepath.Join(dir, "m.mp3"), filepath.Join(dir, "decoded.wav")
	if err := writeWAV(wav, sweep(4500, 2500)); err != nil {
		return player{}, err
	}
	for _, args := range [][]string{
		{"lame", "--quiet", "-b", "192", wav, mp3},
		{"mpg123", "-q", "-w", decoded, mp3},
	} {
		if err := exec.Command(args[0], args[1:]...).Run(); err != nil {
			return player{}, fmt.Errorf("preparing mpg123: %w", err)
		}
	}
	clip, err := soundcheck.ReadWAV(decoded)
	if err != nil {
		return player{}, err
	}
	return player{"mpg123", clip, mpg123At, func(ctx context.Context, at time.Time) error {
		return atTheTick(ctx, at, server.Command("mpg123", "-q", "-o", "pulse", "-a", sink, mp3))
	}}, nil
}

func newAPlay(dir string, server *soundcheck.Server) (player, error) {
	clip, wav, conf := sweep(5000, 8000), filepath.Join(dir, "a.wav"), filepath.Join(dir, "asound.conf")
	text := fmt.Sprintf("</usr/share/alsa/alsa.conf>\npcm.%s { type pulse server %q device %q }\n", sink, server.Address, sink)
	if err := errors.Join(writeWAV(wav, clip), os.WriteFile(conf, []byte(text), 0o600)); err != nil {
		return player{}, err
	}
	command := func() *exec.Cmd {
		c := server.Command("aplay", "-q", "-D", sink, wav)
		c.Env = append(c.Env, "ALSA_CONFIG_PATH="+conf)
		return c
	}
	if err := command().Run(); err != nil {
		return player{}, fmt.Errorf("preparing aplay: %w", err)
	}
	return player{"aplay", clip, aplayAt, func(ctx context.Context, at time.Time) error {
		return atTheTick(ctx, at, command())
	}}, nil
}

// atTheTick starts the command at the instant, as cron would if it were exact.
func atTheTick(ctx context.Context, at time.Time, cmd *exec.Cmd) error {
	if err := sleepUntil(ctx, at); err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = cmd.Process.Kill() })
	defer stop()
	return cmd.Wait()
}

func sleepUntil(ctx context.Context, at time.Time) error {
	tick := time.NewTimer(time.Until(at))
	defer tick.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-tick.C:
		return nil
	}
}

// measure runs one phase and then looks its sounds up in the recording.
func measure(ctx context.Context, name string, o Options, server *soundcheck.Server, players []player) (Phase, error) {
	if name == "loaded" {
		stop, err := loadEveryCore()
		if err != nil {
			return Phase{}, err
		}
		defer stop()
	}
	t, err := listen(server, sink)
	if err != nil {
		return Phase{}, err
	}
	defer t.close()
	jitter := rand.New(rand.NewPCG(1, uint64(len(name))))
	planned := make([][]time.Time, len(players))
	failed := make([]int, len(players))
	base := time.Now().Add(500 * time.Millisecond)
	for i := range o.Plays {
		if i%25 == 0 {
			o.Progress(fmt.Sprintf("%s: %d/%d", name, i, o.Plays))
		}
		var all sync.WaitGroup
		errs := make([]error, len(players))
		for k, p := range players {
			at := base.Add(p.offset + time.Duration(jitter.Int64N(int64(block))))
			planned[k] = append(planned[k], at)
			all.Go(func() { errs[k] = p.play(ctx, at) })
		}
		if err := t.watch(ctx, base.Add(round)); err != nil {
			all.Wait()
			return Phase{}, err
		}
		all.Wait()
		for k, err := range errs {
			if err != nil {
				failed[k]++
				o.Progress(fmt.Sprintf("%s: %v", players[k].name, err))
			}
		}
		base = base.Add(round)
		if now := time.Now(); base.Before(now) {
			base = now
		}
	}
	if err := t.watch(ctx, time.Now().Add(latest)); err != nil {
		return Phase{}, err
	}
	phase := Phase{Name: name}
	for k, p := range players {
		s, err := lookUp(t, p, planned[k])
		if err != nil {
			return phase, err
		}
		phase.Starts = append(phase.Starts, s)
	}
	return phase, nil
}

// watch takes marks until the instant.
func (t *tap) watch(ctx context.Context, until time.Time) error {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for time.Now().Before(until) {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
			if err := t.ask(); err != nil {
				return err
			}
		}
	}
	return nil
}

func lookUp(t *tap, p player, planned []time.Time) (Starts, error) {
	s := Starts{Player: p.name}
	var signed, size []time.Duration
	for _, at := range planned {
		found, ok, err := t.find(p.clip, at, latest)
		if err != nil {
			return s, err
		}
		if !ok {
			s.Missing++
			continue
		}
		signed, size = append(signed, found.Sub(at)), append(size, found.Sub(at).Abs())
	}
	if s.Plays = len(size); s.Plays == 0 {
		return s, nil
	}
	slices.Sort(signed)
	slices.Sort(size)
	s.Median, s.P50 = signed[len(signed)/2], size[len(size)/2]
	s.P99, s.Max = size[(len(size)*99+99)/100-1], size[len(size)-1]
	return s, nil
}

// loadEveryCore starts one busy process for each core.
func loadEveryCore() (stop func(), err error) {
	var all []*exec.Cmd
	stop = func() {
		for _, c := range all {
			_ = c.Process.Kill()
			_ = c.Wait()
		}
	}
	for range runtime.NumCPU() {
		c := exec.Command("sh", "-c", "while :; do :; done")
		if err := c.Start(); err != nil {
			stop()
			return nil, fmt.Errorf("loading the cores: %w", err)
		}
		all = append(all, c)
	}
	return stop, nil
}

// sweep is 100 ms from one frequency to another: found to the sample, also
// after an MP3 coder.
func sweep(from, to float64) *audio.PCM {
	const n = soundcheck.Rate / 10
	p := &audio.PCM{Format: audio.Format{Rate: soundcheck.Rate, Channels: 1}}
	for i := range n {
		x := float64(i) / n
		phase := 2 * math.Pi * (from*x + (to-from)*x*x/2) * n / soundcheck.Rate
		edge := math.Min(1, 40*math.Min(x, 1-x))
		p.Samples = append(p.Samples, float32(0.3*edge*math.Sin(phase)))
	}
	return p
}

// source yields a PCM once.
type source struct {
	pcm *audio.PCM
	pos int
}

func (s *source) Format() audio.Format { return s.pcm.Format }
func (s *source) Frames() audio.Frames { return s.pcm.Frames() }
func (s *source) Read(dst []float32) (int, error) {
	if s.pos >= len(s.pcm.Samples) {
		return 0, io.EOF
	}
	n := copy(dst, s.pcm.Samples[s.pos:])
	s.pos += n
	return n, nil
}

// writeWAV writes a mono clip for the other players.
func writeWAV(name string, p *audio.PCM) error {
	b := []byte("RIFF\x00\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00")
	b = binary.LittleEndian.AppendUint32(b, uint32(p.Rate))
	b = binary.LittleEndian.AppendUint32(b, uint32(p.Rate)*2)
	b = append(b, "\x02\x00\x10\x00data"...)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(p.Samples)*2))
	for _, v := range p.Samples {
		b = binary.LittleEndian.AppendUint16(b, uint16(int16(v*32767)))
	}
	binary.LittleEndian.PutUint32(b[4:], uint32(len(b)-8))
	return os.WriteFile(name, b, 0o600)
}
