// Package broker is the MQTT broker inside the controller: nats-server with
// its MQTT listener and nothing else open.
//
// It owns who may connect and what each connection may say and hear. Every
// connection shows a certificate; the controller's own may use the whole
// gatecast tree, a device publishes its four up topics and subscribes to its
// own down topics; one that was replaced publishes hello, state and records and
// hears acks, the time and its plan, which has no slots any more. Nothing is kept: sessions and retained messages live in
// memory, and what little the engine writes lies in a folder that is emptied at
// every start. No guarantee of the system rests on this package. A Broker is safe for
// concurrent use and its memory is about 85 KB a connection.
package broker

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"gatecast/internal/durable"
	"gatecast/internal/wire"
)

// Identity is whom a certificate belongs to.
type Identity struct {
	Device     wire.DeviceID // empty for the controller
	Controller bool
	Deliver    bool // a device that was replaced: it delivers records and gets no command
}

// Options of New. Addr, TLS, Authorize and Dir are required.
type Options struct {
	Addr string      // host:port; port 0 picks a free one
	TLS  *tls.Config // must demand and verify client certificates
	// Authorize says whom a verified certificate belongs to; false closes the
	// connection. It is called once a connection, concurrently, and should
	// answer from memory: a fleet reconnects all at once.
	Authorize      func(cert *x509.Certificate) (Identity, bool)
	Dir            string // a folder of the broker's own; its content is disposable
	MaxConnections int    // 0 means DefaultMaxConnections
	Limits         Limits // of connections that have not said who they are
	// OnRefused is told of attempts that no honest device makes; it is called
	// concurrently and must not block. nil means nobody.
	OnRefused func(Refusal)
	Logger    *slog.Logger
}

// DefaultMaxConnections leaves room for 10,000 devices that reconnect while
// their old connections have not yet been noticed to be dead.
const DefaultMaxConnections = 16384

// Limits of a connection.
const (
	maxPayload = 64 << 10         // twice wire.MaxMessage, so that an oversize message is refused by name
	maxPending = 64 << 20         // bytes waiting for one reader; a reader above it is closed
	maxSubs    = 16               // subscriptions
	maxStore   = 1 << 20          // bytes on disk: the engine wants a folder and some leave
	timeoutTLS = 30 * time.Second // 10,000 handshakes at once take 10 s on two cores
	timeoutCON = 45 * time.Second // from accept to a good CONNECT
	startLimit = 20 * time.Second
)

func (o *Options) validate() error {
	_, port, err := net.SplitHostPort(o.Addr)
	if err != nil {
		return fmt.Errorf("broker options: Addr: %w", err)
	}
	_, err = strconv.ParseUint(port, 10, 16)
	switch {
	case err != nil:
		return fmt.Errorf("broker options: Addr: port %q must be a number up to 65535", port)
	case o.TLS == nil || o.TLS.ClientAuth != tls.RequireAndVerifyClientCert:
		return errors.New("broker options: TLS must require and verify client certificates")
	case o.TLS.MinVersion < tls.VersionTLS12:
		return errors.New("broker options: TLS must demand version 1.2")
	case o.Authorize == nil:
		return errors.New("broker options: Authorize is required")
	case o.Dir == "":
		return errors.New("broker options: Dir is required")
	case o.MaxConnections < 0:
		return errors.New("broker options: MaxConnections must not be negative")
	}
	if o.MaxConnections == 0 {
		o.MaxConnections = DefaultMaxConnections
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return nil
}

// Broker is one MQTT broker.
type Broker struct {
	o      Options // immutable after New
	logger *slog.Logger

	mu     sync.Mutex
	server *server.Server
	addr   string
	conns  map[wire.DeviceID]uint64 // engine's id of the last connection of each device

	doorman *doorman           // immutable after New
	rest    context.CancelFunc // ends the doorman's rounds; set by Start
	rounds  sync.WaitGroup
}

// New checks o and returns a broker that does nothing yet.
func New(o Options) (*Broker, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	return &Broker{o: o, logger: o.Logger.With("component", "broker"), conns: map[wire.DeviceID]uint64{}, doorman: newDoorman(o.Limits, o.MaxConnections)}, nil
}

// Start listens and serves until Stop. A taken port yields an error that wraps
// syscall.EADDRINUSE. A Broker starts once.
func (b *Broker) Start() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.server != nil {
		return errors.New("starting broker: it was started before")
	}
	// The engine only logs why it cannot listen, so ask first.
	probe, err := net.Listen("tcp", b.o.Addr)
	if err != nil {
		return fmt.Errorf("starting broker: %w", err)
	}
	if err := probe.Close(); err != nil {
		return fmt.Errorf("starting broker: %w", err)
	}
	store := filepath.Join(b.o.Dir, "engine")
	if err := os.RemoveAll(store); err != nil {
		return fmt.Errorf("emptying the broker's folder: %w", err)
	}
	if err := durable.MkdirAll(store, 0o700); err != nil {
		return err
	}
	gate := &gatekeeper{b: b, token: newToken()}
	opts, err := b.engineOptions(store, gate)
	if err != nil {
		return err
	}
	s, err := server.NewServer(opts)
	if err != nil {
		return fmt.Errorf("starting broker: %w", err)
	}
	log := &engineLog{logger: b.logger, refused: b.refuse}
	s.SetLoggerV2(log, true, false, false)
	s.Start()
	if !s.ReadyForConnections(startLimit) {
		s.Shutdown()
		s.WaitForShutdown()
		return fmt.Errorf("starting broker on %s: %s", b.o.Addr, log.reason())
	}
	if err := keepInMemory(s, gate.token); err != nil {
		s.Shutdown()
		s.WaitForShutdown()
		return err
	}
	gate.open.Store(true)
	ctx, rest := context.WithCancel(context.Background())
	b.rest = rest
	b.rounds.Go(func() { b.doorman.run(ctx, s) })
	host, _, _ := net.SplitHostPort(b.o.Addr)
	b.server, b.addr = s, net.JoinHostPort(host, strconv.Itoa(opts.MQTT.Port))
	b.logger.Info("broker listening", "addr", b.addr)
	return nil
}

