package decode

import (
	"bytes"
	"crypto/md5"
	"encoding/binary"
	"errors"
	"hash"
	"io"

	beepflac "github.com/gopxl/beep/v2/flac"
	"github.com/mewkiz/flac"
	"github.com/mewkiz/flac/frame"

	"gatecast/audio"
)

// openFLAC reads the STREAMINFO block (RFC 9639 §8.2) itself: it holds the
// length and the MD5 of the samples, against which the decoder is checked.
func openFLAC(data []byte) (stream, error) {
	data = data[id3Length(data):]
	const start, length = 8, 34 // magic and block header before it
	if len(data) < start+length {
		return stream{}, truncated("%d bytes", len(data))
	}
	if data[4]&0x7F != 0 || data[5] != 0 || data[6] != 0 || data[7] != length {
		return stream{}, corrupt("first block is not STREAMINFO")
	}
	info := data[start : start+length]
	packed := binary.BigEndian.Uint64(info[10:])
	s := stream{
		format: audio.Format{Rate: int(packed >> 44), Channels: int(packed>>41&7) + 1},
		bits:   int(packed>>36&31) + 1,
		frames: int64(packed & (1<<36 - 1)),
	}
	if s.frames == 0 {
		s.frames = -1 // RFC 9639: unknown
	}
	if s.bits < 4 {
		return s, corrupt("%d bits", s.bits)
	}
	var err error
	if s.format.Channels <= 2 {
		s.read, err = flacByBeep(data, s)
	} else {
		s.read, err = flacByFrames(data, s)
	}
	if err != nil {
		return s, flacError(err)
	}
	if sum := [md5.Size]byte(info[18:]); sum != [md5.Size]byte{} {
		s.read, s.check = withMD5(s, sum)
	}
	return s, nil
}

func flacError(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return &Error{Code: Truncated, Err: err}
	}
	return &Error{Code: Corrupt, Err: err}
}

func flacByBeep(data []byte, s stream) (func([]float32) (int, error), error) {
	d, _, err := beepflac.Decode(unseekable{bytes.NewReader(data)})
	if err != nil {
		return nil, err
	}
	return fromBeep(d, s.format.Channels), nil
}

// flacByFrames reads a file with more channels than beep keeps.
func flacByFrames(data []byte, s stream) (func([]float32) (int, error), error) {
	d, err := flac.New(unseekable{bytes.NewReader(data)})
	if err != nil {
		return nil, err
	}
	var f *frame.Frame
	pos := 0
	scale := 1 / float32(int64(1)<<(s.bits-1))
	ch := s.format.Channels
	return func(dst []float32) (int, error) {
		for f == nil || pos == int(f.BlockSize) {
			var err error
			if f, err = d.ParseNext(); err != nil {
				return 0, err
			}
			pos = 0
		}
		n := min(len(dst)/ch, int(f.BlockSize)-pos)
		for c := range ch {
			for i, v := range f.Subframes[c].Samples[pos : pos+n] {
				dst[i*ch+c] = float32(v) * scale
			}
		}
		pos += n
		return n, nil
	}, nil
}

// withMD5 returns s.read with every sample also hashed, and a check of the
// result against the sum in the header. float32 holds samples of up to 24 bits
// exactly; more are not checked.
func withMD5(s stream, want [md5.Size]byte) (func([]float32) (int, error), func() error) {
	if s.bits > 24 {
		return s.read, nil
	}
	h := md5.New()
	buf := make([]byte, 0, blockFrames*s.format.Channels*3)
	read := s.read
	left := s.frames
	return func(dst []float32) (int, error) {
			n, err := read(dst)
			if left >= 0 {
				n = int(min(int64(n), left))
				left -= int64(n)
			}
			buf = hashSamples(h, buf[:0], dst[:n*s.format.Channels], s.bits)
			return n, err
		}, func() error {
			if got := h.Sum(nil); !bytes.Equal(got, want[:]) {
				return corrupt("MD5 of the samples is %x, the header says %x", got, want)
			}
			return nil
		}
}

// hashSamples adds samples to h as FLAC does: signed, little-endian, in whole
// bytes. It returns buf for reuse.
func hashSamples(h hash.Hash, buf []byte, samples []float32, bits int) []byte {
	scale := float32(int64(1) << (bits - 1))
	for _, v := range samples {
		x := int32(v * scale)
		for b := 0; b < bits; b += 8 {
			buf = append(buf, byte(x>>b))
		}
	}
	h.Write(buf)
	return buf
}
