package output

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"gatecast/audio"
	"gatecast/audio/output/alsa"
)

const (
	// alsaBuffer is the ring buffer asked for: longer than a busy Pi's
	// scheduler or a slow disk keeps a process from running, and short enough
	// that the silence drained after a clip is not noticed.
	alsaBuffer = 500 * time.Millisecond
	// alsaAhead is how long before a start the card is opened and filled. A
	// USB card needs some 100 ms to change its setting.
	alsaAhead = time.Second
	// alsaTick is how often the card is looked at: the most that passes
	// between the loss of a card and its report.
	alsaTick = 20 * time.Millisecond
	// maxUnderruns is how often a play is taken up again before it is given up.
	maxUnderruns = 20
)

// alsaSink plays to one device of a sound card by the kernel's ioctls. The
// card is held from Prepare to the end of the play.
type alsaSink struct {
	device string // as configured; empty is the first real card
	o      Options
	life   lifetime

	held atomic.Bool // the card is ours now

	mu  sync.Mutex // held by Prepare and Play
	pcm *alsa.PCM  // nil when not prepared
	set alsaSetting
}

// alsaSetting is what Prepare found and made.
type alsaSetting struct {
	source audio.Format // prepared for
	config alsa.Config
	card   alsa.Card
	number int    // the device on the card
	name   string // for reports
	mixer  alsa.Mixer
}

var _ Sink = (*alsaSink)(nil)

func openALSA(device string, o Options) (Sink, error) {
	if device != "" {
		plugin, _, _, err := alsa.ParseAddress(device)
		if err != nil {
			return nil, err
		}
		if plugin != "hw" {
			return nil, fmt.Errorf("alsa sink plays to the card itself: write %q as \"hw:…\", or use the aplay sink", device)
		}
	}
	return &alsaSink{device: device, o: o}, nil
}

// find returns the card, the device on it and their name for people.
func (s *alsaSink) find() (card alsa.Card, number int, name string, err error) {
	if s.device == "" {
		card, err = firstCard()
		if err == nil {
			number = card.Devices[0]
		}
	} else {
		var id string
		_, id, number, err = alsa.ParseAddress(s.device)
		if err == nil {
			card, err = alsa.Find(id)
		}
	}
	if err != nil {
		return card, 0, s.device, alsaFault(s.device, err)
	}
	return card, number, fmt.Sprintf("%s (%s)", card.Address(number), card.Name), nil
}

// firstCard returns the first card that is hardware, leaving monitors' sound
// (HDMI) for last: a gate's amplifier is not there.
func firstCard() (alsa.Card, error) {
	cards, err := alsa.Cards()
	if err != nil {
		return alsa.Card{}, err
	}
	var last *alsa.Card
	for _, c := range cards {
		switch {
		case c.Virtual():
		case c.HDMI():
			if last == nil {
				last = &c
			}
		default:
			return c, nil
		}
	}
	if last != nil {
		return *last, nil
	}
	return alsa.Card{}, fmt.Errorf("no sound card: %w", syscall.ENODEV)
}

