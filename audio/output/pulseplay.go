package output

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gatecast/audio"
)

const (
	pulseTick = 50 * time.Millisecond
	// pulseMargin is how long before the clip's first frame must be sent its
	// place is fixed.
	pulseMargin = 120 * time.Millisecond
)

// pulsePlay is one play: silence from the stream's first frame on, the clip
// placed so that its first frame sounds at the instant, and silence again until
// the server has played it out.
type pulsePlay struct {
	st     *pulseStream
	feed   *feed
	report *Report

	sent    int64 // frames handed to the server
	first   int64 // the clip's first frame; −1 until it is placed
	now     position
	broken  int // breaks of the stream before the clip began
	started bool
	checked time.Time
	grew    time.Time // when the server last played on
	buf     []byte
}

func (p *pulsePlay) play(ctx context.Context, at time.Time) error {
	p.first = -1
	if err := p.send(); err != nil {
		return err
	}
	if err := p.st.cork(false); err != nil {
		return err
	}
	p.checked, p.grew = time.Now(), time.Now()
	if err := p.follow(ctx, at); err != nil {
		p.judge(ctx, err)
		return err
	}
	if p.report.End = Drained; p.report.Underruns > 0 {
		p.report.End = Underrun
	}
	return nil
}

// judge fills the report of a play that broke off.
func (p *pulsePlay) judge(ctx context.Context, err error) {
	p.count(time.Now())
	if !p.report.StartedAt.IsZero() {
		p.report.Elapsed = time.Since(p.report.StartedAt)
	}
	f, ok := errors.AsType[*Fault](err)
	switch {
	case !ok && context.Cause(ctx) != nil:
		p.report.End = Cancelled
	default:
		p.report.End = Lost
		if ok && f.Code == Moved {
			p.report.MovedTo = f.Device
		}
	}
}

// follow answers the server's requests until the clip is played out.
func (p *pulsePlay) follow(ctx context.Context, at time.Time) error {
	tick := time.NewTicker(pulseTick)
	defer tick.Stop()
	for {
		if err := p.st.fault(); err != nil {
			return err
		}
		if err := p.place(at); err != nil {
			return err
		}
		if err := p.send(); err != nil {
			return err
		}
		if done, err := p.observe(); done || err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-p.st.conn.wake:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// place fixes the clip's first frame once it must be sent soon: the frame that
// will sound at the instant, or the next one to be sent when that is past.
func (p *pulsePlay) place(at time.Time) error {
	if p.first >= 0 || time.Until(at) > pulseBuffer+pulseMargin+p.latency() {
		return nil
	}
	for range 3 { // the closest answer of three: an interrupted one is late
		began := time.Now()
		pos, err := p.st.locate()
		if err != nil {
			return err
		}
		p.now = pos
		if time.Since(began) < 2*time.Millisecond {
			break
		}
	}
	p.first = max(p.sent, p.now.frameAt(at, p.st.rate))
	p.report.StartedAt = p.now.when(p.first, p.st.rate)
	return nil
}

// latency returns how far the server's own buffers are ahead of the sound.
func (p *pulsePlay) latency() time.Duration {
	if p.now.at.IsZero() {
		return 0
	}
	return max(0, p.now.when(p.sent, p.st.rate).Sub(time.Now())-pulseBuffer)
}

// send writes what the server asked for: silence up to the clip, the clip,
// silence.
func (p *pulsePlay) send() error {
	frame := p.feed.frameBytes()
	n := p.st.conn.take(frame)
	if n == 0 {
		return nil
	}
	p.buf = p.buf[:0]
	lead := n
	if p.first >= 0 {
		lead = int(min(int64(n), max(0, p.first-p.sent)))
	}
	p.buf = p.feed.silence(p.buf, lead)
	var err error
	if rest := n - lead; rest > 0 {
		if p.buf, err = p.feed.next(p.buf, rest); err != nil {
			return err
		}
		p.buf = p.feed.silence(p.buf, n-len(p.buf)/frame)
	}
	if err := p.st.conn.Send(p.st.index, p.buf); err != nil {
		return &Fault{Code: Gone, Device: p.st.name, Err: err}
	}
	p.sent += int64(n)
	p.report.FramesWritten = p.feed.inSource(p.feed.given)
	return nil
}

// observe looks at where the server stands. done means that the clip's last
// frame has sounded, on the sink that it began on.
func (p *pulsePlay) observe() (done bool, err error) {
	pos, err := p.st.locate()
	if err != nil {
		return false, err
	}
	if pos.frame > p.now.frame {
		p.grew = time.Now()
	} else if time.Since(p.grew) > patience {
		return false, &Fault{Code: Stalled, Device: p.st.name, Err: fmt.Errorf("no frame consumed for %v", patience)}
	}
	p.now = pos
	now := time.Now()
	if p.first < 0 || !p.started && now.Before(p.report.StartedAt) {
		p.broken = p.st.breaks()
		return false, nil
	}
	if !p.started { // the server has moved on since the clip was placed
		p.started, p.report.StartedAt = true, pos.when(p.first, p.st.rate)
	}
	p.report.Underruns = p.st.breaks() - p.broken
	last := p.first + int64(p.feed.clip)
	end := pos.when(last, p.st.rate)
	p.count(now)
	if done = p.feed.done() && pos.frame >= last && !now.Before(end); done {
		p.report.FramesPlayed = p.report.Frames
		p.report.Elapsed = end.Sub(p.report.StartedAt)
	}
	if done || now.Sub(p.checked) >= time.Second {
		p.checked = now
		if err := p.st.check(); err != nil {
			return false, err
		}
		p.report.Mixer, p.report.Muted = p.st.mixer, p.st.muted
	}
	return done, nil
}

// count brings the frames that had sounded at t up to date.
func (p *pulsePlay) count(t time.Time) {
	if p.first < 0 || p.now.at.IsZero() {
		return
	}
	// Never past what the server had read when it was last asked.
	sounded := min(p.now.frameAt(t, p.st.rate), p.now.frame) - p.first
	p.report.FramesPlayed = max(p.report.FramesPlayed, p.feed.inSource(audio.Frames(max(0, sounded))))
}
