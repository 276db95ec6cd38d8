// Package seal signs documents and opens them again.
//
// An envelope is DSSE (Dead Simple Signing Envelope, secure-systems-lab,
// protocol v1) with Ed25519 over the raw bytes of a JSON document whose
// wire.Header carries type, audience, version and times. Open checks, in this
// order, signature, type, audience, version and expiry; what an agent accepts
// beyond that (root chain, manifest, ceilings) is built on it in agent/plan.
// Everything here is pure and safe for concurrent use.
package seal

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/secure-systems-lab/go-securesystemslib/dsse"

	"gatecast/internal/wire"
)

// PayloadType is the DSSE payload type of every document.
const PayloadType = "application/vnd.gatecast.v1+json"

// MaxDocument bounds an envelope, in bytes.
const MaxDocument = 4 << 20

// Errors that callers tell apart.
var (
	ErrUnreadable = errors.New("not a sealed document")
	ErrSignature  = errors.New("no valid signature by a trusted key")
	ErrType       = errors.New("document of another type")
	ErrAudience   = errors.New("document for another device")
	ErrRollback   = errors.New("version below the one already held")
	ErrExpired    = errors.New("document has expired")
)

// Key is a private signing key.
type Key struct{ private ed25519.PrivateKey }

// NewKey draws a fresh key.
func NewKey() (Key, error) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return Key{}, fmt.Errorf("drawing a key: %w", err)
	}
	return Key{private}, nil
}

// KeyFromSeed restores a key from the 32 bytes that Seed returned.
func KeyFromSeed(seed []byte) (Key, error) {
	if len(seed) != ed25519.SeedSize {
		return Key{}, fmt.Errorf("key seed of %d bytes, want %d", len(seed), ed25519.SeedSize)
	}
	return Key{ed25519.NewKeyFromSeed(seed)}, nil
}

// IsZero reports whether k is no key.
func (k Key) IsZero() bool { return len(k.private) == 0 }

// Seed returns the secret that KeyFromSeed takes.
func (k Key) Seed() []byte { return k.private.Seed() }

// Public returns the public half.
func (k Key) Public() PublicKey { return PublicKey(k.private.Public().(ed25519.PublicKey)) }

// PublicKey is an Ed25519 public key.
type PublicKey ed25519.PublicKey

// String returns k in base64, the form in which root documents carry it.
func (k PublicKey) String() string { return base64.StdEncoding.EncodeToString(k) }

// ID returns the key's name in envelopes: 16 hex digits of its SHA-256.
func (k PublicKey) ID() string {
	sum := sha256.Sum256(k)
	return hex.EncodeToString(sum[:8])
}

// ParsePublicKey is the inverse of PublicKey.String.
func ParsePublicKey(s string) (PublicKey, error) {
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		return nil, fmt.Errorf("parsing public key: %w", err)
	}
	if len(b) != ed25519.PublicKeySize {
		return nil, fmt.Errorf("public key of %d bytes, want %d", len(b), ed25519.PublicKeySize)
	}
	return PublicKey(b), nil
}

// ParsePublicKeys parses each of keys.
func ParsePublicKeys(keys []string) ([]PublicKey, error) {
	parsed := make([]PublicKey, 0, len(keys))
	for _, s := range keys {
		k, err := ParsePublicKey(s)
		if err != nil {
			return nil, err
		}
		parsed = append(parsed, k)
	}
	return parsed, nil
}

// Hash returns the lower-case hex SHA-256 of an envelope's bytes, the name by
// which a DocRef and a join line know it.
func Hash(envelope []byte) string {
	sum := sha256.Sum256(envelope)
	return hex.EncodeToString(sum[:])
}

// Sign marshals doc and returns its envelope.
func Sign(doc any, keys ...Key) ([]byte, error) {
	payload, err := json.Marshal(doc)
	if err != nil {
		return nil, fmt.Errorf("encoding document: %w", err)
	}
	signers := make([]dsse.Signer, len(keys))
	for i, k := range keys {
		signers[i] = k
	}
	s, err := dsse.NewEnvelopeSigner(signers...)
	if err != nil {
		return nil, fmt.Errorf("preparing signer: %w", err)
	}
	envelope, err := s.SignPayload(context.Background(), PayloadType, payload)
	if err != nil {
		return nil, fmt.Errorf("signing document: %w", err)
	}
	return json.Marshal(envelope)
}

// Expect is what Open demands of a document besides a signature.
type Expect struct {
	Type       wire.DocType
	Device     wire.DeviceID // the reader; a document with another audience is refused
	MinVersion uint64        // a lower version is a rollback
	NowUS      int64         // trusted time; 0 skips the expiry check
}

