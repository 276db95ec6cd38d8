package link

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"gatecast/agent/condition"
	"gatecast/internal/wire"
)

const (
	// inboxSize bounds what one connection has received and not yet handled.
	// More is dropped and counted: everything is sent again when it is missed.
	inboxSize = 64
	// maxRTT is the oldest answer that says anything useful about the time:
	// half of it becomes the clock's error.
	maxRTT = 10 * time.Second
	// askAgain is the first pause before hello is repeated when nobody
	// answered: the broker may be up while the controller is not.
	askAgain     = 20 * time.Second
	askAgainMost = 5 * time.Minute
	// refresh is how often time is asked for again while it came from the
	// controller: 100 ppm of drift are 2 s in six hours.
	refresh = 6 * time.Hour
)

// session is one connection, driven by a single goroutine.
type session struct {
	l      *Link
	tr     Transport
	number uint64
	inbox  chan Inbound

	nonce  string
	before string        // the nonce asked with before nonce
	asked  time.Duration // since boot, when nonce was sent
	timed  time.Time     // when nonce was answered with the time; zero while it was not
	ask    time.Time     // when to send hello (again)
	pause  backoff       // of asking

	state   reporter
	window  window
	collect time.Time // when records that wait for their jitter are sent; zero when none do
}

// session connects once and serves the connection until it breaks or ctx
// ends.
func (l *Link) session(ctx context.Context) error {
	number, err := l.counters.nextSession()
	if err != nil {
		return err
	}
	will, err := json.Marshal(wire.State{Session: number})
	if err != nil {
		return fmt.Errorf("encoding will: %w", err)
	}
	s := &session{
		l: l, number: number, inbox: make(chan Inbound, inboxSize), window: newWindow(l.windowDice),
		state: reporter{every: l.o.Heartbeat, jitter: l.o.ReportJitter, dice: l.stateDice},
		pause: backoff{first: 2 * askAgain, most: askAgainMost, dice: l.dice},
	}
	s.tr, err = l.dial(ctx, Connection{
		Device: l.o.Device, Broker: l.o.Broker, TLS: l.o.TLS(), KeepAlive: l.dice.about(l.o.KeepAlive),
		Will: will, Deliver: s.deliver, Refused: func(err error) { l.o.Refused("packet", err) }, Log: l.log,
	})
	if err != nil {
		return err
	}
	defer s.tr.Close()
	if err := s.hello(time.Now()); err != nil {
		return err
	}
	l.connected.Store(true)
	l.o.Faults.Clear(condition.LinkDown)
	l.log.Info("link is up", "broker", l.o.Broker, "session", number)
	err = s.serve(ctx)
	if ctx.Err() != nil {
		s.leave()
		return ctx.Err()
	}
	l.log.Info("link was lost", "session", number, "err", err)
	return err
}

// deliver takes a message from the transport without blocking.
func (s *session) deliver(m Inbound) {
	select {
	case s.inbox <- m:
	default:
		n := s.l.dropped.Add(1)
		if n&(n-1) == 0 { // 1, 2, 4, 8 …
			s.l.log.Warn("inbox is full, messages dropped", "dropped", n)
		}
		if n%flood == 0 {
			s.l.o.Refused("inbox", fmt.Errorf("%w: %d messages more than can be handled", ErrEndless, n))
		}
	}
}

// serve handles everything that happens on the connection.
func (s *session) serve(ctx context.Context) error {
	s.collect = time.Now() // what waited for the connection goes at once
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		if err := s.act(time.Now()); err != nil {
			return err
		}
		timer.Reset(time.Until(s.next()))
		var err error
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err = <-s.tr.Lost():
			if err == nil {
				err = fmt.Errorf("connection closed")
			}
		case m := <-s.inbox:
			s.handle(m)
		case <-s.l.o.Journal.Changed():
			s.appended(time.Now())
		case <-s.l.nudged:
			s.state.nudge(time.Now())
		case <-s.l.rooted:
			// What was signed by a new key meanwhile, the time before all, was
			// refused: ask again.
			err = s.hello(time.Now())
		case r := <-s.l.results:
			err = s.send(wire.KindResult, r)
		case <-timer.C:
		}
		if err != nil {
			return err
		}
	}
}

// next returns the earliest instant at which act has something to do.
func (s *session) next() time.Time {
	at := s.state.due
	for _, t := range []time.Time{s.ask, s.window.due, s.collect} {
		if !t.IsZero() && t.Before(at) {
			at = t
		}
	}
	return at
}

// act does what is due at now.
func (s *session) act(now time.Time) error {
	if !s.ask.IsZero() && !now.Before(s.ask) {
		if err := s.hello(now); err != nil {
			return err
		}
	}
	if !s.collect.IsZero() && !now.Before(s.collect) || !s.window.due.IsZero() && !now.Before(s.window.due) {
		s.collect = time.Time{}
		if err := s.sendRecords(now); err != nil {
			return err
		}
	}
	if now.Before(s.state.due) {
		return nil
	}
	state := s.present()
	if !s.state.pick(now, state) {
		return nil
	}
	return s.send(wire.KindState, state)
}

// appended says that the journal grew: its records are sent after the jitter,
// and the state, which may have changed with them, is compared.
func (s *session) appended(now time.Time) {
	s.state.nudge(now)
	if s.collect.IsZero() {
		s.collect = now.Add(s.l.collectDice.within(s.l.o.ReportJitter))
	}
}

