package fleetbench

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"gatecast/internal/mqttload"
	"gatecast/internal/wire"
)

// device is one simulated device: it says hello, takes offers by their hash
// alone, and sends its journal in batches, four in flight, as agents do.
type device struct {
	id     wire.DeviceID
	tls    *tls.Config
	client *mqttload.Client
	gone   chan struct{} // closed with the connection

	answered chan time.Time // the time answer to its hello
	planned  chan time.Time // its first plan
	acked    chan time.Time // the end of its backlog

	offerBytes atomic.Int64
	plannedAt  atomic.Int64 // unix nanoseconds

	log  wire.LogID
	seq  wire.Seq // last record made
	prev string

	mu      sync.Mutex
	batches [][]byte   // messages of the present run
	last    []wire.Seq // last record of each
	next    int        // first message not sent
	done    int        // messages acked
	sentAt  time.Time
}

// inFlight is how many batches an agent sends before it waits for acks.
const inFlight = 4

// resend is after how long without an ack a device sends again.
const resend = 5 * time.Second

func newDevice() (*device, *ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("drawing a key: %w", err)
	}
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return &device{
		gone: make(chan struct{}), log: wire.LogID(hex.EncodeToString(b[:])),
		answered: make(chan time.Time, 1), planned: make(chan time.Time, 1), acked: make(chan time.Time, 1),
	}, key, nil
}

// enrolWith takes a certificate made by issue.
func (d *device) enrolWith(key *ecdsa.PrivateKey, issue func(csr []byte) (cert []byte, id wire.DeviceID, err error)) error {
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		return fmt.Errorf("making a certificate request: %w", err)
	}
	cert, id, err := issue(csr)
	if err != nil {
		return err
	}
	d.id = id
	d.tls = &tls.Config{
		MinVersion:   tls.VersionTLS12,
		Certificates: []tls.Certificate{{Certificate: [][]byte{cert}, PrivateKey: key}},
		// The load generator shares the processors with the broker; what a
		// device computes on its own must not count against the controller.
		InsecureSkipVerify: true,
	}
	return nil
}

// connect opens the session, subscribes and says hello.
func (d *device) connect(ctx context.Context, addr string) error {
	will, err := json.Marshal(wire.State{Session: 1})
	if err != nil {
		return fmt.Errorf("encoding will: %w", err)
	}
	d.client, err = mqttload.Dial(ctx, mqttload.Options{
		Addr: addr, TLS: d.tls, ClientID: string(d.id), KeepAlive: 10 * time.Minute,
		WillTopic: wire.Up(d.id, wire.KindState), Will: will, OnMessage: d.hear,
	})
	if err != nil {
		return err
	}
	go func() { // ends with the connection
		<-d.client.Done()
		close(d.gone)
	}()
	if err := d.client.Subscribe(wire.DownPattern(d.id)); err != nil {
		return err
	}
	hello, err := json.Marshal(wire.Hello{
		Protocol: wire.Protocol, Session: 1, Nonce: "00112233445566778899aabbccddeeff", Agent: "bench", BootID: "bench",
		State: wire.State{Session: 1, Online: true, Log: d.log, Time: wire.TimeState{Level: wire.T1}, Output: wire.Output{Sink: "alsa", Device: "hw:0"}},
	})
	if err != nil {
		return fmt.Errorf("encoding hello: %w", err)
	}
	return d.client.Publish(wire.Up(d.id, wire.KindHello), hello)
}

func (d *device) close() {
	if d.client != nil {
		_ = d.client.Drop() // its end is not measured
	}
}

// hear handles a message on the connection's goroutine.
func (d *device) hear(topic string, payload []byte) {
	now := time.Now()
	switch {
	case hasKind(topic, wire.KindAck):
		d.ack(payload, now)
	case hasKind(topic, wire.KindTime):
		offer(d.answered, now)
	case hasKind(topic, wire.KindPlan):
		d.take(payload, now)
	}
}

func hasKind(topic string, k wire.Kind) bool {
	n := len(topic) - len(k)
	return n > 0 && topic[n:] == string(k)
}

func offer(ch chan time.Time, at time.Time) {
	select {
	case ch <- at:
	default:
	}
}

