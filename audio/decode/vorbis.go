package decode

import (
	"bytes"
	"encoding/binary"
	"io"

	beepvorbis "github.com/gopxl/beep/v2/vorbis"
	"github.com/jfreymuth/oggvorbis"

	"gatecast/audio"
)

// vorbisOrder says, per channel count over two, at which place of a Vorbis frame
// (Vorbis I §4.3.9) each channel of a WAV frame stands.
var vorbisOrder = [audio.MaxChannels + 1][]int{
	3: {0, 2, 1},
	4: {0, 1, 2, 3},
	5: {0, 2, 1, 3, 4},
	6: {0, 2, 1, 5, 3, 4},
	7: {0, 2, 1, 6, 5, 3, 4},
	8: {0, 2, 1, 7, 5, 6, 3, 4},
}

// openVorbis checks every page and the headers, then opens the decoder. The
// checks are what keeps the library from panicking on a cut file and from
// allocating or looping on a forged header.
func openVorbis(data []byte) (stream, error) {
	data = data[id3Length(data):]
	scan, err := scanOgg(data)
	if err != nil {
		return stream{}, err
	}
	s := stream{frames: scan.granule}
	if s.format, err = checkVorbis(scan.packets); err != nil {
		return s, err
	}
	data = data[:scan.end]
	var start int64
	if s.format.Channels <= 2 {
		d, _, err := beepvorbis.Decode(unseekable{bytes.NewReader(data)})
		if err != nil {
			return s, corrupt("%w", err)
		}
		start = int64(d.Position())
		s.read = fromBeep(d, s.format.Channels)
	} else {
		d, err := oggvorbis.NewReader(unseekable{bytes.NewReader(data)})
		if err != nil {
			return s, corrupt("%w", err)
		}
		start = d.Position()
		s.read = reordered(d, vorbisOrder[s.format.Channels])
	}
	// A piece cut from a longer recording begins at its old position.
	if start > 0 {
		s.frames -= start
	}
	if s.frames < 0 {
		return s, corrupt("last position %d before first %d", scan.granule, start)
	}
	return s, nil
}

func reordered(d *oggvorbis.Reader, order []int) func([]float32) (int, error) {
	ch := len(order)
	frame := make([]float32, ch)
	return func(dst []float32) (int, error) {
		n, err := d.Read(dst)
		for f := 0; f < n; f += ch {
			copy(frame, dst[f:f+ch])
			for c, from := range order {
				dst[f+c] = frame[from]
			}
		}
		if n > 0 && err == io.EOF {
			err = nil
		}
		return n / ch, err
	}
}

// checkVorbis checks the three header packets (Vorbis I §4.2) as far as the
// library trusts them, and returns the format.
func checkVorbis(packets [][]byte) (audio.Format, error) {
	for i, name := range []string{"\x01vorbis", "\x03vorbis", "\x05vorbis"} {
		if !bytes.HasPrefix(packets[i], []byte(name)) {
			return audio.Format{}, corrupt("header %d missing", i+1)
		}
	}
	id := packets[0][7:]
	if len(id) < 23 || binary.LittleEndian.Uint32(id) != 0 {
		return audio.Format{}, corrupt("identification header")
	}
	f := audio.Format{Channels: int(id[4]), Rate: int(binary.LittleEndian.Uint32(id[5:]))}
	if err := f.Validate(); err != nil {
		return f, &Error{Code: Unsupported, Err: err}
	}
	if short, long := id[21]&15, id[21]>>4; short < 6 || long > 13 || short > long {
		return f, corrupt("block sizes 2^%d and 2^%d", short, long)
	}
	if !saneComments(packets[1][7:]) {
		return f, corrupt("comment header")
	}
	if err := checkSetup(packets[2][7:]); err != nil {
		return f, err
	}
	return f, nil
}

// saneComments reports whether every length in the comment header lies inside
// it.
func saneComments(b []byte) bool {
	le := binary.LittleEndian
	take := func() bool {
		if len(b) < 4 || uint64(le.Uint32(b)) > uint64(len(b)-4) {
			return false
		}
		b = b[4+le.Uint32(b):]
		return true
	}
	if !take() || len(b) < 4 {
		return false
	}
	count := le.Uint32(b)
	b = b[4:]
	if uint64(count)*4 > uint64(len(b)) {
		return false
	}
	for range count {
		if !take() {
			return false
		}
	}
	return true
}
