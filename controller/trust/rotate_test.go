package trust

import (
	"crypto/x509"
	"encoding/base64"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"gatecast/internal/seal"
	"gatecast/internal/wire"
)

// rotate rotates and opens the folder again, as the command does.
func rotate(t *testing.T, dir string, r Rotation) (*Authority, Rotated) {
	t.Helper()
	done, err := newTestAuthority(t, dir, Options{}).Rotate(r)
	if err != nil {
		t.Fatal(err)
	}
	return newTestAuthority(t, dir, Options{}), done
}

// checkChain verifies every root document by the one before.
func checkChain(t *testing.T, a *Authority) {
	t.Helper()
	var trusted []seal.PublicKey
	for v := uint64(1); v <= a.RootVersion(); v++ {
		env, ok := a.RootOf(v)
		if !ok {
			t.Fatalf("root %d is missing", v)
		}
		own, err := OpenRoot(env)
		if err != nil || own.Version != v {
			t.Fatalf("root %d: version %d, %v", v, own.Version, err)
		}
		if v > 1 {
			if _, err := seal.Verify(env, trusted); err != nil {
				t.Errorf("root %d is not signed by the one before: %v", v, err)
			}
		}
		trusted = known(own.RootKeys)
	}
	if _, ok := a.RootOf(a.RootVersion() + 1); ok {
		t.Error("there is a root after the last")
	}
}

func TestRotateEveryKey(t *testing.T) {
	dir := t.TempDir()
	a := newTestAuthority(t, dir, Options{})
	for i, role := range []Role{DirectorRole, LibraryRole, RootRole, ReleaseRole, CARole, DirectorRole} {
		before := role.keys(a.rootDoc)
		b, done := rotate(t, dir, Rotation{Role: role})
		if done.Version != uint64(i+2) || b.RootVersion() != done.Version {
			t.Fatalf("%s: version %d and %d, want %d", role, done.Version, b.RootVersion(), i+2)
		}
		if slices.Equal(role.keys(b.rootDoc), before) {
			t.Errorf("%s: the key is the same", role)
		}
		for _, other := range Roles {
			if other != role && !slices.Equal(other.keys(b.rootDoc), other.keys(a.rootDoc)) {
				t.Errorf("rotating %s changed %s", role, other)
			}
		}
		checkChain(t, b)
		a = b
	}
	if len(a.rootDoc.PastDirectorKeys) != 2 {
		t.Errorf("%d past director keys, want 2", len(a.rootDoc.PastDirectorKeys))
	}
	for _, k := range a.Keys() {
		if want := map[Role]uint64{LibraryRole: 3, RootRole: 4, ReleaseRole: 5, DirectorRole: 7}[k.Role]; want != 0 && k.Root != want {
			t.Errorf("%s came with root %d, want %d", k.Role, k.Root, want)
		}
		if !k.Here {
			t.Errorf("%s is not in the folder", k.Role)
		}
	}
}

func TestReceiptsOfARetiredKeyStillCount(t *testing.T) {
	dir := t.TempDir()
	a := newTestAuthority(t, dir, Options{})
	r := wire.Receipt{Header: wire.Header{Device: "gate7", Version: 1}, Log: "l", Upto: 3, Hash: string(make([]byte, 0)) + "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", Count: 3}
	receipt, err := a.SealReceipt(&r)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := a.SealPlan(&wire.Plan{Header: wire.Header{Device: "gate7", Version: 3}})
	if err != nil {
		t.Fatal(err)
	}
	b, _ := rotate(t, dir, Rotation{Role: DirectorRole})
	if _, err := b.OpenReceipt(receipt, "gate7"); err != nil {
		t.Errorf("OpenReceipt: %v", err)
	}
	if !a.InForce(wire.DocPlan, plan) || b.InForce(wire.DocPlan, plan) {
		t.Error("a plan of the retired key counts, or one of the key in force does not")
	}
}

