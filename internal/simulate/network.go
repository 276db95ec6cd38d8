package simulate

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"gatecast/agent/link"
	ctl "gatecast/controller/link"
	"gatecast/internal/wire"
)

// The messages of a healthy network are this long on their way.
const (
	leastDelay = 5 * time.Millisecond
	mostDelay  = 80 * time.Millisecond
)

var (
	errUnreachable = errors.New("network is unreachable")
	errRefused     = errors.New("connection refused")
	errReset       = errors.New("connection reset by peer")
)

// weather is what one device's way to the office does to messages.
type weather struct {
	cut      bool    // nothing gets through
	drop     float64 // share of messages lost
	double   float64 // share delivered twice
	late     float64 // share delayed by up to lateness, and so overtaken
	lateness time.Duration
}

// network is the broker and everything between it and the devices.
type network struct {
	w *World

	mu      sync.Mutex
	conns   map[*device]*conn
	session *officeSession // nil while the office is down
	last    int            // number of the newest connection
}

func newNetwork(w *World) *network { return &network{w: w, conns: map[*device]*conn{}} }

// conn is one MQTT connection of a device. It implements link.Transport.
type conn struct {
	n      *network
	run    *process
	c      link.Connection
	number int
	lost   chan error

	mu   sync.Mutex
	over bool // closed or broken
}

// dial is link.Dialer of one run of a device's program.
func (n *network) dial(run *process) link.Dialer {
	return func(ctx context.Context, c link.Connection) (link.Transport, error) {
		d := run.dev
		if !pause(ctx, between(d.dice.dial, 30*time.Millisecond, 300*time.Millisecond)) {
			return nil, ctx.Err()
		}
		if d.sky().cut {
			if !pause(ctx, 20*time.Second) {
				return nil, ctx.Err()
			}
			return nil, errUnreachable
		}
		if run.ended() {
			return nil, errUnreachable
		}
		n.mu.Lock()
		open := n.session != nil
		n.mu.Unlock()
		if !open {
			return nil, errRefused
		}
		if !n.w.office.admits(c.Device) {
			return nil, errors.New("not authorized")
		}
		n.mu.Lock()
		old := n.conns[d]
		n.last++
		k := &conn{n: n, run: run, c: c, number: n.last, lost: make(chan error, 1)}
		n.conns[d] = k
		n.mu.Unlock()
		if old != nil {
			old.breakOff(errReset)
		}
		n.w.trace.event(d.name, "connected")
		return k, nil
	}
}

// Publish implements link.Transport.
func (k *conn) Publish(kind wire.Kind, payload []byte) error {
	k.mu.Lock()
	over := k.over
	k.mu.Unlock()
	if over {
		return errReset
	}
	if k.run.ended() {
		return errUnreachable
	}
	k.run.dev.said(kind, payload)
	k.n.up(k.run.dev, wire.Up(k.c.Device, kind), payload)
	return nil
}

// Lost implements link.Transport.
func (k *conn) Lost() <-chan error { return k.lost }

// Close implements link.Transport.
func (k *conn) Close() { k.end() }

// end takes the connection out of use and reports whether it was in use.
func (k *conn) end() bool {
	k.mu.Lock()
	was := !k.over
	k.over = true
	k.mu.Unlock()
	k.n.mu.Lock()
	if k.n.conns[k.run.dev] == k {
		delete(k.n.conns, k.run.dev)
	}
	k.n.mu.Unlock()
	return was
}

// breakOff ends the connection without a good-bye: the device hears of it, and
// after a while the broker sends its will.
func (k *conn) breakOff(why error) {
	if !k.end() {
		return
	}
	k.lost <- why
	k.n.w.trace.event(k.run.dev.name, "connection lost: %v", why)
	at := time.Now().Add(between(k.run.dev.dice.will, 10*time.Millisecond, 90*time.Second))
	k.n.w.agenda.add(at, func() { k.n.deliverUp(k.run.dev, wire.Up(k.c.Device, wire.KindState), k.c.Will) })
}

// up sends a message of d to the office.
func (n *network) up(d *device, topic string, payload []byte) {
	n.send(d.sky(), &d.upward, func() { n.deliverUp(d, topic, payload) })
}

// direction is one way between a device and the office. TCP keeps the order of
// what the weather does not touch.
type direction struct {
	dice *rand.Rand
	mu   sync.Mutex
	last time.Time // of deliveries in order
}

// next returns when what is sent now, and takes that long, arrives.
func (x *direction) next(delay time.Duration) time.Time {
	x.mu.Lock()
	defer x.mu.Unlock()
	at := time.Now().Add(delay)
	if !at.After(x.last) {
		at = x.last.Add(time.Microsecond)
	}
	x.last = at
	return at
}

