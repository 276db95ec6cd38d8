package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatecast/agent/journal"
	"gatecast/agent/walltime"
	"gatecast/internal/durable"
	"gatecast/internal/evidence"
	"gatecast/internal/seal"
	"gatecast/internal/wire"
)

type cardKey struct{ *ecdsa.PrivateKey }

func (k cardKey) Checkpoint(r wire.Record, after *wire.LogEnd) (json.RawMessage, error) {
	return evidence.Checkpoint(r, after, k)
}

// newTestCard writes the data folder of a device: n outcomes, a receipt and a
// stop. It returns the folder and the fingerprint of its trust root.
func newTestCard(t *testing.T, n int) (dir, root string) {
	t.Helper()
	dir = t.TempDir()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	at := walltime.Stamp{Wall: time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC), BootID: "b", Level: wire.T2}
	j, err := journal.Open(filepath.Join(dir, "journal"), journal.Options{Sign: cardKey{key}, Now: func() walltime.Stamp { return at }})
	if err != nil {
		t.Fatal(err)
	}
	add := func(kind wire.RecordKind, body any) {
		t.Helper()
		at.Wall, at.Mono = at.Wall.Add(time.Minute), at.Mono+time.Minute
		if _, err := j.Append(kind, at, body); err != nil {
			t.Fatal(err)
		}
	}
	for range n {
		add(wire.RecordOutcome, wire.Outcome{Play: "2026-11-23.gates.noon#1", Slot: "2026-11-23.gates.noon", Result: wire.PlayPlayed})
	}
	office, err := seal.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	envelope, err := seal.Sign(wire.Root{Header: wire.Header{Type: wire.DocRoot, Version: 1},
		RootKeys: []string{office.Public().String()}, DirectorKeys: []string{office.Public().String()}}, office)
	if err != nil {
		t.Fatal(err)
	}
	spki := spkiOf(t, key)
	raw, _, err := j.Record(j.Log(), 5)
	if err != nil {
		t.Fatal(err)
	}
	receipt, err := seal.Sign(wire.Receipt{
		Header: wire.Header{Type: wire.DocReceipt, Device: evidence.DeviceOf(spki), Version: 1}, Log: j.Log(), Upto: 5, Hash: evidence.Hash(raw), Count: 5, Day: "2026-11-22",
	}, office)
	if err != nil {
		t.Fatal(err)
	}
	add(wire.RecordReceipt, wire.ReceiptKept{Number: 1, Envelope: receipt})
	add(wire.RecordStop, wire.Stop{})
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "identity"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := durable.On(nil).WriteChecked(filepath.Join(dir, "identity", "root.json"), envelope, 0o600); err != nil {
		t.Fatal(err)
	}
	return dir, seal.Hash(envelope)
}

func spkiOf(t *testing.T, key *ecdsa.PrivateKey) []byte {
	t.Helper()
	r := wire.Record{Log: "0011223344556677", Seq: 1, Kind: wire.RecordCheckpoint}
	body, err := evidence.Checkpoint(r, nil, key)
	if err != nil {
		t.Fatal(err)
	}
	var c struct {
		Key []byte `json:"key"`
	}
	if err := json.Unmarshal(body, &c); err != nil {
		t.Fatal(err)
	}
	return c.Key
}

func TestVerifyACard(t *testing.T) {
	dir, root := newTestCard(t, 10)
	status, out, said := runTool(t, "verify", dir)
	if status != exitOK || !strings.Contains(out, "通过：") || !strings.Contains(out, "覆盖到记录 14") || !strings.Contains(out, "（1 份回执）覆盖到记录 5") || !strings.Contains(out, "离线无法得知") {
		t.Errorf("a whole card: %d\n%s%s", status, out, said)
	}
	if status, out, _ := runTool(t, "verify", "--lang", "en", "--root", root, filepath.Join(dir, "journal")); status != exitOK || !strings.Contains(out, "PASSED") || !strings.Contains(out, "as you named it") {
		t.Errorf("its journal alone: %d\n%s", status, out)
	}
	if status, out, _ := runTool(t, "verify", "--root", strings.Repeat("0", 64), dir); status != exitBad || !strings.Contains(out, "信任根不是指定的那个") {
		t.Errorf("another trust root: %d\n%s", status, out)
	}
	if err := os.Remove(filepath.Join(dir, "identity", "root.json")); err != nil {
		t.Fatal(err)
	}
	if status, out, _ := runTool(t, "verify", dir); status != exitOK || !strings.Contains(out, "1 份主控回执没有核对") {
		t.Errorf("without a trust root: %d\n%s", status, out)
	}
}

func TestVerifyNamesTheFirstBadRecord(t *testing.T) {
	dir, _ := newTestCard(t, 10)
	segments, err := filepath.Glob(filepath.Join(dir, "journal", "*.seg"))
	if err != nil || len(segments) != 1 {
		t.Fatalf("segments %v, %v", segments, err)
	}
	data, err := os.ReadFile(segments[0])
	if err != nil {
		t.Fatal(err)
	}
	// Record 7, without its checksum made right: it cannot be read any more.
	at := bytes.Index(data, []byte(`"seq":7,`))
	data[at+6] = '8'
	if err := os.WriteFile(segments[0], data, 0o600); err != nil {
		t.Fatal(err)
	}
	status, out, _ := runTool(t, "verify", dir)
	if status != exitBad || !strings.Contains(out, "不通过。第一处问题：") || !strings.Contains(out, "记录 8：") || !strings.Contains(out, "从记录 7 起缺失") {
		t.Errorf("a damaged card: %d\n%s", status, out)
	}
	if status, out, _ := runTool(t, "verify", "--lang", "en", dir); status != exitBad || !strings.Contains(out, "FAILED. The first thing wrong: ") || !strings.Contains(out, "missing from record 7") {
		t.Errorf("in English: %d\n%s", status, out)
	}
}

func TestVerifySaysWhatItCannotRead(t *testing.T) {
	file := filepath.Join(t.TempDir(), "x.zip")
	if err := os.WriteFile(file, []byte("no archive"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		args []string
		say  string
	}{
		{"nothing_named", nil, "usage"},
		{"two_named", []string{"a", "b"}, "usage"},
		{"unknown_language", []string{"--lang", "fr", "a"}, "usage"},
		{"not_there", []string{filepath.Join(t.TempDir(), "none")}, "核对路径"},
		{"empty_folder", []string{t.TempDir()}, "既不是设备日志目录，也不是证据包"},
		{"no_archive", []string{file}, "既不是设备日志目录，也不是证据包"},
		{"in_english", []string{"--lang", "en", file}, "neither a journal nor an export"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			status, _, said := runTool(t, append([]string{"verify"}, tt.args...)...)
			if status != exitUsage || !strings.Contains(said, tt.say) {
				t.Errorf("verify %q = %d, %q, want %q", tt.args, status, said, tt.say)
			}
		})
	}
}

func TestEveryFaultHasItsWords(t *testing.T) {
	for _, code := range evidence.Codes() {
		if w := faultWords[code]; w[0] == "" || w[1] == "" {
			t.Errorf("no words for %q", code)
		}
	}
	if len(faultWords) != len(evidence.Codes()) {
		t.Errorf("%d words, %d codes", len(faultWords), len(evidence.Codes()))
	}
}
