package trust

import (
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
	"slices"

	"gatecast/internal/durable"
	"gatecast/internal/seal"
	"gatecast/internal/wire"
)

// Rotation says which key to replace and how.
type Rotation struct {
	Role Role
	// Root is the root key where it is kept offline; the zero value takes the
	// one in the folder.
	Root seal.Key
	// Public is the public half of a library or release key that was made
	// elsewhere; nil draws one. A library key from elsewhere means strict mode.
	Public seal.PublicKey
	// KeyOut is the file that takes the new secret of root or release, instead
	// of the folder; it must not exist.
	KeyOut string
	// Now ends a CA at once; Finish ends the time in which two count.
	Now, Finish bool
}

// Rotated says what a rotation has done.
type Rotated struct {
	Version  uint64   // of the root document that is in force now
	Old, New []string // ids of the role's keys
	Secret   seal.Key // the new root or release key, for paper; zero for others
}

// Errors of Rotate that callers tell apart.
var (
	// ErrNoRootKey means that the root key is not in the folder and was not
	// given, or is another one.
	ErrNoRootKey = errors.New("the root key is needed")
	// ErrOverlap means that two CAs count already, or that there is none to end.
	ErrOverlap = errors.New("not with the CAs as they are")
)

// Rotate replaces a key: it draws or takes the new one, signs the next root
// document with the root key (and with the new one too where that is what
// changes), and puts both into force. When it returns nil, that survives loss
// of power; cut short before, nothing has changed. The old secret is removed
// from the folder, and the old root document is kept for devices that have to
// follow. An Authority has rotated once only and is of no more use then: the
// folder has to be opened again.
//
// A CA is replaced in two steps, so that no device is left outside: from the
// first on, devices get certificates of the new one while the controller still
// shows one of the old, and both count; Finish takes the old one away once
// devices have renewed. With Now both happen at once: devices fetch the next
// root document, whose signature alone counts, from a server that they do not
// know yet.
func (a *Authority) Rotate(r Rotation) (Rotated, error) {
	root, err := a.rootKey(r.Root)
	if err != nil {
		return Rotated{}, err
	}
	next := a.rootDoc
	next.Version++
	next.IssuedUS = max(wire.US(a.now()), a.rootDoc.IssuedUS)
	c := change{a: a, next: &next, signers: []seal.Key{root}}
	if err := c.replace(r); err != nil {
		return Rotated{}, fmt.Errorf("rotating %s: %w", r.Role, err)
	}
	if err := c.commit(); err != nil {
		return Rotated{}, fmt.Errorf("rotating %s: %w", r.Role, err)
	}
	done := Rotated{Version: next.Version, Secret: c.secret}
	for _, k := range r.Role.keys(a.rootDoc) {
		done.Old = append(done.Old, keyID(k))
	}
	for _, k := range r.Role.keys(next) {
		done.New = append(done.New, keyID(k))
	}
	a.logger.Info("root document signed", "version", next.Version, "role", string(r.Role), "old", done.Old, "new", done.New)
	return done, nil
}

// rootKey returns the key that signs the next root document.
func (a *Authority) rootKey(given seal.Key) (seal.Key, error) {
	if given.IsZero() {
		text, err := os.ReadFile(a.path(rootKeyName))
		if errors.Is(err, fs.ErrNotExist) {
			return seal.Key{}, fmt.Errorf("%w: %q is not there", ErrNoRootKey, a.path(rootKeyName))
		}
		if err != nil {
			return seal.Key{}, fmt.Errorf("reading root key: %w", err)
		}
		if given, err = parseKey(text); err != nil {
			return seal.Key{}, fmt.Errorf("key file %q: %w", a.path(rootKeyName), err)
		}
	}
	if err := a.CheckRootKey(given); err != nil {
		return seal.Key{}, err
	}
	return given, nil
}

// CheckRootKey returns ErrNoRootKey unless k is a root key of this office.
func (a *Authority) CheckRootKey(k seal.Key) error {
	if !slices.Contains(a.rootDoc.RootKeys, k.Public().String()) {
		return fmt.Errorf("%w: key %s is not a root key of this office", ErrNoRootKey, k.Public().ID())
	}
	return nil
}

// change is a rotation before its commit.
type change struct {
	a       *Authority
	next    *wire.Root
	signers []seal.Key
	files   map[string][]byte // that take effect with next
	gone    []string          // that go with it
	outside string            // file for the secret, instead of the folder
	secret  seal.Key
}

