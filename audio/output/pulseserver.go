package output

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/jfreymuth/pulse/proto"
)

const (
	pulseTimeout = 3 * time.Second // of each request and each write
	// stillborn is the sink that PulseAudio and PipeWire make up when there is
	// no card: it plays everything, to nobody.
	stillborn = "auto_null"
)

// address is where a sound server may listen.
type address struct{ network, at string }

// parseServer reads a PulseAudio server string: blank-separated addresses such
// as "unix:/run/…/native", "/run/…/native" or "tcp:host:4713", each perhaps
// behind "{machine}".
func parseServer(s string) []address {
	var all []address
	for _, field := range strings.Fields(s) {
		if _, rest, ok := strings.Cut(field, "}"); ok && field[0] == '{' {
			field = rest
		}
		network, at, _ := strings.Cut(field, ":")
		switch network {
		case "unix":
			all = append(all, address{"unix", at})
		case "tcp", "tcp4", "tcp6":
			if _, _, err := net.SplitHostPort(at); err != nil {
				at = net.JoinHostPort(strings.Trim(at, "[]"), "4713")
			}
			all = append(all, address{network, at})
		default:
			if strings.HasPrefix(field, "/") {
				all = append(all, address{"unix", field})
			}
		}
	}
	return all
}

// ServerFromEnv composes Options.Server from a desktop session's environment,
// which only the command may read: ServerFromEnv(os.Getenv). It is empty where
// the environment says nothing; then the usual folders are tried.
func ServerFromEnv(getenv func(string) string) string {
	if s := getenv("PULSE_SERVER"); s != "" {
		return s
	}
	var all []string
	if dir := getenv("PULSE_RUNTIME_PATH"); dir != "" {
		all = append(all, "unix:"+filepath.Join(dir, "native"))
	}
	if dir := getenv("XDG_RUNTIME_DIR"); dir != "" {
		all = append(all, "unix:"+filepath.Join(dir, "pulse", "native"))
	}
	return strings.Join(all, " ")
}

// usualServers lists where a server listens by convention: the run-time
// folders of this user and of the system.
func usualServers() []address {
	return []address{
		{"unix", fmt.Sprintf("/run/user/%d/pulse/native", os.Getuid())},
		{"unix", "/run/pulse/native"},
	}
}

// cookie returns the shared secret of this user's server; a server that asks
// for none takes any 256 bytes.
func cookie() []byte {
	if dir, err := os.UserConfigDir(); err == nil {
		b, err := os.ReadFile(filepath.Join(dir, "pulse", "cookie"))
		if err == nil && len(b) == 256 {
			return b
		}
	}
	return make([]byte, 256)
}

// pulseConn is a connection to a sound server, with what it reports of our one
// stream. The proto client is used below the pulse package's own stream, which
// hangs on a clip shorter than its buffer and does not tell a killed stream
// from a finished one.
type pulseConn struct {
	*proto.Client
	conn   net.Conn
	server string
	wake   chan struct{} // capacity 1: something below changed

	mu      sync.Mutex
	wanted  int // bytes the server asked for
	breaks  int
	killed  bool
	movedTo string
	closed  bool
}

// dialPulse connects to the first server that answers.
func dialPulse(server string) (*pulseConn, error) {
	all := usualServers()
	if server != "" {
		all = parseServer(server)
	}
	err := errors.New("no such address")
	for _, a := range all {
		var c *pulseConn
		if c, err = dialOne(a); err == nil {
			return c, nil
		}
		server = a.network + ":" + a.at
	}
	return nil, &Fault{Code: NoServer, Device: server, Err: err}
}

func dialOne(a address) (*pulseConn, error) {
	conn, err := net.DialTimeout(a.network, a.at, pulseTimeout)
	if err != nil {
		return nil, err
	}
	c := &pulseConn{Client: &proto.Client{}, conn: conn, server: a.network + ":" + a.at, wake: make(chan struct{}, 1)}
	c.Callback = c.event
	c.SetTimeout(pulseTimeout)
	c.Open(deadlineConn{conn})
	var auth proto.AuthReply
	if err := c.Request(&proto.Auth{Version: c.Version(), Cookie: cookie()}, &auth); err != nil {
		conn.Close()
		return nil, fmt.Errorf("greeting: %w", err)
	}
	c.SetVersion(auth.Version)
	props := proto.PropList{
		"application.name": proto.PropListString("Gatecast"),
		"media.role":       proto.PropListString("announce"),
	}
	if err := c.Request(&proto.SetClientName{Props: props}, &proto.SetClientNameReply{}); err != nil {
		conn.Close()
		return nil, fmt.Errorf("greeting: %w", err)
	}
	return c, nil
}

// event notes what the server says unasked. It runs in the client's reader and
// must neither block nor make requests.
func (c *pulseConn) event(msg any) {
	c.mu.Lock()
	switch m := msg.(type) {
	case *proto.Request:
		c.wanted += int(m.Length)
	case *proto.Underflow:
		c.breaks++
	case *proto.PlaybackStreamKilled:
		c.killed = true
	case *proto.PlaybackStreamSuspended:
		if m.Suspended { // an idle sink's; it wakes up when the stream runs
			c.breaks++
		}
	case *proto.PlaybackStreamMoved:
		c.movedTo = m.DestName
	case *proto.ConnectionClosed:
		c.closed = true
	}
	c.mu.Unlock()
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// take returns how many whole frames are to be sent of what the server wants,
// no more than most.
func (c *pulseConn) take(frameBytes, most int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := min(c.wanted/frameBytes, most)
	c.wanted -= n * frameBytes
	return n
}

func (c *pulseConn) close() { c.conn.Close() }

// deadlineConn gives up on a server that takes nothing: the client writes
// under a lock and ignores write errors, so a write must end, and must close
// what it could not complete.
type deadlineConn struct{ net.Conn }

func (c deadlineConn) Write(b []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(pulseTimeout)); err != nil {
		return 0, err
	}
	n, err := c.Conn.Write(b)
	if err != nil {
		c.Close()
	}
	return n, err
}