func (b *Broker) engineOptions(store string, gate *gatekeeper) (*server.Options, error) {
	// QoS 2 is written to disk before it is delivered; nobody of ours uses it,
	// and these two switches exist only in the engine's configuration text.
	opts := &server.Options{}
	if err := opts.ProcessConfigString("mqtt { port: 1, reject_qos2_publish: true, downgrade_qos2_subscribe: true }"); err != nil {
		return nil, fmt.Errorf("configuring broker: %w", err)
	}
	host, port, err := net.SplitHostPort(b.o.Addr)
	if err != nil {
		return nil, err
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		return nil, err
	}
	if n == 0 {
		n = server.RANDOM_PORT
	}
	if host == "" {
		host = "0.0.0.0"
	}
	opts.ServerName = "gatecast"
	opts.DontListen = true // of NATS's own protocol
	opts.NoSigs = true
	opts.NoSystemAccount = true
	opts.JetStream = true
	opts.StoreDir = store
	opts.JetStreamMaxStore = maxStore
	opts.JetStreamMaxMemory = memoryAll
	opts.DisableJetStreamBanner = true
	opts.SyncInterval = time.Hour
	opts.MaxConn = b.o.MaxConnections
	opts.MaxPayload = maxPayload
	opts.MaxPending = maxPending
	opts.MaxSubs = maxSubs
	opts.MaxClosedClients = 64 // the engine keeps 10,000 by default, for a page we do not have
	opts.CustomClientAuthentication = gate
	opts.MQTT.Host, opts.MQTT.Port = host, n
	opts.MQTT.TLSConfig = b.doorman.guard(b.o.TLS)
	opts.MQTT.TLSTimeout = timeoutTLS.Seconds()
	opts.MQTT.AuthTimeout = timeoutCON.Seconds()
	return opts, nil
}

// Addr returns host:port once Start has returned nil, and "" before.
func (b *Broker) Addr() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.addr
}

// Connections returns how many connections are open.
func (b *Broker) Connections() int {
	b.mu.Lock()
	s := b.server
	b.mu.Unlock()
	if s == nil {
		return 0
	}
	return s.NumClients()
}

// Kick closes the connection of a device if there is one and reports whether
// there was. Call it after the registry has changed: Authorize decides whether
// the device may come back.
func (b *Broker) Kick(d wire.DeviceID) bool {
	b.mu.Lock()
	s, conn, ok := b.server, b.conns[d], b.server != nil
	b.mu.Unlock()
	return ok && conn != 0 && s.DisconnectClientByID(conn) == nil
}

// Stop closes every connection and returns when the engine has ended or ctx
// has. It is idempotent.
func (b *Broker) Stop(ctx context.Context) error {
	b.mu.Lock()
	s := b.server
	b.mu.Unlock()
	if s == nil {
		return nil
	}
	b.rest()
	done := make(chan struct{})
	go func() {
		defer close(done)
		b.rounds.Wait()
		s.Shutdown()
		s.WaitForShutdown()
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("stopping broker: %w", ctx.Err())
	}
}
