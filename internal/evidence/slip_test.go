package evidence_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"gatecast/internal/evidence"
	"gatecast/internal/seal"
	"gatecast/internal/wire"
)

// newTestSlip is a slip for file by a key that the root names.
func newTestSlip(t testing.TB, file []byte) (slip []byte, root string) {
	t.Helper()
	key, err := seal.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	envelope, err := seal.Sign(wire.Root{Header: wire.Header{Type: wire.DocRoot, Version: 1},
		RootKeys: []string{key.Public().String()}, DirectorKeys: []string{key.Public().String()}}, key)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(file)
	word, err := seal.Sign(evidence.Slip{Header: wire.Header{Type: wire.DocSlip, Version: 1}, Code: "7K2M-9Q4D", Office: "示例街道",
		File: "播放使用登记表-2026-10.xlsx", By: "zhanggong", Size: int64(len(file)), SHA256: hex.EncodeToString(sum[:])}, key)
	if err != nil {
		t.Fatal(err)
	}
	if slip, err = evidence.EncodeSlip(envelope, word); err != nil {
		t.Fatal(err)
	}
	return slip, seal.Hash(envelope)
}

func TestSlipFindsEveryChangedByte(t *testing.T) {
	t.Parallel()
	file := []byte("日期,时段,结果\r\n2026-10-01,早,已播\r\n")
	slip, root := newTestSlip(t, file)
	o, err := evidence.OpenSlip(slip, strings.ToUpper(root))
	if err != nil || o.OtherRoot || o.RootHash != root || o.Code != "7K2M-9Q4D" {
		t.Fatalf("OpenSlip = %+v, %v", o, err)
	}
	if err := o.Check(bytes.NewReader(file)); err != nil {
		t.Errorf("the file itself: %v", err)
	}
	for i := range file {
		edited := bytes.Clone(file)
		edited[i] ^= 1
		if err := o.Check(bytes.NewReader(edited)); !errors.Is(err, evidence.ErrSlipChanged) {
			t.Errorf("byte %d changed: %v, want ErrSlipChanged", i, err)
		}
	}
	if err := o.Check(bytes.NewReader(file[:len(file)-1])); !errors.Is(err, evidence.ErrSlipChanged) {
		t.Errorf("a byte cut off: %v", err)
	}
	if o, err := evidence.OpenSlip(slip, strings.Repeat("0", 64)); err != nil || !o.OtherRoot {
		t.Errorf("another root: %+v, %v", o, err)
	}
}

// TestForgedSlipIsRefused changes the slip itself: no byte of what is signed
// may pass, and no slip by a key that the root does not name.
func TestForgedSlipIsRefused(t *testing.T) {
	t.Parallel()
	slip, root := newTestSlip(t, []byte("one"))
	other, _ := newTestSlip(t, []byte("two"))
	at := bytes.Index(slip, []byte(`"slip":`))
	cut := bytes.Index(other, []byte(`"slip":`))
	mixed := append(bytes.Clone(slip[:at]), other[cut:]...)
	if _, err := evidence.OpenSlip(mixed, root); !errors.Is(err, evidence.ErrSlipForged) {
		t.Errorf("a slip by another key: %v", err)
	}
	payload := at + bytes.Index(slip[at:], []byte(`"payload":"`)) + len(`"payload":"`)
	for i := payload; slip[i] != '"'; i++ {
		edited := bytes.Clone(slip)
		edited[i] = map[bool]byte{true: 'B', false: 'A'}[slip[i] == 'A']
		if o, err := evidence.OpenSlip(edited, root); err == nil {
			t.Fatalf("byte %d of the payload changed and passed: %+v", i, o)
		}
	}
	for _, junk := range []string{"", "{}", `{"form":"gatecast-slip-1"}`, `{"form":"gatecast-slip-2","slip":{}}`, "日期,时段"} {
		if _, err := evidence.OpenSlip([]byte(junk), ""); !errors.Is(err, evidence.ErrNoSlip) {
			t.Errorf("OpenSlip(%q) = %v, want ErrNoSlip", junk, err)
		}
	}
}

func FuzzOpenSlip(f *testing.F) {
	slip, root := newTestSlip(f, []byte("one"))
	f.Add(slip)
	f.Add([]byte(`{"form":"gatecast-slip-1","root":{},"slip":{}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if o, err := evidence.OpenSlip(data, root); err == nil && !o.OtherRoot && o.Code != "7K2M-9Q4D" {
			t.Errorf("passed as signed: %+v", o)
		}
	})
}
