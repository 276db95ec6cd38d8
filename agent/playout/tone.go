package playout

import (
	"context"
	"errors"
	"math"
	"time"

	"gatecast/audio"
	"gatecast/audio/output"
)

// The test tone is how a person at the gate finds out whether the speaker
// works. It is the one sound that no approver signed: two seconds, made here,
// and quiet.
const (
	toneLength = 2 * time.Second
	toneRate   = 24_000
	toneHz     = 880
	tonePeak   = 0.1 // −20 dBFS
	// toneClear is how long before the next play the tone must be over.
	toneClear = 5 * time.Second
)

// ErrBusy means that something sounds or is about to.
var ErrBusy = errors.New("something is playing or about to play")

// toneOrder is a test tone somebody waits for.
type toneOrder struct {
	ctx  context.Context
	done chan toneEnd
}

type toneEnd struct {
	report output.Report
	err    error
}

// TestTone sounds the test tone and returns when it has ended. It is ErrBusy
// while anything plays, and within some seconds of the next play. It needs no
// plan and no trusted time, and leaves no record. CancelPlay ends it.
func (e *Engine) TestTone(ctx context.Context) (output.Report, error) {
	order := toneOrder{ctx, make(chan toneEnd, 1)}
	select {
	case e.tones <- order:
	case <-ctx.Done():
		return output.Report{}, context.Cause(ctx)
	}
	select {
	case end := <-order.done:
		return end.report, end.err
	case <-ctx.Done():
		// The loop saw ctx too: it plays no longer than the sink needs to stop.
		end := <-order.done
		return end.report, context.Cause(ctx)
	}
}

// startTone takes an order in the loop.
func (e *Engine) startTone(order toneOrder) {
	now := e.o.Clock.Now()
	busy := e.busy()
	if !busy && e.s.agenda != nil {
		next := e.next(now.Wall.Add(-minGrace))
		busy = next != nil && next.At.Sub(now.Wall) < toneLength+toneClear
	}
	if busy {
		order.done <- toneEnd{err: ErrBusy}
		return
	}
	ctx, cancel := context.WithCancelCause(order.ctx)
	perf := &performance{cancel: cancel}
	e.mu.Lock()
	e.current = perf
	e.mu.Unlock()
	e.workers.Go(func() {
		defer cancel(nil)
		report, err := e.sound(ctx)
		order.done <- toneEnd{report, err}
		e.results <- result{tone: true, err: err, report: report}
	})
}

// sound plays the tone.
func (e *Engine) sound(ctx context.Context) (output.Report, error) {
	pcm := &audio.PCM{
		Format:  audio.Format{Rate: toneRate, Channels: 1},
		Samples: make([]float32, int(toneLength*toneRate/time.Second)),
	}
	for i := range pcm.Samples {
		pcm.Samples[i] = float32(tonePeak * math.Sin(2*math.Pi*toneHz*float64(i)/toneRate))
	}
	src, err := audio.Render(pcm, audio.RenderOptions{LeadIn: e.o.LeadIn})
	if err != nil {
		return output.Report{}, err
	}
	if err := e.o.Sink.Prepare(ctx, src.Format()); err != nil {
		return output.Report{}, err
	}
	return e.o.Sink.Play(ctx, time.Now().Add(lateLead), src)
}
