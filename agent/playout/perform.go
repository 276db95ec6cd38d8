package playout

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"gatecast/agent/condition"
	"gatecast/agent/library"
	"gatecast/audio"
	"gatecast/audio/output"
	"gatecast/internal/wire"
)

// clip is a decoded clip, or why there is none.
type clip struct {
	pcm    *audio.PCM
	silent bool
	err    error
	at     time.Time // when it was loaded, or tried
}

// load is what the loader hands to the loop.
type load struct {
	sha string
	clip
}

// reload is how long a clip that could not be loaded is left alone.
const reload = 2 * time.Second

// ready reports whether c is decoded; otherwise it has it loaded and tells
// why it cannot be; the zero refusal says that it is on its way. One clip is
// loaded at a time.
func (e *Engine) ready(c wire.ManifestClip) (refusal, bool) {
	have := e.s.clips[c.SHA256]
	if have != nil && have.err == nil {
		return refusal{}, true
	}
	if !e.s.loading && (have == nil || time.Since(have.at) >= reload) {
		e.s.loading = true
		e.workers.Go(func() {
			pcm, err := e.o.Library.Load(c.SHA256, c)
			e.loads <- load{c.SHA256, clip{pcm: pcm, silent: err == nil && audio.Silent(pcm), err: err, at: time.Now()}}
		})
	}
	switch {
	case have == nil:
		return refusal{}, false
	case errors.Is(have.err, library.ErrHash), errors.Is(have.err, library.ErrContent):
		return refusal{wire.ReasonHash, have.err.Error()}, false
	default:
		return refusal{wire.ReasonClipMissing, have.err.Error()}, false
	}
}

func (e *Engine) loaded(l load) {
	e.s.loading = false
	e.s.clips[l.sha] = &l.clip
	corrupt := errors.Is(l.err, library.ErrHash) || errors.Is(l.err, library.ErrContent)
	if l.err != nil {
		e.log.Warn("clip cannot be played", "clip", l.sha, "err", l.err)
	}
	if corrupt || l.err == nil {
		title := l.sha
		if c, ok := e.s.manifest.Clip(l.sha); ok {
			title = c.Title
		}
		toggle(e.o.Conditions, condition.ClipCorrupt, corrupt, title)
	}
}

// dropClips lets go of the sound that no play within sight needs. A play that
// has begun holds its own.
func (e *Engine) dropClips(keep []string) {
	for sha := range e.s.clips {
		needed := false
		for _, k := range keep {
			needed = needed || k == sha
		}
		for id := range e.s.waiting {
			needed = needed || e.clipOf(id) == sha
		}
		if !needed {
			delete(e.s.clips, sha)
		}
	}
}

func (e *Engine) clipOf(id wire.PlayID) string {
	for i := range e.s.agenda {
		if e.s.agenda[i].ID == id {
			return e.s.agenda[i].Clip
		}
	}
	return ""
}

// The stages of a performance.
const (
	pending   int32 = iota // may be withdrawn
	begun                  // its intent is being written, or is
	withdrawn              // it will not begin
)

// performance is one play from the opening of the device to its outcome.
type performance struct {
	play   entry
	cancel context.CancelCauseFunc
	stage  atomic.Int32
	fade   fader

	ceilings wire.Ceilings
	gain     float64 // dB, that it began with
}

// withdraw ends a performance that has not begun.
func (p *performance) withdraw(cause error) {
	if p.stage.CompareAndSwap(pending, withdrawn) {
		p.cancel(cause)
	}
}

// result is how a performance ended.
type result struct {
	play    entry
	begun   bool  // the intent is in the journal
	err     error // why it did not begin
	device  bool  // err is of the sink
	journal bool  // err is of the journal
	outcome wire.Outcome
	owed    bool // the journal did not take the outcome
	report  output.Report
}

func (e *Engine) busy() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.current != nil
}

func (e *Engine) isCurrent(id wire.PlayID) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.current != nil && e.current.play.ID == id
}

