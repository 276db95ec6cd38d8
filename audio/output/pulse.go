package output

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/jfreymuth/pulse/proto"

	"gatecast/audio"
)

const (
	// pulseBuffer is how much sound the server holds of our stream: longer than
	// a busy machine keeps us from running.
	pulseBuffer = time.Second
	// pulseLead is how much of it is filled before the clip is placed; the
	// clip's place is fixed this long before its instant, and a bit.
	pulseLead = 250 * time.Millisecond
	// pulseAhead is how long before a start Play prepares by itself: the stream
	// runs silent, so that the server's latency has settled when the clip is
	// placed.
	pulseAhead = 1200 * time.Millisecond
)

// pulseSink plays to one sink of a PulseAudio server, or of PipeWire's. The
// stream is bound to that sink and checked against it to the end: left to
// itself, a server moves a stream to whatever sink remains and reports a clean
// drain.
type pulseSink struct {
	device string // a sink's name; empty is the server's default
	o      Options
	life   lifetime

	mu  sync.Mutex // held by Prepare and Play
	st  *pulseStream
	fmt audio.Format // st is prepared for
}

var _ Sink = (*pulseSink)(nil)

func openPulse(device string, o Options) (*pulseSink, error) {
	if strings.ContainsAny(device, " \t\n") {
		return nil, fmt.Errorf("sound server's sink %q: a name has no blanks; see \"pactl list short sinks\"", device)
	}
	return &pulseSink{device: device, o: o}, nil
}

// Prepare connects, checks the sink, sets its mixer and lets a stream play
// silence until the clip.
func (s *pulseSink) Prepare(_ context.Context, format audio.Format) error {
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
	return s.prepare(format)
}

func (s *pulseSink) prepare(format audio.Format) error {
	if s.st != nil {
		if s.fmt == format && s.st.check() == nil {
			return nil
		}
		s.release()
	}
	st, err := newPulseStream(s.device, s.o)
	if err != nil {
		return err
	}
	s.st, s.fmt = st, format
	s.o.Logger.Debug("sound server prepared", slog.String("device", st.name),
		slog.Int("rate", st.rate), slog.Int("channels", st.channels), slog.String("mixer", st.mixer))
	return nil
}

func (s *pulseSink) release() {
	if s.st != nil {
		s.st.close()
		s.st = nil
	}
}

// Play plays src and closes the stream.
func (s *pulseSink) Play(ctx context.Context, at time.Time, src audio.Source) (Report, error) {
	r := Report{Sink: Pulse, Device: s.device, Frames: src.Frames(), End: Refused}
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
	if err := waitUntil(ctx, at.Add(-pulseAhead)); err != nil {
		r.End = Cancelled
		return r, err
	}
	err := s.prepare(src.Format())
	if err == nil {
		r.Device, r.Mixer, r.Muted = s.st.name, s.st.mixer, s.st.muted
		var f *feed
		if f, err = newFeed(src, s.st.rate, s.st.channels, s16); err == nil {
			p := &pulsePlay{st: s.st, feed: f, report: &r}
			err = p.play(ctx, at)
		}
	}
	if f, ok := errors.AsType[*Fault](err); ok {
		if f.Device == "" {
			f.Device = r.Device
		}
		if f.Code == Silenced {
			r.Device, r.Muted, r.Mixer = f.Device, true, f.Err.Error()
		}
	}
	return r, err
}

// Device says which sink a play would go to now and how its mixer stands.
func (s *pulseSink) Device() (Device, error) {
	d := Device{Sink: Pulse, Name: s.device}
	c, err := dialPulse(s.o.Server)
	if err != nil {
		return d, err
	}
	defer c.close()
	info, err := findSink(c, s.device)
	if err != nil {
		return d, err
	}
	d.Name = sinkName(info)
	d.Mixer, d.Muted = sinkMixer(info)
	if d.Muted && s.o.KeepMixer {
		return d, &Fault{Code: Silenced, Device: d.Name, Err: errors.New(d.Mixer)}
	}
	return d, nil
}

// Close ends a running play as Cancelled, waits for it and disconnects.
func (s *pulseSink) Close() error {
	s.life.end()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.release()
	return nil
}

// findSink returns the named sink, or the server's default one, and refuses
// the stand-in for a missing card.
func findSink(c *pulseConn, name string) (*proto.GetSinkInfoReply, error) {
	if name == "" {
		var server proto.GetServerInfoReply
		if err := c.Request(&proto.GetServerInfo{}, &server); err != nil {
			return nil, &Fault{Code: NoServer, Device: c.server, Err: err}
		}
		name = server.DefaultSinkName
	}
	if name == stillborn {
		return nil, &Fault{Code: Dummy, Device: name}
	}
	var info proto.GetSinkInfoReply
	err := c.Request(&proto.GetSinkInfo{SinkIndex: proto.Undefined, SinkName: name}, &info)
	switch {
	case errors.Is(err, proto.ErrNoSuchEntity), err == nil && name == "":
		return nil, &Fault{Code: Absent, Device: name, Err: err}
	case err != nil:
		return nil, &Fault{Code: NoServer, Device: c.server, Err: err}
	case info.SinkName == stillborn:
		return nil, &Fault{Code: Dummy, Device: info.SinkName}
	}
	return &info, nil
}

// sinkName returns a sink's name for reports: its own, and its description.
func sinkName(info *proto.GetSinkInfoReply) string {
	if d := info.Properties["device.description"].String(); d != "" {
		return fmt.Sprintf("%s (%s)", info.SinkName, d)
	}
	return info.SinkName
}

// sinkMixer reads a sink's volume and mute. Volumes are cubic in amplitude;
// the percentage is the one the desktop shows.
func sinkMixer(info *proto.GetSinkInfoReply) (text string, muted bool) {
	state := "on"
	if info.Mute {
		state = "off"
	}
	return fmt.Sprintf("%s %d%% %s", info.SinkName, sinkPercent(info), state), info.Mute || sinkTop(info) == 0
}

// sinkPercent returns the volume of the loudest channel, over 100 where the
// server amplifies.
func sinkPercent(info *proto.GetSinkInfoReply) int {
	return int((uint64(sinkTop(info))*100 + uint64(proto.VolumeNorm)/2) / uint64(proto.VolumeNorm))
}

func sinkTop(info *proto.GetSinkInfoReply) (top uint32) {
	for _, v := range info.ChannelVolumes {
		top = max(top, v)
	}
	return top
}
