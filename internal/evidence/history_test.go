package evidence

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"gatecast/internal/seal"
	"gatecast/internal/wire"
)

// history is what one device wrote and what the office signed of it.
type history struct {
	t        testing.TB
	key      *ecdsa.PrivateKey
	spki     []byte
	device   wire.DeviceID
	director seal.Key
	root     []byte
	logs     []*testLog
	receipts [][]byte
	atUS     int64
}

type testLog struct {
	id   wire.LogID
	raws [][]byte
}

func newTestHistory(t testing.TB) *history {
	t.Helper()
	h := &history{t: t, atUS: 1_795_428_000_000_000}
	var err error
	if h.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	if h.spki, err = x509.MarshalPKIXPublicKey(h.key.Public()); err != nil {
		t.Fatal(err)
	}
	h.device = DeviceOf(h.spki)
	rootKey, err := seal.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	if h.director, err = seal.NewKey(); err != nil {
		t.Fatal(err)
	}
	h.root, err = seal.Sign(wire.Root{
		Header:   wire.Header{Type: wire.DocRoot, Version: 1},
		RootKeys: []string{rootKey.Public().String()}, DirectorKeys: []string{h.director.Public().String()},
	}, rootKey)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *history) last() *testLog { return h.logs[len(h.logs)-1] }

// begin starts a log with a checkpoint that names the end of the one before.
func (h *history) begin() {
	var after *wire.LogEnd
	if len(h.logs) > 0 {
		l := h.last()
		after = &wire.LogEnd{Log: l.id, Seq: wire.Seq(len(l.raws)), Hash: Hash(l.raws[len(l.raws)-1])}
	}
	sum := sha256.Sum256(fmt.Append(nil, h.device, len(h.logs)))
	h.logs = append(h.logs, &testLog{id: wire.LogID(hex.EncodeToString(sum[:8]))})
	h.checkpoint(after)
}

// next is the record that the newest log would get now, without its body.
func (h *history) next(kind wire.RecordKind) wire.Record {
	l := h.last()
	r := wire.Record{Log: l.id, Seq: wire.Seq(len(l.raws) + 1), Kind: kind, AtUS: h.atUS, MonoUS: h.atUS - 1_795_000_000_000_000, BootID: "boot-1", Level: wire.T2, ErrMS: 5}
	if n := len(l.raws); n > 0 {
		r.Prev = Hash(l.raws[n-1])
	}
	h.atUS += 30_000_000
	return r
}

func (h *history) put(r wire.Record, body any) {
	h.t.Helper()
	var err error
	if r.Body, err = json.Marshal(body); err != nil {
		h.t.Fatal(err)
	}
	raw, err := json.Marshal(r)
	if err != nil {
		h.t.Fatal(err)
	}
	h.last().raws = append(h.last().raws, raw)
}

func (h *history) checkpoint(after *wire.LogEnd) {
	h.t.Helper()
	r := h.next(wire.RecordCheckpoint)
	body, err := Checkpoint(r, after, h.key)
	if err != nil {
		h.t.Fatal(err)
	}
	h.put(r, body)
}

func (h *history) outcome(n int) {
	play := wire.PlayID(fmt.Sprintf("2026-11-23.gates.morning#%d", n))
	h.put(h.next(wire.RecordOutcome), wire.Outcome{Play: play, Slot: "2026-11-23.gates.morning", Plan: 7, Result: wire.PlayPlayed, SoundMS: 20_000})
}

// receipt signs the newest log as it is now; the device keeps it.
func (h *history) receipt() {
	h.t.Helper()
	l := h.last()
	n := len(l.raws)
	doc := wire.Receipt{
		Header: wire.Header{Type: wire.DocReceipt, Device: h.device, Version: uint64(len(h.receipts) + 1), IssuedUS: h.atUS},
		Log:    l.id, Upto: wire.Seq(n), Hash: Hash(l.raws[n-1]), Count: int64(n), Day: "2026-11-23",
	}
	if len(h.receipts) > 0 {
		doc.Prev = seal.Hash(h.receipts[len(h.receipts)-1])
	}
	envelope, err := seal.Sign(doc, h.director)
	if err != nil {
		h.t.Fatal(err)
	}
	h.receipts = append(h.receipts, envelope)
	h.put(h.next(wire.RecordReceipt), wire.ReceiptKept{Number: doc.Version, Envelope: envelope})
}