// perform starts p in its own goroutine, which ends with a value on results.
// punctual says that p sounds at its instant and not at once.
func (e *Engine) perform(p *entry, c wire.ManifestClip, punctual bool) {
	ctx, cancel := context.WithCancelCause(context.Background())
	perf := &performance{play: *p, cancel: cancel, ceilings: e.s.manifest.Ceilings}
	if c.SHA256 != p.Clip {
		perf.play.Clip, perf.play.former = c.SHA256, true
	}
	sound := e.s.clips[c.SHA256]
	gain := gainOf(c, p.GainDB, e.s.manifest)
	perf.gain = gain
	e.mu.Lock()
	e.current = perf
	e.mu.Unlock()
	e.workers.Go(func() {
		defer cancel(nil)
		e.results <- e.play(ctx, perf, sound, c, gain, punctual)
	})
}

// play prepares the sink, writes the intent, sounds, and writes the outcome.
func (e *Engine) play(ctx context.Context, perf *performance, sound *clip, c wire.ManifestClip, gain float64, punctual bool) result {
	p := perf.play
	res := result{play: p}
	src, err := audio.Render(sound.pcm, audio.RenderOptions{Gain: audio.Gain(gain), LeadIn: e.o.LeadIn})
	if err != nil {
		res.err = err
		return res
	}
	if err := e.o.Sink.Prepare(ctx, src.Format()); err != nil {
		res.err, res.device = err, true
		return res
	}
	at := e.o.Clock.At(p.At).Add(-e.o.LeadIn)
	if punctual {
		if err := sleepUntil(ctx, at.Add(-intentLead)); err != nil {
			res.err = err
			return res
		}
		now := e.o.Clock.At(p.At).Add(-e.o.LeadIn)
		if now.Sub(at).Abs() > moved {
			res.err = errMoved
			return res
		}
		at = now
	}
	if start := e.o.Clock.Wall(latest(at, time.Now().Add(lateLead))).Add(e.o.LeadIn); !Allowed(perf.ceilings, start, start.Add(length(c))) {
		res.err = errOutside // opening the device took too long
		return res
	}
	if context.Cause(ctx) != nil || !perf.stage.CompareAndSwap(pending, begun) {
		res.err = context.Cause(ctx)
		return res
	}
	mark := e.arm(p.ID)
	defer mark.close()
	seq, err := e.o.Journal.Append(wire.RecordIntent, e.o.Clock.Now(), wire.Intent{
		Play: p.ID, Slot: p.Slot, Plan: p.plan, Clip: p.Clip, PlannedUS: wire.US(p.At), Default: p.standIn(), Before: p.former,
	})
	if err != nil {
		res.err, res.journal = err, true
		return res
	}
	res.begun = true
	if e.silenced(e.o.Clock.Now().Wall) {
		perf.cut(errMuted) // said after the loop looked
	}
	if earliest := time.Now().Add(lateLead); !punctual && at.Before(earliest) {
		at = earliest
	}
	report, err := e.sink(ctx, mark, at, length(c), perf.fade.over(src))
	heard, cause := perf.fade.heard()
	if cause == nil {
		cause = context.Cause(ctx)
	}
	e.conclude(&res, seq, sounded{
		report: report, err: err, cause: cause, clip: length(c), lead: e.o.LeadIn, heard: heard,
		silent: sound.silent || c.Silent, rate: src.Format().Rate,
	})
	return res
}

// sink plays src and keeps the progress file meanwhile.
func (e *Engine) sink(ctx context.Context, mark *marker, at time.Time, clip time.Duration, src audio.Source) (output.Report, error) {
	if mark == nil {
		return e.o.Sink.Play(ctx, at, src)
	}
	counted := &counted{Source: src, begin: func() { mark.write(0) }}
	following, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { mark.follow(following, at, e.o.LeadIn, clip, counted) })
	report, err := e.o.Sink.Play(ctx, at, counted)
	stop()
	wg.Wait()
	return report, err
}

var errOutside = errors.New("the hours that the ceilings allow ended while the play was prepared")

var errMoved = errors.New("the clock stepped while the play was prepared")

