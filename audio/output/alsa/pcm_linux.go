package alsa

import (
	"errors"
	"fmt"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// State is the state of a PCM, as the kernel numbers it.
type State int32

// The states.
const (
	Opened State = iota
	Setup
	Prepared
	Running
	XRun
	Draining
	Paused
	Suspended
	Disconnected
)

// Status is a snapshot of a PCM. Instants are CLOCK_MONOTONIC.
type Status struct {
	State   State
	Trigger time.Duration // last start or stop; 0 before the first
	At      time.Duration // when the pointers were read
	Delay   int           // frames written and not yet sounded
	Avail   int           // frames that can be written now
}

// PCM is one playback device of a card, held exclusively. Methods other than
// Close must not run concurrently; none of them blocks.
type PCM struct {
	path   string
	fd     int
	config Config // immutable after Configure
}

// xfer is struct snd_xferi.
type xfer struct {
	result long
	buf    unsafe.Pointer
	frames ulong
}

var (
	reqStatus  = number(dirRead, 'A', 0x20, unsafe.Sizeof(pcmStatus{}))
	reqPrepare = number(dirNone, 'A', 0x40, 0)
	reqStart   = number(dirNone, 'A', 0x42, 0)
	reqDrop    = number(dirNone, 'A', 0x43, 0)
	reqDrain   = number(dirNone, 'A', 0x44, 0)
	reqWrite   = number(dirWrite, 'A', 0x50, unsafe.Sizeof(xfer{}))
)

// OpenPCM opens a playback device. EBUSY means that another program has it,
// ENOENT and ENODEV that it is not there, EACCES that this user may not.
func OpenPCM(card, device int) (*PCM, error) {
	path := fmt.Sprintf("/dev/snd/pcmC%dD%dp", card, device)
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", path, err)
	}
	return &PCM{path: path, fd: fd}, nil
}

// Prepare makes the device ready for writes and a Start, also after an
// underrun.
func (p *PCM) Prepare() error { return p.call("preparing", reqPrepare) }

// Start lets the written frames sound, now.
func (p *PCM) Start() error {
	if err := ioctlNow(p.fd, reqStart); err != nil {
		return fmt.Errorf("starting %s: %w", p.path, err)
	}
	return nil
}

// Drop stops at once and forgets what is written.
func (p *PCM) Drop() error { return p.call("stopping", reqDrop) }

// Drain lets the device stop when all is played; Status tells when: its State
// becomes Setup.
func (p *PCM) Drain() error {
	err := p.call("draining", reqDrain)
	if errors.Is(err, unix.EAGAIN) { // draining goes on; only a blocking descriptor waits here
		return nil
	}
	return err
}

func (p *PCM) call(doing string, req uintptr) error {
	if err := ioctl(p.fd, req, nil); err != nil {
		return fmt.Errorf("%s %s: %w", doing, p.path, err)
	}
	return nil
}

// Write copies whole frames of b into the ring buffer and returns how many it
// took; 0 without an error when the buffer is full. EPIPE means underrun,
// ENODEV or EBADFD that the card is gone.
func (p *PCM) Write(b []byte) (frames int, err error) {
	n := len(b) / p.config.FrameBytes()
	if n == 0 {
		return 0, nil
	}
	x := xfer{buf: unsafe.Pointer(&b[0]), frames: ulong(n)}
	switch err := ioctl(p.fd, reqWrite, unsafe.Pointer(&x)); {
	case err == nil:
		return x.result, nil
	case errors.Is(err, unix.EAGAIN):
		return 0, nil
	default:
		return 0, fmt.Errorf("writing to %s: %w", p.path, err)
	}
}

// Status reads the device's state and pointers.
func (p *PCM) Status() (Status, error) {
	var s pcmStatus
	if err := ioctl(p.fd, reqStatus, unsafe.Pointer(&s)); err != nil {
		return Status{}, fmt.Errorf("asking %s: %w", p.path, err)
	}
	return Status{
		State:   State(s.state),
		Trigger: s.trigger.duration(),
		At:      s.tstamp.duration(),
		Delay:   max(0, s.delay),
		Avail:   int(s.avail),
	}, nil
}

// Close stops the device and gives it free. It is idempotent.
func (p *PCM) Close() error {
	if p.fd < 0 {
		return nil
	}
	err := unix.Close(p.fd)
	p.fd = -1
	return err
}
