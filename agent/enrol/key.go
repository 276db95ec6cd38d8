package enrol

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"gatecast/internal/durable"
	"gatecast/internal/evidence"
	"gatecast/internal/wire"
)

// The key stands in two files, so that one bad sector of a memory card does
// not cost the device its identity.
var keyFiles = []string{"key.pem", "key-copy.pem"}

// DeviceID returns the identity that belongs to a public key: "d" and the
// first 24 hex digits of the SHA-256 of its SPKI encoding.
func DeviceID(spki []byte) wire.DeviceID {
	return evidence.DeviceOf(spki)
}

// bearKey returns the key in dir, drawing it when there is none. On return
// both copies survive loss of power; a copy that could not be read is written
// anew from the other.
func bearKey(v durable.Volume, dir string) (*ecdsa.PrivateKey, error) {
	key, err := readKey(v, dir)
	if errors.Is(err, fs.ErrNotExist) {
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encoding key: %w", err)
	}
	block := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	for _, name := range keyFiles {
		path := filepath.Join(dir, name)
		if old, err := v.ReadFile(path); err == nil && string(old) == string(block) {
			continue
		}
		if err := v.WriteFile(path, block, 0o600); err != nil {
			return nil, err
		}
	}
	return key, nil
}

// readKey returns the first copy that can be read. Without any file it
// yields fs.ErrNotExist; damaged copies alone are another error, because a
// fresh key would be another device.
func readKey(v durable.Volume, dir string) (*ecdsa.PrivateKey, error) {
	var errs []error
	for _, name := range keyFiles {
		path := filepath.Join(dir, name)
		data, err := v.ReadFile(path)
		if err == nil {
			var key *ecdsa.PrivateKey
			if key, err = parseKey(data); err == nil {
				return key, nil
			}
			err = fmt.Errorf("reading key %q: %w", path, err)
		}
		if !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	if len(errs) == 0 {
		return nil, fs.ErrNotExist
	}
	return nil, errors.Join(errs...)
}

func parseKey(data []byte) (*ecdsa.PrivateKey, error) {
	block, _ := pem.Decode(data)
	if block == nil {
		return nil, errors.New("no PEM block")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("key of type %T", parsed)
	}
	return key, nil
}

// Checkpoint vouches for a journal with the device's key, which never leaves
// the Identity: it returns the body of the checkpoint record r. The key is
// that of the TLS certificate; package evidence says why neither signature
// can pass for the other.
func (id *Identity) Checkpoint(r wire.Record, after *wire.LogEnd) (json.RawMessage, error) {
	return evidence.Checkpoint(r, after, id.key)
}