// conclude judges the play and writes its outcome.
func (e *Engine) conclude(res *result, seq wire.Seq, s sounded) {
	p := res.play
	res.report = s.report
	out := wire.Outcome{
		Play: p.ID, Slot: p.Slot, Plan: p.plan, Clip: p.Clip, PlannedUS: wire.US(p.At), IntentSeq: seq,
		Demo: s.report.Sink == output.File, Default: p.standIn(), Before: p.former,
	}
	judge(&out, s)
	if !s.report.StartedAt.IsZero() {
		out.StartedUS = wire.US(e.o.Clock.Wall(s.report.StartedAt).Add(s.lead))
	}
	if s.err != nil && out.Result != wire.PlayPlayed && s.cause == nil {
		res.err, res.device = s.err, true
	}
	out.Detail = shorten(out.Detail)
	res.outcome = out
	if _, err := e.o.Journal.Append(wire.RecordOutcome, e.o.Clock.Now(), out); err != nil {
		res.owed, res.journal = true, true
		if res.err == nil {
			res.err = err
		}
	}
}

// maxDetail bounds operator text in a record, in bytes.
const maxDetail = 500

func shorten(s string) string {
	if len(s) > maxDetail {
		return s[:maxDetail]
	}
	return s
}

// finished takes the end of a performance.
func (e *Engine) finished(r result) {
	e.mu.Lock()
	e.current = nil
	e.mu.Unlock()
	switch {
	case r.journal:
		e.journalFault(r.err)
	case r.begun:
		e.o.Conditions.Clear(condition.JournalFault)
	}
	if r.begun {
		if r.play.Urgent {
			e.s.gap = time.Now().Add(urgentGap)
		}
		e.settled(r.play.ID, r.play.At)
		e.s.starts = append(e.s.starts, latest(r.play.At, wire.FromUS(r.outcome.StartedUS)))
		if len(e.s.starts) > maxStarts {
			e.s.starts = e.s.starts[1:]
		}
		if r.owed {
			e.s.owed = append(e.s.owed, r.outcome)
		}
		toggle(e.o.Conditions, condition.OutputFault, r.device, deviceDetail(r.err))
		toggle(e.o.Conditions, condition.OutputMuted, r.report.Muted, r.report.Mixer)
		e.log.Info("play ended", "play", r.play.ID, "result", r.outcome.Result, "reason", r.outcome.Reason, "detail", r.outcome.Detail)
		return
	}
	e.notBegun(r)
}

// notBegun takes a performance without a sound. The play stays due within its
// grace, unless a person stopped it.
func (e *Engine) notBegun(r result) {
	switch {
	case errors.Is(r.err, errReplanned), errors.Is(r.err, errMoved):
	case errors.Is(r.err, errMuted), errors.Is(r.err, errPreempted), errors.Is(r.err, errCancelled): // the loop's to settle
	case errors.Is(r.err, errStopped), errors.Is(r.err, errRecalled), errors.Is(r.err, errShutdown):
		if !errors.Is(r.err, errShutdown) {
			e.skip(e.o.Clock.Now(), &r.play, refusal{wire.ReasonStopped, r.err.Error()})
		}
	case r.device:
		e.o.Conditions.Set(condition.OutputFault, deviceDetail(r.err))
		e.s.waiting[r.play.ID] = refusal{wire.ReasonDevice, shorten(r.err.Error())}
		e.s.retry = time.Now().Add(time.Second)
	default:
		e.s.waiting[r.play.ID] = refusal{wire.ReasonOther, shorten(fmt.Sprint(r.err))}
		e.s.retry = time.Now().Add(time.Second)
	}
}

// sleepUntil returns nil at the instant at, or ctx's cause.
func sleepUntil(ctx context.Context, at time.Time) error {
	timer := time.NewTimer(time.Until(at))
	defer timer.Stop()
	select {
	case <-timer.C:
		return context.Cause(ctx)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// deviceEvery is how often the device is asked while nothing plays.
const deviceEvery = 30 * time.Second

// checkDevice asks the sink whether it can sound, so that an unplugged card
// is known before a slot. The question runs beside the loop: a sound server
// may not answer.
func (e *Engine) checkDevice() {
	select {
	case err := <-e.s.asking:
		e.s.asking = nil
		if !e.busy() {
			toggle(e.o.Conditions, condition.OutputFault, err != nil, deviceDetail(err))
		}
	default:
	}
	if e.s.asking != nil || e.busy() || !e.s.checked.IsZero() && time.Since(e.s.checked) < deviceEvery {
		return
	}
	e.s.checked = time.Now()
	asking := make(chan error, 1)
	e.s.asking = asking
	e.workers.Go(func() {
		_, err := e.o.Sink.Device()
		asking <- err
	})
}
