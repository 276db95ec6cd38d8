package agent

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"gatecast/agent/condition"
	"gatecast/agent/link"
	"gatecast/agent/playout"
	"gatecast/agent/walltime"
	"gatecast/internal/wire"
)

// state is what the device has and does now. Session, Online and AtUS are the
// link's to fill in.
func (a *App) state() wire.State {
	now := a.clock.Now()
	a.cardFaults()
	s := wire.State{
		RootVersion: a.plans.Root().Version,
		Log:         a.journal.Log(), LastSeq: a.journal.Last(), AckedSeq: a.journal.Acked(), Older: a.journal.Older(),
		Receipt: a.journal.Receipt(),
		Time:    a.timeState(now),
		Output:  a.speaker.state(),
		Playing: a.engine.Playing(), Conditions: a.faults.List(),
		Mute: a.plans.MuteState(wire.US(now.Wall)),
	}
	p, _, hash, ok := a.plans.Current()
	if ok {
		s.PlanVersion, s.PlanSHA256, s.HorizonS = p.Version, hash, p.HorizonS
		for _, sha := range p.Clips {
			if a.clips.Have(sha) {
				s.ClipsReady = append(s.ClipsReady, sha)
			} else {
				s.ClipsMissing = append(s.ClipsMissing, sha)
			}
		}
	} else {
		p = &wire.Plan{}
	}
	s.Held = a.held(p)
	return s
}

// held is what lies on the disk besides the clips of p; nil where the folder
// cannot be read, because then nobody knows.
func (a *App) held(p *wire.Plan) *wire.Held {
	names, err := a.clips.Names()
	if err != nil {
		a.log.Warn("listing clips", "err", err)
		return nil
	}
	h := &wire.Held{}
	for _, sha := range names {
		switch {
		case slices.Contains(p.Clips, sha):
		case len(h.Clips) < wire.MaxHeld:
			h.Clips = append(h.Clips, sha)
		default:
			h.More++
		}
	}
	return h
}

// timeState is what the device knows of the time at now.
func (a *App) timeState(now walltime.Stamp) wire.TimeState {
	s := wire.TimeState{Level: now.Level, ErrMS: now.Err.Milliseconds()}
	if c := a.clock.Compared(); !c.At.IsZero() {
		s.OffMS, s.ComparedUS, s.SpanS = c.Off.Milliseconds(), wire.US(c.At), int64(c.Span/time.Second)
	}
	return s
}

// A fault is listed only once it has lasted; the longest wait is a minute.
const (
	faultStep  = 5 * time.Second
	faultWatch = 70 * time.Second
)

// followFaults has the state compared when faults change, and while one may
// still become visible.
func (a *App) followFaults(ctx context.Context) {
	tick := time.NewTicker(faultStep)
	tick.Stop()
	defer tick.Stop()
	var until time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-a.faults.Changed():
			until = time.Now().Add(faultWatch)
			tick.Reset(faultStep)
		case <-tick.C:
			if time.Now().After(until) {
				tick.Stop()
			}
		}
		a.link.Nudge()
	}
}

// renewEvery is how often the certificate's age is looked at.
const renewEvery = time.Hour

// renewAgain is the pause after a renewal that failed while there is no link.
const renewAgain = 2 * time.Minute

// keepCertificate renews the certificate in its last third, and when it is not
// of the CA that issues now; and says so when that has not worked and the end
// is near.
func (a *App) keepCertificate(ctx context.Context) {
	timer := time.NewTimer(time.Minute) // not in the rush of the start
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-a.rooted:
			// A fleet must not come at once, nor be without a link for long.
			spread := roots{a}.spread()
			if !a.link.Connected() {
				spread /= 10
			}
			timer.Reset(spread)
			continue
		}
		timer.Reset(renewEvery)
		now, trusted := a.trustedNow()
		if a.id.IssuedBy(a.plans.Root().CAs[0]) && !renewalDue(now, trusted, a.link.Connected(), a.id.RenewAt()) {
			continue
		}
		err := a.id.Renew(ctx, a.base, a.trustedNow)
		from, to := a.id.Validity()
		switch {
		case err == nil:
			a.log.Info("certificate renewed", "until", to)
			a.faults.Clear(condition.CertExpiring)
		case ctx.Err() != nil:
			return
		default:
			a.log.Warn("renewing certificate", "err", err)
			if !a.link.Connected() {
				timer.Reset(renewAgain) // the certificate may be why
			}
			if left := to.Sub(now); left < to.Sub(from)/6 {
				a.faults.Set(condition.CertExpiring, to.Format(time.DateOnly))
			}
		}
	}
}

// renewalDue reports whether to ask for a new certificate. Without the time
// and without a link an expired one may be the very reason: the broker refuses
// it, and so no time comes.
func renewalDue(now time.Time, trusted, connected bool, at time.Time) bool {
	if trusted {
		return !now.Before(at)
	}
	return !connected
}

// shelf is the library as the link sees it.
type shelf struct {
	a     *App
	fetch *link.Fetcher
}

// Missing implements link.Clips.
func (s shelf) Missing(want []string) []string { return s.a.clips.Missing(want) }

// Sync implements link.Clips.
func (s shelf) Sync(ctx context.Context, want []wire.ManifestClip) error {
	defer s.a.evict()
	return s.a.clips.Sync(ctx, want, s.fetch)
}

// evict deletes what the manifest does not allow any more, and what the office
// recalled. It costs a look into the folder; whatever could not be deleted is
// tried again with the next plan, fetch or start.
func (a *App) evict() {
	p, m, _, ok := a.plans.Current()
	if !ok {
		return
	}
	keep := make([]string, 0, len(m.Clips))
	for _, c := range m.Clips {
		if !slices.Contains(p.Recalled, c.SHA256) {
			keep = append(keep, c.SHA256)
		}
	}
	if err := a.clips.Evict(keep); err != nil {
		a.log.Warn("removing old clips", "err", err)
	}
}

// orders carries out the office's commands.
type orders struct{ a *App }

// Do implements link.Doer.
func (o orders) Do(ctx context.Context, c wire.Command) error {
	switch c.Do {
	case wire.DoStop:
		if !o.a.engine.CancelPlay() {
			return errors.New("nothing is playing")
		}
		return nil
	case wire.DoTestTone:
		if o.a.clock.Now().Level < wire.T1 {
			return errors.New(wire.ToneNoTime)
		}
		if o.a.plans.Muted(wire.US(o.a.clock.Now().Wall)) {
			return errors.New(wire.ToneOffice)
		}
		c, ok := o.a.ceilings()
		if !ok {
			return errors.New(wire.ToneNoCeilings)
		}
		if err := allowedNow(c, o.a.clock.Now().Wall); err != nil {
			return err
		}
		return o.a.speaker.Tone(ctx)
	}
	return fmt.Errorf("command %q is not known to this version", c.Do)
}

// allowedNow refuses a test tone outside the hours in which anything may
// sound at all. The quiet rules of a programme, as at noon, do not bind it.
func allowedNow(c wire.Ceilings, now time.Time) error {
	if _, err := time.LoadLocation(c.Zone); err != nil {
		return fmt.Errorf("loading zone of the ceilings: %w", err)
	}
	if playout.Allowed(c, now, now.Add(toneLength)) {
		return nil
	}
	return errors.New(wire.ToneHours)
}
