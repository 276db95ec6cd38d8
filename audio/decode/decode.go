// Package decode turns sound files into samples, or says in one stable code why
// it will not.
//
// It reads WAV, MP3, FLAC and Ogg Vorbis, told apart by content, never by name.
// MP3, FLAC and Vorbis go through beep's decoders; WAV has a reader here, since
// beep's knows neither float nor 32-bit samples and never ends on a file that
// was cut. Beep's decoders keep two channels at most, so files with more go to
// the libraries beneath them. Around every decoder stand the same guards: the
// container is checked first and the bytes that could make a library allocate
// without bound, loop or read a damaged stream as a whole one are refused there;
// panics become errors; a decoder that yields nothing is stopped; and the frames
// decoded are compared with the frames promised.
//
// The package does no I/O and starts no goroutines; all of it is safe for
// concurrent use.
package decode

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"gatecast/audio"
)

// Limits bound what Decode accepts. A zero field means DefaultLimits'.
type Limits struct {
	Bytes    int64         // of the file
	Duration time.Duration // of its sound
	Samples  int64         // of the result, all channels; 4 bytes each
	// Channels is how many the result may have: a file with more is mixed down
	// to one while it is decoded.
	Channels int
}

// DefaultLimits returns the bounds of an upload: 50 MB and 10 minutes. 60 M
// samples are 240 MB, which holds ten minutes of 48 kHz stereo.
func DefaultLimits() Limits {
	return Limits{Bytes: 50_000_000, Duration: 10 * time.Minute, Samples: 60_000_000, Channels: audio.MaxChannels}
}

func (l Limits) orDefault() Limits {
	d := DefaultLimits()
	if l.Bytes <= 0 {
		l.Bytes = d.Bytes
	}
	if l.Duration <= 0 {
		l.Duration = d.Duration
	}
	if l.Samples <= 0 {
		l.Samples = d.Samples
	}
	if l.Channels <= 0 {
		l.Channels = d.Channels
	}
	return l
}

// Info describes a file as it was, before any down-mixing. With an error it
// holds what was known by then.
type Info struct {
	Kind     Kind
	Format   audio.Format
	Bits     int          // per sample; 0 where the coding has none
	Float    bool         // samples are floating point
	Frames   audio.Frames // decoded
	Duration time.Duration
	Bytes    int64
}

// stream is an opened file: what it promises and how to read it.
type stream struct {
	format audio.Format
	bits   int
	float  bool
	frames int64 // promised; −1 where the file does not say
	// read fills dst with whole interleaved frames and returns how many; io.EOF
	// after the last.
	read func(dst []float32) (frames int, err error)
	// check, when not nil, judges the stream after its last frame.
	check func() error
}

// blockFrames is how much is decoded between two looks at the limits.
const blockFrames = 2048

// maxStalls is how often in a row a decoder may yield nothing.
const maxStalls = 64

// Decode returns the sound of a whole file. Samples keep the file's rate and
// level; floating-point files may exceed full scale. Errors about the file are
// *Error; otherwise the error is ctx's. data is not kept. No input makes it
// panic, hang or allocate much more than the limits allow.
func Decode(ctx context.Context, data []byte, l Limits) (*audio.PCM, Info, error) {
	l = l.orDefault()
	info := Info{Kind: Sniff(data), Bytes: int64(len(data))}
	fail := func(err error) (*audio.PCM, Info, error) {
		var e *Error
		if errors.As(err, &e) {
			e.Kind = info.Kind
		}
		return nil, info, err
	}
	if info.Bytes > l.Bytes {
		return fail(&Error{Code: TooBig, Bytes: info.Bytes, MaxBytes: l.Bytes})
	}
	s, err := open(info.Kind, data)
	if err != nil {
		return fail(err)
	}
	info.Format, info.Bits, info.Float = s.format, s.bits, s.float
	if err := s.format.Validate(); err != nil {
		return fail(&Error{Code: Unsupported, Err: err})
	}
	if s.frames > 0 {
		info.Duration = audio.Frames(s.frames).Duration(s.format.Rate)
	}
	if s.frames == 0 {
		return fail(&Error{Code: Empty})
	}
	if info.Duration > l.Duration {
		return fail(&Error{Code: TooLong, Duration: info.Duration, MaxDuration: l.Duration})
	}
	pcm, err := collect(ctx, s, l)
	if pcm != nil {
		info.Frames = pcm.Frames()
		info.Duration = info.Frames.Duration(pcm.Rate)
	}
	if err != nil {
		return fail(err)
	}
	return pcm, info, nil
}

