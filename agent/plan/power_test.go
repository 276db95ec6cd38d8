package plan

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"gatecast/internal/seal"
	"gatecast/internal/simulate/disk"
	"gatecast/internal/wire"
)

const storeDir = "/data/plan"

func newDisk(seed int) *disk.Disk { return disk.New(rand.New(rand.NewPCG(uint64(seed), 7))) }

// reached is how far a store has come, as its user knows.
type reached struct{ plan, root, counter uint64 }

// papers are the documents of the script below, signed once.
type papers struct {
	pinned   []byte
	plans    [][2][]byte // from version 1 on
	root     []byte      // version 2
	commands [][]byte    // from counter 1 on
}

func newPapers(t testing.TB) papers {
	t.Helper()
	one, two := newOffice(t), newOffice(t)
	p := papers{pinned: sign(t, one.rootDoc(1), one.root)}
	next := one.rootDoc(2) // the same keys for documents, another root key
	next.RootKeys = []string{two.root.Public().String()}
	p.root = sign(t, next, one.root, two.root)
	for v := range uint64(3) {
		p.plans = append(p.plans, [2][]byte{sign(t, planDoc(v+1, 1), one.director), sign(t, manifestDoc(v+1, 1), one.library)})
		c := wire.Command{
			Header: wire.Header{Type: wire.DocCommand, Device: device, Version: 1, IssuedUS: wire.US(issued), ExpiresUS: wire.US(issued) + 1_000_000},
			ID:     fmt.Sprint(v + 1), Counter: v + 1, Nonce: "nonce", Do: "stop",
		}
		p.commands = append(p.commands, sign(t, c, one.director))
	}
	return p
}

// script opens a store and takes all papers. done is what was confirmed.
func (p papers) script(d *disk.Disk, done *reached) error {
	s, err := Open(storeDir, device, p.pinned, d)
	if err != nil {
		return err
	}
	for i := range p.plans {
		if _, err := s.Accept(p.plans[i][0], p.plans[i][1], 0); err != nil {
			return err
		}
		done.plan++
		if _, err := s.VerifyCommand(p.commands[i], "nonce", 0); err != nil {
			return err
		}
		done.counter++
		if i == 1 {
			if err := s.AcceptRoot(p.root); err != nil {
				return err
			}
			done.root = 2
		}
	}
	return nil
}

