package link

import (
	"errors"
	"fmt"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
)

// Heard is one message of the broker.
type Heard struct {
	Topic    string
	Payload  []byte // the Link's from here on
	Retained bool   // of the past
}

// Session is one live session at the broker. A Link publishes from many
// goroutines.
type Session interface {
	// Subscribe returns once the broker has agreed; hear is then called for
	// each message, in the order of arrival, and never blocks.
	Subscribe(filter string, hear func(Heard)) error
	// Publish hands payload to the network with QoS 0.
	Publish(topic string, payload []byte) error
	// Close ends the session in good order.
	Close()
}

// Dialer opens a session. When it breaks, the reason comes on lost, which has
// room for it.
type Dialer func(lost chan<- error) (Session, error)

const (
	connectTime = 10 * time.Second
	writeTime   = 10 * time.Second
	keepAlive   = 30 * time.Second
)

// pahoSession is an MQTT 3.1.1 session by paho.
type pahoSession struct{ c mqtt.Client }

// dialPaho opens a session by the library. Its own reconnection is off: it has
// no jitter, and tokens complete after it without proof.
func (l *Link) dialPaho(lost chan<- error) (Session, error) {
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
		return nil, errors.New("no answer")
	}
	if err := t.Error(); err != nil {
		return nil, err
	}
	return pahoSession{c}, nil
}

// Subscribe implements Session.
func (s pahoSession) Subscribe(filter string, hear func(Heard)) error {
	sub, ok := s.c.Subscribe(filter, 0, func(_ mqtt.Client, m mqtt.Message) {
		hear(Heard{Topic: m.Topic(), Payload: m.Payload(), Retained: m.Retained()})
	}).(*mqtt.SubscribeToken)
	if !ok || !sub.WaitTimeout(connectTime) {
		return errors.New("no answer")
	}
	if err := sub.Error(); err != nil || sub.Result()[filter] == 0x80 {
		return fmt.Errorf("refused by the broker (%v)", err)
	}
	return nil
}

// Publish implements Session.
func (s pahoSession) Publish(topic string, payload []byte) error {
	t := s.c.Publish(topic, 0, false, payload)
	select {
	case <-t.Done():
		return t.Error()
	default:
		return nil // on its way; a failure ends the session
	}
}

// Close implements Session.
func (s pahoSession) Close() {
	s.c.Disconnect(100) // milliseconds for what is being written
}
