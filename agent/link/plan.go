package link

import (
	"context"
	"errors"
	"strconv"
	"syscall"
	"time"

	"gatecast/agent/condition"
	"gatecast/internal/seal"
	"gatecast/internal/wire"
)

// takeOffer hands an offer to keepPlan; a newer one replaces one that waits.
func (s *session) takeOffer(m Inbound) error {
	offer, err := wire.Decode[wire.PlanOffer](m.Data)
	if err != nil {
		return err
	}
	for {
		select {
		case s.l.offers <- offer:
			return nil
		default:
		}
		select {
		case <-s.l.offers:
		default:
		}
	}
}

// keepPlan takes offered plans and gets the clips of the plan in force. Both
// happen here, one after the other; a new offer interrupts the fetching.
func (l *Link) keepPlan(ctx context.Context) {
	k := keeper{l: l, pause: backoff{first: 2 * time.Second, most: 5 * time.Minute, dice: l.planDice}}
	timer := time.NewTimer(0) // clips may be missing from the run before
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case offer := <-l.offers:
			if k.take(ctx, offer) {
				timer.Reset(k.wait)
			}
		case version := <-l.rootOffers:
			if chain, err := l.follow(ctx, version); err != nil {
				l.log.Info("fetching trust root interrupted", "err", err) // offered again
			} else if l.adopt(chain) == nil {
				k.changed()
			}
		case <-timer.C:
			timer.Reset(k.step(ctx))
		}
	}
}

// keeper is the state of keepPlan.
type keeper struct {
	l       *Link
	pause   backoff         // between tries to fetch
	wait    time.Duration   // before the clips of the plan just taken are fetched
	retry   *wire.PlanOffer // an offer whose documents could not be fetched or stored yet
	refused string          // hash of the plan refused last, recorded once
	taken   time.Time       // when a plan was accepted last in this run
}

// idle is how often clips are looked after when nothing is known to be
// missing: a file may have rotted and been removed.
const idle = 10 * time.Minute

// step retries what is outstanding and returns when to come back.
func (k *keeper) step(ctx context.Context) time.Duration {
	if k.retry != nil {
		k.take(ctx, *k.retry)
		return k.wait
	}
	want, missing := k.wanted()
	if len(missing) == 0 {
		k.pause.reset()
		return idle
	}
	err := k.fetch(ctx, want)
	if err != nil && ctx.Err() == nil {
		k.l.o.Refused("clip", err)
	}
	_, left := k.wanted()
	if len(left) < len(missing) {
		k.pause.reset()
		k.changed()
	}
	if !diskFull(err) {
		k.l.o.Faults.Clear(condition.DiskFull)
	}
	switch {
	case len(left) == 0:
		return idle
	case errors.Is(err, errNewer):
		return idle // taking the offer sets the timer
	}
	if diskFull(err) {
		k.l.o.Faults.Set(condition.DiskFull, "")
	}
	return k.later(err)
}

// errNewer says that fetching was interrupted by a newer offer.
var errNewer = errors.New("a newer plan was offered")

// roomAgain bounds the pause while the disk is full: whoever makes room on it
// stands there and wants to see that it helped.
const roomAgain = time.Minute

func diskFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// later returns the pause after err.
func (k *keeper) later(err error) time.Duration {
	wait := k.pause.next()
	if busy, ok := errors.AsType[*BusyError](err); ok {
		wait = busy.After + k.l.planDice.within(busy.After/2)
	}
	if diskFull(err) {
		wait = min(wait, roomAgain)
	}
	k.l.log.Info("fetching interrupted", "err", err, "retry_in", wait.Round(time.Millisecond))
	return wait
}

// wanted returns the clips of the plan in force, and the hashes of those that
// are missing.
func (k *keeper) wanted() (want []wire.ManifestClip, missing []string) {
	p, m, _, ok := k.l.o.Plans.Current()
	if !ok {
		return nil, nil
	}
	for _, sha := range p.Clips {
		if c, ok := m.Clip(sha); ok {
			want = append(want, c)
		}
	}
	return want, k.l.clips.Missing(p.Clips)
}

// fetch runs Sync until it ends or another plan is offered, which it leaves in
// place.
func (k *keeper) fetch(ctx context.Context, want []wire.ManifestClip) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- k.l.clips.Sync(ctx, want) }() // waited for below in each case
	for {
		select {
		case err := <-done:
			return err
		case offer := <-k.l.offers:
			if k.inForce(offer) {
				continue
			}
			cancel()
			<-done
			select {
			case k.l.offers <- offer:
			default: // an even newer one is there
			}
			return errNewer
		}
	}
}

