package evidence

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"

	"gatecast/internal/wire"
)

// checkpointDomain begins everything that a device signs here; see the
// package's doc.
const checkpointDomain = "gatecast/checkpoint/v1\x00"

// Every is how many records a journal may grow by before the next checkpoint
// is due. It then comes with the next record that nothing waits for.
const Every = 64

// Uncovered is how many records behind the last checkpoint are still
// ordinary: Every, and what may come while a checkpoint is put off because a
// sound is about to start or the disk is full.
const Uncovered = Every + 16

// Errors of checkpoints.
var (
	// ErrShape means that a record is not a checkpoint in the one form there is.
	ErrShape = errors.New("not in the form of a checkpoint")
	// ErrForged means that the signature does not fit the record's bytes.
	ErrForged = errors.New("signature does not fit")
)

// DeviceOf returns the identity that belongs to a public key: "d" and the
// first 24 hex digits of the SHA-256 of its SPKI encoding.
func DeviceOf(spki []byte) wire.DeviceID {
	sum := sha256.Sum256(spki)
	return wire.DeviceID("d" + hex.EncodeToString(sum[:12]))
}

// Checkpoint returns the body of the checkpoint record r, whose Body is
// ignored, signed by a device's P-256 key. after is the end of the journal
// before, nil for none. The signature is for exactly the bytes that
// json.Marshal makes of r with this body.
func Checkpoint(r wire.Record, after *wire.LogEnd, key crypto.Signer) (json.RawMessage, error) {
	spki, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return nil, fmt.Errorf("signing checkpoint: %w", err)
	}
	c := wire.Checkpoint{After: after, Key: base64.StdEncoding.EncodeToString(spki)}
	if r.Body, err = json.Marshal(c); err != nil {
		return nil, fmt.Errorf("encoding checkpoint: %w", err)
	}
	raw, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("encoding checkpoint: %w", err)
	}
	digest := digestOf(DeviceOf(spki), raw[:len(raw)-len(checkpointEnd)])
	// Without a source of randomness it is RFC 6979: a device just booted may
	// have little of it, and a poor one would give the key away.
	sig, err := key.Sign(nil, digest, crypto.SHA256)
	if err != nil {
		return nil, fmt.Errorf("signing checkpoint: %w", err)
	}
	flat, err := flatten(sig)
	if err != nil {
		return nil, fmt.Errorf("signing checkpoint: %w", err)
	}
	c.Sig = base64.StdEncoding.EncodeToString(flat)
	return json.Marshal(c)
}

// checkpointEnd is what follows the signature: it is the last value of the
// body, and the body the last of the record.
const checkpointEnd = `"}}`

// sigLen is the length of a signature in base64.
const sigLen = 88

// VerifyCheckpoint returns the device whose key signed the checkpoint record
// raw. Every byte of raw is either signed or part of the one possible form of
// the signature: a change of any of them is found. The errors are ErrShape
// and ErrForged, wrapped.
func VerifyCheckpoint(raw []byte) (wire.DeviceID, *wire.LogEnd, error) {
	head, ok := bytes.CutSuffix(raw, []byte(checkpointEnd))
	if !ok || len(head) < sigLen+len(`"sig":"`) {
		return "", nil, fmt.Errorf("%w: it does not end with a signature", ErrShape)
	}
	signed, text := head[:len(head)-sigLen], head[len(head)-sigLen:]
	var r wire.Record
	var c wire.Checkpoint
	if err := json.Unmarshal(raw, &r); err != nil {
		return "", nil, fmt.Errorf("%w: %w", ErrShape, err)
	}
	if err := json.Unmarshal(r.Body, &c); err != nil {
		return "", nil, fmt.Errorf("%w: %w", ErrShape, err)
	}
	if r.Kind != wire.RecordCheckpoint || c.Sig != string(text) || !bytes.HasSuffix(signed, []byte(`"sig":"`)) {
		return "", nil, fmt.Errorf("%w: the signature is not where it has to be", ErrShape)
	}
	sig, err := base64.StdEncoding.Strict().DecodeString(c.Sig)
	if err != nil || len(sig) != 64 {
		return "", nil, fmt.Errorf("%w: signature of %d bytes", ErrShape, len(sig))
	}
	spki, err := base64.StdEncoding.Strict().DecodeString(c.Key)
	if err != nil {
		return "", nil, fmt.Errorf("%w: key: %w", ErrShape, err)
	}
	parsed, err := x509.ParsePKIXPublicKey(spki)
	if err != nil {
		return "", nil, fmt.Errorf("%w: key: %w", ErrShape, err)
	}
	key, ok := parsed.(*ecdsa.PublicKey)
	if !ok || key.Curve != elliptic.P256() {
		return "", nil, fmt.Errorf("%w: key of another kind", ErrShape)
	}
	device := DeviceOf(spki)
	x, s := new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:])
	if s.Cmp(halfOrder) > 0 || !ecdsa.Verify(key, digestOf(device, signed), x, s) {
		return device, nil, ErrForged
	}
	return device, c.After, nil
}

func digestOf(d wire.DeviceID, signed []byte) []byte {
	h := sha256.New()
	h.Write([]byte(checkpointDomain))
	h.Write([]byte(d))
	h.Write([]byte{0})
	h.Write(signed)
	return h.Sum(nil)
}

// halfOrder is half the order of P-256. Of the two values of s that fit a
// signature only the lower one is made and accepted, so that nobody can turn
// a signature into another valid one.
var halfOrder = new(big.Int).Rsh(elliptic.P256().Params().N, 1)

// flatten turns an ASN.1 signature into r and s of 32 bytes with the lower s.
func flatten(der []byte) ([]byte, error) {
	var v struct{ R, S *big.Int }
	if rest, err := asn1.Unmarshal(der, &v); err != nil || len(rest) > 0 {
		return nil, fmt.Errorf("parsing signature: %w", err)
	}
	if v.S.Cmp(halfOrder) > 0 {
		v.S.Sub(elliptic.P256().Params().N, v.S)
	}
	out := make([]byte, 64)
	v.R.FillBytes(out[:32])
	v.S.FillBytes(out[32:])
	return out, nil
}
