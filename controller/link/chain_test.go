package link

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"testing"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/evidence"
	"gatecast/internal/wire"
)

// desk inspects batches as the link does, with a store of its own.
type desk struct {
	t      testing.TB
	key    *ecdsa.PrivateKey
	device wire.DeviceID
	trust  Trust
	stored map[wire.Seq][]byte
	tail   evidence.Tail
}

func newDesk(t testing.TB) *desk {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	spki, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return &desk{t: t, key: key, device: evidence.DeviceOf(spki), trust: newTestOffice(t).trust, stored: map[wire.Seq][]byte{}}
}

// take is a batch that arrives and is committed.
func (d *desk) take(records ...json.RawMessage) []fleet.Break {
	in := inspector{device: d.device, trust: d.trust, now: time.Now(), tail: &d.tail}
	in.inspect(testLog, records, func(seq wire.Seq) []byte { return d.stored[seq] })
	for _, raw := range records {
		if h, err := evidence.Head(raw); err == nil {
			d.stored[h.Seq] = raw
		}
	}
	return in.breaks
}

// journal makes n records, every fifth one a checkpoint.
func (d *desk) journal(n int) (raws []json.RawMessage) {
	d.t.Helper()
	prev := ""
	for seq := wire.Seq(1); seq <= wire.Seq(n); seq++ {
		r := wire.Record{Log: testLog, Seq: seq, Prev: prev, Kind: wire.RecordStop, BootID: "b", Body: json.RawMessage(`{}`)}
		if seq%5 == 0 {
			var err error
			r.Kind = wire.RecordCheckpoint
			if r.Body, err = evidence.Checkpoint(r, nil, d.key); err != nil {
				d.t.Fatal(err)
			}
		}
		raw, err := json.Marshal(r)
		if err != nil {
			d.t.Fatal(err)
		}
		raws, prev = append(raws, raw), evidence.Hash(raw)
	}
	return raws
}

func want(t *testing.T, what string, got []fleet.Break, code evidence.Code, seq wire.Seq) {
	t.Helper()
	if len(got) != 1 || got[0].Code != code || got[0].Seq != seq || got[0].Log != testLog {
		t.Errorf("%s: breaks %+v, want %s at %d", what, got, code, seq)
	}
}

func TestChainIsFollowedInAnyOrder(t *testing.T) {
	d := newDesk(t)
	raws := d.journal(20)
	for _, part := range [][2]int{{0, 4}, {8, 12}, {4, 8}, {16, 20}, {10, 16}, {0, 20}} {
		if got := d.take(raws[part[0]:part[1]]...); len(got) > 0 {
			t.Errorf("records %d to %d: %+v", part[0]+1, part[1], got)
		}
	}
}

func TestChainIsFollowedAcrossARestart(t *testing.T) {
	d := newDesk(t)
	raws := d.journal(4)
	d.take(raws[:3]...)
	d.tail = evidence.Tail{} // a new process
	edited := json.RawMessage(string(raws[3][:len(raws[3])-3]) + `{} }`)
	if got := d.take(edited); len(got) > 0 {
		t.Errorf("a record whose hash nobody knows yet: %+v", got)
	}
	e := newDesk(t)
	e.take(raws[:2]...)
	e.stored[2] = []byte(`{"log":"` + testLog + `","seq":2,"kind":"stop","body":{"why":"x"}}`)
	e.tail = evidence.Tail{}
	want(t, "first record after a restart", e.take(raws[2]), evidence.Chain, 3)
}

func TestRecordThatFillsAHoleIsCheckedOnBothSides(t *testing.T) {
	d := newDesk(t)
	raws := d.journal(4)
	d.take(raws[0])
	d.take(raws[2:]...)
	var r wire.Record
	if err := json.Unmarshal(raws[1], &r); err != nil {
		t.Fatal(err)
	}
	r.AtUS++
	other, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	want(t, "another second record", d.take(other), evidence.Chain, 3)
}

func TestCheckpointsAreVerifiedOnArrival(t *testing.T) {
	d := newDesk(t)
	raws := d.journal(5)
	var r wire.Record
	if err := json.Unmarshal(raws[4], &r); err != nil {
		t.Fatal(err)
	}
	r.AtUS++
	forged, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	want(t, "a changed checkpoint", d.take(append(raws[:4:4], forged)...), evidence.Forged, 5)
	other := newDesk(t)
	other.key = d.key
	want(t, "a checkpoint of another device", other.take(raws...), evidence.Stranger, 5)
}

func FuzzInspect(f *testing.F) {
	d := newDesk(f)
	for _, raw := range d.journal(5) {
		f.Add([]byte(raw))
	}
	f.Add([]byte(`{"log":"` + testLog + `","seq":2,"prev":"aa","kind":"receipt","body":{"number":1,"envelope":{}}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		d.tail, d.stored = evidence.Tail{}, map[wire.Seq][]byte{}
		d.take(raw)
		if h, err := evidence.Head(raw); err == nil && h.Log == testLog && d.tail.Seq != h.Seq {
			t.Errorf("tail is at %d after %d", d.tail.Seq, h.Seq)
		}
	})
}
