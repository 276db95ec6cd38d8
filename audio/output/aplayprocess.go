package output

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"
)

// aplayProcess is one running aplay that reads raw samples from a pipe.
type aplayProcess struct {
	device string
	cmd    *exec.Cmd
	stdin  *os.File
	ready  chan struct{} // closed when the device is open
	done   chan struct{} // closed when the process and its output have ended

	mu    sync.Mutex
	said  strings.Builder // what it printed, bounded
	xruns int
	wrong bool // it plays at another rate than asked for
}

// saidLimit bounds what is kept of a talkative aplay.
const saidLimit = 4 << 10

// startAPlay runs program on device for 16-bit samples. The start threshold is
// one period: playback begins with the first samples that arrive.
func startAPlay(program, device string, rate, channels int) (*aplayProcess, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("making a pipe for aplay: %w", err)
	}
	defer r.Close()
	us := func(d time.Duration) string { return strconv.FormatInt(d.Microseconds(), 10) }
	cmd := exec.Command(program, "-D", device, "-t", "raw", "-f", "S16_LE",
		"-r", strconv.Itoa(rate), "-c", strconv.Itoa(channels),
		"--buffer-time="+us(aplayBuffer), "--period-time="+us(aplayPeriod), "--start-delay=1", "-")
	cmd.Env = append(os.Environ(), "LC_ALL=C") // its messages are read
	cmd.Stdin = r
	stderr, err := cmd.StderrPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		w.Close()
		code := Absent
		if errors.Is(err, exec.ErrNotFound) || errors.Is(err, os.ErrNotExist) {
			code = NoTool
		}
		return nil, &Fault{Code: code, Device: program, Err: err}
	}
	p := &aplayProcess{device: device, cmd: cmd, stdin: w, ready: make(chan struct{}), done: make(chan struct{})}
	go p.listen(stderr)
	return p, nil
}

// listen reads what aplay prints until it ends.
func (p *aplayProcess) listen(stderr io.Reader) {
	defer close(p.done)
	opened := false
	lines := bufio.NewScanner(stderr)
	for lines.Scan() {
		line := lines.Text()
		p.mu.Lock()
		if strings.Contains(line, "underrun!!!") {
			p.xruns++
		}
		if strings.Contains(line, "rate is not accurate") {
			p.wrong = true
		}
		if p.said.Len() < saidLimit {
			p.said.WriteString(line + "\n")
		}
		p.mu.Unlock()
		if !opened && strings.HasPrefix(line, "Playing") {
			opened = true
			close(p.ready)
		}
	}
	// The error is in the process state.
	_, _ = io.Copy(io.Discard, stderr)
	_ = p.cmd.Wait()
}

// opened waits until aplay has its device, and returns why it has not.
func (p *aplayProcess) opened(ctx context.Context) error {
	late := time.NewTimer(aplayPatience)
	defer late.Stop()
	select {
	case <-p.ready:
	case <-p.done:
		return p.end()
	case <-late.C:
		return &Fault{Code: Stalled, Device: p.device, Err: fmt.Errorf("aplay did not open it within %v", aplayPatience)}
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	// It sets the device up after that line, and leaves where it cannot.
	settle := time.NewTimer(100 * time.Millisecond)
	defer settle.Stop()
	select {
	case <-p.done:
		return p.end()
	case <-settle.C:
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.wrong {
		return &Fault{Code: Unsupported, Device: p.device, Err: errors.New(strings.TrimSpace(p.said.String()))}
	}
	return nil
}

func (p *aplayProcess) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// wait returns when the process has ended: nil after it has played everything.
func (p *aplayProcess) wait() error {
	<-p.done
	if err := processEnd(p.cmd.ProcessState); err != nil {
		return p.fault(err)
	}
	return nil
}

// end is wait for a process that should not have ended.
func (p *aplayProcess) end() error {
	if err := p.wait(); err != nil {
		return err
	}
	return p.fault(errors.New("ended before any sound"))
}

func (p *aplayProcess) fault(exit error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return aplayFault(p.device, p.said.String(), exit)
}

func (p *aplayProcess) underruns() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.xruns
}

// kill ends the process and waits for it.
func (p *aplayProcess) kill() {
	_ = p.cmd.Process.Kill()
	p.stdin.Close()
	<-p.done
}
