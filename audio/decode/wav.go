package decode

import (
	"encoding/binary"
	"errors"
	"io"
	"math"

	"gatecast/audio"
)

// The sample codings of a WAV file that are read.
const (
	wavPCM        = 0x0001
	wavFloat      = 0x0003
	wavALaw       = 0x0006
	wavMuLaw      = 0x0007
	wavExtensible = 0xFFFE
)

// endless is the least data length that means "until the end of the file".
// Programs that write to a pipe cannot go back and put the true one: ffmpeg
// leaves 0xFFFFFFFF, sox 0x7FFFF000 and arecord near 0x80000000. No file inside
// the limits is that long.
const endless = 0x7FFFF000

// maxChunks bounds the walk through a WAV file; real ones have fewer than 20.
const maxChunks = 1000

// wavFormat is a fmt chunk.
type wavFormat struct {
	coding   uint16
	channels int
	rate     int
	block    int // bytes a frame
	size     int // bytes a sample
}

func parseWAVFormat(c []byte) (wavFormat, error) {
	if len(c) < 16 {
		return wavFormat{}, corrupt("fmt chunk of %d bytes", len(c))
	}
	le := binary.LittleEndian
	f := wavFormat{
		coding:   le.Uint16(c),
		channels: int(le.Uint16(c[2:])),
		rate:     int(le.Uint32(c[4:])),
		block:    int(le.Uint16(c[12:])),
	}
	bits := int(le.Uint16(c[14:]))
	if f.coding == wavExtensible {
		if len(c) < 26 {
			return f, corrupt("extensible fmt chunk of %d bytes", len(c))
		}
		f.coding = le.Uint16(c[24:]) // the rest of the GUID is the same for all
	}
	if f.channels < 1 || f.channels > audio.MaxChannels {
		return f, unsupported("%d channels", f.channels)
	}
	if f.block == 0 || f.block%f.channels != 0 {
		return f, corrupt("%d channels in frames of %d bytes", f.channels, f.block)
	}
	f.size = f.block / f.channels
	ok := false
	switch f.coding {
	case wavPCM:
		ok = f.size >= 1 && f.size <= 4
	case wavFloat:
		ok = f.size == 4 || f.size == 8
	case wavALaw, wavMuLaw:
		ok = f.size == 1
	default:
		return f, unsupported("wav coding %#04x", f.coding)
	}
	if !ok || bits > f.size*8 {
		return f, unsupported("wav coding %#04x with %d bits in %d bytes", f.coding, bits, f.size)
	}
	return f, nil
}

// openWAV finds the format and the data of a RIFF or RF64 file.
func openWAV(data []byte) (stream, error) {
	le := binary.LittleEndian
	var f wavFormat
	var long uint64 // data length of an RF64 file
	at := 12
	for range maxChunks {
		if len(data)-at < 8 {
			return stream{}, truncated("no data chunk")
		}
		id, size := string(data[at:at+4]), uint64(le.Uint32(data[at+4:]))
		at += 8
		rest := uint64(len(data) - at)
		if id == "data" {
			if f.block == 0 {
				return stream{}, corrupt("data before fmt chunk")
			}
			return wavStream(f, data[at:], size, long, le.Uint32(data[4:]))
		}
		if size > rest {
			return stream{}, truncated("%q chunk of %d bytes, %d left", id, size, rest)
		}
		chunk := data[at : at+int(size)]
		switch id {
		case "fmt ":
			var err error
			if f, err = parseWAVFormat(chunk); err != nil {
				return stream{}, err
			}
		case "ds64":
			if len(chunk) >= 16 {
				long = le.Uint64(chunk[8:])
			}
		}
		at += int(min(size+size%2, rest))
	}
	return stream{}, corrupt("over %d chunks", maxChunks)
}

// wavStream returns the stream of the data chunk that begins body and claims
// size bytes. riff is the length the whole file claims.
func wavStream(f wavFormat, body []byte, size, long uint64, riff uint32) (stream, error) {
	rest := uint64(len(body))
	switch {
	case size == math.MaxUint32 && long > 0:
		size = long
	case size >= endless:
		size = rest
	case size == 0 && riff <= 36:
		size = rest // a recorder that lost power before it wrote the lengths
	}
	if size > rest {
		return stream{}, truncated("%d of %d bytes of data", rest, size)
	}
	body = body[:size-size%uint64(f.block)]
	convert := f.converter()
	s := stream{
		format: audio.Format{Rate: f.rate, Channels: f.channels},
		bits:   f.size * 8,
		float:  f.coding == wavFloat,
		frames: int64(len(body) / f.block),
	}
	s.read = func(dst []float32) (int, error) {
		n := min(len(dst)/f.channels, len(body)/f.block)
		if n == 0 {
			return 0, io.EOF
		}
		for i := range n * f.channels {
			dst[i] = convert(body[i*f.size:])
		}
		body = body[n*f.block:]
		if f.coding == wavFloat {
			for _, v := range dst[:n*f.channels] {
				if v != v || v > maxFloat || v < -maxFloat {
					return 0, errors.New("sample out of all measure")
				}
			}
		}
		return n, nil
	}
	return s, nil
}

// maxFloat is the greatest sample believed: 40 dB over full scale.
const maxFloat = 100

// converter returns the function that reads one sample.
func (f wavFormat) converter() func([]byte) float32 {
	le := binary.LittleEndian
	switch {
	case f.coding == wavALaw:
		return func(b []byte) float32 { return float32(aLaw(b[0])) / (1 << 15) }
	case f.coding == wavMuLaw:
		return func(b []byte) float32 { return float32(muLaw(b[0])) / (1 << 15) }
	case f.coding == wavFloat && f.size == 8:
		return func(b []byte) float32 { return float32(math.Float64frombits(le.Uint64(b))) }
	case f.coding == wavFloat:
		return func(b []byte) float32 { return math.Float32frombits(le.Uint32(b)) }
	case f.size == 1: // the only unsigned one
		return func(b []byte) float32 { return (float32(b[0]) - 128) / (1 << 7) }
	case f.size == 2:
		return func(b []byte) float32 { return float32(int16(le.Uint16(b))) / (1 << 15) }
	case f.size == 3:
		return func(b []byte) float32 {
			return float32(int32(b[0])<<8|int32(b[1])<<16|int32(b[2])<<24) / (1 << 31)
		}
	}
	return func(b []byte) float32 { return float32(int32(le.Uint32(b))) / (1 << 31) }
}

// muLaw expands a sample of ITU-T G.711 µ-law to 16 bits.
func muLaw(b byte) int {
	b = ^b
	v := (int(b&0x0F)<<3+0x84)<<(b>>4&7) - 0x84
	if b&0x80 != 0 {
		return -v
	}
	return v
}

// aLaw expands a sample of ITU-T G.711 A-law to 16 bits.
func aLaw(b byte) int {
	b ^= 0x55
	v := int(b&0x0F)<<4 + 8
	if e := b >> 4 & 7; e > 0 {
		v = (v + 0x100) << (e - 1)
	}
	if b&0x80 == 0 {
		return -v
	}
	return v
}
