package plan

import (
	"testing"

	"pgregory.net/rapid"

	"gatecast/internal/seal"
	"gatecast/internal/wire"
)

// TestOnlyTheChainIsAccepted shows a device roots in any order, with gaps,
// repeats, roots that were signed by the wrong keys and whole foreign chains.
// The device has exactly the version that the right ones lead to, one by one.
func TestOnlyTheChainIsAccepted(t *testing.T) {
	const length = 5
	offices := make([]office, length+1) // offices[v] has the keys of root v
	for v := range offices {
		offices[v] = newOffice(t)
	}
	good := func(v uint64) []byte {
		return sign(t, offices[v].rootDoc(v), offices[v-1].root, offices[v].root)
	}
	shapes := []func(v uint64) []byte{
		good,
		func(v uint64) []byte { return sign(t, offices[v].rootDoc(v), offices[v].root) },   // not by the one before
		func(v uint64) []byte { return sign(t, offices[v].rootDoc(v), offices[v-1].root) }, // not by itself
		func(v uint64) []byte { return sign(t, offices[0].rootDoc(v), offices[0].root) },   // a stranger's
		func(v uint64) []byte { // by the director
			return sign(t, offices[v].rootDoc(v), offices[v-1].director, offices[v].root)
		},
		func(v uint64) []byte { return sign(t, offices[v].rootDoc(v+2), offices[v-1].root, offices[v].root) }, // leaps
	}
	rapid.Check(t, func(rt *rapid.T) {
		dir := t.TempDir()
		pinned := sign(t, offices[1].rootDoc(1), offices[1].root)
		s, err := Open(dir, device, pinned, nil)
		if err != nil {
			rt.Fatal(err)
		}
		want := uint64(1)
		for range rapid.IntRange(1, 25).Draw(rt, "shown") {
			v := uint64(rapid.IntRange(2, length).Draw(rt, "version"))
			shape := rapid.IntRange(0, 2*len(shapes)).Draw(rt, "shape") % len(shapes)
			err := s.AcceptRoot(shapes[shape](v))
			follows := shape == 0 && v == want+1
			if follows {
				want = v
			}
			// The root in force shown again is no error, and changes nothing.
			if follows && err != nil || !follows && err == nil && (v != want || shape == 5) {
				rt.Fatalf("shape %d of root %d after %d: %v", shape, v, want, err)
			}
			if got := s.Root().Version; got != want {
				rt.Fatalf("root %d in force, want %d", got, want)
			}
		}
		again, err := Open(dir, device, pinned, nil)
		if err != nil || again.Root().Version != want {
			rt.Fatalf("after a restart: %v, root %d, want %d", err, again.Root().Version, want)
		}
	})
}

func TestARetiredKeyCountsNoMore(t *testing.T) {
	one, two, dir := newOffice(t), newOffice(t), t.TempDir()
	s := openStore(t, dir, one)
	if _, err := s.Accept(sign(t, planDoc(7, 1), one.director), sign(t, manifestDoc(3, 1), one.library), 0); err != nil {
		t.Fatal(err)
	}
	next := sign(t, two.rootDoc(2), one.root, two.root)
	if err := s.AcceptRoot(next); err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]*Store{"at_once": s, "reopened": openStore(t, dir, one)} {
		if _, _, _, ok := s.Current(); ok {
			t.Errorf("%s: a plan by retired keys is in force", name)
		}
		if s.Damaged() || len(s.Mended()) > 0 {
			t.Errorf("%s: it counts as damage: %v", name, s.Mended())
		}
	}
	plan, manifest := planDoc(8, 1), manifestDoc(4, 1)
	for name, by := range map[string][2]seal.Key{
		"retired_director": {one.director, two.library}, "retired_library": {two.director, one.library},
	} {
		if _, err := s.Accept(sign(t, plan, by[0]), sign(t, manifest, by[1]), 0); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := s.Accept(sign(t, planDoc(6, 1), two.director), sign(t, manifest, two.library), 0); err == nil {
		t.Error("a version below the one held before was accepted")
	}
	if _, err := s.Accept(sign(t, plan, two.director), sign(t, manifest, two.library), 0); err != nil {
		t.Errorf("by the new keys: %v", err)
	}
}

