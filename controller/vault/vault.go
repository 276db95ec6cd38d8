// Package vault encrypts single fields of the database: telephone numbers, and
// whatever else must not be read by somebody who has the database or a backup
// but not the key.
//
// A sealed field is "sealed:1:" and the base64 of a 12-byte nonce and the text
// under AES-256-GCM. The name of the field is bound to it, so that a value
// cannot be moved to another column; a caller who puts the row's key into the
// name, as in "users.totp/clerk", binds it to the row as well. The empty text
// stays empty, so that a query sees whether there is one.
//
// The key is 32 random bytes in hex in a file of its own, by default vault.key
// in the trust folder, readable by its owner only; it is made when the first
// field is sealed. It is not in backups unless they are given a passphrase:
// keep a copy where the backups are not. Whoever loses it loses the sealed
// fields and nothing else; whoever has it and the database reads them.
//
// The store uses this package for its own columns. Other packages seal with
// the same Vault, as an interface of two methods:
//
//	Seal(field, text string) (string, error)
//	Open(field, sealed string) (string, error)
//
// A Vault is safe for concurrent use.
package vault

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"gatecast/internal/durable"
)

// KeyFile is the name of the key in the trust folder.
const KeyFile = "vault.key"

// prefix begins every sealed field.
const prefix = "sealed:1:"

// Errors of Open.
var (
	ErrNoKey = errors.New("the key file is missing")
	ErrKey   = errors.New("sealed with another key, or changed")
)

// Vault seals and opens fields with the key of one file.
type Vault struct {
	path string

	mu   sync.Mutex
	aead cipher.AEAD // nil until the key was read
}

// New returns the Vault whose key is in the file at path. Nothing is read or
// made before the first field.
func New(path string) *Vault { return &Vault{path: path} }

// Sealed reports whether a stored value is a sealed field.
func Sealed(stored string) bool { return strings.HasPrefix(stored, prefix) }

// Seal returns text in the form in which field is stored. The first call makes
// the key where there is none; that it cannot be read or written is an error.
func (v *Vault) Seal(field, text string) (string, error) {
	if text == "" {
		return "", nil
	}
	aead, err := v.load(true)
	if err != nil {
		return "", fmt.Errorf("sealing %q: %w", field, err)
	}
	nonce := make([]byte, aead.NonceSize(), aead.NonceSize()+len(text)+aead.Overhead())
	_, _ = rand.Read(nonce) // never fails; it crashes the program instead
	return prefix + base64.RawStdEncoding.EncodeToString(aead.Seal(nonce, nonce, []byte(text), []byte(field))), nil
}

// Open returns the text of what Seal returned for the same field. The errors
// are ErrNoKey and ErrKey, wrapped, and those of reading the key file.
func (v *Vault) Open(field, sealed string) (string, error) {
	if sealed == "" {
		return "", nil
	}
	aead, err := v.load(false)
	if err != nil {
		return "", fmt.Errorf("opening %q: %w", field, err)
	}
	text, ok := strings.CutPrefix(sealed, prefix)
	raw, err := base64.RawStdEncoding.Strict().DecodeString(text)
	if !ok || err != nil || len(raw) < aead.NonceSize() {
		return "", fmt.Errorf("opening %q: %w", field, ErrKey)
	}
	plain, err := aead.Open(nil, raw[:aead.NonceSize()], raw[aead.NonceSize():], []byte(field))
	if err != nil {
		return "", fmt.Errorf("opening %q: %w", field, ErrKey)
	}
	return string(plain), nil
}

func (v *Vault) load(create bool) (cipher.AEAD, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.aead != nil {
		return v.aead, nil
	}
	text, err := os.ReadFile(v.path)
	if errors.Is(err, fs.ErrNotExist) {
		if !create {
			return nil, fmt.Errorf("%w: %q", ErrNoKey, v.path)
		}
		text, err = v.create()
	}
	if err != nil {
		return nil, fmt.Errorf("reading key file: %w", err)
	}
	key, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(key) != 32 {
		return nil, fmt.Errorf("key file %q is not 64 hex digits", v.path)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	v.aead, err = cipher.NewGCM(block)
	return v.aead, err
}

func (v *Vault) create() ([]byte, error) {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	text := []byte(hex.EncodeToString(key) + "\n")
	if err := durable.MkdirAll(filepath.Dir(v.path), 0o700); err != nil {
		return nil, err
	}
	return text, durable.WriteFile(v.path, text, 0o600)
}
