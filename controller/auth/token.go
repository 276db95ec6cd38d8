package auth

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/binary"
	"hash/crc32"
	"strings"
)

// TokenPrefix begins every API token, so that scanners for leaked secrets
// recognise one: gcp_ and 59 characters of a to z and 2 to 7, the last seven of
// which are a checksum (CRC-32, IEEE) of those before.
const TokenPrefix = "gcp_"

var tokenText = base32.StdEncoding.WithPadding(base32.NoPadding)

const (
	tokenSecret = 52 // characters of 256 bits
	tokenSum    = 7  // characters of 32 bits
	tokenHint   = 6  // characters behind the prefix that may be shown: 30 bits of 256
)

// NewToken returns a fresh token, the hash under which it is stored and what
// of it may be shown later.
func NewToken() (token, hash, hint string) {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails
	secret := strings.ToLower(tokenText.EncodeToString(b[:]))
	token = TokenPrefix + secret + checksum(secret)
	return token, tokenHash(token), token[:len(TokenPrefix)+tokenHint]
}

// TokenHash returns the hash of a token. What cannot be one is told apart
// without a look at the database.
func TokenHash(token string) (hash string, ok bool) {
	body, found := strings.CutPrefix(token, TokenPrefix)
	if !found || len(body) != tokenSecret+tokenSum || checksum(body[:tokenSecret]) != body[tokenSecret:] {
		return "", false
	}
	return tokenHash(token), true
}

func checksum(secret string) string {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], crc32.ChecksumIEEE([]byte(secret)))
	return strings.ToLower(tokenText.EncodeToString(b[:]))
}