// draw writes a history of two logs with everything in it.
func (h *history) draw(rt *rapid.T) {
	for range rapid.IntRange(1, 2).Draw(rt, "logs") {
		h.begin()
		for i := range rapid.IntRange(1, 5).Draw(rt, "days") {
			for n := range rapid.IntRange(1, 8).Draw(rt, "plays") {
				h.outcome(100*i + n)
			}
			if rapid.Bool().Draw(rt, "receipt") {
				h.receipt()
			}
			if rapid.Bool().Draw(rt, "checkpoint") {
				h.checkpoint(nil)
			}
		}
	}
}

// signedFrom reports whether a signature that is still there covers seq.
func (l *testLog) signedFrom(seq wire.Seq) bool {
	for i, raw := range l.raws {
		var r wire.Record
		if json.Unmarshal(raw, &r) != nil {
			continue
		}
		var k wire.ReceiptKept
		switch {
		case r.Kind == wire.RecordCheckpoint && i+1 >= int(seq):
			return true
		case r.Kind == wire.RecordReceipt && json.Unmarshal(r.Body, &k) == nil:
			if c, err := seal.Peek[wire.Receipt](k.Envelope); err == nil && c.Log == l.id && c.Upto >= seq {
				return true
			}
		}
	}
	return false
}

// clone copies the logs, so that an attack leaves h as it was.
func (h *history) clone() *history {
	c := *h
	c.logs = nil
	for _, l := range h.logs {
		c.logs = append(c.logs, &testLog{id: l.id, raws: append([][]byte(nil), l.raws...)})
	}
	return &c
}

// Logs and Read make a history a journal.
func (h *history) Logs() (infos []LogInfo) {
	for _, l := range h.logs {
		infos = append(infos, LogInfo{Log: l.id})
	}
	return infos
}

func (h *history) Read(i LogInfo, see func([]byte), _ func(first, last wire.Seq)) error {
	for _, l := range h.logs {
		if l.id == i.Log {
			for _, raw := range l.raws {
				see(raw)
			}
		}
	}
	return nil
}

func (h *history) verify() Report {
	h.t.Helper()
	r, err := Verify(h, Options{Director: []seal.PublicKey{h.director.Public()}})
	if err != nil {
		h.t.Fatal(err)
	}
	return r
}

// attack changes one place of a log and computes every hash and number behind
// it anew, as somebody without the keys can. strip also takes out what was
// signed behind that place. It returns the first number that is different.
func (h *history) attack(rt *rapid.T) (log int, seq wire.Seq, what string, strip bool) {
	log = rapid.IntRange(0, len(h.logs)-1).Draw(rt, "log")
	l := h.logs[log]
	k := rapid.IntRange(0, len(l.raws)-1).Draw(rt, "at")
	what = rapid.SampledFrom([]string{"edit", "remove", "swap", "insert", "truncate"}).Draw(rt, "what")
	strip = rapid.Bool().Draw(rt, "strip")
	switch what {
	case "edit":
		l.raws[k] = edited(l.raws[k])
	case "remove":
		l.raws = append(l.raws[:k:k], l.raws[k+1:]...)
	case "swap":
		if k+1 == len(l.raws) {
			k = max(k-1, 0)
		}
		if k+1 < len(l.raws) {
			l.raws[k], l.raws[k+1] = l.raws[k+1], l.raws[k]
		} else {
			l.raws[k] = edited(l.raws[k])
		}
	case "insert":
		l.raws = append(l.raws[:k:k], append([][]byte{edited(l.raws[k])}, l.raws[k:]...)...)
	case "truncate":
		l.raws = l.raws[:k:k]
	}
	if strip {
		kept := l.raws[:min(k, len(l.raws)):min(k, len(l.raws))]
		for _, raw := range l.raws[min(k, len(l.raws)):] {
			if head, _ := Head(raw); head.Kind != wire.RecordCheckpoint && head.Kind != wire.RecordReceipt {
				kept = append(kept, raw)
			}
		}
		l.raws = kept
	}
	l.rehash(k)
	return log, wire.Seq(k + 1), what, strip
}

// edited is raw with another time, of the same kind.
func edited(raw []byte) []byte {
	var r wire.Record
	if json.Unmarshal(raw, &r) != nil {
		return append([]byte(" "), raw...)
	}
	r.AtUS += 1_000_000
	out, _ := json.Marshal(r) // it came from JSON
	return out
}

// rehash numbers and chains everything from index k.
func (l *testLog) rehash(k int) {
	for i := k; i < len(l.raws); i++ {
		var r wire.Record
		if json.Unmarshal(l.raws[i], &r) != nil {
			continue
		}
		r.Seq, r.Prev = wire.Seq(i+1), ""
		if i > 0 {
			r.Prev = Hash(l.raws[i-1])
		}
		l.raws[i], _ = json.Marshal(r) // it came from JSON
	}
}
