package decode

import (
	"bytes"
	"encoding/binary"
)

// maxJunk is how far a frame is searched for past a tag.
const maxJunk = 64 << 10

// trailingJunk is how many unknown bytes behind the last frame are taken for an
// unknown tag. More is damage.
const trailingJunk = 4 << 10

// mp3Scan is what a walk over all frame headers of an MP3 file found. The
// decoder itself ends early or at the wrong speed on a damaged file without an
// error, so that everything is settled here.
type mp3Scan struct {
	first    mpegHeader // of the first frame
	channels int        // most of any frame
	frames   []mp3Frame // that sound, in order
	promised int        // frames the encoder's header counts, 0 if unknown
	delay    int        // samples the encoder put before and after the sound;
	padding  int        // −1 if unknown
}

// mp3Frame is where a frame lies in the file.
type mp3Frame struct{ at, size int32 }

// scanMP3 walks all frames. Errors are *Error: Truncated, Corrupt, RateChange,
// Unsupported (free format).
func scanMP3(data []byte) (mp3Scan, error) {
	s := mp3Scan{delay: -1, padding: -1}
	at, err := firstMP3Frame(data)
	if err != nil {
		return s, err
	}
	first, _ := parseMPEG(data[at:])
	if first.kbps == 0 {
		return s, unsupported("free format")
	}
	s.first = first
	if at+first.frameSize <= len(data) && s.readEncoderHeader(data[at:at+first.frameSize], first) {
		at += first.frameSize
	}
	for at < len(data) {
		h, ok := parseMPEG(data[at:])
		if ok && h.kbps > 0 && first.like(h) {
			if at+h.frameSize > len(data) {
				if s.complete() {
					break
				}
				return s, truncated("last frame has %d of %d bytes", len(data)-at, h.frameSize)
			}
			s.frames = append(s.frames, mp3Frame{int32(at), int32(h.frameSize)})
			s.channels = max(s.channels, h.channels)
			at += h.frameSize
			continue
		}
		if n := tagLength(data[at:]); n > 0 {
			at = int(min(int64(at)+n, int64(len(data))))
			continue
		}
		if ok && h.layer == 3 && h.kbps > 0 && follows(data, at, h, 3) {
			return s, &Error{Code: RateChange, From: first.rate, To: h.rate}
		}
		if s.isEnd(data[at:]) {
			break
		}
		return s, corrupt("no frame at byte %d of %d", at, len(data))
	}
	if len(s.frames) == 0 {
		return s, &Error{Code: Empty}
	}
	if s.promised > 0 && len(s.frames) < s.promised-1 { // some encoders count their header
		return s, truncated("%d of %d frames", len(s.frames), s.promised)
	}
	return s, nil
}

// firstMP3Frame returns where the first frame begins: behind tags and what
// filling they leave.
func firstMP3Frame(data []byte) (int, error) {
	start := id3Length(data)
	if start >= int64(len(data)) {
		return 0, truncated("tag of %d bytes in %d", start, len(data))
	}
	for at := int(start); at < len(data) && at-int(start) < maxJunk; at++ {
		if h, ok := parseMPEG(data[at:]); ok && h.layer == 3 && (h.kbps == 0 || follows(data, at, h, 2)) {
			return at, nil
		}
	}
	return 0, corrupt("no frame in the first %d bytes", maxJunk)
}

// complete reports whether all promised frames are there.
func (s *mp3Scan) complete() bool { return s.promised > 0 && len(s.frames) >= s.promised }

// isEnd reports whether rest, which is neither frame nor tag, is filling behind
// the last frame.
func (s *mp3Scan) isEnd(rest []byte) bool {
	if len(s.frames) == 0 {
		return false
	}
	return s.complete() || len(bytes.Trim(rest, "\x00")) == 0 || len(rest) <= trailingJunk && !s.resumes(rest)
}

// resumes reports whether the stream goes on within rest.
func (s *mp3Scan) resumes(rest []byte) bool {
	for at := range rest {
		if h, ok := parseMPEG(rest[at:]); ok && s.first.like(h) && h.frameSize > 0 &&
			at+h.frameSize < len(rest) && follows(rest, at, h, 2) {
			return true
		}
	}
	return false
}

// readEncoderHeader reads the silent first frame in which encoders note the
// number of frames (Xing, Info, VBRI) and the samples they added at both ends
// (LAME's extension). It reports whether frame is one.
func (s *mp3Scan) readEncoderHeader(frame []byte, h mpegHeader) bool {
	be := binary.BigEndian
	if b := frame[min(h.body()+32, len(frame)):]; len(b) >= 18 && string(b[:4]) == "VBRI" {
		s.promised = int(be.Uint32(b[14:]))
		return true
	}
	b := frame[h.body()+h.sideInfo():]
	if len(b) < 8 || string(b[:4]) != "Xing" && string(b[:4]) != "Info" {
		return false
	}
	flags := be.Uint32(b[4:])
	b = b[8:]
	skip := func(flag uint32, size int) []byte {
		if flags&flag == 0 || len(b) < size {
			return nil
		}
		field := b[:size]
		b = b[size:]
		return field
	}
	if f := skip(1, 4); f != nil {
		s.promised = int(be.Uint32(f))
	}
	skip(2, 4)
	skip(4, 100)
	skip(8, 4)
	if len(b) >= 24 && knowsDelay(b) {
		s.delay = int(b[21])<<4 | int(b[22])>>4
		s.padding = int(b[22]&15)<<8 | int(b[23])
	}
	return true
}

// knowsDelay reports whether the encoder named at the start of b fills in
// LAME's fields.
func knowsDelay(b []byte) bool {
	for _, name := range []string{"LAME", "Lavf", "Lavc", "GOGO"} {
		if bytes.HasPrefix(b, []byte(name)) {
			return true
		}
	}
	return false
}

// decoderDelay is how many samples every layer III decoder is late.
const decoderDelay = 529

// span returns which of the decoded samples are sound: all of them, without
// what the encoder added if it said how much.
func (s *mp3Scan) span() (skip, frames int64) {
	total := int64(len(s.frames)) * int64(s.first.samples())
	if s.delay < 0 || s.promised != len(s.frames) {
		return 0, total
	}
	skip = int64(s.delay) + decoderDelay
	end := min(total, total-int64(s.padding)+decoderDelay)
	if end <= skip {
		return 0, total
	}
	return skip, end - skip
}
