package soundcheck

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"gatecast/audio"
)

// Rate and Channels are the shape of every sink of a Server.
const (
	Rate     = 44100
	Channels = 2
)

// Programs are what a Server needs on the PATH.
var Programs = []string{"pulseaudio", "parec", "pactl"}

// Server is a private PulseAudio with sinks that lead nowhere but are paced
// like a card. Its sinks are bit-exact: "norewinds" keeps the server from
// taking samples back, which loses some of the first 100 ms of a clip.
type Server struct {
	Address string // for output.Options.Server and PULSE_SERVER
	dir     string
	cmd     *exec.Cmd
	log     bytes.Buffer
	exited  chan struct{} // closed when the server has ended
}

// Start runs a server in dir, which must be short enough for a socket's name,
// with the given sinks; the first is the default. It returns once the server
// answers.
func Start(ctx context.Context, dir string, sinks ...string) (*Server, error) {
	socket := filepath.Join(dir, "native")
	var script bytes.Buffer
	fmt.Fprintf(&script, "load-module module-native-protocol-unix auth-anonymous=1 socket=%s\n", socket)
	for _, s := range sinks {
		fmt.Fprintf(&script, "load-module module-null-sink sink_name=%s rate=%d channels=%d format=s16le norewinds=1 sink_properties=device.description=%s\n", s, Rate, Channels, s)
	}
	if len(sinks) > 0 {
		fmt.Fprintf(&script, "set-default-sink %s\n", sinks[0])
	}
	name := filepath.Join(dir, "null.pa")
	if err := os.WriteFile(name, script.Bytes(), 0o600); err != nil {
		return nil, fmt.Errorf("writing the server's script: %w", err)
	}
	s := &Server{Address: "unix:" + socket, dir: dir, exited: make(chan struct{})}
	s.cmd = exec.Command("pulseaudio", "--daemonize=no", "-n", "-F", name, "--exit-idle-time=-1", "--use-pid-file=no", "--disable-shm=yes", "--high-priority=yes", "--realtime=yes", "--log-target=stderr")
	s.cmd.Env = s.environment()
	s.cmd.Stderr = &s.log
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting pulseaudio: %w", err)
	}
	go func() {
		s.cmd.Wait()
		close(s.exited)
	}()
	if err := s.ready(ctx); err != nil {
		s.Stop()
		return nil, fmt.Errorf("starting pulseaudio: %w: %s", err, s.log.String())
	}
	return s, nil
}

func (s *Server) environment() []string {
	return append(os.Environ(), "HOME="+s.dir, "XDG_RUNTIME_DIR="+s.dir, "PULSE_RUNTIME_PATH="+s.dir,
		"XDG_CONFIG_HOME="+s.dir, "PULSE_SERVER="+s.Address, "LC_ALL=C")
}

// ready waits for the socket to answer.
func (s *Server) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	for {
		conn, err := net.Dial("unix", filepath.Join(s.dir, "native"))
		if err == nil {
			return conn.Close()
		}
		select {
		case <-s.exited:
			return errors.New("it ended at once")
		case <-ctx.Done():
			return err
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Control runs pactl with args and returns what it prints.
func (s *Server) Control(args ...string) (string, error) {
	cmd := s.Command("pactl", args...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("pactl %v: %w: %s", args, err, out)
	}
	return string(bytes.TrimSpace(out)), nil
}

// Command returns a command that has this server as its sound server.
func (s *Server) Command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Env = s.environment()
	return cmd
}

// Signal sends a signal to the server, e.g. SIGSTOP to stall it.
func (s *Server) Signal(sig os.Signal) error { return s.cmd.Process.Signal(sig) }

// Stop ends the server. It is idempotent.
func (s *Server) Stop() {
	_ = s.cmd.Process.Signal(syscall.SIGCONT)
	_ = s.cmd.Process.Kill()
	<-s.exited
}

// Recording is a running recording of what reaches a sink.
type Recording struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when the recorder has ended

	mu   sync.Mutex
	data []byte
	came chan struct{} // closed at the first sample
}

// Record records sink until Stop. It returns once samples arrive, so that
// nothing which plays afterwards is missed.
func (s *Server) Record(ctx context.Context, sink string) (*Recording, error) {
	cmd := s.Command("parec", "-d", sink+".monitor", "--raw", "--latency-msec=20",
		"--format=s16le", fmt.Sprintf("--rate=%d", Rate), fmt.Sprintf("--channels=%d", Channels))
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("recording %q: %w", sink, err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("recording %q: %w", sink, err)
	}
	r := &Recording{cmd: cmd, done: make(chan struct{}), came: make(chan struct{})}
	go r.collect(out)
	select {
	case <-r.came:
		return r, nil
	case <-r.done:
		return nil, fmt.Errorf("recording %q: parec ended at once", sink)
	case <-ctx.Done():
	case <-time.After(10 * time.Second):
	}
	r.Stop()
	return nil, fmt.Errorf("recording %q: no samples arrive", sink)
}

func (r *Recording) collect(out io.Reader) {
	defer close(r.done)
	buf := make([]byte, 1<<14)
	for first := true; ; {
		n, err := out.Read(buf)
		r.mu.Lock()
		r.data = append(r.data, buf[:n]...)
		r.mu.Unlock()
		if n > 0 && first {
			first = false
			close(r.came)
		}
		if err != nil {
			r.cmd.Wait()
			return
		}
	}
}

// Stop ends the recording and returns it.
func (r *Recording) Stop() *audio.PCM {
	_ = r.cmd.Process.Signal(os.Interrupt)
	select {
	case <-r.done:
	case <-time.After(5 * time.Second):
		_ = r.cmd.Process.Kill()
		<-r.done
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return &audio.PCM{Format: audio.Format{Rate: Rate, Channels: Channels}, Samples: samples(r.data, Channels)}
}
