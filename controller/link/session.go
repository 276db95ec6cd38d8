package link

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"gatecast/internal/wire"
)

const (
	connectTime = 10 * time.Second
	writeTime   = 10 * time.Second
	keepAlive   = 30 * time.Second
	firstPause  = 200 * time.Millisecond
	mostPause   = 15 * time.Second
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
		wait := pause/2 + rand.N(pause)
		l.logger.Warn("session lost", "broker", l.o.Broker(), "err", err, "retry_in", wait.Round(time.Millisecond))
		select {
		case <-time.After(wait):
		case <-l.ctx.Done():
		}
		pause = min(2*pause, mostPause)
	}
}

// connect opens a session and subscribes. The library's own reconnection is
// off: it has no jitter, and tokens complete after it without proof.
func (l *Link) connect(lost chan<- error) error {
	scheme := "ssl://"
	if l.o.TLS == nil {
		scheme = "tcp://"
	}
	o := mqtt.NewClientOptions().AddBroker(scheme + l.o.Broker()).SetClientID(l.o.ClientID).SetTLSConfig(l.o.TLS).
		SetStore(mqtt.NewMemoryStore()).SetCleanSession(true).
		SetAutoReconnect(false).SetConnectRetry(false).
		SetConnectTimeout(connectTime).SetWriteTimeout(writeTime).SetKeepAlive(keepAlive).SetPingTimeout(keepAlive / 2).
		// In order, on the library's own goroutine: the handler only puts the
		// message into a queue and never blocks, and a device's messages keep
		// the order in which the broker passed them on.
		SetOrderMatters(true).
		SetConnectionLostHandler(func(_ mqtt.Client, err error) { lost <- err })
	c := mqtt.NewClient(o)
	t := c.Connect()
	if !t.WaitTimeout(connectTime + time.Second) {
		c.Disconnect(0)
		return errors.New("connecting: no answer")
	}
	if err := t.Error(); err != nil {
		return fmt.Errorf("connecting: %w", err)
	}
	l.mu.Lock()
	l.client = c
	l.upSince = l.o.Now()
	l.mu.Unlock()
	sub, ok := c.Subscribe(wire.UpFilter, 0, l.hear).(*mqtt.SubscribeToken)
	if !ok || !sub.WaitTimeout(connectTime) {
		l.disconnect()
		return errors.New("subscribing: no answer")
	}
	if err := sub.Error(); err != nil || sub.Result()[wire.UpFilter] == 0x80 {
		l.disconnect()
		return fmt.Errorf("subscribing to %q: refused by the broker (%v)", wire.UpFilter, err)
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
		c.Disconnect(100) // milliseconds for what is being written
	}
}

// hear takes a message from the library without blocking.
func (l *Link) hear(_ mqtt.Client, m mqtt.Message) {
	l.stats.messages.Add(1)
	id, kind, err := wire.ParseUp(m.Topic())
	switch {
	case err != nil, m.Retained(), len(m.Payload()) > wire.MaxMessage:
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
	l.inbox.put(id, message{kind: kind, payload: m.Payload()}, l.o.Now())
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
	t := c.Publish(topic, 0, false, payload)
	select {
	case <-t.Done():
		return t.Error()
	default:
		return nil // on its way; a failure ends the session
	}
}
