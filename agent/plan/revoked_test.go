package plan

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"gatecast/internal/wire"
)

func TestRevocationEndsThePlanForGood(t *testing.T) {
	o, dir := newOffice(t), t.TempDir()
	s := openStore(t, dir, o)
	if _, err := s.Accept(sign(t, planDoc(1, 1), o.director), sign(t, manifestDoc(1, 1), o.library), 0); err != nil {
		t.Fatal(err)
	}
	doc := func(f func(*wire.Revocation)) wire.Revocation {
		r := wire.Revocation{Header: wire.Header{Type: wire.DocRevoked, Device: device, Version: 1, IssuedUS: wire.US(issued)}}
		f(&r)
		return r
	}
	same := func(*wire.Revocation) {}
	refused := map[string][]byte{
		"not_signed_by_the_director": sign(t, doc(same), o.library),
		"for_another_device":         sign(t, doc(func(r *wire.Revocation) { r.Device = "d111111111111111111111111" }), o.director),
		"for_every_device":           sign(t, doc(func(r *wire.Revocation) { r.Device = "" }), o.director),
		"of_another_type":            sign(t, doc(func(r *wire.Revocation) { r.Type = wire.DocTime }), o.director),
		"nothing":                    nil,
	}
	for name, env := range refused {
		if err := s.Revoke(env); err == nil {
			t.Errorf("%s: Revoke = nil", name)
		}
	}
	if _, _, _, ok := s.Current(); !ok || s.Revoked() {
		t.Fatal("a refused revocation ended the plan")
	}
	good := sign(t, doc(same), o.director)
	for range 2 {
		if err := s.Revoke(good); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Accept(sign(t, planDoc(2, 1), o.director), sign(t, manifestDoc(2, 1), o.library), 0); !errors.Is(err, ErrRevoked) {
		t.Errorf("Accept after the revocation = %v, want ErrRevoked", err)
	}
	for _, s := range []*Store{s, openStore(t, dir, o)} {
		if _, _, _, ok := s.Current(); ok || !s.Revoked() {
			t.Error("a revoked device has a plan")
		}
	}
}

func TestStrayRevocationFileSilencesNobody(t *testing.T) {
	o, dir := newOffice(t), t.TempDir()
	s := openStore(t, dir, o)
	if _, err := s.Accept(sign(t, planDoc(1, 1), o.director), sign(t, manifestDoc(1, 1), o.library), 0); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, revokedName), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if s := openStore(t, dir, o); s.Revoked() {
		t.Error("a file without the director's signature revoked the device")
	}
}