// TestPowerCutWhileAccepting cuts the power at each operation. Versions never
// go back, nothing is called damaged, and the rest can be accepted.
func TestPowerCutWhileAccepting(t *testing.T) {
	p := newPapers(t)
	for at := 1; ; at++ {
		for seed := range 2 {
			d, done := newDisk(seed), reached{}
			d.CutAt(at)
			if err := p.script(d, &done); err == nil && !d.Dead() {
				t.Logf("%d operations", at-1)
				return
			} else if err != nil && !errors.Is(err, disk.ErrPower) {
				t.Fatal(err)
			}
			d = d.Boot()
			s, err := Open(storeDir, device, p.pinned, d)
			if err != nil {
				t.Fatalf("cut at %d, seed %d: %v", at, seed, err)
			}
			var have uint64
			if now, _, _, ok := s.Current(); ok {
				have = now.Version
			}
			if have < done.plan || have > done.plan+1 || s.Root().Version < done.root || s.counter < done.counter || len(s.Mended()) > 0 {
				t.Fatalf("cut at %d, seed %d: plan %d, root %d, counter %d, mended %v; confirmed were %+v", at, seed, have, s.Root().Version, s.counter, s.Mended(), done)
			}
			for i, docs := range p.plans {
				_, err := s.Accept(docs[0], docs[1], 0)
				if old := uint64(i+1) < have; old != errors.Is(err, seal.ErrRollback) || !old && err != nil {
					t.Fatalf("cut at %d, seed %d: accepting version %d when %d is held: %v", at, seed, i+1, have, err)
				}
			}
			if err := s.AcceptRoot(p.root); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestDamagedPlanIsFetchedAgainAndNotAnOlderOne flips a bit of the stored
// documents, or makes them unreadable. They are not obeyed, older ones and
// other ones of the same version are refused, and the same ones are taken.
func TestDamagedPlanIsFetchedAgainAndNotAnOlderOne(t *testing.T) {
	o := newOffice(t)
	root := sign(t, o.rootDoc(1), o.root)
	old := [2][]byte{sign(t, planDoc(6, 1), o.director), sign(t, manifestDoc(2, 1), o.library)}
	now := [2][]byte{sign(t, planDoc(7, 1), o.director), sign(t, manifestDoc(3, 1), o.library)}
	other := planDoc(7, 1)
	other.PointName = "another"
	lost := 0
	for seed := range 48 {
		d := newDisk(seed)
		s, err := Open(storeDir, device, root, d)
		if err != nil {
			t.Fatal(err)
		}
		for _, docs := range [][2][]byte{old, now} {
			if _, err := s.Accept(docs[0], docs[1], 0); err != nil {
				t.Fatal(err)
			}
		}
		harm := d.Rot
		if seed%4 == 0 {
			harm = d.Spoil
		}
		if err := harm(storeDir + "/" + acceptedName); err != nil {
			t.Fatal(err)
		}
		d = d.Boot()
		if s, err = Open(storeDir, device, root, d); err != nil {
			t.Fatal(err)
		}
		if p, _, _, ok := s.Current(); ok && p.Version != 7 {
			t.Fatalf("seed %d: plan %d is in force", seed, p.Version)
		} else if !ok {
			lost++
			if !slices.Contains(s.Mended(), acceptedName) {
				t.Fatalf("seed %d: nobody says that the plan was damaged", seed)
			}
			if _, err := s.Accept(sign(t, other, o.director), now[1], 0); !errors.Is(err, ErrConflict) {
				t.Fatalf("seed %d: another plan 7: %v, want ErrConflict", seed, err)
			}
		}
		if _, err := s.Accept(old[0], old[1], 0); !errors.Is(err, seal.ErrRollback) {
			t.Fatalf("seed %d: an older plan: %v, want ErrRollback", seed, err)
		}
		if _, err := s.Accept(now[0], now[1], 0); err != nil {
			t.Fatalf("seed %d: the same plan again: %v", seed, err)
		}
		if s, err = Open(storeDir, device, root, d); err != nil || len(s.Mended()) > 0 || !bytes.Equal(s.ManifestEnvelope(), now[1]) {
			t.Fatalf("seed %d: opened again: %v, mended %v", seed, err, s.Mended())
		}
	}
	if lost < 24 {
		t.Errorf("%d of 48 damaged", lost)
	}
}

// TestDamagedSmallFilesOfThePlanStore damages one of the files beside the
// documents: what they protect does not go back.
func TestDamagedSmallFilesOfThePlanStore(t *testing.T) {
	p := newPapers(t)
	for seed := range 8 {
		for _, name := range []string{rootNames[0], rootNames[1], heldName, counterName} {
			d, done := newDisk(seed), reached{}
			if err := p.script(d, &done); err != nil {
				t.Fatal(err)
			}
			harm := d.Rot
			if seed%4 == 0 {
				harm = d.Spoil
			}
			if err := harm(storeDir + "/" + name); err != nil {
				t.Fatal(err)
			}
			d = d.Boot()
			for range 2 {
				s, err := Open(storeDir, device, p.pinned, d)
				if err != nil {
					t.Fatal(err)
				}
				if now, _, _, ok := s.Current(); !ok || now.Version != 3 || s.Root().Version != 2 || s.counter != 3 && (name != counterName || s.counter != 0) {
					t.Fatalf("seed %d, %s damaged: root %d, counter %d, plan %v", seed, name, s.Root().Version, s.counter, ok)
				}
				if _, err := s.Accept(p.plans[1][0], p.plans[1][1], 0); !errors.Is(err, seal.ErrRollback) {
					t.Fatalf("an older plan: %v, want ErrRollback", err)
				}
			}
		}
	}
}
