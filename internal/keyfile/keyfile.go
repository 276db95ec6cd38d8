// Package keyfile reads and writes signing keys that people carry: one line of
// text in a file, plain or locked with a passphrase.
//
// A plain key is the 32 bytes of its Ed25519 seed in base64, as in the
// controller's trust folder. A locked one is
//
//	gatecast-key-1 PUBLIC N SALT BOX
//
// with PUBLIC the public key, N the cost of scrypt as a power of two (r = 8, p =
// 1), and BOX the seed in NaCl secretbox under the key that scrypt makes of
// passphrase and SALT. Each salt is drawn anew and locks one box, so that the
// nonce may be zero. Everything here is safe for concurrent use.
package keyfile

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/crypto/nacl/secretbox"
	"golang.org/x/crypto/scrypt"

	"gatecast/internal/seal"
)

const (
	mark = "gatecast-key-1"
	// cost is 2^16: 64 MB and about a fifth of a second on an office machine.
	cost = 16
	// mostCost bounds what a file can make a reader spend: 2^18 are 256 MB.
	mostCost = 18
	// MaxFile bounds a key file, in bytes.
	MaxFile = 1 << 10
)

// Errors that callers tell apart.
var (
	ErrLocked     = errors.New("key is locked with a passphrase")
	ErrPassphrase = errors.New("wrong passphrase")
	ErrFormat     = errors.New("not a key file")
)

// Plain returns k as text without protection.
func Plain(k seal.Key) []byte {
	return []byte(base64.StdEncoding.EncodeToString(k.Seed()) + "\n")
}

// Lock returns k as text that only passphrase opens. An empty one is an error.
func Lock(k seal.Key, passphrase []byte) ([]byte, error) {
	if len(passphrase) == 0 {
		return nil, errors.New("locking a key: the passphrase is empty")
	}
	salt := make([]byte, 16)
	_, _ = rand.Read(salt) // never fails
	secret, err := stretch(passphrase, salt, cost)
	if err != nil {
		return nil, err
	}
	box := secretbox.Seal(nil, k.Seed(), &[24]byte{}, secret)
	text := base64.StdEncoding.EncodeToString
	return fmt.Appendf(nil, "%s %s %d %s %s\n", mark, k.Public(), cost, text(salt), text(box)), nil
}

func stretch(passphrase, salt []byte, n int) (*[32]byte, error) {
	b, err := scrypt.Key(passphrase, salt, 1<<n, 8, 1, 32)
	if err != nil {
		return nil, fmt.Errorf("stretching passphrase: %w", err)
	}
	return (*[32]byte)(b), nil
}

// Locked reports whether text is a locked key, and which one it is.
func Locked(text []byte) (seal.PublicKey, bool) {
	f := strings.Fields(string(text))
	if len(f) != 5 || f[0] != mark {
		return nil, false
	}
	public, err := seal.ParsePublicKey(f[1])
	return public, err == nil
}

// Open reads a key. A locked one without a passphrase is ErrLocked, with the
// wrong one ErrPassphrase; what is no key is ErrFormat.
func Open(text, passphrase []byte) (seal.Key, error) {
	if len(text) > MaxFile {
		return seal.Key{}, fmt.Errorf("%w: %d bytes", ErrFormat, len(text))
	}
	public, locked := Locked(text)
	if !locked {
		seed, err := base64.StdEncoding.DecodeString(string(bytes.TrimSpace(text)))
		if err != nil {
			return seal.Key{}, fmt.Errorf("%w: %w", ErrFormat, err)
		}
		k, err := seal.KeyFromSeed(seed)
		if err != nil {
			return seal.Key{}, fmt.Errorf("%w: %w", ErrFormat, err)
		}
		return k, nil
	}
	if len(passphrase) == 0 {
		return seal.Key{}, ErrLocked
	}
	f := strings.Fields(string(text))
	n, err1 := strconv.Atoi(f[2])
	salt, err2 := base64.StdEncoding.DecodeString(f[3])
	box, err3 := base64.StdEncoding.DecodeString(f[4])
	if err := errors.Join(err1, err2, err3); err != nil || n < 1 || n > mostCost {
		return seal.Key{}, fmt.Errorf("%w: cost %q", ErrFormat, f[2])
	}
	secret, err := stretch(passphrase, salt, n)
	if err != nil {
		return seal.Key{}, err
	}
	seed, ok := secretbox.Open(nil, box, &[24]byte{}, secret)
	if !ok {
		return seal.Key{}, ErrPassphrase
	}
	k, err := seal.KeyFromSeed(seed)
	if err != nil || !bytes.Equal(k.Public(), public) {
		return seal.Key{}, fmt.Errorf("%w: the box holds another key than it says", ErrFormat)
	}
	return k, nil
}
