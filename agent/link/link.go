package link

import (
	"context"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"gatecast/agent/condition"
	"gatecast/agent/walltime"
	"gatecast/internal/durable"
	"gatecast/internal/wire"
)

// Journal is what a Link needs of the device's journal.
type Journal interface {
	// Append stores a record durably and returns its number.
	Append(kind wire.RecordKind, at walltime.Stamp, body any) (wire.Seq, error)
	// Batch returns the first records of one log that nobody has acked, in
	// order, at most max and about maxBytes; none when all are.
	Batch(max, maxBytes int) (wire.Batch, error)
	// Ack takes what the controller has committed.
	Ack(wire.Ack) error
	// Changed yields a value after records were appended. It has one reader.
	Changed() <-chan struct{}
}

// Plans is what a Link needs of the accepted documents.
type Plans interface {
	// Current returns the plan in force and the hash of its envelope.
	Current() (p *wire.Plan, m *wire.Manifest, hash string, ok bool)
	// ManifestEnvelope returns the manifest in force, nil for none.
	ManifestEnvelope() []byte
	// Accept verifies both envelopes and stores them durably. nowUS is trusted
	// time, 0 for none, as below.
	Accept(plan, manifest []byte, nowUS int64) (*wire.Plan, error)
	// VerifyTime opens a signed time that answers nonce.
	VerifyTime(envelope []byte, nonce string) (wire.TimeAnswer, error)
	// VerifyCommand opens a signed command for this connection; it succeeds at
	// most once for each, over restarts too.
	VerifyCommand(envelope []byte, nonce string, nowUS int64) (wire.Command, error)
}

// Clips is what a Link needs of the library.
type Clips interface {
	// Missing returns those of want that are not on the device.
	Missing(want []string) []string
	// Sync fetches what is missing of want. An error leaves what was fetched.
	Sync(ctx context.Context, want []wire.ManifestClip) error
}

// Clock is what a Link needs of the time.
type Clock interface {
	// Now is also asked how long an answer took: its Mono counts through a
	// suspend, which the process's own clock does not.
	Now() walltime.Stamp
	Trust(answerUS int64, rtt time.Duration)
	RaiseFloor(t time.Time)
}

// Faults takes conditions; condition.Registry is one.
type Faults interface {
	Set(code condition.Code, detail string)
	Clear(code condition.Code)
}

// Doer carries out commands. Do returns when the command is done or cannot
// be; its error is shown to the office.
type Doer interface {
	Do(ctx context.Context, c wire.Command) error
}

// Receipts keeps what the controller signs of the journal.
type Receipts interface {
	// Keep verifies a receipt and stores it durably. One that is kept already is
	// no error.
	Keep(envelope []byte) error
}

// Options is what a Link needs. Fields without a default are required.
type Options struct {
	Device   wire.DeviceID
	Broker   string             // host:port
	Base     string             // https://host:port of the device port
	TLS      func() *tls.Config // a fresh configuration for each connection
	Dir      string             // holds link.json
	FS       durable.FS         // where Dir is; nil means the real disk
	Agent    string             // version of the program
	Platform string             // e.g. linux/arm64; may be empty

	// State returns what the device has and does now. Session and Online are
	// filled in by the Link. It must not call into the Link.
	State   func() wire.State
	Journal Journal
	Plans   Plans
	Clips   func(f *Fetcher) Clips // called once by New
	Clock   Clock
	Faults  Faults
	Doer    Doer
	// Roots follows the trust root; nil stays with the one in force.
	Roots Roots
	// Receipts takes counter-signatures; nil ignores them.
	Receipts Receipts
	// Revoked takes the envelope of a revocation that the controller gave; nil
	// for nobody, and nobody is asked then.
	Revoked func(envelope []byte) error
	// Gone says that Revoked took one in an earlier run.
	Gone bool
	// Refused is told what came, by its kind of message or "clip", and why it was
	// refused, where no honest network, broker or controller does that; nil for
	// nobody. It must not block.
	Refused func(what string, err error)
	// Muted takes the envelope of the office's word about silence; nil ignores
	// it. An error is logged, and the office says it again.
	Muted func(envelope []byte) error
	// PlanChanged is called after a plan was accepted and each time clips
	// arrived; nil for nobody.
	PlanChanged func()

	KeepAlive    time.Duration // of MQTT; jittered by a tenth
	Heartbeat    time.Duration // longest pause between two states; jittered by a tenth
	ReportJitter time.Duration // records and states wait a random time up to this; 0 sends at once
	FetchJitter  time.Duration // clips of a plan that is not due soon wait up to this
	Logger       *slog.Logger  // nil discards

	// Seams for a network that is not one; nil is the real thing.
	Dial Dialer            // instead of MQTT over TLS
	HTTP http.RoundTripper // instead of HTTPS
	Rand *rand.ChaCha8     // of jitter and nonces; New draws from it, nobody later
}

