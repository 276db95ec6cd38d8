package output

import (
	"errors"
	"fmt"
	"io"

	"gatecast/audio"
)

var errEmpty = errors.New("source has no frames")

func errRate(rate int) error { return fmt.Errorf("rate %d Hz is outside 8,000–192,000", rate) }

func errChannels(n int) error { return fmt.Errorf("%d channels are outside 1–8", n) }

// fill reads from src until dst is full or src ends, and returns the samples
// read. At the end err is io.EOF, possibly with n > 0. A source that yields
// nothing without an error is reported, not waited for.
func fill(src audio.Source, dst []float32) (n int, err error) {
	for idle := 0; n < len(dst); {
		m, err := src.Read(dst[n:])
		n += m
		if err != nil {
			return n, err
		}
		if m > 0 {
			idle = 0
			continue
		}
		if idle++; idle > 3 {
			return n, io.ErrNoProgress
		}
	}
	return n, nil
}

// early explains a source that ended after got of want frames.
func early(got, want audio.Frames, cause error) error {
	if cause != nil && !errors.Is(cause, io.EOF) {
		return fmt.Errorf("reading frame %d of %d: %w", got, want, cause)
	}
	return fmt.Errorf("source ended at frame %d of %d", got, want)
}
