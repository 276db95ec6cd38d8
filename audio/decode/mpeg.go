package decode

import (
	"bytes"
	"encoding/binary"
)

// mpegHeader is the 4-byte header of an MPEG audio frame (ISO/IEC 11172-3
// §2.4.2.3 and 13818-3; MPEG 2.5 by common practice).
type mpegHeader struct {
	version   int // 1, 2, or 25 for MPEG 2.5
	layer     int
	crc       bool
	kbps      int // 0 is free format
	rate      int
	padding   int
	channels  int
	frameSize int // bytes in all; 0 for free format
}

// low reports whether h has the shorter frames of low sampling rates.
func (h mpegHeader) low() bool { return h.version != 1 }

// samples returns the frames of sound in one MPEG frame.
func (h mpegHeader) samples() int {
	switch {
	case h.layer == 1:
		return 384
	case h.layer == 3 && h.low():
		return 576
	}
	return 1152
}

// sideInfo returns the bytes of side information of a layer III frame.
func (h mpegHeader) sideInfo() int {
	switch {
	case h.low() && h.channels == 1:
		return 9
	case h.low() || h.channels == 1:
		return 17
	}
	return 32
}

// body returns where the side information of a layer III frame begins.
func (h mpegHeader) body() int {
	if h.crc {
		return 6
	}
	return 4
}

func (h mpegHeader) kind() Kind {
	if h.layer == 3 {
		return KindMP3
	}
	if h.layer == 0 {
		return KindAAC
	}
	return KindMPEG
}

// like reports whether g can follow h in one stream. The number of channels
// may change: joint encoders do that.
func (h mpegHeader) like(g mpegHeader) bool {
	return h.version == g.version && h.layer == g.layer && h.rate == g.rate
}

var mpegRates = [3]int{44_100, 48_000, 32_000}

// mpegKbps are the bit rates by table and index: MPEG 1 layers I, II, III, then
// the low rates' layer I and layers II and III.
var mpegKbps = [5][15]int{
	{0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448},
	{0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384},
	{0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320},
	{0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256},
	{0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160},
}

// parseMPEG returns the frame header at the start of b. Layer 0 stands for ADTS
// AAC, which shares the sync word; only its frame size is filled in.
func parseMPEG(b []byte) (mpegHeader, bool) {
	if len(b) < 4 || b[0] != 0xFF || b[1]&0xE0 != 0xE0 {
		return mpegHeader{}, false
	}
	h := mpegHeader{crc: b[1]&1 == 0, layer: 4 - int(b[1]>>1&3), channels: 2}
	if h.layer == 4 {
		return parseADTS(b)
	}
	switch b[1] >> 3 & 3 {
	case 0:
		h.version = 25
	case 2:
		h.version = 2
	case 3:
		h.version = 1
	default:
		return h, false
	}
	index, rate := b[2]>>4, b[2]>>2&3
	if index == 15 || rate == 3 || b[3]&3 == 2 {
		return h, false
	}
	table := h.layer - 1
	if h.low() {
		table = min(h.layer+2, 4)
	}
	h.kbps = mpegKbps[table][index]
	h.rate = mpegRates[rate]
	switch h.version {
	case 2:
		h.rate /= 2
	case 25:
		h.rate /= 4
	}
	h.padding = int(b[2] >> 1 & 1)
	if b[3]>>6 == 3 {
		h.channels = 1
	}
	if h.kbps > 0 {
		if h.layer == 1 {
			h.frameSize = (12*h.kbps*1000/h.rate + h.padding) * 4
		} else {
			h.frameSize = h.samples()/8*h.kbps*1000/h.rate + h.padding
		}
		if h.layer == 3 && h.frameSize < h.body()+h.sideInfo() {
			return h, false
		}
	}
	return h, true
}

func parseADTS(b []byte) (mpegHeader, bool) {
	if len(b) < 7 || b[1]&0xF6 != 0xF0 || b[2]>>2&15 > 12 {
		return mpegHeader{}, false
	}
	size := int(b[3]&3)<<11 | int(b[4])<<3 | int(b[5])>>5
	return mpegHeader{frameSize: size}, size >= 7
}

// follows reports whether the header h at offset at of b is followed by n more
// of its stream, or by the end of b.
func follows(b []byte, at int, h mpegHeader, n int) bool {
	for range n {
		if h.frameSize == 0 { // free format: no length to follow
			return false
		}
		at += h.frameSize
		if at >= len(b) {
			return true
		}
		if tagLength(b[at:]) > 0 {
			return true
		}
		next, ok := parseMPEG(b[at:])
		if !ok {
			return len(b)-at < 4
		}
		if !h.like(next) {
			return false
		}
		h = next
	}
	return true
}

// id3Length returns the length of the ID3v2 tags at the start of b, which may
// exceed b; 0 if there are none.
func id3Length(b []byte) int64 {
	var n int64
	for range 16 {
		rest := b[min(n, int64(len(b))):]
		if len(rest) < 10 || string(rest[:3]) != "ID3" || rest[3] == 0xFF || rest[4] == 0xFF {
			return n
		}
		var size int64
		for _, c := range rest[6:10] {
			if c&0x80 != 0 {
				return n
			}
			size = size<<7 | int64(c)
		}
		n += 10 + size
		if rest[5]&0x10 != 0 { // footer
			n += 10
		}
	}
	return n
}

// tagLength returns the length of the tag at the start of b, of the kinds that
// stand between or behind MP3 frames; 0 if there is none. It may exceed b.
func tagLength(b []byte) int64 {
	switch {
	case bytes.HasPrefix(b, []byte("TAG+")) && len(b) >= 227+128:
		return 227
	case bytes.HasPrefix(b, []byte("TAG")):
		return 128
	case bytes.HasPrefix(b, []byte("APETAGEX")) && len(b) >= 32:
		size := int64(binary.LittleEndian.Uint32(b[12:]))
		if b[23]&0x20 != 0 { // a header, not a footer: its own 32 bytes are not counted
			size += 32
		}
		return max(32, size)
	case bytes.HasPrefix(b, []byte("LYRICSBEGIN")):
		if end := bytes.Index(b, []byte("LYRICS200")); end >= 0 {
			return int64(end + 9)
		}
		if end := bytes.Index(b, []byte("LYRICSEND")); end >= 0 {
			return int64(end + 9)
		}
		return int64(len(b))
	}
	return id3Length(b)
}