// DefaultOptions returns Options with every default filled in.
func DefaultOptions() Options {
	return Options{
		KeepAlive:    time.Minute,
		Heartbeat:    3 * time.Minute,
		ReportJitter: 2 * time.Second,
		FetchJitter:  30 * time.Second,
	}
}

func (o *Options) validate() error {
	switch {
	case !o.Device.Valid():
		return fmt.Errorf("Options.Device is %q; it must be a device id", o.Device)
	case !hostPort(o.Broker):
		return fmt.Errorf("Options.Broker is %q; it must be host:port", o.Broker)
	case o.Base == "":
		return errors.New("Options.Base is empty; it must be https://host:port")
	case o.TLS == nil, o.State == nil, o.Journal == nil, o.Plans == nil, o.Clips == nil, o.Clock == nil, o.Faults == nil, o.Doer == nil:
		return errors.New("Options.TLS, State, Journal, Plans, Clips, Clock, Faults and Doer must all be set")
	case o.Dir == "":
		return errors.New("Options.Dir is empty; it must be a folder")
	case o.KeepAlive < 5*time.Second || o.KeepAlive > time.Hour:
		return fmt.Errorf("Options.KeepAlive is %s; it must be 5s to 1h", o.KeepAlive)
	case o.Heartbeat < time.Second || o.Heartbeat > 24*time.Hour:
		return fmt.Errorf("Options.Heartbeat is %s; it must be 1s to 24h", o.Heartbeat)
	case o.ReportJitter < 0 || o.ReportJitter > time.Hour:
		return fmt.Errorf("Options.ReportJitter is %s; it must be 0 to 1h", o.ReportJitter)
	case o.FetchJitter < 0 || o.FetchJitter > time.Hour:
		return fmt.Errorf("Options.FetchJitter is %s; it must be 0 to 1h", o.FetchJitter)
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Refused == nil {
		o.Refused = func(string, error) {}
	}
	return nil
}

func hostPort(s string) bool {
	host, port, err := net.SplitHostPort(s)
	return err == nil && host != "" && port != ""
}

// Link is the connection of one device to its controller.
type Link struct {
	run      string // of this start; immutable after New
	o        Options
	log      *slog.Logger
	fetcher  *Fetcher
	roots    *Fetcher // of trust roots, from any server
	clips    Clips
	counters *counters
	dial     Dialer
	// One for each purpose: what becomes ready at the same instant is taken in
	// no order, and draws that do not share a stream come out the same.
	dice, planDice, stateDice, collectDice, windowDice, memberDice *dice

	nudged     chan struct{}       // state may have changed
	rooted     chan struct{}       // a trust root was accepted
	again      chan struct{}       // connect without a pause
	doubts     chan struct{}       // the controller may not want this device any more
	offers     chan wire.PlanOffer // the newest offer only
	rootOffers chan uint64         // version of a trust root
	orders     chan order          // commands to carry out
	results    chan wire.Result    // of commands, to publish
	dropped    atomic.Int64        // messages that found a full inbox
	connected  atomic.Bool
	ordered    time.Time // when a command was taken last in this run; of the session that is up
	last       []byte    // its envelope
	// gone says that this device knows that it is revoked: it calls ever more
	// rarely, because nobody believes it and its knocking is news at the office.
	gone atomic.Bool
}

// New returns a Link that does nothing until Run. It reads link.json.
func New(o Options) (*Link, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	c := openCounters(o.FS, o.Dir, o.Clock.Now().Wall)
	l := &Link{
		o: o, log: o.Logger.With("component", "link"),
		fetcher: newFetcher(o.Base, o.TLS, o.HTTP), roots: newFetcher(o.Base, anyone, o.HTTP), counters: c,
		rooted: make(chan struct{}, 1), rootOffers: make(chan uint64, 1),
		dice: newDice(o.Rand), planDice: newDice(o.Rand), stateDice: newDice(o.Rand), collectDice: newDice(o.Rand), windowDice: newDice(o.Rand), memberDice: newDice(o.Rand),
		nudged: make(chan struct{}, 1), doubts: make(chan struct{}, 1), again: make(chan struct{}, 1), offers: make(chan wire.PlanOffer, 1),
		orders: make(chan order, 4), results: make(chan wire.Result, 16),
	}
	var b [8]byte
	l.memberDice.read(b[:])
	l.run = hex.EncodeToString(b[:])
	l.gone.Store(o.Gone)
	l.clips = o.Clips(l.fetcher)
	l.dial = o.Dial
	if l.dial == nil {
		l.dial = dialPaho
	}
	return l, nil
}

// Nudge says that the device's state may have changed; it is compared and
// published soon. It never blocks.
func (l *Link) Nudge() {
	select {
	case l.nudged <- struct{}{}:
	default:
	}
}

// Connected reports whether a session is up.
func (l *Link) Connected() bool { return l.connected.Load() }

// Run keeps the session, the plan and the clips until ctx ends, and returns
// when everything it started has ended. Faults of the network never end it.
// It is called once.
func (l *Link) Run(ctx context.Context) {
	var wg sync.WaitGroup
	wg.Go(func() { l.keepSession(ctx) })
	wg.Go(func() { l.keepPlan(ctx) })
	wg.Go(func() { l.carryOut(ctx) })
	wg.Go(func() { l.keepMembership(ctx) })
	wg.Wait()
	l.fetcher.close()
	l.roots.close()
}

// keepSession connects again and again. The pause grows with every attempt
// and starts over once a session has lasted, or a trust root was accepted.
func (l *Link) keepSession(ctx context.Context) {
	pause := backoff{first: 500 * time.Millisecond, most: time.Minute, dice: l.dice}
	for ctx.Err() == nil {
		began := time.Now()
		err := l.session(ctx)
		l.connected.Store(false)
		if ctx.Err() != nil {
			return
		}
		l.o.Faults.Set(condition.LinkDown, l.o.Broker)
		if time.Since(began) >= lasting {
			pause.reset()
		}
		if l.gone.Load() {
			pause.most = time.Hour
		}
		wait := pause.next()
		if pause.attempt >= 2 {
			l.doubt()
		}
		// The first failures are the ordinary face of a restart; what lasts
		// becomes a condition.
		l.log.Debug("link is down", "err", err, "retry_in", wait)
		if pause.attempt == 3 {
			l.log.Warn("controller cannot be reached; playing goes on by the plan", "broker", l.o.Broker, "err", err)
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-timer.C:
		case <-l.again:
			pause.reset()
		}
		timer.Stop()
	}
}

// lasting is how long a session must have lived for the next pause to be
// short again: a broker that accepts and drops at once must not be hammered.
const lasting = 30 * time.Second

// sleep waits for d and reports whether ctx is still alive.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// trustedUS returns the time for expiry checks, 0 when it is not trusted.
func (l *Link) trustedUS() int64 {
	now := l.o.Clock.Now()
	if now.Level < wire.T1 {
		return 0
	}
	return wire.US(now.Wall)
}

// drain discards and closes r, so that its connection can be used again.
func drain(r io.ReadCloser) {
	_, _ = io.CopyN(io.Discard, r, 4<<10)
	_ = r.Close()
}
