package evidence

import (
	"bytes"
	"crypto/elliptic"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"testing"

	"pgregory.net/rapid"

	"gatecast/internal/seal"
	"gatecast/internal/wire"
)

func TestEveryByteOfACheckpointCounts(t *testing.T) {
	h := newTestHistory(t)
	h.begin()
	h.begin() // names the log before
	for _, l := range h.logs {
		raw := l.raws[0]
		if d, _, err := VerifyCheckpoint(raw); err != nil || d != h.device {
			t.Fatalf("VerifyCheckpoint = %q, %v", d, err)
		}
		for i := range raw {
			x := bytes.Clone(raw)
			x[i] ^= 1
			if d, _, err := VerifyCheckpoint(x); err == nil && d == h.device {
				t.Errorf("byte %d changed from %q to %q is not found in %s", i, raw[i], x[i], x)
			}
		}
		for _, x := range [][]byte{append([]byte(" "), raw...), append(bytes.Clone(raw), ' '), append(bytes.Clone(raw), '\n')} {
			if _, _, err := VerifyCheckpoint(x); err == nil {
				t.Errorf("checkpoint with white space around it is accepted: %q", x)
			}
		}
	}
}

// Each ECDSA signature has a twin that fits as well; it must not count.
func TestTwinSignatureIsRefused(t *testing.T) {
	h := newTestHistory(t)
	h.begin()
	var r wire.Record
	var c wire.Checkpoint
	if err := json.Unmarshal(h.last().raws[0], &r); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(r.Body, &c); err != nil {
		t.Fatal(err)
	}
	sig, err := base64.StdEncoding.DecodeString(c.Sig)
	if err != nil {
		t.Fatal(err)
	}
	s := new(big.Int).SetBytes(sig[32:])
	s.Sub(elliptic.P256().Params().N, s)
	s.FillBytes(sig[32:])
	twin := bytes.Replace(h.last().raws[0], []byte(c.Sig), []byte(base64.StdEncoding.EncodeToString(sig)), 1)
	if _, _, err := VerifyCheckpoint(twin); err == nil {
		t.Error("the other signature of the same record is accepted")
	}
}

func TestLineRoundTrip(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		raw := rapid.OneOf(rapid.SliceOf(rapid.Byte()), rapid.Map(rapid.String(), func(s string) []byte { return []byte("{" + s) }),
			rapid.Just([]byte(armour+`AAAA"}`))).Draw(rt, "raw")
		line := EncodeLine(raw)
		if bytes.ContainsAny(line, "\r\n") {
			rt.Fatalf("EncodeLine(%q) = %q has a line end", raw, line)
		}
		if got := DecodeLine(line); !bytes.Equal(got, raw) {
			rt.Fatalf("DecodeLine(EncodeLine(%q)) = %q", raw, got)
		}
	})
}

func FuzzVerifyCheckpoint(f *testing.F) {
	h := newTestHistory(f)
	h.begin()
	h.begin()
	good := map[string]bool{}
	for _, l := range h.logs {
		f.Add(l.raws[0])
		good[string(l.raws[0])] = true
	}
	f.Add([]byte(`{"kind":"checkpoint","body":{"key":"","sig":""}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if d, _, err := VerifyCheckpoint(raw); err == nil && d == h.device && !good[string(raw)] {
			t.Errorf("%q counts as signed", raw)
		}
	})
}

func FuzzReceipt(f *testing.F) {
	h := newTestHistory(f)
	h.begin()
	h.receipt()
	f.Add(h.receipts[0])
	f.Add([]byte(`{"payload":"e30=","payloadType":"application/vnd.gatecast.v1+json","signatures":[{"sig":""}]}`))
	f.Fuzz(func(t *testing.T, envelope []byte) {
		r, err := OpenReceipt(envelope, []seal.PublicKey{h.director.Public()}, h.device)
		if err == nil && (r.Version != 1 || r.Upto != 1 || r.Log != h.last().id) {
			t.Errorf("%q opens as %+v", envelope, r)
		}
	})
}