func (c *change) replace(r Rotation) error {
	c.files, c.outside = map[string][]byte{}, r.KeyOut
	switch r.Role {
	case RootRole:
		if err := c.draw(rootKeyName); err != nil {
			return err
		}
		c.signers = append(c.signers, c.secret)
		c.next.RootKeys = []string{c.secret.Public().String()}
	case LibraryRole:
		if r.Public != nil {
			c.files[publicName], c.gone = []byte(r.Public.String()+"\n"), []string{libraryName}
			c.next.LibraryKeys = []string{r.Public.String()}
			return nil
		}
		c.outside = ""
		if err := c.draw(libraryName); err != nil {
			return err
		}
		c.next.LibraryKeys, c.gone = []string{c.secret.Public().String()}, []string{publicName}
		c.secret = seal.Key{}
	case DirectorRole:
		c.outside = ""
		if err := c.draw(directorName); err != nil {
			return err
		}
		c.next.PastDirectorKeys = append(slices.Clone(c.next.PastDirectorKeys), c.next.DirectorKeys...)
		c.next.DirectorKeys = []string{c.secret.Public().String()}
		c.secret = seal.Key{}
	case ReleaseRole:
		if r.Public != nil {
			c.next.ReleaseKeys, c.gone = []string{r.Public.String()}, []string{releaseName}
			return nil
		}
		if err := c.draw(releaseName); err != nil {
			return err
		}
		c.next.ReleaseKeys = []string{c.secret.Public().String()}
	case CARole:
		return c.replaceCA(r)
	default:
		return fmt.Errorf("no role %q", r.Role)
	}
	return nil
}

// draw makes a new secret for the file of that name.
func (c *change) draw(name string) (err error) {
	if c.secret, err = seal.NewKey(); err != nil {
		return err
	}
	if c.outside != "" {
		c.gone = append(c.gone, name)
		return nil
	}
	c.files[name] = formatKey(c.secret)
	return nil
}

func (c *change) replaceCA(r Rotation) error {
	a := c.a
	if r.Finish {
		if len(a.rootDoc.CAs) < 2 {
			return fmt.Errorf("%w: there is no second CA to take away", ErrOverlap)
		}
		c.next.CAs = [][]byte{a.ca.cert.Raw}
		return nil // settle removes the files
	}
	if len(a.rootDoc.CAs) > 1 && !r.Now {
		return fmt.Errorf("%w: the rotation before is not finished", ErrOverlap)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("drawing a key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fmt.Errorf("encoding a key: %w", err)
	}
	cert, err := newCA(key, a.now())
	if err != nil {
		return err
	}
	c.files["ca.key"] = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	c.files["ca.crt"] = cert
	block, _ := pem.Decode(cert)
	if c.next.CAs = [][]byte{block.Bytes}; r.Now {
		return nil
	}
	c.next.CAs = append(c.next.CAs, a.ca.cert.Raw)
	for _, ext := range []string{".key", ".crt"} {
		if c.files[oldCA+ext], err = a.read("ca"+ext, true); err != nil {
			return err
		}
	}
	return nil
}

// commit writes everything that waits for the next root document, then that.
func (c *change) commit() error {
	a, v := c.a, c.next.Version
	signed, err := seal.Sign(c.next, c.signers...)
	if err != nil {
		return err
	}
	if err := durable.WriteFile(a.path(oldRootName(a.rootDoc.Version)), a.root, 0o600); err != nil {
		return err
	}
	if c.outside != "" && !c.secret.IsZero() {
		if err := WriteKey(c.outside, c.secret); err != nil {
			return err
		}
	}
	for name, data := range c.files {
		if err := durable.WriteFile(a.path(stagedName(name, v)), data, 0o600); err != nil {
			return err
		}
	}
	if err := durable.WriteFile(a.path(rootName), signed, 0o600); err != nil {
		return err
	}
	before := a.rootDoc
	a.rootDoc = *c.next // what settle and Open go by
	err = errors.Join(a.settle(v), a.remove(c.gone...))
	a.rootDoc = before
	return err
}

// WriteKey writes a signing key to a new file, readable by its owner alone. A
// file that exists is left alone, and that is an error of fs.ErrExist.
func WriteKey(path string, k seal.Key) error { return WriteNew(path, formatKey(k)) }

// WriteNew writes a file that must not exist, durably, mode 0600.
func WriteNew(path string, data []byte) error {
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf("writing key file %q: %w", path, fs.ErrExist)
	}
	return durable.WriteFile(path, data, 0o600)
}

func formatKey(k seal.Key) []byte {
	return []byte(base64.StdEncoding.EncodeToString(k.Seed()) + "\n")
}