// TestFollowLeavesNoMomentWithoutAPlan holds that a rotation with its new
// documents takes over as one step, and that documents which do not hold leave
// nothing of the retired ones.
func TestFollowLeavesNoMomentWithoutAPlan(t *testing.T) {
	one, two := newOffice(t), newOffice(t)
	next := sign(t, two.rootDoc(2), one.root, two.root)
	plan, manifest := planDoc(8, 1), manifestDoc(4, 1)
	tests := map[string]struct {
		roots    [][]byte
		director seal.Key
		version  uint64 // of the root afterwards
		plan     uint64 // 0 for none
	}{
		"new_keys":      {[][]byte{next}, two.director, 2, 8},
		"retired_key":   {[][]byte{next}, one.director, 2, 0},
		"a_gap":         {[][]byte{sign(t, two.rootDoc(3), one.root, two.root)}, two.director, 1, 7},
		"stranger_root": {[][]byte{sign(t, two.rootDoc(2), two.root)}, two.director, 1, 7},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := openStore(t, t.TempDir(), one)
			if _, err := s.Accept(sign(t, planDoc(7, 1), one.director), sign(t, manifestDoc(3, 1), one.library), 0); err != nil {
				t.Fatal(err)
			}
			_, err := s.Follow(tt.roots, sign(t, plan, tt.director), sign(t, manifest, two.library), 0)
			if (err == nil) != (tt.plan == 8) {
				t.Errorf("Follow = %v", err)
			}
			var got uint64
			if p, _, _, ok := s.Current(); ok {
				got = p.Version
			}
			if s.Root().Version != tt.version || got != tt.plan {
				t.Errorf("root %d and plan %d, want %d and %d", s.Root().Version, got, tt.version, tt.plan)
			}
		})
	}
}

// TestPowerCutBetweenRootAndPlan holds that a device which lost power after it
// stored a root, and before the plan that holds by it, has no damage to report.
func TestPowerCutBetweenRootAndPlan(t *testing.T) {
	one, two, dir := newOffice(t), newOffice(t), t.TempDir()
	s := openStore(t, dir, one)
	if _, err := s.Accept(sign(t, planDoc(7, 1), one.director), sign(t, manifestDoc(3, 1), one.library), 0); err != nil {
		t.Fatal(err)
	}
	if err := s.acceptRoot(sign(t, two.rootDoc(2), one.root, two.root)); err != nil {
		t.Fatal(err)
	}
	s = openStore(t, dir, one)
	if _, _, _, ok := s.Current(); ok || s.Damaged() || len(s.Mended()) > 0 {
		t.Errorf("in force %v, damaged %v, mended %v; want nothing of it", ok, s.Damaged(), s.Mended())
	}
}

// TestRevocationOutlivesItsKey holds I7: a revoked device stays so when the
// director's key is rotated, and a retired key revokes nobody.
func TestRevocationOutlivesItsKey(t *testing.T) {
	one, two, dir := newOffice(t), newOffice(t), t.TempDir()
	two.root = one.root
	doc := two.rootDoc(2)
	doc.PastDirectorKeys = []string{one.director.Public().String()}
	next := sign(t, doc, one.root)
	revocation := sign(t, wire.Revocation{Header: wire.Header{Type: wire.DocRevoked, Device: device, Version: 1}, AtUS: 1}, one.director)
	s := openStore(t, dir, one)
	if err := s.Revoke(revocation); err != nil {
		t.Fatal(err)
	}
	if err := s.AcceptRoot(next); err != nil {
		t.Fatal(err)
	}
	if s = openStore(t, dir, one); !s.Revoked() {
		t.Error("the device plays again after a rotation")
	}
	fresh := openStore(t, t.TempDir(), one)
	if err := fresh.AcceptRoot(next); err != nil {
		t.Fatal(err)
	}
	if err := fresh.Revoke(revocation); err == nil {
		t.Error("a retired key revoked a device")
	}
}
