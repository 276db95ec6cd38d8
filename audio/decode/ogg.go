package decode

import (
	"bytes"
	"encoding/binary"
)

// The flags of an Ogg page (RFC 3533 §6).
const (
	oggContinued = 1 << iota
	oggFirst
	oggLast
)

// oggPage is one page, checked by its checksum.
type oggPage struct {
	flags   byte
	granule int64 // samples up to the end of the last packet that ends here; −1 if none does
	serial  uint32
	number  uint32
	lacing  []byte
	body    []byte
	size    int
}

// parseOggPage returns the page at the start of b.
func parseOggPage(b []byte) (oggPage, error) {
	if len(b) < 27 {
		return oggPage{}, truncated("page header cut")
	}
	if string(b[:4]) != "OggS" || b[4] != 0 {
		return oggPage{}, corrupt("no page")
	}
	segments := int(b[26])
	if segments == 0 {
		return oggPage{}, corrupt("page without segments")
	}
	if len(b) < 27+segments {
		return oggPage{}, truncated("page header cut")
	}
	le := binary.LittleEndian
	p := oggPage{
		flags:   b[5],
		granule: int64(le.Uint64(b[6:])),
		serial:  le.Uint32(b[14:]),
		number:  le.Uint32(b[18:]),
		lacing:  b[27 : 27+segments],
		size:    27 + segments,
	}
	for _, n := range p.lacing {
		p.size += int(n)
	}
	if len(b) < p.size {
		return oggPage{}, truncated("page has %d of %d bytes", len(b), p.size)
	}
	p.body = b[27+segments : p.size]
	if sum := oggChecksum(b[:p.size]); sum != le.Uint32(b[22:]) {
		return oggPage{}, corrupt("checksum of page %d", p.number)
	}
	return p, nil
}

// oggTable is the table of the CRC with polynomial 0x04C11DB7, unreflected,
// which hash/crc32 does not offer.
var oggTable = func() (t [256]uint32) {
	for i := range t {
		r := uint32(i) << 24
		for range 8 {
			r = r<<1 ^ (r>>31)*0x04C11DB7
		}
		t[i] = r
	}
	return t
}()

// oggChecksum returns the checksum of a page, its own field counted as zero.
func oggChecksum(page []byte) uint32 {
	var crc uint32
	for i, b := range page {
		if i >= 22 && i < 26 {
			b = 0
		}
		crc = crc<<8 ^ oggTable[byte(crc>>24)^b]
	}
	return crc
}

// oggScan is what a walk over all pages found.
type oggScan struct {
	end     int      // where the last page ends
	packets [][]byte // the first three: Vorbis' headers
	granule int64    // the last: samples in the file
}

// maxHeader bounds each header packet. Comments may hold a picture; the setup of
// every known encoder has less than 10 kB.
const maxHeader = 16 << 20

// scanOgg walks all pages of a file with one logical stream.
func scanOgg(data []byte) (oggScan, error) {
	var s oggScan
	var packet []byte
	var serial, number uint32
	for at := 0; at < len(data); {
		p, err := parseOggPage(data[at:])
		if err != nil {
			return s, err
		}
		switch {
		case at == 0:
			serial, number = p.serial, p.number
		case p.serial != serial || p.flags&oggFirst != 0:
			return s, unsupported("several streams in one file")
		case p.number != number:
			return s, corrupt("page %d after page %d", p.number, number-1)
		}
		number++
		if len(s.packets) < 3 {
			body := p.body
			for _, n := range p.lacing {
				packet = append(packet, body[:n]...)
				body = body[n:]
				if len(packet) > maxHeader {
					return s, corrupt("header of over %d bytes", maxHeader)
				}
				if n < 255 {
					s.packets = append(s.packets, packet)
					packet = nil
				}
			}
		}
		if p.granule > s.granule {
			s.granule = p.granule
		}
		at += p.size
		if p.flags&oggLast != 0 {
			s.end = at
			if rest := data[at:]; bytes.HasPrefix(rest, []byte("OggS")) {
				return s, unsupported("several streams one after the other")
			}
			if len(s.packets) < 3 {
				return s, &Error{Code: Empty}
			}
			return s, nil
		}
	}
	return s, truncated("last page missing")
}
