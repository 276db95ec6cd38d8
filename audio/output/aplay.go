package output

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"gatecast/audio"
)

const (
	aplayBuffer = 300 * time.Millisecond // aplay's ring buffer
	aplayPeriod = 20 * time.Millisecond  // its unit of writing; it pads the last one
	// aplayAhead is how long before a start aplay is run: it opens the device
	// and waits for samples.
	aplayAhead = 1500 * time.Millisecond
	// aplayLead is the silence that runs before a clip. The device's clock
	// counts it, so that a busy machine at the instant delays nothing.
	aplayLead = 700 * time.Millisecond
	// aplayPatience is how long aplay may take to open its device.
	aplayPatience = 5 * time.Second
)

// aplaySink plays through Debian's aplay, for devices that only libasound
// knows: plug, dmix, a plug-in of the user's. The process is held open by its
// pipe; what it says and how it ends is all that is known of the device.
type aplaySink struct {
	device string
	o      Options
	life   lifetime

	mu   sync.Mutex // held by Prepare and Play
	proc *aplayProcess
	fmt  audio.Format // proc is prepared for
}

var _ Sink = (*aplaySink)(nil)

func openAPlay(device string, o Options) (*aplaySink, error) {
	if device == "" {
		device = "default"
	}
	if strings.HasPrefix(device, "-") {
		return nil, fmt.Errorf("aplay device %q: a name cannot begin with a dash", device)
	}
	if o.Program == "" {
		o.Program = "aplay"
	}
	return &aplaySink{device: device, o: o}, nil
}

// Prepare runs aplay, which opens the device and waits, and sets the mixer of
// the card where the device's name says which that is.
func (s *aplaySink) Prepare(ctx context.Context, format audio.Format) error {
	if !s.mu.TryLock() {
		return ErrPlaying
	}
	defer s.mu.Unlock()
	if s.life.ended() {
		return ErrClosed
	}
	if err := checkSource(format, 1); err != nil {
		return err
	}
	return s.prepare(ctx, format)
}

func (s *aplaySink) prepare(ctx context.Context, format audio.Format) error {
	if s.proc != nil {
		if s.fmt == format && !s.proc.ended() {
			return nil
		}
		s.release()
	}
	mixer, muted, err := cardMixer(s.device, s.o)
	if err != nil {
		return err
	}
	if muted {
		return &Fault{Code: Silenced, Device: s.device, Err: errors.New(mixer)}
	}
	p, err := startAPlay(s.o.Program, s.device, format.Rate, min(2, format.Channels))
	if err != nil {
		return err
	}
	s.proc, s.fmt = p, format
	if err := p.opened(ctx); err != nil {
		s.release()
		return err
	}
	s.o.Logger.Debug("aplay prepared", slog.String("device", s.device), slog.String("mixer", mixer))
	return nil
}

func (s *aplaySink) release() {
	if s.proc != nil {
		s.proc.kill()
		s.proc = nil
	}
}

// Play plays src and ends the process.
func (s *aplaySink) Play(ctx context.Context, at time.Time, src audio.Source) (Report, error) {
	r := Report{Sink: APlay, Device: s.device, Frames: src.Frames(), End: Refused}
	if !s.mu.TryLock() {
		return r, ErrPlaying
	}
	defer s.mu.Unlock()
	defer s.release()
	ctx, cancel := s.life.bind(ctx)
	defer cancel()
	if err := checkSource(src.Format(), src.Frames()); err != nil {
		return r, err
	}
	if err := waitUntil(ctx, at.Add(-aplayAhead)); err != nil {
		r.End = Cancelled
		return r, err
	}
	if err := s.prepare(ctx, src.Format()); err != nil {
		if f, ok := errors.AsType[*Fault](err); ok && f.Code == Silenced {
			r.Muted, r.Mixer = true, f.Err.Error()
		}
		if context.Cause(ctx) != nil {
			r.End = Cancelled
		}
		return r, err
	}
	f, err := newFeed(src, src.Format().Rate, min(2, src.Format().Channels), s16)
	if err == nil {
		err = f.prefetch(f.rate / 2)
	}
	if err == nil {
		err = waitUntil(ctx, at.Add(-aplayLead))
	}
	if err == nil {
		r.Mixer, r.Muted, _ = readCardMixer(s.device)
		err = s.run(ctx, at, f, &r)
	}
	if f, ok := errors.AsType[*Fault](err); ok && f.Device == "" {
		f.Device = s.device
	}
	if err != nil && context.Cause(ctx) != nil {
		r.End = Cancelled
	}
	return r, err
}

