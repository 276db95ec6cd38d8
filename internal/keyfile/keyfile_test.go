package keyfile

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"gatecast/internal/seal"
)

func TestKeyFilesOpenAgain(t *testing.T) {
	k, err := seal.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	locked, err := Lock(k, []byte("开门 sesame"))
	if err != nil {
		t.Fatal(err)
	}
	if p, ok := Locked(locked); !ok || !bytes.Equal(p, k.Public()) {
		t.Errorf("Locked = %v, %v", p, ok)
	}
	tests := map[string]struct {
		text       []byte
		passphrase string
		want       error
	}{
		"plain":            {Plain(k), "", nil},
		"locked":           {locked, "开门 sesame", nil},
		"without":          {locked, "", ErrLocked},
		"wrong":            {locked, "开门", ErrPassphrase},
		"empty":            {nil, "", ErrFormat},
		"short":            {[]byte("AAAA\n"), "", ErrFormat},
		"too_long":         {bytes.Repeat([]byte("A"), MaxFile+1), "", ErrFormat},
		"greedy":           {[]byte(strings.Replace(string(locked), " 16 ", " 40 ", 1)), "x", ErrFormat},
		"another_key":      {[]byte(strings.Replace(string(locked), k.Public().String(), "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", 1)), "开门 sesame", ErrFormat},
		"flipped_box":      {append(bytes.Clone(locked[:len(locked)-8]), []byte("AAAAAA=\n")...), "开门 sesame", nil},
		"negative_cost":    {[]byte(strings.Replace(string(locked), " 16 ", " -1 ", 1)), "x", ErrFormat},
		"cost_not_number":  {[]byte(strings.Replace(string(locked), " 16 ", " xx ", 1)), "x", ErrFormat},
		"box_not_base64":   {[]byte(strings.Join(append(strings.Fields(string(locked))[:4], "!"), " ")), "x", ErrFormat},
		"passphrase_extra": {Plain(k), "unused", nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := Open(tt.text, []byte(tt.passphrase))
			if name == "flipped_box" {
				if err == nil {
					t.Error("a changed box opens")
				}
				return
			}
			if !errors.Is(err, tt.want) || tt.want == nil && !bytes.Equal(got.Seed(), k.Seed()) {
				t.Errorf("Open = %v, want %v", err, tt.want)
			}
		})
	}
	if _, err := Lock(k, nil); err == nil {
		t.Error("an empty passphrase locks")
	}
}

func FuzzOpen(f *testing.F) {
	f.Add([]byte("gatecast-key-1 AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= 1 AAAA AAAA\n"), []byte("x"))
	f.Add([]byte("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"), []byte(nil))
	f.Fuzz(func(t *testing.T, text, passphrase []byte) {
		if strings.Count(string(text), " 1") == 0 && len(passphrase) > 0 {
			return // scrypt is slow by intent
		}
		if k, err := Open(text, passphrase); err == nil && len(k.Seed()) != 32 {
			t.Error("a key without a seed")
		}
	})
}
