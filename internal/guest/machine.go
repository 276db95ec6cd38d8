package guest

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Options of a machine. Program, Dir and Console are required.
type Options struct {
	Program string            // of QEMU
	Args    []string          // all but what Start adds
	Dir     string            // for its sockets: a short name, at most some 80 bytes
	Nice    int               // how far it stands back behind other processes, 0 to 19
	Console func(line string) // each line of the first serial port; called by one goroutine

	second string // what the second serial port is connected to
}

// Machine is a virtual machine that runs.
type Machine struct {
	cmd        *exec.Cmd
	qmp        string
	complaints strings.Builder
	done       chan struct{} // closed when it has ended
	err        error         // why; immutable once done is closed
}

// Start runs a machine without display, whose first serial port is its console
// and which ends instead of rebooting. It is killed when ctx ends.
func Start(ctx context.Context, o Options) (*Machine, error) {
	m := &Machine{qmp: filepath.Join(o.Dir, "qmp"), done: make(chan struct{})}
	m.cmd = exec.CommandContext(ctx, o.Program, append(o.Args[:len(o.Args):len(o.Args)], "-nodefaults", "-display", "none", "-no-reboot",
		"-serial", "stdio", "-qmp", "unix:"+m.qmp+",server=on,wait=off")...)
	if o.second != "" {
		m.cmd.Args = append(m.cmd.Args, "-serial", o.second)
	}
	m.cmd.Stderr = &m.complaints
	out, err := m.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := m.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", o.Program, err)
	}
	if o.Nice > 0 {
		m.Priority(o.Nice)
	}
	go func() {
		defer close(m.done)
		lines := bufio.NewScanner(out)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			o.Console(strings.TrimSpace(lines.Text()))
		}
		if err := m.cmd.Wait(); err != nil {
			m.err = fmt.Errorf("%s: %w: %s", o.Program, err, m.complaints.String())
		}
	}()
	return m, nil
}

// Priority sets how nice the machine is to other processes, -20 to 19. Below
// what it was only root may go: for others it does nothing then.
func (m *Machine) Priority(nice int) {
	threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", m.cmd.Process.Pid))
	if err != nil {
		return // it has ended
	}
	for _, t := range threads {
		if id, err := strconv.Atoi(t.Name()); err == nil {
			_ = syscall.Setpriority(syscall.PRIO_PROCESS, id, nice)
		}
	}
}

// Wait waits until the machine is off; Console is not called any more then.
func (m *Machine) Wait() error {
	<-m.done
	return m.err
}

// Done is closed when the machine is off.
func (m *Machine) Done() <-chan struct{} { return m.done }

// Kill cuts the power and returns when the machine is off. What the guest
// wrote and did not flush is lost; what it flushed is in the disk's file.
func (m *Machine) Kill() {
	_ = m.cmd.Process.Kill()
	<-m.done
}

// Command gives the machine one QMP command, such as
// {"execute":"device_del","arguments":{"id":"ua"}}.
func (m *Machine) Command(cmd json.RawMessage) error {
	conn, err := net.DialTimeout("unix", m.qmp, 5*time.Second)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return err
	}
	replies := bufio.NewScanner(conn)
	replies.Scan() // the greeting
	for _, c := range []string{`{"execute":"qmp_capabilities"}`, string(cmd)} {
		if _, err := fmt.Fprintln(conn, c); err != nil {
			return err
		}
		for replies.Scan() && strings.Contains(replies.Text(), `"event"`) {
		}
		if err := replies.Err(); err != nil {
			return err
		}
		if strings.Contains(replies.Text(), `"error"`) {
			return fmt.Errorf("answer %s", replies.Text())
		}
	}
	return nil
}
