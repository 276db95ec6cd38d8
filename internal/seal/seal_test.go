package seal

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"gatecast/internal/wire"
)

func newTestKey(t testing.TB) Key {
	t.Helper()
	k, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestOpenAcceptanceRules(t *testing.T) {
	director, stranger := newTestKey(t), newTestKey(t)
	plan := wire.Plan{Header: wire.Header{Type: wire.DocPlan, Device: "gate7", Version: 5, ExpiresUS: 2_000_000}, Point: "SF-01"}
	want := Expect{Type: wire.DocPlan, Device: "gate7", MinVersion: 5, NowUS: 1_000_000}
	tests := []struct {
		name   string
		signer Key
		change func(*Expect)
		err    error
	}{
		{"accepted", director, func(*Expect) {}, nil},
		{"stranger_signed", stranger, func(*Expect) {}, ErrSignature},
		{"another_type", director, func(e *Expect) { e.Type = wire.DocManifest }, ErrType},
		{"another_device", director, func(e *Expect) { e.Device = "gate8" }, ErrAudience},
		{"rollback", director, func(e *Expect) { e.MinVersion = 6 }, ErrRollback},
		{"expired", director, func(e *Expect) { e.NowUS = 2_000_000 }, ErrExpired},
		{"expiry_without_time", director, func(e *Expect) { e.NowUS = 0 }, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			env, err := Sign(plan, tt.signer)
			if err != nil {
				t.Fatal(err)
			}
			e := want
			tt.change(&e)
			var got wire.Plan
			_, err = Open(env, []PublicKey{director.Public()}, e, &got)
			if !errors.Is(err, tt.err) {
				t.Fatalf("Open = %v, want %v", err, tt.err)
			}
			if (err == nil) != (got.Point == "SF-01") {
				t.Errorf("document parsed = %v with error %v", got.Point, err)
			}
		})
	}
}

func TestOpenRefusesEveryFlippedBit(t *testing.T) {
	k := newTestKey(t)
	env, err := Sign(wire.Manifest{Header: wire.Header{Type: wire.DocManifest, Version: 1}}, k)
	if err != nil {
		t.Fatal(err)
	}
	payload, err := Verify(env, []PublicKey{k.Public()})
	if err != nil {
		t.Fatal(err)
	}
	for i := range payload {
		changed := bytes.Clone(payload)
		changed[i] ^= 1
		var e map[string]any
		if err := json.Unmarshal(env, &e); err != nil {
			t.Fatal(err)
		}
		e["payload"] = base64.StdEncoding.EncodeToString(changed)
		forged, _ := json.Marshal(e)
		if _, err := Verify(forged, []PublicKey{k.Public()}); !errors.Is(err, ErrSignature) {
			t.Fatalf("payload with byte %d changed: Verify = %v, want ErrSignature", i, err)
		}
	}
}

func TestKeysRoundTrip(t *testing.T) {
	k := newTestKey(t)
	back, err := KeyFromSeed(k.Seed())
	if err != nil || back.Public().ID() != k.Public().ID() {
		t.Fatalf("KeyFromSeed = %v, %v", back.Public(), err)
	}
	keys, err := ParsePublicKeys([]string{k.Public().String()})
	if err != nil || keys[0].ID() != k.Public().ID() {
		t.Fatalf("ParsePublicKeys = %v, %v", keys, err)
	}
	for _, bad := range []string{"", "AAAA", "!", strings.Repeat("A", 100)} {
		if _, err := ParsePublicKey(bad); err == nil {
			t.Errorf("ParsePublicKey(%q) succeeded", bad)
		}
	}
	if _, err := KeyFromSeed(nil); err == nil {
		t.Error("KeyFromSeed(nil) succeeded")
	}
}

func FuzzOpen(f *testing.F) {
	k := newTestKey(f)
	env, err := Sign(wire.Plan{Header: wire.Header{Type: wire.DocPlan, Version: 1}}, k)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(env)
	f.Add([]byte(`{"payloadType":"x","payload":"AA==","signatures":[{}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var p wire.Plan
		if _, err := Open(data, []PublicKey{k.Public()}, Expect{Type: wire.DocPlan}, &p); err == nil {
			if _, err := Verify(data, []PublicKey{k.Public()}); err != nil {
				t.Errorf("Open accepted what Verify refuses: %v", err)
			}
		}
	})
}
