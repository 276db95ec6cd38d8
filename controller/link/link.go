// Package link is the controller's side of MQTT: it hears what devices say,
// commits their records, and sends what they are missing.
//
// It owns the controller's one session at the broker, the order of handling
// (one device's messages one after the other, different devices at once), who
// counts as connected, and the moment of an ack: after the commit, never
// before. The broker is an untrusted pipe that may lose, repeat and reorder,
// so nothing rests on a single message: every hello and state is compared
// with what the device should have, a full queue drops what comes (and counts
// it), and devices send again until they are acked.
//
// The registry, the journals and the documents are behind small interfaces;
// this package keeps nothing on disk. A Link is safe for concurrent use.
package link

import (
	"context"
	cryptorand "crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"errors"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// Registry knows devices. It is asked for every message and answers from
// memory.
type Registry interface {
	Device(ctx context.Context, id wire.DeviceID) (fleet.Device, error)
	Devices(ctx context.Context) ([]fleet.Device, error)
	// SaveHello and SaveState keep what a device said and return it as it is
	// now. A state of an older session changes nothing.
	SaveHello(ctx context.Context, id wire.DeviceID, h wire.Hello, now time.Time) (fleet.Device, error)
	SaveState(ctx context.Context, id wire.DeviceID, s wire.State, now time.Time) (fleet.Device, error)
	// SetOffline reports whether the session that ended was the present one.
	SetOffline(ctx context.Context, id wire.DeviceID, session uint64, now time.Time) (bool, error)
}

// Retired keeps what is still asked of devices that were replaced.
type Retired interface {
	// SavePlanHeld keeps which plan the device says it has.
	SavePlanHeld(ctx context.Context, id wire.DeviceID, version uint64, hash string) (fleet.Device, error)
}

// Journals keeps the records of devices.
type Journals interface {
	// AppendRecords commits records and returns how many are new. When it
	// returns nil they survive power loss.
	AppendRecords(ctx context.Context, id wire.DeviceID, log wire.LogID, records []json.RawMessage, now time.Time) (int, error)
	// AddDeadBatch keeps a message of records that cannot be taken apart.
	AddDeadBatch(ctx context.Context, id wire.DeviceID, raw []byte, reason string, now time.Time) error
	// AckState says what is committed of a journal.
	AckState(ctx context.Context, id wire.DeviceID, log wire.LogID) (wire.Ack, error)
	// RecordBytes returns the exact bytes of a record, or NotFound.
	RecordBytes(ctx context.Context, id wire.DeviceID, log wire.LogID, seq wire.Seq) ([]byte, error)
}

// Evidence keeps what is known of how far journals can be believed.
type Evidence interface {
	// AddBreaks returns how many were not known.
	AddBreaks(ctx context.Context, all []fleet.Break) (int, error)
	// AddReceipt keeps a receipt that a device gave back; one that does not
	// follow from the newest is Conflict.
	AddReceipt(ctx context.Context, r fleet.Receipt) error
	// NextReceipt returns the envelope that a device with number held should
	// get next, nil for none.
	NextReceipt(ctx context.Context, id wire.DeviceID, held uint64) ([]byte, error)
}

// Documents keeps sealed plans and manifests.
type Documents interface {
	Doc(ctx context.Context, sha256 string) ([]byte, error)
	LatestDoc(ctx context.Context, d wire.DeviceID, t wire.DocType) (fleet.Doc, error)
}

// Store is the five together; one value has them all.
type Store interface {
	Registry
	Retired
	Journals
	Evidence
	Documents
}

// Trust signs what devices obey.
type Trust interface {
	SealTime(d wire.DeviceID, nonce string, now time.Time) ([]byte, error)
	SealCommand(c *wire.Command) ([]byte, error)
	// OpenReceipt returns a receipt that this office signed for the device.
	OpenReceipt(envelope []byte, device wire.DeviceID) (wire.Receipt, error)
	// RootVersion is that of the trust root in force.
	RootVersion() uint64
	// Heard reports whether a device with that root believes the director.
	Heard(version uint64) bool
	// InForce reports whether a plan or manifest is by a key of that root.
	InForce(t wire.DocType, envelope []byte) bool
}

// Options of New. Broker, TLS, Store and Trust are required.
type Options struct {
	Broker func() string // host:port; asked before every connection
	TLS    *tls.Config   // the controller's own identity; nil means plain TCP, for a broker on this machine
	Store  Store
	Trust  Trust

	OnEvent   func(fleet.Event)                     // told of every visible change; must not block; may be nil
	OnRecords func()                                // told after new records were committed; must not block; may be nil
	OnReturn  func()                                // told when a device may need a plan that was not made: it was awaited after a restore and has said what it has, or was replaced; must not block; may be nil
	OnClone   func(id wire.DeviceID, detail string) // told of a device whose key two machines use, before its hello is answered; may be nil
	OnBroken  func(fleet.Break)                     // told of a journal whose chain does not hold; must not block; may be nil
	Kick      func(wire.DeviceID)                   // closes the connection of a device that may not be heard; may be nil

	// Lacking returns the signed word about silence that a device should have
	// and has not, nil for none; it is asked for every hello and state and
	// answers from memory. May be nil.
	Lacking func(fleet.Device) ([]byte, error)

	StateInterval time.Duration    // longest pause between two states of a healthy device; 0 means DefaultStateInterval
	ClientID      string           // empty draws one; must begin with "controller-" at the embedded broker
	Now           func() time.Time // nil means time.Now
	Logger        *slog.Logger     // nil discards

	// Seams for a network that is not one; nil is the real thing.
	Dial Dialer        // instead of MQTT at Broker
	Rand *rand.ChaCha8 // of pauses
}

// DefaultStateInterval is the heartbeat of devices.
const DefaultStateInterval = 3 * time.Minute

func (o *Options) validate() error {
	switch {
	case o.Broker == nil, o.Store == nil, o.Trust == nil:
		return errors.New("link options: Broker, Store and Trust are required")
	case o.StateInterval < 0:
		return errors.New("link options: StateInterval must not be negative")
	case strings.ContainsAny(o.ClientID, " /+#."):
		return errors.New("link options: ClientID must be without spaces, dots and wildcards")
	}
	if o.StateInterval == 0 {
		o.StateInterval = DefaultStateInterval
	}
	if o.ClientID == "" {
		var b [8]byte
		_, _ = cryptorand.Read(b[:]) // never fails
		o.ClientID = "controller-" + hex.EncodeToString(b[:])
	}
	if o.OnEvent == nil {
		o.OnEvent = func(fleet.Event) {}
	}
	if o.OnRecords == nil {
		o.OnRecords = func() {}
	}
	if o.OnReturn == nil {
		o.OnReturn = func() {}
	}
	if o.OnClone == nil {
		o.OnClone = func(wire.DeviceID, string) {}
	}
	if o.OnBroken == nil {
		o.OnBroken = func(fleet.Break) {}
	}
	if o.Kick == nil {
		o.Kick = func(wire.DeviceID) {}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return nil
}

// Link is the controller's MQTT session and what hangs on it.
type Link struct {
	o      Options // immutable after New
	logger *slog.Logger
	inbox  *inbox
	offers *offers
	mutes  *offers // who waits to be told about silence
	orders *orders
	failed throttle // of commits, so that a full disk is not logged once a device

	ctx    context.Context // ends what handlers do; set by New
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu      sync.Mutex
	client  Session // nil while down
	upSince time.Time
	first   chan struct{} // closed when the first session is up
	started bool

	stats counters
}

// New checks o and returns a link that does nothing before Start.
func New(o Options) (*Link, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	l := &Link{
		o: o, logger: o.Logger.With("component", "link"),
		offers: newOffers(), mutes: newOffers(), orders: newOrders(), first: make(chan struct{}),
	}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	l.inbox = newInbox(l.handle)
	if l.o.Dial == nil {
		l.o.Dial = l.dialPaho
	}
	return l, nil
}

// firstWait bounds how long Start waits for a broker that is there.
const firstWait = 3 * time.Second

// Start connects and serves until Stop. It waits a little for the first
// session, but a broker that cannot be reached is no error: the link goes on
// trying. A Link starts once.
func (l *Link) Start() error {
	l.mu.Lock()
	if l.started {
		l.mu.Unlock()
		return errors.New("starting link: it was started before")
	}
	l.started = true
	l.mu.Unlock()
	l.wg.Go(l.keepSession)
	l.wg.Go(l.keepOffering)
	l.wg.Go(l.keepMuting)
	l.wg.Go(l.keepPresence)
	select {
	case <-l.first:
	case <-time.After(firstWait):
		l.logger.Warn("broker cannot be reached yet", "broker", l.o.Broker())
	case <-l.ctx.Done():
	}
	return nil
}

// Stop ends the session, lets what is being committed finish within ctx and
// returns when everything has ended. It is idempotent.
func (l *Link) Stop(ctx context.Context) error {
	l.disconnect()
	err := l.inbox.close(ctx)
	l.cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		l.wg.Wait()
		l.inbox.wait()
	}()
	select {
	case <-done:
		return err
	case <-ctx.Done():
		return errors.Join(err, ctx.Err())
	}
}

// Connected reports whether the session is up.
func (l *Link) Connected() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.client != nil
}

