package decode

import (
	"bytes"
	"io"

	"github.com/gopxl/beep/v2"
)

// unseekable hides every method of a bytes.Reader but Read: given a seeker,
// the libraries scan or parse ahead on their own, outside the checks made here.
type unseekable struct{ r *bytes.Reader }

func (u unseekable) Read(p []byte) (int, error) { return u.r.Read(p) }

// Close lets an unseekable be an io.ReadCloser.
func (u unseekable) Close() error { return nil }

// fromBeep returns a read function over a beep stream, which always has two
// channels; of a mono file both are the same.
func fromBeep(s beep.Streamer, channels int) func([]float32) (int, error) {
	var buf [512][2]float64
	return func(dst []float32) (int, error) {
		n, ok := s.Stream(buf[:min(len(buf), len(dst)/channels)])
		for i, frame := range buf[:n] {
			for c := range channels {
				dst[i*channels+c] = float32(frame[c])
			}
		}
		switch {
		case n > 0 || ok:
			return n, nil
		case s.Err() != nil:
			return 0, s.Err()
		}
		return 0, io.EOF
	}
}