// inForce reports whether offer is the plan in force, by a root that is.
func (k *keeper) inForce(offer wire.PlanOffer) bool {
	if k.l.o.Roots != nil && offer.Root > k.l.o.Roots.Version() {
		return false
	}
	p, _, hash, ok := k.l.o.Plans.Current()
	return ok && hash == offer.Plan.SHA256 && p.Version == offer.Version
}

// take decides about an offer and sets wait. It reports whether anything is
// to be done after wait.
func (k *keeper) take(ctx context.Context, offer wire.PlanOffer) bool {
	if k.inForce(offer) {
		k.l.o.Faults.Clear(condition.PlanRefused)
		again := k.retry != nil
		k.retry, k.wait = nil, 0
		return again
	}
	k.retry, k.wait = nil, 0
	// Everything is here before the first root is accepted: what is in force
	// may not hold by it.
	var roots [][]byte
	var plan, manifest []byte
	var err error
	if offer.Root > 0 {
		roots, err = k.l.follow(ctx, offer.Root)
	}
	if err == nil {
		plan, manifest, err = k.documents(ctx, offer)
	}
	if err != nil {
		if ctx.Err() == nil {
			k.l.o.Refused("fetch", err)
			k.retry, k.wait = &offer, k.later(err)
		}
		return true
	}
	p, err := k.l.accept(roots, plan, manifest)
	if diskFull(err) || errors.Is(err, syscall.EIO) { // nothing is wrong with the plan
		if diskFull(err) {
			k.l.o.Faults.Set(condition.DiskFull, "")
		} else {
			k.l.o.Faults.Set(condition.CardFailing, "plan")
		}
		k.retry, k.wait = &offer, k.later(err)
		return true
	}
	body := wire.PlanTaken{Version: offer.Version, SHA256: offer.Plan.SHA256}
	if err != nil {
		if !errors.Is(err, seal.ErrRollback) || time.Since(k.taken) > overtaken {
			k.l.o.Refused("plan", err)
		}
		k.l.o.Faults.Set(condition.PlanRefused, err.Error())
		if k.refused == offer.Plan.SHA256 {
			return true
		}
		k.refused, body.Refused = offer.Plan.SHA256, err.Error()
		k.l.log.Warn("plan refused", "version", offer.Version, "sha256", offer.Plan.SHA256, "err", err)
	} else {
		k.refused, body.Version, k.taken = "", p.Version, time.Now()
		k.l.o.Clock.RaiseFloor(wire.FromUS(p.IssuedUS))
		k.l.o.Faults.Clear(condition.PlanRefused)
		k.l.o.Faults.Clear(condition.DiskFull) // the clips may find it full again
		k.l.log.Info("plan accepted", "version", p.Version, "slots", len(p.Slots), "clips", len(p.Clips))
	}
	if _, jerr := k.l.o.Journal.Append(wire.RecordPlan, k.l.o.Clock.Now(), body); jerr != nil {
		k.l.log.Error("recording plan", "err", jerr)
	}
	k.changed()
	if err == nil {
		k.pause.reset()
		k.wait = k.spread(p, k.l.o.Clock.Now().Wall)
	}
	return true
}

// documents returns both envelopes, inline, held already or fetched, each
// checked against its hash.
func (k *keeper) documents(ctx context.Context, offer wire.PlanOffer) (plan, manifest []byte, err error) {
	get := func(ref wire.DocRef, at ...[]byte) ([]byte, error) {
		for _, doc := range at {
			if len(doc) > 0 && checkDoc(doc, ref) == nil {
				return doc, nil
			}
		}
		return k.l.fetcher.document(ctx, ref)
	}
	if plan, err = get(offer.Plan, offer.PlanDoc); err != nil {
		return nil, nil, err
	}
	manifest, err = get(offer.Manifest, offer.ManDoc, k.l.o.Plans.ManifestEnvelope())
	return plan, manifest, err
}

// urgentJitter is within how long a fleet comes for the clip of something
// urgent; the server bounds how many it serves at once.
const urgentJitter = 2 * time.Second

// spread returns how long to wait before fetching the clips of p, so that a
// fleet does not come at once. A plan that sounds soon is fetched sooner.
func (k *keeper) spread(p *wire.Plan, now time.Time) time.Duration {
	most := k.l.o.FetchJitter
	for _, s := range p.Slots {
		if s.Urgent && time.Unix(s.EndS, 0).After(now) {
			most = min(most, urgentJitter)
		}
	}
	for _, s := range p.Slots {
		if start := time.Unix(s.StartS, 0); start.After(now) {
			most = min(most, start.Sub(now)/10)
			break
		}
	}
	return seeded(most, string(k.l.o.Device), p.Point, strconv.FormatUint(p.Version, 10))
}

// changed tells playout and controller that plan or clips are different now.
func (k *keeper) changed() {
	if k.l.o.PlanChanged != nil {
		k.l.o.PlanChanged()
	}
	k.l.Nudge()
}