func TestRotateWithTheRootKeyOffline(t *testing.T) {
	dir, out := t.TempDir(), filepath.Join(t.TempDir(), "new-root.key")
	a := newTestAuthority(t, dir, Options{})
	text, err := os.ReadFile(a.path(rootKeyName))
	if err != nil {
		t.Fatal(err)
	}
	key, err := parseKey(text)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(a.path(rootKeyName)); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Rotate(Rotation{Role: DirectorRole}); !errors.Is(err, ErrNoRootKey) {
		t.Errorf("without the root key: %v", err)
	}
	stranger, err := seal.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Rotate(Rotation{Role: DirectorRole, Root: stranger}); !errors.Is(err, ErrNoRootKey) {
		t.Errorf("with a stranger's key: %v", err)
	}
	if newTestAuthority(t, dir, Options{}).RootVersion() != 1 {
		t.Error("a refused rotation changed the root")
	}
	b, done := rotate(t, dir, Rotation{Role: RootRole, Root: key, KeyOut: out})
	if _, err := os.Stat(b.path(rootKeyName)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the new root key is in the folder: %v", err)
	}
	if text, err := os.ReadFile(out); err != nil || string(text) != base64.StdEncoding.EncodeToString(done.Secret.Seed())+"\n" {
		t.Errorf("%s: %q, %v", out, text, err)
	}
	if b.CheckRootKey(done.Secret) != nil || b.CheckRootKey(key) == nil {
		t.Error("the old root key counts, or the new one does not")
	}
	if _, err := b.Rotate(Rotation{Role: RootRole, Root: done.Secret, KeyOut: out}); !errors.Is(err, fs.ErrExist) {
		t.Errorf("over an existing file: %v", err)
	}
}

// TestRotationCutShort stops a rotation after each of its files and opens the
// folder: it has either the old keys or the new ones, never a mixture.
func TestRotationCutShort(t *testing.T) {
	for _, r := range []Rotation{{Role: DirectorRole}, {Role: LibraryRole}, {Role: RootRole}, {Role: CARole}, {Role: CARole, Now: true}} {
		whole := t.TempDir()
		newTestAuthority(t, whole, Options{})
		before := content(t, whole)
		a := newTestAuthority(t, whole, Options{})
		next := a.rootDoc
		next.Version++
		key, err := a.rootKey(seal.Key{})
		if err != nil {
			t.Fatal(err)
		}
		c := change{a: a, next: &next, signers: []seal.Key{key}}
		if err := c.replace(r); err != nil {
			t.Fatal(err)
		}
		signed, err := seal.Sign(next, c.signers...)
		if err != nil {
			t.Fatal(err)
		}
		for _, committed := range []bool{false, true} {
			dir := t.TempDir()
			for name, data := range before {
				write(t, dir, name, data)
			}
			write(t, dir, oldRootName(1), a.root)
			for name, data := range c.files {
				write(t, dir, stagedName(name, 2), data)
			}
			want := uint64(1)
			if committed {
				write(t, dir, rootName, signed)
				want = 2
			}
			for range 2 {
				if got := newTestAuthority(t, dir, Options{}).RootVersion(); got != want {
					t.Errorf("%s, committed %v: root %d, want %d", r.Role, committed, got, want)
				}
			}
			for name := range content(t, dir) {
				if staged.MatchString(name) {
					t.Errorf("%s, committed %v: %s is left", r.Role, committed, name)
				}
			}
		}
	}
}

func write(t *testing.T, dir, name string, data []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func content(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]byte{}
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		all[e.Name()] = data
	}
	return all
}