// send plans the deliveries of one message.
func (n *network) send(w weather, x *direction, deliver func()) {
	r := x.dice
	// Every message draws the same numbers whatever the weather is, so that a
	// fault less does not change all that follows.
	drop, double, late := r.Float64(), r.Float64(), r.Float64()
	delay, more := between(r, leastDelay, mostDelay), between(r, 0, time.Second)
	if w.cut || drop < w.drop {
		return
	}
	if late < w.late {
		at := time.Now().Add(delay + time.Duration(float64(more)/float64(time.Second)*float64(w.lateness)))
		n.w.agenda.add(at, deliver)
	} else {
		n.w.agenda.add(x.next(delay), deliver)
	}
	if double < w.double {
		n.w.agenda.add(time.Now().Add(delay+more), deliver)
	}
}

// deliverUp hands a message to the office's session, if there is one.
func (n *network) deliverUp(d *device, topic string, payload []byte) {
	n.mu.Lock()
	s := n.session
	n.mu.Unlock()
	if s == nil {
		return
	}
	n.w.trace.event(d.name, "→ %s", seen(kindOf(topic), payload))
	d.keep(topic, payload)
	s.hear(ctl.Heard{Topic: topic, Payload: append([]byte(nil), payload...)})
}

// deliverDown hands a message to whatever connection d has now.
func (n *network) deliverDown(d *device, topic string, payload []byte) {
	n.mu.Lock()
	k := n.conns[d]
	n.mu.Unlock()
	if k == nil || k.run.ended() {
		return
	}
	_, kind, err := wire.ParseDown(topic)
	if err != nil {
		return
	}
	n.w.trace.event(d.name, "← %s", seen(string(kind), payload))
	if kind == wire.KindMute {
		d.watch.spokenTo()
	}
	d.keep(topic, payload)
	k.c.Deliver(link.Inbound{Kind: kind, Data: append([]byte(nil), payload...)})
}

// connected reports whether d has a connection.
func (n *network) connected(d *device) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.conns[d] != nil
}

// disturb breaks d's connection, if it has one.
func (n *network) disturb(d *device, why error) {
	n.mu.Lock()
	k := n.conns[d]
	n.mu.Unlock()
	if k != nil {
		k.breakOff(why)
	}
}

// officeSession is the controller's session at the broker. The broker lives in
// the controller's process, as by default, so they come and go together.
type officeSession struct {
	n    *network
	lost chan<- error

	hear func(ctl.Heard)
}

// dialOffice is the Dialer of the controller's link.
func (n *network) dialOffice(alive func() bool) ctl.Dialer {
	return func(lost chan<- error) (ctl.Session, error) {
		if !alive() {
			return nil, errRefused
		}
		return &officeSession{n: n, lost: lost}, nil
	}
}

// Subscribe implements ctl.Session.
func (s *officeSession) Subscribe(_ string, hear func(ctl.Heard)) error {
	s.hear = hear
	s.n.mu.Lock()
	s.n.session = s
	s.n.mu.Unlock()
	return nil
}

// Publish implements ctl.Session.
func (s *officeSession) Publish(topic string, payload []byte) error {
	s.n.mu.Lock()
	alive := s.n.session == s
	s.n.mu.Unlock()
	if !alive {
		return errReset
	}
	id, kind, err := wire.ParseDown(topic)
	if err != nil {
		return err
	}
	d := s.n.w.byID(id)
	if d == nil {
		return nil
	}
	if kind == wire.KindAck {
		d.acked(payload)
	}
	s.n.send(d.sky(), &d.downward, func() { s.n.deliverDown(d, topic, payload) })
	return nil
}

// Close implements ctl.Session.
func (s *officeSession) Close() {
	s.n.mu.Lock()
	defer s.n.mu.Unlock()
	if s.n.session == s {
		s.n.session = nil
	}
}

// officeGone ends every connection: the broker died with the controller. No
// will is sent, for there is nobody to send it.
func (n *network) officeGone() {
	n.mu.Lock()
	n.session = nil
	var all []*conn
	for _, d := range n.w.devices {
		if k := n.conns[d]; k != nil {
			all = append(all, k)
		}
	}
	n.mu.Unlock()
	for _, k := range all {
		if k.end() {
			k.lost <- errReset
		}
	}
}

// seen is a message as it stands in the trace: with a hash of its bytes, but
// for what a device says of itself, where a reading of the clock may be a
// microsecond off.
func seen(kind string, payload []byte) string {
	if kind == string(wire.KindState) || kind == string(wire.KindHello) {
		return kind
	}
	return fmt.Sprintf("%s %d %08x", kind, len(payload), uint32(nameHash(string(payload))))
}

func kindOf(topic string) string { return topic[strings.LastIndexByte(topic, '/')+1:] }

// pause waits for d and reports whether ctx is still alive.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
