package enrol

import (
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

	"gatecast/internal/durable"
)

// Everything an identity needs stands in two files, with a checksum where no
// pinned hash is one, so that one bad sector of a memory card does not cost the device its
// membership. They are written one after the other; the first one counts when
// both are whole and a power cut left the second behind.
var (
	keyFiles      = []string{"key.pem", "key-copy.pem"}
	rootFiles     = []string{"root.json", "root-copy.json"}
	identityFiles = []string{"identity.json", "identity-copy.json"}
)

// copies returns the contents of those files that can be read and are as they
// were written. gone is true when none of them exists, and err says what is
// wrong with the others.
func copies(v durable.Volume, dir string, names []string) (contents [][]byte, gone bool, err error) {
	gone = true
	for _, name := range names {
		data, rerr := v.ReadChecked(filepath.Join(dir, name))
		switch {
		case rerr == nil:
			contents = append(contents, data)
		case errors.Is(rerr, fs.ErrNotExist):
			continue
		default:
			err = errors.Join(err, rerr)
		}
		gone = false
	}
	return contents, gone, err
}

// store writes data into both files. On return it survives loss of power.
func store(v durable.Volume, dir string, names []string, data []byte) error {
	for _, name := range names {
		if err := write(v, dir, name, data); err != nil {
			return err
		}
	}
	return nil
}

// write writes one file. The trust root stands there as it was received: its
// hash is pinned, and others read it too.
func write(v durable.Volume, dir, name string, data []byte) error {
	if slices.Contains(rootFiles, name) {
		return v.WriteFile(filepath.Join(dir, name), data, 0o600)
	}
	return v.WriteChecked(filepath.Join(dir, name), data, 0o600)
}

// mend writes anew what is not data, and returns the names of the files that
// were damaged: there, or gone although the one behind them is not, and not a
// whole one of before that whole says it may be.
func mend(v durable.Volume, dir string, names []string, data []byte, whole func([]byte) bool) (damaged []string, err error) {
	for i, name := range names {
		old, rerr := v.ReadChecked(filepath.Join(dir, name))
		switch {
		case rerr == nil && string(old) == string(data):
			continue
		case rerr == nil && whole(old), i > 0 && errors.Is(rerr, fs.ErrNotExist):
			// A power cut came between the two, or an earlier version wrote one.
		default:
			damaged = append(damaged, name)
		}
		if err := write(v, dir, name, data); err != nil {
			return damaged, err
		}
	}
	return damaged, nil
}

// mend brings all files of the identity into agreement with what was read.
func (id *Identity) mend() error {
	key, err := encodeKey(id.key)
	if err != nil {
		return err
	}
	parts := []struct {
		names []string
		data  []byte
		whole func([]byte) bool
	}{
		{keyFiles, key, func([]byte) bool { return false }}, // there is only one
		{rootFiles, id.Root, func([]byte) bool { return false }},
		{identityFiles, id.file, func(data []byte) bool { _, err := parseIdentity(id.fs, id.dir, data); return err == nil }},
	}
	for _, p := range parts {
		damaged, err := mend(id.fs, id.dir, p.names, p.data, p.whole)
		id.mended = append(id.mended, damaged...)
		if err != nil {
			return err
		}
	}
	return nil
}

// Mended returns the names of the files that Load found damaged and restored
// from their copies.
func (id *Identity) Mended() []string { return slices.Clone(id.mended) }

// readKeys returns the keys of the copies that can be read. Without any file
// it yields fs.ErrNotExist; damaged copies alone are another error, because a
// fresh key would be another device.
func readKeys(v durable.Volume, dir string) ([]*ecdsa.PrivateKey, error) {
	contents, gone, err := copies(v, dir, keyFiles)
	if gone {
		return nil, fs.ErrNotExist
	}
	var keys []*ecdsa.PrivateKey
	for _, data := range contents {
		key, perr := parseKey(data)
		if perr != nil {
			err = errors.Join(err, fmt.Errorf("parsing key: %w", perr))
			continue
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return nil, err
	}
	return keys, nil
}

func encodeKey(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encoding key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}
