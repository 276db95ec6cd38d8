package link

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"gatecast/internal/wire"
)

const (
	firstPause = 200 * time.Millisecond
	mostPause  = 15 * time.Second
)

// errDown says that there is no session; what was to be sent is sent again
// after the next comparison.
var errDown = errors.New("no session at the broker")

// keepSession connects again and again until Stop.
func (l *Link) keepSession() {
	pause := firstPause
	for l.ctx.Err() == nil {
		lost := make(chan error, 1)
		began := time.Now()
		err := l.connect(lost)
		if err == nil {
			select {
			case err = <-lost:
			case <-l.ctx.Done():
				err = l.ctx.Err()
			}
			l.disconnect()
			if time.Since(began) > mostPause {
				pause = firstPause
			}
		}
		if l.ctx.Err() != nil {
			return
		}
		wait := pause/2 + l.below(pause)
		l.logger.Warn("session lost", "broker", l.o.Broker(), "err", err, "retry_in", wait.Round(time.Millisecond))
		select {
		case <-time.After(wait):
		case <-l.ctx.Done():
		}
		pause = min(2*pause, mostPause)
	}
}

// below returns a random time in [0, d).
func (l *Link) below(d time.Duration) time.Duration {
	if l.o.Rand == nil {
		return rand.N(d)
	}
	return time.Duration(rand.New(l.o.Rand).Int64N(int64(d)))
}

// connect opens a session and subscribes.
func (l *Link) connect(lost chan<- error) error {
	c, err := l.o.Dial(lost)
	if err != nil {
		return fmt.Errorf("connecting: %w", err)
	}
	l.mu.Lock()
	l.client = c
	l.upSince = l.o.Now()
	l.mu.Unlock()
	if err := c.Subscribe(wire.UpFilter, l.hear); err != nil {
		l.disconnect()
		return fmt.Errorf("subscribing to %q: %w", wire.UpFilter, err)
	}
	select {
	case <-l.first:
	default:
		close(l.first)
	}
	l.logger.Info("session is up", "broker", l.o.Broker())
	return nil
}

// disconnect ends the session if there is one.
func (l *Link) disconnect() {
	l.mu.Lock()
	c := l.client
	l.client = nil
	l.mu.Unlock()
	if c != nil {
		c.Close()
	}
}

// maxHeard bounds a message of records. It is above what a device may send, so
// that a record which is too long is set aside by name and its number counts:
// the device would send it for ever otherwise.
const maxHeard = 2 * wire.MaxMessage

// hear takes a message from the library without blocking.
func (l *Link) hear(m Heard) {
	l.stats.messages.Add(1)
	id, kind, err := wire.ParseUp(m.Topic)
	switch {
	case err != nil, m.Retained, len(m.Payload) > maxHeard || kind != wire.KindRecords && len(m.Payload) > wire.MaxMessage:
		// A retained message is of the past; a device never asks for one.
		l.stats.refused.Add(1)
		return
	}
	if !l.inbox.known(id) {
		// Only devices of the registry get a queue, or strangers at a broker
		// without permissions could fill the memory.
		if _, err := l.o.Store.Device(l.ctx, id); err != nil {
			l.stats.refused.Add(1)
			l.o.Kick(id)
			return
		}
	}
	l.inbox.put(id, message{kind: kind, payload: m.Payload}, l.o.Now())
}

// publish sends payload with QoS 0. It blocks while the socket does, at most
// writeTime.
func (l *Link) publish(topic string, payload []byte) error {
	l.mu.Lock()
	c := l.client
	l.mu.Unlock()
	if c == nil {
		return errDown
	}
	return c.Publish(topic, payload)
}