// run feeds the waiting aplay silence up to the instant and then the clip, and
// waits for its end.
func (s *aplaySink) run(ctx context.Context, at time.Time, f *feed, r *Report) error {
	began := time.Now()
	lead := framesIn(at.Sub(began), f.rate)
	r.StartedAt = began.Add(lead.Duration(f.rate))
	stop := context.AfterFunc(ctx, s.proc.kill)
	defer stop()
	werr := s.write(f, lead, r)
	s.proc.stdin.Close()
	exit := s.proc.wait()
	ended := time.Now()
	if ended.Before(r.StartedAt) { // it swallowed the silence too
		r.StartedAt = began
	}
	r.Elapsed = ended.Sub(r.StartedAt)
	sounded := min(r.FramesWritten, f.inSource(framesIn(r.Elapsed, f.rate)))
	r.Underruns = s.proc.underruns()
	m, muted, merr := readCardMixer(s.device)
	if merr == nil && (muted || !r.Muted) {
		r.Mixer, r.Muted = m, muted
	}
	switch {
	case context.Cause(ctx) != nil:
		r.End, r.FramesPlayed = Cancelled, sounded
		return context.Cause(ctx)
	case exit != nil:
		r.End, r.FramesPlayed = Lost, sounded
		return exit
	case werr != nil:
		r.End, r.FramesPlayed = Lost, sounded
		return werr
	case r.Elapsed < 9*f.clip.Duration(f.rate)/10:
		r.End, r.FramesPlayed = Refused, 0
		return &Fault{Code: Unpaced, Device: s.device, Err: fmt.Errorf("took %v for %v", r.Elapsed, f.clip.Duration(f.rate))}
	}
	if r.End, r.FramesPlayed = Drained, r.Frames; r.Underruns > 0 {
		r.End = Underrun
	}
	return nil
}

// write hands aplay the silence and the clip as fast as it takes them.
func (s *aplaySink) write(f *feed, lead audio.Frames, r *Report) error {
	const block = 4096
	buf := make([]byte, 0, block*f.frameBytes())
	for lead > 0 || !f.done() {
		n := min(lead, block)
		buf = f.silence(buf[:0], int(n))
		lead -= n
		if lead == 0 {
			var err error
			if buf, err = f.next(buf, block-int(n)); err != nil {
				return err
			}
		}
		if _, err := s.proc.stdin.Write(buf); err != nil {
			return &Fault{Code: Gone, Device: s.device, Err: err}
		}
		r.FramesWritten = f.inSource(f.given)
	}
	return nil
}

// Device says which device the sink plays to, and runs nothing: whether it
// opens is seen by Prepare.
func (s *aplaySink) Device() (Device, error) {
	d := Device{Sink: APlay, Name: s.device}
	if _, err := exec.LookPath(s.o.Program); err != nil {
		return d, &Fault{Code: NoTool, Device: s.o.Program, Err: err}
	}
	var err error
	d.Mixer, d.Muted, err = readCardMixer(s.device)
	if err == nil && d.Muted && s.o.KeepMixer {
		err = &Fault{Code: Silenced, Device: s.device, Err: errors.New(d.Mixer)}
	}
	return d, err
}

// Close ends a running play as Cancelled, waits for it and ends aplay.
func (s *aplaySink) Close() error {
	s.life.end()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.release()
	return nil
}

// aplayFault names the fault behind what aplay printed at its end.
func aplayFault(device, said string, exit error) error {
	code := Gone
	low := strings.ToLower(said)
	switch {
	case strings.Contains(low, "busy"):
		code = Busy
	case strings.Contains(low, "permission denied"):
		code = Denied
	case strings.Contains(low, "connection refused"), strings.Contains(low, "unable to connect"):
		code = NoServer
	case strings.Contains(low, "open error"), strings.Contains(low, "unknown pcm"):
		code = Absent
	case strings.Contains(low, "not available"), strings.Contains(low, "not accurate"):
		code = Unsupported
	}
	return &Fault{Code: code, Device: device, Err: fmt.Errorf("aplay: %w: %s", exit, strings.TrimSpace(said))}
}

// processEnd describes the end of a process that a signal or an error ended.
func processEnd(state *os.ProcessState) error {
	if state == nil || state.Success() {
		return nil
	}
	if w, ok := state.Sys().(syscall.WaitStatus); ok && w.Signaled() {
		return fmt.Errorf("ended by %v", w.Signal())
	}
	return fmt.Errorf("exit code %d", state.ExitCode())
}
