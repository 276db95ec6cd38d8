package trust

import (
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"gatecast/internal/durable"
	"gatecast/internal/evidence"
	"gatecast/internal/seal"
	"gatecast/internal/wire"
)

// Options of Open.
type Options struct {
	Names  []string         // host names and addresses by which devices reach the controller
	Now    func() time.Time // nil means time.Now
	Logger *slog.Logger     // nil discards
}

// ErrIncomplete says that a folder has lost a file it cannot do without.
var ErrIncomplete = errors.New("trust folder is incomplete")

// Authority is an open trust folder.
type Authority struct {
	dir    string           // immutable after Open
	now    func() time.Time // immutable after Open
	logger *slog.Logger     // immutable after Open
	names  []string         // immutable after Open; sorted, host names and addresses

	library, director seal.Key          // immutable after Open
	ca                *x509.Certificate // immutable after Open
	caKey             crypto.Signer     // immutable after Open
	pool              *x509.CertPool    // immutable after Open
	root              []byte            // immutable after Open; envelope
	rootDoc           wire.Root         // immutable after Open

	mu     sync.Mutex
	server leaf
	link   leaf
}

// Open opens the trust folder dir and creates it on first use. Certificates
// that are about to expire or do not cover o.Names are reissued. A folder that
// lost a file yields ErrIncomplete, and nothing is changed.
func Open(dir string, o Options) (*Authority, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	a := &Authority{dir: dir, now: o.Now, logger: o.Logger.With("component", "trust"), names: serverNames(o.Names)}
	if err := durable.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if _, err := durable.Clean(dir); err != nil {
		return nil, err
	}
	root, err := os.ReadFile(a.path("root.json"))
	complete := err == nil
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("reading root document: %w", err)
	}
	if err := a.loadKeys(complete); err != nil {
		return nil, err
	}
	if err := a.loadCA(complete); err != nil {
		return nil, err
	}
	if err := a.loadLeaves(); err != nil {
		return nil, err
	}
	if err := a.loadRoot(root); err != nil {
		return nil, err
	}
	return a, nil
}

func (a *Authority) path(name string) string { return filepath.Join(a.dir, name) }

// loadKeys reads the keys in daily use and, in a folder that is not complete
// yet, draws those that are missing.
func (a *Authority) loadKeys(complete bool) (err error) {
	if a.library, err = a.signingKey("library.key", complete); err != nil {
		return err
	}
	a.director, err = a.signingKey("director.key", complete)
	return err
}

// loadRoot takes the root document that is on disk, or signs the next version
// when it does not say what it should.
func (a *Authority) loadRoot(envelope []byte) error {
	want := wire.Root{
		Header:       wire.Header{Type: wire.DocRoot, Version: 1, IssuedUS: wire.US(a.now())},
		LibraryKeys:  []string{a.library.Public().String()},
		DirectorKeys: []string{a.director.Public().String()},
		CAs:          [][]byte{a.ca.Raw},
	}
	if envelope != nil {
		held, err := OpenRoot(envelope)
		if err != nil {
			return fmt.Errorf("root document %q: %w", a.path("root.json"), err)
		}
		if slices.Equal(held.LibraryKeys, want.LibraryKeys) && slices.Equal(held.DirectorKeys, want.DirectorKeys) &&
			slices.EqualFunc(held.CAs, want.CAs, func(x, y []byte) bool { return string(x) == string(y) }) {
			a.root, a.rootDoc = envelope, held
			return nil
		}
		want.Version = held.Version + 1
	}
	key, err := a.signingKey("root.key", envelope != nil)
	if err != nil {
		return fmt.Errorf("signing a new root document: %w", err)
	}
	want.RootKeys = []string{key.Public().String()}
	signed, err := seal.Sign(want, key)
	if err != nil {
		return err
	}
	if err := durable.WriteFile(a.path("root.json"), signed, 0o600); err != nil {
		return err
	}
	a.root, a.rootDoc = signed, want
	a.logger.Info("root document signed", "version", want.Version, "hash", seal.Hash(signed))
	return nil
}

// OpenRoot reads a root document that is signed by a root key of its own, as
// a device does with the first one after checking its hash.
func OpenRoot(envelope []byte) (wire.Root, error) { return evidence.OpenRoot(envelope) }

// RootEnvelope returns the signed root document. The caller must not change it.
func (a *Authority) RootEnvelope() []byte { return a.root }

// RootHash returns the hash by which join lines name the root document.
func (a *Authority) RootHash() string { return seal.Hash(a.root) }

// CA returns the certificate of the fleet's authority in DER.
func (a *Authority) CA() []byte { return a.ca.Raw }

// DirectorKeys and LibraryKeys return the public keys of the two roles.
func (a *Authority) DirectorKeys() []seal.PublicKey { return []seal.PublicKey{a.director.Public()} }

// LibraryKeys returns the public keys that sign manifests.
func (a *Authority) LibraryKeys() []seal.PublicKey { return []seal.PublicKey{a.library.Public()} }

// DeviceIDOf returns the name of the device that holds the key: "d" and the
// first 24 hex digits of the SHA-256 of its DER form (SPKI).
func DeviceIDOf(spki []byte) wire.DeviceID {
	return evidence.DeviceOf(spki)
}

// serverNames returns what the server certificate has to cover: names, this
// machine's own names for itself, and linkName.
func serverNames(names []string) []string {
	all := []string{linkName, "localhost", "127.0.0.1", "::1"}
	for _, n := range names {
		if n = strings.Trim(strings.TrimSpace(n), "[]"); n == "" {
			continue
		}
		if ip := net.ParseIP(n); ip != nil {
			n = ip.String()
		}
		all = append(all, strings.ToLower(n))
	}
	slices.Sort(all)
	return slices.Compact(all)
}
