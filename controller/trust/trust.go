package trust

import (
	"crypto/x509"
	"errors"
	"fmt"
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

	library  seal.Key       // immutable after Open; zero in strict mode
	strict   bool           // immutable after Open
	director seal.Key       // immutable after Open
	ca       issuer         // immutable after Open; signs devices
	serverCA issuer         // immutable after Open; signs the controller's own: while ca is new, the one before it
	pool     *x509.CertPool // immutable after Open; CAs of the root document
	ever     *x509.CertPool // immutable after Open; those, and CAs of earlier root documents
	root     []byte         // immutable after Open; envelope
	rootDoc  wire.Root      // immutable after Open
	past     []oldRoot      // immutable after Open; earlier root documents, newest first

	mu     sync.Mutex
	server leaf
	link   leaf
}

// Open opens the trust folder dir and creates it on first use. Certificates
// that are about to expire or do not cover o.Names are reissued, and a rotation
// that was cut short is finished or undone. A folder that lost a file, or has
// one that the root document does not name, yields ErrIncomplete, and nothing
// is changed.
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
	complete, err := a.loadRoot()
	if err != nil {
		return nil, err
	}
	if err := a.loadKeys(complete); err != nil {
		return nil, err
	}
	if err := a.loadCA(complete); err != nil {
		return nil, err
	}
	if !complete {
		if err := a.firstRoot(); err != nil {
			return nil, err
		}
	}
	if err := a.loadPools(); err != nil {
		return nil, err
	}
	return a, a.loadLeaves()
}

// Exists reports whether dir holds a complete trust folder.
func Exists(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, rootName))
	return err == nil
}

func (a *Authority) path(name string) string { return filepath.Join(a.dir, name) }

// loadKeys reads the keys in daily use and, in a folder that is not complete
// yet, draws those that are missing.
func (a *Authority) loadKeys(complete bool) (err error) {
	if a.strict, err = a.loadMode(complete); err != nil {
		return err
	}
	if !a.strict {
		if a.library, err = a.signingKey(libraryName, complete); err != nil {
			return err
		}
	}
	if a.director, err = a.signingKey(directorName, complete); err != nil || !complete {
		return err
	}
	if !a.strict && !slices.Contains(a.rootDoc.LibraryKeys, a.library.Public().String()) {
		return fmt.Errorf("%w: %q is not the key that the root document names", ErrIncomplete, a.path(libraryName))
	}
	if !slices.Contains(a.rootDoc.DirectorKeys, a.director.Public().String()) {
		return fmt.Errorf("%w: %q is not the key that the root document names", ErrIncomplete, a.path(directorName))
	}
	return nil
}

// OpenRoot reads a root document that is signed by a root key of its own, as
// a device does with the first one after checking its hash.
func OpenRoot(envelope []byte) (wire.Root, error) { return evidence.OpenRoot(envelope) }

// RootEnvelope returns the signed root document. The caller must not change it.
func (a *Authority) RootEnvelope() []byte { return a.root }

// RootHash returns the hash by which join lines name the root document.
func (a *Authority) RootHash() string { return seal.Hash(a.root) }

// CA returns the certificate of the authority that signs devices, in DER.
func (a *Authority) CA() []byte { return a.ca.cert.Raw }

// DirectorKeys returns the public keys that sign plans and commands.
func (a *Authority) DirectorKeys() []seal.PublicKey { return known(a.rootDoc.DirectorKeys) }

// LibraryKeys returns the public keys that sign manifests.
func (a *Authority) LibraryKeys() []seal.PublicKey { return known(a.rootDoc.LibraryKeys) }

// known parses keys that were parsed before.
func known(keys []string) []seal.PublicKey {
	parsed, _ := seal.ParsePublicKeys(keys)
	return parsed
}

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
