package auth

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
)

// Cost of a new hash: 19 MiB, two passes, one lane, the least that OWASP's
// password storage sheet (2025) accepts for argon2id. About 25 ms on the small
// office machines the controller runs on.
const (
	memoryKiB = 19 * 1024
	passes    = 2
	lanes     = 1
	saltLen   = 16
	keyLen    = 32
)

// Ceilings for hashes that are read back, so that a tampered database cannot
// make one login take all memory.
const (
	maxMemoryKiB = 256 * 1024
	maxPasses    = 16
	maxLanes     = 8
)

// MaxPassword is the longest password that is looked at, in bytes.
const MaxPassword = 512

// ErrHash reports a stored hash that is not one of ours.
var ErrHash = errors.New("password hash is not argon2id in PHC format")

// Hash returns the argon2id hash of password with a fresh salt as a PHC
// string. It takes about memoryKiB of memory while it runs.
func Hash(password string) (string, error) {
	if len(password) == 0 || len(password) > MaxPassword {
		return "", fmt.Errorf("hashing a password of %d bytes: want 1 to %d", len(password), MaxPassword)
	}
	salt := make([]byte, saltLen)
	_, _ = rand.Read(salt) // never fails; it crashes the program instead
	key := argon2.IDKey([]byte(password), salt, passes, memoryKiB, lanes, keyLen)
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, memoryKiB, passes, lanes,
		b64.EncodeToString(salt), b64.EncodeToString(key)), nil
}

// Verify reports whether password is the one that phc was made from, in time
// that does not depend on where they differ. A phc that is no argon2id hash
// yields ErrHash.
func Verify(phc, password string) (bool, error) {
	h, err := parse(phc)
	if err != nil {
		return false, err
	}
	if len(password) > MaxPassword {
		return false, nil
	}
	got := argon2.IDKey([]byte(password), h.salt, h.passes, h.memory, h.lanes, uint32(len(h.key)))
	return subtle.ConstantTimeCompare(got, h.key) == 1, nil
}

type hash struct {
	memory, passes uint32
	lanes          uint8
	salt, key      []byte
}

func parse(phc string) (hash, error) {
	var h hash
	parts := strings.Split(phc, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return h, ErrHash
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &h.memory, &h.passes, &h.lanes); err != nil {
		return h, fmt.Errorf("%w: parameters %q", ErrHash, parts[3])
	}
	if h.memory < 8 || h.memory > maxMemoryKiB || h.passes < 1 || h.passes > maxPasses || h.lanes < 1 || h.lanes > maxLanes {
		return h, fmt.Errorf("%w: parameters %q out of range", ErrHash, parts[3])
	}
	var err error
	if h.salt, err = base64.RawStdEncoding.DecodeString(parts[4]); err != nil || len(h.salt) < 8 {
		return h, fmt.Errorf("%w: salt", ErrHash)
	}
	if h.key, err = base64.RawStdEncoding.DecodeString(parts[5]); err != nil || len(h.key) < 16 || len(h.key) > 64 {
		return h, fmt.Errorf("%w: key", ErrHash)
	}
	return h, nil
}
