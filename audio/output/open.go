package output

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
)

// The kinds of sink, in the order a gate prefers them.
const (
	ALSA  = "alsa"  // the kernel's sound card itself, exclusive
	APlay = "aplay" // Debian's aplay on any ALSA device name
	Pulse = "pulse" // PulseAudio, or PipeWire in its place
	File  = "file"  // WAV files, paced in real time
)

// Kinds returns every kind in the order of preference at a gate.
func Kinds() []string { return []string{ALSA, APlay, Pulse, File} }

// Options tunes a sink. The zero value is ready to use.
type Options struct {
	// Volume is what the device's mixer is set to before a play, in percent of
	// its range, 1–100. 0 leaves the volume as it is found.
	Volume int
	// KeepMixer leaves volume and switches alone: they are only read. Without
	// it every play switches the card's playback path on.
	KeepMixer bool
	// Most is the highest volume at which KeepMixer leaves it alone, in percent;
	// a mixer that is found above it is set to it. 0 means any.
	Most int
	// Server is the pulse sink's server: addresses to try in order, separated
	// by blanks, as in $PULSE_SERVER (see ServerFromEnv). Empty means the
	// usual folders of this user and of the system.
	Server string
	// Program is the aplay to run; empty means the one on the PATH.
	Program string
	// Logger receives what the sink notices during a play; nil discards it.
	Logger *slog.Logger
}

func (o *Options) validate() error {
	if o.Volume < 0 || o.Volume > 100 {
		return fmt.Errorf("sink option Volume is %d; it must be 0–100 percent", o.Volume)
	}
	if o.Most < 0 || o.Most > 100 {
		return fmt.Errorf("sink option Most is %d; it must be 0–100 percent", o.Most)
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return nil
}

// Open returns the sink of kind on device. It checks the names only and
// touches no hardware, so that a gate whose card is unplugged starts and says
// so through Device and Play. A Sink's methods must not run concurrently with
// each other, except that Device and Close may be called during Play; Close
// ends a running play as Cancelled and waits for it.
//
// What device means depends on the kind:
//   - alsa: "hw:CARD=id,DEV=n", "hw:id" or "hw:index,n"; empty is the first
//     card that can play
//   - aplay: any ALSA device name, passed on unread; empty is "default"
//   - pulse: a sink's name on the server; empty is the server's default sink,
//     looked up at each Prepare
//   - file: a folder that gets one WAV a play, or a name ending in ".wav" that
//     holds the last play; never empty
func Open(kind, device string, o Options) (Sink, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	o.Logger = o.Logger.With("component", "audio/output", "sink", kind)
	switch kind {
	case ALSA:
		return openALSA(device, o)
	case APlay:
		return openAPlay(device, o)
	case Pulse:
		return openPulse(device, o)
	case File:
		return openFile(device, o)
	}
	return nil, fmt.Errorf("no sink is called %q; choose one of %s", kind, strings.Join(Kinds(), ", "))
}

// ErrPlaying is returned by Play while another play of the same sink runs.
var ErrPlaying = errors.New("sink is already playing")

// ErrClosed is returned by a Sink after Close.
var ErrClosed = errors.New("sink is closed")
