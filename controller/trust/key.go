package trust

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"gatecast/internal/durable"
	"gatecast/internal/seal"
)

// signingKey reads an Ed25519 key. A missing one is drawn and stored, or is
// ErrIncomplete when must is set.
func (a *Authority) signingKey(name string, must bool) (seal.Key, error) {
	text, err := a.read(name, must)
	if err != nil {
		return seal.Key{}, err
	}
	if text == nil {
		k, err := seal.NewKey()
		if err != nil {
			return seal.Key{}, err
		}
		return k, durable.WriteFile(a.path(name), formatKey(k), 0o600)
	}
	k, err := parseKey(text)
	if err != nil {
		return seal.Key{}, fmt.Errorf("key file %q: %w", a.path(name), err)
	}
	return k, nil
}

// parseKey reads the text of a key file.
func parseKey(text []byte) (seal.Key, error) {
	seed, err := base64.StdEncoding.DecodeString(string(bytes.TrimSpace(text)))
	if err != nil {
		return seal.Key{}, err
	}
	return seal.KeyFromSeed(seed)
}

// ecKey reads a P-256 key, or draws one as signingKey does.
func (a *Authority) ecKey(name string, must bool) (crypto.Signer, error) {
	text, err := a.read(name, must)
	if err != nil {
		return nil, err
	}
	if text == nil {
		return a.newECKey(name)
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("key file %q: no PEM block", a.path(name))
	}
	k, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("key file %q: %w", a.path(name), err)
	}
	signer, ok := k.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("key file %q: a %T cannot sign", a.path(name), k)
	}
	return signer, nil
}

// newECKey draws a P-256 key and stores it durably.
func (a *Authority) newECKey(name string) (crypto.Signer, error) {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("drawing a key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		return nil, fmt.Errorf("encoding a key: %w", err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	return k, durable.WriteFile(a.path(name), text, 0o600)
}

// read returns the content of a file of the folder; nil where there is none,
// unless it must be there.
func (a *Authority) read(name string, must bool) ([]byte, error) {
	text, err := os.ReadFile(a.path(name))
	switch {
	case err == nil:
		return text, nil
	case !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("reading key: %w", err)
	case must:
		return nil, fmt.Errorf("%w: %q is missing; restore the folder from a backup", ErrIncomplete, a.path(name))
	}
	return nil, nil
}
