package trust

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"unicode"
)

// Join codes are 10 characters of Crockford's base32, which has no I, L, O
// and U: 50 bits, so that 10 guesses a minute for a whole day hit one of
// 1,000 open codes with a chance of about 1 in 78 million.
const (
	alphabet   = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
	codeLength = 10
	codeGroup  = 5
)

// NewJoinCode draws a join code in the form shown to people, ABCDE-FGHJK, and
// the hash under which it is stored.
func NewJoinCode() (code, hash string) {
	b := make([]byte, codeLength)
	_, _ = rand.Read(b) // never fails
	for i := range b {
		b[i] = alphabet[b[i]&31]
	}
	return ShowCode(string(b)), HashCode(string(b))
}

// ShowCode returns a normalised join code as people are shown it, ABCDE-FGHJK.
func ShowCode(normalized string) string {
	if len(normalized) != codeLength {
		return normalized
	}
	return normalized[:codeGroup] + "-" + normalized[codeGroup:]
}

// NormalizeCode returns code as it is hashed: upper case, without spaces and
// dashes, full-width characters made half-width, O read as 0, I and L as 1.
// What cannot be a join code is an error.
func NormalizeCode(code string) (string, error) {
	var b strings.Builder
	for _, r := range code {
		if r >= '！' && r <= '～' { // full-width forms of ! to ~, as Chinese keyboards type them
			r -= '！' - '!'
		}
		r = unicode.ToUpper(r)
		switch {
		case unicode.IsSpace(r), unicode.Is(unicode.Pd, r), r == '_', r == '.', r == '\u200b', r == '\ufeff':
			continue
		case r == 'O':
			r = '0'
		case r == 'I', r == 'L':
			r = '1'
		}
		if r > unicode.MaxASCII || strings.IndexByte(alphabet, byte(r)) < 0 {
			return "", fmt.Errorf("join code: %q does not occur in one", r)
		}
		if b.Len() == codeLength {
			return "", fmt.Errorf("join code: more than %d characters", codeLength)
		}
		b.WriteByte(byte(r))
	}
	if b.Len() < codeLength {
		return "", fmt.Errorf("join code: %d characters, want %d", b.Len(), codeLength)
	}
	return b.String(), nil
}

// HashCode returns the hex SHA-256 of a normalised join code.
func HashCode(normalized string) string {
	sum := sha256.Sum256([]byte(normalized))
	return hex.EncodeToString(sum[:])
}

// JoinLine returns the one line that a person pastes at the device: where the
// controller's device port is (https://host:port), the code, and the hash of
// the trust root, so that no other controller can answer in its place.
func JoinLine(url, code, rootHash string) string {
	return "gatecast-agent join " + strings.TrimSuffix(url, "/") + " " + code + " " + rootHash
}
