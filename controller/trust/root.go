package trust

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"time"

	"gatecast/internal/durable"
	"gatecast/internal/seal"
	"gatecast/internal/wire"
)

// Names of files in the folder.
const (
	rootName     = "root.json"
	rootKeyName  = "root.key"
	libraryName  = "library.key"
	publicName   = "library.pub"
	directorName = "director.key"
	releaseName  = "release.key"
	oldCA        = "ca-old"
)

// oldRoot is a root document that was in force before.
type oldRoot struct {
	wire.Root
	envelope []byte
}

func oldRootName(version uint64) string { return fmt.Sprintf("root-%d.json", version) }

// stagedName is the name under which a file waits for root document version
// to be in force.
func stagedName(name string, version uint64) string { return fmt.Sprintf("%s.v%d", name, version) }

var staged = regexp.MustCompile(`^(.+)\.v([0-9]+)$`)

// loadRoot reads the root document and those before it. complete is false
// where there is none yet. Files of a rotation that was cut short take their
// places when the document is there, and go when it is not.
func (a *Authority) loadRoot() (complete bool, err error) {
	envelope, err := os.ReadFile(a.path(rootName))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("reading root document: %w", err)
	}
	if a.rootDoc, err = OpenRoot(envelope); err != nil {
		return false, fmt.Errorf("root document %q: %w", a.path(rootName), err)
	}
	for _, keys := range [][]string{a.rootDoc.LibraryKeys, a.rootDoc.DirectorKeys, a.rootDoc.ReleaseKeys, a.rootDoc.PastDirectorKeys} {
		if _, err := seal.ParsePublicKeys(keys); err != nil {
			return false, fmt.Errorf("root document %q: %w", a.path(rootName), err)
		}
	}
	a.root = envelope
	if err := a.settle(a.rootDoc.Version); err != nil {
		return false, fmt.Errorf("finishing a rotation: %w", err)
	}
	for v := a.rootDoc.Version - 1; v > 0; v-- {
		old, err := os.ReadFile(a.path(oldRootName(v)))
		if errors.Is(err, fs.ErrNotExist) {
			break // folders of before the chain was kept
		}
		if err != nil {
			return false, fmt.Errorf("reading root document: %w", err)
		}
		doc, err := OpenRoot(old)
		if err != nil || doc.Version != v {
			return false, fmt.Errorf("root document %q: version %d: %w", a.path(oldRootName(v)), doc.Version, errors.Join(err, ErrIncomplete))
		}
		a.past = append(a.past, oldRoot{doc, old})
	}
	return true, nil
}

// settle gives the files that waited for a root document up to version their
// names, and removes those that waited for a later one.
func (a *Authority) settle(version uint64) error {
	entries, err := os.ReadDir(a.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		m := staged.FindStringSubmatch(e.Name())
		if m == nil {
			continue
		}
		if v, err := strconv.ParseUint(m[2], 10, 64); err != nil || v > version {
			if err := a.remove(e.Name()); err != nil {
				return err
			}
		} else if err := durable.Rename(a.path(e.Name()), a.path(m[1])); err != nil {
			return err
		}
	}
	if len(a.rootDoc.CAs) == 1 {
		return a.remove(oldCA+".key", oldCA+".crt")
	}
	return nil
}

// remove removes files durably; one that is not there is no error.
func (a *Authority) remove(names ...string) error {
	for _, name := range names {
		if err := os.Remove(a.path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("removing %q: %w", a.path(name), err)
		}
	}
	return durable.SyncDir(a.dir)
}

// firstRoot signs the first root document of a new folder.
func (a *Authority) firstRoot() error {
	root, err := a.signingKey(rootKeyName, false)
	if err != nil {
		return fmt.Errorf("signing a root document: %w", err)
	}
	release, err := a.signingKey(releaseName, false)
	if err != nil {
		return err
	}
	a.rootDoc = wire.Root{
		Header:       wire.Header{Type: wire.DocRoot, Version: 1, IssuedUS: wire.US(a.now())},
		RootKeys:     []string{root.Public().String()},
		LibraryKeys:  []string{a.library.Public().String()},
		DirectorKeys: []string{a.director.Public().String()},
		ReleaseKeys:  []string{release.Public().String()},
		CAs:          [][]byte{a.ca.cert.Raw},
	}
	if a.root, err = seal.Sign(a.rootDoc, root); err != nil {
		return err
	}
	if err := durable.WriteFile(a.path(rootName), a.root, 0o600); err != nil {
		return err
	}
	a.logger.Info("root document signed", "version", a.rootDoc.Version, "hash", a.RootHash())
	return nil
}

// RootVersion returns the version of the root document in force.
func (a *Authority) RootVersion() uint64 { return a.rootDoc.Version }

// RootOf returns the envelope of a version of the root document, so that a
// device which missed some can follow one by one. ok is false where there is
// none. The caller must not change it.
func (a *Authority) RootOf(version uint64) (envelope []byte, ok bool) {
	if version == a.rootDoc.Version {
		return a.root, true
	}
	for _, old := range a.past {
		if old.Version == version {
			return old.envelope, true
		}
	}
	return nil, false
}

// Heard reports whether a device that obeys that version of the root document
// believes what the director signs now. Of a version that is not known, and of
// 0, nothing is known against it.
func (a *Authority) Heard(version uint64) bool {
	for _, old := range a.past {
		if old.Version == version {
			return slices.Contains(old.DirectorKeys, a.director.Public().String())
		}
	}
	return true
}

// Key is what is known of a key in force.
type Key struct {
	Role  Role
	ID    string    // as in envelopes; of a CA, of its certificate's key
	Since time.Time // when the first root document with it was signed
	Root  uint64    // version of that document
	Here  bool      // the secret half is in the folder
	Going bool      // a CA that counts until devices have the next one
}

// Keys returns every key in force, by role.
func (a *Authority) Keys() []Key {
	var all []Key
	for _, role := range Roles {
		for i, name := range role.keys(a.rootDoc) {
			k := Key{Role: role, ID: keyID(name), Here: a.has(role, i), Going: i > 0}
			for _, doc := range append([]oldRoot{{Root: a.rootDoc}}, a.past...) {
				if !slices.Contains(role.keys(doc.Root), name) {
					break
				}
				k.Root, k.Since = doc.Version, wire.FromUS(doc.IssuedUS)
			}
			all = append(all, k)
		}
	}
	return all
}

func (a *Authority) has(role Role, i int) bool {
	name := string(role) + ".key"
	if role == CARole && i > 0 {
		name = oldCA + ".key"
	}
	_, err := os.Stat(filepath.Join(a.dir, name))
	return err == nil
}
