package errand

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Serve is process 1 of a guest: it mounts what every program expects, loads
// the modules of the initramfs and serves requests from the second serial port
// until it is asked to turn the machine off. It never returns.
func Serve() {
	defer PowerOff()
	Prepare()
	if err := os.MkdirAll("/tmp", 0o777); err == nil {
		mount("tmpfs", "/tmp")
	}
	port, err := openPort("/dev/ttyS1")
	if err != nil {
		fmt.Println("opening the second serial port:", err)
		return
	}
	s := &server{programs: map[string]*program{}}
	fmt.Println(Ready)
	if err := s.serve(port); err != nil {
		fmt.Println("serving:", err)
	}
}

// Prepare mounts proc, sys and dev and loads the modules in their order. What
// does not succeed is told on the console.
func Prepare() {
	for _, fs := range [][2]string{{"proc", "/proc"}, {"sysfs", "/sys"}, {"devtmpfs", "/dev"}} {
		mount(fs[0], fs[1])
	}
	order, err := os.ReadFile("/modules/order")
	if err != nil {
		fmt.Println("reading the order of modules:", err)
		return
	}
	for name := range strings.FieldsSeq(string(order)) {
		f, err := os.Open(filepath.Join("/modules", name))
		if err == nil {
			err = unix.FinitModule(int(f.Fd()), "", 0)
			f.Close()
		}
		if err != nil && !errors.Is(err, unix.EEXIST) {
			fmt.Println("loading", name, err)
		}
	}
}

// PowerOff flushes the disks and turns the machine off.
func PowerOff() {
	if p := recover(); p != nil {
		fmt.Println("guest panics:", p)
	}
	unix.Sync()
	_ = unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
}

func mount(fs, at string) {
	if err := unix.Mount(fs, at, fs, 0, ""); err != nil {
		fmt.Println("mounting", at, err)
	}
}

// openPort opens a serial port without echo and translation.
func openPort(name string) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	t, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	if err != nil {
		return nil, err
	}
	t.Iflag, t.Oflag, t.Lflag = 0, 0, 0
	t.Cflag = unix.B115200 | unix.CS8 | unix.CREAD | unix.CLOCAL
	t.Cc[unix.VMIN], t.Cc[unix.VTIME] = 1, 0
	return f, unix.IoctlSetTermios(int(f.Fd()), unix.TCSETS, t)
}

// program is one that was started.
type program struct {
	cmd    *exec.Cmd
	done   chan struct{} // closed when it has ended
	status int           // immutable then
}

type server struct {
	programs map[string]*program // started and not stopped
}

func (s *server) serve(port io.ReadWriter) error {
	requests, answers := bufio.NewReaderSize(port, 1<<16), json.NewEncoder(port)
	for {
		line, err := requests.ReadBytes('\n')
		if err != nil {
			return err
		}
		var r Request
		if err := json.Unmarshal(line, &r); err != nil {
			return fmt.Errorf("request %q: %w", line, err)
		}
		if r.PowerOff {
			return nil
		}
		a, err := s.do(r)
		if err != nil {
			a.Error = err.Error()
		}
		if err := answers.Encode(a); err != nil {
			return err
		}
	}
}

func (s *server) do(r Request) (a Answer, err error) {
	switch {
	case len(r.Run) > 0:
		cmd := command(r.Run, r.Env)
		a.Output, err = cmd.CombinedOutput()
		if _, failed := errors.AsType[*exec.ExitError](err); failed {
			err = nil
		}
		if cmd.ProcessState != nil {
			a.Status = cmd.ProcessState.ExitCode()
		}
		return a, err
	case len(r.Start) > 0:
		return a, s.start(r)
	case r.Stop > 0:
		p := s.programs[r.Name]
		if p == nil {
			return a, fmt.Errorf("no program %q", r.Name)
		}
		_ = p.cmd.Process.Signal(syscall.Signal(r.Stop)) // it may have ended
		select {
		case <-p.done:
		case <-time.After(time.Minute):
			return a, fmt.Errorf("program %q does not end", r.Name)
		}
		delete(s.programs, r.Name)
		a.Status = p.status
		return a, nil
	case r.ClockUS > 0:
		return a, setClock(r.ClockUS, r.Synchronised)
	}
	return a, errors.New("nothing was asked")
}

func command(line, env []string) *exec.Cmd {
	cmd := exec.Command(line[0], line[1:]...)
	cmd.Env = append([]string{"PATH=/bin", "HOME=/tmp"}, env...)
	return cmd
}

func (s *server) start(r Request) error {
	if s.programs[r.Name] != nil {
		return fmt.Errorf("program %q runs already", r.Name)
	}
	p := &program{cmd: command(r.Start, r.Env), done: make(chan struct{})}
	out, in := io.Pipe()
	p.cmd.Stdout, p.cmd.Stderr = in, in
	if err := p.cmd.Start(); err != nil {
		return err
	}
	if r.Nice > 0 {
		_ = unix.Setpriority(unix.PRIO_PROCESS, p.cmd.Process.Pid, r.Nice)
	}
	var told sync.WaitGroup
	told.Go(func() {
		for lines := bufio.NewScanner(out); lines.Scan(); {
			fmt.Println(r.Name + "| " + lines.Text())
		}
		_, _ = io.Copy(io.Discard, out) // after a line that was too long
	})
	go func() {
		_ = p.cmd.Wait() // the status tells
		in.Close()
		told.Wait()
		p.status = p.cmd.ProcessState.ExitCode()
		close(p.done)
	}()
	s.programs[r.Name] = p
	return nil
}

// setClock sets the wall clock and what the kernel says of it.
func setClock(us int64, synchronised bool) error {
	ts := unix.NsecToTimespec(us * 1000)
	if err := unix.ClockSettime(unix.CLOCK_REALTIME, &ts); err != nil {
		return fmt.Errorf("setting the clock: %w", err)
	}
	const modes = 0x0010 | 0x0004 | 0x0008 // ADJ_STATUS, ADJ_MAXERROR, ADJ_ESTERROR
	t := unix.Timex{Modes: modes, Status: unix.STA_UNSYNC, Maxerror: 16_000_000, Esterror: 16_000_000}
	if synchronised {
		t.Status, t.Maxerror, t.Esterror = unix.STA_PLL, 1000, 1000
	}
	if _, err := unix.Adjtimex(&t); err != nil {
		return fmt.Errorf("marking the clock: %w", err)
	}
	return nil
}
