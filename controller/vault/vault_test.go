package vault

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

func TestSealedFieldsComeBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "trust", KeyFile)
	v := New(path)
	rapid.Check(t, func(rt *rapid.T) {
		field, text := rapid.String().Draw(rt, "field"), rapid.String().Draw(rt, "text")
		a, err := v.Seal(field, text)
		if err != nil {
			rt.Fatal(err)
		}
		if b, err := v.Seal(field, text); err != nil || text != "" && a == b {
			rt.Fatalf("sealed twice: %q, %q, %v", a, b, err)
		}
		if got, err := New(path).Open(field, a); err != nil || got != text || Sealed(a) != (text != "") {
			rt.Fatalf("Open = %q, %v, want %q", got, err, text)
		}
		if text == "" {
			return
		}
		if _, err := v.Open(field+"x", a); !errors.Is(err, ErrKey) {
			rt.Fatalf("opened as another field: %v", err)
		}
		i := rapid.IntRange(0, len(a)-1).Draw(rt, "at")
		changed := []byte(a)
		changed[i] ^= 1
		if got, err := v.Open(field, string(changed)); err == nil {
			rt.Fatalf("opened after a change: %q", got)
		}
	})
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("key file: %v, %v", info, err)
	}
}

func TestKeyFileTroubleIsTold(t *testing.T) {
	path := filepath.Join(t.TempDir(), KeyFile)
	sealed, err := New(filepath.Join(t.TempDir(), KeyFile)).Seal("f", "text")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := New(path).Open("f", sealed); !errors.Is(err, ErrNoKey) {
		t.Errorf("without a key: %v", err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("reading made a key")
	}
	if _, err := New(path).Seal("f", "x"); err != nil {
		t.Fatal(err)
	}
	if _, err := New(path).Open("f", sealed); !errors.Is(err, ErrKey) {
		t.Errorf("with another key: %v", err)
	}
	if err := os.WriteFile(path, []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := New(path).Seal("f", "x"); err == nil || !strings.Contains(err.Error(), "64 hex") {
		t.Errorf("with a broken key file: %v", err)
	}
}

func TestFirstSealsAgreeOnTheKey(t *testing.T) {
	v := New(filepath.Join(t.TempDir(), KeyFile))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			s, err := v.Seal("f", "x")
			if got, err2 := v.Open("f", s); err != nil || err2 != nil || got != "x" {
				t.Errorf("%q, %v, %v", got, err, err2)
			}
		})
	}
	wg.Wait()
}