// hello introduces the connection, or asks for the time again with a fresh
// nonce.
func (s *session) hello(now time.Time) error {
	var b [16]byte
	s.l.dice.read(b[:])
	s.before = s.nonce
	s.nonce, s.asked, s.timed = hex.EncodeToString(b[:]), s.l.o.Clock.Now().Mono, time.Time{}
	s.ask = now.Add(s.pause.next())
	if s.pause.attempt > 2 {
		s.l.doubt() // somebody takes our messages and nobody answers
	}
	state := s.present()
	err := s.send(wire.KindHello, wire.Hello{
		Protocol: wire.Protocol, Session: s.number, Nonce: s.nonce,
		Agent: s.l.o.Agent, Platform: s.l.o.Platform, BootID: s.l.o.Clock.Now().BootID, Run: s.l.run, State: state,
	})
	s.state.sent(now, state)
	return err
}

// present returns the state as this session reports it.
func (s *session) present() wire.State {
	state := fit(s.l.o.State())
	state.Session, state.Online = s.number, true
	state.AtUS = wire.US(s.l.o.Clock.Now().Wall)
	return state
}

// leave reports the end in good order; the will is for the other ends.
func (s *session) leave() {
	_ = s.sendRecords(time.Now())
	state := s.present()
	state.Online = false
	_ = s.send(wire.KindState, state)
}

// sendRecords sends what the window allows.
func (s *session) sendRecords(now time.Time) error {
	pending, err := s.l.o.Journal.Batch(windowBatches*wire.MaxBatchRecords, windowBatches*wire.MaxBatchBytes)
	if err != nil {
		// The journal sets its own condition; the connection is not at fault.
		s.l.log.Error("reading records to send", "err", err)
		s.window.due = now.Add(ackWaitMost)
		return nil
	}
	batches, err := s.window.pick(now, pending)
	if err != nil {
		s.l.log.Error("preparing records to send", "err", err)
		s.window.due = now.Add(ackWaitMost)
		return nil
	}
	for _, b := range batches {
		if err := s.send(wire.KindRecords, b); err != nil {
			return err
		}
	}
	return nil
}

func (s *session) send(kind wire.Kind, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encoding %s: %w", kind, err)
	}
	if len(data) > wire.MaxMessage {
		s.l.log.Error("message is too long and was not sent", "kind", string(kind), "bytes", len(data))
		return nil
	}
	return s.tr.Publish(kind, data)
}

// handle takes one message. What is wrong with it is logged and forgotten: a
// faulty or hostile message must not end the connection.
func (s *session) handle(m Inbound) {
	var err error
	switch m.Kind {
	case wire.KindAck:
		err = s.takeAck(m)
	case wire.KindTime:
		err = s.takeTime(m)
	case wire.KindPlan:
		err = s.takeOffer(m)
	case wire.KindRoot:
		err = s.takeRoot(m)
	case wire.KindCommand:
		err = s.takeCommand(m)
	case wire.KindMute:
		err = s.takeMute(m)
	}
	if err != nil {
		s.l.log.Warn("message refused", "kind", string(m.Kind), "err", err)
		if !errors.Is(err, errHonest) {
			s.l.o.Refused(string(m.Kind), err)
		}
	}
}

func (s *session) takeAck(m Inbound) error {
	ack, err := wire.Decode[wire.Ack](m.Data)
	if err != nil {
		return err
	}
	if err := s.l.o.Journal.Ack(ack); err != nil {
		return fmt.Errorf("%w: %w", errHonest, err) // a card that did not keep what it confirmed is ahead of itself
	}
	if len(ack.Receipt) > 0 && s.l.o.Receipts != nil {
		if err := s.l.o.Receipts.Keep(ack.Receipt); err != nil {
			s.l.log.Warn("receipt refused", "log", ack.Log, "err", err)
		}
	}
	now := time.Now()
	if len(ack.Missing) > 0 {
		s.window.missing(now)
	}
	// The next batches of a backlog follow at once.
	if s.collect.IsZero() || s.collect.After(now) {
		s.collect = now
	}
	return nil
}

func (s *session) takeTime(m Inbound) error {
	if len(m.Data) > wire.MaxMessage {
		return fmt.Errorf("%w: time answer of %d bytes", ErrEndless, len(m.Data))
	}
	answer, err := s.l.o.Plans.VerifyTime(m.Data, s.nonce)
	if err != nil {
		if _, late := s.l.o.Plans.VerifyTime(m.Data, s.before); late == nil {
			return fmt.Errorf("%w: time answer to the question before", errHonest)
		}
		return err
	}
	if !s.timed.IsZero() {
		err := fmt.Errorf("%w: time answer to a nonce that was answered before", ErrAgain)
		if time.Since(s.timed) < overtaken {
			err = fmt.Errorf("%w: %w", errHonest, err)
		}
		return err
	}
	// Up to now, not to the arrival: an answer that waited for a slow disk is
	// as old as it is.
	rtt := s.l.o.Clock.Now().Mono - s.asked
	if rtt > maxRTT {
		return fmt.Errorf("%w: time answer came after %s: the limit is %s", errHonest, rtt.Round(time.Millisecond), maxRTT)
	}
	s.timed = time.Now()
	s.l.o.Clock.Trust(answer.NowUS, rtt)
	s.state.nudge(time.Now()) // with the drift, if that was found
	s.pause.reset()
	s.ask = time.Now().Add(s.l.dice.about(refresh))
	return nil
}
