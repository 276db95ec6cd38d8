package decode

import (
	"io"

	"github.com/gopxl/beep/v2/mp3"

	"gatecast/audio"
)

// openMP3 scans the file, then hands exactly its frames to the decoder.
func openMP3(data []byte) (stream, error) {
	scan, err := scanMP3(data)
	if err != nil {
		return stream{}, err
	}
	s := stream{format: audio.Format{Rate: scan.first.rate, Channels: scan.channels}}
	var skip int64
	skip, s.frames = scan.span()
	var feed frameFeed = &plainFeed{data: data, frames: scan.frames}
	if scan.first.low() {
		if feed, err = newRepacker(data, scan); err != nil {
			return s, err
		}
	}
	d, format, err := mp3.Decode(&frameReader{feed: feed})
	if err != nil {
		return s, corrupt("%w", err)
	}
	if want := scan.first.rate; int(format.SampleRate) != want && scan.first.version != 25 {
		return s, corrupt("decoder finds %d Hz, the header says %d Hz", format.SampleRate, want)
	}
	read := fromBeep(d, scan.channels)
	s.read = func(dst []float32) (int, error) {
		for skip > 0 {
			n, err := read(dst[:min(skip, int64(len(dst)/scan.channels))*int64(scan.channels)])
			skip -= int64(n)
			if err != nil || n == 0 {
				return 0, err
			}
		}
		return read(dst)
	}
	return s, nil
}

// frameFeed yields the bytes of one frame after the other, nil after the last.
// The slice is valid until the next call.
type frameFeed interface {
	next() []byte
}

// plainFeed yields the frames as they lie in the file.
type plainFeed struct {
	data   []byte
	frames []mp3Frame
}

func (f *plainFeed) next() []byte {
	if len(f.frames) == 0 {
		return nil
	}
	fr := f.frames[0]
	f.frames = f.frames[1:]
	return f.data[fr.at : fr.at+fr.size]
}

// frameReader joins the frames of a feed. It is no seeker: the decoder would
// scan the file ahead.
type frameReader struct {
	feed frameFeed
	rest []byte
}

func (r *frameReader) Read(p []byte) (int, error) {
	if len(r.rest) == 0 {
		if r.rest = r.feed.next(); r.rest == nil {
			return 0, io.EOF
		}
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// Close implements io.Closer.
func (r *frameReader) Close() error { return nil }