// TestCAOverlaps follows a device's certificate and the controller's own
// through a rotation in two steps, and one at once.
func TestCAOverlaps(t *testing.T) {
	dir := t.TempDir()
	a := newTestAuthority(t, dir, Options{})
	issue := func(a *Authority) *x509.Certificate {
		der, _, _, err := a.IssueDevice(newTestCSR(t, newTestKey(t)), testNow)
		if err != nil {
			t.Fatal(err)
		}
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		return cert
	}
	counts := func(cert *x509.Certificate, pool *x509.CertPool) bool {
		_, err := cert.Verify(x509.VerifyOptions{Roots: pool, CurrentTime: testNow.Add(time.Second), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
		return err == nil
	}
	old := issue(a)
	b, _ := rotate(t, dir, Rotation{Role: CARole})
	fresh := issue(b)
	if !counts(old, b.pool) || !counts(fresh, b.pool) || counts(fresh, a.pool) {
		t.Error("while both count, one does not, or a device with the old root believes the new CA")
	}
	if !counts(b.server.cert.Leaf, a.pool) {
		t.Error("devices with the old root cannot reach the controller any more")
	}
	if _, err := b.Rotate(Rotation{Role: CARole}); !errors.Is(err, ErrOverlap) {
		t.Errorf("a third CA: %v", err)
	}
	c, _ := rotate(t, dir, Rotation{Role: CARole, Finish: true})
	if counts(old, c.pool) || !counts(fresh, c.pool) || !counts(c.server.cert.Leaf, c.pool) {
		t.Error("after the end the old CA counts, or the new one does not")
	}
	if c.verify(old, true) != nil {
		t.Error("a device that was away cannot renew")
	}
	if _, err := os.Stat(c.path(oldCA + ".key")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the old CA's key is still there: %v", err)
	}
	if _, err := c.Rotate(Rotation{Role: CARole, Finish: true}); !errors.Is(err, ErrOverlap) {
		t.Errorf("finished twice: %v", err)
	}
	d, _ := rotate(t, dir, Rotation{Role: CARole, Now: true})
	if counts(fresh, d.pool) || counts(d.server.cert.Leaf, c.pool) || !counts(d.server.cert.Leaf, d.pool) {
		t.Error("a CA that was taken away at once still counts")
	}
	checkChain(t, d)
}

func TestStrictModeKeepsTheLibraryKeyAway(t *testing.T) {
	dir, out := t.TempDir(), filepath.Join(t.TempDir(), "library.key")
	a := newTestAuthority(t, dir, Options{})
	manifest := &wire.Manifest{Header: wire.Header{Version: 1}}
	plain := func(k seal.Key) ([]byte, error) { return formatKey(k), nil }
	if err := a.GoStrict(out, plain); err != nil {
		t.Fatal(err)
	}
	b := newTestAuthority(t, dir, Options{})
	if _, err := b.SealManifest(manifest); !errors.Is(err, ErrNeedsSigning) || !b.Strict() {
		t.Errorf("SealManifest = %v, strict %v", err, b.Strict())
	}
	for name, data := range content(t, dir) {
		if string(data) == string(formatKey(a.library)) {
			t.Errorf("the library key is in %s", name)
		}
	}
	if b.RootVersion() != 1 {
		t.Error("taking the key out changed the root")
	}
	if err := b.GoStrict(out, plain); !errors.Is(err, ErrMode) {
		t.Errorf("twice: %v", err)
	}
	if b.GoDefault(a.director) == nil {
		t.Error("another key was taken for the library's")
	}
	if err := b.GoDefault(a.library); err != nil {
		t.Fatal(err)
	}
	c := newTestAuthority(t, dir, Options{})
	if _, err := c.SealManifest(manifest); err != nil || c.Strict() {
		t.Errorf("back in default mode: %v, strict %v", err, c.Strict())
	}
	elsewhere, err := seal.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	d, _ := rotate(t, dir, Rotation{Role: LibraryRole, Public: elsewhere.Public()})
	if !d.Strict() || d.RootVersion() != 2 || d.LibraryKeys()[0].ID() != elsewhere.Public().ID() {
		t.Errorf("strict %v, root %d, keys %v", d.Strict(), d.RootVersion(), d.LibraryKeys())
	}
	env, err := seal.Sign(wire.Manifest{Header: wire.Header{Type: wire.DocManifest, Version: 4}}, elsewhere)
	if err != nil {
		t.Fatal(err)
	}
	if m, err := d.OpenManifest(env); err != nil || m.Version != 4 || !d.InForce(wire.DocManifest, env) {
		t.Errorf("OpenManifest = %v", err)
	}
	e, _ := rotate(t, dir, Rotation{Role: LibraryRole})
	if e.Strict() {
		t.Error("a library key drawn here leaves the office in strict mode")
	}
	checkChain(t, e)
}