// counters are what a link has done since New.
type counters struct {
	messages, refused, records, fresh, acks, offers, broken atomic.Int64
}

// Stats is what a link has done since New.
type Stats struct {
	Messages int64 // heard
	Dropped  int64 // found a queue full
	Repeated int64 // records that were sent again while the first copy still waited
	Refused  int64 // unreadable, retained, or of a device that may not be heard
	Records  int64 // received; one that came twice counts twice
	Fresh    int64 // records that were new
	Acks     int64 // sent
	Offers   int64 // sent
	Broken   int64 // links of journals that did not hold
	Waiting  int   // messages in queues now
}

// Stats returns what l has done so far.
func (l *Link) Stats() Stats {
	s := &l.stats
	return Stats{
		Messages: s.messages.Load(), Dropped: l.inbox.dropped.Load(), Repeated: l.inbox.repeated.Load(), Refused: s.refused.Load(),
		Records: s.records.Load(), Fresh: s.fresh.Load(), Acks: s.acks.Load(), Offers: s.offers.Load(),
		Broken: s.broken.Load(), Waiting: int(l.inbox.waiting.Load()),
	}
}

// throttle lets one through every ten seconds.
type throttle struct {
	mu   sync.Mutex
	last time.Time
}

func (t *throttle) ok(now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if d := now.Sub(t.last); d >= 0 && d < 10*time.Second {
		return false
	}
	t.last = now
	return true
}
