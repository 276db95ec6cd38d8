package audio

import (
	"errors"
	"fmt"
	"io"
)

// convertBlock is how many frames Converted computes at a time.
const convertBlock = 512

// Converted is the Source that Convert returns. It is used by one goroutine at
// a time.
type Converted struct {
	src   Source
	want  Format
	conv  *polyphase // nil at the source's own rate
	fold  *matrix    // before the conversion, to fewer channels; may be nil
	fan   *matrix    // after it, to more channels; may be nil
	inner int        // channels in between

	window []float32 // of the source, folded
	base   int64     // the window's first frame; a multiple of conv.in
	ended  bool      // the window reaches the source's end
	pos    Frames    // frames handed out
	total  Frames

	raw, mixed []float32 // work space
}

var _ Source = (*Converted)(nil)

// Convert returns src in the wanted format, resampled and remixed as it is
// read: nothing is computed ahead, and no more than a few thousand frames are
// held. It has exactly ceil(frames × rate ÷ src's rate) frames, the same as
// Resample of the whole. A source that ends before its promised frames yields
// io.ErrUnexpectedEOF.
func Convert(src Source, want Format) (*Converted, error) {
	from := src.Format()
	if err := errors.Join(from.Validate(), want.Validate()); err != nil {
		return nil, fmt.Errorf("converting: %w", err)
	}
	c := &Converted{
		src: src, want: want, conv: newPolyphase(from.Rate, want.Rate),
		inner: min(from.Channels, want.Channels), total: src.Frames(),
	}
	if from.Channels > c.inner {
		m := mixing(from.Channels, c.inner)
		c.fold = &m
	}
	if want.Channels > c.inner {
		m := mixing(c.inner, want.Channels)
		c.fan = &m
	}
	if c.conv != nil {
		c.total = c.conv.frames(c.total)
	}
	return c, nil
}

// Format implements Source.
func (c *Converted) Format() Format { return c.want }

// Frames implements Source.
func (c *Converted) Frames() Frames { return c.total }

// Read implements Source. A dst shorter than one frame yields io.ErrShortBuffer.
func (c *Converted) Read(dst []float32) (int, error) {
	if c.pos >= c.total {
		return 0, io.EOF
	}
	n := min(len(dst)/c.want.Channels, convertBlock, int(c.total-c.pos))
	if n == 0 {
		return 0, io.ErrShortBuffer
	}
	in, out, half := int64(1), int64(1), int64(0)
	if c.conv != nil {
		in, out, half = c.conv.in, c.conv.out, int64(c.conv.taps/2)
	}
	last := (int64(c.pos)+int64(n)-1)*in/out + half + 1
	if err := c.reach(last); err != nil {
		return 0, err
	}
	c.raw = grown(c.raw, n*c.inner)
	held := PCM{Format: Format{Rate: c.src.Format().Rate, Channels: c.inner}, Samples: c.window}
	if c.conv != nil {
		c.conv.fill(c.raw, &held, c.pos-Frames(c.base/in*out))
	} else {
		copy(c.raw, c.window[int(int64(c.pos)-c.base)*c.inner:])
	}
	if c.fan != nil {
		c.fan.apply(dst[:n*c.want.Channels], c.raw)
	} else {
		copy(dst, c.raw)
	}
	c.pos += Frames(n)
	c.forget(max(0, int64(c.pos)*in/out-half) / in * in)
	return n * c.want.Channels, nil
}

// reach reads the source until the window holds frame last, or its end.
func (c *Converted) reach(last int64) error {
	channels := c.src.Format().Channels
	for !c.ended && c.base+int64(len(c.window)/c.inner) <= last {
		c.mixed = grown(c.mixed, convertBlock*channels)
		n, err := c.src.Read(c.mixed)
		if block := c.mixed[:n]; c.fold == nil {
			c.window = append(c.window, block...)
		} else {
			at := len(c.window)
			c.window = append(c.window, make([]float32, n/channels*c.inner)...)
			c.fold.apply(c.window[at:], block)
		}
		switch have := Frames(c.base) + Frames(len(c.window)/c.inner); {
		case errors.Is(err, io.EOF) && have < c.src.Frames():
			return io.ErrUnexpectedEOF
		case errors.Is(err, io.EOF), err == nil && have >= c.src.Frames():
			c.ended = true
		case err != nil:
			return err
		case n == 0:
			return io.ErrNoProgress
		}
	}
	return nil
}

// forget drops the window's frames before the given one.
func (c *Converted) forget(before int64) {
	if drop := int(before-c.base) * c.inner; drop >= 4*convertBlock*c.inner {
		c.window = append(c.window[:0], c.window[drop:]...)
		c.base = before
	}
}

// grown returns b with length n, in a new array only when it is too short.
func grown(b []float32, n int) []float32 {
	if cap(b) < n {
		return make([]float32, n)
	}
	return b[:n]
}