// Prepare opens the card for format, sets its mixer and reads it back.
func (s *alsaSink) Prepare(_ context.Context, format audio.Format) error {
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

func (s *alsaSink) prepare(format audio.Format) error {
	if s.pcm != nil {
		st, err := s.pcm.Status()
		if err == nil && st.State == alsa.Prepared && s.set.source == format {
			return nil
		}
		s.release()
	}
	card, number, name, err := s.find()
	if err != nil {
		return err
	}
	pcm, err := alsa.OpenPCM(card.Index, number)
	if err != nil {
		if holder := alsa.Holder(card.Index, number); holder != "" {
			err = fmt.Errorf("%w (held by %s)", err, holder)
		}
		return alsaFault(name, err)
	}
	config, err := pcm.Configure(format.Rate, format.Channels, int(alsaBuffer/time.Millisecond))
	if err != nil {
		pcm.Close()
		return alsaFault(name, err)
	}
	s.pcm = pcm
	s.held.Store(true)
	s.set = alsaSetting{source: format, config: config, card: card, number: number, name: name}
	if s.set.mixer, err = adjustMixer(card.Index, s.o); err != nil {
		s.release()
		return alsaFault(name, err)
	}
	if s.set.mixer.Muted() {
		s.release()
		return &Fault{Code: Silenced, Device: name, Err: errors.New(s.set.mixer.String())}
	}
	s.o.Logger.Debug("sound card prepared", slog.String("device", name),
		slog.Int("rate", config.Rate), slog.Int("channels", config.Channels),
		slog.String("format", config.Format.String()), slog.Int("buffer", config.Buffer),
		slog.String("mixer", s.set.mixer.String()))
	return nil
}

// adjustMixer sets the mixer as o asks and returns what it reads back.
func adjustMixer(card int, o Options) (alsa.Mixer, error) {
	if o.KeepMixer {
		m, err := alsa.ReadMixer(card)
		if err != nil || o.Most == 0 || m.Percent() <= o.Most {
			return m, err
		}
		return alsa.SetMixer(card, o.Most)
	}
	return alsa.SetMixer(card, o.Volume)
}

func (s *alsaSink) release() {
	if s.pcm != nil {
		s.pcm.Close()
		s.pcm = nil
		s.held.Store(false)
	}
}

// Play plays src and gives the card free.
func (s *alsaSink) Play(ctx context.Context, at time.Time, src audio.Source) (Report, error) {
	r := Report{Sink: ALSA, Device: s.device, Frames: src.Frames(), End: Refused}
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
	if err := waitUntil(ctx, at.Add(-alsaAhead)); err != nil {
		r.End = Cancelled
		return r, err
	}
	err := s.prepare(src.Format())
	if err == nil {
		r.Device, r.Mixer, r.Muted = s.set.name, s.set.mixer.String(), s.set.mixer.Muted()
		err = s.run(ctx, at, src, &r)
	}
	if f, ok := errors.AsType[*Fault](err); ok {
		if f.Device == "" {
			f.Device = r.Device
		}
		r.Device = f.Device
		if f.Code == Silenced {
			r.Muted, r.Mixer = true, f.Err.Error()
		}
	}
	return r, err
}

// run plays src on the prepared card and fills r.
func (s *alsaSink) run(ctx context.Context, at time.Time, src audio.Source, r *Report) error {
	c := s.set.config
	f, err := newFeed(src, c.Rate, c.Channels, encodings[c.Format])
	if err != nil {
		return err
	}
	p := &alsaPlay{pcm: s.pcm, config: c, feed: f, tail: audio.Frames(c.Buffer), report: r}
	p.mixer = func() (alsa.Mixer, error) { return alsa.ReadMixer(s.set.card.Index) }
	err = p.play(ctx, at)
	r.FramesWritten = f.inSource(p.base + p.written)
	r.FramesPlayed = f.inSource(p.consumed)
	if r.End == Cancelled || errors.Is(err, context.Cause(ctx)) {
		return err
	}
	return alsaFault(r.Device, err)
}

var encodings = map[alsa.SampleFormat]encoding{
	alsa.S16LE: s16, alsa.S24LE: s24in4, alsa.S243LE: s24in3, alsa.S32LE: s32,
}

// alsaFault names the fault behind a kernel error; a Fault and nil stay as they are.
func alsaFault(device string, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*Fault](err); ok {
		return err
	}
	code := Gone
	switch {
	case errors.Is(err, syscall.EBUSY), errors.Is(err, syscall.EAGAIN):
		code = Busy
	case errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EPERM):
		code = Denied
	case errors.Is(err, syscall.ENOENT), errors.Is(err, syscall.ENXIO), errors.Is(err, syscall.ENODEV):
		code = Absent
	case errors.Is(err, syscall.EINVAL):
		code = Unsupported
	}
	return &Fault{Code: code, Device: device, Err: err}
}

// Device says which card the sink plays to and how its mixer stands now. A
// missing, muted or foreign-held card is an error; the Device is filled as far
// as it is known.
func (s *alsaSink) Device() (Device, error) {
	card, number, name, err := s.find()
	d := Device{Sink: ALSA, Name: name}
	if err != nil {
		return d, err
	}
	m, err := alsa.ReadMixer(card.Index)
	if err != nil {
		return d, alsaFault(name, err)
	}
	d.Mixer, d.Muted = m.String(), m.Muted()
	switch {
	case d.Muted && s.o.KeepMixer: // otherwise the next play switches it on
		return d, &Fault{Code: Silenced, Device: name, Err: errors.New(d.Mixer)}
	case !s.held.Load() && alsa.InUse(card.Index, number):
		return d, &Fault{Code: Busy, Device: name, Err: fmt.Errorf("held by %s", alsa.Holder(card.Index, number))}
	}
	return d, nil
}

// Close ends a running play as Cancelled, waits for it and gives the card free.
func (s *alsaSink) Close() error {
	s.life.end()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.release()
	return nil
}
