package link

import (
	"context"
	"errors"
	"io"
	"net"
	"net/url"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
)

// mute is a transport to a broker that takes the connection and says nothing
// more.
func mute(t *testing.T) *pahoTransport {
	t.Helper()
	device, broker := net.Pipe()
	t.Cleanup(func() { _, _ = device.Close(), broker.Close() })
	go func() {
		_, _ = broker.Read(make([]byte, 1024))     // CONNECT
		_, _ = broker.Write([]byte{0x20, 2, 0, 0}) // CONNACK
		_, _ = io.Copy(io.Discard, broker)         // SUBSCRIBE
	}()
	p := &pahoTransport{c: Connection{Device: testDevice, Log: discard()}, conn: device, down: make(chan error, 1)}
	p.cl = mqtt.NewClient(mqtt.NewClientOptions().AddBroker("tcp://broker").SetAutoReconnect(false).SetProtocolVersion(4).
		SetCustomOpenConnectionFn(func(*url.URL, mqtt.ClientOptions) (net.Conn, error) { return device, nil }).
		SetConnectionLostHandler(func(_ mqtt.Client, err error) { p.down <- err }))
	if err := wait(p.cl.Connect(), 10*time.Second); err != nil {
		t.Fatal(err)
	}
	return p
}

// TestSubscribingEndsWithItsContextAndItsConnection has a broker that never
// consents: paho would leave whoever asks waiting.
func TestSubscribingEndsWithItsContextAndItsConnection(t *testing.T) {
	tests := map[string]func(p *pahoTransport, cancel func()){
		"context":    func(_ *pahoTransport, cancel func()) { cancel() },
		"connection": func(p *pahoTransport, _ func()) { _ = p.conn.Close() },
	}
	for name, end := range tests {
		t.Run(name, func(t *testing.T) {
			p := mute(t)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			began := time.Now()
			time.AfterFunc(50*time.Millisecond, func() { end(p, cancel) })
			err := p.subscribe(ctx)
			if took := time.Since(began); err == nil || took > replyTimeout/2 {
				t.Errorf("subscribing ended with %v after %s", err, took)
			}
			if name == "context" && !errors.Is(err, context.Canceled) {
				t.Errorf("subscribing ended with %v", err)
			}
		})
	}
}
