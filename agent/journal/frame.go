package journal

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"

	"gatecast/internal/wire"
)

// A frame holds one record. All integers are little-endian; a frame starts at
// a multiple of 8 bytes.
//
//	 0  8  magic
//	 8  4  length of the payload, in bytes
//	12  4  CRC32C of payload and padding
//	16  8  log id
//	24  8  sequence number
//	32  8  every record up to here was acked when this one was written
//	40  4  zero
//	44  4  CRC32C of bytes 0–43
//	48     payload, padded with spaces to a multiple of 8
//	       8 bytes of end mark
//
// The end mark tells a frame that was being written when the power went (it
// has none) from one that was damaged later. Magic, end mark and JSON contain
// no zero bytes, so a piece of a frame that reads as zeros was never written.
const (
	headSize = 48
	markSize = 8
	align    = 8
	// maxPayload bounds a record, so that one always fits into a message.
	maxPayload = wire.MaxBatchBytes
	maxFrame   = headSize + maxPayload + align + markSize
	minFrame   = headSize + align + markSize
	// maxFrameWork is what a record adds to its body, in bytes: names, digits
	// and the hash.
	maxFrameWork = 400
)

var (
	frameMagic = [8]byte{'g', 'c', 'R', 'E', 'C', '1', 0xF5, 0x5F}
	endMark    = [8]byte{0xA5, 0x5A, 0xA5, 0x5A, 0xC3, 0x3C, 0xC3, 0x3C}
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
)

// frame is one parsed frame.
type frame struct {
	seq     wire.Seq
	acked   wire.Seq
	payload []byte // aliases the input
	size    int    // of the whole frame, in bytes
	unended bool   // whole and verified, but for its end mark
}

// Reasons why there is no frame where one was looked for.
var (
	errEnd     = errors.New("end of records") // nothing was ever written here
	errTorn    = errors.New("torn frame")     // a write that never finished
	errDamaged = errors.New("damaged frame")  // written whole, changed later
)

func padded(n int) int { return (n + align - 1) / align * align }

func frameSize(payload int) int { return headSize + padded(payload) + markSize }

// appendFrame appends the frame of payload to dst.
func appendFrame(dst []byte, log [8]byte, seq, acked wire.Seq, payload []byte) []byte {
	start := len(dst)
	dst = append(dst, frameMagic[:]...)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(payload)))
	dst = append(dst, 0, 0, 0, 0)
	dst = append(dst, log[:]...)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(seq))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(acked))
	dst = append(dst, 0, 0, 0, 0, 0, 0, 0, 0)
	dst = append(dst, payload...)
	for range padded(len(payload)) - len(payload) {
		dst = append(dst, ' ')
	}
	head := dst[start : start+headSize]
	binary.LittleEndian.PutUint32(head[12:], crc32.Checksum(dst[start+headSize:], castagnoli))
	binary.LittleEndian.PutUint32(head[44:], crc32.Checksum(head[:44], castagnoli))
	return append(dst, endMark[:]...)
}

// parseFrame reads the frame at data[off:], which reaches to the end of the
// segment. log and seq are what must stand in it. errTorn and errEnd are
// claims about the end of the data and hold only in the last segment of a log.
func parseFrame(data []byte, off int, log [8]byte, seq wire.Seq) (frame, error) {
	rest := data[off:]
	if isZero(rest) {
		return frame{}, errEnd
	}
	f, n, ok := parseHead(rest)
	if !ok {
		return frame{}, tornOrDamaged(data, off, maxFrame, false, log, seq)
	}
	if [8]byte(rest[16:24]) != log || f.seq != seq {
		return frame{}, errDamaged
	}
	body := headSize + padded(n)
	if len(rest) < body || crc32.Checksum(rest[headSize:body], castagnoli) != binary.LittleEndian.Uint32(rest[12:]) {
		return frame{}, tornOrDamaged(data, off, f.size, true, log, seq)
	}
	f.payload = rest[headSize : headSize+n : headSize+n]
	f.unended = len(rest) < f.size || [8]byte(rest[body:f.size]) != endMark
	return f, nil
}

// parseHead reads the head that rest begins with, when it is intact, and the
// payload's length.
func parseHead(rest []byte) (f frame, payload int, ok bool) {
	if len(rest) < headSize || [8]byte(rest[:8]) != frameMagic ||
		crc32.Checksum(rest[:44], castagnoli) != binary.LittleEndian.Uint32(rest[44:]) {
		return frame{}, 0, false
	}
	n := binary.LittleEndian.Uint32(rest[8:])
	if n == 0 || n > maxPayload {
		return frame{}, 0, false
	}
	return frame{
		seq:   wire.Seq(binary.LittleEndian.Uint64(rest[24:])),
		acked: wire.Seq(binary.LittleEndian.Uint64(rest[32:])),
		size:  frameSize(int(n)),
	}, int(n), true
}

// sector is the smallest piece that storage writes at once.
const sector = 512

// tornOrDamaged judges the bytes at data[off:], which are no frame; size
// bounds the one that was to be there and head tells whether its head is
// intact. At most one frame is ever unsynced, and it is the last: it was torn
// if nothing stands behind it and a piece of it is missing, which is its end
// or a whole sector.
func tornOrDamaged(data []byte, off, size int, head bool, log [8]byte, seq wire.Seq) error {
	end := len(bytes.TrimRight(data, "\x00"))
	if end > off+size {
		return errDamaged
	}
	if _, _, ok := findFrame(data, off, log, seq); ok {
		return errDamaged
	}
	if !head && end < off+headSize || head && end <= off+size-markSize {
		return errTorn
	}
	for from := off; from < end; {
		to := min((from/sector+1)*sector, end)
		if isZero(data[from:to]) {
			return errTorn
		}
		from = to
	}
	return errDamaged
}

// findFrame returns the first whole frame of log at or behind off with a
// number above seq. Checksums of head and body, and the log's id, leave nothing to
// chance.
func findFrame(data []byte, off int, log [8]byte, seq wire.Seq) (at int, f frame, ok bool) {
	for at = padded(off); at+headSize <= len(data); at += align {
		if data[at] != frameMagic[0] {
			continue
		}
		h, _, ok := parseHead(data[at:])
		// A number further on than whole frames would fit in between is none.
		if !ok || h.seq <= seq || uint64(h.seq-seq) > 1+uint64(at-off)/minFrame || [8]byte(data[at+16:at+24]) != log {
			continue
		}
		if f, err := parseFrame(data[:min(len(data), at+h.size)], at, log, h.seq); err == nil {
			return at, f, true
		}
	}
	return 0, frame{}, false
}

func isZero(b []byte) bool { return len(bytes.TrimRight(b, "\x00")) == 0 }

// parseLogID is the inverse of wire.LogID's hex.
func parseLogID(id wire.LogID) ([8]byte, error) {
	b, err := hex.DecodeString(string(id))
	if err != nil || len(b) != 8 {
		return [8]byte{}, fmt.Errorf("log id %q: want 16 hex digits", id)
	}
	return [8]byte(b), nil
}
