package output

import (
	"context"
	"errors"
	"fmt"
	"math"
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

	first   int64 // the clip's first frame; −1 until it is placed
	broken  int   // breaks of the stream before the clip was placed
	started bool  // the clip's first frame has sounded
	checked time.Time
	grew    time.Time // when the server last played on
	buf     []byte
}

func (p *pulsePlay) play(ctx context.Context, at time.Time) error {
	p.first = -1
	if err := p.feed.prefetch(int(framesIn(pulseBuffer, p.st.rate))); err != nil {
		return err
	}
	p.st.takeOver()
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
	sounded := p.first >= 0 && !time.Now().Before(p.report.StartedAt)
	if sounded {
		p.report.Elapsed = time.Since(p.report.StartedAt)
	} else {
		p.report.StartedAt = time.Time{}
	}
	f, ok := errors.AsType[*Fault](err)
	switch {
	case !ok && context.Cause(ctx) != nil:
		p.report.End = Cancelled
	case !sounded:
		p.report.End = Refused
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
		if done, err := p.observe(); done || err != nil {
			return err
		}
		if err := p.place(at); err != nil {
			return err
		}
		if err := p.send(); err != nil {
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
	if p.first >= 0 || time.Until(at) > pulseLead+pulseMargin+p.latency() {
		return nil
	}
	broken := p.st.breaks() // before asking: what comes after may touch the clip
	for range 3 {           // the closest answer of three: an interrupted one is late
		began := time.Now()
		if _, err := p.st.locate(); err != nil {
			return err
		}
		if time.Since(began) < 2*time.Millisecond {
			break
		}
	}
	if p.st.dry() {
		// The server drops what comes behind its reading, and tells of running
		// dry only once: silence must catch up with it before the clip begins.
		if time.Since(at) > patience {
			return &Fault{Code: Starved, Device: p.st.name, Err: errors.New("stream never caught up")}
		}
		return nil
	}
	p.first = max(p.st.sent, p.st.now.frameAt(at, p.st.rate))
	p.broken = broken
	p.report.StartedAt = p.st.now.when(p.first, p.st.rate)
	return nil
}

// latency returns how far the server's own buffers are ahead of the sound.
func (p *pulsePlay) latency() time.Duration {
	if p.st.now.at.IsZero() {
		return 0
	}
	return max(0, time.Until(p.st.now.when(p.st.sent, p.st.rate))-pulseLead)
}

// send writes what the server asked for: silence up to the clip, the clip,
// silence. Before the clip has its place no more than a short lead is sent, so
// that a play that is asked for late need not wait for a full buffer.
func (p *pulsePlay) send() error {
	if p.first < 0 {
		return p.st.silence()
	}
	for n := p.st.conn.take(p.feed.frameBytes(), math.MaxInt); n > 0; n -= pulseBlock {
		if err := p.sendBlock(min(n, pulseBlock)); err != nil {
			return err
		}
	}
	return nil
}

// pulseBlock is how many frames are sent at a time: what is computed late must
// not hold up what is due before it.
const pulseBlock = 2048

func (p *pulsePlay) sendBlock(n int) (err error) {
	lead := int(min(int64(n), max(0, p.first-p.st.sent)))
	p.buf = p.feed.silence(p.buf[:0], lead)
	if rest := n - lead; rest > 0 {
		if p.buf, err = p.feed.next(p.buf, rest); err != nil {
			return err
		}
		p.buf = p.feed.silence(p.buf, n-len(p.buf)/p.feed.frameBytes())
	}
	if err := p.st.send(p.buf); err != nil {
		return err
	}
	p.report.FramesWritten = p.feed.inSource(p.feed.given)
	return nil
}

// observe looks at where the server stands. done means that the clip's last
// frame has sounded, on the sink that it began on.
func (p *pulsePlay) observe() (done bool, err error) {
	was := p.st.now.frame
	pos, err := p.st.locate()
	if err != nil {
		return false, err
	}
	if pos.frame > was {
		p.grew = time.Now()
	} else if time.Since(p.grew) > patience {
		return false, &Fault{Code: Stalled, Device: p.st.name, Err: fmt.Errorf("no frame consumed for %v", patience)}
	}
	now := time.Now()
	if p.first < 0 || !p.started && now.Before(p.report.StartedAt) {
		return false, nil
	}
	if !p.started { // the server has moved on since the clip was placed
		p.started, p.report.StartedAt = true, pos.when(p.first, p.st.rate)
	}
	last := p.first + int64(p.feed.clip)
	p.report.Underruns = max(p.report.Underruns, p.st.breaks()-p.broken)
	if p.report.Underruns == 0 && p.st.dry() && p.st.sent < last {
		p.report.Underruns = 1
	}
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
	if p.first < 0 {
		return
	}
	// Never past what the server had read when it was last asked.
	sounded := min(p.st.now.frameAt(t, p.st.rate), p.st.now.frame) - p.first
	p.report.FramesPlayed = max(p.report.FramesPlayed, p.feed.inSource(audio.Frames(max(0, sounded))))
}
