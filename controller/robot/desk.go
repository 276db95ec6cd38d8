package robot

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"gatecast/controller/fleet"
)

// Roster is where robots are kept.
type Roster interface {
	Robots(ctx context.Context) ([]fleet.Robot, error)
	RobotTarget(ctx context.Context, id fleet.RobotID) (fleet.RobotTarget, error)
	AddRobot(ctx context.Context, v fleet.Robot, target fleet.RobotTarget) (fleet.RobotID, error)
	PauseRobot(ctx context.Context, id fleet.RobotID, at time.Time) error
	RemoveRobot(ctx context.Context, id fleet.RobotID) error
}

// Outbox is where messages wait.
type Outbox interface {
	TellRobot(ctx context.Context, id fleet.RobotID, told fleet.OccurrenceID, letters []fleet.Letter) error
	AddLetter(ctx context.Context, l fleet.Letter) (fleet.LetterID, error)
	NextLetter(ctx context.Context, robot fleet.RobotID) (l fleet.Letter, ok bool, err error)
	TryLetter(ctx context.Context, id fleet.LetterID, at, next time.Time, tokens float64) error
	NoteLetter(ctx context.Context, l fleet.Letter, hold time.Time) error
}

// Shelf is where messages lie that ended.
type Shelf interface {
	Letters(ctx context.Context, f fleet.LetterFilter) ([]fleet.Letter, error)
	ResendLetter(ctx context.Context, id fleet.LetterID, now time.Time) (fleet.Letter, error)
	DropLetter(ctx context.Context, id fleet.LetterID) (fleet.Letter, error)
	TrimOutbox(ctx context.Context, sent, dead time.Time) (int, error)
}

// News is what happened.
type News interface {
	Occurrences(ctx context.Context, f fleet.OccurrenceFilter) ([]fleet.Occurrence, error)
	OccurrenceBounds(ctx context.Context) (first, last fleet.OccurrenceID, err error)
}

// Store is all that a Desk needs of the store.
type Store interface {
	Roster
	Outbox
	Shelf
	News
}

// Options of New. Store, Say and Zone are required.
type Options struct {
	Store  Store
	Hosts  []string                             // host[:port] that may be called beside the platforms', by http, too
	Say    func(key string, args ...any) string // words of the catalog, in the language of the chats
	Office string                               // its name, in titles
	Zone   *time.Location
	Client *http.Client // of every call; nil means one with a timeout that follows no redirect
	Logger *slog.Logger // nil discards
	Now    func() time.Time
}

// Desk sends while Run runs.
type Desk struct {
	o    Options // immutable after New
	poke chan struct{}
	wg   sync.WaitGroup

	mu    sync.Mutex
	busy  map[fleet.RobotID]bool      // is being sent to
	later map[fleet.RobotID]time.Time // its digest is not due before
}

// Times of the desk.
const (
	callTime  = 10 * time.Second   // of one attempt
	idle      = 5 * time.Minute    // between looks without a reason
	oldest    = 24 * time.Hour     // what waited longer tells nobody anything
	keepSent  = 7 * 24 * time.Hour // in the list
	keepDead  = 90 * 24 * time.Hour
	trimEvery = time.Hour
)

// New returns a Desk.
func New(o Options) (*Desk, error) {
	if o.Store == nil || o.Say == nil || o.Zone == nil {
		return nil, errors.New("robot options: Store, Say and Zone are required")
	}
	if o.Client == nil {
		o.Client = &http.Client{
			Timeout:       callTime,
			Transport:     &http.Transport{Proxy: http.ProxyFromEnvironment, TLSHandshakeTimeout: callTime, MaxIdleConnsPerHost: 1, IdleConnTimeout: 30 * time.Second, ForceAttemptHTTP2: true},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Desk{o: o, poke: make(chan struct{}, 1), busy: map[fleet.RobotID]bool{}, later: map[fleet.RobotID]time.Time{}}, nil
}

// Poke says that something happened or was changed. It never blocks.
func (d *Desk) Poke() {
	select {
	case d.poke <- struct{}{}:
	default: // a look is coming
	}
}

// Run sends until ctx ends, and returns when the last attempt is over. What
// fails is logged and tried again. news gets a value when something happened;
// nil is for a Desk that is only poked.
func (d *Desk) Run(ctx context.Context, news <-chan struct{}) error {
	defer d.wg.Wait()
	defer d.o.Client.CloseIdleConnections()
	var trimmed time.Time
	for {
		now := d.o.Now()
		next, err := d.step(ctx, now)
		if err != nil && ctx.Err() == nil {
			d.o.Logger.Error("sending to robots", "err", err)
		}
		if now.Sub(trimmed) >= trimEvery {
			trimmed = now
			if _, err := d.o.Store.TrimOutbox(ctx, now.Add(-keepSent), now.Add(-keepDead)); err != nil && ctx.Err() == nil {
				d.o.Logger.Error("trimming the outbox", "err", err)
			}
		}
		timer := time.NewTimer(min(max(next.Sub(d.o.Now()), 100*time.Millisecond), idle))
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-d.poke:
			timer.Stop()
		case <-news:
			timer.Stop()
		case <-timer.C:
		}
	}
}

// step writes what is to be told and starts every attempt that is due, and
// returns when to look again.
func (d *Desk) step(ctx context.Context, now time.Time) (next time.Time, err error) {
	next = now.Add(idle)
	robots, err := d.o.Store.Robots(ctx)
	if err != nil {
		return now.Add(10 * time.Second), fmt.Errorf("reading robots: %w", err)
	}
	var errs []error
	for _, r := range robots {
		if !r.Paused.IsZero() {
			continue
		}
		for _, look := range []func(context.Context, fleet.Robot, time.Time) (time.Time, error){d.tell, d.send} {
			at, err := look(ctx, r, now)
			if err != nil {
				errs = append(errs, fmt.Errorf("robot %q: %w", r.Name, err))
				at = now.Add(10 * time.Second)
			}
			if at.Before(next) {
				next = at
			}
		}
	}
	return next, errors.Join(errs...)
}

// send starts the robot's next attempt if it is due.
func (d *Desk) send(ctx context.Context, r fleet.Robot, now time.Time) (next time.Time, err error) {
	never := now.Add(idle)
	d.mu.Lock()
	busy := d.busy[r.ID]
	d.mu.Unlock()
	if busy {
		return never, nil // its end pokes
	}
	l, ok, err := d.o.Store.NextLetter(ctx, r.ID)
	if err != nil || !ok {
		return never, err
	}
	p := platformOf(r.Platform)
	if p == nil {
		return never, fmt.Errorf("unknown platform %q", r.Platform)
	}
	when, held := p.limits().passes(r.Tokens, r.TokensAt, now)
	for _, t := range []time.Time{l.Next, r.Hold} {
		if t.After(when) {
			when = t
		}
	}
	if when = p.limits().uncrowded(when); when.After(now) {
		return when, nil
	}
	d.mu.Lock()
	d.busy[r.ID] = true
	d.mu.Unlock()
	d.wg.Go(func() {
		defer d.Poke()
		defer func() {
			d.mu.Lock()
			defer d.mu.Unlock()
			delete(d.busy, r.ID)
		}()
		if err := d.attempt(ctx, r, l, held-1, now); err != nil && ctx.Err() == nil && fleet.CodeOf(err) != fleet.NotFound {
			d.o.Logger.Error("sending to robot", "robot", r.Name, "letter", l.ID, "err", err)
		}
	})
	return never, nil
}
