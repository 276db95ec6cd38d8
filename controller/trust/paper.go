package trust

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"unicode"

	"gatecast/internal/seal"
)

// A key on paper is 14 words of 5 characters from the alphabet of join codes:
// 13 words carry the 256 bits of the seed, 4 characters each, and the last one
// the first 20 bits of its SHA-256. The fifth character of a word checks the
// other four and the word's place. It is a linear code over GF(32), so that one
// wrong character, two that changed places and a word in the place of another
// are always noticed, and named by the number of the word.
const (
	paperWords = 14
	paperData  = 4
)

// PaperError says which word cannot be right, counted from 1; 0 means all of
// them together.
type PaperError struct {
	Word int
	Text string // as it was typed
	Why  string // for operators
}

func (e *PaperError) Error() string {
	if e.Word == 0 {
		return "paper key: " + e.Why
	}
	return fmt.Sprintf("paper key: word %d, %q: %s", e.Word, e.Text, e.Why)
}

// PaperWords returns a key as it is printed and typed in again.
func PaperWords(k seal.Key) []string {
	seed := k.Seed()
	sum := sha256.Sum256(seed)
	bits := append(append([]byte{}, seed...), 0) // 260 bits with 4 of padding
	digits := make([]byte, 0, paperWords*paperData)
	for i := range 52 {
		digits = append(digits, five(bits, i))
	}
	for i := range paperData {
		digits = append(digits, five(sum[:], i))
	}
	words := make([]string, paperWords)
	for w := range words {
		d := digits[w*paperData : (w+1)*paperData]
		text := make([]byte, 0, paperData+1)
		for _, v := range append(append([]byte{}, d...), check(w, d)) {
			text = append(text, alphabet[v])
		}
		words[w] = string(text)
	}
	return words
}

// five returns the i-th group of five bits of b.
func five(b []byte, i int) byte {
	at := i * 5
	v := uint16(b[at/8]) << 8
	if at/8+1 < len(b) {
		v |= uint16(b[at/8+1])
	}
	return byte(v>>(11-at%8)) & 31
}

// check returns the fifth character of word w: the sum of α^i·dᵢ for i from 1
// to 4, and α^(w+5), over GF(32) with x⁵ + x² + 1, where α is x. The order of α
// is 31, so that the powers for places and words are all different.
func check(w int, d []byte) byte {
	c := power(w + paperData + 1)
	for i, v := range d {
		c ^= times(power(i+1), v)
	}
	return c
}

func power(n int) byte {
	p := byte(1)
	for range n {
		p = times(p, 2)
	}
	return p
}

func times(a, b byte) byte {
	var p byte
	for ; b > 0; b >>= 1 {
		if b&1 != 0 {
			p ^= a
		}
		if a <<= 1; a&32 != 0 {
			a ^= 0b100101
		}
	}
	return p
}

// ParsePaper reads what PaperWords returned, as a person types it or a camera
// reads the QR code: upper or lower case, with any spaces, dashes and numbers
// of words in front ("3." or "3:"), O for 0 and I or L for 1. What cannot be
// right is a *PaperError.
func ParsePaper(text string) (seal.Key, error) {
	if len(text) > 4<<10 {
		return seal.Key{}, &PaperError{Why: "too long"}
	}
	text = strings.TrimPrefix(strings.TrimSpace(text), PaperMark)
	fields := strings.FieldsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || r == '-' || r == ',' || r == '，' || r == '—' })
	var words []string
	for _, f := range fields {
		if n := strings.TrimRight(f, ".:、)）"); n != f || len(f) <= 2 && strings.Trim(f, "0123456789") == "" {
			continue // the number of a word
		}
		words = append(words, f)
	}
	var digits []byte
	for i, word := range words {
		if i >= paperWords {
			return seal.Key{}, &PaperError{Word: i + 1, Text: word, Why: fmt.Sprintf("there are %d words", paperWords)}
		}
		d, err := parseWord(i, word)
		if err != nil {
			return seal.Key{}, err
		}
		digits = append(digits, d...)
	}
	if len(words) < paperWords {
		return seal.Key{}, &PaperError{Why: fmt.Sprintf("%d words, want %d", len(words), paperWords)}
	}
	seed := make([]byte, 33)
	for i, v := range digits[:52] {
		at := i * 5
		wide := uint16(v) << (11 - at%8)
		seed[at/8] |= byte(wide >> 8)
		if at/8+1 < len(seed) {
			seed[at/8+1] |= byte(wide)
		}
	}
	sum := sha256.Sum256(seed[:32])
	for i, v := range digits[52:] {
		if five(sum[:], i) != v {
			return seal.Key{}, &PaperError{Why: "the words do not belong together"}
		}
	}
	if seed[32] != 0 {
		return seal.Key{}, &PaperError{Why: "the words do not belong together"}
	}
	return seal.KeyFromSeed(seed[:32])
}

func parseWord(i int, word string) ([]byte, error) {
	wrong := func(why string) error { return &PaperError{Word: i + 1, Text: word, Why: why} }
	var d []byte
	for _, r := range strings.ToUpper(word) {
		switch r {
		case 'O':
			r = '0'
		case 'I', 'L':
			r = '1'
		}
		at := strings.IndexRune(alphabet, r)
		if at < 0 {
			return nil, wrong(fmt.Sprintf("%q does not occur", r))
		}
		d = append(d, byte(at))
	}
	if len(d) != paperData+1 {
		return nil, wrong(fmt.Sprintf("%d characters, want %d", len(d), paperData+1))
	}
	if check(i, d[:paperData]) != d[paperData] {
		return nil, wrong("mistyped, or not in its place")
	}
	return d[:paperData], nil
}

// PaperMark begins the text in the QR code of a root key.
const PaperMark = "GATECAST-ROOT-1 "

// PaperText returns the text in the QR code.
func PaperText(words []string) string { return PaperMark + strings.Join(words, " ") }
