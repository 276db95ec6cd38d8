package output

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"gatecast/audio"
	"gatecast/audio/output/alsa"
)

// alsaPlay is one play on a configured card. Counts are frames of the device.
// After an underrun the card counts from zero again: base keeps what was
// written before it.
type alsaPlay struct {
	pcm    *alsa.PCM
	config alsa.Config
	feed   *feed
	tail   audio.Frames // silence after the clip
	mixer  func() (alsa.Mixer, error)
	report *Report

	base     audio.Frames // written and consumed before the last (re)start
	written  audio.Frames // since then
	silent   audio.Frames // of the tail, handed to the card
	pending  []byte       // encoded, not yet taken by the card
	consumed audio.Frames // in all
	moved    time.Time    // when consumed last grew
	ended    bool         // the clip's last frame is consumed
	drains   bool         // all is written and Drain is asked for
	looked   time.Time    // when the mixer was last read
}

// play fills the card, starts it at the instant and follows it to the end.
func (p *alsaPlay) play(ctx context.Context, at time.Time) error {
	if err := p.top(); err != nil {
		return err
	}
	if err := startAt(ctx, at, p.pcm.Start); err != nil {
		if cause := context.Cause(ctx); cause != nil {
			p.report.End = Cancelled
			return cause
		}
		return err
	}
	if err := p.noteStart(); err != nil {
		p.report.End = Lost
		return err
	}
	err := p.follow(ctx)
	if !p.ended {
		p.report.Elapsed = time.Since(p.report.StartedAt)
	}
	return err
}

// noteStart takes the instant of the start from the kernel.
func (p *alsaPlay) noteStart() error {
	now := time.Now()
	p.moved, p.looked = now, now
	p.report.StartedAt = now
	st, err := p.pcm.Status()
	if err != nil {
		return err
	}
	if st.State == alsa.Running && st.Trigger > 0 {
		p.report.StartedAt = instant(st.Trigger)
	}
	return nil
}

// follow writes as the card plays until it is drained, fails, or ctx ends.
func (p *alsaPlay) follow(ctx context.Context) error {
	tick := time.NewTicker(alsaTick)
	defer tick.Stop()
	for {
		done, err := p.step()
		if done || err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			_, _ = p.look() // the last count of what sounded
			p.report.End = Cancelled
			return errors.Join(context.Cause(ctx), p.pcm.Drop())
		}
	}
}

// step looks at the card once and gives it what it takes. done means drained.
func (p *alsaPlay) step() (done bool, err error) {
	st, err := p.look()
	if err != nil {
		p.report.End = Lost
		return false, err
	}
	p.watchMixer()
	switch st.State {
	case alsa.XRun, alsa.Suspended:
		if p.ended { // only silence was missing
			p.finish()
			return true, nil
		}
		return false, p.restart()
	case alsa.Setup:
		if p.drains {
			p.finish()
			return true, nil
		}
		p.report.End = Lost
		return false, &Fault{Code: Gone, Device: p.report.Device, Err: errors.New("card stopped by itself")}
	case alsa.Disconnected:
		p.report.End = Lost
		return false, &Fault{Code: Gone, Device: p.report.Device, Err: syscall.ENODEV}
	}
	if time.Since(p.moved) > patience {
		p.report.End = Lost
		return false, &Fault{Code: Stalled, Device: p.report.Device, Err: fmt.Errorf("no frame consumed for %v", patience)}
	}
	if p.drains {
		return false, nil
	}
	if err := p.top(); err != nil {
		if errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ESTRPIPE) {
			return false, nil // the next look restarts
		}
		p.report.End = Lost
		return false, p.gone(err)
	}
	if p.feed.done() && p.silent >= p.tail && len(p.pending) == 0 {
		p.drains = true
		if err := p.pcm.Drain(); err != nil && !errors.Is(err, syscall.EPIPE) {
			p.report.End = Lost
			return false, err
		}
	}
	return false, nil
}

