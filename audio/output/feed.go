package output

import (
	"errors"
	"io"

	"gatecast/audio"
)

// feed turns a source into the frames that a device takes: at its rate, in its
// channels and encoding, followed by silence. It keeps the two counts of
// frames apart that a play is reported in. It is used by one goroutine.
type feed struct {
	src      audio.Source // at the device's rate
	rate     int          // of the device
	channels int          // of the device
	enc      encoding

	origin audio.Format // of the source as it was given
	frames audio.Frames // of the source as it was given
	clip   audio.Frames // of the device: the whole clip
	given  audio.Frames // of the device: clip frames handed out

	ready         []byte       // encoded ahead of given
	made          audio.Frames // clip frames encoded
	samples, wide []float32
}

// newFeed returns a feed of src. A source at another rate than the device's, or
// with more channels, is converted as it is read.
func newFeed(src audio.Source, rate, channels int, enc encoding) (*feed, error) {
	f := &feed{
		src: src, rate: rate, channels: channels, enc: enc,
		origin: src.Format(), frames: src.Frames(), clip: src.Frames(),
	}
	if f.origin.Rate == rate && f.origin.Channels <= channels {
		return f, nil
	}
	c, err := audio.Convert(src, audio.Format{Rate: rate, Channels: min(channels, f.origin.Channels)})
	if err != nil {
		return nil, &Fault{Code: Unsupported, Err: err}
	}
	f.src, f.clip = c, c.Frames()
	return f, nil
}

// frameBytes returns the size of one frame of the device.
func (f *feed) frameBytes() int { return f.channels * f.enc.size() }

// prefetch encodes up to n frames ahead, so that next need not compute them
// when they are due.
func (f *feed) prefetch(n int) (err error) {
	if more := audio.Frames(n) - (f.made - f.given); more > 0 {
		f.ready, err = f.encode(f.ready, int(more))
	}
	return err
}

// next appends up to n frames of the clip to dst, fewer only at its end.
func (f *feed) next(dst []byte, n int) ([]byte, error) {
	n = int(min(audio.Frames(n), f.clip-f.given))
	if k := min(n*f.frameBytes(), len(f.ready)); k > 0 {
		dst = append(dst, f.ready[:k]...)
		f.ready = f.ready[k:]
		f.given += audio.Frames(k / f.frameBytes())
		n -= k / f.frameBytes()
	}
	if n == 0 {
		return dst, nil
	}
	dst, err := f.encode(dst, n)
	f.given = f.made
	return dst, err
}

// encode appends the next n frames of the clip to dst, fewer only at its end.
func (f *feed) encode(dst []byte, n int) ([]byte, error) {
	n = int(min(audio.Frames(n), f.clip-f.made))
	from := f.src.Format().Channels
	if need := n * from; cap(f.samples) < need {
		f.samples = make([]float32, need)
	}
	got, err := fill(f.src, f.samples[:n*from])
	if err != nil && !errors.Is(err, io.EOF) || got < n*from {
		return dst, &Fault{Code: BadSource, Err: early(f.made+audio.Frames(got/from), f.clip, err)}
	}
	f.wide = spread(f.wide[:0], f.samples[:got], from, f.channels)
	f.made += audio.Frames(n)
	return f.enc.put(dst, f.wide), nil
}

// done reports whether the clip is handed out.
func (f *feed) done() bool { return f.given >= f.clip }

// silence appends n silent frames to dst.
func (f *feed) silence(dst []byte, n int) []byte {
	return append(dst, make([]byte, n*f.frameBytes())...)
}

// inSource converts frames of the device to frames of the source as it was
// given; the whole clip is exactly all of them.
func (f *feed) inSource(device audio.Frames) audio.Frames {
	switch {
	case device >= f.clip:
		return f.frames
	case device <= 0:
		return 0
	}
	return min(f.frames, device*audio.Frames(f.origin.Rate)/audio.Frames(f.rate))
}
