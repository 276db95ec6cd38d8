package decode

import (
	"bytes"
	"unicode/utf8"
)

// Kind is what a file is, by its content.
type Kind string

// The kinds told apart. Only WAV, MP3, FLAC and Vorbis are decoded; the others
// are known so that they can be refused by name.
const (
	KindWAV      Kind = "wav"
	KindMP3      Kind = "mp3"
	KindFLAC     Kind = "flac"
	KindVorbis   Kind = "ogg vorbis"
	KindM4A      Kind = "m4a" // any ISO base media file: m4a, mp4, mov, 3gp
	KindAAC      Kind = "aac" // bare ADTS frames
	KindAMR      Kind = "amr"
	KindSILK     Kind = "silk" // a WeChat voice message
	KindOpus     Kind = "opus"
	KindOgg      Kind = "ogg" // with something else inside
	KindWMA      Kind = "wma"
	KindAIFF     Kind = "aiff"
	KindCAF      Kind = "caf"
	KindMatroska Kind = "matroska" // mkv, webm
	KindMPEG     Kind = "mpeg"     // layer I or II
	KindText     Kind = "text"
	KindEmpty    Kind = "empty"
	KindUnknown  Kind = "unknown"
)

// Decodable reports whether Decode reads files of kind k.
func (k Kind) Decodable() bool {
	switch k {
	case KindWAV, KindMP3, KindFLAC, KindVorbis:
		return true
	}
	return false
}

// HeadBytes is how much of a file Sniff needs to be sure, unless it begins with
// an ID3 tag that is longer.
const HeadBytes = 64 << 10

// magics are the files known by fixed bytes at an offset.
var magics = []struct {
	at   int
	text string
	kind Kind
}{
	{0, "fLaC", KindFLAC},
	{4, "ftyp", KindM4A},
	{0, "\x02#!SILK_V3", KindSILK},
	{0, "#!SILK_V3", KindSILK},
	{0, "#!AMR", KindAMR},
	{0, "\x30\x26\xB2\x75\x8E\x66\xCF\x11", KindWMA},
	{0, "caff", KindCAF},
	{0, "\x1A\x45\xDF\xA3", KindMatroska},
}

// Sniff returns what a file is by its first bytes; HeadBytes of them are enough.
func Sniff(head []byte) Kind {
	if len(head) == 0 {
		return KindEmpty
	}
	rest := head
	if n := id3Length(head); n > 0 {
		if n >= int64(len(head)) {
			return KindMP3 // cannot see past the tag; nearly always so
		}
		rest = head[n:]
	}
	for _, m := range magics {
		if len(rest) >= m.at && bytes.HasPrefix(rest[m.at:], []byte(m.text)) {
			return m.kind
		}
	}
	switch {
	case len(rest) >= 12 && isRIFF(rest):
		return KindWAV
	case len(rest) >= 12 && string(rest[:4]) == "FORM" && (string(rest[8:12]) == "AIFF" || string(rest[8:12]) == "AIFC"):
		return KindAIFF
	case bytes.HasPrefix(rest, []byte("OggS")):
		return sniffOgg(rest)
	}
	if k := sniffMPEG(rest, len(rest) < len(head)); k != KindUnknown {
		return k
	}
	if looksLikeText(rest) {
		return KindText
	}
	return KindUnknown
}

func isRIFF(b []byte) bool {
	return (string(b[:4]) == "RIFF" || string(b[:4]) == "RF64") && string(b[8:12]) == "WAVE"
}

// sniffOgg looks at the first packet of the first page.
func sniffOgg(b []byte) Kind {
	if len(b) < 28 {
		return KindOgg
	}
	first := 27 + int(b[26])
	if len(b) < first {
		return KindOgg
	}
	switch packet := b[first:]; {
	case bytes.HasPrefix(packet, []byte("\x01vorbis")):
		return KindVorbis
	case bytes.HasPrefix(packet, []byte("OpusHead")):
		return KindOpus
	}
	return KindOgg
}

// sniffMPEG looks for MPEG audio frames that follow each other: one header alone
// occurs by chance in any data. After an ID3 tag some filling is allowed.
func sniffMPEG(b []byte, tagged bool) Kind {
	limit := 1
	if tagged {
		limit = maxJunk
	}
	for at := range min(limit, len(b)) {
		h, ok := parseMPEG(b[at:])
		if ok && follows(b, at, h, 2) {
			return h.kind()
		}
		if !tagged && b[at] != 0 {
			break
		}
	}
	// Leading zeros: some recorders leave a gap for a tag.
	zeros := len(b) - len(bytes.TrimLeft(b, "\x00"))
	if zeros > 0 && zeros < min(len(b), maxJunk) {
		if h, ok := parseMPEG(b[zeros:]); ok && follows(b, zeros, h, 2) {
			return h.kind()
		}
	}
	return KindUnknown
}

// looksLikeText reports whether b reads as text: UTF-8, UTF-16 with its mark,
// or an 8-bit or Chinese code without control characters.
func looksLikeText(b []byte) bool {
	if bytes.HasPrefix(b, []byte("\xFF\xFE")) || bytes.HasPrefix(b, []byte("\xFE\xFF")) {
		return true
	}
	b = b[:min(len(b), 4096)]
	controls := 0
	for _, c := range b {
		if c == 0 {
			return false
		}
		if c < 0x20 && c != '\n' && c != '\r' && c != '\t' && c != '\f' && c != 0x1B {
			controls++
		}
	}
	if controls*100 > len(b) {
		return false
	}
	for cut := range min(utf8.UTFMax, len(b)) { // the last character may be cut
		if utf8.Valid(b[:len(b)-cut]) {
			return true
		}
	}
	return looksLikeGBK(b)
}

// looksLikeGBK reports whether nearly all bytes over 0x7F form pairs of the
// Chinese national code.
func looksLikeGBK(b []byte) bool {
	pairs, odd := 0, 0
	for i := 0; i < len(b); i++ {
		switch {
		case b[i] < 0x80:
		case b[i] >= 0x81 && b[i] <= 0xFE && i+1 < len(b) && b[i+1] >= 0x40 && b[i+1] != 0x7F && b[i+1] <= 0xFE:
			pairs++
			i++
		default:
			odd++
		}
	}
	return pairs > 0 && odd*50 <= pairs
}
