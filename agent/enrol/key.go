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

	"gatecast/internal/durable"
	"gatecast/internal/evidence"
	"gatecast/internal/wire"
)

// DeviceID returns the identity that belongs to a public key: "d" and the
// first 24 hex digits of the SHA-256 of its SPKI encoding.
func DeviceID(spki []byte) wire.DeviceID {
	return evidence.DeviceOf(spki)
}

// bearKey returns the key in dir, drawing it when there is none. On return
// both copies survive loss of power; a copy that could not be read is written
// anew from the other.
func bearKey(v durable.Volume, dir string) (*ecdsa.PrivateKey, error) {
	keys, err := readKeys(v, dir)
	if errors.Is(err, fs.ErrNotExist) {
		var key *ecdsa.PrivateKey
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		keys = append(keys, key)
	}
	if err != nil {
		return nil, err
	}
	data, err := encodeKey(keys[0])
	if err != nil {
		return nil, err
	}
	_, err = mend(v, dir, keyFiles, data, func([]byte) bool { return false })
	return keys[0], err
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