// gone names the fault of a card that stops answering in the middle of a play.
func (p *alsaPlay) gone(err error) error {
	if _, ok := errors.AsType[*Fault](err); ok {
		return err
	}
	return &Fault{Code: Gone, Device: p.report.Device, Err: err}
}

// look reads the card and brings the count of consumed frames up to date. The
// instant at which the clip's last frame was consumed is computed back from
// the card's own time stamp, so that it does not depend on when we looked.
func (p *alsaPlay) look() (alsa.Status, error) {
	st, err := p.pcm.Status()
	if err != nil {
		return st, p.gone(err)
	}
	if st.State == alsa.Disconnected {
		return st, nil // its pointers are void
	}
	now := p.base + max(0, p.written-audio.Frames(st.Delay))
	if st.State == alsa.Setup || st.State == alsa.XRun {
		now = p.base + p.written // stopped because it had nothing left
	}
	if now > p.consumed {
		p.consumed, p.moved = now, time.Now()
	}
	if !p.ended && p.consumed >= p.feed.clip {
		p.ended = true
		end := time.Now()
		if st.State == alsa.Running || st.State == alsa.Draining {
			end = instant(st.At)
		}
		over := (p.consumed - p.feed.clip).Duration(p.config.Rate)
		p.report.Elapsed = end.Add(-over).Sub(p.report.StartedAt)
	}
	return st, nil
}

// finish judges a play whose frames are all consumed.
func (p *alsaPlay) finish() {
	p.report.End = Drained
	if p.report.Underruns > 0 {
		p.report.End = Underrun
	}
	p.readMixer()
}

// top writes until the ring buffer is full or there is no more.
func (p *alsaPlay) top() error {
	frame := p.feed.frameBytes()
	for {
		if len(p.pending) == 0 {
			if err := p.encode(); err != nil || len(p.pending) == 0 {
				return err
			}
		}
		n, err := p.pcm.Write(p.pending)
		if err != nil || n == 0 {
			return err
		}
		p.written += audio.Frames(n)
		p.pending = p.pending[n*frame:]
	}
}

// encode puts the next period of the clip, or of the silence behind it, into
// pending.
func (p *alsaPlay) encode() (err error) {
	n := max(p.config.Period, 64)
	p.pending = p.pending[:0]
	if !p.feed.done() {
		if p.pending, err = p.feed.next(p.pending, n); err != nil {
			p.report.End = Lost
		}
		return err
	}
	if left := int(p.tail - p.silent); left > 0 {
		n = min(n, left)
		p.pending = p.feed.silence(p.pending, n)
		p.silent += audio.Frames(n)
	}
	return nil
}

// restart takes the clip up again after the card ran dry: the people at the
// gate hear the rest, the report says that it was broken.
func (p *alsaPlay) restart() error {
	p.report.Underruns++
	if p.report.Underruns > maxUnderruns {
		p.report.End = Underrun
		return &Fault{Code: Starved, Device: p.report.Device, Err: fmt.Errorf("%d underruns", p.report.Underruns)}
	}
	p.base, p.written, p.drains = p.base+p.written, 0, false
	p.moved = time.Now()
	for _, f := range []func() error{p.pcm.Prepare, p.top, p.pcm.Start} {
		if err := f(); err != nil {
			p.report.End = Lost
			return p.gone(err)
		}
	}
	return nil
}

// watchMixer reads the mixer once a second, so that a mute during the play is
// on the report.
func (p *alsaPlay) watchMixer() {
	if time.Since(p.looked) >= time.Second {
		p.readMixer()
	}
}

func (p *alsaPlay) readMixer() {
	p.looked = time.Now()
	m, err := p.mixer()
	if err == nil && (m.Muted() || !p.report.Muted) {
		p.report.Mixer, p.report.Muted = m.String(), m.Muted()
	}
}
