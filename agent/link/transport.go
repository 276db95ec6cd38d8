package link

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"gatecast/internal/wire"
)

// Inbound is one message from the controller and when it arrived.
type Inbound struct {
	Kind wire.Kind
	Data []byte // the Link's from here on
}

// Connection is what one connection is made of.
type Connection struct {
	Device    wire.DeviceID
	Broker    string // host:port
	TLS       *tls.Config
	KeepAlive time.Duration
	Will      []byte        // last will on the state topic
	Deliver   func(Inbound) // called from goroutines of the transport; never blocks
	Refused   func(error)   // likewise, for what the transport itself did not take; may be nil
	Log       *slog.Logger
}

// Transport is one live connection, subscribed to the device's topics. The
// Link uses it from one goroutine.
type Transport interface {
	// Publish hands payload to the network, or tells why it could not.
	Publish(kind wire.Kind, payload []byte) error
	// Lost yields the reason once when the connection breaks.
	Lost() <-chan error
	// Close says good-bye, so that the broker does not send the will, and
	// ends the connection. It returns within half a second.
	Close()
}

// Dialer opens a connection and subscribes. It returns when ctx ends.
type Dialer func(ctx context.Context, c Connection) (Transport, error)

// Time limits of one connection.
const (
	dialTimeout  = 20 * time.Second // TCP and TLS; a Pi Zero needs seconds for the latter
	replyTimeout = 15 * time.Second // CONNACK, SUBACK
	writeTimeout = 10 * time.Second
	pingTimeout  = 20 * time.Second
	goodbye      = 400 * time.Millisecond
)

// pahoTransport is an MQTT 3.1.1 connection by paho. A client object serves
// one connection only: paho's own reconnection has no jitter, and its tokens
// complete without proof of delivery.
type pahoTransport struct {
	c    Connection
	conn net.Conn
	cl   mqtt.Client
	down chan error
}

// dialPaho connects and subscribes.
func dialPaho(ctx context.Context, c Connection) (Transport, error) {
	conn, err := dialTLS(ctx, c.Broker, c.TLS)
	if err != nil {
		return nil, err
	}
	// Until the session exists, the end of ctx must end the waiting too.
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	p := &pahoTransport{c: c, conn: conn, down: make(chan error, 1)}
	o := mqtt.NewClientOptions().
		AddBroker("tcp://"+c.Broker). // a name only: the connection exists
		SetCustomOpenConnectionFn(func(*url.URL, mqtt.ClientOptions) (net.Conn, error) { return newGuard(conn, c.Refused), nil }).
		SetClientID(string(c.Device)).
		SetProtocolVersion(4).
		SetCleanSession(true).
		SetStore(mqtt.NewMemoryStore()).
		SetOrderMatters(true). // receive never blocks; acks keep their order
		SetAutoReconnect(false).
		SetConnectRetry(false).
		SetKeepAlive(c.KeepAlive).
		SetPingTimeout(pingTimeout).
		SetWriteTimeout(writeTimeout).
		SetConnectTimeout(replyTimeout).
		SetBinaryWill(wire.Up(c.Device, wire.KindState), c.Will, 0, false).
		SetDefaultPublishHandler(p.receive).
		SetConnectionLostHandler(func(_ mqtt.Client, err error) { p.down <- err })
	p.cl = mqtt.NewClient(o)
	if err := wait(p.cl.Connect(), replyTimeout); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("opening MQTT session: %w", err)
	}
	if err := p.subscribe(ctx); err != nil {
		p.cl.Disconnect(0)
		_ = conn.Close()
		return nil, err
	}
	return p, nil
}

func dialTLS(ctx context.Context, broker string, conf *tls.Config) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	d := net.Dialer{KeepAlive: 30 * time.Second}
	conn, err := d.DialContext(ctx, "tcp", broker)
	if err != nil {
		return nil, fmt.Errorf("connecting to broker: %w", err)
	}
	if host, _, err := net.SplitHostPort(broker); err == nil && net.ParseIP(host) == nil {
		conf.ServerName = host // for a proxy in between; what is trusted is the CA
	}
	secure := tls.Client(conn, conf)
	if err := secure.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("securing connection to broker: %w", err)
	}
	return secure, nil
}

// subscribe waits for the broker's consent: what is answered to a hello sent
// before would be lost. paho completes no token of a connection that ended, so
// the end of ctx and of the connection end the waiting here.
func (p *pahoTransport) subscribe(ctx context.Context) error {
	filter := wire.DownPattern(p.c.Device)
	token := p.cl.Subscribe(filter, 0, nil).(*mqtt.SubscribeToken)
	limit := time.NewTimer(replyTimeout)
	defer limit.Stop()
	var err error
	select {
	case <-token.Done():
		err = token.Error()
	case err = <-p.down:
		if err == nil {
			err = errors.New("connection closed")
		}
	case <-ctx.Done():
		err = ctx.Err()
	case <-limit.C:
		err = fmt.Errorf("no answer within %s", replyTimeout)
	}
	if err != nil {
		return fmt.Errorf("subscribing to %q: %w", filter, err)
	}
	if code, ok := token.Result()[filter]; !ok || code > 2 {
		return fmt.Errorf("subscribing to %q: broker refused", filter)
	}
	return nil
}

func (p *pahoTransport) receive(_ mqtt.Client, m mqtt.Message) {
	device, kind, err := wire.ParseDown(m.Topic())
	if err != nil || device != p.c.Device {
		p.c.Log.Warn("message on a topic that is not ours dropped", "topic", m.Topic())
		return
	}
	p.c.Deliver(Inbound{Kind: kind, Data: m.Payload()})
}

// Publish implements Transport.
func (p *pahoTransport) Publish(kind wire.Kind, payload []byte) error {
	if !p.cl.IsConnectionOpen() {
		return errors.New("publishing: connection is down")
	}
	if err := wait(p.cl.Publish(wire.Up(p.c.Device, kind), 0, false, payload), writeTimeout); err != nil {
		return fmt.Errorf("publishing %s: %w", kind, err)
	}
	return nil
}

// Lost implements Transport.
func (p *pahoTransport) Lost() <-chan error { return p.down }

// Close implements Transport.
func (p *pahoTransport) Close() {
	p.cl.Disconnect(uint(goodbye / time.Millisecond))
	_ = p.conn.Close() // also when the good-bye did not get through
}

func wait(t mqtt.Token, limit time.Duration) error {
	if !t.WaitTimeout(limit) {
		return fmt.Errorf("no answer within %s", limit)
	}
	return t.Error()
}