// open checks the container and returns the stream in it.
func open(kind Kind, data []byte) (s stream, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &Error{Code: Corrupt, Err: fmt.Errorf("decoder panic: %v", p)}
		}
	}()
	switch kind {
	case KindEmpty:
		return stream{}, &Error{Code: Empty}
	case KindWAV:
		return openWAV(data)
	case KindMP3:
		return openMP3(data)
	case KindFLAC:
		return openFLAC(data)
	case KindVorbis:
		return openVorbis(data)
	case KindText, KindUnknown:
		return stream{}, &Error{Code: NotAudio}
	}
	return stream{}, &Error{Code: Unsupported}
}

// collect reads s to its end. On an error it returns what was decoded before.
func collect(ctx context.Context, s stream, l Limits) (pcm *audio.PCM, err error) {
	out := s.format
	mix := out.Channels > l.Channels
	if mix {
		out.Channels = 1
	}
	most := min(int64(audio.FramesIn(l.Duration, out.Rate)), l.Samples/int64(out.Channels))
	pcm = &audio.PCM{Format: out}
	if s.frames > most {
		return nil, tooLong(s.frames, most, out.Rate)
	}
	if s.frames > 0 {
		// What the header promises is only believed up to 16 MB ahead.
		pcm.Samples = make([]float32, 0, min(s.frames*int64(out.Channels), 4<<20))
	}
	defer func() {
		if p := recover(); p != nil {
			err = &Error{Code: Corrupt, Err: fmt.Errorf("decoder panic: %v", p)}
		}
	}()
	block := make([]float32, blockFrames*s.format.Channels)
	var frames int64
	for stalls := 0; s.frames < 0 || frames < s.frames; {
		if err := ctx.Err(); err != nil {
			return pcm, err
		}
		n, err := s.read(block)
		if n > 0 && s.frames > 0 {
			n = int(min(int64(n), s.frames-frames))
		}
		if frames+int64(n) > most {
			return pcm, tooLong(frames+int64(n), most, out.Rate)
		}
		frames += int64(n)
		got := &audio.PCM{Format: s.format, Samples: block[:n*s.format.Channels]}
		if mix {
			got = audio.Remix(got, 1)
		}
		pcm.Samples = append(pcm.Samples, got.Samples...)
		switch {
		case errors.Is(err, io.EOF):
			return pcm, finish(s, frames)
		case errors.Is(err, io.ErrUnexpectedEOF):
			return pcm, &Error{Code: Truncated, Err: err}
		case err != nil:
			var e *Error
			if errors.As(err, &e) {
				return pcm, err
			}
			return pcm, &Error{Code: Corrupt, Err: err}
		case n > 0:
			stalls = 0
		default:
			if stalls++; stalls > maxStalls {
				return pcm, &Error{Code: Corrupt, Err: errors.New("decoder yields nothing")}
			}
		}
	}
	return pcm, finish(s, frames)
}

// finish judges a stream that ended after frames.
func finish(s stream, frames int64) error {
	switch {
	case frames < s.frames:
		return &Error{Code: Truncated, Err: fmt.Errorf("%d of %d frames", frames, s.frames)}
	case frames == 0:
		return &Error{Code: Empty}
	case s.check != nil:
		return s.check()
	}
	return nil
}

func tooLong(frames, most int64, rate int) error {
	return &Error{
		Code:        TooLong,
		Duration:    audio.Frames(frames).Duration(rate),
		MaxDuration: audio.Frames(most).Duration(rate),
	}
}
