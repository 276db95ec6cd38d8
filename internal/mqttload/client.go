// Package mqttload is a small MQTT 3.1.1 client that puts load on brokers:
// QoS 0, clean sessions, one goroutine and about 8 KB a connection, so that
// one process can be ten thousand devices.
//
// It is for measuring and simulating only; it neither reconnects nor pings
// by itself. A Client is safe for concurrent use.
package mqttload

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// Options of Dial. Addr and ClientID are required.
type Options struct {
	Addr      string      // host:port
	TLS       *tls.Config // nil means plain TCP
	ClientID  string
	WillTopic string // empty means no will
	Will      []byte
	KeepAlive time.Duration // told to the broker; 0 means none
	// OnMessage takes what arrives, on the connection's own goroutine. It must
	// not keep payload. nil ignores messages.
	OnMessage func(topic string, payload []byte)
}

// Client is one connection.
type Client struct {
	o    Options
	conn net.Conn
	done chan struct{}
	err  error // why the connection ended; set before done is closed

	mu      sync.Mutex // of writing
	buf     []byte
	packet  uint16
	pending map[uint16]chan byte
}

// Dial connects and waits for the CONNACK. A refusal is an error that names
// its code.
func Dial(ctx context.Context, o Options) (*Client, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", o.Addr)
	if err != nil {
		return nil, fmt.Errorf("connecting %q: %w", o.ClientID, err)
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	c, err := connect(conn, o)
	if err != nil {
		_ = conn.Close()
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return nil, fmt.Errorf("connecting %q: %w", o.ClientID, err)
	}
	return c, nil
}

func connect(conn net.Conn, o Options) (*Client, error) {
	if o.TLS != nil {
		conn = tls.Client(conn, o.TLS)
	}
	c := &Client{o: o, conn: conn, done: make(chan struct{}), pending: map[uint16]chan byte{}}
	if _, err := conn.Write(appendConnect(nil, o)); err != nil {
		return nil, err
	}
	r := bufio.NewReaderSize(conn, 2<<10)
	p, err := readPacket(r, nil)
	switch {
	case err != nil:
		return nil, err
	case p.kind != connack || len(p.body) != 2:
		return nil, fmt.Errorf("packet of type %d instead of CONNACK", p.kind)
	case p.body[1] != 0:
		return nil, fmt.Errorf("refused with code %d", p.body[1])
	}
	go c.read(r) // ends when the connection does; Close waits for it
	return c, nil
}

// read handles what arrives until the connection ends.
func (c *Client) read(r *bufio.Reader) {
	defer close(c.done)
	var buf []byte
	for {
		p, err := readPacket(r, buf)
		if err != nil {
			c.err = err
			return
		}
		buf = p.body[:0]
		switch p.kind {
		case publish:
			topic, payload, err := parsePublish(p)
			if err != nil {
				c.err = err
				return
			}
			if c.o.OnMessage != nil {
				c.o.OnMessage(topic, payload)
			}
		case suback:
			if len(p.body) == 3 {
				c.answered(uint16(p.body[0])<<8|uint16(p.body[1]), p.body[2])
			}
		}
	}
}

func (c *Client) answered(id uint16, code byte) {
	c.mu.Lock()
	ch := c.pending[id]
	delete(c.pending, id)
	c.mu.Unlock()
	if ch != nil {
		ch <- code
	}
}

// ErrRefused says that the broker did not accept a subscription.
var ErrRefused = errors.New("subscription refused")

// Subscribe subscribes with QoS 0 and waits for the SUBACK.
func (c *Client) Subscribe(filter string) error {
	ch := make(chan byte, 1)
	c.mu.Lock()
	c.packet++
	id := c.packet
	c.pending[id] = ch
	c.buf = appendSubscribe(c.buf[:0], id, filter)
	_, err := c.conn.Write(c.buf)
	c.mu.Unlock()
	if err != nil {
		return fmt.Errorf("subscribing to %q: %w", filter, err)
	}
	select {
	case code := <-ch:
		if code == 0x80 {
			return fmt.Errorf("%w: %q", ErrRefused, filter)
		}
		return nil
	case <-c.done:
		return fmt.Errorf("subscribing to %q: %w", filter, c.err)
	}
}

// Publish sends payload with QoS 0. nil means that the socket took it.
func (c *Client) Publish(topic string, payload []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.buf = appendPublish(c.buf[:0], topic, payload)
	if _, err := c.conn.Write(c.buf); err != nil {
		return fmt.Errorf("publishing: %w", err)
	}
	if cap(c.buf) > 4<<10 {
		c.buf = nil // ten thousand large buffers are a machine's memory
	}
	return nil
}

// Done is closed when the connection has ended.
func (c *Client) Done() <-chan struct{} { return c.done }

// Close says goodbye, so that the will is not sent, and ends the connection.
func (c *Client) Close() error {
	c.mu.Lock()
	_, err := c.conn.Write([]byte{disconnect << 4, 0})
	c.mu.Unlock()
	return errors.Join(err, c.Drop())
}

// Drop ends the connection without goodbye: the broker sends the will.
func (c *Client) Drop() error {
	err := c.conn.Close()
	<-c.done
	if errors.Is(err, net.ErrClosed) || errors.Is(err, io.EOF) {
		return nil
	}
	return err
}
