package officetest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net"
	"sync"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"gatecast/internal/wire"
)

// broker is a thin MQTT 3.1.1 endpoint: TLS with device certificates, QoS 0,
// every device talks to the office alone.
type broker struct {
	o  *Office
	ln net.Listener
	wg sync.WaitGroup

	mu    sync.Mutex
	conns map[wire.DeviceID]*session
}

type session struct {
	mu   sync.Mutex // of writes
	conn net.Conn
}

func (s *session) write(p packets.ControlPacket) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = p.Write(s.conn) // a broken connection shows in the reader
}

// StartBroker listens on addr, "" for any port, until the test ends or
// StopBroker, and returns its address. Enrolment answers name it from now on.
func (o *Office) StartBroker(addr string) string {
	o.t.Helper()
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	ln, err := tls.Listen("tcp", addr, o.ServerTLS())
	if err != nil {
		o.t.Fatal(err)
	}
	b := &broker{o: o, ln: ln, conns: map[wire.DeviceID]*session{}}
	o.mu.Lock()
	o.broker, o.mqtt = b, ln.Addr().String()
	o.mu.Unlock()
	b.wg.Go(b.accept)
	o.t.Cleanup(b.close)
	return ln.Addr().String()
}

// ServerTLS returns what an MQTT server of this office needs: its certificate,
// and client certificates of the office's CA demanded.
func (o *Office) ServerTLS() *tls.Config {
	pool := x509.NewCertPool()
	pool.AddCert(o.ca)
	return &tls.Config{Certificates: []tls.Certificate{o.server}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool, MinVersion: tls.VersionTLS12}
}

// ServerPEM returns the same as files: CA, certificate and key in PEM.
func (o *Office) ServerPEM() (ca, cert, key []byte) {
	der, err := x509.MarshalPKCS8PrivateKey(o.server.PrivateKey)
	if err != nil {
		o.t.Fatal(err)
	}
	block := func(kind string, der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}) }
	return block("CERTIFICATE", o.ca.Raw), block("CERTIFICATE", o.server.Certificate[0]), block("PRIVATE KEY", der)
}

// ClientTLS returns what the office's own connection to a broker needs.
func (o *Office) ClientTLS() *tls.Config {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		o.t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(o.ca)
	der := o.Issue(&key.PublicKey, "controller", time.Hour, x509.ExtKeyUsageClientAuth)
	return &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, MinVersion: tls.VersionTLS12}
}

// SetBroker names a broker of the test's own in enrolment answers.
func (o *Office) SetBroker(addr string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.mqtt = addr
}

// StopBroker closes the listener and every connection, as a crash would.
func (o *Office) StopBroker() {
	o.mu.Lock()
	b := o.broker
	o.mu.Unlock()
	b.close()
}

// Kick closes the connection of d and reports whether there was one.
func (o *Office) Kick(d wire.DeviceID) bool {
	o.mu.Lock()
	b := o.broker
	o.mu.Unlock()
	b.mu.Lock()
	defer b.mu.Unlock()
	s, ok := b.conns[d]
	if ok {
		_ = s.conn.Close()
	}
	return ok
}

// Send publishes m to its device, if it is connected.
func (o *Office) Send(m Outgoing) {
	o.mu.Lock()
	b := o.broker
	o.mu.Unlock()
	b.send(m)
}

func (b *broker) send(m Outgoing) {
	b.mu.Lock()
	s := b.conns[m.Device]
	b.mu.Unlock()
	if s == nil {
		return
	}
	p := packets.NewControlPacket(packets.Publish).(*packets.PublishPacket)
	p.TopicName, p.Payload = wire.Down(m.Device, m.Kind), m.Data
	s.write(p)
}

func (b *broker) close() {
	_ = b.ln.Close()
	b.mu.Lock()
	for _, s := range b.conns {
		_ = s.conn.Close()
	}
	b.mu.Unlock()
	b.wg.Wait()
}

func (b *broker) accept() {
	for {
		conn, err := b.ln.Accept()
		if err != nil {
			return
		}
		b.wg.Go(func() {
			defer conn.Close()
			b.serve(conn)
		})
	}
}

// serve reads one connection until it ends; then the will is heard, unless
// the device said good-bye.
func (b *broker) serve(conn net.Conn) {
	first, err := packets.ReadPacket(conn)
	if err != nil {
		return
	}
	c, ok := first.(*packets.ConnectPacket)
	if !ok {
		return
	}
	peer := conn.(*tls.Conn).ConnectionState().PeerCertificates[0]
	d := deviceOf(peer.RawSubjectPublicKeyInfo)
	if c.ClientIdentifier != string(d) || !c.CleanSession || !c.WillFlag {
		b.o.t.Errorf("device %q connects as %q, clean %v, will %v", d, c.ClientIdentifier, c.CleanSession, c.WillFlag)
	}
	s := &session{conn: conn}
	s.write(packets.NewControlPacket(packets.Connack))
	defer func() {
		b.mu.Lock()
		if b.conns[d] == s {
			delete(b.conns, d)
		}
		b.mu.Unlock()
	}()
	for {
		p, err := packets.ReadPacket(conn)
		if err != nil {
			b.o.Hear(c.WillTopic, c.WillMessage)
			return
		}
		switch p := p.(type) {
		case *packets.SubscribePacket:
			if len(p.Topics) != 1 || p.Topics[0] != wire.DownPattern(d) {
				b.o.t.Errorf("device %q subscribes to %q", d, p.Topics)
			}
			b.mu.Lock()
			b.conns[d] = s
			b.mu.Unlock()
			ack := packets.NewControlPacket(packets.Suback).(*packets.SubackPacket)
			ack.MessageID, ack.ReturnCodes = p.MessageID, []byte{0}
			s.write(ack)
		case *packets.PublishPacket:
			if p.Qos != 0 || p.Retain {
				b.o.t.Errorf("device %q publishes with QoS %d, retain %v", d, p.Qos, p.Retain)
			}
			for _, m := range b.o.Hear(p.TopicName, p.Payload) {
				b.send(m)
			}
		case *packets.PingreqPacket:
			s.write(packets.NewControlPacket(packets.Pingresp))
		case *packets.DisconnectPacket:
			return
		}
	}
}