// take accepts an offer whose documents are inside and have the hashes it
// names, and says so.
func (d *device) take(payload []byte, now time.Time) {
	o, err := wire.Decode[wire.PlanOffer](payload)
	if err != nil || sum(o.PlanDoc) != o.Plan.SHA256 || sum(o.ManDoc) != o.Manifest.SHA256 {
		return
	}
	if d.plannedAt.CompareAndSwap(0, now.UnixNano()) {
		d.offerBytes.Store(int64(len(payload)))
	}
	offer(d.planned, now)
	state, err := json.Marshal(wire.State{
		Session: 1, Online: true, Log: d.log, PlanVersion: o.Version, PlanSHA256: o.Plan.SHA256,
		Time: wire.TimeState{Level: wire.T1}, Output: wire.Output{Sink: "alsa", Device: "hw:0"},
	})
	if err == nil {
		_ = d.client.Publish(wire.Up(d.id, wire.KindState), state) // a lost connection shows elsewhere
	}
}

func sum(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}

// record makes the next record: intents and outcomes in turn, as plays leave
// them.
func (d *device) record(slot wire.SlotID) ([]byte, error) {
	d.seq++
	play := wire.PlayID(string(slot) + "#1")
	kind, body := wire.RecordIntent, any(wire.Intent{Play: play, Slot: slot, Plan: 1, Clip: clipOfBench, PlannedUS: 1})
	if d.seq%2 == 0 {
		kind, body = wire.RecordOutcome, wire.Outcome{
			Play: play, Slot: slot, Plan: 1, Clip: clipOfBench, PlannedUS: 1, IntentSeq: d.seq - 1, Result: wire.PlayPlayed,
			StartedUS: 1, ElapsedMS: 30_010, SoundMS: 30_000, ClipMS: 30_000, Frames: 720_000, FramesWritten: 720_000, FramesPlayed: 720_000,
			Rate: 24_000, Sink: "alsa", Device: "hw:0", Mixer: "PCM 80%", End: "drained",
		}
	}
	b, err := json.Marshal(body)
	if err != nil {
		return nil, fmt.Errorf("encoding record: %w", err)
	}
	raw, err := json.Marshal(wire.Record{
		Log: d.log, Seq: d.seq, Prev: d.prev, Kind: kind, AtUS: wire.US(time.Now()), MonoUS: int64(d.seq), BootID: "bench", Level: wire.T2, Body: b,
	})
	if err != nil {
		return nil, fmt.Errorf("encoding record: %w", err)
	}
	d.prev = sum(raw)
	return raw, nil
}

const clipOfBench = "0000000000000000000000000000000000000000000000000000000000000000"

// load prepares a backlog of n records in messages of at most each records,
// and returns the bytes of the records.
func (d *device) load(n, each int) (size int, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.batches, d.last, d.next, d.done = nil, nil, 0, 0
	d.acked = make(chan time.Time, 1)
	for n > 0 {
		batch := wire.Batch{Log: d.log}
		bytes := 0
		for len(batch.Records) < each && n > 0 && bytes < wire.MaxBatchBytes-1024 {
			raw, err := d.record("2026-01-01.bench.morning")
			if err != nil {
				return 0, err
			}
			batch.Records = append(batch.Records, raw)
			bytes += len(raw)
			n--
		}
		size += bytes
		msg, err := json.Marshal(batch)
		if err != nil {
			return 0, fmt.Errorf("encoding batch: %w", err)
		}
		d.batches, d.last = append(d.batches, msg), append(d.last, d.seq)
	}
	return size, nil
}

// start sends as much of the backlog as an agent would.
func (d *device) start() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.send(time.Now())
}

// send is start with d.mu held.
func (d *device) send(now time.Time) error {
	for d.next < len(d.batches) && d.next < d.done+inFlight {
		if err := d.client.Publish(wire.Up(d.id, wire.KindRecords), d.batches[d.next]); err != nil {
			return err
		}
		d.next++
		d.sentAt = now
	}
	return nil
}

// again sends what has not been acked for too long once more.
func (d *device) again(now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.done < len(d.batches) && now.Sub(d.sentAt) > resend {
		d.next = d.done
		_ = d.send(now) // a lost connection shows elsewhere
	}
}

// ack takes {"log":…,"upto":N…}. An agent parses it; here the load generator
// must stay light.
func (d *device) ack(payload []byte, now time.Time) {
	if bytes.Contains(payload, []byte(`"missing"`)) {
		return
	}
	_, rest, ok := bytes.Cut(payload, []byte(`"upto":`))
	if !ok {
		return
	}
	n := bytes.IndexAny(rest, ",}")
	if n < 0 {
		return
	}
	upto, err := strconv.ParseUint(string(rest[:n]), 10, 64)
	if err != nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for d.done < len(d.last) && d.last[d.done] <= wire.Seq(upto) {
		d.done++
	}
	if len(d.batches) > 0 && d.done == len(d.batches) {
		offer(d.acked, now)
		return
	}
	_ = d.send(now) // a lost connection shows elsewhere
}