// Open verifies envelope against the trusted keys (one valid signature is
// enough) and parses its document into doc, which must embed wire.Header.
// The errors are ErrUnreadable, ErrSignature, ErrType, ErrAudience,
// ErrRollback and ErrExpired, wrapped; doc is untouched on any of them.
func Open(envelope []byte, trusted []PublicKey, want Expect, doc any) (wire.Header, error) {
	return OpenLarge(envelope, MaxDocument, trusted, want, doc)
}

// OpenLarge is Open for an envelope of up to most bytes. It is for documents
// that no device reads.
func OpenLarge(envelope []byte, most int, trusted []PublicKey, want Expect, doc any) (wire.Header, error) {
	payload, err := verify(envelope, most, trusted)
	if err != nil {
		return wire.Header{}, err
	}
	var h wire.Header
	if err := json.Unmarshal(payload, &h); err != nil {
		return wire.Header{}, fmt.Errorf("parsing document header: %w", err)
	}
	switch {
	case h.Type != want.Type:
		return h, fmt.Errorf("%w: %q, want %q", ErrType, h.Type, want.Type)
	case h.Device != "" && h.Device != want.Device:
		return h, fmt.Errorf("%w: %q", ErrAudience, h.Device)
	case h.Version < want.MinVersion:
		return h, fmt.Errorf("%w: %d < %d", ErrRollback, h.Version, want.MinVersion)
	case want.NowUS != 0 && h.ExpiresUS != 0 && want.NowUS >= h.ExpiresUS:
		return h, fmt.Errorf("%w at %s", ErrExpired, wire.FromUS(h.ExpiresUS).Format("2006-01-02T15:04:05Z"))
	}
	if err := json.Unmarshal(payload, doc); err != nil {
		return h, fmt.Errorf("parsing %s document: %w", h.Type, err)
	}
	return h, nil
}

// Verify returns the signed bytes of envelope, or ErrSignature.
func Verify(envelope []byte, trusted []PublicKey) ([]byte, error) {
	return verify(envelope, MaxDocument, trusted)
}

func verify(envelope []byte, most int, trusted []PublicKey) ([]byte, error) {
	if len(envelope) > most {
		return nil, fmt.Errorf("%w: envelope of %d bytes: the limit is %d", ErrUnreadable, len(envelope), most)
	}
	var e dsse.Envelope
	if err := json.Unmarshal(envelope, &e); err != nil {
		return nil, fmt.Errorf("%w: parsing envelope: %w", ErrUnreadable, err)
	}
	if e.PayloadType != PayloadType {
		return nil, fmt.Errorf("%w: payload type %q", ErrType, e.PayloadType)
	}
	payload, err := e.DecodeB64Payload()
	if err != nil {
		return nil, fmt.Errorf("%w: parsing envelope: %w", ErrUnreadable, err)
	}
	pae := dsse.PAE(e.PayloadType, payload)
	for _, s := range e.Signatures {
		sig, err := base64.StdEncoding.DecodeString(s.Sig)
		if err != nil {
			continue
		}
		for _, k := range trusted {
			if len(k) == ed25519.PublicKeySize && ed25519.Verify(ed25519.PublicKey(k), pae, sig) {
				return payload, nil
			}
		}
	}
	return nil, ErrSignature
}

// SignedBy reports whether an envelope that Sign made names one of keys as a
// signer, without verifying anything. It is for the side that signed it, as
// Peek is, and cheap: a controller asks it for every plan that it offers.
func SignedBy(envelope []byte, keys ...PublicKey) bool {
	at := bytes.LastIndex(envelope, []byte(`"signatures":`))
	if at < 0 {
		return false
	}
	for _, k := range keys {
		if bytes.Contains(envelope[at:], []byte(`"keyid":"`+k.ID()+`"`)) {
			return true
		}
	}
	return false
}

// Sign, KeyID make Key a dsse.Signer.
func (k Key) Sign(_ context.Context, data []byte) ([]byte, error) {
	return ed25519.Sign(k.private, data), nil
}

// KeyID returns the ID of the public half.
func (k Key) KeyID() (string, error) { return k.Public().ID(), nil }

var _ dsse.Signer = Key{}

// Peek returns the document inside envelope without verifying anything. It is
// for the side that signed it, reading its own store; a device never peeks.
func Peek[T any](envelope []byte) (T, error) {
	var doc T
	var e dsse.Envelope
	if err := json.Unmarshal(envelope, &e); err != nil {
		return doc, fmt.Errorf("parsing envelope: %w", err)
	}
	payload, err := e.DecodeB64Payload()
	if err != nil {
		return doc, fmt.Errorf("parsing envelope: %w", err)
	}
	if err := json.Unmarshal(payload, &doc); err != nil {
		return doc, fmt.Errorf("parsing document: %w", err)
	}
	return doc, nil
}
