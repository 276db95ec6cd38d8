package broker

import (
	"bufio"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// The engine keeps MQTT sessions and retained messages in streams that it
// creates as files unless they are there. One write error closes such a file
// for good: after a full disk no device could connect until a restart. Nothing
// in them is needed across a restart either, so they are made in memory before
// the first connection is let in.
//
// A session takes some 500 bytes and a device has one. Retained messages are
// bounded by themselves, so that devices cannot fill with them what sessions
// need; the other streams stay empty, because nobody subscribes above QoS 0.
const (
	memoryAll      = 128 << 20
	memoryRetained = 16 << 20
	memoryOther    = 4 << 20
)

func streams() []server.StreamConfig {
	return []server.StreamConfig{
		{Name: "$MQTT_sess", Subjects: []string{"$MQTT.sess.>"}, Retention: server.LimitsPolicy, MaxMsgsPer: 1, MaxBytes: -1},
		{Name: "$MQTT_rmsgs", Subjects: []string{"$MQTT.rmsgs.>"}, Retention: server.LimitsPolicy, MaxMsgsPer: 1, MaxBytes: memoryRetained},
		{Name: "$MQTT_msgs", Subjects: []string{"$MQTT.msgs.>"}, Retention: server.InterestPolicy, MaxMsgsPer: -1, MaxBytes: memoryOther},
		{Name: "$MQTT_qos2in", Subjects: []string{"$MQTT.qos2.in.>"}, Retention: server.LimitsPolicy, MaxMsgsPer: 1, MaxBytes: memoryOther, Discard: server.DiscardNew, DiscardNewPer: true},
		{Name: "$MQTT_out", Subjects: []string{"$MQTT.out.>"}, Retention: server.InterestPolicy, MaxMsgsPer: -1, MaxBytes: memoryOther},
	}
}

// newToken draws the secret by which the gatekeeper knows this package's own
// connection.
func newToken() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// keepInMemory makes the streams over a connection inside the process.
func keepInMemory(s *server.Server, token string) error {
	conn, err := s.InProcessConn()
	if err != nil {
		return fmt.Errorf("reaching the broker's engine: %w", err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(startLimit)); err != nil {
		return err
	}
	c := &engineConn{conn: conn, r: bufio.NewReader(conn)}
	if err := c.open(token); err != nil {
		return fmt.Errorf("reaching the broker's engine: %w", err)
	}
	for _, cfg := range streams() {
		cfg.Storage, cfg.Replicas, cfg.MaxMsgs, cfg.MaxConsumers = server.MemoryStorage, 1, -1, -1
		if err := c.create(cfg); err != nil {
			return fmt.Errorf("creating %q in the broker's engine: %w", cfg.Name, err)
		}
	}
	return nil
}

// engineConn speaks as much of the engine's own protocol as a request needs.
type engineConn struct {
	conn net.Conn
	r    *bufio.Reader
}

const replySubject = "_INBOX.start"

func (c *engineConn) open(token string) error {
	if line, err := c.line(); err != nil || !strings.HasPrefix(line, "INFO ") {
		return fmt.Errorf("no greeting: %q, %w", line, err)
	}
	_, err := fmt.Fprintf(c.conn, "CONNECT {\"verbose\":false,\"auth_token\":%q}\r\nSUB %s 1\r\nPING\r\n", token, replySubject)
	if err != nil {
		return err
	}
	line, err := c.line()
	if err == nil && line != "PONG" {
		err = errors.New(line)
	}
	return err
}

// line returns the next line; pings are answered on the way.
func (c *engineConn) line() (string, error) {
	for {
		line, err := c.r.ReadString('\n')
		if err != nil {
			return "", err
		}
		line = strings.TrimRight(line, "\r\n")
		if line != "PING" {
			return line, nil
		}
		if _, err := io.WriteString(c.conn, "PONG\r\n"); err != nil {
			return "", err
		}
	}
}

func (c *engineConn) create(cfg server.StreamConfig) error {
	body, err := json.Marshal(cfg)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(c.conn, "PUB $JS.API.STREAM.CREATE.%s %s %d\r\n%s\r\n", cfg.Name, replySubject, len(body), body); err != nil {
		return err
	}
	head, err := c.line()
	if err != nil {
		return err
	}
	var size int
	if _, err := fmt.Sscanf(head, "MSG "+replySubject+" 1 %d", &size); err != nil {
		return errors.New(head)
	}
	answer := make([]byte, size+len("\r\n"))
	if _, err := io.ReadFull(c.r, answer); err != nil {
		return err
	}
	var said struct {
		Error *struct {
			Description string `json:"description"`
		} `json:"error"`
	}
	if err := json.Unmarshal(answer[:size], &said); err != nil {
		return err
	}
	if said.Error != nil {
		return errors.New(said.Error.Description)
	}
	return nil
}
