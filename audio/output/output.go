// Package output plays a Source to a named device and reports what the device
// really did with it.
//
// A sink never falls through to another one: the caller chooses, and the
// Report says which device played. "Written" is not "played": every sink
// reports frames the device consumed, and how the play ended.
package output

import (
	"context"
	"time"

	"gatecast/audio"
)

// End says how a play ended.
type End string

// The ends of a play. Only Drained can count as played.
const (
	Drained   End = "drained"   // the device consumed every frame
	Underrun  End = "underrun"  // the device ran dry; sound was broken
	Lost      End = "lost"      // the device went away
	Cancelled End = "cancelled" // the context ended the play
	Refused   End = "refused"   // nothing sounded: busy, muted, absent, wrong sink
)

// Report is what a sink knows after a play. Frames are frames of the source,
// not of the device's own rate.
type Report struct {
	Sink          string       // alsa, aplay, pulse or file
	Device        string       // e.g. "hw:CARD=Device,DEV=0 (USB Audio)", a file's path
	MovedTo       string       // the device the sound ended on when that is another one; empty when it stayed
	StartedAt     time.Time    // when the first frame sounded, with a monotonic reading; zero if nothing sounded
	Frames        audio.Frames // frames of the source
	FramesWritten audio.Frames // frames handed to the device
	FramesPlayed  audio.Frames // frames the device consumed, as it reports
	Underruns     int
	Elapsed       time.Duration // first frame to drained
	Mixer         string        // what was set and read back, e.g. "Speaker 60% on"; empty where there is no mixer
	Muted         bool          // the mixer reads muted or at zero
	End           End
	Path          string // the WAV written, file sink only
}

// Device describes where a sink plays.
type Device struct {
	Sink  string
	Name  string
	Demo  bool // plays into a file: never a loudspeaker
	Muted bool
	Mixer string
}

// Sink plays one Source at a time to one device.
type Sink interface {
	// Prepare opens the device for format ahead of a play and sets and reads
	// back the mixer. It is a no-op when already prepared for format.
	Prepare(ctx context.Context, format audio.Format) error
	// Play sounds src so that its first frame leaves at the instant at, which
	// must carry a monotonic reading (time.Now().Add(…)), and returns when the
	// device has drained it, it failed, or ctx ended. Play prepares by itself
	// if Prepare was not called. The Report is valid also with an error.
	Play(ctx context.Context, at time.Time, src audio.Source) (Report, error)
	// Device says where the sink plays and whether it can sound now; an error
	// is in words a caretaker can act on.
	Device() (Device, error)
	// Close releases the device. It is idempotent.
	Close() error
}
